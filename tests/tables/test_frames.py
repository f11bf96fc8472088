"""Any frame -> Table: the same data in any library and any type are the same table, and the same matrix."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chainrule.tables import Table, TableEncoder, TableError, table_of
from chainrule.tables.frames import array_table, collected, is_frame

MICROSECONDS = st.integers(0, 10**9).map(lambda k: dt.timedelta(microseconds=k))
VALUES: dict[str, tuple[Any, str, Any, Any]] = {
    "int": (st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9), "Int64", pl.Int64, pa.int64()),
    "float": (st.floats(allow_nan=False, allow_infinity=False), "Float64", pl.Float64, pa.float64()),
    "bool": (st.booleans(), "boolean", pl.Boolean, pa.bool_()),
    "text": (st.sampled_from(["a", "b", "x y", "1", "01", "NA", "2.50"]), "string", pl.String, pa.string()),
    "number text": (st.integers(-99, 99).map(str), "string", pl.String, pa.string()),
    "moment": (
        st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1)),
        "datetime64[us]",
        pl.Datetime("us"),
        pa.timestamp("us"),
    ),
    "day": (st.dates(dt.date(1800, 1, 1), dt.date(2200, 1, 1)), "object", pl.Date, pa.date32()),
    "duration": (MICROSECONDS, "timedelta64[us]", pl.Duration("us"), pa.duration("us")),
    "clock": (
        st.times().map(lambda t: t.replace(tzinfo=None)),
        "object",
        pl.Time,
        pa.time64("us"),
    ),
}
"""Values, and their types in pandas (nullable), polars and Arrow."""


@st.composite
def data(draw: st.DrawFn) -> dict[str, tuple[str, list[Any]]]:
    """Columns of the same length by name, each with its kind; some have gaps."""
    rows = draw(st.integers(1, 8))
    kinds = draw(st.lists(st.sampled_from([*VALUES]), min_size=1, max_size=4))
    columns = {}
    for k, kind in enumerate(kinds):
        values = VALUES[kind][0]
        cells = values if draw(st.booleans()) else st.none() | values
        columns[f"{kind} {k}"] = kind, draw(st.lists(cells, min_size=rows, max_size=rows))
    return columns


def as_polars(columns: dict[str, tuple[str, list[Any]]]) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series(values, dtype=VALUES[kind][2]) for name, (kind, values) in columns.items()})


def as_arrow(columns: dict[str, tuple[str, list[Any]]]) -> pa.Table:
    return pa.table({name: pa.array(values, VALUES[kind][3]) for name, (kind, values) in columns.items()})


def as_pandas(columns: dict[str, tuple[str, list[Any]]], kind_of: Callable[[str], Any]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=kind_of(kind)) for name, (kind, values) in columns.items()})


FRAMES: dict[str, Callable[[dict[str, tuple[str, list[Any]]]], Any]] = {
    "lists": lambda columns: {name: values for name, (_, values) in columns.items()},
    "pandas objects": lambda columns: as_pandas(columns, lambda kind: object),
    "pandas nullable": lambda columns: as_pandas(columns, lambda kind: VALUES[kind][1]),
    "pandas arrow": lambda columns: as_pandas(columns, lambda kind: pd.ArrowDtype(VALUES[kind][3])),
    "polars": as_polars,
    "polars lazy": lambda columns: as_polars(columns).lazy(),
    "arrow": as_arrow,
    "arrow pieces": lambda columns: pa.concat_tables([(a := as_arrow(columns)).slice(0, 1), a.slice(1)]),
    "arrow batch": lambda columns: as_arrow(columns).to_batches()[0],
    "series": lambda columns: {series.name: series for series in as_polars(columns)},
    "arrays": lambda columns: {name: np.array(values, object) for name, (_, values) in columns.items()},
    "table": lambda columns: table_of(as_polars(columns)),
}


def shown(table: Table) -> list[tuple[str, str, str, list[Any]]]:
    """Return the names, kinds, types and cells of a table's columns."""
    return [(n, table[n].kind, table[n].values.dtype.str, table[n].to_list()) for n in table.names]


