"""Hessian-free optimisation and the natural gradient: curvature by products alone, solved by conjugate gradients.

    (G + λ 1) p = -g,    G = Jᵀ L'' J, the Gauss-Newton matrix, which is never formed

Shapes: P parameters; θ, g and p (P,), G (P, P).

Source: lecture notes (Hessian-free optimisation); Pearlmutter 1994; Schraudolph 2002; Martens 2010, "Deep learning via
Hessian-free optimization"; Martens and Sutskever 2012; Amari 1998 (natural gradient).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar

import numpy as np

from ..foundation import values
from ..foundation.arrays import Array
from . import conjugate
from .contract import Memory, Optimizer, StepReport, Verbs
from .directions import check
from .levenberg_marquardt import POSITIVE, STUCK
from .line_search import ROUNDINGS, STILL, TOLERANCE, LineSearched, dot, norm
from .search import Point

POOR, GOOD, FACTOR = 0.25, 0.75, 1.5
"""A step that gains less than a quarter of what was foretold makes λ 3/2 times larger, one that gains more than three
quarters 2/3 times."""

SLOPE, SHORTER, LONGEST = 1e-2, 0.8, 60
"""The line search: J(θ + α p) ≤ J(θ) + 0.01 α gᵀp, α = 1, 0.8, 0.64, ..., at most 60 times."""

EXPONENT = 0.75
"""The preconditioner is (the mean of the rows' squared gradients + λ)^0.75."""

Product = Callable[[Array], Array]


def damped_product(ask: Verbs, theta: Array, damping: float) -> Product:
    """Return v -> (G + λ 1) v at θ, in float64."""
    return lambda v: np.asarray(ask.gauss_newton_product(theta, v.astype(theta.dtype)), np.float64) + damping * v


@dataclass(frozen=True)
class HessianFree(Optimizer):
    """θ ← θ + α p with (G + λ 1) p ≈ -g by conjugate gradients, which stop where they make no progress.

    They begin at `warm` times the last p, with at most `most` iterations, and stop where the last k = max(10, i / 10)
    of i have gained less than k · `progress` of all. Of the p they passed at ⌈1.3ʲ⌉ iterations, the earliest before J
    gets worse is taken. λ follows the ratio of the reduction of J to that of the parabola. `preconditioned` makes the
    iteration see the parameters by the size of their rows' gradients; `rows` is the share of the rows, new ones in
    every step, that the curvature is taken from. Ends when the largest entry of the gradient is at most `tolerance`,
    when J changes by no more than its rounding, and when λ passes `largest`. Memory: p, λ, and the iterations so far.

    >>> import chainrule as cr
    >>> network, X = cr.Network(1, [cr.Dense(1)]), np.array([[0.0], [1.0], [2.0]])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, np.array([1.0, 3.0, 5.0]))
    >>> cr.train(objective, np.zeros(2), optimizer=HessianFree()).theta.round(3)
    array([2., 1.])
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient", "value", "gauss_newton_product"})
    whole_batch: ClassVar[bool] = True
    damping: float = 1.0
    most: int = 250
    progress: float = conjugate.PROGRESS
    warm: float = 0.95
    preconditioned: bool = False
    rows: float = 1.0
    largest: float = 1e10
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        rules: Mapping[str, values.Rule] = {
            "damping": POSITIVE,
            "most": values.COUNT,
            "progress": values.Number(0),
            "warm": values.Number(0, 1),
            "preconditioned": values.Flag(),
            "rows": values.Number(0, 1, low_open=True),
            "largest": POSITIVE,
            "tolerance": TOLERANCE,
        }
        values.check(self, rules)
        more = {"part"} if self.rows < 1 else set()
        more |= {"squares"} if self.preconditioned else set()
        object.__setattr__(self, "needs", type(self).needs | more)

    def init(self, network: Any, theta: Array) -> Memory:
        """Return the memory before the first step."""
        return Memory(0, {"solution": np.zeros(theta.size)}, {"damping": self.damping, "iterations": 0.0, "draws": 0.0})

    def step(self, ask: Verbs, theta: Array, memory: Memory, rate: float) -> tuple[Array, Memory, StepReport]:
        """Return θ + α p, the memory with p and the next λ, and the loss after the step."""
        value, g = ask.value_and_gradient(theta)
        value, g = float(value), np.asarray(g, np.float64)
        size = norm(g)
        flat = bool(isfinite(value) and float(np.abs(g).max(initial=0.0)) <= self.tolerance)
        if flat or not isfinite(value):
            message = f"every entry of the gradient is at most {self.tolerance:g}" if flat else ""
            return theta, memory, StepReport(value, size, flat, message)
        still = ROUNDINGS * float(np.finfo(theta.dtype).eps) * max(abs(value), 1.0)
        numbers, start = dict(memory.numbers), self.warm * memory["solution"]
        while numbers["damping"] <= self.largest:
            found = self._direction(ask, theta, g, numbers, start)
            best, reached = best_of(ask, theta, found)
            ratio, foretold = self._damp(numbers, value - reached, best)
            moved, after = shortened(ask, theta, best.p, value, dot(g, best.p), reached)
            if moved is not None:
                message = STILL if value - after <= still else ""
                kept = Memory(memory.t + 1, {"solution": found[-1].p}, numbers)
                return moved, kept, StepReport(after, size, bool(message), message)
            if abs(foretold) <= still and not start.any():
                kept = Memory(memory.t, memory.arrays, numbers)
                return theta, kept, StepReport(value, size, True, STILL)
            numbers["damping"] *= FACTOR if ratio >= POOR else 1.0  # below, it has grown already
            start = np.zeros_like(start)
        kept = Memory(memory.t, memory.arrays, numbers)
        return theta, kept, StepReport(value, size, True, STUCK.format(self.largest))

    def _direction(
        self, ask: Verbs, theta: Array, g: Array, numbers: dict[str, float], start: Array
    ) -> list[conjugate.Iterate]:
        """Return the iterates of the conjugate gradients, and count them."""
        damping, inverse = numbers["damping"], np.ones(1)
        rows = ask if self.rows == 1 else ask.part(self.rows, int(numbers["draws"]))
        if self.preconditioned:
            inverse = (np.asarray(rows.squares(theta), np.float64) + damping) ** -EXPONENT
        numbers["draws"] += 1
        times = damped_product(rows, theta, damping)
        found = conjugate.path(times, g, start, self.most, inverse, self.progress)
        numbers["iterations"] += found[-1].i
        return found

    def _damp(self, numbers: dict[str, float], gained: float, best: conjugate.Iterate) -> tuple[float, float]:
        """Set the next λ; return ρ and what the parabola, without λ, foretold."""
        foretold = 0.5 * numbers["damping"] * dot(best.p, best.p) - best.value
        ratio = gained / foretold if isfinite(gained) and foretold > 0 else -1.0
        if ratio < POOR:
            numbers["damping"] *= FACTOR
        elif ratio > GOOD:
            numbers["damping"] = max(numbers["damping"] / FACTOR, 1e-20)
        return ratio, foretold


def moved(theta: Array, p: Array) -> Array:
    """Return θ + p in the dtype of θ."""
    return np.asarray((theta.astype(np.float64) + p).astype(theta.dtype))


def best_of(ask: Verbs, theta: Array, found: list[conjugate.Iterate]) -> tuple[conjugate.Iterate, float]:
    """Return the iterate before which J gets worse, from the last one back, and J(θ + p) there."""
    best, least = found[-1], float(ask.value(moved(theta, found[-1].p)))
    for earlier in reversed(found[:-1]):
        value = float(ask.value(moved(theta, earlier.p)))
        if isfinite(least) and not value < least:
            break
        best, least = earlier, value
    return best, least


def shortened(
    ask: Verbs, theta: Array, p: Array, value: float, slope: float, reached: float
) -> tuple[Array | None, float]:
    """Return θ + α p and J there, for the first α of 1, 0.8, 0.64, ... that gains enough; None where none does."""
    step = 1.0
    for _ in range(LONGEST):
        if reached <= value + SLOPE * step * min(slope, 0.0) and reached < value:
            return moved(theta, step * p), reached
        step *= SHORTER
        reached = float(ask.value(moved(theta, step * p)))
    return None, value


@dataclass(frozen=True)
class NaturalGradient(LineSearched):
    """θ ← θ + α p with (G + λ 1) p = -g: the steepest way down where a step's length is the change of the predictions.

    For a loss that is a negative log-likelihood G is Fisher's matrix. p is found by conjugate gradients, at most `most`
    iterations, until the residual is at most min(½, √‖g‖) ‖g‖. λ starts at `damping`; a whole step divides it by
    `factor`, one that the search had to shorten multiplies it. Memory: λ.

    >>> import chainrule as cr
    >>> network, X = cr.Network(1, [cr.Dense(1)]), np.array([[0.0], [1.0], [2.0]])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, np.array([1.0, 3.0, 5.0]))
    >>> cr.train(objective, np.zeros(2), optimizer=NaturalGradient()).theta.round(3)
    array([2., 1.])
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient", "gauss_newton_product"})
    damping: float = 1e-2
    factor: float = 2.0
    most: int = 250
    search: str = "armijo"
    tolerance: float = 1e-4
    max_evaluations: int = 15000

    def __post_init__(self) -> None:
        check(self, damping=POSITIVE, factor=values.Number(1, low_open=True), most=values.COUNT)

    def init(self, network: Any, theta: Array) -> Memory:
        """Return the memory before the first step."""
        return Memory(0, {}, {"evaluations": 0.0, "damping": self.damping})

    def direction(self, ask: Verbs, theta: Array, g: Array, memory: Memory) -> tuple[Array, Memory]:
        """Return p."""
        times = damped_product(ask, theta, memory.numbers["damping"])
        return conjugate.solve(times, g, self.most).p, memory

    def first(self, memory: Memory, here: Point) -> float:
        """Return 1: the whole step."""
        return 1.0

    def remember(self, memory: Memory, found: Point, s: Array, y: Array) -> Memory:
        """Return the memory with a smaller λ after a whole step, with a larger one after a shortened one."""
        damping = memory.numbers["damping"] * (1 / self.factor if found.step >= 1 else self.factor)
        after = memory.after()
        return Memory(after.t, after.arrays, {**after.numbers, "damping": max(damping, 1e-12)})
