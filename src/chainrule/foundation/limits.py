"""What the numbers that a definition is made with may be, and the error where one is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from numbers import Integral, Real
from typing import Any, NamedTuple


class Limit(NamedTuple):
    """What is accepted in words, whether a number is, and which numbers there are at all."""

    words: str
    holds: Callable[[Any], bool]
    numbers: type[Any] = Real


FINITE = Limit("a finite number", lambda value: -inf < value < inf)
POSITIVE = Limit("a positive finite number", lambda value: 0 < value < inf)
NOT_NEGATIVE = Limit("a finite number of at least 0", lambda value: 0 <= value < inf)
SHARE = Limit("a number of at least 0 and below 1", lambda value: 0 <= value < 1)
PROPORTION = Limit("a number from 0 to 1", lambda value: 0 <= value <= 1)
COUNT = Limit("a whole number of at least 1", lambda value: value >= 1, Integral)


def check(made: Any, limits: Mapping[str, Limit]) -> None:
    """Check the attributes of `made` that have a limit.

    Raises TypeError for one that is not such a number and ValueError for one outside its limit, naming it.

    >>> from chainrule.optimizers import Adam
    >>> Adam(beta_1=1.5)
    Traceback (most recent call last):
    ...
    ValueError: Adam beta_1 must be a number of at least 0 and below 1, got 1.5
    """
    for name, limit in limits.items():
        value = getattr(made, name)
        known = isinstance(value, limit.numbers) and not isinstance(value, bool)
        if not (known and limit.holds(value)):
            kind = ValueError if known else TypeError
            raise kind(f"{type(made).__name__} {name} must be {limit.words}, got {value!r}")
