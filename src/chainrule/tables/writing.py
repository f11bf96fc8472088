"""Tables as files: written whole or not at all, at once or piece by piece.

Numbers are written so that they are read back to the last bit; a missing value is an empty cell.

Shapes: n rows.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ..foundation.files import replacing
from .reading.duck import connect, identifier, literal
from .reading.errors import one_line
from .reading.texts import Workspace
from .table import Cells, Table

WRITTEN: Mapping[str, str] = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t", ".parquet": "parquet"}
"""The endings of a table that is written, each with its separator."""


def _form(path: Path) -> str:
    for ending, form in WRITTEN.items():
        if path.name.lower().endswith(ending):
            return form
    raise ValueError(f"the name of a table must end in {', '.join(WRITTEN)}")


class TableWriter:
    """A table that is written piece by piece; the file appears whole when the block ends, or not at all.

    Raises SourceError, one line with the file and the cause.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "predictions.csv"
    >>> with TableWriter(path) as writer:
    ...     writer.add({"row": [1, 2], "class": ["yes", "no"]})
    ...     writer.add({"row": [3], "class": [None]})
    >>> path.read_text()
    'row,class\\n1,yes\\n2,no\\n3,\\n'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.names: list[str] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with one_line(self.path):
            form = _form(self.path)
            if not self.path.parent.is_dir():
                raise ValueError(f"there is no folder {str(self.path.parent)!r} to write to")
            try:
                file = self._stack.enter_context(replacing(self.path))
                if form == "parquet":
                    self._sink: _Parquet | _Text = self._stack.enter_context(_Parquet(file))
                else:
                    packed = self.path.name.lower().endswith(".gz")
                    self._sink = self._stack.enter_context(_Text(file, form, packed))
            except BaseException:
                self._stack.close()
                raise
        return self

    def add(self, columns: Mapping[str, Any]) -> None:
        """Write some rows: names to arrays or lists of n values each, the same names every time."""
        with one_line(self.path):
            names = list(columns)
            if self.names is None:
                self.names = names
            elif names != self.names:
                raise ValueError(f"the columns of every piece must be {self.names}, got {names}")
            values = [_array(name, column) for name, column in columns.items()]
            lengths = sorted({len(column) for column in values})
            if len(lengths) > 1:
                raise ValueError(f"the columns are of different lengths: {', '.join(map(str, lengths))}")
            self._sink.add(names, values)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with one_line(self.path):
            self._stack.__exit__(kind, error, trace)


def write_table(columns: Any, path: str | os.PathLike[str]) -> None:
    """Write a table, a DataFrame, or a mapping from names to n values each, as CSV or Parquet, by the path's ending.

    The file appears whole or not at all: it is written beside its place, synced to the disk, and renamed.

    Raises SourceError, one line with the file and the cause.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "predictions.csv"
    >>> write_table({"row": [1, 2], "class": ["yes", "no"]}, path)
    >>> path.read_text()
    'row,class\\n1,yes\\n2,no\\n'
    """
    with one_line(Path(path)), TableWriter(path) as writer:
        writer.add(_columns(columns))


def csv_lines(columns: Mapping[str, Any], header: bool = True) -> str:
    """Return rows as lines of CSV, as TableWriter writes them: names to n values each.

    >>> csv_lines({"row": [1, 2], "class": ["yes", None]})
    'row,class\\n1,yes\\n2,\\n'
    """
    lines = io.BytesIO()
    with _Text(lines, ",", packed=False, begun=not header) as text:
        text.add(list(columns), [_array(name, column) for name, column in columns.items()])
    return lines.getvalue().decode()


def _columns(columns: Any) -> Mapping[str, Any]:
    """Return the columns of a table of any kind, by their names."""
    if isinstance(columns, Mapping):
        return columns
    if isinstance(columns, Table):
        return {name: _values(columns[name]) for name in columns.names}
    frame = nw.from_native(columns, eager_only=True)
    return {str(series.name): _python_values(series) for series in frame.iter_columns()}


def _values(cells: Cells) -> Any:
    plain_number = cells.kind == "number" and cells.gaps is None
    return cells.values if plain_number or cells.kind in ("moment", "duration") else cells.to_list()


def _python_values(series: nw.Series[Any]) -> list[Any]:
    missing = series.is_null().to_list()
    return [None if gone else value for value, gone in zip(series.to_list(), missing, strict=True)]


