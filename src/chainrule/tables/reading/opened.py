"""An opened source of rows: its columns, its dialect, its notes; the whole table, or pieces of it in order.

    with open_table("people.csv", ReadOptions(ignore=("name",))) as opened:
        table = opened.read()

Shapes: n rows.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..table import Table
from .contents import Content, Joined, Part
from .databases import open_duckdb, open_remote, open_sqlite
from .errors import SourceError, one_line
from .options import Dialect, ReadOptions
from .stores import open_arrow, open_excel, open_json, open_parquet
from .textfile import open_text
from .texts import Workspace, packing_of, spooled, unpacked, without_packing

PIECE = 100_000
"""Rows of a piece, where the file is read in pieces."""

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".data", ".dat", ".tab", ".psv", ".test", ".all")
OPENERS: Mapping[str, Callable[..., Part]] = {
    ".parquet": open_parquet,
    ".pq": open_parquet,
    ".jsonl": open_json,
    ".ndjson": open_json,
    ".json": open_json,
    ".feather": open_arrow,
    ".arrow": open_arrow,
    ".ipc": open_arrow,
    ".xlsx": open_excel,
    ".xlsm": open_excel,
    ".duckdb": open_duckdb,
    ".ddb": open_duckdb,
    ".sqlite": open_sqlite,
    ".sqlite3": open_sqlite,
    ".db": open_sqlite,
}
"""The readers of files, by the ending of their names; all others are text."""

ASKED: Mapping[Callable[..., Part] | None, tuple[str, ...]] = {
    open_duckdb: ("--table", "--query"),
    open_sqlite: ("--table", "--query"),
    open_excel: ("--table",),
}
"""The readers that are told what to read."""

MAGIC: Mapping[bytes, str] = {b"PAR1": ".parquet", b"ARROW1": ".arrow", b"SQLite format 3\0": ".sqlite"}
"""The first bytes of files of known kinds."""

OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The first bytes of workbooks before 2007."""

REMOTE = ("http://", "https://", "s3://", "gs://", "gcs://", "r2://", "az://", "hf://", "postgres://", "postgresql://")
"""How the names of sources elsewhere begin."""


class OpenedTable:
    """A source whose columns are known and whose rows have been counted, ready to be read, whole or in pieces.

    `name` is what the user gave; `columns` the names, in order, without those ignored; `rows` their number; `dialect`
    that of a text file, else None; `notes` what the user should know: what was guessed, renamed, skipped.
    """

    name: str
    columns: list[str]
    rows: int
    dialect: Dialect | None
    notes: list[str]

    def __init__(self, name: str, part: Part, declared: Mapping[str, str], work: Workspace) -> None:
        self.name, self.columns, self.rows = name, list(part.columns), part.content.rows
        self.dialect, self.notes = part.dialect, part.notes
        self._content: Content = part.content
        known = {column: kind for column, kind in declared.items() if column in self.columns}
        decimal = part.dialect.decimal if part.dialect else "."
        self._facts: dict[str, Any] = {"decimal": decimal, "declared": known}
        self._work = work

    def read(self) -> Table:
        """Return the whole table. Plain numbers are numbers (integers beyond 2^53 stay exact), other columns text."""
        with one_line(self.name):
            return Table.of(self._content.whole(), self.rows, **self._facts)

    def pieces(self, rows: int = PIECE) -> Iterator[Table]:
        """Yield the table in pieces, in the order of the file, in memory that does not grow with the file.

        A column is of the same kind in every piece.
        """
        for start in range(0, self.rows, rows):
            stop = min(start + rows, self.rows)
            with one_line(self.name):
                cells = self._content.piece(start, stop)
                table = Table.of(cells, stop - start, **self._facts)
            yield replace(table, row_numbers=_counted(start, stop))

    def close(self) -> None:
        """Remove the temporary files."""
        self._content.close()
        self._work.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


NOTHING_SAID = ReadOptions()


def _counted(start: int, stop: int) -> Any:
    return np.arange(start + 1, stop + 1)


def open_table(name: str, options: ReadOptions = NOTHING_SAID, expected: Dialect | None = None) -> OpenedTable:
    """Open a source by its name: a file, several (a glob such as part-*.parquet), "-" for standard input, a URL.

    `expected` is the dialect of the training file: it is tried first, and used where it fits.

    Raises SourceError, one line with file, row, value and remedy, for what cannot be read.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "people.csv"
    >>> _ = path.write_text("age;town\\n31;Bonn\\n;Ulm\\n")
    >>> with open_table(str(path)) as opened:
    ...     opened.rows, opened.dialect.words(), opened.read().rows()
    (2, "separator ';'", [(31.0, 'Bonn'), (None, 'Ulm')])
    """
    name = str(name)
    if not name:
        raise SourceError("the name of the file is empty")
    work = Workspace()
    shown = re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", name)
    try:
        with one_line(shown):
            if options.table is not None and options.query is not None:
                raise ValueError("--table and --query were both given; one of them says what to read")
            part = _open(name, options, expected, work)
            if not part.columns:
                raise ValueError("it has no columns" if not options.ignore else "no column is left after --ignore")
            if not part.content.rows:
                raise ValueError("it has a header but no rows" if part.columns else "it is empty")
            part.notes += _unknown(part, options)
            return OpenedTable(shown, part, options.columns, work)
    except BaseException:
        work.close()
        raise


