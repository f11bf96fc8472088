"""One small frozen record per column: the inputs that it becomes, learned once and followed ever after.

Each record fills its columns of the matrix, describes itself, and is plain JSON and back. Plain numbers, of which
there may be thousands, are filled as one block (`numbers`) by the same formula.

Shapes: n rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..foundation.words import listed, quoted
from .levels import Levels, shortest, values_of
from .meaning import understand
from .meaning.flags import flag_value
from .meaning.marks import is_mark
from .meaning.numbers import NumberForm
from .table import TableError
from .texts import WHOLE
from .values import (
    READINGS,
    Given,
    as_numbers,
    check_finite,
    note_bad,
    row_count,
    standardised,
    texts_in,
    whole_levels,
    with_exact,
    without_origin,
)

Matrix = NDArray[Any]

UNSEEN, FEWEST = 0.5, 5
"""A larger share of values never seen in training is worth a note, where there are at least so many values."""


class Rules(NamedTuple):
    """When a level is too rare for a column of its own, and how many levels a column may have."""

    rare_below: int
    max_levels: int


@dataclass(frozen=True)
class InputColumn:
    """One column of the matrix, an input of the network: its name, the column of the table it comes from, its kind.

    The kind is how its number is read ("number", "moment" or "duration"), or what a 1 in it stands for: "level", one
    `level` of a category; "rare", any level too rare for a column of its own; "missing", no value.
    """

    name: str
    column: str
    kind: str
    level: str | None = None


@dataclass(frozen=True)
class DroppedColumn:
    """A column that is left out, and why. New tables need not have it."""

    name: str
    why: str

    @property
    def inputs(self) -> list[InputColumn]:
        """The columns of the matrix: none."""
        return []

    def write(self, given: Given, out: Matrix) -> None:
        """Leave out, of shape (n, 0), as it is."""

    def describe(self) -> str:
        """Return the column's treatment, in words."""
        return f"dropped: {self.why}"


DECLARED_AS: Mapping[str, str] = {"number": "number", "moment": "date", "duration": "duration"}
"""The user's word for a column that is read as such."""


