"""A name on the command line -> features and target: tables, NPZ, MNIST's idx files, or the bundled digits.

Tables stay tables (`tables.encoder` turns them into matrices); images come as they were stored, one row
each, with the factor that brings them to 0..1. Whatever is wrong with a file is a `SourceError` of one line:
the readers raise plain errors that say the cause, and `one_line` puts the file's name before it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from .arrays import read_idx, read_images, read_npz
from .files import TABLE_FORMS, SourceError, one_line, read_table
from .source import Matrix, Source, check_complete, few_names, only_target

__all__ = ["Source", "SourceError", "load", "read_idx"]


def load(source: str | Path, target: str | None = None, *, target_required: bool = True) -> Source:
    """Load what a name stands for: `digits`, a table, an .npz file, an idx file or a folder of them.

    `target` names the column of a table or the array of an .npz file; the others have only one. With
    `target_required=False` (predict) y is None where the source has no such column, or gaps in it.

    Raises SourceError, one line, for whatever a user can get wrong.

    >>> digits = load("digits")
    >>> digits.X.shape, digits.y[:3], digits.scale
    ((1797, 64), array([0, 1, 2]), 0.0625)
    """
    path = Path(source)
    for recognises, read in READERS:
        if recognises(path):
            with one_line(path):
                return read(path, target, target_required)
    if not path.exists():
        close = "; did you mean digits?" if difflib.get_close_matches(str(source), ["digits"]) else ""
        raise SourceError(f"{source}: there is no such file{close}")
    kinds = f"digits, {', '.join(TABLE_FORMS)}, .npz, idx"
    raise SourceError(f"{source}: cannot tell from the name what it holds; known are {kinds}")


def _digits(path: Path, target: str | None, required: bool) -> Source:
    from sklearn.datasets import load_digits  # only here: the import takes longer than reading the data

    name = only_target("digit", target, required)
    X, y = load_digits(return_X_y=True)
    return Source(X, y, name="digits", target=name, scale=1 / 16, image_shape=(8, 8))


def _table(path: Path, target: str | None, required: bool) -> Source:
    frame = read_table(path)
    if target is None and required:
        raise ValueError(f"which column is the target? It has: {few_names(frame.columns)}")
    if target is None or target not in frame.columns:
        if required:
            raise ValueError(f"there is no column {target!r}; {_closest(str(target), frame.columns)}")
        return Source(frame, None, name=str(path))
    if frame.width == 1:
        raise ValueError(f"{target!r} is its only column; nothing is left to learn from")
    values = _target(frame[target], required)
    return Source(frame.drop(target), values, name=str(path), target=target)


def _target(column: pl.Series, required: bool) -> Matrix | None:
    """Return a column as an array of numbers, booleans or text; None where it has gaps and may have."""
    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum, pl.Null):
        column = column.cast(pl.String)
    elif not (kind.is_numeric() or kind in (pl.String, pl.Boolean)):
        raise ValueError(f"target {column.name!r} holds {kind}; it must be numbers, text or booleans")
    if kind.is_numeric():
        column = column if kind.is_integer() and kind != pl.Int128 else column.cast(pl.Float64)
        absent = (~column.is_finite()).fill_null(True).to_numpy()
    else:
        absent = (column.is_null() | (column.cast(pl.String) == "").fill_null(True)).to_numpy()
    if absent.any() and not required:
        return None
    check_complete(absent, f"target {column.name!r}")
    return column.to_numpy() if column.dtype != pl.String else np.array(column.to_list(), str)


def _closest(name: str, names: list[str]) -> str:
    folded = {known.strip().lower(): known for known in names}
    close = [repr(folded[match]) for match in difflib.get_close_matches(name.strip().lower(), folded)]
    return f"did you mean {' or '.join(close)}?" if close else f"it has: {few_names(names)}"


READERS: tuple[tuple[Callable[[Path], bool], Callable[[Path, str | None, bool], Source]], ...] = (
    (lambda path: str(path) == "digits", _digits),
    (Path.is_dir, read_images),
    (lambda path: path.name.lower().endswith(tuple(TABLE_FORMS)), _table),
    (lambda path: path.name.lower().endswith(".npz"), read_npz),
    (lambda path: "idx" in path.name, read_images),
)
"""The readers of paths, each after the test for its paths; the first row that fits."""
