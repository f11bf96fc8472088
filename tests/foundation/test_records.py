"""Plain JSON: what each kind of value becomes, and which JSON objects are read as records."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest

from chainrule.foundation.records import Plain, fields_of, is_record, names_of, read_fields, read_record
from chainrule.foundation.values import COUNT, FINITE, ListOf, Rule


@dataclass(frozen=True)
class Point:
    x: float
    marks: tuple[int, ...] = ()
    note: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.x == 13:
            raise ValueError("x must not be 13")


class Pair(NamedTuple):
    one: int
    two: int


RULES: dict[str, Rule] = {"x": FINITE, "marks": ListOf(COUNT, "a list of counts")}


def test_records_are_dataclasses_and_named_tuples() -> None:
    assert [is_record(value) for value in (Point(1), Pair(1, 2), Point, Pair, (1, 2), {"x": 1}, None)] == (
        [True, True] + [False] * 5
    )


def test_fields_that_repr_hides_may_be_left_out() -> None:
    assert names_of(Point) == names_of(Point(1)) == ("x", "marks", "note")
    assert names_of(Point, hidden=False) == ("x", "marks")
    assert names_of(Pair) == names_of(Pair, hidden=False) == ("one", "two")
    assert fields_of(Pair(1, 2)) == {"one": 1, "two": 2}
    assert fields_of(Point(1.5, (2,), "a"), hidden=False) == {"x": 1.5, "marks": (2,)}


PLAIN: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    (np.bool_(True), True),
    (np.int8(3), 3),
    (np.float32(0.5), 0.5),
    (float("inf"), None),
    (np.float64("nan"), None),
    ("text", "text"),
    ((1, [2.5, Pair(3, 4)]), [1, [2.5, [3, 4]]]),
    (np.array([[1.0, np.nan], [2.0, 3.0]]), [[1.0, None], [2.0, 3.0]]),
    (MappingProxyType({1: (np.int64(2),)}), {"1": [2]}),
    (Point(1.5), "Point(x=1.5, marks=())"),
]


@pytest.mark.parametrize(("value", "expected"), PLAIN)
def test_every_value_becomes_plain_json(value: Any, expected: Any) -> None:
    found = Plain()(value)
    assert found == expected
    assert repr(found) == repr(expected)
    assert json.loads(json.dumps(found, allow_nan=False)) == expected


class Marked(Plain):
    """A form with its own words for everything that a form may change."""

    def not_finite(self, value: float) -> Any:
        return f"number {value}"

    def array(self, value: Any) -> Any:
        return f"array {value.shape}"

    def mapping(self, value: Any) -> Any:
        return [[self(key), self(item)] for key, item in value.items()]

    def other(self, value: Any) -> Any:
        return {"kind": type(value).__name__}


def test_a_form_changes_values_at_any_depth() -> None:
    value = {(1,): [float("-inf"), np.zeros(2)], "a": Point(1)}
    assert Marked()(value) == [[[1], ["number -inf", "array (2,)"]], ["a", {"kind": "Point"}]]


def test_a_record_is_read_from_its_fields() -> None:
    entry = {"x": 1.5, "marks": [1, 2]}
    assert read_fields(entry, RULES, "file") == {"x": 1.5, "marks": (1, 2)}
    assert read_record(Point, entry, RULES, "file") == Point(1.5, (1, 2))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (None, "expected an object with 'x', 'marks'"),
        ({"x": 1.5}, "expected an object with 'x', 'marks'"),
        ({"x": 1.5, "marks": [], "more": 1}, "expected an object with 'x', 'marks'"),
        ({"x": "1", "marks": []}, "'x' must be a finite number, got '1'"),
        ({"x": 1, "marks": [0]}, "'marks' must be a list of counts, got [0]"),
        ({"x": 1, "marks": (1,)}, "'marks' must be a list of counts, got (1,)"),
        ({"x": 13, "marks": []}, "x must not be 13"),
    ],
)
def test_anything_else_is_refused_with_the_place(entry: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'file: {words}')}$"):
        read_record(Point, entry, RULES, "file")
