"""Separators, line ends, lines of the wrong length, footers, files that are no tables."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from support.commands import run
from support.traps import ANY, Is, Right, Trap, category, check, grid, label, number, refusal, tenths, traps

X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))
PLAIN = grid(50, x=tenths, y=label)
BOTH = {"x": X, "y": Y}
K = category("u", "v", "w", levels=("u", "v", "w"))
THREE = {"x": X, "k": K, "y": Y}
LATE = 25_000


def letter(i: int) -> str:
    """Return one of three letters."""
    return "uvw"[i % 3]


def three(rows: int = 60, separator: str = ",", end: str = "\n") -> str:
    """Return a table of a number and two texts."""
    return grid(rows, separator, end, x=tenths, k=letter, y=label)


def changed(line: int, text: str, rows: int = 60) -> str:
    """Return `three` with another text in place of one line; line 1 is the header."""
    lines = three(rows).splitlines()
    lines[line - 1] = text
    return "\n".join(lines) + "\n"


def png() -> bytes:
    """Return a picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0\0\0")) + chunk(b"IEND", b"")
    )


SEPARATORS = [
    Trap("semicolons", "t.csv", three(60, ";"), Right(60, THREE, dialect={"separator": ";"})),
    Trap("tabs", "t.tsv", three(60, "\t"), Right(60, THREE, dialect={"separator": "\t"})),
    Trap("tabs in a .csv", "t.csv", three(60, "\t"), Right(60, THREE, dialect={"separator": "\t"})),
    Trap("commas in a .tsv", "t.tsv", three(60, ","), Right(60, THREE, dialect={"separator": ","})),
    Trap("pipes", "t.txt", three(60, "|"), Right(60, THREE, dialect={"separator": "|"})),
    Trap("spaces", "t.txt", three(60, " "), Right(60, THREE)),
    Trap(
        "runs of spaces",
        "t.data",
        "    x   k  y\n"
        + grid(
            60,
            "",
            header=False,
            x=lambda i: f"{tenths(i):>8}",
            k=lambda i: f"{letter(i):>6}",
            y=lambda i: f"   {label(i)}",
        ),
        Right(60, THREE),
    ),
    Trap(
        "runs of spaces without a header",
        "t.data",
        grid(
            60, "", header=False, x=lambda i: f"  {tenths(i):>8}", k=lambda i: f"{i % 7:>6}", y=lambda i: f"{i % 11:>6}"
        ),
        Right(60, {"column0": X, "column1": number(0, 1, 2), "column2": number(0, 1, 2)}),
    ),
    Trap("separator said by the user", "t.txt", three(60, "|"), Right(60, THREE), options={"separator": "|"}),
    Trap("rare separator, said by the user", "t.txt", three(60, "~"), Right(60, THREE), options={"separator": "~"}),
    Trap(
        "spaces said by the user",
        "t.txt",
        grid(60, "  ", x=tenths, k=letter, y=label),
        Right(60, THREE),
        options={"separator": "space"},
    ),
    Trap(
        "commas in the texts of a file with semicolons",
        "t.csv",
        grid(60, ";", x=tenths, k=lambda i: f"{letter(i)}, z", y=label),
        Right(60, {"x": X, "k": category("u, z", "v, z", "w, z"), "y": Y}, dialect={"separator": ";"}),
    ),
    Trap(
        "semicolons in the texts of a file with commas",
        "t.csv",
        grid(60, ",", x=tenths, k=lambda i: f"{letter(i)}; z; z", y=label),
        Right(60, {"x": X, "k": category("u; z; z", "v; z; z"), "y": Y}, dialect={"separator": ","}),
    ),
    Trap(
        "pipes in the texts of a file with commas",
        "t.csv",
        grid(60, x=tenths, k=lambda i: "|".join("ab"[: 1 + i % 2]), y=label),
        Right(60, {"x": X, "k": category("a", "a|b", "a"), "y": Y}, dialect={"separator": ","}),
    ),
    Trap(
        "tabs in the texts of a file with commas",
        "t.csv",
        grid(60, x=tenths, k=lambda i: "a\tb" if i % 2 else "c", y=label),
        Right(60, {"x": X, "k": category("c", "a\tb"), "y": Y}, dialect={"separator": ","}),
    ),
    Trap(
        "times in a file with commas",
        "t.csv",
        grid(60, x=tenths, at=lambda i: f"{i % 24:02d}:30:00", y=label),
        Right(60, {"x": X, "at": Is("duration", (1800.0, 5400.0)), "y": Y}, dialect={"separator": ","}),
    ),
    Trap(
        "two colons, as MovieLens writes them",
        "t.dat",
        grid(60, "::", x=tenths, k=letter, y=label),
        (
            Right(60, THREE),
            refusal("separator|nothing to learn|no column"),
            Right(60, {"x": X, "column1": ANY, "k": K, "column3": ANY, "y": Y}),
        ),
        train=("--target", "x::k::y"),
    ),
    Trap(
        "trailing separators, also in the header",
        "t.csv",
        three(60, end=",\n"),
        (Right(60, THREE), Right(60, {**THREE, "column3": Is("category|number", missing=60)})),
    ),
    Trap(
        "trailing separators, not in the header",
        "t.csv",
        "x,k,y\n" + three(60, end=",\n").split("\n", 1)[1],
        (
            Right(60, THREE),
            Right(60, {**THREE, "column3": Is("category|number", missing=60)}),
            refusal(r"line \d|row \d", "4", "3"),
        ),
    ),
]

