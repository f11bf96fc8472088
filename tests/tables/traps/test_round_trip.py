"""Random tables written in random dialects are read as they were meant, through reading and meaning.

The writer here knows nothing of the reader. Shapes: n rows.
"""

from __future__ import annotations

import datetime
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from chainrule.tables.meaning import read_values, understand
from chainrule.tables.reading.opened import open_table
from chainrule.tables.reading.options import ReadOptions

MARKS = ("", "NA", "N/A", "NULL", "None", "nan", "<NA>", "?", "-", ".", "n/a", "#N/A")
DATE_FORMS = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%Y-%m-%d %H:%M:%S",
    "%d-%b-%Y",
    "%Y-%m-%dT%H:%M:%SZ",
)
FLAGS = (("yes", "no"), ("true", "false"), ("T", "F"), ("Y", "N"), ("On", "Off"))
LEVELS = ("Bonn", "Ulm", "007", "7", "3.1", "3.10", "A7", "1e5", "x-1", "Köln", "名", "b c", "O'Neil", "5 kg!", "#4")
INSIDE = "abc ,;|\t'#-.1é名"
"""The signs of texts; quotes and line breaks are added where the dialect can hold them."""


@dataclass(frozen=True)
class Way:
    """How a file is written, and whether the reader is told."""

    separator: str
    quote: str
    escape: str
    end: str
    header: bool
    encoding: str
    decimal: str
    last_end: bool
    told: bool

    def cell(self, text: str, always: bool) -> str:
        """Return a text as it stands in the file."""
        special = any(sign in text for sign in (self.separator, '"', "'", "\n", "\r", "#")) or text != text.strip()
        if not (special or always):
            return text
        return self.quote + text.replace(self.quote, self.escape + self.quote) + self.quote

    def options(self) -> ReadOptions:
        """Return what the reader is told."""
        if not self.told:
            return ReadOptions()
        names = ("separator", "quote", "escape", "header", "decimal")
        return ReadOptions(**{name: getattr(self, name) for name in names}, encoding=self.encoding.removesuffix("-sig"))


@st.composite
def ways(draw: st.DrawFn) -> Way:
    """Draw a dialect; single quotes are told, for nothing tells them from apostrophes."""
    quote, escape = draw(st.sampled_from(('""', '""', '"\\', "''")))
    return Way(
        separator=draw(st.sampled_from(",;\t|")),
        quote=quote,
        escape=escape,
        end=draw(st.sampled_from(("\n", "\r\n", "\r"))),
        header=draw(st.booleans()),
        encoding=draw(st.sampled_from(("utf-8", "utf-8", "utf-8-sig", "utf-16"))),
        decimal=draw(st.sampled_from(".,")),
        last_end=draw(st.booleans()),
        told=draw(st.booleans()) or quote == "'",
    )


@dataclass(frozen=True)
class Column:
    """What the cells mean, None where missing, and the texts that are written for them."""

    reads: str
    meant: list[Any]
    texts: list[str]


def _numbers(draw: st.DrawFn, rows: int, way: Way) -> Column:
    hundredths = draw(st.lists(st.integers(-(10**9), 10**9), min_size=rows, max_size=rows))
    texts = [f"{value / 100:.2f}" for value in hundredths]
    return Column("number", [float(text) for text in texts], [text.replace(".", way.decimal) for text in texts])


def _dates(draw: st.DrawFn, rows: int, way: Way) -> Column:
    form = draw(st.sampled_from(DATE_FORMS))
    first, last = datetime.datetime(1950, 1, 1), datetime.datetime(2049, 12, 31)
    days = draw(st.lists(st.datetimes(first, last), min_size=rows, max_size=rows))
    days[0] = datetime.datetime(2015, 1, 31)  # the day that says which number is the month
    keep = {} if "%S" in form else {"hour": 0, "minute": 0, "second": 0}
    days = [day.replace(microsecond=0, **keep) for day in days]
    return Column(
        "moment", [day.replace(tzinfo=datetime.UTC).timestamp() for day in days], [f"{day:{form}}" for day in days]
    )


def _flags(draw: st.DrawFn, rows: int, way: Way) -> Column:
    words = draw(st.sampled_from(FLAGS))
    texts = draw(st.lists(st.sampled_from(words), min_size=rows, max_size=rows))
    return Column("flag|category", list(texts), texts)


def _levels(draw: st.DrawFn, rows: int, way: Way) -> Column:
    texts = draw(st.lists(st.sampled_from(LEVELS), min_size=rows, max_size=rows))
    texts[0] = "Bonn"  # so that the column is none of numbers
    return Column("category", list(texts), texts)


def _texts(draw: st.DrawFn, rows: int, way: Way) -> Column:
    inside = INSIDE + '"' * (way.quote == '"') + "\n" * (way.end != "\r")
    words = st.text(inside, max_size=8).map(lambda text: f"w{text}w")
    texts = draw(st.lists(words, min_size=rows, max_size=rows))
    return Column("category", list(texts), texts)


KINDS = (_numbers, _dates, _flags, _levels, _texts)


@st.composite
def columns(draw: st.DrawFn, rows: int, way: Way) -> Column:
    """Draw a column with a mark in some of its cells, the first excepted."""
    column = draw(st.sampled_from(KINDS))(draw, rows, way)
    mark = draw(st.sampled_from(MARKS))
    gone = draw(st.lists(st.booleans(), min_size=rows, max_size=rows)) if draw(st.booleans()) else [False] * rows
    gone[0] = False
    meant = [None if lost else value for value, lost in zip(column.meant, gone, strict=True)]
    return Column(column.reads, meant, [mark if lost else text for text, lost in zip(column.texts, gone, strict=True)])


@st.composite
def files(draw: st.DrawFn) -> tuple[Way, list[Column], str]:
    """Draw a table of two columns or more, the first of them numbers, and the text of its file."""
    way = draw(ways())
    rows = draw(st.integers(1 if way.told else 5, 30))  # one row may be read in several ways
    table = [_numbers(draw, rows, way), *draw(st.lists(columns(rows, way), min_size=1, max_size=4))]
    always = draw(st.booleans())
    lines = [way.separator.join(f"name{k}" for k in range(len(table)))] * way.header
    for cells in zip(*(column.texts for column in table), strict=True):
        lines.append(way.separator.join(way.cell(text, always) for text in cells))
    return way, table, way.end.join(lines) + way.end * way.last_end


def _read(cells: Any, decimal: str) -> tuple[str, list[Any]]:
    found = understand(cells, decimal)
    if found.reads in ("number", "moment"):
        values, bad = read_values(cells, found.reads, found.form)
        assert not bad.any()
        return found.reads, [None if value != value else value for value in values.tolist()]
    return found.reads, [None if value in found.missing else value for value in cells.to_list()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(files())
def test_what_was_written_is_read(file: tuple[Way, list[Column], str]) -> None:
    way, table, text = file
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(text.encode(way.encoding))
        note(f"{way}\n{text}")
        with open_table(str(path), way.options()) as opened:
            read = opened.read()
    assert (len(read), len(read.columns)) == (len(table[0].texts), len(table))
    for name, column in zip(read.columns, table, strict=True):
        reads, values = _read(read[name], read.decimal)
        assert values == column.meant, f"{name}, read as {reads}"
        assert reads in column.reads.split("|")
