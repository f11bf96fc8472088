"""Tables that bring their types: Parquet, JSON lines, Arrow, Excel, DuckDB, SQLite, and sources elsewhere.

Shapes: n rows.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from ...foundation.words import listed
from .arrow_types import EPOCH_PERIODS, arrow_kinds
from .contents import Held, Part
from .duck import Column, column_of_type, connect, identifier, literal
from .errors import short_cause
from .heading import column_names, is_header
from .loading import Loaded
from .options import ReadOptions, kept_columns
from .plain import cells_of_texts
from .texts import Workspace

FORCED = ("category", "text", "date", "duration")


def said_kinds(options: ReadOptions, forced: Mapping[str, str]) -> dict[str, str]:
    """Return the kinds that columns were said to be: by the user, and by the other files of the source."""
    return {**options.columns, **forced}


def described_columns(con: duckdb.DuckDBPyConnection, source: str) -> list[tuple[str, str]]:
    """Return the names and the types of a source's columns."""
    return [(row[0], row[1]) for row in con.execute(f"describe select * from {source}").fetchall()]


def loaded_part(con: duckdb.DuckDBPyConnection, source: str, columns: Sequence[Column], notes: list[str]) -> Part:
    """Return a source of SQL, with its columns, as a part."""
    return Part([column.name for column in columns], Loaded(con, source, columns), None, notes)


def typed_columns(
    described: Iterable[tuple[str, str]], options: ReadOptions, forced: Mapping[str, str]
) -> Iterator[Column]:
    """Yield the columns of names and types that are not ignored; ValueError, naming it, for one that is no value."""
    said = said_kinds(options, forced)
    found = list(described)
    for k in kept_columns([name for name, _ in found], options):
        name, kind = found[k]
        yield column_of_type(name, identifier(name), kind, said.get(name))


def open_parquet(path: Path, options: ReadOptions, work: Workspace, forced: Mapping[str, str]) -> Part:
    """Open a Parquet file; pandas' index columns are left out, with a note.

    Raises ValueError for damaged files, repeated names, and columns that hold lists, structs or bytes.
    """
    con = connect(work)
    try:
        source = f"read_parquet({literal(str(path))}, hive_partitioning = false)"
        try:
            described = described_columns(con, source)
            known = {
                bytes(key).decode("utf-8", "replace"): bytes(value)
                for key, value in con.execute(
                    f"select key, value from parquet_kv_metadata({literal(str(path))})"
                ).fetchall()
            }
            schema = [
                row[0]
                for row in con.execute(f"select name from parquet_schema({literal(str(path))}) offset 1").fetchall()
            ]
        except duckdb.Error as error:
            if isinstance(error, duckdb.OutOfMemoryException):
                raise
            raise ValueError(f"it is not a Parquet file, or a damaged one ({short_cause(error)[:100]})") from error
        repeated = {name for name in schema if schema.count(name) > 1} & {name for name, _ in described}
        top = [name for name, _ in described]
        if repeated and any(f"{name}_1" in top for name in repeated):
            raise ValueError(f"{min(repeated)!r} names more than one column")
        index, periods = _pandas_facts(known.get("pandas", b""))
        notes = []
        left = [name for name in top if name in index and name not in options.columns]
        if left:
            notes.append(f"{listed(left)} is the index of a pandas table, and was left out")
        described = [(name, kind) for name, kind in described if name not in left]
        kinds = arrow_kinds(known.get("ARROW:schema", b""))
        columns = [
            _extension(column, kinds.get(column.name, ""), periods.get(column.name))
            for column in typed_columns(described, options, forced)
        ]
        try:
            return loaded_part(con, source, columns, notes)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            raise ValueError(f"it is a damaged Parquet file ({short_cause(error)[:100]})") from error
    except BaseException:
        con.close()
        raise


def _pandas_facts(metadata: bytes) -> tuple[set[str], dict[str, str]]:
    """Return pandas' index columns and its columns of periods, each with its frequency, from a file's metadata."""
    try:
        facts = json.loads(metadata or b"{}")
        index = {name for name in facts.get("index_columns", ()) if isinstance(name, str)}
        periods = {
            column["field_name"]: column["numpy_type"][7:-1]
            for column in facts.get("columns", ())
            if str(column.get("numpy_type", "")).startswith("period[")
        }
        return index, periods
    except (ValueError, AttributeError, TypeError, KeyError):
        return set(), {}


def _extension(column: Column, kind: str, period: str | None) -> Column:
    """Return a column as what its Arrow type stands for; ValueError, naming it, where that is not known."""
    place = identifier(column.name)
    if column.kind == "integer" and kind.startswith("duration:"):
        return Column(
            column.name, f"to_microseconds(cast({place} {kind.removeprefix('duration:')} as bigint))", "duration"
        )
    if kind == "dictionary" and column.kind == "text":
        return Column(column.name, column.sql, "category", True)
    if kind == "extension:arrow.bool8":
        return Column(column.name, f"cast({place} as boolean)", "boolean")
    if period is not None or kind == "extension:pandas.period":
        moment = EPOCH_PERIODS.get((period or "").split("-")[0].upper())
        if moment is None:
            raise ValueError(
                f"column {column.name!r} holds periods ({period or 'of an unknown kind'}); save it as dates"
                f" (--ignore {column.name} leaves it out)"
            )
        return Column(column.name, moment.format(place), "moment")
    return column


