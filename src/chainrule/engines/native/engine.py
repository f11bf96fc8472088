"""The native engine: training steps of an objective in the compiled core, which equals the definitions.

The core knows the networks that `lowering` lowers, every activation and loss of the tables, L1 and L2, and every
first-order rule (`plans`). `obstacles` says what stands in the way of anything else; the reference engine then runs
instead. The same seed, data and settings give the same bits for any number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...foundation.arrays import Array
from ...mathematics.fisher import Factors
from ...mathematics.gauss_newton import Quadratic, Root, gauss_newton
from ...mathematics.objective import Objective
from ...optimizers import Memory, Optimizer, Verbs
from ...steps.augmentation.mixup import mixup_share
from ...steps.recipe import DEFAULT_RECIPE, Recipe
from ..job import Job
from ..stepping import LastAsked, Steps, take_steps
from .core import _core, threads
from .inputs import Inputs, plain
from .obstacles import VERBS, obstacle
from .plans import step_plan
from .predicting import scores

VALUED = 512
"""Rows that a value needs room for at a time: at prediction no row depends on another."""


class NativeEngine:
    """Runs update steps of one objective in the compiled core; see ReferenceEngine for the contract."""

    name: ClassVar[str] = "native"
    verbs: ClassVar[frozenset[str]] = VERBS

    def __init__(
        self,
        objective: Objective,
        optimizer: Optimizer | None = None,
        seed: int = 0,
        n_threads: int | None = None,
        recipe: Recipe = DEFAULT_RECIPE,
        decay: float | None = None,
    ) -> None:
        if reason := obstacle(Job(objective, None, optimizer, recipe)):
            raise ValueError(f"the native engine cannot run this: {reason}")
        self.objective, self.optimizer, self.seed, self.recipe = objective, optimizer, seed, recipe
        self.decay = decay
        self.threads = threads(n_threads)
        hard = objective.loss.targets == "classes" and objective.y.ndim == 1
        self._inputs = Inputs.of(objective, self.threads)
        self._y = objective.y.astype(np.int64) if hard else plain(objective.y)  # checked once: nobody else may write
        weight = objective.sample_weight
        self._weight = None if weight is None else plain(weight)
        self._plans: dict[tuple[int, int], Any] = {}
        self._values: Any = None
        self._gradients: Any = None
        self._all_rows: Verbs = LastAsked(self)

    @classmethod
    def obstacle(cls, job: Job) -> str | None:
        """Return why the core cannot do a job, or None."""
        return obstacle(job)

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
        """Take one step per learning rate, in place in θ, the memory and the moving average; as ReferenceEngine.run."""
        if self.optimizer is not None and not self.optimizer.elementwise:
            verbs = self._all_rows
            return take_steps(self.optimizer, lambda k: verbs, theta, memory, learning_rates, average, self.decay)
        batch = self.objective.rows if order is None else batch_size
        part = batch if self.recipe.accumulate == 1 else min(batch, -(-batch_size // self.recipe.accumulate))
        if (batch, part) not in self._plans:
            plan = step_plan(self.objective, self.optimizer, batch, self.recipe, part, self.decay)
            self._plans = {(batch, part): plan}
        return self._run(self._plans[batch, part], theta, memory, order, batch, learning_rates, first_step, average)

    def _run(
        self,
        plan: Any,
        theta: NDArray[np.floating],
        memory: Memory,
        order: NDArray[np.intp] | None,
        batch: int,
        learning_rates: Sequence[float],
        first_step: int = 0,
        average: NDArray[np.floating] | None = None,
    ) -> Steps:
        """Hand the steps to the core: the one call of `Plan.run`."""
        rates = np.asarray(learning_rates, np.float64)
        losses = np.empty(len(rates))
        steps = range(first_step, first_step + len(rates))
        alpha = self.recipe.mixup
        shares = np.array([mixup_share(alpha, self.seed, step) for step in steps]) if alpha else None
        given = _core.Steps(
            theta=theta,
            memory=memory.arrays,
            average=average if self.decay is not None else None,
            X=self._inputs.at(theta),
            y=self._y,
            weight=self._weight,
            order=order,
            batch=batch,
            learning_rates=rates,
            shares=shares,
            t=memory.t,
            seed=self.seed,
            step=first_step,
            losses=losses,
            threads=self.threads,
        )
        done, reported, norm, raised = plan.run(given)
        memory.t += done
        if raised is not None:
            raise raised
        return Steps(losses[:reported].tolist(), norm)

    def value(self, theta: NDArray[np.floating]) -> float:
        """Return J(θ) on all rows."""
        if self._values is None:
            rows = min(self.objective.rows, VALUED)
            self._values = step_plan(self.objective, None, rows, DEFAULT_RECIPE, rows)
        return float(self._values.value(theta, self._inputs.at(theta), self._y, self._weight, self.threads))

    def value_and_gradient(self, theta: NDArray[np.floating]) -> tuple[float, NDArray[np.floating]]:
        """Return J(θ) and dJ/dθ (P,) on all rows, as training step 0 of the seed finds them."""
        rows, memory = self.objective.rows, Memory(0, {"gradient": np.zeros_like(theta)})
        if self._gradients is None:
            self._gradients = step_plan(self.objective, None, rows, self.recipe, rows)
        steps = self._run(self._gradients, copy(theta), memory, None, rows, [0.0])
        return steps.losses[0], memory["gradient"]

    def forward(self, theta: NDArray[np.floating], X: NDArray[Any] | None = None) -> NDArray[np.floating]:
        """Return the raw scores (n, o) of all rows, or of others."""
        X = self.objective.X if X is None else X
        return np.asarray(scores(self.objective.network, theta, X, "identity", self.threads))

    def gauss_newton_product(self, theta: Array, v: Array) -> Array:
        """Refuse: the core has no second derivatives."""
        raise _missing("gauss_newton_product")

    def hessian_product(self, theta: Array, v: Array) -> Array:
        """Refuse: the core has no second derivatives."""
        raise _missing("hessian_product")

    def gauss_newton(self, theta: Array) -> Quadratic | Root:
        """Return J(θ), dJ/dθ and the Gauss-Newton matrix, as the definitions find them."""
        return gauss_newton(self.objective, theta)

    def jacobian(self, theta: Array) -> Array:
        """Refuse: the core pushes no tangents."""
        raise _missing("jacobian")

    def pull(self, theta: Array, dscores: Array) -> Array:
        """Refuse: the core pulls back the gradients of its own losses only."""
        raise _missing("pull")

    def factors(self, theta: Array) -> list[Factors]:
        """Refuse: the core keeps no inputs and deltas of its layers."""
        raise _missing("factors")

    def squares(self, theta: Array) -> Array:
        """Refuse: the core has no gradients of single rows."""
        raise _missing("squares")

    def part(self, share: float, draw: int) -> Verbs:
        """Refuse: the verbs are on all rows."""
        raise _missing("part")


def _missing(verb: str) -> NotImplementedError:
    """Return the refusal of a verb that the core does not have: second derivatives are the reference engine's."""
    return NotImplementedError(
        f"the native engine has no {verb}; the reference engine has: an optimiser that asks it names it in `needs`"
    )
