"""The training loop: epochs, batches, validation, stopping. The only one: every face reads its Progress events.

Source: lecture notes (batch, mini-batch and online training; epochs; early stopping; termination).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from math import fsum, isfinite, nan
from time import perf_counter
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .advice import likely_cause, usual_rate
from .arrays import Array
from .averaging import Averaging, MovingAverage
from .engines import Engine, build, evaluator, steps_of
from .objective import Objective
from .optimizers import Adam, AdamW, Ending, Memory, Minimizer, UpdateRule
from .progress import DivergenceError, Progress, Reason, Result, Stopping, TrainingState
from .randomness import Stream
from .schedules import Constant, Moment, Schedule, steady
from .statistics import Look

SLICE = 64
"""Steps handed to the engine at a time: between slices the loop looks at the clock."""


class _Pass(NamedTuple):
    """One pass over the data, or one iteration of a full-batch method."""

    loss: float
    gradient_norm: float
    learning_rate: float | None
    rows: int


_Passes: TypeAlias = Generator[_Pass, None, Ending]
Callback: TypeAlias = Callable[[Progress], object]


def training(
    objective: Objective,
    theta: NDArray[np.floating],
    *,
    optimizer: UpdateRule | Minimizer | None = None,
    schedule: Schedule | None = None,
    epochs: int = 200,
    batch_size: int | None = None,
    order: Literal["reshuffle", "once", "given"] = "reshuffle",
    seed: int = 0,
    engine: str = "auto",
    n_threads: int | None = None,
    validation: Objective | None = None,
    score: Callable[[Array], float] | None = None,
    stopping: Stopping | None = None,
    averaging: Averaging | MovingAverage | None = None,
    time_limit: float | None = None,
    callbacks: Iterable[Callback] = (),
    state: TrainingState | None = None,
) -> Generator[Progress, None, Result]:
    """Train θ on the objective, yielding a Progress event after every epoch; returns a Result.

    Args:
        objective: what to minimise.
        theta: the starting point (P,); copied, unless `state` is given.
        optimizer: an update rule (default Adam) or a full-batch minimizer such as LBFGS.
        schedule: moment -> learning rate; default the rule's own rate, constant.
        epochs: passes over the data, or iterations of a minimizer.
        batch_size: rows to a step; None takes all rows (batch), 1 is online training.
        order: "reshuffle" draws new batches each epoch, "once" draws them once, "given" keeps the row order.
        seed: names the random streams.
        engine: "auto" takes the native engine where it can, "native" insists on it, "reference" executes the
            definitions. Full-batch minimisers such as LBFGS ask the definitions, whatever the engine.
        n_threads: threads of the native engine; None takes CHAINRULE_NUM_THREADS or the processors there are. They
            change no bit of the result.
        validation: the objective on validation data, for `validation_loss` (its penalties count: give it none).
        score: θ -> a number, higher is better, for `validation_score`.
        stopping: when to stop early; None never does.
        averaging: how to average θ: the average is validated, and is the result. Events carry θ itself.
        time_limit: seconds after which to stop.
        callbacks: called with each event; one that returns True stops the training.
        state: go on from this state instead of from θ; it is updated in place.

    Raises:
        ValueError: an argument that is out of range, naming it.
        DivergenceError: the loss is not finite any more.

    >>> import numpy as np, chainrule as cr
    >>> network = cr.Network(2, [cr.Dense(4), cr.Activation("tanh"), cr.Dense(1)])
    >>> X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 0])
    >>> objective = cr.Objective(network, cr.losses.SigmoidCrossEntropy(), X, y)
    >>> for event in training(objective, network.initialize(0), optimizer=Adam(0.1), epochs=100):
    ...     pass
    >>> event.epoch, event.loss < 0.01
    (100, True)
    """
    state = state or TrainingState(np.array(theta))
    optimizer = Adam() if optimizer is None else optimizer
    if not isinstance(optimizer, UpdateRule | Minimizer):
        raise ValueError(f"optimizer must be an optimiser such as optimizers.Adam(), got {optimizer!r}")
    schedule = schedule or Constant(_rate(optimizer))
    loop = _Loop(objective, optimizer, state, validation, score, stopping, averaging, schedule, time_limit)
    _check(objective, loop, epochs, batch_size, order)
    if validation is not None:
        loop.validate = evaluator(engine, validation, n_threads, state.theta.dtype)
    if isinstance(optimizer, UpdateRule):
        rows = objective.rows
        decay = None if averaging is None else averaging.decay
        runner = build(engine, objective, optimizer, seed, n_threads, state.theta.dtype, decay)
        passes = _batch_passes(runner, loop, min(batch_size or rows, rows), order, seed, epochs)
    elif averaging is not None:
        raise ValueError(f"averaging is for optimisers that take steps, not for {optimizer!r}")
    else:
        passes = _iterations(optimizer, loop, epochs)
    callbacks = tuple(callbacks)
    history: list[Progress] = []
    reason: Reason = "epochs"
    ending = Ending(False, "")
    try:
        while True:
            try:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    event = loop.finish(next(passes))
            except StopIteration as end:
                ending = end.value
                reason = "converged" if ending.converged else "epochs" if len(history) >= epochs else "gave up"
                break
            history.append(event)
            yield event
            answers = [callback(event) for callback in callbacks]
            if over := loop.over(any(isinstance(a, bool | np.bool_) and a for a in answers)):
                reason = over
                break
    except KeyboardInterrupt:
        reason = "interrupted"
    finally:
        passes.close()
    return loop.result(reason, history, ending.message)


def train(objective: Objective, theta: NDArray[np.floating], **settings: Any) -> Result:
    """Run `training` to its end and return its Result; the arguments are the same."""
    events = training(objective, theta, **settings)
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # a generator's return value is untyped


class _Loop:
    """What the loop keeps beside the state: the clock, the validation and the stopping rule."""

    def __init__(
        self,
        objective: Objective,
        optimizer: UpdateRule | Minimizer,
        state: TrainingState,
        validation: Objective | None,
        score: Callable[[Array], float] | None,
        stopping: Stopping | None,
        averaging: Averaging | MovingAverage | None,
        schedule: Schedule,
        time_limit: float | None,
    ) -> None:
        self.objective, self.state, self.validation, self.score = objective, state, validation, score
        self.stopping, self.averaging, self.schedule, self.time_limit = stopping, averaging, schedule, time_limit
        self.look, self.usual_rate = Look(objective), usual_rate(optimizer)
        self.validate: Callable[[NDArray[np.floating]], float] | None = None
        self.steady = steady(schedule)
        self.started = perf_counter()
        self.fraction = 0.0

    def moment(self, step: int = 0, fraction: float | None = None) -> Moment:
        """Return the moment `step` steps from now."""
        s = self.state
        return Moment(s.step + step, s.epoch, s.rows, s.plateaus, self.fraction if fraction is None else fraction)

    def rates(self, steps: range, before: float, share: float) -> list[float]:
        """Return the learning rates of some steps of an epoch: `before` it a fraction is done, each adds its share."""
        if self.steady:
            return [self.schedule(self.moment(0, before))] * len(steps)
        return [self.schedule(self.moment(k - steps.start, before + share * k)) for k in steps]

    def seconds(self) -> float:
        """Return the seconds since the start of this training."""
        return perf_counter() - self.started

    def out_of_time(self) -> bool:
        """Return whether the time limit is reached."""
        return self.time_limit is not None and self.seconds() >= self.time_limit

    def finish(self, done: _Pass) -> Progress:
        """Count the epoch, validate, note the best, and return its event."""
        state = self.state
        state.epoch += 1
        state.rows += done.rows
        if self.averaging:
            self.averaging.note(state, self.fraction)
        judged = self.judged()
        loss = None if self.validate is None else self.validate(judged)
        score = None if self.score is None else float(self.score(judged))
        event = Progress(
            epoch=state.epoch,
            step=state.step,
            loss=done.loss,
            validation_loss=loss,
            validation_score=score,
            learning_rate=done.learning_rate,
            gradient_norm=done.gradient_norm,
            seconds=self.seconds(),
            theta=state.theta,
            look=self.look,
        )
        self.look.end(state.theta)
        if self.stopping:
            self._note(event, self.stopping)
        return event

    def _note(self, event: Progress, stopping: Stopping) -> None:
        """Compare the monitored value with the best so far; NaN counts as no improvement."""
        state = self.state
        value = getattr(event, stopping.monitor)
        gain = nan if value is None else float(value) * (1 if stopping.monitor == "validation_score" else -1)
        best = -float("inf") if state.best is None else state.best
        state.no_change = 0 if gain - best >= stopping.min_change else state.no_change + 1
        if gain > best:
            state.best, state.best_epoch = gain, state.epoch
            if stopping.keep_best:
                state.best_theta = self.judged().copy()

    def judged(self) -> NDArray[np.floating]:
        """Return the θ that is validated and is the result: the average, where there is one."""
        return self.averaging.read(self.state) if self.averaging else self.state.theta

    def over(self, stopped: bool) -> Reason | None:
        """Return why the training is over, or None."""
        if stopped:
            return "callback"
        if self.stopping and self.state.no_change > self.stopping.patience:
            if self.schedule.exhausted(self.moment()):
                return "no change"
            self.state.plateaus += 1
            self.state.no_change = 0
        return "time" if self.out_of_time() else None

    def diverged(self, good: NDArray[np.floating], learning_rate: float | None) -> DivergenceError:
        """Put the last good weights back, forget the optimiser's memory, and return the error that says why."""
        state = self.state
        state.theta[:] = good
        state.memory = None
        cause = likely_cause(self.objective, learning_rate, self.usual_rate)
        return DivergenceError(state.step, state.epoch, cause, state)

    def result(self, reason: Reason, history: list[Progress], message: str) -> Result:
        """Return the Result, with the best weights where the stopping rule keeps them."""
        best = self.state.best_theta if self.stopping and self.stopping.keep_best else None
        return Result((self.judged() if best is None else best).copy(), reason, history, self.state, message)


