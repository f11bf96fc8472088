"""Records (dataclasses and named tuples) and plain JSON: the fields of a record by name, and values written as JSON.

Plain JSON is None, booleans, finite numbers, texts, and lists and objects of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .values import Rule
from .words import listed, quoted


def is_record(value: Any) -> bool:
    """Return True for a dataclass object and for a named tuple."""
    return not isinstance(value, type) and (is_dataclass(value) or hasattr(value, "_fields"))


def names_of(kind: Any, hidden: bool = True) -> tuple[str, ...]:
    """Return the names of a record's fields, of its class or of itself; without those that repr hides, if wished."""
    return tuple(each.name for each in fields(kind) if hidden or each.repr) if is_dataclass(kind) else kind._fields


def fields_of(record: Any, hidden: bool = True) -> dict[str, Any]:
    """Return a record's fields by name; without those that repr hides, if wished.

    >>> from chainrule.losses import Huber
    >>> fields_of(Huber(2.0))
    {'delta': 2.0}
    """
    return {name: getattr(record, name) for name in names_of(record, hidden)}


class Plain:
    """Writes values as plain JSON. Each form of JSON has its own methods for the values that JSON lacks.

    This form is for reading: a number that is not finite becomes None, an unknown object its text.

    >>> Plain()({"loss": float("nan"), "sizes": (np.int64(2), 3)})
    {'loss': None, 'sizes': [2, 3]}
    """

    def __call__(self, value: Any) -> Any:
        """Return a value as plain JSON."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if isfinite(value) else self.not_finite(value)
        if isinstance(value, list | tuple):
            return [self(item) for item in value]
        if isinstance(value, np.ndarray):
            return self.array(value)
        return self.mapping(value) if isinstance(value, Mapping) else self.other(value)

    def not_finite(self, value: float) -> Any:
        """Return an infinity, or NaN."""
        return None

    def array(self, value: NDArray[Any]) -> Any:
        """Return an array."""
        return [self(item) for item in value]

    def mapping(self, value: Mapping[Any, Any]) -> Any:
        """Return a mapping."""
        return {str(key): self(item) for key, item in value.items()}

    def other(self, value: Any) -> Any:
        """Return an object of any other kind."""
        return str(value)


def read_fields(entry: Any, rules: Mapping[str, Rule], what: str) -> dict[str, Any]:
    """Return the fields of a JSON object that has exactly those with a rule; its lists become tuples.

    Raises ValueError, which begins with `what`, for anything else and for the first field that its rule refuses.
    """
    if not isinstance(entry, dict) or set(entry) != set(rules):
        raise ValueError(f"{what}: expected an object with {listed(rules)}")
    for name, rule in rules.items():
        if not rule.accepts(entry[name]):
            raise ValueError(f"{what}: {name!r} must be {rule.words}, got {quoted(entry[name])}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}


def read_record(kind: Callable[..., Any], entry: Any, rules: Mapping[str, Rule], what: str) -> Any:
    """Return the record of a JSON object, as `read_fields` reads it; its own ValueError begins with `what`, too."""
    values = read_fields(entry, rules, what)
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
