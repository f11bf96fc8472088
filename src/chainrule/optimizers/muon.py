"""Muon: momentum whose matrices are made orthogonal, so that every direction of a hidden layer moves as far.

    Δ ← γ Δ + g;    W ← W - η √max(1, o / i) O(g + γ Δ),    O(G) ≈ U Vᵀ of G = U S Vᵀ

Shapes: P parameters; θ, g and Δ (P,), W (i, o).

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; Bernstein and Newhouse 2024;
Loshchilov and Hutter 2019 (AdamW, for all that is no hidden matrix).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import numpy as np

from ..foundation import values
from ..foundation.arrays import Array
from .contract import Memory, Optimizer, StepReport, Verbs
from .line_search import norm
from .rules import LIMITS, AdamW

A, B, C = 3.4445, -4.7750, 2.0315
"""The coefficients of X ← a X + (b X Xᵀ + c (X Xᵀ)²) X, which drives every singular value near 1 (0.7 to 1.2)."""


def orthogonal(G: Array, steps: int) -> Array:
    """Return about U Vᵀ of G = U S Vᵀ, by so many steps of Newton and Schulz from G / ‖G‖; 0 for 0.

    >>> np.linalg.svd(orthogonal(np.diag([3.0, 1.0]), 5))[1].round(1)
    array([1.1, 0.8])
    """
    tall = G.shape[0] > G.shape[1]
    X = G.T if tall else G
    X = X / (np.sqrt(np.sum(X * X)) + X.dtype.type(1e-7))
    for _ in range(steps):
        S = X @ X.T
        X = A * X + (B * S + C * (S @ S)) @ X
    return np.asarray(X.T if tall else X)


@dataclass(frozen=True)
class Muon(Optimizer):
    """Orthogonal steps for the hidden matrices; AdamW for the first and the last layer, and for all that is no matrix.

    Δ is Nesterov's momentum. AdamW's learning rate is `adam_learning_rate`, and follows the schedule in proportion;
    λ, the `weight_decay`, shrinks all weights, W ← (1 - η λ) W. Memory: Δ and AdamW's moments, and the places of the
    hidden matrices in θ.

    >>> network = __import__("chainrule").Network
    >>> from chainrule import Activation, Dense
    >>> net = network(2, [Dense(4), Activation("tanh"), Dense(3), Activation("tanh"), Dense(1)])
    >>> Muon().init(net, net.initialize(0))["hidden"]
    array([[12,  4,  3]])
    """

    scheduled: ClassVar[bool] = True
    learning_rate: float = 0.02
    momentum: float = 0.95
    steps: int = 5
    weight_decay: float = 0.01
    adam_learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.95
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        names = ("learning_rate", "momentum", "weight_decay", "beta_1", "beta_2", "epsilon")
        rules: dict[str, values.Rule] = {name: LIMITS[name] for name in names}
        values.check(self, {**rules, "steps": values.COUNT, "adam_learning_rate": values.POSITIVE})

    @property
    def adam(self) -> AdamW:
        """The rule of all other parameters."""
        return AdamW(self.adam_learning_rate, self.beta_1, self.beta_2, self.epsilon, self.weight_decay)

    def init(self, network: Any, theta: Array) -> Memory:
        """Return a memory of zeros, with (start, rows, columns) of every hidden matrix."""
        memory = self.adam.init(network, theta)
        memory.arrays["delta"] = np.zeros_like(theta)
        memory.arrays["hidden"] = hidden(network)
        return memory

    def step(self, ask: Verbs, theta: Array, memory: Memory, rate: float) -> tuple[Array, Memory, StepReport]:
        """Return θ and the memory after the step that the gradient asks for, and the loss before it."""
        loss, g = ask.value_and_gradient(theta)
        g = np.asarray(g, theta.dtype)
        delta = self.momentum * memory["delta"] + g
        ahead = g + self.momentum * delta
        moved, after = self.adam.update(theta, g, memory, rate * (self.adam_learning_rate / self.learning_rate))
        for start, rows, columns in memory["hidden"].tolist():
            place = slice(start, start + rows * columns)
            W, G = theta[place].reshape(rows, columns), ahead[place].reshape(rows, columns)
            far = rate * sqrt(max(1.0, columns / rows))
            kept = (1 - rate * self.weight_decay) * W
            moved[place] = (kept - far * orthogonal(G, self.steps)).reshape(-1)
        after = Memory(after.t, {**after.arrays, "delta": delta}, after.numbers)
        return moved, after, StepReport(float(loss), norm(g))


def hidden(network: Any) -> Array:
    """Return (start, rows, columns) of each weight matrix between the first and the last block that has weights."""
    inner = set(network.weighted[1:-1])
    found = [
        (slot.start, *slot.spec.shape)
        for slot in network.slots
        if slot.block in inner and slot.spec.kind == "weight" and len(slot.spec.shape) == 2
    ]
    return np.array(found, np.int64).reshape(-1, 3)
