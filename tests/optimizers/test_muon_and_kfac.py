"""Muon and K-FAC: their formulas from the papers as plain loops, their places in θ, and trainings on batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import Activation, BatchNorm, Dense, Dropout, Network, Objective, PReLU
from chainrule.engines import ReferenceEngine
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.mathematics.curvature import gauss_newton
from chainrule.mathematics.fisher import factors
from chainrule.optimizers import KFAC, AdamW, Muon
from chainrule.optimizers.muon import orthogonal
from support.oracles import relative_error

SIZES = [(4, 4), (3, 7), (7, 3), (1, 5), (20, 10)]


def digits() -> tuple[Objective, Any]:
    """Return the digits for 64-30-20-10, and a start."""
    X, y = load_digits(return_X_y=True)
    network = Network(64, [Dense(30), Activation("tanh"), Dense(20), Activation("tanh"), Dense(10)])
    return Objective(network, CrossEntropy(), X / 16, y), network.initialize(0)


# ------------------------------------------------------------------------------------------------------------- Muon


def newton_schulz(G: Any, steps: int) -> Any:
    """Return the published loop, line by line."""
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G.copy()
    if G.shape[0] > G.shape[1]:
        X = X.T
    X = X / (np.linalg.norm(X) + 1e-7)
    for _ in range(steps):
        S = X @ X.T
        X = a * X + (b * S + c * S @ S) @ X
    return X.T if G.shape[0] > G.shape[1] else X


@given(st.integers(0, 2**32 - 1), st.sampled_from(SIZES), st.integers(1, 8))
def test_orthogonal_is_the_published_loop(seed: int, shape: tuple[int, int], steps: int) -> None:
    G = np.random.default_rng(seed).normal(size=shape)
    assert relative_error(orthogonal(G, steps), newton_schulz(G, steps)) <= 1e-10


@pytest.mark.parametrize("shape", SIZES)
def test_orthogonal_has_singular_values_near_one_and_the_same_axes(shape: tuple[int, int]) -> None:
    G = np.random.default_rng(1).normal(size=shape)
    U, S, Vt = np.linalg.svd(G, full_matrices=False)
    got = orthogonal(G * 1e-3, 5)
    inner = U.T @ got @ Vt.T
    big = 0.1 * S.max() < S
    assert np.abs(inner - np.diag(np.diag(inner))).max() < 1e-6
    assert ((np.diag(inner)[big] > 0.65) & (np.diag(inner)[big] < 1.25)).all()
    assert not orthogonal(np.zeros(shape), 5).any()
    assert orthogonal(G.astype(np.float32), 5).dtype == np.float32


def test_steps_are_nesterovs_orthogonal_ones_on_hidden_matrices_and_adamws_elsewhere() -> None:
    objective, theta = digits()
    network = objective.network
    optimizer, ask = Muon(0.05, weight_decay=0.1), ReferenceEngine(objective.batch(np.arange(50)))
    memory, adam = optimizer.init(network, theta), AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1)
    held, inner = adam.init(network, theta), slice(64 * 30 + 30, 64 * 30 + 30 + 30 * 20)
    delta, W = np.zeros((30, 20)), theta[inner].reshape(30, 20)
    for rate in (0.05, 0.02, 0.01):
        _, g = ask.value_and_gradient(theta)
        others, held = adam.update(theta, g, held, rate * 1e-3 / 0.05)
        G = g[inner].reshape(30, 20)
        delta = 0.95 * delta + G
        W = (1 - rate * 0.1) * W - rate * newton_schulz(G + 0.95 * delta, 5)  # fewer outputs than inputs: factor 1
        theta, memory, _ = optimizer.step(ask, theta, memory, rate)
        assert relative_error(theta[inner].reshape(30, 20), W) <= 1e-10
        outside = np.ones(theta.size, bool)
        outside[inner] = False
        np.testing.assert_array_equal(theta[outside], others[outside])


def test_wide_layers_move_farther() -> None:
    network = Network(3, [Dense(4), Activation("tanh"), Dense(16), Activation("tanh"), Dense(1)])
    X = np.random.default_rng(0).normal(size=(30, 3))
    objective, theta = Objective(network, SquaredError(), X, X[:, :1]), network.initialize(0)
    optimizer = Muon(0.1, weight_decay=0.0)
    moved = optimizer.step(ReferenceEngine(objective), theta, optimizer.init(network, theta), 0.1)[0]
    W = network.views(moved - theta)["2.W"]
    assert 0.65 * 2 * 0.1 < np.linalg.svd(W)[1].max() < 1.25 * 2 * 0.1  # √(16 / 4) = 2


def test_the_hidden_matrices_are_those_between_the_first_and_the_last() -> None:
    network = Network(5, [Dense(4), PReLU(), Dense(3), BatchNorm(), Dense(2, bias=False), Dense(1)])
    hidden = Muon().init(network, network.initialize(0))["hidden"]
    views = {name: (s.start, *s.spec.shape) for s in network.slots if (name := f"{s.block}.{s.name}").endswith("W")}
    assert [tuple(row) for row in hidden.tolist()] == [views["2.W"], views["4.W"]]
    assert Muon().init(Network(5, [Dense(2), Dense(1)]), np.zeros(15))["hidden"].shape == (0, 3)


def test_muon_trains_on_batches_with_noise_and_a_schedule() -> None:
    X, y = load_digits(return_X_y=True)
    network = Network(64, [Dense(40), Activation("relu"), Dense(30), Activation("relu"), Dropout(0.1), Dense(10)])
    objective = Objective(network, CrossEntropy(), (X / 16).astype(np.float32), y)
    schedule = cr.schedules.OneCycle(0.05)
    result = cr.train(
        objective, network.initialize(0, "float32"), optimizer=Muon(), schedule=schedule, epochs=12, batch_size=100
    )
    assert result.history[-1].loss < 0.35
    assert result.theta.dtype == np.float32


# ------------------------------------------------------------------------------------------------------------ K-FAC


def naive_step(objective: Objective, theta: Any, g: Any, damping: float) -> Any:
    """Return P by the full Kronecker product of the damped factors, block by block."""
    out = np.zeros_like(g)
    for k, A, S in factors(objective, theta):
        own = [s for s in objective.network.slots if s.block == k]
        place = slice(own[0].start, own[-1].stop)
        pi = np.sqrt((np.trace(A) / len(A)) / (np.trace(S) / len(S)))
        left, right = A + pi * np.sqrt(damping) * np.eye(len(A)), S + np.sqrt(damping) / pi * np.eye(len(S))
        out[place] = np.linalg.solve(np.kron(left, right), g[place])
    return out


def test_the_first_step_is_the_formula() -> None:
    objective, theta = digits()
    rows = objective.batch(np.arange(30))
    optimizer = KFAC(momentum=0.0, limit=1e9, damping=0.05)
    moved, memory, report = optimizer.step(ReferenceEngine(rows), theta, optimizer.init(objective.network, theta), 0.3)
    value, g = rows.value_and_gradient(theta)
    assert relative_error(moved, theta - 0.3 * naive_step(rows, theta, g, 0.05)) <= 1e-8
    assert report[:2] == (float(value), pytest.approx(np.linalg.norm(g)))
    assert memory.t == 1


def test_one_row_of_a_linear_model_takes_the_damped_gauss_newton_step() -> None:
    # One row: A ⊗ S is the Gauss-Newton matrix itself, so that with little damping its residual is gone at once.
    network = Network(3, [Dense(2)])
    X = np.array([[1.0, -2.0, 0.5]])
    objective, theta = Objective(network, SquaredError(), X, np.array([[1.0, -1.0]])), network.initialize(0)
    optimizer = KFAC(momentum=0.0, limit=1e9, damping=1e-12)
    moved = optimizer.step(ReferenceEngine(objective), theta, optimizer.init(network, theta), 1.0)[0]
    assert float(objective.value(moved)) < 1e-8 * float(objective.value(theta))
    assert relative_error(gauss_newton(objective, theta) @ (moved - theta), -objective.gradient(theta)) <= 1e-4


def test_a_step_is_limited() -> None:
    objective, theta = digits()
    ask = ReferenceEngine(objective.batch(np.arange(30)))
    _, g = ask.value_and_gradient(theta)
    for limit in (1e-4, 1e-2):
        optimizer = KFAC(momentum=0.0, limit=limit)
        moved = optimizer.step(ask, theta, optimizer.init(objective.network, theta), 0.5)[0]
        free = KFAC(momentum=0.0, limit=1e9)
        whole = free.step(ask, theta, free.init(objective.network, theta), 0.5)[0]
        step, P = moved - theta, (theta - whole) / 0.5
        ratio = np.linalg.norm(step) / np.linalg.norm(whole - theta)
        assert ratio**2 * 0.25 * float(g @ P) == pytest.approx(limit, rel=1e-6)


def test_the_factors_are_averaged_and_renewed_every_few_steps() -> None:
    objective, theta = digits()
    optimizer, memory = KFAC(every=3, rho=0.5), None
    memory = optimizer.init(objective.network, theta)
    seen: list[Any] = []
    for k in range(7):
        ask = ReferenceEngine(objective.batch(np.arange(20 * k, 20 * k + 20)))
        found = {f.block: f for f in ask.factors(theta)}
        theta, memory, _ = optimizer.step(ask, theta, memory, 0.01)
        if k % 3 == 0:
            seen.append(found[2].A)
        weights = 0.5 ** np.arange(len(seen))[::-1]
        wanted = np.tensordot(weights / weights.sum(), np.stack(seen), 1)
        assert relative_error(memory["A 2"], wanted) <= 1e-10
        inverse = memory["inverse A 2"]
        assert relative_error(inverse, inverse.T) == 0
        assert np.linalg.eigvalsh(inverse).min() > 0


def test_momentum_is_polyaks() -> None:
    objective, theta = digits()
    ask, optimizer = ReferenceEngine(objective.batch(np.arange(30))), KFAC(momentum=0.5)
    memory = optimizer.init(objective.network, theta)
    one, memory, _ = optimizer.step(ask, theta, memory, 0.01)
    before = memory["delta"]
    two, memory, _ = optimizer.step(ask, one, memory, 0.01)
    assert relative_error(two, one - 0.01 * memory["delta"]) <= 1e-12
    assert np.linalg.norm(memory["delta"] - 0.5 * before) > 0


def test_kfac_needs_fewer_passes_than_adam() -> None:
    objective, theta = digits()
    losses = {
        kind: cr.train(
            objective, theta, optimizer=kind(), schedule=cr.schedules.Constant(rate), epochs=6, batch_size=100
        )
        .history[-1]
        .loss
        for kind, rate in ((KFAC, 0.1), (cr.optimizers.Adam, 3e-3))
    }
    assert losses[KFAC] < 0.25 * losses[cr.optimizers.Adam]


def test_blocks_without_a_place_are_refused_in_one_line() -> None:
    for block, name in ((BatchNorm(), "BatchNorm"), (PReLU(), "PReLU")):
        network = Network(3, [Dense(4), block, Dense(2)])
        with pytest.raises(ValueError, match=f"kfac knows the parameters of Dense blocks only; block 1 is {name}"):
            KFAC().init(network, network.initialize(0))
    network = Network(3, [Dense(4, bias=False), Activation("tanh"), Dense(2)])
    assert KFAC().init(network, network.initialize(0))["places"].tolist() == [[0, 0, 3, 4], [2, 12, 5, 2]]
