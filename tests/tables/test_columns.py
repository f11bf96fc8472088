"""What each kind of column becomes: numbers, categories, dates, and the same value whatever type it has."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.preprocessing import StandardScaler

from chainrule.tables import (
    CategoryColumn,
    DroppedColumn,
    NumberColumn,
    TableEncoder,
    table_of,
)

PEOPLE: dict[str, Any] = {
    "age": [20.0, 40.0, None, 60.0],
    "town": ["Bonn", "Ulm", "Bonn", None],
    "member": [True, False, True, True],
    "since": [dt.date(2020, 1, day) for day in (1, 2, 3, 4)],
}


def encode(train: dict[str, Any], new: Any = None, **settings: Any) -> dict[str, list[float]]:
    """Fit on one table, transform another (or the same), and name the columns that come out."""
    encoder = TableEncoder(**settings).fit(train)
    matrix = encoder.transform(train if new is None else new)
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


@pytest.mark.parametrize("mark", ["None", "NA", "nan", "?", "-", "", " ", None])
def test_missing_marks_are_missing_in_texts_as_well(mark: str | None) -> None:
    assert encode({"a": ["x", mark, "y"]}) == {"a=x": [1, 0, 0], "a=y": [0, 0, 1], "a=(missing)": [0, 1, 0]}
    assert encode({"a": ["x", "x", "y", "y"]}, {"a": [mark]}) == {"a=x": [0.5], "a=y": [0.5]}


def test_the_records_of_0_1_keep_missing_marks_as_levels() -> None:
    record = {"kind": "category", "name": "a", "levels": ["?", "x"], "counts": [1, 3], "rare": 0, "missing": 0}
    settings = {"rare_below": 10, "max_levels": 100, "dtype": "float64"}
    encoder = TableEncoder.from_json({**settings, "columns": [{**record, "stray": ""}]})
    assert encoder.transform({"a": ["?", "x", "NA", None]}).tolist() == [[1, 0], [0, 1], [0, 0], [0.25, 0.75]]


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
    (column,) = TableEncoder().fit({"x": levels}).columns_
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
    (column,) = TableEncoder().fit({"x": values}).columns_
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
    encoder = TableEncoder().fit({"flat": values, "a": [1, 2, 3]})
    assert encoder.columns_[0] == DroppedColumn("flat", why)
    assert encoder.feature_names_in_ == ["flat", "a"]
    assert encoder.feature_names_out_ == ["a"]


def test_free_text_is_dropped_in_a_table_large_enough_to_tell() -> None:
    names = [f"passenger {row}" for row in range(50)]
    encoder = TableEncoder().fit({"name": names, "a": range(50)})
    assert encoder.columns_[0] == DroppedColumn("name", "all 50 levels are rare")


def test_a_constant_with_gaps_keeps_its_indicator() -> None:
    assert encode({"a": [7, None, 7]}) == {"a=missing": [0, 1, 0]}


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1.0, 1e200, 1.7e308])
def test_huge_and_tiny_numbers_stay_finite(scale: float) -> None:
    matrix = TableEncoder().fit_transform({"a": [scale, -scale, scale, 0.0]})
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
    encoder = TableEncoder().fit({"a": train})
    first, second = encoder.transform({"a": train}), encoder.transform({"a": new})
    np.testing.assert_array_equal(second, first[[0, 1, 0]])


@pytest.mark.parametrize("text", ["1_000", "0x10", "1e", "+-1", "+", "½", "infinite"])
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
    moved = {"extra": [1] * 4, **{name: PEOPLE[name] for name in ("since", "town", "member", "age")}}
    np.testing.assert_array_equal(encoder.transform(moved), encoder.transform(PEOPLE))


# ------------------------------------------------------------------------------------ different texts, different levels


@pytest.mark.parametrize(
    "texts",
    [
        ["3.1", "3.10", "2.7.1"],
        ["1E5", "100000", "A7"],
        ["01", "1", "2A"],
        ["0.5", ".50", "x"],
        ["+1", "1", "x"],
        ["-0", "0", "x"],
        ["1e400", "2e400", "x"],
        ["9007199254740993.0", "9007199254740992.0", "x"],
        ["Yes", "yes", "x"],
        ["True", "true", "1"],
    ],
)
def test_different_texts_of_the_training_stay_different(texts: list[str]) -> None:
    frames = {
        "text": {"a": texts},
        "category": {"a": pd.Categorical(texts)},
        "objects": pd.DataFrame({"a": pd.Series(texts, dtype=object)}),
        "polars": pl.DataFrame({"a": texts}),
        "enum": pl.DataFrame({"a": pl.Series(texts, dtype=pl.Enum(texts))}),
    }
    for name, frame in frames.items():
        encoder = TableEncoder().fit(frame)
        (column,) = encoder.columns_
        assert isinstance(column, CategoryColumn), name
        assert sorted(column.levels) == sorted(texts), name
        assert (encoder.transform(frame).argmax(axis=1) == np.argsort(np.argsort(texts))).all(), name


@pytest.mark.parametrize(
    ("levels", "new", "found"),
    [
        (["Yes", "no"], ["yes", " YES ", "NO", "1", 0, "t", True, "F", "maybe"], [0, 0, 1, 0, 1, 0, 0, 1, -1]),
        (["a", "A", "b"], ["A", " A", "B"], [1, -1, 2]),
        (["3.1", "3.10", "x"], ["3.1", 3.1, "3.10", "3.100", " 3.1"], [0, 0, 1, -1, 0]),
        (["7", "x"], ["7.0", 7, "07", " 7", 7.5], [0, 0, 0, 0, -1]),
        (["0", "x"], ["+", "--0", "+0", "0.", ".0e5", "", "1e99999999999999999999"], [-1, -1, 0, 0, 0, None, -1]),
        (["1", "0", "x"], [True, "true", "1.0"], [-1, -1, 0]),
    ],
)
def test_a_new_value_is_the_only_level_that_differs_in_dress_alone(
    levels: list[str], new: list[Any], found: list[int | None]
) -> None:
    encoder = TableEncoder().fit({"a": pd.Categorical(levels)})
    for value, expected in zip(new, found, strict=True):
        row = encoder.transform({"a": [value]})[0]
        if expected is None:  # missing: the share of each level
            assert row.tolist() == [1 / len(levels)] * len(levels)
            continue
        wanted = [float(level == levels[expected]) if expected >= 0 else 0.0 for level in sorted(levels)]
        assert row.tolist() == wanted, value


WORDS = (("True", "False"), ("T", "F"), ("yes", "NO"), ("on", "off"), ("1", "0"))


def test_a_number_that_may_be_several_levels_is_noted() -> None:
    encoder = TableEncoder().fit({"v": ["3.1", "3.10", "2.7.1"], "x": [1, 2, 3]})
    assert encoder.text_names == ["v"]
    assert not encoder.transform_noted({"v": ["3.10", "3.1"], "x": [1, 2]})[1]
    assert encoder.transform_noted({"v": [3.1], "x": [1]})[1] == [
        "column 'v': the number 3.1 may be any of the levels '3.1', '3.10'; give the column as texts"
    ]


def test_a_flag_may_come_in_any_dress() -> None:
    flag = np.array([True, False, True, False] * 5)
    dresses: list[Any] = [
        flag,
        flag.astype(int),
        flag.astype(float),
        *(
            np.where(flag, *words)
            for words in (("True", "False"), ("T", "F"), ("yes", "NO"), ("on", "off"), ("1", "0"))
        ),
        pd.array(flag, dtype="boolean"),
    ]
    for train in dresses:
        encoder = TableEncoder().fit({"flag": train})
        matrix = encoder.transform({"flag": train})
        for new in dresses:
            found, notes = encoder.transform_noted({"flag": new})
            np.testing.assert_array_equal(found, matrix)
            assert not notes


def test_a_word_that_is_no_flag_is_refused_by_a_column_of_0_and_1() -> None:
    encoder = TableEncoder().fit({"a": [0, 1, 1]})
    with pytest.raises(ValueError, match=r"^column 'a': 'maybe' in row 2 is not a number"):
        encoder.transform({"a": ["yes", "maybe"]})
    with pytest.raises(ValueError, match=r"^column 'a': 'yes' in row 1 is not a number"):
        TableEncoder().fit({"a": [0, 1, 2]}).transform({"a": ["yes", "no"]})
    assert encode({"a": [1, 1, None]}, {"a": ["yes", "no", "NA"]}) == {"a=missing": [0, 0, 1]}


# --------------------------------------------------------------------------------------------- numbers in other dress


def test_numbers_in_other_dress_are_numbers_and_the_record_says_how() -> None:
    prices = [f"${value:,.2f}" for value in np.linspace(900, 2100, 30)]
    encoder = TableEncoder().fit({"price": [*prices, "N/A"]})
    (column,) = encoder.columns_
    assert isinstance(column, NumberColumn)
    assert (column.form, column.marks, column.missing) == ("$1,234.5", ("N/A",), 1)
    assert column.mean == pytest.approx(1500)
    assert encoder.describe().startswith("price  number written as $1,234.5 -> (x - 1500) / ")
    assert "missing in 1 row ('N/A')" in encoder.describe()
    dressed, plain = (encoder.transform({"price": new}) for new in (["$1,500.00", "?"], [1500.0, None]))
    np.testing.assert_array_equal(dressed, plain)
    assert dressed[:, 1].tolist() == [0, 1]


def test_another_form_of_the_same_kind_is_followed_with_a_note() -> None:
    encoder = TableEncoder().fit({"a": [f"{k},50 €" for k in range(30)]})
    matrix, notes = encoder.transform_noted({"a": ["1.50 €", "2.50 €", "3.25 €"]})
    np.testing.assert_allclose(matrix, encoder.transform({"a": ["1,50 €", "2,50 €", "3,25 €"]}))
    assert len(notes) == 1
    assert notes[0].startswith("column 'a': the numbers are read as ")
    with pytest.raises(ValueError, match=r"^column 'a': 'many' in row 1 is not a number \(it was a number, written "):
        encoder.transform({"a": ["many"]})


def test_a_stray_among_numbers_is_named_with_the_row_of_the_file() -> None:
    values = [f"{value:.2f}" for value in np.linspace(0, 9, 100)]
    table = table_of({"a": [*values[:50], "<1.5", *values[50:]], "b": range(101)})
    message = r"^column 'a': '<1.5' in row {} is not a number, but most others are; empty the cell if it is missing"
    with pytest.raises(ValueError, match=message.format(51)):
        TableEncoder().fit(table)
    with pytest.raises(ValueError, match=message.format(51)):
        TableEncoder().fit(table[::-1])


def test_a_few_bad_dates_are_missing_with_a_note() -> None:
    days = [f"2015-01-{day:02d}" for day in range(1, 31)]
    encoder = TableEncoder().fit({"day": [*days, "0000-00-00"]})
    (column,) = encoder.columns_
    assert isinstance(column, NumberColumn)
    assert (column.reads, column.bad, column.missing) == ("moment", ("0000-00-00",), 1)
    assert encoder.notes_ == [
        "column 'day': '0000-00-00' in row 31 cannot be read as a date or time and counts as missing"
    ]
    assert encoder.transform({"day": ["0000-00-00"]})[0].tolist() == [0, 1]


@pytest.mark.parametrize("offset", [2**53, 2**60, 2**63 + 2**62, -(2**62), 2**100 + 12345, 10**60, -(10**200)])
def test_integers_beyond_2_53_are_told_apart(offset: int) -> None:
    values: list[Any] = [offset + k for k in range(10)]
    matrix = TableEncoder().fit_transform({"a": range(10)})
    np.testing.assert_allclose(TableEncoder().fit_transform({"a": values}), matrix, rtol=1e-12, atol=1e-12)
    texts = [str(value) for value in values]
    for new in (values, texts, [f" {text}" for text in texts]):
        found = encode({"a": [*values, None]}, {"a": [new[3], new[9], "NA"]})
        np.testing.assert_allclose(found["a"], [matrix[3, 0], matrix[9, 0], 0], rtol=1e-12)
        marked = encode({"a": [*new, "NA"]}, {"a": [values[3], values[9], None]})
        assert (marked["a"], marked["a=missing"]) == (found["a"], [0, 0, 1])


def test_a_text_of_thousands_of_digits_is_no_traceback() -> None:
    for text in ("9" * 5000, "-" + "9" * 5000, "1e" + "9" * 5000):
        with pytest.raises(ValueError, match=r"^column 'a': the value in row 2 is infinite"):
            TableEncoder().fit({"a": ["1", text]})
        assert encode({"a": pd.Categorical(["x", "y"])}, {"a": [text]}) == {"a=x": [0], "a=y": [0]}


# ------------------------------------------------------------------------------------------------- declared by the user


def declared(values: Any, kind: str) -> Any:
    """Return the record of a column that was declared."""
    return TableEncoder().fit(replace(table_of({"a": values}), declared={"a": kind})).columns_[0]


def test_a_declared_column_is_what_was_said() -> None:
    codes = declared([3, 1, 3, 2], "category")
    assert (codes.levels, codes.counts) == (("1", "2", "3"), (1, 1, 2))
    assert declared([3, 1, 3, 2], "text") == codes
    assert declared(["01", "02", "03"], "number").mean == 2
    dates = declared([20200131, 20200201], "date")
    assert (dates.reads, dates.std) == ("moment", 43200)
    assert declared([20, 30], "duration").mean == 25


def test_the_decimal_mark_of_the_file_is_followed() -> None:
    table = replace(table_of({"a": ["1,234", "2,500"]}), decimal=",")
    (column,) = TableEncoder().fit(table).columns_
    assert isinstance(column, NumberColumn)
    assert column.mean == pytest.approx((1.234 + 2.5) / 2)


# ---------------------------------------------------------------------------------------------- what is left out, noted


def test_what_is_left_out_is_noted_with_the_reason() -> None:
    rows = 60
    table = {
        "id": range(rows),
        "flat": [1] * rows,
        "same": ["x"] * rows,
        "empty": [None] * rows,
        "name": [f"passenger {row}" for row in range(rows)],
        "a": np.linspace(0, 1, rows),
    }
    encoder = TableEncoder().fit(table)
    assert encoder.feature_names_out_ == ["a"]
    assert encoder.notes_ == [
        "column 'id' is left out: it only tells the rows apart; declare it a number if it is one",
        "columns 'flat', 'same' are left out: each has the same value in all rows, which tells no rows apart",
        "column 'empty' is left out: it is always missing",
        "column 'name' is left out: all 60 levels are rare; group its values if they matter",
    ]
    assert TableEncoder().fit({"a": [1, 2], "b": [3, 3]}).notes_ == [
        "column 'b' is left out: it is always 3, which tells no rows apart"
    ]
    new = {"a": [0.5]}
    assert encoder.transform(new).shape == (1, 1)


ROWS = 30
UPWARD, SHUFFLED = list(range(ROWS)), [7 * k % ROWS for k in range(ROWS)]


@pytest.mark.parametrize(
    ("name", "values", "left_out"),
    [
        ("id", UPWARD, True),
        ("ID", SHUFFLED, True),
        ("customer_id", [f"c{k}" for k in UPWARD], True),
        ("PassengerId", [k + 1 for k in UPWARD], True),
        ("Unnamed: 0", SHUFFLED, True),
        ("__index_level_0__", [k // 2 for k in UPWARD], True),
        ("", UPWARD, True),
        ("column0", UPWARD, True),
        ("uuid", [2**60 + k for k in UPWARD], True),
        ("id", [k + 0.5 for k in UPWARD], False),
        ("id", [k // 2 for k in UPWARD], False),
        ("id", [None, *UPWARD[1:]], False),
        ("paid", SHUFFLED, False),
        ("humid", UPWARD, False),
        ("order", UPWARD, False),
        ("valid", UPWARD, False),
    ],
)
def test_columns_that_number_the_rows_are_left_out(name: str, values: list[Any], left_out: bool) -> None:
    encoder = TableEncoder().fit({"x": np.linspace(0, 1, ROWS), name: values})
    assert (not encoder.columns_[1].inputs) == left_out
    few = TableEncoder().fit({"x": [0, 1, 2], name: values[:3]})
    assert bool(few.columns_[1].inputs) == (not name.startswith("__"))
    if left_out and not name.startswith("__"):
        kept = replace(table_of({"x": np.linspace(0, 1, ROWS), name: values}), declared={name: "number"})
        if not isinstance(values[0], str):
            assert TableEncoder().fit(kept).columns_[1].inputs


def test_the_first_of_columns_without_names_is_no_id() -> None:
    encoder = TableEncoder().fit({"column0": UPWARD, "column1": SHUFFLED})
    assert encoder.feature_names_out_ == ["column0", "column1"]


def test_values_never_seen_are_noted() -> None:
    encoder = TableEncoder().fit({"town": ["Bonn", "Ulm"] * 20, "x": range(40)})
    assert encoder.transform_noted({"town": ["Bonn", "Rome"] * 5, "x": range(10)})[1] == []
    assert encoder.transform_noted({"town": ["Rome"] * 4, "x": range(4)})[1] == []
    assert encoder.transform_noted({"town": ["Rome"] * 6 + ["Bonn"], "x": range(7)})[1] == [
        "column 'town': 6 of 7 values, such as 'Rome', were never seen in training, which knew 'Bonn', 'Ulm'"
    ]
    rare = TableEncoder().fit({"name": ["x"] * 30 + [f"n{k}" for k in range(70)], "x": range(100)})
    assert rare.transform_noted({"name": [f"m{k}" for k in range(50)] + ["x"] * 10, "x": range(60)})[1] == []
