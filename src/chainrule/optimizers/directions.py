"""Directions of first order and of quasi-Newton: steepest descent, conjugate gradients, BFGS.

Shapes: P parameters; θ, g, d, s = θ' - θ and y = g' - g are (P,), B (P, P).

Source: lecture notes (conjugate gradients, quasi-Newton methods); Fletcher and Reeves 1964; Polak and Ribière 1969;
Hestenes and Stiefel 1952; Broyden, Fletcher, Goldfarb and Shanno 1970; Nocedal and Wright 2006, chapters 5 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from ..foundation import values
from ..foundation.arrays import Array
from .contract import Memory, Verbs
from .line_search import SEARCH, TOLERANCE, LineSearched, check_size, curved, dot, norm
from .search import Point


def check(method: Any, **rules: values.Rule) -> None:
    """Raise ValueError for a field that the common part, or one of these rules, does not accept."""
    values.check(method, {"search": SEARCH, "tolerance": TOLERANCE, "max_evaluations": values.COUNT, **rules})


@dataclass(frozen=True)
class GradientDescent(LineSearched):
    """θ ← θ - α g, with α from a line search over all rows: the steepest way down.

    >>> import chainrule as cr
    >>> network, X = cr.Network(1, [cr.Dense(1)]), np.array([[-1.0], [1.0]])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, np.array([1.0, 3.0]))
    >>> cr.train(objective, np.zeros(2), optimizer=GradientDescent()).theta.round(3)
    array([1., 2.])
    """

    search: str = "strong_wolfe"
    tolerance: float = 1e-4
    max_evaluations: int = 15000

    def __post_init__(self) -> None:
        check(self)

    def init(self, network: Any, theta: Array) -> Memory:
        """Return a memory without any step."""
        return Memory(0, {}, {"evaluations": 0.0, "gain": 0.0})

    def direction(self, ask: Verbs, theta: Array, g: Array, memory: Memory) -> tuple[Array, Memory]:
        """Return -g."""
        return -g, memory

    def first(self, memory: Memory, here: Point) -> float:
        """Return the α with which a parabola would gain as much as the last step did."""
        return foretold(memory, here)

    def remember(self, memory: Memory, found: Point, s: Array, y: Array) -> Memory:
        """Return the memory with what this step gained, to first order."""
        return gained(memory, found, s, y)


def foretold(memory: Memory, here: Point) -> float:
    """Return the first α of a method whose directions have no scale: the last α φ'(0) over the slope now."""
    gain = memory.numbers["gain"]
    return gain / here.slope if gain else 1 / norm(here.gradient)


def gained(memory: Memory, found: Point, s: Array, y: Array, **arrays: Array) -> Memory:
    """Return the memory after a step, with its α φ'(0) = sᵀ g."""
    after = memory.after(**arrays)
    return Memory(after.t, after.arrays, {**after.numbers, "gain": dot(s, found.gradient - y)})


Beta = Callable[[Array, Array, Array], float]
"""From g', y = g' - g and the last direction d to β."""


def polak_ribiere(g: Array, y: Array, d: Array) -> float:
    """Return β = max(0, g'ᵀy / gᵀg): a β below 0 starts again from the gradient."""
    before = g - y
    return max(0.0, dot(g, y) / dot(before, before))


def fletcher_reeves(g: Array, y: Array, d: Array) -> float:
    """Return β = g'ᵀg' / gᵀg."""
    before = g - y
    return dot(g, g) / dot(before, before)


def hestenes_stiefel(g: Array, y: Array, d: Array) -> float:
    """Return β = max(0, g'ᵀy / dᵀy)."""
    curvature = dot(d, y)
    return max(0.0, dot(g, y) / curvature) if curvature else 0.0


BETAS: Mapping[str, Beta] = MappingProxyType(
    {
        "polak_ribiere": polak_ribiere,
        "fletcher_reeves": fletcher_reeves,
        "hestenes_stiefel": hestenes_stiefel,
    }
)
"""The table of β."""


RESTART = 0.2
"""The cosine of two gradients, in units of the last one, from which on the directions are no longer conjugate."""


