"""`chainrule train`: what it prints, saves and decides, and its options."""

from __future__ import annotations

import inspect
import re
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.option_types import option
from chainrule.cli.options import FIRST, settled, show_value
from chainrule.estimators.presets import DEFAULTS, MANY_ROWS, Facts
from chainrule.estimators.settings.table import SETTINGS
from chainrule.tables.sources import load
from support.commands import DATA, ok, people, refused, run, write

OFFERED = [name for name, row in SETTINGS.items() if row.on_command_line]


@pytest.fixture
def table(tmp_path):
    return write(tmp_path / "people.csv", people())


@pytest.fixture
def classes(table):
    """The words of a short training on two classes."""
    return ("train", table, "--target", "dear", "--max-iter", 5)


@pytest.fixture
def numbers(table):
    """The words of a short training on a number."""
    return ("train", table, "--target", "price", "--max-iter", 5)


def test_digits_need_nothing_else_and_reach_97_percent() -> None:
    out = ok("train", "digits").out
    assert float(re.search(r"^test accuracy: (0\.\d+)", out, re.MULTILINE)[1]) >= 0.97
    for said in (
        "data: digits, 1,797 rows with 64 inputs",
        "task: classification, because 'digit' holds 10 different whole numbers",
        "train: 1,437 rows",
        "test: 360 rows, held out: 20 % of the rows",
        "network: 64-200-100-10, relu, 34,110 parameters",
        "not saved; --out model.safetensors keeps the model",
    ):
        assert said in out
    assert re.search(r"^trained: 40 epochs in \d+\.\d s, ", out, re.MULTILINE)
    matrix = out[out.index("actual \\ predicted") :].splitlines()[2:12]
    assert [line.split()[0] for line in matrix] == list("0123456789")


def test_a_table_is_explained_trained_and_saved(classes, tmp_path) -> None:
    path = tmp_path / "model.safetensors"
    out = ok(*classes, "--out", path).out
    assert "columns: 5 inputs from" in out
    assert "town   category -> 2 levels" in out
    assert "with 4 columns" in out
    assert f"saved: {path}; to predict with it: chainrule predict {path} NEW.csv --out predictions.csv" in out
    assert cr.load(path).target_name_ == "dear"


def test_many_columns_are_shortened(tmp_path) -> None:
    wide = {f"c{k}": np.random.default_rng(k).normal(size=40).tolist() for k in range(20)}
    path = write(tmp_path / "wide.csv", {**wide, "y": ["a", "b"] * 20})
    out = ok("train", path, "--target", "y", "--max-iter", 1).out
    assert "... and 9 more columns" in out
    assert sum(line.startswith("  c") for line in out.splitlines()) == 11


def test_a_regression_shows_errors_and_quantiles(numbers) -> None:
    out = ok(*numbers).out
    assert "task: regression, because 'price' holds" in out
    assert re.search(r"^test RMSE: \S+, MAE \S+, R² \S+$", out, re.MULTILINE)
    assert re.search(r"^quantile +5 % +25 % +50 % +75 % +95 %$", out, re.MULTILINE)