ENDS = [
    Trap("CR", "t.csv", three(60, end="\r"), Right(60, THREE)),
    Trap("CRLF", "t.csv", three(60, end="\r\n"), Right(60, THREE)),
    Trap("CRLF with semicolons", "t.csv", three(60, ";", "\r\n"), Right(60, THREE)),
    Trap("LF, then CRLF", "t.csv", three(60).replace("u,lo\n", "u,lo\r\n"), Right(60, THREE)),
    Trap("CRLF in the header only", "t.csv", three(60).replace("\n", "\r\n", 1), Right(60, THREE)),
    Trap("CRLF but for the last line", "t.csv", three(60, end="\r\n").rstrip(), Right(60, THREE)),
    Trap("CR CR LF", "t.csv", three(60, end="\r\r\n"), (Right(60, THREE), refusal("line|row"))),
    Trap("no line end at the end", "t.csv", three(60).rstrip(), Right(60, THREE)),
    Trap(
        "no line end at the end, an empty last cell",
        "t.csv",
        grid(60, x=tenths, y=lambda i: label(i) if i < 59 else "").rstrip("\n"),
        Right(60, {"x": X, "y": Is("category", missing=1)}),
    ),
    Trap("blank lines at the end", "t.csv", three(60) + "\n\n\n", Right(60, THREE)),
    Trap("blank lines at the start", "t.csv", "\n\n" + three(60), Right(60, THREE)),
    Trap("blank lines in the middle", "t.csv", three(60).replace("u,lo\n", "u,lo\n\n"), Right(60, THREE)),
    Trap("lines of spaces at the end", "t.csv", three(60) + "   \n", (Right(60, THREE), refusal("line 62|row 61"))),
    Trap(
        "lines of separators only",
        "t.csv",
        three(60) + ",,\n,,\n",
        (
            Right(62, {"x": Is("number", missing=2), "k": Is("category", missing=2), "y": Is("category", missing=2)}),
            Right(60, THREE),
        ),
    ),
    Trap(
        "Ctrl-Z at the end, as DOS writes it",
        "t.csv",
        three(60) + "\x1a",
        (Right(60, THREE), refusal("line 62|row 61")),
    ),
    Trap("blank line after every line", "t.csv", three(60, end="\n\n"), Right(60, THREE)),
]

LENGTHS = [
    Trap("short line", "t.csv", changed(42, "1.5,u"), refusal("line 42|row 41", r"\b2\b", r"\b3\b")),
    Trap("long line", "t.csv", changed(42, "1.5,u,hi,9"), refusal("line 42|row 41", r"\b4\b", r"\b3\b")),
    Trap(
        "short line after a cell of three lines",
        "t.csv",
        changed(42, "1.5,u").replace("0.0,u,lo", '0.0,"u\nu\nu",lo', 1),
        refusal("line 44|row 41", r"\b2\b", r"\b3\b"),
    ),
    Trap("short first row", "t.csv", changed(2, "1.5,u"), refusal("line 2|row 1", r"\b2\b", r"\b3\b")),
    Trap("long first row", "t.csv", changed(2, "1.5,u,hi,9"), refusal("line 2|row 1", r"\b4\b", r"\b3\b")),
    Trap("short last row, cut off", "t.csv", three(60)[:-5], refusal("line 61|row 60")),
    Trap(
        "short line beyond 20,480 rows", "t.csv", changed(LATE - 98, "1.5,u", LATE), refusal("line 24,?902|row 24,?901")
    ),
    Trap(
        "long line beyond 20,480 rows",
        "t.csv",
        changed(LATE - 98, "1.5,u,hi,9", LATE),
        refusal("line 24,?902|row 24,?901"),
    ),
    Trap(
        "decimal comma in a file with commas",
        "t.csv",
        changed(42, "1,5,u,hi"),
        refusal("line 42|row 41", r"\b4\b", r"\b3\b"),
    ),
    Trap(
        "every other line is short",
        "t.csv",
        "".join(f"{tenths(i)},{letter(i)}{',hi' * (i % 2)}\n" for i in range(-1, 60)),
        refusal(r"line \d|row \d"),
    ),
    Trap("footer: total of the numbers", "t.csv", three(60) + "Total\n", refusal("line 62|row 61")),
    Trap("footer: a sentence", "t.csv", three(60) + "\n(60 rows affected)\n", refusal("line 63|row 61")),
    Trap(
        "footer of full length",
        "t.csv",
        three(60) + "Total,,\n",
        refusal(r"row 61\b", "--columns|--ignore|remove|delete|take"),
        train=("--target", "y"),
    ),
]

