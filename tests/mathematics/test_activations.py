"""Every row of the activation table against central differences, JAX and formulas in eighty digits."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.integrate import quad

from chainrule.mathematics.activations import ACTIVATIONS, ALIASES, resolve
from chainrule.mathematics.initializers import INITIALIZERS
from support.oracles import (
    DIFFERENCES,
    JAX,
    Formula,
    central_slope,
    decimal_arctan,
    decimal_normal_distribution,
    exact,
    exact_bend,
    exact_slope,
    jax_bend,
    jax_slope,
    worst_relative_error,
)
from support.strategies import arrays, moved_off

LARGE = 1e4
ONE = Decimal(1)


def _elu(x: Decimal, alpha: Decimal = ONE) -> Decimal:
    return x if x > 0 else alpha * (x.exp() - 1)


def _selu(x: Decimal) -> Decimal:
    scale, alpha = Decimal("1.0507009873554804934193349852946"), Decimal("1.6732632423543772848170429916717")
    return scale * _elu(x, alpha)


def _mish(x: Decimal) -> Decimal:
    square = (1 + x.exp()) ** 2
    return x * (square - 1) / (square + 1)


ROWS: dict[str, Formula] = {
    "identity": lambda x: x,
    "step": lambda x: Decimal(x >= 0),
    "sign": lambda x: Decimal(1 if x >= 0 else -1),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "tanh": lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    "algebraic_sigmoid": lambda x: x / (1 + x * x).sqrt(),
    "arctan": decimal_arctan,
    "relu": lambda x: max(x, Decimal(0)),
    "leaky_relu": lambda x: x if x > 0 else Decimal("0.01") * x,
    "elu": _elu,
    "selu": _selu,
    "softplus": lambda x: (1 + x.exp()).ln(),
    "gelu": lambda x: x * decimal_normal_distribution(x),
    "silu": lambda x: x / (1 + (-x).exp()),
    "mish": _mish,
}
"""One row per row of the table: the same function, written again in decimal arithmetic."""

KINK_SLOPES = {"step": 0.0, "sign": 0.0, "relu": 0.0, "leaky_relu": 0.01, "elu": 1.0, "selu": 1.7580993408473766}
"""The sub-gradient that each row with a kink takes at 0."""

VARIANTS: list[tuple[str, dict[str, float]]] = [
    *((name, {}) for name in ACTIVATIONS),
    ("leaky_relu", {"slope": 0.3}),
    ("leaky_relu", {"slope": -0.5}),
    ("elu", {"alpha": 0.25}),
    ("elu", {"alpha": 3.0}),
]
variants = pytest.mark.parametrize(("name", "chosen"), VARIANTS)
every_name = pytest.mark.parametrize("name", list(ACTIVATIONS))
both_widths = pytest.mark.parametrize("dtype", [np.float32, np.float64])


class Row:
    """One row with its settings put in: f(x), df(x), d2f(x)."""

    def __init__(self, name: str, chosen: Mapping[str, float] = MappingProxyType({})) -> None:
        self.row, self.chosen, self.kinks = ACTIVATIONS[name], chosen, ACTIVATIONS[name].kinks

    def f(self, x: Any) -> Any:
        return self.row.f(x, **self.chosen)

    def df(self, x: Any) -> Any:
        return self.row.df(x, self.f(x), **self.chosen)

    def d2f(self, x: Any) -> Any:
        return self.row.d2f(x, self.f(x), **self.chosen)


def test_every_row_of_the_table_has_a_test_row() -> None:
    assert set(ROWS) == set(ACTIVATIONS)
    assert set(KINK_SLOPES) == {name for name, row in ACTIVATIONS.items() if row.kinks}


@variants
def test_derivatives_against_central_differences(name: str, chosen: dict[str, float]) -> None:
    row = Row(name, chosen)

    @given(arrays(row.kinks))
    def check(x: Any) -> None:
        assert worst_relative_error(row.df(x), central_slope(row.f, x)) <= DIFFERENCES
        assert worst_relative_error(row.d2f(x), central_slope(row.df, x)) <= DIFFERENCES

    check()


@variants
def test_derivatives_against_jax(name: str, chosen: dict[str, float]) -> None:
    row = Row(name, chosen)
    grid = moved_off(np.linspace(-20, 20, 1000), row.kinks)
    assert worst_relative_error(row.df(grid), jax_slope(row.f, grid)) <= JAX
    assert worst_relative_error(row.d2f(grid), jax_bend(row.f, grid)) <= JAX


@every_name
def test_derivatives_against_jax_at_drawn_points(name: str) -> None:
    row = Row(name)

    @settings(max_examples=20)
    @given(arrays(row.kinks).map(lambda x: np.resize(x, 10)))
    def check(x: Any) -> None:
        assert worst_relative_error(row.df(x), jax_slope(row.f, x)) <= JAX
        assert worst_relative_error(row.d2f(x), jax_bend(row.f, x)) <= JAX

    check()


@every_name
def test_values_and_derivatives_against_eighty_digits(name: str) -> None:
    row, formula = Row(name), ROWS[name]
    x = moved_off(np.linspace(-12, 12, 97), row.kinks)
    assert worst_relative_error(row.f(x), exact(formula, x), floor=1e-12) <= 1e-14
    assert worst_relative_error(row.df(x), exact_slope(formula, x)) <= 1e-12
    assert worst_relative_error(row.d2f(x), exact_bend(formula, x)) <= 1e-12


@every_name
def test_float32_against_eighty_digits(name: str) -> None:
    row, formula = Row(name), ROWS[name]
    x = moved_off(np.linspace(-12, 12, 97, dtype=np.float32), row.kinks)
    assert worst_relative_error(row.f(x), exact(formula, x)) <= 1e-6
    assert worst_relative_error(row.df(x), exact_slope(formula, x), floor=1.0) <= 4e-6
    assert worst_relative_error(row.d2f(x), exact_bend(formula, x), floor=1.0) <= 4e-6


@pytest.mark.parametrize("name", list(KINK_SLOPES))
@both_widths
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_sub_gradient_at_the_kink(name: str, dtype: Any, zero: float) -> None:
    row = Row(name)
    assert row.kinks == (0.0,)
    at, left = np.array([zero], dtype), np.array([-1e-30], dtype)
    np.testing.assert_array_equal(row.df(at), np.array([KINK_SLOPES[name]], dtype))
    np.testing.assert_array_equal(row.df(at), row.df(left))
    np.testing.assert_array_equal(row.d2f(at), row.d2f(left))


def test_the_slope_at_the_kink_follows_the_settings() -> None:
    zero = np.zeros(1)
    assert Row("leaky_relu", {"slope": 0.3}).df(zero) == 0.3
    assert Row("elu", {"alpha": 3.0}).df(zero) == 3.0


def test_steps_count_zero_as_positive() -> None:
    x = np.array([-0.5, -0.0, 0.0, 0.5])
    np.testing.assert_array_equal(Row("step").f(x), [0, 1, 1, 1])
    np.testing.assert_array_equal(Row("sign").f(x), [-1, 1, 1, 1])


@variants
@both_widths
def test_large_arguments_stay_finite_and_keep_their_type(name: str, chosen: dict[str, float], dtype: Any) -> None:
    row = Row(name, chosen)
    sizes = np.concatenate([[0], np.logspace(-30, 4, 500), np.linspace(1, LARGE, 500)])
    x = np.concatenate([-sizes, sizes]).astype(dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for y in (row.f(x), row.df(x), row.d2f(x)):
            assert y.dtype == dtype
            assert y.shape == x.shape
            assert np.isfinite(y).all()


@every_name
@both_widths
def test_limits_at_large_arguments(name: str, dtype: Any) -> None:
    row, formula = Row(name), ROWS[name]
    x = np.array([-LARGE, -1e3, -300, 300, 1e3, LARGE], dtype)
    tolerance, tiny = (1e-6, 1e-30) if dtype == np.float32 else (1e-13, 1e-30)
    assert worst_relative_error(row.f(x), exact(formula, x), tiny) <= tolerance
    assert worst_relative_error(row.df(x), exact_slope(formula, x), tiny) <= tolerance
    assert worst_relative_error(row.d2f(x), exact_bend(formula, x), tiny) <= tolerance


SUITS = {
    "xavier_uniform": {"identity", "step", "sign", "sigmoid", "tanh", "algebraic_sigmoid", "arctan"},
    "he_uniform": {"relu", "leaky_relu", "elu", "softplus", "gelu", "silu", "mish"},
    "lecun_normal": {"selu"},
}
"""Xavier for what is odd or saturates, He for what lets one half through, LeCun where the paper proves it."""


def test_the_initializers_suit_the_activations() -> None:
    assert SUITS.keys() <= INITIALIZERS.keys()
    for initializer, names in SUITS.items():
        assert {name for name, row in ACTIVATIONS.items() if row.initializer == initializer} == names


def test_settings_have_their_usual_values() -> None:
    found = {name: dict(row.settings) for name, row in ACTIVATIONS.items() if row.settings}
    assert found == {"leaky_relu": {"slope": 0.01}, "elu": {"alpha": 1.0}}


def test_selu_has_mean_0_and_variance_1_as_its_fixed_point() -> None:
    def expectation(power: int) -> float:
        def integrand(z: float) -> float:
            return float(Row("selu").f(np.array([z]))[0]) ** power * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

        return quad(integrand, -40, 0)[0] + quad(integrand, 0, 40)[0]

    assert abs(expectation(1)) <= 1e-12
    assert abs(expectation(2) - 1) <= 1e-12


def test_aliases_lead_to_rows() -> None:
    assert dict(ALIASES) == {"logistic": "sigmoid", "swish": "silu", "linear": "identity"}
    assert [resolve(alias) for alias in ALIASES] == list(ALIASES.values())
    assert [resolve(name) for name in ACTIVATIONS] == list(ACTIVATIONS)


def test_an_unknown_name_is_refused_with_the_accepted_ones() -> None:
    with pytest.raises(ValueError, match="activation 'rlu' is not known; accepted: algebraic_sigmoid, arctan, elu, "):
        resolve("rlu")
