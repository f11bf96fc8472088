"""The native engine against the reference engine, its twin: values and gradients, and fifty steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from chainrule import Activation, Dense, Network, Objective, engines
from chainrule.engines import NativeEngine, ReferenceEngine
from chainrule.engines.native import core as native
from chainrule.engines.native import plans
from chainrule.losses import CrossEntropy, Loss, Poisson, SquaredError
from chainrule.mathematics.activations import ACTIVATIONS
from chainrule.optimizers import OPTIMIZERS, SGD, Adam, NAdam, UpdateRule
from chainrule.penalties import L1, L2
from support.naive_loops import RULES
from support.native_cases import (
    LATER,
    ONCE,
    Case,
    both_dtypes,
    cases,
    draw_data,
    draw_theta,
    every_loss,
    every_rule,
    memory_for,
    trainable,
)
from support.oracles import FLOOR, relative_error, worst_relative_error
from support.strategies import (
    ALL_LOSSES,
    LOSS_VARIANTS,
    draw_target,
)

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)


def assert_equal(case: Case, n_threads: int = 2) -> None:
    """Compare value and gradient of the two engines."""
    objective, theta = case.objective, case.theta
    engine = NativeEngine(objective, n_threads=n_threads)
    wanted, slopes = objective.value_and_gradient(theta)
    value, gradient = engine.value_and_gradient(theta)
    floor = 1.0 if isinstance(objective.loss, Poisson) else FLOOR  # Poisson's terms of size 1 cancel
    assert worst_relative_error(value, float(wanted), floor) <= ONCE[case.dtype]
    assert worst_relative_error(engine.value(theta), float(objective.value(theta)), floor) <= ONCE[case.dtype]
    assert gradient.dtype == theta.dtype
    assert relative_error(gradient, slopes) <= ONCE[case.dtype]


@given(cases())
@settings(max_examples=150)
def test_value_and_gradient(case: Case) -> None:
    assert_equal(case)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_value_and_gradient_of_every_activation(name: str) -> None:
    @given(cases(name, end=True))
    @settings(max_examples=10)
    def check(case: Case) -> None:
        assert_equal(case)

    check()


@every_loss
def test_value_and_gradient_of_every_loss(loss: Loss) -> None:
    @given(cases(loss=loss, end=False))
    @settings(max_examples=15)
    def check(case: Case) -> None:
        assert_equal(case)

    check()


@pytest.mark.parametrize(
    ("name", "chosen"), [("leaky_relu", {"slope": 0.3}), ("leaky_relu", {"slope": -0.5}), ("elu", {"alpha": 3.0})]
)
@both_dtypes
def test_settings_of_activations(name: str, chosen: dict[str, float], dtype: str) -> None:
    network = Network(5, [Dense(40), Activation(name, **chosen), Dense(3), Activation(name, **chosen)])
    rng = np.random.default_rng(0)
    theta = draw_theta(network, rng)
    X, y = draw_data(network, SquaredError(), theta, rng, 70, False)
    assert_equal(Case(Objective(network, SquaredError(), X.astype(dtype), y), theta.astype(dtype)))


@pytest.mark.parametrize("kinds", [("weight",), ("bias",), ("weight", "bias")])
@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("penalty", [L1, L2])
@both_dtypes
def test_penalties(penalty: Any, per_sample: bool, kinds: Any, dtype: str) -> None:
    rng, network = np.random.default_rng(1), Network(3, [Dense(33), Activation("tanh"), Dense(2)])
    theta, X, y = draw_theta(network, rng), rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    chosen = [penalty(0.3, per_sample, kinds), penalty(0.2, not per_sample), L2(0.1)]
    weight = rng.uniform(0.5, 2, 40)
    assert_equal(Case(Objective(network, SquaredError(), X.astype(dtype), y, weight, chosen), theta.astype(dtype)))


@both_dtypes
def test_weights_that_are_all_zero(dtype: str) -> None:
    rng, network = np.random.default_rng(1), Network(3, [Dense(4), Activation("tanh"), Dense(2)])
    X, y = rng.normal(size=(9, 3)).astype(dtype), rng.normal(size=(9, 2))
    objective = Objective(network, SquaredError(), X, y, np.zeros(9), [L2(0.1, per_sample=True)])
    assert_equal(Case(objective, draw_theta(network, rng).astype(dtype)))


@every_rule
@both_dtypes
@pytest.mark.parametrize(("rows", "batch"), [(150, 16), (150, 150), (1400, 300), (2700, 530)])
def test_fifty_steps_with_a_ragged_last_batch(name: str, dtype: str, rows: int, batch: int) -> None:
    case, rule = trainable(CrossEntropy(), dtype, rows), OPTIMIZERS[name]()
    steps = engines.steps_of(rows, batch)
    orders = [np.random.default_rng(k).permutation(rows) for k in range(-(-50 // steps))]
    if batch == rows:
        orders, steps = [None] * 5, 10
    run = []
    for engine in (ReferenceEngine(case.objective, rule), NativeEngine(case.objective, rule, n_threads=2)):
        theta, memory = case.theta.copy(), memory_for(rule, case)
        rates = [1.0 if name == "adadelta" else 0.002 / (1 + 0.1 * k) for k in range(steps)]
        done = [engine.run(theta, memory, order, batch, rates) for order in orders]
        run.append((theta, memory, [loss for part in done for loss in part.losses], done[-1].gradient_norm))
    (theta, memory, losses, norm), (got, kept, reported, length) = run
    assert len(losses) >= 50
    assert relative_error(got, theta) <= LATER[dtype]
    assert not np.array_equal(got, case.theta)
    assert kept.arrays.keys() == memory.arrays.keys()
    assert kept.t == memory.t == len(losses)
    for key in memory.arrays:
        assert relative_error(kept[key], memory[key]) <= LATER[dtype]
    assert relative_error(reported, losses) <= LATER[dtype]
    assert all(type(loss) is float for loss in reported)
    assert relative_error(length, norm) <= LATER[dtype]


@every_loss
@both_dtypes
def test_fifty_steps_of_every_loss(loss: Loss, dtype: str) -> None:
    case, rule = trainable(loss, dtype), SGD()
    order = np.random.default_rng(0).integers(0, 150, 50 * 8 - 3)
    thetas, losses = [], []
    for engine in (ReferenceEngine(case.objective, rule), NativeEngine(case.objective, rule, n_threads=2)):
        theta = case.theta.copy()
        losses.append(engine.run(theta, rule.zeros(theta.size), order, 8, [1e-3] * 50).losses)
        thetas.append(theta)
    assert relative_error(thetas[1], thetas[0]) <= LATER[dtype]
    assert relative_error(losses[1], losses[0]) <= LATER[dtype]


def test_a_run_works_in_place() -> None:
    case, rule = trainable(CrossEntropy(), "float64"), Adam()
    theta, memory = case.theta.copy(), rule.zeros(case.theta.size)
    arrays = memory["mean"], memory["square_mean"]
    NativeEngine(case.objective, rule).run(theta, memory, None, 150, [0.1])
    assert memory["mean"] is arrays[0]
    assert memory["square_mean"] is arrays[1]
    assert memory.t == 1


def test_no_learning_rates_no_steps() -> None:
    case = trainable(CrossEntropy(), "float64")
    theta, memory = case.theta.copy(), SGD().zeros(case.theta.size)
    steps = NativeEngine(case.objective, SGD()).run(theta, memory, None, 150, [])
    assert steps.losses == []
    assert memory.t == 0
    assert theta.tobytes() == case.theta.tobytes()


def test_the_gradient_leaves_theta_alone() -> None:
    case = trainable(CrossEntropy(), "float64")
    theta = case.theta.copy()
    engine = NativeEngine(case.objective)
    first = engine.value_and_gradient(theta)
    assert theta.tobytes() == case.theta.tobytes()
    again = engine.value_and_gradient(theta)
    assert first[0] == again[0]
    assert first[1].tobytes() == again[1].tobytes()


DECAYS = [NAdam(momentum_decay=decay) for decay in (0, 0.37, 1, 12.5, 1e300)]


@pytest.mark.parametrize("rule", [*(OPTIMIZERS[name]() for name in RULES), *DECAYS], ids=repr)
@pytest.mark.parametrize("t", [3, 4, 59, 1000, 123_456, 10**9])
def test_the_numbers_of_a_rule_at_any_step(rule: UpdateRule, t: int) -> None:
    case, moves = trainable(CrossEntropy(), "float64"), []
    for engine in (ReferenceEngine(case.objective, rule), NativeEngine(case.objective, rule)):
        theta, memory = case.theta.copy(), memory_for(rule, case)
        memory.t = t
        engine.run(theta, memory, None, case.objective.rows, [1e-3] * 3)
        moves.append(theta - case.theta)
    assert relative_error(moves[1], moves[0]) <= LATER["float64"]


def stopped(case: Case, order: Any, batch: int, steps: int, rule: UpdateRule, theta: Any = None) -> None:
    """Assert that both engines stop at the same step, with the same θ and memory."""
    theta = case.theta if theta is None else theta
    runs = []
    for engine in (ReferenceEngine(case.objective, rule), NativeEngine(case.objective, rule, n_threads=2)):
        moved, memory = theta.copy(), memory_for(rule, case)
        with np.errstate(all="ignore"):
            runs.append((engine.run(moved, memory, order, batch, [0.01] * steps), moved, memory))
    (wanted, moved, memory), (got, theirs, kept) = runs
    assert len(got.losses) == len(wanted.losses)
    assert kept.t == memory.t == len(got.losses) - 1
    assert np.isfinite(got.losses[:-1]).all()
    assert not np.isfinite(got.losses[-1])
    assert np.isnan(got.losses[-1]) == np.isnan(wanted.losses[-1])
    if not kept.t:
        assert theirs.tobytes() == theta.tobytes()
    np.testing.assert_allclose(theirs, moved, rtol=1e-4 if case.dtype == "float32" else 1e-10)


@every_loss
@both_dtypes
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_in_x_that_is_not_finite_stops_the_run(loss: Loss, dtype: str, bad: float) -> None:
    rng, network = np.random.default_rng(5), Network(3, [Dense(5), Activation("softplus"), Dense(3)])
    X, y = rng.normal(size=(40, 3)).astype(dtype), draw_target(loss, rng, 40, 3)
    X[21] = np.nan if bad != bad else np.inf
    theta = np.abs(network.initialize(0, dtype)) + np.asarray(0.01, dtype)
    case = Case(Objective(network, loss, X, y), theta)
    with np.errstate(all="ignore"):
        scores = network.forward(theta, X[21:22])
        if np.isfinite(float(loss.value(scores, case.objective.y[21:22]))):
            return  # an infinite margin on the right side costs nothing
    stopped(case, np.arange(40), 8, 5, SGD())
    stopped(case, None, 40, 3, Adam())


@every_rule
@both_dtypes
def test_nan_in_theta_stops_the_run_before_any_update(name: str, dtype: str) -> None:
    case = trainable(CrossEntropy(), dtype)
    for at in (0, case.theta.size // 2, case.theta.size - 1):
        theta = case.theta.copy()
        theta[at] = np.nan
        stopped(case, np.arange(150), 16, 10, OPTIMIZERS[name](), theta)


@pytest.mark.parametrize("rows", [5, 300, 600])
@both_dtypes
def test_a_batch_whose_loss_is_infinite(rows: int, dtype: str) -> None:
    rng, network = np.random.default_rng(0), Network(2, [Dense(3)])
    X, y = rng.normal(size=(rows, 2)).astype(dtype), rng.normal(size=(rows, 3))
    y[rows // 2] = 1e30 if dtype == "float32" else 1e200
    case = Case(Objective(network, SquaredError(), X, y), network.initialize(0, dtype))
    stopped(case, None, rows, 3, SGD())
    assert NativeEngine(case.objective).value(case.theta) == np.inf
    scores = np.full(3 * 3, 800.0, dtype)
    stopped(Case(Objective(network, Poisson(), np.abs(X) + 1, np.ones((rows, 3))), scores), None, rows, 2, SGD())


def test_every_loss_is_tried_with_settings_that_are_not_the_defaults() -> None:
    assert {type(loss) for loss in LOSS_VARIANTS} <= {type(loss) for loss in ALL_LOSSES}
    assert [plans._loss_setting(loss, 4) for loss in LOSS_VARIANTS] == [0.5, 0.3, 0.8, 0.1, 0.3]