def _batch_passes(engine: Engine, loop: _Loop, batch_size: int, order: str, seed: int, epochs: int) -> _Passes:
    """Yield one pass per epoch of mini-batch updates."""
    state, objective = loop.state, loop.objective
    state.memory = state.memory or _memory(engine.rule, objective, state.theta)
    (loop.averaging or Averaging()).begin(state)
    for epoch in range(epochs):
        rows = _order(order, seed, state.epoch, objective.rows, batch_size)
        good = state.theta.copy()
        loop.look.begin(good, steps_of(objective.rows, batch_size))
        done = _run_epoch(engine, loop, rows, batch_size, epoch / epochs, 1 / epochs)
        if not (isfinite(done.loss) and np.isfinite(state.theta).all()):
            raise loop.diverged(good, done.learning_rate)
        loop.fraction = (epoch + 1) / epochs
        yield done
    return Ending(False, "")


def _run_epoch(
    engine: Engine, loop: _Loop, order: NDArray[np.intp] | None, batch_size: int, before: float, share: float
) -> _Pass:
    """Hand the steps of one epoch to the engine, a slice at a time, until they are done or the time is up.

    `before` is the fraction of the training that is done, `share` what this epoch adds. A loss that is not finite
    ends the epoch, and is then its loss.
    """
    state, rows = loop.state, loop.objective.rows
    assert state.memory is not None
    steps = steps_of(rows, batch_size)
    total, seen, norm, rate = 0.0, 0, 0.0, 0.0
    for start in range(0, steps, SLICE):
        count = min(SLICE, steps - start)
        rates = loop.rates(range(start, start + count), before, share / steps)
        part = None if order is None else order[start * batch_size : (start + count) * batch_size]
        losses, norm = engine.run(state.theta, state.memory, part, batch_size, rates, state.step)
        rate = rates[len(losses) - 1]
        if not isfinite(losses[-1]):
            state.step += len(losses) - 1
            return _Pass(losses[-1], norm, rate, seen)
        state.step += count
        last = min(batch_size, rows - (start + count - 1) * batch_size)
        total += batch_size * fsum(losses[:-1]) + last * losses[-1]
        seen += batch_size * (count - 1) + last
        if loop.out_of_time():
            break
    return _Pass(total / seen, norm, rate, seen)


