"""A network: one flat θ, its views, forward and backward through the chain, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Activation, Dense, LayerNorm, Network
from chainrule.foundation.randomness import Stream
from chainrule.mathematics.initializers import INITIALIZERS
from support.oracles import DIFFERENCES, JAX, central_product, relative_error
from support.strategies import SEEDS, WIDTHS


def mnist() -> Network:
    return Network(784, [Dense(256), Activation("relu"), Dense(10)])


def small() -> Network:
    return Network(2, [Dense(3), Activation("tanh"), Dense(4), Activation("softplus"), Dense(1)])


def test_mnist_counts_203530_parameters() -> None:
    network = mnist()
    assert network.size == 203_530 == 784 * 256 + 256 + 256 * 10 + 10
    assert network.initialize().shape == (203_530,)
    assert (network.inputs, network.outputs, network.widths) == (784, 10, [784, 256, 256, 10])


def test_summary() -> None:
    assert mnist().summary() == (
        "block              output  parameters\n"
        "0 Dense               256     200,960\n"
        "1 Activation relu     256           0\n"
        "2 Dense                10       2,570\n"
        "total                         203,530"
    )


def test_a_summary_is_as_wide_as_its_longest_word() -> None:
    assert Network(2, []).summary() == "block  output  parameters\ntotal                   0"
    assert Network(2, [Dense(1)]).summary().splitlines()[1] == "0 Dense       1           3"
    assert Network(2, [Dense(1_000_000)]).summary().splitlines()[1] == "0 Dense  1,000,000   3,000,000"


def test_a_whole_number_of_inputs_may_be_any_number() -> None:
    for inputs in (1, 1.0, np.int64(1)):
        network = Network(inputs, [Dense(2)])  # type: ignore[arg-type]
        assert (type(network.inputs), network.size) == (int, 4)


def test_views_are_views() -> None:
    network = small()
    theta = np.zeros(network.size)
    views = network.views(theta)
    assert {name: view.shape for name, view in views.items()} == {
        "0.W": (2, 3),
        "0.b": (3,),
        "2.W": (3, 4),
        "2.b": (4,),
        "4.W": (4, 1),
        "4.b": (1,),
    }
    for k, view in enumerate(views.values(), 1):
        view[...] = k
    np.testing.assert_array_equal(theta, np.repeat([1, 2, 3, 4, 5, 6], [6, 3, 12, 4, 4, 1]))
    theta[:] = -1
    assert all((view == -1).all() for view in views.values())
    assert all(np.shares_memory(view, theta) for view in views.values())


def test_unpacked_parameters_are_views_too() -> None:
    network = small()
    theta = network.initialize()
    params = network.unpack(theta)
    assert [list(p) for p in params] == [["W", "b"], [], ["W", "b"], [], ["W", "b"]]
    assert all(np.shares_memory(array, theta) for p in params for array in p.values())


@given(inputs=WIDTHS, widths=st.lists(WIDTHS, min_size=1, max_size=4), seed=SEEDS)
def test_pack_undoes_unpack(inputs: int, widths: list[int], seed: int) -> None:
    network = Network(inputs, [Dense(width) for width in widths])
    theta = np.random.default_rng(seed).normal(size=network.size)
    packed = network.pack(network.unpack(theta))
    np.testing.assert_array_equal(packed, theta)
    assert not np.shares_memory(packed, theta)
    fans = zip([inputs, *widths], widths, strict=False)
    assert network.size == sum(fan_in * fan_out + fan_out for fan_in, fan_out in fans)


def test_one_array_of_parameters_is_packed_too() -> None:
    network, theta = Network(2, [Dense(3, bias=False)]), np.arange(6.0)
    assert list(network.views(theta)) == ["0.W"]
    np.testing.assert_array_equal(network.pack(network.unpack(theta)), theta)


def test_masks_part_the_parameters_by_kind() -> None:
    network = small()
    weights, biases = network.mask("weight"), network.mask("bias")
    assert weights.dtype == bool
    np.testing.assert_array_equal(weights, ~biases)
    assert weights.sum() == 6 + 12 + 4
    views = network.views(weights)
    assert all(view.all() == name.endswith("W") for name, view in views.items())
    assert not network.mask("slope").any()


def test_starting_values_depend_on_seed_and_restart_alone() -> None:
    network = small()
    theta = network.initialize(seed=3)
    np.testing.assert_array_equal(theta, small().initialize(seed=3))
    np.testing.assert_array_equal(network.initialize(), network.initialize(seed=0, dtype="float64", restart=0))
    weights = network.mask("weight")
    for other in (network.initialize(seed=4), network.initialize(seed=3, restart=1)):
        assert not (theta == other)[weights].any()
    assert network.initialize(seed=3, dtype="float32").dtype == np.float32
    np.testing.assert_array_equal(network.initialize(seed=3, dtype="float32"), theta.astype(np.float32))


def test_every_parameter_draws_from_its_own_stream() -> None:
    network = Network(2, [Dense(3, "normal", "normal"), Dense(1, "normal")])
    views = network.views(network.initialize(seed=6, restart=2))
    for index, (name, view) in enumerate(views.items()):
        wanted = 0.05 * Stream(6, "weights", step=2, block=index).normal(view.size).reshape(view.shape)
        np.testing.assert_array_equal(view, np.zeros(1) if name == "1.b" else wanted)


def test_weights_suit_the_activation_before_the_next_weights() -> None:
    relu, tanh = Activation("relu"), Activation("tanh")
    chains: list[tuple[list[Any], list[str]]] = [
        ([Dense(2), Dense(2), relu], ["xavier", "he"]),
        ([Dense(2), LayerNorm(), relu, tanh, Dense(2)], ["he", "xavier"]),
        ([Dense(2), tanh, relu, Dense(2, "zeros"), relu], ["xavier", "zeros"]),
        ([relu, Dense(2)], ["xavier"]),
    ]
    for blocks, wanted in chains:
        network = Network(2, blocks)
        views = network.views(network.initialize(seed=1))
        for index, slot in enumerate(network.slots):
            if slot.spec.kind == "weight":
                rule = wanted[network.weighted.index(slot.block)]
                draw = INITIALIZERS[rule if rule == "zeros" else f"{rule}_uniform"]
                drawn = draw(Stream(1, "weights", block=index), (2, 2))
                np.testing.assert_array_equal(views[f"{slot.block}.W"], drawn)


def test_equal_blocks_start_differently() -> None:
    network = Network(3, [Dense(3), Activation("tanh"), Dense(3), Activation("tanh"), Dense(3)])
    views = network.views(network.initialize(seed=0))
    assert not (views["0.W"] == views["2.W"]).any()


def test_forward_by_hand() -> None:
    network = small()
    theta = network.initialize(seed=1) + 0.05
    v, x = network.views(theta), np.array([[0.5, -1.0], [2.0, 0.1], [0.0, 0.0]])
    hidden = np.log1p(np.exp(np.tanh(x @ v["0.W"] + v["0.b"]) @ v["2.W"] + v["2.b"]))
    assert relative_error(network.forward(theta, x), hidden @ v["4.W"] + v["4.b"]) <= 1e-15
    scores, caches = network.forward_with_caches(network.unpack(theta), x)
    np.testing.assert_array_equal(scores, network.forward(theta, x))
    assert len(caches) == 5
    np.testing.assert_array_equal(caches[1].y, caches[2].x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_keeps_the_type(dtype: Any) -> None:
    network = small()
    x = np.ones((2, 2), dtype)
    assert network.forward(network.initialize(dtype=np.dtype(dtype).name), x).dtype == dtype


def test_forward_takes_sparse_inputs() -> None:
    network, x = small(), np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 0.0]])
    theta = network.initialize()
    wanted = network.forward(theta, x)
    for kind in (scipy.sparse.csr_array, scipy.sparse.csr_matrix):
        assert relative_error(network.forward(theta, kind(x)), wanted) <= 1e-15


@given(seed=SEEDS)
@settings(max_examples=20)
def test_push_and_backward_against_differences_and_each_other(seed: int) -> None:
    network, rng = small(), np.random.default_rng(seed)
    theta, v = rng.normal(size=(2, network.size))
    x, dy = rng.normal(size=(5, 2)), rng.normal(size=(5, 1))
    params = network.unpack(theta)
    _, caches = network.forward_with_caches(params, x)
    changes = network.push(params, caches, network.unpack(v))
    assert changes[0] is None  # the data do not change
    for k, change in enumerate(changes[1:], 1):
        first = Network(2, network.blocks[:k])

        def forward(z: Any, first: Network = first) -> Any:
            return first.forward(z[: first.size], x)

        assert relative_error(change, central_product(forward, theta, v)) <= DIFFERENCES
    gradient = network.pack(network.backward(params, caches, dy))
    there, back = np.vdot(changes[-1], dy), gradient @ v
    assert abs(there - back) <= 1e-13 * np.linalg.norm(gradient) * np.linalg.norm(v)


def test_push_and_backward_against_jax() -> None:
    network, rng = small(), np.random.default_rng(0)
    theta, v = rng.normal(size=(2, network.size))
    x, dy = rng.normal(size=(5, 2)), rng.normal(size=(5, 1))
    params = network.unpack(theta)
    _, caches = network.forward_with_caches(params, x)

    def forward(z: Any) -> Any:
        return network.forward(z, jnp.asarray(x))

    _, pushed = jax.jvp(forward, (jnp.asarray(theta),), (jnp.asarray(v),))
    _, pull = jax.vjp(forward, jnp.asarray(theta))
    assert relative_error(network.push(params, caches, network.unpack(v))[-1], pushed) <= JAX
    assert relative_error(network.pack(network.backward(params, caches, dy)), pull(jnp.asarray(dy))[0]) <= JAX


def test_wrong_sizes_are_refused() -> None:
    network = small()
    theta = network.initialize()
    with pytest.raises(ValueError, match=re.escape("θ has shape (29,); this network has 30 parameters: (30,)")):
        network.forward(theta[:-1], np.ones((1, 2)))
    with pytest.raises(ValueError, match=re.escape("θ has shape (31,); this network has 30 parameters: (30,)")):
        network.views(np.zeros(31))
    with pytest.raises(ValueError, match=re.escape("x has shape (1, 3); this network takes (rows, 2)")):
        network.forward(theta, np.ones((1, 3)))
    with pytest.raises(ValueError, match=re.escape("x has shape (2,); this network takes (rows, 2)")):
        network.forward(theta, np.ones(2))


def test_wrong_parts_are_refused() -> None:
    for inputs in (0, -1, 0.5, 2.5, True):
        words = re.escape(f"a network needs a whole number of inputs, at least 1, got {inputs!r}")
        with pytest.raises(ValueError, match=f"^{words}$"):
            Network(inputs, [Dense(1)])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="block 1 of a network must follow the Block contract, got 'tanh'"):
        Network(2, [Dense(1), "tanh"])
    with pytest.raises(TypeError, match=r"block 0 of a network must follow the Block contract, got <class '.*Dense'>"):
        Network(2, [Dense])


@pytest.mark.parametrize(
    ("returned", "called"),
    [
        (0, "() of int64"),
        (np.zeros(6), "(6,) of float64"),
        (np.zeros((3, 2), np.float32), "(3, 2) of float32"),
        (None, "() of object"),
        (np.full((2, 3), "a"), "(2, 3) of <U1"),
    ],
)
def test_an_initializer_that_returns_something_else_is_named(returned: Any, called: str) -> None:
    def own(stream: Any, shape: Any) -> Any:
        return returned

    words = r"initializer <function .*own.*> must return an array of numbers of the shape \(2, 3\) for 0\.W, got "
    with pytest.raises(ValueError, match=f"^{words}{re.escape(called)}$"):
        Network(2, [Dense(3, own), Dense(1)]).initialize()


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32, np.float32])
def test_an_initializer_may_return_any_kind_of_number(kind: Any) -> None:
    theta = Network(2, [Dense(3, lambda stream, shape: np.ones(shape, kind))]).initialize()
    np.testing.assert_array_equal(theta, [1.0] * 6 + [0.0] * 3)


def test_repr_can_be_read_back() -> None:
    network = Network(2, [Dense(3, "he_normal"), Activation("elu", alpha=2.0), Dense(1)])
    again = eval(repr(network), {"Network": Network, "Dense": Dense, "Activation": Activation})
    assert again.blocks == network.blocks
    np.testing.assert_array_equal(again.initialize(5), network.initialize(5))
