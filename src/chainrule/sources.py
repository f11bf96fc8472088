"""A name on the command line -> features and target: tables, NPZ, MNIST's idx files, or the bundled digits.

Tables stay tables (`chainrule.tables` turns them into matrices); images come as they were stored, one row
each, with the factor that brings them to 0..1. Whatever is wrong with a file is a `SourceError` of one line.

Shapes: n rows, i inputs.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import math
import os
import secrets
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

Matrix = NDArray[Any]


class SourceError(ValueError):
    """Data that cannot be read; the message is one line that names the file and the cause."""


# -------------------------------------------------------------------------------------------- files of tables

TABLE_FORMS = {".csv": ",;\t", ".csv.gz": ",;\t", ".tsv": "\t", ".tsv.gz": "\t", ".parquet": "parquet"}
"""What a table's name may end in, and the separators to try."""

ISO_MOMENT = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"
"""Dates and times that read the same in every country."""

POLARS_CAUSES = {
    "invalid utf-8": "it is not UTF-8 text",
    "empty CSV": "it is empty",
    "must contain a header and footer": "it is not a Parquet file",
    "must end with PAR1": "it is not a Parquet file, or was cut off",
}


def parse_booleans(text: pl.Series) -> pl.Series:
    """Read true and false, in capitals or not; null where a text is neither."""
    names = {"true": True, "false": False}
    return text.str.strip_chars().str.to_lowercase().replace_strict(names, default=None, return_dtype=pl.Boolean)


def parse_integers(text: pl.Series) -> pl.Series:
    """Read texts as int64, with spaces around them or not; null where a text is not an integer."""
    return text.str.strip_chars().cast(pl.Int64, strict=False)


def parse_numbers(text: pl.Series) -> pl.Series:
    """Read texts as float64, with spaces around them or not; null where a text is not a number."""
    return text.str.strip_chars().cast(pl.Float64, strict=False)


def parse_moments(text: pl.Series) -> pl.Series:
    """Read ISO 8601 dates and times as UTC; null where a text is neither."""
    iso = text.set(~text.str.contains(ISO_MOMENT).fill_null(False), None)
    return iso.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)


PARSERS = (parse_booleans, parse_integers, parse_numbers, parse_moments)


def read_table(path: str | os.PathLike[str]) -> pl.DataFrame:
    """Read a table of n >= 1 rows from .csv, .tsv (each also .gz) or .parquet; only empty cells are missing.

    A column is numbers, booleans or ISO dates where every value in the whole file is; else it stays text, and
    `None`, `NA` or `?` in it are values like any other. Blank lines are skipped.

    Raises SourceError, one line with the file and the cause.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "people.csv"
    >>> _ = path.write_text("age,town\\n31,Bonn\\n,NA\\n")
    >>> read_table(path).rows()
    [(31, 'Bonn'), (None, 'NA')]
    """
    path = Path(path)
    with _one_line(path):
        form = _table_form(path)
        data = _contents(path)
        frame = pl.read_parquet(io.BytesIO(data)) if form == "parquet" else _read_csv(data, form)
        if frame.is_empty():
            raise SourceError("it has a header but no rows" if frame.width else "it has no columns")
        return frame


def _table_form(path: Path) -> str:
    for suffix, form in TABLE_FORMS.items():
        if path.name.lower().endswith(suffix):
            return form
    raise SourceError(f"the name of a table must end in {', '.join(TABLE_FORMS)}")


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong inside into a SourceError of one line that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"{path}: there is no such file") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: it is not UTF-8 text") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path}: the compressed data are damaged or cut off") from error
    except MemoryError as error:
        raise SourceError(f"{path}: it claims more data than fits in memory") from error
    except (SourceError, OSError, ValueError, csv.Error, zipfile.BadZipFile) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{path}: {cause.splitlines()[0]}") from error
    except pl.exceptions.PolarsError as error:
        known = (cause for sign, cause in POLARS_CAUSES.items() if sign in str(error))
        raise SourceError(f"{path}: {next(known, str(error).splitlines()[0][:200])}") from error


def _contents(path: Path) -> bytes:
    data = path.read_bytes()
    data = gzip.decompress(data) if path.name.lower().endswith(".gz") else data
    if not data.strip():
        raise SourceError("it is empty")
    return data