def _unknown(part: Part, options: ReadOptions) -> list[str]:
    return [f"there is no column {name!r} to declare" for name in options.columns if name not in part.columns]


def _open(name: str, options: ReadOptions, expected: Dialect | None, work: Workspace) -> Part:
    if name == "-":
        return _one(spooled(work), "-", options, expected, work, {})
    if name.lower().startswith(REMOTE):
        return open_remote(name, options, work)
    path = Path(name)
    if path.is_dir():
        raise IsADirectoryError(name)
    if not path.exists() and glob.has_magic(name):
        found = sorted(glob.glob(name, recursive=True))
        if not found:
            raise ValueError("no file has such a name")
        return _several([Path(each) for each in found if not Path(each).is_dir()], options, expected, work)
    if not path.exists():
        raise FileNotFoundError(name)
    return _one(path, path.name, options, expected, work, {})


def _one(
    path: Path, name: str, options: ReadOptions, expected: Dialect | None, work: Workspace, forced: Mapping[str, str]
) -> Part:
    """Open one file by the ending of its name, or by its first bytes."""
    bare, packing = without_packing(name)
    ending = os.path.splitext(bare)[1]
    plain = unpacked(path, packing or ("" if ending in OPENERS else packing_of(path)), work)
    with plain.open("rb") as file:
        head = file.read(4096)
    opener = OPENERS.get(ending)
    for bytes_, known in MAGIC.items():
        if head.startswith(bytes_) and (ending not in OPENERS or ending == ".db"):
            opener = OPENERS[known]
    if head[8:12] == b"DUCK":
        opener = open_duckdb
    said = {"--table": options.table, "--query": options.query}
    unused = [option for option, given in said.items() if given is not None and option not in ASKED.get(opener, ())]
    if unused:
        raise ValueError(f"{unused[0]} was given, but it is no database")
    if opener is not None:
        if not plain.stat().st_size:
            raise ValueError("it is empty")
        return opener(plain, options, work, forced)
    if head.startswith(OLD_EXCEL):
        raise ValueError("it is a workbook of the old Excel (.xls); save it as .xlsx or .csv")
    if re.match(rb"\s*<(!doctype|html|\?xml)", head, re.IGNORECASE):
        raise ValueError("it is a web page or XML, not a table of text")
    if re.match(rb'\s*\[?\s*\{\s*"[^"\n]*"\s*:', head) and ending in ("", ".txt", ".csv", ".dat", ".data", ".log"):
        return open_json(plain, options, work, forced)
    return open_text(plain, ending, options, expected, work, forced)


def _several(paths: list[Path], options: ReadOptions, expected: Dialect | None, work: Workspace) -> Part:
    """Open several files with the same columns as one."""
    parts: list[Part] = []
    try:
        for path in paths:
            with one_line(path):
                before = parts[0].dialect if parts and parts[0].dialect else expected
                parts.append(_one(path, path.name, options, before, work, {}))
                _check_columns(parts[0], parts[-1], paths[0])
        parts = _same_kinds(paths, parts, options, expected, work)
    except BaseException:
        for part in parts:
            part.content.close()
        raise
    notes = list(dict.fromkeys(note for part in parts for note in part.notes))
    notes.append(f"{len(paths)} files were read, from {paths[0].name} to {paths[-1].name}")
    columns = parts[0].columns
    return Part(columns, Joined([part.content for part in parts], columns), parts[0].dialect, notes)


def _check_columns(first: Part, other: Part, path: Path) -> None:
    missing = [name for name in first.columns if name not in other.columns]
    more = [name for name in other.columns if name not in first.columns]
    if missing:
        raise ValueError(f"it has no column {missing[0]!r}, which {path.name} has")
    if more:
        raise ValueError(f"it has a column {more[0]!r}, which {path.name} has not")


def _same_kinds(
    paths: list[Path], parts: list[Part], options: ReadOptions, expected: Dialect | None, work: Workspace
) -> list[Part]:
    """Read files again in which a column is numbers, while it is text in others: all of it becomes text."""
    kinds = [{name: cells.kind for name, cells in part.content.piece(0, 1).items()} for part in parts]
    mixed = {name: "date" for name in parts[0].columns if len({kind[name] for kind in kinds}) > 1}
    made = []
    for path, part, kind in zip(paths, parts, kinds, strict=True):
        if all(kind[name] == "text" for name in mixed):
            made.append(part)
            continue
        part.content.close()
        made.append(_one(path, path.name, options, part.dialect or expected, work, mixed))
    return made


def read_table(path: str | os.PathLike[str], **options: Any) -> Table:
    """Return the table of a file, or of whatever `open_table` opens; `options` are those of `ReadOptions`.

    Raises SourceError, one line with the file and the cause.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "people.csv"
    >>> _ = path.write_text("age,town\\n31,Bonn\\n,NA\\n")
    >>> read_table(path).rows()
    [(31.0, 'Bonn'), (None, 'NA')]
    """
    with open_table(os.fspath(path), ReadOptions(**options)) as opened:
        return opened.read()
