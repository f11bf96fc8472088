"""Every block against finite differences, JAX and its own adjoint; the same checks for each, whatever it computes."""

from __future__ import annotations

import inspect
import pickle
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Activation, Dense, Network
from chainrule.mathematics import blocks
from chainrule.mathematics.activations import ACTIVATIONS, sigmoid
from chainrule.mathematics.blocks import (
    PCA,
    PREDICTING,
    SCALES,
    BatchNorm,
    Block,
    Context,
    DropConnect,
    Dropout,
    Elementwise,
    GaussianNoise,
    LayerNorm,
    NoisyReLU,
    PReLU,
    RReLU,
    Scaling,
    Transform,
)
from support.oracles import DIFFERENCES, JAX, central_difference, relative_error
from support.strategies import DISTANCE, SEEDS, moved_off

BLOCKS: list[Block] = [
    Dense(1),
    Dense(3),
    Dense(2, bias=False),
    *(Activation(name) for name in ACTIVATIONS),
    Activation("leaky_relu", slope=0.3),
    Activation("elu", alpha=2.0),
    PReLU(),
    PReLU(shared=True),
    BatchNorm(),
    LayerNorm(),
    LayerNorm(epsilon=0.5),
    *(Scaling(rule) for rule in SCALES),
    PCA(),
    PCA(1, whiten=True),
]
"""One row per block, or per setting that changes its formula: every check below runs on each of them."""

TRAINED: list[Block] = [
    DropConnect(3, 0.3),
    Dropout(0.4),
    GaussianNoise(0.7),
    RReLU(),
    NoisyReLU(),
    BatchNorm(),
    BatchNorm(epsilon=0.5),
]
"""Blocks that do something else while training: they are checked in both modes."""

TRAINING = Context(training=True, seed=3, step=5, block=2, first_row=1)

CASES = [*((block, PREDICTING) for block in (*BLOCKS, *TRAINED)), *((block, TRAINING) for block in TRAINED)]

every_block = pytest.mark.parametrize(
    ("block", "context"), CASES, ids=[f"{block!r}{' training' * context.training}" for block, context in CASES]
)


class Point(NamedTuple):
    """Parameters and x (n, i), a change of both, and a cotangent dy (n, o)."""

    params: dict[str, Any]
    x: Any
    dparams: dict[str, Any]
    dx: Any
    dy: Any


def point(block: Block, context: Context, seed: int, n: int = 3, i: int = 2) -> Point:
    rng = np.random.default_rng(seed)
    specs = block.parameters(i)
    params, dparams = ({k: rng.normal(size=s.shape) for k, s in specs.items()} for _ in range(2))
    for name, spec in specs.items():
        if spec.kind == "statistic":  # a variance is positive, and nothing is differentiated in what is measured
            params[name], dparams[name] = np.abs(params[name]) + 0.1, np.zeros(spec.shape)
    x = off_kinks(block, context, rng.normal(size=(n, i)))
    return Point(params, x, dparams, rng.normal(size=(n, i)), rng.normal(size=(n, block.outputs(i))))


def off_kinks(block: Block, context: Context, x: Any) -> Any:
    """Return x moved off the block's kinks: for a noisy ReLU, up until x + ε is clear of 0.

    Where all x are equal a normalisation turns from one extreme to the other: they are kept apart.
    """
    if isinstance(block, BatchNorm | LayerNorm):
        x = np.moveaxis(np.sort(x, axis=block.axis), block.axis, -1)
        x = np.moveaxis(x + np.arange(x.shape[-1]), -1, block.axis)
    if isinstance(block, NoisyReLU) and context.training:
        z = context.normals("noise", x.shape)
        for _ in range(20):
            x = np.where(np.abs(x + np.sqrt(sigmoid(x)) * z) < DISTANCE, x + DISTANCE, x)
    kinks = block.function.kinks if isinstance(block, Activation) else (0.0,) * hasattr(block, "suits")
    return moved_off(x, kinks)


def test_every_block_has_a_test_row() -> None:
    members = inspect.getmembers(blocks, inspect.isclass)
    own = {cls for _, cls in members if cls.__module__.startswith(blocks.__name__) and hasattr(cls, "pull_input")}
    assert own - {Block, Elementwise, Transform} == {type(block) for block in (*BLOCKS, *TRAINED)}
    assert all(isinstance(block, Block) for block in (*BLOCKS, *TRAINED))


