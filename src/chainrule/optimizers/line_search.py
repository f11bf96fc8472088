"""The common part of every method that goes along a line: a direction, a search for α, and what is remembered.

    θ ← θ + α d,    d the direction of a method at θ, α by a search

A method says its direction, what it remembers of a step, and how to forget it; everything else is here.

Shapes: P parameters; θ, g and d (P,).

Source: Nocedal and Wright 2006, chapter 3.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from math import isfinite, nan
from typing import Any, ClassVar

import numpy as np

from ..foundation import values
from ..foundation.arrays import Array
from .contract import Memory, Optimizer, StepReport, Verbs
from .search import FLAT, SEARCHES, Point

LONGEST_SEARCH = 20
"""Evaluations that a line search may take."""

ROUNDINGS = 10
"""J has stopped to change when a step changes it by no more than so many units of rounding."""

STILL = "the loss changes by no more than its rounding"
LOST = "no step along the gradient makes the loss smaller"
"""The words for two of the endings; the others name a setting."""

NO_STEP: Mapping[str, float] = {"step": nan, "curvature": nan}
"""The figures of a step that was none; else α, and sᵀy / sᵀs: the curvature along the step, below 0 over a saddle."""

TOLERANCE = values.Number(0, called="a number of at least 0")
SEARCH = values.Choice(tuple(SEARCHES))

LARGEST = 5_000
"""Parameters of which a matrix P × P is formed: 200 MB."""


def check_size(name: str, size: int) -> None:
    """Raise ValueError for more parameters than a matrix P × P is formed of."""
    if size > LARGEST:
        raise ValueError(
            f"{name} holds P × P numbers, {LARGEST**2 * 8 / 1e6:.0f} MB for P = {LARGEST:,}; this network has {size:,}:"
            " take hessian_free or lbfgs"
        )


class NoDirectionError(ArithmeticError):
    """No direction leads down from here, as a method understands it; the message says why, and what to take instead."""


class LineSearched(Optimizer):
    """A method of directions and searches. It works in float64; θ keeps its own dtype.

    Ends when the largest entry of the gradient is at most `tolerance`, when J changes by no more than its rounding, or
    after `max_evaluations` of J over the whole training. The steps are those between the θ that were really evaluated.
    A dataclass that inherits from it has the fields `tolerance` and `max_evaluations`, and gives `direction`,
    `remember` and `forget`.
    """

    whole_batch: ClassVar[bool] = True
    flat: ClassVar[float] = FLAT
    """c₂ of the strong Wolfe conditions."""
    search: str = "strong_wolfe"
    tolerance: float
    max_evaluations: int

    @abstractmethod
    def direction(self, ask: Verbs, theta: Array, g: Array, memory: Memory) -> tuple[Array, Memory]:
        """Return d at θ with the gradient g, in float64, and the memory with what the search for d has found.

        Raises NoDirectionError where there is none.
        """

    def remember(self, memory: Memory, found: Point, s: Array, y: Array) -> Memory:
        """Return the memory after a step s = α d that changed the gradient by y."""
        return memory.after()

    def knows(self, memory: Memory) -> bool:
        """Return True where the memory bends the direction away from the gradient."""
        return False

    def forget(self, memory: Memory) -> Memory:
        """Return the memory as if this were the first step; it goes on from the gradient."""
        return memory

    def first(self, memory: Memory, here: Point) -> float:
        """Return the first α to try: 1 with a memory of the curvature, else a step of length 1."""
        return 1.0 if self.knows(memory) else 1 / norm(here.gradient)

    def init(self, network: Any, theta: Array) -> Memory:
        """Return a memory without any step."""
        return Memory(0, {}, {"evaluations": 0.0})

    def step(self, ask: Verbs, theta: Array, memory: Memory, rate: float) -> tuple[Array, Memory, StepReport]:
        """Return θ + α d, the memory with this step in it, and the loss and the gradient after it."""
        value, g = ask.value_and_gradient(theta)
        value, start, g = float(value), theta.astype(np.float64), g.astype(np.float64)
        evaluations = memory.numbers["evaluations"] or 1.0  # that of the first θ; later ones are the last step's
        small = self._flat(g) if isfinite(value) else ""
        message = small or self._spent(evaluations)
        if message or not isfinite(value):
            report = StepReport(value, norm(g), bool(small), message, NO_STEP)
            return theta, _counted(memory, evaluations), report
        still = ROUNDINGS * float(np.finfo(theta.dtype).eps)
        found, known = None, memory
        while found is None and evaluations < self.max_evaluations:
            try:
                direction, known = self.direction(ask, theta, g, known)
            except NoDirectionError as error:
                report = StepReport(value, norm(g), False, str(error), NO_STEP)
                return theta, _counted(memory, evaluations), report
            line = _Line(ask, start, direction, theta.dtype)
            here, most = Point(0.0, value, dot(direction, g), start, g), self.max_evaluations - evaluations
            first = self.first(known, here)
            found = SEARCHES[self.search](line, here, first, int(min(most, LONGEST_SEARCH)), self.flat)
            evaluations += line.evaluations
            if found is None and not self.knows(known):
                break
            known = known if found else self.forget(known)
        if found is None:
            flat = -first * here.slope <= still * max(abs(value), 1.0)
            message = STILL if flat else self._spent(evaluations) or LOST
            return theta, _counted(memory, evaluations), StepReport(value, norm(g), flat, message, NO_STEP)
        s, y = found.theta - start, found.gradient - g
        memory = self.remember(known, found, s, y)
        message = self._flat(found.gradient)
        if not message and abs(value - found.value) <= still * max(abs(value), abs(found.value), 1.0):
            message = STILL
        figures = {"step": found.step, "curvature": dot(s, y) / (dot(s, s) or nan)}
        message, flat = message or self._spent(evaluations), bool(message)
        report = StepReport(found.value, norm(found.gradient), flat, message, figures)
        return found.theta.astype(theta.dtype), _counted(memory, evaluations), report

    def _flat(self, g: Array) -> str:
        """Return the words for a gradient that is small enough, "" for one that is not."""
        small = g.size == 0 or float(np.abs(g).max()) <= self.tolerance
        return f"every entry of the gradient is at most {self.tolerance:g}" if small else ""

    def _spent(self, evaluations: float) -> str:
        """Return the words for evaluations that are used up, "" where some are left."""
        return f"Maximum evaluations ({self.max_evaluations}) reached" if evaluations >= self.max_evaluations else ""


class _Line:
    """The points θ + α d of one search, as the dtype of θ rounds them, and how many were evaluated."""

    def __init__(self, ask: Verbs, start: Array, direction: Array, dtype: Any) -> None:
        self.ask, self.start, self.direction, self.dtype, self.evaluations = ask, start, direction, dtype, 0

    def __call__(self, step: float) -> Point:
        self.evaluations += 1
        theta = (self.start + step * self.direction).astype(self.dtype)
        value, gradient = self.ask.value_and_gradient(theta)
        gradient = gradient.astype(np.float64)
        return Point(step, float(value), dot(self.direction, gradient), theta.astype(np.float64), gradient)


def _counted(memory: Memory, evaluations: float) -> Memory:
    return Memory(memory.t, memory.arrays, {**memory.numbers, "evaluations": evaluations})


def dot(a: Array, b: Array) -> float:
    """Return aᵀb, summed by NumPy alone: the threads of its BLAS would change the order of the sum."""
    return float(np.sum(a * b))


def curved(s: Array, y: Array) -> bool:
    """Return True where a step s and the change y of the gradient show a positive curvature, beyond rounding."""
    return dot(s, y) > float(np.finfo(np.float64).eps) * dot(y, y)


def norm(a: Array) -> float:
    """Return ‖a‖."""
    return float(np.linalg.norm(a))


def seen_condition(diagonal: Array, d: Array, g: Array) -> float:
    """Return max Aᵢᵢ ‖d‖ / ‖g‖ from the solution of A d = -g: the condition number of A is at least that.

    >>> seen_condition(np.array([4.0, 1.0]), np.array([0.0, -2.0]), np.array([0.0, 2.0]))
    4.0
    """
    return float(diagonal.max(initial=0.0)) * norm(d) / (norm(g) or nan)
