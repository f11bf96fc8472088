"""Categories, flags and columns that only count the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from support.traps import Cell, Is, Right, Trap, category, check, grid, label, number, tenths, traps

X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))
FLAGS = (
    ("true", "false"),
    ("True", "False"),
    ("TRUE", "FALSE"),
    ("t", "f"),
    ("T", "F"),
    ("yes", "no"),
    ("Yes", "No"),
    ("YES", "NO"),
    ("y", "n"),
    ("Y", "N"),
    ("on", "off"),
    ("On", "Off"),
)


def column(name: str, cell: Cell, found: Is, rows: int = 60, title: str = "d", **facts: Any) -> Trap:
    """Return the trap of a table whose first column is what it is about."""
    right = Right(rows, {title: found, "x": X, "y": Y}, notes=facts.pop("notes", ()))
    return Trap(name, "d.csv", grid(rows, **{title: cell}, x=tenths, y=label), right, **facts)


def counted(title: str, cell: Cell = str, rows: int = 60, left_out: bool = True, **facts: Any) -> Trap:
    """Return the trap of a column that may be an id, and whether it is left out."""
    notes = (f"'{title}'",) if left_out and title else ()
    reads = facts.pop("reads", "number|category")
    return column(
        f"{title!r} of {cell(0)}, {cell(1)}, {cell(2)} to {cell(rows - 1)}",
        cell,
        Is(reads, left_out=left_out),
        rows,
        title,
        notes=notes,
        **facts,
    )


def uuid(i: int) -> str:
    """Return a UUID, different in each row."""
    return str(UUID(int=(i + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**128))


def far(i: int) -> str:
    """Return a whole number, different in each row and in no order."""
    return str(100_000 + i * 7919 % 100_003)


FLAG_ROWS = [
    column(f"flag of {yes} and {no}", lambda i, words=(no, yes): words[i % 2], Is("flag", levels=(yes, no), missing=0))
    for yes, no in FLAGS
]
CATEGORIES = [
    column("flag with gaps", lambda i: ("yes", "no", "")[i % 3], Is("flag", ("yes", "no", None), missing=20)),
    column(
        "flag with marks",
        lambda i: ("yes", "no", "NA")[i % 3],
        Is("flag", ("yes", "no", None), missing=20, marks={"NA": 20}),
    ),
    column(
        "flag with a third word",
        lambda i: ("yes", "no", "maybe")[i % 3],
        Is("category", ("yes", "no", "maybe"), levels=("yes", "no", "maybe")),
    ),
    column(
        "flag in two spellings",
        lambda i: ("yes", "no", "Yes", "No")[i % 4],
        Is("category|flag", ("yes", "no", "Yes", "No")),
    ),
    column("0 and 1", lambda i: str(i % 2), number(0, 1, 0)),
    column("1.0 and 0.0", lambda i: f"{i % 2}.0", number(0, 1, 0)),
    column(
        "0, 1 and true",
        lambda i: ("0", "1", "true")[i % 3],
        Is("category", ("0", "1", "true"), levels=("0", "1", "true")),
    ),
    column(
        "Norway's NO among countries",
        lambda i: ("NO", "SE", "DK")[i % 3],
        Is("category", ("NO", "SE", "DK"), levels=("NO", "SE", "DK")),
    ),
    column(
        "Namibia's NA is a mark, and said so",
        lambda i: ("NA", "ZA", "BW")[i % 3],
        Is("category", (None, "ZA", "BW"), missing=20, marks={"NA": 20}, levels=("ZA", "BW")),
    ),
    column(
        "None is a mark, and said so",
        lambda i: ("None", "Gd", "TA")[i % 3],
        Is("category", (None, "Gd", "TA"), missing=20, marks={"None": 20}),
    ),
    column(
        "? is a mark, as in adult",
        lambda i: ("?", "Private", "State-gov")[i % 3],
        Is("category", (None, "Private"), missing=20, marks={"?": 20}),
    ),
    column(
        "texts that differ in case",
        lambda i: ("bonn", "Bonn", "BONN")[i % 3],
        Is("category", ("bonn", "Bonn", "BONN"), levels=("bonn", "Bonn", "BONN")),
    ),
    column(
        "texts that begin with marks",
        lambda i: ("NAN bread", "NA-1", "-x")[i % 3],
        Is("category", ("NAN bread", "NA-1", "-x")),
    ),
    column("texts like formulas", lambda i: ("=1+1", "@a", "+b")[i % 3], Is("category", ("=1+1", "@a", "+b"))),
    column(
        "texts that are SQL",
        lambda i: ("'; drop table x; --", "select 1")[i % 2],
        Is("category", ("'; drop table x; --", "select 1")),
    ),
    column("names of months", lambda i: ("Jan", "Feb", "Mar")[i % 3], Is("category", ("Jan", "Feb", "Mar"))),
    column("days of the week", lambda i: ("Mon", "Tue", "Wed")[i % 3], Is("category", ("Mon", "Tue", "Wed"))),
    column(
        "chromosomes",
        lambda i: ("1", "2", "X", "Y")[i % 4],
        Is("category", ("1", "2", "X", "Y"), levels=("1", "2", "X", "Y")),
    ),
    column(
        "grades with signs",
        lambda i: ("A+", "A", "A-")[i % 3],
        Is("category", ("A+", "A", "A-"), levels=("A+", "A", "A-")),
    ),
    column(
        "genes that Excel takes for dates",
        lambda i: ("SEPT2", "MARCH1", "DEC1")[i % 3],
        Is("category", ("SEPT2", "MARCH1", "DEC1")),
    ),
    column(
        "codes of 18 digits with leading zeros", lambda i: f"{i % 5:018d}", Is("category", (f"{0:018d}", f"{1:018d}"))
    ),
    column("numbers with a trailing L", lambda i: f"{i % 3}L", Is("category|number")),
    column(
        "one text for all rows",
        lambda i: "same",
        Is("category", left_out=True),
        notes=("'d'", "one value|constant|same|all"),
    ),
    column(
        "a different text in every row",
        lambda i: f"text {far(i)} of many",
        Is("category", left_out=True),
        notes=("'d'",),
    ),
    column(
        "text of many words",
        lambda i: f"good {'very ' * (i % 50)}day {i}",
        Is("category", left_out=True),
        notes=("'d'",),
    ),
]

IDS = [
    counted("id"),
    counted("Id", lambda i: str(i + 1)),
    counted("ID", far),
    counted("customer_id", far),
    counted("customerId", far),
    counted("uuid", uuid, reads="category"),
    counted("guid", uuid, reads="category"),
    counted("index"),
    counted("row", lambda i: str(i + 1)),
    counted("rowid", lambda i: str(i + 1)),
    counted("row_number", lambda i: str(i + 1)),
    counted("Unnamed: 0"),
    counted("__index_level_0__"),
    counted("id", lambda i: f"A{i:04d}", reads="category"),
    counted("id", lambda i: str(2**60 + i)),
    counted("id", lambda i: str(i % 7), left_out=False),
    counted("customer_id", lambda i: f"c{i % 3}", left_out=False, reads="category"),
    counted("minute", left_out=False),
    counted("row", lambda i: str(i * i)),
    counted("id", lambda i: f"{i * 1.5 + 0.25}", left_out=False),
    counted("paid", far, left_out=False),
    counted("valid", far, left_out=False),
    counted("grid", far, left_out=False),
    counted("id", rows=15, left_out=False),
    Trap(
        "id that is said to be a number",
        "d.csv",
        grid(60, id=str, x=tenths, y=label),
        Right(60, {"id": Is("number", (0, 1, 2), left_out=False), "x": X, "y": Y}),
        options={"columns": {"id": "number"}},
    ),
    Trap(
        "two columns left out by the user",
        "d.csv",
        grid(60, id=str, x=tenths, z=tenths, y=label),
        Right(60, {"x": X, "y": Y}),
        options={"ignore": ("id", "z")},
    ),
]


@traps(FLAG_ROWS)
def test_flags(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(CATEGORIES)
def test_categories(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(IDS)
def test_ids(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)
