"""Every initialiser against the law it is named after, and what starting values do to a network."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest
import scipy.stats

from chainrule import Activation, Dense, Network, Objective
from chainrule.foundation.randomness import Stream
from chainrule.losses import SquaredError
from chainrule.mathematics.activations import ACTIVATIONS
from chainrule.mathematics.initializers import INITIALIZERS, Constant, Initializer, Normal, Orthogonal, Scaled, resolve

FAN_IN, FAN_OUT = 200, 300
N = FAN_IN * FAN_OUT
SIGMAS = 5
"""A statistic may stray so many of its own standard deviations: by chance once in two million seeds."""

ROWS: dict[str, tuple[str, float]] = {
    "zeros": ("constant", 0.0),
    "ones": ("constant", 1.0),
    "normal": ("normal", 0.05),
    "xavier_uniform": ("uniform", sqrt(6 / 500)),
    "xavier_normal": ("normal", sqrt(2 / 500)),
    "he_uniform": ("uniform", sqrt(6 / 200)),
    "he_normal": ("normal", sqrt(2 / 200)),
    "lecun_uniform": ("uniform", sqrt(3 / 200)),
    "lecun_normal": ("normal", sqrt(1 / 200)),
    "orthogonal": ("orthogonal", 1.0),
}
"""The law of each row for weights (200, 300): the constant, the bound, the standard deviation, or the gain."""

NORMAL_ROWS = [name for name, (law, _) in ROWS.items() if law == "normal"]
UNIFORM_ROWS = [name for name, (law, _) in ROWS.items() if law == "uniform"]


def drawn(name: str, seed: int = 11) -> Any:
    w = INITIALIZERS[name](Stream(seed, "weights"), (FAN_IN, FAN_OUT))
    assert w.shape == (FAN_IN, FAN_OUT)
    assert w.dtype == np.float64
    return w.reshape(-1)


def test_every_row_of_the_table_has_a_test_row() -> None:
    assert set(ROWS) == set(INITIALIZERS)


@pytest.mark.parametrize("name", [name for name, (law, _) in ROWS.items() if law == "constant"])
def test_constants(name: str) -> None:
    assert (drawn(name) == ROWS[name][1]).all()


@pytest.mark.parametrize("name", NORMAL_ROWS)
def test_normal_laws(name: str) -> None:
    w, std = drawn(name), ROWS[name][1]
    assert abs(w.mean()) <= SIGMAS * std / sqrt(N)
    assert abs(w.var() / std**2 - 1) <= SIGMAS * sqrt(2 / N)
    assert scipy.stats.kstest(w, "norm", (0, std)).pvalue > 1e-3


@pytest.mark.parametrize("name", UNIFORM_ROWS)
def test_uniform_laws(name: str) -> None:
    w, bound = drawn(name), ROWS[name][1]
    std = bound / sqrt(3)
    assert abs(w.mean()) <= SIGMAS * std / sqrt(N)
    assert abs(w.var() / std**2 - 1) <= SIGMAS * sqrt(0.8 / N)  # a uniform law has fourth moment 9/5 σ⁴
    assert np.abs(w).max() <= bound
    assert np.abs(w).max() >= bound * (1 - 15 / N)  # fails by chance with probability e^-15
    assert scipy.stats.kstest(w, "uniform", (-bound, 2 * bound)).pvalue > 1e-3


@pytest.mark.parametrize("name", [*NORMAL_ROWS, *UNIFORM_ROWS, "orthogonal"])
def test_the_stream_decides_everything(name: str) -> None:
    np.testing.assert_array_equal(drawn(name, 1), drawn(name, 1))
    assert not np.any(drawn(name, 1) == drawn(name, 2))


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (4, 4), (1, 5), (5, 1), (1, 1), (6,)])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...]) -> None:
    w = Orthogonal(gain=3.0)(Stream(2, "weights"), shape)
    assert w.shape == shape
    matrix = w.reshape(-1, shape[-1]) / 3
    gram = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-14)


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (4, 4), (6,)])
def test_orthogonal_is_the_first_factor_of_a_normal_matrix(shape: tuple[int, ...]) -> None:
    """G = Q R with the diagonal of R positive; the rows are factored where there are fewer of them than columns."""
    q = Orthogonal()(Stream(5, "weights"), shape).reshape(-1, shape[-1])
    q = q.T if q.shape[0] < q.shape[1] else q
    r = q.T @ Stream(5, "weights").normal(q.size).reshape(q.shape)
    np.testing.assert_allclose(r, np.triu(r), atol=1e-12)
    assert (np.diag(r) > 0).all()


def test_orthogonal_is_uniform_over_all_rotations() -> None:
    n = 4000
    draws = np.array([INITIALIZERS["orthogonal"](Stream(s, "weights"), (3, 3)) for s in range(n)])
    assert np.abs(draws.mean(0)).max() <= SIGMAS * sqrt(1 / 3 / n)  # every entry: mean 0, variance 1/3
    for axis in range(3):  # a coordinate of a uniform direction in space is uniform on (-1, 1), Archimedes says
        assert scipy.stats.kstest(draws[:, axis, axis], "uniform", (-1, 2)).pvalue > 1e-3
    assert abs((np.linalg.det(draws) > 0).mean() - 0.5) <= SIGMAS * 0.5 / sqrt(n)


def test_settings_of_the_laws() -> None:
    w = Normal(std=3.0)(Stream(0, "weights"), (N,))
    assert abs(w.std() / 3 - 1) <= SIGMAS / sqrt(2 * N)
    assert (Constant(-0.25)(Stream(0, "weights"), (3, 2)) == -0.25).all()
    uniform, normal = Scaled("he", "uniform"), Scaled("he", "normal")
    assert (INITIALIZERS["he_uniform"], INITIALIZERS["he_normal"]) == (uniform, normal)


def test_resolve_takes_names_numbers_and_callables() -> None:
    own: Initializer = lambda stream, shape: np.full(shape, 9.0)  # noqa: E731
    assert resolve("he_normal") is INITIALIZERS["he_normal"]
    assert resolve(0.5) == Constant(0.5)
    assert resolve(2) == Constant(2.0)
    assert resolve(own) is own
    with pytest.raises(
        ValueError, match="initializer 'he' is not known; accepted: zeros, ones, normal, xavier_uniform"
    ):
        resolve("he")


def test_biases_start_apart_from_weights() -> None:
    network = Network(4, [Dense(3), Activation("tanh"), Dense(2, initializer="ones", bias_initializer=0.1)])
    views = network.views(network.initialize(seed=0))
    assert (views["0.b"] == 0).all()
    assert views["0.W"].all()
    assert (views["2.W"] == 1).all()
    assert (views["2.b"] == 0.1).all()


def test_biases_may_be_drawn() -> None:
    network = Network(1, [Dense(N, bias_initializer="normal")])
    bias = network.views(network.initialize(seed=0))["0.b"]
    assert abs(bias.std() / 0.05 - 1) <= SIGMAS / sqrt(2 * N)


@pytest.mark.parametrize(("name", "std"), [("xavier_normal", sqrt(2 / (2 * N))), ("he_uniform", sqrt(2 / N))])
def test_the_fans_of_a_bias_are_its_length(name: str, std: float) -> None:
    bias = INITIALIZERS[name](Stream(0, "weights"), (N,))
    assert bias.shape == (N,)
    assert abs(bias.std() / std - 1) <= SIGMAS / sqrt(2 * N)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_weights_start_as_suits_the_activation_that_follows(name: str) -> None:
    network = Network(5, [Dense(7), Activation(name), Dense(2)])
    views = network.views(network.initialize(seed=3))
    suits = INITIALIZERS[ACTIVATIONS[name].initializer]
    np.testing.assert_array_equal(views["0.W"], suits(Stream(3, "weights", block=0), (5, 7)))
    output = INITIALIZERS["xavier_uniform"](Stream(3, "weights", block=2), (7, 2))
    np.testing.assert_array_equal(views["2.W"], output)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus"])
@pytest.mark.parametrize("initializer", ["zeros", "ones", 0.3])
def test_equal_units_stay_equal_for_ever(activation: str, initializer: str | float) -> None:
    network, theta = _descended(activation, initializer)
    views = network.views(theta)
    assert views["2.b"] != 0  # something was learnt
    for name, axis in (("0.W", 1), ("0.b", 0), ("2.W", 0)):
        units = np.moveaxis(views[name], axis, 0)
        assert np.abs(units - units[0]).max() <= 1e-12


@pytest.mark.parametrize("name", [*NORMAL_ROWS, *UNIFORM_ROWS])
def test_random_starts_tell_the_units_apart(name: str) -> None:
    network, theta = _descended("tanh", name)
    units = network.views(theta)["0.W"].T
    assert min(np.abs(units[k] - units[j]).max() for k in range(4) for j in range(k)) > 1e-3


def _descended(activation: str, initializer: str | float, steps: int = 50) -> tuple[Network, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    network = Network(3, [Dense(4, initializer), Activation(activation), Dense(1, initializer)])
    objective = Objective(network, SquaredError(), X, X[:, 0] * X[:, 1] + X[:, 2])
    theta = network.initialize(seed=0)
    for _ in range(steps):
        theta = theta - 0.1 * objective.gradient(theta)
    return network, theta
