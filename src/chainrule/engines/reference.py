"""The reference engine: executes the definitions on NumPy. It is what every faster engine must equal."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..averaging import moved
from ..blocks import Context
from ..objective import Objective
from ..optimizers import Memory, UpdateRule

PIECE = 1 << 15
"""Entries of θ that an update rule is applied to at a time: its temporaries then stay in the cache."""


class Steps(NamedTuple):
    """What a run of steps reports: the loss of each batch before its update, and the last gradient's norm."""

    losses: list[float]
    gradient_norm: float


class ReferenceEngine:
    """Runs update steps of one objective with one rule."""

    name = "reference"

    def __init__(
        self, objective: Objective, rule: UpdateRule | None, seed: int = 0, average_decay: float | None = None
    ) -> None:
        self.objective = objective
        self.rule = rule
        self.seed = seed
        self.average_decay = average_decay

    def run(
        self,
        theta: NDArray[np.floating],
        state: Memory,
        order: NDArray[np.intp] | None,
        batch_size: int,
        learning_rates: Sequence[float],
        first_step: int = 0,
    ) -> Steps:
        """Make one update per learning rate, in place in θ and its memory.

        `order` (k,) holds the row numbers, `batch_size` of them to a step, the last batch ragged; None takes all
        rows in every step. With `average_decay` the memory's "average" (P,) follows θ after every update. Stops
        before the update of a batch whose loss is not finite, that loss reported last.
        """
        losses: list[float] = []
        gradient: Array = np.zeros(1)
        for k, learning_rate in enumerate(learning_rates):
            rows = None if order is None else order[k * batch_size : (k + 1) * batch_size]
            batch = self.objective if rows is None else self.objective.batch(rows)
            context = Context(True, self.seed, first_step + k)
            loss, gradient = batch.value_and_gradient(theta, context)
            losses.append(float(loss))
            if not isfinite(losses[-1]):
                break
            assert self.rule is not None
            apply(self.rule, theta, gradient, state, learning_rate)
            if self.average_decay is not None:
                state["average"][:] = moved(state["average"], theta, self.average_decay)
        return Steps(losses, float(np.linalg.norm(gradient)))

    def value(self, theta: NDArray[np.floating]) -> float:
        """Return J(θ) on all rows."""
        return float(self.objective.value(theta))


def apply(rule: UpdateRule, theta: NDArray[np.floating], gradient: Array, state: Memory, learning_rate: float) -> None:
    """Apply an update rule in place, piece by piece: rules work entry by entry, so the pieces do not matter."""
    arrays = [name for name, value in state.items() if isinstance(value, np.ndarray) and name != "average"]
    after = state
    for start in range(0, max(theta.size, 1), PIECE):
        piece = slice(start, start + PIECE)
        before = {**state, **{name: state[name][piece] for name in arrays}}
        theta[piece], after = rule.update(theta[piece], gradient[piece], before, learning_rate)
        for name in arrays:
            state[name][piece] = after[name]
    state["t"] = after["t"]


def steps_of(rows: int, batch_size: int) -> int:
    """Return how many steps one pass over the rows takes."""
    return ceil(rows / batch_size)
