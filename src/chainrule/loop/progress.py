"""The records of the training loop: events, the stopping rule, the state to go on from, the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..inspection.statistics import BlockStatistics, block_statistics, update_ratio
from ..mathematics.objective import Objective
from ..optimizers import Memory

Monitor = Literal["loss", "validation_loss", "validation_score"]
Reason = Literal["epochs", "converged", "no change", "time", "interrupted", "callback", "gave up", "diverged"]


class StatisticsProbe:
    """Computes the figures of each block for an epoch, when they are asked for.

    `before` is θ at the beginning of the epoch, `steps` the steps since; `first` is the update ratio of all of θ in
    the first epoch, which says how fast the training set out.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective, self.steps = objective, 1
        self.before: NDArray[np.floating] | None = None
        self.first: float | None = None

    def begin(self, before: NDArray[np.floating], steps: int) -> None:
        """Note where an epoch begins; `before` is kept as it is, so it must be a copy."""
        self.before, self.steps = before, steps

    def end(self, theta: NDArray[np.floating]) -> None:
        """Note the first epoch's update ratio."""
        if self.first is None and self.before is not None:
            self.first = update_ratio(theta, self.before, self.steps)

    def statistics(self, theta: NDArray[np.floating]) -> tuple[BlockStatistics, ...]:
        """Return the figures at θ."""
        return block_statistics(self.objective, theta, before=self.before, steps=self.steps)


@dataclass(frozen=True)
class Progress:
    """One epoch of training, just finished. `theta` (P,) is live: copy it to keep it.

    `loss` is the mean over the epoch's batches, each taken before its own update; `gradient_norm` is that of the
    last batch; `learning_rate` that of the last step, None where the optimiser finds its own. `seconds` count from
    the start of this training. `restart` says which of several starts (n_restarts) it is, from 0. `figures` are what
    an optimiser that finds its own steps says of the last one, by name: its damping, the curvature along the step.
    """

    epoch: int
    step: int
    loss: float
    validation_loss: float | None
    validation_score: float | None
    learning_rate: float | None
    gradient_norm: float
    seconds: float
    theta: NDArray[np.floating] = field(repr=False)
    restart: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    look: StatisticsProbe | None = field(default=None, repr=False, compare=False)

    @cached_property
    def statistics(self) -> tuple[BlockStatistics, ...]:
        """The figures of each block, computed from the live θ when first read: read them before the next epoch.

        Empty for an event that was unpickled before anyone had read them.
        """
        return () if self.look is None else self.look.statistics(self.theta)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "look": None}  # which knows the data


@dataclass(frozen=True)
class Stopping:
    """Stop when `monitor` has not improved by `min_change` for more than `patience` epochs in a row.

    With `keep_best` the weights of the best epoch are the result: early stopping. A "validation_score" is better
    when higher, a loss when lower.
    """

    monitor: Monitor = "loss"
    min_change: float = 1e-4
    patience: float = 10
    keep_best: bool = False

    def __post_init__(self) -> None:
        if self.monitor not in get_args(Monitor):
            raise ValueError(
                f"Stopping monitor {self.monitor!r} is not known; accepted: {', '.join(get_args(Monitor))}"
            )


@dataclass
class TrainingState:
    """Everything a training needs to go on where it stopped; counts run over all calls.

    `average` is the average of θ: the mean over the `averaged` epochs that stochastic weight averaging has counted, or,
    where that is 0, a moving average.
    """

    theta: NDArray[np.floating]
    memory: Memory | None = None
    epoch: int = 0
    step: int = 0
    rows: int = 0
    plateaus: int = 0
    no_change: int = 0
    best: float | None = None
    best_epoch: int = 0
    best_theta: NDArray[np.floating] | None = None
    restart: int = 0
    average: NDArray[np.floating] | None = None
    averaged: int = 0


@dataclass(frozen=True)
class Result:
    """The end of a training: θ, the reason, the events (their θ is the live one, so the last), the last state."""

    theta: NDArray[np.floating]
    reason: Reason
    history: list[Progress]
    state: TrainingState
    message: str = ""


class DivergenceError(ValueError):
    """The loss is no longer finite: at `step`, from a likely `cause`.

    `theta` holds the last good weights, or their average where one was kept; `history` the events until then.
    """

    def __init__(
        self,
        step: int,
        epoch: int,
        cause: str,
        state: TrainingState,
        history: Sequence[Progress] = (),
        average: NDArray[np.floating] | None = None,
    ) -> None:
        super().__init__(f"training diverged at step {step} (epoch {epoch + 1}): {cause}")
        self.step, self.epoch, self.cause, self.state = step, epoch, cause, state
        self.theta, self.history = state.theta if average is None else average, list(history)
