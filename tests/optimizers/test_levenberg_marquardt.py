"""Levenberg-Marquardt and Bayesian regularisation: MATLAB's rules step by step, γ by its definition, and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import Activation, Dense, Network, Objective
from chainrule.engines import ReferenceEngine
from chainrule.losses import CrossEntropy, SigmoidCrossEntropy, SquaredError
from chainrule.mathematics.curvature import gauss_newton, jacobian
from chainrule.optimizers import BayesianRegularization, LevenbergMarquardt, Memory
from support.oracles import relative_error


def sine(rows: int = 40, hidden: int = 5, noise: float = 0.0) -> tuple[Objective, Any]:
    """Return a fit of sin(πx), with noise, and a start."""
    x = np.linspace(-1, 1, rows)[:, None]
    y = np.sin(np.pi * x) + noise * np.random.default_rng(0).normal(size=x.shape)
    network = Network(1, [Dense(hidden), Activation("tanh"), Dense(1)])
    return Objective(network, SquaredError(), x, y), network.initialize(3)


def squares(objective: Objective, theta: Any) -> float:
    """Return the sum of squares."""
    return float(np.sum((objective.network.forward(theta, objective.X) - objective.y) ** 2))


def trainlm(objective: Objective, theta: Any, steps: int, scaled: bool = False) -> Any:
    """Yield θ and μ after every step of MATLAB's rules: μ / 10 after a better step, 10 μ after a worse."""
    mu = 1e-3
    for _ in range(steps):
        J = jacobian(objective.network, theta, objective.X)[:, 0]
        e = (objective.network.forward(theta, objective.X) - objective.y)[:, 0]
        tried = 0
        while True:
            tried += 1
            damping = mu * (np.diag(J.T @ J) if scaled else np.ones(theta.size))
            ahead = theta + np.linalg.solve(J.T @ J + np.diag(damping), -J.T @ e)
            if squares(objective, ahead) < squares(objective, theta):
                break
            mu *= 10
        theta, mu = ahead, 0.1 * mu
        yield theta, mu, tried


@pytest.mark.parametrize("rows", [40, 8])
@pytest.mark.parametrize("scaled", [False, True])
def test_every_step_is_matlabs(scaled: bool, rows: int) -> None:
    objective, theta = sine(rows)
    optimizer, ask = LevenbergMarquardt(scaled=scaled), ReferenceEngine(objective)
    memory, tries = optimizer.init(objective.network, theta), 0
    for wanted, mu, tried in trainlm(objective, theta, 12, scaled):
        theta, memory, report = optimizer.step(ask, theta, memory, 1.0)
        assert relative_error(theta, wanted) <= 1e-6
        assert memory.numbers["damping"] == pytest.approx(mu, rel=1e-12)
        assert report.loss == pytest.approx(objective.value(theta), rel=1e-12)
        theta, tries = wanted, tries + tried
    if not scaled:
        assert tries > 12  # the rule for a worse step has been seen too


def test_fewer_rows_than_parameters_take_the_smaller_matrix_to_the_same_step() -> None:
    objective, theta = sine(6, 8)
    double = Objective(objective.network, objective.loss, np.tile(objective.X, (9, 1)), np.tile(objective.y, (9, 1)))
    optimizer = LevenbergMarquardt(damping=0.1)
    ninth = LevenbergMarquardt(damping=0.9)  # nine times the rows
    one = optimizer.step(ReferenceEngine(objective), theta, optimizer.init(None, theta), 1.0)[0]
    other = ninth.step(ReferenceEngine(double), theta, ninth.init(None, theta), 1.0)[0]
    assert relative_error(one, other) <= 1e-9


def test_a_small_network_comes_to_nothing() -> None:
    objective, theta = sine()
    result = cr.train(objective, theta, optimizer=LevenbergMarquardt(), epochs=1000)
    assert float(objective.value(result.theta)) < 1e-6
    assert np.all(np.diff([event.loss for event in result.history]) < 0)


@pytest.mark.parametrize("loss", [CrossEntropy(), SigmoidCrossEntropy()])
def test_other_losses_use_their_own_curvature(loss: Any) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 3))
    hard = isinstance(loss, CrossEntropy)
    y = (X[:, 0] + 0.5 * rng.normal(size=60) > 0).astype(np.int64 if hard else float)
    network = Network(3, [Dense(2 if hard else 1)])
    objective = Objective(network, loss, X, y, penalties=[cr.penalties.L2(1e-2)])
    result = cr.train(objective, network.initialize(0), optimizer=LevenbergMarquardt(tolerance=1e-9), epochs=50)
    assert result.reason == "converged"
    assert np.abs(objective.gradient(result.theta)).max() <= 1e-9


