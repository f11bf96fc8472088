"""The learning-rate range test: one short training whose rate rises from far too low to far too high.

Shapes: k steps that were done, P parameters.

Source: Smith 2017, section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, inf, isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engines import steps_of
from ..mathematics.objective import Objective
from ..optimizers import Adam, Optimizer
from ..steps.recipe import DEFAULT_RECIPE, Recipe
from ..steps.schedules import Exponential
from .progress import DivergenceError
from .training import train

WINDOW = 0.03
"""Share of the steps on either side of one over which its loss is averaged: no lag, and a quarter of a decade wide."""

BLOWN_UP = 4.0
"""The test ends where the averaged loss exceeds its best by this factor."""

BELOW = 10.0
"""The suggestion is the rate of the lowest loss divided by this."""


@dataclass(frozen=True)
class RangeTest:
    """The figures of a range test, each (k,): the rate η of a step, its batch's loss before the update, that smoothed.

    A smoothed loss is the mean of the losses of the steps around it, as many before as after.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]

    @property
    def lowest(self) -> int:
        """The step of the lowest smoothed loss."""
        return int(np.argmin(self.smoothed))

    @property
    def rose(self) -> bool:
        """True where the loss rose again. Where it did not, the highest rate was not high enough to tell."""
        return self.lowest < len(self.rates) - 1

    @property
    def suggestion(self) -> float | None:
        """A tenth of the rate at the lowest smoothed loss; None where the loss never fell.

        The loss turns where the fastest direction becomes unstable (η = 2 / the largest eigenvalue of the Hessian, for
        gradient descent on a quadratic): a tenth of it is safe in every direction. The place of a minimum is steady
        under the noise of batches, while the steepest fall is a difference of neighbours and jumps about.
        """
        return float(self.rates[self.lowest]) / BELOW if self.lowest > 0 else None


def smoothed(losses: Sequence[float], window: int) -> NDArray[np.float64]:
    """Return the mean of the losses (k,) within `window` steps of each; fewer at the ends.

    >>> smoothed([1.0, 2.0, 6.0, 4.0], 1)
    array([1.5, 3. , 4. , 5. ])
    """
    padded = np.pad(np.asarray(losses, np.float64), window, constant_values=np.nan)
    return np.asarray(np.nanmean(np.lib.stride_tricks.sliding_window_view(padded, 2 * window + 1), axis=1))


@dataclass
class _Watch:
    """Collects rates and losses while they come, until there are enough of them or they blow up."""

    steps: int
    window: int
    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    best: float = inf

    def __call__(self, rates: Sequence[float], losses: Sequence[float]) -> bool:
        """Take what a slice of steps gave; return whether the test is over."""
        for rate, loss in zip(rates, losses, strict=True):
            if len(self.losses) == self.steps or not isfinite(loss):
                return True
            self.rates.append(rate)
            self.losses.append(loss)
            mean = float(np.mean(self.losses[-1 - self.window :]))
            self.best = min(self.best, mean)
            if mean - self.best > (BLOWN_UP - 1) * abs(self.best):
                self.steps = len(self.losses)
        return len(self.losses) == self.steps


def range_test(
    objective: Objective,
    theta: NDArray[np.floating],
    *,
    optimizer: Optimizer | None = None,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    batch_size: int | None = None,
    seed: int = 0,
    recipe: Recipe = DEFAULT_RECIPE,
    engine: str = "auto",
    n_threads: int | None = None,
) -> RangeTest:
    """Train θ for some steps, the learning rate rising evenly in its logarithm, and return how the loss followed.

    η of step s = 0, 1, ... is low (high / low)^(s / (steps - 1)). The test ends after `steps`, or where the loss, as
    averaged over the last few steps, exceeds its best four times or is not finite. θ is not changed.

    Args:
        objective: what is to be minimised.
        theta: the starting point (P,).
        optimizer: an update rule (default Adam).
        low, high: the first and the last rate.
        steps: how many steps, 10 at least; they go through the rows as often as it takes.
        batch_size, seed, recipe, engine, n_threads: as for `training`.

    Raises:
        ValueError: an argument that is out of range, naming it; an optimiser without a learning rate to find.
        DivergenceError: the loss is not finite at the lowest rate.

    >>> import chainrule as cr
    >>> X = np.random.default_rng(0).normal(size=(64, 3))
    >>> objective = cr.Objective(cr.Network(3, [cr.Dense(1)]), cr.losses.SquaredError(), X, X.sum(axis=1))
    >>> found = range_test(objective, objective.network.initialize(0), optimizer=cr.optimizers.SGD())
    >>> 0.05 < found.suggestion < 0.5
    True
    """
    optimizer = Adam() if optimizer is None else optimizer
    _check(optimizer, low, high, steps)
    watch = _Watch(steps, max(1, round(WINDOW * steps)))
    settings: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "recipe": recipe}
    settings |= {"engine": engine, "n_threads": n_threads}
    settings["epochs"] = ceil(steps / _steps_of_epoch(objective.rows, batch_size, recipe.accumulate))
    schedule = Exponential(float(low), (high / low) ** (1 / (steps - 1)), unit="step")
    try:
        train(objective, theta, optimizer=optimizer, schedule=schedule, on_steps=watch, **settings)
    except DivergenceError:
        if not watch.losses:
            raise
    return RangeTest(np.array(watch.rates), np.array(watch.losses), smoothed(watch.losses, watch.window))


def _steps_of_epoch(rows: int, batch_size: Any, batches: int) -> int:
    """Return the number of steps of a pass; 1 for sizes that `training` will refuse."""
    sensible = isinstance(batch_size, Integral) and 0 < int(batch_size) <= rows
    return steps_of(rows, int(batch_size) * batches) if sensible else 1


def _check(optimizer: Any, low: Any, high: Any, steps: Any) -> None:
    """Raise ValueError, naming the argument, for a test that cannot be made."""
    if not (isinstance(optimizer, Optimizer) and optimizer.scheduled):
        name = type(optimizer).__name__
        raise ValueError(f"a range test needs an optimizer that follows a learning rate, such as Adam; {name} does not")
    for name, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not (isinstance(value, Real) and 0 < float(value) < inf):
            raise ValueError(f"{name} must be a positive finite number, got {value!r}")
    if not low < high:
        raise ValueError(f"low must be below high, got low={low!r}, high={high!r}")
    if isinstance(steps, bool) or not (isinstance(steps, Integral) and int(steps) >= 10):
        raise ValueError(f"steps must be a whole number of at least 10, got {steps!r}")
