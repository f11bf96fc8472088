"""What a column is, told from its different texts; and its values as numbers by what was found.

Shapes: n cells, l different texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..table import Cells
from . import moments
from .codes import code_among
from .flags import are_flags, flag_value
from .marks import marked, tidied
from .numbers import PLAIN, NumberForm, find_form, mixed_dress
from .texts import Mask, Texts, Values

DECLARED = ("number", "category", "date", "duration")
"""What a user may say that a column is (besides leaving it out)."""

STRAYS = 0.1
"""Up to this share of the cells, texts among numbers or dates are an error; with more, the column is a category."""

BAD_DATES = 0.05
"""Up to this share of the cells, days that do not exist are missing."""

FEW = 20
"""A column with no more different numbers than this may be one of categories that happen to be numbers."""


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
    texts = Texts.of(cells)
    if not len(texts.places) or declared == "category" or (cells.kind == "category" and not declared):
        reads = {"number": "number", "date": "moment", "duration": "duration"}.get(declared or "", "category")
        return Understanding(reads, "", texts.missing)
    if are_flags(texts.all) and not declared:
        return Understanding("flag", "", texts.missing)
    if declared:
        return _declared(texts, declared, decimal)
    if not any(any(map(str.isdigit, text)) for text in texts.few):
        return Understanding("category", "", texts.missing)
    found = _as_moments(texts) or _as_durations(texts) or _as_numbers(texts, decimal)
    if found:
        return found
    zone = moments.unknown_zone(texts.sample)
    why = f"times in the zone {zone!r} are not read; offsets such as +01:00 are" if zone else ""
    return Understanding("category", "", texts.missing, note=why)


def _native(cells: Cells, declared: str | None) -> Understanding:
    """Return what cells are that are no texts."""
    reads = {"boolean": "flag"}.get(cells.kind, cells.kind)
    if declared == "category" or (declared == "number" and reads == "flag"):
        return Understanding(declared)
    if declared == "duration" and reads == "number":
        return Understanding("duration", "%s")
    if declared == "date" and reads == "number":
        return _declared(Texts.of(_written(cells)), "date", ".")
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
        return Understanding("category", "", texts.missing, note=why)
    return None


def _as_numbers(texts: Texts, decimal: str) -> Understanding | None:
    form = find_form(texts.sample, decimal)
    if form is None:
        return None
    values = form.read(texts.all)
    gone = _missing(texts.all, np.isnan(values), form)
    texts, values = (texts.without(gone), values[~gone]) if gone.any() else (texts, values)
    read = texts.where(~np.isnan(values))
    code = "" if form.has_sign else code_among(read)
    if code:
        why = f"texts such as {code!r} are codes, not numbers" if len(read) > FEW else ""
        return Understanding("category", "", texts.missing, note=why)
    verdict = _judged(texts, values, "number", str(form))
    if len(texts.all) > FEW and (verdict is None or verdict.reads != "number") and (mixed := mixed_dress(texts.sample)):
        return Understanding("category", "", texts.missing, note=f"numbers with different units: {mixed}")
    return verdict


def _missing(levels: Sequence[str], unread: Mask, form: NumberForm = PLAIN) -> Mask:
    """Return which of the unread texts stand for a missing value, with a unit or without."""
    missing = np.zeros(len(unread), bool)
    places = np.flatnonzero(unread).tolist()
    missing[places] = marked([form.undressed(levels[k]) if form.has_sign else levels[k] for k in places])
    return missing


class Dates(NamedTuple):
    """Texts as dates in the form that fits best: seconds (l,), NaN for no date; which are of the form's shape, (l,)."""

    form: str
    values: Values
    shaped: Mask
    note: str = ""


def _dates(texts: Texts, forms: Sequence[str]) -> Dates | None:
    """Return the texts as dates; None where none is one."""
    few = [tidied(text).strip() for text in texts.few]
    alive = [form for form in forms if form == "%s" or moments.may_be(few, form)]
    fits = {form: np.count_nonzero(~np.isnan(moments.read_moments(texts.sample, form)[0])) for form in alive}
    if not any(fits.values()):
        return None
    form = max(fits, key=lambda form: fits[form] / (1 + (form == "%s")))  # every 20200131 is a number of seconds too
    best = Dates(form, *moments.read_moments(texts.all, form))
    other = moments.OTHER_ORDER.get(form, "")
    return best if other not in forms else _ordered(texts, best, Dates(other, *moments.read_moments(texts.all, other)))


