"""What a user may say about a file, and what was found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ReadOptions:
    """What the user said about a file; None: to be found out. A row of `OPTIONS` describes each for the command line.

    `separator`: one character, or "space" for runs of blanks. `quote`, `escape`: one character, "" for none.
    `header`: whether the first line names the columns. `comment`: lines that begin with it are skipped.
    `decimal`: "." or ",". `table`, `query`: what to read from a database. `columns`: name -> a key of
    `meaning.DECLARED` or "text". `ignore`: columns that are left out.
    """

    separator: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool | None = None
    comment: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    table: str | None = None
    query: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialect:
    """How a text file writes a table: given by the user, or found out.

    `skip` are the lines before the header (or before the data). `words()` says it in one line; `to_json` and
    `from_json` keep it in a model file, from where `expected` of `open_table` takes it at predict.
    """

    separator: str = ","
    quote: str = '"'
    escape: str = '"'
    header: bool = True
    skip: int = 0
    comment: str = ""
    encoding: str = "utf-8"
    decimal: str = "."

    def words(self) -> str:
        """Return the dialect in one line: "separator ';', decimal comma, Latin-1, 2 lines before the header"."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Return the dialect as plain JSON."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, entry: Any) -> Dialect:
        """Return the dialect of plain JSON; ValueError names the first thing that is not as expected."""
        raise NotImplementedError
