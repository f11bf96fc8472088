"""Numbers: plain, with gaps, with strays, too large, and texts that only look like numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.traps import ANY, Cell, Is, Right, Trap, category, check, grid, label, number, refusal, tenths, traps

X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))


def column(name: str, cell: Cell, verdict: Any, rows: int = 60, **facts: Any) -> Trap:
    """Return the trap of a table whose column `d` is what it is about."""
    return Trap(name, "d.csv", grid(rows, d=cell, x=tenths, y=label), verdict, **facts)


def right(d: Is, rows: int = 60, **facts: Any) -> Right:
    """Return the table of `column`."""
    return Right(rows, {"d": d, "x": X, "y": Y}, **facts)


def stray(*words: str) -> dict[str, Any]:
    """Return the verdict of a training that is refused for a value in `d`."""
    return {"verdict": refusal("'d'", *words, "--columns|--ignore"), "train": ("--target", "y")}


ROWS = [
    column("plain", tenths, right(number(0.0, 3.7, 7.4, form="", missing=0, marks={}))),
    column("whole numbers with a gap", lambda i: "" if i == 1 else str(i), right(number(0, None, 2, missing=1))),
    column(
        "2 % NA among 18 values",
        lambda i: "NA" if i % 50 == 3 else str(i % 18),
        right(number(0, 1, 2, None, 4, missing=2, marks={"NA": 2})),
    ),
    column("NA among 0 and 1", lambda i: "NA" if i % 5 == 3 else str(i % 2), right(number(0, 1, 0, None, 0))),
    column(
        "several marks",
        lambda i: ("NA", "?", "-")[i % 3] if i % 4 == 1 else tenths(i),
        right(number(0.0, None, 7.4, marks={"NA": 5, "?": 5, "-": 5}, missing=15)),
    ),
    column("marks in blanks", lambda i: " NA " if i % 4 == 1 else tenths(i), right(number(0.0, None, 7.4, missing=15))),
    column("marks in quotes", lambda i: '"NA"' if i % 4 == 1 else tenths(i), right(number(0.0, None, 7.4, missing=15))),
    column("all cells but two are missing", lambda i: str(i) if i < 2 else "NA", right(number(0, 1, None, missing=58))),
    column("always empty", lambda i: "", right(Is("number|category", (None, None), missing=60, left_out=True))),
    column("always NA", lambda i: "NA", right(Is("number|category", (None, None), missing=60, left_out=True))),
    column("constant", lambda i: "7", right(Is("number|category", left_out=True))),
    column(
        "nan and marks in dressed numbers",
        lambda i: "NaN" if i == 1 else "NA" if i == 2 else f"${i}",
        right(number(0, None, None, 3, missing=2)),
    ),
    column(
        "gaps beyond 20,480 rows",
        lambda i: "NA" if i > 24_000 else tenths(i),
        right(number(0.0, 3.7, missing=999, marks={"NA": 999}), 25_000),
        25_000,
    ),
    column(
        "decimals beyond 20,480 rows",
        lambda i: "0.5" if i == 24_000 else str(i % 100),
        right(number(0, 1, 2), 25_000),
        25_000,
    ),
    column(
        "stray beyond 20,480 rows",
        lambda i: "broken" if i == 24_000 else tenths(i),
        rows=25_000,
        **stray("broken", r"row 24,?001\b"),
    ),
    column("one stray", lambda i: "broken" if i == 7 else tenths(i), **stray("broken", r"row 8\b")),
    column(
        "detection limit",
        lambda i: "<0.5" if i in (9, 30) else tenths(i),
        refusal("'d'", "<0.5", r"row (10|31)\b", "--columns|--ignore|empty the cell"),
        train=("--target", "y"),
    ),
    column("stray in whole numbers", lambda i: "12a" if i == 7 else str(i), **stray("12a", r"row 8\b")),
    column("two points", lambda i: "1.2.3" if i == 7 else tenths(i), **stray(r"1\.2\.3", r"row 8\b")),
    column("letter O for zero", lambda i: "1O.5" if i == 7 else tenths(i), **stray("1O.5", r"row 8\b")),
    column("decimal comma among points", lambda i: '"3,75"' if i == 7 else tenths(i), **stray("3,75", r"row 8\b")),
    column("unit in one cell", lambda i: "3.5 kg" if i == 7 else tenths(i), **stray("3.5 kg", r"row 8\b")),
    column("another currency in one cell", lambda i: "€3" if i == 7 else f"${tenths(i)}", **stray("€3", r"row 8\b")),
    column("another unit in one cell", lambda i: "3 lb" if i == 7 else f"{tenths(i)} kg", **stray("3 lb", r"row 8\b")),
    column(
        "error of Excel that is no mark", lambda i: "#SPILL!" if i == 7 else tenths(i), **stray("#SPILL!", r"row 8\b")
    ),
    column(
        "stray that is said to be left out",
        lambda i: "broken" if i == 7 else tenths(i),
        Right(60, {"x": X, "y": Y}),
        options={"ignore": ("d",)},
    ),
    column(
        "stray that is said to be a category",
        lambda i: "broken" if i == 7 else tenths(i),
        right(category("0.0", "3.7")),
        options={"columns": {"d": "category"}},
    ),
    column(
        "many strays are a category",
        lambda i: "broken" if i % 5 == 1 else str(i % 4),
        right(category("0", "broken", "2", levels=("0", "1", "2", "3", "broken"))),
    ),
    column("hexadecimal", lambda i: f"0x{i * 7:02X}", right(Is("category", ("0x00", "0x07")))),
    column("underscores", lambda i: f"1_{i:03d}", right(Is("category", ("1_000", "1_001")))),
    column("leading zeros", lambda i: f"{i % 20:03d}", right(Is("category", ("000", "001", "002")))),
    column(
        "leading zeros in one cell", lambda i: "007" if i == 7 else str(i % 20), right(Is("category", ("0", "1", "2")))
    ),
    column(
        "postal codes, one with a leading zero beyond 20,480 rows",
        lambda i: "01067" if i == 24_000 else str(10_000 + i % 50),
        right(Is("category", ("10000", "10001")), 25_000),
        25_000,
    ),
    column("no zero before the point", lambda i: f".{i:02d}", right(number(0.0, 0.01, 0.02))),
    column("zero with decimals is no leading zero", lambda i: f"0.{i:02d}", right(number(0.0, 0.01, 0.02))),
    column(
        "leading zeros said to be numbers",
        lambda i: f"{i % 20:03d}",
        right(number(0, 1, 2)),
        options={"columns": {"d": "number"}},
    ),
    column(
        "numbers said to be categories",
        lambda i: str(i % 4),
        right(Is("category", None)),
        options={"columns": {"d": "category"}},
    ),
    column(
        "versions",
        lambda i: ("3.1", "3.10", "2.7.1")[i % 3],
        right(category("3.1", "3.10", "2.7.1", levels=("3.1", "3.10", "2.7.1"))),
    ),
    column(
        "codes like exponents",
        lambda i: ("1E5", "100000", "A7")[i % 3],
        right(category("1E5", "100000", "A7", levels=("1E5", "100000", "A7"))),
    ),
    column(
        "codes with a zero",
        lambda i: ("01", "1", "2A")[i % 3],
        right(category("01", "1", "2A", levels=("01", "1", "2A"))),
    ),
    column(
        "texts like halves",
        lambda i: ("0.5", ".50", "x")[i % 3],
        right(category("0.5", ".50", "x", levels=("0.5", ".50", "x"))),
    ),
    column(
        "signs",
        lambda i: ("+1", "1", "-0", "0", "a")[i % 5],
        right(category("+1", "1", "-0", "0", "a", levels=("+1", "1", "-0", "0", "a"))),
    ),
    column("phone numbers", lambda i: f"+49 228 {1000 + i}", right(Is("category"))),
    column(
        "addresses of the network",
        lambda i: f"10.0.{i % 3}.1",
        right(Is("category", ("10.0.0.1", "10.0.1.1", "10.0.2.1"))),
    ),
    column("fractions", lambda i: f"{1 + i % 3}/4", right(Is("category|number"))),
    column("ranges", lambda i: ("18-25", "26-35", "36-50")[i % 3], right(Is("category", ("18-25", "26-35", "36-50")))),
    column("digits of other alphabets", lambda i: "٠١٢٣٤٥٦٧٨٩"[i % 10], right(Is("category|number"))),
    column(
        "1e400 beside 2e400",
        lambda i: ("1e400", "2e400", "x")[i % 3],
        right(category("1e400", "2e400", "x", levels=("1e400", "2e400", "x"))),
    ),
    column("64-bit integers", lambda i: str(2**63 - 1 - i), right(number(*(2**63 - 1 - i for i in range(5))))),
    column("negative 64-bit integers", lambda i: str(-(2**63) + i), right(number(*(-(2**63) + i for i in range(5))))),
    column("unsigned 64-bit integers", lambda i: str(2**64 - 1 - i), right(number(*(2**64 - 1 - i for i in range(5))))),
    column(
        "integers just beyond 2^53",
        lambda i: str(2**53 + 1 + 2 * i),
        right(number(*(2**53 + 1 + 2 * i for i in range(5)))),
    ),
    column(
        "integers beyond 2^53 with gaps",
        lambda i: "" if i == 1 else str(2**53 + 1 + 2 * i),
        right(number(2**53 + 1, None, 2**53 + 5, missing=1)),
    ),
    column("128-bit integers", lambda i: str(2**100 + i), right(Is("category|number"))),
    column("forty digits", lambda i: "1" * 39 + str(i % 10), right(Is("category|number"))),
    column(
        "seventeen digits after the point",
        lambda i: repr(0.1 + i / 3),
        right(number(*(0.1 + i / 3 for i in range(60)))),
    ),
    column(
        "smallest and largest numbers",
        lambda i: ("5e-324", "1.7976931348623157e308", "-2.2250738585072014e-308")[i % 3],
        right(number(5e-324, 1.7976931348623157e308, -2.2250738585072014e-308)),
    ),
    column("numbers as precise as they are written", lambda i: f"{9007199254740993 + 2 * i}.0", right(ANY)),
    column(
        "infinite",
        lambda i: "inf" if i == 3 else tenths(i),
        refusal("'d'", r"row 4\b", "infinite"),
        train=("--target", "y"),
    ),
    column(
        "infinite, beyond 20,480 rows",
        lambda i: "-Infinity" if i == 24_000 else tenths(i),
        refusal("'d'", r"row 24,?001\b", "infinite"),
        rows=25_000,
        train=("--target", "y"),
    ),
    column(
        "too large for a number",
        lambda i: "1e999" if i == 3 else tenths(i),
        refusal("'d'", r"row 4\b", "infinite|1e999"),
        train=("--target", "y"),
    ),
    column(
        "infinite in the last row",
        lambda i: "Inf" if i == 59 else tenths(i),
        refusal("'d'", r"row 60\b", "infinite"),
        train=("--target", "y"),
    ),
    column("zeros with a sign", lambda i: ("-0", "0")[i % 2] if i < 40 else tenths(i), right(number(0.0, 0.0))),
    column("-999 is a number", lambda i: "-999" if i % 5 == 1 else tenths(i), right(number(0.0, -999.0, 7.4))),
]


@traps(ROWS)
def test_numbers(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)
