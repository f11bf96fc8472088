"""The reference engine: executes the definitions on NumPy. It is what every faster engine must equal."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isfinite, nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array
from ..mathematics.blocks import Context
from ..mathematics.objective import Objective
from ..optimizers import Memory, UpdateRule
from ..steps.recipe import DEFAULT_RECIPE, Recipe, follow

PIECE = 1 << 15
"""Entries of θ that an update rule is applied to at a time: its temporaries then stay in the cache."""


class Steps(NamedTuple):
    """What a run of steps reports: the loss of each batch before its update, and the last gradient's norm.

    The norm is NaN where the last loss is not finite.
    """

    losses: list[float]
    gradient_norm: float


class ReferenceEngine:
    """Runs update steps of one objective with one rule."""

    name = "reference"

    def __init__(
        self, objective: Objective, rule: UpdateRule | None, seed: int = 0, recipe: Recipe = DEFAULT_RECIPE
    ) -> None:
        self.objective, self.rule, self.seed, self.recipe = objective, rule, seed, recipe

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
        rows in every step. Stops before the update of a batch whose loss is not finite, that loss reported last.
        """
        assert self.rule is not None
        network, recipe, losses = self.objective.network, self.recipe, list[float]()
        gradient: Array = np.zeros(1)
        factors = recipe.factors(network, theta.dtype)
        for k, learning_rate in enumerate(learning_rates):
            rows = None if order is None else order[k * batch_size : (k + 1) * batch_size]
            batch = self.objective if rows is None else self.objective.batch(rows)
            batch = recipe.changed(batch, self.seed, first_step + k)
            context = Context(True, self.seed, first_step + k)
            loss, gradient, measured = self._passes(batch, theta, context, -(-batch_size // recipe.accumulate))
            losses.append(float(loss))
            if not isfinite(losses[-1]):
                return Steps(losses, nan)
            apply(self.rule, theta, recipe.clipped(network, gradient), state, learning_rate, factors)
            recipe.constrain(batch, theta, learning_rate)
            if measured:
                network.write_statistics(theta, measured)
            if recipe.average is not None:
                follow(state["average"], theta, recipe.average, state["t"])
        return Steps(losses, float(np.linalg.norm(gradient)))

    def _passes(
        self, batch: Objective, theta: NDArray[np.floating], context: Context, size: int
    ) -> tuple[Array, Array, dict[str, Array]]:
        """Return J, its gradient and what is measured, of a batch taken in parts of at most `size` rows."""
        if self.recipe.accumulate == 1 or batch.rows <= size:
            return batch.passes(theta, context)
        theta, measured = theta.copy(), dict[str, Array]()
        value, gradient = batch.penalty_and_gradient(theta)
        for start in range(0, batch.rows, size):
            part = batch.bare().batch(slice(start, start + size))
            loss, slope, found = part.passes(theta, context._replace(first_row=start))
            share = theta.dtype.type(part.total / (batch.total + (batch.total == 0)))
            value, gradient, measured = value + share * loss, gradient + share * slope, measured | found
            batch.network.write_statistics(theta, found)
        return value, gradient, measured

    def value(self, theta: NDArray[np.floating]) -> float:
        """Return J(θ) on all rows."""
        return float(self.objective.value(theta))


def apply(
    rule: UpdateRule,
    theta: NDArray[np.floating],
    gradient: Array,
    state: Memory,
    learning_rate: float,
    factors: NDArray[np.floating] | float = 1.0,
) -> None:
    """Apply an update rule in place, piece by piece: rules work entry by entry, so the pieces do not matter.

    The learning rate of an entry is that of the step times its factor.
    """
    arrays = [name for name, value in state.items() if isinstance(value, np.ndarray) and name != "average"]
    after = state
    for start in range(0, max(theta.size, 1), PIECE):
        piece = slice(start, start + PIECE)
        before = {**state, **{name: state[name][piece] for name in arrays}}
        rate: Any = learning_rate if isinstance(factors, float) else learning_rate * factors[piece]
        theta[piece], after = rule.update(theta[piece], gradient[piece], before, rate)
        for name in arrays:
            state[name][piece] = after[name]
    state["t"] = after["t"]


def steps_of(rows: int, batch_size: int) -> int:
    """Return how many steps one pass over the rows takes."""
    return ceil(rows / batch_size)
