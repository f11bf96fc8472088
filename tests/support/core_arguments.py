"""Arguments of the core's functions that are right, to be changed one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from chainrule.engines.native import core as native
from chainrule.engines.native.lowering import Layer, Noise

core: Any = native._core
"""None where the core was not built: the tests skip then."""

SET = next(iter(native.instruction_sets()), "")
NONE = (0.0,) * 6
REFUSALS = (ValueError, TypeError, MemoryError, OverflowError)
HUGE = (2**31, 2**40, 2**62, 2**63 - 1, 2**63, 2**64, 10**30)
NEGATIVE = (-1, -(2**31), -(2**40), 1 - 2**63, -(2**63), -(2**64))

ROWS, INPUTS, UNITS, OUTPUTS = 9, 3, 5, 2
SIZE = INPUTS * UNITS + UNITS + UNITS * OUTPUTS + OUTPUTS
HIDDEN = Layer(UNITS, 0, 15, activation="tanh")
RECIPE = {
    "clip": "none",
    "limit": 0.0,
    "max_norm": 0.0,
    "rates": [1.0] * 4,
    "share": 0.0,
    "part": 1,
    "augmentations": [],
}
LAYERS = [HIDDEN._asdict(), Layer(OUTPUTS, 20, 30)._asdict()]


def plan_arguments(**changes: Any) -> tuple[Any, ...]:
    """Return the arguments of a Plan that trains a 3-5-2 network with Adam, some of them changed."""
    fine = {
        "dtype": "float64",
        "inputs": INPUTS,
        "input": Noise()._asdict(),
        "layers": LAYERS,
        "parameters": SIZE,
        "batch": ROWS,
        "loss": ("cross_entropy", 0.0),
        "rule": ("Adam", [0.9, 0.999, 1e-8]),
        "weights": NONE,
        "biases": NONE,
        "recipe": RECIPE,
        "set": SET,
    }
    assert changes.keys() <= fine.keys()
    return tuple({**fine, **changes}.values())


def run_arguments(**changes: Any) -> dict[str, Any]:
    """Return the arguments of Plan.run, some of them changed."""
    rng = np.random.default_rng(0)
    fine = {
        "theta": rng.normal(size=SIZE),
        "memory": [np.zeros(SIZE), np.zeros(SIZE)],
        "average": None,
        "X": rng.normal(size=(ROWS, INPUTS)),
        "y": rng.integers(0, OUTPUTS, ROWS),
        "weight": np.ones(ROWS),
        "order": np.arange(ROWS),
        "batch": 4,
        "learning_rates": np.full(3, 0.01),
        "shares": None,
        "t": 0,
        "seed": 0,
        "step": 0,
        "losses": np.empty(3),
        "threads": 2,
    }
    assert changes.keys() <= fine.keys()
    return {**fine, **changes}


VALUE = ("theta", "X", "y", "weight", "threads")


def value_arguments(**changes: Any) -> dict[str, Any]:
    return {name: run_arguments(**changes)[name] for name in VALUE}


def predict_arguments(**changes: Any) -> dict[str, Any]:
    """Return the arguments of Plan.predict, some of them changed."""
    fine = {"theta": np.ones(SIZE), "X": np.ones((4, INPUTS)), "link": "softmax", "out": np.empty((4, 2)), "threads": 2}
    assert changes.keys() <= fine.keys()
    return {**fine, **changes}


def plan(**changes: Any) -> Any:
    return core.Plan(*plan_arguments(**changes))


WHOLE = st.one_of(st.integers(-50, 50), st.integers(-(2**65), 2**65), st.sampled_from([*NEGATIVE, *HUGE]))
SOMETHING = st.one_of(
    st.none(), st.text(max_size=3), WHOLE, st.floats(), st.lists(st.integers(0, 3), max_size=3), st.booleans()
)
