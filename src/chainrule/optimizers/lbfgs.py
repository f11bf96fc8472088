"""L-BFGS: a quasi-Newton method that remembers the last steps instead of a matrix.

Shapes: P parameters, k remembered steps; θ and g (P,), `steps` and `changes` (k, P), oldest first.

Source: lecture notes (quasi-Newton methods); Nocedal 1980; Liu and Nocedal 1989.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar

import numpy as np

from ..foundation import values
from ..foundation.arrays import Array
from .contract import Memory, Optimizer, StepReport, Verbs
from .search import Point, strong_wolfe

LONGEST_SEARCH = 20
"""Evaluations that a line search may take."""

ROUNDINGS = 10
"""J has stopped to change when a step changes it by no more than so many units of rounding."""

STILL = "the loss changes by no more than its rounding"
LOST = "no step along the gradient makes the loss smaller"
"""The words for two of the endings; the others name a setting."""


def inverse_hessian_product(g: Array, steps: Array, changes: Array) -> Array:
    """Return B g, with B the inverse Hessian that the steps s and the changes y of the gradient show.

    B ← (1 - ρ s yᵀ) B (1 - ρ y sᵀ) + ρ s sᵀ with ρ = 1 / yᵀs for each pair, from B = (sᵀy / yᵀy) of the last one:
    the two-loop recursion, which never forms B.

    >>> steps, changes = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.0], [0.0, 4.0]])
    >>> inverse_hessian_product(np.array([2.0, 4.0]), steps, changes)
    array([1., 1.])
    """
    q, shares = g.copy(), list[float]()
    for s, y in zip(steps[::-1], changes[::-1], strict=True):
        shares.append(_dot(s, q) / _dot(s, y))
        q -= shares[-1] * y
    if len(steps):
        q *= _dot(steps[-1], changes[-1]) / _dot(changes[-1], changes[-1])
    for s, y in zip(steps, changes, strict=True):
        q += (shares.pop() - _dot(y, q) / _dot(s, y)) * s
    return q


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """θ ← θ - α B g, with B the inverse Hessian as the last `history` steps show it and α from a Wolfe line search.

    Ends when the largest entry of the gradient is at most `tolerance`, when J changes by no more than its rounding,
    or after `max_evaluations` of J over the whole training. It works in float64; θ keeps its own dtype, and the
    steps it remembers are those between the θ that were really evaluated. Its memory: `steps`, `changes`, and the
    number of `evaluations`.

    >>> import chainrule as cr
    >>> network, X = cr.Network(1, [cr.Dense(1)]), np.array([[0.0], [1.0], [2.0]])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, np.array([1.0, 3.0, 5.0]))
    >>> result = cr.train(objective, np.zeros(2), optimizer=LBFGS())
    >>> result.reason, result.theta.round(3)
    ('converged', array([2., 1.]))
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient"})
    whole_batch: ClassVar[bool] = True
    history: int = 10
    tolerance: float = 1e-4
    max_evaluations: int = 15000

    def __post_init__(self) -> None:
        tolerance = values.Number(0, called="a number of at least 0")
        values.check(self, {"history": values.COUNT, "tolerance": tolerance, "max_evaluations": values.COUNT})

    def init(self, network: Any, theta: Array) -> Memory:
        """Return a memory without any step."""
        pairs = {"steps": np.zeros((0, theta.size)), "changes": np.zeros((0, theta.size))}
        return Memory(0, pairs, {"evaluations": 0.0})

    def step(self, ask: Verbs, theta: Array, memory: Memory, rate: float) -> tuple[Array, Memory, StepReport]:
        """Return θ - α B g, the memory with this step in it, and the loss and the gradient after it."""
        value, g = ask.value_and_gradient(theta)
        value, start, g = float(value), theta.astype(np.float64), g.astype(np.float64)
        evaluations = memory.numbers["evaluations"] or 1.0  # that of the first θ; later ones are the last step's
        small = self._flat(g) if isfinite(value) else ""
        message = small or self._spent(evaluations)
        if message or not isfinite(value):
            return theta, _counted(memory, evaluations), StepReport(value, _norm(g), bool(small), message)
        still = ROUNDINGS * float(np.finfo(theta.dtype).eps)
        found, steps, changes = None, memory["steps"], memory["changes"]
        while found is None and evaluations < self.max_evaluations:
            direction = -inverse_hessian_product(g, steps, changes)
            line = _Line(ask, start, direction, theta.dtype)
            first = 1.0 if len(steps) else 1 / _norm(g)
            here, most = Point(0.0, value, _dot(direction, g), start, g), self.max_evaluations - evaluations
            found = strong_wolfe(line, here, first, int(min(most, LONGEST_SEARCH)))
            evaluations += line.evaluations
            if found is None and not len(steps):
                break
            steps, changes = (steps, changes) if found else (steps[:0], changes[:0])  # from the gradient once more
        if found is None:
            flat = -first * here.slope <= still * max(abs(value), 1.0)
            message = STILL if flat else self._spent(evaluations) or LOST
            return theta, _counted(memory, evaluations), StepReport(value, _norm(g), flat, message)
        memory = self._remember(memory, steps, changes, found.theta - start, found.gradient - g)
        message = self._flat(found.gradient)
        if not message and value - found.value <= still * max(abs(value), abs(found.value), 1.0):
            message = STILL
        report = StepReport(found.value, _norm(found.gradient), bool(message), message or self._spent(evaluations))
        return found.theta.astype(theta.dtype), _counted(memory, evaluations), report

    def _flat(self, g: Array) -> str:
        """Return the words for a gradient that is small enough, "" for one that is not."""
        small = g.size == 0 or float(np.abs(g).max()) <= self.tolerance
        return f"every entry of the gradient is at most {self.tolerance:g}" if small else ""

    def _spent(self, evaluations: float) -> str:
        """Return the words for evaluations that are used up, "" where some are left."""
        return f"Maximum evaluations ({self.max_evaluations}) reached" if evaluations >= self.max_evaluations else ""

    def _remember(self, memory: Memory, steps: Array, changes: Array, s: Array, y: Array) -> Memory:
        """Return the memory with one more pair, the oldest forgotten; a pair without curvature is left out."""
        if _dot(s, y) > np.finfo(np.float64).eps * _dot(y, y):
            kept = slice(max(0, len(steps) + 1 - self.history), None)
            steps, changes = np.vstack([steps, s])[kept], np.vstack([changes, y])[kept]
        return memory.after(steps=steps, changes=changes)


class _Line:
    """The points θ + α d of one search, as the dtype of θ rounds them, and how many were evaluated."""

    def __init__(self, ask: Verbs, start: Array, direction: Array, dtype: Any) -> None:
        self.ask, self.start, self.direction, self.dtype, self.evaluations = ask, start, direction, dtype, 0

    def __call__(self, step: float) -> Point:
        self.evaluations += 1
        theta = (self.start + step * self.direction).astype(self.dtype)
        value, gradient = self.ask.value_and_gradient(theta)
        gradient = gradient.astype(np.float64)
        return Point(step, float(value), _dot(self.direction, gradient), theta.astype(np.float64), gradient)


def _counted(memory: Memory, evaluations: float) -> Memory:
    return Memory(memory.t, memory.arrays, {"evaluations": evaluations})


def _dot(a: Array, b: Array) -> float:
    """Return aᵀb, summed by NumPy alone: the threads of its BLAS would change the order of the sum."""
    return float(np.sum(a * b))


def _norm(a: Array) -> float:
    return float(np.linalg.norm(a))