def _broken_json(path: Path) -> str:
    """Return the fault of the first line that is no JSON; "" where every line is."""
    with path.open("rb") as file:
        if file.read(4096).lstrip().startswith(b"["):
            return ""
        file.seek(0)
        for number, line in enumerate(file, 1):
            try:
                json.loads(line.strip() or b"{}")
            except ValueError:
                return f"it is not JSON, or a damaged file: line {number} cannot be read"
    return ""


def open_json(path: Path, options: ReadOptions, work: Workspace, forced: Mapping[str, str]) -> Part:
    """Open a file of JSON objects, one a line, or an array of them; texts stay texts, whatever they look like."""
    con = connect(work)
    try:
        place = literal(str(path))
        plain = "maximum_object_size = 67108864, sample_size = -1"
        try:
            described = described_columns(con, f"read_json_auto({place}, {plain})")
        except duckdb.Error as error:
            raise ValueError(
                _broken_json(path) or f"it is not JSON, or a damaged file ({short_cause(error)[:150]})"
            ) from error
        guessed = ("DATE", "TIME", "UUID", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
        described = [(name, "VARCHAR" if kind in guessed else kind) for name, kind in described]
        if [name for name, _ in described] == ["json"]:
            raise ValueError("it holds no JSON objects with named values")
        fields = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in described)
        source = f"read_json({place}, {plain}, columns = {{{fields}}})"
        try:
            return loaded_part(con, source, list(typed_columns(described, options, forced)), [])
        except duckdb.Error as error:
            raise ValueError(
                _broken_json(path) or f"it is not JSON, or a damaged file ({short_cause(error)[:150]})"
            ) from error
    except BaseException:
        con.close()
        raise


def open_arrow(path: Path, options: ReadOptions, work: Workspace, forced: Mapping[str, str]) -> Part:
    """Open an Arrow or Feather file, by pyarrow, through a Parquet file in the temporary folder."""
    try:
        import pyarrow.feather as feather
        import pyarrow.parquet as parquet
    except ImportError:
        raise ValueError("Arrow files are read by pyarrow, which is not installed: pip install pyarrow") from None
    target = work.new(".parquet")
    try:
        found = feather.read_table(path, memory_map=True)
        parquet.write_table(found, target, compression="none")
    except Exception as error:
        cause = (str(error).splitlines() or ["unknown"])[0]
        raise ValueError(f"it is not an Arrow file, or one that cannot be read ({cause[:100]})") from error
    return open_parquet(target, options, work, forced)


def open_excel(path: Path, options: ReadOptions, work: Workspace, forced: Mapping[str, str]) -> Part:
    """Open a sheet of an Excel file, the first or the one that is named; blank rows above the header are skipped."""
    try:
        import openpyxl
    except ImportError:
        raise ValueError("Excel files are read by openpyxl, which is not installed: pip install openpyxl") from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise ValueError(
            f"it is not an Excel file, or a damaged one ({(str(error).splitlines() or [''])[0][:100]})"
        ) from error
    notes = []
    try:
        names = book.sheetnames
        if options.table is not None and options.table not in names:
            raise ValueError(f"it has no sheet {options.table!r}; it has {listed(names)}")
        sheet = book[options.table or names[0]]
        if options.table is None and len(names) > 1:
            notes.append(f"the sheet {names[0]!r} was read, the first of {len(names)}; --table says otherwise")
        rows = [[cell_text(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"it is a damaged Excel file ({(str(error).splitlines() or [''])[0][:100]})") from error
    finally:
        book.close()
    return _sheet(rows, options, forced, notes)


def _sheet(rows: list[list[str]], options: ReadOptions, forced: Mapping[str, str], notes: list[str]) -> Part:
    """Return rows of texts as a part, the columns from the first to the last that is used."""
    used = [k for k, row in enumerate(rows) if any(row)]
    if not used:
        raise ValueError("it is empty")
    filled = [any(rows[k][j] for k in used if j < len(rows[k])) for j in range(max(map(len, rows)))]
    kept = [j for j, some in enumerate(filled) if some]
    low, high = kept[0], kept[-1] + 1
    full = [[*rows[k], *[""] * (high - len(rows[k]))][low:high] for k in used]
    start = _header_row(full)
    if start:
        notes.append(f"{start} row{'s' if start > 1 else ''} above the header {'were' if start > 1 else 'was'} skipped")
    says = options.header
    if says is None:
        says, note = is_header(full[start], full[start + 1 :])
        notes += [note] if note else []
    names, more = column_names(full[start] if says else None, high - low)
    body = full[start + 1 :] if says else full[start:]
    if not body:
        raise ValueError("it has a header but no rows")
    said = said_kinds(options, forced)
    cells = {}
    columns = list(zip(*body, strict=True))
    for k in kept_columns(names, options):
        name, column = names[k], columns[k]
        kind = {"category": "category", "text": "category"}.get(
            said.get(name, ""), "text" if said.get(name) in FORCED else None
        )
        cells[name] = cells_of_texts(column, kind=kind)
    return Part(list(cells), Held(cells, len(body)), None, notes + more)


def _header_row(rows: Sequence[Sequence[str]]) -> int:
    """Return the position of the first row that is as full as most are; titles above it have fewer cells."""
    counts = [sum(map(bool, row)) for row in rows[:200]]
    usual = sorted(counts)[len(counts) // 2]
    found = next((k for k, count in enumerate(counts[:30]) if count >= usual and count > 1), 0)
    return found if all(count * 2 <= usual + 1 for count in counts[:found]) else 0


def cell_text(value: Any) -> str:
    """Return a value of a sheet or of SQLite as the text that says it exactly."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    if isinstance(value, dt.timedelta):
        return str(value)
    return str(value)
