"""Columns of DuckDB to cells: a table in DuckDB's memory (which it moves to the disk when it grows), then arrays.

A column of texts is read as numbers at once where its first texts are plain numbers; cells that may be something else
are kept as texts beside it and judged by `texts`. Where one of them is no plain number, or an integer beyond 2^53, the
column is read a second time as texts: nothing is rounded or lost.

Shapes: n rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from ..table import EXACT, Cells, text_cells
from ..texts import INTEGER, LEADING_ZERO, numbers_of
from .duck import Column, literal
from .heading import PLAIN

SAMPLE = 1000
FEW_LEVELS = 50_000
BLOCK = 1_000_000


TIMES = {
    "moment": ("moment", "datetime64[us]"),
    "duration": ("duration", "timedelta64[us]"),
    "clock": ("duration", "timedelta64[ns]"),
}
"""The kinds of stored times: the kind of the cells, and their type."""


@dataclass(frozen=True)
class Stored:
    """The place of a column's values: a table of DuckDB and a column in it."""

    name: str
    table: str
    place: str
    kind: str


class Loaded:
    """A source's columns in DuckDB's memory; `rows` of them."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        source: str,
        columns: Sequence[Column],
        decimal: str = ".",
        suspicious: bool = True,
    ) -> None:
        """Read the source: SQL that can stand after FROM. `suspicious`: there may be _ between digits."""
        self.con, self.source = con, source
        self._decimal, self._suspicious = decimal, suspicious
        candidates = self._candidates(columns)
        chosen: list[str] = []
        for k, column in enumerate(columns):
            chosen += self._chosen(k, column, candidates.get(k))
        con.execute(f"create table t as select {', '.join(chosen) or '1 as nothing'} from {source}")
        self.rows = int(con.execute("select count(*) from t").fetchall()[0][0])
        self._stored = [Stored(c.name, "t", f"c{k}", c.kind) for k, c in enumerate(columns)]
        again = [k for k in candidates if not self._settle(k, candidates[k])]
        self._read_again(columns, again)
        self._stored = [self._whole(stored) if stored.kind == "integer" else stored for stored in self._stored]

    def _candidates(self, columns: Sequence[Column]) -> dict[int, bool]:
        """Return the columns of texts that begin like plain numbers, and whether they have blanks around."""
        free = [k for k, column in enumerate(columns) if column.kind == "text" and not column.fixed]
        if not free:
            return {}
        chosen = ", ".join(f"{columns[k].sql} as c{k}" for k in free)
        sample = self.con.execute(f"select {chosen} from {self.source} limit {SAMPLE}").fetchnumpy()
        found = {}
        for k in free:
            texts = [text for text in np.ma.compressed(sample[f"c{k}"]).tolist() if text]
            values = numbers_of(texts, self._decimal) if texts else np.zeros(0)
            if values is not None and values.dtype == np.float64:
                found[k] = any(text != text.strip() for text in texts)
        return found

    def _chosen(self, k: int, column: Column, blanks: bool | None) -> list[str]:
        if blanks is None:
            sql = f"nullif({column.sql}, '')" if column.kind in ("text", "category") else column.sql
            return [f"{sql} as c{k}"]
        text = f"trim({column.sql})" if blanks else column.sql
        number = f"try_cast({text} as double)"
        ranges = (("1", ":"), ("0.", "0/"), ("-1", "-:"), ("-0.", "-0/"), (".0", ".:"))
        begins = " or ".join(f"({text} >= '{low}' and {text} < '{high}')" for low, high in ranges)
        plain = f"({begins} or {text} = '0') and abs({number}) < {EXACT}"
        if self._suspicious:
            plain += f" and not contains({text}, '_')"
        if self._decimal == ",":
            plain += f" and not contains({text}, '.')"
        odd = f"case when {column.sql} is null or {column.sql} = '' or ({plain}) then null else {column.sql} end"
        return [f"{number} as c{k}", f"{odd} as o{k}"]

    def _settle(self, k: int, blanks: bool) -> bool:
        """Put the odd texts of a column right; False where the column has to be read as texts."""
        found = self.con.execute(f"select distinct o{k} from t where o{k} is not null").fetchnumpy()[f"o{k}"]
        texts = np.ma.compressed(found).tolist() if len(found) else []
        if not texts:
            return True
        if self._decimal == "," and any("." in text for text in texts):
            return False
        if any("\n" in t or not PLAIN.fullmatch(t) or LEADING_ZERO.search("\n" + t) for t in texts):
            return False
        numbers = [float(text) for text in texts]
        if any(abs(v) >= EXACT and INTEGER.fullmatch(t) for t, v in zip(texts, numbers, strict=True)):
            return False
        odd = {"o": np.array(texts, object), "v": np.array(numbers)}
        self.con.register("odd", odd)
        self.con.execute(f"update t set c{k} = odd.v from odd where t.o{k} = odd.o")
        self.con.unregister("odd")
        return True

    def _read_again(self, columns: Sequence[Column], again: Sequence[int]) -> None:
        """Read columns that are no plain numbers, or integers of many digits, as texts."""
        texts = [k for k, column in enumerate(columns) if self._stored[k].kind == "text" and not column.fixed]
        settled = [k for k in texts if self._is_double(k) and k not in again]
        for k in settled:
            self._stored[k] = Stored(columns[k].name, "t", f"c{k}", "number")
        if again:
            chosen = ", ".join(f"nullif({columns[k].sql}, '') as c{k}" for k in again)
            self.con.execute(f"create table t2 as select {chosen} from {self.source}")
            for k in again:
                self.con.execute(f"alter table t drop column c{k}")
        for k in again:
            self._stored[k] = Stored(columns[k].name, "t2", f"c{k}", "text")
        for k in [k for k in texts if k not in settled]:
            self._stored[k] = self._integers(self._stored[k])

    def _is_double(self, k: int) -> bool:
        return self.con.execute(f"select c{k} from t limit 0").description[0][1] == "DOUBLE"

    def _integers(self, stored: Stored) -> Stored:
        """Return a column of texts as one of integers (or numbers) where all its texts are plain numbers."""
        place, table = stored.place, stored.table
        first = self.con.execute(f"select {place} from {table} where {place} is not null limit {SAMPLE}").fetchnumpy()
        sample = np.ma.compressed(first[place]).tolist()
        if not sample or numbers_of(sample, self._decimal) is None:
            return stored
        kinds = (
            ("ubigint",) if any(abs(int(t)) >= 2**63 for t in sample if INTEGER.fullmatch(t)) else ("bigint", "ubigint")
        )
        for kind in kinds:
            same = f"{place} = cast(try_cast({place} as {kind}) as varchar)"
            if self.con.execute(
                f"select coalesce(bool_and(coalesce({same}, {place} is null)), true) from {table}"
            ).fetchall()[0][0]:
                self.con.execute(f"alter table {table} alter {place} type {kind}")
                return Stored(stored.name, table, place, "integer")
        digits = f"regexp_full_match({place}, '\\s*[+-]?(0|[1-9][0-9]*)\\s*')"
        whole, plain = self.con.execute(
            f"select bool_and({digits}), bool_and({digits} or (regexp_full_match({place},"
            f" '(?i)\\s*[+-]?(inf|infinity|nan|([0-9]+\\.?[0-9]*|\\.[0-9]+)(e[+-]?[0-9]+)?)\\s*')"
            f" and not regexp_matches({place}, '^\\s*[+-]?0[0-9]'))) from {table}"
        ).fetchall()[0]
        if not plain:
            return stored
        for kind in ("bigint", "ubigint") if whole else ("double",):
            cast = f"try_cast(trim({place}) as {kind})"
            if self.con.execute(f"select count({place}) = count({cast}) from {table}").fetchall()[0][0]:
                self.con.execute(f"alter table {table} alter {place} type {kind} using {cast}")
                return Stored(stored.name, table, place, "integer" if whole else "number")
        return stored

    def _whole(self, stored: Stored) -> Stored:
        """Return a column of integers as numbers where all are exact as such, as texts beyond 64 bits."""
        place, table = stored.place, stored.table
        low, high = self.con.execute(f"select min({place}), max({place}) from {table}").fetchall()[0]
        if low is None or (low > -EXACT and high < EXACT):
            return Stored(stored.name, table, place, "number")
        for kind, least, most in (("bigint", -(2**63), 2**63), ("ubigint", 0, 2**64)):
            if least <= low and high < most:
                self.con.execute(f"alter table {table} alter {place} type {kind}")
                return stored
        self.con.execute(f"alter table {table} alter {place} type varchar")
        return Stored(stored.name, table, place, "text")

    def whole(self) -> dict[str, Cells]:
        """Return all cells."""
        return {stored.name: self._cells(stored) for stored in self._stored}

    def piece(self, start: int, stop: int) -> dict[str, Cells]:
        """Return the cells of some rows that follow each other."""
        made: dict[str, Cells] = {}
        for table in ("t", "t2"):
            here = [stored for stored in self._stored if stored.table == table]
            if here:
                chosen = ", ".join(stored.place for stored in here)
                found = self._fetch(f"select {chosen} from {table} where rowid >= {start} and rowid < {stop}")
                made |= {stored.name: _cells(found[stored.place], stored) for stored in here}
        return {stored.name: made[stored.name] for stored in self._stored}

    def _fetch(self, query: str) -> dict[str, Any]:
        return self.con.execute(query).fetchnumpy()

    def _cells(self, stored: Stored) -> Cells:
        place, table = stored.place, stored.table
        if stored.kind == "number":
            values = self._fetch(f"select coalesce(cast({place} as double), 'nan'::double) as c from {table}")["c"]
            return Cells("number", np.ma.getdata(values))
        if stored.kind not in ("text", "category"):
            return _cells(self._fetch(f"select {place} from {table}")[place], stored)
        first = f"(select {place} from {table} limit {BLOCK // 10})"
        if self.con.execute(f"select approx_count_distinct({place}) from {first}").fetchall()[0][0] > FEW_LEVELS:
            return self._many_levels(stored)
        levels = [
            level
            for (level,) in self.con.execute(
                f"select {place} as l from {table} where l is not null group by l order by min(rowid)"
            ).fetchall()
        ]
        if not levels:
            return Cells(stored.kind, np.full(self.rows, -1, np.int32), [])
        if len(levels) > FEW_LEVELS:
            return self._many_levels(stored)
        self.con.execute("drop type if exists levels")
        self.con.execute(f"create type levels as enum ({', '.join(map(literal, levels))})")
        codes = self._fetch(
            f"select coalesce(cast(enum_code(cast({place} as levels)) as integer), -1) as c from {table}"
        )["c"]
        return Cells(stored.kind, np.ma.getdata(codes), levels)

    def _many_levels(self, stored: Stored) -> Cells:
        known: dict[str, int] = {}
        codes = np.empty(self.rows, np.int32)
        for start in range(0, self.rows, BLOCK):
            query = f"select {stored.place} from {stored.table} where rowid >= {start} and rowid < {start + BLOCK}"
            found = self._fetch(query)[stored.place]
            present = ~np.ma.getmaskarray(found)
            texts = np.ma.getdata(found)[present].tolist()
            part = np.full(len(found), -1, np.int32)
            part[present] = np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int32, len(texts))
            codes[start : start + len(part)] = part
        return Cells(stored.kind, codes, list(known))

    def close(self) -> None:
        """Close the connection."""
        self.con.close()


def _cells(values: Any, stored: Stored) -> Cells:
    """Return an array of DuckDB's as cells."""
    gone: NDArray[np.bool_] = np.ma.getmaskarray(values)
    plain = np.ma.getdata(values)
    if stored.kind in ("text", "category"):
        return text_cells(
            [None if empty else text for text, empty in zip(plain.tolist(), gone.tolist(), strict=True)], stored.kind
        )
    if stored.kind == "boolean":
        return Cells("boolean", plain.astype(bool), gaps=gone if gone.any() else None)
    if stored.kind in TIMES:
        kind, unit = TIMES[stored.kind]
        made = plain.astype(unit)
        made[gone | (made.view(np.int64) >= 2**63 - 1)] = "NaT"
        return Cells(kind, made)
    if stored.kind == "integer":
        return Cells("number", np.where(gone, 0, plain).astype(plain.dtype), gaps=gone if gone.any() else None)
    made = plain.astype(np.float64)
    if gone.any():
        made = np.where(gone, np.nan, made)
    return Cells("number", made)


def check_same_count(found: int, counted: int) -> None:
    """Raise ValueError where the reader found another number of rows than the independent count."""
    if found != counted:
        raise ValueError(f"{found:,} rows were read where {counted:,} were counted; its quotes do not fit together")