@every_block
@given(seed=SEEDS, n=st.integers(1, 4), i=st.integers(1, 4))
@settings(max_examples=30)
def test_push_against_differences(block: Block, context: Context, seed: int, n: int, i: int) -> None:
    params, x, dparams, dx, _ = point(block, context, seed, n, i)
    dx = dx / np.abs(dx).max()
    _, cache = block.forward(params, x, context)

    def moved(t: float, along_x: float) -> Any:
        return block.forward(_along(params, dparams, t), x + t * along_x * dx, context)[0]

    both, alone = (central_difference(lambda t, along=along: moved(t, along)) for along in (1.0, 0.0))
    assert relative_error(block.push(params, cache, dx, dparams), both) <= DIFFERENCES
    assert relative_error(block.push(params, cache, None, dparams), alone) <= DIFFERENCES


@every_block
@given(seed=SEEDS, n=st.integers(1, 4), i=st.integers(1, 4))
@settings(max_examples=30)
def test_pulls_are_the_adjoint_of_push(block: Block, context: Context, seed: int, n: int, i: int) -> None:
    params, x, dparams, dx, dy = point(block, context, seed, n, i)
    _, cache = block.forward(params, x, context)
    pulled, gradient = block.pull_input(params, cache, dy), block.pull_params(params, cache, dy)
    assert {k: array.shape for k, array in gradient.items()} == {k: array.shape for k, array in params.items()}
    pushed = block.push(params, cache, dx, dparams)
    there = np.vdot(pushed, dy)
    back = np.vdot(dx, pulled) + sum(np.vdot(dparams[k], gradient[k]) for k in params)
    assert abs(there - back) <= 1e-13 * (1 + np.linalg.norm(pushed) * np.linalg.norm(dy))


@every_block
@given(seed=SEEDS, n=st.integers(1, 4), i=st.integers(1, 4), moves=st.booleans())
@settings(max_examples=30)
def test_tangents_of_the_pulls_against_differences(
    block: Block, context: Context, seed: int, n: int, i: int, moves: bool
) -> None:
    params, x, dparams, dx, dy = point(block, context, seed, n, i)
    dx = dx / np.abs(dx).max() * moves
    _, cache = block.forward(params, x, context)

    def pulled(t: float) -> list[Any]:
        there = _along(params, dparams, t)
        _, moved = block.forward(there, x + t * dx, context)
        return [block.pull_input(there, moved, dy), *block.pull_params(there, moved, dy).values()]

    given_dx = dx if moves else None
    along = given_dx, dparams, dy
    tangents = [block.pull_input_tangent(params, cache, *along)]
    tangents += block.pull_params_tangent(params, cache, *along).values()
    for k, tangent in enumerate(tangents):
        assert relative_error(tangent, central_difference(lambda t, k=k: pulled(t)[k])) <= DIFFERENCES


@every_block
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_everything_against_jax(block: Block, context: Context, seed: int) -> None:
    params, x, dparams, dx, dy = point(block, context, seed)
    p, z, dp, dz, d = jax.tree.map(jnp.asarray, point(block, context, seed))
    _, cache = block.forward(params, x, context)
    measured = {name: p[name] for name, spec in block.parameters(x.shape[1]).items() if spec.kind == "statistic"}

    def forward(p: Any, z: Any) -> Any:
        return block.forward({**p, **measured}, z, context)[0]

    def pull(p: Any, z: Any) -> Any:
        return jax.vjp(forward, p, z)[1](d)

    gradient, pulled = pull(p, z)
    (gradient_tangent, pulled_tangent), _ = _tangent(pull, p, z, dp, dz)
    _, pushed = jax.jvp(forward, (p, z), (dp, dz))
    assert relative_error(block.push(params, cache, dx, dparams), pushed) <= JAX
    assert relative_error(block.pull_input(params, cache, dy), pulled) <= JAX
    assert relative_error(block.pull_input_tangent(params, cache, dx, dparams, dy), pulled_tangent) <= JAX
    tangents = block.pull_params_tangent(params, cache, dx, dparams, dy)
    for name, got in block.pull_params(params, cache, dy).items():
        assert relative_error(got, gradient[name]) <= JAX
        assert relative_error(tangents[name], gradient_tangent[name]) <= JAX


def _tangent(pull: Any, p: Any, z: Any, dp: Any, dz: Any) -> tuple[Any, Any]:
    value, tangent = jax.jvp(pull, (p, z), (dp, dz))
    return tangent, value


def _along(params: dict[str, Any], dparams: dict[str, Any], t: float) -> dict[str, Any]:
    return {name: params[name] + t * dparams[name] for name in params}


