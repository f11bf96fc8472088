"""A name on the command line -> features and target: tables of any kind, NPZ, MNIST's idx files, the bundled digits.

Tables stay tables (`tables.encoder` turns them into matrices); images come as they were stored, one row
each, with the factor that brings them to 0..1. Whatever is wrong with a file is a `SourceError` of one line:
the readers raise plain errors that say the cause, and `one_line` puts the file's name before it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .arrays import read_idx, read_images, read_npz
from .reading.errors import SourceError, one_line
from .reading.opened import OpenedTable, open_table
from .reading.options import Dialect, ReadOptions
from .source import Matrix, Name, Source, few_names, names_of, only_target
from .table import Table
from .targets import TargetForm, closest, find_columns, read_target, read_weights

__all__ = [
    "Asked",
    "ReadOptions",
    "Source",
    "SourceError",
    "check_declared",
    "is_table",
    "load",
    "open_rows",
    "read_idx",
    "source_of",
]


@dataclass(frozen=True)
class Asked:
    """The request for a table: its target columns and the column of weights, and how its file is to be read.

    `target`: one name or several, each of which may hold several with commas between. `forms` and `expected` are what
    training found out: how the target columns are written, and the dialect of the file. `task` is "auto" or what the
    user said.
    """

    target: tuple[str, ...] = ()
    weights: str | None = None
    task: str = "auto"
    reading: ReadOptions = field(default_factory=ReadOptions)
    forms: tuple[TargetForm, ...] | None = None
    expected: Dialect | None = None


def load(
    source: str | Path, target: Name = None, *, target_required: bool = True, asked: Asked | None = None
) -> Source:
    """Load what a name stands for: `digits`, a table, an .npz file, an idx file or a folder of them.

    `target` names the column of a table (or several columns) or the array of an .npz file; the others have only one.
    `asked` says more about a table. With `target_required=False` (predict) y is None where the source has no such
    column, or gaps in it.

    Raises SourceError, one line, for whatever a user can get wrong.

    >>> digits = load("digits")
    >>> digits.X.shape, digits.y[:3], digits.scale
    ((1797, 64), array([0, 1, 2]), 0.0625)
    """
    asked = asked or Asked()
    asked = asked if target is None else replace(asked, target=tuple(names_of(target)))
    if not str(source):
        raise SourceError("the name of the file is empty")
    path = Path(source)
    for recognises, read in READERS:
        if recognises(path):
            with one_line(path):
                return read(path, _one_name(asked), target_required)
    with open_rows(source, asked) as opened, one_line(path):
        return source_of(opened, opened.read(), asked, target_required)


def is_table(source: str | Path) -> bool:
    """Return True for a name that stands for a table, whether there is one or not."""
    return not any(recognises(Path(source)) for recognises, _ in READERS)


def open_rows(source: str | Path, asked: Asked) -> OpenedTable:
    """Open a table; SourceError, one line, where that is not possible or a column that is named is not there."""
    name, plain = str(source), not any(sign in str(source) for sign in "*?[:") and str(source) != "-"
    if plain and not Path(name).exists():
        close = "; did you mean digits?" if difflib.get_close_matches(name, ["digits"]) else ""
        raise SourceError(f"{name}: there is no such file{close}")
    columns = {column: "category" if kind == "text" else kind for column, kind in asked.reading.columns.items()}
    return open_table(name, replace(asked.reading, columns=columns), asked.expected)


def source_of(opened: OpenedTable, table: Table, asked: Asked, target_required: bool = True) -> Source:
    """Return the source that the rows of an opened table are; ValueError for a target or weights that are not right."""
    if not asked.target and target_required:
        raise ValueError(f"which column is the target? It has: {few_names(table.columns)}")
    if not target_required and not _has_all(table, asked.target):
        return _as_source(opened, _without_weights(table, asked), None)
    if target_required:
        check_declared(table, asked)
    names = find_columns(table.columns, asked.target)
    left = table.without(names)
    if not left.columns:
        raise ValueError(f"{names[0]!r} is its only column; nothing is left to learn from")
    weights = None
    if asked.weights is not None and (target_required or asked.weights in left):
        if asked.weights not in left:
            raise ValueError(
                f"there is no column {asked.weights!r} for the weights; {closest(asked.weights, left.columns)}"
            )
        weights = read_weights(left, asked.weights)
    try:
        y, forms = read_target(table, names, asked.forms, asked.task)
    except ValueError:
        if target_required:
            raise
        y, forms = None, ()
    source = _as_source(opened, _without_weights(left, asked), y)
    target = names[0] if len(names) == 1 else names
    return replace(source, target=target, forms=forms, weights=weights, weights_name=asked.weights)


def check_declared(table: Table, asked: Asked) -> None:
    """Raise ValueError for a column that is said to be something, and is not there."""
    for name in asked.reading.columns:
        if name not in table and name not in asked.reading.ignore:
            raise ValueError(f"--columns: there is no column {name!r}; {closest(name, table.columns)}")


def _as_source(opened: OpenedTable, inputs: Table, y: Matrix | None) -> Source:
    return Source(inputs, y, name=opened.name, dialect=opened.dialect, notes=tuple(opened.notes))


def _without_weights(table: Table, asked: Asked) -> Table:
    return table if asked.weights is None or asked.weights not in table else table.without([asked.weights])


def _has_all(table: Table, asked: Sequence[str]) -> bool:
    try:
        return bool(asked) and bool(find_columns(table.columns, asked))
    except ValueError:
        return False


def _one_name(asked: Asked) -> str | None:
    """Return the one target that a source of arrays may be asked for."""
    return ",".join(asked.target) or None


def _digits(path: Path, target: str | None, required: bool) -> Source:
    from sklearn.datasets import load_digits  # only here: the import takes longer than reading the data

    name = only_target("digit", target, required)
    X, y = load_digits(return_X_y=True)
    return Source(X, y, name="digits", target=name, scale=1 / 16, image_shape=(8, 8))


IDX_NAME = re.compile(r"[-._]idx\d?([-._]ubyte)?(\.gz)?$", re.IGNORECASE)

Reader = Callable[[Path, str | None, bool], Source]

READERS: tuple[tuple[Callable[[Path], bool], Reader], ...] = (
    (lambda path: str(path) == "digits", _digits),
    (Path.is_dir, read_images),
    (lambda path: path.name.lower().endswith(".npz"), read_npz),
    (lambda path: bool(IDX_NAME.search(path.name)), read_images),
)
"""The readers of sources that are no tables, each after the test for its paths; the first row that fits."""
