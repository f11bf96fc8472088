"""One pass with all its numbers, against the same pass written out by hand for two layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from chainrule import Activation, Dense, Dropout, Network, Objective, losses
from chainrule.mathematics.blocks import PREDICTING, Context, Elementwise, ParameterSpec, Plain
from chainrule.mathematics.blocks.noise import NoiseCache
from chainrule.mathematics.trace import backward, forward, traces

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(7, 4)), RNG.normal(size=(7, 2))
NETWORK = Network(4, [Dense(3), Activation("tanh"), Dense(2)])
THETA = NETWORK.initialize(2)


def test_every_number_is_that_of_the_chain_rule_by_hand() -> None:
    W, b, V, c = NETWORK.views(THETA).values()
    net = X @ W + b
    h = np.tanh(net)
    scores = h @ V + c
    dscores = 3 * scores
    dh = dscores @ V.T
    dnet = (1 - h * h) * dh
    first, middle, last = NETWORK.trace(THETA, X, lambda given: 3 * given)
    wanted: list[tuple[Any, tuple[str, type, Any, Any, Any], Mapping[str, Any]]] = [
        (first, ("0 Dense", Dense, X, net, dnet), {"W": X.T @ dnet, "b": dnet.sum(axis=0)}),
        (middle, ("1 Activation tanh", Activation, net, h, dh), {}),
        (last, ("2 Dense", Dense, h, scores, dscores), {"W": h.T @ dscores, "b": dscores.sum(axis=0)}),
    ]
    for trace, (name, kind, x, y, dy), gradients in wanted:
        assert trace.name == name
        assert isinstance(trace.block, kind)
        for got, value in ((trace.x, x), (trace.y, y), (trace.dy, dy)):
            np.testing.assert_allclose(got, value, rtol=1e-12, atol=1e-14)
        assert trace.gradients.keys() == gradients.keys()
        for each, value in gradients.items():
            np.testing.assert_allclose(trace.gradients[each], value, rtol=1e-12, atol=1e-14)
    assert first.cache.x is X
    np.testing.assert_array_equal(last.params["W"], V)


def test_the_gradients_are_the_bits_of_the_objective() -> None:
    objective = Objective(NETWORK, losses.SquaredError(), X, Y)
    found = NETWORK.trace(THETA, X, lambda scores: objective.loss.gradient(scores, Y))
    assert NETWORK.pack([trace.gradients for trace in found]).tobytes() == objective.gradient(THETA).tobytes()
    assert found[-1].y.tobytes() == NETWORK.forward(THETA, X).tobytes()


def test_the_context_reaches_every_block_under_its_own_number() -> None:
    network = Network(4, [Dropout(0.5), Dropout(0.5)])
    context = Context(training=True, seed=5, step=3)
    first, second = network.trace(np.empty(0), np.ones((50, 4)), np.ones_like, context)
    assert first.cache.context == context.at(0)
    assert second.cache.context == context.at(1)
    assert set(np.unique(first.y)) == {0.0, 2.0}
    assert ((first.y == 0) != (second.y == 0)).any()


def test_a_block_may_be_prepared_for_the_x_that_reaches_it() -> None:
    seen = []

    def doubled(k: int, block: Any, params: Any, x: Any) -> dict[str, Any]:
        seen.append((k, block, x))
        return {name: 2 * value for name, value in params.items()}

    params = NETWORK.unpack(THETA)
    passed = list(forward(NETWORK.blocks, params, X, prepare=doubled))
    assert [(k, block) for k, block, _ in seen] == list(enumerate(NETWORK.blocks))
    assert all(x is each.x for (_, _, x), each in zip(seen, passed, strict=True))
    np.testing.assert_allclose(passed[0].y, 2 * (X @ params[0]["W"] + params[0]["b"]), rtol=1e-12)
    np.testing.assert_array_equal(passed[0].params["W"], 2 * params[0]["W"])


class Unasked(Elementwise):
    """A first block that fails when someone asks for dL/dx, which nobody needs."""

    def forward(self, params: Any, x: Any, context: Context = PREDICTING) -> tuple[Any, Any]:
        return 2 * x, NoiseCache(x, context)

    def pull_input(self, params: Any, cache: Any, dy: Any) -> Any:
        raise AssertionError("nobody needs dL/dx")


def test_the_first_block_is_not_asked_for_the_gradient_of_the_inputs() -> None:
    blocks = [Unasked(), Activation("tanh")]
    passed = list(forward(blocks, [{}, {}], X))
    pulled = list(backward(blocks, [{}, {}], [each.cache for each in passed], np.ones_like(X)))
    assert [each.k for each in pulled] == [1, 0]
    np.testing.assert_allclose(pulled[1].dy, 1 - np.tanh(2 * X) ** 2, rtol=1e-12)


def test_products_with_the_hessian_do_not_ask_it_either() -> None:
    network = Network(4, [Unasked(), Dense(3), Activation("tanh"), Dense(2)])
    objective, v = Objective(network, losses.SquaredError(), X, Y), np.cos(THETA)
    twin = Objective(NETWORK, losses.SquaredError(), 2 * X, Y)
    np.testing.assert_array_equal(objective.hessian_product(THETA, v), twin.hessian_product(THETA, v))
    np.testing.assert_array_equal(objective.gauss_newton_product(THETA, v), twin.gauss_newton_product(THETA, v))


def test_a_push_needs_a_change_for_every_block() -> None:
    params = NETWORK.unpack(THETA)
    _, caches = NETWORK.forward_with_caches(params, X)
    with pytest.raises(ValueError, match="shorter"):
        NETWORK.push(params, caches, params[:2])


def test_no_block_no_trace() -> None:
    network = Network(4, [])
    assert network.trace(np.empty(0), X, np.ones_like) == []
    assert network.forward(np.empty(0), X) is X
    assert traces([], [], [], X, np.ones_like) == []


def test_every_block_has_its_parameters_and_its_name() -> None:
    params = NETWORK.unpack(THETA)
    with pytest.raises(ValueError, match="shorter"):
        list(forward(NETWORK.blocks, params[:2], X))
    with pytest.raises(ValueError, match="longer"):
        traces(NETWORK.names[:2], NETWORK.blocks, params, X, np.ones_like)


class Bend(Elementwise):
    """A block of a user's own, x², with the answers of Standard where it says nothing itself."""

    def forward(self, params: Any, x: Any, context: Context = PREDICTING) -> tuple[Any, Any]:
        return x * x, type("Cache", (), {"x": x})

    def slope(self, params: Any, cache: Any) -> Any:
        return 2 * cache.x