EMPTY_CAUSE = "empty"
NO_TABLES = [
    Trap("empty file", "t.csv", "", refusal(EMPTY_CAUSE)),
    Trap("line ends only", "t.csv", "\n\n\n", refusal(EMPTY_CAUSE)),
    Trap("spaces only", "t.csv", "   \n", refusal(EMPTY_CAUSE)),
    Trap("byte order mark only", "t.csv", b"\xef\xbb\xbf", refusal(EMPTY_CAUSE)),
    Trap("empty .txt", "t.txt", "", refusal(EMPTY_CAUSE)),
    Trap("picture", "t.csv", png(), refusal("binary|not .*text|no table|PNG")),
    Trap(
        "random bytes",
        "t.csv",
        bytes((i * i * 31 + i // 7) % 256 for i in range(5000)),
        refusal("binary|not .*text|no table|encod|UTF-8"),
    ),
    Trap("zeros", "t.csv", bytes(1000), refusal("binary|not .*text|NUL|no table|empty")),
    Trap(
        "NUL in a cell",
        "t.csv",
        changed(42, "1.5,\0,hi"),
        (refusal("binary|NUL|zero byte"), Right(60, {"x": X, "k": ANY, "y": Y})),
    ),
    Trap(
        "NUL at the end, from a crash",
        "t.csv",
        three(60) + "\0" * 512,
        (refusal("binary|NUL|zero byte|line 62|row 61"), Right(60, THREE)),
    ),
    Trap(
        "page of the web",
        "t.csv",
        "<!DOCTYPE html>\n<html>\n<head><title>Not found</title></head>\n<body>\n<p>404</p>\n</body>\n</html>\n",
        refusal("HTML|web page|line|row|header|names"),
    ),
    Trap(
        "pointer of Git LFS",
        "t.csv",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n",
        refusal("LFS|pointer"),
    ),
    Trap("marks of a merge", "t.csv", changed(42, "<<<<<<< HEAD"), refusal("line 42|row 41")),
    Trap("Parquet in a .csv", "t.csv", b"PAR1" + bytes(range(256)) * 4 + b"PAR1", refusal("Parquet|binary|not .*text")),
    Trap("SQLite in a .csv", "t.csv", b"SQLite format 3\0" + bytes(1008), refusal("SQLite|binary|not .*text")),
    Trap("text in a .parquet", "t.parquet", three(60), refusal("Parquet")),
    Trap("empty .parquet", "t.parquet", "", refusal("empty|Parquet")),
]


@traps(SEPARATORS)
def test_separators(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(ENDS)
def test_line_ends(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(LENGTHS)
def test_lengths(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(NO_TABLES)
def test_no_tables(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@pytest.mark.parametrize("command", ["look", "train", "predict"])
def test_a_missing_file_and_a_folder(command: str, tmp_path: Path) -> None:
    """The line names the file and says what it is."""
    model = tmp_path / "m.safetensors"
    (tmp_path / "t.csv").write_text(three(60))
    assert run("train", tmp_path / "t.csv", "--target", "y", "--max-iter", 1, "--out", model).code == 0
    before, after = ((model,), ()) if command == "predict" else ((), ("--target", "y") if command == "train" else ())
    for name, cause in (("none.csv", "no such file"), ("folder.csv", "folder")):
        (tmp_path / "folder.csv").mkdir(exist_ok=True)
        ran = run(command, *before, tmp_path / name, *after)
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert name in ran.err
        assert cause in ran.err
