"""Dates, times of dates, clock times and durations, as people write them.

A form of dates is "iso" or a pattern such as "%d.%m.%Y". In every form a time may follow (14:05, 2:05:07.25 PM), and a
zone (Z, UTC, GMT, +01:00); without one the time is UTC. A weekday may stand before.

Shapes: l different texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .marks import tidied

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

LINES = 4096
"""Texts that are read at once."""

MONTH_NAMES = (
    "jan january januar janvier janv enero ene gennaio gen janeiro januari",
    "feb february februar février févr fév febrero febbraio fevereiro fev februari",
    "mar march märz mär mrz mars marzo março maart mrt",
    "apr april avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei",
    "jun june juni juin junio giugno giu junho",
    "jul july juli juillet juil julio luglio lug julho",
    "aug august août aoû agosto ago augustus",
    "sep sept september septembre septiembre settembre set setembro",
    "oct october oktober okt octobre octubre ottobre ott outubro out",
    "nov november novembre noviembre novembro",
    "dec december dezember dez décembre déc diciembre dic dicembre dezembro",
)
"""The months' names, in small letters, in English, German, French, Spanish, Italian, Portuguese and Dutch."""

MONTHS = {name: str(number) for number, names in enumerate(MONTH_NAMES, 1) for name in names.split()}

FORMS = (
    "iso",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%m.%d.%Y",
    "%d %b %Y",
    "%b %d %Y",
    "%Y %b %d",
    "%d %b %y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d-%m-%y",
    "%m-%d-%y",
    "%d.%m.%y",
    "%y-%m-%d",
    "%y/%m/%d",
    "%Y-%m",
    "%Y/%m",
    "%m/%Y",
    "%m-%Y",
    "%m.%Y",
    "%b %Y",
    "%Y %b",
    "%b %y",
    "%YQ%q",
    "Q%q %Y",
    "%b %d %H:%M:%S %z %Y",
)
"""The forms of dates that are tried; where several fit equally well, the first is taken.

%b is a month's name, whole or in short; the blanks around it stand for any of the signs " -/.,", or none. %q is a quarter.
Months and quarters are their first day.
"""

DECLARED_FORMS = ("%Y%m%d", "%Y", "%s")
"""Forms that are numbers as well: read only where the column was declared to be dates. %s: seconds since 1970."""

