"""A fingerprint is the same in every process, and tells everything apart that changes a bit of a training."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, fields
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from chainrule import Activation, Dense, TrainingState
from chainrule.loop.fingerprint import describe, difference, digest, fingerprint
from chainrule.optimizers import Adam, Memory
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


def test_a_digest_is_the_sha_256_of_types_shapes_and_contents() -> None:
    """Files of checkpoints hold it: it may not change from one version to the next."""
    a, b = np.arange(6.0).reshape(2, 3), sparse.csr_array(np.eye(2))
    assert digest(a, "x", 2) == "sha256:" + sha256(b"<f8 (2, 3) " + a.tobytes() + b"'x' 2 ").hexdigest()
    assert digest(b) == "sha256:" + sha256(digest(b.shape, b.data, b.indices, b.indptr).encode()).hexdigest()


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


@dataclass(frozen=True)
class Pair:
    one: Any
    other: Any


class Shown:
    """An object whose text says it all."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Shown()"


class Slotted:
    """An object of which nothing is known."""

    __slots__ = ()


class Named(Shown):
    """An object with a text, and attributes, which say more."""

    def __init__(self) -> None:
        self.size = (1, own)


DESCRIBED: list[tuple[Any, Any]] = [
    ((1, [2.5, None]), [1, [2.5, None]]),
    (np.zeros(2), digest(np.zeros(2))),
    (Pair(1, np.ones(1)), {"kind": "Pair", "one": 1, "other": digest(np.ones(1))}),
    (Pair, f"{__name__}.Pair"),
    (own, f"{__name__}.own"),
    (partial(own, 2, units=3), {"kind": "partial", "of": [f"{__name__}.own", [2], ["units", 3]]}),
    (Bare.__init__, f"{__name__}.Bare.__init__"),
    (Bare(np.ones(1)), {"kind": "Bare", "setting": digest(np.ones(1))}),
    (Shown(), "Shown()"),
    (Slotted(), {"kind": "Slotted"}),
    (Named(), {"kind": "Named", "size": [1, f"{__name__}.own"]}),
]


@pytest.mark.parametrize(("value", "words"), DESCRIBED, ids=lambda value: type(value).__name__)
def test_what_each_kind_of_setting_becomes(value: Any, words: Any) -> None:
    assert describe(value) == words


def test_what_a_fingerprint_holds() -> None:
    objective, start = classification(10)
    other, _ = classification(7)
    state = TrainingState(start)
    found = fingerprint(objective, None, state, seed=3, own=own)
    assert found.pop("starting point").startswith("sha256:")
    wanted = {
        "seed": 3,
        "own": f"{__name__}.own",
        "network": {"inputs": 3, "blocks": describe(objective.network.blocks)},
        "loss": describe(objective.loss),
        "penalties": describe(objective.penalties),
        "dtype": "float64",
        "X": digest(objective.X),
        "y": digest(objective.y),
        "sample_weight": digest(objective.sample_weight),
    }
    assert found == wanted
    with_validation = fingerprint(objective, other, state, seed=3, own=own)
    held = {f"validation {name}": digest(getattr(other, name)) for name in ("X", "y", "sample_weight")}
    assert with_validation == {**wanted, **held, "starting point": with_validation["starting point"]}


@pytest.mark.parametrize(
    ("instructions", "engine", "words"),
    [
        ("baseline", "native", "native, without fused multiply-add"),
        ("baseline", "reference", "reference"),
        ("avx2", "native", "native"),
    ],
)
def test_an_engine_without_fused_multiply_add_is_another_one(
    monkeypatch: pytest.MonkeyPatch, instructions: str, engine: str, words: str
) -> None:
    module = import_module("chainrule.loop.fingerprint")
    monkeypatch.setattr(module, "report", lambda: {"instruction_set": instructions})
    objective, start = classification(10)
    assert fingerprint(objective, None, TrainingState(start), engine=engine)["engine"] == words
    assert "engine" not in fingerprint(objective, None, TrainingState(start))


def starting_point(**changed: Any) -> str:
    objective, start = classification(10)
    return str(fingerprint(objective, None, TrainingState(start, **changed))["starting point"])


def test_a_starting_point_is_the_digest_of_a_state() -> None:
    """Files of checkpoints hold it; format 1.0 kept a moving average as the last entry of the memory."""
    _, start = classification(10)
    state = TrainingState(start)
    others = [getattr(state, each.name) for each in fields(state)][2:]
    arrays, numbers, average = {"mean": start + 1}, {"factor": 0.5}, start + 2
    memory = ("t", 4, "mean", start + 1, "factor", 0.5)
    assert starting_point() == digest(start, None, *others)
    assert starting_point(memory=Memory(4, arrays, numbers)) == digest(start, digest(*memory), *others)
    moving = starting_point(memory=Memory(4, arrays, numbers), average=average)
    assert moving == digest(start, digest(*memory, "average", average), *others)
    mean = starting_point(memory=Memory(4, arrays, numbers), average=average, averaged=2)
    assert mean == digest(start, digest(*memory), *others[:-2], average, 2)
    assert starting_point(average=average) == digest(start, None, *others[:-2], average, 0)


PROGRAM = """
import sys; sys.path[:0] = {path!r}
from {module} import taken
print(taken())
"""


def taken() -> str:
    """Return a fingerprint as text."""
    objective, start = classification(10)
    state = TrainingState(start, Adam().zeros(start.size))
    return json.dumps(fingerprint(objective, objective, state, optimizer=Adam(), own=digest), sort_keys=True)


@pytest.mark.process
def test_another_process_takes_the_same_fingerprint() -> None:
    command = [sys.executable, "-c", PROGRAM.format(path=[str(Path(__file__).parents[2]), *sys.path], module=__name__)]
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
        ({"X": "sha256:1"}, {}, "written with other X"),
        ({"a": {"x": 1}}, {"a": {"y": 1}}, "written with a {'x': 1}, now {'y': 1}"),
        ({"a": {"kind": "x.A"}}, {"a": 3}, "written with a A, now 3"),
        ({"a": 3}, {"a": {"kind": "x.A"}}, "written with a 3, now A"),
        ({"a": [1]}, {"a": 1}, "written with a [1], now 1"),
        ({"a": 1}, {"a": [1]}, "written with a 1, now [1]"),
        ({"a": [1, 2]}, {"a": [1, 3]}, "written with a.1 2, now 3"),
        (
            {"n": {"blocks": [{"fields": {"u": 3}}]}},
            {"n": {"blocks": [{"fields": {"u": 4}}]}},
            "written with n.0.u 3, now 4",
        ),
        ({"a": "x" * 50}, {"a": None}, f"written with a {'x' * 40}, now None"),
        ({"a": ["x" * 30] * 9}, {"a": []}, f"written with a [{'x' * 30}, {'x' * 30}, {'x' * 15}, now []"),
        (dict.fromkeys("abcd", 1), {}, "written with a 1, now None; with b 1, now None; with c 1, now None"),
    ],
)
def test_the_words(before: Any, now: Any, words: str) -> None:
    assert difference(before, now) == words
