"""Texts of values, and columns of texts that are all plain numbers: the same for files and for frames.

Shapes: n cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .table import EXACT, Cells

PLAIN = re.compile(
    r"[+-]?(?:(?!0[0-9])[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[+-]?(?:inf|infinity|nan)", re.IGNORECASE | re.ASCII
)
"""A plain number. 007 is none: a leading zero is kept, since it is most often part of a code."""

WHOLE = re.compile(r"[+-]?[0-9]{1,300}")
"""An integer that is no infinity as a float64."""


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
    if not cells.levels:
        return Cells("number", np.full(len(cells), np.nan))
    texts = [level.strip() for level in cells.levels]
    if not all(not text or PLAIN.fullmatch(text) for text in texts) or not any(map(_has_digit, texts)):
        return cells
    values = np.array([float(text) if text else np.nan for text in texts])
    if all(not text or WHOLE.fullmatch(text) for text in texts) and (np.abs(values) >= EXACT).any():
        exact = [int(text) if text else None for text in texts]
        return integer_cells(exact[k] if k >= 0 else None for k in cells.values.tolist()) or cells
    return Cells("number", np.append(values, np.nan)[cells.values])


def _has_digit(text: str) -> bool:
    return text[-1:].isdigit() or text.endswith(".")
