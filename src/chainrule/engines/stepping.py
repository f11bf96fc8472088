"""Steps as the contract of optimisers has them: `step`, with an engine's verbs on the rows of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, isfinite, nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array
from ..foundation.randomness import Stream
from ..foundation.words import quoted
from ..optimizers import NO_FIGURES, Memory, Optimizer, StepReport, Verbs
from ..steps.recipe import follow


class Steps(NamedTuple):
    """A run of steps: the loss of each (see StepReport), the last gradient's norm, and why the optimiser ended.

    The norm is NaN where the last loss is not finite; `message` is "" unless the optimiser ends the training, or is at
    fault for such a loss. `figures` are those of the last report.
    """

    losses: list[float]
    gradient_norm: float
    converged: bool = False
    message: str = ""
    figures: Mapping[str, float] = NO_FIGURES


def take_steps(
    optimizer: Optimizer,
    verbs_of: Callable[[int], Verbs],
    theta: NDArray[np.floating],
    memory: Memory,
    learning_rates: Sequence[float],
    average: NDArray[np.floating] | None,
    decay: float | None,
) -> Steps:
    """Take one step per learning rate, in place in θ, the memory and the average; `verbs_of` gives those of a step.

    Stops before a step whose loss is not finite, that loss reported last, and after one that ends the training.
    """
    losses, norm, figures = list[float](), 0.0, NO_FIGURES
    for k, rate in enumerate(learning_rates):
        moved, after, report = _checked(optimizer, optimizer.step(verbs_of(k), theta, memory, rate), theta)
        losses.append(float(report.loss))
        if not isfinite(losses[-1]):
            return Steps(losses, nan)
        if not np.isfinite(moved).all():
            cause = f"{type(optimizer).__name__}.step returned NaN or infinity in θ for a finite loss"
            return Steps([*losses[:-1], nan], nan, message=cause)
        theta[:] = moved
        memory.become(after)
        norm, figures = float(report.gradient_norm), report.figures
        if average is not None and decay is not None:
            follow(average, theta, decay, memory.t)
        if report.message:
            return Steps(losses, norm, report.converged, report.message, figures)
    return Steps(losses, norm, figures=figures)


def _checked(optimizer: Optimizer, answer: Any, theta: NDArray[np.floating]) -> tuple[Array, Memory, StepReport]:
    """Return the three things that `step` returned; ValueError, one line, where they break the contract."""
    name = f"{type(optimizer).__name__}.step"
    if not isinstance(answer, tuple) or len(answer) != 3:
        raise ValueError(f"{name} must return a tuple (theta, memory, report), got {quoted(answer)}")
    moved, memory, report = answer
    if np.shape(moved) != theta.shape:
        raise ValueError(f"{name} must return θ of the shape {theta.shape}, got {np.shape(moved)}")
    for what, value, kind in (("memory", memory, Memory), ("report", report, StepReport)):
        if not isinstance(value, kind):
            raise ValueError(f"{name} must return its {what} as a {kind.__name__}, got {quoted(value)}")
    return answer


class LastAsked:
    """Verbs on all rows that answer at once when they are asked for the value and gradient of the last θ again.

    A step of a whole-batch method ends where the next one begins.
    """

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._theta: Array | None = None
        self._answer: tuple[float, Array] = (nan, np.zeros(0))
        self.forward, self.value, self.pull, self.jacobian = verbs.forward, verbs.value, verbs.pull, verbs.jacobian
        self.hessian_product, self.gauss_newton_product = verbs.hessian_product, verbs.gauss_newton_product
        self.gauss_newton = verbs.gauss_newton
        self.factors, self.squares, self.part = verbs.factors, verbs.squares, verbs.part

    def value_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """Return J(θ) and dJ/dθ."""
        if self._theta is None or not np.array_equal(theta, self._theta):
            self._answer = self._verbs.value_and_gradient(theta)
            self._theta = np.array(theta)
        return self._answer


def steps_of(rows: int, batch_size: int) -> int:
    """Return the number of steps of one pass over the rows."""
    return ceil(rows / batch_size)


def drawn_rows(rows: int, share: float, seed: int, draw: int) -> NDArray[np.intp]:
    """Return the numbers of a share of the rows, at least one, in their order: those of one draw of a seed."""
    order = Stream(seed, "curvature", draw).permutation(rows)
    return np.sort(order[: max(1, round(share * rows))])
