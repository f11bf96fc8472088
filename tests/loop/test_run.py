"""The bookkeeping of a training by itself: moments, rates, what counts as better, events, ends."""

from __future__ import annotations

import pickle
from importlib import import_module
from math import nan
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.inspection.statistics import block_statistics, update_ratio
from chainrule.loop.batches import SLICE, rows_in_order
from chainrule.loop.checkpoint import CheckpointWriter
from chainrule.loop.progress import DivergenceError, StatisticsProbe
from chainrule.loop.run import EpochResult, Loop
from chainrule.losses import SquaredError
from chainrule.optimizers import LBFGS, SGD, Adam, Memory
from chainrule.schedules import Adaptive, Constant, Cosine, InverseScaling, Moment
from chainrule.steps.averaging import Averaging, MovingAverage
from support.naive_loops import classification

OBJECTIVE, START = classification(10)


class Planned(Constant):
    """Notes every moment it is asked about; the loop cannot know what it reads."""

    def __init__(self) -> None:
        super().__init__(0.125)
        object.__setattr__(self, "asked", [])

    def __call__(self, moment: Moment) -> float:
        self.asked.append(moment)
        return super().__call__(moment)


def test_a_schedule_is_asked_for_the_moment_of_every_step() -> None:
    schedule = Planned()
    cr.train(OBJECTIVE, START, optimizer=SGD(), schedule=schedule, epochs=3, batch_size=3)
    whole = [Moment(4 * e + k, e, 10 * e, 0, e / 3 + k / 12) for e in range(3) for k in range(4)]
    assert [(m.step, m.epoch, m.rows, m.plateaus) for m in schedule.asked] == [(*m[:4],) for m in whole]
    assert [m.fraction for m in schedule.asked] == pytest.approx([m.fraction for m in whole], abs=1e-15)


def test_steps_of_later_slices_are_asked_for_at_their_moments_too() -> None:
    schedule, rows = Planned(), SLICE + 3
    objective = cr.Objective(cr.Network(1, [cr.Dense(1)]), SquaredError(), np.ones((rows, 1)), np.ones(rows))
    cr.train(objective, np.zeros(2), optimizer=SGD(), schedule=schedule, epochs=2, batch_size=1)
    assert [m.step for m in schedule.asked] == list(range(2 * rows))
    assert [m.fraction for m in schedule.asked] == pytest.approx(np.arange(2 * rows) / (2 * rows), abs=1e-15)


def test_the_rates_of_a_schedule_by_fraction() -> None:
    rates: list[float] = []
    watch = lambda some, losses: rates.extend(some)  # noqa: E731
    settings: dict[str, Any] = {"optimizer": SGD(), "schedule": Cosine(0.5), "epochs": 2, "batch_size": 5}
    result = cr.train(OBJECTIVE, START, **settings, on_steps=watch)
    assert [event.learning_rate for event in result.history] == rates[1::2]
    assert rates == pytest.approx([0.25 * (1 + np.cos(np.pi * k / 4)) for k in range(4)], rel=1e-12)


@pytest.mark.parametrize("schedule", [Constant(0.5), InverseScaling(0.5)])
def test_a_schedule_that_is_steady_within_an_epoch_gives_each_step_its_rate(schedule: Any) -> None:
    told: list[Any] = []
    on_steps = lambda rates, losses: told.append((list(rates), len(losses)))  # noqa: E731
    result = cr.train(OBJECTIVE, START, optimizer=SGD(), schedule=schedule, epochs=2, batch_size=5, on_steps=on_steps)
    assert [len(rates) for rates, _ in told] == [count for _, count in told] == [2, 2]
    assert [rates[-1] for rates, _ in told] == [event.learning_rate for event in result.history]


def test_an_exhausted_schedule_is_asked_before_the_end() -> None:
    settings: dict[str, Any] = {"score": lambda theta: 0.0, "stopping": cr.Stopping("validation_score", patience=1)}
    result = cr.train(OBJECTIVE, START, optimizer=SGD(), schedule=Adaptive(0.1), epochs=400, **settings)
    rates = [event.learning_rate for event in result.history]
    assert result.reason == "no change"
    assert result.state.plateaus == len(set(rates)) - 1 > 0
    assert rates[:4] == [0.1] * 3 + [rates[3]]
    assert rates[3] < 0.1
    assert [rates.count(rate) for rate in sorted(set(rates), reverse=True)] == [3, *[2] * result.state.plateaus]
    assert result.state.no_change == 2


