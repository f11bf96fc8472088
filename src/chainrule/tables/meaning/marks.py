"""The texts that stand for a missing value, in one table, and how texts are tidied before they are read.

Shapes: l different texts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MARKS = frozenset(
    mark
    for marks in (
        ("", "?", "-", "--", "---", ".", "..", "...", "…", "–", "—", "\N{MINUS SIGN}"),
        ("NA", "N/A", "n/a", "n.a.", "N.A.", "#N/A", "#NA", "#N/A N/A", "<NA>", "<N/A>", "NaT"),  # R, pandas, Excel
        ("nan", "NaN", "Nan", "NAN", "-nan", "-NaN", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
        ("NULL", "Null", "null", "<NULL>", "<null>", "(null)", "[NULL]", "\\N"),  # databases
        ("None", "none", "NONE", "(none)", "(blank)", "(missing)", "missing", "Missing", "MISSING"),
        ("#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!"),  # Excel
    )
    for mark in marks
)
"""A text is missing if it stands here, blanks around it or not: in columns of numbers, dates, flags and texts."""


def is_mark(text: str) -> bool:
    """Return True where a text stands for a missing value.

    >>> is_mark(" NA "), is_mark("Na")
    (True, False)
    """
    return text.strip() in MARKS


def marked(levels: Sequence[str]) -> NDArray[np.bool_]:
    """Return which texts stand for a missing value, (l,)."""
    return np.fromiter((text.strip() in MARKS for text in levels), bool, len(levels))


LOOKALIKES = {
    "-": "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d",
    "+": "\uff0b",
    " ": "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000",
    "'": "\u2019\u02bc\u2032",
    ",": "\uff0c\u066c",
    ".": "\uff0e\u066b",
    ":": "\uff1a",
    "/": "\uff0f\u2044",
    "%": "\uff05\u066a",
    "$": "\uff04",
    "£": "\uffe1",
    "¥": "\uffe5",
    "(": "\uff08",
    ")": "\uff09",
    "": "\u200b\u200e\u200f\u061c\ufeff\u2066\u2067\u2068\u2069",
}
"""The plain sign, and the signs of other alphabets that are written for it."""

DIGITS = {
    chr(code): str(unicodedata.digit(chr(code)))
    for code in range(128, 0x20000)
    if unicodedata.category(chr(code)) == "Nd"
}
"""The digits of other alphabets."""

_PLAIN = str.maketrans({odd: plain for plain, odds in LOOKALIKES.items() for odd in odds} | DIGITS)


BLANKS = re.compile("[ \t]+")


def tidied(text: str) -> str:
    """Return a text with plain signs for their lookalikes (the minus, blanks, other alphabets), no two blanks together.

    >>> tidied("\N{MINUS SIGN}1\N{NO-BREAK SPACE} 234")
    '-1 234'
    """
    text = text if text.isascii() else text.translate(_PLAIN)
    return BLANKS.sub(" ", text) if "  " in text or "\t" in text else text
