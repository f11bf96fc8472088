"""A name on the command line -> features and target: tables, NPZ, MNIST's idx files, or the bundled digits.

Tables stay tables (`tables.encoder` turns them into matrices); images come as they were stored, one row
each, with the factor that brings them to 0..1. Whatever is wrong with a file is a `SourceError` of one line:
the functions below raise plain errors that say the cause, and `one_line` puts the file's name before it.

Shapes: n rows, i inputs.
"""

from __future__ import annotations

import difflib
import gzip
import math
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from .files import TABLE_FORMS, SourceError, one_line, read_table

__all__ = ["Source", "SourceError", "infer_task", "load", "read_idx"]

Matrix = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Source:
    """Features and target: X a table of n named rows or a matrix (n, i); y of n values, None where absent.

    `X_test`, `y_test` are there when the source brings its own test set. `scale` is what the values of a
    matrix are to be multiplied with before use: 1/255 for bytes, 1/16 for the digits. `image_shape` is that of
    each row, where the file says so.
    """

    X: pl.DataFrame | Matrix
    y: Matrix | None
    X_test: pl.DataFrame | Matrix | None = None
    y_test: Matrix | None = None
    name: str = ""
    target: str | None = None
    scale: float = 1.0
    image_shape: tuple[int, ...] | None = None


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
    for recognises, read in KINDS:
        if recognises(path):
            with one_line(path):
                return read(path, target, target_required)
    if not path.exists():
        close = "; did you mean digits?" if difflib.get_close_matches(str(source), ["digits"]) else ""
        raise SourceError(f"{source}: there is no such file{close}")
    kinds = f"digits, {', '.join(TABLE_FORMS)}, .npz, idx"
    raise SourceError(f"{source}: cannot tell from the name what it holds; known are {kinds}")


def _only_target(name: str, target: str | None, required: bool) -> str:
    if required and target not in (None, name):
        raise ValueError(f"the target is {name!r}; there is no {target!r} (leave it out)")
    return name


def _digits(path: Path, target: str | None, required: bool) -> Source:
    from sklearn.datasets import load_digits  # only here: the import takes longer than reading the data

    name = _only_target("digit", target, required)
    X, y = load_digits(return_X_y=True)
    return Source(X, y, name="digits", target=name, scale=1 / 16, image_shape=(8, 8))


def _table(path: Path, target: str | None, required: bool) -> Source:
    frame = read_table(path)
    if target is None and required:
        raise ValueError(f"which column is the target? It has: {_few(frame.columns)}")
    if target is None or target not in frame.columns:
        if required:
            raise ValueError(f"there is no column {target!r}; {_closest(str(target), frame.columns)}")
        return Source(frame, None, name=str(path))
    if frame.width == 1:
        raise ValueError(f"{target!r} is its only column; nothing is left to learn from")
    values = _target(frame[target], required)
    return Source(frame.drop(target), values, name=str(path), target=target)


def _target(column: pl.Series, required: bool) -> Matrix | None:
    """Give a column as an array of numbers, booleans or text; None where it has gaps and may have."""
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
    _complete(absent, f"target {column.name!r}")
    return column.to_numpy() if column.dtype != pl.String else np.array(column.to_list(), str)


def _few(names: list[str]) -> str:
    return ", ".join(map(repr, names[:30])) + (f" and {len(names) - 30} more" if len(names) > 30 else "")


def _closest(name: str, names: list[str]) -> str:
    folded = {known.strip().lower(): known for known in names}
    close = [repr(folded[match]) for match in difflib.get_close_matches(name.strip().lower(), folded)]
    return f"did you mean {' or '.join(close)}?" if close else f"it has: {_few(names)}"


def _complete(absent: NDArray[np.bool_], what: str) -> None:
    if absent.any():
        gaps = np.flatnonzero(absent.reshape(len(absent), -1).any(axis=1)) + 1
        rows = f"{len(gaps)} rows, the first is row {gaps[0]}" if len(gaps) > 1 else f"row {gaps[0]}"
        raise ValueError(f"{what} is missing or not finite in {rows} (row 1 is the first row of data)")