OTHER_ORDER = {form: form.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m") for form in FORMS if "%d" in form}
"""The form with day and month in the other order."""

CLOCK = r"(?P<H>\d{1,2}):(?P<M>\d\d)(?::(?P<S>\d\d)(?P<f>[.,]\d{1,9})?)?(?: ?(?P<p>[AaPp])\.?[Mm]\.?)?"
ZONE = r"(?P<z>Z|UTC|GMT|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d\d)?)"
TAIL = rf"(?:(?:T|,? +|,? at )(?:{CLOCK})(?: ?{ZONE})?)?"
WEEKDAY = r"(?:(?:[Mm]on|[Tt]ue|[Ww]ed|[Tt]hu|[Ff]ri|[Ss]at|[Ss]un)[a-z]*\.?,? +)?"
PIECES = {
    "%Y": r"(?P<Y>\d{4})",
    "%y": r"(?P<y>\d\d)",
    "%m": r"(?P<m>\d{1,2})",
    "%d": r"(?P<d>\d{1,2})",
    "%b": r"(?P<b>[^\W\d_]{3,10})",
    "%q": r"(?P<q>[1-4])",
    "%s": r"(?P<s>-?\d{1,12})",
}
WHOLE = {
    "iso": r"(?P<Y>\d{4})(?:-(?P<m>\d{1,2})-(?P<d>\d{1,2})|/(?P<m2>\d{1,2})/(?P<d2>\d{1,2})|\.(?P<m3>\d\d)\.(?P<d3>\d\d))",
    "%Y%m%d": r"(?P<Y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?:\.0)?",
    "%d.%m.%y": r"(?P<d>\d\d)\.(?P<m>\d\d)\.(?P<y>\d\d)",  # 2.7.10 is a version
    "%YQ%q": r"(?P<Y>\d{4})[- ]?[Qq](?P<q>[1-4])",
    "Q%q %Y": r"[Qq](?P<q>[1-4])[-/ ]?(?P<Y>\d{4})",
    "%Y": r"(?P<Y>\d{4})(?:\.0)?",
    "%s": r"(?P<s>-?\d{1,12}(?:\.\d*)?)",
    "%b %d %H:%M:%S %z %Y": rf"(?P<b>[^\W\d_]{{3}}) +(?P<d>\d{{1,2}}) {CLOCK} (?:{ZONE} )?(?P<Y>\d{{4}})",
}
"""Patterns of forms that are more than their pieces."""


@lru_cache(maxsize=64)
def _pattern(form: str) -> re.Pattern[str]:
    """Return the pattern of a date in some form, with all that may stand around it."""
    if form in WHOLE:
        date = WHOLE[form]
    else:
        pieces = re.split(r"(%[Yymdbqs])", form)
        literal = r"(?:[-/., ]|(?<=\d)(?:st|nd|rd|th)\b| de | of )*" if "%b" in form else None
        date = "".join(PIECES.get(p) or (literal if literal and p else re.escape(p)) for p in pieces)
    tail = "" if "%H" in form or form in DECLARED_FORMS else TAIL
    return re.compile(WEEKDAY + date + tail)


def is_form(form: str) -> bool:
    """Return whether dates can be read in a form."""
    return form in FORMS or form in DECLARED_FORMS


def read_moments(levels: Sequence[str], form: str) -> tuple[Values, Mask]:
    """Return texts as seconds since 1970, UTC (l,), NaN where one is no such date; and which have the shape of one, (l,).

    2015-02-30 and 0000-00-00 have the shape, and are no dates.

    >>> values, shaped = read_moments(["1970-01-02", "1970-1-1T01:00+01:00", "1970-02-30", "soon"], "iso")
    >>> values.tolist(), shaped.tolist()
    ([86400.0, 0.0, nan, nan], [True, True, True, False])
    """
    pattern = _pattern(form)
    found = [pattern.fullmatch(tidied(text).strip()) for text in levels]
    shaped = np.fromiter((match is not None for match in found), bool, len(found))
    values = np.full(len(found), np.nan)
    matches = [match for match in found if match is not None]
    if matches:
        names = list(pattern.groupindex)
        columns = dict(zip(names, zip(*(match.groups() for match in matches), strict=True), strict=True))
        values[shaped] = _seconds(columns)
    return values, shaped


def _seconds(parts: dict[str, Sequence[str | None]]) -> Values:
    """Return seconds since 1970 of dates that are given by their parts; NaN where there is no such date."""
    if "s" in parts:
        return np.array([float(part or "nan") for part in parts["s"]])
    year = _whole(parts["Y"]) if "Y" in parts else _whole(parts["y"])
    if "Y" not in parts:
        year = year + np.where(year < 69, 2000, 1900)
    if "b" in parts:
        month = _whole([MONTHS.get((name or "").casefold()) for name in parts["b"]])
    elif "q" in parts:
        month = 3 * _whole(parts["q"]) - 2
    else:
        month = _first(parts, ("m", "m2", "m3")) if "m" in parts else np.ones_like(year)
    day = _first(parts, ("d", "d2", "d3")) if "d" in parts else np.ones_like(year)
    clock = _clock(parts) if "H" in parts else np.zeros(len(year))
    zone = _zone(parts["z"]) if "z" in parts else np.zeros(len(year))
    good = (year > 0) & (1 <= month) & (month <= 12) & (1 <= day)
    months = np.where(good, 12 * (year - 1970) + month - 1, 0)
    first = months.astype("M8[M]")
    days = first.astype("M8[D]").astype(np.int64) + day - 1
    good &= days.astype("M8[D]").astype("M8[M]") == first
    return np.where(good, 86400.0 * days + clock - zone, np.nan)


def _whole(texts: Iterable[str | None]) -> NDArray[np.int64]:
    return np.array([int(text) if text else 0 for text in texts], np.int64)


def _first(parts: dict[str, Sequence[str | None]], names: Sequence[str]) -> NDArray[np.int64]:
    return np.sum([_whole(parts[name]) for name in names if name in parts], axis=0)


def _clock(parts: dict[str, Sequence[str | None]]) -> Values:
    """Return the seconds since midnight; NaN where there is no such time."""
    hour, minute, second = (_whole(parts[name]) for name in "HMS")
    fraction = np.array([float("0" + part.replace(",", ".")) if part else 0.0 for part in parts["f"]])
    half = np.array([12 * "ap".index(part.lower()) if part else -1 for part in parts["p"]])
    hour = np.where(half >= 0, np.where((1 <= hour) & (hour <= 12), hour % 12 + half, 99), hour)
    seconds = 3600 * hour + 60 * minute + second + fraction
    return np.where((minute < 60) & (second <= 60) & (seconds <= 86400), seconds, np.nan)


def _zone(texts: Iterable[str | None]) -> Values:
    """Return the seconds that the zones are before UTC; NaN where there is no such zone."""
    return np.array([_offset(text) for text in texts])


@lru_cache(maxsize=256)
def _offset(text: str | None) -> float:
    found = re.search(r"([+-])(\d{1,2}):?(\d\d)?$", text or "")
    if not found:
        return 0.0
    hours, minutes = int(found[2]), int(found[3] or 0)
    return float(f"{found[1]}1") * (3600 * hours + 60 * minutes) if hours < 24 and minutes < 60 else np.nan


DURATION = re.compile(
    r"(?P<sign>[+-])?(?:(?P<days>-?\d+) *d(?:ays?)?,? *\+?)?(?P<H>\d{1,4}):(?P<M>[0-5]\d)(?::(?P<S>[0-5]\d)(?P<f>[.,]\d+)?)?"
    r"(?: ?(?P<p>[AaPp])\.?[Mm]\.?)?|(?P<only>[+-]?\d+) *d(?:ays?)?"
)
"""Clock times and durations: 2:03, 02:03:04.5, 2:03 PM, 1 day 02:03:04, -1 days +23:59:00."""


def read_durations(levels: Sequence[str]) -> Values:
    """Return texts as seconds, (l,); NaN where one is no clock time or duration.

    >>> read_durations(["02:03", "1 day 00:00:01", "2:00 PM", "16:9"]).tolist()
    [7380.0, 86401.0, 50400.0, nan]
    """
    return np.array([_duration(tidied(text).strip()) for text in levels], float)


def _duration(text: str) -> float:
    found = DURATION.fullmatch(text)
    if not found:
        return np.nan
    if found["only"]:
        return 86400.0 * int(found["only"])
    hours = int(found["H"])
    if found["p"]:
        if found["days"] or not 1 <= hours <= 12:
            return np.nan
        hours = hours % 12 + 12 * (found["p"] in "Pp")
    seconds = 3600.0 * hours + 60 * int(found["M"]) + float((found["S"] or "0") + (found["f"] or "").replace(",", "."))
    days = int(found["days"] or 0)
    if found["sign"] == "-":
        return -86400.0 * days + seconds if found["days"] else -seconds
    return 86400.0 * days + seconds
