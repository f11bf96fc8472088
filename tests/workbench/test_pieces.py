"""New rows are read, predicted and scored in pieces: the same as at once, in the same order, each note once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.tables.reading.opened import OpenedTable
from chainrule.workbench.model_facts import reading_of
from chainrule.workbench.predictions import evaluated, new_rows, predictions
from chainrule.workbench.scores import Scoring, scores_of
from support.commands import ok, people, refused, write

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table and two models of it."""
    monkeypatch.chdir(tmp_path)
    rows = people(80)
    rows["price"] = [f"${price:.3f}" for price in rows["price"]]
    write(tmp_path / "t.csv", rows)
    for target, name in (("dear", "classes"), ("price", "numbers")):
        words = ("train", "t.csv", "--target", target, "--max-iter", 5, "--hidden-layer-sizes", 8)
        ok(*words, "--out", f"{name}.safetensors")
    return tmp_path


def in_pieces(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Let every file be read in pieces of so many rows."""
    whole = OpenedTable.pieces
    monkeypatch.setattr(OpenedTable, "pieces", lambda self: whole(self, rows))


@pytest.mark.parametrize("name", ["classes", "numbers"])
def test_pieces_give_the_file_that_the_whole_gives(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {}
    for rows in (100, 7):
        with monkeypatch.context() as patch:
            in_pieces(patch, rows)
            ok("predict", f"{name}.safetensors", "t.csv", "--out", f"{rows}.csv")
            said[rows] = ok("predict", f"{name}.safetensors", "t.csv").out
            evaluated = ok("evaluate", f"{name}.safetensors", "t.csv", "--json").json
            said[-rows] = {key: value for key, value in evaluated.items() if key != "peak_memory_mb"}
    assert Path("7.csv").read_text() == Path("100.csv").read_text() == said[7] == said[100]
    assert said[-7] == said[-100]
    assert said[7].count("\n") == 81


def test_rows_of_later_pieces_are_named_by_their_place_in_the_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(monkeypatch, 7)
    lines = Path("t.csv").read_text().splitlines()
    cells = lines[51].split(",")
    lines[51] = ",".join(["oops", *cells[1:]])
    Path("broken.csv").write_text("\n".join(lines) + "\n")
    assert "broken.csv: column 'x': 'oops' in row 51 is not a number" in refused(
        "predict", "classes.safetensors", "broken.csv", "--out", "p.csv"
    )
    assert not Path("p.csv").exists()
    lines[51] = ",".join([*cells[:3], "many", cells[4]])
    Path("broken.csv").write_text("\n".join(lines) + "\n")
    assert "target 'price': 'many' in row 51 is not a number written like $1234.5" in refused(
        "evaluate", "numbers.safetensors", "broken.csv"
    )


def test_a_note_on_every_piece_is_said_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_pieces(monkeypatch, 7)
    new = people(40)
    new["town"] = ["Rome"] * 40
    new["price"] = ["$1"] * 40
    write(place / "new.csv", new)
    ran = ok("predict", "classes.safetensors", "new.csv", "--out", "p.csv")
    noted = [line for line in ran.err.splitlines() if "'town'" in line]
    assert len(noted) == 1
    assert "40 of 40 values, such as 'Rome', were never seen" in noted[0]


def test_the_model_file_keeps_how_the_file_was_read(place: Path) -> None:
    model = cr.load("numbers.safetensors")
    found = reading_of(model)
    assert found.dialect is not None
    assert (found.dialect.separator, found.forms[0].form, found.weights) == (",", "$1234.5", None)
    assert "target: written like $1234.5" in ok("summary", "numbers.safetensors").out
    assert reading_of(cr.MLPClassifier()) == (None, (), None)


def test_a_model_without_a_memory_of_its_file_reads_labels_as_they_are(place: Path) -> None:
    model = cr.load("classes.safetensors")
    at_once = ok("evaluate", "classes.safetensors", "t.csv", "--json").json["test"]
    del model.reading_
    with new_rows(model, "t.csv", labelled=True) as rows:
        assert evaluated(model, rows) == at_once


def test_scores_of_pieces_are_those_of_the_whole() -> None:
    draw = np.random.default_rng(0)
    X, y = draw.normal(size=(90, 3)), np.arange(90) % 3
    kinds: list[tuple[Any, Any]] = [
        (cr.MLPClassifier((4,), max_iter=2), y),
        (cr.MLPClassifier((4,), max_iter=2), (X > 0).astype(int)),
        (cr.MLPRegressor(hidden_layer_sizes=(4,), max_iter=2), X[:, 0]),
    ]
    from chainrule.workbench.data import Rows

    for model, target in kinds:
        model.fit(X, target)
        scoring = Scoring(model)
        for rows in np.array_split(np.arange(90), 4):
            scoring.add(X[rows], target[rows])
        assert scoring.scores() == scores_of(model, Rows(X, target))


def test_standard_input_and_several_files_are_sources_like_others(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Path("t.csv").read_text().splitlines(keepends=True)
    for k, part in enumerate((lines[1:31], lines[31:])):
        Path(f"part-{k}.csv").write_text("".join([lines[0], *part]))
    whole = ok("predict", "classes.safetensors", "t.csv").out
    assert ok("predict", "classes.safetensors", "part-*.csv").out == whole
    report = ok("train", "part-*.csv", "--target", "dear", "--max-iter", 1, "--json").json
    assert report["source"]["rows"] == 80


def test_tables_of_numbers_may_go_without_preprocessing(place: Path) -> None:
    draw = np.random.default_rng(0)
    table = {"a": draw.normal(size=60).tolist(), "b": draw.normal(size=60).tolist(), "y": ["p", "q"] * 30}
    write(place / "n.csv", table)
    words = ("train", "n.csv", "--target", "y", "--max-iter", 1, "--preprocessing", "never", "--out", "n.safetensors")
    ok(*words)
    write(place / "m.csv", {name: table[name] for name in ("b", "a")})
    with new_rows(model := cr.load("n.safetensors"), "m.csv") as rows:
        (found,) = rows.pieces(lambda piece: predictions(model, piece.X))
    matrix = np.column_stack([table["a"], table["b"]])
    wanted = model.for_encoded_rows().predict_proba(matrix.astype(np.float32))
    np.testing.assert_array_equal(found["P(p)"], wanted[:, 0])
    assert "n.csv: column 'y' is no column of numbers, and --preprocessing never" in refused(
        "train", "n.csv", "--target", "a", "--preprocessing", "never"
    )
    assert "column 'b' is missing; the model was trained with: a, b" in refused(
        "predict", "n.safetensors", write(place / "o.csv", table, without=("b",))
    )


def test_columns_of_0_and_1_are_labels_by_their_names(place: Path) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=80)
    table = {"x": x.tolist(), "red": (x > 0).astype(int).tolist(), "big": (x > 1).astype(int).tolist()}
    write(place / "l.csv", table)
    ran = ok("train", "l.csv", "--target", "red,big", "--max-iter", 2, "--out", "l.safetensors")
    assert "task: classification, because 'red' and 'big' are columns of 0 and 1" in ran.out
    header = ok("predict", "l.safetensors", "l.csv").out.splitlines()[0]
    assert header == "class red,class big,P(red),P(big)"
    assert ok("evaluate", "l.safetensors", "l.csv", "--json").json["test"]["rows"] == 80
    assert "predicts: 'red' and 'big', each 0 or 1" in ok("summary", "l.safetensors").out
