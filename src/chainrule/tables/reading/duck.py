"""A connection to DuckDB that is safe, its words, and what its types become."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb

from .texts import Workspace

MEMORY = 1 << 30
"""Bytes of memory that DuckDB may use at least; beyond a quarter of the machine's it goes to the disk."""

NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER", "FLOAT", "DOUBLE", "DECIMAL")
INTEGERS = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "BIGNUM", "VARINT")
MOMENTS = (
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMPTZ_NS",
)
TEXTS = ("VARCHAR", "UUID", "JSON")
REFUSED: Mapping[str, str] = {
    "BLOB": "bytes",
    "STRUCT": "records of several values",
    "MAP": "maps",
    "UNION": "unions",
    "BIT": "bits",
    "GEOMETRY": "geometries",
    "VARIANT": "variants",
}


@dataclass(frozen=True)
class Column:
    """A column of the source: its name, the SQL of its values, and what they become.

    `kind`: number, integer (of 64 bits and more), boolean, moment, duration, text, category.
    """

    name: str
    sql: str
    kind: str
    fixed: bool = False


def connect(work: Workspace, path: str | None = None, memory: int | None = None) -> duckdb.DuckDBPyConnection:
    """Return a connection with bounded memory that installs nothing; a database at a path is opened to read only."""
    limit = memory or max(MEMORY, _memory() // 4)
    settings: dict[str, Any] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "memory_limit": f"{limit >> 20}MiB",
        "temp_directory": str(work.folder / "spill"),
    }
    con = duckdb.connect(path or ":memory:", read_only=path is not None, config=settings)
    con.execute("set enable_progress_bar = false")
    with suppress(duckdb.Error):  # a build without ICU has no time zones
        con.execute("set TimeZone = 'UTC'")
    return con


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 4 * MEMORY


def identifier(name: str) -> str:
    """Return a name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def column_of_type(name: str, sql: str, kind: str, said: str | None) -> Column:
    """Return a column of one of DuckDB's types; ValueError, naming it, for a type that is no value of a table.

    `said` is what the user called it: a category (or text) is read as texts, whatever its type.
    """
    base = kind.split("(")[0]
    refused = "lists" if kind.endswith("]") else REFUSED.get(base)
    if refused:
        raise ValueError(
            f"column {name!r} holds {refused}; only numbers, texts, dates and booleans can be read"
            f" (--ignore {name} leaves it out)"
        )
    if said in ("category", "text", "date", "duration") and base not in MOMENTS and base not in ("TIME", "INTERVAL"):
        return Column(name, f"cast({sql} as varchar)", "category" if said in ("category", "text") else "text", True)
    if base in NUMBERS:
        return Column(name, f"cast({sql} as double)", "number")
    if base in INTEGERS:
        return Column(name, sql, "integer")
    if base == "BOOLEAN":
        return Column(name, sql, "boolean")
    if base in MOMENTS:
        return Column(name, f"cast({sql} as timestamp)", "moment")
    if base in ("TIME", "TIME_NS"):
        return Column(name, f"((date '1970-01-01' + cast({sql} as time)) - timestamp '1970-01-01')", "clock")
    if base == "INTERVAL":
        return Column(name, sql, "duration")
    if base == "ENUM":
        return Column(name, f"cast({sql} as varchar)", "category", True)
    return Column(name, f"cast({sql} as varchar)", "text", base == "JSON")
