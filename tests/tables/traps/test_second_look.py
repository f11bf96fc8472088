"""A second look, as a newcomer: names that are values too, strays among few numbers, other marks at predict."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from chainrule.tables import TableEncoder, TableError, read_table
from support.commands import run

BRIEF = ("--max-iter", "3", "--hidden-layer-sizes", "4", "--quiet")


@pytest.mark.parametrize("name", ["other", "own"])
def test_a_name_that_is_a_value_in_its_column_is_a_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "homes.csv"
    path.write_text(f"age,{name}\n" + "".join(f"{20 + i},{['rent', 'other', 'own'][i % 3]}\n" for i in range(40)))
    table = read_table(path)
    assert (table.columns, len(table), table["age"].kind) == (["age", name], 40, "number")


def test_a_stray_among_few_different_numbers_is_told() -> None:
    encoder = TableEncoder().fit({"v": ["oops" if i == 7 else str(i % 20) for i in range(1000)], "x": range(1000)})
    assert encoder.notes_ == ["column 'v': read as a category: most values are numbers, 'oops' is not"]


def test_a_stray_among_few_different_targets_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("x,y\n" + "".join(f"{i},{'oops' if i == 7 else i % 20 / 4}\n" for i in range(200)))
    ran = run("train", path, "--target", "y", *BRIEF)
    assert ran.code == 2
    assert "target 'y': 'oops' in row 8 is not a number" in ran.err


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "a\n1101\n"), ("b.csv", "a\n1.101\n"), ("c.csv", "y,a\n3,1.101\n"), ("d.jsonl", '{"a": "1.101"}\n')],
)
def test_decimal_commas_of_the_training_hold_at_predict(tmp_path: Path, name: str, text: str) -> None:
    train, model, new = tmp_path / "train.csv", tmp_path / "m.safetensors", tmp_path / name
    train.write_text("a;y\n" + "".join(f"1.{100 + i},5;{i}\n" for i in range(80)))
    assert run("train", train, "--target", "y", "--out", model, *BRIEF).code == 0
    new.write_text(text)
    whole = tmp_path / "whole.csv"
    whole.write_text("a;y\n1.101,0;1\n")
    ran, right = run("predict", model, new), run("predict", model, whole)
    assert (ran.code, right.code) == (0, 0)
    values = [float(next(csv.DictReader(io.StringIO(each.out)))["prediction"]) for each in (ran, right)]
    assert values[0] == values[1]


def test_another_unit_at_predict_is_refused() -> None:
    encoder = TableEncoder().fit({"w": [f"{i + 1} kg" for i in range(80)]})
    with pytest.raises(TableError, match=r"'1000 g' in row 1 is not a number .* written as 1234.5 kg"):
        encoder.transform({"w": ["1000 g"]})
    np.testing.assert_array_equal(encoder.transform({"w": ["1 kg"]}), encoder.transform({"w": [1.0]}))


@pytest.mark.parametrize("flags", ["10", ("True", "False"), "TF"])
def test_flags_of_the_target_are_the_same_in_every_spelling(tmp_path: Path, flags: str | tuple[str, str]) -> None:
    train, model, test = tmp_path / "train.csv", tmp_path / "m.safetensors", tmp_path / "test.csv"
    train.write_text("x,y\n" + "".join(f"{i},{'yes' if i > 40 else 'no'}\n" for i in range(80)))
    test.write_text("x,y\n" + "".join(f"{i},{flags[0] if i > 40 else flags[1]}\n" for i in range(80)))
    assert run("train", train, "--target", "y", "--out", model, *BRIEF).code == 0
    own, other = (run("evaluate", model, path, "--json").json["test"]["accuracy"] for path in (train, test))
    assert own == other
