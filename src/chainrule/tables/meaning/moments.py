"""Dates, times of dates, clock times and durations, as people write them.

A form of dates is "iso" or a pattern such as "%d.%m.%Y". In every form a time may follow (14:05, 2:05:07.25 PM), and a
zone (Z, UTC, GMT, +01:00); without one the time is UTC. A weekday may stand before.

Shapes: l different texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .numbers import PLAIN
from .shapes import read_parts

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
DAY = 86400.0
"""Seconds."""

Parts = Mapping[str, Values]

MONTH_NAMES = (
    "jan january januar janvier janv enero ene gennaio janeiro januari",
    "feb february februar février févr fév febrero febbraio fevereiro fev februari",
    "mar march märz mär mrz mars marzo março maart mrt",
    "apr april avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei",
    "jun june juni juin junio giugno giu junho",
    "jul july juli juillet juil julio luglio lug julho",
    "aug august août aoû agosto augustus",
    "sep sept september septembre septiembre settembre setembro",
    "oct october oktober okt octobre octubre ottobre ott outubro",
    "nov november novembre noviembre novembro",
    "dec december dezember dez décembre déc diciembre dic dicembre dezembro",
)
"""The months' names, in small letters, in English, German, French, Spanish, Italian, Portuguese and Dutch."""

MONTHS = {name: float(number) for number, names in enumerate(MONTH_NAMES, 1) for name in names.split()}

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
    "%Y%m%dT%H%M%S",
    "%y-%m-%d",
    "%y/%m/%d",
    "%Y-%m",
    "%Y/%m",
    "%m/%Y",
    "%m-%Y",
    "%b %Y",
    "%Y %b",
    "%b %y",
    "%YM%m",
    "%Y年%m月%d日",
    "%YQ%q",
    "Q%q %Y",
    "%b %d %H:%M:%S %z %Y",
)
"""The forms of dates that are tried; where several fit equally well, the first is taken.

%b is a month's name, whole or in short; the blanks around it stand for any of the signs " -/.,", or none. %q is a
quarter. Months and quarters are their first day. No form is a plain number as well, such as %m.%Y.
"""

DECLARED_FORMS = ("%Y%m%d", "%Y", "%s")
"""Forms that are numbers as well: read only where the column was declared to be dates. %s: seconds since 1970."""

