"""What each kind of column becomes: numbers, categories, dates, and the same value whatever type it has."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.preprocessing import StandardScaler

from chainrule.tables import (
    CategoryColumn,
    DroppedColumn,
    NumberColumn,
    TableEncoder,
)

PEOPLE = pl.DataFrame(
    {
        "age": [20.0, 40.0, None, 60.0],
        "town": ["Bonn", "Ulm", "Bonn", None],
        "member": [True, False, True, True],
        "since": [dt.date(2020, 1, day) for day in (1, 2, 3, 4)],
    }
)


def encode(train: dict[str, Any], new: Any = None, **settings: Any) -> dict[str, list[float]]:
    """Fit on one table, transform another (or the same), and name the columns that come out."""
    encoder = TableEncoder(**settings).fit(pl.DataFrame(train))
    matrix = encoder.transform(pl.DataFrame(train if new is None else new))
    return dict(zip(encoder.feature_names_out_, matrix.T.tolist(), strict=True))


# -------------------------------------------------------------------------- what a column turns into


def test_numbers_are_standardised_as_scikit_learn_does() -> None:
    numbers = np.random.default_rng(0).normal(1e6, 3.0, (500, 3))
    frame = pl.DataFrame(numbers, schema=["a", "b", "c"])
    np.testing.assert_allclose(
        TableEncoder().fit_transform(frame), StandardScaler().fit_transform(numbers), rtol=1e-9, atol=1e-9
    )


def test_a_missing_number_is_the_mean_and_is_flagged() -> None:
    assert encode({"a": [1.0, 3.0, None, float("nan")]}) == {"a": [-1, 1, 0, 0], "a=missing": [0, 0, 1, 1]}


def test_a_number_missing_only_at_predict_time_is_the_mean() -> None:
    assert encode({"a": [1, 3]}, {"a": [None, 5]}) == {"a": [0, 3]}


def test_a_category_has_one_column_per_level() -> None:
    assert encode({"a": ["x", "y", "x"]}) == {"a=x": [1, 0, 1], "a=y": [0, 1, 0]}


def test_a_boolean_has_one_column_per_value() -> None:
    assert encode({"a": [True, False]}) == {"a=False": [0, 1], "a=True": [1, 0]}


def test_the_texts_none_na_and_nan_are_levels_and_only_the_empty_text_is_missing() -> None:
    names = list(encode({"a": ["None", "NA", "nan", "", None]}))
    assert names == ["a=NA", "a=None", "a=nan", "a=(missing)"]


def test_an_unseen_level_is_all_zeros_when_no_level_was_rare() -> None:
    assert encode({"a": ["x", "y", None]}, {"a": ["new", None]}) == {
        "a=x": [0, 0],
        "a=y": [0, 0],
        "a=(missing)": [0, 1],
    }


def test_an_unseen_level_counts_as_rare_when_there_are_rare_levels() -> None:
    train = {"a": ["x"] * 150 + ["y"] * 49 + ["odd", None]}
    assert encode(train, {"a": ["new", "odd", None, "y"]}) == {
        "a=x": [0, 0, 0, 0],
        "a=y": [0, 0, 0, 1],
        "a=(rare)": [1, 1, 0, 0],
        "a=(missing)": [0, 0, 1, 0],
    }


def test_a_missing_level_without_a_column_of_its_own_becomes_the_shares_in_training() -> None:
    assert encode({"a": ["x", "x", "x", "y"]}, {"a": [None, "new"]}) == {"a=x": [0.75, 0], "a=y": [0.25, 0]}


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ((10, 9, 300), {"a", "c"}),
        ((10, 10, 300), {"a", "b", "c"}),
        ((1, 2, 3), {"a", "b", "c"}),
        ((2, 3, 95), {"c"}),
    ],
)
def test_levels_are_rare_below_ten_rows_and_below_five_percent(rows: tuple[int, ...], kept: set[str]) -> None:
    levels = [level for level, count in zip("abc", rows, strict=True) for _ in range(count)]
    (column,) = TableEncoder().fit(pl.DataFrame({"x": levels})).columns_
    assert isinstance(column, CategoryColumn)
    assert set(column.levels) == kept
    assert column.rare == sum(count for level, count in zip("abc", rows, strict=True) if level not in kept)


def test_only_the_most_frequent_levels_are_kept_and_ties_go_by_name() -> None:
    levels = ["b", "a", "c", "c", "d"]
    assert list(encode({"x": levels}, max_levels=2)) == ["x=a", "x=c", "x=(rare)"]


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ([dt.date(1970, 1, 1), dt.date(1970, 1, 3)], 86400),
        ([dt.datetime(1970, 1, 1), dt.datetime(1970, 1, 1, 0, 0, 3)], 1.5),
        ([dt.timedelta(0), dt.timedelta(minutes=1)], 30),
        ([dt.time(0), dt.time(2)], 3600),
    ],
)
def test_dates_and_durations_are_seconds(values: list[Any], seconds: float) -> None:
    (column,) = TableEncoder().fit(pl.DataFrame({"x": values})).columns_
    assert isinstance(column, NumberColumn)
    assert (column.mean, column.std) == (seconds, seconds)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([5, 5, 5], "always 5"),
        ([0.1 + 0.2] * 3, "always 0.30000000000000004"),
        (["x", "x", "x"], "always 'x'"),
        ([None, None, None], "always missing"),
        (["", None, ""], "always missing"),
        ([float("nan")] * 3, "always missing"),
    ],
)
def test_a_column_that_tells_nothing_apart_is_dropped_with_the_reason(values: list[Any], why: str) -> None:
    encoder = TableEncoder().fit(pl.DataFrame({"flat": values, "a": [1, 2, 3]}))
    assert encoder.columns_[0] == DroppedColumn("flat", why)
    assert encoder.feature_names_in_ == ["flat", "a"]
    assert encoder.feature_names_out_ == ["a"]


def test_free_text_is_dropped_in_a_table_large_enough_to_tell() -> None:
    names = [f"passenger {row}" for row in range(50)]
    encoder = TableEncoder().fit(pl.DataFrame({"name": names, "a": range(50)}))
    assert encoder.columns_[0] == DroppedColumn("name", "all 50 levels are rare")


def test_a_constant_with_gaps_keeps_its_indicator() -> None:
    assert encode({"a": [7, None, 7]}) == {"a=missing": [0, 1, 0]}


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1.0, 1e200, 1.7e308])
def test_huge_and_tiny_numbers_stay_finite(scale: float) -> None:
    matrix = TableEncoder().fit_transform(pl.DataFrame({"a": [scale, -scale, scale, 0.0]}))
    expected = StandardScaler().fit_transform([[1.0], [-1.0], [1.0], [0.0]])
    np.testing.assert_allclose(matrix, expected, rtol=1e-3)


# ---------------------------------------------------------------------- the same value, whatever type it has


@pytest.mark.parametrize(
    ("train", "new"),
    [
        (["1", "2", "x"], [1, 2, 1]),
        (["1", "2", "x"], [1.0, 2.0, 1.0]),
        (["01", "2.0", "x"], ["+1", "2", "1.0"]),
        (["0.1", "1e3", "x"], [0.1, 1000.0, 0.1]),
        (["0.1", "1000", "x"], pl.Series([0.1, 1000, 0.1], dtype=pl.Float32)),
        (["-0", "2", "x"], [0, 2, 0]),
        (["True", "False", "unknown"], [True, False, True]),
        (["true", "FALSE", "unknown"], [True, False, True]),
        (["2020-01-01", "2020-01-02", "x"], [dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(2020, 1, 1)]),
        (["a", "b", "c"], pl.Series(["a", "b", "a"], dtype=pl.Categorical)),
        (["a", "b", "c"], pl.Series(["a", "b", "a"], dtype=pl.Enum(["b", "a"]))),
        ([True, False, None], ["True", "false", "TRUE"]),
    ],
)
def test_the_same_value_is_the_same_level_in_any_type(train: list[Any], new: Any) -> None:
    encoder = TableEncoder().fit(pl.DataFrame({"a": train}, strict=False))
    first, second = encoder.transform(pl.DataFrame({"a": train})), encoder.transform(pl.DataFrame({"a": new}))
    np.testing.assert_array_equal(second, first[[0, 1, 0]])


@pytest.mark.parametrize("text", ["١", "1_000", "0x10", "1e", "+-1", ".", "+", "½", "nan", "inf", "--"])
def test_texts_that_only_resemble_numbers_are_levels(text: str) -> None:
    assert encode({"a": [text, "b"]}, {"a": [text]})[f"a={text}"] == [1]


@pytest.mark.parametrize(
    "new",
    [
        ["1", " 2 ", ""],
        pl.Series([1, 2, None], dtype=pl.Int8),
        pl.Series(["1", "2.0", None]),
        [1.0, 2.0, float("nan")],
    ],
)
def test_a_number_may_come_as_text(new: Any) -> None:
    assert encode({"a": [0, 2]}, {"a": new}) == {"a": [0, 1, 0]}


@pytest.mark.parametrize("dtype", [pl.String, pl.Null, pl.Float64, pl.Boolean, pl.Date])
def test_a_column_without_any_value_is_all_missing(dtype: Any) -> None:
    empty = pl.Series([None, None], dtype=dtype)
    result = encode({"a": [0, 2, None], "b": ["x", "y", None]}, {"a": empty, "b": empty})
    assert result == {"a": [0, 0], "a=missing": [1, 1], "b=x": [0, 0], "b=y": [0, 0], "b=(missing)": [1, 1]}


@pytest.mark.parametrize(
    "new",
    [
        ["2020-01-01", "2020-01-03T00:00:00"],
        [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 3)],
        ["2020-01-01 01:00+01:00", "2020-01-03T00:00:00Z"],
    ],
)
def test_a_date_may_come_as_iso_text_or_with_a_time(new: Any) -> None:
    assert encode({"a": [dt.date(2020, 1, 1), dt.date(2020, 1, 3)]}, {"a": new}) == {"a": [-1, 1]}


def test_columns_are_found_by_name() -> None:
    encoder = TableEncoder().fit(PEOPLE)
    moved = PEOPLE.select("since", pl.lit(1).alias("extra"), "town", "member", "age")
    np.testing.assert_array_equal(encoder.transform(moved), encoder.transform(PEOPLE))
