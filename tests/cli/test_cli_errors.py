"""Every mistake a user can make: one line on stderr that helps, exit code 2, nothing half-written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli import main
from support.commands import ok, people, refused, run, write

BAD_FILES = {
    "empty.csv": ("", "empty.csv: it is empty"),
    "header.csv": ("x,y\n", "header.csv: it has a header but no rows"),
    "one_row.csv": ("x,y\n1,yes\n", "one_row.csv: 1 row is too few to hold some out"),
    "one_class.csv": ("x,y\n" + "".join(f"{k},yes\n" for k in range(30)), "target 'y' is always 'yes'"),
    "one_value.csv": ("x,y\n" + "".join(f"{k},2.5\n" for k in range(30)), "target 'y' is always 2.5"),
    "gap.csv": ("x,y\n" + "".join(f"{k},{'' if k == 3 else k}\n" for k in range(30)), "missing or not finite in row 4"),
    "nan.csv": ("x,y\n" + "".join(f"{k},{'nan' if k == 3 else k / 2}\n" for k in range(30)), "not finite in row 4"),
    "text.csv": ("x,y\n" + "".join(f"{'oops' if k == 7 else k},{k % 2}\n" for k in range(60)), "'x': 'oops' in row 8"),
    "constant.csv": ("x,y\n" + "".join(f"7,{k % 2}\n" for k in range(30)), "no column tells any rows apart"),
    "infinite.csv": ("x,y\n" + "".join(f"{'inf' if k == 5 else k},{k % 2}\n" for k in range(30)), "infinite"),
    "ragged.csv": ("x,y\n1,2\n1,2,3\n", "line 3 has 3 of the header's 2 fields"),
    "only.csv": ("y\n1\n2\n", "'y' is its only column"),
    "other.csv": ("x,Y\n1,2\n1,3\n", "there is no column 'y'; did you mean 'Y'?"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_tables(name, tmp_path) -> None:
    text, said = BAD_FILES[name]
    (tmp_path / name).write_text(text)
    out = tmp_path / "model.safetensors"
    assert said in refused("train", tmp_path / name, "--target", "y", "--out", out)
    assert not out.exists()
    assert len(list(tmp_path.iterdir())) == 1


def forbid_training(monkeypatch) -> None:
    for name in ("fit", "fit_prepared"):
        monkeypatch.setattr(cr.MLPClassifier, name, lambda *a, **k: pytest.fail("trained all the same"))


@pytest.fixture
def table(tmp_path):
    return write(tmp_path / "people.csv", people())


@pytest.fixture
def train(table):
    return ("train", table, "--target", "dear", "--max-iter", 2)


@pytest.fixture
def model(train, tmp_path):
    path = tmp_path / "model.safetensors"
    ok(*train, "--out", path)
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--alpha", "-1"), "--alpha must be a number at least 0; got '-1'"),
        (("--alpha", "much"), "--alpha must be a number at least 0; got 'much'"),
        (("--solver", "newtn"), "--solver must be one of sgd, momentum"),
        (("--activation", "foo"), "--activation must be one of algebraic_sigmoid"),
        (("--activation", "relu,tanh,relu"), "activation names 3 layers, hidden_layer_sizes 2"),
        (("--hidden-layer-sizes", "3,x"), "--hidden-layer-sizes must be a whole number"),
        (("--hidden-layer-sizes", "0"), "--hidden-layer-sizes must be a whole number"),
        (("--shuffle", "maybe"), "--shuffle must be true, false, once; got 'maybe'"),
        (("--max-iter", "0"), "--max-iter must be a whole number of at least 1; got '0'"),
        (("--random-state", "-1"), "--random-state must be a whole number"),
        (("--loss", "poisson"), "loss 'poisson' does not fit a binary target; accepted: "),
        (("--class-weight", "dear"), "--class-weight must be balanced, none, or LABEL:WEIGHT"),
        (("--class-weight", "perhaps:2"), "there is no class 'perhaps'; there are: no, yes"),
        (("--class-weight", "yes:-2"), "--class-weight must be balanced"),
        (
            ("--monitor", "accuracy"),
            "--monitor must be one of auto, loss, validation_loss, validation_score; got",
        ),
        (("--monitor", "validation_loss"), "--monitor validation_loss needs --early-stopping. See"),
        (("--monitor", "validation_score", "--no-early-stopping"), "--monitor validation_score needs --early-stopping"),
        (
            ("--averaging", "ema", "--solver", "lbfgs"),
            "averaging needs an optimiser that takes batches; LBFGS takes all rows in every step",
        ),
        (
            ("--hidden-layer-sizes", "none", "--normalization", "batch"),
            "is for hidden layers; hidden_layer_sizes () has",
        ),
        (("--scoring", "acuracy"), "'acuracy' is no scorer of scikit-learn; try accuracy"),
        (("--task", "clustering"), "'clustering' is not one of"),
        (("--task", "regression"), "target 'dear' is text, such as"),
        (("--test-fraction", "0.999"), "people.csv: a share of 0.999 would hold out all "),
        (("--activation", ",relu"), "--activation must be one of"),
        (("--hidden-layer-sizes", "10,,5"), "--hidden-layer-sizes must be a whole number"),
        (("--test-fraction", "1"), "1.0 is not in the range"),
        (("--no-such-option",), "No such option"),
        (("--target", "prise"), "there is no column 'prise'; did you mean 'price'?"),
        (
            ("--learning-rate-init", "1e38"),
            "training diverged at step 1 (epoch 1): the learning rate",
        ),
        (("--learning-rate-init", "1e38", "--early-stopping"), "training diverged at step 1 (epoch 1)"),
        (("--test", "nowhere.csv"), "nowhere.csv: there is no such file"),
        (("--test", "digits"), "digits: the target is 'digit'; there is no 'dear'"),
    ],
)
def test_bad_options(words, said, train, tmp_path) -> None:
    out = tmp_path / "model.safetensors"
    out.write_text("precious")
    assert said in refused(*train, *words, "--out", out)
    assert out.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "people.csv"]


def test_a_float_target_is_no_class(table) -> None:
    said = refused("train", table, "--target", "price", "--task", "classification")
    assert "a classification needs text or whole numbers" in said


def test_a_source_that_is_not_there() -> None:
    assert "did you mean digits?" in refused("train", "digit")
    assert "there is no such file" in refused("train", "nowhere.csv", "--target", "y")
    assert "the name of the file is empty" in refused("train", "")
    assert "Missing argument 'SOURCE'" in refused("train")
    assert "No such command 'tran'" in refused("tran", "digits")


def test_which_column_is_the_target(table) -> None:
    assert "which column is the target? It has: 'x', 'town'" in refused("train", table)


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("", "--out: the name of the file is empty"),
        ("nowhere/model.safetensors", "there is no folder"),
        (".", "it is a folder"),
        ("/proc/model.safetensors", "cannot be written"),
    ],
)
def test_a_place_that_cannot_be_written_is_known_before_training(out, said, train, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    forbid_training(monkeypatch)
    assert said in refused(*train, "--out", out)


def test_a_test_file_that_does_not_fit_is_known_before_training(train, tmp_path, monkeypatch) -> None:
    forbid_training(monkeypatch)
    lacks = write(tmp_path / "lacks.csv", people(20), without=("town",))
    assert "it lacks the column 'town'" in refused(*train, "--test", lacks)
    broken = people(20)
    broken["x"][0] = "oops"
    said = refused(*train, "--test", write(tmp_path / "broken.csv", broken))
    assert "broken.csv: column 'x': 'oops' in row 1 is not a number" in said
    np.savez(tmp_path / "m.npz", X=np.zeros((9, 2)), dear=np.arange(9))
    assert "a table and a matrix" in refused(*train, "--test", tmp_path / "m.npz")
    np.savez(tmp_path / "n.npz", X=np.eye(12), dear=np.arange(12) % 2)
    said = refused("train", tmp_path / "n.npz", "--target", "dear", "--test", tmp_path / "m.npz")
    assert "it has 2 inputs, the training data 12" in said


@pytest.mark.parametrize("early", [(), ("--early-stopping",)])
def test_a_failed_training_leaves_the_old_model(early, train, model) -> None:
    before = model.read_bytes()
    assert "diverged" in refused(*train, "--out", model, "--learning-rate-init", "1e38", *early)
    assert model.read_bytes() == before


# -------------------------------------------------------------------------------------- predict and the others


def test_new_rows_that_do_not_fit(model, tmp_path) -> None:
    lacks = write(tmp_path / "lacks.csv", people(5), without=("x",))
    assert "column 'x' is missing; the model was trained with: x, town, z, price" in refused("predict", model, lacks)
    broken = people(5)
    broken["z"][2] = "many"
    assert "'many' in row 3 is not a number" in refused("predict", model, write(tmp_path / "b.csv", broken))
    assert "the model was trained on a table with the columns x, town" in refused("predict", model, "digits")
    matrix = tmp_path / "digits.safetensors"
    ok("train", "digits", "--max-iter", 1, "--out", matrix)
    assert "the model was trained on a matrix with 64 inputs" in refused("predict", matrix, tmp_path / "people.csv")


@pytest.mark.parametrize("command", [("predict", "people.csv"), ("evaluate", "people.csv"), ("summary",)])
def test_models_that_cannot_be_read(command, model, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    name, *rest = command
    assert "nothing.safetensors: cannot be read" in refused(name, "nothing.safetensors", *rest)
    assert "it is not a model file" in refused(name, "people.csv", *rest)
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    assert "its checksum does not match" in refused(name, model, *rest)


def test_predictions_that_cannot_be_written(model, table, tmp_path) -> None:
    assert "there is no folder" in refused("predict", model, table, "--out", tmp_path / "nowhere" / "p.csv")
    assert "must end in .csv" in refused("predict", model, table, "--out", tmp_path / "p.txt")
    assert "--json needs --out" in refused("predict", model, table, "--json")


def test_evaluating_what_cannot_be_evaluated(model, table, tmp_path) -> None:
    assert "there is no column 'nope'" in refused("evaluate", model, table, "--target", "nope")
    bare = write(tmp_path / "bare.csv", people(9), without=("dear",))
    assert "there is no column 'dear'" in refused("evaluate", model, bare)
    numbers = tmp_path / "numbers.safetensors"
    ok("train", table, "--target", "price", "--max-iter", 1, "--out", numbers)
    assert "a regression needs numbers" in refused("evaluate", numbers, table, "--target", "dear")
    assert "a classification needs text or whole numbers" in refused("evaluate", model, table, "--target", "price")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give a MODEL or --layers"),
        (("m.safetensors", "--layers", "2-1"), "give a MODEL or --layers"),
        (("--layers", "4"), "at least two whole numbers such as 4-8-3, got '4'"),
        (("--layers", "4-x-2"), "got '4-x-2'"),
        (("--layers", "4-1", "--loss", "cross_entropy"), "needs at least 2 outputs"),
        (("--layers", "4-2", "--loss", "foo"), "'foo' is not one of"),
        (("--layers", "4-2", "--activation", "foo"), "--activation must be one of"),
        (("--layers", "4-2-2", "--activation", "relu,tanh"), "activation names 2 layers"),
    ],
)
def test_checks_that_cannot_be_made(words, said) -> None:
    assert said in refused("check-gradients", *words)


def test_a_mistake_of_ours_is_not_hidden(monkeypatch) -> None:
    def broken(*a, **k):
        raise TypeError("a bug")

    monkeypatch.setattr("chainrule.cli.planning.load_data", broken)
    with pytest.raises(TypeError, match="a bug"):
        run("train", "digits")


# ------------------------------------------------------------------------ a table of mistakes, each on its own

LINES = [f"{a},{a % 3},{'ab'[a % 2]},{a * 1.5}" for a in range(40)]
TABLE = "\n".join(["age,size,town,price", *LINES]) + "\n"
QUICK = ["--max-iter", "1", "--quiet"]


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("mistakes")
    text = {
        "good.csv": TABLE,
        "empty.csv": "",
        "header.csv": "age,price\n",
        "one_row.csv": "age,price\n1,2.5\n",
        "one_class.csv": "age,kind\n" + "1,yes\n2,yes\n3,yes\n" * 5,
        "no_target.csv": "age,price\n1,2.5\n2,\n3,4.5\n" * 5,
        "constant.csv": "age,price\n" + "".join(f"7,{k}.5\n" for k in range(30)),
        "ragged.csv": "age,price\n1,2\n1,2,3\n",
        "no_age.csv": "size,town,price\n1,a,2.0\n",
        "text_age.csv": "age,size,town,price\nold,1,a,2.0\n",
        "rubbish.safetensors": "not a model",
        "notes.txt": "hello",
    }
    for name, content in text.items():
        (place / name).write_text(content)
    (place / "binary.csv").write_bytes(bytes(range(256)) * 9)
    np.savez(place / "odd.npz", pictures=np.zeros(3))
    out = str(place / "model.safetensors")
    result = CliRunner().invoke(main, ["train", str(place / "good.csv"), "--target", "town", "--out", out, *QUICK])
    assert result.exit_code == 0, result.output
    return place


MISTAKES = {
    "no command of that name": ("trian", "No such command 'trian'"),
    "no such file": ("train {0}/absent.csv --target price", "absent.csv: there is no such file"),
    "empty file": ("train {0}/empty.csv --target price", "empty.csv: it is empty"),
    "zero rows": ("train {0}/header.csv --target price", "a header but no rows"),
    "one row": ("train {0}/one_row.csv --target price", "row"),
    "one class": ("train {0}/one_class.csv --target kind", "kind"),
    "missing targets": ("train {0}/no_target.csv --target price", "price"),
    "nothing but a constant column": ("train {0}/constant.csv --target price", "age"),
    "ragged lines": ("train {0}/ragged.csv --target price", "ragged.csv"),
    "binary rubbish": ("train {0}/binary.csv --target price", "binary.csv"),
    "strange ending": ("train {0}/notes.txt --target price", "notes.txt"),
    "strange arrays": ("train {0}/odd.npz", "odd.npz"),
    "wrong target": ("train {0}/good.csv --target prize", "price"),
    "no target given": ("train {0}/good.csv", "age"),
    "text as a number": ("train {0}/good.csv --target town --task regression", "town"),
    "no such folder": ("train {0}/good.csv --target town --out {0}/absent/m.safetensors", "there is no folder"),
    "out is a folder": ("train {0}/good.csv --target town --out {0}", "it is a folder"),
    "bad number": ("train {0}/good.csv --target town --alpha much", "alpha"),
    "number out of range": ("train {0}/good.csv --target town --alpha -1", "at least 0"),
    "bad choice": ("train {0}/good.csv --target town --solver adams", "adam"),
    "bad sizes": ("train {0}/good.csv --target town --hidden-layer-sizes 10,0", "hidden"),
    "option of another task": ("train {0}/good.csv --target price --class-weight balanced", "class-weight"),
    "loss of another task": ("train {0}/good.csv --target town --loss poisson", "poisson"),
    "divergence": ("train {0}/good.csv --target price --solver sgd --learning-rate-init 1e30", "learning rate"),
    "out is the table": ("train {0}/good.csv --target town --out {0}/good.csv", "would overwrite what is read"),
    "out is the input": (
        "predict {0}/model.safetensors {0}/good.csv --out {0}/good.csv",
        "would overwrite what is read",
    ),
    "out is a device": ("train {0}/good.csv --target town --out /dev/null", "it is not a regular file"),
    "infinite rate": ("train {0}/good.csv --target town --learning-rate-init inf", "learning"),
    "missing model": ("predict {0}/absent.safetensors {0}/good.csv", "absent.safetensors"),
    "unreadable model": ("predict {0}/rubbish.safetensors {0}/good.csv", "it is not a model file"),
    "missing column": ("predict {0}/model.safetensors {0}/no_age.csv", "age"),
    "text in a number": ("predict {0}/model.safetensors {0}/text_age.csv", "'old' in row 1 is not a number"),
    "evaluate without target": ("evaluate {0}/model.safetensors {0}/header.csv", "header.csv"),
    "predict into nowhere": ("predict {0}/model.safetensors {0}/good.csv --out {0}/absent/p.csv", "absent"),
    "layers without sense": ("check-gradients --layers 4-x", "4-x"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_one_line_that_helps(mistakes, name) -> None:
    command, words = MISTAKES[name]
    before = {path.name: path.read_bytes() for path in mistakes.iterdir()}
    result = CliRunner().invoke(main, [part.format(mistakes) for part in command.split()])
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("chainrule: error: ")
    assert words in lines[0]
    assert {path.name: path.read_bytes() for path in mistakes.iterdir()} == before


def test_the_real_program_ends_the_same_way(mistakes) -> None:
    command = [sys.executable, "-m", "chainrule.cli", "train", str(mistakes / "good.csv"), "--target", "prize"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_a_column_that_is_constant_beside_others_is_dropped(mistakes, tmp_path) -> None:
    lines = [f"{line},same" for line in TABLE.splitlines()]
    (tmp_path / "extra.csv").write_text("\n".join(lines).replace("price,same", "price,always") + "\n")
    result = CliRunner().invoke(main, ["train", str(tmp_path / "extra.csv"), "--target", "town", *QUICK])
    assert result.exit_code == 0, result.output
