"""Traces that a step must not leave behind: disturbed inputs in the workspace, denormal numbers in θ."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import pytest

from chainrule.engines.native import core as native
from support.core_arguments import ROWS, core, plan, run, run_arguments

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)

WIDE = 64
DISTURBANCES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "noise": {"input": {"deviation": 0.5, "noise_block": 1}},
    "dropout": {"input": {"dropped": 20000, "dropout_block": 1}},
    "both": {"input": {"dropped": 20000, "dropout_block": 1, "deviation": 0.5, "noise_block": 2}},
    "augmented": {
        "recipe": {
            "rates": {"weight": 1.0, "bias": 1.0, "scale": 1.0, "slope": 1.0},
            "part": 1,
            "augmentations": [("noise", [0.5], (1, 3, 1))],
        }
    },
}
"""The disturbances of a step's inputs: fields of a plan."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", DISTURBANCES)
def test_steps_on_all_rows_find_the_inputs_undisturbed(name: str, dtype: str) -> None:
    """All rows may stay gathered from step to step; then four steps at once are four steps one by one, bit for bit."""
    ends = []
    for pieces in ([4], [1, 1, 1, 1], [2, 2]):
        made, done = plan(dtype=dtype, **DISTURBANCES[name]), 0
        given = run_arguments(order=None, batch=ROWS)
        arrays = {key: given[key].astype(dtype) for key in ("theta", "X", "weight")}
        memory = {key: array.astype(dtype) for key, array in given["memory"].items()}
        for steps in pieces:
            counts = {"t": done, "step": done, "learning_rates": np.full(steps, 0.1), "losses": np.empty(steps)}
            assert made.run(core.Steps(**{**given, **arrays, "memory": memory, **counts}))[0] == steps
            done += steps
        ends.append(arrays["theta"].tobytes())
    assert len({*ends}) == 1


def test_noise_on_the_inputs_changes_what_is_learnt() -> None:
    """Or else the test above would compare nothing."""
    thetas = [run_arguments()["theta"] for _ in DISTURBANCES]
    for theta, changes in zip(thetas, DISTURBANCES.values(), strict=True):
        run(plan(**changes), theta=theta)
    assert len({theta.tobytes() for theta in thetas}) == len(DISTURBANCES)


flushes = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64", "aarch64", "arm64"), reason="this processor has no such switch"
)
DENORMAL = {"float32": 1e-40, "float64": 1e-310}


def wide(dtype: str, batch: int = WIDE) -> Any:
    """Return a plan of a 64-64-2 network without biases, large enough for several threads."""
    layers = [{"outputs": WIDE, "weights": 0}, {"outputs": 2, "weights": WIDE * WIDE}]
    loss = {"loss": "squared_error", "loss_setting": 1.0, "rule": "SGD", "settings": {}}
    recipe = {"rates": {"weight": 1.0, "bias": 1.0, "scale": 1.0, "slope": 1.0}, "part": 1}
    sizes = {"inputs": WIDE, "layers": layers, "parameters": WIDE * WIDE + 2 * WIDE, "batch": batch}
    return plan(dtype=dtype, recipe=recipe, **sizes, **loss)


@flushes
@pytest.mark.parametrize("threads", [1, 3])
def test_denormal_weights_are_zero_after_a_float32_step(threads: int) -> None:
    theta = np.full(WIDE * WIDE + 2 * WIDE, DENORMAL["float32"], "f4")
    given = {"X": np.zeros((WIDE, WIDE), "f4"), "y": np.zeros((WIDE, 2), "f4"), "weight": None, "order": None}
    assert theta.all()
    run(wide("float32"), theta=theta, memory={}, threads=threads, **given)
    np.testing.assert_array_equal(theta, 0)


def test_denormal_weights_stay_after_a_float64_step() -> None:
    theta = np.full(WIDE * WIDE + 2 * WIDE, DENORMAL["float64"])
    given = {"X": np.zeros((WIDE, WIDE)), "y": np.zeros((WIDE, 2)), "weight": None, "order": None}
    run(wide("float64"), theta=theta, memory={}, **given)
    np.testing.assert_array_equal(theta, DENORMAL["float64"])


@flushes
@pytest.mark.parametrize("rows", [1, WIDE * WIDE])
def test_denormal_inputs_are_zero_for_float32_values_and_predictions(rows: int) -> None:
    theta, out = np.full(WIDE * WIDE + 2 * WIDE, 1e15, "f4"), np.empty((rows, 2), "f4")
    X, y = np.full((rows, WIDE), DENORMAL["float32"], "f4"), np.zeros((rows, 2), "f4")
    wide("float32", batch=0).predict(theta=theta, X=X, link="identity", out=out, threads=3)
    np.testing.assert_array_equal(out, 0)
    assert wide("float32").value(theta=theta, X=X, y=y, weight=None, threads=3) == 0


def test_denormal_numbers_are_back_after_a_step() -> None:
    test_denormal_weights_stay_after_a_float64_step()
    theta = np.ones(WIDE * WIDE + 2 * WIDE, "f4")
    given = {"X": np.zeros((WIDE, WIDE), "f4"), "y": np.zeros((WIDE, 2), "f4"), "weight": None, "order": None}
    run(wide("float32"), theta=theta, memory={}, threads=1, **given)
    assert np.float32(1e-30) * np.float32(1e-10) > 0
