"""Texts of digits that are names, not numbers: leading zeros, telephone numbers, addresses of computers.

Shapes: l different texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .marks import tidied

LINES = 4096
FEW = 20
"""So few different texts with a minus behind them may be marks of a school: 2, 3-, 3."""

SOME = re.compile(r"^ *[+-]?0\d+ *$|^ *\+\d+(?: \d+)+ *$", re.MULTILINE)
"""One such text makes a column one of codes: 007 is not 7; +49 170 123 456 is nobody's million."""

ALL = (
    re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)"),  # 192.168.100.200
    re.compile(r"\(.*\)"),  # (1), (2): brackets mean a minus only where others have none
)
"""A column is one of codes where all its texts are such."""


def code_among(levels: Sequence[str]) -> str:
    """Return a text that shows that these, which can all be read as numbers, are names; "" where none does.

    >>> code_among(["12", "007"]), code_among(["12", "7"])
    ('007', '')
    """
    if any(all(pattern.fullmatch(text.strip()) for text in levels) for pattern in ALL):
        return levels[0] if levels else ""
    if len(levels) <= FEW and (mark := next((text for text in levels if text.rstrip().endswith("-")), "")):
        return mark
    for start in range(0, len(levels), LINES):
        if found := SOME.search(tidied("\n".join(levels[start : start + LINES]))):
            return found[0].strip()
    return ""
