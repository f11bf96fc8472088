"""Quotes, escapes and line breaks in cells: every row of the file is a row of the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commands import ok, run
from support.traps import ANY, Cell, Is, Right, Trap, category, check, grid, label, number, refusal, tenths, traps

X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))
LATE = 25_000
"""Rows of a file whose trap lies beyond the 20,480 rows at which readers look."""


def sometimes(every: int, text: str, other: str) -> Cell:
    """Return cells that hold a text in every so manieth row, the first one included."""
    return lambda i: text if i % every == 0 else other


def late(text: str, other: str = "plain") -> Cell:
    """Return cells that are all the same but for one, far down."""
    return lambda i: text if i == LATE - 100 else other


def backslashed(text: str, every: int, place: int) -> str:
    """Return 600 rows with backslash-escaped quotes in every so manieth cell of the first, second or last column."""
    cells = [("x", tenths), ("y", label)]
    cells.insert(place, ("comment", sometimes(every, f'"{text}"', '"nothing"')))
    return grid(600, **dict(cells))


def backslash_right(text: str, every: int, place: int) -> Right:
    """Return the table of `backslashed`."""
    cells = [("x", X), ("y", Y)]
    meant = text.replace("\\", "")
    levels = (meant,) if every == 1 else (meant, "nothing")
    cells.insert(place, ("comment", category(meant, meant if every == 1 else "nothing", levels=levels)))
    return Right(600, dict(cells), dialect={"escape": "\\"})


EVEN, ODD = r"they said \"fine\" twice", r"a 5\" pipe"
BACKSLASHES = [
    Trap(
        f"{kind} number of backslash quotes, {share} %, column {place}",
        "notes.csv",
        backslashed(text, every, place),
        backslash_right(text, every, place),
    )
    for kind, text in (("even", EVEN), ("odd", ODD))
    for share, every in ((5, 20), (20, 5), (100, 1))
    for place in (0, 1, 2)
]


def inside(text: str, meant: str, name: str, **facts: object) -> Trap:
    """Return the trap of a text, as it stands in the file, that means another; it is in every fifth of 200 rows."""
    content = grid(200, x=tenths, note=sometimes(5, text, "plain"), y=label)
    right = Right(200, {"x": X, "note": category(meant, "plain", levels=(meant, "plain")), "y": Y})
    return Trap(name, "inside.csv", content, right, **facts)


def far(text: str, meant: str, name: str) -> Trap:
    """Return the trap of a text beyond the rows at which readers look."""
    right = Right(LATE, {"x": X, "note": category("plain", levels=(meant, "plain")), "y": Y})
    return Trap(name, "late.csv", grid(LATE, x=tenths, note=late(text), y=label), right)


SIZES = tuple(f'{20 + i}"' for i in range(9))
ROWS = [
    Trap(
        "inch marks in every cell",
        "inch.csv",
        grid(200, x=tenths, size=lambda i: SIZES[i % 9], y=label),
        (
            Right(200, {"x": X, "size": category(*SIZES, levels=SIZES), "y": Y}),
            Right(200, {"x": X, "size": number(20, 21, 22), "y": Y}),
        ),
    ),
    Trap(
        "one late inch mark",
        "one.csv",
        grid(200, x=tenths, size=lambda i: '24"' if i == 150 else "24", y=label),
        (
            Right(200, {"x": X, "size": category("24", levels=("24", '24"')), "y": Y}),
            refusal("'size'", "24", r"row 151\b", "--columns|--ignore"),
        ),
    ),
    Trap(
        "feet and inches",
        "feet.csv",
        grid(200, x=tenths, size=lambda i: f"5'{i % 12}\"", y=label),
        Right(200, {"x": X, "size": category("5'0\"", "5'1\"", levels=[f"5'{k}\"" for k in range(12)]), "y": Y}),
    ),
    inside('Al "Bo" Cy', 'Al "Bo" Cy', "nickname in quotes within a bare cell"),
    inside('O"Brien', 'O"Brien', "one quote within a bare cell"),
    inside('"no ""good"" word"', 'no "good" word', "doubled quotes"),
    inside('"""all"""', '"all"', "doubled quotes at both ends"),
    inside('"a, b"', "a, b", "separator in quotes"),
    inside('"two\nlines"', "two\nlines", "line break in quotes"),
    inside('"three\n\nlines"', "three\n\nlines", "blank line in quotes"),
    inside('"a\r\nb"', "a\r\nb", "CRLF in quotes of a file with LF"),
    inside("O'Neil", "O'Neil", "apostrophe"),
    inside("don't say 'no'", "don't say 'no'", "three apostrophes"),
    inside('"it\'s, well"', "it's, well", "apostrophe within quotes, with a separator"),
    inside('"{""a"": 1, ""b"": 2}"', '{"a": 1, "b": 2}', "JSON with doubled quotes"),
    inside(r'"{\"a\": 1, \"b\": 2}"', '{"a": 1, "b": 2}', "JSON with backslash quotes"),
    inside(r'"C:\data\"', "C:\\data\\", "folder of Windows that ends in a backslash, in quotes"),
    inside(r"C:\data\new", r"C:\data\new", "path of Windows, bare"),
    inside(r'"C:\data, new"', r"C:\data, new", "path of Windows with a separator, in quotes"),
    inside('"ends in a newline\n"', "ends in a newline\n", "line break at the end of a quoted cell"),
    inside("“fine”", "“fine”", "typographic quotes are no quotes"),
    inside("`a`", "`a`", "backticks are no quotes"),
    far('"a, b"', "a, b", "first quotes beyond 20,480 rows"),
    far('"two\nlines"', "two\nlines", "first line break in quotes beyond 20,480 rows"),
    far('"no ""good"""', 'no "good"', "first doubled quotes beyond 20,480 rows"),
    far('24"', '24"', "first inch mark beyond 20,480 rows"),
    Trap(
        "first backslash quote beyond 20,480 rows",
        "late.csv",
        grid(LATE, x=tenths, note=late(r'"a \"b\" c"', '"plain"'), y=label),
        (
            Right(LATE, {"x": X, "note": category("plain", levels=('a "b" c', "plain")), "y": Y}),
            refusal(r"line 24,?902|row 24,?901", "escape|quote"),
        ),
    ),
    Trap(
        "quotes around every cell",
        "quoted.csv",
        grid(50, x=lambda i: f'"{tenths(i)}"', y=lambda i: f'"{label(i)}"').replace("x,y", '"x","y"'),
        Right(50, {"x": X, "y": Y}),
    ),
    Trap(
        "quotes around the names only",
        "q.csv",
        grid(50, x=tenths, y=label).replace("x,y", '"x","y"'),
        Right(50, {"x": X, "y": Y}),
    ),
    Trap(
        "separator and quotes in a name",
        "name.csv",
        grid(50, x=tenths, y=label).replace("x,y", '"x, in ""mm""",y'),
        Right(50, {'x, in "mm"': X, "y": Y}),
    ),
    Trap(
        "line break in a name",
        "name.csv",
        grid(50, x=tenths, y=label).replace("x,y", '"x\n(mm)",y'),
        Right(50, {"x\n(mm)": X, "y": Y}),
    ),
    Trap(
        "empty quotes are missing",
        "empty.csv",
        grid(50, x=lambda i: '""' if i == 1 else tenths(i), y=lambda i: '""' if i == 2 else label(i)),
        Right(50, {"x": number(0.0, None, 7.4, missing=1), "y": category("lo", "hi", None, missing=1)}),
    ),
    Trap(
        "single quotes around texts with separators",
        "single.csv",
        grid(100, x=tenths, note=lambda i: f"'a, {'bc'[i % 2]}'", y=label),
        Right(100, {"x": X, "note": category("a, b", "a, c", levels=("a, b", "a, c")), "y": Y}, dialect={"quote": "'"}),
    ),
    Trap(
        "single quotes, said by the user",
        "single.csv",
        grid(100, x=tenths, note=lambda i: f"'a {'bc'[i % 2]}'", y=label),
        Right(100, {"x": X, "note": category("a b", "a c", levels=("a b", "a c")), "y": Y}, dialect={"quote": "'"}),
        options={"quote": "'"},
    ),
    Trap(
        "no quotes at all, said by the user",
        "none.csv",
        grid(100, x=tenths, note=lambda i: '"a' if i % 4 == 0 else "b", y=label),
        Right(100, {"x": X, "note": category('"a', "b", levels=('"a', "b")), "y": Y}, dialect={"quote": ""}),
        options={"quote": ""},
    ),
    Trap(
        "backslash, said by the user",
        "escape.csv",
        grid(100, x=tenths, note=lambda i: r'"a \" b"' if i % 4 == 0 else '"b"', y=label),
        Right(100, {"x": X, "note": category('a " b', "b", levels=('a " b', "b")), "y": Y}, dialect={"escape": "\\"}),
        options={"escape": "\\"},
    ),
    Trap(
        "quoted cell before a line that begins with a quoted cell",
        "ends.csv",
        grid(100, note=lambda i: '"a, b"' if i % 2 else "c", x=tenths, name=lambda i: 'O"B' if i % 2 == 0 else "D"),
        Right(100, {"note": category("c", "a, b"), "x": X, "name": category('O"B', "D", levels=('O"B', "D"))}),
    ),
    Trap(
        "spaces before the quotes",
        "spaces.csv",
        grid(60, separator=", ", x=tenths, town=lambda i: '"Bonn, Rhein"' if i % 2 else '"Ulm"', y=label),
        (
            Right(60, {"x": X, "town": Is("category", ("Ulm", "Bonn, Rhein")), "y": Y}),
            refusal(r"line \d|row \d", "field|column|quote"),
        ),
    ),
    Trap(
        "text after the closing quote",
        "after.csv",
        grid(60, x=tenths, note=lambda i: '"a"b' if i == 40 else '"c"', y=label),
        (
            Right(60, {"x": X, "note": Is("category", ("c", "c")), "y": Y}),
            refusal(r"line 42|row 41", "quote"),
        ),
    ),
    Trap(
        "quote that is never closed, in the last row",
        "open.csv",
        grid(60, x=tenths, note=lambda i: '"a' if i == 59 else '"c, d"', y=label),
        refusal(r"line 61|row 60", "quote"),
    ),
    Trap(
        "quote that is never closed, in the middle",
        "open.csv",
        grid(60, x=tenths, note=lambda i: '"a' if i == 30 else "c", y=label),
        (
            Right(60, {"x": X, "note": category("c", levels=('"a', "c")), "y": Y}),
            refusal(r"line 32|row 31", "quote"),
        ),
    ),
    Trap(
        "quote that is never closed beyond 20,480 rows",
        "open.csv",
        grid(LATE, x=tenths, note=late('"a'), y=label),
        (
            Right(LATE, {"x": X, "note": category("plain", levels=('"a', "plain")), "y": Y}),
            refusal(r"line 24,?902|row 24,?901", "quote"),
        ),
    ),
    Trap(
        "separator after a backslash, as MySQL writes it",
        "mysql.csv",
        grid(60, x=tenths, note=lambda i: r"a\, b" if i % 6 == 5 else "c", y=label),
        (
            Right(60, {"x": X, "note": category("c", levels=("a, b", "c")), "y": Y}),
            refusal(r"line 7|row 6", "field|column"),
        ),
    ),
    Trap(
        "bare quotes in a tab-separated file",
        "tabs.tsv",
        grid(60, separator="\t", x=tenths, note=lambda i: '"odd' if i % 7 == 0 else "c", y=label),
        (
            Right(60, {"x": X, "note": category('"odd', "c", levels=('"odd', "c")), "y": Y}),
            refusal(r"line 2|row 1", "quote"),
        ),
    ),
    Trap(
        "quotes with line breaks in a file with CRLF",
        "crlf.csv",
        grid(60, end="\r\n", x=tenths, note=lambda i: '"a\r\nb"' if i % 2 else "c", y=label),
        Right(60, {"x": X, "note": category("c", "a\r\nb", levels=("a\r\nb", "c")), "y": Y}),
    ),
    Trap(
        "quoted cell of many lines",
        "long.csv",
        grid(
            60, x=tenths, note=lambda i: f'"{"line, of text" * 3}\n"' if i % 2 else '"' + "word\n" * 500 + '"', y=label
        ),
        Right(60, {"x": X, "note": category("word\n" * 500), "y": Y}),
    ),
    Trap(
        "cell of a million characters",
        "huge.csv",
        grid(20, x=tenths, note=lambda i: "a" * 1_000_000 if i == 11 else "b", y=label),
        (Right(20, {"x": X, "note": ANY, "y": Y}), refusal(r"line 13|row 12", "long|size|characters|bytes")),
    ),
]


@traps(BACKSLASHES)
def test_backslashes(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(ROWS)
def test_quotes(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


def test_every_row_is_predicted(tmp_path: Path) -> None:
    """F01: `predict --out` wrote 400 lines for 600 rows."""
    path, model, out = tmp_path / "notes.csv", tmp_path / "m.safetensors", tmp_path / "p.csv"
    path.write_text(backslashed(EVEN, 3, 1))
    ok("train", path, "--target", "y", "--out", model, "--max-iter", 1, "--hidden-layer-sizes", "none")
    ok("predict", model, path, "--out", out)
    assert len(out.read_text().splitlines()) == 601


@pytest.mark.parametrize("option", ["--quote", "--escape", "--separator", "--comment"])
def test_a_sign_of_two_characters_is_refused(option: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(grid(20, x=tenths, y=label))
    ran = run("look", path, option, "ab")
    assert ran.code == 2
    assert option.strip("-") in ran.err
