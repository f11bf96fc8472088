"""Trust regions: the least of a parabola within the distance to which it has proved right.

    min ½ pᵀ B p + gᵀ p  over ‖p‖ ≤ Δ,    ρ = (J(θ) - J(θ + p)) / (what the parabola foretold)

ρ below ¼ makes Δ a quarter of it, ρ above ¾ at the edge doubles it, and a step is taken where ρ is above 0.15.

Shapes: P parameters; θ, g and p (P,), B (P, P).

Source: Nocedal and Wright 2006, chapter 4; Steihaug 1983; Powell 1970 (dogleg); Conn, Gould and Toint 2000.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..foundation import values
from ..foundation.arrays import Array
from . import conjugate
from .contract import Memory, Optimizer, StepReport, Verbs
from .directions import product
from .line_search import ROUNDINGS, STILL, TOLERANCE, check_size, curved, dot, norm
from .newton import matrix, solved

POOR, GOOD, TAKEN = 0.25, 0.75, 0.15
"""ρ below which Δ shrinks, above which it grows, and above which a step is taken."""

NARROW = "no step within the trust region makes the loss smaller"


class Curvature(NamedTuple):
    """A source of B: the verbs that it asks, and the product B v at θ from them and the memory."""

    needs: frozenset[str]
    product: Callable[[Verbs, Array, Memory], Callable[[Array], Array]]


def _hessian(ask: Verbs, theta: Array, memory: Memory) -> Callable[[Array], Array]:
    return lambda v: np.asarray(ask.hessian_product(theta, v.astype(theta.dtype)), np.float64)


def _gauss_newton(ask: Verbs, theta: Array, memory: Memory) -> Callable[[Array], Array]:
    return lambda v: np.asarray(ask.gauss_newton_product(theta, v.astype(theta.dtype)), np.float64)


def _bfgs(ask: Verbs, theta: Array, memory: Memory) -> Callable[[Array], Array]:
    return lambda v: product(memory["B"], v)


CURVATURES: Mapping[str, Curvature] = MappingProxyType(
    {
        "hessian": Curvature(frozenset({"gradient", "hessian_product"}), _hessian),
        "gauss_newton": Curvature(frozenset({"gradient", "gauss_newton_product"}), _gauss_newton),
        "bfgs": Curvature(frozenset({"gradient"}), _bfgs),
    }
)
"""The table of curvatures: the Hessian, its positive part, and a matrix that the steps themselves show."""


def steihaug(times: Callable[[Array], Array], g: Array, radius: float) -> tuple[Array, bool, int]:
    """Return p by truncated conjugate gradients, whether it is on the edge, and the products it took."""
    return conjugate.within(times, g, radius, 2 * g.size)


def dogleg(times: Callable[[Array], Array], g: Array, radius: float) -> tuple[Array, bool, int]:
    """Return the point of the path θ → least along -g → least of all where it meets the edge, or its end.

    Where B is not positive definite there is no such path, and p is Steihaug's.

    >>> B = np.diag([1.0, 4.0])
    >>> dogleg(lambda v: B @ v, np.array([1.0, 4.0]), 9.0)[0]
    array([-1., -1.])
    """
    B = matrix(times, g.size, np.float64)
    whole = solved(B, 0.0, g)
    if whole is None or not np.isfinite(whole).all():
        p, edge, count = steihaug(times, g, radius)
        return p, edge, g.size + count
    if norm(whole) < radius:
        return whole, False, g.size
    along = -(dot(g, g) / dot(g, product(B, g))) * g
    if norm(along) >= radius:
        return -(radius / norm(g)) * g, True, g.size
    rest = whole - along
    return along + conjugate.to_edge(along, rest, radius) * rest, True, g.size


PATHS: Mapping[str, Callable[..., tuple[Array, bool, int]]] = MappingProxyType({"steihaug": steihaug, "dogleg": dogleg})
"""The table of ways to the least of the parabola: by products alone, or with the matrix."""


@dataclass(frozen=True)
class TrustRegion(Optimizer):
    """θ ← θ + p, with p the least of the parabola within ‖p‖ ≤ Δ, by `path` and `curvature`: rows of two tables.

    A Hessian that is not positive definite is no obstacle: p then goes along its negative curvature to the edge, out
    of a saddle. "dogleg" and "bfgs" hold P × P numbers. Ends when the largest entry of the gradient is at most
    `tolerance`, when J changes by no more than its rounding, and after `max_evaluations` of J. Memory: Δ, the number
    of evaluations, and B where it is BFGS's.

    >>> import chainrule as cr
    >>> network, X = cr.Network(1, [cr.Dense(1)]), np.array([[0.0], [1.0], [2.0]])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, np.array([1.0, 3.0, 5.0]))
    >>> cr.train(objective, np.zeros(2), optimizer=TrustRegion()).theta.round(3)
    array([2., 1.])
    """

    needs: ClassVar[frozenset[str]] = CURVATURES["hessian"].needs
    whole_batch: ClassVar[bool] = True
    curvature: str = "hessian"
    path: str = "steihaug"
    radius: float = 1.0
    tolerance: float = 1e-4
    max_evaluations: int = 15000

    def __post_init__(self) -> None:
        values.check(
            self,
            {
                "curvature": values.Choice(tuple(CURVATURES)),
                "path": values.Choice(tuple(PATHS)),
                "radius": values.POSITIVE,
                "tolerance": TOLERANCE,
                "max_evaluations": values.COUNT,
            },
        )
        object.__setattr__(self, "needs", CURVATURES[self.curvature].needs)

    def init(self, network: Any, theta: Array) -> Memory:
        """Return the memory before the first step; ValueError where a matrix would be too large."""
        numbers = {"radius": self.radius, "evaluations": 0.0, "products": 0.0}
        if self.path == "dogleg" or self.curvature == "bfgs":
            check_size("trust_region with a matrix", theta.size)
        return Memory(0, {"B": np.eye(theta.size)} if self.curvature == "bfgs" else {}, numbers)

    def step(self, ask: Verbs, theta: Array, memory: Memory, rate: float) -> tuple[Array, Memory, StepReport]:
        """Return θ + p, the memory with the next Δ, and the loss and the gradient after the step."""
        value, g = ask.value_and_gradient(theta)
        value, start, g = float(value), theta.astype(np.float64), np.asarray(g, np.float64)
        numbers = {**memory.numbers, "evaluations": memory.numbers["evaluations"] or 1.0}
        small = self._flat(g) if isfinite(value) else ""
        message = small or self._spent(numbers)
        if message or not isfinite(value):
            after = Memory(memory.t, memory.arrays, numbers)
            return theta, after, StepReport(value, norm(g), bool(small), message)
        times = CURVATURES[self.curvature].product(ask, theta, memory)
        still = ROUNDINGS * float(np.finfo(theta.dtype).eps) * max(abs(value), 1.0)
        while not self._spent(numbers):
            p, edge, count = PATHS[self.path](times, g, numbers["radius"])
            numbers["products"] += count
            tried = (start + p).astype(theta.dtype)
            found, slope = ask.value_and_gradient(tried)
            found, slope = float(found), np.asarray(slope, np.float64)
            numbers["evaluations"] += 1
            foretold = -(dot(g, p) + 0.5 * dot(p, times(p)))
            ratio = (value - found) / foretold if isfinite(found) and foretold > 0 else -1.0
            numbers["radius"] = resized(numbers["radius"], ratio, edge, norm(p))
            if ratio > TAKEN:
                after = Memory(memory.t + 1, learnt(memory, tried - start, slope - g), numbers)
                message = self._flat(slope) or (STILL if value - found <= still else "")
                report = StepReport(found, norm(slope), bool(message), message or self._spent(numbers))
                return tried, after, report
            if foretold <= still or np.array_equal(tried, theta):
                message = STILL if foretold <= still else NARROW
                return theta, Memory(memory.t, memory.arrays, numbers), StepReport(value, norm(g), True, message)
        after = Memory(memory.t, memory.arrays, numbers)
        return theta, after, StepReport(value, norm(g), False, self._spent(numbers))

    def _flat(self, g: Array) -> str:
        """Return the words for a gradient that is small enough, "" for one that is not."""
        small = float(np.abs(g).max(initial=0.0)) <= self.tolerance
        return f"every entry of the gradient is at most {self.tolerance:g}" if small else ""

    def _spent(self, numbers: Mapping[str, float]) -> str:
        """Return the words for evaluations that are used up, "" where some are left."""
        gone = numbers["evaluations"] >= self.max_evaluations
        return f"Maximum evaluations ({self.max_evaluations}) reached" if gone else ""


def resized(radius: float, ratio: float, edge: bool, length: float) -> float:
    """Return the next Δ after a step of so many parts of what was foretold.

    >>> resized(2.0, 0.9, True, 2.0), resized(2.0, 0.9, False, 1.0), resized(2.0, 0.1, False, 1.0)
    (4.0, 2.0, 0.25)
    """
    if ratio < POOR:
        return POOR * min(radius, length)
    return 2 * radius if ratio > GOOD and edge else radius


def learnt(memory: Memory, s: Array, y: Array) -> dict[str, Array]:
    """Return the arrays with a step s, which changed the gradient by y, in BFGS's B; the same where there is no B.

    B ← B - B s sᵀ B / sᵀ B s + y yᵀ / yᵀ s, from B = (yᵀy / sᵀy) 1 at the first step.
    """
    if "B" not in memory.arrays or not curved(s, y):
        return memory.arrays
    B = memory["B"] * (dot(y, y) / dot(s, y) if memory.t == 0 else 1.0)
    Bs = product(B, s)
    return {"B": B - (Bs[:, None] * Bs) / dot(s, Bs) + (y[:, None] * y) / dot(y, s)}
