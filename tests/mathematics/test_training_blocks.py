"""The draws and measures of blocks while a network trains: the values themselves, from the words of their streams."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Activation, Dense, Network, Objective
from chainrule.foundation.randomness import Stream
from chainrule.losses import CrossEntropy
from chainrule.mathematics.activations import sigmoid
from chainrule.mathematics.blocks import (
    PREDICTING,
    BatchNorm,
    Block,
    Context,
    DropConnect,
    Dropout,
    GaussianNoise,
    LayerNorm,
    NoisyReLU,
    PReLU,
    RReLU,
    needs_steps,
    threshold,
)
from support.oracles import DIFFERENCES, central_gradient, central_product, relative_error

RNG = np.random.default_rng(21)
TRAINING = Context(training=True, seed=7, step=4, block=3, first_row=2)
X = RNG.normal(size=(30, 5))
both_widths = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def bits(purpose: str, rows: int, columns: int, first_row: int = TRAINING.first_row) -> Any:
    return Stream(7, purpose, 4, 3).bits(rows, columns, first_row)


def normals(rows: int, columns: int) -> Any:
    return Stream(7, "noise", 4, 3).normals(rows, columns, TRAINING.first_row)


def trained(block: Block, x: Any, context: Context = TRAINING) -> Any:
    """Return y in training, where no parameter is asked for."""
    return block.forward({}, x, context)[0]


def test_a_context_knows_its_block_in_training_only() -> None:
    assert TRAINING.at(9) == Context(True, 7, 4, 9, 2)
    assert PREDICTING.at(9) is PREDICTING
    assert Context() == Context(training=False, seed=0, step=0, block=0, first_row=0) == PREDICTING


def test_rates_are_steps_of_two_to_the_minus_sixteen() -> None:
    assert [threshold(rate) for rate in (0.0, 2.0**-16, 0.25, 0.5, 1 - 2.0**-16)] == [0, 1, 16384, 32768, 65535]
    assert threshold(0.4 / 65536) == 0
    assert threshold(0.6 / 65536) == 1
    assert threshold(1 - 2.0**-20) == 65535  # something is always kept


@pytest.mark.parametrize("block", [Dropout(0.5), GaussianNoise(0.5), RReLU(), NoisyReLU()], ids=repr)
def test_a_cache_holds_the_input_and_the_context_that_drew(block: Block) -> None:
    for context in (PREDICTING, TRAINING):
        _, cache = block.forward({}, X, context)
        assert cache.x is X
        assert cache.context is context


@pytest.mark.parametrize("block", [Dropout(0.5), GaussianNoise(0.5)], ids=repr)
def test_noise_hands_on_its_input_at_prediction(block: Block) -> None:
    assert block.forward({}, X)[0] is X


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.4, 1 - 2.0**-20])
@both_widths
def test_dropout_keeps_the_entries_whose_bits_are_large_enough(rate: float, dtype: Any) -> None:
    dropped = threshold(rate)
    share = 65536 / (65536 - dropped)
    wanted = np.where(bits("dropout", 30, 5) >= dropped, X.astype(dtype) * dtype(share), dtype(0))
    y = trained(Dropout(rate), X.astype(dtype))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, wanted, rtol=1e-6 if dtype == np.float32 else 1e-15)
    np.testing.assert_array_equal(trained(Dropout(rate), X, PREDICTING), X)


def test_the_border_of_dropout_is_kept() -> None:
    """An entry whose bits are the threshold itself is kept, one below is not."""
    drawn = bits("dropout", 1, 1)[0, 0]
    for dropped, kept in ((drawn, True), (drawn + 1, False)):
        y = trained(Dropout(float(dropped) / 65536), np.ones((1, 1)))
        assert (y[0, 0] > 0) == kept


@both_widths
def test_gaussian_noise_adds_its_deviation_times_a_standard_normal(dtype: Any) -> None:
    y = trained(GaussianNoise(0.7), X.astype(dtype))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, X + 0.7 * normals(30, 5), rtol=2e-6, atol=1e-6)
    np.testing.assert_array_equal(trained(GaussianNoise(0.7), X, PREDICTING), X)


@both_widths
def test_random_slopes_are_even_between_their_ends(dtype: Any) -> None:
    slopes = 0.1 + 0.4 * (bits("slope", 30, 5) + 0.5) / 65536
    y = trained(RReLU(0.1, 0.5), X.astype(dtype))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, np.where(X > 0, X, slopes * X), rtol=1e-6 if dtype == np.float32 else 1e-14)
    np.testing.assert_allclose(trained(RReLU(0.1, 0.5), X, PREDICTING), np.where(X > 0, X, 0.3 * X), rtol=1e-15)
    assert RReLU().mean == pytest.approx(11 / 48, rel=1e-15)


@both_widths
def test_noisy_relu_adds_noise_of_the_variance_of_a_sigmoid(dtype: Any) -> None:
    noisy = X + np.sqrt(sigmoid(X)) * normals(30, 5)
    y = trained(NoisyReLU(), X.astype(dtype))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, np.maximum(noisy, 0), rtol=2e-6, atol=1e-6)
    np.testing.assert_array_equal(trained(NoisyReLU(), X, PREDICTING), np.maximum(X, 0))


@pytest.mark.parametrize("block", [PReLU(), RReLU(), NoisyReLU()], ids=repr)
def test_zero_is_on_the_left_of_the_kink(block: Block) -> None:
    """With the slope of the left side there: a for PReLU, the mean for RReLU, 0 for NoisyReLU."""
    params = {"a": np.array([0.75])} if isinstance(block, PReLU) else {}
    zero, one = np.zeros((1, 1)), np.ones((1, 1))
    y, cache = block.forward(params, zero)
    wanted = {PReLU: 0.75, RReLU: RReLU().mean, NoisyReLU: 0.0}[type(block)]
    assert y == 0
    assert block.pull_input(params, cache, one) == wanted
    if isinstance(block, PReLU):
        assert block.pull_params(params, cache, one)["a"] == 0
        assert block.pull_input_tangent(params, cache, None, {"a": one[0]}, one) == 1
        assert block.pull_params_tangent(params, cache, one, {"a": one[0]}, one)["a"] == 1


def test_zero_is_on_the_left_of_the_kink_in_training_too() -> None:
    zeros, ones = np.zeros((4, 3)), np.ones((4, 3))
    _, cache = RReLU(0.1, 0.5).forward({}, zeros, TRAINING)
    slopes = 0.1 + 0.4 * (bits("slope", 4, 3) + 0.5) / 65536
    np.testing.assert_allclose(RReLU(0.1, 0.5).pull_input({}, cache, ones), slopes, rtol=1e-14)


def test_drop_connect_draws_one_mask_for_all_rows_of_a_step() -> None:
    block, params = DropConnect(4, 0.4), {"W": RNG.normal(size=(5, 4)), "b": RNG.normal(size=4)}
    dropped = threshold(0.4)
    mask = (bits("connection", 5, 4, first_row=0) >= dropped) * (65536 / (65536 - dropped))
    for first_row in (0, 2, 64):  # parts of one batch share the mask
        y, _ = block.forward(params, X, TRAINING._replace(first_row=first_row))
        np.testing.assert_allclose(y, X @ (mask * params["W"]) + params["b"], rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(block.forward(params, X)[0], Dense(4).forward(params, X)[0])


def test_drop_connect_hands_its_settings_to_dense() -> None:
    block = DropConnect(4.0, 0.1, "he_normal", 0.5, bias=False)  # type: ignore[arg-type]  # a whole number
    assert block.dense == Dense(4, "he_normal", 0.5, bias=False)
    assert type(block.units) is int
    assert block.outputs(9) == 4
    assert block.parameters(9) == Dense(4, "he_normal", bias=False).parameters(9)


@pytest.mark.parametrize("momentum", [0.0, 0.3, 1.0])
def test_batch_norm_follows_the_mean_and_the_unbiased_variance(momentum: float) -> None:
    block = BatchNorm(momentum, 0.25)
    params = {name: RNG.normal(size=5) for name in ("scale", "shift", "mean")} | {"variance": RNG.uniform(1, 2, 5)}
    y, cache = block.forward(params, X, TRAINING)
    normal = (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + 0.25)
    np.testing.assert_allclose(y, params["scale"] * normal + params["shift"], rtol=1e-12)
    found = block.measured(params, cache)
    assert list(found) == ["mean", "variance"]
    for name, new in (("mean", X.mean(axis=0)), ("variance", X.var(axis=0, ddof=1))):
        np.testing.assert_allclose(found[name], (1 - momentum) * params[name] + momentum * new, rtol=1e-12)


def test_batch_norm_at_prediction_and_on_one_row_takes_the_running_values() -> None:
    block = BatchNorm(epsilon=0.25)
    params = {name: RNG.normal(size=5) for name in ("scale", "shift", "mean")} | {"variance": RNG.uniform(1, 2, 5)}
    wanted = params["scale"] * (X - params["mean"]) / np.sqrt(params["variance"] + 0.25) + params["shift"]
    for rows, context in ((X, PREDICTING), (X[:1], PREDICTING), (X[:1], TRAINING)):
        y, cache = block.forward(params, rows, context)
        np.testing.assert_allclose(y, wanted[: len(rows)], rtol=1e-12)
        assert block.measured(params, cache) == {}
    _, cache = block.forward(params, X[:2], TRAINING)
    assert block.measured(params, cache).keys() == {"mean", "variance"}


def test_layer_norm_standardises_the_units_of_each_row() -> None:
    params = {"scale": RNG.normal(size=5), "shift": RNG.normal(size=5)}
    normal = (X - X.mean(axis=1, keepdims=True)) / np.sqrt(X.var(axis=1, keepdims=True) + 0.25)
    for context in (PREDICTING, TRAINING):
        y, cache = LayerNorm(0.25).forward(params, X, context)
        np.testing.assert_allclose(y, params["scale"] * normal + params["shift"], rtol=1e-12)
        assert LayerNorm(0.25).measured(params, cache) == {}


SPECS: dict[Block, dict[str, tuple[Any, ...]]] = {
    Dense(4): {"W": ((3, 4), "weight", None), "b": ((4,), "bias", "zeros")},
    DropConnect(4): {"W": ((3, 4), "weight", None), "b": ((4,), "bias", "zeros")},
    PReLU(): {"a": ((3,), "slope", 0.25)},
    PReLU(0.5, shared=True): {"a": ((1,), "slope", 0.5)},
    LayerNorm(): {"scale": ((3,), "scale", 1.0), "shift": ((3,), "bias", 0.0)},
    BatchNorm(): {
        "scale": ((3,), "scale", 1.0),
        "shift": ((3,), "bias", 0.0),
        "mean": ((3,), "statistic", 0.0),
        "variance": ((3,), "statistic", 1.0),
    },
}


@pytest.mark.parametrize("block", SPECS, ids=repr)
def test_parameters_have_their_shape_kind_and_start(block: Block) -> None:
    assert {name: tuple(spec) for name, spec in block.parameters(3).items()} == SPECS[block]


REFUSED: dict[str, tuple[Any, str]] = {
    "PReLU": (lambda: PReLU(np.inf), "PReLU initial must be a finite number, got inf"),
    "RReLU lower": (lambda: RReLU(-np.inf), "RReLU lower must be a finite number, got -inf"),
    "RReLU upper": (lambda: RReLU(upper=np.nan), "RReLU upper must be a finite number, got nan"),
    "RReLU": (lambda: RReLU(0.5, 0.25), "RReLU lower must be at most upper, got 0.5 and 0.25"),
    "DropConnect": (
        lambda: DropConnect(2, 1.0),
        "DropConnect rate must be a number of at least 0 and below 1, got 1.0",
    ),
    "Dropout": (lambda: Dropout(-0.5), "Dropout rate must be a number of at least 0 and below 1, got -0.5"),
    "GaussianNoise": (
        lambda: GaussianNoise(-0.5),
        "GaussianNoise deviation must be a finite number of at least 0, got -0.5",
    ),
    "LayerNorm": (lambda: LayerNorm(0.0), "LayerNorm epsilon must be a positive finite number, got 0.0"),
    "BatchNorm epsilon": (
        lambda: BatchNorm(epsilon=0.0),
        "BatchNorm epsilon must be a positive finite number, got 0.0",
    ),
    "BatchNorm": (lambda: BatchNorm(1.5), "BatchNorm momentum must be a number from 0 to 1, got 1.5"),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_settings_without_sense_are_refused(what: str) -> None:
    make, words = REFUSED[what]
    with pytest.raises(ValueError, match=f"^{words}$"):
        make()


def test_settings_at_their_borders_are_accepted() -> None:
    assert RReLU(0.25, 0.25).mean == 0.25
    assert (BatchNorm(0.0).momentum, BatchNorm(1.0).momentum) == (0.0, 1.0)
    assert (Dropout(0.0).rate, GaussianNoise(0.0).deviation, DropConnect(1, 0.0).rate) == (0.0, 0.0, 0.0)


def test_blocks_that_draw_or_measure_need_steps() -> None:
    kinds: list[Block] = [Dense(1), Activation("tanh"), PReLU(), LayerNorm()]
    drawing: list[Block] = [BatchNorm(), Dropout(), GaussianNoise(), DropConnect(1), RReLU(), NoisyReLU()]
    assert not any(map(needs_steps, kinds))
    assert all(map(needs_steps, drawing))


def test_gradients_through_blocks_that_draw_and_measure() -> None:
    """Each block is given its own parameters, cache and context: in both modes against differences of the value."""
    hidden = [DropConnect(4, 0.2), BatchNorm(), Activation("tanh"), Dropout(0.2), Dense(4), LayerNorm(), Dense(3)]
    network = Network(3, [GaussianNoise(0.3), *hidden])
    objective = Objective(network, CrossEntropy(), X[:8, :3], RNG.integers(0, 3, 8))
    theta = network.initialize(2) + 0.05 * RNG.normal(size=network.size)
    statistic = network.mask("statistic")
    for context in (PREDICTING, TRAINING):
        value, gradient, measured = objective.passes(theta, context)
        again, same = objective.value_and_gradient(theta, context)
        assert again == value
        np.testing.assert_array_equal(same, gradient)
        wanted = central_gradient(lambda z, context=context: objective.passes(z, context)[0], theta)
        assert relative_error(gradient[~statistic], wanted[~statistic]) <= DIFFERENCES
        assert not gradient[statistic].any()
        assert set(measured) == ({"2.mean", "2.variance"} if context.training else set())
    v = np.where(statistic, 0.0, RNG.normal(size=theta.size))
    got, wanted = objective.hessian_product(theta, v), central_product(objective.gradient, theta, v)
    assert relative_error(got[~statistic], wanted[~statistic]) <= DIFFERENCES
