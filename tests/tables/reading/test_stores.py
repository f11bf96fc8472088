"""Tables that bring their types: each type becomes cells, or is refused by the name of its column."""

from __future__ import annotations

import bz2
import datetime as dt
import decimal
import gzip
import io
import lzma
import sqlite3
import sys
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from chainrule.tables import ReadOptions, SourceError, open_table, read_table

N = 6
DAY = dt.datetime(2020, 1, 31)
TYPES: dict[str, tuple[pa.Array, str, Any]] = {
    "int8": (pa.array([3] * N, pa.int8()), "number", 3.0),
    "int64": (pa.array([3] * N, pa.int64()), "number", 3.0),
    "large int64": (pa.array([2**60 + 1] * N, pa.int64()), "number", 2**60 + 1),
    "uint64": (pa.array([2**64 - 1] * N, pa.uint64()), "number", 2**64 - 1),
    "float32": (pa.array([0.1] * N, pa.float32()), "number", float(np.float32(0.1))),
    "decimal": (pa.array([decimal.Decimal("1.25")] * N, pa.decimal128(10, 2)), "number", 1.25),
    "bool": (pa.array([True] * N), "boolean", True),
    "date": (pa.array([DAY.date()] * N), "moment", DAY),
    "timestamp": (pa.array([DAY] * N, pa.timestamp("ns")), "moment", DAY),
    "zone": (pa.array([DAY] * N, pa.timestamp("us", "Europe/Berlin")), "moment", DAY),
    "time": (pa.array([dt.time(1, 2, 3)] * N), "duration", dt.timedelta(seconds=3723)),
    "duration in ms": (pa.array([dt.timedelta(hours=1)] * N, pa.duration("ms")), "duration", dt.timedelta(hours=1)),
    "duration in ns": (pa.array([dt.timedelta(hours=1)] * N, pa.duration("ns")), "duration", dt.timedelta(hours=1)),
    "text": (pa.array(["Bonn"] * N), "text", "Bonn"),
    "large text": (pa.array(["Bonn"] * N, pa.large_string()), "text", "Bonn"),
    "text of numbers": (pa.array(["1.5"] * N), "number", 1.5),
    "dictionary": (pa.array(["1", "2", "1"] * 2).dictionary_encode(), "category", "1"),
    "bool8": (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1] * N, pa.int8())), "boolean", True),
    "json": (pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"] * N)), "text", "{}"),
    "null": (pa.nulls(N), "number", None),
}


@pytest.mark.parametrize("ending", [".parquet", ".feather"])
@pytest.mark.parametrize("name", TYPES)
def test_a_type_becomes_cells(tmp_path: Path, name: str, ending: str) -> None:
    array, kind, value = TYPES[name]
    path = tmp_path / f"t{ending}"
    frame = pa.table({"x": pa.concat_arrays([array, pa.nulls(1, array.type)]), "y": ["p"] * (N + 1)})
    if ending == ".parquet":
        pq.write_table(frame, path)
    else:
        feather.write_feather(frame, path)
    cells = read_table(path)["x"]
    assert cells.kind == kind
    assert cells.to_list() == [value, *cells.to_list()[1:-1], None]


REFUSED: dict[str, pa.Array] = {
    "lists": pa.array([[1]] * N),
    "bytes": pa.array([b"x"] * N),
    "records of several values": pa.array([{"a": 1}] * N),
    "maps": pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int64())),
}


@pytest.mark.parametrize("what", REFUSED)
def test_other_types_are_refused_by_name_unless_ignored(tmp_path: Path, what: str) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": REFUSED[what], "y": ["p"] * N}), path)
    with pytest.raises(SourceError, match=f"t.parquet: column 'x' holds {what}; only .*--ignore x leaves it out"):
        read_table(path)
    assert read_table(path, ignore=("x",)).columns == ["y"]


def test_the_index_of_a_pandas_table_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": range(10)}).sample(5, random_state=0).to_parquet(path)
    with open_table(str(path)) as opened:
        assert opened.columns == ["a"]
        assert opened.notes == ["'__index_level_0__' is the index of a pandas table, and was left out"]