@given(data())
def test_the_same_data_are_the_same_table_and_matrix(columns: dict[str, tuple[str, list[Any]]]) -> None:
    first, *others = (table_of(make(columns)) for make in FRAMES.values())
    wanted = shown(first)
    for name, table in zip([*FRAMES][1:], others, strict=True):
        found = shown(table)
        for (a, kind, dtype, cells), known in zip(found, wanted, strict=True):
            if all(cell is None for cell in cells):  # nothing says what kind it is, where its type does not
                assert (a, cells) == (known[0], known[3]), name
            else:
                assert (a, kind, dtype, cells) == known, name
    try:
        expected = TableEncoder(rare_below=2).fit_transform(first)
    except TableError as error:
        assume("nothing to learn from" not in str(error))
        raise
    for name, make in FRAMES.items():
        assert TableEncoder(rare_below=2).fit_transform(make(columns)).tobytes() == expected.tobytes(), name


@given(data())
def test_the_cells_are_the_values(columns: dict[str, tuple[str, list[Any]]]) -> None:
    table = table_of(as_arrow(columns))
    for name, (kind, values) in columns.items():
        cells = table[name].to_list()
        midnight = dt.datetime.combine(dt.date(1970, 1, 1), dt.time())
        for cell, value in zip(cells, values, strict=True):
            if value is None:
                assert cell is None
            elif kind == "clock":
                assert cell == dt.datetime.combine(midnight, value) - midnight
            elif kind == "day":
                assert cell == dt.datetime.combine(value, dt.time())
            elif kind in ("text", "number text"):
                assert cell == value or cell == float(value)
            else:
                assert cell == value


# ------------------------------------------------------------------------------------------------- pandas, type by type

