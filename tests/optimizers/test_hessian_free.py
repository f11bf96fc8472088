"""Hessian-free and the natural gradient: Martens's rules one by one, options, and bad input."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
import pytest
import scipy.sparse.linalg
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule import Activation, Dense, Network, Objective
from chainrule.engines import ReferenceEngine
from chainrule.losses import CrossEntropy, SigmoidCrossEntropy, SquaredError
from chainrule.mathematics.curvature import gauss_newton
from chainrule.optimizers import HessianFree, NaturalGradient, conjugate
from chainrule.optimizers.hessian_free import best_of, shortened
from support.oracles import relative_error
from support.problems import quadratic, two_spirals


def matrix(seed: int, P: int, low: float = 0.1) -> Any:
    """Return a positive definite matrix."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(P, P))
    return A @ A.T + low * np.eye(P)


# ---------------------------------------------------------------------------------------------- conjugate gradients


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_conjugate_gradients_end_in_at_most_P_steps(seed: int, P: int) -> None:
    rng = np.random.default_rng(seed)
    A, g, start = matrix(seed, P, 1.0), rng.normal(size=P), rng.normal(size=P)
    wanted, found = np.linalg.solve(A, -g), list[Any]()
    for each in conjugate.iterates(lambda v: A @ v, g, start):
        found.append(each)
        if each.i == P:
            break
    assert relative_error(found[-1].p, wanted) <= 1e-6
    for each in found:
        assert each.value == pytest.approx(0.5 * each.p @ A @ each.p + g @ each.p, rel=1e-9, abs=1e-9)
        assert relative_error(each.residual, A @ each.p + g) <= 1e-9
    assert all(a.value >= b.value - 1e-9 for a, b in pairwise(found))


def test_conjugate_gradients_are_scipys() -> None:
    A, g = matrix(3, 20), np.random.default_rng(3).normal(size=20)
    seen: list[Any] = []
    scipy.sparse.linalg.cg(A, -g, rtol=1e-12, maxiter=12, callback=lambda p: seen.append(p.copy()))
    for found in conjugate.iterates(lambda v: A @ v, g, np.zeros(20)):
        if found.i:
            assert relative_error(found.p, seen[found.i - 1]) <= 1e-8
        if found.i == 12:
            break
    D = np.diag(A)
    seen.clear()
    inverse = scipy.sparse.linalg.LinearOperator((20, 20), lambda v: v.reshape(-1) / D)
    scipy.sparse.linalg.cg(A, -g, rtol=1e-12, maxiter=12, M=inverse, callback=lambda p: seen.append(p.copy()))
    for found in conjugate.iterates(lambda v: A @ v, g, np.zeros(20), 1 / D):
        if found.i:
            assert relative_error(found.p, seen[found.i - 1]) <= 1e-8
        if found.i == 12:
            break


def test_the_progress_rule_is_martenss() -> None:
    rng = np.random.default_rng(0)
    for length in range(2, 140):
        values = list(-np.cumsum(rng.uniform(0, 1, length) ** 8))
        i = length - 1
        k = max(10, ceil(0.1 * i))
        wanted = i > k and values[i] < 0 and (values[i] - values[i - k]) / values[i] < k * 5e-4
        assert conjugate.slowed(values) == wanted
    assert not conjugate.slowed([1.0] * 50)  # as long as q is not below 0 it goes on


def test_the_path_keeps_the_iterates_at_powers_of_1_3_and_the_last() -> None:
    A, g = matrix(1, 60, 1e-3), np.random.default_rng(1).normal(size=60)
    found = conjugate.path(lambda v: A @ v, g, np.zeros(60), 33, progress=0.0)
    wanted = sorted({ceil(1.3**j) for j in range(40) if ceil(1.3**j) <= 33} | {33})
    assert [each.i for each in found] == wanted
    assert [each.i for each in conjugate.path(lambda v: A @ v, np.zeros(60), np.zeros(60), 33)] == [0]
    none = conjugate.path(lambda v: -v, g, np.zeros(60), 33)  # a direction that bends downwards ends it
    assert [each.i for each in none] == [0]


def test_steihaugs_point_keeps_to_the_region_and_is_the_solution_inside() -> None:
    A, g = matrix(2, 6), np.random.default_rng(2).normal(size=6)
    whole, wanted = conjugate.within(lambda v: A @ v, 1e-9 * g, 1e9, 100), np.linalg.solve(A, -1e-9 * g)
    assert relative_error(1e9 * whole[0], 1e9 * wanted) <= 1e-3
    assert not whole[1]
    for radius in (1e-3, 0.1, 0.5):
        p, edge, _ = conjugate.within(lambda v: A @ v, g, radius, 100)
        assert edge
        assert np.linalg.norm(p) == pytest.approx(radius, rel=1e-12)
        cauchy = -min(radius / np.linalg.norm(g), (g @ g) / (g @ A @ g)) * g
        assert 0.5 * p @ A @ p + g @ p <= 0.5 * cauchy @ A @ cauchy + g @ cauchy + 1e-12
    indefinite = np.diag([1.0, -2.0, 3.0])
    p, edge, _ = conjugate.within(lambda v: indefinite @ v, np.array([1.0, 2.0, 0.0]), 5.0, 100)
    assert edge
    assert 0.5 * p @ indefinite @ p + p @ [1.0, 2.0, 0.0] < -20


