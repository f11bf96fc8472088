"""Columns of Python objects, as cells.

Shapes: n cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np

from .table import Cells, TableError, text_cells
from .texts import integer_cells, text_of

NESTED = (list, tuple, dict, set, frozenset, np.ndarray, bytes, bytearray, memoryview)


LARGEST = 309
"""Digits of the integers that are infinite as floats."""


def refusal(name: str, what: str) -> TableError:
    """Return the error for a column of values that no network can read."""
    return TableError(
        f"column {name!r} holds {what}; only numbers, text and dates can be read: leave it out, or split it up"
    )


def is_missing(value: Any) -> bool:
    """Return True for None, NaN, NaT and pandas.NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float | np.floating | np.datetime64 | np.timedelta64) and bool(value != value)


def _plain(value: Any) -> Any:
    """Return a value as Python's own type, where it is one of NumPy's times; the first moment of a pandas.Period."""
    if isinstance(value, np.datetime64 | np.timedelta64):  # to Python's numbers a timedelta64 is an integer
        unit = "M8[us]" if isinstance(value, np.datetime64) else "m8[us]"
        made = value.astype(unit).item() if np.can_cast(value.dtype, unit, "same_kind") else None
        return made if isinstance(made, date | timedelta) else str(value)
    return value.start_time if type(value).__name__ == "Period" else value


def _booleans(values: list[Any]) -> Cells:
    gaps = np.fromiter((value is None for value in values), bool, len(values))
    found = np.fromiter((bool(value) for value in values), bool, len(values))
    return Cells("boolean", found, gaps=gaps if gaps.any() else None)


def _numbers(values: list[Any]) -> Cells | None:
    """Return numbers; None where they are whole and need more than 64 bits."""
    whole = [value for value in values if value is not None and _is_whole(value)]
    if len(whole) == sum(value is not None for value in values):
        return integer_cells(None if value is None else int(value) for value in values)
    return Cells("number", np.array([np.nan if value is None else float(value) for value in values]))


def _is_whole(value: Any) -> bool:
    if isinstance(value, Decimal):  # int() of one that is larger than every float would take for ever
        return value.is_finite() and value.adjusted() < LARGEST and value == value.to_integral_value()
    return isinstance(value, Integral)


def _moments(values: list[Any]) -> Cells:
    def instant(value: Any) -> Any:
        if value is None or isinstance(value, np.datetime64):
            return "NaT" if value is None else value
        if isinstance(value, datetime):
            return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value.replace(fold=0)
        return value

    return Cells("moment", np.array([np.datetime64(instant(value), "us") for value in values], "M8[us]"))


def _durations(values: list[Any]) -> Cells:
    def span(value: Any) -> Any:
        if isinstance(value, time):
            return timedelta(0, value.second, value.microsecond, 0, value.minute, value.hour)
        return "NaT" if value is None else value

    made = np.array([np.timedelta64(span(value), "us") for value in values], "m8[us]")
    clock = all(isinstance(value, time) for value in values if value is not None)
    return Cells("duration", made.astype("m8[ns]") if clock else made)


KINDS: tuple[tuple[tuple[type, ...], Callable[[list[Any]], Cells | None]], ...] = (
    ((bool, np.bool_), _booleans),
    ((Real, Decimal, np.bool_), _numbers),
    ((date, np.datetime64), _moments),
    ((time, timedelta, np.timedelta64), _durations),
)
"""A column of objects is read by the first row that accepts all its values, or else as text."""


def object_cells(name: str, given: Iterable[Any]) -> Cells:
    """Return Python objects as cells, by `KINDS`; None, NaN and the like are missing.

    Raises TableError, which names the column, for lists and bytes.

    >>> object_cells("a", [1, 2.5, None]).to_list(), object_cells("a", ["NA", 2.0]).to_list()
    ([1.0, 2.5, None], ['NA', '2'])
    """
    values = [None if is_missing(value) else _plain(value) for value in given]
    types = {type(value) for value in values if value is not None}
    for kind in types:
        if issubclass(kind, NESTED):
            raise refusal(name, "bytes" if issubclass(kind, bytes | bytearray | memoryview) else "lists")
    for accepted, read in KINDS:
        if types and all(issubclass(kind, accepted) and not issubclass(kind, str) for kind in types):
            try:
                made = read(values)
            except (OverflowError, TypeError, ValueError):
                made = None
            if made is not None:
                return made
            break
    return text_cells(None if value is None else text_of(value) for value in values)
