"""What a training says and why it ends: events, stopping rules, clocks, callbacks, interrupts, divergence."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from itertools import count
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from chainrule import Dense, Network, Objective, Stopping, train, training
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.optimizers import LBFGS, OPTIMIZERS, SGD, Momentum
from chainrule.penalties import L2
from chainrule.schedules import Constant
from support.naive_loops import RULES, classification, naive_training


def line(X: Any, y: Any, kind: type[Objective] = Objective) -> Any:
    """Return squared error of a straight line on the points (X, y)."""
    return kind(Network(1, [Dense(1)]), SquaredError(), np.reshape(np.asarray(X, float), (-1, 1)), np.asarray(y, float))


FLAT = line([1, 1], [1, 1])


class Script:
    """Says the given numbers one after another, whatever θ is, and keeps a copy of each θ."""

    def __init__(self, values: Any) -> None:
        self.values, self.seen = iter(values), []

    def __call__(self, theta: Any) -> float:
        self.seen.append(theta.copy())
        return next(self.values)

    value = __call__


def improves(values: list[float], k: int, min_change: float) -> bool:
    """Return whether value k is above the best before it by min_change."""
    before = [value for value in values[:k] if not isnan(value)]
    return not isnan(values[k]) and (not before or values[k] - max(before) >= min_change)


def epochs_until_stop(values: list[float], patience: int, min_change: float) -> int:
    """Return the first epoch that ends more than `patience` epochs in a row without improvement, or all."""
    for epoch in range(patience + 1, len(values) + 1):
        if not any(improves(values, k, min_change) for k in range(epoch - patience - 1, epoch)):
            return epoch
    return len(values)


SCORES = st.lists(st.one_of(st.just(nan), st.integers(-8, 8).map(lambda k: k / 4)), min_size=1, max_size=30)


@given(SCORES, st.integers(0, 5), st.sampled_from([0.0, 0.25, 1.0]), st.booleans(), st.booleans())
def test_stopping_against_its_definition(
    values: list[float], patience: int, min_change: float, keep_best: bool, lower: bool
) -> None:
    script = Script([-value for value in values] if lower else values)
    settings = {"validation" if lower else "score": script, "epochs": len(values), "optimizer": SGD(0.1)}
    stopping = Stopping("validation_loss" if lower else "validation_score", min_change, patience, keep_best)
    result = train(FLAT, np.zeros(2), stopping=stopping, engine="reference", **settings)
    last = epochs_until_stop(values, patience, min_change)
    assert len(result.history) == last
    assert (result.reason == "no change") == (result.state.no_change > patience)
    seen = [value for value in values[:last] if not isnan(value)]
    best = values.index(max(seen)) if seen else last - 1
    assert result.theta.tobytes() == script.seen[best if keep_best else last - 1].tobytes()
    if seen:
        assert result.state.best_epoch == best + 1


@pytest.mark.parametrize("patience", [0, 1, 3, inf])
def test_a_loss_that_never_changes(patience: float) -> None:
    result = train(FLAT, np.zeros(2), schedule=Constant(0.0), epochs=20, stopping=Stopping(patience=patience))
    assert result.reason == ("epochs" if patience == inf else "no change")
    assert len(result.history) == min(patience + 2, 20)


def test_nan_is_no_improvement() -> None:
    result = train(
        FLAT, np.zeros(2), epochs=20, score=lambda theta: nan, stopping=Stopping("validation_score", patience=3)
    )
    assert (result.reason, len(result.history)) == ("no change", 4)


def test_stopping_on_the_training_loss_where_it_flattens() -> None:
    objective, start = classification(10)
    settings = {"optimizer": Momentum(0.1), "epochs": 500}
    losses = [-event.loss for event in train(objective, start, **settings).history]
    result = train(objective, start, stopping=Stopping(min_change=1e-3, patience=3), **settings)
    assert result.reason == "no change"
    assert 10 < len(result.history) == epochs_until_stop(losses, 3, 1e-3) < 400


def test_early_stopping_keeps_the_best_weights_when_validation_gets_worse() -> None:
    points, validation, thetas = line([1, -1], [2, -2]), line([1, -1], [1, -1]), []
    result = train(
        points,
        np.zeros(2),
        optimizer=SGD(0.05),
        validation=validation,
        stopping=Stopping("validation_loss", min_change=0, patience=4, keep_best=True),
        callbacks=[lambda event: thetas.append(event.theta.copy())],
    )
    slopes = 2 - 2 * 0.95 ** np.arange(1, 20)
    best = int(np.argmin((slopes - 1) ** 2))
    losses = [event.validation_loss for event in result.history]
    assert losses == pytest.approx((slopes - 1) ** 2 / 2, rel=1e-12)
    assert losses[best] < losses[0] / 100
    assert losses[-1] > 10 * losses[best]
    assert (result.reason, len(losses), result.state.best_epoch) == ("no change", best + 6, best + 1)
    assert result.theta.tobytes() == thetas[best].tobytes()
    assert result.state.theta.tobytes() == thetas[-1].tobytes()


@pytest.mark.parametrize(("engine", "tolerance"), [("reference", 0), ("auto", 1e-13)])
def test_validation_loss_and_score_are_in_the_events(engine: str, tolerance: float) -> None:
    X, y = load_digits(return_X_y=True)
    X, network = X / 16, Network(64, [Dense(10)])
    objective = Objective(network, CrossEntropy(), X[:200], y[:200], penalties=[L2(1.0)])
    validation = Objective(network, CrossEntropy(), X[200:300], y[200:300])
    seen, theta = 0, np.zeros(network.size)

    def accuracy(theta: Any) -> float:
        return np.mean(network.forward(theta, X[200:300]).argmax(1) == y[200:300])

    settings = {"validation": validation, "score": accuracy, "epochs": 3, "batch_size": 20, "engine": engine}
    for event in training(objective, theta, **settings):
        assert event.validation_loss == pytest.approx(validation.value(event.theta), rel=tolerance, abs=0)
        assert event.validation_score == accuracy(event.theta)
        assert type(event.validation_loss) is type(event.validation_score) is float
        seen += 1
    assert seen == 3
    plain = train(objective, theta, epochs=1, engine=engine).history[0]
    assert (plain.validation_loss, plain.validation_score) == (None, None)


class Clock:
    """A clock that goes only when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def tick(self, theta: Any = None) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(import_module("chainrule.loop.run"), "perf_counter", clock)
    return clock