# ------------------------------------------------------------------------------------------------------- the method


class Curve:
    """A loss of one parameter, by a table of values."""

    def __init__(self, values: dict[float, float]) -> None:
        self.values, self.asked = values, list[float]()

    def value(self, theta: Any) -> float:
        self.asked.append(round(float(theta[0]), 6))
        return self.values[self.asked[-1]]


def iterate(i: int, p: float) -> conjugate.Iterate:
    return conjugate.Iterate(i, np.array([p]), 0.0, np.zeros(1))


def test_backtracking_goes_back_while_the_loss_falls() -> None:
    found = [iterate(1, 1.0), iterate(2, 2.0), iterate(3, 3.0), iterate(4, 4.0)]
    ask = Curve({1: 0.1, 2: 5, 3: 2, 4: 3})
    best, value = best_of(ask, np.zeros(1), found)  # type: ignore[arg-type]  # it asks values only
    assert (best.i, value, ask.asked) == (3, 2, [4, 3, 2])
    ask = Curve({1: 1, 2: np.inf, 3: np.nan, 4: np.nan})
    best, value = best_of(ask, np.zeros(1), found)  # type: ignore[arg-type]
    assert (best.i, value) == (1, 1)


def test_the_line_search_is_martenss() -> None:
    ask = Curve({0.8: 1.0, 0.64: 0.995, 0.512: 0.9})
    moved, value = shortened(ask, np.zeros(1), np.ones(1), 1.0, -1.0, 2.0)  # type: ignore[arg-type]
    assert moved is not None
    assert (moved.round(6).tolist(), value, ask.asked) == ([0.512], 0.9, [0.8, 0.64, 0.512])
    flat = Curve({round(0.8**k, 6): 1.0 for k in range(61)})
    assert shortened(flat, np.zeros(1), np.ones(1), 1.0, -1.0, 1.0) == (None, 1.0)  # type: ignore[arg-type]
    assert len(flat.asked) == 60