OTHER_ORDER = {form: form.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m") for form in FORMS if "%d" in form}
"""The form with day and month in the other order."""

HALF = r" ?(?P<p>[AaPp])\.?[Mm]\.?"
CLOCK = (
    r"(?P<H>\d{1,2})(?::(?P<M>\d\d)(?::(?P<S>\d\d))?(?:[.,](?P<fraction>\d{1,9}))?|"
    rf"(?={HALF.replace('?P<p>', '?:')}))(?:{HALF})?"
)
"""14:05, 14:05:07.25, 2:05 PM, 2 PM."""

ZONE = r"(?:Z|UTC|GMT|(?:UTC|GMT)?(?P<zone>[+-])(?P<zh>\d{1,2})(?::?(?P<zm>\d\d))?)"
TAIL = rf"(?:(?:[T:]|,? +|,? at )(?:{CLOCK})(?: ?{ZONE})?)?"
WEEKDAY = r"(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? +)?"
PIECES = {
    "%Y": r"(?P<Y>\d{4})",
    "%y": r"(?P<y>\d\d)",
    "%m": r"(?P<m>\d{1,2})",
    "%d": r"(?P<d>\d{1,2})",
    "%b": r"(?P<b>[^\W\d_]{3,10})",
    "%q": r"(?P<q>\d)",
}
WHOLE = {
    "iso": r"(?P<Y>\d{4})([-/]|\.(?=\d\d\.\d\d(?!\d)))(?P<m>\d{1,2})\2(?P<d>\d{1,2})",  # 2020.1.3 is a version
    "%Y%m%d": r"(?P<Y>\d{4})(?P<m>\d\d)(?P<d>\d\d)",
    "%Y%m%dT%H%M%S": rf"(?P<Y>\d{{4}})(?P<m>\d\d)(?P<d>\d\d)T(?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d)(?: ?{ZONE})?",
    "%Y-%m": r"(?P<Y>\d{4})-(?P<m>\d\d)",
    "%Y/%m": r"(?P<Y>\d{4})/(?P<m>\d\d)",
    "%b %y": r"(?P<b>[^\W\d_]{3,10})\.?(?:[-/]| ?')(?P<y>\d\d)",  # Jan 20 may be a day
    "%d.%m.%y": r"(?P<d>\d\d)\.(?P<m>\d\d)\.(?P<y>\d\d)",  # 2.7.10 is a version
    "%YQ%q": r"(?P<Y>\d{4})[- ]?[Qq](?P<q>\d)",
    "Q%q %Y": r"[Qq](?P<q>\d)[-/ ]?(?P<Y>\d{4})",
    "%Y": r"(?P<Y>\d{4})",
    "%b %d %H:%M:%S %z %Y": rf"(?P<b>[^\W\d_]{{3}}) +(?P<d>\d{{1,2}}) {CLOCK} (?:{ZONE} )?(?P<Y>\d{{4}})",
}
"""Patterns of forms that are more than their pieces."""


@lru_cache(maxsize=64)
def _pattern(form: str) -> re.Pattern[str]:
    """Return the pattern of a date in some form, with all that may stand around it."""
    date = WHOLE.get(form)
    if date is None:
        gap = r"(?:[-/., ]|(?<=\d)(?:st|nd|rd|th)\b| de | of )*" if "%b" in form else None
        pieces = re.split(r"(%[Yymdbq])", form)
        date = "".join(
            PIECES.get(piece) or (gap if gap and piece else re.escape(piece).replace(r"\.", r"\. ?"))
            for piece in pieces
        )
    tail = TAIL if form == "iso" or ("%d" in form and "%H" not in form and form not in DECLARED_FORMS) else ""
    return re.compile(WEEKDAY + date + tail)


WORDS: Mapping[str, Callable[[str], float]] = {
    "b": lambda name: MONTHS.get(name.casefold(), 0.0),
    "p": lambda letter: 12.0 * (letter in "Pp"),
    "zone": lambda sign: float(sign + "1"),
    "only_sign": lambda sign: float(sign + "1"),
    "sign": lambda sign: float(sign + "1"),
}


def may_be(texts: Sequence[str], form: str) -> bool:
    """Return True where one of the texts has the shape of a date in some form."""
    return any(map(_pattern(form).fullmatch, texts))


def read_moments(levels: Sequence[str], form: str) -> tuple[Values, Mask]:
    """Return texts as seconds since 1970, UTC (NaN: no such date), and which have the shape of one, (l,) each.

    2015-02-30 and 0000-00-00 have the shape, and are no dates.

    >>> values, shaped = read_moments(["1970-01-02", "1970-1-1T01:00+01:00", "1970-02-30", "soon"], "iso")
    >>> values.tolist(), shaped.tolist()
    ([86400.0, 0.0, nan, nan], [True, True, True, False])
    """
    if form == "%s":
        values = PLAIN.read(levels)
        return values, ~np.isnan(values)
    shaped, parts = read_parts(levels, _pattern(form), WORDS)
    return np.where(shaped, _seconds(parts), np.nan), shaped


def _seconds(parts: Parts) -> Values:
    """Return seconds since 1970 of dates that are given by their parts; NaN where there is no such date."""
    year = _part(parts, "Y") if "Y" in parts else _part(parts, "y")
    if "Y" not in parts:
        year = year + np.where(year < 69, 2000, 1900)  # as Python's %y
    month = 3 * parts["q"] - 2 if "q" in parts else parts["b"] if "b" in parts else _part(parts, "m", 1)
    day = _part(parts, "d", 1)
    good = (year >= 1000) & (month >= 1) & (month <= 12) & (day >= 1)  # 0001-01-01 is how .NET says nothing
    if "d" not in parts:
        good &= (year >= 1800) & (year < 2200)  # 4711-01 is the number of an article
    first = np.where(good, 12 * (year - 1970) + month - 1, 0).astype(np.int64).astype("M8[M]")
    days = first.astype("M8[D]") + np.where(good, day - 1, 0).astype(np.int64)
    good &= days.astype("M8[M]") == first
    clock = _clock(parts)
    good &= clock <= DAY
    seconds = DAY * days.astype(np.int64) + clock - _offset(parts)
    return np.where(good, _whole_microseconds(seconds), np.nan)


def _whole_microseconds(seconds: Values) -> Values:
    """Return seconds with the bits that the same time has as a datetime64[us] of a frame."""
    return np.rint(1e6 * seconds) / 1e6


def _part(parts: Parts, name: str, absent: float = 0.0) -> Values:
    """Return a part of each text, (l,), `absent` where it has none."""
    values = parts.get(name)
    count = len(next(iter(parts.values())))
    return np.full(count, absent) if values is None else np.where(np.isnan(values), absent, values)


def _clock(parts: Parts) -> Values:
    """Return the seconds since midnight, 0 where there is no time; NaN for 25:61."""
    hour, minute, second, fraction = (_part(parts, name) for name in ("H", "M", "S", "fraction"))
    half = _part(parts, "p", -1)
    hour = np.where(half < 0, hour, np.where((hour >= 1) & (hour <= 12), hour % 12 + half, np.nan))
    good = (minute < 60) & (second < 60) & ~_is_short(parts)
    return np.where(good, 3600 * hour + 60 * minute + second + fraction, np.nan)


def _is_short(parts: Parts) -> Mask:
    """Return the mask of times that can only be minutes and seconds, (l,): 1:27.452."""
    return np.isnan(_part(parts, "S", np.nan)) & ~np.isnan(_part(parts, "fraction", np.nan))


def _offset(parts: Parts) -> Values:
    """Return the seconds by which the times are ahead of UTC; NaN for +25:61."""
    hours, minutes = _part(parts, "zh"), _part(parts, "zm")
    return np.where((hours < 24) & (minutes < 60), _part(parts, "zone") * (3600 * hours + 60 * minutes), np.nan)


DURATION = re.compile(
    r"(?P<sign>[+-])?(?:(?P<days>\d+) *d(?:ays?)?,? *\+?)?"
    rf"{CLOCK.replace('{1,2}', '{1,4}', 1).replace('{1,9}', '+')}|(?P<only_sign>[+-])?(?P<only>\d+) *d(?:ays?)?"
)
"""Clock times and durations: 2:03, 02:03:04.5, 2:03 PM, 1 day 02:03:04, -1 days +23:59:00, 3 days."""


def duration_form(sample: Sequence[str]) -> str:
    """Return the form of durations: "%M:%S" where 3:45 stands beside 1:03:45, else "%H:%M:%S"."""
    colons = {text.count(":") for text in sample if not any(map(str.isalpha, text))}
    return "%M:%S" if colons >= {1, 2} else "%H:%M:%S"


def read_durations(levels: Sequence[str], form: str = "%H:%M:%S") -> Values:
    """Return texts as seconds, (l,); NaN where one is no clock time or duration.

    In the form "%M:%S" 2:03 are minutes and seconds, as 2:03.5 are in any.

    >>> read_durations(["02:03", "1 day 00:00:01", "2:00 PM", "1:00.25", "16:9"]).tolist()
    [7380.0, 86401.0, 50400.0, 60.25, nan]
    """
    matched, parts = read_parts(levels, DURATION, WORDS)
    sign, days, clock = _part(parts, "sign", 1), _part(parts, "days"), _clock(parts)
    alone = np.isnan(parts["S"]) & np.isnan(parts["p"]) & np.isnan(parts["days"])
    short = alone & (parts["M"] < 60) & (_is_short(parts) | (form == "%M:%S"))
    clock = np.where(short, 60 * parts["H"] + parts["M"] + _part(parts, "fraction"), clock)
    # As pandas and Python write it, the sign belongs to the days where there are any.
    timed = np.where(np.isnan(parts["days"]), sign * clock, DAY * sign * days + clock)
    whole = DAY * _part(parts, "only_sign", 1) * parts["only"]
    return np.where(matched, _whole_microseconds(np.where(np.isnan(whole), timed, whole)), np.nan)


ZONED = re.compile(r"(.*\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?: ?[AaPp][Mm])?) ?(?![AP]M$)([A-Z]{2,5}|[A-Z]\w+(?:/\w+)+)")


def unknown_zone(sample: Sequence[str]) -> str:
    """Return a time zone that stands behind times and is not read; "" where there is none.

    >>> unknown_zone(["2020-01-31 10:00 EST"])
    'EST'
    """
    return next((found[2] for text in sample if (found := ZONED.fullmatch(text.strip()))), "")
