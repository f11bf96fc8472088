"""From a source to training and test rows: the task, and the rows that are held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from chainrule.tables.sources import load
from chainrule.workbench.data import infer_task, load_data, split
from support.commands import DATA, people, write


def needs(name: str) -> Path:
    """Give a real data file; skip where it is not there."""
    if not (DATA / name).exists():
        pytest.skip(f"no {name} in {DATA}")
    return DATA / name


# ---------------------------------------------------------------------------- the task


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (["a", "b"], "classification"),
        (np.array(["a", 1], dtype=object), "classification"),
        (np.array([True, False], dtype=object), "classification"),
        ([True, False, False], "classification"),
        (pd.Series([10.5, 11.5], dtype="category"), "classification"),
        (pl.Series(["a", "b"], dtype=pl.Categorical), "classification"),
        ([0, 1, 1, 0], "classification"),
        ([-1.0, 1.0, 1.0, -1.0], "classification"),
        ([*range(20)] * 2, "classification"),
        ([*range(21)] * 2, "regression"),
        ([1, 2, 3], "regression"),
        ([0.5, 0.5, 1.5, 1.5], "regression"),
        (np.array([1, 2, 3, 4], dtype=object), "regression"),
        ([[0, 1], [1, 1]], "classification"),
        ([[0, 2], [1, 1]], "regression"),
        ([[0], [1], [0], [1]], "classification"),
        (np.array([], dtype=float), "classification"),
    ],
)
def test_infer_task(y: Any, task: str) -> None:
    assert infer_task(y) == task


@pytest.mark.parametrize(
    ("name", "target", "task"),
    [
        ("adult_train", "income", "classification"),
        ("titanic", "Survived", "classification"),
        ("letter", "letter", "classification"),
        ("wine_quality", "quality", "classification"),
        ("california_housing", "median_house_value", "regression"),
        ("ames", "price", "regression"),
        ("diamonds", "price", "regression"),
    ],
)
def test_the_task_of_real_tables(name: str, target: str, task: str) -> None:
    source = load(needs(f"tabular/{name}.csv.gz"), target)
    assert infer_task(source.y) == task


# ---------------------------------------------------------------------------- the rows that are held out


@pytest.fixture
def table(tmp_path) -> str:
    return str(write(tmp_path / "people.csv", people(80)))


@pytest.mark.parametrize("target", ["dear", "price"])
def test_the_seed_draws_the_rows_that_are_held_out(target, table) -> None:
    splits = [load_data(table, target, None, 0.2, "auto", seed) for seed in (0, 0, 1)]
    tested = [data.test.X["x"].to_list() for data in splits]  # type: ignore[union-attr]  # a share is held out
    assert tested[0] == tested[1]
    assert sorted(tested[0]) != sorted(tested[2])
    for data in splits:
        assert sorted(data.train.X["x"].to_list() + data.test.X["x"].to_list()) == sorted(people(80)["x"])  # type: ignore[union-attr]  # as above


SPLITS = {
    "classes": (np.arange(60) % 3, True),
    "a class of one row": (np.array([9, *(k % 3 for k in range(59))]), True),
    "more classes than rows held out": (np.arange(60) // 2, True),
    "several labels": (np.stack([np.arange(60) % 2, np.arange(60) % 3 > 0], axis=1), True),
    "numbers": (np.linspace(0, 1, 60), False),
}


@pytest.mark.parametrize("name", SPLITS)
def test_every_split_is_drawn_by_its_seed(name) -> None:
    y, labels = SPLITS[name]
    parts = [split(y, 0.2, seed, labels) for seed in (3, 3, 4)]
    for kept, held in parts:
        assert sorted([*kept, *held]) == list(range(60))
        assert len(held) == 12
    assert parts[0][1].tolist() == parts[1][1].tolist()
    assert sorted(parts[0][1]) != sorted(parts[2][1])


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_leaves_rows_to_train_on(name) -> None:
    y, labels = SPLITS[name]
    with pytest.raises(ValueError, match=r"a share of 0\.999 would hold out all 60 rows; none is left to train on"):
        split(y, 0.999, 0, labels)
    assert len(split(y, 0.98, 0, labels)[0]) >= 1


def test_a_class_of_one_row_is_trained_on() -> None:
    y, labels = SPLITS["a class of one row"]
    assert all(0 in split(y, 0.2, seed, labels)[0] for seed in range(5))
