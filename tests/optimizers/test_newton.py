"""Newton's method, damped or not: one step on a parabola, quadratic convergence, and what ends it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import Activation, Dense, Network, Objective
from chainrule.engines import ReferenceEngine
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.mathematics.curvature import hessian
from chainrule.optimizers import DampedNewton, Newton
from chainrule.optimizers.newton import matrix, solved
from chainrule.penalties import L2
from support.minimisers import run
from support.oracles import relative_error
from support.problems import Quadratic, quadratic, rosenbrock, two_spirals


@pytest.mark.parametrize("condition", [10, 1000, 1e6])
def test_a_parabola_takes_one_step(condition: float) -> None:
    problem = quadratic(condition)
    theta, memory, reports = run(Newton(tolerance=1e-8), problem.objective, problem.start)
    assert len(reports) == 1
    assert memory.numbers["evaluations"] == 2
    assert relative_error(theta, problem.optimum) <= 1e-8


def test_linear_regression_takes_one_step_to_the_normal_equations() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    objective = Objective(Network(3, [Dense(1)]), SquaredError(), X, y)
    result = cr.train(objective, np.zeros(4), optimizer=Newton(tolerance=1e-10))
    wanted = np.linalg.lstsq(np.column_stack([X, np.ones(30)]), y, rcond=None)[0]
    assert (result.reason, len(result.history)) == ("converged", 1)
    assert relative_error(result.theta, wanted) <= 1e-10


def test_it_goes_through_a_worse_point_as_it_must() -> None:
    # Rosenbrock's function from his start: 24.2, 4.7, 1412, 0.056, 0.313, 1e-11, 1e-20, Newton's own way.
    problem = rosenbrock()
    _, _, reports = run(Newton(tolerance=1e-8), problem.objective, problem.start)
    assert [round(report.loss, 3) for report in reports[:4]] == [4.732, 1411.845, 0.056, 0.313]
    assert reports[-1].loss < 1e-15


def test_convergence_is_quadratic() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] + 0.3 * rng.normal(size=60) > 0).astype(np.int64)
    objective = Objective(Network(3, [Dense(2)]), CrossEntropy(), X, y, penalties=[L2(0.05, kinds=("weight", "bias"))])
    ask, optimizer, theta = ReferenceEngine(objective), Newton(tolerance=0), np.zeros(8)
    memory, norms = optimizer.init(None, theta), list[float]()
    for _ in range(7):
        norms.append(float(np.linalg.norm(objective.gradient(theta))))
        theta, memory, _ = optimizer.step(ask, theta, memory, 1.0)
    steep = [b / a**2 for a, b in pairwise(norms) if b > 1e-13]
    assert norms[-1] < 1e-13
    assert max(steep) < 20


@pytest.mark.parametrize("optimizer", [DampedNewton(tolerance=1e-8), DampedNewton(1e3, 10.0, tolerance=1e-8)])
def test_damped_newton_comes_to_a_minimum_from_where_the_hessian_is_indefinite(optimizer: Any) -> None:
    problem = two_spirals()
    assert np.linalg.eigvalsh(hessian(problem.objective, problem.start)).min() < 0
    small = problem.objective.batch(np.arange(0, 80, 4))
    _, memory, reports = run(optimizer, ReferenceEngine(small), problem.start, 120)
    assert reports[-1].loss < 0.1
    assert all(b.loss < a.loss for a, b in pairwise(reports))
    assert memory.numbers["damping"] > 0


def test_damping_grows_until_the_factors_exist_and_shrinks_after_a_whole_step() -> None:
    saddle = Quadratic(np.array([-2.0, 1.0, 3.0]), np.zeros(3))
    optimizer, theta = DampedNewton(damping=1.0, factor=4.0), np.ones(3)
    memory = optimizer.init(None, theta)
    d, after = optimizer.direction(saddle, theta, saddle.gradient(theta), memory)  # type: ignore[arg-type]
    assert after.numbers["damping"] == 4.0
    assert relative_error(d, np.linalg.solve(saddle.A + 4 * np.eye(3), -saddle.gradient(theta))) <= 1e-12
    bowl = quadratic(10)
    _, after, _ = run(optimizer, bowl.objective, bowl.start, 1)
    assert after.numbers["damping"] == 0.25


def test_newton_says_where_the_hessian_is_not_positive_definite_and_moves_nothing() -> None:
    saddle = Quadratic(np.array([-2.0, 1.0, 3.0]), np.zeros(3))
    theta, memory, reports = run(Newton(), saddle, np.ones(3))
    words = "the Hessian is not positive definite here, so that H d = -g may lead up: take damped_newton"
    assert (reports[-1].message, reports[-1].converged) == (words, False)
    assert theta.tolist() == [1, 1, 1]
    assert memory.t == 0


def test_the_matrix_of_a_product_is_the_hessian() -> None:
    network = Network(2, [Dense(3), Activation("tanh"), Dense(1)])
    X = np.random.default_rng(0).normal(size=(9, 2))
    objective, theta = Objective(network, SquaredError(), X, X[:, :1] ** 2), network.initialize(0)
    H = matrix(lambda v: objective.hessian_product(theta, v), theta.size, np.float64)
    assert relative_error(H, hessian(objective, theta)) <= 1e-12
    np.testing.assert_array_equal(H, H.T)
    g, damped = objective.gradient(theta), H + 10 * np.eye(theta.size)
    d = solved(H, 10.0, g)
    assert d is not None
    assert relative_error(damped @ d, -g) <= 1e-10
    assert solved(H, -100.0, g) is None


def test_a_step_that_is_not_finite_is_shortened() -> None:
    class Barrier(Quadratic):
        def value(self, theta: Any) -> float:
            return float(-np.log(theta[0]) + theta[0]) if theta[0] > 0 else np.nan

        def gradient(self, theta: Any) -> Any:
            return 1 - 1 / theta

        def hessian_product(self, theta: Any, v: Any) -> Any:
            return v / theta**2

    theta, _, reports = run(DampedNewton(), Barrier(np.ones(1), np.ones(1)), np.array([5.0]))
    assert reports[-1].converged
    assert theta[0] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", [Newton, DampedNewton])
def test_more_parameters_than_memory_are_refused_before_the_work(kind: Any) -> None:
    words = r"holds P × P numbers, 200 MB for P = 5,000; this network has 5,001: take hessian_free or lbfgs"
    with pytest.raises(ValueError, match=words):
        kind().init(None, np.zeros(5001))
    assert kind().init(None, np.zeros(5000)).t == 0
