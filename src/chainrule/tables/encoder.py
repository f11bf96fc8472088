"""CSV, Parquet or DataFrame -> one matrix of numbers, and the same steps again at predict time.

A table has named columns of numbers, dates or text with gaps; a network wants one complete matrix.
`TableEncoder.fit` looks at every column once and keeps one small frozen record per column, which says what to
do with it; `transform` follows the records and nothing else, so training and prediction cannot drift apart.

Shapes: n rows, c columns of the table, f inputs of the network (columns of the matrix).
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import DTypeLike, NDArray
from sklearn.exceptions import NotFittedError

from ..foundation.records import read_fields
from ..foundation.values import COUNT, Rule
from ..foundation.words import listed, quoted
from .cells import TableError, named_columns, read_column, reading_of
from .columns import ROWS, TEXT, CategoryColumn, Column, InputColumn, NumberColumn, Rules, from_entry, to_entry


class TableEncoder:
    """Turns the columns of a DataFrame into one float matrix, the same way every time.

    Numbers (dates and durations as seconds) are standardised, missing ones become the mean plus an indicator.
    Texts, categories and booleans become one column per level; those with fewer than `rare_below` rows (and
    fewer than 5 % of the rows) or beyond the `max_levels` most frequent ones are pooled as `(rare)`.
    Any DataFrame that narwhals knows is accepted (pandas, polars, pyarrow, ...).

    After `fit`: `columns_` (c records), `feature_names_in_` (c names), `feature_names_out_` (f names), and `schema_`:
    f records that say which column each input comes from, and whether it is a number or one level of a category.

    >>> import polars as pl
    >>> table = pl.DataFrame({"age": [20, 40, None], "town": ["Bonn", "Ulm", "Bonn"]})
    >>> encoder = TableEncoder().fit(table)
    >>> encoder.feature_names_out_
    ['age', 'age=missing', 'town=Bonn', 'town=Ulm']
    >>> encoder.transform(pl.DataFrame({"town": ["Rome"], "age": [50]}))
    array([[2., 0., 0., 0.]])
    >>> for entry in encoder.schema_:
    ...     print(entry.name, entry.column, entry.kind, entry.level)
    age age number None
    age=missing age missing None
    town=Bonn town level Bonn
    town=Ulm town level Ulm
    """

    def __init__(self, *, rare_below: int = 10, max_levels: int = 100, dtype: DTypeLike = "float64") -> None:
        self.rare_below = rare_below
        self.max_levels = max_levels
        self.dtype = dtype

    def fit(self, frame: Any) -> TableEncoder:
        """Learn one record per column of a table of shape (n, c).

        Raises TableError (a ValueError) for a table without rows or columns, a repeated name, an infinite number,
        nested values, or when no column tells any rows apart.
        """
        rules, _ = self._settings()
        learned: list[Column] = []
        for name, series in _columns_of(frame).items():
            column = read_column(name, series)
            reads = reading_of(column.dtype)
            learned.append(NumberColumn.fit(column, reads) if reads else CategoryColumn.fit(column, rules))
        self._take(tuple(learned))
        return self

    def transform(self, frame: Any) -> NDArray[Any]:
        """Encode a table: (n, c) of anything -> (n, f) of `dtype`, C-contiguous; columns are found by name.

        Raises TableError (a ValueError) for a missing column, a value that cannot be read as it was in training, or
        no rows.
        """
        if not hasattr(self, "columns_"):
            raise NotFittedError("this TableEncoder is not fitted yet; call fit first")
        _, dtype = self._settings()
        table = _columns_of(frame)
        missing = [name for name in self.feature_names_in_ if name not in table]
        if missing:
            trained = ", ".join(self.feature_names_in_[:30]) + ", ..." * (len(self.feature_names_in_) > 30)
            are = "column {} is" if len(missing) == 1 else "columns {} are"
            raise TableError(f"{are.format(listed(missing))} missing; the model was trained with: {trained}")
        out = np.zeros((len(table[self.feature_names_in_[0]]), len(self.feature_names_out_)), dtype)
        start = 0
        for record in self.columns_:
            stop = start + len(record.inputs)
            record.write(read_column(record.name, table[record.name]), out[:, start:stop])
            start = stop
        return out

    def fit_transform(self, frame: Any) -> NDArray[Any]:
        """Fit, then transform the same table."""
        return self.fit(frame).transform(frame)

    def summary(self) -> str:
        """Return the numbers of columns, of dropped ones, and of the inputs they became, in words."""
        dropped = sum(not record.inputs for record in self.columns_)
        left = f" ({dropped} dropped)" if dropped else ""
        return f"{len(self.columns_)} columns{left} became {len(self.feature_names_out_)} inputs"

    def describe(self) -> str:
        """Return the treatment of each column, one line each."""
        width = max(len(record.name) for record in self.columns_)
        return "\n".join(f"{record.name:<{width}}  {record.describe()}" for record in self.columns_)

    def to_json(self) -> dict[str, Any]:
        """Return the settings and records as plain JSON types; floats survive to the last bit."""
        rules, dtype = self._settings()
        columns = [to_entry(record) for record in self.columns_]
        return {**rules._asdict(), "dtype": dtype.name, "columns": columns}

    @classmethod
    def from_json(cls, entry: Any) -> TableEncoder:
        """Rebuild an encoder from `to_json`; ValueError names the first thing that is not as expected."""
        columns = entry.get("columns") if isinstance(entry, dict) else None
        if not isinstance(columns, list):
            raise ValueError(f"table encoder: 'columns' must be a list, got {quoted(columns)}")
        settings = {name: value for name, value in entry.items() if name != "columns"}
        rules: dict[str, Rule] = {"rare_below": ROWS, "max_levels": ROWS, "dtype": TEXT}
        encoder = cls(**read_fields(settings, rules, "table encoder"))
        encoder._settings()
        encoder._take(tuple(from_entry(column, position) for position, column in enumerate(columns, 1)))
        return encoder

    def _settings(self) -> tuple[Rules, np.dtype[Any]]:
        for name in Rules._fields:
            value = getattr(self, name)
            if not COUNT.accepts(value):
                raise ValueError(f"{name} must be {COUNT.words}, got {value!r}")
        if self.dtype not in (np.float32, np.float64, "float32", "float64"):
            raise ValueError(f"dtype must be 'float32' or 'float64', got {self.dtype!r}")
        return Rules(int(self.rare_below), int(self.max_levels)), np.dtype(self.dtype)

    def _take(self, columns: tuple[Column, ...]) -> None:
        names = [record.name for record in columns]
        if len(set(names)) != len(names):
            raise ValueError("table encoder: column names must be unique")
        schema = tuple(entry for record in columns for entry in record.inputs)
        if not schema:
            raise TableError(f"nothing to learn from: no column tells any rows apart ({listed(names)})")
        self.columns_ = columns
        self.feature_names_in_ = names
        self.schema_: tuple[InputColumn, ...] = schema
        self.feature_names_out_ = [entry.name for entry in schema]


def _columns_of(frame: Any) -> dict[str, nw.Series[Any]]:
    table = named_columns(frame)
    if not table:
        raise TableError("the table has no columns")
    if not len(next(iter(table.values()))):
        raise TableError("the table has no rows")
    return table


def needs_encoding(frame: Any) -> bool:
    """Return True for a table that holds text, categories, dates or missing values, which scikit-learn would refuse.

    False for complete numbers and booleans, and for anything that is not a DataFrame.

    >>> import polars as pl
    >>> needs_encoding(pl.DataFrame({"a": [1, 2]})), needs_encoding(pl.DataFrame({"a": [1, None]}))
    (False, True)
    """
    if not isinstance(nw.from_native(frame, eager_only=True, pass_through=True), nw.DataFrame):
        return False
    texts = nw.String | nw.Categorical | nw.Enum | nw.Datetime | nw.Date | nw.Duration | nw.Time
    for name, series in named_columns(frame).items():
        if isinstance(series.dtype, texts):
            return True
        column = read_column(name, series)
        if column.null_count() or not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            return True
    return False
