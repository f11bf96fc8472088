"""The native engine against the reference engine, its twin: values, gradients, whole trainings and predictions.

The bounds are relative errors, of vectors in the Euclidean norm: ONCE for what one evaluation gives, LATER for what
fifty updates make of it. Both engines run in the same precision, so that each bound holds the errors of both. A kink
would tell the two apart wherever rounding moves a number across it: rows that come near one are left out.

Shapes: n rows, i inputs, o outputs, P parameters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from chainrule import Activation, Dense, DivergenceError, Network, Objective, Stopping, engines, train
from chainrule.activations import ACTIVATIONS
from chainrule.engines import NativeEngine, ReferenceEngine, native
from chainrule.losses import CrossEntropy, Loss, Poisson, SigmoidCrossEntropy, SquaredError
from chainrule.optimizers import OPTIMIZERS, SGD, Adam, AdamW, UpdateRule
from chainrule.penalties import L1, L2
from chainrule.schedules import Constant, Exponential
from naive_loops import RULES
from oracles import FLOOR, relative_error, worst_relative_error
from strategies import (
    ALL_LOSSES,
    ATTEMPTS,
    LOSS_VARIANTS,
    SEEDS,
    distance_to_kink,
    draw_target,
    drawn_penalties,
    moved_off,
)

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)

ONCE = {"float32": 1e-5, "float64": 1e-12}
"""What a value or a gradient may differ by, relative to its size."""

LATER = {"float32": 1e-3, "float64": 1e-10}
"""What θ, the memory and the losses may differ by in fifty steps, relative to their sizes."""

NEAR = 1e-3
"""How far rows stay from a kink: further than the rounding of float32 moves anything."""

SMOOTH = tuple(
    loss
    for loss in ALL_LOSSES
    if distance_to_kink(loss, np.zeros((2, 2)), draw_target(loss, np.random.default_rng(0), 2, 2)) > 99
)
KINKED = tuple(loss for loss in ALL_LOSSES if loss not in SMOOTH)
"""A network that ends in steps or in zeros may have all its scores at a kink of these."""

DTYPES = st.sampled_from(["float32", "float64"])
WIDTHS = st.one_of(st.integers(1, 70), st.sampled_from([8, 16, 17, 31, 32, 33, 48, 64, 65]))
ROWS = st.sampled_from([1, 2, 3, 5, 7, 8, 9, 31, 33, 63, 64, 65, 101, 255, 256, 257, 511, 512, 513, 1025, 1300])

both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_rule = pytest.mark.parametrize("name", RULES)
every_loss = pytest.mark.parametrize("loss", ALL_LOSSES, ids=repr)


class Case(NamedTuple):
    """An objective, and θ (P,) in the dtype of its data."""

    objective: Objective
    theta: Any

    @property
    def dtype(self) -> str:
        return str(self.theta.dtype)


def draw_theta(network: Network, rng: np.random.Generator) -> Any:
    """Return θ with which every layer's sums stay near 1 in size, none of it within DISTANCE of 0, the kink of L1."""
    parts = [
        moved_off(rng.normal(size=slot.spec.shape), [0.0]) / (np.sqrt(slot.spec.shape[0]) if slot.name == "W" else 2)
        for slot in network.slots
    ]
    return np.concatenate([part.reshape(-1) for part in parts])


def clear_rows(network: Network, loss: Loss, theta: Any, X: Any, y: Any) -> Any:
    """Return which rows keep their distance from every kink of the network and the loss."""
    scores, caches = network.forward_with_caches(network.unpack(theta), X)
    clear = np.ones(X.shape[0], bool)
    if loss in KINKED:
        clear = np.array([distance_to_kink(loss, scores[[r]], y[[r]]) > NEAR for r in range(X.shape[0])])
    for block, cache in zip(network.blocks, caches, strict=True):
        if isinstance(block, Activation):
            for kink in block.function.kinks:
                clear &= (np.abs(cache.x - kink) > NEAR).all(axis=1)
    return np.flatnonzero(clear)


