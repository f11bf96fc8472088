"""The options of reading a file, and the dialect that was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ...foundation.words import listed


@dataclass(frozen=True)
class ReadOptions:
    """The words of the user about a file; None: to be found. A row of `OPTIONS` describes each for the command line.

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


def kept_columns(names: Sequence[str], options: ReadOptions) -> list[int]:
    """Return the places of the columns that are not ignored; ValueError for a column to ignore that is not there."""
    unknown = [name for name in options.ignore if name not in names]
    if unknown:
        raise ValueError(f"there is no column {unknown[0]!r} to ignore; it has: {listed(names)}")
    return [k for k, name in enumerate(names) if name not in options.ignore]


OPTIONS: Mapping[str, str] = {
    "separator": "the character between two fields; tab and space may be written so, space means runs of blanks",
    "quote": 'the character around texts, "" for none',
    "escape": "the character before a quote inside a text; the quote itself where quotes are doubled",
    "header": "whether the first line names the columns",
    "comment": "the character that begins a line to be skipped",
    "encoding": "how the file writes letters, such as utf-8, utf-16 or latin-1",
    "decimal": "the mark between whole and fraction in numbers: . or ,",
    "table": "the table of a database, or the sheet of an Excel file",
    "query": "the select statement to read from a database",
    "columns": "what columns are: name:type,..., with the types number, category, date, duration, text",
    "ignore": "columns to leave out",
}
"""The meaning of each option."""

SEPARATORS: Mapping[str, str] = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", " ": "space"}
"""The names of separators that are hard to type."""

SHOWN: Mapping[str, str] = {"\t": "tab", "space": "blanks", "": "none"}

ENCODING_NAMES: Mapping[str, str] = {"cp1252": "Windows-1252", "latin-1": "Latin-1", "iso8859-1": "Latin-1"}


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
        """Return the dialect in one line.

        >>> Dialect(separator=";", decimal=",", encoding="latin-1", skip=2).words()
        "separator ';', decimal comma, Latin-1, 2 lines before the header"
        """
        shown = SHOWN.get(self.separator, repr(self.separator))
        words = [f"separator {shown}"]
        if self.quote != '"':
            words.append(f"quote {self.quote}" if self.quote else "no quotes")
        if self.quote and self.escape not in (self.quote, ""):
            words.append(f"escape {self.escape}")
        if self.decimal == ",":
            words.append("decimal comma")
        if self.encoding.lower().replace("_", "-") != "utf-8":
            words.append(ENCODING_NAMES.get(self.encoding.lower(), self.encoding.upper()))
        if self.comment:
            words.append(f"comments begin with {self.comment}")
        if not self.header:
            words.append("no header")
        if self.skip:
            before = "the header" if self.header else "the data"
            words.append(f"{self.skip} line{'s' if self.skip > 1 else ''} before {before}")
        return ", ".join(words)

    def to_json(self) -> dict[str, Any]:
        """Return the dialect as plain JSON.

        >>> Dialect.from_json(Dialect(separator=";").to_json()).separator
        ';'
        """
        return asdict(self)

    @classmethod
    def from_json(cls, entry: Any) -> Dialect:
        """Return the dialect of plain JSON; ValueError names the first thing that is not as expected."""
        if not isinstance(entry, dict):
            raise ValueError(f"a dialect must be an object, got {type(entry).__name__}")
        kinds = {known.name: type(known.default) for known in fields(cls)}
        for name, value in entry.items():
            if name not in kinds:
                raise ValueError(f"a dialect has no {str(name)[:40]!r}")
            if type(value) is not kinds[name]:
                raise ValueError(f"a dialect's {name} must be {kinds[name].__name__}, got {str(value)[:40]!r}")
        made = cls(**entry)
        if (
            made.decimal not in (".", ",")
            or made.skip < 0
            or not (made.separator == "space" or len(made.separator) == 1)
        ):
            raise ValueError("a dialect's separator must be one character, its decimal . or , and its skip at least 0")
        if max(len(made.quote), len(made.escape), len(made.comment)) > 1 or len(made.encoding) > 40:
            raise ValueError("a dialect's quote, escape and comment are one character or none")
        return made