def _iterations(minimizer: Minimizer, loop: _Loop, epochs: int) -> _Passes:
    """Yield one pass per iteration of a full-batch method."""
    state = loop.state
    if not isfinite(float(loop.objective.value(state.theta))):
        raise loop.diverged(state.theta.copy(), None)
    with closing(minimizer.iterate(loop.objective, state.theta.copy(), epochs)) as iterates:
        while True:
            try:
                theta, loss, norm = next(iterates)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # a generator's return value is untyped
            if not isfinite(loss):
                raise loop.diverged(state.theta.copy(), None)
            loop.look.begin(state.theta.copy(), 1)
            state.theta[:] = theta
            state.step += 1
            yield _Pass(loss, norm, None, loop.objective.rows)


def _order(order: str, seed: int, epoch: int, rows: int, batch_size: int) -> NDArray[np.intp] | None:
    """Return the row numbers of one epoch, or None where a single batch holds them all."""
    if batch_size >= rows:
        return None
    if order == "given":
        return np.arange(rows)
    return Stream(seed, "shuffle", step=epoch if order == "reshuffle" else 0).permutation(rows)


def _memory(rule: UpdateRule, objective: Objective, theta: NDArray[np.floating]) -> Memory:
    if isinstance(rule, AdamW):
        return rule.init(theta.size, theta.dtype.name, decayed=objective.network.mask("weight"))
    return rule.init(theta.size, theta.dtype.name)


