"""The words that mean true and false.

Shapes: l different texts.
"""

from __future__ import annotations

from collections.abc import Sequence

FLAG_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0", "0.0"), False),
}
"""The words, in small letters, and what each means."""

NUMBERS = {"1", "1.0", "0", "0.0"}


def flag_value(text: str) -> bool | None:
    """Return the meaning of a text as a flag, in capitals or not; None where it is no such word.

    >>> flag_value("Yes"), flag_value(" f "), flag_value("maybe")
    (True, False, None)
    """
    return FLAG_WORDS.get(text.strip().casefold())


def are_flags(levels: Sequence[str]) -> bool:
    """Return True where the texts are two words, not both numbers, one for true and one for false, in capitals or not.

    >>> are_flags(["Yes", "no", "NO"]), are_flags(["yes"]), are_flags(["yes", "true", "no"])
    (True, False, False)
    """
    if not 2 <= len(levels) <= 12:
        return False
    words = {text.strip().casefold() for text in levels}
    return len(words) == 2 and not words <= NUMBERS and {FLAG_WORDS.get(word) for word in words} == {True, False}
