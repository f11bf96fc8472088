"""Small files that are known to be misread, each with the only answers that are accepted for it.

A trap is a file, made by the row that describes it, and a verdict: `Right`, every column with what it is read as, or
`Refused`, exit code 2 and one line that says what is needed to mend the file. Both ways to a table are asked, the
command line and the library.

Shapes: n rows.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from chainrule.tables import read_table
from chainrule.tables.meaning import read_values, understand
from chainrule.tables.reading.opened import open_table
from chainrule.tables.reading.options import ReadOptions
from support.commands import run

Content: TypeAlias = str | bytes | Callable[[Path], object]
"""The content of a file: text in UTF-8, bytes, or a function that writes to the path."""

Value: TypeAlias = float | str | datetime.datetime | datetime.date | datetime.timedelta | None
Cell: TypeAlias = Callable[[int], str]
"""Row i, from 0 -> what stands in it."""


@dataclass(frozen=True)
class Is:
    """The verdict on a column; None is not looked at.

    `reads` may name several readings that are right, such as "flag|category". `values` are the first cells, None where
    missing; `levels` all the different texts; `bad` the texts that count as missing, with the row of each.
    """

    reads: str
    values: Sequence[Value] | None = None
    form: str | None = None
    missing: int | None = None
    marks: Mapping[str, int] | None = None
    bad: Mapping[str, int] | None = None
    levels: Sequence[str] | None = None
    left_out: bool | None = None


def number(*values: Value, **facts: Any) -> Is:
    """Return a column of numbers that begins with these."""
    return Is("number", values, **facts)


def moment(*values: Value, **facts: Any) -> Is:
    """Return a column of dates that begins with these."""
    return Is("moment", values, **facts)


def duration(*seconds: Value, **facts: Any) -> Is:
    """Return a column of durations that begins with these seconds."""
    return Is("duration", seconds, **facts)


def category(*values: Value, **facts: Any) -> Is:
    """Return a column of texts that begins with these; two words for true and false are a flag, and as right."""
    return Is("category|flag", values, **facts)


ANY = Is("number|moment|duration|flag|category")
"""A column that the trap is not about."""


@dataclass(frozen=True)
class Right:
    """The table that must be read: its rows, all its columns in order, words of the notes, parts of the dialect."""

    rows: int
    columns: Mapping[str, Is]
    notes: Sequence[str] = ()
    dialect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """The parts of the one line, each a regular expression, besides the name of the file."""

    words: Sequence[str]
    names_file: bool = True


def refusal(*words: str, names_file: bool = True) -> Refused:
    """Return the refusal whose line holds these regular expressions; one of an option need not name the file."""
    return Refused(words, names_file)


@dataclass(frozen=True)
class Trap:
    """A file, and the verdicts of which one must be given. `options` are ReadOptions, by name.

    `train` is what `chainrule train FILE` is called with in place of `chainrule look FILE`, where the trap is one of
    learning and not of reading.
    """

    name: str
    file: str
    content: Content
    verdict: Right | Refused | tuple[Right | Refused, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    train: Sequence[str] = ()

    def words(self) -> list[str]:
        """Return the command's words after the file."""
        return [*self.train, *(word for item in self.options.items() for word in option_words(*item))]


def option_words(name: str, value: Any) -> list[str]:
    """Return an entry of ReadOptions as options of the command line.

    >>> option_words("header", False), option_words("columns", {"zip": "category"})
    (['--no-header'], ['--columns', 'zip:category'])
    """
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if isinstance(value, Mapping):
        return [f"--{name}", ",".join(f"{key}:{kind}" for key, kind in value.items())]
    return [f"--{name}", ",".join(value) if isinstance(value, tuple) else value]


def grid(rows: int, separator: str = ",", end: str = "\n", header: bool = True, **columns: Cell) -> str:
    """Return a table as text, nothing quoted; each column is a function of the row's number, from 0.

    >>> grid(2, ";", x=str, y=lambda i: "hi")
    'x;y\\n0;hi\\n1;hi\\n'
    """
    lines = [separator.join(columns)] * header
    lines += [separator.join(cell(i) for cell in columns.values()) for i in range(rows)]
    return "".join(line + end for line in lines)


def tenths(i: int) -> str:
    """Return a number with one decimal, different in each of the first 101 rows: 0.0, 3.7, 7.4, 1.0, ..."""
    return f"{i * 37 % 101 / 10:.1f}"


def label(i: int) -> str:
    """Return one of two classes."""
    return "hi" if i % 3 else "lo"


