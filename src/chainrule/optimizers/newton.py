"""Newton's method: the step to where the parabola through J, its slope and its curvature is least.

    H d = -g,    damped: (H + α 1) d = -g

Shapes: P parameters; θ, g and d (P,), H (P, P).

Source: lecture notes (Newton's method, damping); Nocedal and Wright 2006, chapter 3; Levenberg 1944.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Any, ClassVar

import numpy as np

from ..foundation import symmetric, values
from ..foundation.arrays import Array
from .contract import Memory, Verbs
from .directions import check
from .line_search import LineSearched, NoDirectionError, check_size, seen_condition
from .search import Point


def matrix(product: Callable[[Array], Array], size: int, dtype: Any) -> Array:
    """Return the symmetric matrix (P, P) of a product with vectors, in float64, column by column."""
    unit = np.eye(size, dtype=dtype)
    columns = np.stack([np.asarray(product(unit[k]), np.float64) for k in range(size)], axis=1)
    return np.asarray((columns + columns.T) / 2)


def solved(H: Array, damping: float, g: Array) -> Array | None:
    """Return the solution of (H + α 1) d = -g by Cholesky's factors; None where H + α 1 is not positive definite."""
    return symmetric.solve(H, -g, np.full(len(H), damping))


@dataclass(frozen=True)
class Newton(LineSearched):
    """θ ← θ + α d with H d = -g: on a parabola one step is enough.

    The step is taken whole (`search="fixed"`) unless another search is chosen. Where H is not positive definite d may
    lead up, to a saddle: the training ends and says so; DampedNewton goes on.

    >>> import chainrule as cr
    >>> network, X = cr.Network(1, [cr.Dense(1)]), np.array([[0.0], [1.0], [2.0]])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, np.array([1.0, 3.0, 5.0]))
    >>> result = cr.train(objective, np.zeros(2), optimizer=Newton())
    >>> result.theta.round(6), result.reason
    (array([2., 1.]), 'converged')
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient", "hessian_product"})
    search: str = "fixed"
    tolerance: float = 1e-4
    max_evaluations: int = 15000

    def __post_init__(self) -> None:
        check(self)

    def init(self, network: Any, theta: Array) -> Memory:
        """Return a memory without any step; ValueError for too many parameters."""
        check_size("newton", theta.size)
        return Memory(0, {}, {"evaluations": 0.0, "condition": nan})

    def direction(self, ask: Verbs, theta: Array, g: Array, memory: Memory) -> tuple[Array, Memory]:
        """Return the solution of H d = -g."""
        H = matrix(lambda v: ask.hessian_product(theta, v), theta.size, theta.dtype)
        d = solved(H, 0.0, g)
        if d is None:
            raise NoDirectionError(
                "the Hessian is not positive definite here, so that H d = -g may lead up: take damped_newton"
            )
        return d, Memory(memory.t, {}, {**memory.numbers, "condition": seen_condition(np.diagonal(H), d, g)})

    def first(self, memory: Memory, here: Point) -> float:
        """Return 1: the whole step."""
        return 1.0


@dataclass(frozen=True)
class DampedNewton(LineSearched):
    """θ ← θ + s d with (H + α 1) d = -g: between Newton's step (α = 0) and a short one along -g (α large).

    α starts at `damping`. It is multiplied by `factor` until Cholesky's factorisation succeeds, which proves H + α 1
    positive definite, and again after a step that the search had to shorten; after a whole step it is divided by it.
    Memory: α.

    >>> import chainrule as cr
    >>> network = cr.Network(2, [cr.Dense(2), cr.Activation("tanh"), cr.Dense(1)])
    >>> X, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0.0, 1.0, 1.0, 0.0])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, y)
    >>> result = cr.train(objective, network.initialize(seed=1), optimizer=DampedNewton(tolerance=1e-8))
    >>> bool(objective.value(result.theta) < 1e-12)
    True
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient", "hessian_product"})
    damping: float = 1e-3
    factor: float = 4.0
    search: str = "armijo"
    tolerance: float = 1e-4
    max_evaluations: int = 15000

    def __post_init__(self) -> None:
        above = values.Number(1, low_open=True)
        check(self, damping=values.POSITIVE, factor=above)

    def init(self, network: Any, theta: Array) -> Memory:
        """Return the memory before the first step; ValueError for too many parameters."""
        check_size("damped_newton", theta.size)
        return Memory(0, {}, {"evaluations": 0.0, "damping": self.damping, "condition": nan})

    def direction(self, ask: Verbs, theta: Array, g: Array, memory: Memory) -> tuple[Array, Memory]:
        """Return the solution of (H + α 1) d = -g, and the memory with the α that it took."""
        H = matrix(lambda v: ask.hessian_product(theta, v), theta.size, theta.dtype)
        damping = memory.numbers["damping"]
        while (d := solved(H, damping, g)) is None:
            damping *= self.factor
        condition = seen_condition(np.diagonal(H) + damping, d, g)
        return d, Memory(memory.t, {}, {**memory.numbers, "damping": damping, "condition": condition})

    def first(self, memory: Memory, here: Point) -> float:
        """Return 1: the whole step."""
        return 1.0

    def remember(self, memory: Memory, found: Point, s: Array, y: Array) -> Memory:
        """Return the memory with a smaller α after a whole step, with a larger one after a shortened one."""
        damping = memory.numbers["damping"] * (1 / self.factor if found.step >= 1 else self.factor)
        after = memory.after()
        return Memory(after.t, after.arrays, {**after.numbers, "damping": max(damping, 1e-12)})