NA, NAN, NAT = pd.NA, float("nan"), pd.NaT
DAY = dt.datetime(2020, 1, 31)
PANDAS: dict[str, tuple[Any, str, list[Any]]] = {
    "int8": (np.array([1, 2], np.int8), "number", [1, 2]),
    "uint64": (np.array([1, 2**64 - 1], np.uint64), "number", [1, 2**64 - 1]),
    "float16": (np.array([0.5, np.nan], np.float16), "number", [0.5, None]),
    "longdouble": (np.array([0.5, 2], np.longdouble), "number", [0.5, 2]),
    "bool": ([True, False], "boolean", [True, False]),
    "objects of ints and floats": (pd.Series([1, 2.5], dtype=object), "number", [1, 2.5]),
    "objects with NA": (pd.Series([1, NA], dtype=object), "number", [1, None]),
    "flags and numbers": (pd.Series([True, 2], dtype=object), "number", [1, 2]),
    "flags and None": (pd.Series([True, None], dtype=object), "boolean", [True, None]),
    "flags and texts": (pd.Series([True, "no"], dtype=object), "text", ["True", "no"]),
    "decimals": ([Decimal("1.50"), None], "number", [1.5, None]),
    "whole decimals": ([Decimal(2**60 + 1), Decimal(1)], "number", [2**60 + 1, 1]),
    "fractions": ([Fraction(1, 2), Fraction(3)], "number", [0.5, 3]),
    "numbers and a mark": (pd.Series(["NA", 2.0], dtype=object), "text", ["NA", "2"]),
    "numbers as text": (["1", " 2.5 "], "number", [1, 2.5]),
    "codes": (["007", "7"], "text", ["007", "7"]),
    "huge decimals": ([Decimal("1e999999"), Decimal("sNaN")], "number", [float("inf"), None]),
    "spans of NumPy": (
        pd.Series([np.timedelta64(3, "s"), None], dtype=object),
        "duration",
        [dt.timedelta(seconds=3), None],
    ),
    "months of NumPy": (pd.Series([np.timedelta64(3, "M"), "x"], dtype=object), "text", ["3 months", "x"]),
    "integers of 128 bits": (["170141183460469231731687303715884105727", "1"], "text", None),
    "huge objects": (pd.Series([10**30, 1], dtype=object), "text", [str(10**30), "1"]),
    "str": (pd.Series(["a", None], dtype="str"), "text", ["a", None]),
    "empty texts": (["", "a"], "text", [None, "a"]),
    "nothing": (pd.Series([None, None], dtype=object), "number", [None, None]),
    "timestamps": (pd.to_datetime(["2020-01-31", None]), "moment", [DAY, None]),
    "in a zone": (pd.to_datetime(["2020-01-31 09:00", None]).tz_localize("Asia/Tokyo"), "moment", [DAY, None]),
    "seconds": (np.array(["2020-01-31", "NaT"], "M8[s]"), "moment", [DAY, None]),
    "objects of dates": (pd.Series([dt.date(2020, 1, 31), NAT], dtype=object), "moment", [DAY, None]),
    "objects in zones": (
        pd.Series([pd.Timestamp("2020-01-31T01", tz="Europe/Berlin"), pd.Timestamp("2020-01-31")], dtype=object),
        "moment",
        [DAY, DAY],
    ),
    "spans": (pd.to_timedelta([1, None], unit="s"), "duration", [dt.timedelta(seconds=1), None]),
    "clocks": ([dt.time(1, 2, 3), None], "duration", [dt.timedelta(hours=1, minutes=2, seconds=3), None]),
    "periods": (pd.PeriodIndex(["2020-01", None], freq="M"), "moment", [dt.datetime(2020, 1, 1), None]),
    "objects of periods": (
        pd.Series([pd.Period("2020-02", "M"), None], dtype=object),
        "moment",
        [dt.datetime(2020, 2, 1), None],
    ),
    "intervals": (pd.arrays.IntervalArray.from_breaks([0, 1, 2.5]), "text", ["(0.0, 1.0]", "(1.0, 2.5]"]),
    "sparse": (pd.arrays.SparseArray([0.0, 3.0]), "number", [0, 3]),
    "categories": (pd.Categorical(["b", None], categories=["a", "b"]), "category", ["b", None]),
    "categories of numbers": (pd.Categorical([1.0, 2.5]), "category", ["1", "2.5"]),
    "categories of flags": (pd.Categorical([True, False]), "category", ["True", "False"]),
    "categories with one text": (pd.Categorical([1, "1"]), "category", ["1", "1"]),
    "categories of intervals": (pd.cut([0.5, 1.5], [0, 1, 2]), "category", ["(0, 1]", "(1, 2]"]),
    "arrow dictionary": (
        pd.Series(["a", None], dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
        "category",
        ["a", None],
    ),
    "arrow decimals": (
        pd.Series([Decimal("1.5"), None], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
        "number",
        [1.5, None],
    ),
}


@pytest.mark.parametrize("name", PANDAS)
def test_pandas_columns_of_every_type(name: str) -> None:
    values, kind, cells = PANDAS[name]
    table = table_of(pd.DataFrame({name: values}).set_axis([7, 7]))
    assert table[name].kind == kind
    if cells is not None:
        assert table[name].to_list() == cells


def test_names_are_texts_and_index_levels_are_no_columns() -> None:
    frame = pd.DataFrame({5: [1, 2], ("a", 1): ["x", "y"], "z": [0.5, 1]}).set_index("z", append=True)
    assert table_of(frame).names == ("5", "('a', 1)")
    assert table_of(pa.Table.from_pandas(frame[5:][[5]].rename(columns=str))).names == ("5", "z")
    filtered = pd.DataFrame({"a": [1, 2, 3]}).iloc[[2, 0]]
    assert table_of(pa.Table.from_pandas(filtered)).names == ("a",)


def test_columns_that_are_not_asked_for_are_not_looked_at() -> None:
    for frame in (pd.DataFrame, dict, pl.DataFrame):
        made = frame({"a": [1, 2], "lists": [[1], [2]], "b": ["x", "y"]})
        assert table_of(made, only=("b", "a")).names == ("a", "b")
        with pytest.raises(TableError, match=r"^column 'lists' holds "):
            table_of(made)


def test_texts_of_categories_stay_as_they_are() -> None:
    for frame in (pd.DataFrame, dict, pl.DataFrame, pa.table):
        assert table_of(frame({"v": ["3.10", "3.1"]}), texts=("v",))["v"].to_list() == ["3.10", "3.1"]
        assert table_of(frame({"v": ["3.10", "3.1"]}))["v"].to_list() == [3.1, 3.1]


# ------------------------------------------------------------------------------------------- other libraries, matrices


def test_duckdb_relations() -> None:
    con = duckdb.connect()
    relation = con.sql(
        "select * from (values (1::hugeint, 'a', true, date '2020-01-31', time '01:02:03', 1.5::decimal(9, 2)),"
        " (null, null, null, null, null, null)) as t(i, s, b, d, t, x)"
    )
    table = table_of(relation)
    assert table.rows()[0] == (1, "a", True, DAY, dt.timedelta(hours=1, minutes=2, seconds=3), 1.5)
    assert table.rows()[1] == (None,) * 6
    assert table.block_names == ("i", "x") or set(table.block_names) == {"i", "x"}


def test_polars_types() -> None:
    frame = pl.DataFrame(
        {
            "wide": pl.Series([2**100, None], dtype=pl.Int128),
            "single": pl.Series([0.5, None], dtype=pl.Float32),
            "enum": pl.Series(["b", "a"], dtype=pl.Enum(["a", "b"])),
            "object": pl.Series([Fraction(1, 2), None], dtype=pl.Object),
            "null": [None, None],
            "zone": pl.Series([DAY, None]).dt.replace_time_zone("UTC"),
        }
    )
    table = table_of(frame)
    assert table.rows() == [
        (str(2**100), 0.5, "b", 0.5, None, DAY),
        (None, None, "a", None, None, None),
    ]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8())), [True, False]),
        (pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", "[]"])), ["{}", "[]"]),
        (pa.array(pd.period_range("2005-01", periods=2, freq="M")), [dt.datetime(2005, 1, 1), dt.datetime(2005, 2, 1)]),
        (pa.FixedShapeTensorArray.from_numpy_ndarray(np.ones((2, 2))), None),
        (pa.array([[1], [2]]), None),
        (pa.array([b"x", b"y"]), None),
        (pa.array([{"a": 1}, {"a": 2}]), None),
    ],
    ids=["bool8", "json", "period", "tensor", "list", "bytes", "struct"],
)
def test_arrow_types(column: Any, expected: list[Any] | None) -> None:
    frame = pa.table({"c": column, "a": [1, 2]})
    if expected is None:
        with pytest.raises(TableError, match=r"^column 'c' holds .*; only numbers, text and dates can be read"):
            table_of(frame)
    else:
        assert [bool(v) if isinstance(v, float) else v for v in table_of(frame)["c"].to_list()] == expected


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=["1", 1]),
        pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
        {"1": [1], 1: [2]},
    ],
)
def test_repeated_names_are_refused(frame: Any) -> None:
    with pytest.raises(TableError, match=r"^column names must be unique; given more than once: '(a|1)'$"):
        table_of(frame)


