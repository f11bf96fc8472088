"""The gradient check passes for what is right and finds every planted mistake."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.gradient_check import ArrayCheck, check_gradients
from chainrule.losses import LOSSES
from chainrule.mathematics.activations import ACTIVATIONS
from chainrule.mathematics.blocks import Dense

PASS = 1e-7


def problem(activation: str = "tanh", loss: cr.losses.Loss | None = None, dtype: str = "float64", rows: int = 6):
    """Return an objective on random data, and a θ with non-zero biases."""
    draw = np.random.default_rng(0)
    network = cr.Network(3, [Dense(5, None, "normal"), cr.Activation(activation), Dense(2, None, "normal")])
    loss = loss or cr.losses.SquaredError()
    y = draw.normal(size=(rows, 2))
    targets = {"real": y, "counts": np.floor(np.abs(3 * y)), "binary": (y > 0) * 1.0, "signs": np.sign(y)}
    y = y.argmax(axis=1) if loss.targets == "classes" else targets[loss.targets].astype(dtype)
    X = draw.normal(size=(rows, 3)).astype(dtype)
    weight = draw.uniform(0.5, 2, rows).astype(dtype)
    objective = cr.Objective(network, loss, X, y, weight, [cr.penalties.L2(0.1), cr.penalties.L1(0.01)])
    return objective, network.initialize(1, dtype)


def worst(rows: list[ArrayCheck]) -> float:
    return max(row.worst for row in rows)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_passes(activation) -> None:
    assert worst(check_gradients(*problem(activation))) < PASS


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_passes(loss) -> None:
    assert worst(check_gradients(*problem(loss=LOSSES[loss]()))) < PASS


def test_rows_name_every_array_and_how_much_of_it_was_moved() -> None:
    rows = check_gradients(*problem(), entries=8)
    assert [(row.name, row.size, row.checked) for row in rows] == [
        ("0.W", 15, 8),
        ("0.b", 5, 5),
        ("2.W", 10, 8),
        ("2.b", 2, 2),
    ]


def test_single_precision_is_checked_in_double() -> None:
    objective, theta = problem(dtype="float32")
    assert worst(check_gradients(objective, theta)) < PASS
    assert objective.X.dtype == np.float32


def test_the_same_seed_gives_the_same_figures() -> None:
    assert check_gradients(*problem(), seed=3) == check_gradients(*problem(), seed=3)
    assert check_gradients(*problem(), seed=3) != check_gradients(*problem(), seed=4)


def test_a_wide_relu_network_passes_in_spite_of_its_kinks() -> None:
    draw = np.random.default_rng(0)
    network = cr.Network(50, [Dense(300, None, "normal"), cr.Activation("relu"), Dense(4, None, "normal")])
    X, y = draw.normal(size=(16, 50)), draw.integers(4, size=16)
    rows = check_gradients(cr.Objective(network, cr.losses.CrossEntropy(), X, y), network.initialize(0))
    assert worst(rows) < 1e-6


@pytest.mark.parametrize("factor", [1.001, 0.0, -1.0])
def test_a_wrong_weight_gradient_is_found(factor, monkeypatch) -> None:
    right = Dense.pull_params
    monkeypatch.setattr(Dense, "pull_params", lambda self, *a: {**right(self, *a), "W": factor * right(self, *a)["W"]})
    rows = {row.name: row for row in check_gradients(*problem())}
    assert rows["0.W"].gradient_error > 1e-4
    assert rows["2.W"].gradient_error > 1e-4
    assert rows["0.b"].gradient_error < PASS


def test_one_wrong_entry_is_found_though_it_is_not_moved_by_itself(monkeypatch) -> None:
    right = cr.Objective.value_and_gradient

    def wrong(self, *a):
        value, gradient = right(self, *a)
        gradient = gradient.copy()
        gradient[7] += 0.01 * np.abs(gradient).max()
        return value, gradient

    monkeypatch.setattr(cr.Objective, "value_and_gradient", wrong)
    rows = {row.name: row for row in check_gradients(*problem(), entries=1)}
    assert rows["0.W"].gradient_error > 1e-5
    assert rows["2.W"].gradient_error < PASS


def test_a_wrong_hessian_product_is_found(monkeypatch) -> None:
    monkeypatch.setattr(cr.Objective, "hessian_product", cr.Objective.gauss_newton_product)
    rows = check_gradients(*problem())
    assert max(row.hessian_error for row in rows) > 1e-3
    assert max(row.gradient_error for row in rows) < PASS


def test_a_gradient_that_is_not_a_number_fails(monkeypatch) -> None:
    right = cr.Objective.value_and_gradient
    monkeypatch.setattr(
        cr.Objective, "value_and_gradient", lambda self, *a: (right(self, *a)[0], np.nan * right(self, *a)[1])
    )
    assert worst(check_gradients(*problem())) == float("inf")


def test_a_theta_of_another_size_is_refused() -> None:
    objective, theta = problem()
    with pytest.raises(ValueError, match=r"θ has shape \(31,\)"):
        check_gradients(objective, theta[:-1])
