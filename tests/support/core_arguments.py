"""Arguments of the core's functions that are right, to be changed one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from chainrule.engines.native import core as native

core: Any = native._core
"""None where the core was not built: the tests skip then."""

SET = next(iter(native.instruction_sets()), "")
REFUSALS = (ValueError, TypeError, MemoryError, OverflowError)
HUGE = (2**31, 2**40, 2**62, 2**63 - 1, 2**63, 2**64, 10**30)
NEGATIVE = (-1, -(2**31), -(2**40), 1 - 2**63, -(2**63), -(2**64))

ROWS, INPUTS, UNITS, OUTPUTS = 9, 3, 5, 2
SIZE = INPUTS * UNITS + UNITS + UNITS * OUTPUTS + OUTPUTS
HIDDEN: dict[str, Any] = {"outputs": UNITS, "weights": 0, "biases": 15, "activation": "tanh"}
LAST: dict[str, Any] = {"outputs": OUTPUTS, "weights": 20, "biases": 30}
RATES = {"weight": 1.0, "bias": 1.0, "scale": 1.0, "slope": 1.0}
RECIPE: dict[str, Any] = {"rates": RATES, "part": 1}
ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}


def plan_arguments(**changes: Any) -> dict[str, Any]:
    """Return the arguments of a Plan that trains a 3-5-2 network with Adam, some of them changed."""
    fine = {
        "dtype": "float64",
        "inputs": INPUTS,
        "input": {},
        "layers": [HIDDEN, LAST],
        "parameters": SIZE,
        "batch": ROWS,
        "loss": "cross_entropy",
        "loss_setting": 0.0,
        "rule": "Adam",
        "settings": ADAM,
        "weights": {},
        "biases": {},
        "recipe": RECIPE,
        "set": SET,
    }
    assert changes.keys() <= fine.keys()
    return {**fine, **changes}


STRUCTS = {"input": "Noise", "weights": "Penalty", "biases": "Penalty", "recipe": "Recipe"}


def structured(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a Plan with the core's structs in place of dicts of their fields."""
    made = dict(arguments)
    for name, struct in STRUCTS.items():
        if isinstance(made.get(name), dict):
            made[name] = getattr(core, struct)(**made[name])
    if isinstance(made["layers"], list):
        made["layers"] = [core.Layer(**layer) if isinstance(layer, dict) else layer for layer in made["layers"]]
    return made


def run_arguments(**changes: Any) -> dict[str, Any]:
    """Return the fields of the steps of a Plan, some of them changed."""
    rng = np.random.default_rng(0)
    fine = {
        "theta": rng.normal(size=SIZE),
        "memory": {"mean": np.zeros(SIZE), "square_mean": np.zeros(SIZE)},
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
    return core.Plan(**structured(plan_arguments(**changes)))


def run(made: Any, **changes: Any) -> Any:
    """Return the answer of a plan to the steps of `run_arguments`."""
    return made.run(core.Steps(**run_arguments(**changes)))


WHOLE = st.one_of(st.integers(-50, 50), st.integers(-(2**65), 2**65), st.sampled_from([*NEGATIVE, *HUGE]))
SOMETHING = st.one_of(
    st.none(), st.text(max_size=3), WHOLE, st.floats(), st.lists(st.integers(0, 3), max_size=3), st.booleans()
)