@dataclass(frozen=True)
class NumberColumn:
    """A number x, as (x - mean) / std over the training rows; missing: 0, the mean, and an indicator.

    `missing` counts the missing training rows; the indicator exists where there were any. `std` is 0 where
    the present values were all equal; then only the indicator is left. `form` says how the texts are read (see
    `meaning.Understanding`), `marks` lists those that counted as missing in training, `bad` those that could not be
    read and did so too. `origin` writes a whole number that is taken off first: integers beyond 2^53 stay exact.
    """

    name: str
    reads: str
    mean: float
    std: float
    missing: int
    form: str = ""
    marks: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    origin: str = ""

    def __post_init__(self) -> None:
        if self.reads not in READINGS:
            raise ValueError(f"'reads' must be one of {listed(READINGS)}, got {self.reads!r}")
        if self.std < 0:
            raise ValueError(f"'std' must not be negative, got {self.std!r}")
        if self.origin and not WHOLE.fullmatch(self.origin):
            raise ValueError(f"'origin' must be a whole number, got {self.origin!r}")

    @property
    def inputs(self) -> list[InputColumn]:
        """The columns of the matrix."""
        value = InputColumn(self.name, self.name, self.reads)
        absent = InputColumn(f"{self.name}=missing", self.name, "missing")
        return [value] * (self.std > 0) + [absent] * (self.missing > 0)

    @property
    def is_flag(self) -> bool:
        """True where training had only 0 and 1: no other numbers have this mean and deviation together."""
        return self.reads == "number" and 0 <= self.mean <= 1 and abs(self.std**2 - self.mean * (1 - self.mean)) < 1e-12

    def write(self, given: Given, out: Matrix) -> None:
        """Fill out, of shape (n, inputs); TableError for a value that is not a finite number."""
        values = self.values(given)
        absent = np.isnan(values)
        if self.missing:
            out[:, -1] = absent
        if self.std > 0:
            scaled = standardised(values, self.mean, self.std).astype(out.dtype)
            scaled[absent] = 0
            if not np.isfinite(scaled).all():
                raise self.too_far(given, int(np.argmin(np.isfinite(scaled))), values)
            out[:, 0] = scaled

    @property
    def _origin(self) -> int:
        return int(self.origin or 0)

    def values(self, given: Given) -> NDArray[np.float64]:
        """Return the column as float64 (n,), NaN where missing, `origin` taken off.

        Raises TableError for the first value that cannot be read, and for one that is infinite.
        """
        cells = given.cells
        if self.reads == "number" and cells.kind == "number":
            values = without_origin(cells, self._origin)
        else:
            values, strange = as_numbers(cells, self.reads, self.form)
            if strange.any():
                values, strange = self._read_otherwise(given, values, strange)
            if strange.any():
                raise self.unreadable(given, int(np.argmax(strange)))
            if self.origin:
                values = with_exact(values, cells, whole_levels(cells), self._origin)
        check_finite(given, values)
        return values

    def _read_otherwise(
        self, given: Given, values: NDArray[np.float64], strange: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return values and what cannot be read, after flags, known bad texts, and another form of the same kind."""
        cells = given.cells
        if cells.has_levels:
            flags = [flag_value(level) if self.is_flag else None for level in cells.levels]
            known = np.array([flag is not None for flag in flags]) | np.isin(cells.levels, self.bad)
            meant = np.array([np.nan if flag is None else float(flag) for flag in flags])
            there = strange & known[cells.values]
            values, strange = np.where(there, meant[cells.values], values), strange & ~there
        if not strange.any():
            return values, strange
        as_trained = DECLARED_AS[self.reads] if cells.kind == "category" else None
        found = understand(cells, given.table.decimal, as_trained)
        if found.reads != self.reads or found.stray is not None or self._has_another_unit(found.form):
            return values, strange
        values, strange = as_numbers(cells, self.reads, found.form)
        if cells.has_levels:
            strange &= ~np.array([level in found.bad for level in cells.levels])[cells.values]
        noun = READINGS[self.reads].noun
        if found.form != self.form and (self.form or self.reads == "number"):
            was = f"{self.form}" if self.form else "plain"
            given.say(f"the {noun}s are read as {found.form or 'plain'}, in training they were {was}")
        note_bad(given, found)
        return values, strange

    def _has_another_unit(self, form: str) -> bool:
        """Return True where numbers bear another unit or currency than in training."""
        if self.reads != "number":
            return False
        ours, theirs = NumberForm.parse(self.form), NumberForm.parse(form)
        return ours.has_sign and theirs.has_sign and (ours.prefix, ours.suffix) != (theirs.prefix, theirs.suffix)

    @property
    def is_marked_by_commas(self) -> bool:
        """True where the texts of training had decimal commas, so that 1.234 is 1234."""
        return self.reads == "number" and NumberForm.parse(self.form).decimal == ","

    def unreadable(self, given: Given, position: int) -> TableError:
        """Return the error for a cell that is no such value."""
        article = READINGS[self.reads].article
        written = f", written as {self.form}," if self.form and self.form != "iso" else ""
        text, row = quoted(shortest(given.cells, position)), given.row(position)
        return TableError(
            f"column {self.name!r}: {text} in row {row} is not {article}"
            f" (it was {article}{written} when the model was trained); empty the cell if it is missing"
        )

    def too_far(self, given: Given, position: int, values: NDArray[np.float64]) -> TableError:
        """Return the error for a number that cannot be standardised."""
        value, mean = values[position] + self._origin, self.mean + self._origin
        row = given.row(position)
        return TableError(f"column {self.name!r}: {value} in row {row} is too far from the training mean {mean}")

    def describe(self) -> str:
        """Return the column's treatment, in words."""
        noun, unit = READINGS[self.reads][1:]
        form = f" written as {self.form}" * bool(self.form and self.form != "iso")
        mean = self.mean + self._origin
        shift = f"{'+' if mean < 0 else '-'} {abs(mean):.6g}"
        scaled = f" -> (x {shift}) / {self.std:.6g}" if self.std > 0 else ", constant where present"
        texts = texts_in((*self.marks, *self.bad))
        missing = f"; missing in {row_count(self.missing)}{texts} -> the mean, and an indicator" * bool(self.missing)
        return f"{noun}{form}{unit}{scaled}{missing}"


@dataclass(frozen=True)
class CategoryColumn:
    """A text, category or boolean, as one column of 0 and 1 per level, sorted by name.

    `counts` are the training rows per level, `rare` those pooled in one column for rare levels, `missing`
    those without a value; the last two have a column where they are not 0. A level never seen counts as rare,
    or is all zeros where none was. A missing value where training had none becomes the mean of the training
    rows, as for numbers: the share of each level. `stray` is the one value that kept a column of numbers from
    being read as such. `takes_marks`: texts such as NA and ? count as missing (files of 0.1 kept them as levels);
    `marks` are those that training had.
    """

    name: str
    levels: tuple[str, ...]
    counts: tuple[int, ...]
    rare: int
    missing: int
    stray: str = ""
    takes_marks: bool = False
    marks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.levels)) != len(self.levels) or len(self.counts) != len(self.levels):
            raise ValueError("'levels' must be unique, with one of 'counts' each")
        if sum(self.counts) + self.rare < 1:
            raise ValueError("'counts' and 'rare' must not all be 0")

    @property
    def inputs(self) -> list[InputColumn]:
        """The columns of the matrix."""
        levels = [InputColumn(f"{self.name}={level}", self.name, "level", level) for level in self.levels]
        pooled = {"rare": self.rare, "missing": self.missing}
        others = [InputColumn(f"{self.name}=({kind})", self.name, kind) for kind, rows in pooled.items() if rows]
        return levels + others

    def write(self, given: Given, out: Matrix) -> None:
        """Fill out, of shape (n, inputs), zero on entry."""
        values, places = values_of(given.cells)
        levels = Levels(self.levels)
        found = np.array([levels.find(texts) for texts in values] + [-1], np.intp)
        marked = [self.takes_marks and k < 0 and is_mark(v[0]) for v, k in zip(values, found, strict=False)]
        absent = np.array([*marked, True], bool)[places]
        code, unseen = found[places], (found[places] < 0) & ~absent
        rows = np.flatnonzero(code >= 0)
        out[rows, code[rows]] = 1
        if self.rare:
            out[unseen, len(self.levels)] = 1
        if self.missing:
            out[absent, -1] = 1
        else:
            counts = np.array([*self.counts, *[self.rare] * (self.rare > 0)], float)
            out[absent] = counts / counts.sum()
        self._note_unseen(given, unseen, int((~absent).sum()))
        if given.cells.kind == "number" and (several := [t[0] for t in values if levels.share(t[0])]):
            same = listed(levels.share(several[0]))
            given.say(f"the number {several[0]} may be any of the levels {same}; give the column as texts")

    def _note_unseen(self, given: Given, unseen: NDArray[np.bool_], present: int) -> None:
        """Say where most values are none of the levels: training's own share of rare ones is expected."""
        count, rare = int(unseen.sum()), self.rare / (self.rare + sum(self.counts))
        if present >= FEWEST and count > max(UNSEEN, 2 * rare) * present:
            first = quoted(shortest(given.cells, int(np.argmax(unseen))))
            known = listed(self.levels, most=4) or "rare ones only"
            given.say(f"{count} of {present} values, such as {first}, were never seen in training, which knew {known}")

    def describe(self) -> str:
        """Return the column's treatment, in words."""
        rare = f" + (rare) in {row_count(self.rare)}" * bool(self.rare)
        missing = f" + (missing) in {row_count(self.missing)}{texts_in(self.marks)}" * bool(self.missing)
        stray = f"; numbers but for {quoted(self.stray)}" * bool(self.stray)
        levels = f"{len(self.levels)} level{'s' * (len(self.levels) != 1)}"
        return f"category -> {levels}{rare}{missing}{stray}"


Column: TypeAlias = DroppedColumn | NumberColumn | CategoryColumn
