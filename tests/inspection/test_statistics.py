"""The figures of each block against their definitions, and that nobody pays who does not ask."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import chainrule.loop.progress as progress
from chainrule import Activation, Dense, MLPRegressor, Network, Objective, block_statistics, losses, train, training
from chainrule.inspection.statistics import update_ratio
from chainrule.mathematics.activations import ACTIVATIONS
from chainrule.mathematics.blocks import PREDICTING, Plain
from chainrule.optimizers import LBFGS, SGD
from chainrule.penalties import L2
from support.commands import ok

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(40, 5)), RNG.integers(0, 3, 40)
NETWORK = Network(5, [Dense(6), Activation("tanh"), Dense(4), Activation("relu"), Dense(3)])
OBJECTIVE = Objective(NETWORK, losses.CrossEntropy(), X, Y, RNG.uniform(0.5, 2, 40), [L2(0.1)])
THETA = NETWORK.initialize(2)


def outputs(network: Network, theta: Any, x: Any) -> list[Any]:
    """Return what each block gives."""
    found = []
    for block, params in zip(network.blocks, network.unpack(theta), strict=True):
        x, _ = block.forward(params, x)
        found.append(x)
    return found


def loss_from(k: int, y: Any) -> float:
    """Return the loss, given the output of block k."""
    params = NETWORK.unpack(THETA)
    for block, p in zip(NETWORK.blocks[k + 1 :], params[k + 1 :], strict=True):
        y, _ = block.forward(p, y)
    return float(OBJECTIVE.loss.value(y, OBJECTIVE.y, OBJECTIVE.sample_weight))


def test_outputs_and_parameters() -> None:
    found = block_statistics(OBJECTIVE, THETA)
    assert [b.name for b in found] == ["0 Dense", "1 Activation tanh", "2 Dense", "3 Activation relu", "4 Dense"]
    for b, y, params in zip(found, outputs(NETWORK, THETA, X), NETWORK.unpack(THETA), strict=True):
        assert (b.mean, b.deviation) == pytest.approx((y.mean(), y.std()), rel=1e-12)
        entries = np.concatenate([v.ravel() for v in params.values()]) if params else None
        assert b.parameter_norm == (None if entries is None else pytest.approx(np.linalg.norm(entries), rel=1e-12))
        assert b.update_ratio is None


def test_the_gradient_at_each_output_against_differences() -> None:
    h = 1e-6
    for k, (b, y) in enumerate(zip(block_statistics(OBJECTIVE, THETA), outputs(NETWORK, THETA, X), strict=True)):
        slopes = []
        for place in np.ndindex(y.shape):
            up, down = y.copy(), y.copy()
            up[place] += h
            down[place] -= h
            slopes.append((loss_from(k, up) - loss_from(k, down)) / (2 * h))
        assert b.output_gradient == pytest.approx(np.linalg.norm(slopes), rel=1e-6)


def test_parameter_gradients_are_the_losss() -> None:
    bare = Objective(NETWORK, OBJECTIVE.loss, X, Y, OBJECTIVE.sample_weight)
    gradient = NETWORK.unpack(bare.gradient(THETA))
    for b, parts in zip(block_statistics(OBJECTIVE, THETA), gradient, strict=True):
        norm = np.sqrt(sum((part**2).sum() for part in parts.values()))
        assert b.gradient_norm == (pytest.approx(norm, rel=1e-12) if parts else None)


def test_update_ratios_per_step() -> None:
    before = THETA + 0.1 * RNG.normal(size=THETA.size)
    found = block_statistics(OBJECTIVE, THETA, before=before, steps=5)
    for k, b in enumerate(found):
        at = np.concatenate([np.arange(s.start, s.stop) for s in NETWORK.slots if s.block == k] or [[]]).astype(int)
        wanted = np.linalg.norm((THETA - before)[at]) / np.linalg.norm(THETA[at]) / 5 if at.size else None
        assert b.update_ratio == (None if wanted is None else pytest.approx(wanted, rel=1e-12))
    assert update_ratio(np.ones(3), np.zeros(3)) == 0.0


def one_layer(activation: Activation, biases: Any) -> tuple[Objective, Any]:
    """Return an objective whose hidden pre-activations are x plus the given biases, on x from -1 to 1."""
    network = Network(1, [Dense(len(biases), "ones"), activation, Dense(1)])
    theta = network.initialize(0)
    network.views(theta)["0.b"][:] = biases
    return Objective(network, losses.SquaredError(), np.linspace(-1, 1, 101)[:, None], np.zeros(101)), theta


def test_dead_units_and_saturated_entries_of_relu() -> None:
    b = block_statistics(*one_layer(Activation("relu"), [-5.0, 0.0, 5.0, -0.99]))[1]
    assert b.dead == 0.25  # the last lives on the row where x = 1
    assert b.saturated == pytest.approx((101 + 51 + 0 + 100) / 404)


def test_dead_units_and_saturated_entries_of_smooth_activations() -> None:
    b = block_statistics(*one_layer(Activation("sigmoid"), [0.0, 7.0, -7.0, 1000.0]))[1]
    assert (b.dead, b.saturated) == (0.25, 0.75)
    z = np.linspace(-1, 1, 101) + 3
    b = block_statistics(*one_layer(Activation("tanh"), [3.0]))[1]
    assert b.saturated == pytest.approx((1 - np.tanh(z) ** 2 < 0.01).mean())
    b = block_statistics(*one_layer(Activation("leaky_relu", slope=0.2), [-9.0]))[1]
    assert (b.dead, b.saturated) == (0.0, 0.0)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_every_activation_has_its_shares(name: str) -> None:
    b = block_statistics(*one_layer(Activation(name), [0.3, -0.4]))[1]
    flat = {"identity": (None, None), "step": (1.0, 1.0), "sign": (1.0, 1.0)}
    assert (b.dead, name == "identity") == (flat.get(name, (0.0, 0.0))[0], b.saturated is None)


class Centre(Plain):
    """A block that works across the units of a row, y = x - mean(x), and has no parameters."""

    def forward(self, params: Any, x: Any, context: Any = PREDICTING) -> Any:
        return x - x.mean(axis=1, keepdims=True), None

    def pull_input(self, params: Any, cache: Any, dy: Any) -> Any:
        return dy - dy.mean(axis=1, keepdims=True)

    push = pull_input_tangent = forward


def test_a_block_across_units_has_no_slopes_of_its_own() -> None:
    network = Network(5, [Dense(5), Centre(), Activation("relu"), Dense(1)])  # type: ignore[list-item]
    objective = Objective(network, losses.SquaredError(), X, Y.astype(float))
    found = block_statistics(objective, network.initialize(0))
    assert [b.dead is None for b in found] == [True, True, False, True]
    assert [b.name for b in found][1] == "1 Centre"


def test_a_sample_of_the_rows_sparse_or_not() -> None:
    many = Objective(NETWORK, losses.CrossEntropy(), np.repeat(X, 9, axis=0), np.repeat(Y, 9))
    assert block_statistics(many, THETA, rows=360) == block_statistics(many, THETA, rows=1000)
    every_ninth = Objective(NETWORK, losses.CrossEntropy(), X[:1], Y[:1])
    assert block_statistics(many, THETA, rows=1) == block_statistics(every_ninth, THETA)
    sparse = Objective(NETWORK, losses.CrossEntropy(), scipy.sparse.csr_array(X), Y)
    dense = Objective(NETWORK, losses.CrossEntropy(), X, Y)
    for a, b in zip(block_statistics(sparse, THETA), block_statistics(dense, THETA), strict=True):
        assert a.output_gradient == pytest.approx(b.output_gradient, rel=1e-12)


def test_what_cannot_be_looked_at_is_named() -> None:
    with pytest.raises(ValueError, match="at least one row, got rows=0 of 40"):
        block_statistics(OBJECTIVE, THETA, rows=0)
    with pytest.raises(ValueError, match="this network has"):
        block_statistics(OBJECTIVE, THETA[1:])


def test_numbers_that_overflow_are_figures_too() -> None:
    found = block_statistics(OBJECTIVE, np.where(THETA == 0, 1e200, THETA * 1e200))
    assert not np.isfinite(found[-1].output_gradient) or found[-1].deviation > 1e100


# --------------------------------------------------------------------------------------------- events of a training


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("optimizer", [SGD(0.1), LBFGS()])
def test_an_event_shows_the_live_theta(engine: str, optimizer: Any) -> None:
    before, steps = THETA.copy(), 4 if isinstance(optimizer, SGD) else 1
    for event in training(OBJECTIVE, THETA, optimizer=optimizer, epochs=3, batch_size=10, engine=engine):
        assert event.statistics == block_statistics(OBJECTIVE, event.theta, before=before, steps=steps)
        before = event.theta.copy()


def test_nothing_is_computed_unless_asked_and_then_once(monkeypatch) -> None:
    asked = []

    def counting(*given: Any, **named: Any) -> Any:
        asked.append(1)
        return block_statistics(*given, **named)

    monkeypatch.setattr(progress, "block_statistics", counting)
    events = list(training(OBJECTIVE, THETA, epochs=5, batch_size=10))
    assert asked == []
    assert events[-1].statistics is events[-1].statistics
    assert asked == [1]


def test_events_pickle_without_the_data_and_compare_as_before() -> None:
    large = Objective(NETWORK, losses.CrossEntropy(), np.tile(X, (1000, 1)), np.tile(Y, 1000))
    *_, event = training(large, THETA, epochs=2, batch_size=20_000)
    assert replace(event) == event != replace(event, loss=0.0)
    unread = pickle.loads(pickle.dumps(event))
    assert len(pickle.dumps(event)) < 20 * THETA.nbytes
    assert unread.statistics == ()
    found = event.statistics
    assert pickle.loads(pickle.dumps(event)).statistics == found
    assert event.look is not None


def test_the_first_epoch_says_how_fast_the_training_set_out() -> None:
    result = train(OBJECTIVE, THETA, optimizer=SGD(0.1), epochs=1, batch_size=10)
    look = result.history[0].look
    assert look is not None
    assert look.first == pytest.approx(np.linalg.norm(result.theta - THETA) / np.linalg.norm(THETA) / 4, rel=1e-12)


def test_readers_of_the_estimators_see_them() -> None:
    seen: list[Any] = []
    model = MLPRegressor(hidden_layer_sizes=(4,), random_state=0, max_iter=50, tol=1e-2, n_iter_no_change=3)
    model.set_params(callbacks=[lambda event: seen.append(event.statistics[0].update_ratio)]).fit(X, X[:, 0])
    assert len(seen) == model.n_iter_
    assert all(ratio > 0 for ratio in seen)


def test_the_command_line_shows_them() -> None:
    words = ["train", "digits", "--max-iter", 2, "--hidden-layer-sizes", "8,6", "--statistics"]
    text = ok(*words).out
    assert "block              mean y  dev y  dead  flat  ‖dL/dy‖  ‖θ‖  ‖dL/dθ‖  ‖Δθ‖/‖θ‖" in text
    assert [line.split()[1] for line in text.splitlines() if line[:2] in ("0 ", "1 ", "2 ", "3 ", "4 ")][:5] == [
        *("Dense", "Activation", "Dense", "Activation", "Dense")
    ]
    blocks = ok(*words, "--json").json["statistics"]
    assert [block["name"] for block in blocks][::2] == ["0 Dense", "2 Dense", "4 Dense"]
    assert all(block["update_ratio"] > 0 for block in blocks[::2])
    assert "statistics" not in ok(*words[:-1], "--json").json
