"""JSON lines, Arrow, Excel, databases, several files, standard input: the same table as in text, or one line."""

from __future__ import annotations

import datetime
import json
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest

from support.commands import process, run
from support.traps import ANY, Is, Right, Trap, category, check, grid, label, moment, number, refusal, tenths, traps

ROWS = 60
NUMBERS = [float(tenths(i)) for i in range(ROWS)]
LABELS = [label(i) for i in range(ROWS)]
X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))
BOTH = {"x": X, "y": Y}
FRAME = pd.DataFrame({"x": NUMBERS, "y": LABELS})
LISTED = refusal("'d'", "list|struct|map|array|record", "--ignore|only|can be read")


def arrow() -> pa.Table:
    """Return a table of a number and a text."""
    return pa.table({"x": NUMBERS, "y": LABELS})


def jsonl(*rows: Mapping[str, Any]) -> str:
    """Return lines of JSON."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def objects(**d: Any) -> list[dict[str, Any]]:
    """Return rows as objects; `d` gives cells by the row's number."""
    return [{"x": NUMBERS[i], "y": LABELS[i], **{name: cell(i) for name, cell in d.items()}} for i in range(ROWS)]


OTHERS = [
    Trap("JSON lines", "t.jsonl", jsonl(*objects()), Right(ROWS, BOTH)),
    Trap(
        "JSON lines with null",
        "t.jsonl",
        jsonl(*objects(d=lambda i: None if i == 1 else i)),
        Right(ROWS, {**BOTH, "d": number(0, None, 2, missing=1)}),
    ),
    Trap(
        "JSON lines with keys that are not there",
        "t.jsonl",
        jsonl(*({k: v for k, v in row.items() if k != "d" or i % 2 == 0} for i, row in enumerate(objects(d=str)))),
        Right(ROWS, {**BOTH, "d": Is("number|category", missing=30)}),
    ),
    Trap(
        "JSON lines with a key beyond the first thousands of rows",
        "t.jsonl",
        jsonl(*(objects()[0] for _ in range(25_000)), {**objects()[0], "late": 1}),
        (Right(25_001, {"x": ANY, "y": ANY, "late": ANY}), refusal("late", "25,?001")),
    ),
    Trap(
        "JSON lines with true and false",
        "t.jsonl",
        jsonl(*objects(d=lambda i: i % 2 == 0)),
        Right(ROWS, {**BOTH, "d": Is("flag", (True, False))}),
    ),
    Trap(
        "JSON lines with codes",
        "t.jsonl",
        jsonl(*objects(d=lambda i: f"{i % 20:03d}")),
        Right(ROWS, {**BOTH, "d": Is("category", ("000", "001"))}),
    ),
    Trap(
        "JSON lines with dates",
        "t.jsonl",
        jsonl(*objects(d=lambda i: f"2020-01-{1 + i % 28:02d}")),
        Right(ROWS, {**BOTH, "d": moment(datetime.date(2020, 1, 1), datetime.date(2020, 1, 2))}),
    ),
    Trap(
        "JSON lines with large integers",
        "t.jsonl",
        jsonl(*objects(d=lambda i: 2**53 + 1 + 2 * i)),
        Right(ROWS, {**BOTH, "d": number(2**53 + 1, 2**53 + 3)}),
    ),
    Trap("JSON lines with lists", "t.jsonl", jsonl(*objects(d=lambda i: [i, 1])), LISTED),
    Trap("JSON lines with objects", "t.jsonl", jsonl(*objects(d=lambda i: {"a": i})), LISTED),
    Trap(
        "JSON lines with a broken line",
        "t.jsonl",
        jsonl(*objects()) + '{"x": 1, "y"\n',
        refusal("line 61|row 61", "JSON"),
    ),
    Trap("JSON lines with a cut off line", "t.jsonl", jsonl(*objects())[:-8], refusal("line 60|row 60", "JSON")),
    Trap("JSON lines without an end", "t.ndjson", jsonl(*objects()).rstrip("\n"), Right(ROWS, BOTH)),
    Trap(
        "JSON that is an array", "t.json", json.dumps(objects()), (Right(ROWS, BOTH), refusal("JSON|ends? in|ending"))
    ),
    Trap("empty JSON lines", "t.jsonl", "", refusal("empty")),
    Trap("CSV called .jsonl", "t.jsonl", grid(20, x=tenths, y=label), refusal("JSON")),
    Trap(
        "Feather",
        "t.feather",
        lambda path: feather.write_feather(arrow(), path),
        (Right(ROWS, BOTH), refusal("install")),
    ),
    Trap(
        "Arrow",
        "t.arrow",
        lambda path: feather.write_feather(arrow(), path, compression="uncompressed"),
        (Right(ROWS, BOTH), refusal("install")),
    ),
    Trap("a damaged Feather file", "t.feather", b"ARROW1\0\0" + bytes(100), refusal("Arrow|Feather|damaged|install")),
]