def _ordered(texts: Texts, best: Dates, other: Dates) -> Dates:
    """Return the dates of the two, day first and month first, that more texts are; by a note where none tells."""
    if texts.share(~np.isnan(other.values)) > texts.share(~np.isnan(best.values)):
        best, other = other, best
    both = ~np.isnan(best.values) & ~np.isnan(other.values)
    undecided = (
        np.array_equal(np.isnan(best.values), np.isnan(other.values)) and (best.values != other.values)[both].any()
    )
    first = "month" if best.form.startswith("%m") else "day"
    note = f"no date tells whether days or months stand first: read with the {first} first, {best.form}"
    shaped = best.shaped & np.isnan(other.values)  # a date of the other order is a contradiction, not a slip
    return Dates(best.form, best.values, shaped, note if undecided and "." not in best.form else "")


def _as_moments(texts: Texts) -> Understanding | None:
    dates = _dates(texts, moments.FORMS)
    if dates is None:
        return None
    excused = dates.shaped.copy()
    for k in np.flatnonzero(~dates.shaped).tolist():
        excused[k] = set(texts.all[k]) <= set("09-/.: TZ")
    return _judged(texts, dates.values, "moment", dates.form, excused, dates.note)


def _as_durations(texts: Texts) -> Understanding | None:
    if np.isnan(moments.read_durations(texts.few)).all():
        return None
    return _judged(texts, moments.read_durations(texts.all), "duration", "%H:%M:%S")


def _declared(texts: Texts, declared: str, decimal: str) -> Understanding:
    """Return a column as its user says it is: numbers that cannot be read are strays, dates that cannot be are bad."""
    if declared == "number":
        form = find_form(texts.sample, decimal) or PLAIN
        reads, shown, values = "number", str(form), _level_values(texts.all, "number", str(form))
        gone = _missing(texts.all, np.isnan(values), form)
        texts, values = texts.without(gone), values[~gone]
    elif declared == "duration":
        reads, shown, values = "duration", "%s", _durations(texts.all, "%s")
    else:
        unread = np.full(len(texts.all), np.nan)
        dates = _dates(texts, (*moments.FORMS, *moments.DECLARED_FORMS)) or Dates("iso", unread, unread > 0)
        reads, shown, values = "moment", dates.form, dates.values
    unread = np.isnan(values)
    if unread.any() and (declared == "number" or unread.all()):
        return Understanding(reads, shown, texts.missing, {}, next(iter(texts.first(unread).items())))
    return Understanding(reads, shown, texts.missing, texts.first(unread))


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
        levels = [levels[k] if k >= 0 else "" for k in used.tolist()]
    values = _level_values(levels, reads, form)
    unread = np.isnan(values)
    unread &= ~_missing(levels, unread, NumberForm.parse(form) if reads == "number" else PLAIN)
    return np.append(values, np.nan)[codes], np.append(unread, False)[codes]


def _level_values(levels: Sequence[str], reads: str, form: str) -> Values:
    if reads == "number":
        number = NumberForm.parse(form)
        values = number.read(levels)
        rest = np.flatnonzero(np.isnan(values))
        if number.has_sign and len(rest):
            values[rest] = number.bare.read([levels[k] for k in rest.tolist()])
        return values
    if reads == "moment":
        return moments.read_moments(levels, form or "iso")[0]
    if reads == "duration":
        return _durations(levels, form)
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
    if form not in moments.DECLARED_FORMS:
        return np.full(len(cells), np.nan)
    return read_values(_written(cells), reads, form)[0]


def _written(cells: Cells) -> Cells:
    """Return numbers as texts: 20200131 may be a date."""
    present, codes = np.unique(_native_values(cells, "number"), return_inverse=True)
    texts = [f"{value:.0f}" if value.is_integer() else str(value) for value in present.tolist()]
    gone = np.isnan(present)  # the last one, if any
    return Cells("text", np.where(gone[codes], -1, codes).astype(np.int32), texts)
