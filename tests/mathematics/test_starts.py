"""Starts that look at the data, and what equal units come to."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import load_iris

from chainrule import (
    Activation,
    Dense,
    DropConnect,
    MLPClassifier,
    Network,
    Objective,
    Scaling,
    losses,
    optimizers,
    train,
    unit_variance,
)
from chainrule.engines.native import core as native
from chainrule.foundation.arrays import spaced
from chainrule.mathematics.blocks import PREDICTING, Context, Elementwise
from chainrule.mathematics.starts import measure

RNG = np.random.default_rng(5)
X = RNG.normal(size=(300, 6)) * [1, 1e3, 1e-3, 5, 40, 1] + [0, 50, 0, -900, 3, 1e4]
ENGINES = ["reference", *([] if native.MISSING else ["native"])]


def outputs_of_weights(network: Network, theta: Any, x: Any) -> list[Any]:
    """Return the outputs of each Dense and DropConnect block for the rows x, at prediction."""
    found = []
    for block, params in zip(network.blocks, network.unpack(theta), strict=True):
        x, _ = block.forward(params, x)
        found += [x] if isinstance(block, Dense | DropConnect) else []
    return found


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "selu"])
@pytest.mark.parametrize("initializer", [None, "normal", "orthogonal", "ones"])
def test_every_dense_block_gives_mean_0_and_variance_1(activation: str, initializer: Any) -> None:
    blocks = [b for o in (20, 30, 10) for b in (Dense(o, initializer, 0.5), Activation(activation))]
    network = Network(6, [*blocks, Dense(3, initializer)])
    start = network.initialize(1)
    before = start.copy()
    theta = unit_variance(network, start, X)
    np.testing.assert_array_equal(start, before)
    for y in outputs_of_weights(network, theta, X):
        np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-8)
        assert y.var(axis=0).mean() == pytest.approx(1, rel=1e-8)


@pytest.mark.parametrize("bias", [True, False])
def test_drop_connect_is_scaled_as_dense_is(bias: bool) -> None:
    blocks = [DropConnect(20, 0.3, bias_initializer=0.5, bias=bias), Activation("relu"), Dense(10), DropConnect(3)]
    network = Network(6, blocks)
    theta = unit_variance(network, network.initialize(1), X)
    first, *others = outputs_of_weights(network, theta, X)
    assert first.var(axis=0).mean() == pytest.approx(1, rel=1e-8)
    np.testing.assert_allclose(first.mean(axis=0) if bias else 0, 0, atol=1e-8)
    for y in others:
        np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-8)
        assert y.var(axis=0).mean() == pytest.approx(1, rel=1e-8)
    dense = Network(6, [Dense(20, bias_initializer=0.5, bias=bias), *blocks[1:]])
    assert unit_variance(dense, dense.initialize(1), X).tobytes() == theta.tobytes()


def test_a_block_of_zero_weights_keeps_its_biases() -> None:
    network = Network(6, [Dense(4, "zeros", 0.5), Dense(2)])
    assert network.views(unit_variance(network, network.initialize(0), X))["0.b"].tolist() == [0.5] * 4


def test_weights_keep_their_directions_and_the_rest_its_values() -> None:
    network = Network(6, [Dense(4), Activation("tanh"), Dense(2)])
    start = network.initialize(3)
    scaled = network.views(unit_variance(network, start, X))
    for name, w in network.views(start).items():
        if name.endswith("W"):
            ratio = scaled[name] / w
            np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types_and_sparse_rows(dtype: str) -> None:
    network = Network(6, [Dense(4), Activation("relu"), Dense(2)])
    start, rows = network.initialize(3, dtype), X.astype(dtype)
    theta = unit_variance(network, start, rows)
    assert theta.dtype == dtype
    sparse = unit_variance(network, start, scipy.sparse.csr_array(rows))
    np.testing.assert_allclose(sparse, theta, rtol=1e-12 if dtype == "float64" else 1e-3, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_start_computes_in_the_type_of_its_rows(dtype: str) -> None:
    network, rows = Network(6, [Dense(4, bias_initializer=0.5)]), X.astype(dtype)
    start = network.initialize(3, dtype)
    W, (scaled, b) = network.views(start)["0.W"], network.views(unit_variance(network, start, rows)).values()
    a = rows @ W
    deviation = np.sqrt(a.var(axis=0).mean())
    assert scaled.tobytes() == (W / deviation).tobytes()
    assert b.tobytes() == (-a.mean(axis=0) / deviation).tobytes()


class Refusing(Elementwise):
    """A block that nothing may pass."""

    def forward(self, params: Any, x: Any, context: Context = PREDICTING) -> Any:
        raise AssertionError("nothing behind the last transform needs to run")


def test_blocks_behind_the_last_transform_do_not_run() -> None:
    for blocks in ([Scaling(), Dense(2), Scaling(), Refusing()], [Refusing()], [Refusing(), Refusing()]):
        network = Network(6, blocks)
        found = measure(network, network.initialize(0), X)
        assert len(found) == 2 * sum(isinstance(block, Scaling) for block in blocks)


@pytest.mark.parametrize("look", [measure, unit_variance])
def test_a_look_at_the_data_holds_one_block_at_a_time(look: Any) -> None:
    """Memory for the signals of a few blocks, not for those of all forty."""
    network = Network(6, [*[Dense(100), Activation("tanh")] * 20, Scaling()])
    theta, rows = network.initialize(0), RNG.normal(size=(1024, 6))
    tracemalloc.start()
    look(network, theta, rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * (8 * 1024 * 100)


def test_what_does_not_vary_stays() -> None:
    network = Network(6, [Dense(4, "zeros", 0.25), Activation("relu"), Dense(2, "zeros", 0.5)])
    start = network.initialize(0)
    np.testing.assert_array_equal(unit_variance(network, start, X), start)
    np.testing.assert_array_equal(unit_variance(network, network.initialize(0), X[:1]), start)


def test_a_sample_of_the_rows_is_enough() -> None:
    network = Network(1, [Dense(1, "ones")])
    rows = np.sort(RNG.normal(size=(50_000, 1)), axis=0)  # sorted, as files often are
    theta = unit_variance(network, network.initialize(0), rows)
    assert theta[0] == pytest.approx(1, abs=0.02)
    assert (spaced(5, 10) == np.arange(5)).all()
    assert len(np.unique(spaced(1000, 256))) == 256
    assert spaced(0, 4).size == 0


@pytest.mark.parametrize("shape", [(5, 5), (0, 6), (6,)])
def test_rows_that_do_not_fit_are_named(shape: tuple[int, ...]) -> None:
    network = Network(6, [Dense(1)])
    words = f"X has shape {shape}; a start looks at (rows, 6), at least one row"
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        unit_variance(network, network.initialize(0), np.zeros(shape))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_deep_network_on_raw_columns_learns_from_it_and_not_without() -> None:
    data, y = load_iris(return_X_y=True)
    raw = data * 1e-4 + 3  # hardly any signal, far from zero
    deep = {"hidden_layer_sizes": (20,) * 4, "activation": "tanh", "max_iter": 30, "batch_size": 10, "tol": 0}
    scores = {
        start: MLPClassifier(**deep, start=start, random_state=0).fit(raw, y).score(raw, y)
        for start in ("random", "unit_variance")
    }
    assert scores["unit_variance"] > 0.9
    assert scores["random"] < 0.7


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus"])
def test_units_that_start_equal_stay_equal_for_ever(engine: str, value: float, activation: str) -> None:
    data, y = load_iris(return_X_y=True)
    network = Network(4, [Dense(7, value), Activation(activation), Dense(5, value), Activation(activation), Dense(3)])
    objective = Objective(network, losses.CrossEntropy(), data, y)
    start = network.initialize(0)
    result = train(
        objective, start, optimizer=optimizers.Momentum(0.05), batch_size=30, epochs=20, seed=1, engine=engine
    )
    views = network.views(result.theta)
    assert not np.array_equal(result.theta, start)
    for name in ("0.W", "0.b"):
        assert np.ptp(views[name], axis=-1).max() == 0, name
    assert np.linalg.matrix_rank(views["2.W"]) <= 1
    random = Network(4, [Dense(7), *network.blocks[1:]])
    other = train(Objective(random, losses.CrossEntropy(), data, y), random.initialize(0), epochs=1, engine=engine)
    assert np.ptp(random.views(other.theta)["0.W"], axis=-1).min() > 0