@pytest.mark.parametrize(
    ("values", "changes", "best", "epoch"),
    [
        ([1.0, 1.5, 1.75, 2.25], [0, 0, 1, 0], 2.25, 4),
        ([1.0, 1.25, 1.5, 1.0], [0, 1, 2, 3], 1.5, 3),
        ([2.0, 2.0, nan, 3.0], [0, 1, 2, 0], 3.0, 4),
        ([nan, -5.0], [1, 0], -5.0, 2),
        ([1.0, 1.0], [0, 1], 1.0, 1),
    ],
)
def test_what_counts_as_an_improvement(values: list[float], changes: list[int], best: float, epoch: int) -> None:
    """An improvement is one of at least min_change on the best so far, which any gain at all moves."""
    for monitor in ("validation_score", "validation_loss"):
        left, seen = iter(values), []
        figure = {"score": lambda theta, left=left: next(left)}
        if monitor == "validation_loss":
            figure = {"validation": Said([-v for v in values])}
        state = cr.TrainingState(START.copy())
        stopping = cr.Stopping(monitor, min_change=0.5, patience=9)
        note = lambda event, state=state, seen=seen: seen.append(state.no_change)  # noqa: E731
        cr.train(
            OBJECTIVE,
            START,
            state=state,
            epochs=len(values),
            stopping=stopping,
            callbacks=[note],
            **figure,
            engine="reference",
        )
        assert seen == changes
        assert (state.best, state.best_epoch, state.best_theta) == (best, epoch, None)


class Said:
    """Stands for an objective whose value is said beforehand."""

    def __init__(self, values: list[float]) -> None:
        self.left = iter(values)

    def value(self, theta: Any) -> float:
        return next(self.left)


def test_what_an_event_tells() -> None:
    events = list(cr.training(OBJECTIVE, START, optimizer=SGD(0.5), epochs=2, batch_size=4))
    assert [(e.epoch, e.step, e.learning_rate, e.restart) for e in events] == [(1, 3, 0.5, 0), (2, 6, 0.5, 0)]
    assert events[0].theta is events[1].theta
    assert 0 <= events[0].seconds <= events[1].seconds
    state = cr.TrainingState(START.copy(), restart=3)
    assert next(cr.training(OBJECTIVE, START, state=state)).restart == 3
    assert next(cr.training(OBJECTIVE, START, optimizer=LBFGS())).learning_rate is None


def test_statistics_are_those_of_the_epoch() -> None:
    before, first = START.copy(), None
    for event in cr.training(OBJECTIVE, START, optimizer=SGD(0.5), epochs=3, batch_size=4):
        probe = event.look
        assert probe is not None
        wanted = block_statistics(OBJECTIVE, event.theta, before=before, steps=3)
        assert repr(event.statistics) == repr(wanted)
        first = update_ratio(event.theta, before, 3) if first is None else first
        assert probe.first == first
        before = event.theta.copy()
    unread = pickle.loads(pickle.dumps(next(cr.training(OBJECTIVE, START))))
    assert (unread.look, unread.statistics) == (None, ())


def test_a_probe_that_saw_no_epoch_begin() -> None:
    probe = StatisticsProbe(OBJECTIVE)
    probe.end(START)
    assert (probe.first, probe.steps, probe.before) == (None, 1, None)
    assert repr(probe.statistics(START)) == repr(block_statistics(OBJECTIVE, START, before=None, steps=1))
    probe.begin(START + 1, 4)
    probe.end(START)
    assert probe.first == update_ratio(START, START + 1, 4)
    probe.end(START + 7)
    assert probe.first == update_ratio(START, START + 1, 4)


def test_the_words_of_a_divergence_and_of_a_monitor() -> None:
    state = cr.TrainingState(START)
    error = DivergenceError(7, 2, "a cause", state, (), START + 1)
    assert str(error) == "training diverged at step 7 (epoch 3): a cause"
    assert (error.step, error.epoch, error.cause, error.history) == (7, 2, "a cause", [])
    assert error.state is state
    np.testing.assert_array_equal(error.theta, START + 1)
    assert DivergenceError(0, 0, "", state).theta is START
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are compared whole
        cr.Stopping("f1")  # type: ignore[arg-type]
    words = "Stopping monitor 'f1' is not known; accepted: loss, validation_loss, validation_score"
    assert str(caught.value) == words


def diverging(**settings: Any) -> DivergenceError:
    """Return the error of a training whose learning rate is far too high from the second epoch on."""
    X = np.linspace(-2, 2, 12)[:, None]
    objective = cr.Objective(cr.Network(1, [cr.Dense(1)]), SquaredError(), X, X[:, 0])
    schedule = cr.schedules.Exponential(1e-3, 1e80)
    with pytest.raises(DivergenceError) as caught:
        cr.train(objective, np.ones(2), optimizer=SGD(), schedule=schedule, epochs=9, **settings)
    return caught.value