@traps(OTHERS)
def test_other_files(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


def sqlite(path: Path, *tables: str) -> None:
    """Write an SQLite file with some tables of the same rows."""
    with sqlite3.connect(path) as connection:
        for name in tables:
            connection.execute(f'create table "{name}" (x real, y text)')
            connection.executemany(f'insert into "{name}" values (?, ?)', zip(NUMBERS, LABELS, strict=True))
    connection.close()


def duck(path: Path, *tables: str) -> None:
    """Write a DuckDB file with some tables of the same rows."""
    frame = FRAME  # DuckDB finds it by its name
    with duckdb.connect(path) as connection:
        for name in tables:
            connection.execute(f'create table "{name}" as select * from frame')
    assert len(frame) == ROWS


INSTALL = refusal("install|extension")
"""What is right where the reader of a format is not installed."""

DATABASES = [
    Trap("SQLite with one table", "t.sqlite", lambda path: sqlite(path, "t"), (Right(ROWS, BOTH), INSTALL)),
    Trap("SQLite called .db", "t.db", lambda path: sqlite(path, "t"), (Right(ROWS, BOTH), INSTALL)),
    Trap(
        "SQLite with two tables",
        "t.sqlite",
        lambda path: sqlite(path, "one", "two"),
        (refusal("one", "two", "--table"), INSTALL),
    ),
    Trap(
        "SQLite with two tables, one said",
        "t.sqlite",
        lambda path: sqlite(path, "one", "two"),
        (Right(ROWS, BOTH), INSTALL),
        options={"table": "two"},
    ),
    Trap(
        "SQLite with a table that is not there",
        "t.sqlite",
        lambda path: sqlite(path, "one"),
        (refusal("three", "one"), INSTALL),
        options={"table": "three"},
    ),
    Trap(
        "SQLite with a query",
        "t.sqlite",
        lambda path: sqlite(path, "t"),
        (Right(40, {"x": number(3.7, 7.4), "y": category("hi", levels=("hi",))}), INSTALL),
        options={"query": "select * from t where y = 'hi'"},
    ),
    Trap(
        "SQLite without a table",
        "t.sqlite",
        lambda path: sqlite(path),
        (refusal("no table"), refusal("empty"), INSTALL),
    ),
    Trap("DuckDB with one table", "t.duckdb", lambda path: duck(path, "t"), Right(ROWS, BOTH)),
    Trap("DuckDB with two tables", "t.duckdb", lambda path: duck(path, "one", "two"), refusal("one", "two", "--table")),
    Trap(
        "DuckDB with two tables, one said",
        "t.duckdb",
        lambda path: duck(path, "one", "two"),
        Right(ROWS, BOTH),
        options={"table": "two"},
    ),
    Trap(
        "DuckDB with a table of an odd name",
        "t.duckdb",
        lambda path: duck(path, "select", "o'ne"),
        Right(ROWS, BOTH),
        options={"table": "o'ne"},
    ),
    Trap(
        "DuckDB with a table that is not there",
        "t.duckdb",
        lambda path: duck(path, "one"),
        refusal("three", "one"),
        options={"table": "three"},
    ),
    Trap(
        "DuckDB with a query",
        "t.duckdb",
        lambda path: duck(path, "t"),
        Right(40, {"x": number(3.7, 7.4), "y": category("hi", levels=("hi",))}),
        options={"query": "select * from t where y = 'hi'"},
    ),
    Trap(
        "DuckDB with a broken query",
        "t.duckdb",
        lambda path: duck(path, "t"),
        refusal("selec|query|syntax"),
        options={"query": "selec * from t"},
    ),
    Trap(
        "DuckDB with a query that writes",
        "t.duckdb",
        lambda path: duck(path, "t"),
        refusal("query|read|select"),
        options={"query": "drop table t"},
    ),
    Trap(
        "DuckDB with a query of no rows",
        "t.duckdb",
        lambda path: duck(path, "t"),
        refusal("no rows"),
        options={"query": "select * from t where x < -1"},
    ),
    Trap(
        "DuckDB with both a table and a query",
        "t.duckdb",
        lambda path: duck(path, "t"),
        refusal("table", "query"),
        options={"table": "t", "query": "select * from t"},
    ),
    Trap("text called .duckdb", "t.duckdb", "x,y\n1,2\n", refusal("DuckDB|database")),
    Trap(
        "a query of a text file",
        "t.csv",
        grid(20, x=tenths, y=label),
        refusal("query", "database|text|CSV|only"),
        options={"query": "select 1"},
    ),
    Trap("Excel", "t.xlsx", lambda path: FRAME.to_excel(path, index=False), (Right(ROWS, BOTH), INSTALL)),
    Trap(
        "Excel with codes",
        "t.xlsx",
        lambda path: FRAME.assign(d=[f"{i % 20:03d}" for i in range(ROWS)]).to_excel(path, index=False),
        (Right(ROWS, {**BOTH, "d": Is("category", ("000", "001"))}), INSTALL),
    ),
    Trap(
        "Excel with gaps",
        "t.xlsx",
        lambda path: FRAME.assign(d=[None if i == 1 else i for i in range(ROWS)]).to_excel(path, index=False),
        (Right(ROWS, {**BOTH, "d": number(0, None, 2, missing=1)}), INSTALL),
    ),
    Trap(
        "Excel with dates",
        "t.xlsx",
        lambda path: FRAME.assign(d=pd.date_range("2020-01-31", periods=ROWS)).to_excel(path, index=False),
        (Right(ROWS, {**BOTH, "d": moment(datetime.date(2020, 1, 31), datetime.date(2020, 2, 1))}), INSTALL),
    ),
    Trap(
        "Excel of the old kind",
        "t.xls",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
        refusal("xlsx|ends? in|ending"),
    ),
    Trap("text called .xlsx", "t.xlsx", "x,y\n1,2\n", (refusal("Excel|xlsx|zip|damaged"), INSTALL)),
]


@traps(DATABASES)
def test_databases(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


def test_a_query_leaves_the_database_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    duck(path, "t")
    before = path.read_bytes()
    for query in ("drop table t", "delete from t", "select 1; drop table t", f"copy t to '{tmp_path / 'out.csv'}'"):
        assert run("look", path, "--query", query).code == 2
    assert path.read_bytes() == before
    assert not (tmp_path / "out.csv").exists()


def parts(folder: Path, *texts: str) -> None:
    """Write several CSV files."""
    for k, text in enumerate(texts):
        (folder / f"part-{k}.csv").write_text(text)


FIRST, SECOND = grid(30, x=tenths, y=label), grid(20, x=lambda i: str(i + 100), y=label)


def test_several_files_are_one_table(tmp_path: Path) -> None:
    """The rows stand in the order of the files' names, of text and of Parquet."""
    parts(tmp_path, FIRST, SECOND)
    check(Trap("parts", "part-*.csv", lambda path: None, Right(50, BOTH)), tmp_path)
    for k, start in enumerate((0, 30)):
        parquet.write_table(arrow().slice(start, 30), tmp_path / f"part-{k}.parquet")
    check(Trap("parts", "part-*.parquet", lambda path: None, Right(60, BOTH)), tmp_path)


def test_ten_files_stand_in_the_order_of_their_names(tmp_path: Path) -> None:
    parts(tmp_path, *(grid(10, x=lambda i, k=k: str(10 * k + i), y=label) for k in range(10)))
    check(Trap("parts", "part-*.csv", lambda path: None, Right(100, {"x": number(*range(100)), "y": Y})), tmp_path)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (grid(20, x=tenths, z=label), ("'z'|'y'", "part-1")),
        (grid(20, x=tenths), ("'y'", "part-1")),
        (grid(20, x=tenths, y=label) + "1\n", ("part-1", "line 22|row 21|row 51")),
        ("", ("part-1", "empty")),
    ],
    ids=["another column", "a column is missing", "a short line in the second file", "an empty file"],
)
def test_files_that_do_not_fit_together_are_refused(other: str, words: tuple[str, ...], tmp_path: Path) -> None:
    parts(tmp_path, FIRST, other)
    verdict = refusal(*words)
    ran = run("look", tmp_path / "part-*.csv")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    for word in verdict.words:
        assert re.search(word, ran.err), ran.err


def test_columns_in_another_order_are_put_in_order(tmp_path: Path) -> None:
    """Files whose columns stand in another order are one table by name, or refused."""
    parts(tmp_path, FIRST, "\n".join(",".join(reversed(line.split(","))) for line in SECOND.split("\n")))
    verdicts = (Right(50, BOTH), refusal("part-1"))
    check(Trap("parts", "part-*.csv", lambda path: None, verdicts), tmp_path)


def test_no_file_of_that_name(tmp_path: Path) -> None:
    ran = run("look", tmp_path / "part-*.csv")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "part-*.csv" in ran.err


@pytest.mark.process
@pytest.mark.parametrize("text", [FIRST.replace(",", ";"), ""], ids=["semicolons", "nothing"])
def test_standard_input(text: str) -> None:
    """`-` is read as a file of text."""
    command = process("look", "-", "--json", stdin=-1)
    out, err = command.communicate(text, timeout=60)
    if text:
        assert command.returncode == 0, err
        assert json.loads(out)["source"]["rows"] == 30
    else:
        assert command.returncode == 2
        assert "empty" in err
        assert err.count("\n") == 1
