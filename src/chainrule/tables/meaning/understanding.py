"""The meaning of a column, told from its different texts.

Shapes: n cells, l different texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..table import Cells
from . import moments
from .codes import code_among
from .flags import are_flags
from .marks import tidied
from .numbers import PLAIN, find_form, mixed_dress
from .texts import Mask, Texts, Values
from .values import level_values, missing_among, written_numbers

DECLARED = ("number", "category", "date", "duration")
"""The kinds that a user may declare a column to be (besides leaving it out)."""

STRAYS = 0.1
"""Up to this share of the cells, texts among numbers or dates are an error; with more, the column is a category."""

BAD_DATES = 0.05
"""Up to this share of the cells, days that do not exist are missing."""

THINGS = {"number": "numbers", "moment": "dates", "duration": "durations"}
"""The names of the values in notes."""

FEW = 20
"""A column with no more different numbers than this may be one of categories that happen to be numbers."""


class Understanding(NamedTuple):
    """The meaning of a column.

    `reads`: "number", "moment" (a date or a time of a date, in seconds since 1970, UTC), "duration" (and times of day,
    in seconds), "flag" (two texts that mean true and false) or "category".

    `form`: how the texts of a number or date are read: "" for plain numbers and for cells that are no texts; for
    numbers in other dress how 1234.5 would be written, such as "$1,234.5", "1.234,5", "1234.5 kg", "1234.5%";
    "iso" or a pattern such as "%d.%m.%Y" for dates (`moments.FORMS`); "%H:%M:%S" or "%M:%S" for durations; "%s" for
    plain numbers that were declared to be seconds.

    `missing`: the texts that were taken for a missing value (NA, ?, ...), each with its number of cells.

    `bad`: texts that cannot be read and count as missing, few among many dates (0000-00-00), each with the position
    of its first cell.

    `stray`: the text, with the position of its first cell, that is no number (or date) where most others are; None
    where there is none. The column cannot be used before somebody says what it is, unless it is a category of few
    different values (1, 2, 3+).

    `note`: what was guessed, or why a column that looks like numbers or dates is a category; "" where that is clear.
    """

    reads: str
    form: str = ""
    missing: Mapping[str, int] = {}
    bad: Mapping[str, int] = {}
    stray: tuple[str, int] | None = None
    note: str = ""


def understand(cells: Cells, decimal: str = ".", declared: str | None = None) -> Understanding:
    """Return the meaning of a column; `declared` is one of DECLARED, `decimal` the mark of its file, if known.

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
        return _category(texts)
    found = _as_moments(texts) or _as_durations(texts) or _as_numbers(texts, decimal)
    zone = "" if found else moments.unknown_zone(texts.sample)
    why = f"times in the zone {zone!r} are not read; offsets such as +01:00 are" if zone else ""
    return found or _category(texts, why)


def _native(cells: Cells, declared: str | None) -> Understanding:
    """Return the meaning of cells that are no texts."""
    reads = {"boolean": "flag"}.get(cells.kind, cells.kind)
    if declared == "category" or (declared == "number" and reads == "flag"):
        return Understanding(declared)
    if declared == "duration" and reads == "number":
        return Understanding("duration", "%s")
    if declared == "date" and reads == "number":
        return _declared(Texts.of(written_numbers(cells)), "date", ".")
    return Understanding(reads)


def _judged(
    texts: Texts, values: Values, reads: str, form: str, excused: Mask | None = None, note: str = ""
) -> Understanding | None:
    """Return the verdict on texts of which some can be read: use them, an error, a category with a note; else None.

    `excused` texts that cannot be read are missing, where they are few.
    """
    unread = np.isnan(values)
    verdict = Understanding(reads, form, texts.missing, note=note)
    if not unread.any():
        return verdict
    bad = unread & excused if excused is not None else np.zeros_like(unread)
    stray = unread & ~bad
    if not stray.any() and texts.share(bad) <= BAD_DATES:
        return verdict._replace(bad=texts.first(bad))
    if len(np.unique(values[~unread])) <= FEW:
        if reads != "number" or not stray.any() or texts.share(unread) > STRAYS:
            return None
        odd, _ = texts.earliest(stray)
        few = _category(texts, f"most values are numbers, {odd!r} is not")
        return few._replace(stray=texts.earliest(stray))
    if stray.any() and texts.share(unread) <= STRAYS:
        return verdict._replace(bad=texts.first(bad), stray=texts.earliest(stray))
    share, (text, _) = texts.share(~unread), texts.earliest(unread)
    return _category(texts, f"{share:.0%} of the values are {THINGS[reads]}, {text!r} is not") if share > 0.5 else None