def draw_data(
    network: Network, loss: Loss, theta: Any, rng: np.random.Generator, rows: int, soft: bool
) -> tuple[Any, Any]:
    """Return X and y with so many rows, all of them clear of kinks; reject a network that leaves hardly any."""
    X, y = np.empty((0, network.inputs)), None
    for attempt in range(ATTEMPTS):
        if attempt and X.shape[0] >= rows:
            return X[:rows], y[:rows]
        if attempt > 3 and X.shape[0] < rows * attempt / 20:
            break
        more = rng.normal(size=(rows + 5, network.inputs))
        target = draw_target(loss, rng, rows + 5, network.outputs, soft)
        keep = clear_rows(network, loss, theta, more, target)
        X = np.concatenate([X, more[keep]])
        y = target[keep] if y is None else np.concatenate([y, target[keep]])
    reject()


@st.composite
def networks(draw: st.DrawFn, activation: str | None = None, outputs: int = 1, end: Any = None) -> Network:
    """A network of one to four layers, each with an activation or none, the last one sometimes too."""
    names = st.sampled_from(sorted(ACTIVATIONS)) if activation is None else st.just(activation)
    blocks: list[Any] = []
    for _ in range(draw(st.integers(0, 3))):
        blocks.append(Dense(draw(WIDTHS)))
        blocks += [Activation(draw(names))] if draw(st.integers(0, 5)) else []
    blocks.append(Dense(max(outputs, draw(WIDTHS))))
    if draw(st.booleans()) if end is None else end:
        blocks.append(Activation(draw(names)))
    return Network(draw(WIDTHS), blocks)


@st.composite
def cases(draw: st.DrawFn, activation: str | None = None, loss: Loss | None = None, end: Any = None) -> Case:
    """An objective on data of either dtype: weights and penalties or none, hard or soft targets."""
    loss = loss or draw(st.sampled_from(SMOOTH if end else ALL_LOSSES))
    end = False if loss in KINKED else end
    network = draw(networks(activation, 1 + (loss.targets == "classes"), end))
    dtype, rows, soft = draw(DTYPES), draw(ROWS), draw(st.booleans())
    chosen, weighted = draw(drawn_penalties()), draw(st.booleans())
    rng = np.random.default_rng(draw(SEEDS))
    theta = draw_theta(network, rng)
    X, y = draw_data(network, loss, theta, rng, rows, soft)
    weight = rng.uniform(0.2, 3, rows) * (rng.uniform(size=rows) < 0.8) if weighted else None
    X = X.astype(dtype)
    return Case(Objective(network, loss, X, y, weight, chosen), theta.astype(dtype))


def assert_equal(case: Case, n_threads: int = 2) -> None:
    """Compare value and gradient of the two engines."""
    objective, theta = case.objective, case.theta
    engine = NativeEngine(objective, n_threads=n_threads)
    wanted, slopes = objective.value_and_gradient(theta)
    value, gradient = engine.value_and_gradient(theta)
    floor = 1.0 if isinstance(objective.loss, Poisson) else FLOOR  # Poisson's terms of size 1 cancel
    assert worst_relative_error(value, float(wanted), floor) <= ONCE[case.dtype]
    assert worst_relative_error(engine.value(theta), float(objective.value(theta)), floor) <= ONCE[case.dtype]
    assert gradient.dtype == theta.dtype
    assert relative_error(gradient, slopes) <= ONCE[case.dtype]


@given(cases())
@settings(max_examples=150)
def test_value_and_gradient(case: Case) -> None:
    assert_equal(case)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_value_and_gradient_of_every_activation(name: str) -> None:
    @given(cases(name, end=True))
    @settings(max_examples=10)
    def check(case: Case) -> None:
        assert_equal(case)

    check()


@every_loss
def test_value_and_gradient_of_every_loss(loss: Loss) -> None:
    @given(cases(loss=loss, end=False))
    @settings(max_examples=15)
    def check(case: Case) -> None:
        assert_equal(case)

    check()