class Skewed(Plain):
    """A block of a user's own with a weight of its own kind, an activation that suits it behind."""

    name = "by hand"

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        return {"A": ParameterSpec((inputs, inputs), "weight", None)}

    def forward(self, params: Any, x: Any, context: Context = PREDICTING) -> tuple[Any, Any]:
        return x @ params["A"], x

    def pull_input(self, params: Any, cache: Any, dy: Any) -> Any:
        return dy @ params["A"].T

    def push(self, params: Any, cache: Any, dx: Any, dparams: Any) -> Any:
        return cache @ dparams["A"]

    def pull_input_tangent(self, params: Any, cache: Any, dx: Any, dparams: Any, dy: Any) -> Any:
        return dy @ dparams["A"].T


def test_blocks_of_users_have_names_and_suiting_weights() -> None:
    network = Network(4, [Skewed(), Bend(), Activation("relu"), Skewed(), Bend(), Dense(2)])
    assert network.names[:3] == ["0 Skewed by hand", "1 Bend", "2 Activation relu"]
    assert network.weighted == [0, 3, 5]
    first, second, _ = (network.views(network.initialize(0))[name] for name in ("0.A", "3.A", "5.W"))
    bound = {"he_uniform": np.sqrt(6 / 4), "xavier_uniform": np.sqrt(6 / 8)}
    assert bound["xavier_uniform"] < np.abs(first).max() <= bound["he_uniform"]
    assert np.abs(second).max() <= bound["xavier_uniform"]


def test_what_misses_a_member_of_the_contract_is_no_block() -> None:
    class Nameless:
        outputs = parameters = forward = pull_input = pull_params = push = measured = None
        pull_input_tangent = pull_params_tangent = None

    with pytest.raises(TypeError, match="block 0 of a network must follow the Block contract"):
        Network(4, [Nameless()])  # type: ignore[list-item]  # the mistake under test