def test_what_a_divergence_leaves() -> None:
    error = diverging()
    assert error.state.memory is None
    assert error.theta is error.state.theta
    assert error.history
    assert len(error.history) == error.epoch == error.state.epoch
    assert np.isfinite(error.theta).all()
    moving = diverging(averaging=MovingAverage(0.5))
    assert moving.state.average is None
    assert np.isfinite(moving.theta).all()
    assert not np.array_equal(moving.theta, moving.state.theta)
    mean = diverging(averaging=Averaging(0.0))
    assert mean.state.averaged == mean.epoch
    np.testing.assert_array_equal(mean.state.average, mean.theta)


@pytest.mark.parametrize("answer", [True, np.True_])
def test_answers_that_stop(answer: Any) -> None:
    result = cr.train(OBJECTIVE, START, epochs=5, callbacks=[lambda event: answer, lambda event: False])
    assert (result.reason, len(result.history)) == ("callback", 1)
    result = cr.train(OBJECTIVE, START, epochs=5, on_steps=lambda rates, losses: answer)
    assert (result.reason, len(result.history)) == ("callback", 1)


@pytest.mark.parametrize("answer", [1, "yes", [1], np.False_, None])
def test_answers_that_do_not(answer: Any) -> None:
    calls: list[int] = []
    settings: dict[str, Any] = {"callbacks": [lambda event: calls.append(1) or answer]}
    result = cr.train(OBJECTIVE, START, epochs=2, on_steps=lambda rates, losses: answer, **settings)
    assert (result.reason, len(result.history), len(calls)) == ("epochs", 2, 2)


def test_a_watcher_may_change_its_mind_within_an_epoch() -> None:
    rows = 3 * SLICE
    objective = cr.Objective(cr.Network(1, [cr.Dense(1)]), SquaredError(), np.ones((rows, 1)), np.ones(rows))
    answers = iter([False, False, True, False, False, False])
    result = cr.train(objective, np.zeros(2), epochs=2, batch_size=1, on_steps=lambda rates, losses: next(answers))
    assert (result.reason, len(result.history), result.state.step) == ("callback", 1, rows)


@pytest.mark.parametrize(("converged", "reason"), [(True, "converged"), (False, "gave up")])
def test_an_optimisers_message_ends_the_training(monkeypatch: pytest.MonkeyPatch, converged: bool, reason: str) -> None:
    module = import_module("chainrule.loop.training")
    ended = EpochResult(0.5, 0.25, None, 10, False, converged, "enough")
    monkeypatch.setattr(module, "run_epoch", lambda loop, epoch: ended)
    written: list[Any] = []
    monkeypatch.setattr(CheckpointWriter, "write", lambda self, saved: written.append((saved.reason, saved.message)))
    result = cr.train(OBJECTIVE, START, epochs=5)
    assert (result.reason, result.message, len(result.history)) == (reason, "enough", 1)
    assert written == [(None, ""), (reason, "enough")]
    result = cr.train(OBJECTIVE, START, epochs=5, callbacks=[lambda event: True])
    assert (result.reason, result.message) == ("callback", "")


def test_the_order_of_rows() -> None:
    assert rows_in_order("reshuffle", 0, 0, 5, 5) is None
    assert rows_in_order("given", 0, 0, 5, 6) is None
    assert rows_in_order("given", 0, 0, 5, 4).tolist() == [0, 1, 2, 3, 4]  # type: ignore[union-attr]


def test_going_on_with_averages() -> None:
    state = cr.TrainingState(START.copy(), average=START + 1)
    cr.train(OBJECTIVE, START, state=state, epochs=1)
    assert state.average is None
    state = cr.TrainingState(START.copy(), average=START + 1, averaged=4)
    cr.train(OBJECTIVE, START, state=state, epochs=1)
    np.testing.assert_array_equal(state.average, START + 1)
    state = cr.TrainingState(START.copy(), Memory(7, {"mean": START * 0, "square_mean": START * 0 + 1}))
    assert cr.train(OBJECTIVE, START, state=state, optimizer=Adam(), epochs=1).state.memory.t == 8