def test_lines_fit_80_columns(classes, numbers, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in (("train", "digits", "--max-iter", 1), (*classes, "--early-stopping"), numbers):
        lines = [line for line in ok(*words).out.splitlines() if not line.startswith("data: ")]  # holds a path
        assert max(map(len, lines)) <= 80


def test_more_classes_than_fit_are_listed_with_what_they_are_taken_for(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    labels = [f"label{k}" for k in range(12)]
    path = write(tmp_path / "t.csv", {"x": list(range(120)), "y": labels * 10})
    out = ok("train", path, "--target", "y", "--max-iter", 1).out
    assert re.search(r"^actual +rows +right +taken for$", out, re.MULTILINE)
    assert re.search(r"^label11 +2 +\d+\.0 %", out, re.MULTILINE)


def test_json_is_one_object_and_the_estimator_gives_the_same_bits(classes, table, tmp_path) -> None:
    path = tmp_path / "model.safetensors"
    ran = ok(*classes, "--out", path, "--json")
    report = ran.json
    assert ran.err == ""
    assert report["task"] == "classification"
    assert report["rows"] == {"train": 64, "test": 16}
    assert report["test"]["confusion"]["labels"] == ["no", "yes"]
    assert np.sum(report["test"]["confusion"]["counts"]) == 16
    assert report["settings"]["n_iter_no_change"] is None  # infinite
    settings = {**report["settings"], "n_iter_no_change": np.inf}
    from chainrule.workbench.data import split

    source = load(table, "dear")
    train, test = split(source.y, 0.2, 0, labels=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin = cr.MLPClassifier(**settings).fit(source.X[train], source.y[train])
    saved = cr.load(path)
    assert np.array_equal(saved.theta_, twin.theta_)
    assert report["test"]["accuracy"] == twin.score(source.X[test], source.y[test])


def test_json_of_a_regression_and_quiet(numbers) -> None:
    scores = ok(*numbers, "--json").json["test"]
    assert list(scores["residual_quantiles"]) == ["5", "25", "50", "75", "95"]
    quiet = ok(*numbers, "--quiet")
    assert quiet.out.count("\n") == 1
    assert quiet.out.startswith("test RMSE: ")


def test_the_same_command_gives_the_same_bits(classes, tmp_path) -> None:
    one, two, three = (tmp_path / f"{k}.safetensors" for k in range(3))
    ok(*classes, "--out", one)
    ok(*classes, "--out", two)
    ok(*classes, "--out", three, "--random-state", 1)
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != three.read_bytes()


def test_test_rows_come_from_the_option_or_the_source_or_a_share(classes, numbers, tmp_path) -> None:
    other = write(tmp_path / "other.csv", people(30, seed=1))
    assert "test: 30 rows, " in ok(*classes, "--test", other).out
    assert "train: 80 rows" in ok(*classes, "--test", other).out
    assert "test: 40 rows, held out: 50 %" in ok(*numbers, "--test-fraction", 0.5).out
    untested = ok(*numbers, "--test-fraction", 0)
    assert "train: 80 rows" in untested.out
    assert "RMSE" not in untested.out
    draw = np.random.default_rng(0)
    arrays = {"x_train": draw.normal(size=(40, 3)), "x_test": draw.normal(size=(7, 3))}
    arrays |= {"y_train": np.arange(40) % 2, "y_test": np.arange(7) % 2}
    np.savez(tmp_path / "both.npz", **arrays)
    assert "test: 7 rows, its own test rows" in ok("train", tmp_path / "both.npz", "--max-iter", 1).out


def test_labels_that_only_the_test_file_has_count_as_errors(classes, tmp_path) -> None:
    rows = people(30, seed=1)
    rows["dear"][:3] = ["perhaps"] * 3
    ran = ok(*classes, "--test", write(tmp_path / "other.csv", rows))
    assert "never seen the class 'perhaps'" in ran.err
    assert "log loss" not in ran.out


def test_rare_classes_are_kept_in_training(tmp_path) -> None:
    rows = people(60)
    rows["dear"][:3] = ["lone", "pair", "pair"]
    path = write(tmp_path / "rare.csv", rows)
    for early in ((), ("--early-stopping",)):
        assert "lone" in ok("train", path, "--target", "dear", "--max-iter", 2, *early).out


def test_several_labels_and_several_targets(tmp_path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 4))
    np.savez(tmp_path / "labels.npz", X=X, y=(X[:, :3] > 0).astype(int))
    np.savez(tmp_path / "targets.npz", X=X, y=X[:, :2] * 1.5)
    labels = ok("train", tmp_path / "labels.npz", "--max-iter", 2, "--json").json
    assert labels["network"]["outputs"] == 3
    assert labels["test"]["confusion"] is None
    assert 0 < labels["test"]["log_loss"] < 2
    assert ok("train", tmp_path / "targets.npz", "--max-iter", 2, "--json").json["task"] == "regression"


def test_notes_are_one_dim_line_each(classes) -> None:
    ran = ok(*classes, "--momentum", 0.3, "--validation-fraction", 0.2, "--batch-size", 500)
    assert ran.err.splitlines() == [
        "note: --momentum has no effect with --solver adam",
        "note: --validation-fraction has no effect without --early-stopping",
        "note: Got `batch_size` 500 larger than sample size 64. It is going to be clipped",
    ]


# ---------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("hidden_layer_sizes", "7,5", (7, 5)),
        ("hidden_layer_sizes", "none", ()),
        ("activation", "tanh", "tanh"),
        ("initializer", "0.1", 0.1),
        ("bias_initializer", "normal", "normal"),
        ("batch_size", "auto", "auto"),
        ("shuffle", "once", "once"),
        ("shuffle", "false", False),
        ("n_iter_no_change", "inf", float("inf")),
        ("time_limit", "9.5", 9.5),
        ("learning_rate_init", "none", None),
        ("class_weight", "balanced", "balanced"),
        ("class_weight", "yes:2, no:0.5", {"yes": 2.0, "no": 0.5}),
        ("scoring", "none", None),
        ("label_smoothing", "0.1", 0.1),
        ("augment_noise", "0.2", 0.2),
        ("mixup", "0.3", 0.3),
        ("image_shape", "28,28", (28, 28)),
    ],
)
def test_texts_become_settings(name, text, value, classes, tmp_path) -> None:
    ok(*classes, option(name), text, "--out", tmp_path / "m.safetensors")
    got = getattr(cr.load(tmp_path / "m.safetensors"), name)
    assert (got, type(got)) == (value, type(value))


