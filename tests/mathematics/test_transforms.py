"""Scaling and PCA: what they measure, against NumPy's statistics and eigenvectors, and what they refuse."""

from __future__ import annotations

import re
from operator import matmul
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from chainrule import Activation, Dense, Network, fit_blocks
from chainrule.mathematics.blocks import INPUT_TRANSFORMS, PCA, PREDICTING, Context, Scaling, Transform
from chainrule.mathematics.starts import measure

RNG = np.random.default_rng(8)
X = RNG.normal(size=(40, 3)) @ np.array([[2.0, 0.5, 0.0], [0.0, 1.0, -3.0], [0.0, 0.0, 0.3]]) + [5.0, 0.0, -2.0]
MADE: dict[str, Transform] = {**INPUT_TRANSFORMS, "two components": PCA(2), "two whitened": PCA(2, whiten=True)}
every_transform = pytest.mark.parametrize("block", MADE.values(), ids=list(MADE))


def scaled(block: Transform, x: Any) -> Any:
    """Return x as the block gives it once it has measured it."""
    return block.forward(block.fit(x), x)[0]


CENTRES = {
    "min_max": (X.min(axis=0), X.max(axis=0) - X.min(axis=0)),
    "standard": (X.mean(axis=0), X.std(axis=0)),
    "quantile": (np.median(X, axis=0), np.percentile(X, 75, axis=0) - np.percentile(X, 25, axis=0)),
}


