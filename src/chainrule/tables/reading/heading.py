"""The head of a text file: which line names the columns, and which mark its numbers use.

All of it is told from a sample of records: rows of texts, of the same width.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..meaning.marks import is_mark
from ..texts import FLOAT

Rows = Sequence[Sequence[str]]

PLAIN = re.compile(rf"\s*{FLOAT.pattern}\s*", FLOAT.flags)
"""A number, blanks around it or not."""

VALUE = re.compile(
    r"\s*(?:[-+(]?\s*[$€£¥]?\s*[-+]?\d[\d.,' \u00a0\u202f]*(?:e[+-]?\d+)?\s*[%€$£)]?"
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|\d{1,2}:\d{2}.*)\s*",
    re.IGNORECASE,
)
"""A cell that looks like a number, a date or a time: more often a value than a name."""

DATE = re.compile(r"\s*\d{1,4}[-/]\d{1,2}(?:[-/]\d{1,4})?\s*")

NAMED = 2
"""A text above numbers only tells of a header as much as two cells that are there again below tell of data."""

SEEN = 200
"""Rows below the first that are looked at."""

COMMA = re.compile(r"\s*[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+\s*", re.ASCII)
GROUPED = re.compile(r"\s*[+-]?[1-9]\d{0,2}(?:,\d{3})+\s*", re.ASCII)
POINT = re.compile(r"\s*[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*", re.ASCII)
POINT_GROUPED = re.compile(r"\s*[+-]?[1-9]\d{0,2}(?:\.\d{3})+\s*", re.ASCII)

AMBIGUOUS = "the first line, with numbers, was taken for {what}; --{other} says otherwise"


def is_header(first: Sequence[str], below: Rows) -> tuple[bool, str]:
    """Return True where a record names the columns that stand below it, and a note where that is not certain.

    >>> is_header(["age", "town"], [["31", "Bonn"]])
    (True, '')
    >>> is_header(["5.1", "setosa"], [["4.9", "setosa"]])
    (False, '')
    """
    names, others = _names(first, below), _values(first, below)
    if names:
        data = names * NAMED <= others
        return not data, "the first line was taken for data; --header says otherwise" if data else ""
    values = [bool(VALUE.fullmatch(cell)) for cell in first]
    columns = list(zip(*below[:SEEN], strict=True)) if below else [()] * len(first)
    named = [cell for cell in first if cell.strip()]
    if not named:
        return False, ""
    if not any(values):
        again = sum(cell in column for cell, column in zip(first, columns, strict=True) if cell.strip())
        repeated = len(set(named)) < len(named)
        if below and ((again == len(named) and (len(below) > 2 or repeated)) or (repeated and again * 2 >= len(named))):
            return False, "the first line looks like the others and was taken for data; --header says otherwise"
        return True, ""
    texts_again = any(
        cell in column for cell, is_value, column in zip(first, values, columns, strict=True) if not is_value
    )
    numbers = [cell for cell, is_value in zip(first, values, strict=True) if is_value]
    places = [column for column, is_value in zip(columns, values, strict=True) if is_value]
    return (False, "") if texts_again else _numbers_name(numbers, places, len(numbers) == len(named))


def names_values(first: Sequence[str], below: Rows) -> bool:
    """True where a cell that is no value stands above values only, or a date above numbers; not counted are the rows
    that are the first one again, as where files were joined.

    >>> names_values(["x", "town"], [["1", "Bonn"], ["x", "town"]]), names_values(["2020-01-01"], [["1.5"]])
    (True, True)
    """
    return _names(first, below) > 0


def _names(first: Sequence[str], below: Rows) -> int:
    """Return how many cells are texts above values only, or dates above numbers."""
    count = 0
    for cell, full in _columns(first, below):
        kind = PLAIN if DATE.fullmatch(cell) else VALUE if not VALUE.fullmatch(cell) else None
        count += bool(kind and full and all(kind.fullmatch(text) for text in full))
    return count


def _values(first: Sequence[str], below: Rows) -> int:
    """Return how many cells are values like those below them, or texts that are there again.

    Whole numbers are not counted: they may be names.
    """
    count = 0
    for cell, full in _columns(first, below):
        if not VALUE.fullmatch(cell):
            count += cell in full
        elif full and not cell.strip().isdecimal():
            kind = DATE if DATE.fullmatch(cell) else VALUE
            count += all(kind.fullmatch(text) for text in full)
    return count


def _columns(first: Sequence[str], below: Rows) -> Iterator[tuple[str, list[str]]]:
    """Yield the cells of a record that are not missing, each with those below it; not the rows that are it again."""
    rows = [row for row in below[:SEEN] if list(row) != list(first)]
    for k, cell in enumerate(first):
        if not is_mark(cell):
            yield cell, [row[k] for row in rows if k < len(row) and not is_mark(row[k])]


def _numbers_name(named: Sequence[str], columns: Sequence[Sequence[str]], alone: bool) -> tuple[bool, str]:
    """Judge the numbers of a first line: 0, 1, 2, ... and years in a row are names, if what is below is different."""
    try:
        numbers = [int(cell) for cell in named]
    except ValueError:
        return False, ""
    steps = {b - a for a, b in pairwise(numbers)}
    counted = alone and len(numbers) > 1 and steps == {1} and numbers[0] == 0
    years = (
        len(numbers) > 1 and len(steps) == 1 and abs(next(iter(steps))) in range(1, 11) and 1800 <= numbers[0] <= 2200
    )
    if not counted and not years:
        return False, ""
    low, high = min(numbers), max(numbers)
    cells = [text for column in columns for text in column if PLAIN.fullmatch(text)]
    outside = [text for text in cells if not low <= float(text) <= high or not float(text).is_integer()]
    header = len(outside) * 2 > len(cells) or (counted and bool(outside))
    words = ("the names of the columns", "no-header") if header else ("data", "header")
    return header, AMBIGUOUS.format(what=words[0], other=words[1])


def column_names(header: Sequence[str] | None, width: int) -> tuple[list[str], list[str]]:
    """Return the names of the columns, all different, and notes on those that were changed.

    >>> column_names(["a", "", "a"], 3)
    (['a', 'column1', 'a_1'], ["the column 'a' is there more than once; it is called 'a_1' the second time"])
    """
    if header is None:
        digits = len(str(width - 1))
        return [f"column{k:0{digits}}" for k in range(width)], []
    given = [name.strip("\ufeff") if k == 0 else name for k, name in enumerate(header)]
    taken = set(given)
    names: list[str] = []
    notes: list[tuple[str, str]] = []
    seen: dict[str, int] = {}
    for k, name in enumerate(given):
        new = name if name.strip() else _free(f"column{k}", taken | set(names))
        if new in seen:
            count = seen[new]
            while f"{new}_{count}" in taken or f"{new}_{count}" in names:
                count += 1
            seen[name], new = count + 1, f"{new}_{count}"
            notes.append((name, new))
        else:
            seen[new] = 1
        names.append(new)
    lines = [
        f"the column {name!r} is there more than once; it is called {new!r} the second time" for name, new in notes[:3]
    ]
    if len(notes) > 3:
        lines.append(f"{len(notes) - 3} more columns with repeated names were renamed in the same way")
    return names, lines


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def decimal_mark(rows: Rows, separator: str, usual: str = ".") -> str:
    """Return the mark between whole and fraction: "," where columns say so and none contradicts; else the usual one.

    >>> decimal_mark([["12,5", "x"], ["3,25", "y"]], ";")
    ','
    """
    found = False
    for column in zip(*rows[:500], strict=True):
        full = [text for text in column if text.strip()]
        if any(POINT.fullmatch(text) and not POINT_GROUPED.fullmatch(text) for text in full):
            return "."
        commas = [text for text in full if COMMA.fullmatch(text)]
        if not commas or len(commas) * 2 < len(full):
            continue
        single = [text for text in commas if text.count(",") == 1]
        grouped = all(GROUPED.fullmatch(text) for text in single)
        if single and (not grouped or (separator == ";" and len(single) == len(commas))):
            found = True
        else:
            return "."
    return "," if found else usual
