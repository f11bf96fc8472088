"""K-FAC: the natural gradient with one Kronecker product for each Dense block.

    P = (A + π √λ 1)⁻¹ (dJ/d(W; b)) (S + √λ / π 1)⁻¹,    π² = (tr A / rows of A) / (tr S / rows of S)

A (of the inputs) and S (of the outputs) are `mathematics.fisher`'s, averaged over the steps. Their inverses are small,
so that the curvature of a whole layer costs little more than its gradient.

Shapes: P parameters; θ and g (P,); of a block i inputs and o outputs: (W; b) (i + 1, o), A (i + 1, i + 1), S (o, o).

Source: Martens and Grosse 2015, "Optimizing neural networks with Kronecker-factored approximate curvature";
Ba, Grosse and Martens 2017 (the limit of a step).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import numpy as np

from ..foundation import values
from ..foundation.arrays import Array
from ..mathematics.fisher import Factors
from .contract import Memory, Optimizer, StepReport, Verbs
from .line_search import dot, norm
from .rules import LIMITS


@dataclass(frozen=True)
class KFAC(Optimizer):
    """Δ ← γ Δ + ν P;  θ ← θ - η Δ, with ν ≤ 1 so that a step without momentum changes the predictions by κ at most.

    A and S move to those of the step's rows, m ← ρ m + (1 - ρ) new (undone at its start as Adam's), and are inverted
    again, every `every` steps. λ is the `damping`, κ the `limit`: ν² η² gᵀP ≤ κ. Penalties add their second derivative
    to λ. For networks whose parameters are all in Dense blocks. Memory: Δ, A and S and their inverses by block.

    >>> import chainrule as cr
    >>> network, X = cr.Network(1, [cr.Dense(1)]), np.array([[0.0], [1.0], [2.0]])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, np.array([1.0, 3.0, 5.0]))
    >>> settings = {"optimizer": KFAC(momentum=0.0, damping=1e-6, limit=10.0), "schedule": cr.schedules.Constant(1.0)}
    >>> cr.train(objective, np.zeros(2), epochs=2, **settings).theta.round(3)
    array([2., 1.])
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient", "factors"})
    scheduled: ClassVar[bool] = True
    learning_rate: float = 0.1
    momentum: float = 0.9
    damping: float = 0.1
    rho: float = 0.95
    every: int = 5
    limit: float = 1e-2

    def __post_init__(self) -> None:
        names = ("learning_rate", "momentum", "rho")
        rules: dict[str, values.Rule] = {name: LIMITS[name] for name in names}
        positive = {"damping": values.POSITIVE, "limit": values.POSITIVE}
        values.check(self, {**rules, **positive, "every": values.COUNT})

    def init(self, network: Any, theta: Array) -> Memory:
        """Return the memory before the first step; ValueError for parameters of other blocks than Dense."""
        arrays = {"delta": np.zeros_like(theta), "places": places(network)}
        for k, _, rows, columns in arrays["places"].tolist():
            for name, size in (("A", rows), ("S", columns)):
                arrays[f"{name} {k}"] = arrays[f"inverse {name} {k}"] = np.zeros((size, size))
        return Memory(0, arrays)

    def step(self, ask: Verbs, theta: Array, memory: Memory, rate: float) -> tuple[Array, Memory, StepReport]:
        """Return θ and the memory after the step that the gradient asks for, and the loss before it."""
        loss, g = ask.value_and_gradient(theta)
        g, arrays = np.asarray(g, np.float64), dict(memory.arrays)
        if memory.t % self.every == 0 and np.isfinite(loss):
            for found in ask.factors(theta):
                arrays |= self._renewed(memory, found)
        p = np.zeros_like(g)
        for k, start, rows, columns in memory["places"].tolist():
            place = slice(start, start + rows * columns)
            along = arrays[f"inverse A {k}"] @ g[place].reshape(rows, columns) @ arrays[f"inverse S {k}"]
            p[place] = along.reshape(-1)
        change = rate * rate * dot(g, p)
        shorter = min(1.0, sqrt(self.limit / change)) if change > 0 else 1.0
        delta = (self.momentum * memory["delta"] + shorter * p).astype(theta.dtype)
        after = Memory(memory.t + 1, {**arrays, "delta": delta}, memory.numbers)
        return theta - theta.dtype.type(rate) * delta, after, StepReport(float(loss), norm(g))

    def _renewed(self, memory: Memory, found: Factors) -> dict[str, Array]:
        """Return A and S of a block with those of this step in them, and their inverses."""
        k, times = found.block, memory.t // self.every
        share = (1 - self.rho) / (1 - self.rho ** (times + 1))  # all of it at first: nothing has been seen before
        A = (1 - share) * memory[f"A {k}"] + share * found.A
        S = (1 - share) * memory[f"S {k}"] + share * found.S
        ratio = (np.trace(A) / len(A)) / max(np.trace(S) / len(S), 1e-300)
        pi, root = sqrt(min(max(ratio, 1e-12), 1e12)), sqrt(self.damping)
        inverses = {f"inverse A {k}": inverse(A, pi * root), f"inverse S {k}": inverse(S, root / pi)}
        return {f"A {k}": A, f"S {k}": S, **inverses}


def inverse(M: Array, damping: float) -> Array:
    """Return (M + damping 1)⁻¹, symmetric.

    >>> inverse(np.diag([1.0, 3.0]), 1.0)
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    found = np.linalg.inv(M + damping * np.eye(len(M)))
    return np.asarray((found + found.T) / 2)


def places(network: Any) -> Array:
    """Return (block, start, rows, columns) of each (W; b): the bias stands after the weights in θ, as a last row.

    Raises ValueError for parameters that no Dense block has.
    """
    found = []
    for slot in network.slots:
        if slot.name == "W" and slot.spec.kind == "weight":
            found.append([slot.block, slot.start, *slot.spec.shape])
        elif slot.name == "b" and found and found[-1][0] == slot.block:
            found[-1][2] += 1
        else:
            name = type(network.blocks[slot.block]).__name__
            raise ValueError(f"kfac knows the parameters of Dense blocks only; block {slot.block} is {name}")
    return np.array(found, np.int64).reshape(-1, 4)