def traps(rows: Sequence[Trap]) -> Any:
    """Return the mark that gives a test each trap, by its name; no two may have the same."""
    names = [trap.name for trap in rows]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    return pytest.mark.parametrize("trap", [pytest.param(trap, id=trap.name) for trap in rows])


def check(trap: Trap, folder: Path) -> None:
    """Write the trap's file and fail unless one of its verdicts is given."""
    path = folder / trap.file
    write(path, trap.content)
    failed = []
    for verdict in trap.verdict if isinstance(trap.verdict, tuple) else (trap.verdict,):
        try:
            if isinstance(verdict, Right):
                return _check_right(trap, path, verdict)
            return _check_refused(trap, path, verdict)
        except AssertionError as error:
            failed.append(str(error))
    raise AssertionError("\n".join(failed))


def write(path: Path, content: Content) -> None:
    """Write a file."""
    if callable(content):
        content(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def _check_refused(trap: Trap, path: Path, verdict: Refused) -> None:
    command = "train" if trap.train else "look"
    ran = run(command, path, *trap.words())
    assert ran.code == 2, f"{command} ends with {ran.code}: {(ran.err or ran.out)[:600]}"
    assert ran.err.startswith("chainrule: error: "), ran.err
    assert ran.err.rstrip("\n").count("\n") == 0, f"more than one line: {ran.err}"
    words = (*verdict.words, re.escape(path.name)) if verdict.names_file else verdict.words
    lacking = [word for word in words if not re.search(word, ran.err, re.IGNORECASE)]
    assert not lacking, f"{lacking} not in: {ran.err}"


def _check_right(trap: Trap, path: Path, verdict: Right) -> None:
    ran = run("look", path, *trap.words(), "--json")
    assert ran.code == 0, f"look is refused: {ran.err}"
    seen = ran.json
    assert seen["source"]["rows"] == verdict.rows, f"{seen['source']['rows']} rows; {seen['dialect']}; {seen['notes']}"
    names = [column["name"] for column in seen["columns"]]
    assert names == list(verdict.columns), f"{names}; {seen['dialect']}"
    for column, expected in zip(seen["columns"], verdict.columns.values(), strict=True):
        _check_look(column, expected)
    for word in verdict.notes:
        assert re.search(word, "\n".join(seen["notes"]), re.IGNORECASE), f"{word!r} not in the notes {seen['notes']}"
    for part, value in verdict.dialect.items():
        assert seen["dialect"][part] == value, f"{part} in {seen['dialect']}"
    _check_library(trap, path, verdict)


def _check_look(column: Mapping[str, Any], expected: Is) -> None:
    """Compare what the command line says of a column."""
    said = f"look says {column}"
    assert column["reads"] in expected.reads.split("|"), said
    for part in ("form", "missing", "marks", "bad"):
        wanted = getattr(expected, part)
        assert wanted is None or column[part] == wanted, f"{part} must be {wanted}: {said}"
    if expected.levels is not None:
        assert {level for level, _ in column["levels"]} == set(expected.levels), said
    if expected.left_out is not None:
        assert (column["left_out"] is not None) == expected.left_out, said


def _check_library(trap: Trap, path: Path, verdict: Right) -> None:
    """Compare the values that the library reads, without rounding."""
    if trap.options:
        with open_table(str(path), ReadOptions(**trap.options)) as opened:
            table = opened.read()
    else:
        table = read_table(path)
    assert (len(table), table.columns) == (verdict.rows, list(verdict.columns))
    for name, expected in verdict.columns.items():
        if expected.values:
            seen = _values(table[name], table, name)[: len(expected.values)]
            wanted = [_plain(value) for value in expected.values]
            assert seen == wanted, f"{name!r}: {seen} is read, {wanted} was written"


def _values(cells: Any, table: Any, name: str) -> list[Any]:
    """Return the cells as they are understood: seconds since 1970 for dates, None where missing."""
    found = understand(cells, table.decimal, table.declared.get(name))
    if found.reads in ("number", "moment", "duration"):
        if cells.kind == "number" and cells.values.dtype.kind in "iu":
            return list(cells.to_list())  # exact beyond 2^53, where float64 is not
        return [
            None if math.isnan(value) else value for value in read_values(cells, found.reads, found.form)[0].tolist()
        ]
    return [None if value in found.missing else value for value in cells.to_list()]


def _plain(value: Value) -> Any:
    """Return a value as `_values` gives it."""
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if isinstance(value, datetime.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).timestamp()
    return value