def test_it_ends_where_no_damping_helps_and_loses_nothing() -> None:
    class Wrong(ReferenceEngine):
        def value(self, theta: Any) -> float:
            return np.inf

    objective, theta = sine()
    optimizer = LevenbergMarquardt(largest=1e3)
    memory = optimizer.init(None, theta)
    after, kept, report = optimizer.step(Wrong(objective), theta, memory, 1.0)
    assert after.tobytes() == theta.tobytes()
    assert kept.numbers == memory.numbers
    assert report.message == "no damping up to 1000 makes the loss smaller"


def test_zero_residuals_and_a_loss_that_is_not_finite() -> None:
    objective, theta = sine()
    exact = Objective(objective.network, SquaredError(), objective.X, objective.network.forward(theta, objective.X))
    result = cr.train(exact, theta, optimizer=LevenbergMarquardt())
    assert (result.reason, result.message) == ("converged", "every entry of the gradient is at most 1e-07")
    assert result.theta.tobytes() == theta.tobytes()
    wild = Objective(Network(1, [Dense(1)]), SquaredError(), np.full((2, 1), 1e200), np.array([1.0, 2.0]))
    with pytest.raises(cr.DivergenceError, match="training diverged at step 0"):
        cr.train(wild, np.ones(2), optimizer=LevenbergMarquardt())


def test_a_singular_matrix_is_no_obstacle() -> None:
    network = Network(2, [Dense(1)])
    X = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])  # the two weights are not told apart
    objective = Objective(network, SquaredError(), X, np.array([2.0, 4.0, 6.5]))
    for scaled in (False, True):
        result = cr.train(objective, np.array([0.3, -0.2, 0.0]), optimizer=LevenbergMarquardt(scaled=scaled))
        assert float(objective.value(result.theta)) == pytest.approx(1 / 144, rel=1e-6)


def test_more_parameters_than_memory_are_refused_before_the_work() -> None:
    network = Network(784, [Dense(256), Activation("relu"), Dense(10)])
    words = r"holds P × P numbers, 200 MB for P = 5,000; this network has 203,530: take hessian_free or lbfgs"
    for optimizer in (LevenbergMarquardt(), BayesianRegularization()):
        with pytest.raises(ValueError, match=words):
            optimizer.init(network, np.zeros(network.size, np.float32))


# --------------------------------------------------------------------------------------------- Bayesian regularisation


def gamma(objective: Objective, theta: Any, alpha: float, beta: float) -> float:
    """Return γ = P - 2 α tr(H⁻¹) with MATLAB's H = 2 β JᵀJ + 2 α 1."""
    H = 2 * beta * objective.rows * gauss_newton(objective, theta) + 2 * alpha * np.eye(theta.size)
    return float(theta.size - 2 * alpha * np.trace(np.linalg.inv(H)))


def test_gamma_is_its_definition_and_an_eigenvalue_sum_after_every_step() -> None:
    objective, theta = sine(30, 6, noise=0.2)
    optimizer, ask = BayesianRegularization(), ReferenceEngine(objective)
    memory = optimizer.init(objective.network, theta)
    for k in range(15):
        before = memory.numbers
        theta, memory, _ = optimizer.step(ask, theta, memory, 1.0)
        now = memory.numbers
        if k == 0:
            assert now["gamma"] == theta.size  # nothing is known of α yet
            continue
        alpha, beta = before["alpha"], before["beta"]
        bends = beta * objective.rows * np.linalg.eigvalsh(gauss_newton(objective, theta))
        assert now["gamma"] == pytest.approx(gamma(objective, theta, alpha, beta), rel=1e-6)
        assert now["gamma"] == pytest.approx(np.sum(bends / (bends + alpha)), rel=1e-6)
        assert now["alpha"] == pytest.approx(now["gamma"] / np.sum(theta**2), rel=1e-12)
        assert now["beta"] == pytest.approx((30 - now["gamma"]) / squares(objective, theta), rel=1e-9)