def _rows(data: bytes, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Split a CSV into (line number, fields), blank lines included."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), delimiter=separator, strict=True)
    try:
        for fields in reader:
            yield reader.line_num, fields
    except csv.Error as error:
        raise SourceError(f"line {reader.line_num}: {error}") from error


def _header(data: bytes, separator: str) -> list[str]:
    return next(fields for _, fields in _rows(data, separator) if fields)


def _blank_rows(data: bytes, separator: str) -> list[int]:
    """Number the rows that are blank lines; SourceError for one with more or fewer fields than the header."""
    rows = ((line, fields) for line, fields in _rows(data, separator))
    width = len(next(fields for _, fields in rows if fields))
    blank = []
    for row, (line, fields) in enumerate(rows):
        if not fields:
            blank.append(row)
        elif len(fields) != width:
            raise SourceError(f"line {line} has {len(fields)} fields, the header has {width}")
    return blank


def _read_csv(data: bytes, separators: str) -> pl.DataFrame:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError("it is UTF-16 text; save it as UTF-8")
    if b"\0" in data[:65536]:
        raise SourceError("it is binary data, not a table of text")
    separator = max(separators, key=lambda candidate: len(_header(data, candidate)))
    header = _header(data, separator)
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        raise SourceError(f"{repeated[0]!r} names more than one column; is the first line a header?")
    try:
        frame = pl.read_csv(data, separator=separator, infer_schema=False, null_values=[""])
    except pl.exceptions.ComputeError:
        _blank_rows(data, separator)  # most often a line of the wrong length; this knows which one
        raise
    if frame.width > 1 and frame[:, -1].null_count():  # polars fills short and blank lines with nulls
        blank = _blank_rows(data, separator)
        frame = frame.filter(~pl.int_range(pl.len()).is_in(blank)) if blank else frame
    return frame.select(_typed(column.alias(name)) for name, column in zip(header, frame, strict=True))


def _typed(column: pl.Series) -> pl.Series:
    """Read a text column by the first parser that reads every value in it."""
    present = column.drop_nulls()
    for parse in PARSERS:
        if not parse(present[:100]).null_count() and not (parsed := parse(present)).null_count():
            dates = parse is parse_moments and present.str.len_bytes().max() == 10
            no_number = parse is parse_numbers and not parsed.is_finite().any()
            return column if no_number else parse(column).cast(pl.Date) if dates else parse(column)
    return column


def write_table(columns: Any, path: str | os.PathLike[str]) -> None:
    """Write a DataFrame, or a mapping from names to n values each, as CSV or Parquet, by the path's ending.

    The file appears whole or not at all: it is written beside its place, synced to the disk, and renamed.

    Raises SourceError, one line with the file and the cause.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "predictions.csv"
    >>> write_table({"row": [1, 2], "class": ["yes", "no"]}, path)
    >>> path.read_text()
    'row,class\\n1,yes\\n2,no\\n'
    """
    path = Path(path)
    with _one_line(path):
        form = _table_form(path)
        if not path.parent.is_dir():
            raise SourceError(f"there is no folder {str(path.parent)!r} to write to")
        frame = _polars(columns)
        with _replacing(path) as file:
            if form == "parquet":
                frame.write_parquet(file)
            elif path.name.lower().endswith(".gz"):
                with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                    packed.write(frame.write_csv(separator=form[0]).encode())
            else:
                frame.write_csv(file, separator=form[0])


def _polars(columns: Any) -> pl.DataFrame:
    if isinstance(columns, pl.DataFrame):
        return columns
    if not isinstance(columns, Mapping):
        frame = nw.from_native(columns, eager_only=True)
        columns = {str(series.name): _known(series) for series in frame.iter_columns()}
    plain = {name: values.tolist() if isinstance(values, np.ndarray) else values for name, values in columns.items()}
    return pl.DataFrame(plain, strict=False)


def _known(series: nw.Series[Any]) -> list[Any]:
    return [None if gone else value for value, gone in zip(series.to_list(), series.is_null().to_list(), strict=True)]


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


# ---------------------------------------------------------------------------------------------------- sources


@dataclass(frozen=True, eq=False)
class Source:
    """Features and target: X a table of n named rows or a matrix (n, i); y of n values, None where absent.

    `X_test`, `y_test` are there when the source brings its own test set. `scale` is what the values of a
    matrix are to be multiplied with before use: 1/255 for bytes, 1/16 for the digits.
    """

    X: pl.DataFrame | Matrix
    y: Matrix | None
    X_test: pl.DataFrame | Matrix | None = None
    y_test: Matrix | None = None
    name: str = ""
    target: str | None = None
    scale: float = 1.0


def load(source: str | os.PathLike[str], target: str | None = None, *, target_required: bool = True) -> Source:
    """Load what a name stands for: `digits`, a table, an .npz file, an idx file or a folder of them.

    `target` names the column of a table or the array of an .npz file; the others have only one. With
    `target_required=False` (predict) y is None where the source has no such column, or gaps in it.

    Raises SourceError, one line, for whatever a user can get wrong.

    >>> digits = load("digits")
    >>> digits.X.shape, digits.y[:3], digits.scale
    ((1797, 64), array([0, 1, 2]), 0.0625)
    """
    path = Path(source)
    if str(source) == "digits":
        return _digits(target, target_required)
    for recognises, read in KINDS:
        if recognises(path):
            with _one_line(path):
                return read(path, target, target_required)
    if not path.exists():
        close = difflib.get_close_matches(str(source), ["digits"])
        raise SourceError(f"{source}: there is no such file" + "; did you mean digits?" * len(close))
    raise SourceError(f"{source}: cannot tell what it holds; known are digits, {', '.join(TABLE_FORMS)}, .npz, idx")


def _only_target(name: str, target: str | None, required: bool) -> str:
    if required and target not in (None, name):
        raise SourceError(f"the target is {name!r}; there is no {target!r} (leave it out)")
    return name


def _digits(target: str | None, required: bool) -> Source:
    from sklearn.datasets import load_digits  # only here: the import takes longer than reading the data

    with _one_line(Path("digits")):
        name = _only_target("digit", target, required)
    X, y = load_digits(return_X_y=True)
    return Source(X, y, name="digits", target=name, scale=1 / 16)


def _table(path: Path, target: str | None, required: bool) -> Source:
    frame = read_table(path)
    if target is None and required:
        raise SourceError(f"which column is the target? It has: {_few(frame.columns)}")
    if target not in frame.columns:
        if required:
            raise SourceError(f"there is no column {target!r}; {_closest(str(target), frame.columns)}")
        return Source(frame, None, name=str(path))
    if frame.width == 1:
        raise SourceError(f"{target!r} is its only column; nothing is left to learn from")
    y = frame[target]
    if y.dtype.is_temporal() or y.dtype.is_nested() or y.dtype in (pl.Binary, pl.Object):
        raise SourceError(f"target {target!r} holds {y.dtype}; it must be numbers, text or booleans")
    X = frame.drop(target)
    absent = (y.is_null() | y.cast(pl.Float64).is_nan()) if y.dtype.is_numeric() else y.is_null() | (y == "")
    if absent.any() and not required:
        return Source(X, None, name=str(path), target=target)
    _all_there(absent.to_numpy(), f"target {target!r} is missing")
    values = y.cast(pl.Float64) if y.dtype.is_decimal() else y
    plain = values.to_numpy() if y.dtype.is_numeric() or y.dtype == pl.Boolean else np.array(y.to_list(), str)
    return Source(X, plain, name=str(path), target=target)


def _few(names: list[str]) -> str:
    return ", ".join(names[:30]) + f" and {len(names) - 30} more" * (len(names) > 30)


def _closest(name: str, names: list[str]) -> str:
    lower = {known.strip().lower(): known for known in names}
    close = difflib.get_close_matches(name.strip().lower(), lower)
    if close:
        return "did you mean " + " or ".join(repr(lower[match]) for match in close) + "?"
    return f"it has: {_few(names)}"


def _all_there(absent: NDArray[Any], what: str) -> None:
    if absent.any():
        first, count = int(np.argmax(absent)) + 1, int(absent.sum())
        rows = f"{count} rows, the first is row {first}" if count > 1 else f"row {first}"
        raise SourceError(f"{what} in {rows} (row 1 is the first row of data)")


def _matrix(array: Matrix, name: str) -> Matrix:
    """Flatten an array to (n, i), finite."""
    if array.dtype.kind not in "biuf" or array.ndim < 2:
        raise SourceError(f"array {name!r} must hold numbers, one row per example; it is {array.dtype}{array.shape}")
    if not array.size:
        raise SourceError(f"array {name!r} is empty: {array.shape}")
    matrix = array.reshape(len(array), -1)
    if matrix.dtype.kind == "f":
        _all_there(~np.all(np.isfinite(matrix), axis=1), f"array {name!r} is NaN or infinite")
    return matrix


def _labels(array: Matrix, name: str, rows: int) -> Matrix:
    """Check a target of shape (n,), (n, 1) or (n, outputs)."""
    labels = array.ravel() if array.ndim == 2 and array.shape[1] == 1 else array
    if labels.dtype.kind not in "biufU" or labels.ndim not in (1, 2):
        raise SourceError(f"array {name!r} must hold numbers or text, one per row; it is {array.dtype}{array.shape}")
    if len(labels) != rows:
        raise SourceError(f"array {name!r} has {len(labels)} rows, the features have {rows}")
    if labels.dtype.kind == "f":
        _all_there(~np.all(np.isfinite(labels).reshape(rows, -1), axis=1), f"target {name!r} is NaN or infinite")
    return labels


NPZ_LAYOUTS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x", "y", "x_test", "y_test"),
    ("data", "target", "", ""),
)
"""What the arrays of an .npz file may be called (in capitals or not): X, y, X_test, y_test."""