def _rate(optimizer: UpdateRule | Minimizer) -> float:
    return float(getattr(optimizer, "learning_rate", nan))


def _check(objective: Objective, loop: _Loop, epochs: int, batch_size: int | None, order: str) -> None:
    """Raise ValueError, naming the argument, for settings that cannot work."""
    if objective.rows == 0:
        raise ValueError("the objective holds no rows: nothing to train on")
    if loop.state.theta.shape != (objective.network.size,):
        raise ValueError(
            f"theta has shape {loop.state.theta.shape}; this network has {objective.network.size} parameters"
        )
    if not np.issubdtype(loop.state.theta.dtype, np.floating):
        raise ValueError(f"theta must hold float32 or float64 numbers, got {loop.state.theta.dtype}")
    if not isinstance(loop.schedule, Schedule):
        raise ValueError(f"schedule must be a schedule such as schedules.Constant(0.001), got {loop.schedule!r}")
    if not isinstance(epochs, int | np.integer) or epochs < 1:
        raise ValueError(f"epochs must be a whole number of at least 1, got {epochs!r}")
    if batch_size is not None and (not isinstance(batch_size, int | np.integer) or batch_size < 1):
        raise ValueError(f"batch_size must be a whole number of at least 1 (or None for all rows), got {batch_size!r}")
    if loop.averaging is not None and not isinstance(loop.averaging, Averaging | MovingAverage):
        raise ValueError(f"averaging must be such as Averaging(start=0.75), or None, got {loop.averaging!r}")
    if order not in ("reshuffle", "once", "given"):
        raise ValueError(f"order {order!r} is not known; accepted: reshuffle, once, given")
    monitor = loop.stopping.monitor if loop.stopping else "loss"
    if monitor == "validation_loss" and loop.validation is None:
        raise ValueError("stopping on validation_loss needs `validation`")
    if monitor == "validation_score" and loop.score is None:
        raise ValueError("stopping on validation_score needs `score`")