@pytest.mark.parametrize("optimizer", [SGD(), LBFGS(tolerance=0)])
def test_time_limit_between_epochs(clock: Clock, optimizer: Any) -> None:
    objective, start = classification(10)
    result = train(objective, start, optimizer=optimizer, score=clock.tick, time_limit=4, epochs=50)
    assert result.reason == "time"
    assert [event.seconds for event in result.history] == [1, 2, 3, 4]


def test_time_limit_within_an_epoch(clock: Clock) -> None:
    class Slow(Objective):
        def batch(self, rows: Any) -> Objective:
            clock.tick()
            return super().batch(rows)

    points = line(np.linspace(-1, 1, 200), np.linspace(0, 1, 200), Slow)
    settings = {"optimizer": SGD(0.1), "batch_size": 1, "order": "given", "engine": "reference"}
    result = train(points, np.zeros(2), time_limit=100, epochs=50, **settings)
    event = result.history[0]
    assert (result.reason, len(result.history)) == ("time", 1)
    assert 100 <= event.step == event.seconds < 200
    first = line(points.X[: event.step], points.y[: event.step])
    wanted = next(naive_training(first, np.zeros(2), SGD(), 0.1, 1, "given", 0))
    assert result.theta.tobytes() == wanted.theta.tobytes()
    assert event.loss == pytest.approx(wanted.loss, rel=1e-14)


def test_time_limit_by_the_real_clock() -> None:
    result = train(FLAT, np.zeros(2), epochs=10**6, time_limit=0.05)
    assert result.reason == "time"
    assert 1 <= len(result.history) < 10**6
    assert result.history[-1].seconds > 0