def _matrix(array: Matrix, name: str) -> Matrix:
    """Flatten the rows of an array: (n, i), finite."""
    if array.dtype.kind not in "biuf" or array.ndim < 2:
        raise ValueError(f"{name!r} must hold rows of numbers; it is {array.dtype} of shape {array.shape}")
    if not array.size:
        raise ValueError(f"{name!r} is empty: its shape is {array.shape}")
    matrix = array.reshape(len(array), -1)
    if matrix.dtype.kind == "f":
        _complete(~np.isfinite(matrix), f"{name!r}")
    return matrix


def _labels(array: Matrix, name: str, rows: int) -> Matrix:
    """Check a target of shape (n,), (n, 1) or (n, outputs)."""
    labels = array.ravel() if array.ndim == 2 and array.shape[1] == 1 else array
    if labels.dtype.kind not in "biufU" or labels.ndim not in (1, 2) or not labels.size:
        raise ValueError(f"{name!r} must hold numbers or text; it is {array.dtype} of shape {array.shape}")
    if len(labels) != rows:
        raise ValueError(f"{name!r} has {len(labels)} rows, the features have {rows}")
    if labels.dtype.kind == "f":
        _complete(~np.isfinite(labels), f"target {name!r}")
    return labels


NPZ_LAYOUTS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x", "y", "x_test", "y_test"),
    ("data", "target", "", ""),
)
"""What the arrays of an .npz file may be called, in capitals or not: X, y, X_test, y_test."""


def _npz(path: Path, target: str | None, required: bool) -> Source:
    with path.open("rb") as file:
        if file.read(4) != b"PK\3\4" or not zipfile.is_zipfile(file):
            raise ValueError("it is not an .npz file, or was cut off")
    with np.load(path, allow_pickle=False) as archive:
        names = {name.lower(): name for name in archive.files}
        layout = next((row for row in NPZ_LAYOUTS if row[0] in names), None)
        if layout is None:
            raise ValueError(f"it holds {_few(archive.files)}; expected X and y, or x_train and y_train")
        wanted = target or names.get(layout[1], layout[1])
        names[layout[1]] = next((name for name in archive.files if name.lower() == wanted.lower()), "")
        if required and not names[layout[1]]:
            raise ValueError(f"there is no array {wanted!r}; it has: {_few(archive.files)}")
        arrays = {name: _array(archive, names[name]) for name in layout if names.get(name)}
    X = _matrix(arrays[layout[0]], names[layout[0]])
    y = _labels(arrays[layout[1]], wanted, len(X)) if layout[1] in arrays else None
    scale = 1 / 255 if X.dtype == np.uint8 else 1.0
    if layout[2] not in arrays or layout[3] not in arrays:
        return Source(X, y, name=str(path), target=wanted, scale=scale)
    X_test = _like(_matrix(arrays[layout[2]], names[layout[2]]), X)
    y_test = _labels(arrays[layout[3]], names[layout[3]], len(X_test))
    return Source(X, y, X_test, y_test, str(path), wanted, scale)


def _array(archive: Any, name: str) -> Matrix:
    try:
        return np.asarray(archive[name])
    except ValueError as error:
        cause = f"{name!r} holds Python objects, which could run code; save it as numbers or text"
        raise ValueError(cause if "allow_pickle" in str(error) else f"{name!r}: {error}") from error


def _like(X_test: Matrix, X: Matrix) -> Matrix:
    if X_test.shape[1] != X.shape[1]:
        raise ValueError(f"the test set has {X_test.shape[1]} inputs, the training set {X.shape[1]}")
    return X_test


IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> Matrix:
    """Read an array from an idx file, .gz or not; memory grows with the data there are, not those announced.

    The file: two zero bytes, the type, the number of dimensions d, d big-endian sizes of 4 bytes, the values.
    Raises SourceError. Source: LeCun, Cortes and Burges, the MNIST database.
    """
    path = Path(path)
    with one_line(path), (gzip.open if path.name.endswith(".gz") else open)(path, "rb") as file:
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES or not 1 <= head[3] <= 8:
            raise ValueError(f"it is not an idx file: it begins with the bytes {head.hex(' ')}")
        sizes = file.read(4 * head[3])
        if len(sizes) < 4 * head[3]:
            raise ValueError("it ends inside its header")
        shape = tuple(np.frombuffer(sizes, ">u4").tolist())
        dtype = np.dtype(IDX_TYPES[head[2]])
        expected = math.prod(shape) * dtype.itemsize
        data = bytearray()
        while len(data) <= expected and (part := file.read(min(1 << 20, expected + 1 - len(data)))):
            data += part
        if len(data) != expected:
            held = "more" if len(data) > expected else f"{len(data)} bytes"
            raise ValueError(f"its header announces {shape}, {expected} bytes of values, but it holds {held}")
        return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _idx(path: Path, target: str | None, required: bool) -> Source:
    images = path
    if path.is_dir():
        found = [image for part in ("train", "t10k") for image in sorted(path.glob(f"*{part}-images*idx3*"))]
        if not found:
            raise ValueError("the folder holds no train-images-idx3-ubyte, with or without .gz")
        images = found[0]
    if "images" not in images.name:
        raise ValueError("give the file of images (...-images-idx3-ubyte); the labels are found beside it")
    name = _only_target("label", target, required)
    pixels = read_idx(images)
    X, y = _pair(images, pixels, required)
    shape = pixels.shape[1:] if pixels.ndim in (3, 4) else None
    scale = 1 / 255 if X.dtype == np.uint8 else 1.0
    test = _beside(images, "train-images", "t10k-images") if "train-images" in images.name else None
    if test is None:
        return Source(X, y, name=str(path), target=name, scale=scale, image_shape=shape)
    X_test, y_test = _pair(test, read_idx(test), required)
    return Source(X, y, _like(X_test, X), y_test, str(path), name, scale, shape)


def _beside(path: Path, old: str, new: str) -> Path | None:
    name = path.name.removesuffix(".gz").replace(old, new)
    candidates = (path.with_name(name + suffix) for suffix in ("", ".gz"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _pair(images: Path, pixels: Matrix, required: bool) -> tuple[Matrix, Matrix | None]:
    X = _matrix(pixels, images.name)
    labels = _beside(images.with_name(images.name.replace("idx3", "idx1")), "images", "labels")
    if labels is None and required:
        raise ValueError(f"the labels of {images.name} are not beside it")
    return X, None if labels is None else _labels(read_idx(labels), labels.name, len(X))


KINDS: tuple[tuple[Callable[[Path], bool], Callable[[Path, str | None, bool], Source]], ...] = (
    (lambda path: str(path) == "digits", _digits),
    (Path.is_dir, _idx),
    (lambda path: path.name.lower().endswith(tuple(TABLE_FORMS)), _table),
    (lambda path: path.name.lower().endswith(".npz"), _npz),
    (lambda path: "idx" in path.name, _idx),
)
"""How a path is recognised, and what reads it; the first row that fits."""

MOST_CLASSES = 20


def infer_task(y: Any) -> str:
    """Guess the task from a target of shape (n,) or (n, outputs): "classification" or "regression".

    Classification: text, booleans and categories; whole numbers (7 or 7.0) with at most 20 different values
    that come at least twice on average; several columns when all are 0 or 1. The rest is regression.

    >>> infer_task(["yes", "no"]), infer_task([0, 1, 1, 0]), infer_task([0.5, 1.5])
    ('classification', 'classification', 'regression')
    """
    series = nw.from_native(y, series_only=True, pass_through=True)
    if isinstance(series, nw.Series) and isinstance(series.dtype, nw.Categorical | nw.Enum):
        return "classification"
    values = np.asarray(y)
    if values.dtype == object and all(isinstance(value, (bool, np.bool_)) for value in values.flat):
        return "classification"
    try:
        different = np.unique(values.astype(float)) if values.dtype.kind in "iufO" else None
    except (TypeError, ValueError):
        different = None
    if different is None:
        return "classification"
    if values.ndim > 1 and values.shape[1] > 1:
        return "classification" if np.isin(different, (0, 1)).all() else "regression"
    few = len(different) <= MOST_CLASSES and 2 * len(different) <= len(values)
    return "classification" if few and np.all(different == np.round(different)) else "regression"
