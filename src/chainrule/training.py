"""The training loop: epochs, batches, validation, stopping. The only one: every face reads its Progress events.

Source: lecture notes (batch, mini-batch and online training; epochs; early stopping; termination).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from math import fsum, isfinite, nan
from time import perf_counter
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import checks
from .advice import likely_cause, usual_rate
from .arrays import Array
from .averaging import Averaging, MovingAverage
from .checkpoint import Checkpoint, Keeper, Place
from .engines import Engine, build, evaluator, steps_of
from .fingerprint import fingerprint
from .objective import Objective
from .optimizers import Adam, Ending, Memory, Minimizer, UpdateRule
from .progress import DivergenceError, Progress, Reason, Result, Stopping, TrainingState
from .randomness import Stream
from .recipe import PLAIN, Recipe
from .schedules import Constant, Moment, Schedule, reads_fraction, steady
from .statistics import Look

SLICE = 64
"""Steps handed to the engine at a time: between slices the loop looks at the clock."""


class _Pass(NamedTuple):
    """One pass over the data, or one iteration of a full-batch method."""

    loss: float
    gradient_norm: float
    learning_rate: float | None
    rows: int
    cut: bool = False
    """Whether the clock ended it before its last step."""


_Passes: TypeAlias = Generator[_Pass, None, Ending]
Callback: TypeAlias = Callable[[Progress], object]
StepCallback: TypeAlias = Callable[[Sequence[float], Sequence[float]], object]


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
    recipe: Recipe = PLAIN,
    time_limit: float | None = None,
    callbacks: Iterable[Callback] = (),
    on_steps: StepCallback | None = None,
    state: TrainingState | None = None,
    checkpoint: Checkpoint | None = None,
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
        recipe: what a step does beside the rule: augmentation, clipping, accumulation, constraints.
        time_limit: seconds after which to stop.
        callbacks: called with each event; one that returns True stops the training.
        on_steps: called with the learning rates and the losses of the steps just done, some at a time; one that
            returns True stops the training. The losses are the batches' before their updates.
        state: go on from this state instead of from θ; it is updated in place.
        checkpoint: where to keep the training; where the file is there already, go on from it, bit for bit. Epochs
            done before are in the history of the Result, and are not yielded again.

    Raises:
        ValueError: an argument that is out of range, naming it.
        CheckpointError: a checkpoint that cannot be written or read, or of other data or settings, naming them.
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
    loop.on_steps = on_steps
    checks.check(objective, loop, epochs, batch_size, order)
    if checkpoint is not None and isinstance(optimizer, Minimizer):
        name = type(optimizer).__name__
        raise ValueError(f"checkpoint needs a solver that takes steps; {name} keeps its memory elsewhere")
    if validation is not None:
        loop.validate = evaluator(engine, validation, n_threads, state.theta.dtype)
    if isinstance(optimizer, UpdateRule):
        size = min(batch_size or objective.rows, objective.rows) * recipe.accumulate
        checks.check_steps(objective, recipe, seed)
        recipe = replace(recipe, average=None if averaging is None else averaging.decay)
        runner = build(engine, objective, optimizer, seed, n_threads, state.theta.dtype, recipe)
        chosen: dict[str, Any] = {"batch_size": size, "order": order, "optimizer": optimizer, "schedule": schedule}
        chosen |= {"epochs": epochs} if reads_fraction(schedule) or isinstance(averaging, Averaging) else {}
        chosen |= {"stopping": stopping, "scored": score is not None, "seed": seed, "engine": runner.name}
        chosen |= {"recipe": recipe, "averaging": averaging}
        loop.keeper = Keeper(checkpoint, loop, partial(fingerprint, objective, validation, state, **chosen))
        if over := loop.resume(epochs):
            return over
        passes = _batch_passes(runner, loop, size, order, seed, epochs)
    elif averaging is not None:
        raise ValueError(f"averaging needs an optimiser that takes steps; {type(optimizer).__name__} takes none")
    else:
        checks.check_minimizer(objective, optimizer, recipe)
        passes = _iterations(optimizer, loop, epochs)
    callbacks = tuple(callbacks)
    history = loop.history
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
            if why := loop.over(any(isinstance(a, bool | np.bool_) and a for a in answers)):
                reason = why
                break
            loop.keeper.after_epoch()
    except KeyboardInterrupt:
        reason = "interrupted"
    finally:
        passes.close()
    loop.finished(reason, ending.message)
    return loop.result(reason, ending.message)


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
        self.on_steps: StepCallback | None = None
        self.told_to_stop = False
        self.steady = steady(schedule)
        self.started = perf_counter()
        self.fraction = 0.0
        self.history: list[Progress] = []
        self.place: Place | None = None
        self.keeper = Keeper(None, self, dict)

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

    def done(self, rates: Sequence[float], losses: Sequence[float]) -> None:
        """Tell what some steps gave."""
        if self.on_steps:
            answer = self.on_steps(rates[: len(losses)], losses)
            self.told_to_stop = isinstance(answer, bool | np.bool_) and bool(answer)

    def spent(self, seconds: float) -> None:
        """Count the seconds of an earlier process."""
        self.started = perf_counter() - seconds

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
            restart=state.restart,
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
        if stopped or self.told_to_stop:
            return "callback"
        if self.stopping and self.state.no_change > self.stopping.patience:
            if self.schedule.exhausted(self.moment()):
                return "no change"
            self.state.plateaus += 1
            self.state.no_change = 0
        return "time" if self.out_of_time() else None

    def place_of_epoch(self) -> Place:
        """Return the place that a checkpoint left, or the start of a new epoch."""
        if self.place is None:
            self.place = Place(self.state.theta.copy(), judged=self.judged().copy() if self.averaging else None)
        return self.place

    def diverged(self, place: Place, learning_rate: float | None) -> DivergenceError:
        """Put the last good weights back, forget the optimiser's memory, and return the error that says why."""
        state = self.state
        state.theta[:] = place.good
        state.memory = None
        cause = likely_cause(self.objective, learning_rate, self.usual_rate)
        return DivergenceError(state.step, state.epoch, cause, state, self.history, place.judged)

    def resume(self, epochs: int) -> Result | None:
        """Go on from the checkpoint, where there is one; return the Result of a training that is over."""
        kept = self.keeper.resume(epochs)
        if kept is None:
            return None
        done = len(self.history)
        self.fraction = done / epochs
        reason = None if kept.reason == "epochs" and epochs > done else kept.reason
        if done and self.place is None and self.out_of_time():
            reason = reason or "time"
        return self.result(reason, kept.message) if reason else None

    def finished(self, reason: Reason, message: str) -> None:
        """Keep the end; a training stopped by Ctrl-C or the clock is kept as one to go on with."""
        if reason not in ("interrupted", "time"):
            self.keeper.write(reason, message)
        elif reason == "time" and self.place is None:
            self.keeper.write()

    def result(self, reason: Reason, message: str) -> Result:
        """Return the Result, with the best weights where the stopping rule keeps them."""
        best = self.state.best_theta if self.stopping and self.stopping.keep_best else None
        return Result((self.judged() if best is None else best).copy(), reason, self.history, self.state, message)


