"""First and second derivatives as matrices: against JAX, differences, and the products that they hold."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import Activation, Dense, LayerNorm, Network, Objective
from chainrule.losses import CrossEntropy, Loss, SigmoidCrossEntropy, SquaredError
from chainrule.mathematics.curvature import gauss_newton, hessian, jacobian, pull, push
from chainrule.penalties import L2
from support.oracles import relative_error

JAX, DIFFERENCES = 1e-12, 1e-7

CASES: dict[str, tuple[list[Any], Loss]] = {
    "linear": ([Dense(1)], SquaredError()),
    "hidden": ([Dense(4), Activation("tanh"), Dense(2)], SquaredError()),
    "classes": ([Dense(3), Activation("sigmoid"), LayerNorm(), Dense(3)], CrossEntropy(0.1)),
    "binary": ([Dense(3), Activation("softplus"), Dense(1)], SigmoidCrossEntropy()),
}
every_case = pytest.mark.parametrize("name", list(CASES))


def problem(name: str) -> tuple[Objective, Any]:
    """Return an objective on seven rows and a θ."""
    blocks, loss = CASES[name]
    rng = np.random.default_rng(len(blocks))
    network, X = Network(3, blocks), rng.normal(size=(7, 3))
    y = rng.integers(0, 3, 7) if loss.targets == "classes" else rng.integers(0, 2, (7, network.outputs)).astype(float)
    objective = Objective(network, loss, X, y, rng.uniform(0.5, 2, 7), [L2(0.1), L2(0.3, True)])
    return objective, network.initialize(1) + 0.1 * rng.normal(size=network.size)


@every_case
def test_the_jacobian_is_jaxs(name: str) -> None:
    objective, theta = problem(name)
    network = objective.network
    wanted = jax.jacobian(lambda t: network.forward(t, jnp.asarray(objective.X)))(jnp.asarray(theta))
    got = jacobian(network, theta, objective.X)
    assert got.shape == (7, network.outputs, network.size)
    assert relative_error(got, np.asarray(wanted)) <= JAX


@every_case
def test_push_and_pull_are_products_with_the_jacobian(name: str) -> None:
    objective, theta = problem(name)
    rng, J = np.random.default_rng(0), jacobian(objective.network, theta, objective.X)
    v, dscores = rng.normal(size=theta.size), rng.normal(size=J.shape[:2])
    assert relative_error(push(objective.network, theta, objective.X, v), J @ v) <= JAX
    wanted = np.einsum("no,nop->p", dscores, J)
    assert relative_error(pull(objective.network, theta, objective.X, dscores), wanted) <= JAX


@every_case
@pytest.mark.slow
def test_the_hessian_is_jaxs_and_that_of_differences(name: str) -> None:
    objective, theta = problem(name)
    arrays = [None if a is None else jnp.asarray(a) for a in (objective.X, objective.y, objective.sample_weight)]
    of_jax = Objective(objective.network, objective.loss, *arrays, objective.penalties)  # type: ignore[arg-type]  # JAX's
    got = hessian(objective, theta)
    assert relative_error(got, np.asarray(jax.hessian(of_jax.value)(jnp.asarray(theta)))) <= 100 * JAX
    assert relative_error(got, got.T) <= 100 * JAX
    h, unit = 1e-5, np.eye(theta.size)
    columns = [(objective.gradient(theta + h * e) - objective.gradient(theta - h * e)) / (2 * h) for e in unit]
    assert relative_error(got, np.stack(columns, axis=1)) <= DIFFERENCES


@every_case
def test_matrices_have_the_type_of_theta(name: str) -> None:
    objective, theta = problem(name)
    y = objective.y if objective.loss.targets == "classes" else objective.y.astype(np.float32)
    single = Objective(objective.network, objective.loss, objective.X.astype(np.float32), y)
    short = theta.astype(np.float32)
    for matrix in (jacobian(single.network, short, single.X), hessian(single, short), gauss_newton(single, short)):
        assert matrix.dtype == np.float32


@every_case
def test_gauss_newton_is_the_jacobian_around_the_curvature_of_the_loss(name: str) -> None:
    objective, theta = problem(name)
    network, loss = objective.network, objective.loss
    J, scores = jacobian(network, theta, objective.X), network.forward(theta, objective.X)
    P = theta.size
    bent = np.stack([loss.curvature(scores, objective.y, J[:, :, k], objective.sample_weight) for k in range(P)], -1)
    weights = network.mask("weight") * (0.1 + 0.3 / objective.total)
    wanted = np.einsum("nop,noq->pq", J, bent) + np.diag(weights)
    got = gauss_newton(objective, theta)
    assert relative_error(got, wanted) <= 100 * JAX
    assert np.linalg.eigvalsh((got + got.T) / 2).min() >= -1e-12
    if name == "linear":
        assert relative_error(got, hessian(objective, theta)) <= 100 * JAX
