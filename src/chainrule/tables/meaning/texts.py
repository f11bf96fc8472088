"""The different texts of a column, each with its number of cells.

Shapes: n cells, l different texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..table import Cells
from .marks import marked

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

SAMPLE, FEW = 400, 24
"""The forms of numbers and dates are chosen on about as many different texts, of those that fit one of a few."""


@dataclass(frozen=True, eq=False)
class Texts:
    """The different texts of a column that have cells and are no missing marks, (l,); `marks` says which levels are."""

    cells: Cells
    marks: Mask

    @classmethod
    def of(cls, cells: Cells) -> Texts:
        """Return the texts of a column."""
        return cls(cells, marked(cells.levels))

    def without(self, chosen: Mask) -> Texts:
        """Return the texts without some, which are missing marks as well."""
        marks = self.marks.copy()
        marks[self.places[chosen]] = True
        return Texts(self.cells, marks)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """The cells of each level."""
        codes = self.cells.values
        return np.bincount(codes[codes >= 0], minlength=len(self.cells.levels))

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """The places of the texts among the levels."""
        return np.flatnonzero((self.counts > 0) & ~self.marks)

    @cached_property
    def all(self) -> Sequence[str]:
        """The texts."""
        levels = self.cells.levels
        return list(levels) if len(self.places) == len(levels) else [levels[k] for k in self.places.tolist()]

    @cached_property
    def weights(self) -> NDArray[np.int64]:
        """The cells of each text."""
        return self.counts[self.places]

    @property
    def missing(self) -> dict[str, int]:
        """The missing marks, each with its number of cells."""
        return {
            self.cells.levels[k]: int(self.counts[k]) for k in np.flatnonzero(self.marks & (self.counts > 0)).tolist()
        }

    def some(self, count: int) -> Sequence[str]:
        """Return about `count` of the texts: the most frequent ones, and others at equal distances."""
        if len(self.all) <= count:
            return self.all
        often = np.argpartition(self.weights, -(count // 4))[-(count // 4) :]
        spread = np.linspace(0, len(self.all) - 1, count - count // 4).astype(int)
        return [self.all[k] for k in np.union1d(often, spread).tolist()]

    @cached_property
    def sample(self) -> Sequence[str]:
        """Some of the texts, on which forms are chosen."""
        return self.some(SAMPLE)

    @cached_property
    def few(self) -> Sequence[str]:
        """A few of the texts, on which forms are refused."""
        return self.some(FEW)

    def where(self, chosen: Mask) -> Sequence[str]:
        """Return some of the texts."""
        return self.all if chosen.all() else [self.all[k] for k in np.flatnonzero(chosen).tolist()]

    def share(self, chosen: Mask) -> float:
        """Return the share of the cells that some of the texts have."""
        return float(self.weights[chosen].sum() / self.weights.sum())

    def first(self, chosen: Mask) -> dict[str, int]:
        """Return some of the texts, each with the position of its first cell, in the order of the cells."""
        wanted = np.zeros(len(self.cells.levels) + 1, bool)
        wanted[self.places[chosen]] = True
        where = np.flatnonzero(wanted[self.cells.values])
        codes, at = np.unique(self.cells.values[where], return_index=True)
        found = zip(at.tolist(), codes.tolist(), strict=True)
        return {self.cells.levels[code]: int(where[first]) for first, code in sorted(found)}

    def earliest(self, chosen: Mask) -> tuple[str, int]:
        """Return the one of some texts that comes first, with the position of its first cell."""
        return next(iter(self.first(chosen).items()))
