"""Text files of every dialect: read right, or refused in one line that names the line and the cause."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.tables import Dialect, ReadOptions, SourceError, open_table, read_table
from chainrule.tables.reading import textfile

N = 30


class Case(NamedTuple):
    """A file, what `words` says of its dialect, its columns and its first row, its number of rows."""

    content: str | bytes
    words: str
    columns: list[str]
    first: tuple[Any, ...]
    rows: int
    options: Mapping[str, Any] = {}
    name: str = "table.csv"


AB = ["a", "b"]
CASES: dict[str, Case] = {
    "plain": Case("a,b\n1,x\n2,y\n", "separator ','", AB, (1.0, "x"), 2),
    "semicolons": Case("a;b\n1;x\n2;y\n", "separator ';'", AB, (1.0, "x"), 2),
    "tabs": Case("a\tb\n1\tx,y\n2\ty\n", "separator tab", AB, (1.0, "x,y"), 2),
    "pipes": Case("a|b\n1|x\n2|y\n", "separator '|'", AB, (1.0, "x"), 2, name="table.psv"),
    "a separator that is said": Case("a^b\n1^x\n2^y\n", "separator '^'", AB, (1.0, "x"), 2, {"separator": "^"}),
    "a tab by its name": Case("a\tb\n1\tx\n", "separator tab", AB, (1.0, "x"), 1, {"separator": "tab"}),
    "blanks": Case("  a   b\n  1   x\n 22   y\n", "separator blanks", AB, (1.0, "x"), 2, name="table.data"),
    "blanks in columns, with one tab": Case(
        "".join(f'18.0   8   130.{i}      12.0\t"amc rebel"\n' for i in range(10, 40)),
        "separator blanks, no header",
        [f"column{k}" for k in range(5)],
        (18.0, 8.0, 130.1, 12.0, "amc rebel"),
        30,
    ),
    "only empty cells are missing": Case("a,b\nNone,x\n,NA\n", "separator ','", AB, ("None", "x"), 2),
    "quoted empty cells are missing": Case('a,b\n"",x\n1,""\n', "separator ','", AB, (None, "x"), 2),
    "carriage returns": Case("a,b\r1,x\r2,y\r", "separator ','", AB, (1.0, "x"), 2),
    "windows": Case("\ufeffa,b\r\n1,x\r\n2,y\r\n", "separator ','", AB, (1.0, "x"), 2),
    "mixed line ends": Case("a,b\r\n1,x\n2,y\r\n", "separator ','", AB, (1.0, "x"), 2),
    "line feeds in cells of Windows": Case('a,b\r\n1,"x\ny"\r\n2,y\r\n', "separator ','", AB, (1.0, "x\ny"), 2),
    "blank lines": Case("\n\na,b\n1,x\n\n2,y\n\n\n", "separator ',', 2 lines before the header", AB, (1.0, "x"), 2),
    "line ends in quotes": Case('a,b\n"x\n\ny",1\n\nz,\n', "separator ','", AB, ("x\n\ny", 1.0), 2),
    "a row without values is no blank line": Case("a,b\n1,2\n,\n", "separator ','", AB, (1.0, 2.0), 2),
    "no line end": Case("a,b\n1,2", "separator ','", AB, (1.0, 2.0), 1),
    "backslashes before quotes": Case(
        'a,b\n1,"they said \\"fine\\", twice"\n2,"a 5\\" pipe"\n',
        "separator ',', escape \\",
        AB,
        (1.0, 'they said "fine", twice'),
        2,
    ),
    "backslashes at the end of cells": Case('a,b\n1,"C:\\dir\\"\n2,"k"\n', "separator ','", AB, (1.0, "C:\\dir\\"), 2),
    "inch marks": Case('a,b\n1,24"\n2,5\'6"\n', "separator ','", AB, (1.0, '24"'), 2),
    "inch marks beside quoted cells": Case('a,b\n"x, y",24"\n"q",3\n', "separator ','", AB, ("x, y", '24"'), 2),
    "quotes that quote nothing": Case('a,b\n1,"24" x"\n2,3\n', "separator ',', no quotes", AB, (1.0, '"24" x"'), 2),
    "names in quotes": Case('a,b\n1,Al "Bo" Cy\n2,3\n', "separator ','", AB, (1.0, 'Al "Bo" Cy'), 2),
    "single quotes": Case("a,b\n1,'x, y'\n2,'k'\n", "separator ',', quote '", AB, (1.0, "x, y"), 2),
    "apostrophes": Case("a,b\n1,O'Brien\n2,'tis\n", "separator ','", AB, (1.0, "O'Brien"), 2),
    "sep=": Case("sep=;\na;b\n1;x\n", "separator ';', 1 line before the header", AB, (1.0, "x"), 1),
    "a comment": Case("# by a logger\na,b\n1,x\n2,y\n", "separator ',', 1 line before the header", AB, (1.0, "x"), 2),
    "comments": Case(
        "# made\n# by\na,b\n1,x\n# mid\n2,y\n",
        "separator ',', comments begin with #, 2 lines before the header",
        AB,
        (1.0, "x"),
        2,
    ),
    "comments that are said": Case(
        "a,b\n1,x\n% no\n2,y\n", "separator ',', comments begin with %", AB, (1.0, "x"), 2, {"comment": "%"}
    ),
    "a # in the header": Case("#id,b\n1,x\n2,y\n", "separator ','", ["#id", "b"], (1.0, "x"), 2),
    "colours": Case("a,b\n#ff0000,1\n#00ff00,2\n", "separator ','", AB, ("#ff0000", 1.0), 2),
    "titles": Case(
        "Report of today\nmade by me\n\na,b,c\n1,x,2\n2,y,3\n",
        "separator ',', 3 lines before the header",
        ["a", "b", "c"],
        (1.0, "x", 2.0),
        2,
    ),
    "titles as Excel saves them": Case(
        "Report,,,\nDate,2020,,\n,,,\nid,x,y,z\n1,2,3,p\n2,3,4,q\n",
        "separator ',', 3 lines before the header",
        ["id", "x", "y", "z"],
        (1.0, 2.0, 3.0, "p"),
        2,
    ),
    "no header": Case(
        "5.1,setosa\n4.9,setosa\n",
        "separator ',', no header",
        ["column0", "column1"],
        (5.1, "setosa"),
        2,
        name="iris.data",
    ),
    "no header, all texts": Case(
        "p,x,s,p\n" + "e,x,s,y\np,x,y,p\n" * N,
        "separator ',', no header",
        [f"column{k}" for k in range(4)],
        ("p", "x", "s", "p"),
        2 * N + 1,
    ),
    "no header is said": Case(
        "a,b\nc,d\n", "separator ',', no header", ["column0", "column1"], ("a", "b"), 2, {"header": False}
    ),
    "a header is said": Case("1,2\n3,4\n", "separator ','", ["1", "2"], (3.0, 4.0), 1, {"header": True}),
    "all texts": Case("name,town\nAnn,Bonn\nBob,Ulm\n", "separator ','", ["name", "town"], ("Ann", "Bonn"), 2),
    "years as names": Case("name,2019,2020\nx,1.5,2\n", "separator ','", ["name", "2019", "2020"], ("x", 1.5, 2.0), 1),
    "counted names": Case("0,1,2\n0.5,1.5,7\n", "separator ','", ["0", "1", "2"], (0.5, 1.5, 7.0), 1),
    "numbers alone": Case(
        "5,3,1\n4,2,2\n", "separator ',', no header", ["column0", "column1", "column2"], (5.0, 3.0, 1.0), 2
    ),
    "names of rows, as R writes them": Case(
        '"a","b"\n"r1",1.5,"x"\n"r2",2.5,"y"\n', "separator ','", ["column0", "a", "b"], ("r1", 1.5, "x"), 2
    ),
    "repeated and empty names": Case(
        "a,a,,a_1\n1,2,3,4\n", "separator ','", ["a", "a_2", "column2", "a_1"], (1.0, 2.0, 3.0, 4.0), 1
    ),
    "decimal commas": Case("a;b\n12,5;x\n3,25;y\n", "separator ';', decimal comma", AB, ("12,5", "x"), 2),
    "decimal commas and groups": Case(
        "a;b;c\n1.234,5;1.234;7\n2.000,25;5.000;8\n",
        "separator ';', decimal comma",
        ["a", "b", "c"],
        ("1.234,5", "1.234", 7.0),
        2,
    ),
    "decimal commas in quotes": Case('a,b\n"1,5",x\n"2,25",y\n', "separator ',', decimal comma", AB, ("1,5", "x"), 2),
    "groups of thousands": Case('a,b\n"1,234",x\n"12,345",y\n', "separator ','", AB, ("1,234", "x"), 2),
    "points among semicolons": Case("a;b\n1.5;x\n2.25;y\n", "separator ';'", AB, (1.5, "x"), 2),
    "Latin-1": Case("ä;b\n1;é\n".encode("latin-1"), "separator ';', Windows-1252", ["ä", "b"], (1.0, "é"), 1),
    "Latin-1 that is said": Case(
        "ä;b\n1;é\n".encode("latin-1"), "separator ';', Latin-1", ["ä", "b"], (1.0, "é"), 1, {"encoding": "latin-1"}
    ),
    "UTF-16": Case("ä,b\n1,é\n".encode("utf-16"), "separator ',', UTF-16", ["ä", "b"], (1.0, "é"), 1),
    "UTF-16 without a mark": Case("a,b\n1,x\n".encode("utf-16-le"), "separator ',', UTF-16-LE", AB, (1.0, "x"), 1),
    "one column": Case("text\nhello, world\nfoo\n", "separator ';'", ["text"], ("hello, world",), 2),
    "one column with gaps": Case("a\n1\n\n3\n\n", "separator ','", ["a"], (1.0,), 3),
    "a last separator": Case("a,b\n1,2,\n3,4,\n", "separator ','", AB, (1.0, 2.0), 2),
    "dates with times": Case(
        "when,x\n2020-01-01 10:00,1\n2020-01-02 11:00,2\n", "separator ','", ["when", "x"], ("2020-01-01 10:00", 1.0), 2
    ),
    "leading zeros": Case("a,b\n01,1\n2,02\n", "separator ','", AB, ("01", "1"), 2),
    "no numbers": Case("a,b\n1_000,0x1F\n2,3\n", "separator ','", AB, ("1_000", "0x1F"), 2),
    "64 bits": Case(
        "a,b\n9007199254740993,18446744073709551615\n1,2\n", "separator ','", AB, (2**53 + 1, 2**64 - 1), 2
    ),
    "more than 64 bits": Case(
        "a,b\n18446744073709551616,-1\n1,2\n", "separator ','", AB, ("18446744073709551616", -1.0), 2
    ),
    "left out": Case("a,b\n1,x\n", "separator ','", ["b"], ("x",), 1, {"ignore": ("a",)}),
    "declared": Case("a,b\n1.0,x\n1,y\n", "separator ','", AB, ("1.0", "x"), 2, {"columns": {"a": "category"}}),
}


@pytest.fixture(params=["small", "big"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read by the way of small files, and by that of large ones."""
    if request.param == "big":
        monkeypatch.setattr(textfile, "SMALL_CELLS", 0)
    return str(request.param)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("way")
