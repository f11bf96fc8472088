"""Tables in files: CSV and Parquet, read with one clear line for every mistake, written whole or not at all.

The functions raise plain errors that say the cause, and `one_line` puts the file's name before it.

Shapes: n rows.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from ..foundation.files import replacing
from .reading.errors import SourceError as SourceError
from .reading.errors import one_line as one_line

TABLE_FORMS = {".csv": ",;\t", ".csv.gz": ",;\t", ".tsv": "\t", ".tsv.gz": "\t", ".parquet": "parquet"}
"""The endings of a table's name, and the separators to try."""

ISO_DATE, ISO_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
ISO_MOMENT = rf"^{ISO_DATE}([T ]{ISO_TIME}(Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?$"
"""Dates and times that read the same in every country."""


def parse_booleans(text: pl.Series) -> pl.Series:
    """Read true and false, in capitals or not; null where a text is neither."""
    lower = text.str.strip_chars().str.to_lowercase()
    return lower.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)


def parse_integers(text: pl.Series) -> pl.Series:
    """Read int64, with spaces around or not; null where a text is not an integer."""
    return text.str.strip_chars().cast(pl.Int64, strict=False)


def parse_numbers(text: pl.Series) -> pl.Series:
    """Read float64, with spaces around or not; null where a text is not a number."""
    return text.str.strip_chars().cast(pl.Float64, strict=False)


def parse_moments(text: pl.Series) -> pl.Series:
    """Read ISO 8601 dates and times as UTC; null where a text is neither."""
    iso = text.set(~text.str.contains(ISO_MOMENT).fill_null(False), None)
    return iso.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)


PARSERS = (parse_booleans, parse_integers, parse_numbers, parse_moments)


def read_table(path: str | os.PathLike[str]) -> pl.DataFrame:
    """Read a table of n >= 1 rows from .csv, .tsv (each also .gz) or .parquet; only empty cells are missing.

    A column is booleans, numbers or ISO dates where every value in the whole file is; else it stays text, and
    `None`, `NA` or `?` in it are values like any other. Blank lines are skipped; a semicolon or a tab may
    stand for the comma.

    Raises SourceError, one line with the file and the cause.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "people.csv"
    >>> _ = path.write_text("age,town\\n31,Bonn\\n,NA\\n")
    >>> read_table(path).rows()
    [(31, 'Bonn'), (None, 'NA')]
    """
    path = Path(path)
    with one_line(path):
        form = _table_form(path)
        data = path.read_bytes()
        data = gzip.decompress(data) if path.name.lower().endswith(".gz") else data
        if not data.strip():
            raise ValueError("it is empty")
        frame = _read_parquet(data) if form == "parquet" else _read_csv(data, form)
        if frame.is_empty():
            raise ValueError("it has a header but no rows" if frame.width else "it has no columns")
        return frame


def _table_form(path: Path) -> str:
    for suffix, form in TABLE_FORMS.items():
        if path.name.lower().endswith(suffix):
            return form
    raise ValueError(f"the name of a table must end in {', '.join(TABLE_FORMS)}")


def _read_parquet(data: bytes) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        cause = str(error).splitlines()[0][:100]
        raise ValueError(f"it is not a Parquet file, or a damaged one ({cause})") from error


def _read_csv(data: bytes, separators: str) -> pl.DataFrame:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("it is UTF-16 text; save it as UTF-8")
    if b"\0" in data[:65536]:
        raise ValueError("it is binary data, not a table of text")
    data = data if b"\n" in data else data.replace(b"\r", b"\n")
    separator = max(separators, key=lambda candidate: len(_header(data, candidate)))
    header = _header(data, separator)
    if not header:
        raise ValueError("it is empty")
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        raise ValueError(f"{repeated[0]!r} names more than one column; is the first line a header?")
    try:
        frame = pl.read_csv(data, separator=separator, infer_schema=False, null_values=[""])
    except pl.exceptions.PolarsError as error:
        _blank_rows(data, separator)  # most often a line of the wrong length; this knows which one
        raise ValueError("its quotes or its line ends do not fit together") from error
    if frame.width != len(header):
        raise ValueError("its quotes or its line ends do not fit together")
    if frame.width > 1 and frame[:, -1].null_count():  # polars fills short and blank lines with nulls
        blank = _blank_rows(data, separator)
        frame = frame.filter(~pl.int_range(pl.len()).is_in(blank)) if blank else frame
    return frame.select(_typed(column.alias(name)) for name, column in zip(header, frame, strict=True))


def _lines(data: bytes, separator: str, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Split a CSV into (line number, fields), blank lines included."""
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=separator, strict=strict)
    try:
        for fields in reader:
            yield reader.line_num, fields
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error


def _header(data: bytes, separator: str) -> list[str]:
    return next((fields for _, fields in _lines(data, separator, strict=False) if fields), [])


def _blank_rows(data: bytes, separator: str) -> list[int]:
    """Number the rows that are blank lines; ValueError for one with more or fewer fields than the header."""
    lines = _lines(data, separator)
    width = len(next(fields for _, fields in lines if fields))
    blank = []
    for row, (line, fields) in enumerate(lines):
        if not fields:
            blank.append(row)
        elif len(fields) != width:
            raise ValueError(f"line {line} has {len(fields)} of the header's {width} fields")
    return blank


def _typed(column: pl.Series) -> pl.Series:
    """Read a text column by the first parser that reads every value in it."""
    present = column.drop_nulls()
    for parse in PARSERS if len(present) else ():
        if parse(present[:100]).null_count() or (parsed := parse(present)).null_count():
            continue
        if parse is parse_numbers and not parsed.is_finite().any():
            return column
        only_dates = parse is parse_moments and present.str.len_bytes().max() == len("2020-12-31")
        return parse(column).cast(pl.Date) if only_dates else parse(column)
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
    with one_line(path):
        form = _table_form(path)
        if not path.parent.is_dir():
            raise ValueError(f"there is no folder {str(path.parent)!r} to write to")
        frame = _polars(columns)
        with replacing(path) as file:
            if form == "parquet":
                frame.write_parquet(file)
            elif path.name.lower().endswith(".gz"):
                file.write(gzip.compress(frame.write_csv(separator=form[0]).encode(), mtime=0))
            else:
                frame.write_csv(file, separator=form[0])


def _polars(columns: Any) -> pl.DataFrame:
    if isinstance(columns, Mapping):
        plain = {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in columns.items()}
        return pl.DataFrame(plain, strict=False, nan_to_null=True).fill_nan(None)
    if isinstance(columns, pl.DataFrame):
        return columns.fill_nan(None)
    frame = nw.from_native(columns, eager_only=True)
    return _polars({str(series.name): python_values(series) for series in frame.iter_columns()})


def python_values(series: nw.Series[Any]) -> list[Any]:
    """Return the n values of a column as Python objects, None where missing."""
    missing = series.is_null().to_list()
    return [None if gone else value for value, gone in zip(series.to_list(), missing, strict=True)]
