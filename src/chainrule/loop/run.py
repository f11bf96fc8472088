"""What the training loop keeps beside its state: the clock, the validation, the stopping rule, the events so far.

Source: lecture notes (early stopping; termination).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan
from time import perf_counter
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array
from ..inspection.doctor import likely_cause, usual_rate
from ..inspection.statistics import Look
from ..mathematics.objective import Objective
from ..optimizers import Minimizer, UpdateRule
from ..steps.averaging import Averaging, MovingAverage
from ..steps.schedules import Moment, Schedule, steady
from .checkpoint import Keeper, Place
from .progress import DivergenceError, Progress, Reason, Result, Stopping, TrainingState

StepCallback: TypeAlias = Callable[[Sequence[float], Sequence[float]], object]


class Pass(NamedTuple):
    """One pass over the data, or one iteration of a full-batch method."""

    loss: float
    gradient_norm: float
    learning_rate: float | None
    rows: int
    cut: bool = False
    """Whether the clock ended it before its last step."""


class Loop:
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

    def finish(self, done: Pass) -> Progress:
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
