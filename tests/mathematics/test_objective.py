"""The objective: gradient, Hessian and Gauss-Newton products of whole networks against independent derivatives.

Random networks of depth 1 to 4, with every activation, every loss, penalties and weights.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Activation, Dense, Network, Objective
from chainrule.losses import CrossEntropy, Loss, SquaredError
from chainrule.mathematics.activations import ACTIVATIONS
from chainrule.penalties import L1, L2
from support.oracles import (
    DIFFERENCES,
    JAX,
    central_gradient,
    central_product,
    explicit_gauss_newton,
    jax_gradient,
    jax_objective,
    jax_product,
    relative_error,
)
from support.problems import PROBLEMS, Problem
from support.strategies import ALL_LOSSES, SEEDS, ObjectiveProblem, draw_target, objective_problems

ONE_SHAPE = {"rows": st.just(4), "widths": st.just(3)}
"""JAX compiles each operation for each shape; central differences see all shapes."""

every_activation = pytest.mark.parametrize("activation", list(ACTIVATIONS))
every_loss = pytest.mark.parametrize("loss", ALL_LOSSES, ids=repr)


def check_differences(p: ObjectiveProblem) -> None:
    objective, theta, v = p
    value, gradient = objective.value_and_gradient(theta)
    assert value == objective.value(theta)
    assert relative_error(gradient, central_gradient(objective.value, theta)) <= DIFFERENCES
    product = central_product(objective.gradient, theta, v)
    assert relative_error(objective.hessian_product(theta, v), product) <= DIFFERENCES


def check_jax(p: ObjectiveProblem) -> None:
    objective, theta, v = p
    value = jax_objective(objective).value
    assert relative_error(objective.gradient(theta), jax_gradient(value, theta)) <= JAX
    assert relative_error(objective.hessian_product(theta, v), jax_product(value, theta, v)) <= JAX


def matrix(product: Any, theta: Any) -> Any:
    """Return the matrix of a product, column by column."""
    return np.stack([product(theta, unit) for unit in np.eye(theta.size)], axis=1)


@every_activation
def test_every_activation_against_differences(activation: str) -> None:
    settings(max_examples=20)(given(objective_problems(activation=activation))(check_differences))()


@every_loss
def test_every_loss_against_differences(loss: Loss) -> None:
    settings(max_examples=20)(given(objective_problems(loss=loss))(check_differences))()


@pytest.mark.slow
@every_activation
def test_every_activation_against_jax(activation: str) -> None:
    settings(max_examples=6)(given(objective_problems(activation=activation, **ONE_SHAPE))(check_jax))()


@pytest.mark.slow
@every_loss
def test_every_loss_against_jax(loss: Loss) -> None:
    settings(max_examples=6)(given(objective_problems(loss=loss, **ONE_SHAPE))(check_jax))()


@pytest.mark.slow
@every_loss
def test_gauss_newton_against_the_explicit_matrix(loss: Loss) -> None:
    @settings(max_examples=3)
    @given(objective_problems(loss=loss, penalized=False, **ONE_SHAPE))
    def check(p: ObjectiveProblem) -> None:
        objective, theta, v = p
        wanted = explicit_gauss_newton(objective, theta) @ v
        assert relative_error(objective.gauss_newton_product(theta, v), wanted) <= JAX

    check()


@every_loss
def test_hessian_is_symmetric_and_gauss_newton_positive_too(loss: Loss) -> None:
    @settings(max_examples=10)
    @given(objective_problems(loss=loss))
    def check(p: ObjectiveProblem) -> None:
        objective, theta, _ = p
        hessian = matrix(objective.hessian_product, theta)
        gauss_newton = matrix(objective.gauss_newton_product, theta)
        for H in (hessian, gauss_newton):
            assert relative_error(H, H.T) <= 1e-13
        size = max(1.0, float(np.linalg.norm(gauss_newton)))
        assert np.linalg.eigvalsh(gauss_newton).min() >= -1e-13 * size

    check()


@given(p=objective_problems(activation="identity", loss=SquaredError()))
@settings(max_examples=20)
def test_products_are_linear_in_the_direction(p: ObjectiveProblem) -> None:
    objective, theta, v = p
    w = np.cos(np.arange(v.size))
    for product in (objective.hessian_product, objective.gauss_newton_product):
        wanted = 2 * product(theta, v) - 0.5 * product(theta, w)
        assert relative_error(product(theta, 2 * v - 0.5 * w), wanted) <= 1e-12


def test_gauss_newton_is_the_hessian_of_a_linear_network() -> None:
    p = plain(CrossEntropy(), Network(3, [Dense(4)]))
    objective, theta, v = p
    got, wanted = objective.gauss_newton_product(theta, v), objective.hessian_product(theta, v)
    assert relative_error(got, wanted) <= 1e-14


@given(p=objective_problems(), seed=SEEDS, slices=st.booleans())
def test_a_batch_is_an_objective_on_those_rows(p: ObjectiveProblem, seed: int, slices: bool) -> None:
    objective, theta, v = p
    rng = np.random.default_rng(seed)
    rows = slice(0, 2) if slices else rng.integers(0, objective.rows, 3)
    batch = objective.batch(rows)
    weight = objective.sample_weight
    apart = Objective(
        objective.network,
        objective.loss,
        objective.X[rows],
        objective.y[rows],
        None if weight is None else weight[rows],
        objective.penalties,
    )
    assert batch.rows == apart.rows == len(objective.X[rows])
    assert batch.value(theta) == apart.value(theta)
    for method in ("hessian_product", "gauss_newton_product"):
        np.testing.assert_array_equal(getattr(batch, method)(theta, v), getattr(apart, method)(theta, v))
    np.testing.assert_array_equal(batch.gradient(theta), apart.gradient(theta))
    assert objective.rows == len(objective.X)


def plain(loss: Loss, network: Network | None = None, rows: int = 6) -> ObjectiveProblem:
    rng = np.random.default_rng(12)
    network = network or Network(3, [Dense(5), Activation("tanh"), Dense(4)])
    X, y = rng.normal(size=(rows, network.inputs)), draw_target(loss, rng, rows, network.outputs)
    theta, v = rng.normal(size=(2, network.size))
    penalties = [L2(0.1), L1(0.01, per_sample=True)]
    return ObjectiveProblem(Objective(network, loss, X, y, rng.uniform(0, 2, rows), penalties), theta, v)


@every_loss
def test_sparse_inputs_equal_dense_ones(loss: Loss) -> None:
    objective, theta, v = plain(loss)
    X = objective.X * (np.abs(objective.X) > 0.5)
    dense = Objective(objective.network, loss, X, objective.y, objective.sample_weight, objective.penalties)
    for kind in (scipy.sparse.csr_array, scipy.sparse.csr_matrix):
        sparse = Objective(objective.network, loss, kind(X), objective.y, objective.sample_weight, objective.penalties)
        assert abs(sparse.value(theta) - dense.value(theta)) <= 1e-14 * max(1, abs(dense.value(theta)))
        assert relative_error(sparse.gradient(theta), dense.gradient(theta)) <= 1e-14
        for method in ("hessian_product", "gauss_newton_product"):
            got, wanted = getattr(sparse, method)(theta, v), getattr(dense, method)(theta, v)
            assert relative_error(got, wanted) <= 1e-14
        rows = np.array([4, 0, 4])
        assert relative_error(sparse.batch(rows).gradient(theta), dense.batch(rows).gradient(theta)) <= 1e-14


@every_loss
def test_float32_stays_float32_and_near_float64(loss: Loss) -> None:
    objective, theta, v = plain(loss)
    y = objective.y if objective.y.dtype.kind == "i" else objective.y.astype(np.float32)
    arguments = objective.X.astype(np.float32), y, objective.sample_weight.astype(np.float32)
    single = Objective(objective.network, loss, *arguments, objective.penalties)
    theta32, v32 = theta.astype(np.float32), v.astype(np.float32)
    value, gradient = single.value_and_gradient(theta32)
    assert value.dtype == gradient.dtype == np.float32
    assert relative_error(gradient, objective.gradient(theta)) <= 1e-5
    for method in ("hessian_product", "gauss_newton_product"):
        got, wanted = getattr(single, method)(theta32, v32), getattr(objective, method)(theta, v)
        assert got.dtype == np.float32
        assert relative_error(got, wanted) <= 1e-5


def test_weights_of_zero_leave_the_penalties() -> None:
    objective, theta, v = plain(SquaredError())
    nothing = Objective(
        objective.network, objective.loss, objective.X, objective.y, np.zeros(objective.rows), [L2(0.5)]
    )
    w = theta * objective.network.mask("weight")
    assert abs(nothing.value(theta) - 0.25 * w @ w) <= 1e-14
    assert relative_error(nothing.gradient(theta), 0.5 * w) <= 1e-15
    assert relative_error(nothing.hessian_product(theta, v), 0.5 * v * objective.network.mask("weight")) <= 1e-15


def test_arguments_are_left_alone() -> None:
    objective, theta, v = plain(CrossEntropy())
    arrays = [objective.X, objective.y, objective.sample_weight, theta, v]
    before = [array.copy() for array in arrays]
    objective.value_and_gradient(theta)
    objective.hessian_product(theta, v)
    objective.gauss_newton_product(theta, v)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_the_problems_table(problem: Problem) -> None:
    objective, rng = problem.objective, np.random.default_rng(13)
    theta = problem.start + 0.1 * rng.normal(size=problem.start.size)
    v = rng.normal(size=theta.size)
    value, gradient = objective.value_and_gradient(theta)
    assert value == objective.value(theta) > problem.wanted
    assert relative_error(gradient, central_gradient(objective.value, theta)) <= DIFFERENCES
    product = central_product(lambda z: objective.value_and_gradient(z)[1], theta, v)
    assert relative_error(objective.hessian_product(theta, v), product) <= DIFFERENCES
    if problem.optimum is not None:
        assert objective.value(problem.optimum) == problem.wanted
        np.testing.assert_array_equal(objective.value_and_gradient(problem.optimum)[1], np.zeros(theta.size))


@pytest.mark.parametrize("loss", [SquaredError(), CrossEntropy()], ids=repr)
def test_targets_and_weights_take_the_type_of_the_inputs(loss: Loss) -> None:
    network, X, y, weight = Network(3, [Dense(2)]), np.ones((4, 3)), np.full((4, 2), 0.5), np.array([1, 2, 3, 4])
    single = Objective(network, loss, X.astype(np.float32), y, weight)
    assert single.y.dtype == single.sample_weight.dtype == np.float32
    np.testing.assert_array_equal(single.y, y)
    np.testing.assert_array_equal(single.sample_weight, weight)
    same = Objective(network, loss, X, y, weight.astype(float))
    assert same.X is X
    assert np.shares_memory(same.y, y)  # what has the type already is not copied
    assert same.rows == 4
    assert same.total == 10
    assert Objective(network, loss, X, y).total == 4
    doubles = weight.astype(float)
    assert np.shares_memory(Objective(network, loss, X, y, doubles).sample_weight, doubles)


def test_class_numbers_stay_whole_and_flat_targets_become_a_column() -> None:
    X, y = np.ones((4, 3)), np.array([0, 1, 0, 1])
    assert Objective(Network(3, [Dense(2)]), CrossEntropy(), X, y).y is y
    column = Objective(Network(3, [Dense(1)]), SquaredError(), X, y)
    assert (column.y.shape, column.y.dtype) == ((4, 1), np.dtype(float))


def test_a_proximal_penalty_counts_in_the_value_and_is_no_part_of_the_derivatives() -> None:
    objective, theta, v = plain(SquaredError())
    pulled, added = L1(0.3, kinds=("weight", "bias"), proximal=True), L2(0.2)
    data = (objective.network, objective.loss, objective.X, objective.y, objective.sample_weight)
    for penalties in ([pulled, added], [added, pulled]):
        both, one = Objective(*data, penalties), Objective(*data, [added])
        assert both.value(theta) == pytest.approx(float(one.value(theta)) + 0.3 * np.abs(theta).sum(), rel=1e-14)
        np.testing.assert_array_equal(both.gradient(theta), one.gradient(theta))
        for method in ("hessian_product", "gauss_newton_product"):
            np.testing.assert_array_equal(getattr(both, method)(theta, v), getattr(one, method)(theta, v))
        assert both.proximal == [(pulled, list(objective.network.slots))]
        assert one.proximal == []


def test_the_penalties_and_the_rest_part_the_objective() -> None:
    objective, theta, v = plain(SquaredError())
    bare = objective.without_penalties()
    assert (bare.penalties, bare.proximal) == ((), [])
    assert len(objective.penalties) == 2
    value, gradient = objective.penalty_and_gradient(theta)
    weights = theta[objective.network.mask("weight")]
    wanted = 0.05 * weights @ weights + 0.01 / objective.total * np.abs(weights).sum()
    assert value == pytest.approx(wanted, rel=1e-14)
    assert relative_error(gradient, central_gradient(lambda z: objective.penalty_and_gradient(z)[0], theta)) <= 1e-9
    assert bare.value(theta) + value == pytest.approx(float(objective.value(theta)), rel=1e-14)
    assert relative_error(bare.gradient(theta) + gradient, objective.gradient(theta)) <= 1e-14
    bent = 0.1 * v * objective.network.mask("weight")
    assert relative_error(bare.hessian_product(theta, v) + bent, objective.hessian_product(theta, v)) <= 1e-14
    assert bare.penalty_and_gradient(theta)[0] == 0
    assert not bare.penalty_and_gradient(theta)[1].any()


def test_replaced_inputs_and_targets_keep_everything_else() -> None:
    objective, theta, _ = plain(SquaredError())
    X, y = 2 * objective.X, objective.y - 1
    made = objective.replaced(X, y)
    assert made.X is X
    assert made.y is y
    apart = Objective(objective.network, objective.loss, X, y, objective.sample_weight, objective.penalties)
    assert made.value(theta) == apart.value(theta)
    np.testing.assert_array_equal(made.gradient(theta), apart.gradient(theta))
    assert objective.X is not X


def test_what_does_not_fit_is_refused() -> None:
    network, loss, X, y = Network(3, [Dense(2)]), SquaredError(), np.ones((4, 3)), np.ones((4, 2))
    for arguments, message in (
        ((X[:, :2], y), "X has shape (4, 2); this network takes (rows, 3)"),
        ((X[0], y), "X has shape (3,); this network takes (rows, 3)"),
        ((X, y[:3]), "X has 4 rows, y has 3"),
        ((X, y[:, :1]), "y has shape (4, 1); this network gives (4, 2)"),
        ((X, y, np.ones(3)), "sample_weight has shape (3,); X has 4 rows"),
        ((X, y, np.ones((4, 1))), "sample_weight has shape (4, 1); X has 4 rows"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            Objective(network, loss, *arguments)


@pytest.mark.parametrize("method", ["value_and_gradient", "hessian_product", "gauss_newton_product"])
def test_a_theta_of_wrong_length_is_refused(method: str) -> None:
    objective, theta, v = plain(SquaredError())
    longer = np.append(theta, 0.0)
    arguments = (longer,) if method == "value_and_gradient" else (longer, v)
    with pytest.raises(ValueError, match="this network has 44 parameters"):
        getattr(objective, method)(*arguments)


@pytest.mark.parametrize("y", [[0, 1, 2], [0, -1, 1], [0.5, 0.0, 1.0], [2], [-1]], ids=str)
def test_class_numbers_without_an_output_are_refused(y: list[float]) -> None:
    words = "y must hold class numbers, integers from 0 to 1: one for each output"
    with pytest.raises(ValueError, match=f"^{words}$"):
        Objective(Network(1, [Dense(2)]), CrossEntropy(), np.ones((len(y), 1)), np.array(y))


def test_no_rows_have_no_wrong_class_numbers() -> None:
    assert Objective(Network(1, [Dense(2)]), CrossEntropy(), np.ones((0, 1)), np.empty(0, int)).rows == 0


CLASS_LOSSES = [loss for loss in ALL_LOSSES if loss.targets == "classes"]


@pytest.mark.parametrize("loss", CLASS_LOSSES, ids=repr)
@pytest.mark.parametrize("columns", [1, 2, 4])
def test_class_numbers_in_columns_are_refused(loss: Any, columns: int) -> None:
    y = np.zeros((6, columns))
    words = rf"{type(loss).__name__} takes y as class numbers \(6,\) or class probabilities \(6, 3\), got the shape"
    with pytest.raises(ValueError, match=rf"{words} \(6, {columns}\)"):
        Objective(Network(2, [Dense(3)]), loss, np.ones((6, 2)), y)
    with pytest.raises(ValueError, match=rf"scores have shape \(6, 3\), the target has shape \(6, {columns}\)"):
        loss.value(np.zeros((6, 3)), y)


OUTSIDE = {
    "real": ((), ""),
    "counts": ((-1.0, -1e-9), "at least 0"),
    "binary": ((2.0, 1.0 + 1e-9, -1e-9), "from 0 to 1"),
    "signs": ((0.0, 2.0, -2.0, 0.5), r"-1 or \+1"),
    "classes": ((-0.5, 1.5), "class numbers, or probabilities from 0 to 1"),
}
INSIDE = {
    "real": (-9.0, 0.0, 9.0),
    "counts": (0.0, 0.5, 7.0),
    "binary": (0.0, 0.5, 1.0),
    "signs": (-1.0, 1.0),
    "classes": (0.0, 0.5, 1.0),
}


@pytest.mark.parametrize("loss", ALL_LOSSES, ids=repr)
def test_targets_outside_the_range_of_the_loss_are_refused(loss: Any) -> None:
    network, X = Network(2, [Dense(2)]), np.ones((3, 2))
    for value in INSIDE[loss.targets]:
        Objective(network, loss, X, np.full((3, 2), value))
    wrong, words = OUTSIDE[loss.targets]
    for value in wrong:
        y = np.ones((3, 2))
        y[1, 1] = value
        with pytest.raises(
            ValueError, match=f"^{type(loss).__name__} takes targets y that are {words}, got {value:g}$"
        ):
            Objective(network, loss, X, y)


@pytest.mark.parametrize("wrong", [-1.0, -1e-9, np.nan, np.inf])
def test_weights_of_rows_are_finite_and_not_negative(wrong: float) -> None:
    words = f"^sample_weight must hold finite numbers of at least 0, got {wrong:g}$"
    with pytest.raises(ValueError, match=words):
        Objective(Network(2, [Dense(1)]), SquaredError(), np.ones((3, 2)), np.ones(3), np.array([1.0, wrong, 0.0]))


@pytest.mark.parametrize(
    ("strange", "called"),
    [
        ([[1.0], [2.0]], "a list"),
        (None, "a NoneType"),
        (pd.DataFrame({"a": [1.0, 2.0]}), "a pandas.DataFrame"),
        (pl.DataFrame({"a": [1.0, 2.0]}), "a polars.DataFrame"),
    ],
    ids=["list", "None", "pandas", "polars"],
)
def test_what_is_no_array_is_refused(strange: Any, called: str) -> None:
    network, X, y = Network(1, [Dense(1)]), np.ones((2, 1)), np.ones(2)
    for name, given_ in {"X": (strange, y), "y": (X, strange), "sample_weight": (X, y, strange)}.items():
        if name == "sample_weight" and strange is None:
            continue
        words = f"{name} must be an array, such as numpy.asarray gives, got {called}"
        with pytest.raises(TypeError, match=f"^{re.escape(words)}"):
            Objective(network, SquaredError(), *given_)
    with pytest.raises(TypeError, match="y must be an array"):
        Objective(network, SquaredError(), X, scipy.sparse.csr_array(X))
