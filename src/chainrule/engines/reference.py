"""The reference engine: executes the definitions on NumPy. It is what every faster engine must equal."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array
from ..mathematics import curvature, fisher
from ..mathematics.blocks import PREDICTING, Context
from ..mathematics.gauss_newton import Quadratic, Root, gauss_newton
from ..mathematics.objective import Objective
from ..optimizers import VERBS, Memory, Optimizer, Verbs
from ..steps.recipe import DEFAULT_RECIPE, Recipe, follow
from .job import Job
from .stepping import LastAsked, Steps, drawn_rows, take_steps

PIECE = 1 << 15
"""Entries of θ that an update rule is applied to at a time: its temporaries then stay in the cache."""


class Definitions:
    """The verbs on the rows of an objective, as the definitions have them; `context` is that of the step."""

    def __init__(self, objective: Objective, context: Context = PREDICTING) -> None:
        self.objective, self.context = objective, context
        self.measured: dict[str, Array] = {}

    def forward(self, theta: Array, X: Array | None = None) -> Array:
        """Return the raw scores (n, o) of the rows, or of others."""
        return self.objective.network.forward(theta, self.objective.X if X is None else X)

    def value(self, theta: Array) -> float:
        """Return J(θ)."""
        return float(self.objective.value(theta))

    def value_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """Return J(θ) and dJ/dθ; the parameters that are measured become what this pass has found."""
        value, gradient, self.measured = self.objective.passes(theta, self.context)
        return float(value), gradient

    def gauss_newton_product(self, theta: Array, v: Array) -> Array:
        """Return (Jᵀ L'' J) v."""
        return self.objective.gauss_newton_product(theta, v)

    def hessian_product(self, theta: Array, v: Array) -> Array:
        """Return (d²J/dθ²) v."""
        return self.objective.hessian_product(theta, v)

    def gauss_newton(self, theta: Array) -> Quadratic | Root:
        """Return J(θ), dJ/dθ and the Gauss-Newton matrix."""
        return gauss_newton(self.objective, theta)

    def jacobian(self, theta: Array) -> Array:
        """Return dscores/dθ, (n, o, P)."""
        return curvature.jacobian(self.objective.network, theta, self.objective.X)

    def pull(self, theta: Array, dscores: Array) -> Array:
        """Return (dscores/dθ)ᵀ dscores: a derivative in the scores (n, o), pulled back to θ."""
        return curvature.pull(self.objective.network, theta, self.objective.X, dscores)

    def factors(self, theta: Array) -> list[fisher.Factors]:
        """Return the Kronecker factors of the Gauss-Newton matrix of every Dense block."""
        return fisher.factors(self.objective, theta)

    def squares(self, theta: Array) -> Array:
        """Return the mean of the rows' squared gradients, (P,)."""
        return fisher.squares(self.objective, theta)

    def part(self, share: float, draw: int) -> Definitions:
        """Return the verbs on a share of the rows, at least one: those of this draw, in their own order."""
        rows = drawn_rows(self.objective.rows, share, self.context.seed, draw)
        return Definitions(self.objective.batch(rows), self.context)


class ReferenceEngine(Definitions):
    """Runs update steps of one objective with one optimiser; its verbs are those on all rows.

    `decay` is that of a moving average, which `run` moves after every step.
    """

    name: ClassVar[str] = "reference"
    verbs: ClassVar[frozenset[str]] = frozenset(VERBS)

    def __init__(
        self,
        objective: Objective,
        optimizer: Optimizer | None = None,
        seed: int = 0,
        recipe: Recipe = DEFAULT_RECIPE,
        decay: float | None = None,
    ) -> None:
        super().__init__(objective, Context(seed=seed))
        self.optimizer, self.seed, self.recipe, self.decay = optimizer, seed, recipe, decay
        self._all_rows: Verbs = LastAsked(self)

    @classmethod
    def obstacle(cls, job: Job) -> str | None:
        """Return None: the definitions run whatever there is."""
        return None

    def on(self, rows: NDArray[np.intp] | None, step: int) -> Definitions:
        """Return the verbs on some of the rows, or on all, in a step of the training."""
        batch = self.objective if rows is None else self.objective.batch(rows)
        return Definitions(batch, Context(True, self.seed, step))

    def run(
        self,
        theta: NDArray[np.floating],
        memory: Memory,
        order: NDArray[np.intp] | None,
        batch_size: int,
        learning_rates: Sequence[float],
        first_step: int = 0,
        average: NDArray[np.floating] | None = None,
    ) -> Steps:
        """Take one step per learning rate, in place in θ, the memory and the moving average.

        `order` (k,) holds the row numbers, `batch_size` of them to a step, the last batch ragged; None takes all
        rows in every step. Stops before the update of a batch whose loss is not finite, that loss reported last.
        """
        optimizer = self.optimizer
        assert optimizer is not None
        if optimizer.elementwise:
            return self._update(theta, memory, order, batch_size, learning_rates, first_step, average)

        def verbs(k: int) -> Verbs:
            if optimizer.whole_batch:
                return self._all_rows
            rows = None if order is None else order[k * batch_size : (k + 1) * batch_size]
            return self.on(rows, first_step + k)

        return take_steps(optimizer, verbs, theta, memory, learning_rates, average, self.decay)

    def _update(
        self,
        theta: NDArray[np.floating],
        memory: Memory,
        order: NDArray[np.intp] | None,
        batch_size: int,
        learning_rates: Sequence[float],
        first_step: int,
        average: NDArray[np.floating] | None,
    ) -> Steps:
        """Run an update rule: the recipe's part of each step around the rule's own."""
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
            apply(self.optimizer, theta, recipe.clipped(network, gradient), memory, learning_rate, factors)
            recipe.constrain(batch, theta, learning_rate)
            if measured:
                network.write_statistics(theta, measured)
            if average is not None and self.decay is not None:
                follow(average, theta, self.decay, memory.t)
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
            part = batch.without_penalties().batch(slice(start, start + size))
            loss, slope, found = part.passes(theta, context._replace(first_row=start))
            share = theta.dtype.type(part.total / (batch.total + (batch.total == 0)))
            value, gradient, measured = value + share * loss, gradient + share * slope, measured | found
            batch.network.write_statistics(theta, found)
        return value, gradient, measured


def apply(
    rule: Any,
    theta: NDArray[np.floating],
    gradient: Array,
    memory: Memory,
    learning_rate: float,
    factors: NDArray[np.floating] | float = 1.0,
) -> None:
    """Apply an update rule in place, piece by piece: rules work entry by entry, so the pieces do not matter.

    The learning rate of an entry is that of the step times its factor.
    """
    after = memory
    for start in range(0, max(theta.size, 1), PIECE):
        piece = slice(start, start + PIECE)
        before = Memory(memory.t, {name: array[piece] for name, array in memory.arrays.items()}, memory.numbers)
        rate: Any = learning_rate if isinstance(factors, float) else learning_rate * factors[piece]
        theta[piece], after = rule.update(theta[piece], gradient[piece], before, rate)
        for name, array in memory.arrays.items():
            array[piece] = after.arrays[name]
    memory.t, memory.numbers = after.t, after.numbers
