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
from ...mathematics import fisher
from ...mathematics.gauss_newton import Quadratic, Root, gauss_newton, penalty_bends
from ...mathematics.objective import Objective
from ...optimizers import Memory, Optimizer, Verbs
from ...steps.augmentation.mixup import mixup_share
from ...steps.recipe import DEFAULT_RECIPE, Recipe
from ..job import Job
from ..stepping import LastAsked, Steps, drawn_rows, take_steps
from .core import _core, threads
from .inputs import Inputs, plain
from .obstacles import VERBS, bent_obstacle, obstacle
from .plans import step_plan
from .predicting import scores
from .symmetric import announce

VALUED = 512
"""Rows that a value or a product needs room for at a time: at prediction no row depends on another."""

announce()


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
        self._unbent = bent_obstacle(objective.network)
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
        return float(self._at_prediction.value(theta, self._inputs.at(theta), self._y, self._weight, self.threads))

    @property
    def _at_prediction(self) -> Any:
        """The core's plan for values and second derivatives."""
        if self._values is None:
            rows = min(self.objective.rows, VALUED)
            self._values = step_plan(self.objective, None, rows, DEFAULT_RECIPE, rows)
        return self._values

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
        """Return (Jᵀ L'' J) v."""
        return self._product("gauss_newton_product", theta, v)

    def hessian_product(self, theta: Array, v: Array) -> Array:
        """Return (d²J/dθ²) v, by Pearlmutter's R{·}."""
        return self._product("hessian_product", theta, v)

    def pull(self, theta: Array, dscores: Array) -> Array:
        """Return (dscores/dθ)ᵀ dscores: a derivative in the scores (n, o), pulled back to θ."""
        return self._product("pull", theta, dscores)

    def factors(self, theta: Array) -> list[fisher.Factors]:
        """Return the Kronecker factors of the Gauss-Newton matrix of every Dense block, by the definitions."""
        return fisher.factors(self.objective, theta)

    def squares(self, theta: Array) -> Array:
        """Return the mean of the rows' squared gradients, (P,), by the definitions."""
        return fisher.squares(self.objective, theta)

    def part(self, share: float, draw: int) -> NativeEngine:
        """Return the verbs on a share of the rows, at least one: those of this draw, in their own order."""
        rows = drawn_rows(self.objective.rows, share, self.seed, draw)
        return NativeEngine(self.objective.batch(rows), None, self.seed, self.threads, self.recipe)

    def jacobian(self, theta: Array) -> Array:
        """Return dscores/dθ, (n, o, P)."""
        self._check_bent("jacobian")
        objective = self.objective
        out = np.zeros((objective.rows, objective.network.outputs, np.size(theta)), objective.X.dtype)
        self._at_prediction.jacobian(theta, self._inputs.at(theta), self._y, self._weight, out, self.threads)
        return out

    def gauss_newton(self, theta: Array) -> Quadratic | Root:
        """Return J(θ), dJ/dθ and the Gauss-Newton matrix, or its root where that is smaller.

        J is never kept: its rows are formed a few at a time. What the core has no second derivatives of is left to the
        definitions.
        """
        if self._unbent:
            return gauss_newton(self.objective, theta)
        objective, P, given = self.objective, np.size(theta), (self._y, self._weight)
        rows = objective.rows * objective.network.outputs
        gradient, out = np.zeros_like(theta), np.zeros((min(rows, P), P))
        X = self._inputs.at(theta)
        value = self._at_prediction.gauss_newton(theta, X, *given, gradient, out, rows < P, self.threads)
        if objective.penalties:
            gradient += objective.penalty_and_gradient(theta)[1]
        wide, bends, total = gradient.astype(np.float64), penalty_bends(objective, theta), float(objective.total)
        if rows < P:
            return Root(value, wide, out, bends, total)
        if objective.penalties:
            out[np.diag_indices(P)] += bends
        return Quadratic(value, wide, out, total)

    def _product(self, verb: str, theta: Array, along: Array) -> Array:
        """Ask the core for one of its products, (P,)."""
        self._check_bent(verb)
        out, along = np.zeros_like(theta), plain(np.asarray(along, self.objective.X.dtype))
        product = getattr(self._at_prediction, verb)
        product(theta, along, self._inputs.at(theta), self._y, self._weight, out, self.threads)
        return out

    def _check_bent(self, verb: str) -> None:
        if (
            self._unbent
        ):  # the contract's verb is there: this network has a block without second derivatives in the core
            raise NotImplementedError(f"the native engine has no {verb} here: {self._unbent}; the reference engine has")
