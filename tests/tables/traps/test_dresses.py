"""Numbers in other dress, missing marks, decimal commas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.traps import Cell, Is, Right, Trap, category, check, grid, label, number, refusal, tenths, traps

X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))
MARKS = (
    "",
    " ",
    "NA",
    "N/A",
    "#N/A",
    "#NA",
    "n/a",
    "NULL",
    "null",
    "Null",
    "None",
    "none",
    "nan",
    "NaN",
    "NAN",
    "<NA>",
    "NaT",
    "?",
    "-",
    "--",
    ".",
    "..",
    r"\N",
    "#DIV/0!",
    "#VALUE!",
    "#REF!",
    "#NUM!",
    "#NAME?",
)
"""What stands for a missing value in files of R, pandas, SQL, MySQL, Excel, SAS, Weka and statistics offices."""

PLAIN_MARKS = ("", " ", "nan", "NaN", "NAN")
"""Those that need no note: empty cells, and what every program writes for no number."""


def column(name: str, cell: Cell, verdict: Any, rows: int = 60, **facts: Any) -> Trap:
    """Return the trap of a table whose column `d` is what it is about."""
    return Trap(name, "d.csv", grid(rows, d=cell, x=tenths, y=label), verdict, **facts)


def right(d: Is, rows: int = 60, **facts: Any) -> Right:
    """Return the table of `column`."""
    return Right(rows, {"d": d, "x": X, "y": Y}, **facts)


def stray(*words: str) -> dict[str, Any]:
    """Return the verdict of a training that is refused for a value in `d`."""
    return {"verdict": refusal("'d'", *words, "--columns|--ignore"), "train": ("--target", "y")}


def gaps(mark: str, every: int) -> Cell:
    """Return numbers with a mark in every so manieth row, from the second on."""
    return lambda i: mark if i % every == 1 else tenths(i)


def gap_trap(mark: str, every: int) -> Trap:
    """Return the trap of a mark in that share of the cells."""
    cells = len(range(1, 300, every))
    marks = None if mark in PLAIN_MARKS else {mark: cells}
    verdict = right(number(0.0, None, 7.4, missing=cells, marks=marks), 300)
    return column(f"{mark!r} in {round(100 / every)} % of the cells", gaps(mark, every), verdict, 300)


def dressed(
    shape: str,
    write: Callable[[float], str],
    *,
    step: float = 12.5,
    quote: bool = False,
    start: float = -100.0,
    **facts: Any,
) -> Trap:
    """Return the trap of numbers from `start` on, in steps, in another dress."""

    def cell(i: int) -> str:
        text = write(start + step * i)
        return f'"{text}"' if quote else text

    verdict = right(number(*(start + step * i for i in range(60)), **facts))
    return column(f"like {shape}", cell, verdict)


def comma(text: str) -> str:
    """Return a number with its point and comma exchanged."""
    return text.translate(str.maketrans(".,", ",."))


DRESSES = [
    dressed("$1,234.50", lambda v: f"${v:,.2f}".replace("$-", "-$"), quote=True, step=125.5, form="$1,234.5"),
    dressed("$1234", lambda v: f"${v:.0f}", start=100, step=3, form="$1234.5"),
    dressed("$-5.00", lambda v: f"${v:.2f}", step=2.5),
    dressed("1,234", lambda v: f"{v:,.0f}", quote=True, start=1000, step=1234, form="1,234.5"),
    dressed("1,234,567", lambda v: f"{v:,.0f}", quote=True, start=1e6, step=123_456, form="1,234.5"),
    dressed("1,234.5", lambda v: f"{v:,.1f}", quote=True, start=0, step=612.5, form="1,234.5"),
    dressed("1.234,5", lambda v: comma(f"{v:,.1f}"), quote=True, start=0, step=612.5, form="1.234,5"),
    dressed("1234,5", lambda v: comma(f"{v:.1f}"), quote=True, start=0, step=612.5),
    dressed("1'234.5", lambda v: f"{v:,.1f}".replace(",", "'"), start=0, step=612.5),
    dressed("1’234.5", lambda v: f"{v:,.1f}".replace(",", "’"), start=0, step=612.5),
    dressed("1 234.5", lambda v: f"{v:,.1f}".replace(",", " "), start=0, step=612.5),
    dressed(
        "1 234,5 with a hard blank",
        lambda v: comma(f"{v:,.1f}").replace(".", "\u00a0"),
        quote=True,
        start=0,
        step=612.5,
    ),
    dressed("1 234 with a hard blank", lambda v: f"{v:,.0f}".replace(",", "\u00a0"), start=0, step=612),
    dressed(
        "1 234,5 with a narrow blank",
        lambda v: comma(f"{v:,.1f}").replace(".", "\u202f"),
        quote=True,
        start=0,
        step=612.5,
    ),
    dressed("12.5%", lambda v: f"{v}%", form="1234.5%"),
    dressed("12.5 %", lambda v: f"{v} %"),
    dressed("12,5 %", lambda v: comma(f"{v} %"), quote=True),
    dressed("12.5 kg", lambda v: f"{v} kg", form="1234.5 kg"),
    dressed("12.5kg", lambda v: f"{v}kg"),
    dressed("12.5 km/h", lambda v: f"{v} km/h"),
    dressed("12.5 °C", lambda v: f"{v} °C"),
    dressed("12.5 m²", lambda v: f"{v} m²"),
    dressed("12.5 €", lambda v: f"{v} €"),
    dressed("€12.5", lambda v: f"€{v}", start=0),
    dressed("1.234,50 €", lambda v: comma(f"{v:,.2f} €"), quote=True, start=0, step=612.5, form="1.234,5 €"),
    dressed("£1,234.50", lambda v: f"£{v:,.2f}", quote=True, start=0, step=612.5),
    dressed("USD 12.50", lambda v: f"USD {v:.2f}", start=0),
    dressed("12.50 USD", lambda v: f"{v:.2f} USD", start=0),
    dressed("R$ 1.234,50", lambda v: "R$ " + comma(f"{v:,.2f}"), quote=True, start=0, step=612.5),
    dressed("₹ 12", lambda v: f"₹ {v:.0f}", start=1, step=3),
    dressed("(5.00)", lambda v: f"({-v:.2f})" if v < 0 else f"{v:.2f}"),
    dressed("$(5.00) and $5.00", lambda v: f"$({-v:.2f})" if v < 0 else f"${v:.2f}"),
    dressed("($5.00) and $5.00", lambda v: f"(${-v:.2f})" if v < 0 else f"${v:.2f}"),
    dressed("−5.00 with U+2212", lambda v: f"{v:.2f}".replace("-", "\u2212")),
    dressed("+5.00", lambda v: f"{v:+.2f}"),
    dressed("5.", lambda v: f"{v:.0f}.", step=2),
    dressed("1.25e+02", lambda v: f"{v:.4e}"),
    dressed("1.25E2", lambda v: f"{v:.4E}".replace("E+0", "E"), start=100),
    dressed("  12.5  in blanks", lambda v: f"  {v}  "),
    dressed("12.5 in quotes and blanks", lambda v: f" {v} ", quote=True),
]

EUROPEAN = [
    Trap(
        "decimal commas",
        "eu.csv",
        grid(60, ";", x=lambda i: comma(tenths(i)), y=label),
        Right(60, {"x": X, "y": Y}, dialect={"separator": ";", "decimal": ","}),
    ),
    Trap(
        "decimal commas and thousands",
        "eu.csv",
        grid(60, ";", x=lambda i: comma(f"{612.5 * i:,.2f}"), y=label),
        Right(60, {"x": number(0.0, 612.5, 1225.0, 1837.5), "y": Y}),
    ),
    Trap(
        "decimal commas with three decimals",
        "eu.csv",
        grid(60, ";", x=lambda i: comma(f"{1.125 * i:.3f}"), y=label),
        Right(60, {"x": number(0.0, 1.125, 2.25), "y": Y}),
    ),
    Trap(
        "decimal commas in one column, whole numbers in another",
        "eu.csv",
        grid(60, ";", x=lambda i: comma(tenths(i)), n=str, y=label),
        Right(60, {"x": X, "n": number(0, 1, 2), "y": Y}),
    ),
    Trap(
        "decimal commas with gaps and marks",
        "eu.csv",
        grid(60, ";", x=lambda i: "NA" if i == 1 else "" if i == 2 else comma(tenths(i)), y=label),
        Right(60, {"x": number(0.0, None, None, 1.0, missing=2), "y": Y}),
    ),
    Trap(
        "decimal commas with exponents",
        "eu.csv",
        grid(60, ";", x=lambda i: comma(f"{1.5 * i:.2e}"), y=label),
        Right(60, {"x": number(0.0, 1.5, 3.0), "y": Y}),
    ),
    Trap(
        "decimal commas with tabs",
        "eu.tsv",
        grid(60, "\t", x=lambda i: comma(tenths(i)), y=label),
        Right(60, {"x": X, "y": Y}),
    ),
    Trap(
        "decimal commas in quotes",
        "eu.csv",
        grid(60, x=lambda i: f'"{comma(tenths(i))}"', y=label),
        Right(60, {"x": X, "y": Y}),
    ),
    Trap(
        "decimal commas said by the user",
        "eu.csv",
        grid(60, ";", x=lambda i: f"{i % 7},{i % 10}00", y=label),
        Right(60, {"x": number(0.0, 1.1, 2.2), "y": Y}),
        options={"decimal": ","},
    ),
    Trap(
        "three digits after the comma in a semicolon file with other decimal commas",
        "eu.csv",
        grid(60, ";", x=lambda i: comma(tenths(i)), z=lambda i: f"{i % 9},125", y=label),
        Right(60, {"x": X, "z": number(0.125, 1.125), "y": Y}),
    ),
    Trap(
        "points in a semicolon file",
        "eu.csv",
        grid(60, ";", x=tenths, y=label),
        Right(60, {"x": X, "y": Y}, dialect={"decimal": "."}),
    ),
    Trap(
        "decimal commas of negative numbers",
        "eu.csv",
        grid(60, ";", x=lambda i: "-" + comma(tenths(i + 1)), y=label),
        Right(60, {"x": number(-3.7, -7.4, -1.0), "y": Y}),
    ),
    Trap(
        "decimal commas beyond 20,480 rows",
        "eu.csv",
        grid(25_000, ";", x=lambda i: "2,5" if i == 24_000 else str(i % 100), y=label),
        (Right(25_000, {"x": number(0, 1, 2), "y": Y}), refusal("'x'", "2,5", r"row 24,?001")),
    ),
    Trap(
        "lists of numbers are no decimal commas",
        "eu.csv",
        grid(60, ";", x=tenths, k=lambda i: f"{i % 3},2,3", y=label),
        Right(60, {"x": X, "k": Is("category", ("0,2,3", "1,2,3", "2,2,3")), "y": Y}),
    ),
]


@traps(
    [gap_trap(mark, 10) for mark in MARKS]
    + [gap_trap(mark, every) for mark in ("", "NA", "-", "nan") for every in (100, 5, 2)]
)
def test_marks(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(DRESSES)
def test_dresses(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(EUROPEAN)
def test_decimal_commas(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)
