"""The Gauss-Newton matrix by rows: against its products, JAX, and solutions by NumPy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import Activation, Dense, LayerNorm, Network, Objective, PReLU
from chainrule.losses import CrossEntropy, Loss, SigmoidCrossEntropy, SquaredError
from chainrule.mathematics import curvature, gauss_newton
from chainrule.mathematics.gauss_newton import Quadratic, Root, jacobian_rows, quadratic, root
from chainrule.penalties import L2
from support.oracles import explicit_gauss_newton, relative_error

EXACT = 1e-10

CASES: dict[str, tuple[list[Any], Loss]] = {
    "linear": ([Dense(1)], SquaredError()),
    "hidden": ([Dense(4), Activation("tanh"), Dense(2)], SquaredError()),
    "classes": ([Dense(3), Activation("sigmoid"), LayerNorm(), Dense(3)], CrossEntropy(0.1)),
    "binary": ([Dense(3), PReLU(), Dense(1)], SigmoidCrossEntropy()),
}
every_case = pytest.mark.parametrize("name", list(CASES))


def problem(name: str, rows: int = 7, penalised: bool = True) -> tuple[Objective, Any]:
    """Return an objective with weights, and a θ."""
    blocks, loss = CASES[name]
    rng = np.random.default_rng(len(blocks))
    network, X = Network(3, blocks), rng.normal(size=(rows, 3))
    shape = (rows, network.outputs)
    y = rng.integers(0, 3, rows) if loss.targets == "classes" else rng.integers(0, 2, shape).astype(float)
    penalties = [L2(0.1), L2(0.3, True)] if penalised else []
    objective = Objective(network, loss, X, y, rng.uniform(0.5, 2, rows), penalties)
    return objective, network.initialize(1) + 0.1 * rng.normal(size=network.size)


@every_case
def test_the_matrix_is_that_of_the_products_and_jaxs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objective, theta = problem(name)
    G = curvature.gauss_newton(objective, theta)
    assert relative_error(quadratic(objective, theta).matrix, G) <= EXACT
    assert relative_error(root(objective, theta).squared().matrix, G) <= EXACT
    monkeypatch.setattr(gauss_newton, "PIECE", 3)
    assert relative_error(quadratic(objective, theta).matrix, G) <= EXACT
    plain, theta = problem(name, penalised=False)
    assert relative_error(quadratic(plain, theta).matrix, explicit_gauss_newton(plain, theta)) <= EXACT


@every_case
def test_both_forms_have_the_same_numbers(name: str) -> None:
    objective, theta = problem(name)
    one, other = quadratic(objective, theta), root(objective, theta)
    value, gradient = objective.value_and_gradient(theta)
    for form in (one, other):
        assert form.value == pytest.approx(float(value), rel=1e-15)
        np.testing.assert_array_equal(form.gradient, gradient)
        assert form.total == pytest.approx(float(np.sum(objective.sample_weight)))  # type: ignore[arg-type]  # it has some
        assert relative_error(form.diagonal, np.diag(curvature.gauss_newton(objective, theta))) <= EXACT
    assert relative_error(np.sort(other.bends())[-5:], np.sort(one.bends())[-5:]) <= 1e-8


@every_case
def test_a_step_solves_the_damped_equations(name: str) -> None:
    objective, theta = problem(name)
    G = curvature.gauss_newton(objective, theta)
    damping = np.random.default_rng(0).uniform(0.1, 1, theta.size)
    wanted = np.linalg.solve(G + np.diag(damping), -objective.gradient(theta))
    for form in (quadratic(objective, theta), root(objective, theta)):
        step = form.step(damping)
        assert step is not None
        assert relative_error(step, wanted) <= 1e-8


@every_case
def test_the_jacobian_by_rows_is_the_jacobian(name: str) -> None:
    objective, theta = problem(name)
    got = jacobian_rows(objective, theta)
    assert relative_error(got, curvature.jacobian(objective.network, theta, objective.X)) <= EXACT
    twin = jax.jacrev(lambda t: objective.network.forward(t, jnp.asarray(objective.X)))(jnp.asarray(theta))
    assert relative_error(got, np.asarray(twin)) <= EXACT


def test_the_smaller_form_is_taken() -> None:
    few, theta = problem("hidden", 3)
    assert isinstance(gauss_newton.gauss_newton(few, theta), Root)
    many, theta = problem("hidden", 60)
    assert isinstance(gauss_newton.gauss_newton(many, theta), Quadratic)


def test_a_singular_matrix_has_no_step_without_damping() -> None:
    network = Network(2, [Dense(1)])
    X = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    objective, theta = Objective(network, SquaredError(), X, np.array([2.0, 4.0, 6.5])), np.zeros(3)
    for form in (quadratic(objective, theta), root(objective, theta)):
        step = form.step(np.full(3, 1e-3))
        assert step is not None
        assert np.isfinite(step).all()
        assert form.step(np.full(3, -1.0)) is None


def test_float32_is_solved_in_float64() -> None:
    objective, theta = problem("classes")
    o, small = objective, theta.astype(np.float32)
    single = Objective(o.network, o.loss, o.X.astype(np.float32), o.y, o.sample_weight, o.penalties)
    for form in (quadratic(single, small), root(single, small)):
        step = form.step(np.full(theta.size, 0.1))
        assert step is not None
        assert step.dtype == form.gradient.dtype == np.float64
        assert relative_error(step, quadratic(o, theta).step(np.full(theta.size, 0.1))) <= 1e-4
