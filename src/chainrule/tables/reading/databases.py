"""Tables of databases: DuckDB and SQLite files, Postgres, and files on servers. They are opened to read only.

Shapes: n rows.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import numpy as np

from ...foundation.words import listed
from .contents import Part
from .duck import column_of_type, connect, identifier, literal
from .errors import short_cause
from .options import ReadOptions, kept_columns
from .stores import cell_text, described_columns, loaded_part, said_kinds, typed_columns
from .texts import Workspace


def open_duckdb(path: Path, options: ReadOptions, work: Workspace, forced: Mapping[str, str]) -> Part:
    """Open a table of a DuckDB file, or the answer to a query, to read only."""
    con = connect(work)
    try:
        try:
            con.execute(f"attach {literal(str(path))} as base (read_only)")
        except duckdb.Error as error:
            raise ValueError(f"it is not a DuckDB file that can be opened ({short_cause(error)[:150]})") from error
        con.execute("set enable_external_access = false")
        con.execute("use base")
        found = con.execute("select table_name from information_schema.tables where table_catalog = 'base' order by 1")
        source = _source(options, [row[0] for row in found.fetchall()])
        if options.query is None:
            source = f"base.{source}"
        else:
            con.execute(f"create table memory.main.answer as select * from {source}")
            source = "memory.main.answer"
        con.execute("use memory")
        return loaded_part(con, source, list(typed_columns(described_columns(con, source), options, forced)), [])
    except BaseException:
        con.close()
        raise


def _source(options: ReadOptions, tables: Sequence[str]) -> str:
    """Return the SQL of the table or query that was asked for, or of the only table."""
    if options.query is not None:
        query = options.query.strip().rstrip(";")
        if not re.match(r"(?is)\s*(select|with|from|values|\()", query):
            raise ValueError(f"--query takes a select statement, got {query[:40]!r}")
        return f"({query})"
    if options.table is not None:
        if options.table not in tables and "." not in options.table:
            raise ValueError(f"it has no table {options.table!r}; it has {listed(tables) or 'none'}")
        return identifier(options.table)
    if len(tables) != 1:
        raise ValueError(
            f"it has {len(tables)} tables: {listed(tables)}; --table NAME says which" if tables else "it has no tables"
        )
    return identifier(tables[0])


def open_sqlite(path: Path, options: ReadOptions, work: Workspace, forced: Mapping[str, str]) -> Part:
    """Open a table of a SQLite file, or the answer to a query, to read only."""
    con = connect(work)
    base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        tables = [
            row[0]
            for row in base.execute(
                "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by 1"
            )
        ]
        rows = base.execute(f"select * from {_source(options, tables)}")
        names = [column[0] for column in rows.description]
        if len(set(names)) < len(names):
            raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} names more than one column")
        kept = kept_columns(names, options)
        con.execute(f"create table stored ({', '.join(f'c{k} varchar' for k in kept) or 'nothing varchar'})")
        while piece := rows.fetchmany(50_000):
            made = {f"c{k}": np.array([_plain_value(row[k], names[k]) for row in piece], object) for k in kept}
            con.register("piece", made)
            con.execute("insert into stored select * from piece")
            con.unregister("piece")
        said = said_kinds(options, forced)
        columns = [column_of_type(names[k], f"c{k}", "VARCHAR", said.get(names[k])) for k in kept]
        return loaded_part(con, "stored", columns, [])
    except sqlite3.Error as error:
        con.close()
        raise ValueError(f"SQLite says: {error}") from error
    except BaseException:
        con.close()
        raise
    finally:
        base.close()


def _plain_value(value: Any, name: str) -> str | None:
    if isinstance(value, bytes):
        raise ValueError(
            f"column {name!r} holds bytes; only numbers, texts, dates and booleans can be read"
            f" (--ignore {name} leaves it out)"
        )
    return None if value is None else cell_text(value)


def open_remote(name: str, options: ReadOptions, work: Workspace) -> Part:
    """Open a table of Postgres, or a file on a server, by DuckDB's extension where it is installed."""
    postgres = name.lower().startswith(("postgres://", "postgresql://"))
    extension = "postgres" if postgres else "httpfs"
    con = connect(work)
    try:
        try:
            con.execute(f"load {extension}")
        except duckdb.Error:
            raise ValueError(
                f"DuckDB's extension {extension!r} is not installed; with a network:"
                f" python -c \"import duckdb; duckdb.sql('install {extension}')\""
            ) from None
        if postgres:
            con.execute(f"attach {literal(name)} as remote (type postgres, read_only)")
            con.execute("use remote")
            tables = [
                row[0] for row in con.execute("select table_name from information_schema.tables order by 1").fetchall()
            ]
            source = _source(options, tables)
            con.execute("use memory")
            source = source if options.query is not None else f"remote.{source}"
        else:
            source = literal(name)
        columns = list(typed_columns(described_columns(con, source), options, {}))
        return loaded_part(con, source, columns, [])
    except duckdb.Error as error:
        con.close()
        raise ValueError(short_cause(error).replace(urlsplit(name).password or "\0", "***")) from error
    except BaseException:
        con.close()
        raise
