"""CSV, Parquet or DataFrame -> one matrix of numbers, and the same steps again at predict time.

A table has named columns of numbers, dates or text with gaps; a network wants one complete matrix.
`TableEncoder.fit` looks at every column once and keeps one small frozen record per column, which says what to
do with it; `transform` follows the records and nothing else, so training and prediction cannot drift apart.

Shapes: n rows, c columns of the table, f outputs (columns of the matrix).
"""

from __future__ import annotations

import math
import numbers
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple, TypeAlias

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import DTypeLike, NDArray
from sklearn.exceptions import NotFittedError

from .sources import SourceError, parse_moments, parse_numbers, read_table, write_table

__all__ = [
    "CategoryColumn",
    "DroppedColumn",
    "NumberColumn",
    "SourceError",
    "TableEncoder",
    "needs_encoding",
    "read_table",
    "write_table",
]

Matrix = NDArray[Any]

# --------------------------------------------------------------- a column of any DataFrame -> a polars Series

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


def _listed(names: Iterable[str], most: int = 12) -> str:
    """Quote names for a message, the first few of many."""
    names = [repr(name) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _short(value: Any) -> str:
    """Quote a value for a message, at most 40 characters of it."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _frame(frame: Any) -> dict[str, nw.Series[Any]]:
    """Name the columns of any DataFrame; ValueError for anything else and for names that are not unique."""
    try:
        wrapped = nw.from_native(frame, eager_only=True)
        names = [str(name) for name in wrapped.columns]
    except TypeError as error:
        raise ValueError(f"expected a DataFrame, got {type(frame).__name__}") from error
    except nw.exceptions.DuplicateError:
        names = [str(name) for name in frame.columns]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"column names must be unique; given more than once: {_listed(repeated)}")
    return dict(zip(names, wrapped.iter_columns(), strict=True))


def _objects(name: str, values: list[Any]) -> pl.Series:
    """Read Python objects by `PYTHON_TYPES`; None stays missing."""
    types = {type(value) for value in values if value is not None}
    if any(issubclass(kind, NESTED) for kind in types):
        raise ValueError(f"column {name!r} holds lists or bytes; only numbers, text and dates can be read")
    for accepted, dtype in PYTHON_TYPES:
        if types and all(issubclass(kind, accepted) for kind in types):
            try:
                return pl.Series(name, np.array(values, float) if dtype == pl.Float64 else values, dtype)
            except (OverflowError, TypeError, ValueError, pl.exceptions.PolarsError):
                break
    return pl.Series(name, [None if value is None else str(value) for value in values], pl.String)


def _column(name: str, series: nw.Series[Any]) -> pl.Series:
    """Read one column as numbers, booleans, dates, durations or text; NaN and the empty text become null."""
    native, dtype = series.to_native(), series.dtype
    if isinstance(native, pl.Series) and native.dtype != pl.Object:
        column = native
    elif (dtype.is_numeric() and not dtype.is_decimal()) or isinstance(dtype, nw.Datetime | nw.Duration):
        column = pl.Series(name, series.to_numpy())
    else:
        missing = series.is_null().to_list()
        values = [None if gone else value for value, gone in zip(series.to_list(), missing, strict=True)]
        is_text = isinstance(dtype, nw.String | nw.Categorical | nw.Enum)
        column = pl.Series(name, values, pl.String, strict=False) if is_text else _objects(name, values)
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        raise ValueError(f"column {name!r} holds {column.dtype}; only numbers, text and dates can be read")
    if column.dtype.is_decimal():
        column = column.cast(pl.Float64)
    if column.dtype in (pl.Categorical, pl.Enum, pl.Null):
        column = column.cast(pl.String)
    if column.dtype.is_float():
        return column.fill_nan(None)
    return column.replace("", None) if column.dtype == pl.String else column


# ------------------------------------------------------------------------ values -> numbers, values -> levels

WHOLE = r"^[+-]?\d+$"
DECIMAL = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


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
    """How one kind of value becomes a number: null where it cannot."""

    read: Callable[[pl.Series], pl.Series]
    article: str
    unit: str


READINGS: Mapping[str, Reading] = {
    "number": Reading(_numbers, "a number", "number"),
    "moment": Reading(_moments, "a date or time", "date, in seconds since 1970"),
    "duration": Reading(_durations, "a duration", "duration, in seconds"),
}


def _reading(dtype: pl.DataType) -> str | None:
    """Name the row of `READINGS` for a type of column; None for text and booleans."""
    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, pl.Date | pl.Datetime):
        return "moment"
    return "duration" if isinstance(dtype, pl.Duration | pl.Time) else None


def _read(column: pl.Series, reads: str) -> NDArray[np.float64]:
    """Read a column as float64, NaN where missing; ValueError for the first value that is not finite."""
    reading = READINGS[reads]
    values = reading.read(column)
    strange = column.is_not_null() & values.is_null()
    if strange.any():
        given = _short(str(column.filter(strange)[0]))
        was = f"(it was {reading.article} when the model was trained)"
        raise ValueError(f"column {column.name!r}: {given} is not {reading.article} {was}")
    infinite = values.is_infinite().fill_null(False)
    if infinite.any():
        row = infinite.arg_true()[0] + 1
        raise ValueError(f"column {column.name!r}: the value in row {row} is infinite")
    return values.fill_null(math.nan).to_numpy()


def _levels(column: pl.Series) -> pl.Series:
    """Give each value one text form, so that 1, 1.0, "1" and "01", or True and "true", are the same level."""
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


# --------------------------------------------------------------------------------- one record for each column


class Rules(NamedTuple):
    """When a level is too rare for a column of its own, and how many levels a column may have."""

    rare_below: int
    max_levels: int


@dataclass(frozen=True)
class DroppedColumn:
    """A column that tells nothing apart: it must be there at predict time, but is not looked at."""

    kind: ClassVar[str] = "dropped"
    name: str
    why: str

    @property
    def outputs(self) -> list[str]:
        """Name the columns of the matrix: none."""
        return []

    def write(self, column: pl.Series, out: Matrix) -> None:
        """Leave out, of shape (n, 0), as it is."""

    def describe(self) -> str:
        """Say what happens to the column."""
        return f"dropped: {self.why}"


@dataclass(frozen=True)
class NumberColumn:
    """A number x, as (x - mean) / std over the training rows; missing: 0, the mean, and an indicator.

    `missing` counts the missing training rows; the indicator exists where there were any. `std` is 0 where
    the present values were all equal; then only the indicator is left.
    """

    kind: ClassVar[str] = "number"
    name: str
    reads: str
    mean: float
    std: float
    missing: int

    def __post_init__(self) -> None:
        if self.reads not in READINGS:
            raise ValueError(f"'reads' must be one of {_listed(READINGS)}, got {self.reads!r}")
        if self.std < 0:
            raise ValueError(f"'std' must not be negative, got {self.std!r}")

    @classmethod
    def fit(cls, column: pl.Series, reads: str) -> NumberColumn | DroppedColumn:
        """Take mean and std of the values that are present; ValueError where one is infinite."""
        values = _read(column, reads)
        present = values[~np.isnan(values)]
        if not present.size:
            return DroppedColumn(column.name, "always missing")
        # A power of two as the unit changes no digit, and keeps sums and squares of huge numbers finite.
        unit = math.ldexp(1.0, math.frexp(float(np.abs(present).max()))[1] - 1)
        mean, std = unit * float(np.mean(present / unit)), unit * float(np.std(present / unit))
        missing = len(values) - len(present)
        if std == 0 or present.min() == present.max():
            if not missing:
                return DroppedColumn(column.name, f"always {column.drop_nulls()[0]}")
            mean, std = float(present[0]), 0.0
        return cls(column.name, reads, mean, std, missing)

    @property
    def outputs(self) -> list[str]:
        """Name the columns of the matrix."""
        return [self.name] * (self.std > 0) + [f"{self.name}=missing"] * (self.missing > 0)

    def write(self, column: pl.Series, out: Matrix) -> None:
        """Fill out, of shape (n, outputs); ValueError for a value that is not a finite number."""
        values = _read(column, self.reads)
        absent = np.isnan(values)
        if self.missing:
            out[:, -1] = absent
        if self.std > 0:
            with np.errstate(over="ignore"):  # halves: the difference of two huge numbers stays finite
                scaled = (2 * ((0.5 * values - 0.5 * self.mean) / self.std)).astype(out.dtype)
            scaled[absent] = 0
            if not np.isfinite(scaled).all():
                far = values[np.argmin(np.isfinite(scaled))]
                raise ValueError(f"column {self.name!r}: {far} is too far from the training mean {self.mean}")
            out[:, 0] = scaled

    def describe(self) -> str:
        """Say what happens to the column."""
        scaled = f" -> (x - {self.mean:.6g}) / {self.std:.6g}" if self.std > 0 else ", constant where present"
        missing = f"; missing in {_rows(self.missing)} -> the mean, and an indicator" * bool(self.missing)
        return f"{READINGS[self.reads].unit}{scaled}{missing}"


@dataclass(frozen=True)
class CategoryColumn:
    """A text, category or boolean, as one column of 0 and 1 per level, sorted by name.

    `counts` are the training rows per level, `rare` those pooled in one column for rare levels, `missing`
    those without a value; the last two have a column where they are not 0. A level never seen counts as rare,
    or is all zeros where none was. A missing value where training had none becomes the mean of the training
    rows, as for numbers: the share of each level. `stray` is the one value that kept a column of numbers from
    being read as such.
    """

    kind: ClassVar[str] = "category"
    name: str
    levels: tuple[str, ...]
    counts: tuple[int, ...]
    rare: int
    missing: int
    stray: str

    def __post_init__(self) -> None:
        if len(set(self.levels)) != len(self.levels) or len(self.counts) != len(self.levels):
            raise ValueError("'levels' must be unique, with one of 'counts' each")
        if sum(self.counts) + self.rare < 1:
            raise ValueError("'counts' and 'rare' must not all be 0")

    @classmethod
    def fit(cls, column: pl.Series, rules: Rules) -> CategoryColumn | DroppedColumn:
        """Count the levels and pool the rare ones: below 5 % of the rows and below `rare_below` rows."""
        given = column.drop_nulls().alias("value").value_counts(name="rows")
        found = given.with_columns(level=_levels(given["value"])).group_by("level").agg(pl.col("rows").sum())
        found = found.sort("rows", "level", descending=[True, False])
        enough = min(rules.rare_below, max(1, len(column) // 20))
        kept = found.filter(pl.col("rows") >= enough).head(rules.max_levels).sort("level")
        rare, missing = int(found["rows"].sum()) - int(kept["rows"].sum()), column.null_count()
        if not missing and (kept.is_empty() or len(found) == 1):
            always = f"always {_short(found['level'][0])}"
            return DroppedColumn(column.name, always if len(found) == 1 else f"all {len(found)} levels are rare")
        if not len(found):
            return DroppedColumn(column.name, "always missing")
        other = found.filter(~pl.col("level").str.contains(DECIMAL))["level"]
        stray = str(other[0]) if 0 < len(other) <= 3 and 2 * len(other) < len(found) else ""
        return cls(column.name, tuple(kept["level"]), tuple(kept["rows"]), rare, missing, stray)

    @property
    def outputs(self) -> list[str]:
        """Name the columns of the matrix."""
        names = [*self.levels] + ["(rare)"] * (self.rare > 0) + ["(missing)"] * (self.missing > 0)
        return [f"{self.name}={level}" for level in names]

    def write(self, column: pl.Series, out: Matrix) -> None:
        """Fill out, of shape (n, outputs), zero on entry."""
        known, unseen = len(self.levels), len(self.levels) if self.rare else -1
        values = column.drop_nulls().unique()
        codes = _levels(values).replace_strict(self.levels, range(known), default=unseen, return_dtype=pl.Int64)
        code = column.replace_strict(values, codes, default=-2, return_dtype=pl.Int64).to_numpy()
        absent = column.is_null().to_numpy()
        rows = np.flatnonzero((code >= 0) & ~absent)
        out[rows, code[rows]] = 1
        if self.missing:
            out[absent, -1] = 1
        else:
            counts = np.array([*self.counts, *[self.rare] * (self.rare > 0)], float)
            out[absent] = counts / counts.sum()

    def describe(self) -> str:
        """Say what happens to the column."""
        rare = f" + (rare) in {_rows(self.rare)}" * bool(self.rare)
        missing = f" + (missing) in {_rows(self.missing)}" * bool(self.missing)
        stray = f"; all numbers but {_short(self.stray)}: leave it empty if it means missing" * bool(self.stray)
        levels = f"{len(self.levels)} level{'s' * (len(self.levels) != 1)}"
        return f"category -> {levels}{rare}{missing}{stray}"


Column: TypeAlias = DroppedColumn | NumberColumn | CategoryColumn
COLUMN_KINDS: Mapping[str, type[Column]] = {kind.kind: kind for kind in (DroppedColumn, NumberColumn, CategoryColumn)}

# ------------------------------------------------------------------------------------- records <-> plain JSON


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.encode(errors="ignore").decode() == value


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= np.finfo(float).max


def _all_are(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(accepts, value))


FIELD_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "str": (_is_text, "a text"),
    "int": (_is_count, "a count"),
    "float": (_is_finite, "a finite number"),
    "tuple[str, ...]": (_all_are(_is_text), "a list of texts"),
    "tuple[int, ...]": (_all_are(_is_count), "a list of counts"),
}


def _checked(entry: Any, expected: Mapping[str, str], what: str) -> dict[str, Any]:
    """Check that a JSON object holds just the expected fields, of its type; ValueError names the first."""
    if not isinstance(entry, dict) or set(entry) != set(expected):
        raise ValueError(f"{what}: expected an object with {_listed(expected)}")
    for name, annotation in expected.items():
        accepts, words = FIELD_TYPES[annotation]
        if not accepts(entry[name]):
            raise ValueError(f"{what}: {name!r} must be {words}, got {_short(entry[name])}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}


def _record(entry: Any, position: int) -> Column:
    """Read one column's record; ValueError says what is wrong and where."""
    what = f"table encoder, column {position}"
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or kind not in COLUMN_KINDS:
        raise ValueError(f"{what}: 'kind' must be one of {_listed(COLUMN_KINDS)}, got {_short(kind)}")
    record = COLUMN_KINDS[kind]
    given = {name: value for name, value in entry.items() if name != "kind"}
    values = _checked(given, {field.name: str(field.type) for field in fields(record)}, what)
    try:
        return record(**values)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


# ------------------------------------------------------------------------------------------------ the encoder


class TableEncoder:
    """Turns the columns of a DataFrame into one float matrix, the same way every time.

    Numbers (dates and durations as seconds) are standardised, missing ones become the mean plus an indicator;
    texts, categories and booleans become one column per level. Levels with fewer than `rare_below` rows (and
    fewer than 5 % of the rows) are pooled as `(rare)`, and so are those beyond the `max_levels` most frequent.
    Any DataFrame that narwhals knows is accepted (pandas, polars, pyarrow, ...).

    After `fit`: `columns_` (c records), `feature_names_in_` (c names), `feature_names_out_` (f names).

    >>> import polars as pl
    >>> table = pl.DataFrame({"age": [20, 40, None], "town": ["Bonn", "Ulm", "Bonn"]})
    >>> encoder = TableEncoder().fit(table)
    >>> encoder.feature_names_out_
    ['age', 'age=missing', 'town=Bonn', 'town=Ulm']
    >>> encoder.transform(pl.DataFrame({"town": ["Rome"], "age": [50]}))
    array([[2., 0., 0., 0.]])
    """

    def __init__(self, *, rare_below: int = 10, max_levels: int = 100, dtype: DTypeLike = "float64") -> None:
        self.rare_below = rare_below
        self.max_levels = max_levels
        self.dtype = dtype

    def fit(self, frame: Any) -> TableEncoder:
        """Learn one record per column of a table of shape (n, c).

        Raises ValueError for a table without rows or columns, a repeated name, an infinite number, nested
        values, or when no column tells any rows apart.
        """
        rules, _ = self._settings()
        learned: list[Column] = []
        for name, series in _filled(frame).items():
            column = _column(name, series)
            reads = _reading(column.dtype)
            learned.append(NumberColumn.fit(column, reads) if reads else CategoryColumn.fit(column, rules))
        self._adopt(tuple(learned))
        return self

    def transform(self, frame: Any) -> NDArray[Any]:
        """Encode a table: (n, c) of anything -> (n, f) of `dtype`, C-contiguous; columns are found by name.

        Raises ValueError for a missing column, a value that cannot be read as it was in training, or no rows.
        """
        if not hasattr(self, "columns_"):
            raise NotFittedError("this TableEncoder is not fitted yet; call fit first")
        _, dtype = self._settings()
        table = _filled(frame)
        missing = [name for name in self.feature_names_in_ if name not in table]
        if missing:
            trained = ", ".join(self.feature_names_in_[:30]) + ", ..." * (len(self.feature_names_in_) > 30)
            are = "column {} is" if len(missing) == 1 else "columns {} are"
            raise ValueError(f"{are.format(_listed(missing))} missing; the model was trained with: {trained}")
        out = np.zeros((len(table[self.feature_names_in_[0]]), len(self.feature_names_out_)), dtype)
        start = 0
        for record in self.columns_:
            stop = start + len(record.outputs)
            record.write(_column(record.name, table[record.name]), out[:, start:stop])
            start = stop
        return out

    def fit_transform(self, frame: Any) -> NDArray[Any]:
        """Fit, then transform the same table."""
        return self.fit(frame).transform(frame)

    def describe(self) -> str:
        """Say what happens to each column, one line each."""
        width = max(len(record.name) for record in self.columns_)
        return "\n".join(f"{record.name:<{width}}  {record.describe()}" for record in self.columns_)

    def to_json(self) -> dict[str, Any]:
        """Give the settings and records as plain JSON types; floats survive to the last bit."""
        rules, dtype = self._settings()
        columns = [
            {"kind": record.kind}
            | {name: [*value] if isinstance(value, tuple) else value for name, value in asdict(record).items()}
            for record in self.columns_
        ]
        return {**rules._asdict(), "dtype": dtype.name, "columns": columns}

    @classmethod
    def from_json(cls, entry: Any) -> TableEncoder:
        """Rebuild an encoder from `to_json`; ValueError names the first thing that is not as expected."""
        columns = entry.get("columns") if isinstance(entry, dict) else None
        if not isinstance(columns, list):
            raise ValueError(f"table encoder: 'columns' must be a list, got {_short(columns)}")
        settings = {name: value for name, value in entry.items() if name != "columns"}
        expected = {"rare_below": "int", "max_levels": "int", "dtype": "str"}
        encoder = cls(**_checked(settings, expected, "table encoder"))
        encoder._settings()
        encoder._adopt(tuple(_record(column, position) for position, column in enumerate(columns, 1)))
        return encoder

    def _settings(self) -> tuple[Rules, np.dtype[Any]]:
        for name in Rules._fields:
            value = getattr(self, name)
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
        if self.dtype not in (np.float32, np.float64, "float32", "float64"):
            raise ValueError(f"dtype must be 'float32' or 'float64', got {self.dtype!r}")
        return Rules(int(self.rare_below), int(self.max_levels)), np.dtype(self.dtype)

    def _adopt(self, columns: tuple[Column, ...]) -> None:
        names = [record.name for record in columns]
        if len(set(names)) != len(names):
            raise ValueError("table encoder: column names must be unique")
        outputs = [output for record in columns for output in record.outputs]
        if not outputs:
            raise ValueError(f"nothing to learn from: no column tells any rows apart ({_listed(names)})")
        self.columns_ = columns
        self.feature_names_in_ = names
        self.feature_names_out_ = outputs


def _filled(frame: Any) -> dict[str, nw.Series[Any]]:
    table = _frame(frame)
    if not table:
        raise ValueError("the table has no columns")
    if not len(next(iter(table.values()))):
        raise ValueError("the table has no rows")
    return table


def needs_encoding(frame: Any) -> bool:
    """Say whether a table holds text, categories, dates or missing values, which scikit-learn would refuse.

    False for complete numbers and booleans, and for anything that is not a DataFrame.

    >>> import polars as pl
    >>> needs_encoding(pl.DataFrame({"a": [1, 2]})), needs_encoding(pl.DataFrame({"a": [1, None]}))
    (False, True)
    """
    if not isinstance(nw.from_native(frame, eager_only=True, pass_through=True), nw.DataFrame):
        return False
    texts = nw.String | nw.Categorical | nw.Enum | nw.Datetime | nw.Date | nw.Duration | nw.Time
    for name, series in _frame(frame).items():
        if isinstance(series.dtype, texts):
            return True
        column = _column(name, series)
        if column.null_count() or not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            return True
    return False
