"""Every method beyond the update rules, by what all must do: resume to the same bits, keep θ's dtype, lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

import chainrule as cr
from chainrule import Activation, Dense, Network, Objective
from chainrule.engines import ReferenceEngine
from chainrule.losses import CrossEntropy, SigmoidCrossEntropy, SquaredError
from chainrule.optimizers import (
    BFGS,
    KFAC,
    OPTIMIZERS,
    BayesianRegularization,
    ConjugateGradients,
    DampedNewton,
    GradientDescent,
    HessianFree,
    LevenbergMarquardt,
    Memory,
    Muon,
    NaturalGradient,
    Newton,
    TrustRegion,
)
from chainrule.penalties import L2
from chainrule.storage.vocabulary import decode, encode
from support.killing import Killed, killing, same

METHODS: dict[str, Any] = {
    "gradient_descent": GradientDescent(),
    "newton": Newton(search="armijo"),
    "damped_newton": DampedNewton(),
    "bfgs": BFGS(),
    "lbfgs": cr.optimizers.LBFGS(),
    "cg": ConjugateGradients(),
    "trust_region": TrustRegion(),
    "trust_region, dogleg": TrustRegion("gauss_newton", "dogleg"),
    "trust_region, bfgs": TrustRegion("bfgs"),
    "hessian_free": HessianFree(),
    "hessian_free, its options": HessianFree(preconditioned=True, rows=0.5),
    "natural_gradient": NaturalGradient(),
    "kfac": KFAC(),
    "muon": Muon(0.1, adam_learning_rate=0.02),
    "levenberg_marquardt": LevenbergMarquardt(),
    "lm": LevenbergMarquardt(),
    "lm, scaled": LevenbergMarquardt(scaled=True),
    "bayesian": BayesianRegularization(noise=False),
}
every_method = pytest.mark.parametrize("name", list(METHODS))

CONVEX = ("newton",)
"""Those that only a convex problem is for."""


def iris(hidden: bool = True, dtype: str = "float64") -> tuple[Objective, Any]:
    """Return the iris, with a hidden matrix, or three sigmoids on them: a problem with one minimum."""
    X, y = load_iris(return_X_y=True)
    X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(dtype)
    inner = [Dense(5), Activation("tanh"), Dense(4), Activation("tanh")] if hidden else []
    network = Network(4, [*inner, Dense(3)])
    if not hidden:
        return Objective(network, SigmoidCrossEntropy(), X, np.eye(3)[y], penalties=[L2(1e-2)]), network.initialize(
            0, dtype
        )
    return Objective(network, CrossEntropy(), X, y, penalties=[L2(1e-2)]), network.initialize(0, dtype)


def settings(name: str, epochs: int = 8) -> dict[str, Any]:
    """Return the settings of a training: batches where the method takes them."""
    optimizer = METHODS[name]
    batch = None if optimizer.whole_batch else 40
    rate = optimizer.learning_rate
    chosen = {} if rate is None else {"schedule": cr.schedules.Exponential(rate, 0.9, "epoch")}
    return {"optimizer": optimizer, "epochs": epochs, "batch_size": batch, "seed": 5, **chosen}


def test_every_row_but_the_update_rules_is_here() -> None:
    rows = {name for name, kind in OPTIMIZERS.items() if not kind.elementwise}
    assert rows == {name.split(",")[0] for name in METHODS}
    assert all(isinstance(METHODS[name], OPTIMIZERS[name.split(",")[0]]) for name in METHODS)


@every_method
def test_a_small_network_comes_down(name: str) -> None:
    objective, start = iris(name not in CONVEX)
    result = cr.train(objective, start, **settings(name, 30))
    assert float(objective.value(result.theta)) < 0.5 * float(objective.value(start))


KNOWN = ("gradient_descent", "newton", "damped_newton", "bfgs", "lbfgs", "cg", "trust_region", "hessian_free")


@pytest.mark.parametrize("name", [*KNOWN, "natural_gradient", "trust_region, dogleg", "levenberg_marquardt"])
def test_a_convex_problem_has_one_minimum_for_all(name: str) -> None:
    objective, start = iris(hidden=False)
    result = cr.train(objective, start, **settings(name, 500))
    assert result.reason == "converged"
    wanted = cr.train(objective, start, optimizer=DampedNewton(tolerance=1e-12), epochs=100)
    assert float(objective.value(result.theta)) == pytest.approx(float(objective.value(wanted.theta)), rel=1e-5)
    np.testing.assert_allclose(result.theta, wanted.theta, atol=1e-2)


@every_method
@pytest.mark.parametrize("at", [1, 5])
def test_a_training_that_was_killed_ends_in_the_same_bits(name: str, at: int, tmp_path: Path) -> None:
    objective, start = iris(name not in CONVEX)
    whole = cr.train(objective, start, **settings(name))
    checkpoint = cr.Checkpoint(tmp_path / "run.checkpoint")
    if len(whole.history) > at:
        with killing("after_epoch", at - 1), pytest.raises(Killed):
            cr.train(objective, start, **settings(name), checkpoint=checkpoint)
        resumed = cr.train(objective, start, **settings(name), checkpoint=checkpoint)
        assert same(resumed, whole)
    state = cr.TrainingState(start.copy())
    for epochs in (2, 6):
        result = cr.train(objective, start, state=state, **settings(name, epochs))
    assert result.theta.tobytes() == whole.theta.tobytes()


@every_method
def test_a_killed_step_on_batches_or_all_rows_resumes_too(name: str, tmp_path: Path) -> None:
    objective, start = iris(name not in CONVEX)
    whole = cr.train(objective, start, **settings(name, 4))
    checkpoint = cr.Checkpoint(tmp_path / "run.checkpoint", every="1 step")
    if whole.state.step > 2:
        with killing("after_steps", 1), pytest.raises(Killed):
            cr.train(objective, start, **settings(name, 4), checkpoint=checkpoint)
    assert same(cr.train(objective, start, **settings(name, 4), checkpoint=checkpoint), whole)


@every_method
def test_float32_is_asked_and_given_in_float32(name: str) -> None:
    objective, start = iris(name not in CONVEX, "float32")
    result = cr.train(objective, start, **settings(name, 20))
    assert result.theta.dtype == np.float32
    assert float(objective.value(result.theta)) < 0.6 * float(objective.value(start))
    single = ReferenceEngine(objective, METHODS[name])
    memory = METHODS[name].init(objective.network, start)
    moved, _, report = METHODS[name].step(single, start, memory, METHODS[name].learning_rate or 1.0)
    assert moved.dtype == np.float32
    assert np.isfinite(report.loss)


@every_method
def test_no_argument_is_changed(name: str) -> None:
    objective, theta = iris(name not in CONVEX)
    optimizer, ask = METHODS[name], ReferenceEngine(objective)
    memory = optimizer.init(objective.network, theta)
    for _ in range(4):
        for array in (theta, *memory.arrays.values()):
            array.flags.writeable = False
        before = Memory(memory.t, {k: np.array(v) for k, v in memory.arrays.items()}, dict(memory.numbers))
        moved, after, _ = optimizer.step(ask, theta, memory, optimizer.learning_rate or 1.0)
        assert (memory.t, memory.numbers) == (before.t, before.numbers)
        assert all(memory[key].tobytes() == before[key].tobytes() for key in before.arrays)
        assert ({*after.arrays}, {*after.numbers}) == ({*memory.arrays}, {*memory.numbers})
        theta, memory = (
            np.array(moved),
            Memory(after.t, {k: np.array(v) for k, v in after.arrays.items()}, after.numbers),
        )


@every_method
def test_zero_residuals_are_an_end_and_not_an_error(name: str) -> None:
    network = Network(2, [Dense(3), Activation("tanh"), Dense(1)])
    X, theta = np.random.default_rng(0).normal(size=(20, 2)), network.initialize(1)
    objective = Objective(network, SquaredError(), X, network.forward(theta, X))
    result = cr.train(objective, theta, **settings(name, 3))
    if name == "bayesian":
        return  # without noise its prior outweighs twenty rows; what else it does is tested beside its formulas
    assert float(objective.value(result.theta)) < 1e-2  # a decay may move θ, nothing else may
    if METHODS[name].whole_batch:
        assert result.reason == "converged"
        assert result.theta.tobytes() == theta.tobytes()


@every_method
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite_is_one_line_and_loses_nothing(name: str) -> None:
    network = Network(1, [Dense(1)])
    objective = Objective(network, SquaredError(), np.full((2, 1), 1e200), np.array([1.0, 2.0]))
    with pytest.raises(cr.DivergenceError, match="training diverged at step 0") as caught:
        cr.train(objective, np.ones(2), **settings(name, 3))
    assert "\n" not in str(caught.value)
    assert caught.value.state.theta.tolist() == [1.0, 1.0]


@every_method
def test_a_singular_matrix_is_one_line_or_no_obstacle(name: str) -> None:
    X = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])  # two weights that are not told apart
    objective = Objective(Network(2, [Dense(1)]), SquaredError(), X, np.array([2.0, 4.0, 6.5]))
    start = np.array([0.3, -0.2, 0.0])
    result = cr.train(objective, start, **settings(name, 30))
    assert "\n" not in result.message
    assert np.isfinite(result.theta).all()
    assert float(objective.value(result.theta)) <= float(objective.value(start))
    if METHODS[name].whole_batch and name not in ("newton", "bayesian", "gradient_descent"):
        assert float(objective.value(result.theta)) == pytest.approx(1 / 144, rel=1e-3)


@every_method
def test_an_indefinite_hessian_is_one_line_or_no_obstacle(name: str) -> None:
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    network = Network(2, [Dense(4), Activation("tanh"), Dense(1)])
    objective = Objective(network, SigmoidCrossEntropy(), X, np.array([0.0, 1.0, 1.0, 0.0]))
    start = network.initialize(0)
    result = cr.train(objective, start, **settings(name, 60))
    assert np.isfinite(result.theta).all()
    if name == "newton":
        assert result.reason == "gave up"
        assert result.message.startswith("the Hessian is not positive definite here")
        assert "\n" not in result.message
        assert result.theta.tobytes() == start.tobytes()
    elif name not in ("kfac", "muon", "bayesian", "gradient_descent", "lm, scaled"):
        assert float(objective.value(result.theta)) < 0.1


@every_method
def test_files_hold_it(name: str) -> None:
    assert decode(encode(METHODS[name])) == METHODS[name]


EARLY: dict[str, Callable[[], dict[str, Any]]] = {
    "time": lambda: {"time_limit": 0.0},
    "no change": lambda: {"stopping": cr.Stopping("loss", 1e9, patience=1)},
}


@every_method
@pytest.mark.parametrize("reason", list(EARLY))
def test_it_is_stopped_like_any_other(name: str, reason: str) -> None:
    objective, start = iris(name not in CONVEX)
    result = cr.train(objective, start, **settings(name, 20), **EARLY[reason]())
    assert result.reason == reason
    assert len(result.history) < 20