def _array(name: str, column: Any) -> NDArray[Any]:
    """Return values as an array of numbers, booleans or moments, or of objects, None where missing."""
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "iufbmM":
        return column
    values = column.tolist() if isinstance(column, np.ndarray) else list(column)
    nested = next((value for value in values if isinstance(value, list | tuple | dict | set | np.ndarray)), None)
    if nested is not None:
        raise ValueError(f"column {name!r} holds {type(nested).__name__}s; only single values can be written")
    present = [value for value in values if value is not None and value == value]
    kinds = {type(value) for value in present}
    if present and kinds <= {int, float} and len(present) == len(values):
        return np.array(values, object if _too_large(present) else None)
    made = np.empty(len(values), object)
    made[:] = [value if value is not None and value == value else None for value in values]
    return made


def _too_large(values: Sequence[Any]) -> bool:
    return any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in values) or (
        {type(value) for value in values} == {int, float}
    )


QUOTED = re.compile(r"[\"\r\n\t,;|]|^'.*'$|^\s|\s$", re.DOTALL)
"""Texts that are written in quotes: those that could be taken for more than one cell, or for another text."""


def _texts(column: NDArray[Any]) -> list[str]:
    """Return values as they stand in a text file, "" where missing."""
    kind = column.dtype.kind
    if kind == "b":
        return list(np.where(column, "true", "false").tolist())
    if kind in "iu":
        return list(column.astype("U20").tolist())
    if kind in "fmM":
        texts = (column if kind == "f" else _coarsest(column)).astype("U48")
        return list(np.where(np.isnan(column) if kind == "f" else np.isnat(column), "", texts).tolist())
    return [_cell(value) for value in column.tolist()]


def _cell(value: Any) -> str:
    """Return a value as it stands in a text file.

    >>> _cell("Doe, John")
    '"Doe, John"'
    """
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if QUOTED.search(text) else text


def _coarsest(column: NDArray[Any]) -> NDArray[Any]:
    """Return moments as days or whole seconds, where all of them are."""
    if column.dtype.kind == "M":
        fine = column.astype("datetime64[us]")
        for unit in ("D", "s"):
            coarse = fine.astype(f"datetime64[{unit}]")
            if bool(((coarse == fine) | np.isnat(fine)).all()):
                return coarse
        return fine
    return column


class _Text:
    """The lines of a text file."""

    def __init__(self, file: Any, separator: str, packed: bool, begun: bool = False) -> None:
        self._stack = ExitStack()
        if packed:
            file = self._stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
        self._lines = io.TextIOWrapper(file, "utf-8", newline="")
        self._separator, self._begun = separator, begun

    def __enter__(self) -> Self:
        return self

    def add(self, names: Sequence[str], columns: Sequence[NDArray[Any]]) -> None:
        if not self._begun:
            self._lines.write(self._separator.join(map(_cell, names)) + "\n")
            self._begun = True
        texts = list(map(_texts, columns))
        rows = (
            map(self._separator.join, zip(*texts, strict=True))
            if len(texts) > 1
            else (text or '""' for text in texts[0])
        )
        self._lines.writelines(row + "\n" for row in rows)

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._lines.flush()
        self._lines.detach()
        self._stack.__exit__(*error)


class _Parquet:
    """The rows of a Parquet file, which DuckDB keeps until the last has come."""

    def __init__(self, file: Any) -> None:
        self._file, self._work = file, Workspace()
        self._con = connect(self._work)
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def add(self, names: Sequence[str], columns: Sequence[NDArray[Any]]) -> None:
        self._con.register("piece", {f"c{k}": column for k, column in enumerate(columns)})
        chosen = ", ".join(
            f"{f'if(isnan(c{k}), null, c{k})' if column.dtype.kind == 'f' else f'c{k}'} as {identifier(name)}"
            for k, (name, column) in enumerate(zip(names, columns, strict=True))
        )
        self._con.execute(f"{'insert into t' if self._begun else 'create table t as'} select {chosen} from piece")
        self._con.unregister("piece")
        self._begun = True

    def __exit__(self, *error: Any) -> None:
        try:
            if error[0] is None and self._begun:
                path = self._work.new(".parquet")
                self._con.execute(f"copy t to {literal(str(path))} (format parquet)")
                with path.open("rb") as made:
                    shutil.copyfileobj(made, self._file)
        finally:
            self._con.close()
            self._work.close()
