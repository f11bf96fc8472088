"""What is rarely met, and what is not promised to be read: right, or one line."""

from __future__ import annotations

from pathlib import Path

from support.traps import Is, Right, Trap, category, check, grid, label, number, refusal, tenths, traps

X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))
ROWS = 60

ROWS_OF_TABLE = [
    Trap(
        "two tables in one file",
        "two.csv",
        grid(20, x=tenths, y=label) + "\n" + grid(20, a=tenths, b=tenths, c=label),
        refusal(r"line 23|row 21", r"\b3\b", r"\b2\b"),
    ),
    Trap(
        "thousands and millions",
        "k.csv",
        grid(ROWS, x=tenths, followers=lambda i: f"{i}.{i % 10}{'kM'[i % 2]}", y=label),
        (
            Right(ROWS, {"x": X, "followers": Is("category", left_out=True), "y": Y}, notes=("followers",)),
            Right(ROWS, {"x": X, "followers": Is("number", (0.0,)), "y": Y}),
            refusal("followers"),
        ),
    ),
    Trap(
        "degrees of the compass",
        "geo.csv",
        grid(ROWS, lat=lambda i: f"{i}.25N", x=tenths),
        Right(ROWS, {"lat": number(0.25, 1.25, 2.25), "x": X}),
    ),
    Trap(
        "degrees of both hemispheres",
        "geo.csv",
        grid(ROWS, lat=lambda i: f"{i}.25{'NS'[i % 2]}", x=tenths),
        (Right(ROWS, {"lat": Is("category", left_out=True), "x": X}, notes=("lat",)), refusal("lat")),
    ),
    Trap(
        "minus at the end, as SAP writes it",
        "sap.csv",
        grid(ROWS, x=tenths, amount=lambda i: f"{i}.50{'-' * (i % 2)}", y=label),
        (
            Right(ROWS, {"x": X, "amount": number(0.5, -1.5), "y": Y}),
            Right(ROWS, {"x": X, "amount": Is("category", left_out=True), "y": Y}, notes=("amount",)),
            refusal("amount"),
        ),
    ),
    Trap(
        "exponents of Fortran",
        "fortran.csv",
        grid(ROWS, x=tenths, e=lambda i: f"1.{i % 50:02d}D+02", y=label),
        (
            Right(ROWS, {"x": X, "e": Is("category", left_out=True), "y": Y}, notes=("'e'",)),
            Right(ROWS, {"x": X, "e": number(100.0, 101.0), "y": Y}),
            refusal("'e'"),
        ),
    ),
    Trap(
        "seconds since 1970 beside text",
        "unix.csv",
        grid(ROWS, t=lambda i: f"{1_580_466_000 + i}.125", y=label),
        Right(ROWS, {"t": number(1_580_466_000.125, 1_580_466_001.125), "y": Y}),
    ),
    Trap(
        "names of columns with units",
        "units.csv",
        "temp [°C],speed (m/s),y\n" + grid(ROWS, header=False, a=tenths, b=tenths, y=label),
        Right(ROWS, {"temp [°C]": X, "speed (m/s)": X, "y": Y}),
    ),
    Trap(
        "tab and blank before the line's end",
        "tail.tsv",
        grid(ROWS, "\t", " \n", x=tenths, y=label),
        (Right(ROWS, {"x": X, "y": Is("category")}), Right(ROWS, {"x": X, "y ": Is("category")})),
    ),
    Trap(
        "cells with blanks at both ends",
        "blanks.csv",
        grid(ROWS, x=lambda i: f" {tenths(i)} ", k=lambda i: (" a", "a ", "b")[i % 3], y=label),
        Right(ROWS, {"x": X, "k": Is("category"), "y": Y}),
    ),
    Trap(
        "a text that ends in a backslash",
        "back.csv",
        grid(ROWS, x=tenths, k=lambda i: ("a\\", "b")[i % 2], y=label),
        Right(ROWS, {"x": X, "k": category("a\\", "b", levels=("a\\", "b")), "y": Y}),
    ),
    Trap(
        "amounts with a sign behind the currency",
        "pay.csv",
        grid(ROWS, x=tenths, pay=lambda i: f"EUR {i - 30}.50", y=label),
        Right(ROWS, {"x": X, "pay": number(-30.5, -29.5), "y": Y}),
    ),
    Trap(
        "texts of which most are rare",
        "long.csv",
        grid(1000, x=tenths, k=lambda i: f"level {i % 700}", y=label),
        Right(1000, {"x": X, "k": Is("category"), "y": Y}),
    ),
    Trap(
        "line breaks after a backslash, as MySQL writes them",
        "dump.csv",
        grid(ROWS, x=tenths, note=lambda i: '"a\\\nb"' if i % 3 == 0 else '"c"', y=label),
        (Right(ROWS, {"x": X, "note": Is("category"), "y": Y}), refusal(r"line 2|line 3|row 1")),
    ),
]


@traps(ROWS_OF_TABLE)
def test_rare(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)
