"""Tables as files: read, written whole or not at all, and every broken one named with its cause."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.foundation import files
from chainrule.tables import read_table, write_table
from chainrule.tables.sources import SourceError


def message(path: Path, act: Callable[[Path], Any]) -> str:
    """Give the one line of the SourceError, without the name of the file that it must begin with."""
    with pytest.raises(SourceError) as caught:
        act(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


# ---------------------------------------------------------------------------- reading tables

CSV: dict[str, tuple[bytes, dict[str, list[Any]]]] = {
    "only empty cells are missing": (
        b"a,b,c\n1,None,x\n,NA,\n3,nan,?\n",
        {"a": [1, None, 3], "b": ["None", "NA", "nan"], "c": ["x", None, "?"]},
    ),
    "quoted empty cells are missing": (b'a,b\n"",x\n1,""\n', {"a": [None, 1], "b": ["x", None]}),
    "booleans": (b"a,b\ntrue,True\nFALSE,\n", {"a": [True, False], "b": [True, None]}),
    "integers and reals": (b"a,b\n1,1\n-2,2.5\n", {"a": [1, -2], "b": [1.0, 2.5]}),
    "integers beyond 64 bits": (b"a\n9223372036854775808\n1\n", {"a": [2.0**63, 1.0]}),
    "spaces around numbers": (b"a,b\n 1, x\n2 ,y\n", {"a": [1, 2], "b": [" x", "y"]}),
    "no number but nan": (b"a\nnan\ninf\n", {"a": ["nan", "inf"]}),
    "infinity among numbers": (b"a\n1\ninf\n", {"a": [1.0, float("inf")]}),
    "iso dates": (
        b"a\n2020-01-31\n\n2021-02-28\n",
        {"a": [dt.date(2020, 1, 31), None, dt.date(2021, 2, 28)]},
    ),
    "dates that depend on the country": (b"a\n01/02/2020\n", {"a": ["01/02/2020"]}),
    "no such date": (b"a\n2020-02-31\n", {"a": ["2020-02-31"]}),
    "semicolons": (b'"a b";c\n1;"x;y"\n', {"a b": [1], "c": ["x;y"]}),
    "tabs": (b"a b\tc\n1\tx,y\n2\t\n", {"a b": [1, 2], "c": ["x,y", None]}),
    "carriage returns": (b"a,b\r1,2\r3,4\r", {"a": [1, 3], "b": [2, 4]}),
    "windows": (b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4\r\n", {"a": [1, 3], "b": [2, 4]}),
    "blank lines": (b"\n\na,b\n1,2\n\n3,\n\n\n", {"a": [1, 3], "b": [2, None]}),
    "a row without values is no blank line": (b"a,b\n1,2\n,\n", {"a": [1, None], "b": [2, None]}),
    "line ends in quotes": (b'a,b\n"x\n\ny",1\n\nz,\n', {"a": ["x\n\ny", "z"], "b": [1, None]}),
    "no line end": (b"a,b\n1,2", {"a": [1], "b": [2]}),
    "a column without a name": (b",a\n0,1\n", {"": [0], "a": [1]}),
    "an empty column": (b"a,b\n1,\n2,\n", {"a": [1, 2], "b": [None, None]}),
}


@pytest.mark.parametrize("name", CSV)
@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".csv.gz"])
def test_csv(tmp_path: Path, name: str, suffix: str) -> None:
    content, expected = CSV[name]
    path = tmp_path / f"table{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    assert read_table(path).to_dict(as_series=False) == expected


def test_a_column_with_text_late_in_the_file_is_text(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_text("a,b\n" + "1,1\n" * 20_000 + "x,0.5\n")
    assert read_table(path).schema == {"a": pl.String, "b": pl.Float64}


def test_moments_are_read_with_their_zones(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("t\n2020-01-01 02:00+02:00\n2020-01-01T00:00:00.5Z\n")
    first, second = read_table(path)["t"]
    assert (second - first).total_seconds() == 0.5


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    frame = pl.DataFrame({"a": [1, None], "b": ['x,"\t\n', "ü"], "c": [0.1, 1e300], "d": [True, False]})
    path = tmp_path / f"table{suffix}"
    write_table(frame, path)
    assert read_table(path).equals(frame)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty.csv": (b"", "it is empty"),
    "blank.csv": (b"\n \n", "it is empty"),
    "bom.csv": (b"\xef\xbb\xbf", "it is empty"),
    "header.csv": (b"a,b\n", "it has a header but no rows"),
    "long.csv": (b"a,b\n1,2\n3,4,5\n", "line 3 has 3 of the header's 2 fields"),
    "short.csv": (b"a,b\n1,2\n3\n4,5\n", "line 3 has 1 of the header's 2 fields"),
    "binary.csv": (bytes(range(256)), "it is binary data, not a table of text"),
    "latin.csv": ("a,b\n1,é\n".encode("latin-1"), "it is not UTF-8 text"),
    "late.csv": (b"a,b\n" + b"1,2\n" * 9999 + b"\xff,2\n", "it is not UTF-8 text"),
    "utf16.csv": ("a,b\n1,2\n".encode("utf-16"), "it is UTF-16 text; save it as UTF-8"),
    "quote.csv": (b'a,b\n1,"2\n3,4\n', "line 3: unexpected end of data"),
    "twice.csv": (b"a,b,a\n1,2,3\n", "'a' names more than one column; is the first line a header?"),
    "cut.csv.gz": (gzip.compress(b"a,b\n1,2\n")[:-3], "the compressed data are damaged or cut off"),
    "plain.csv.gz": (b"a,b\n1,2\n", "the compressed data are damaged or cut off"),
    "text.parquet": (b"a,b\n1,2\n", "it is not a Parquet file, or a damaged one"),
    "table.xlsx": (b"PK", "the name of a table must end in .csv, .csv.gz, .tsv, .tsv.gz, .parquet"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_named_with_the_cause(tmp_path: Path, name: str) -> None:
    content, cause = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(content)
    assert message(path, read_table).startswith(cause)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    assert message(tmp_path / "no.csv", read_table) == "there is no such file"
    (tmp_path / "folder.csv").mkdir()
    assert message(tmp_path / "folder.csv", read_table) == "it is a folder, not a file"


@given(st.binary(max_size=40) | st.text('a1,";\n\r\t ', max_size=40).map(str.encode))
def test_any_bytes_are_a_table_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"a,b\n" + content)
    try:
        assert not read_table(path).is_empty()
    except SourceError as error:
        assert "\n" not in str(error)  # noqa: PT017


# ---------------------------------------------------------------------------- writing tables

COLUMNS = {"n": np.array([1, 2]), "x": np.array([0.5, np.nan]), "text": np.array(["a", None], dtype=object)}


@pytest.mark.parametrize("columns", [COLUMNS, pl.DataFrame(COLUMNS, strict=False), pd.DataFrame(COLUMNS)])
def test_tables_of_any_kind_are_written(tmp_path: Path, columns: Any) -> None:
    write_table(columns, tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text() == "n,x,text\n1,0.5,a\n2,,\n"


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.csv"
    path.write_text("before")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    assert message(path, lambda path: write_table({"a": [1]}, path)) == "No space left on device"
    assert path.read_text() == "before"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    ("name", "columns", "cause"),
    [
        ("p.txt", {"a": [1]}, "the name of a table must end in .csv"),
        ("no/p.csv", {"a": [1]}, "there is no folder"),
        ("p.csv", {"a": [[1]]}, "CSV format does not support nested data"),
        ("p.csv", {"a": [1, 2], "b": [1, 2, 3]}, "could not create a new DataFrame"),
    ],
)
def test_a_table_that_cannot_be_written(tmp_path: Path, name: str, columns: Any, cause: str) -> None:
    assert message(tmp_path / name, lambda path: write_table(columns, path)).startswith(cause)
    assert not [*tmp_path.iterdir()]