def test_callbacks_see_every_event_and_true_stops() -> None:
    first, second = [], []

    def stop(event: Any) -> bool:
        first.append(event)
        return event.epoch == 3

    events = list(training(FLAT, np.zeros(2), epochs=9, callbacks=[stop, second.append]))
    assert [event.epoch for event in events] == [1, 2, 3]
    assert all(a is b is c for a, b, c in zip(events, first, second, strict=True))
    result = train(FLAT, np.zeros(2), epochs=9, callbacks=iter([lambda event: None, lambda event: event.epoch == 2]))
    assert (result.reason, len(result.history)) == ("callback", 2)
    assert train(FLAT, np.zeros(2), epochs=2, callbacks=[lambda event: "more"]).reason == "epochs"


def test_an_exception_in_a_callback_surfaces() -> None:
    with pytest.raises(ZeroDivisionError):
        train(FLAT, np.zeros(2), callbacks=[lambda event: 1 // 0])


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("optimizer", [SGD(0.1), LBFGS()])
def test_an_interrupt_in_a_callback_keeps_what_was_learned(optimizer: Any) -> None:
    objective, start = classification(10)
    wanted = train(objective, start, optimizer=optimizer, epochs=3)
    stop = [lambda event: event.epoch == 3 and interrupt()]
    result = train(objective, start, optimizer=optimizer, epochs=9, callbacks=stop)
    assert (result.reason, len(result.history)) == ("interrupted", 3)
    assert result.theta.tobytes() == wanted.theta.tobytes()


def test_an_interrupt_thrown_at_an_event_ends_in_a_result() -> None:
    events = training(FLAT, np.zeros(2), epochs=9)
    theta = next(events).theta.copy()
    with pytest.raises(StopIteration) as end:
        events.throw(KeyboardInterrupt())
    assert end.value.value.reason == "interrupted"
    assert end.value.value.theta.tobytes() == theta.tobytes()


@pytest.mark.parametrize("name", RULES)
def test_an_interrupt_in_the_engine_keeps_every_update_done(name: str) -> None:
    class Interrupted(Objective):
        left = iter(count(-12))

        def batch(self, rows: Any) -> Objective:
            return super().batch(rows) if next(self.left) else interrupt()

    inner, start = classification(10)
    objective = Interrupted(inner.network, inner.loss, inner.X, inner.y, inner.sample_weight, inner.penalties)
    rule = OPTIMIZERS[name]()
    settings = {"schedule": Constant(0.05), "batch_size": 2, "order": "given", "engine": "reference"}
    result = train(objective, start, optimizer=rule, **settings)
    assert (result.reason, len(result.history), result.state.epoch) == ("interrupted", 2, 2)
    done = train(inner, start, optimizer=rule, epochs=2, **settings)
    wanted, memory = done.theta, done.state.memory
    for rows in ([0, 1], [2, 3]):
        gradient = inner.batch(rows).gradient(wanted)
        wanted, memory = rule.update(wanted, gradient, memory, 0.05)
    assert result.theta.tobytes() == wanted.tobytes()


def test_the_best_weights_outlive_an_interrupt() -> None:
    script, objective = Script([1.0, 3.0, 2.0, 2.0]), line([1, 2], [1, 3])
    result = train(
        objective,
        np.zeros(2),
        optimizer=SGD(0.1),
        score=script,
        stopping=Stopping("validation_score", keep_best=True),
        callbacks=[lambda event: event.epoch == 4 and interrupt()],
    )
    assert (result.reason, result.state.best_epoch) == ("interrupted", 2)
    assert result.theta.tobytes() == script.seen[1].tobytes()


@pytest.mark.parametrize("interleaved", [False, True])
def test_the_callers_floating_point_settings_are_left_alone(interleaved: bool) -> None:
    settings = np.geterr()
    first, second = training(FLAT, np.zeros(2), epochs=2), training(FLAT, np.zeros(2), epochs=2)
    try:
        next(first)
        assert interleaved or np.geterr() == settings
        next(second)
        assert (len(list(first)), len(list(second))) == (1, 1)
        assert np.geterr() == settings
    finally:
        np.seterr(**settings)


def test_events_do_not_print_theta() -> None:
    event = train(FLAT, np.zeros(2), epochs=1).history[0]
    assert "theta" not in repr(event)
    assert repr(replace(event, loss=0.25)) != repr(event)
