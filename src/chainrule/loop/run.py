"""The bookkeeping of one running training: the clock, the validation, the stopping rule, the events so far.

Source: lecture notes (early stopping; termination).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import nan
from time import perf_counter
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..engines import Engine
from ..foundation.arrays import Array
from ..inspection.doctor import likely_cause, usual_rate
from ..mathematics.objective import Objective
from ..optimizers import NO_FIGURES, Optimizer
from ..steps.averaging import Averaging, MovingAverage
from ..steps.recipe import Recipe
from ..steps.schedules import Moment, Schedule, reads_fraction, steady
from .checkpoint import Checkpoint, CheckpointWriter, EpochPosition, SavedTraining, with_live_theta
from .checks import check_memory
from .fingerprint import Fingerprint, fingerprint
from .progress import DivergenceError, Progress, Reason, Result, StatisticsProbe, Stopping, TrainingState

StepCallback: TypeAlias = Callable[[Sequence[float], Sequence[float]], object]
Callback: TypeAlias = Callable[[Progress], object]
Order: TypeAlias = Literal["reshuffle", "once", "given"]


@dataclass(frozen=True)
class Settings:
    """The settings of one training, as `training` describes them; `batch_size` is the rows of one step."""

    objective: Objective
    optimizer: Optimizer
    schedule: Schedule
    epochs: int
    batch_size: int
    order: Order
    seed: int
    validation: Objective | None
    score: Callable[[Array], float] | None
    stopping: Stopping | None
    averaging: Averaging | MovingAverage | None
    recipe: Recipe
    time_limit: float | None
    callbacks: tuple[Callback, ...]
    on_steps: StepCallback | None
    checkpoint: Checkpoint | None

    def facts(self, state: TrainingState, engine: str) -> Fingerprint:
        """Return the fingerprint of the training from a state with an engine."""
        counted = reads_fraction(self.schedule) or isinstance(self.averaging, Averaging)
        return fingerprint(
            self.objective,
            self.validation,
            state,
            batch_size=self.batch_size,
            order=self.order,
            optimizer=self.optimizer,
            schedule=self.schedule,
            **({"epochs": self.epochs} if counted else {}),
            stopping=self.stopping,
            scored=self.score is not None,
            seed=self.seed,
            engine=engine,
            recipe=self.recipe,
            averaging=self.averaging,
        )


class EpochResult(NamedTuple):
    """The figures of one pass over the data.

    With `interrupted` the clock or a callback ended it before its last step. A message is the optimiser's, which ends
    the training, converged or not.
    """

    loss: float
    gradient_norm: float
    learning_rate: float | None
    rows: int
    interrupted: bool = False
    converged: bool = False
    message: str = ""
    figures: Mapping[str, float] = NO_FIGURES


class Loop:
    """The bookkeeping of one running training: clock, validation, stopping, history."""

    def __init__(
        self,
        settings: Settings,
        state: TrainingState,
        engine: Engine,
        validate: Callable[[NDArray[np.floating]], float] | None,
    ) -> None:
        self.settings, self.state, self.engine, self.validate = settings, state, engine, validate
        self.probe = StatisticsProbe(settings.objective)
        self.steady = steady(settings.schedule)
        self.told_to_stop = False
        self.fraction = 0.0
        self.history: list[Progress] = []
        self.position: EpochPosition | None = None
        self.started = perf_counter()
        self.writer = CheckpointWriter(settings.checkpoint, partial(settings.facts, state, engine.name))

    # ------------------------------------------------------------------------------------ the clock and the rates

    def seconds(self) -> float:
        """Return the seconds since the start of this training."""
        return perf_counter() - self.started

    def out_of_time(self) -> bool:
        """Return True where the time limit is reached."""
        return self.settings.time_limit is not None and self.seconds() >= self.settings.time_limit

    def moment(self, step: int = 0, fraction: float | None = None) -> Moment:
        """Return the moment `step` steps from now."""
        s = self.state
        return Moment(s.step + step, s.epoch, s.rows, s.plateaus, self.fraction if fraction is None else fraction)

    def rates(self, steps: range, before: float, share: float) -> list[float]:
        """Return the learning rates of some steps of an epoch: `before` it a fraction is done, each adds its share."""
        schedule = self.settings.schedule
        if self.steady:
            return [schedule(self.moment(0, before))] * len(steps)
        return [schedule(self.moment(k - steps.start, before + share * k)) for k in steps]

    # ------------------------------------------------------------------------------------ steps and epochs

    def prepare(self) -> None:
        """Give the optimiser its memory, and the average its start, where the state has none."""
        settings, state = self.settings, self.state
        fresh = settings.optimizer.init(settings.objective.network, state.theta)
        check_memory(state.memory or fresh, fresh, settings.optimizer)
        state.memory = state.memory or fresh
        (settings.averaging or Averaging()).begin(state)

    def begin_epoch(self, steps: int) -> EpochPosition:
        """Return the position that a checkpoint left, or the start of a new epoch."""
        if self.position is None:
            average = self.averaged_theta().copy() if self.settings.averaging else None
            self.position = EpochPosition(self.state.theta.copy(), average=average)
        self.probe.begin(self.position.good, steps)
        return self.position

    def report_steps(self, rates: Sequence[float], losses: Sequence[float]) -> None:
        """Hand the results of some steps to whoever watches them."""
        if self.settings.on_steps:
            answer = self.settings.on_steps(rates[: len(losses)], losses)
            self.told_to_stop = isinstance(answer, bool | np.bool_) and bool(answer)

    def finish_epoch(self, epoch: EpochResult) -> Progress:
        """Count the epoch, validate, note the best, and return its event."""
        state, settings = self.state, self.settings
        state.epoch += 1
        state.rows += epoch.rows
        if settings.averaging:
            settings.averaging.note(state, self.fraction)
        theta = self.averaged_theta()
        event = Progress(
            epoch=state.epoch,
            step=state.step,
            loss=epoch.loss,
            validation_loss=None if self.validate is None else self.validate(theta),
            validation_score=None if settings.score is None else float(settings.score(theta)),
            learning_rate=epoch.learning_rate,
            gradient_norm=epoch.gradient_norm,
            seconds=self.seconds(),
            theta=state.theta,
            restart=state.restart,
            figures={**self._numbers(), **epoch.figures},
            look=self.probe,
        )
        self.probe.end(state.theta)
        if settings.stopping:
            self._note_best(event, settings.stopping)
        return event

    def _numbers(self) -> Mapping[str, float]:
        """Return the numbers that the optimiser remembers; those of an update rule say nothing of the training."""
        memory = self.state.memory
        return NO_FIGURES if memory is None or self.settings.optimizer.elementwise else memory.numbers

    def _note_best(self, event: Progress, stopping: Stopping) -> None:
        """Compare the monitored value with the best so far; NaN counts as no improvement."""
        state = self.state
        value = getattr(event, stopping.monitor)
        gain = nan if value is None else float(value) * (1 if stopping.monitor == "validation_score" else -1)
        best = -float("inf") if state.best is None else state.best
        state.no_change = 0 if gain - best >= stopping.min_change else state.no_change + 1
        if gain > best:
            state.best, state.best_epoch = gain, state.epoch
            if stopping.keep_best:
                state.best_theta = self.averaged_theta().copy()

    def averaged_theta(self) -> NDArray[np.floating]:
        """Return the θ that is validated and is the result: the average, where there is one."""
        averaging = self.settings.averaging
        return averaging.read(self.state) if averaging else self.state.theta

    # ------------------------------------------------------------------------------------ the end

    def reason_to_stop(self, stopped: bool) -> Reason | None:
        """Return why the training stops after an epoch, or None; `stopped` is the wish of a callback."""
        stopping, state = self.settings.stopping, self.state
        if stopped or self.told_to_stop:
            return "callback"
        if stopping and state.no_change > stopping.patience:
            if self.settings.schedule.exhausted(self.moment()):
                return "no change"
            state.plateaus += 1
            state.no_change = 0
        return "time" if self.out_of_time() else None

    def diverged(self, position: EpochPosition, learning_rate: float | None, cause: str = "") -> DivergenceError:
        """Put the last good weights back, forget the optimiser's memory, and return the error that says why.

        `cause` is known where the optimiser is at fault.
        """
        state, settings = self.state, self.settings
        state.theta[:] = position.good
        state.memory = None
        if state.averaged == 0:
            state.average = None
        cause = cause or likely_cause(settings.objective, learning_rate, usual_rate(settings.optimizer))
        return DivergenceError(state.step, state.epoch, cause, state, self.history, position.average)

    def result(self, reason: Reason, message: str) -> Result:
        """Return the Result, with the best weights where the stopping rule keeps them."""
        stopping = self.settings.stopping
        best = self.state.best_theta if stopping and stopping.keep_best else None
        theta = self.averaged_theta() if best is None else best
        return Result(theta.copy(), reason, self.history, self.state, message)

    # ------------------------------------------------------------------------------------ the checkpoint

    def resume(self) -> Result | None:
        """Go on from the checkpoint, where there is one; return the Result of a training that is over."""
        epochs = self.settings.epochs
        saved = self.writer.read(epochs)
        if saved is None:
            self.write_checkpoint()
            return None
        state = self.state
        state.theta[:] = saved.state.theta
        vars(state).update({**vars(saved.state), "theta": state.theta})
        self.history[:] = with_live_theta(saved.history, state.theta)
        self.position, self.started = saved.position, perf_counter() - saved.seconds
        done = len(self.history)
        self.fraction = done / epochs
        reason = None if saved.reason == "epochs" and epochs > done else saved.reason
        if done and self.position is None and self.out_of_time():
            reason = reason or "time"
        return self.result(reason, saved.message) if reason else None

    def write_checkpoint(self, reason: Reason | None = None, message: str = "") -> None:
        """Write the training as it stands, over or not."""
        self.writer.write(SavedTraining(self.state, self.history, self.position, self.seconds(), reason, message))

    def after_steps(self) -> None:
        """Write a checkpoint where one is due by the steps or the seconds."""
        if self.writer.due_after_step(self.state.step):
            self.write_checkpoint()

    def after_epoch(self) -> None:
        """Write a checkpoint where one is due by the epochs."""
        if self.writer.due_after_epoch(len(self.history)):
            self.write_checkpoint()

    def write_end(self, reason: Reason, message: str) -> None:
        """Keep the end; a training stopped by Ctrl-C or the clock is kept as one to go on with."""
        if reason not in ("interrupted", "time"):
            self.write_checkpoint(reason, message)
        elif reason == "time" and self.position is None:
            self.write_checkpoint()
