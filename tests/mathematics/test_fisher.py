"""The rows one by one: Kronecker factors and squared gradients against JAX, explicit sums and single rows."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Activation, BatchNorm, Dense, LayerNorm, Network, Objective, PReLU
from chainrule.losses import CrossEntropy, Loss, SigmoidCrossEntropy, SquaredError
from chainrule.mathematics.fisher import factors, squares
from chainrule.mathematics.gauss_newton import roots
from support.oracles import explicit_gauss_newton, relative_error

EXACT = 1e-10

CASES: dict[str, tuple[list[Any], Loss]] = {
    "linear": ([Dense(2)], SquaredError()),
    "no bias": ([Dense(3, bias=False), Activation("tanh"), Dense(2)], SquaredError()),
    "classes": ([Dense(4), Activation("sigmoid"), Dense(3)], CrossEntropy(0.1)),
    "binary": ([Dense(3), Activation("softplus"), Dense(1)], SigmoidCrossEntropy()),
    "others between": ([Dense(4), LayerNorm(), PReLU(), Dense(3), Activation("tanh"), Dense(2)], SquaredError()),
    "an activation first": ([Activation("tanh"), Dense(2), Activation("tanh")], SquaredError()),
}
every_case = pytest.mark.parametrize("name", list(CASES))


def problem(name: str, rows: int = 7, weighted: bool = True) -> tuple[Objective, Any]:
    """Return an objective and a θ."""
    blocks, loss = CASES[name]
    rng = np.random.default_rng(len(blocks))
    network, X = Network(3, blocks), rng.normal(size=(rows, 3))
    shape = (rows, network.outputs)
    y = rng.integers(0, 3, rows) if loss.targets == "classes" else rng.integers(0, 2, shape).astype(float)
    objective = Objective(network, loss, X, y, rng.uniform(0.5, 2, rows) if weighted else None)
    return objective, network.initialize(1) + 0.1 * rng.normal(size=network.size)


def places(objective: Objective, k: int) -> Any:
    """Return the places of (W; b) of a block in θ."""
    return np.concatenate([np.arange(s.start, s.stop) for s in objective.network.slots if s.block == k])


@every_case
def test_one_row_is_exact(name: str) -> None:
    objective, theta = problem(name, 1)
    G = explicit_gauss_newton(objective, theta)
    for k, A, S in factors(objective, theta):
        own = places(objective, k)
        assert relative_error(np.kron(A, S), G[np.ix_(own, own)]) <= EXACT


@every_case
@pytest.mark.parametrize("weighted", [False, True])
def test_the_factors_are_the_sums_of_their_rows(name: str, weighted: bool) -> None:
    objective, theta = problem(name, weighted=weighted)
    weight = np.ones(7) if objective.sample_weight is None else objective.sample_weight
    share = weight / weight.sum()
    rows = [
        factors(Objective(objective.network, objective.loss, objective.X[r : r + 1], objective.y[r : r + 1]), theta)
        for r in range(7)
    ]
    for n, (k, A, S) in enumerate(factors(objective, theta)):
        assert all(row[n].block == k for row in rows)
        assert relative_error(A, sum(s * row[n].A for s, row in zip(share, rows, strict=True))) <= EXACT
        assert relative_error(S, sum(s * row[n].S for s, row in zip(share, rows, strict=True))) <= EXACT


@every_case
def test_the_roots_are_those_of_the_curvature(name: str) -> None:
    objective, theta = problem(name)
    scores = objective.network.forward(theta, objective.X)
    R, v = roots(objective, scores), np.random.default_rng(0).normal(size=scores.shape)
    wanted = objective.loss.curvature(scores, objective.y, v, objective.sample_weight)
    assert relative_error(np.einsum("nka,nkb,nb->na", R, R, v), wanted) <= EXACT


@every_case
@pytest.mark.parametrize("weighted", [False, True])
def test_squares_are_jaxs_row_by_row(name: str, weighted: bool) -> None:
    objective, theta = problem(name, weighted=weighted)
    weight = np.ones(7) if objective.sample_weight is None else objective.sample_weight
    wanted = np.zeros(theta.size)
    for r in range(7):
        row = Objective(
            objective.network, objective.loss, *(jnp.asarray(a[r : r + 1]) for a in (objective.X, objective.y))
        )
        wanted += weight[r] / weight.sum() * np.asarray(jax.grad(row.value)(jnp.asarray(theta))) ** 2
    assert relative_error(squares(objective, theta), wanted) <= EXACT


def test_sparse_rows_are_rows() -> None:
    objective, theta = problem("classes")
    thin = Objective(objective.network, objective.loss, scipy.sparse.csr_array(objective.X), objective.y)
    full = Objective(objective.network, objective.loss, objective.X, objective.y)
    for one, other in zip(factors(thin, theta), factors(full, theta), strict=True):
        assert relative_error(one.A, other.A) <= EXACT
        assert relative_error(one.S, other.S) <= EXACT
    assert relative_error(squares(thin, theta), squares(full, theta)) <= EXACT


BLOCKS: dict[str, list[Any]] = {
    "dense": [Dense(3), Activation("tanh"), Dense(2, bias=False), Dense(2)],
    "prelu": [Dense(3), PReLU(), Dense(2)],
    "shared slope": [Dense(3), PReLU(shared=True), Dense(2)],
    "layer norm": [Dense(3), LayerNorm(), Activation("tanh"), Dense(2)],
    "batch norm": [Dense(3), BatchNorm(), Activation("tanh"), Dense(2)],
}


@pytest.mark.parametrize("name", list(BLOCKS))
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 6))
def test_pull_rows_of_every_block_is_pull_params_of_single_rows(name: str, seed: int, rows: int) -> None:
    rng, network = np.random.default_rng(seed), Network(4, BLOCKS[name])
    theta = network.initialize(seed % 1000)
    network.write_statistics(theta, {f"{k}.variance": rng.uniform(0.5, 2, 3) for k in (1,) if name == "batch norm"})
    params, x, dy = network.unpack(theta), rng.normal(size=(rows, 4)), rng.normal(size=(rows, 2))
    _, caches = network.forward_with_caches(params, x)
    got = network.backward_rows(params, caches, dy)
    assert got.shape == (rows, network.size)
    for r in range(rows):
        _, own = network.forward_with_caches(params, x[r : r + 1])
        wanted = network.pack(network.backward(params, own, dy[r : r + 1]))
        assert relative_error(got[r], wanted) <= EXACT
    assert relative_error(got.sum(axis=0), network.pack(network.backward(params, caches, dy))) <= EXACT