@every_block
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_is_kept_and_arguments_are_left_alone(block: Block, context: Context, dtype: Any) -> None:
    params, x, dparams, dx, dy = jax.tree.map(lambda a: a.astype(dtype), point(block, context, 4))
    before = pickle.dumps((params, x, dparams, dx, dy))
    y, cache = block.forward(params, x, context)
    results = [y, block.pull_input(params, cache, dy), block.push(params, cache, dx, dparams)]
    results += [block.push(params, cache, None, dparams), *block.pull_params(params, cache, dy).values()]
    for change in (dx, None):
        results.append(block.pull_input_tangent(params, cache, change, dparams, dy))
        results += block.pull_params_tangent(params, cache, change, dparams, dy).values()
    assert {result.dtype for result in results} == {np.dtype(dtype)}
    assert pickle.dumps((params, x, dparams, dx, dy)) == before


def test_dense_by_hand() -> None:
    params = {"W": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.array([10.0, 20.0])}
    x, dy = np.array([[1.0, -1.0], [2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    y, cache = Dense(2).forward(params, x)
    np.testing.assert_array_equal(y, [[8, 18], [12, 24]])
    np.testing.assert_array_equal(Dense(2).pull_input(params, cache, dy), [[1, 3], [2, 4]])
    gradient = Dense(2).pull_params(params, cache, dy)
    np.testing.assert_array_equal(gradient["W"], [[1, 2], [-1, 0]])
    np.testing.assert_array_equal(gradient["b"], [1, 1])


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csr_matrix, scipy.sparse.csc_array])
def test_dense_takes_sparse_inputs(kind: Any) -> None:
    block = Dense(3)
    params, x, dparams, _, dy = point(block, PREDICTING, 5, n=4, i=6)
    x = x * (np.random.default_rng(0).uniform(size=x.shape) < 0.4)
    (y, cache), (sparse_y, sparse_cache) = block.forward(params, x), block.forward(params, kind(x))
    pairs = [(sparse_y, y)]
    pairs.append((block.push(params, sparse_cache, None, dparams), block.push(params, cache, None, dparams)))
    for name, got in block.pull_params(params, sparse_cache, dy).items():
        pairs.append((got, block.pull_params(params, cache, dy)[name]))
    for got, wanted in pairs:
        assert isinstance(got, np.ndarray)
        assert relative_error(got, wanted) <= 1e-14


def test_dense_declares_its_parameters() -> None:
    block = Dense(3, initializer="he_normal", bias_initializer=0.1)
    specs = block.parameters(5)
    assert list(specs) == ["W", "b"]
    assert tuple(specs["W"]) == ((5, 3), "weight", "he_normal")
    assert tuple(specs["b"]) == ((3,), "bias", 0.1)
    assert block.outputs(5) == 3


def test_activation_declares_none() -> None:
    assert Activation("tanh").parameters(5) == {}
    assert Activation("tanh").outputs(5) == 5


@pytest.mark.parametrize(
    ("units", "error"),
    [(0, ValueError), (-3, ValueError), (0.0, ValueError)]
    + [(units, TypeError) for units in (2.5, np.inf, np.nan, True, False, "3", None)],
)
def test_dense_refuses_other_than_whole_units(units: Any, error: type[Exception]) -> None:
    shown = repr(0 if units == 0 and units is not False else units)
    with pytest.raises(error, match=f"Dense units must be a whole number of at least 1, got {shown}"):
        Dense(units)


def test_dense_takes_whole_units_of_any_type() -> None:
    for units in (3, 3.0, np.int64(3), np.float32(3)):
        assert type(Dense(units).units) is int
        assert Network(2, [Dense(units)]).initialize().shape == (9,)


def test_activation_refuses_unknown_names_and_settings() -> None:
    with pytest.raises(ValueError, match="activation 'relux' is not known; accepted: algebraic_sigmoid, arctan, elu, "):
        Activation("relux")
    with pytest.raises(ValueError, match="activation 'leaky_relu' has no setting alpha; accepted: slope"):
        Activation("leaky_relu", alpha=0.1)
    with pytest.raises(ValueError, match="activation 'tanh' has no setting alpha, slope; accepted: none"):
        Activation("tanh", slope=0.1, alpha=1)


def test_activations_are_values() -> None:
    leaky = Activation("leaky_relu", slope=0.1)
    assert leaky == Activation("leaky_relu", slope=0.1)
    assert hash(leaky) == hash(Activation("leaky_relu", slope=0.1))
    assert hash(leaky) != hash(Activation("leaky_relu"))
    assert leaky != Activation("leaky_relu")
    assert leaky != Activation("relu")
    assert leaky != "leaky_relu"
    assert Activation("logistic") == Activation("sigmoid")
    assert pickle.loads(pickle.dumps(leaky)) == leaky
    assert repr(leaky) == "Activation('leaky_relu', slope=0.1)"
    assert repr(Activation("tanh")) == "Activation('tanh')"