@dataclass(frozen=True)
class ConjugateGradients(LineSearched):
    """θ ← θ + α d,  d ← -g + β d: each direction keeps what those before it have gained, on a parabola.

    β is a row of BETAS: Polak and Ribière's, Fletcher and Reeves's or Hestenes and Stiefel's. d starts again from -g
    where β would be below 0, where d does not lead down, and where two gradients in a row are far from right angles,
    |g'ᵀg| ≥ 0.2 g'ᵀg' (Powell 1977). The line search is tight (c₂ = 0.2), for the directions stand on it. Memory: the
    last direction, and the change of the gradient along it.

    >>> import chainrule as cr
    >>> network, X = cr.Network(1, [cr.Dense(1)]), np.array([[0.0], [1.0], [2.0]])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, np.array([1.0, 3.0, 5.0]))
    >>> cr.train(objective, np.zeros(2), optimizer=ConjugateGradients()).theta.round(3)
    array([2., 1.])
    """

    flat: ClassVar[float] = 0.2
    beta: str = "polak_ribiere"
    search: str = "strong_wolfe"
    tolerance: float = 1e-4
    max_evaluations: int = 15000

    def __post_init__(self) -> None:
        check(self, beta=values.Choice(tuple(BETAS)))

    def init(self, network: Any, theta: Array) -> Memory:
        """Return a memory without any step."""
        nothing = {"direction": np.zeros(theta.size), "change": np.zeros(theta.size)}
        return Memory(0, nothing, {"evaluations": 0.0, "gain": 0.0})

    def direction(self, ask: Verbs, theta: Array, g: Array, memory: Memory) -> tuple[Array, Memory]:
        """Return -g + β d, or -g without a last direction that is good for anything."""
        if not self.knows(memory):
            return -g, memory
        if abs(dot(g, g - memory["change"])) >= RESTART * dot(g, g):
            return -g, self.forget(memory)
        last = memory["direction"]
        d = BETAS[self.beta](g, memory["change"], last) * last - g
        return (d if dot(d, g) < 0 else -g), memory

    def knows(self, memory: Memory) -> bool:
        """Return True where there is a last direction."""
        return memory.numbers["gain"] != 0

    def forget(self, memory: Memory) -> Memory:
        """Return the memory without the last direction."""
        return Memory(memory.t, memory.arrays, {**memory.numbers, "gain": 0.0})

    def first(self, memory: Memory, here: Point) -> float:
        """Return the α with which a parabola would gain as much as the last step did."""
        return foretold(memory, here)

    def remember(self, memory: Memory, found: Point, s: Array, y: Array) -> Memory:
        """Return the memory with the direction of this step, and the change of the gradient."""
        return gained(memory, found, s, y, direction=s / found.step, change=y)


@dataclass(frozen=True)
class BFGS(LineSearched):
    """θ ← θ - α B g, with B the inverse Hessian that all steps so far show, a full matrix (P, P).

        B ← (1 - ρ s yᵀ) B (1 - ρ y sᵀ) + ρ s sᵀ,  ρ = 1 / yᵀs

    B starts as the identity. A pair without curvature changes nothing.

    >>> import chainrule as cr
    >>> network, X = cr.Network(1, [cr.Dense(1)]), np.array([[0.0], [1.0], [2.0]])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, np.array([1.0, 3.0, 5.0]))
    >>> cr.train(objective, np.zeros(2), optimizer=BFGS()).theta.round(3)
    array([2., 1.])
    """

    search: str = "strong_wolfe"
    tolerance: float = 1e-4
    max_evaluations: int = 15000

    def __post_init__(self) -> None:
        check(self)

    def init(self, network: Any, theta: Array) -> Memory:
        """Return a memory without any step; ValueError for too many parameters."""
        check_size("bfgs", theta.size)
        return Memory(0, {"inverse": np.eye(theta.size)}, {"evaluations": 0.0, "pairs": 0.0})

    def direction(self, ask: Verbs, theta: Array, g: Array, memory: Memory) -> tuple[Array, Memory]:
        """Return -B g."""
        return -product(memory["inverse"], g), memory

    def knows(self, memory: Memory) -> bool:
        """Return True where B has seen a step."""
        return memory.numbers["pairs"] > 0

    def forget(self, memory: Memory) -> Memory:
        """Return the memory with B as it was at the start."""
        size = len(memory["inverse"])
        return Memory(memory.t, {"inverse": np.eye(size)}, {**memory.numbers, "pairs": 0.0})

    def remember(self, memory: Memory, found: Point, s: Array, y: Array) -> Memory:
        """Return the memory with the step in B."""
        if not curved(s, y):
            return memory.after()
        B, rho = memory["inverse"], 1 / dot(s, y)
        after = memory.after(inverse=updated(B, s, y, rho))
        return Memory(after.t, after.arrays, {**after.numbers, "pairs": after.numbers["pairs"] + 1})


def product(A: Array, v: Array) -> Array:
    """Return A v, summed by NumPy alone: the threads of its BLAS would change the order of the sums."""
    return np.asarray((A * v).sum(axis=1))


def updated(B: Array, s: Array, y: Array, rho: float) -> Array:
    """Return (1 - ρ s yᵀ) B (1 - ρ y sᵀ) + ρ s sᵀ, multiplied out: two updates of rank one, and symmetric.

    >>> updated(np.eye(2), np.array([1.0, 0.0]), np.array([2.0, 0.0]), 0.5)
    array([[0.5, 0. ],
           [0. , 1. ]])
    """
    By = product(B, y)
    across = s[:, None] * By
    return np.asarray(B - rho * (across + across.T) + (rho * rho * dot(y, By) + rho) * (s[:, None] * s))
