"""What a column is, told from its different texts; and its values as numbers by what was found.

Shapes: n cells, l different texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..table import Cells
from . import moments
from .codes import are_codes
from .flags import are_flags, flag_value
from .marks import marked
from .numbers import NumberForm, find_form, mixed_dress

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

DECLARED = ("number", "category", "date", "duration")
"""What a user may say that a column is (besides leaving it out)."""

STRAYS = 0.1
"""Up to this share of the cells, texts among numbers or dates are an error; with more, the column is a category."""

BAD_DATES = 0.05
"""Up to this share of the cells, days that do not exist are missing."""

FEW = 20
"""A column with no more different numbers than this may be one of categories that happen to be numbers."""

SAMPLE = 400
"""The forms that fit best are chosen on about as many different texts."""


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

    `note`: what was guessed, or why a column that looks like numbers or dates is a category; "" where that is clear.
    """

    reads: str
    form: str = ""
    missing: Mapping[str, int] = {}
    bad: Mapping[str, int] = {}
    stray: tuple[str, int] | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Texts:
    """The different texts of a column that have cells and are no missing marks, (l,)."""

    cells: Cells

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """The cells of each level."""
        codes = self.cells.values
        return np.bincount(codes[codes >= 0], minlength=len(self.cells.levels))

    @cached_property
    def marks(self) -> Mask:
        """The levels that are missing marks."""
        return marked(self.cells.levels)

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """The places of the texts among the levels."""
        return np.flatnonzero((self.counts > 0) & ~self.marks)

    @cached_property
    def all(self) -> Sequence[str]:
        """The texts."""
        levels = self.cells.levels
        return list(levels) if len(self.places) == len(levels) else [levels[k] for k in self.places]

    @cached_property
    def weights(self) -> NDArray[np.int64]:
        """The cells of each text."""
        return self.counts[self.places]

    @property
    def missing(self) -> dict[str, int]:
        """The missing marks, each with its number of cells."""
        return {self.cells.levels[k]: int(self.counts[k]) for k in np.flatnonzero(self.marks & (self.counts > 0))}

    @cached_property
    def sample(self) -> list[str]:
        """Some of the texts: the most frequent ones, and others at equal distances."""
        if len(self.all) <= SAMPLE:
            return list(self.all)
        often = np.argpartition(self.weights, -SAMPLE // 4)[-SAMPLE // 4 :]
        spread = np.linspace(0, len(self.all) - 1, SAMPLE).astype(int)
        return [self.all[k] for k in np.union1d(often, spread)]

    def share(self, chosen: Mask) -> float:
        """Return the share of the cells that some of the texts have."""
        return float(self.weights[chosen].sum() / self.weights.sum())

    def first(self, chosen: Mask) -> dict[str, int]:
        """Return some of the texts, each with the position of its first cell, in the order of the cells."""
        wanted = np.zeros(len(self.cells.levels) + 1, bool)
        wanted[self.places[chosen]] = True
        where = np.flatnonzero(wanted[self.cells.values])
        codes, at = np.unique(self.cells.values[where], return_index=True)
        order = np.argsort(at)
        return {self.cells.levels[codes[k]]: int(where[at[k]]) for k in order}


def understand(cells: Cells, decimal: str = ".", declared: str | None = None) -> Understanding:
    """Return what a column is; `declared` is one of DECLARED, `decimal` the mark that its file uses where it is known.

    Texts with leading zeros (01, 007) and versions (3.1 beside 2.7.1) are categories, and stay different.

    >>> from chainrule.tables.table import text_cells
    >>> understand(text_cells(["$1,200", "NA", "$950"]))[:3]
    ('number', '$1,234.5', {'NA': 1})
    """
    if declared not in (None, *DECLARED):
        raise ValueError(f"a column can be declared as {', '.join(DECLARED)}, got {declared!r}")
    if not cells.has_levels:
        return _native(cells, declared)
    texts = Texts(cells)
    if not len(texts.places) or declared == "category" or (cells.kind == "category" and not declared):
        reads = {"number": "number", "date": "moment", "duration": "duration"}.get(declared or "", "category")
        return Understanding(reads, "", texts.missing)
    if are_flags(texts.all) and not declared:
        return Understanding("flag", "", texts.missing)
    if declared == "number":
        return _declared_number(texts, decimal)
    if declared in ("date", "duration"):
        return _declared_time(texts, declared)
    found = _as_moments(texts) or _as_durations(texts) or _as_numbers(texts, decimal)
    return found or Understanding("category", "", texts.missing)


def _native(cells: Cells, declared: str | None) -> Understanding:
    """Return what cells are that are no texts."""
    reads = {"boolean": "flag"}.get(cells.kind, cells.kind)
    if declared == "category" or (declared == "number" and reads == "flag"):
        return Understanding(declared)
    if declared == "duration" and reads == "number":
        return Understanding("duration", "%s")
    if declared == "date" and reads == "number":
        values = read_values(cells, "number")[0]
        present = values[~np.isnan(values)]
        whole = [f"{value:.0f}" for value in np.unique(present)]
        return Understanding("moment", _declared_form(whole))
    return Understanding(reads)


def _judged(
    texts: Texts, values: Values, reads: str, form: str, excused: Mask | None = None, note: str = ""
) -> Understanding | None:
    """Return the verdict on texts of which some are read and others not: use them, an error, a category with a note.

    `excused` texts that cannot be read are missing, where they are few.
    """
    unread = np.isnan(values)
    excused = unread & excused if excused is not None else np.zeros_like(unread)
    stray = unread & ~excused
    if not unread.any():
        return Understanding(reads, form, texts.missing, note=note)
    different = len(np.unique(values[~unread]))
    if not stray.any() and texts.share(excused) <= BAD_DATES:
        return Understanding(reads, form, texts.missing, texts.first(excused), note=note)
    if different > FEW and stray.any() and texts.share(unread) <= STRAYS:
        bad = texts.first(excused) if excused.any() else {}
        return Understanding(reads, form, texts.missing, bad, next(iter(texts.first(stray).items())), note)
    if different > FEW and texts.share(~unread) > 0.5:
        text = next(iter(texts.first(unread)))
        things = {"number": "numbers", "moment": "dates", "duration": "durations"}[reads]
        why = f"{texts.share(~unread):.0%} of the values are {things}, others such as {text!r} are not"
        if reads == "number" and (mixed := mixed_dress(texts.sample)):
            why = f"numbers with different units: {mixed}"
        return Understanding("category", "", texts.missing, note=why)
    return None


def _as_numbers(texts: Texts, decimal: str) -> Understanding | None:
    form = find_form(texts.sample, decimal)
    if form is None:
        return None
    values = form.read(texts.all)
    verdict = _judged(texts, values, "number", str(form))
    if verdict is None or verdict.reads != "number":
        if len(texts.all) > FEW and (mixed := mixed_dress(texts.sample)):
            return Understanding("category", "", texts.missing, note=f"numbers with different units: {mixed}")
        return verdict
    read = [text for text, value in zip(texts.all, values, strict=True) if not np.isnan(value)]
    return None if not form.has_sign and are_codes(read) else verdict


def _moment_form(sample: Sequence[str], forms: Sequence[str]) -> str | None:
    """Return the form in which most texts of a sample are dates; None where none is one."""
    few = sample[:: max(1, len(sample) // 20)]
    alive = [form for form in forms if moments.read_moments(few, form)[1].any()]
    fits = {form: int((~np.isnan(moments.read_moments(sample, form)[0])).sum()) for form in alive}
    return max(fits, key=fits.__getitem__) if any(fits.values()) else None


def _as_moments(texts: Texts) -> Understanding | None:
    form = _moment_form(texts.sample, moments.FORMS)
    if form is None:
        return None
    values, shaped = moments.read_moments(texts.all, form)
    note = ""
    other = moments.OTHER_ORDER.get(form)
    if other in moments.FORMS:
        others = moments.read_moments(texts.all, other)[0]
        if texts.share(~np.isnan(others)) > texts.share(~np.isnan(values)):
            form, values, others = other, others, values
        shaped &= np.isnan(others)  # a day of the other order is a contradiction, not a slip
        if np.array_equal(np.isnan(values), np.isnan(others)) and "." not in form and (values != others).any():
            first = "month" if form.startswith("%m") else "day"
            note = f"no date tells whether the day or the month stands first: read {first} first, {form}"
    blank = np.array([not set(text) - set("09-/.: TZ") for text in texts.all])
    return _judged(texts, values, "moment", form, shaped | blank, note)


def _as_durations(texts: Texts) -> Understanding | None:
    few = texts.sample[:: max(1, len(texts.sample) // 20)]
    if np.isnan(moments.read_durations(few)).all():
        return None
    return _judged(texts, moments.read_durations(texts.all), "duration", "%H:%M:%S")


def _declared_number(texts: Texts, decimal: str) -> Understanding:
    form = find_form(texts.sample, decimal) or NumberForm()
    unread = np.isnan(form.read(texts.all))
    stray = next(iter(texts.first(unread).items())) if unread.any() else None
    return Understanding("number", str(form), texts.missing, {}, stray)


def _declared_form(sample: Sequence[str]) -> str:
    """Return the form in which most texts are dates, plain numbers among them."""
    return _moment_form(sample, (*moments.FORMS, *moments.DECLARED_FORMS)) or "iso"


def _declared_time(texts: Texts, declared: str) -> Understanding:
    if declared == "duration":
        reads, form, values = "duration", "%s", _durations(texts.all, "%s")
    else:
        reads, form = "moment", _declared_form(texts.sample)
        values = moments.read_moments(texts.all, form)[0]
    unread = np.isnan(values)
    if unread.all():
        return Understanding(reads, form, texts.missing, {}, next(iter(texts.first(unread).items())))
    return Understanding(reads, form, texts.missing, texts.first(unread))


def _durations(levels: Sequence[str], form: str) -> Values:
    """Return durations in seconds; with the form "%s" plain numbers are seconds."""
    values = moments.read_durations(levels)
    return np.where(np.isnan(values), NumberForm().read(levels), values) if form == "%s" else values


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
        levels = [levels[k] if k >= 0 else "" for k in used]
    values = _level_values(levels, reads, form)
    unread = np.isnan(values)
    unread[unread] = ~marked([levels[k] for k in np.flatnonzero(unread)])
    return np.append(values, np.nan)[codes], np.append(unread, False)[codes]


def _level_values(levels: Sequence[str], reads: str, form: str) -> Values:
    if reads == "number":
        number = NumberForm.parse(form)
        values = number.read(levels)
        rest = np.flatnonzero(np.isnan(values))
        if number.has_sign and len(rest):
            values[rest] = number.bare.read([levels[k] for k in rest])
        return values
    if reads == "moment":
        return moments.read_moments(levels, form or "iso")[0]
    if reads == "duration":
        return _durations(levels, form)
    flags = {True: 1.0, False: 0.0, None: np.nan}
    return np.array([flags[flag_value(text)] for text in levels], float)


def _native_values(cells: Cells, reads: str, form: str) -> Values:
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
    if form not in moments.DECLARED_FORMS:
        return np.full(len(cells), np.nan)
    present, places = np.unique(plain, return_inverse=True)
    texts = ["" if np.isnan(value) else f"{value:.0f}" if value.is_integer() else str(value) for value in present]
    return moments.read_moments(texts, form)[0][places]