def _npz(path: Path, target: str | None, required: bool) -> Source:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise SourceError("it is not an .npz file")
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name.lower(): name for name in archive.files}
        layout = next((row for row in NPZ_LAYOUTS if row[0] in arrays), None)
        if layout is None:
            raise SourceError(f"it holds the arrays {_few(archive.files)}; expected X and y, or x_train and y_train")
        at = (layout[0], (target or layout[1]).lower(), *layout[2:])
        if required and at[1] not in arrays:
            raise SourceError(f"there is no array {target or layout[1]!r}; it has: {_few(archive.files)}")
        X, y, X_test, y_test = (_array(archive, arrays.get(name)) for name in at)
    assert X is not None
    X = _matrix(X, at[0])
    y = None if y is None else _labels(y, at[1], len(X))
    scale = 1 / 255 if X.dtype == np.uint8 else 1.0
    if X_test is None or y_test is None:
        return Source(X, y, name=str(path), target=at[1], scale=scale)
    X_test = _like(_matrix(X_test, at[2]), X)
    return Source(X, y, X_test, _labels(y_test, at[3], len(X_test)), str(path), at[1], scale)


def _array(archive: Any, name: str | None) -> Matrix | None:
    if name is None:
        return None
    try:
        return np.asarray(archive[name])
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise SourceError(f"array {name!r} holds Python objects, which could run code; save numbers or text") from error