def _category(texts: Texts, note: str = "") -> Understanding:
    return Understanding("category", "", texts.missing, note=note)


def _as_numbers(texts: Texts, decimal: str) -> Understanding | None:
    form = find_form(texts.sample, decimal)
    if form is None:
        return None
    values = form.read(texts.all)
    gone = missing_among(texts.all, np.isnan(values), form)
    texts, values = (texts.without(gone), values[~gone]) if gone.any() else (texts, values)
    read = texts.where(~np.isnan(values))
    many = len(texts.all) > FEW
    if not form.has_sign and (code := code_among(read)):
        known = many and texts.share(~np.isnan(values)) > 0.5
        return _category(texts, f"texts such as {code!r} are codes, not numbers" if known else "")
    verdict = _judged(texts, values, "number", str(form))
    if many and (verdict is None or verdict.reads != "number") and (mixed := mixed_dress(texts.sample)):
        return _category(texts, f"numbers with different units: {mixed}")
    return verdict


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
    read = {form: moments.read_moments(texts.sample, form)[0] for form in alive}
    fits = {form: np.count_nonzero(~np.isnan(values)) for form, values in read.items()}
    if not any(fits.values()):
        return None
    form = max(fits, key=lambda form: fits[form] / (1 + (form == "%s")))  # every 20200131 is a number of seconds too
    for rival in alive:  # 20-01-31: days that are read as years lie decades apart
        if rival.startswith("%y") and fits[rival] == fits[form] and _spread(read[rival]) < _spread(read[form]):
            form = rival
    best = Dates(form, *moments.read_moments(texts.all, form))
    other = moments.OTHER_ORDER.get(form, "")
    return best if other not in forms else _ordered(texts, best, Dates(other, *moments.read_moments(texts.all, other)))


def _spread(values: Values) -> float:
    return float(np.nanmax(values) - np.nanmin(values))


def _ordered(texts: Texts, best: Dates, other: Dates) -> Dates:
    """Return the dates in the order of day and month that fits more of them, with a note where both fit as well."""
    read, others = ~np.isnan(best.values), ~np.isnan(other.values)
    if texts.share(others) > texts.share(read):
        return _ordered(texts, other, best)
    # A date of the other order is a contradiction, not a slip.
    best = best._replace(shaped=best.shaped & ~others)
    if (read != others).any() or (best.values == other.values)[read].all() or "." in best.form:
        return best
    first = "month" if best.form.startswith("%m") else "day"
    return best._replace(note=f"no date tells whether days or months stand first: read {first} first, {best.form}")


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
    form = moments.duration_form(texts.sample)
    note = "2:03 stands beside 1:02:03: read as minutes and seconds" if form == "%M:%S" else ""
    return _judged(texts, moments.read_durations(texts.all, form), "duration", form, note=note)


def _declared(texts: Texts, declared: str, decimal: str) -> Understanding:
    """Return a column as its user says it is: numbers that cannot be read are strays, dates that cannot be are bad."""
    if declared == "number":
        form = find_form(texts.sample, decimal) or PLAIN
        reads, shown, values = "number", str(form), level_values(texts.all, "number", str(form))
        gone = missing_among(texts.all, np.isnan(values), form)
        texts, values = texts.without(gone), values[~gone]
    elif declared == "duration":
        reads, shown, values = "duration", "%s", level_values(texts.all, "duration", "%s")
    else:
        dates = _dates(texts, (*moments.FORMS, *moments.DECLARED_FORMS))
        reads, shown = "moment", dates.form if dates else "iso"
        values = level_values(texts.all, reads, shown)
    unread = np.isnan(values)
    verdict = Understanding(reads, shown, texts.missing)
    if unread.any() and (declared == "number" or unread.all()):
        return verdict._replace(stray=texts.earliest(unread))
    return verdict._replace(bad=texts.first(unread))
