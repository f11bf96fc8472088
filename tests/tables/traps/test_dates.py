"""Dates, times of day and durations as people write them, with bad ones among them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from support.traps import (
    Cell,
    Is,
    Right,
    Trap,
    category,
    check,
    duration,
    grid,
    label,
    moment,
    number,
    refusal,
    tenths,
    traps,
)

X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))
ROWS = 80


def day(i: int) -> datetime:
    """Return a day; among the first eighty are days beyond the twelfth, and all months."""
    return datetime(2015, 1, 1) + timedelta(days=i * 37)


def instant(i: int) -> datetime:
    """Return a day with a time."""
    return day(i) + timedelta(seconds=i * 3661)


def column(name: str, cell: Cell, verdict: Any, rows: int = ROWS, **facts: Any) -> Trap:
    """Return the trap of a table whose column `d` is what it is about."""
    return Trap(name, "d.csv", grid(rows, d=cell, x=tenths, y=label), verdict, **facts)


def right(d: Is, rows: int = ROWS, **facts: Any) -> Right:
    """Return the table of `column`."""
    return Right(rows, {"d": d, "x": X, "y": Y}, **facts)


def dates(name: str, write: Callable[[datetime], str], at: Callable[[int], datetime] = day, **facts: Any) -> Trap:
    """Return the trap of dates in one form."""
    return column(name, lambda i: write(at(i)), right(moment(*(at(i) for i in range(ROWS)), **facts)))


def form(pattern: str) -> Callable[[datetime], str]:
    """Return how a pattern of strftime writes a date."""
    return lambda at: at.strftime(pattern)


def twelve(at: datetime) -> str:
    """Return a time of day with the clock of twelve hours, without a leading zero."""
    return f"{at.month}/{at.day}/{at.year} {(at.hour + 11) % 12 + 1}:{at:%M:%S} {'PM' if at.hour >= 12 else 'AM'}"


def among(name: str, value: str, verdict: Callable[[], Right], every: int = 80) -> Trap:
    """Return the trap of ISO dates with something else in row 4, and in every so manieth after it."""
    return column(name, lambda i: value if i % every == 3 else f"{day(i):%Y-%m-%d}", verdict())


def with_bad(text: str) -> Callable[[], Right]:
    """Return the verdict of ISO dates of which the fourth cannot be read: it is missing, and a note says so."""
    found = moment(day(0), day(1), day(2), None, day(4), missing=1, bad={text: 4})
    return lambda: right(found, notes=("'d'", text.replace("(", r"\(")))


def with_mark(text: str, cells: int = 1) -> Callable[[], Right]:
    """Return the verdict of ISO dates of which the fourth is missing."""
    marks = {text: cells} if text.strip() else None
    return lambda: right(moment(day(0), day(1), day(2), None, day(4), missing=cells, marks=marks, bad={}))


FORMS = [
    dates("2015-01-31", form("%Y-%m-%d"), form="iso"),
    dates("2015-1-31", lambda at: f"{at.year}-{at.month}-{at.day}"),
    dates("2015/01/31", form("%Y/%m/%d")),
    dates("2015/1/31", lambda at: f"{at.year}/{at.month}/{at.day}"),
    dates("2015.01.31", form("%Y.%m.%d")),
    dates("2015-01-31T10:20:30", form("%Y-%m-%dT%H:%M:%S"), instant),
    dates("2015-01-31 10:20:30", form("%Y-%m-%d %H:%M:%S"), instant),
    dates("2015-01-31 10:20", form("%Y-%m-%d %H:%M"), lambda i: instant(i).replace(second=0)),
    dates("2015-01-31T10:20:30Z", form("%Y-%m-%dT%H:%M:%SZ"), instant),
    dates("2015-01-31 10:20:30 UTC, as BigQuery writes it", form("%Y-%m-%d %H:%M:%S UTC"), instant),
    dates("2015-01-31 10:20:30+00:00", form("%Y-%m-%d %H:%M:%S+00:00"), instant),
    dates("2015-01-31 10:20:30+00, as Postgres writes it", form("%Y-%m-%d %H:%M:%S+00"), instant),
    dates("31.01.2015", form("%d.%m.%Y")),
    dates("31.1.2015", lambda at: f"{at.day}.{at.month}.{at.year}"),
    dates("31.01.15", form("%d.%m.%y")),
    dates("31.01.2015 10:20", form("%d.%m.%Y %H:%M"), lambda i: instant(i).replace(second=0)),
    dates("31/01/2015", form("%d/%m/%Y")),
    dates("31/01/15", form("%d/%m/%y")),
    dates("31-01-2015", form("%d-%m-%Y")),
    dates("01/31/2015", form("%m/%d/%Y")),
    dates("1/31/2015", lambda at: f"{at.month}/{at.day}/{at.year}"),
    dates("1/31/15", lambda at: f"{at.month}/{at.day}/{at.year % 100:02d}"),
    dates("01-31-2015", form("%m-%d-%Y")),
    dates("01/31/2015 10:20:30", form("%m/%d/%Y %H:%M:%S"), instant),
    dates("1/31/2015 1:20:30 PM", twelve, instant),
    dates("31-Jan-15", form("%d-%b-%y")),
    dates("31-JAN-2015, as Oracle writes it", lambda at: at.strftime("%d-%b-%Y").upper()),
    dates("31 Jan 2015", form("%d %b %Y")),
    dates("31 January 2015", form("%d %B %Y")),
    dates("January 31, 2015 in quotes", lambda at: at.strftime('"%B %d, %Y"')),
    dates("Jan 31, 2015 in quotes", lambda at: at.strftime('"%b %d, %Y"')),
    dates("in quotes", lambda at: at.strftime('"%Y-%m-%d"')),
    dates("in blanks", lambda at: at.strftime("  %Y-%m-%d ")),
]

BERLIN = timezone(timedelta(hours=1))
SPECIAL = [
    column(
        "fractions of seconds",
        lambda i: f"{instant(i):%Y-%m-%d %H:%M:%S}.{i:03d}",
        right(moment(instant(0), instant(1) + timedelta(milliseconds=1))),
    ),
    column(
        "zone of one hour",
        lambda i: f"{instant(i):%Y-%m-%dT%H:%M:%S}+01:00",
        right(moment(*(instant(i).replace(tzinfo=BERLIN) for i in range(5)))),
    ),
    column(
        "zones that change",
        lambda i: f"{instant(i):%Y-%m-%dT%H:%M:%S}+0{1 + i % 2}:00",
        right(moment(*(instant(i).replace(tzinfo=timezone(timedelta(hours=1 + i % 2))) for i in range(5)))),
    ),
    column(
        "zone without a colon",
        lambda i: f"{instant(i):%Y-%m-%dT%H:%M:%S}-0530",
        right(moment(*(instant(i).replace(tzinfo=timezone(-timedelta(hours=5, minutes=30))) for i in range(5)))),
    ),
    column(
        "dates before 1970",
        lambda i: f"{1900 + i}-03-04",
        right(moment(*(datetime(1900 + i, 3, 4, tzinfo=UTC) for i in range(5)))),
    ),
    column(
        "years of two digits around the change",
        lambda i: f"{1 + i % 28:02d}.03.{(i * 7) % 40:02d}",
        right(moment(datetime(2000, 3, 1), datetime(2007, 3, 2))),
    ),
    column(
        "leap day",
        lambda i: "2016-02-29" if i == 1 else f"{day(i):%Y-%m-%d}",
        right(moment(day(0), datetime(2016, 2, 29), missing=0)),
    ),
    column(
        "undecided with slashes: month first, with a note",
        lambda i: f"{1 + i % 12:02d}/{1 + i * 5 % 12:02d}/2015",
        right(moment(datetime(2015, 1, 1), datetime(2015, 2, 6), datetime(2015, 3, 11)), notes=("'d'", "month")),
    ),
    column(
        "undecided with dots: day first",
        lambda i: f"{1 + i % 12:02d}.{1 + i * 5 % 12:02d}.2015",
        right(moment(datetime(2015, 1, 1), datetime(2015, 6, 2), datetime(2015, 11, 3))),
    ),
    column(
        "decided by the last row only",
        lambda i: "31/01/2015" if i == ROWS - 1 else f"{1 + i % 12:02d}/{1 + i * 5 % 12:02d}/2015",
        right(moment(datetime(2015, 1, 1), datetime(2015, 6, 2), datetime(2015, 11, 3))),
    ),
    column(
        "decided beyond 20,480 rows",
        lambda i: "31/01/2015" if i == 24_000 else f"{1 + i % 12:02d}/{1 + i * 5 % 12:02d}/2015",
        right(moment(datetime(2015, 1, 1), datetime(2015, 6, 2)), 25_000),
        25_000,
    ),
    column(
        "both orders are a contradiction",
        lambda i: ("31/01/2015", "01/31/2015", "02/03/2015")[i % 3],
        (right(Is("category", ("31/01/2015", "01/31/2015"))), refusal("'d'", r"row \d")),
    ),
    column(
        "dates of few days",
        lambda i: ("2015-01-01", "2016-01-01")[i % 2],
        right(moment(datetime(2015, 1, 1), datetime(2016, 1, 1))),
    ),
    column(
        "compact dates are numbers unless somebody says so",
        lambda i: f"{day(i):%Y%m%d}",
        right(number(20150101, 20150207)),
    ),
    column(
        "compact dates said to be dates",
        lambda i: f"{day(i):%Y%m%d}",
        right(moment(*(day(i) for i in range(5)))),
        options={"columns": {"d": "date"}},
    ),
    column(
        "dates said to be categories",
        lambda i: f"201{i % 5}-01-01",
        right(Is("category", ("2010-01-01", "2011-01-01"))),
        options={"columns": {"d": "category"}},
    ),
    column("year and month", lambda i: f"{2000 + i // 12}-{1 + i % 12:02d}", right(Is("moment|category"))),
    column(
        "quarters", lambda i: f"2015Q{1 + i % 4}", right(Is("moment", (datetime(2015, 1, 1), datetime(2015, 4, 1))))
    ),
    column("weeks", lambda i: f"2015-W{1 + i % 50:02d}", right(Is("category", ("2015-W01", "2015-W02")))),
    column(
        "times of day",
        lambda i: f"{i % 24:02d}:{i % 60:02d}",
        right(duration(*(i % 24 * 3600 + i % 60 * 60 for i in range(ROWS)))),
    ),
    column(
        "times of day with seconds",
        lambda i: f"{i % 24:02d}:{i % 60:02d}:07",
        right(duration(*(i % 24 * 3600 + i % 60 * 60 + 7 for i in range(ROWS)))),
    ),
    column(
        "times of day of twelve hours",
        lambda i: f"{1 + i % 12}:30 {'PM' if i % 2 else 'AM'}",
        right(Is("duration", (5400.0, 14 * 3600 + 1800.0))),
    ),
    column(
        "times of day with gaps",
        lambda i: "" if i == 1 else f"{i % 24:02d}:{i % 60:02d}",
        right(duration(0.0, None, 7320.0, missing=1)),
    ),
    column(
        "one date that is all text",
        lambda i: "unknown" if i == 3 else f"{day(i):%Y-%m-%d}",
        refusal("'d'", "unknown", r"row 4\b", "--columns|--ignore"),
        train=("--target", "y"),
    ),
    column(
        "no dates at all: scores of games", lambda i: f"{i % 5}-{i % 3}", right(Is("category", ("0-0", "1-1", "2-2")))
    ),
    column(
        "no dates at all: versions", lambda i: f"{1 + i % 3}.{i % 5}.{i % 7}", right(Is("category", ("1.0.0", "2.1.1")))
    ),
]

BAD = [
    among("0000-00-00 among dates", "0000-00-00", with_bad("0000-00-00")),
    among("30 February among dates", "2015-02-30", with_bad("2015-02-30")),
    among("month 13 among dates", "2015-13-01", with_bad("2015-13-01")),
    among("29 February of a common year among dates", "2015-02-29", with_bad("2015-02-29")),
    among("time of 25 hours among dates", "2015-01-01 25:00:00", with_bad("2015-01-01 25:00:00")),
    among("0000-00-00 00:00:00 among dates", "0000-00-00 00:00:00", with_bad("0000-00-00 00:00:00")),
    among("NULL among dates", "NULL", with_mark("NULL")),
    among("nothing among dates", "", with_mark("")),
    among("NA in 20 % of the dates", "NA", with_mark("NA", 16), 5),
    among("? among dates", "?", with_mark("?")),
    among("- among dates", "-", with_mark("-")),
    among("NaT among dates", "NaT", with_mark("NaT")),
    column(
        "two bad dates",
        lambda i: {3: "0000-00-00", 5: "2015-02-30"}.get(i, f"{day(i):%Y-%m-%d}"),
        right(moment(day(0), day(1), day(2), None, day(4), None, missing=2, bad={"0000-00-00": 4, "2015-02-30": 6})),
    ),
    column(
        "bad dates day first",
        lambda i: "31.02.2015" if i == 3 else f"{day(i):%d.%m.%Y}",
        right(moment(day(0), day(1), day(2), None, missing=1, bad={"31.02.2015": 4})),
    ),
    column(
        "a bad date beyond 20,480 rows",
        lambda i: "0000-00-00" if i == 24_000 else f"{day(i % 80):%Y-%m-%d}",
        right(moment(day(0), day(1), missing=1, bad={"0000-00-00": 24_001}), 25_000),
        25_000,
    ),
    column(
        "half of the dates are bad",
        lambda i: "0000-00-00" if i % 2 else f"{day(i):%Y-%m-%d}",
        (right(Is("category")), refusal("'d'", "0000-00-00", r"row 2\b")),
    ),
]


@traps(FORMS)
def test_forms(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(SPECIAL)
def test_dates(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(BAD)
def test_bad_dates(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)
