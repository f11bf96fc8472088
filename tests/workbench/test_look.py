"""A look at a source says what training will do: what a column is, what is left out, what is refused, the task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.tables.sources import Asked, ReadOptions, SourceError
from chainrule.workbench.look import BINS, MOST_LEVELS, look_at
from chainrule.workbench.plain import plain_json


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = ["id,age,income,born,clock,member,town,always,y"]
    for k in range(60):
        age = "NA" if k % 6 == 0 else str(20 + k)
        born = "0000-00-00" if k == 7 else f"19{40 + k % 60}-03-0{1 + k % 9}"
        clock = f"{k % 24:02d}:30:00"
        lines.append(f'{k + 1},{age},"${1000 * k:,}",{born},{clock},{"yn"[k % 2]},t{k % 3},7,{0.5 * k}')
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def column(facts: dict[str, Any], name: str) -> dict[str, Any]:
    return next(fact for fact in facts["columns"] if fact["name"] == name)


def test_each_column_is_what_training_takes_it_for(place: Path) -> None:
    facts = look_at("t.csv")
    assert facts == json.loads(json.dumps(plain_json(facts), allow_nan=False))
    assert facts["source"] == {"name": "t.csv", "rows": 60, "columns": 9}
    assert facts["dialect"]["separator"] == ","
    kinds = {fact["name"]: fact["reads"] for fact in facts["columns"]}
    assert kinds == {
        **dict.fromkeys(("id", "age", "income", "always", "y"), "number"),
        "born": "moment",
        "clock": "duration",
        "member": "flag",
        "town": "category",
    }
    assert facts["task"] is None


def test_numbers_have_a_range_a_histogram_and_their_gaps(place: Path) -> None:
    facts = look_at("t.csv")
    age, income = column(facts, "age"), column(facts, "income")
    present = np.array([20 + k for k in range(60) if k % 6])
    assert (age["missing"], age["marks"], age["distinct"]) == (10, {"NA": 10}, 50)
    assert (age["least"], age["most"], age["mean"]) == (21, 79, pytest.approx(present.mean()))
    assert age["histogram"] == np.histogram(present, BINS)[0].tolist()
    assert (income["form"], income["most"], income["levels"]) == ("$1,234.5", 59000, None)


def test_dates_are_told_in_iso_and_a_bad_one_by_its_row(place: Path) -> None:
    born = column(look_at("t.csv"), "born")
    assert (born["least"], born["most"]) == ("1940-03-01", "1999-03-06")
    assert (born["bad"], born["missing"]) == ({"0000-00-00": 8}, 1)


def test_levels_stand_in_the_order_of_their_rows(place: Path) -> None:
    facts = look_at("t.csv")
    assert column(facts, "town")["levels"] == [["t0", 20], ["t1", 20], ["t2", 20]]
    assert column(facts, "member")["levels"] == [["n", 30], ["y", 30]]
    many = "\n".join(["a", *(f"x{k}" for k in range(50) for _ in range(k + 1))])
    Path("many.csv").write_text(f"{many}\n")
    levels = column(look_at("many.csv"), "a")["levels"]
    assert (len(levels), levels[0]) == (MOST_LEVELS, ["x49", 50])


def test_what_is_left_out_and_what_is_refused_has_its_reason(place: Path) -> None:
    facts = look_at("t.csv")
    assert column(facts, "id")["left_out"]
    assert "always 7" in column(facts, "always")["left_out"]
    assert column(facts, "age")["left_out"] is None
    assert any("'id'" in note for note in facts["notes"])
    text = Path("t.csv").read_text().replace(",40,", ",forty,").replace("19.0\n", "inf\n", 1)
    Path("bad.csv").write_text(text)
    facts = look_at("bad.csv")
    assert "'forty' in row 21" in column(facts, "age")["refused"]
    assert "row 39" in column(facts, "y")["refused"]
    assert sum("would be refused" in note for note in facts["notes"]) == 2
    assert column(facts, "id")["left_out"]


TASKS: list[tuple[Asked, str | None, str]] = [
    (Asked(target=("town",)), "classification", "'town' holds 3 different texts"),
    (Asked(target=("income",)), "regression", "'income' holds 60 different whole numbers"),
    (Asked(target=("y,income",)), "regression", "'y' and 'income' are columns of numbers"),
    (Asked(target=("age",)), None, "target 'age' is missing ('NA') in 10 rows, the first is row 1"),
    (Asked(target=("born",)), None, "target 'born' holds dates"),
    (Asked(target=("town",), task="regression"), None, "target 'town' is text, such as 't0' in row 1"),
    (Asked(target=("y",), weights="town"), None, "weights 'town': 't0' in row 1 is not a number"),
    (Asked(target=("y",), weights="income"), "regression", "'y' holds 60 different numbers"),
]


@pytest.mark.parametrize(("asked", "task", "why"), TASKS, ids=[why[:30] for _, _, why in TASKS])
def test_the_task_is_that_of_training(place: Path, asked: Asked, task: str | None, why: str) -> None:
    found = look_at("t.csv", asked)["task"]
    assert found["task"] == task
    assert (found["why"] or found["refused"]).startswith(why)
    assert (found["why"] is None) == (task is None)


def test_what_is_said_is_followed(place: Path) -> None:
    reading = ReadOptions(columns={"id": "number", "town": "text", "age": "category"}, ignore=("clock",))
    facts = look_at("t.csv", Asked(reading=reading))
    assert facts["source"]["columns"] == 8
    assert column(facts, "id")["left_out"] is None
    assert column(facts, "age")["reads"] == "category"


def test_sources_without_columns_have_inputs(place: Path) -> None:
    facts = look_at("digits")
    assert (facts["columns"], facts["dialect"]) == ([], None)
    assert facts["source"] == {"name": "digits", "rows": 1797, "columns": 64}
    assert facts["inputs"]["image_shape"] == (8, 8)
    assert facts["task"]["task"] == "classification"


def test_what_cannot_be_read_is_one_line(place: Path) -> None:
    with pytest.raises(SourceError, match=r"^nowhere\.csv: there is no such file$"):
        look_at("nowhere.csv")
    with pytest.raises(ValueError, match=r"^t\.csv: there is no column 'Age'; did you mean 'age'\?$"):
        look_at("t.csv", Asked(target=("Age",)))
