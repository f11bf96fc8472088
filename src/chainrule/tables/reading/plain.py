"""Texts to cells: plain numbers where every text is one, else levels and codes.

Shapes: n texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table import EXACT, Cells, text_cells

Array = NDArray[Any]

LEADING_ZERO = re.compile(r"\n\s*[+-]?0\d", re.ASCII)
"""A number with a leading zero, after a line break (which is quick to look for)."""
INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)


def plain_numbers(texts: Sequence[str], decimal: str = ".") -> Array | None:
    """Return texts as float64, or int64 or uint64 where integers go beyond 2^53; None where they are no plain numbers.

    Leading zeros (007) are no numbers; nor are points where the decimal mark is a comma: they may group thousands.

    >>> plain_numbers(["1", "2.5e3", " -3"])
    array([ 1.0e+00,  2.5e+03, -3.0e+00])
    >>> plain_numbers(["1", "007"]) is None
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


def exact_integers(values: Sequence[int]) -> Array | None:
    """Return integers as int64 or uint64; None where neither holds them all."""
    low, high = min(values), max(values)
    if low >= -(2**63) and high < 2**63:
        return np.array(values, np.int64)
    return np.array(values, np.uint64) if low >= 0 and high < 2**64 else None


def cells_of_texts(texts: Sequence[str | None], decimal: str = ".", kind: str | None = None) -> Cells:
    """Return the cells of texts, None where missing; `kind` says that they stay texts or categories."""
    if kind is None:
        present = [text for text in texts if text]
        if not present:
            return Cells("number", np.full(len(texts), np.nan))
        values = plain_numbers(present, decimal)
        if values is not None:
            return spread(values, np.fromiter(map(bool, texts), bool, len(texts)))
    return text_cells(texts, kind or "text")


def spread(values: Array, present: NDArray[np.bool_]) -> Cells:
    """Return numbers as cells, at the places where there is one."""
    if present.all():
        return Cells("number", values)
    if values.dtype == np.float64:
        full: Array = np.full(len(present), np.nan)
    else:
        full = np.zeros(len(present), values.dtype)
    full[present] = values
    return Cells("number", full, gaps=None if values.dtype == np.float64 else ~present)
