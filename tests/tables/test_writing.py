"""Tables are written whole or not at all, and read back to the last bit."""

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

from chainrule.foundation import files
from chainrule.tables import SourceError, TableWriter, read_table, write_table

COLUMNS = {"n": np.array([1, 2]), "x": np.array([0.5, np.nan]), "text": np.array(["a", None], dtype=object)}
MANY: dict[str, list[Any]] = {
    "a": [1, None, 3],
    "large": [2**60 + 1, None, 2**63 - 1],
    "b": ['x,"\t\n', "ü\r", " '"],
    "c": [0.1, 1e300, None],
    "d": [True, False, None],
    "e": ["'q'", "'r'", None],
}


def message(path: Path, act: Callable[[Path], Any]) -> str:
    """Give the one line of the SourceError, without the name of the file that it must begin with."""
    with pytest.raises(SourceError) as caught:
        act(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    write_table(MANY, path)
    table = read_table(path)
    expected = MANY if suffix == ".parquet" else MANY | {"d": ["true", "false", None]}
    assert {name: table[name].to_list() for name in table.columns} == expected
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    again = tmp_path / f"again{suffix}"
    write_table(table, again)
    assert read_table(again).rows() == table.rows()


@pytest.mark.parametrize("columns", [COLUMNS, pl.DataFrame(COLUMNS, strict=False), pd.DataFrame(COLUMNS)])
def test_tables_of_any_kind_are_written(tmp_path: Path, columns: Any) -> None:
    write_table(columns, tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text() == "n,x,text\n1,0.5,a\n2,,\n"


def test_floats_and_moments_are_written_as_short_as_they_can_be(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    columns = {
        "f": np.array([0.1, 1 / 3], np.float32),
        "d": np.array([0.1, 1e22]),
        "day": np.array(["2020-01-31", "NaT"], "datetime64[ns]"),
        "at": np.array(["2020-01-31T10:00:01", "2020-01-31T10:00:02"], "datetime64[us]"),
        "python": [dt.date(2020, 1, 31), None],
    }
    write_table(columns, path)
    lines = path.read_text().splitlines()
    assert lines[1:] == [
        "0.1,0.1,2020-01-31,2020-01-31T10:00:01,2020-01-31",
        "0.33333334,1e+22,,2020-01-31T10:00:02,",
    ]


def test_one_column_with_gaps(tmp_path: Path) -> None:
    write_table({"a": ["x", None, "y"]}, tmp_path / "p.csv")
    assert read_table(tmp_path / "p.csv").rows() == [("x",), (None,), ("y",)]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_pieces_are_one_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"p{suffix}"
    with TableWriter(path) as writer:
        for start in range(0, 10, 4):
            rows = np.arange(start, min(start + 4, 10))
            writer.add({"row": rows, "x": rows / 3, "class": np.where(rows % 2, "p", "q")})
        assert not path.exists()
    assert read_table(path).rows() == [(float(k), k / 3, "p" if k % 2 else "q") for k in range(10)]


def test_the_same_pieces_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        write_table(COLUMNS, tmp_path / name)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == b"n,x,text\n1,0.5,a\n2,,\n"


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"p{suffix}"
    path.write_text("before")

    def fail() -> None:
        with TableWriter(path) as writer:
            writer.add({"a": [1]})
            raise KeyError("a")

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "before"
    assert [*tmp_path.iterdir()] == [path]


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
        ("p.csv", {"a": [[1]]}, "column 'a' holds lists; only single values can be written"),
        ("p.csv", {"a": [1, 2], "b": [1, 2, 3]}, "the columns are of different lengths: 2, 3"),
    ],
)
def test_a_table_that_cannot_be_written(tmp_path: Path, name: str, columns: Any, cause: str) -> None:
    assert message(tmp_path / name, lambda path: write_table(columns, path)).startswith(cause)
    assert not [*tmp_path.iterdir()]


def test_pieces_have_the_same_columns(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        with TableWriter(path) as writer:
            writer.add({"a": [1]})
            writer.add({"b": [1]})

    assert message(tmp_path / "p.csv", write) == "the columns of every piece must be ['a'], got ['b']"