def test_a_dialect_is_found(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = tmp_path / case.name
    path.write_bytes(case.content if isinstance(case.content, bytes) else case.content.encode())
    with open_table(str(path), ReadOptions(**case.options)) as opened:
        assert opened.dialect is not None
        assert opened.dialect.words() == case.words
        table = opened.read()
        assert opened.columns == table.columns == case.columns
        assert opened.rows == len(table) == case.rows
        assert table.rows()[0] == case.first
        expected = opened.dialect
    with open_table(str(path), ReadOptions(**case.options), expected) as again:
        assert again.read().rows() == table.rows()


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "empty": (b"", "it is empty"),
    "blank": (b"\n \n", "it is empty"),
    "a mark alone": (b"\xef\xbb\xbf", "it is empty"),
    "a header alone": ("a,b\n", "it has a header but no rows"),
    "a long line": ("a,b\n1,2\n3,4,5\n", "line 3 has 3 of the header's 2 fields"),
    "a short line": ("a,b\n1,2\n3\n4,5\n", "line 3 has 1 of the header's 2 fields"),
    "a short line late": ("a,b\n" + "1,2\n" * 60_000 + "3\n", "line 60002 has 1 of the header's 2 fields"),
    "a footer": ("a,b,c\n1,2,3\n4,5,6\nTotal\n", "line 4 has 1 of the header's 3 fields"),
    "lines longer than the header": ("a,b\nx,1,2\nx,3,4\n", "line 2 has 3 of the header's 2 fields"),
    "lines shorter than the header": ("a,b,c\n1,2\n3,4\n", "line 2 has 2 of the header's 3 fields"),
    "an open quote": ('a,b\n1,2\n3,"4\n5,6\n', 'line 3: a quote (") is opened and never closed'),
    "an open quote late": (
        "a,b\n" + "1,2\n" * 60_000 + '3,"4\n5,6\n',
        'line 60002: a quote (") is opened and never closed',
    ),
    "text after a quote": ('a,b\n"x, y",1\n"3" z,4\n', 'line 3: after a closing quote (") there is more text'),
    "binary": (bytes(range(256)), "it is binary data, not a table of text"),
    "a web page": ("<!DOCTYPE html>\n<p>404, not found</p>\n", "it is a web page or XML, not a table of text"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.usefixtures("way")
def test_a_broken_file_is_refused_with_the_line(tmp_path: Path, name: str) -> None:
    content, cause = BROKEN[name]
    path = tmp_path / "broken.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SourceError) as caught:
        read_table(path)
    assert str(caught.value) == f"{path}: {cause}"


def test_texts_late_in_the_file_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_text("a,b,c\n" + "1,1,1\n" * 30_000 + "x,0.5,007\n" + "2,9007199254740993,2\n")
    for name in ("small", "big"):
        with pytest.MonkeyPatch.context() as patch:
            if name == "big":
                patch.setattr(textfile, "SMALL_CELLS", 0)
            table = read_table(path)
        assert [table[column].kind for column in "abc"] == ["text", "number", "text"]
        assert table.rows()[-2:] == [("x", 0.5, "007"), ("2", 9007199254740992.0, "2")]


def test_wide_files_are_read_in_one_block(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    names = [f"x{k}" for k in range(3000)]
    path.write_text(
        ",".join(names) + "\n" + "\n".join(",".join(str(k / 8 + i) for k in range(3000)) for i in range(20))
    )
    table = read_table(path)
    assert table.block.shape == (20, 3000)
    assert table.block[7, 2999] == 2999 / 8 + 7


def test_the_expected_dialect_is_tried_first(tmp_path: Path) -> None:
    """Without it the first line, all texts, would be a header, and the decimal mark a point."""
    path = tmp_path / "new.csv"
    path.write_text("x;y\nz;q\n")
    expected = Dialect(";", header=False, decimal=",")
    with open_table(str(path), expected=expected) as opened:
        assert opened.dialect == expected
        assert opened.rows == 2
    path.write_text("x,y\n1.5,q\n")
    with open_table(str(path), expected=Dialect(";")) as opened:
        assert opened.columns == ["x", "y"]


def test_a_dialect_goes_through_json() -> None:
    dialect = Dialect("\t", "'", "\\", False, 3, "#", "latin-1", ",")
    assert Dialect.from_json(dialect.to_json()) == dialect
    start, end = "separator tab, quote ', escape \\, decimal comma, Latin-1", "no header, 3 lines before the data"
    assert dialect.words() == f"{start}, comments begin with #, {end}"


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        ([], "a dialect must be an object"),
        ({"seperator": ","}, "a dialect has no 'seperator'"),
        ({"skip": True}, "a dialect's skip must be int"),
        ({"separator": ",,"}, "a dialect's separator must be one character"),
        ({"quote": '""'}, "a dialect's quote, escape and comment are one character"),
    ],
)
def test_a_dialect_that_is_none_is_refused(entry: Any, cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        Dialect.from_json(entry)


@given(st.binary(max_size=60) | st.text("a1,\";\n\r\t \\'#", max_size=60).map(str.encode), st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_table_or_an_error_of_one_line(tmp_path: Path, content: bytes, packed: bool) -> None:
    path = tmp_path / ("any.csv.gz" if packed else "any.csv")
    content = b"a,b\n" + content
    path.write_bytes(gzip.compress(content) if packed else content)
    try:
        assert len(read_table(path)) > 0
    except SourceError as error:
        assert "\n" not in str(error)  # noqa: PT017
