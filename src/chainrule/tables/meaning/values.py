"""Cells as numbers, by what was found out about their column.

Shapes: n cells, l different texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table import Cells
from .flags import flag_value
from .marks import marked
from .moments import DECLARED_FORMS, read_durations, read_moments
from .numbers import PLAIN, NumberForm
from .texts import Mask, Values


def durations_of(levels: Sequence[str], form: str) -> Values:
    """Return durations in seconds; with the form "%s" plain numbers are seconds."""
    values = read_durations(levels, form)
    return np.where(np.isnan(values), PLAIN.read(levels), values) if form == "%s" else values


def read_values(cells: Cells, reads: str, form: str = "") -> tuple[Values, Mask]:
    """Return the cells as numbers (n,), NaN where missing, and which of them hold something that cannot be read, (n,).

    `reads` is "number", "moment", "duration" or "flag" (1 and 0). A missing mark counts as missing in all of them,
    whether training had it or not. Booleans are 1 and 0 as numbers; numbers without a unit are read in every form.

    >>> from chainrule.tables.table import text_cells
    >>> values, unread = read_values(text_cells(["$1,200", "?", "many"]), "number", "$1,234.5")
    >>> values.tolist(), unread.tolist()
    ([1200.0, nan, nan], [False, False, True])
    """
    if not cells.has_levels:
        values = _native_values(cells, reads, form)
        return values, np.isnan(values) & ~cells.absent()
    codes = cells.values
    levels = cells.levels
    if len(codes) < len(levels):
        used, codes = np.unique(codes, return_inverse=True)
        levels = [levels[k] if k >= 0 else "" for k in used.tolist()]
    values = level_values(levels, reads, form)
    unread = np.isnan(values)
    unread &= ~missing_among(levels, unread, NumberForm.parse(form) if reads == "number" else PLAIN)
    return np.append(values, np.nan)[codes], np.append(unread, False)[codes]


def level_values(levels: Sequence[str], reads: str, form: str) -> Values:
    """Return texts as numbers, (l,); NaN where one cannot be read."""
    if reads == "number":
        number = NumberForm.parse(form)
        values = number.read(levels)
        rest = np.flatnonzero(np.isnan(values))
        if number.has_sign and len(rest):
            values[rest] = number.bare.read([levels[k] for k in rest.tolist()])
        return values
    if reads == "moment":
        return read_moments(levels, form or "iso")[0]
    if reads == "duration":
        return durations_of(levels, form)
    flags = {True: 1.0, False: 0.0, None: np.nan}
    return np.array([flags[flag_value(text)] for text in levels], float)


def _native_values(cells: Cells, reads: str, form: str = "") -> Values:
    """Return cells that are no texts as numbers; NaN where they are of another kind."""
    values: NDArray[Any] = cells.values
    if cells.kind == "moment" and reads == "moment":
        return np.where(np.isnat(values), np.nan, values.astype("M8[us]").astype(np.int64) / 1e6)
    if cells.kind == "duration" and reads == "duration":
        return np.where(np.isnat(values), np.nan, values.astype("m8[us]").astype(np.int64) / 1e6)
    if cells.kind not in ("number", "boolean"):
        return np.full(len(cells), np.nan)
    plain = np.where(cells.absent(), np.nan, values.astype(np.float64))
    if reads == "number" or (reads == "duration" and form == "%s"):
        return plain
    if reads == "flag":
        return np.where((plain == 0) | (plain == 1), plain, np.nan)
    if form not in DECLARED_FORMS:
        return np.full(len(cells), np.nan)
    return read_values(written_numbers(cells), reads, form)[0]


def written_numbers(cells: Cells) -> Cells:
    """Return numbers as texts: 20200131 may be a date."""
    present, codes = np.unique(_native_values(cells, "number"), return_inverse=True)
    texts = [f"{value:.0f}" if value.is_integer() else str(value) for value in present.tolist()]
    gone = np.isnan(present)  # the last one, if any
    return Cells("text", np.where(gone[codes], -1, codes).astype(np.int32), texts)


def missing_among(levels: Sequence[str], unread: Mask, form: NumberForm = PLAIN) -> Mask:
    """Return which of the unread texts stand for a missing value, with a unit or without."""
    missing = np.zeros(len(unread), bool)
    places = np.flatnonzero(unread).tolist()
    missing[places] = marked([form.undressed(levels[k]) if form.has_sign else levels[k] for k in places])
    return missing
