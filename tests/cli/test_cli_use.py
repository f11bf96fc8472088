"""`chainrule predict`, `evaluate`, `summary`, `check-gradients`, `info`, and the program as a process."""

from __future__ import annotations

import os
import re
import signal
import sys
import time

import numpy as np
import polars as pl
import pytest

import chainrule as cr
from chainrule.engines import ENGINES
from chainrule.tables.sources import load
from support.commands import NO_CORE, ok, people, process, run, write


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a table, a classifier, a regressor, and a classifier of the digits."""
    folder = tmp_path_factory.mktemp("models")
    table = write(folder / "people.csv", people())
    for target, name in (("dear", "classes"), ("price", "numbers")):
        ok("train", table, "--target", target, "--max-iter", 20, "--out", folder / f"{name}.safetensors")
    ok("train", "digits", "--max-iter", 2, "--out", folder / "digits.safetensors")
    return folder


def test_classes_come_with_their_probabilities(place, tmp_path) -> None:
    new = people(12, seed=5)
    shuffled = {name: new[name] for name in ("z", "dear", "x", "town", "price")} | {"extra": [1] * 12}
    path = write(tmp_path / "new.csv", shuffled)
    out = tmp_path / "p.csv"
    said = ok("predict", place / "classes.safetensors", path, "--out", out).out
    assert said == f"predicted: 12 rows of {path}, written to {out}\n"
    written = pl.read_csv(out)
    model, X = cr.load(place / "classes.safetensors"), load(path, "dear").X
    assert written.columns == ["class", "P(no)", "P(yes)"]
    assert written["class"].to_list() == model.predict(X).tolist()
    assert np.array_equal(written[:, 1:].to_numpy().astype(np.float32), model.predict_proba(X))


def test_the_target_may_be_lacking_and_stdout_has_the_same_bytes(place, tmp_path) -> None:
    path = write(tmp_path / "new.csv", people(12, seed=5), without=("price",))
    ok("predict", place / "numbers.safetensors", path, "--out", tmp_path / "p.csv")
    ran = ok("predict", place / "numbers.safetensors", path)
    assert ran.out == (tmp_path / "p.csv").read_text()
    assert ran.out.startswith("prediction\n")
    assert ran.out.count("\n") == 13


def test_an_old_file_of_predictions_stays_when_something_is_wrong(place, tmp_path) -> None:
    (tmp_path / "p.csv").write_text("precious")
    path = write(tmp_path / "new.csv", people(12), without=("x",))
    assert run("predict", place / "classes.safetensors", path, "--out", tmp_path / "p.csv").code == 2
    assert (tmp_path / "p.csv").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 2


def test_predicting_images_and_matrices(place, tmp_path) -> None:
    facts = ok("predict", place / "digits.safetensors", "digits", "--out", tmp_path / "p.parquet", "--json").json
    assert facts["rows"] == 1797
    assert facts["columns"] == ["class", *(f"P({k})" for k in range(10))]
    assert pl.read_parquet(tmp_path / "p.parquet")["class"].dtype == pl.Int64
    X = np.random.default_rng(0).normal(size=(60, 4))
    np.savez(tmp_path / "t.npz", X=X, y=X[:, :2])
    np.savez(tmp_path / "new.npz", X=X[:3])
    ok("train", tmp_path / "t.npz", "--max-iter", 1, "--out", tmp_path / "m.safetensors")
    out = ok("predict", tmp_path / "m.safetensors", tmp_path / "new.npz").out
    assert out.splitlines()[0] == "prediction 0,prediction 1"
    assert len(out.splitlines()) == 4


def test_losses_without_probabilities_give_classes_only(place, tmp_path) -> None:
    path = tmp_path / "hinge.safetensors"
    words = ("--target", "dear", "--loss", "hinge", "--max-iter", 2)
    report = ok("train", place / "people.csv", *words, "--out", path, "--json").json
    assert report["test"]["log_loss"] is None
    assert ok("predict", path, place / "people.csv").out.splitlines()[0] == "class"


def test_evaluate_gives_the_scores_of_train(place, tmp_path) -> None:
    test = write(tmp_path / "test.csv", people(40, seed=9))
    model = tmp_path / "m.safetensors"
    words = ("--target", "dear", "--max-iter", 3, "--test", test, "--out", model)
    trained = ok("train", place / "people.csv", *words, "--json").json
    evaluated = ok("evaluate", model, test, "--json").json
    assert evaluated["test"] == trained["test"]
    out = ok("evaluate", model, test).out
    assert f"model: {model}, classification of 'dear'" in out
    assert f"test accuracy: {trained['test']['accuracy']:.4f} " in out
    renamed = people(40, seed=9)
    renamed["answer"] = renamed.pop("dear")
    other = write(tmp_path / "renamed.csv", renamed)
    assert ok("evaluate", model, other, "--target", "answer", "--json").json["test"] == trained["test"]


def test_evaluate_a_regression(place) -> None:
    out = ok("evaluate", place / "numbers.safetensors", place / "people.csv").out
    assert re.search(r"^test RMSE: \S+, MAE \S+, R² \S+$", out, re.MULTILINE)
    assert "actual - predicted" in out


def test_labels_in_another_type_are_the_same_labels(tmp_path) -> None:
    texts = ["1", "2", "x"] * 20
    train = write(tmp_path / "t.csv", {"a": list(range(60)), "y": texts})
    model = tmp_path / "m.safetensors"
    ok("train", train, "--target", "y", "--max-iter", 1, "--out", model)
    test = write(tmp_path / "test.csv", {"a": [1, 2, 3, 4], "y": [1, 2, 1, 2]})
    assert ok("evaluate", model, test, "--json").json["test"]["unknown_labels"] == []


def test_summary_says_what_a_model_is(place) -> None:
    out = ok("summary", place / "classes.safetensors").out
    for said in (
        "model: MLPClassifier in ",
        "predicts: 'dear', one of no, yes",
        "columns: 5 inputs from",
        "settings that differ from the estimator's defaults:",
        "  max_iter            20",
        "trained: 20 epochs, as many as --max-iter allows",
        " in the first epoch, ",
        "total                          21,401",
    ):
        assert said in out
    facts = ok("summary", place / "numbers.safetensors", "--json").json
    assert facts["estimator"] == "MLPRegressor"
    assert facts["classes"] is None
    assert [block["parameters"] for block in facts["network"]["blocks"]] == [1400, 0, 20100, 0, 101]
    assert len(facts["training"]["loss_curve"]) == 20
    assert "max_iter" in facts["changed"]
    assert "multiplied by 0.0625" in ok("summary", place / "digits.safetensors").out


@pytest.mark.filterwarnings("ignore::chainrule.TrainingAdvice")  # there is nothing to learn
def test_a_model_that_python_saved_has_a_summary_too(tmp_path) -> None:
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3
    cr.MLPClassifier((4,), max_iter=500, tol=0.1).fit(X, y).save(tmp_path / "m.safetensors")
    assert "predicts: the target, one of 0, 1, 2" in ok("summary", tmp_path / "m.safetensors").out


@pytest.mark.parametrize("name", ["classes", "numbers", "digits"])
def test_saved_models_pass_the_gradient_check(name, place) -> None:
    ran = run("check-gradients", place / f"{name}.safetensors")
    assert ran.code == 0
    assert "PASS: worst relative error " in ran.out


def test_new_networks_are_checked_and_a_failure_is_exit_code_1() -> None:
    out = ok("check-gradients", "--layers", "4-8-3", "--activation", "relu", "--loss", "multiclass_hinge").out
    assert out.startswith("network: 4-8-3, 67 parameters, MulticlassHinge()\n")
    assert [line.split()[:3] for line in out.splitlines()[3:7]] == [
        ["0.W", "32", "32"],
        ["0.b", "8", "8"],
        ["2.W", "24", "24"],
        ["2.b", "3", "3"],
    ]
    failed = run("check-gradients", "--layers", "4-8-1", "--tolerance", "1e-20")
    assert failed.code == 1
    assert "FAIL: worst relative error " in failed.out
    facts = run("check-gradients", "--layers", "4-8-1", "--tolerance", "1e-20", "--json")
    assert facts.code == 1
    assert facts.json["passed"] is False
    assert facts.json["layers"] == [4, 8, 1]
    assert {"name", "size", "checked", "gradient_error", "hessian_error", "worst"} == set(facts.json["arrays"][0])


def test_info_names_versions_engines_and_processors() -> None:
    out = ok("info").out
    assert f"chainrule: {cr.__version__}\n" in out
    assert f"numpy {np.__version__}" in out
    facts = ok("info", "--json").json
    assert facts["engine"] in ENGINES
    assert facts["instruction_set"] in ("", *facts["instruction_sets"])
    assert facts["threads"] >= 1
    assert facts["processors"] >= 1


# ------------------------------------------------------------------------------------------- as a real process


@pytest.mark.process
def test_errors_and_results_as_a_process_sees_them(tmp_path) -> None:
    good = process("check-gradients", "--layers", "2-3-1", "--json")
    bad = process("train", tmp_path / "nowhere.csv", "--target", "y")
    out, err = good.communicate(timeout=60)
    assert (good.returncode, err) == (0, "")
    assert '"passed": true' in out
    out, err = bad.communicate(timeout=60)
    assert (bad.returncode, out) == (2, "")
    assert err == f"chainrule: error: {tmp_path}/nowhere.csv: there is no such file\n"


@pytest.mark.process
@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(place) -> None:
    with process("predict", place / "digits.safetensors", "digits") as predicting:
        assert predicting.stdout.readline().startswith("class,")
        predicting.stdout.close()
        assert predicting.stderr.read() == ""


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.slow
def test_ctrl_c_keeps_and_saves_what_was_learned(tmp_path) -> None:
    path = tmp_path / "m.safetensors"
    training = process("train", "digits", "--max-iter", 1_000_000, "--out", path)
    while not training.stdout.readline().startswith("network: "):
        pass
    time.sleep(2)
    training.send_signal(signal.SIGINT)
    out, err = training.communicate(timeout=60)
    assert (training.returncode, err.replace(NO_CORE, "")) == (0, "")
    assert re.search(r"^trained: [\d,]+ epochs? in .* s, stopped by Ctrl-C", out)
    assert f"saved: {path}" in out
    assert cr.load(path).stop_reason_ == "interrupted"


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.slow
def test_a_terminal_sees_a_bar(tmp_path) -> None:
    import pty

    terminal, side = pty.openpty()
    training = process("train", "digits", "--max-iter", 30, stderr=side)
    os.close(side)
    seen = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            break
        seen += part
        if not part:
            break
    os.close(terminal)
    out, _ = training.communicate(timeout=60)
    assert training.returncode == 0
    assert "test accuracy: " in out
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", seen.decode())
    assert re.search(r"training .* loss 0\.\d+  rate 0\.\d+", text)
    assert "/30" in text
