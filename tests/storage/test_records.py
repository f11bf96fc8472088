"""Records: whatever is packed is unpacked, and nothing else is taken."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import inf, nan
from typing import Any, NamedTuple

import numpy as np
import pytest

from chainrule.optimizers import Adam
from chainrule.storage.records import Record, Records
from chainrule.storage.vocabulary import UnstorableError


class Pair(NamedTuple):
    one: float
    two: float


@dataclass(frozen=True)
class Event:
    step: int
    loss: float
    live: Any = field(default=None, repr=False)


@dataclass
class Place:
    good: Any
    events: list[Event]


RECORDS = Records({Place: Record(Place, {"sound": "good"})}, Event, Event, {"Position": "Place"})

NESTED = {
    "list": [1, 2.5, None, [True, "text"]],
    "floats": [0.1, nan, -inf],
    "wholes": [1, 2**40],
    "tuple": (1.5, (np.arange(3), [np.zeros((2, 0), "float32")])),
    "empty": [[], (), {}],
    "map": {"a": {"b": np.array([True])}, "number": inf},
    "rule": Adam(0.5),
    "record": Place(np.ones(2), [Event(1, 0.5), Event(2, 0.25)]),
}


def through(value: Any) -> Any:
    """Return a value after it was packed, written as JSON, read and unpacked."""
    tensors: dict[str, Any] = {}
    return RECORDS.unpack(json.loads(json.dumps(RECORDS.pack(value, "x", tensors), allow_nan=False)), tensors)


def test_whatever_is_packed_is_unpacked() -> None:
    assert repr(through(NESTED)) == repr(NESTED)
    plain = {name: value for name, value in NESTED.items() if name != "record"}
    np.testing.assert_equal(through(plain), plain)


def test_fields_that_are_not_shown_are_not_kept() -> None:
    assert through([Event(1, 0.5, live="much")]) == [Event(1, 0.5)]


def test_the_names_of_earlier_formats_are_read() -> None:
    fields = {"map": {"sound": 1, "events": {"list": []}}}
    assert RECORDS.unpack({"record": "Position", "fields": fields}, {}) == Place(1, [])


@pytest.mark.parametrize("value", [Pair(1, 2), [Pair(1, 2)], {"a": object()}, lambda: None, {1, 2}])
def test_what_it_has_no_words_for_is_refused(value: Any) -> None:
    with pytest.raises(UnstorableError, match="no words for"):
        RECORDS.pack(value, "x", {})


@pytest.mark.parametrize(
    "entry",
    [
        {"record": "int", "fields": {"map": {}}},
        {"record": "Place", "fields": {"map": {"good": 1}}},
        {"record": "Place"},
        {"tensor": "missing"},
        {"tensor": "x", "more": 1},
        {"events": {"map": {"step": {"list": [1]}, "loss": {"list": []}}}},
        {},
    ],
)
def test_anything_else_is_refused(entry: Any) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        RECORDS.unpack(entry, {})