def digits_of(loss: Any, outputs: int, dtype: str = "float64") -> tuple[Objective, Any]:
    """Return a small fit of 40 rows, and a start."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)).astype(dtype)
    network = Network(3, [Dense(6), Activation("tanh"), Dense(outputs)])
    y: Any = X[:, :outputs] ** 2
    if not isinstance(loss, SquaredError):
        y = (X[:, 0] * X[:, 1] > 0).astype(np.int64 if isinstance(loss, CrossEntropy) else dtype)
    return Objective(network, loss, X, y), network.initialize(1, dtype)


@pytest.mark.parametrize(("ratio", "factor"), [(-1.0, 1.5), (0.2, 1.5), (0.5, 1.0), (0.9, 2 / 3)])
def test_damping_follows_the_reduction_ratio(ratio: float, factor: float) -> None:
    numbers = {"damping": 3.0}
    p = np.array([1.0, -2.0])
    best = conjugate.Iterate(4, p, -0.5 + 0.5 * 3.0 * 5, np.zeros(2))  # without λ the parabola foretells 0.5
    got, foretold = HessianFree()._damp(numbers, 0.5 * ratio, best)
    assert foretold == pytest.approx(0.5)
    assert got == pytest.approx(ratio)
    assert numbers["damping"] == pytest.approx(3 * factor)
    assert HessianFree()._damp(numbers, np.nan, best)[0] == -1


def test_a_quadratic_takes_the_damped_newton_step() -> None:
    problem = quadratic(10)
    optimizer, memory = HessianFree(damping=0.1, progress=0.0), None
    memory = optimizer.init(None, problem.start)
    moved, after, report = optimizer.step(problem.objective, problem.start, memory, 1.0)
    A, g = problem.objective.A, problem.objective.gradient(problem.start)
    assert relative_error(after["solution"], np.linalg.solve(A + 0.1 * np.eye(6), -g)) <= 1e-8
    assert relative_error(moved, problem.start + after["solution"]) <= 1e-8
    assert after.numbers["damping"] == pytest.approx(0.1 / 1.5)  # on a parabola all is as foretold
    assert report.loss == pytest.approx(problem.objective.value(moved))


def test_it_starts_from_the_last_solution() -> None:
    asked: list[Any] = []

    class Watched(ReferenceEngine):
        def gauss_newton_product(self, theta: Any, v: Any) -> Any:
            asked.append(np.array(v))
            return super().gauss_newton_product(theta, v)

    objective, theta = digits_of(SquaredError(), 2)
    optimizer = HessianFree()
    memory = optimizer.init(None, theta)
    memory.arrays["solution"] = np.linspace(-0.01, 0.01, theta.size)
    optimizer.step(Watched(objective), theta, memory, 1.0)
    np.testing.assert_allclose(asked[0], 0.95 * memory["solution"], rtol=1e-12)
    asked.clear()
    HessianFree(warm=0.0).step(Watched(objective), theta, memory, 1.0)
    np.testing.assert_allclose(asked[0], -objective.gradient(theta), rtol=1e-12)


OPTIONS: dict[str, Any] = {
    "plain": HessianFree(),
    "preconditioned": HessianFree(preconditioned=True),
    "half of the rows": HessianFree(rows=0.5),
    "both": HessianFree(preconditioned=True, rows=0.5),
    "natural": NaturalGradient(),
    "natural, wolfe": NaturalGradient(search="strong_wolfe"),
}


@pytest.mark.parametrize(
    "loss", [SquaredError(), CrossEntropy(), SigmoidCrossEntropy()], ids=lambda loss: type(loss).__name__
)
@pytest.mark.parametrize("name", list(OPTIONS))
def test_every_option_comes_far_down_on_every_loss(name: str, loss: Any) -> None:
    objective, theta = digits_of(loss, 1 if isinstance(loss, SigmoidCrossEntropy) else 2)
    result = cr.train(objective, theta, optimizer=OPTIONS[name], epochs=60)
    assert float(objective.value(result.theta)) < 0.1 * float(objective.value(theta))
    assert all(b.loss <= a.loss for a, b in pairwise(result.history))


def test_the_drawn_rows_are_of_the_step_and_the_seed() -> None:
    objective, theta = digits_of(SquaredError(), 2)
    runs = [
        cr.train(objective, theta, optimizer=HessianFree(rows=0.25), epochs=4, seed=seed).theta.tobytes()
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]
    ask = ReferenceEngine(objective, seed=3)
    G = [gauss_newton(objective.batch(np.sort(_rows(ask, draw))), theta) for draw in (0, 0, 1)]
    v = np.linspace(-1, 1, theta.size)
    for matrix_of, draw in zip(G, (0, 0, 1), strict=True):
        assert relative_error(ask.part(0.25, draw).gauss_newton_product(theta, v), matrix_of @ v) <= 1e-10
    assert relative_error(G[0], G[2]) > 1e-3
    assert ask.part(1e-9, 0).forward(theta).shape == (1, 2)


def _rows(ask: ReferenceEngine, draw: int) -> Any:
    """Return the ten rows of a draw, by their inputs."""
    part: Any = ask.part(0.25, draw)
    X = ask.objective.X
    return [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in part.objective.X]


def test_what_it_needs_is_what_its_options_ask() -> None:
    assert HessianFree().needs == {"gradient", "value", "gauss_newton_product"}
    assert HessianFree(rows=0.5).needs == HessianFree().needs | {"part"}
    assert HessianFree(preconditioned=True).needs == HessianFree().needs | {"squares"}


def test_a_loss_without_lower_values_ends_it() -> None:
    class Wrong(ReferenceEngine):
        def value(self, theta: Any) -> float:
            return 1e9

    objective, theta = digits_of(SquaredError(), 2)
    optimizer = HessianFree(largest=10.0)
    moved, after, report = optimizer.step(Wrong(objective), theta, optimizer.init(None, theta), 1.0)
    assert moved.tobytes() == theta.tobytes()
    assert report.message == "no damping up to 10 makes the loss smaller"
    assert after.t == 0


def test_a_step_into_nan_is_shortened() -> None:
    class Barrier:
        def value(self, theta: Any) -> float:
            return float(-np.log(theta[0]) + theta[0]) if theta[0] > 0 else np.nan

        def value_and_gradient(self, theta: Any) -> Any:
            return self.value(theta), 1 - 1 / theta

        def gauss_newton_product(self, theta: Any, v: Any) -> Any:
            return 1e-3 * v  # far too flat: the first steps go far beyond 0

    theta, optimizer = np.array([3.0]), HessianFree(damping=1e-3)
    memory = optimizer.init(None, theta)
    for _ in range(60):
        theta, memory, report = optimizer.step(Barrier(), theta, memory, 1.0)  # type: ignore[arg-type]
        if report.message:
            break
    assert report.converged
    assert theta[0] == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_the_two_spirals_from_a_random_start() -> None:
    problem = two_spirals()
    result = cr.train(problem.objective, problem.start, optimizer=HessianFree(), epochs=150)
    assert float(problem.objective.value(result.theta)) < 1e-2
