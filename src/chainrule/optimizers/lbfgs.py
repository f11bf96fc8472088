"""L-BFGS: a quasi-Newton method that remembers the last steps instead of a matrix.

Shapes: P parameters, k remembered steps; θ and g (P,), `steps` and `changes` (k, P), oldest first.

Source: lecture notes (quasi-Newton methods); Nocedal 1980; Liu and Nocedal 1989.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..foundation import values
from ..foundation.arrays import Array
from .contract import Memory, Verbs
from .line_search import TOLERANCE, LineSearched, curved, dot
from .search import Point


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
        shares.append(dot(s, q) / dot(s, y))
        q -= shares[-1] * y
    if len(steps):
        q *= dot(steps[-1], changes[-1]) / dot(changes[-1], changes[-1])
    for s, y in zip(steps, changes, strict=True):
        q += (shares.pop() - dot(y, q) / dot(s, y)) * s
    return q


@dataclass(frozen=True)
class LBFGS(LineSearched):
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

    history: int = 10
    tolerance: float = 1e-4
    max_evaluations: int = 15000

    def __post_init__(self) -> None:
        values.check(self, {"history": values.COUNT, "tolerance": TOLERANCE, "max_evaluations": values.COUNT})

    def init(self, network: Any, theta: Array) -> Memory:
        """Return a memory without any step."""
        pairs = {"steps": np.zeros((0, theta.size)), "changes": np.zeros((0, theta.size))}
        return Memory(0, pairs, {"evaluations": 0.0})

    def direction(self, ask: Verbs, theta: Array, g: Array, memory: Memory) -> tuple[Array, Memory]:
        """Return -B g."""
        return -inverse_hessian_product(g, memory["steps"], memory["changes"]), memory

    def knows(self, memory: Memory) -> bool:
        """Return True where there are steps to tell the curvature from."""
        return len(memory["steps"]) > 0

    def forget(self, memory: Memory) -> Memory:
        """Return the memory without its steps."""
        nothing = {name: memory[name][:0] for name in ("steps", "changes")}
        return Memory(memory.t, {**memory.arrays, **nothing}, memory.numbers)

    def remember(self, memory: Memory, found: Point, s: Array, y: Array) -> Memory:
        """Return the memory with one more pair, the oldest forgotten; a pair without curvature is left out."""
        steps, changes = memory["steps"], memory["changes"]
        if curved(s, y):
            kept = slice(max(0, len(steps) + 1 - self.history), None)
            steps, changes = np.vstack([steps, s])[kept], np.vstack([changes, y])[kept]
        return memory.after(steps=steps, changes=changes)