def test_masked_arrays_have_gaps() -> None:
    masked = np.ma.array([1, 2**60, 3], mask=[False, False, True])
    texts = np.ma.array(["a", "b", "c"], mask=[True, False, False])
    table = table_of({"i": masked, "f": masked.astype(float), "s": texts})
    assert table.rows() == [(1, 1, None), (2**60, 2.0**60, "b"), (None, None, "c")]


def test_matrices_are_tables_of_numbered_columns() -> None:
    table = array_table(np.array([["a", 1.5], [None, 2]], object))
    assert table.rows() == [("a", 1.5), (None, 2)]
    assert array_table(np.array([[1, 2**60 + 1]])).rows() == [(1, 2**60 + 1)]
    assert array_table(np.ones((2, 3), np.float32)).block.dtype == np.float64


def test_what_is_a_frame() -> None:
    frame = pl.DataFrame({"a": [1]})
    yes = [frame, frame.lazy(), frame.to_pandas(), frame.to_arrow(), {"a": [1]}, table_of(frame)]
    assert all(map(is_frame, yes))
    assert is_frame(pa.RecordBatch.from_pylist([{"a": 1}]))
    assert not any(map(is_frame, [np.ones((1, 1)), [[1]], "a", None, frame["a"]]))
    assert isinstance(collected(frame.lazy()), pl.DataFrame)
    assert collected(frame) is frame


def test_complex_numbers_are_left_out_by_name() -> None:
    values = np.random.default_rng(0).normal(size=100)
    encoder = TableEncoder().fit(pd.DataFrame({"a": values + 0j, "b": values}))
    assert encoder.feature_names_out_ == ["b"]
    assert encoder.notes_ == ["column 'a' is left out: all 100 levels are rare; group its values if they matter"]
