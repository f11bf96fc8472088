"""Texts that differ in nothing but their digits, read together: one match of a pattern finds the parts of all.

Shapes: l different texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .marks import tidied

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

TEXTS = 1 << 16
"""Texts that are compared at once."""

LONGEST = 64
"""Longer texts match no pattern: their letters would fill the memory."""


def read_parts(
    levels: Sequence[str], pattern: re.Pattern[str], words: Mapping[str, Callable[[str], float]]
) -> tuple[Mask, dict[str, Values]]:
    """Return which texts match a pattern, (l,), and the number in each named group, (l,), NaN where there is none.

    A group holds digits (in "fraction" those behind the point), or is one of `words`, whose function returns its
    number. Whether a text matches must not depend on which digits it has.

    >>> matched, parts = read_parts(["7 May", "12 Jun", "May"], re.compile(r"(?P<d>\\d+) (?P<b>\\w+)"), {"b": len})
    >>> matched.tolist(), parts["d"].tolist()
    ([True, True, False], [7.0, 12.0, nan])
    """
    matched = np.zeros(len(levels), bool)
    parts = {name: np.full(len(levels), np.nan) for name in pattern.groupindex}
    for start in range(0, len(levels), TEXTS):
        texts = [tidied(text).strip() for text in levels[start : start + TEXTS]]
        texts = [text if len(text) <= LONGEST and "\0" not in text else "" for text in texts]
        letters, groups = _alike(texts)
        for rows in groups:
            match = pattern.fullmatch(texts[rows[0]])
            if not match:
                continue
            matched[start + rows] = True
            for name in pattern.groupindex:
                first, last = match.span(name)
                if name in words and match[name] is not None:
                    parts[name][start + rows] = words[name](match[name])
                elif last > first:
                    digits = letters[rows, first:last].astype(np.float64) - ord("0")
                    unit = 10.0 ** (last - first) if name == "fraction" else 1.0
                    parts[name][start + rows] = digits @ 10.0 ** np.arange(last - first - 1, -1, -1) / unit
    return matched, parts


def _alike(texts: Sequence[str]) -> tuple[NDArray[np.uint32], list[NDArray[np.intp]]]:
    """Return the letters of some texts (l, width), and the rows of those that differ in nothing but their digits."""
    given = np.array(texts, dtype=np.str_)
    width = max(1, given.dtype.itemsize // 4)
    letters = given.view(np.uint32).reshape(len(texts), width)
    digit = (letters >= ord("0")) & (letters <= ord("9"))
    shapes = np.where(digit, np.uint32(ord("0")), letters).view(f"U{width}").ravel()
    same = shapes == shapes[:1]
    if same.all():
        return letters, [np.arange(len(texts))]
    order = np.argsort(shapes, kind="stable")
    ends = np.flatnonzero(shapes[order][1:] != shapes[order][:-1]) + 1
    return letters, np.split(order, ends)
