"""What a column is, told from its different texts; and its values as numbers by what was found.

Shapes: n cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..table import Cells

DECLARED = ("number", "category", "date", "duration")
"""What a user may say that a column is (besides leaving it out)."""


class Understanding(NamedTuple):
    """What a column is.

    `reads`: "number", "moment" (a date or a time of a date, in seconds since 1970, UTC), "duration" (and times of day,
    in seconds), "flag" (two texts that mean true and false) or "category".

    `form`: how the texts of a number or date are read: "" for plain numbers and for cells that are no texts; for
    numbers in other dress how 1234.5 would be written, such as "$1,234.5", "1.234,5", "1234.5 kg", "1234.5%";
    "iso" or a pattern such as "%d.%m.%Y" for dates.

    `missing`: the texts that were taken for a missing value (NA, ?, ...), each with its number of cells.

    `bad`: texts that cannot be read and count as missing, few among many dates (0000-00-00), each with the position
    of its first cell.

    `stray`: the text, with the position of its first cell, that is no number (or date) where most others are: the
    column cannot be used before somebody says what it is; None where there is none.
    """

    reads: str
    form: str = ""
    missing: Mapping[str, int] = {}
    bad: Mapping[str, int] = {}
    stray: tuple[str, int] | None = None


def understand(cells: Cells, decimal: str = ".", declared: str | None = None) -> Understanding:
    """Return what a column is; `declared` is one of DECLARED, `decimal` the mark that its file uses where it is known.

    Texts with leading zeros (01, 007) and versions (3.1 beside 2.7.1) are categories, and stay different.
    """
    raise NotImplementedError


def read_values(cells: Cells, reads: str, form: str = "") -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the cells as numbers (n,), NaN where missing, and which of them hold something that cannot be read, (n,).

    `reads` is "number", "moment" or "duration" ("flag" and "category" have no values). A missing mark counts as
    missing in all of them, whether training had it or not. Booleans are 1 and 0 as numbers.
    """
    raise NotImplementedError
