"""Rules for values: what they accept at their ends, their words, and the two errors of a check."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from chainrule.foundation.values import (
    COUNT,
    FINITE,
    NOT_NEGATIVE,
    POSITIVE,
    PROPORTION,
    SHARE,
    Choice,
    ListOf,
    Number,
    Optional,
    Rule,
    Several,
    Whole,
    check,
    check_value,
)

TINY, HUGE = 5e-324, 10**400

NAMED: dict[str, tuple[Rule, tuple[Any, ...], tuple[Any, ...]]] = {
    "a finite number": (FINITE, (0, -1.5, -HUGE, HUGE, np.float32(2)), (np.inf, -np.inf, np.nan)),
    "a positive finite number": (POSITIVE, (TINY, 1, HUGE), (0, -TINY, np.inf, np.nan)),
    "a finite number of at least 0": (NOT_NEGATIVE, (0, -0.0, TINY, HUGE), (-TINY, np.inf, np.nan)),
    "a number of at least 0 and below 1": (SHARE, (0, 1 - 2**-53, Fraction(1, 3)), (-TINY, 1, 1.5, np.nan)),
    "a number from 0 to 1": (PROPORTION, (0, 0.5, 1), (-TINY, 1 + 2**-52, np.nan)),
    "a whole number of at least 1": (COUNT, (1, 10**30, np.int8(3)), (0, -1)),
}
"""By its words: a rule, values just inside, values just outside."""


@pytest.mark.parametrize("words", NAMED)
def test_named_rules_at_their_ends(words: str) -> None:
    rule, inside, outside = NAMED[words]
    assert rule.words == words
    assert [value for value in inside if not rule.accepts(value)] == []
    assert [value for value in outside if rule.accepts(value)] == []
    for value in inside:
        check_value("x", value, rule)
    for value in outside:
        with pytest.raises(ValueError, match=f"^x must be {re.escape(words)}, got {re.escape(repr(value))}$"):
            check_value("x", value, rule)


@pytest.mark.parametrize("words", NAMED)
@pytest.mark.parametrize("value", ["1", None, True, np.True_, [1], 1j])
def test_other_types_than_numbers_are_type_errors(words: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^x must be {re.escape(words)}, got {re.escape(repr(value))}$"):
        check_value("x", value, NAMED[words][0])


def test_a_fraction_is_no_count() -> None:
    with pytest.raises(TypeError, match=r"n must be a whole number of at least 1, got 2\.5"):
        check_value("n", 2.5, COUNT)


@pytest.mark.parametrize(
    ("rule", "value", "words"),
    [
        (Choice(("a", "b")), "c", "x must be one of a, b, got 'c'"),
        (Choice(("a", "b")), 3, "x must be one of a, b, got 3"),
        (Optional(POSITIVE), "much", "x must be a positive finite number, or None, got 'much'"),
        (Several(Whole(0)), [1, -1], "x must be a whole number of at least 0; or a sequence of such"),
        (Number(1, called="a number of at least 1"), 0.5, "x must be a number of at least 1, got 0.5"),
    ],
)
def test_rules_of_several_types_have_one_error(rule: Rule, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(words)):
        check_value("x", value, rule)


def test_a_list_of_values_is_a_list() -> None:
    rule = ListOf(Whole(0, high=9, called="a digit"), "a list of digits")
    assert [rule.accepts(value) for value in ([], [0, 9])] == [True, True]
    assert [rule.accepts(value) for value in ([10], [-1], [1.5], (1, 2), "12", 3, None)] == [False] * 7
    assert (rule.words, rule.rule.words) == ("a list of digits", "a digit")


@dataclass(frozen=True)
class Pair:
    """A definition with two attributes."""

    one: float
    two: float


def test_attributes_are_checked_by_name() -> None:
    check(Pair(0.5, 1), {"one": SHARE, "two": COUNT})
    with pytest.raises(ValueError, match=r"^Pair two must be a whole number of at least 1, got 0$"):
        check(Pair(0.5, 0), {"one": SHARE, "two": COUNT})
    with pytest.raises(TypeError, match=r"^Pair one must be a number from 0 to 1, got '0'$"):
        check(Pair("0", 1), {"one": PROPORTION})  # type: ignore[arg-type]  # the mistake under test
