"""A fingerprint is the same in every process, and tells everything apart that changes a bit of a training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from chainrule import Activation, Dense, TrainingState
from chainrule.loop.fingerprint import describe, difference, digest, fingerprint
from chainrule.optimizers import Adam
from support.naive_loops import classification

ARRAYS = [
    np.zeros(4),
    np.zeros(4, "float32"),
    np.zeros(5),
    np.zeros((2, 2)),
    np.zeros((4, 1)),
    np.zeros(4, "int64"),
    -np.zeros(4),
    np.array([0.0, 0, 0, 5e-324]),
    sparse.csr_array(np.zeros((2, 2))),
    sparse.csr_array(np.eye(2)),
    sparse.csr_array(np.eye(2)[::-1]),
    sparse.csr_array(np.zeros((2, 3))),
    None,
]


def test_arrays_are_told_apart() -> None:
    digests = [digest(array) for array in ARRAYS]
    assert len(set(digests)) == len(ARRAYS)
    assert len({digest(*ARRAYS[:2]), digest(*ARRAYS[1::-1]), digest(ARRAYS[0])}) == 3


def test_what_holds_the_same_numbers_has_the_same_digest() -> None:
    a = np.arange(12.0).reshape(3, 4)
    assert digest(a) == digest(np.asfortranarray(a)) == digest(np.repeat(a, 2, 0)[::2])


def own(units: int) -> Any:
    """Return an initialiser: a function."""


def test_settings_become_plain_json() -> None:
    for value in (
        Adam(),
        Dense(3, own),
        Activation("elu", alpha=0.5),
        own,
        None,
        (1, 2.5),
        {"a": np.float64(1)},
        Bare(),
    ):
        text = json.dumps(describe(value))
        assert json.loads(text) == json.loads(json.dumps(describe(value)))
        assert " at 0x" not in text
    assert describe(Adam()) != describe(Adam(0.1))
    assert describe(Activation("elu")) != describe(Activation("elu", alpha=0.5))
    assert describe(Bare(1)) != describe(Bare(2))


class Bare:
    """An object that nobody here knows."""

    def __init__(self, setting: Any = None) -> None:
        self.setting = setting


PROGRAM = """
import sys; sys.path[:0] = {path!r}
from {module} import taken
print(taken())
"""


def taken() -> str:
    """Return a fingerprint as text."""
    objective, start = classification(10)
    state = TrainingState(start, Adam().zeros(start.size))
    return json.dumps(fingerprint(objective, objective, state, optimizer=Adam(), own=own), sort_keys=True)


@pytest.mark.process
def test_another_process_takes_the_same_fingerprint() -> None:
    path = [str(Path(__file__).parents[2]), *sys.path]  # this module is named from there
    command = [sys.executable, "-c", PROGRAM.format(path=path, module=__name__)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == taken()


leaves = st.one_of(st.booleans(), st.integers(), st.text(max_size=5), st.floats(allow_nan=False))
keys = st.text("abc", min_size=1)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))
trees = st.dictionaries(keys, values)


@given(trees, trees)
def test_differences_are_said_where_there_are_any(one: Any, other: Any) -> None:
    assert difference(one, one) == ""
    assert bool(difference(one, other)) == (one != other)
    assert "\n" not in difference(one, other)


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({}, {"a": None}, ""),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, "written with b 2, now 3"),
        ({"a": {"kind": "x.Adam", "r": 1}}, {"a": {"kind": "x.Adam", "r": 2}}, "written with a.r 1, now 2"),
        ({"a": {"kind": "x.Adam", "r": 1}}, {"a": {"kind": "x.SGD", "r": 1}}, "written with a Adam, now SGD"),
        ({"X": "sha256:1"}, {"X": "sha256:2"}, "written with other X"),
        ({}, {"X": "sha256:2"}, "written with other X"),
        ({"a": [1, 2]}, {"a": [1]}, "written with a [1, 2], now [1]"),
        (dict.fromkeys("abcd", 1), {}, "written with a 1, now None; with b 1, now None; with c 1, now None"),
    ],
)
def test_the_words(before: Any, now: Any, words: str) -> None:
    assert difference(before, now) == words
