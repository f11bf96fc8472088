"""Gradient descent, conjugate gradients and BFGS: the formulas, and how many steps a parabola takes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.optimizers import BFGS, LBFGS, ConjugateGradients, GradientDescent
from chainrule.optimizers.directions import BETAS, product, updated
from support.minimisers import run
from support.oracles import relative_error
from support.problems import Quadratic, Rosenbrock, quadratic, rosenbrock


class Exact(Quadratic):
    """A parabola that remembers where its gradient was asked."""

    def __init__(self, condition: float, size: int) -> None:
        super().__init__(np.geomspace(1 / condition, 1, size), np.linspace(-1, 1, size))
        self.asked: list[Any] = []

    def value_and_gradient(self, theta: Any) -> Any:
        self.asked.append(np.array(theta))
        return super().value_and_gradient(theta)


def betas(g: Any, before: Any, d: Any) -> dict[str, float]:
    """Return the textbook's β."""
    y = g - before
    return {
        "polak_ribiere": max(0.0, g @ y / (before @ before)),
        "fletcher_reeves": g @ g / (before @ before),
        "hestenes_stiefel": max(0.0, g @ y / (d @ y)),
    }


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_beta_is_the_textbooks(seed: int, P: int) -> None:
    g, before, d = np.random.default_rng(seed).normal(size=(3, P))
    wanted = betas(g, before, d)
    assert {*wanted} == {*BETAS}
    for name, beta in BETAS.items():
        assert beta(g, g - before, d) == pytest.approx(wanted[name], rel=1e-9)
    assert BETAS["hestenes_stiefel"](g, np.zeros(P), d) == 0


@pytest.mark.parametrize("name", list(BETAS))
@pytest.mark.parametrize("size", [2, 5])
def test_a_parabola_takes_at_most_P_directions_of_conjugate_gradients(name: str, size: int) -> None:
    # With the exact minimum of every line the P-th step ends in the minimum: the directions are conjugate.
    problem = Exact(30, size)
    optimizer, theta = ConjugateGradients(name), np.full(size, 2.0)
    memory, directions = optimizer.init(None, theta), list[Any]()
    g = problem.gradient(theta)
    for _ in range(size):
        d, memory = optimizer.direction(problem, theta, g, memory)
        step = -(d @ g) / (d @ problem.A @ d)
        theta = theta + step * d
        directions.append(d)
        after = problem.gradient(theta)
        memory.arrays.update(direction=d, change=after - g)
        memory.numbers["gain"] = step * float(d @ g)
        g = after
    assert relative_error(theta, problem.optimum) <= 1e-8
    for one, other in pairwise(directions):
        assert abs(one @ problem.A @ other) <= 1e-8 * np.linalg.norm(one) * np.linalg.norm(other)


def test_conjugate_gradients_start_again_where_they_lead_nowhere() -> None:
    optimizer, theta = ConjugateGradients(), np.zeros(2)
    g = np.array([1.0, 0.0])

    def direction(change: list[float], last: list[float], gain: float = -1.0) -> Any:
        memory = optimizer.init(None, theta)
        memory.arrays.update(direction=np.array(last), change=np.array(change))
        memory.numbers["gain"] = gain
        d, kept = optimizer.direction(None, theta, g, memory)  # type: ignore[arg-type]  # it asks nothing
        return d.tolist(), kept.numbers["gain"]

    assert direction([1.0, 1.0], [0.5, -1.0]) == ([-0.5, -1.0], -1.0)  # -g + β d
    assert direction([0.5, 0.0], [1.0, 1.0]) == ([-1.0, 0.0], 0.0)  # gradients that are alike
    assert direction([1.0, 1.0], [-1.0, 0.0], 0.0) == ([-1.0, 0.0], 0.0)  # nothing before
    assert direction([1.0, 0.1], [1e4, 0.0]) == ([-1.0, 0.0], -1.0)  # it would lead up


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_bfgss_update_is_its_formula_and_keeps_the_secant(seed: int, P: int) -> None:
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(P, P))
    B, H = np.eye(P) + A @ A.T, np.eye(P) + A.T @ A
    s = rng.normal(size=P)
    y = H @ s
    rho = 1 / float(y @ s)
    V = np.eye(P) - rho * np.outer(s, y)
    after = updated(B, s, y, rho)
    assert relative_error(after, V @ B @ V.T + rho * np.outer(s, s)) <= 1e-9
    assert relative_error(after @ y, s) <= 1e-8
    np.testing.assert_array_equal(after, after.T)
    assert np.linalg.eigvalsh(after).min() > 0
    assert relative_error(product(B, s), B @ s) <= 1e-12


def test_bfgs_finds_the_inverse_hessian_of_a_parabola() -> None:
    problem = Exact(10, 4)
    theta, memory, reports = run(BFGS(tolerance=1e-9), problem, np.full(4, 2.0))
    assert reports[-1].converged
    assert relative_error(theta, problem.optimum) <= 1e-6
    assert relative_error(memory["inverse"], np.linalg.inv(problem.A)) <= 0.05


def test_bfgs_and_lbfgs_that_remembers_all_take_the_same_first_steps() -> None:
    one, other = (run(kind, rosenbrock().objective, rosenbrock().start, 2)[0] for kind in (BFGS(), LBFGS(history=50)))
    assert np.abs(one - other).max() < 0.5
    both = [run(kind, rosenbrock().objective, rosenbrock().start)[0] for kind in (BFGS(), LBFGS(history=50))]
    np.testing.assert_allclose(both[0], both[1], atol=1e-2)


def test_a_pair_without_curvature_changes_nothing() -> None:
    memory = BFGS().init(None, np.zeros(2))
    s = np.array([1.0, 0.0])
    after = BFGS().remember(memory, None, s, -s)  # type: ignore[arg-type]  # it looks at s and y
    np.testing.assert_array_equal(after["inverse"], np.eye(2))
    assert (after.t, after.numbers["pairs"]) == (1, 0)


@pytest.mark.parametrize("condition", [10, 100])
def test_gradient_descent_contracts_as_kantorovich_says(condition: float) -> None:
    problem = quadratic(condition)
    _, _, reports = run(GradientDescent(tolerance=1e-8), problem.objective, problem.start, 4000)
    bound = ((condition - 1) / (condition + 1)) ** 2  # of exact searches; those of Wolfe are not worse by much
    losses = [report.loss for report in reports if report.loss > 1e-12]
    rate = (losses[-1] / losses[0]) ** (1 / (len(losses) - 1))
    assert rate <= bound**0.8


@pytest.mark.parametrize("kind", [GradientDescent, ConjugateGradients, BFGS])
@pytest.mark.parametrize("search", ["strong_wolfe", "armijo"])
def test_any_direction_goes_with_any_search(kind: Any, search: str) -> None:
    class Watched(Rosenbrock):
        pass

    _, memory, reports = run(kind(search=search, max_evaluations=400), Watched(), np.array([-1.2, 1.0]))
    assert reports[-1].loss < 4.2
    assert all(b.loss <= a.loss for a, b in pairwise(reports))
    assert memory.numbers["evaluations"] <= 400


def test_a_fixed_step_is_taken_wherever_it_leads() -> None:
    problem = quadratic(10)
    _, memory, reports = run(GradientDescent(search="fixed"), problem.objective, problem.start, 3)
    assert memory.numbers["evaluations"] == 4
    assert len(reports) == 3