def test_flags_go_both_ways(numbers, tmp_path) -> None:
    path = tmp_path / "m.safetensors"
    ok(*numbers, "--no-scale-target", "--early-stopping", "--scoring", "r2", "--out", path)
    model = cr.load(path)
    assert (model.scale_target, model.early_stopping, model.scoring) == (False, True, "r2")


def test_every_setting_is_an_option_with_its_default_in_the_help() -> None:
    help_text = ok("train", "--help").out
    words = " ".join(help_text.split())
    for name in OFFERED:
        assert f" {option(name)}" in help_text, name
        assert SETTINGS[name].help in words, name
    for name in set(SETTINGS) - set(OFFERED):
        assert option(name) not in help_text, name
    for default in DEFAULTS.values():
        assert f"[{default.words or show_value(default.value)}]" in words
    for condition in (
        "largest number of evaluations of the loss; with a solver that searches along a line",
        "factor of the step and exponential schedules; with --learning-rate step or exponential",
        "; with a solver that takes batches",
        "share of the rows kept for validation; with --early-stopping ",
        "none: a square; with --augment-shift or --augment-rotate or ",
        "steps or seconds; with --checkpoint ",
    ):
        assert condition in words
    conditions = sum(SETTINGS[name].condition is not None for name in OFFERED)
    assert words.count("; with ") >= conditions > 20
    first = help_text[: help_text.index("The network:")]
    assert [option(name) in first for name in FIRST] == [True] * 10
    headings = re.findall(r"^([A-Z].*):$", help_text, re.MULTILINE)
    assert headings[1:] == [
        "Reading the file (what is not said is found out)",
        "The network",
        "The loss",
        "The optimiser",
        "Training",
        "Stopping",
        "Data",
        "Augmentation",
        "Running",
    ]