def _batch_passes(engine: Engine, loop: _Loop, batch_size: int, order: str, seed: int, epochs: int) -> _Passes:
    """Yield one pass per epoch of mini-batch updates."""
    state, objective = loop.state, loop.objective
    state.memory = state.memory or _memory(engine.rule, objective, state.theta)
    (loop.averaging or Averaging()).begin(state)
    for epoch in range(len(loop.history), epochs):
        rows = _order(order, seed, state.epoch, objective.rows, batch_size)
        place = loop.place_of_epoch()
        loop.look.begin(place.good, steps_of(objective.rows, batch_size))
        done = _run_epoch(engine, loop, place, rows, batch_size, epoch / epochs, 1 / epochs)
        if not (isfinite(done.loss) and np.isfinite(state.theta).all()):
            raise loop.diverged(place, done.learning_rate)
        loop.place = place if done.cut else None
        loop.fraction = (epoch + 1) / epochs
        yield done
    return Ending(False, "")


def _run_epoch(
    engine: Engine,
    loop: _Loop,
    place: Place,
    order: NDArray[np.intp] | None,
    batch_size: int,
    before: float,
    share: float,
) -> _Pass:
    """Hand the steps of one epoch to the engine, a slice at a time, until they are done or the time is up.

    `before` is the fraction of the training that is done, `share` what this epoch adds. A loss that is not finite
    ends the epoch, and is then its loss. How the steps are cut into slices changes no bit.
    """
    state, rows, sums = loop.state, loop.objective.rows, place.losses
    assert state.memory is not None
    steps = steps_of(rows, batch_size)
    while (start := len(sums)) < steps and not (start and (loop.told_to_stop or loop.out_of_time())):
        count = int(min(SLICE, steps - start, loop.keeper.room(state.step)))
        rates = loop.rates(range(start, start + count), before, share / steps)
        part = None if order is None else order[start * batch_size : (start + count) * batch_size]
        done = state.memory["t"]
        try:
            losses, norm = engine.run(state.theta, state.memory, part, batch_size, rates, state.step)
        except KeyboardInterrupt:
            state.step += state.memory["t"] - done
            raise
        place.gradient_norm, place.learning_rate = norm, rates[len(losses) - 1]
        loop.done(rates, losses)
        if not isfinite(losses[-1]):
            state.step += len(losses) - 1
            return _Pass(losses[-1], norm, place.learning_rate, start * batch_size)
        state.step += count
        sums.extend(losses)
        loop.keeper.after_steps()
    seen = min(rows, len(sums) * batch_size)
    last = seen - batch_size * (len(sums) - 1)
    total = batch_size * fsum(sums[:-1]) + last * sums[-1]
    if len(sums) < steps:
        loop.keeper.write()
    return _Pass(total / seen, place.gradient_norm, place.learning_rate, seen, len(sums) < steps)


def _iterations(minimizer: Minimizer, loop: _Loop, epochs: int) -> _Passes:
    """Yield one pass per iteration of a full-batch method."""
    state = loop.state
    if not isfinite(float(loop.objective.value(state.theta))):
        raise loop.diverged(Place(state.theta.copy()), None)
    with closing(minimizer.iterate(loop.objective, state.theta.copy(), epochs)) as iterates:
        while True:
            try:
                theta, loss, norm = next(iterates)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # a generator's return value is untyped
            if not isfinite(loss):
                raise loop.diverged(Place(state.theta.copy()), None)
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
    return rule.init(theta.size, theta.dtype.name, decayed=objective.network.mask("weight"))


def _rate(optimizer: UpdateRule | Minimizer) -> float:
    return float(getattr(optimizer, "learning_rate", nan))
