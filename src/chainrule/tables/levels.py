"""The levels of a category: the texts of a column's values, and the level that a new value stands for.

Shapes: n cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .meaning.flags import flag_value
from .table import EXACT, Cells
from .texts import NUMBER, text_of


def folded(text: str) -> str:
    """Return a text without blanks around it, and without capitals."""
    return text.strip().casefold()


def number_of(text: str) -> Decimal | float | None:
    """Return the number that a text writes: whole ones exactly, the others as float64; None where it is none.

    >>> number_of("1e3") == number_of("01000"), number_of("0.10"), number_of("3.1.0")
    (True, 0.1, None)
    """
    if not NUMBER.fullmatch(text.strip()):
        return None
    try:
        value = Decimal(text.strip())
        return value if value == value.to_integral_value() else float(value)
    except ArithmeticError:  # an exponent of twenty digits
        return None


class Levels:
    """Finds the level that a text stands for: the same text, or else the only level that differs in dress alone.

    >>> levels = Levels(["Yes", "no"])
    >>> levels.find(["no"]), levels.find([" yes "]), levels.find(["0"]), levels.find(["maybe"])
    (1, 0, 1, -1)
    """

    def __init__(self, levels: Sequence[str]) -> None:
        self._levels = levels
        self._exact = {level: k for k, level in enumerate(levels)}

    @cached_property
    def _ways(self) -> list[tuple[Callable[[str], Any], Mapping[Any, int]]]:
        """The ways to compare two texts, each with the levels by what they are compared by; -1 for several."""
        ways: list[Callable[[str], Any]] = [folded, number_of]
        if all(flag_value(level) is not None for level in self._levels):
            ways.append(flag_value)
        made: list[tuple[Callable[[str], Any], Mapping[Any, int]]] = []
        for way in ways:
            known: dict[Any, int] = {}
            for k, level in enumerate(self._levels):
                key = way(level)
                known[key] = k if key not in known else -1
            known.pop(None, None)
            made.append((way, known))
        return made

    def find(self, texts: Sequence[str]) -> int:
        """Return the level of one value, which may be written as any of some texts; -1 where there is none."""
        for text in texts:
            if text in self._exact:
                return self._exact[text]
        for text in texts:
            for way, known in self._ways:
                if (found := known.get(way(text), -1)) >= 0:
                    return found
        return -1

    def share(self, text: str) -> list[str]:
        """Return the levels that write the same number as a text, where they are several, else none."""
        number = number_of(text)
        same = [level for level in self._levels if number is not None and number_of(level) == number]
        return same if len(same) > 1 else []


def values_of(cells: Cells) -> tuple[list[tuple[str, ...]], NDArray[np.intp]]:
    """Return the different values of some cells, each as the texts it may be written as, and their places (n,).

    The first of the texts is the shortest. A missing cell's place is -1.

    >>> values_of(Cells("boolean", np.array([True, False, True])))[0]
    [('False',), ('True',)]
    """
    absent = cells.absent()
    different, places = np.unique(cells.values[~absent], return_inverse=True)
    codes = np.full(len(cells), -1, np.intp)
    codes[~absent] = places
    return [_texts(cells, value) for value in different], codes


def shortest(cells: Cells, position: int) -> str:
    """Return the shortest text of one cell that is there."""
    return _texts(cells, cells.values[position])[0]


def _texts(cells: Cells, value: Any) -> tuple[str, ...]:
    if cells.has_levels:
        return (cells.levels[value],)
    if cells.kind == "moment":
        instant = value.item()
        day = (str(instant.date()),) if text_of(instant) == str(instant.date()) else ()
        return (*day, str(instant), instant.isoformat())
    if cells.kind == "number" and value.dtype.kind == "f":
        single = np.float32(value) if abs(value) < EXACT else value
        return (text_of(float(value)), *[str(single)] * bool(single == value and value % 1))
    return (text_of(value.item()),)
