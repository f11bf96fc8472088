"""DataFrame -> matrix: any DataFrame, the mistakes that are named, and real tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError

from chainrule.tables import (
    TableEncoder,
    needs_encoding,
    read_table,
)

DATA = Path(__file__).parents[3] / "shared" / "data" / "tabular"

PEOPLE = pl.DataFrame(
    {
        "age": [20.0, 40.0, None, 60.0],
        "town": ["Bonn", "Ulm", "Bonn", None],
        "member": [True, False, True, True],
        "since": [dt.date(2020, 1, day) for day in (1, 2, 3, 4)],
    }
)


# -------------------------------------------------------------------------- any DataFrame

PANDAS_COLUMNS: dict[str, Callable[[], Any]] = {
    "text": lambda: ["a", None, "b"],
    "objects": lambda: pd.Series([1, "a", None], dtype=object),
    "number objects": lambda: pd.Series([1, 2.5, None], dtype=object),
    "boolean objects": lambda: pd.Series([True, False, None], dtype=object),
    "date objects": lambda: pd.Series([dt.date(2020, 1, 1), None, dt.date(2020, 1, 3)], dtype=object),
    "huge integers": lambda: pd.Series([10**30, 1, None], dtype=object),
    "number categories": lambda: pd.Categorical([1, 2, None]),
    "text categories": lambda: pd.Categorical(["x", "y", None]),
    "nullable integers": lambda: pd.array([1, None, 3], dtype="Int64"),
    "nullable booleans": lambda: pd.array([True, None, False], dtype="boolean"),
    "moments": lambda: pd.to_datetime(["2020-01-01", None, "2021-01-01"]),
    "moments in a zone": lambda: pd.to_datetime(["2020-01-01", None, "2021-01-01"]).tz_localize("Asia/Tokyo"),
    "durations": lambda: pd.to_timedelta([1, None, 3], unit="s"),
    "months": lambda: pd.period_range("2020-01", periods=3, freq="M"),
    "half floats": lambda: np.array([1, 2, np.nan], np.float16),
    "bytes": lambda: np.array([1, 2, 3], np.uint8),
}

NEEDS_NO_ENCODING = {"bytes"}


@pytest.mark.parametrize("name", PANDAS_COLUMNS)
def test_every_kind_of_pandas_column_is_encoded(name: str) -> None:
    frame = pd.DataFrame({name: PANDAS_COLUMNS[name]()}).set_axis([7, 7, 9])
    matrix = TableEncoder().fit_transform(frame)
    assert matrix.shape[0] == 3
    assert len({tuple(row) for row in matrix}) == 3
    assert needs_encoding(frame) == (name not in NEEDS_NO_ENCODING)


def test_pandas_polars_and_arrow_give_the_same_bits() -> None:
    matrix = TableEncoder().fit_transform(PEOPLE)
    for other in (PEOPLE.to_pandas(), PEOPLE.to_arrow(), PEOPLE.to_pandas(use_pyarrow_extension_array=True)):
        np.testing.assert_array_equal(TableEncoder().fit_transform(other), matrix)


def test_names_that_are_not_text_are_written_as_text() -> None:
    assert TableEncoder().fit(pd.DataFrame({5: [1, 2]})).feature_names_in_ == ["5"]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (pl.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}), False),
        (pl.DataFrame({"a": [True, False]}), False),
        (pd.DataFrame({"a": pd.Series([1, 2], dtype=object)}), False),
        (pl.DataFrame({"a": [1, None]}), True),
        (pl.DataFrame({"a": [1.0, float("nan")]}), True),
        (pl.DataFrame({"a": ["1"]}), True),
        (pl.DataFrame({"a": [dt.date(2020, 1, 1)]}), True),
        (pd.DataFrame({"a": pd.Categorical([1, 2])}), True),
        (np.array([[1.0, np.nan]]), False),
        ([["a"]], False),
    ],
)
def test_needs_encoding(frame: Any, expected: bool) -> None:
    assert needs_encoding(frame) is expected


# -------------------------------------------------------------------------- mistakes

REST = "; only numbers, text and dates can be read: leave it out, or split it up"

LAZY = pl.DataFrame({"a": [1]}).lazy().select("b")
EMPTY = "; empty the cell if it is missing"

UNFIT: list[tuple[Any, str]] = [
    (np.zeros((2, 2)), "expected a DataFrame, got ndarray"),
    (None, "expected a DataFrame, got NoneType"),
    (pl.Series([1]), "expected a DataFrame, got Series"),
    (
        pl.DataFrame({"a": [1]}).lazy().select("b"),
        'the LazyFrame cannot be collected: unable to find column "b"; valid columns: ["a"]',
    ),
    ("people.csv", "expected a DataFrame, got str"),
    ({"a": 1}, "column 'a' must be a sequence of values, one for each row, got int"),
    ({"a": [1, 2], "b": [3]}, "columns must have one value for each row: 'a' has 2, 'b' has 1"),
    ({}, "the table has no columns"),
    (pl.DataFrame(), "the table has no columns"),
    (pl.DataFrame({"a": []}), "the table has no rows"),
    (pd.DataFrame([[1, 2]], columns=["a", "a"]), "column names must be unique; given more than once: 'a'"),
    (pd.DataFrame([[1, 2]], columns=["1", 1]), "column names must be unique; given more than once: '1'"),
    (pl.DataFrame({"a": [1.0, float("inf")]}), f"column 'a': the value in row 2 is infinite{EMPTY}"),
    (
        pl.DataFrame({"a": [[1], [2]]}),
        f"column 'a' holds List(Int64){REST}",
    ),
    (
        pd.DataFrame({"a": [[1], [2]]}),
        f"column 'a' holds lists{REST}",
    ),
    (pl.DataFrame({"a": [b"x"]}), f"column 'a' holds Binary{REST}"),
    (pd.DataFrame({"a": [b"x", b"y"]}), f"column 'a' holds bytes{REST}"),
    (pd.DataFrame({"a": [10**400, 1]}), f"column 'a': the value in row 1 is infinite{EMPTY}"),
    (
        pl.DataFrame({"a": [1], "b": ["x"]}),
        "nothing to learn from: no column tells any rows apart ('a', 'b')",
    ),
]


@pytest.mark.parametrize(("frame", "message"), UNFIT, ids=[message[:40] for _, message in UNFIT])
def test_a_table_that_cannot_be_learned_from_is_refused(frame: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        TableEncoder().fit(frame)
    assert str(caught.value) == message
    if "must be unique" in message:
        with pytest.raises(ValueError, match="column names must be unique"):
            needs_encoding(frame)


WRONG_AT_PREDICT_TIME: list[tuple[dict[str, Any], str]] = [
    (
        {"age": ["1", "abc", "x", ""]},
        "column 'age': 'abc' in row 2 is not a number (it was a number when the model was trained); "
        "empty the cell if it is missing",
    ),
    ({"age": [dt.date(2020, 1, 1)] * 4}, "column 'age': '2020-01-01' in row 1 is not a number (it was"),
    ({"age": ["x" * 90] * 4}, f"column 'age': '{'x' * 36}... in row 1 is not a number"),
    ({"age": [1.0, 2.0, float("-inf"), 3.0]}, "column 'age': the value in row 3 is infinite"),
    ({"since": ["2020-01-01", "soon"] * 2}, "column 'since': 'soon' in row 2 is not a date or time (it was"),
    ({"since": [1, 2, 3, 4]}, "column 'since': '1' in row 1 is not a date or time"),
]


@pytest.mark.parametrize(("columns", "message"), WRONG_AT_PREDICT_TIME)
def test_a_value_of_the_wrong_kind_is_named(columns: dict[str, Any], message: str) -> None:
    new = PEOPLE.with_columns(pl.Series(name, values) for name, values in columns.items())
    with pytest.raises(ValueError, match=r"^") as caught:
        TableEncoder().fit(PEOPLE).transform(new)
    assert str(caught.value).startswith(message)


def test_a_missing_column_is_named_with_those_of_the_training() -> None:
    encoder = TableEncoder().fit(PEOPLE)
    with pytest.raises(ValueError, match=r"^column 'age' is missing; the model was trained with: age, town"):
        encoder.transform(PEOPLE.drop("age"))
    with pytest.raises(ValueError, match=r"^columns 'age', 'town' are missing; the model"):
        encoder.transform(PEOPLE.drop("age", "town"))


def test_a_number_too_large_for_the_matrix_is_refused_and_not_made_infinite() -> None:
    encoder = TableEncoder(dtype="float32").fit(pl.DataFrame({"a": [1.0, 2.0]}))
    with pytest.raises(ValueError, match=r"^column 'a': 1e\+300 in row 2 is too far from the training mean 1\.5$"):
        encoder.transform(pl.DataFrame({"a": [1.0, 1e300]}))


def test_transform_before_fit() -> None:
    with pytest.raises(NotFittedError):
        TableEncoder().transform(PEOPLE)


@pytest.mark.parametrize("settings", [{"rare_below": 0}, {"max_levels": 1.5}, {"dtype": "int8"}])
def test_wrong_settings_are_named(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(settings))} must be "):
        TableEncoder(**settings).fit(PEOPLE)


def test_a_failed_fit_leaves_the_encoder_as_it_was() -> None:
    encoder = TableEncoder().fit(PEOPLE)
    with pytest.raises(ValueError, match="infinite"):
        encoder.fit(pl.DataFrame({"other": [1.0, 2.0], "a": [1.0, float("inf")]}))
    assert encoder.feature_names_in_ == PEOPLE.columns


# -------------------------------------------------------------------------- real data


@pytest.mark.parametrize(
    ("name", "shape"), [("adult_train", (32561, 110)), ("titanic", (891, 15)), ("ames", (2930, 291))]
)
def test_real_tables(name: str, shape: tuple[int, int]) -> None:
    path = DATA / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there: the real data are kept outside the repository")
    table = read_table(path)
    encoder = TableEncoder().fit(table)
    matrix = encoder.transform(table)
    assert matrix.shape == shape
    assert np.isfinite(matrix).all()
    for settings in ({"keep_default_na": False, "na_values": [""]}, {"keep_default_na": False, "dtype": str}):
        np.testing.assert_array_equal(TableEncoder().fit_transform(pd.read_csv(path, **settings)), matrix)