def _like(X_test: Matrix, X: Matrix) -> Matrix:
    if X_test.shape[1] != X.shape[1]:
        raise SourceError(f"the test set has {X_test.shape[1]} inputs, the training set {X.shape[1]}")
    return X_test


IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> Matrix:
    """Read an array from an idx file, .gz or not; the header's sizes are believed only if the data have them.

    The file: two zero bytes, the type, the number of dimensions d, d big-endian sizes of 4 bytes, the values.
    Raises SourceError. Source: LeCun, Cortes and Burges, the MNIST database.
    """
    path = Path(path)
    with _one_line(path), (gzip.open if path.name.endswith(".gz") else open)(path, "rb") as file:
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES or not 1 <= head[3] <= 8:
            raise SourceError(f"it is not an idx file: it begins with the bytes {head.hex(' ')}")
        shape = tuple(int(size) for size in np.frombuffer(file.read(4 * head[3]).ljust(4 * head[3], b"\0"), ">u4"))
        dtype = np.dtype(IDX_TYPES[head[2]])
        expected = math.prod(shape) * dtype.itemsize
        data = bytearray()
        while len(data) <= expected and (part := file.read(min(1 << 20, expected + 1 - len(data)))):
            data += part
        if len(data) != expected:
            given = "more" if len(data) > expected else str(len(data))
            raise SourceError(f"its header announces {shape}, {expected} bytes of values, but it holds {given}")
        return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _idx(path: Path, target: str | None, required: bool) -> Source:
    name = _only_target("label", target, required)
    images = path
    if path.is_dir():
        found = [*sorted(path.glob("*train-images*idx3*")), *sorted(path.glob("*t10k-images*idx3*"))]
        if not found:
            raise SourceError("the folder holds no train-images-idx3-ubyte, with or without .gz")
        images = found[0]
    if "images" not in images.name:
        raise SourceError("give the file of images (...-images-idx3-ubyte); the labels are found beside it")
    X, y = _pair(images, required)
    scale = 1 / 255 if X.dtype == np.uint8 else 1.0
    test = _beside(images, ("train-images", "t10k-images")) if "train-images" in images.name else None
    X_test, y_test = _pair(test, True) if test else (None, None)
    return Source(X, y, X_test if X_test is None else _like(X_test, X), y_test, str(path), name, scale)


def _beside(path: Path, *changes: tuple[str, str]) -> Path | None:
    name = path.name.removesuffix(".gz")
    for old, new in changes:
        name = name.replace(old, new)
    candidates = (path.with_name(name + suffix) for suffix in ("", ".gz"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _pair(images: Path, required: bool) -> tuple[Matrix, Matrix | None]:
    X = _matrix(read_idx(images), images.name)
    labels = _beside(images, ("images", "labels"), ("idx3", "idx1"))
    if labels is None:
        if required:
            raise SourceError(f"the labels of {images.name} are not beside it")
        return X, None
    return X, _labels(read_idx(labels), labels.name, len(X))


KINDS: tuple[tuple[Callable[[Path], bool], Callable[[Path, str | None, bool], Source]], ...] = (
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
    try:
        numbers = values.astype(float) if values.dtype.kind in "iufO" else None
    except (TypeError, ValueError):
        numbers = None
    if numbers is None:
        return "classification"
    different = np.unique(numbers)
    whole = bool(np.all(different == np.round(different)))
    few = len(different) <= MOST_CLASSES and 2 * len(different) <= len(values)
    classes = np.isin(different, (0, 1)).all() if values.ndim > 1 and values.shape[1] > 1 else whole and few
    return "classification" if classes else "regression"
