"""Rules for values: which are accepted, in code and in words, and the error where one is not.

A rule stands once and serves everywhere: `check` holds the attributes of a definition to its rules, `check_value` an
argument, and the settings of the estimators are rows that each hold one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np


class Rule(Protocol):
    """The contract of a rule for values."""

    @property
    def words(self) -> str:
        """The accepted values in words, for errors and help."""

    def accepts(self, value: Any) -> bool:
        """Return True for an accepted value."""


@dataclass(frozen=True)
class Number:
    """A real number between low and high; open ends are excluded. `called` gives it better words than its ends do.

    >>> Number(0, 1, high_open=True).accepts(1.0)
    False
    """

    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False
    called: str = ""

    @property
    def words(self) -> str:
        """The interval in words."""
        if self.called:
            return self.called
        low = f"above {self.low:g}" if self.low_open else f"at least {self.low:g}"
        high = f"below {self.high:g}" if self.high_open else f"at most {self.high:g}"
        return "a number " + " and ".join([low] + [high] * (self.high < inf))

    def accepts(self, value: Any) -> bool:
        """Return True for a number in the interval; NaN is in none."""
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real) or value != value:
            return False
        number = value if isinstance(value, int) else float(value)  # a whole number may be too large for a float
        above = number > self.low if self.low_open else number >= self.low
        below = number < self.high if self.high_open else number <= self.high
        return above and below


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`; `also` lists other accepted words or numbers.

    `called` gives it better words than its ends do.
    """

    low: int = 1
    also: tuple[Any, ...] = ()
    high: float = inf
    called: str = ""

    @property
    def words(self) -> str:
        """The ends in words."""
        if self.called:
            return self.called
        high = f" and at most {self.high}" if self.high < inf else ""
        return f"a whole number of at least {self.low}{high}" + "".join(f", or {a!r}" for a in self.also)

    def accepts(self, value: Any) -> bool:
        """Return True for a whole number from low to high, and for one of the others."""
        whole = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
        if whole and self.low <= int(value) <= self.high:
            return True
        return any(value is a or (isinstance(value, type(a)) and value == a) for a in self.also)


def _called(kind: Any) -> str:
    """Return the name of a type in errors and help."""
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
        """Return True for one of the names, and for an object of the kinds."""
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
        """Return True for a boolean, and for one of the other words."""
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
        """Return True where the rule accepts the value, or each of its items."""
        if isinstance(value, str) or not isinstance(value, Iterable):
            return self.rule.accepts(value)
        items = list(value)
        return (self.empty or bool(items)) and all(map(self.rule.accepts, items))


@dataclass(frozen=True)
class ListOf:
    """A list, as JSON has them, of values that the rule accepts; `words` names it."""

    rule: Rule
    words: str

    def accepts(self, value: Any) -> bool:
        """Return True for a list of accepted values, and for an empty one."""
        return isinstance(value, list) and all(map(self.rule.accepts, value))


@dataclass(frozen=True)
class Shape:
    """The shape of an image: rows, columns and, where there are several, channels."""

    words = "two or three whole numbers of at least 1, such as 28,28"

    def accepts(self, value: Any) -> bool:
        """Return True for a sequence of two or three such numbers."""
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
        """Return True for None, and for a value of the rule."""
        return value is None or self.rule.accepts(value)


@dataclass(frozen=True)
class Anything:
    """Values that the estimator checks itself, because they depend on the data or on scikit-learn."""

    words: str
    test: Callable[[Any], bool] = lambda value: True

    def accepts(self, value: Any) -> bool:
        """Return True where the test holds."""
        return self.test(value)


OBJECTS: Mapping[Any, str] = {int: "a whole number", float: "a number", Callable: "a function"}
"""Kinds of objects that have a better name than their type's."""

FINITE = Number(low_open=True, high_open=True, called="a finite number")
POSITIVE = Number(0, low_open=True, high_open=True, called="a positive finite number")
NOT_NEGATIVE = Number(0, high_open=True, called="a finite number of at least 0")
SHARE = Number(0, 1, high_open=True, called="a number of at least 0 and below 1")
PROPORTION = Number(0, 1, called="a number from 0 to 1")
COUNT = Whole()

NUMBERS: Mapping[type, type] = MappingProxyType({Number: Real, Whole: Integral})
"""Rules that know one type of values only."""


def check_value(name: str, value: Any, rule: Rule) -> None:
    """Check one value, which errors call `name`.

    Raises ValueError for a value that the rule does not accept, and TypeError where it is not even of a type that the
    rule knows: a number for Number and Whole.

    >>> check_value("steps", 0, COUNT)
    Traceback (most recent call last):
    ...
    ValueError: steps must be a whole number of at least 1, got 0
    """
    if rule.accepts(value):
        return
    numbers = NUMBERS.get(type(rule))
    known = numbers is None or (isinstance(value, numbers) and not isinstance(value, bool))
    raise (ValueError if known else TypeError)(f"{name} must be {rule.words}, got {value!r}")


def check(made: Any, rules: Mapping[str, Rule]) -> None:
    """Check those attributes of a definition that have a rule, as `check_value` does.

    >>> from chainrule.optimizers import Adam
    >>> Adam(beta_1=1.5)
    Traceback (most recent call last):
    ...
    ValueError: Adam beta_1 must be a number of at least 0 and below 1, got 1.5
    """
    for name, rule in rules.items():
        check_value(f"{type(made).__name__} {name}", getattr(made, name), rule)
