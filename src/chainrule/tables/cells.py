"""The cells of a column: of any DataFrame, of any type -> numbers, or levels with one text form each."""

from __future__ import annotations

import math
import numbers
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..foundation.words import listed, quoted
from .files import parse_moments, parse_numbers, python_values

PYTHON_TYPES: tuple[tuple[tuple[type, ...], Any], ...] = (
    ((bool, np.bool_), pl.Boolean),
    ((numbers.Real, Decimal), pl.Float64),
    ((str,), pl.String),
    ((datetime,), pl.Datetime("us")),
    ((date,), pl.Date),
    ((timedelta,), pl.Duration("us")),
    ((time,), pl.Time),
)
"""A column of Python objects is read by the first row that accepts all its values, or else as text."""

NESTED = (list, tuple, dict, set, np.ndarray, bytes)


class TableError(ValueError):
    """A table that cannot be encoded; the message names the column and the cause."""


def row_count(count: int) -> str:
    """Return a number of rows, in words."""
    return "1 row" if count == 1 else f"{count} rows"


def named_columns(frame: Any) -> dict[str, nw.Series[Any]]:
    """Name the columns of any DataFrame; TableError for anything else and for names that are not unique."""
    try:
        wrapped = nw.from_native(frame, eager_only=True)
        names = [str(name) for name in wrapped.columns]
    except TypeError as error:
        raise TableError(f"expected a DataFrame, got {type(frame).__name__}") from error
    except nw.exceptions.DuplicateError:
        names = [str(name) for name in frame.columns]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise TableError(f"column names must be unique; given more than once: {listed(repeated)}")
    return dict(zip(names, wrapped.iter_columns(), strict=True))


def _objects(name: str, values: list[Any]) -> pl.Series:
    """Read Python objects by `PYTHON_TYPES`; None stays missing."""
    types = {type(value) for value in values if value is not None}
    if any(issubclass(kind, NESTED) for kind in types):
        raise TableError(f"column {name!r} holds lists or bytes; only numbers, text and dates can be read")
    for accepted, dtype in PYTHON_TYPES:
        if types and all(issubclass(kind, accepted) for kind in types):
            try:
                return pl.Series(name, np.array(values, float) if dtype == pl.Float64 else values, dtype)
            except (OverflowError, TypeError, ValueError, pl.exceptions.PolarsError):
                break
    return pl.Series(name, [None if value is None else str(value) for value in values], pl.String)


def read_column(name: str, series: nw.Series[Any]) -> pl.Series:
    """Read one column as numbers, booleans, dates, durations or text; NaN and the empty text become null."""
    native, dtype = series.to_native(), series.dtype
    if isinstance(native, pl.Series) and native.dtype != pl.Object:
        column = native
    elif (dtype.is_numeric() and not dtype.is_decimal()) or isinstance(dtype, nw.Datetime | nw.Duration):
        column = pl.Series(name, series.to_numpy())
    else:
        values = python_values(series)
        is_text = isinstance(dtype, nw.String | nw.Categorical | nw.Enum)
        column = pl.Series(name, values, pl.String, strict=False) if is_text else _objects(name, values)
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        raise TableError(f"column {name!r} holds {column.dtype}; only numbers, text and dates can be read")
    if column.dtype.is_decimal():
        column = column.cast(pl.Float64)
    if column.dtype in (pl.Categorical, pl.Enum, pl.Null):
        column = column.cast(pl.String)
    if column.dtype.is_float():
        return column.fill_nan(None)
    return column.replace("", None) if column.dtype == pl.String else column


WHOLE = r"^[+-]?[0-9]+$"
DECIMAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def _unread(column: pl.Series) -> pl.Series:
    return pl.Series([None] * len(column), dtype=pl.Float64)


def _numbers(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        return parse_numbers(column)
    return _unread(column) if column.dtype.is_temporal() else column.cast(pl.Float64)


def _moments(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        column = parse_moments(column)
    if isinstance(column.dtype, pl.Date | pl.Datetime):
        return column.dt.epoch("us") / 1e6
    return _unread(column)


def _durations(column: pl.Series) -> pl.Series:
    if column.dtype == pl.Duration:
        return column.dt.total_microseconds() / 1e6
    return column.cast(pl.Int64) / 1e9 if column.dtype == pl.Time else _unread(column)


class Reading(NamedTuple):
    """The way from one kind of value to a number: null where there is none."""

    read: Callable[[pl.Series], pl.Series]
    article: str
    unit: str


READINGS: Mapping[str, Reading] = {
    "number": Reading(_numbers, "a number", "number"),
    "moment": Reading(_moments, "a date or time", "date, in seconds since 1970"),
    "duration": Reading(_durations, "a duration", "duration, in seconds"),
}


def reading_of(dtype: pl.DataType) -> str | None:
    """Name the row of `READINGS` for a type of column; None for text and booleans."""
    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, pl.Date | pl.Datetime):
        return "moment"
    return "duration" if isinstance(dtype, pl.Duration | pl.Time) else None


def read_values(column: pl.Series, reads: str) -> NDArray[np.float64]:
    """Read a column as float64, NaN where missing; TableError for the first value that is not finite."""
    reading = READINGS[reads]
    values = reading.read(column)
    strange = column.is_not_null() & values.is_null()
    if strange.any():
        given = quoted(str(column.filter(strange)[0]))
        was = f"(it was {reading.article} when the model was trained)"
        raise TableError(f"column {column.name!r}: {given} is not {reading.article} {was}")
    infinite = values.is_infinite().fill_null(False)
    if infinite.any():
        row = infinite.arg_true()[0] + 1
        raise TableError(f"column {column.name!r}: the value in row {row} is infinite")
    return values.fill_null(math.nan).to_numpy()


def level_names(column: pl.Series) -> pl.Series:
    """Return one text form of each value, so that 1, 1.0, "1" and "01", or True and "true", are the same level."""
    text = pl.col("text")
    value = text.cast(pl.Float64, strict=False)
    whole = text.str.contains(DECIMAL) & (value == value.round()) & (value.abs() < 2**53)
    return pl.select(text=column.cast(pl.String)).select(
        pl.when(text.str.contains(WHOLE) & (value != 0))
        .then(text.str.replace(r"^\+?(-?)0*", "${1}"))
        .when(whole)
        .then(value.cast(pl.Int64, strict=False).cast(pl.String))
        .when(text.str.contains(DECIMAL))
        .then(value.cast(pl.String))
        .when(text.str.to_lowercase().is_in(["true", "false"]))
        .then(text.str.to_titlecase())
        .otherwise(text)
    )["text"]
