"""Averages of θ over a training: often a better model than the last θ, whose last steps are noise.

    swa:  θ̄ = mean of θ at the end of the last epochs        ema:  θ̄ ← θ̄ + max(1 - d, 1/t)(θ - θ̄) after step t

An `Averaging` says which; the training loop keeps θ̄ in its state, validates with it, and returns it. θ itself is
trained as if nobody averaged.

Source: Polyak and Juditsky 1992; Izmailov et al. 2018, "Averaging weights leads to wider optima" (swa).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..foundation import values


class State(Protocol):
    """The part of a TrainingState that an average reads and writes."""

    theta: NDArray[np.floating]
    average: NDArray[np.floating] | None
    averaged: int


@dataclass(frozen=True)
class Averaging:
    """Stochastic weight averaging: θ̄ is the mean of θ after every epoch that ends at `start` of the training or later.

    `start` is a fraction of the epochs asked for: 0.75 averages over the last quarter, 1 takes the last epoch only.
    Before it, and in a training that stops before it, there is no average: θ itself counts.

    >>> from chainrule import TrainingState
    >>> state = TrainingState(np.array([1.0]))
    >>> for fraction, theta in ((0.5, 1.0), (0.75, 2.0), (1.0, 4.0)):
    ...     state.theta[:] = theta
    ...     Averaging(start=0.75).note(state, fraction)
    >>> Averaging().read(state)
    array([3.])
    """

    start: float = 0.75
    decay: ClassVar[float | None] = None

    def __post_init__(self) -> None:
        values.check(self, {"start": values.PROPORTION})

    def begin(self, state: State) -> None:
        """Forget a moving average that an earlier training kept; there is no mean before `start`."""
        if state.averaged == 0:
            state.average = None

    def note(self, state: State, fraction: float) -> None:
        """Count θ at the end of an epoch in: θ̄ ← θ̄ + (θ - θ̄) / k, with k the number of epochs counted."""
        if fraction < self.start:
            return
        state.averaged += 1
        if state.average is None:
            state.average = state.theta.copy()
        else:
            state.average += (state.theta - state.average) / state.averaged

    def read(self, state: State) -> NDArray[np.floating]:
        """Return θ̄, or θ where nothing is averaged yet; both are live."""
        return state.theta if state.average is None else state.average


@dataclass(frozen=True)
class MovingAverage:
    """Exponential moving average: θ̄ follows θ after every step, in the first ones as their mean.

    With decay d, θ̄ looks back over about 1 / (1 - d) steps. The engine moves it (see `recipe.follow`).
    """

    decay: float = 0.99

    def __post_init__(self) -> None:
        values.check(self, {"decay": values.SHARE})

    def begin(self, state: State) -> None:
        """Begin with θ̄ = θ, unless a training goes on that has a moving average."""
        if state.average is None or state.averaged:
            state.average, state.averaged = state.theta.copy(), 0

    def note(self, state: State, fraction: float) -> None:
        """Do nothing: the steps have done it."""

    def read(self, state: State) -> NDArray[np.floating]:
        """Return θ̄, or θ where no step was made yet; both are live."""
        return state.theta if state.average is None else state.average


AVERAGES: Mapping[str, type[Averaging | MovingAverage]] = MappingProxyType({"swa": Averaging, "ema": MovingAverage})
"""The names that the estimators accept."""
