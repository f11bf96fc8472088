"""The native engine as its callers see it: what it takes, and the words with which it refuses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from chainrule import Activation, Dense, Network, Objective, engines, train
from chainrule.engines import NativeEngine
from chainrule.engines.native import core as native
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.optimizers import Adam, Memory
from support.core_arguments import (
    INPUTS,
    OUTPUTS,
    REFUSALS,
    ROWS,
    SIZE,
    UNITS,
    run_arguments,
)

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)


def objective(**changes: Any) -> Objective:
    """Return cross entropy of a 3-5-2 network on nine rows, or something else."""
    network = Network(INPUTS, [Dense(UNITS), Activation("tanh"), Dense(OUTPUTS)])
    given = {"loss": CrossEntropy(), "X": run_arguments()["X"], "y": run_arguments()["y"], **changes}
    return Objective(network, **given)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"theta": np.ones(SIZE, "f4")}, "theta must hold float64 numbers"),
        ({"theta": np.ones(SIZE - 1)}, r"theta must have shape \(32,\), got \(31,\)"),
        ({"theta": np.ones(2 * SIZE)[::2]}, "theta must be contiguous, in C order"),
        ({"order": np.arange(9, dtype="i4")}, "order must hold int64 numbers"),
        ({"order": np.arange(9) + 1}, "order holds row 9 of 9"),
        ({"order": np.arange(9) - 1}, "order holds row -1 of 9"),
        ({"order": np.arange(8)}, "order must hold one batch for every learning rate"),
        ({"batch_size": 0}, "batches of this engine have 1 to 0 rows"),
        ({"memory": Memory()}, r"the memory of Adam is called \(mean, square_mean\), got \(\)"),
        ({"memory": Memory(-1, {"mean": np.zeros(SIZE), "square_mean": np.zeros(SIZE)})}, "t must not be negative"),
        (
            {"memory": Memory(0, {"mean": np.zeros(SIZE), "square_mean": np.zeros(3)})},
            r"memory must have shape \(32,\)",
        ),
    ],
    ids=str,
)
def test_the_engine_says_what_does_not_fit(changes: dict[str, Any], words: str) -> None:
    engine = NativeEngine(objective(), Adam())
    fine = {
        "theta": np.ones(SIZE),
        "memory": Adam().zeros(SIZE),
        "order": np.arange(9),
        "batch_size": 4,
        "learning_rates": [0.1] * 3,
    }
    with pytest.raises(ValueError, match=words):
        engine.run(**{**fine, **changes})


@pytest.mark.parametrize("theta", [None, "x", 3.0, [1.0] * SIZE, {}], ids=repr)
def test_the_engine_refuses_what_is_no_theta(theta: Any) -> None:
    for call in (NativeEngine(objective()).value, NativeEngine(objective()).value_and_gradient):
        with pytest.raises(REFUSALS):
            call(theta)


def test_rows_in_any_memory_order_are_taken() -> None:
    X, theta = np.asfortranarray(run_arguments()["X"]), np.linspace(-1, 1, SIZE)
    wanted = NativeEngine(objective()).value(theta)
    for same in (X, np.repeat(X, 2, axis=0)[::2], X.astype(">f8").astype(float)):
        assert NativeEngine(objective(X=same)).value(theta) == wanted
    y = np.repeat(run_arguments()["y"].astype("i2"), 2)[::2]
    assert NativeEngine(objective(y=y)).value(theta) == wanted


@pytest.mark.parametrize("dtype", ["f2", "i8", ">f8", "c16"])
def test_what_the_core_does_not_hold_is_named(dtype: str) -> None:
    X = np.ones((ROWS, INPUTS)).astype(dtype)
    with pytest.raises(ValueError, match="the native engine cannot run this: X holds"):
        NativeEngine(objective(X=X, loss=SquaredError(), y=np.ones((ROWS, OUTPUTS))))


def test_classes_changed_behind_the_engines_back_are_not_seen() -> None:
    y = run_arguments()["y"].copy()
    engine = NativeEngine(objective(y=y))
    before = engine.value(np.ones(SIZE))
    y[3] = 99
    assert engine.value(np.ones(SIZE)) == before


def test_memory_that_is_not_aligned_is_taken() -> None:
    X, theta = run_arguments()["X"], np.linspace(-1, 1, SIZE)
    shifted = np.zeros(X.nbytes + 1, np.uint8)[1:].view(float).reshape(X.shape)
    shifted[:] = X
    weight = np.zeros(8 * ROWS + 1, np.uint8)[1:].view(float)
    weight[:] = 1
    engine = NativeEngine(objective(X=shifted, sample_weight=weight))
    assert engine.value(theta) == NativeEngine(objective(sample_weight=np.ones(ROWS))).value(theta)
    network = objective().network
    got, wanted = (engines.predict("native", network, theta, rows) for rows in (shifted, X))
    assert got.tobytes() == wanted.tobytes()


@pytest.mark.skipif("thread" in os.environ.get("CHAINRULE_SANITIZED", ""), reason="polars does not load there")
def test_weights_mapped_from_a_file_predict_the_same_bits_and_train_on(tmp_path: Path) -> None:
    from chainrule import MLPClassifier

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)), np.arange(50) % 3
    model = MLPClassifier((9,), max_iter=3, random_state=0, n_iter_no_change=9).partial_fit(X, y, classes=range(3))
    joblib.dump(model, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    assert not mapped.theta_.flags.writeable
    assert mapped.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert mapped.partial_fit(X, y).theta_.tobytes() == model.partial_fit(X, y).theta_.tobytes()


def test_no_rows_are_refused_by_the_engine_and_predicted_to_nothing() -> None:
    empty = objective(X=np.empty((0, INPUTS)), y=np.empty(0, int))
    with pytest.raises(ValueError, match="X holds no rows"):
        NativeEngine(empty).value(np.ones(SIZE))
    assert engines.predict("native", empty.network, np.ones(SIZE), np.empty((0, INPUTS))).shape == (0, OUTPUTS)


def test_an_objective_of_another_kind_is_named() -> None:
    class Mine(Objective):
        pass

    fine = objective()
    mine = Mine(fine.network, fine.loss, fine.X, fine.y)
    with pytest.raises(ValueError, match="the native engine cannot run this: the objective"):
        train(mine, np.ones(SIZE), engine="native")


def test_theta_of_the_wrong_dtype_is_named() -> None:
    with pytest.raises(ValueError, match="X holds float64 numbers and θ float32"):
        train(objective(), np.ones(SIZE, "f4"), engine="native")


@pytest.mark.parametrize("chosen", ["nonsense", "AVX512", "avx512,avx2", " "])
def test_an_instruction_set_that_is_not_here_is_named(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_INSTRUCTIONS", chosen)
    words = f"CHAINRULE_INSTRUCTIONS is {chosen!r}; this machine has: {', '.join(native.instruction_sets())}"
    for call in (native.instruction_set, lambda: NativeEngine(objective()).value(np.ones(SIZE))):
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(ValueError, match=words):
        train(objective(), np.ones(SIZE))


@pytest.mark.parametrize("chosen", ["0", "x", "-1", "1.5", "1e3", " "])
def test_a_number_of_threads_that_makes_no_sense_is_named(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", chosen)
    words = f"CHAINRULE_NUM_THREADS must be a whole number of at least 1, got {chosen!r}"
    for call in (native.threads, lambda: NativeEngine(objective()), lambda: train(objective(), np.ones(SIZE))):
        with pytest.raises(ValueError, match=words):
            call()
    monkeypatch.delenv("CHAINRULE_NUM_THREADS")
    for number in (0, -1, 1.5, "x"):
        with pytest.raises(ValueError, match="n_threads must be a whole number of at least 1"):
            NativeEngine(objective(), n_threads=number)


def test_the_environment_sets_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "5")
    assert native.threads() == 5
    assert native.threads(3) == 3
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "10" * 9)
    assert native.threads() == 256
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert native.threads() == 1