@pytest.mark.parametrize(("start", "counted"), [(0.0, 4), (0.25, 4), (0.5, 3), (0.75, 2), (1.0, 1)])
def test_a_mean_counts_the_epochs_that_end_at_its_start_or_later(start: float, counted: int) -> None:
    thetas: list[Any] = []
    keep = [lambda event: thetas.append(event.theta.copy())]
    result = cr.train(OBJECTIVE, START, epochs=4, averaging=Averaging(start), callbacks=keep)
    assert result.state.averaged == counted
    np.testing.assert_allclose(result.theta, np.mean(thetas[4 - counted :], axis=0), rtol=1e-13)


def test_the_batches_of_an_accumulated_step() -> None:
    for batch_size, accumulate, steps in ((2, 2, 3), (5, 2, 1), (None, 3, 1), (99, 1, 1), (1, 1, 10)):
        result = cr.train(OBJECTIVE, START, batch_size=batch_size, epochs=1, recipe=cr.Recipe(accumulate=accumulate))
        assert result.state.step == steps
    assert cr.train(OBJECTIVE, START, optimizer=LBFGS(), batch_size=2, epochs=1).state.step == 1


def test_an_optimiser_that_finds_its_steps_follows_no_schedule() -> None:
    told: list[float] = []
    settings: dict[str, Any] = {"optimizer": LBFGS(), "on_steps": lambda rates, losses: told.extend(rates)}
    cr.train(OBJECTIVE, START, schedule=Constant(0.25), epochs=2, **settings)
    assert told == [1.0, 1.0]


def test_validation_runs_in_the_same_engine_and_type(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    module = import_module("chainrule.loop.training")
    monkeypatch.setattr(module, "evaluator", lambda *given: told.append(given) or (lambda theta: 0.5))
    validation, start = classification(4, dtype="float32")[0], START.astype("float32")
    objective = classification(10, dtype="float32")[0]
    result = cr.train(objective, start, epochs=1, validation=validation, engine="reference", n_threads=2)
    assert told == [("reference", validation, 2, np.dtype("float32"))]
    assert result.history[0].validation_loss == 0.5


def test_the_first_moments_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Loop] = []
    module = import_module("chainrule.loop.training")
    monkeypatch.setattr(module, "_epochs", lambda loop: seen.append(loop) or iter(()))
    cr.train(OBJECTIVE, START)
    (loop,) = seen
    assert (loop.fraction, loop.told_to_stop, loop.history, loop.position) == (0.0, False, [], None)
    assert loop.steady
    assert loop.moment() == Moment(0, 0, 0, 0, 0.0)
    assert loop.moment(3, 0.5) == Moment(3, 0, 0, 0, 0.5)


def test_what_an_engine_is_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    module = import_module("chainrule.loop.training")
    original = module.build
    monkeypatch.setattr(module, "build", lambda *given: told.append(given) or original(*given))
    rule, recipe, start = SGD(), cr.Recipe(max_norm=1.0), START.astype("float32")
    objective = classification(10, dtype="float32")[0]
    settings: dict[str, Any] = {"optimizer": rule, "recipe": recipe, "seed": 5, "engine": "reference", "n_threads": 2}
    for averaging, decay in ((None, None), (Averaging(), None), (MovingAverage(0.25), 0.25)):
        cr.train(objective, start, epochs=1, averaging=averaging, **settings)
        assert told.pop() == ("reference", objective, rule, 5, 2, np.dtype("float32"), recipe, decay)


@pytest.mark.parametrize("engine", ["reference", "auto"])
def test_a_moving_average_follows_every_step(engine: str) -> None:
    average, thetas = START.copy(), []
    keep = [lambda event: thetas.append(event.theta.copy())]
    settings: dict[str, Any] = {"optimizer": SGD(0.5), "epochs": 5, "engine": engine}
    result = cr.train(OBJECTIVE, START, averaging=MovingAverage(0.75), callbacks=keep, **settings)
    for t, theta in enumerate(thetas, start=1):
        average += max(0.25, 1 / t) * (theta - average)
    np.testing.assert_allclose(result.theta, average, rtol=1e-12)
    assert result.theta.tobytes() != result.state.theta.tobytes()


@pytest.mark.parametrize(
    ("score", "value"),
    [
        (lambda theta: np.float64(1) / np.float64(0), np.inf),
        (lambda theta: np.float64(1e300) * np.float64(1e300), np.inf),
        (lambda theta: -(np.float64(np.inf) * np.float64(0)), nan),
    ],
    ids=["divide", "over", "invalid"],
)
def test_an_epoch_says_nothing_of_numbers_that_are_not_finite(score: Any, value: float) -> None:
    result = cr.train(OBJECTIVE, START, epochs=1, score=score)
    np.testing.assert_equal(result.history[0].validation_score, value)
