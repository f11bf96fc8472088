"""A table or a DataFrame -> one matrix of numbers, and the same steps again at predict time.

A table has named columns of numbers, dates or text with gaps; a network wants one complete matrix.
`TableEncoder.fit` looks at every column once and keeps one small frozen record per column, which says what to
do with it; `transform` follows the records and nothing else, so training and prediction cannot drift apart.

Shapes: n rows, c columns of the table, f inputs of the network (columns of the matrix).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.exceptions import NotFittedError

from ..foundation.records import read_fields
from ..foundation.values import COUNT, Rule
from ..foundation.words import listed, quoted
from .blocks import NumberBlock
from .columns import CategoryColumn, Column, InputColumn, NumberColumn, Rules
from .entries import ROWS, TEXT, from_entry, to_entry
from .frames import is_frame, table_of
from .learning import learn
from .table import Table, TableError
from .values import Given


class TableWarning(UserWarning):
    """A column that is left out, or that holds what training did not: the estimators warn, the command line prints."""


class TableEncoder:
    """Turns the columns of a DataFrame into one float matrix, the same way every time.

    Numbers (dates and durations as seconds) are standardised, missing ones become the mean plus an indicator.
    Texts, categories and booleans become one column per level; those with fewer than `rare_below` rows (and
    fewer than 5 % of the rows) or beyond the `max_levels` most frequent ones are pooled as `(rare)`.
    Texts that are numbers, dates or missing marks (NA, ?) in all but their dress are read as what they are.
    Taken are a `Table`, any DataFrame (pandas, polars, pyarrow, DuckDB, ...), and a dict of columns.

    After `fit`: `columns_` (c records), `feature_names_in_` (c names), `feature_names_out_` (f names), `schema_`:
    f records that say which column each input comes from, and whether it is a number or one level of a category, and
    `notes_`: a line for each reason for which columns are left out, and for values that cannot be read.

    >>> table = {"age": [20, 40, None], "town": ["Bonn", "Ulm", "Bonn"]}
    >>> encoder = TableEncoder().fit(table)
    >>> encoder.feature_names_out_
    ['age', 'age=missing', 'town=Bonn', 'town=Ulm']
    >>> encoder.transform({"town": ["Rome"], "age": [50]})
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
        nested values, a text where nearly all others are numbers, or when no column tells any rows apart.
        """
        rules, _ = self._settings()
        columns, notes = learn(_checked(table_of(frame)), rules)
        self._take(columns)
        self.notes_ = notes
        return self

    def transform(self, frame: Any) -> NDArray[Any]:
        """Encode a table: (n, c) of anything -> (n, f) of `dtype`, C-contiguous; columns are found by name.

        Raises TableError (a ValueError) for a missing column, a value that cannot be read as it was in training, or
        no rows.
        """
        return self.transform_noted(frame)[0]

    def transform_noted(self, frame: Any) -> tuple[NDArray[Any], list[str]]:
        """Return the matrix that `transform` gives, and notes: values never seen in training, another way of writing.

        Raises TableError as `transform` does.
        """
        if not hasattr(self, "columns_"):
            raise NotFittedError("this TableEncoder is not fitted yet; call fit first")
        _, dtype = self._settings()
        table = table_of(frame, only=self._needed, texts=self.text_names)
        self._check_columns(table)
        _checked(table)
        out = np.zeros((len(table), len(self.schema_)), dtype)
        block, columns = self._block.within(table)
        block.write(table, columns, out)
        written, notes = set(block.names), list[str]()
        for record, start in self._starts:
            if record.name not in written:
                record.write(Given(record.name, table, notes), out[:, start : start + len(record.inputs)])
        return out, notes

    @property
    def text_names(self) -> list[str]:
        """The columns whose texts must be left as they are by whoever reads new rows: they are levels, or numbers with
        decimal commas, to which 1.234 is 1234.
        """
        return [
            record.name
            for record, _ in self._starts
            if isinstance(record, CategoryColumn) or (isinstance(record, NumberColumn) and record.is_marked_by_commas)
        ]

    def _check_columns(self, table: Table) -> None:
        """Raise TableError for a table that lacks columns."""
        if table.names == self._needed:
            return
        names = {*table.names}
        missing = [name for name in self._needed if name not in names]
        if missing:
            trained = ", ".join(self.feature_names_in_[:30]) + ", ..." * (len(self.feature_names_in_) > 30)
            are = "column {} is" if len(missing) == 1 else "columns {} are"
            raise TableError(f"{are.format(listed(missing))} missing; the model was trained with: {trained}")

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
        encoder.notes_ = []
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
        self._block = NumberBlock.of(columns)
        self._needed = tuple(record.name for record in columns if record.inputs)
        widths = [len(record.inputs) for record in columns]
        starts = np.cumsum([0, *widths]).tolist()
        self._starts = [(r, start) for r, start, width in zip(columns, starts, widths, strict=False) if width]


def _checked(table: Table) -> Table:
    """Return a table that has rows and columns; TableError for another."""
    if not table.names:
        raise TableError("the table has no columns")
    if not len(table):
        raise TableError("the table has no rows")
    return table


TEXTS = nw.String | nw.Categorical | nw.Enum | nw.Datetime | nw.Date | nw.Duration | nw.Time
"""The types of columns that scikit-learn would refuse, or take for something else."""


def needs_encoding(frame: Any) -> bool:
    """Return True for a table that holds text, categories, dates or missing values, which scikit-learn would refuse.

    False for complete numbers and booleans, and for anything that is not a DataFrame. Raises TableError for
    names that are not unique.

    >>> needs_encoding({"a": [1, 2]}), needs_encoding({"a": [1, None]}), needs_encoding({"a": ["1", "2"]})
    (False, True, True)
    """
    if not is_frame(frame):
        return False
    table = table_of(frame)
    if np.isnan(table.block).any():
        return True
    if any(cells.kind not in ("number", "boolean") or cells.absent().any() for cells in table.others.values()):
        return True
    return _holds_texts(frame, table)


def _holds_texts(frame: Any, table: Table) -> bool:
    """Return True where texts became numbers."""
    if nw.dependencies.is_pandas_dataframe(frame):
        odd = [k for k, dtype in enumerate(frame.dtypes.array) if getattr(dtype, "kind", "O") not in "biuf"]
        kinds = nw.from_native(frame.iloc[:, odd]).schema.dtypes() if odd else []
        return any(isinstance(dtype, TEXTS) for dtype in kinds)
    if isinstance(frame, Mapping):
        return any(isinstance(next(iter(values), None), str) for values in frame.values())
    if isinstance(frame, Table) or not hasattr(nw.from_native(frame, pass_through=True), "schema"):
        return False
    return any(isinstance(dtype, TEXTS) for dtype in nw.from_native(frame).collect_schema().dtypes())
