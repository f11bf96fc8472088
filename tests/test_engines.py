"""The reference engine: the updates it makes, what it reports, and where it stops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Dense, Network, Objective
from chainrule.blocks import PREDICTING, Context
from chainrule.engines import ENGINES, ReferenceEngine, choose, steps_of
from chainrule.engines import reference as reference_module
from chainrule.losses import SquaredError
from chainrule.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Momentum, UpdateRule
from naive_loops import RULES, Watching, classification


def naive_run(objective: Objective, rule: UpdateRule, theta: Any, batches: list[Any], rates: Any) -> Any:
    """Return θ, the memory, the losses and the last gradient after one whole, pure update per batch."""
    memory, losses, gradient = rule.init(theta.size, theta.dtype.name), [], None
    for rows, rate in zip(batches, rates, strict=True):
        part = Objective(
            objective.network,
            objective.loss,
            objective.X[rows],
            objective.y[rows],
            objective.sample_weight[rows],
            objective.penalties,
        )
        loss, gradient = part.value_and_gradient(theta)
        losses.append(float(loss))
        theta, memory = rule.update(theta, gradient, memory, rate)
    return theta, memory, losses, gradient


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_against_the_naive_loop_bit_for_bit(name: str, dtype: str) -> None:
    objective, start = classification(dtype=dtype)
    rule, order = OPTIMIZERS[name](), np.array([3, 1, 4, 9, 5, 2, 6, 0, 8, 7])
    batches = [order[0:4], order[4:8], order[8:]]
    wanted, memory, losses, gradient = naive_run(objective, rule, start, batches, [0.1, 0.2, 0.3])
    theta, state = start.copy(), rule.init(start.size, dtype)
    steps = ReferenceEngine(objective, rule).run(theta, state, order, 4, [0.1, 0.2, 0.3])
    assert theta.dtype == dtype
    assert theta.tobytes() == wanted.tobytes()
    assert state.keys() == memory.keys()
    assert all(np.array_equal(state[key], memory[key]) for key in memory)
    assert steps.losses == losses
    assert all(type(loss) is float for loss in steps.losses)
    assert steps.gradient_norm == float(np.linalg.norm(gradient))


def test_without_an_order_every_step_takes_all_rows() -> None:
    objective, start = classification()
    wanted, *_ = naive_run(objective, Adam(), start, [slice(None)] * 3, [0.1] * 3)
    theta = start.copy()
    ReferenceEngine(objective, Adam()).run(theta, Adam().init(start.size), None, 10, [0.1] * 3)
    assert theta.tobytes() == wanted.tobytes()


def test_a_run_works_in_place() -> None:
    objective, start = classification()
    theta, state = start.copy(), Momentum().init(start.size)
    delta = state["delta"]
    ReferenceEngine(objective, Momentum()).run(theta, state, None, 10, [0.1])
    assert state["delta"] is delta
    assert np.abs(delta).max() > 0
    np.testing.assert_array_equal(theta, start - delta)
    assert state["t"] == 1


def test_no_learning_rates_no_steps() -> None:
    objective, start = classification()
    theta = start.copy()
    steps = ReferenceEngine(objective, SGD()).run(theta, SGD().init(start.size), None, 10, [])
    assert steps.losses == []
    assert theta.tobytes() == start.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_it_stops_before_the_update_of_a_batch_whose_loss_is_not_finite(bad: float) -> None:
    X = np.ones((5, 1))
    X[3] = bad
    objective = Objective(Network(1, [Dense(1)]), SquaredError(), X, np.full(5, 2.0))
    theta, state, expected = np.zeros(2), SGD().init(2), np.zeros(2)
    with np.errstate(invalid="ignore"):
        steps = ReferenceEngine(objective, SGD()).run(theta, state, np.arange(5), 1, [0.1] * 5)
    for _ in range(3):
        expected -= 0.1 * (expected.sum() - 2.0) * np.ones(2)
    np.testing.assert_allclose(theta, expected, rtol=1e-14)
    assert state["t"] == 3
    assert len(steps.losses) == 4
    assert np.isfinite(steps.losses[:3]).all()
    assert not np.isfinite(steps.losses[3])


def test_blocks_see_the_mode_the_seed_and_the_step() -> None:
    block = Watching()
    objective = Objective(Network(1, [Dense(1), block]), SquaredError(), np.ones((4, 1)), np.ones(4))
    engine = ReferenceEngine(objective, SGD(), seed=7)
    engine.run(np.zeros(2), SGD().init(2), np.arange(4), 2, [0.1, 0.1], first_step=40)
    assert block.seen == [Context(True, 7, 40), Context(True, 7, 41)]
    engine.forward(objective.network, np.zeros(2), objective.X)
    assert block.seen[2:] == [PREDICTING]


def test_forward_is_the_networks() -> None:
    objective, theta = classification()
    scores = ReferenceEngine.forward(objective.network, theta, objective.X)
    assert scores.shape == (10, 2)
    assert scores.tobytes() == objective.network.forward(theta, objective.X).tobytes()


@pytest.mark.parametrize("size", [1, 6, 7, 8, 14, 20])
def test_apply_covers_every_entry_whatever_the_piece(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_module, "PIECE", 7)
    rng = np.random.default_rng(size)
    rule, start, gradient = AdamW(weight_decay=0.1), rng.normal(size=size), rng.normal(size=size)
    decayed = rng.integers(0, 2, size)
    theta, state = start.copy(), rule.init(size, decayed=decayed)
    wanted, memory = start, rule.init(size, decayed=decayed)
    for _ in range(3):
        reference_module.apply(rule, theta, gradient, state, 0.1)
        wanted, memory = rule.update(wanted, gradient, memory, 0.1)
    assert theta.tobytes() == wanted.tobytes()
    assert state["t"] == memory["t"] == 3
    assert all(np.array_equal(state[key], memory[key]) for key in memory)


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_steps_of_counts_the_batches(rows: int, batch_size: int) -> None:
    assert steps_of(rows, batch_size) == len(range(0, rows, batch_size))


def test_choosing_an_engine() -> None:
    assert choose("auto") in ENGINES.values()
    for name, engine in ENGINES.items():
        assert choose(name) is engine
        assert engine.name == name
    with pytest.raises(ValueError, match=f"engine 'gpu' is not in this build; accepted: auto, {', '.join(ENGINES)}"):
        choose("gpu")
