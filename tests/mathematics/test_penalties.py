"""Every penalty against its formula, central differences and JAX; which parameters it touches, and how much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from chainrule import Activation, Dense, Network, Objective
from chainrule.losses import SquaredError
from chainrule.penalties import L1, L2, PENALTIES, Penalty
from support.oracles import (
    DIFFERENCES,
    JAX,
    central_gradient,
    central_product,
    jax_gradient,
    jax_product,
    relative_error,
    worst_relative_error,
)
from support.strategies import arrays

ROWS: dict[str, Callable[[Any], float]] = {
    "l1": lambda w: sum(abs(entry) for entry in w.reshape(-1).tolist()),
    "l2": lambda w: sum(entry**2 for entry in w.reshape(-1).tolist()) / 2,
    "elastic_net": lambda w: sum(0.5 * abs(entry) + 0.25 * entry**2 for entry in w.reshape(-1).tolist()),
}
"""One row per row of the table: the penalty of an array, entry by entry."""

every_name = pytest.mark.parametrize("name", list(PENALTIES))
W = np.array([[1.5, -0.5], [0.0, -2.0]])


def test_every_row_of_the_table_has_a_test_row() -> None:
    assert set(ROWS) == set(PENALTIES)


@every_name
def test_derivatives_against_formula_differences_and_jax(name: str) -> None:
    penalty = PENALTIES[name](1.0)

    @given(arrays(kinks=[0.0], bound=3.0))
    def check(w: Any) -> None:
        v = np.cos(np.arange(w.size)).reshape(w.shape)
        assert worst_relative_error(penalty.value(w), np.array(ROWS[name](w))) <= 1e-14
        assert relative_error(penalty.gradient(w), central_gradient(penalty.value, w)) <= DIFFERENCES
        assert relative_error(penalty.product(w, v), central_product(penalty.gradient, w, v)) <= DIFFERENCES

    check()
    w, v = np.where(W == 0, 0.7, W), W + 0.1
    assert relative_error(penalty.gradient(w), jax_gradient(penalty.value, w)) <= JAX
    assert relative_error(penalty.product(w, v), jax_product(penalty.value, w, v)) <= JAX


def test_the_kink_of_the_absolute_value_is_flat() -> None:
    for zero in (0.0, -0.0):
        assert L1(1.0).gradient(np.array([zero])) == 0
    np.testing.assert_array_equal(L1(1.0).gradient(W), [[1, -1], [0, -1]])


@every_name
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_is_kept(name: str, dtype: Any) -> None:
    w = W.astype(dtype)
    penalty = PENALTIES[name](0.1)
    for array in (penalty.value(w), penalty.gradient(w), penalty.product(w, w)):
        assert array.dtype == dtype


def objective(penalties: list[Penalty], weight: Any = None, rows: int = 5, dtype: Any = np.float64) -> Objective:
    network = Network(2, [Dense(3), Activation("tanh"), Dense(1)])
    X = np.linspace(-1, 1, 2 * rows, dtype=dtype).reshape(rows, 2)
    return Objective(network, SquaredError(), X, X[:, :1], weight, penalties)


THETA = np.linspace(-1.2, 1.3, 13)


@every_name
def test_strength_scales_value_gradient_and_products(name: str) -> None:
    v = np.cos(THETA)
    alone, penalized = objective([]), objective([PENALTIES[name](0.3)])
    mask = alone.network.mask("weight")
    penalty = PENALTIES[name](1.0)
    wanted = 0.3 * penalty.gradient(THETA) * mask
    assert abs(penalized.value(THETA) - alone.value(THETA) - 0.3 * ROWS[name](THETA[mask])) <= 1e-14
    assert relative_error(penalized.gradient(THETA) - alone.gradient(THETA), wanted) <= 1e-13
    bent = 0.3 * penalty.product(THETA, v) * mask
    for method in ("hessian_product", "gauss_newton_product"):
        added = getattr(penalized, method)(THETA, v) - getattr(alone, method)(THETA, v)
        assert relative_error(added, bent) <= 1e-13


@every_name
def test_biases_are_spared_unless_named(name: str) -> None:
    alone = objective([])
    for kinds in (("weight",), ("bias",), ("weight", "bias")):
        touched = np.any([alone.network.mask(kind) for kind in kinds], axis=0)
        penalized = objective([PENALTIES[name](1.0, kinds=kinds)])
        changed = penalized.gradient(THETA) != alone.gradient(THETA)
        np.testing.assert_array_equal(changed, touched)


@every_name
def test_per_sample_divides_by_the_total_weight(name: str) -> None:
    penalty, shared = PENALTIES[name](0.3), PENALTIES[name](0.3, per_sample=True)
    weight = np.array([1.0, 0.0, 2.5, 0.5, 4.0])
    for given_weight, total in ((None, 5), (weight, 8.0), (np.zeros(5), 1)):
        alone = objective([], given_weight)
        whole, part = objective([penalty], given_weight), objective([shared], given_weight)
        for method in ("value", "gradient"):
            base = getattr(alone, method)(THETA)
            whole_added, part_added = getattr(whole, method)(THETA) - base, getattr(part, method)(THETA) - base
            assert relative_error(part_added, whole_added / total) <= 1e-12


def test_penalties_add_up() -> None:
    first, second = L1(0.2), L2(0.5, per_sample=True)
    both, alone = objective([first, second]).gradient(THETA), objective([]).gradient(THETA)
    parts = [objective([penalty]).gradient(THETA) - alone for penalty in (first, second)]
    assert relative_error(both - alone, sum(parts)) <= 1e-13


def test_the_defaults_are_scikit_learns_alpha_but_for_per_sample() -> None:
    for penalty in (L1(0.1), L2(0.1)):
        assert (penalty.strength, penalty.per_sample, penalty.kinds) == (0.1, False, ("weight",))


@every_name
def test_strengths_and_kinds_without_sense_are_refused(name: str) -> None:
    kind = PENALTIES[name]
    for strength in (-1, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"{kind.__name__} strength must be a finite number of at least 0, got"):
            kind(strength)
    for strange in ("0.1", None, [0.1], True):
        with pytest.raises(TypeError, match=f"{kind.__name__} strength must be a finite number of at least 0, got"):
            kind(strange)
    words = f"{kind.__name__} kinds must be a tuple of weight, bias, scale, slope, got"
    with pytest.raises(TypeError, match=words):
        kind(1, kinds="weight")
    with pytest.raises(ValueError, match=words):
        kind(1, kinds=("weights",))
    assert kind(np.float32(0), kinds=()).kinds == ()
