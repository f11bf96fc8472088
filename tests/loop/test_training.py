"""The training loop against naive loops: batches, orders, seeds, going on, and what it refuses."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Dense, DivergenceError, Network, Objective, Stopping, TrainingState, train, training
from chainrule.foundation.randomness import Stream
from chainrule.loop.batches import SLICE
from chainrule.losses import SquaredError
from chainrule.optimizers import LBFGS, OPTIMIZERS, SGD, Adam, AdamW, Lion, Momentum, UpdateRule
from chainrule.schedules import Constant, InverseTime
from support.naive_loops import RULES, Recording, Watching, classification, naive_training
from support.oracles import relative_error

TOLERANCES = {"float32": 1e-4, "float64": 1e-10}
"""How far apart the definitions and a faster engine may drift in a training, by the dtype of θ."""

every_rule = pytest.mark.parametrize("name", RULES)


every_engine = pytest.mark.parametrize("engine", ["reference", "auto"])


def assert_equals_naive(
    objective: Objective, start: Any, rule: UpdateRule, epochs: int, engine: str, **settings: Any
) -> None:
    """Compare every event of a training with the naive loop: bit for bit on the reference engine, else to rounding."""
    count, naive = 0, naive_training(objective, start, rule, 0.05, **settings)
    tolerance = 0 if engine == "reference" else TOLERANCES[start.dtype.name]
    running = {"optimizer": rule, "schedule": Constant(0.05), "epochs": epochs, "engine": engine}
    events = training(objective, start, **running, **settings)
    for count, event in enumerate(events, start=1):
        wanted = next(naive)
        assert event.theta.dtype == start.dtype
        assert (event.epoch, event.step, event.learning_rate) == (count, wanted.step, 0.05)
        if engine == "reference":
            assert event.theta.tobytes() == wanted.theta.tobytes()
        np.testing.assert_allclose(event.theta, wanted.theta, rtol=tolerance, atol=tolerance)
        assert event.gradient_norm == pytest.approx(wanted.gradient_norm, rel=tolerance, abs=0)
        assert event.loss == pytest.approx(wanted.loss, rel=max(tolerance, 1e-14), abs=0)
    assert count == epochs


@pytest.mark.slow
@every_engine
@given(
    rows=st.integers(1, 12),
    weighted=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
    name=st.sampled_from(RULES),
    epochs=st.integers(1, 4),
    batch_size=st.integers(1, 14),
    order=st.sampled_from(["reshuffle", "once", "given"]),
    seed=st.integers(0, 2**64 - 1),
)
def test_the_loop_against_the_naive_loop(
    rows: int, weighted: bool, dtype: str, name: str, epochs: int, engine: str, **settings: Any
) -> None:
    objective, start = classification(rows, weighted, dtype)
    assert_equals_naive(objective, start, OPTIMIZERS[name](), epochs, engine, **settings)


@every_engine
@every_rule
def test_epochs_longer_than_a_slice_against_the_naive_loop(name: str, engine: str) -> None:
    objective, start = classification(2 * SLICE + 5)
    assert_equals_naive(objective, start, OPTIMIZERS[name](), 2, engine, batch_size=1, order="reshuffle", seed=3)


def test_mini_batches_against_linear_regression_by_hand() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(11, 2)), rng.normal(size=11)
    w, b, losses = np.zeros(2), 0.0, []
    for epoch in range(3):
        order, squares = Stream(5, "shuffle", step=epoch).permutation(11), []
        for rows in (order[:4], order[4:8], order[8:]):
            r = X[rows] @ w + b - y[rows]
            squares += list(r**2 / 2)
            w, b = w - 0.1 * X[rows].T @ r / len(rows), b - 0.1 * r.mean()
        losses.append(sum(squares) / 11)
    objective = Objective(Network(2, [Dense(1)]), SquaredError(), X, y)
    result = train(objective, np.zeros(3), optimizer=SGD(0.1), batch_size=4, epochs=3, seed=5)
    assert relative_error(result.theta, np.array([*w, b])) <= 1e-14
    assert [event.loss for event in result.history] == pytest.approx(losses, rel=1e-14)


@pytest.mark.parametrize(
    ("batch_size", "steps"), [(None, 1), (1, 10), (3, 4), (4, 3), (5, 2), (9, 2), (10, 1), (99, 1)]
)
def test_counts(batch_size: int | None, steps: int) -> None:
    objective, start = classification(10)
    result = train(objective, start, batch_size=batch_size, epochs=3)
    assert [(event.epoch, event.step) for event in result.history] == [(k, k * steps) for k in (1, 2, 3)]
    assert (result.state.epoch, result.state.step, result.state.rows) == (3, 3 * steps, 30)
    assert (result.reason, result.message, result.state.memory.t) == ("epochs", "", 3 * steps)


def epochs_of_rows(order: str, seed: int = 0) -> list[list[int]]:
    """Return the rows of four epochs of ten rows in batches of three, in the order in which they were taken."""
    inner, start = classification(10, weighted=False)
    objective = Recording(inner.network, inner.loss, inner.X, inner.y)
    objective.seen = []
    train(objective, start, batch_size=3, order=order, epochs=4, seed=seed, engine="reference")
    assert [len(batch) for batch in objective.seen] == [3, 3, 3, 1] * 4
    return [[row for batch in objective.seen[4 * k : 4 * k + 4] for row in batch] for k in range(4)]


def test_orders() -> None:
    assert epochs_of_rows("given") == [list(range(10))] * 4
    once, reshuffled = epochs_of_rows("once"), epochs_of_rows("reshuffle")
    assert all(sorted(epoch) == list(range(10)) for epoch in once + reshuffled)
    assert once == [once[0]] * 4 == [reshuffled[0]] * 4
    assert once[0] != list(range(10))
    assert len({tuple(epoch) for epoch in reshuffled}) == 4
    assert reshuffled == [list(Stream(0, "shuffle", step=epoch).permutation(10)) for epoch in range(4)]


@pytest.mark.parametrize("order", ["once", "reshuffle"])
def test_a_seed_names_the_bits(order: str) -> None:
    assert epochs_of_rows(order, seed=1) == epochs_of_rows(order, seed=1)
    assert epochs_of_rows(order, seed=1) != epochs_of_rows(order, seed=2)
    objective, start = classification(10)
    first, again, other = (train(objective, start, batch_size=3, order=order, epochs=2, seed=s) for s in (1, 1, 2))
    assert first.theta.tobytes() == again.theta.tobytes() != other.theta.tobytes()


def test_blocks_see_every_step_of_a_training() -> None:
    block, rows = Watching(), SLICE + 6
    objective = Objective(Network(1, [Dense(1), block]), SquaredError(), np.ones((rows, 1)), np.ones(rows))
    train(objective, np.zeros(2), batch_size=1, epochs=2, seed=9, engine="reference")
    assert [context.step for context in block.seen] == list(range(2 * rows))
    assert {(context.training, context.seed) for context in block.seen} == {(True, 9)}


@every_rule
@pytest.mark.parametrize("schedule", [Constant(0.05), *(InverseTime(0.1, unit) for unit in ("step", "epoch", "rows"))])
def test_going_on_epoch_by_epoch_gives_the_same_bits(name: str, schedule: Any) -> None:
    objective, start = classification(10)
    settings = {"optimizer": OPTIMIZERS[name](), "schedule": schedule, "batch_size": 3, "seed": 4}
    whole = train(objective, start, epochs=5, **settings)
    state, history = TrainingState(start.copy()), []
    for _ in range(5):
        result = train(objective, start, epochs=1, state=state, **settings)
        assert result.state is state
        history += result.history
    assert state.theta.tobytes() == whole.theta.tobytes()
    assert (state.epoch, state.step, state.rows) == (5, 20, 50)
    assert state.memory.t == whole.state.memory.t
    for ours, theirs in zip(history, whole.history, strict=True):
        assert (ours.epoch, ours.step, ours.loss, ours.learning_rate, ours.gradient_norm) == (
            *(theirs.epoch, theirs.step, theirs.loss, theirs.learning_rate, theirs.gradient_norm),
        )


def test_stopping_goes_on_counting_over_calls() -> None:
    objective, start = classification(10)
    settings = {"optimizer": SGD(), "schedule": Constant(0.0), "stopping": Stopping(patience=3)}
    assert train(objective, start, epochs=50, **settings).state.epoch == 5
    state, reasons = TrainingState(start.copy()), []
    while "no change" not in reasons:
        reasons.append(train(objective, start, epochs=1, state=state, **settings).reason)
    assert reasons == ["epochs"] * 4 + ["no change"]


def test_a_closed_training_goes_on_from_its_state() -> None:
    objective, start = classification(10)
    settings = {"optimizer": Momentum(0.05), "batch_size": 3}
    whole = train(objective, start, epochs=5, **settings)
    state = TrainingState(start.copy())
    events = training(objective, start, epochs=5, state=state, **settings)
    for _ in range(2):
        next(events)
    events.close()
    assert list(events) == []
    assert (state.epoch, state.step) == (2, 8)
    result = train(objective, start, epochs=3, state=state, **settings)
    assert result.theta.tobytes() == whole.theta.tobytes()


@pytest.mark.parametrize("optimizer", [Adam(), LBFGS()])
def test_the_start_is_copied_unless_a_state_is_given(optimizer: Any) -> None:
    objective, start = classification(10)
    before = start.copy()
    result = train(objective, start, optimizer=optimizer, epochs=2)
    np.testing.assert_array_equal(start, before)
    assert not np.array_equal(result.theta, before)
    state = TrainingState(start.copy())
    live = state.theta
    train(objective, np.full_like(start, np.nan), optimizer=optimizer, epochs=2, state=state)
    assert state.theta is live
    assert live.tobytes() == result.theta.tobytes()


def test_defaults_are_adam_at_its_own_rate_on_all_rows() -> None:
    objective, start = classification(10)
    result = train(objective, start)
    wanted = train(objective, start, optimizer=Adam(), schedule=Constant(1e-3), batch_size=10, epochs=200)
    assert len(result.history) == 200
    assert result.theta.tobytes() == wanted.theta.tobytes()


@every_rule
def test_without_a_schedule_the_rules_own_rate_is_kept(name: str) -> None:
    objective, start = classification(10)
    result = train(objective, start, optimizer=OPTIMIZERS[name](learning_rate=0.03), epochs=3)
    assert [event.learning_rate for event in result.history] == [0.03] * 3


@pytest.mark.parametrize("rule", [AdamW, Lion])
def test_only_weights_decay(rule: Any) -> None:
    objective, start = classification(10)
    start = start + 0.5
    decayed = train(objective, start, optimizer=rule(0.01, weight_decay=0.3), epochs=1).theta
    plain = train(objective, start, optimizer=rule(0.01, weight_decay=0.0), epochs=1).theta
    ours, theirs, before = (objective.network.views(theta) for theta in (decayed, plain, start))
    for name in ("0.b", "2.b"):
        assert ours[name].tobytes() == theirs[name].tobytes()
    for name in ("0.W", "2.W"):
        np.testing.assert_allclose(ours[name], theirs[name] - 0.01 * 0.3 * before[name], rtol=1e-14)


def test_train_is_training_run_to_its_end() -> None:
    objective, start = classification(10)
    events, thetas = training(objective, start, epochs=4, batch_size=3), []
    while True:
        try:
            thetas.append(next(events).theta.copy())
        except StopIteration as end:
            result = end.value
            break
    wanted = train(objective, start, epochs=4, batch_size=3)
    assert len(thetas) == len(result.history) == 4
    assert thetas[-1].tobytes() == result.theta.tobytes() == wanted.theta.tobytes()
    assert all(not np.array_equal(a, b) for a, b in pairwise(thetas))


@every_engine
def test_every_step_is_told_with_its_rate_and_its_loss(engine: str) -> None:
    objective, start = classification(10)
    rates, losses = [], []

    def note(some_rates: Any, some_losses: Any) -> int:
        rates.extend(some_rates)
        losses.extend(some_losses)
        return 1  # not True: it does not stop

    settings = {"schedule": InverseTime(0.3, "step"), "order": "given", "batch_size": 4, "engine": engine}
    result = train(objective, start, optimizer=SGD(), epochs=3, on_steps=note, **settings)
    assert result.reason == "epochs"
    assert rates == pytest.approx([0.3 / (k + 1) for k in range(9)], rel=1e-14)
    assert losses[0] == pytest.approx(objective.batch(np.arange(4)).value(start), rel=1e-12)
    for event, epoch in zip(result.history, range(3), strict=True):
        assert event.loss == pytest.approx(np.dot(losses[3 * epoch : 3 * epoch + 3], [4, 4, 2]) / 10, rel=1e-14)


@every_engine
def test_a_step_callback_that_returns_true_stops_within_the_epoch(engine: str) -> None:
    objective, start = classification(500)
    seen: list[float] = []

    def enough(rates: Any, losses: Any) -> bool:
        seen.extend(losses)
        return len(seen) > SLICE

    result = train(objective, start, epochs=9, batch_size=1, on_steps=enough, engine=engine)
    assert result.reason == "callback"
    assert len(result.history) == 1
    assert result.state.step == len(seen) == 2 * SLICE
    assert result.history[0].loss == pytest.approx(np.mean(seen), rel=1e-12)


def test_steps_that_diverge_are_told_too() -> None:
    objective, start = Objective(Network(1, [Dense(1)]), SquaredError(), np.ones((4, 1)), np.ones(4)), np.zeros(2)
    seen: list[float] = []
    with pytest.raises(DivergenceError) as caught:
        train(objective, start, optimizer=SGD(1e60), epochs=9, on_steps=lambda rates, losses: seen.extend(losses))
    assert caught.value.step == len(seen) - 1
    assert np.isfinite(seen[:-1]).all()
    assert not np.isfinite(seen[-1])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
    ({"batch_size": 0}, r"batch_size must be a whole number of at least 1 \(or None for all rows\), got 0"),
    ({"batch_size": -3}, r"batch_size must be a whole number of at least 1 \(or None for all rows\), got -3"),
    ({"order": "random"}, "order 'random' is not known; accepted: reshuffle, once, given"),
    ({"engine": "gpu"}, "engine 'gpu' is not known; accepted: auto, native, reference"),
    ({"stopping": Stopping("validation_loss")}, "stopping on validation_loss needs `validation`"),
    ({"stopping": Stopping("validation_score")}, "stopping on validation_score needs `score`"),
    ({"theta": np.zeros(25)}, r"theta has shape \(25,\); this network has 26 parameters"),
    ({"theta": np.zeros((26, 1))}, r"theta has shape \(26, 1\); this network has 26 parameters"),
    ({"state": TrainingState(np.zeros(3))}, r"theta has shape \(3,\); this network has 26 parameters"),
    ({"objective": classification(10)[0].batch(slice(0, 0))}, "the objective holds no rows: nothing to train on"),
]


@pytest.mark.parametrize(("change", "text"), REFUSED)
def test_bad_arguments_are_named(change: dict[str, Any], text: str) -> None:
    objective, start = classification(10)
    settings = {"objective": objective, "theta": start, "epochs": 2, **deepcopy(change)}
    with pytest.raises(ValueError, match=f"^{text}$"):
        train(**settings)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_the_memory_of_another_rule_is_refused(engine: str) -> None:
    objective, start = classification(12)
    state = train(objective, start, epochs=1, optimizer=Adam(), engine=engine).state
    with pytest.raises(
        ValueError, match=r"state\.memory is another rule's: it holds .*, SGD keeps nothing; give memory=None"
    ):
        train(objective, start, epochs=1, optimizer=SGD(), engine=engine, state=state)
    state.memory = None
    assert train(objective, start, epochs=1, optimizer=SGD(), engine=engine, state=state).state.step == 2
