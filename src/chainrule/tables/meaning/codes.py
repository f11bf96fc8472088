"""Texts of digits that are names, not numbers: leading zeros, telephone numbers, addresses of computers.

Shapes: l different texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .marks import tidied

LINES = 4096

SOME = re.compile(r"^ *[+-]?0\d+ *$|^ *\+\d+(?: \d+)+ *$", re.MULTILINE)
"""One such text makes a column one of codes: 007 is not 7; +49 170 123 456 is nobody's million."""

ALL = (
    re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)"),  # 192.168.100.200
    re.compile(r"\(.*\)"),  # (1), (2): brackets mean a minus only where others have none
)
"""A column is one of codes where all its texts are such."""


def are_codes(levels: Sequence[str], few: bool = False) -> bool:
    """Return whether the texts, which can all be read as numbers, are names. A `few` of them may be marks (2, 3-, 3).

    >>> are_codes(["007", "12"]), are_codes(["7", "12"])
    (True, False)
    """
    if any(all(pattern.fullmatch(text.strip()) for text in levels) for pattern in ALL):
        return True
    if few and any(text.rstrip().endswith("-") for text in levels):
        return True
    parts = (levels[start : start + LINES] for start in range(0, len(levels), LINES))
    return any(SOME.search(tidied("\n".join(part))) for part in parts)
