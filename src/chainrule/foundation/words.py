"""Names and values in messages, short enough for one line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def listed(names: Iterable[str], most: int = 12) -> str:
    """Return the names in quotes, the first few of many.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    names = [repr(name) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def quoted(value: Any) -> str:
    """Return a value as Python writes it, at most 40 characters of it."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