def test_the_noise_is_found_and_fewer_parameters_than_there_are() -> None:
    objective, theta = sine(200, 10, noise=0.1)
    result = cr.train(objective, theta, optimizer=BayesianRegularization(), epochs=300)
    assert result.state.memory is not None
    found = result.state.memory.numbers
    assert found["beta"] ** -0.5 == pytest.approx(0.1, rel=0.15)
    assert 3 < found["gamma"] < 20 < theta.size
    smooth = np.linspace(-0.9, 0.9, 50)[:, None]
    error = objective.network.forward(result.theta, smooth) - np.sin(np.pi * smooth)
    assert float(np.sqrt(np.mean(error**2))) < 0.05


def test_the_evidence_of_a_line_is_the_density_of_its_targets() -> None:
    random = np.random.default_rng(2)
    X = random.normal(size=(25, 2))
    objective = Objective(Network(2, [Dense(1)]), SquaredError(), X, X @ [1.0, -0.5] + 0.3 * random.normal(size=25))
    result = cr.train(objective, np.full(3, 0.1), optimizer=BayesianRegularization(), epochs=200)
    assert result.state.memory is not None
    found, design = result.state.memory.numbers, np.column_stack([X, np.ones(25)])
    spread = np.eye(25) / found["beta"] + design @ design.T / found["alpha"]
    y = objective.y[:, 0]
    density = -0.5 * (y @ np.linalg.solve(spread, y) + np.linalg.slogdet(spread)[1])  # Gaussian, but for log 2π
    assert found["log_evidence"] == pytest.approx(density, abs=1e-6)


def noisy(rows: int) -> tuple[Objective, Any]:
    """Return a noisy regression that 65 parameters learn, and a start."""
    random = np.random.default_rng(0)
    X = random.normal(size=(rows, 6))
    y = X @ random.normal(size=6) + np.sin(2 * X[:, 0] * X[:, 1]) + 0.5 * random.normal(size=rows)
    network = Network(6, [Dense(8), Activation("tanh"), Dense(1)])
    return Objective(network, SquaredError(), X, y), network.initialize(0)


def test_it_ends_where_the_evidence_was_greatest() -> None:
    objective, theta = noisy(80)
    network = objective.network
    optimizer, ask = BayesianRegularization(falling=10), ReferenceEngine(objective)
    memory, seen = optimizer.init(network, theta), list[tuple[float, float, Any]]()
    report = None
    for _ in range(200):
        theta, memory, report = optimizer.step(ask, theta, memory, 1.0)
        if report.converged:
            break
        seen.append((memory.numbers["log_evidence"], memory.numbers["gamma"], theta))
    assert report is not None
    assert report.message == "the evidence has not grown for 10 steps"
    best = max(range(len(seen)), key=lambda k: seen[k][0])
    assert len(seen) == best + 10
    assert (memory.numbers["log_evidence"], memory.numbers["gamma"]) == seen[best][:2]
    assert np.array_equal(theta, seen[best][2])
    assert report.loss == pytest.approx(float(objective.value(theta)), rel=1e-12)
    assert memory.numbers["gamma"] < seen[-1][1]  # later, the noise was being learned


@pytest.mark.parametrize("rows", [40, 65, 66])
def test_more_parameters_than_rows_do_not_use_up_the_noise(rows: int) -> None:
    objective, theta = noisy(rows)
    result = cr.train(objective, theta, optimizer=BayesianRegularization(), epochs=200)
    assert result.state.memory is not None
    assert 5 < result.state.memory.numbers["gamma"] < rows
    assert 2 * float(objective.value(result.theta)) < 0.5 * float(np.var(objective.y))


def test_without_noise_beta_stays_one() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    y = (X[:, 0] + 0.5 * X[:, 1] ** 2 > 0.5).astype(float)
    network = Network(2, [Dense(4), Activation("tanh"), Dense(1)])
    objective = Objective(network, SigmoidCrossEntropy(), X, y)
    optimizer = BayesianRegularization(noise=False)
    result = cr.train(objective, network.initialize(0), optimizer=optimizer, epochs=100)
    assert result.state.memory is not None
    assert result.state.memory.numbers["beta"] == 1
    assert 1 < result.state.memory.numbers["gamma"] < network.size
    assert float(objective.value(result.theta)) < 0.3


def test_no_argument_is_changed() -> None:
    objective, theta = sine()
    for optimizer in (LevenbergMarquardt(), BayesianRegularization()):
        memory, start = optimizer.init(objective.network, theta), theta.copy()
        start.flags.writeable = False
        kept = Memory(memory.t, dict(memory.arrays), dict(memory.numbers))
        optimizer.step(ReferenceEngine(objective), start, memory, 1.0)
        assert (memory.t, memory.numbers) == (kept.t, kept.numbers)
