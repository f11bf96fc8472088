"""The vocabulary: every word of it comes back as it was, and nothing else is written or read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from chainrule import Activation, Dense
from chainrule.losses import Huber
from chainrule.mathematics.initializers import Normal
from chainrule.optimizers import Adam
from chainrule.schedules import Constant, WarmUp
from chainrule.storage.vocabulary import STORABLE, UnstorableError, decode, encode

NEEDED: dict[str, dict[str, Any]] = {
    "Activation": {"name": "elu", "alpha": 0.5},
    "Dense": {"units": 3, "initializer": Normal(0.1)},
    "PCA": {"components": 2},
    "DropConnect": {"units": 2},
    "augmentation.Deformation": {"shape": (3, 4)},
}
"""Fields for the kinds that cannot do without; the others have defaults."""


def made(name: str) -> Any:
    return STORABLE[name](**NEEDED.get(name, {}))


def through(value: Any) -> Any:
    """Return a value after it was written as JSON and read again."""
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


@pytest.mark.parametrize("name", STORABLE)
def test_every_object_comes_back(name: str) -> None:
    value = made(name)
    assert encode(value)["kind"] == name
    again = through(value)
    assert (type(again), repr(again)) == (type(value), repr(value))


def test_objects_within_objects_come_back() -> None:
    value = (WarmUp(Constant(0.5), 7), [Dense(2, initializer=Normal(0.3)), Activation("leaky_relu", slope=0.2)])
    assert repr(through(value)) == repr((value[0], tuple(value[1])))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (np.bool_(True), True),
        (np.int64(2**40), 2**40),
        (np.float32(0.5), 0.5),
        ("text", "text"),
        (-inf, {"number": "-inf"}),
        ([1, (2.5,)], [1, [2.5]]),
        (np.array([[1.0, inf]]), [[1.0, {"number": "inf"}]]),
        ({"a": 1, 2: None}, {"pairs": [["a", 1], [2, None]]}),
        (Huber(2.0), {"kind": "losses.Huber", "fields": {"delta": 2.0}}),
    ],
)
def test_values_are_written_as_plain_json(value: Any, written: Any) -> None:
    assert encode(value) == written
    assert json.loads(json.dumps(encode(value), allow_nan=False)) == written


def test_numbers_and_mappings_come_back() -> None:
    assert through({1: 0.1, "x": (True, None), None: inf}) == {1: 0.1, "x": (True, None), None: inf}
    assert np.isnan(through(nan))


@dataclass
class Stranger:
    size: int = 1


class Mine(Adam):
    """A class of one's own, though a rule of the table is in it."""


@pytest.mark.parametrize("value", [Stranger(), Mine(), len, object(), {1, 2}, 1j, [Stranger()], {"a": len}])
def test_what_is_not_in_the_vocabulary_is_not_written(value: Any) -> None:
    with pytest.raises(UnstorableError, match="a model file has no words for"):
        encode(value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"kind": "os.system", "fields": {}}, "holds a 'os.system', which this version does not know"),
        ({"kind": "losses.Huber", "fields": {"delta": 1.0, "more": 1}}, "its losses.Huber has wrong fields"),
        ({"kind": "losses.Huber", "fields": {"delta": -1.0}}, "delta must be"),
        ({"kind": "losses.Huber", "fields": [1.0]}, "where a value was expected"),
        ({"kind": "losses.Huber"}, "where a value was expected"),
        ({"number": "1e400"}, "where a value was expected"),
        ({"number": "inf", "more": 1}, "where a value was expected"),
        ({"pairs": {}}, "where a value was expected"),
        ({}, "where a value was expected"),
    ],
)
def test_anything_else_is_not_read(entry: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode([entry])