@pytest.mark.parametrize(
    ("freq", "first"), [("M", "2005-03-01"), ("D", "2005-03-05"), ("Y", "2005-01-01"), ("Q", "2005-01-01")]
)
def test_periods_are_the_moments_they_begin(tmp_path: Path, freq: str, first: str) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"p": pd.period_range("2005-03-05", periods=3, freq=freq), "y": "p"}).to_parquet(path)
    assert read_table(path)["p"].to_list()[0] == dt.datetime.fromisoformat(first)


def test_polars_categories_and_durations(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame(
        {
            "d": [dt.timedelta(hours=1)],
            "c": pl.Series(["1"], dtype=pl.Categorical),
            "e": pl.Series(["2"], dtype=pl.Enum(["2"])),
        }
    ).write_parquet(path)
    table = read_table(path)
    assert [table[name].kind for name in "dce"] == ["duration", "category", "category"]
    assert table.rows() == [(dt.timedelta(hours=1), "1", "2")]


DAMAGED: dict[str, tuple[bytes, str]] = {
    "cut.parquet": (b"PAR1" + b"\0" * 50, "it is not a Parquet file, or a damaged one"),
    "text.parquet": (b"a,b\n1,2\n", "it is not a Parquet file, or a damaged one"),
    "empty.parquet": (b"", "it is empty"),
    "text.feather": (b"a,b\n1,2\n", "it is not an Arrow file"),
    "text.xlsx": (b"a,b\n1,2\n", "it is not an Excel file"),
    "text.duckdb": (b"a,b\n1,2\n", "it is not a DuckDB file"),
    "text.sqlite": (b"a,b\n1,2\n" * 200, "SQLite says: file is not a database"),
    "text.jsonl": (b"a,b\n1,2\n", "it is not JSON"),
    "cut.csv.gz": (gzip.compress(b"a,b\n1,2\n")[:-3], "the compressed data are damaged or cut off"),
    "nothing.csv.gz": (gzip.compress(bytes(1 << 25)), "it is binary data, not a table of text"),
    "plain.csv.gz": (b"a,b\n1,2\n", "the compressed data are damaged or cut off"),
    "plain.csv.bz2": (b"a,b\n1,2\n", "the compressed data are damaged or cut off"),
    "plain.csv.xz": (b"a,b\n1,2\n", "the compressed data are damaged or cut off"),
    "plain.csv.zst": (b"a,b\n1,2\n", "the compressed data are damaged or cut off"),
    "plain.zip": (b"a,b\n1,2\n", "the compressed data are damaged or cut off"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_named_with_the_cause(tmp_path: Path, name: str) -> None:
    content, cause = DAMAGED[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: {cause}")
    assert "\n" not in str(caught.value)


CSV = 'a,b\n1,"x\n\ny"\n2,é\n'.encode()


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv.gz", gzip.compress(CSV, mtime=0)),
        ("t.csv.bz2", bz2.compress(CSV)),
        ("t.csv.xz", lzma.compress(CSV)),
        ("t.csv.zip", zipped("t.csv")),
        ("t.zip", zipped("t.csv", "__MACOSX/t.csv")),
        ("T.TXT.GZ", gzip.compress(CSV, mtime=0)),
    ],
    ids=["gz", "bz2", "xz", "zip", "zip from a Mac", "capitals"],
)
def test_packed_files(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert read_table(path).rows() == [(1.0, "x\n\ny"), (2.0, "é")]


def test_zst_is_unpacked_by_duckdb(tmp_path: Path) -> None:
    path, plain = tmp_path / "t.csv.zst", tmp_path / "t.csv"
    plain.write_bytes(CSV)
    plain_lines = "delim = '', quote = '', escape = '', header = false, auto_detect = false"
    lines = f"read_csv('{plain}', columns = {{'l': 'VARCHAR'}}, {plain_lines})"
    form = "format csv, header false, quote '', delimiter '\t', compression zstd"
    duckdb.sql(f"copy (select coalesce(l, '') from {lines}) to '{path}' ({form})")
    assert read_table(path).rows() == [(1.0, "x\n\ny"), (2.0, "é")]


def test_a_zip_of_several_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    path.write_bytes(zipped("a.csv", "b.csv"))
    with pytest.raises(SourceError, match="it holds 2 files; unpack it"):
        read_table(path)


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.json", "t.txt"])
def test_json_keeps_texts_as_they_are(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('{"a": 1, "d": "2020-01-31", "c": "007"}\n{"a": null, "d": "x", "c": "8", "e": true}\n')
    table = read_table(path)
    assert table.rows() == [(1.0, "2020-01-31", "007", None), (None, "x", "8", True)]


def test_excel(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["Report"],
        [],
        ["day", "x", "ok", "code"],
        [DAY, 1.5, True, "007"],
        [DAY + dt.timedelta(hours=1), 2, None, "8"],
    ):
        sheet.append(row)
    book.create_sheet("more").append(["a", "b"])
    book["more"].append([1, "x"])
    book.save(path)
    with open_table(str(path)) as opened:
        assert opened.read().rows() == [("2020-01-31", 1.5, "TRUE", "007"), ("2020-01-31 01:00:00", 2.0, None, "8")]
        assert opened.notes == [
            "the sheet 'Sheet' was read, the first of 2; --table says otherwise",
            "1 row above the header was skipped",
        ]
    assert read_table(path, table="more").rows() == [(1.0, "x")]
    with pytest.raises(SourceError, match="it has no sheet 'nix'; it has 'Sheet', 'more'"):
        read_table(path, table="nix")


@pytest.fixture(params=["sqlite", "duckdb"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"t.{request.param}"
    with sqlite3.connect(path) if request.param == "sqlite" else duckdb.connect(str(path)) as con:
        con.execute("create table people (age integer, town varchar)")
        con.execute("insert into people values (31, 'Bonn'), (null, 'NA'), (5, '')")
        con.commit()
    return path


def test_databases(base: Path) -> None:
    assert read_table(base).rows() == [(31.0, "Bonn"), (None, "NA"), (5.0, None)]
    assert read_table(base, table="people", ignore=("age",)).columns == ["town"]
    query = "select count(*) as n from people;"
    assert read_table(base, query=query).rows() == [(3.0,)]


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"table": "nix"}, "it has no table 'nix'; it has 'people'"),
        ({"query": "drop table people"}, "--query takes a select statement, got 'drop table people'"),
        ({"query": "select 1 as a) ; drop table people; select * from (select 1 as a"}, "t\\."),
        ({"query": "select * from read_csv('/etc/passwd')"}, "t\\."),
        ({"query": "select nix from people"}, "nix"),
    ],
)
def test_a_database_is_only_read(base: Path, options: dict[str, str], cause: str) -> None:
    before = base.read_bytes()
    with pytest.raises(SourceError, match=cause):
        read_table(base, **options)
    assert base.read_bytes() == before


def test_several_tables_are_listed(base: Path) -> None:
    with sqlite3.connect(base) if base.suffix == ".sqlite" else duckdb.connect(str(base)) as con:
        con.execute("create table more (a integer)")
        con.commit()
    with pytest.raises(SourceError, match="it has 2 tables: 'more', 'people'; --table NAME says which"):
        read_table(base)


def test_bytes_in_sqlite_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with sqlite3.connect(path) as con:
        con.execute("create table t (a, b)")
        con.execute("insert into t values (1, ?)", [b"x"])
    with pytest.raises(SourceError, match="column 'b' holds bytes"):
        read_table(path)
    assert read_table(path, ignore=("b",)).rows() == [(1.0,)]


def test_sources_elsewhere_need_an_extension_and_show_no_password() -> None:
    with pytest.raises(SourceError) as caught:
        read_table("postgresql://me:secret@localhost:1/base", table="t")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ending, package in ((".xlsx", "openpyxl"), (".feather", "pyarrow")):
        path = tmp_path / f"t{ending}"
        path.write_bytes(b"x")
        for module in [name for name in sys.modules if name.split(".")[0] == package] or [package]:
            monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(SourceError, match=f"pip install {package}"):
            read_table(path)


def test_options_name_columns_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\n")
    with open_table(str(path), ReadOptions(columns={"nix": "number"})) as opened:
        assert opened.notes == ["there is no column 'nix' to declare"]