@pytest.mark.parametrize("rule", list(CENTRES))
def test_scaling_takes_the_centre_away_and_divides_by_the_spread(rule: str) -> None:
    found, (center, spread) = Scaling(rule).fit(X), CENTRES[rule]
    np.testing.assert_allclose(found["center"], center, rtol=1e-14)
    np.testing.assert_allclose(found["factor"], 1 / spread, rtol=1e-14)
    np.testing.assert_allclose(scaled(Scaling(rule), X), (X - center) / spread, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("rule", list(CENTRES))
def test_a_column_without_a_spread_is_divided_by_1(rule: str) -> None:
    found = Scaling(rule).fit(np.array([[7.0, 1.0], [7.0, 4.0]]))
    assert (found["center"][0], found["factor"][0]) == (7.0, 1.0)
    assert found["factor"][1] != 1


@pytest.mark.parametrize("rule", list(CENTRES))
def test_a_spread_beyond_all_numbers_is_refused(rule: str) -> None:
    network = Network(1, [Scaling(rule)])
    with pytest.raises(ValueError, match=f"'{rule}'.* cannot scale such data in float64: divide or multiply them"):
        measure(network, network.initialize(0), np.array([[-1.5e308], [1.5e308]]))


def test_principal_components_are_the_eigenvectors_of_the_covariance() -> None:
    variances, directions = np.linalg.eigh(np.cov(X.T))
    variances, directions = variances[::-1], directions[:, ::-1]
    found = PCA().fit(X)
    np.testing.assert_allclose(found["center"], X.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(np.abs(found["W"]), np.abs(directions), rtol=1e-9)
    np.testing.assert_allclose(np.cov(scaled(PCA(), X).T), np.diag(variances), atol=1e-12)
    np.testing.assert_allclose(PCA(2).fit(X)["W"], found["W"][:, :2], rtol=1e-14)
    whitened = PCA(2, whiten=True).fit(X)["W"]
    np.testing.assert_allclose(whitened, found["W"][:, :2] / np.sqrt(variances[:2]), rtol=1e-12)


def test_the_largest_entry_of_each_component_is_positive() -> None:
    for turned in (X, -X, X * [1, -1, 1], X * [-1, 1, 1]):
        W = PCA().fit(turned)["W"]
        assert (W[np.argmax(np.abs(W), axis=0), np.arange(3)] > 0).all()


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("components", [None, 1, 2, 3, 5])
def test_fewer_rows_than_columns_still_give_every_component(whiten: bool, components: int | None) -> None:
    wide = RNG.normal(size=(3, 5))  # two directions vary
    found, k = PCA(components, whiten).fit(wide), components or 5
    assert found["W"].shape == (5, k)
    y = (wide - wide.mean(axis=0)) @ found["W"]
    variances = np.linalg.eigvalsh(np.cov(wide.T))[::-1][:k]
    wanted = np.where(np.arange(k) < 2, 1.0 if whiten else variances, 0.0)
    np.testing.assert_allclose(np.atleast_2d(np.cov(y.T)), np.diag(wanted), atol=1e-12)
    if not whiten:
        np.testing.assert_allclose(found["W"].T @ found["W"], np.eye(k), atol=1e-12)


def test_a_direction_in_which_nothing_varies_is_0_where_it_is_whitened() -> None:
    doubled = np.column_stack([X[:, 0], X[:, 0], np.full(40, 0.1)])
    found = PCA(whiten=True).fit(doubled)
    assert found["center"][2] == 0.1
    np.testing.assert_array_equal(found["W"][:, 1:], np.zeros((3, 2)))
    np.testing.assert_allclose(np.cov(scaled(PCA(whiten=True), doubled).T), np.diag([1.0, 0, 0]), atol=1e-12)


def test_two_rows_are_whitened_to_variance_1() -> None:
    y = scaled(PCA(whiten=True), X[:2])
    np.testing.assert_allclose(y, [[y[0, 0], 0, 0], [-y[0, 0], 0, 0]], atol=1e-12)
    assert np.var(y[:, 0], ddof=1) == pytest.approx(1, rel=1e-12)


def test_one_row_is_its_own_centre() -> None:
    for name, block in MADE.items():
        found = block.fit(X[:1])
        np.testing.assert_array_equal(found["center"], X[0], err_msg=name)
        assert all(np.isfinite(value).all() for value in found.values()), name
    np.testing.assert_array_equal(PCA(whiten=True).fit(X[:1])["W"], np.zeros((3, 3)))


@every_transform
def test_whole_numbers_and_short_floats_are_measured_in_double_precision(block: Transform) -> None:
    whole = np.round(3 * X)
    for dtype in (np.int64, np.float32):
        for name, value in block.fit(whole.astype(dtype)).items():
            assert value.dtype == np.float64
            np.testing.assert_array_equal(value, block.fit(whole)[name])


@every_transform
def test_sparse_rows_become_dense(block: Transform) -> None:
    x = X * (X > 0)
    params = block.fit(X)
    (y, cache), (wanted, _) = (block.forward(params, rows) for rows in (scipy.sparse.csr_array(x), x))
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(cache.x, x)


@every_transform
def test_nothing_is_learnt(block: Transform) -> None:
    params = block.fit(X)
    y, cache = block.forward(params, X, Context(training=True))
    np.testing.assert_array_equal(y, block.forward(params, X, PREDICTING)[0])
    dy = np.ones_like(y)
    for gradients in (
        block.pull_params(params, cache, dy),
        block.pull_params_tangent(params, cache, X, params, dy),
    ):
        assert gradients.keys() == params.keys()
        for name, value in gradients.items():
            np.testing.assert_array_equal(value, np.zeros_like(params[name]))
    assert block.measured(params, cache) == {}


def test_transforms_start_as_the_identity() -> None:
    for block, k in ((Scaling(), 3), (PCA(), 3), (PCA(2), 2)):
        network = Network(3, [block])
        assert network.outputs == k
        assert {slot.spec.kind for slot in network.slots} == {"statistic"}
        np.testing.assert_array_equal(network.forward(network.initialize(0), X), X[:, :k])


def test_the_leading_transforms_of_a_network_multiply_as_they_are_told() -> None:
    network = Network(3, [Scaling("min_max"), PCA(2), Dense(2), Scaling()])
    assert network.transforms == network.blocks[:2]
    theta = fit_blocks(network, network.initialize(0), X)
    params = network.unpack(theta)
    wanted = ((X - params[0]["center"]) * params[0]["factor"] - params[1]["center"]) @ params[1]["W"]
    np.testing.assert_allclose(network.transformed(theta, X), wanted, rtol=1e-13)
    calls = []

    def noted(a: Any, b: Any) -> Any:
        calls.append((a.shape, b.shape))
        return matmul(a, b)

    np.testing.assert_array_equal(network.transformed(theta, X, noted), network.transformed(theta, X))
    assert calls == [((40, 3), (3, 2))]
    assert Network(3, [Dense(2)]).transformed(np.zeros(8), X) is X


def test_every_transform_is_measured_on_what_reaches_it() -> None:
    network = Network(3, [Scaling("min_max"), Dense(4), Activation("tanh"), Scaling(), Dense(1)])
    start = network.initialize(3)
    before = start.copy()
    theta = fit_blocks(network, start, X)
    np.testing.assert_array_equal(start, before)
    found = measure(network, start, X)
    assert list(found) == ["0.center", "0.factor", "3.center", "3.factor"]
    views = network.views(theta)
    for name, view in views.items():
        np.testing.assert_array_equal(view, found.get(name, network.views(start)[name]))
    hidden = np.tanh((X - X.min(axis=0)) / np.ptp(X, axis=0) @ views["1.W"] + views["1.b"])
    np.testing.assert_allclose(views["3.center"], hidden.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(views["3.factor"], 1 / hidden.std(axis=0), rtol=1e-10)
    assert measure(Network(3, [Dense(1)]), np.zeros(4), X) == {}


def test_statistics_have_the_type_of_theta() -> None:
    network = Network(3, [Scaling(), Dense(1)])
    found = measure(network, network.initialize(0, "float32"), X)
    assert {value.dtype for value in found.values()} == {np.dtype("float32")}


REFUSED: dict[str, tuple[Any, str]] = {
    "sparse": (scipy.sparse.csr_array(X), "a dense array of at least one row, got sparse rows"),
    "a list": (X.tolist(), "a dense array of at least one row, got list"),
    "one axis": (X[0], "a dense array of at least one row, got ndarray (3,)"),
    "no rows": (X[:0], "a dense array of at least one row, got ndarray (0, 3)"),
    "NaN": (np.where(X.max() == X, np.nan, X), "finite numbers; the rows hold NaN or infinity"),
    "infinity": (np.where(X.max() == X, np.inf, X), "finite numbers; the rows hold NaN or infinity"),
}


@pytest.mark.parametrize("what", list(REFUSED))
@every_transform
def test_what_cannot_be_measured_is_named(block: Transform, what: str) -> None:
    rows, words = REFUSED[what]
    with pytest.raises(ValueError, match=f"^{re.escape(f'{block!r} is measured on {words}')}$"):
        block.fit(rows)


def test_networks_refuse_rows_that_they_cannot_be_measured_on() -> None:
    network = Network(3, [Scaling(), Dense(1)])
    theta = network.initialize(0, "float32")
    for rows in (X[:, :2], X[0]):
        words = f"X has shape {rows.shape}; this network takes (rows, 3)"
        with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
            measure(network, theta, rows)
    words = "Scaling(rule='standard') cannot scale such data in float32: divide or multiply them before"
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        measure(network, theta, 1e200 * X)


def test_more_components_than_inputs_are_refused() -> None:
    assert Network(3, [PCA(3)]).outputs == 3
    words = "PCA components must be at most the number of inputs, 3, got 4"
    with pytest.raises(ValueError, match=f"^{words}$"):
        Network(3, [PCA(4)])


def test_names_tell_what_a_transform_does() -> None:
    assert {name: block.name for name, block in INPUT_TRANSFORMS.items()} == {
        "min_max": "min_max",
        "standard": "standard",
        "quantile": "quantile",
        "pca": "",
        "whitening": "whitening",
    }
