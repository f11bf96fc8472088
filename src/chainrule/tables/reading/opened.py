"""An opened source of rows: its columns, its dialect, its notes; the whole table, or pieces of it in order.

    with open_table("people.csv", ReadOptions(ignore=("name",))) as opened:
        table = opened.read()

Shapes: n rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from ..table import Table
from .options import Dialect, ReadOptions

PIECE = 100_000
"""Rows of a piece, where the file is read in pieces."""


class OpenedTable:
    """A source whose columns are known and whose rows have been counted, ready to be read, whole or in pieces.

    `name` is what the user gave; `columns` the names, in order, without those ignored; `rows` their number; `dialect`
    that of a text file, else None; `notes` what the user should know: what was guessed, renamed, skipped.
    """

    name: str
    columns: list[str]
    rows: int
    dialect: Dialect | None
    notes: list[str]

    def read(self) -> Table:
        """Return the whole table. Columns of plain numbers are numbers (integers beyond 2^53 stay exact), others text."""
        raise NotImplementedError

    def pieces(self, rows: int = PIECE) -> Iterator[Table]:
        """Return the table in pieces, in the order of the file, in memory that does not grow with the file.

        A column is of the same kind in every piece.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Remove the temporary files."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_table(name: str, options: ReadOptions = ReadOptions(), expected: Dialect | None = None) -> OpenedTable:
    """Open a source by its name: a file, several (a glob such as part-*.parquet), "-" for standard input, a URL.

    `expected` is the dialect of the training file: it is tried first, and used where it fits.

    Raises SourceError, one line with file, row, value and remedy, for what cannot be read.
    """
    raise NotImplementedError
