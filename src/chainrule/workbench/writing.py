"""Predictions written piece by piece: to a file that appears whole or not at all, or as CSV to a stream.

Shapes: n rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from ..tables.writing import TableWriter, csv_lines


class Writer:
    """A table in pieces, to the file of a name or, without a name, to `echo`; it counts the rows and names the columns.

    Raises SourceError, one line, where the file cannot be written.
    """

    def __init__(self, path: str | None, echo: Callable[[str], Any]) -> None:
        self.columns: list[str] = []
        self.rows = 0
        self._echo, self._stack = echo, ExitStack()
        self._file = None if path is None else TableWriter(path)

    def __enter__(self) -> Self:
        if self._file is not None:
            self._stack.enter_context(self._file)
        return self

    def write(self, columns: Mapping[str, Any]) -> None:
        """Write a piece: names to n values each, the same names every time."""
        if self._file is None:
            self._echo(csv_lines(columns, header=not self.columns))
        else:
            self._file.add(columns)
        self.columns = [*columns]
        self.rows += len(next(iter(columns.values())))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