def test_defaults_follow_the_data() -> None:
    few, many = (settled("classification", {}, Facts(rows, False, 1 / 255)) for rows in (100, MANY_ROWS))
    assert (few["early_stopping"], few["batch_size"], few["learning_rate"], few["max_iter"]) == (
        False,
        32,
        "cosine",
        40,
    )
    assert (many["early_stopping"], many["batch_size"], many["learning_rate"]) == (True, 128, "adaptive")
    assert (many["preprocessing"], many["input_scale"]) == ("never", 1 / 255)
    given = settled("regression", {"early_stopping": True, "solver": "lbfgs"}, Facts(100, True, 1.0))
    assert (given["learning_rate_init"], given["learning_rate"], given["scale_target"]) == (None, "cosine", True)
    assert settled("classification", {}, Facts(2, True, 1.0))["batch_size"] == 1
    assert settled("classification", {"solver": "rprop"}, Facts(500, True, 1.0))["batch_size"] == 500


def test_the_defaults_of_the_command_line_are_settings_there_are() -> None:
    known = {name for kind in (cr.MLPClassifier, cr.MLPRegressor) for name in inspect.signature(kind).parameters}
    assert set(DEFAULTS) <= known


def test_images_are_as_the_source_says_and_options_that_need_them_say_so() -> None:
    idle = ("--image-shape", "4,16")
    report = ok("train", "digits", "--max-iter", 1, "--json", *idle).json
    assert report["settings"]["image_shape"] == [4, 16]
    assert report["notes"][:1] == [
        "--image-shape has no effect without one of --augment-shift, --augment-rotate, --augment-scale, "
        "--augment-shear, --augment-elastic",
    ]
    chosen = settled("classification", {}, Facts(100, False, 1.0, image_shape=(8, 8)))
    assert chosen["image_shape"] == (8, 8)


def test_options_of_the_other_task_are_refused(classes, numbers) -> None:
    assert "--class-weight is for classification; this is a regression" in refused(
        *numbers, "--class-weight", "balanced"
    )
    assert "--scale-target is for regression; this is a classification" in refused(*classes, "--scale-target")


def test_the_task_can_be_said(tmp_path) -> None:
    path = write(tmp_path / "t.csv", {"x": list(range(40)), "y": [k % 3 for k in range(40)]})
    assert "task: classification, because 'y' holds 3 different whole numbers" in ok("train", path, "--target", "y").out
    asked = ok("train", path, "--target", "y", "--task", "regression").out
    assert "task: regression, because --task says so" in asked


def test_help_and_version() -> None:
    listed = ok("--help").out
    for name in ("look", "train", "find-lr", "predict", "evaluate", "summary", "check-gradients", "info"):
        assert f"  {name} " in listed
        assert ok(name, "--help").out.startswith(f"Usage: chainrule {name}")
    assert ok("--version").out == f"chainrule {cr.__version__}\n"
    assert run().code != 0


# -------------------------------------------------------------------------------------------------- real data


@pytest.mark.data
def test_mnist_is_read_from_its_files() -> None:
    words = ("--hidden-layer-sizes", 16, "--batch-size", 128, "--max-iter", 1, "--no-early-stopping", "--json")
    report = ok("train", DATA / "mnist", *words).json
    assert report["rows"] == {"train": 60000, "test": 10000}
    assert report["settings"]["input_scale"] == 1 / 255
    assert report["test"]["accuracy"] > 0.9


@pytest.mark.data
def test_adult_tells_training_from_test() -> None:
    folder = DATA / "tabular"
    words = ("--target", "income", "--test", folder / "adult_test.csv.gz", "--max-iter", 3, "--json")
    report = ok("train", folder / "adult_train.csv.gz", *words).json
    assert report["rows"] == {"train": 32561, "test": 16281}
    assert report["settings"]["early_stopping"] is True
    assert report["test"]["accuracy"] > 0.84


@pytest.mark.data
def test_california_housing_in_dollars() -> None:
    path = DATA / "tabular" / "california_housing.csv.gz"
    report = ok("train", path, "--target", "median_house_value", "--max-iter", 4, "--json").json
    assert report["task"] == "regression"
    assert report["test"]["rmse"] < 65_000