@pytest.mark.parametrize(
    ("name", "chosen"), [("leaky_relu", {"slope": 0.3}), ("leaky_relu", {"slope": -0.5}), ("elu", {"alpha": 3.0})]
)
@both_dtypes
def test_settings_of_activations(name: str, chosen: dict[str, float], dtype: str) -> None:
    network = Network(5, [Dense(40), Activation(name, **chosen), Dense(3), Activation(name, **chosen)])
    rng = np.random.default_rng(0)
    theta = draw_theta(network, rng)
    X, y = draw_data(network, SquaredError(), theta, rng, 70, False)
    assert_equal(Case(Objective(network, SquaredError(), X.astype(dtype), y), theta.astype(dtype)))


@pytest.mark.parametrize("kinds", [("weight",), ("bias",), ("weight", "bias")])
@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("penalty", [L1, L2])
@both_dtypes
def test_penalties(penalty: Any, per_sample: bool, kinds: Any, dtype: str) -> None:
    rng, network = np.random.default_rng(1), Network(3, [Dense(33), Activation("tanh"), Dense(2)])
    theta, X, y = draw_theta(network, rng), rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    chosen = [penalty(0.3, per_sample, kinds), penalty(0.2, not per_sample), L2(0.1)]
    weight = rng.uniform(0.5, 2, 40)
    assert_equal(Case(Objective(network, SquaredError(), X.astype(dtype), y, weight, chosen), theta.astype(dtype)))


@both_dtypes
def test_weights_that_are_all_zero(dtype: str) -> None:
    rng, network = np.random.default_rng(1), Network(3, [Dense(4), Activation("tanh"), Dense(2)])
    X, y = rng.normal(size=(9, 3)).astype(dtype), rng.normal(size=(9, 2))
    objective = Objective(network, SquaredError(), X, y, np.zeros(9), [L2(0.1, per_sample=True)])
    assert_equal(Case(objective, draw_theta(network, rng).astype(dtype)))


PENALTIES = (L2(0.01), L1(0.01, True))


def trainable(loss: Loss, dtype: str, rows: int = 150, weighted: bool = True, penalties: Any = PENALTIES) -> Case:
    """Return a smooth network on so many rows, and where to start."""
    rng, outputs = np.random.default_rng(rows), 4
    network = Network(6, [Dense(37), Activation("tanh"), Dense(18), Activation("softplus"), Dense(outputs)])
    X, y = rng.normal(size=(rows, 6)).astype(dtype), draw_target(loss, rng, rows, outputs)
    weight = rng.uniform(0.5, 2, rows) if weighted else None
    return Case(Objective(network, loss, X, y, weight, penalties), network.initialize(0, dtype))


def memory_for(rule: UpdateRule, case: Case) -> Any:
    mask = {"decayed": case.objective.network.mask("weight")} if isinstance(rule, AdamW) else {}
    return rule.init(case.theta.size, case.dtype, **mask)


