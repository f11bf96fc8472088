"""The values of one column of a table: as float64, with an error or a note where one cannot be used.

Shapes: n rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..foundation.words import listed, quoted
from .meaning import Understanding, read_values
from .table import EXACT, Cells, Table, TableError
from .texts import WHOLE


class Reading(NamedTuple):
    """The words for one kind of value that becomes a number."""

    article: str
    noun: str
    unit: str


READINGS: Mapping[str, Reading] = {
    "number": Reading("a number", "number", ""),
    "moment": Reading("a date or time", "date", ", in seconds since 1970"),
    "duration": Reading("a duration", "duration", ", in seconds"),
}


@dataclass(frozen=True)
class Given:
    """A column of a table, and the notes on it: `say` adds one."""

    name: str
    table: Table
    notes: list[str] = field(default_factory=list)

    @property
    def cells(self) -> Cells:
        """The cells (n,)."""
        cells: Cells = self.table[self.name]
        return cells

    def row(self, position: int) -> int:
        """Return the place of a row in the file, from 1."""
        return self.table.row_number(int(position))

    def say(self, text: str) -> None:
        """Add a note on the column."""
        self.notes.append(f"column {self.name!r}: {text}")


def row_count(count: int) -> str:
    """Return a number of rows, in words."""
    return "1 row" if count == 1 else f"{count} rows"


def texts_in(marks: Sequence[str]) -> str:
    """Return the texts that count as missing in brackets, "" for none."""
    return f" ({listed(marks, most=4)})" if marks else ""


def as_numbers(cells: Cells, reads: str, form: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return cells as `read_values` does, times with the last bit that version 0.1 gave them.

    There a time was its microseconds times the float nearest to 10^-6, one of a clock its nanoseconds times that
    nearest to 10^-9, and model files remember such numbers.
    """
    values, strange = read_values(cells, reads, form)
    if cells.values.dtype == np.dtype("m8[ns]"):
        return np.where(np.isnan(values), np.nan, cells.values.astype(np.int64) * (1 / 1e9)), strange
    if reads == "number" or cells.kind == "number" or form == "%s":
        return values, strange
    return np.rint(values * 1e6) * (1 / 1e6), strange


def standardised(values: NDArray[np.float64], mean: Any, std: Any) -> NDArray[np.float64]:
    """Return (x - mean) / std, computed in halves: the difference of two huge numbers stays finite."""
    with np.errstate(over="ignore"):
        scaled: NDArray[np.float64] = 2 * ((0.5 * values - 0.5 * mean) / std)
    return scaled


def without_origin(cells: Cells, origin: int) -> NDArray[np.float64]:
    """Return numbers (n,) less a whole number, NaN where missing; integers are subtracted as integers."""
    if cells.values.dtype == np.float64:
        return cells.values - origin if origin else cells.values
    exact = cells.values.astype(object) - origin if origin else cells.values
    values: NDArray[np.float64] = exact.astype(np.float64)
    values[cells.absent()] = np.nan
    return values


def whole_levels(cells: Cells) -> dict[int, int]:
    """Return the integers that the texts of a column write, by the place of the level; none where all fit a float64.

    Texts are integers of more than 64 bits, and smaller ones beside a missing mark.
    """
    if not cells.has_levels:
        return {}
    used = np.unique(cells.values[cells.values >= 0]).tolist()
    found = {k: int(cells.levels[k]) for k in used if WHOLE.fullmatch(cells.levels[k].strip())}
    return found if any(abs(value) > EXACT for value in found.values()) else {}


def with_exact(values: NDArray[np.float64], cells: Cells, whole: Mapping[int, int], origin: int) -> NDArray[np.float64]:
    """Return numbers less a whole number; it is taken off exactly from those levels that are `whole_levels`."""
    rest = values - origin
    exact = np.full(len(cells.levels) + 1, np.nan)
    for place, value in whole.items():
        exact[place] = float(value - origin)
    known = exact[cells.values]
    return np.where(np.isnan(known), rest, known)


def check_finite(given: Given, values: NDArray[np.float64]) -> None:
    """Raise TableError where a value is infinite."""
    infinite = np.isinf(values)
    if infinite.any():
        row = given.row(int(np.argmax(infinite)))
        raise TableError(f"column {given.name!r}: the value in row {row} is infinite; empty the cell if it is missing")


def note_bad(given: Given, found: Understanding) -> None:
    """Say which texts cannot be read and count as missing."""
    if found.bad:
        texts = ", ".join(f"{quoted(text)} in row {given.row(at)}" for text, at in [*found.bad.items()][:4])
        more = f" and {len(found.bad) - 4} more" if len(found.bad) > 4 else ""
        given.say(f"{texts}{more} cannot be read as {READINGS[found.reads].article} and counts as missing")
