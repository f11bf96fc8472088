"""What a value may be: in code, and in words for errors and help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf, isnan
from numbers import Integral, Real
from typing import Any, Protocol

import numpy as np


class Rule(Protocol):
    """What a setting accepts."""

    @property
    def words(self) -> str:
        """Say what is accepted, for errors and help."""

    def accepts(self, value: Any) -> bool:
        """Return whether the value is accepted."""


@dataclass(frozen=True)
class Number:
    """A real number between low and high; open ends are excluded."""

    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False

    @property
    def words(self) -> str:
        """The interval in words."""
        low = f"above {self.low:g}" if self.low_open else f"at least {self.low:g}"
        high = f"below {self.high:g}" if self.high_open else f"at most {self.high:g}"
        return "a number " + " and ".join([low] + [high] * (self.high < inf))

    def accepts(self, value: Any) -> bool:
        """Whether value is a number in the interval."""
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real) or isnan(value):
            return False
        number = float(value)
        above = number > self.low if self.low_open else number >= self.low
        below = number < self.high if self.high_open else number <= self.high
        return above and below


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`; `also` lists other accepted words or numbers."""

    low: int = 1
    also: tuple[Any, ...] = ()
    high: float = inf

    @property
    def words(self) -> str:
        """The ends in words."""
        high = f" and at most {self.high}" if self.high < inf else ""
        return f"a whole number of at least {self.low}{high}" + "".join(f", or {a!r}" for a in self.also)

    def accepts(self, value: Any) -> bool:
        """Whether value is a whole number from low to high, or one of the others."""
        whole = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
        if whole and self.low <= int(value) <= self.high:
            return True
        return any(value is a or (isinstance(value, type(a)) and value == a) for a in self.also)


def _called(kind: Any) -> str:
    """Return what a type is called in errors and help."""
    article = "an" if kind.__name__[0] in "AEIOU" else "a"
    return OBJECTS.get(kind, f"{article} {kind.__name__} object")


@dataclass(frozen=True)
class Choice:
    """One of some names, or an object of `kinds`."""

    names: tuple[str, ...]
    kinds: tuple[type, ...] = ()

    @property
    def words(self) -> str:
        """The names."""
        return ", or ".join(["one of " + ", ".join(self.names), *map(_called, self.kinds)])

    def accepts(self, value: Any) -> bool:
        """Whether value is one of the names, or such an object."""
        if isinstance(value, str):
            return value in self.names
        return isinstance(value, self.kinds) and not isinstance(value, type)


@dataclass(frozen=True)
class Flag:
    """True or False; `also` lists other accepted words."""

    also: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """True, False and the other words."""
        return "True or False" + "".join(f", or {a!r}" for a in self.also)

    def accepts(self, value: Any) -> bool:
        """Whether value is a boolean, or one of the other words."""
        return isinstance(value, bool | np.bool_) or (isinstance(value, str) and value in self.also)


@dataclass(frozen=True)
class Several:
    """One value of a rule, or a sequence of them."""

    rule: Rule
    empty: bool = False

    @property
    def words(self) -> str:
        """The single value, or a list."""
        return f"{self.rule.words}; or a sequence of such, one per hidden layer"

    def accepts(self, value: Any) -> bool:
        """Whether value, or each of its items, is accepted."""
        if isinstance(value, str) or not isinstance(value, Iterable):
            return self.rule.accepts(value)
        items = list(value)
        return (self.empty or bool(items)) and all(map(self.rule.accepts, items))


@dataclass(frozen=True)
class Shape:
    """The shape of an image: rows, columns and, where there are several, channels."""

    words = "two or three whole numbers of at least 1, such as 28,28"

    def accepts(self, value: Any) -> bool:
        """Whether value is a sequence of two or three such numbers."""
        return hasattr(value, "__iter__") and len(value) in (2, 3) and Several(Whole()).accepts(value)


@dataclass(frozen=True)
class Optional:
    """None, or what the rule accepts."""

    rule: Rule

    @property
    def words(self) -> str:
        """The rule's words, or None."""
        return f"{self.rule.words}, or None"

    def accepts(self, value: Any) -> bool:
        """Whether value is None or accepted."""
        return value is None or self.rule.accepts(value)


@dataclass(frozen=True)
class Anything:
    """Values that the estimator checks itself, because they depend on the data or on scikit-learn."""

    words: str
    test: Callable[[Any], bool] = lambda value: True

    def accepts(self, value: Any) -> bool:
        """Whether the test holds."""
        return self.test(value)


OBJECTS: Mapping[Any, str] = {int: "a whole number", float: "a number", Callable: "a function"}
"""Kinds of objects that have a better name than their type's."""
