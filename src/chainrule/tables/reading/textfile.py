"""Text files: a layout is read strictly by DuckDB, and taken only if it has as many rows as were counted.

Shapes: n rows.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np

from .contents import Content, Held, Part
from .counting import count_records, first_fault
from .dialect import NEVER_CLOSED, Layout, layouts, long_fields, records
from .duck import Column, connect, literal
from .errors import short_cause
from .loading import Loaded, check_same_count
from .options import Dialect, ReadOptions, kept_columns
from .plain import cells_of_texts
from .texts import CHUNK, PlainText, Workspace, byte_facts, plain_text, with_plain_line_ends

HEAD = 1 << 18
MOST_HEAD = 1 << 24
SMALL_BYTES = 1 << 25
SMALL_CELLS = 4_000_000
LINE = 2_000_000
LONG_LINE = 1 << 26
NO_ROWS = "it has a header but no rows"
FORCED = ("category", "text", "date", "duration")


@dataclass(frozen=True)
class Body:
    """The part that DuckDB reads: a file, and the lines to skip in it; the first line of data in the counted file."""

    path: Path
    skip: int


def open_text(
    path: Path,
    ending: str,
    options: ReadOptions,
    expected: Dialect | None,
    work: Workspace,
    forced: Mapping[str, str] = {},
) -> Part:
    """Open a text file; `forced` are the columns to be kept as texts, each with its kind.

    Raises ValueError, with the line, for what does not fit together.
    """
    text = plain_text(path, options.encoding, work)
    head, whole = _head(text)
    if not head.strip("\ufeff \t\r\n"):
        raise ValueError("it is empty")
    if head.startswith("version https://git-lfs"):
        raise ValueError("it is a pointer of Git LFS, not the file itself: fetch that by git lfs pull")
    found = layouts(head, whole, options, expected, ending)
    part = _first_that_fits(text, found, options, work, forced)
    mixed = text.facts.returns and text.facts.feeds and text.facts.both != text.facts.feeds
    if isinstance(part, str) and mixed:
        even = with_plain_line_ends(text.path, work)
        text = replace(text, path=even, facts=byte_facts(even))
        head, whole = _head(text)
        found = layouts(head, whole, options, expected, ending)
        again = _first_that_fits(text, found, options, work, forced)
        part = (
            again
            if isinstance(again, str)
            else replace(again, notes=[*again.notes, "its lines end in more than one way"])
        )
    if isinstance(part, str):
        raise ValueError(part)
    part.notes[:0] = text.notes
    if part.dialect is not None:
        part.dialect = replace(part.dialect, encoding=text.encoding)
    return part


def _head(text: PlainText) -> tuple[str, bool]:
    """Return the first lines of a file, and whether they are all of it."""
    with text.path.open("rb") as file:
        data = file.read(HEAD)
        while data.count(text.facts.line_end) < 20 and len(data) < min(text.facts.size, MOST_HEAD):
            data += file.read(HEAD * 4)
    return data.decode("utf-8", "ignore"), len(data) >= text.facts.size


def _first_that_fits(
    text: PlainText, found: list[Layout], options: ReadOptions, work: Workspace, forced: Mapping[str, str]
) -> Part | str:
    """Return the part by the first layout that reads strictly and has the rows that were counted, or what is wrong."""
    causes = []
    for layout in found:
        try:
            if layout.fault:
                raise ValueError(layout.fault)
            content, columns = _content(text, layout, options, work, forced)
            return Part(columns, content, layout.dialect, list(layout.notes))
        except (ValueError, duckdb.Error) as error:
            causes.append(_cause(text, layout, error))
            if NEVER_CLOSED in causes[-1]:  # without quotes it could be read, but hardly as it was meant
                break
    return causes[0]


def _cause(text: PlainText, layout: Layout, error: Exception) -> str:
    if isinstance(error, ValueError) and "were counted" not in str(error):
        return str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return short_cause(error)
    if "maximum line size" in str(error).lower():
        return "one of its lines is too long; is there a quote that is never closed?"
    return first_fault(text.path, layout.dialect, layout.width, layout.first) or short_cause(error)


def _content(
    text: PlainText, layout: Layout, options: ReadOptions, work: Workspace, forced: Mapping[str, str]
) -> tuple[Content, list[str]]:
    """Return the cells by a layout, and the names of the columns that are not ignored."""
    said = {**options.columns, **forced}
    kinds = {
        name: "category" if kind in ("category", "text") else "text" for name, kind in said.items() if kind in FORCED
    }
    kept = kept_columns(layout.names, options)
    columns = [
        Column(layout.names[k], f"c{k}", kinds.get(layout.names[k], "text"), layout.names[k] in kinds) for k in kept
    ]
    names = [column.name for column in columns]
    dialect, line_end = layout.dialect, text.facts.line_end
    with ThreadPoolExecutor(1) as beside:
        if dialect.separator == "space":
            path, count = _split_at_blanks(text, layout, work)
            body, dialect = Body(path, 0), replace(dialect, separator=",", quote='"', escape='"')
            counted: Callable[[], int] = lambda: count  # noqa: E731
        else:
            body = _body(text, layout, work)
            task = beside.submit(count_records, text.path, dialect, line_end, layout.first, layout.width == 1)
            counted = task.result
        lines = text.facts.feeds if line_end == b"\n" else text.facts.returns
        small = text.facts.size <= SMALL_BYTES and (lines + 1) * layout.width <= SMALL_CELLS
        if small or layout.width == 1:
            _check_some(counted(), layout)
        limit = counted() if layout.width == 1 else None
        if small:
            return _small(_source(body, layout, dialect, limit), columns, layout, counted, work), names
        try:
            return _big(_source(body, layout, dialect, limit), columns, text, layout, counted, work), names
        except (duckdb.Error, ValueError):
            if not text.facts.quotes or dialect.separator == "space" or not counted():
                raise
        return _big(_source(body, layout, dialect, limit, parallel=False), columns, text, layout, counted, work), names


def _check_some(counted: int, layout: Layout) -> None:
    if not counted:
        raise ValueError(NO_ROWS if layout.dialect.header else "it is empty")


def _small(
    source: str, columns: Sequence[Column], layout: Layout, counted: Callable[[], int], work: Workspace
) -> Content:
    """Return the cells of a small file: all texts as arrays at once."""
    chosen = ", ".join(column.sql for column in columns) or "c0"
    with connect(work) as con:
        found = con.execute(f"select {chosen} from {source}").fetchnumpy()
    rows = len(next(iter(found.values())))
    check_same_count(rows, counted())
    cells = {}
    for column in columns:
        values = found[column.sql]
        texts = np.ma.getdata(values)
        if np.ma.is_masked(values):
            texts = texts.copy()
            texts[np.ma.getmaskarray(values)] = None
        cells[column.name] = cells_of_texts(
            texts.tolist(), layout.dialect.decimal, column.kind if column.fixed else None
        )
    return Held(cells, rows)


def _big(
    source: str, columns: Sequence[Column], text: PlainText, layout: Layout, counted: Callable[[], int], work: Workspace
) -> Content:
    """Return the cells of a large file, which stay with DuckDB."""
    con = connect(work)
    try:
        loaded = Loaded(con, source, columns, layout.dialect.decimal, text.facts.underscore)
        check_same_count(loaded.rows, counted())
        return loaded
    except BaseException:
        con.close()
        raise


def _source(body: Body, layout: Layout, dialect: Dialect, limit: int | None, parallel: bool = True) -> str:
    """Return the SQL that reads a body strictly, all columns as texts."""
    columns = ", ".join(f"'c{k}': 'VARCHAR'" for k in range(layout.width))
    longest = max((sum(map(len, row)) + len(row) for row in layout.rows[:100]), default=0)
    settings = {
        "delim": literal(dialect.separator),
        "quote": literal(dialect.quote),
        "escape": literal(dialect.escape if dialect.quote else ""),
        "header": "false",
        "skip": str(body.skip),
        "auto_detect": "false",
        "strict_mode": "true",
        "null_padding": "false",
        "parallel": str(parallel).lower(),
        "max_line_size": str(LINE if longest * 4 < LINE else LONG_LINE),
        "columns": "{" + columns + "}",
    }
    words = ", ".join(f"{name} = {value}" for name, value in settings.items())
    made = f"read_csv({literal(str(body.path))}, {words})"
    return made if limit is None else f"(from {made} limit {limit})"


def _body(text: PlainText, layout: Layout, work: Workspace) -> Body:
    """Return the file to read from the first line of data on; a copy where DuckDB would not skip what it should."""
    dialect, quote = layout.dialect, layout.dialect.quote
    end = text.facts.line_end
    with text.path.open("rb") as file:
        above = b"".join(itertools.islice(_lines_of(file, end), layout.first - 1))
    odd = quote and any(line.count(quote.encode()) % 2 for line in above.split(end))
    blank = any(not line.strip() for line in above.split(end)[:-1])
    comments = dialect.comment and _has_comments(text.path, len(above), end + dialect.comment.encode())
    if not (odd or blank or comments):
        return Body(text.path, layout.first - 1)
    target = work.new(".csv")
    with text.path.open("rb") as file, target.open("wb") as out:
        file.seek(len(above))
        if not comments:
            while chunk := file.read(CHUNK):
                out.write(chunk)
        else:
            mark = dialect.comment.encode()
            inside, escaped = False, (dialect.escape + quote).encode() if dialect.escape != quote else b""
            for line in _lines_of(file, end):
                if not inside and line.startswith(mark):
                    out.write(b"" if layout.width == 1 else end)
                    continue
                out.write(line)
                if quote:
                    marks = line.count(quote.encode()) - (line.count(escaped) if escaped else 0)
                    inside ^= bool(marks % 2)
    return Body(target, 0)


def _has_comments(path: Path, start: int, mark: bytes) -> bool:
    rest = mark[:1]
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(CHUNK):
            if mark in rest + chunk:
                return True
            rest = chunk[-1:]
    return False


def _lines_of(file: io.BufferedReader, end: bytes) -> Iterator[bytes]:
    """Yield the lines of a file, whatever byte ends them."""
    if end == b"\n":
        yield from file
        return
    rest = b""
    while chunk := file.read(CHUNK):
        *whole, rest = (rest + chunk).split(end)
        yield from (line + end for line in whole)
    if rest:
        yield rest


def _split_at_blanks(text: PlainText, layout: Layout, work: Workspace) -> tuple[Path, int]:
    """Return a file with commas for runs of blanks, and its number of rows."""
    target, count, dialect = work.new(".csv"), 0, layout.dialect
    with (
        text.path.open(encoding="utf-8-sig", newline="") as file,
        target.open("w", encoding="utf-8", newline="") as out,
        long_fields(),
    ):
        for _ in range(layout.first - 1):
            file.readline()
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
        try:
            for record in records(file, dialect.separator, dialect.quote, dialect.escape):
                fields = record.fields
                if not any(fields) or (dialect.comment and fields[0].startswith(dialect.comment)):
                    continue
                if len(fields) != layout.width:
                    line = record.line + layout.first - 1
                    of = "the header's" if dialect.header else "the first line's"
                    raise ValueError(f"line {line} has {len(fields)} of {of} {layout.width} fields")
                writer.writerow(fields)
                count += 1
        except csv.Error as error:
            raise ValueError(f"its quotes do not fit together ({error})") from error
    return target, count