@every_rule
@both_dtypes
@pytest.mark.parametrize(("rows", "batch"), [(150, 16), (150, 150), (1400, 300), (2700, 530)])
def test_fifty_steps_with_a_ragged_last_batch(name: str, dtype: str, rows: int, batch: int) -> None:
    case, rule = trainable(CrossEntropy(), dtype, rows), OPTIMIZERS[name]()
    steps = engines.steps_of(rows, batch)
    orders = [np.random.default_rng(k).permutation(rows) for k in range(-(-50 // steps))]
    if batch == rows:
        orders, steps = [None] * 5, 10
    run = []
    for engine in (ReferenceEngine(case.objective, rule), NativeEngine(case.objective, rule, n_threads=2)):
        theta, memory = case.theta.copy(), memory_for(rule, case)
        rates = [1.0 if name == "adadelta" else 0.002 / (1 + 0.1 * k) for k in range(steps)]
        done = [engine.run(theta, memory, order, batch, rates) for order in orders]
        run.append((theta, memory, [loss for part in done for loss in part.losses], done[-1].gradient_norm))
    (theta, memory, losses, norm), (got, kept, reported, length) = run
    assert len(losses) >= 50
    assert relative_error(got, theta) <= LATER[dtype]
    assert not np.array_equal(got, case.theta)
    assert kept.keys() == memory.keys()
    assert kept["t"] == memory["t"] == len(losses)
    for key in memory.keys() - {"t"}:
        assert relative_error(kept[key], memory[key]) <= LATER[dtype]
    assert relative_error(reported, losses) <= LATER[dtype]
    assert all(type(loss) is float for loss in reported)
    assert relative_error(length, norm) <= LATER[dtype]


@every_loss
@both_dtypes
def test_fifty_steps_of_every_loss(loss: Loss, dtype: str) -> None:
    case, rule = trainable(loss, dtype), SGD()
    order = np.random.default_rng(0).integers(0, 150, 50 * 8 - 3)
    thetas, losses = [], []
    for engine in (ReferenceEngine(case.objective, rule), NativeEngine(case.objective, rule, n_threads=2)):
        theta = case.theta.copy()
        losses.append(engine.run(theta, rule.init(theta.size), order, 8, [1e-3] * 50).losses)
        thetas.append(theta)
    assert relative_error(thetas[1], thetas[0]) <= LATER[dtype]
    assert relative_error(losses[1], losses[0]) <= LATER[dtype]


def test_a_run_works_in_place() -> None:
    case, rule = trainable(CrossEntropy(), "float64"), Adam()
    theta, memory = case.theta.copy(), rule.init(case.theta.size)
    arrays = memory["mean"], memory["square_mean"]
    NativeEngine(case.objective, rule).run(theta, memory, None, 150, [0.1])
    assert memory["mean"] is arrays[0]
    assert memory["square_mean"] is arrays[1]
    assert memory["t"] == 1


def test_no_learning_rates_no_steps() -> None:
    case = trainable(CrossEntropy(), "float64")
    theta, memory = case.theta.copy(), SGD().init(case.theta.size)
    steps = NativeEngine(case.objective, SGD()).run(theta, memory, None, 150, [])
    assert steps.losses == []
    assert memory["t"] == 0
    assert theta.tobytes() == case.theta.tobytes()


def test_the_gradient_leaves_theta_alone() -> None:
    case = trainable(CrossEntropy(), "float64")
    theta = case.theta.copy()
    engine = NativeEngine(case.objective)
    first = engine.value_and_gradient(theta)
    assert theta.tobytes() == case.theta.tobytes()
    again = engine.value_and_gradient(theta)
    assert first[0] == again[0]
    assert first[1].tobytes() == again[1].tobytes()


def stopped(case: Case, order: Any, batch: int, steps: int, rule: UpdateRule, theta: Any = None) -> None:
    """Assert that both engines stop at the same step, with the same θ and memory."""
    theta = case.theta if theta is None else theta
    runs = []
    for engine in (ReferenceEngine(case.objective, rule), NativeEngine(case.objective, rule, n_threads=2)):
        moved, memory = theta.copy(), memory_for(rule, case)
        with np.errstate(all="ignore"):
            runs.append((engine.run(moved, memory, order, batch, [0.01] * steps), moved, memory))
    (wanted, moved, memory), (got, theirs, kept) = runs
    assert len(got.losses) == len(wanted.losses)
    assert kept["t"] == memory["t"] == len(got.losses) - 1
    assert np.isfinite(got.losses[:-1]).all()
    assert not np.isfinite(got.losses[-1])
    assert np.isnan(got.losses[-1]) == np.isnan(wanted.losses[-1])
    if not kept["t"]:
        assert theirs.tobytes() == theta.tobytes()
    np.testing.assert_allclose(theirs, moved, rtol=1e-4 if case.dtype == "float32" else 1e-10)


@every_loss
@both_dtypes
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_in_x_that_is_not_finite_stops_the_run(loss: Loss, dtype: str, bad: float) -> None:
    rng, network = np.random.default_rng(5), Network(3, [Dense(5), Activation("softplus"), Dense(3)])
    X, y = rng.normal(size=(40, 3)).astype(dtype), draw_target(loss, rng, 40, 3)
    X[21] = np.nan if bad != bad else np.inf
    theta = np.abs(network.initialize(0, dtype)) + np.asarray(0.01, dtype)
    case = Case(Objective(network, loss, X, y), theta)
    with np.errstate(all="ignore"):
        scores = network.forward(theta, X[21:22])
        if np.isfinite(float(loss.value(scores, case.objective.y[21:22]))):
            return  # an infinite margin on the right side costs nothing
    stopped(case, np.arange(40), 8, 5, SGD())
    stopped(case, None, 40, 3, Adam())


@every_rule
@both_dtypes
def test_nan_in_theta_stops_the_run_before_any_update(name: str, dtype: str) -> None:
    case = trainable(CrossEntropy(), dtype)
    for at in (0, case.theta.size // 2, case.theta.size - 1):
        theta = case.theta.copy()
        theta[at] = np.nan
        stopped(case, np.arange(150), 16, 10, OPTIMIZERS[name](), theta)


@pytest.mark.parametrize("rows", [5, 300, 600])
@both_dtypes
def test_a_batch_whose_loss_is_infinite(rows: int, dtype: str) -> None:
    rng, network = np.random.default_rng(0), Network(2, [Dense(3)])
    X, y = rng.normal(size=(rows, 2)).astype(dtype), rng.normal(size=(rows, 3))
    y[rows // 2] = 1e30 if dtype == "float32" else 1e200
    case = Case(Objective(network, SquaredError(), X, y), network.initialize(0, dtype))
    stopped(case, None, rows, 3, SGD())
    assert NativeEngine(case.objective).value(case.theta) == np.inf
    scores = np.full(3 * 3, 800.0, dtype)
    stopped(Case(Objective(network, Poisson(), np.abs(X) + 1, np.ones((rows, 3))), scores), None, rows, 2, SGD())


@given(st.sampled_from([None, *ALL_LOSSES]), DTYPES, st.sampled_from([0, 1, 2, 63, 64, 65, 129, 700]), SEEDS, st.data())
@settings(max_examples=120)
def test_predictions(loss: Loss | None, dtype: str, rows: int, seed: int, data: st.DataObject) -> None:
    network = data.draw(networks())
    rng = np.random.default_rng(seed)
    theta = draw_theta(network, rng)
    X, _ = draw_data(network, SquaredError(), theta, rng, rows, False)
    X, theta = X.astype(dtype), theta.astype(dtype)
    scores = network.forward(theta, X)
    wanted = scores if loss is None else loss.predict(scores)
    got = engines.predict("native", network, theta, X, loss)
    assert got.dtype == wanted.dtype
    assert relative_error(got, wanted) <= ONCE[dtype]


@pytest.mark.parametrize("loss", [CrossEntropy(), SigmoidCrossEntropy(), Poisson()], ids=repr)
@both_dtypes
def test_predictions_of_scores_of_any_size(loss: Loss, dtype: str) -> None:
    network = Network(1, [Dense(5)])
    theta = np.array([1, -1, 0.5, 2, -3, 0, 0, 0, 0, 0], dtype)
    X = np.array([0, 1e-30, 1, -1, 20, -20, 30, -30, 85, 100, -100, 1e4, -1e4], dtype)[:, None]
    with np.errstate(over="ignore"):
        wanted = loss.predict(network.forward(theta, X))
    got = engines.predict("native", network, theta, X, loss)
    np.testing.assert_allclose(got, wanted, rtol=ONCE[dtype], atol=1e-37)


def test_a_network_predicts_with_whatever_theta_it_is_given() -> None:
    network, rng = Network(3, [Dense(4), Activation("tanh"), Dense(2)]), np.random.default_rng(0)
    X = rng.normal(size=(7, 3))
    for dtype in ("float64", "float32", "float64"):
        for seed in range(3):
            theta = network.initialize(seed, dtype)
            got = engines.predict("auto", network, theta, X.astype(dtype))
            assert relative_error(got, network.forward(theta, X.astype(dtype))) <= ONCE[dtype]


def test_what_cannot_be_predicted_natively_is_predicted_by_the_definitions() -> None:
    network = Network(3, [Dense(4), Activation("tanh"), Dense(2)])
    X, theta = np.random.default_rng(0).normal(size=(7, 3)), network.initialize(0)
    got = engines.predict("auto", network, theta, X.astype("float32"))
    np.testing.assert_array_equal(got, network.forward(theta, X.astype("float32")))
    odd = Network(3, [Activation("tanh"), Dense(2)])
    theta = odd.initialize(0)
    np.testing.assert_array_equal(engines.predict("native", odd, theta, X), odd.forward(theta, X))


@pytest.mark.parametrize("name", RULES)
@both_dtypes
def test_training_through_the_public_surface(name: str, dtype: str) -> None:
    case = trainable(CrossEntropy(), dtype)
    held = trainable(CrossEntropy(), dtype, 61, penalties=()).objective
    rate = 0.3 if name == "adadelta" else 0.003
    results = [
        train(
            case.objective,
            case.theta,
            optimizer=OPTIMIZERS[name](),
            schedule=Exponential(rate, 0.97),
            epochs=5,
            batch_size=16,
            seed=3,
            validation=held,
            stopping=Stopping(monitor="validation_loss", keep_best=True),
            engine=engine,
        )
        for engine in ("reference", "native")
    ]
    wanted, got = results
    assert got.theta.dtype == dtype
    assert relative_error(got.theta, wanted.theta) <= LATER[dtype]
    for of in ("loss", "validation_loss", "learning_rate", "gradient_norm"):
        numbers = [[getattr(event, of) for event in result.history] for result in results]
        assert relative_error(numbers[1], numbers[0]) <= LATER[dtype]
    assert [event.step for event in got.history] == [event.step for event in wanted.history]
    assert (got.reason, got.state.best_epoch) == (wanted.reason, wanted.state.best_epoch)


@pytest.mark.parametrize("order", ["reshuffle", "once", "given"])
@pytest.mark.parametrize("batch", [None, 1, 7, 150, 1000])
def test_every_way_through_the_rows(order: Any, batch: int | None) -> None:
    case = trainable(SigmoidCrossEntropy(), "float64", weighted=False)
    thetas = [
        train(
            case.objective, case.theta, optimizer=SGD(0.01), order=order, batch_size=batch, epochs=3, engine=engine
        ).theta
        for engine in ("reference", "native")
    ]
    assert relative_error(thetas[1], thetas[0]) <= LATER["float64"]


def test_both_engines_diverge_at_the_same_step() -> None:
    X, y = np.linspace(-2, 2, 12)[:, None], np.linspace(-1, 3, 12)
    objective, caught = Objective(Network(1, [Dense(1)]), SquaredError(), X, y), []
    for engine in ("reference", "native"):
        with pytest.raises(DivergenceError) as error:
            train(
                objective,
                np.zeros(2),
                optimizer=SGD(),
                schedule=Constant(30.0),
                batch_size=4,
                epochs=999,
                engine=engine,
            )
        caught.append(error.value)
    assert str(caught[0]) == str(caught[1])
    assert caught[0].state.step == caught[1].state.step


def test_every_loss_is_tried_with_settings_that_are_not_the_defaults() -> None:
    assert {type(loss) for loss in LOSS_VARIANTS} <= {type(loss) for loss in ALL_LOSSES}
    assert [native._loss_setting(loss, 4) for loss in LOSS_VARIANTS] == [0.5, 0.3, 0.8]
