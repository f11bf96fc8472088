"""Texts of values, and columns of texts that are all plain numbers: the same for files and for frames.

Shapes: n cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .table import EXACT, Cells

DIGITS = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?"
WORDS = "inf|infinity|nan"

NUMBER = re.compile(rf"[+-]?{DIGITS}", re.IGNORECASE | re.ASCII)
"""A finite number, with leading zeros or without: 007 may stand for 7."""

FLOAT = re.compile(rf"[+-]?(?:{DIGITS}|{WORDS})", re.IGNORECASE | re.ASCII)
"""A number, with leading zeros or without, finite or not."""

PLAIN = re.compile(rf"[+-]?(?:(?!0[0-9]){DIGITS}|{WORDS})", re.IGNORECASE | re.ASCII)
"""A plain number. 007 is none: a leading zero is kept, since it is most often part of a code."""

WHOLE = re.compile(r"[+-]?[0-9]{1,300}")
"""An integer that is no infinity as a float64."""


LEADING_ZERO = re.compile(r"\n\s*[+-]?0\d", re.ASCII)
"""A number with a leading zero, after a line break (which is quick to look for)."""

INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
"""An integer, blanks around it or not."""


def text_of(value: Any) -> str:
    """Return the shortest text of a Python value, as files write it.

    >>> text_of(2.0), text_of(0.5), text_of(True), text_of(datetime(2020, 1, 31))
    ('2', '0.5', 'True', '2020-01-31')
    """
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, np.timedelta64):  # an integer to Python's numbers
        return str(value)
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, Decimal):
        plain = value.is_finite() and abs(value.adjusted()) < 400
        return format(value.normalize(), "f") if plain else str(value)
    if isinstance(value, Real):
        if isinstance(value, Integral):
            return str(int(value))
        try:
            number = float(value)
        except OverflowError:
            return str(value)
        return str(int(number)) if number.is_integer() and abs(number) < EXACT else str(number)
    if isinstance(value, datetime):
        midnight = value.tzinfo is None and not any((value.hour, value.minute, value.second, value.microsecond))
        return str(value.date()) if midnight else str(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def whole_cells(values: NDArray[Any], gaps: NDArray[np.bool_] | None = None) -> Cells:
    """Return integers as cells: float64 where every one is exact in it, else as they are."""
    some = gaps is not None and bool(gaps.any())
    present = values[~gaps] if some and gaps is not None else values
    if len(present) and (int(present.max()) > EXACT or int(present.min()) < -EXACT):
        wide = values.astype(np.uint64 if values.dtype.kind == "u" else np.int64)
        return Cells("number", wide, gaps=gaps if some else None)
    numbers = values.astype(np.float64)
    if some:
        numbers[gaps] = np.nan
    return Cells("number", numbers)


def integer_cells(values: Iterable[int | None]) -> Cells | None:
    """Return Python integers as cells, None for missing; None where they need more than 64 bits."""
    given = list(values)
    present = [value for value in given if value is not None]
    least, most = min(present, default=0), max(present, default=0)
    kind = next((k for k in (np.int64, np.uint64) if np.iinfo(k).min <= least and most <= np.iinfo(k).max), None)
    if kind is None:
        return None
    gaps = np.fromiter((value is None for value in given), bool, len(given))
    return whole_cells(np.fromiter((value or 0 for value in given), kind, len(given)), gaps)


def numbers_of(texts: Sequence[str], decimal: str = ".") -> NDArray[Any] | None:
    """Return texts as float64, or int64 or uint64 where integers go beyond 2^53; None where they are no plain numbers.

    Leading zeros (007) are no numbers; nor are points where the decimal mark is a comma: they may group thousands.

    >>> numbers_of(["1", "2.5e3", " -3"])
    array([ 1.0e+00,  2.5e+03, -3.0e+00])
    >>> numbers_of(["1", "007"]) is None
    True
    """
    if not texts:
        return None
    joined = "\n".join(texts)
    if joined.count("\n") != len(texts) - 1 or (decimal == "," and "." in joined):
        return None
    if not joined.isascii() or "_" in joined or LEADING_ZERO.search("\n" + joined):
        return None
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        return None
    finite = values[np.isfinite(values)]
    if len(finite) and np.abs(finite).max() >= EXACT and all(INTEGER.fullmatch(text) for text in texts):
        return exact_integers([int(text) for text in texts])
    return values


def exact_integers(values: Sequence[int]) -> NDArray[Any] | None:
    """Return integers as int64 or uint64; None where neither holds them all."""
    low, high = min(values), max(values)
    if low >= -(2**63) and high < 2**63:
        return np.array(values, np.int64)
    return np.array(values, np.uint64) if low >= 0 and high < 2**64 else None


def spread(values: NDArray[Any], present: NDArray[np.bool_]) -> Cells:
    """Return numbers as cells, at the places where there is one."""
    if present.all():
        return Cells("number", values)
    if values.dtype == np.float64:
        full: NDArray[Any] = np.full(len(present), np.nan)
    else:
        full = np.zeros(len(present), values.dtype)
    full[present] = values
    return Cells("number", full, gaps=None if values.dtype == np.float64 else ~present)


def plain_numbers(cells: Cells) -> Cells:
    """Return a column of texts as numbers where every text is a plain one, else as it is.

    Integers beyond 2^53 stay integers; those that need more than 64 bits stay texts. Blanks are missing, and a column
    without any text is one of missing numbers.

    >>> from chainrule.tables.table import text_cells
    >>> plain_numbers(text_cells(["1", " 2.5", None])).to_list()
    [1.0, 2.5, None]
    >>> plain_numbers(text_cells(["01", "2"])).kind
    'text'
    """
    if cells.kind != "text":
        return cells
    texts = [level.strip() for level in cells.levels]
    present = [text for text in texts if text]
    if not present:
        return Cells("number", np.full(len(cells), np.nan))
    values = numbers_of(present) if any(map(_has_digit, present)) else None
    if values is None:
        return cells
    level = spread(np.append(values, values[:1]), np.array([*map(bool, texts), True])).take(cells.values)
    gaps = (cells.values < 0) | level.absent()
    if level.values.dtype == np.float64:
        return Cells("number", np.where(gaps, np.nan, level.values))
    return Cells("number", level.values, gaps=gaps if gaps.any() else None)


def _has_digit(text: str) -> bool:
    return text[-1:].isdigit() or text.endswith(".")
