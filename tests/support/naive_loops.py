"""The training loop again, as naive as can be, and the small problems on which the two are compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from chainrule import Activation, Dense, Network, Objective
from chainrule.foundation.randomness import Stream
from chainrule.losses import CrossEntropy
from chainrule.mathematics.blocks import PREDICTING, Context
from chainrule.optimizers import OPTIMIZERS, UpdateRule
from chainrule.penalties import L2

RULES = [name for name, rule in OPTIMIZERS.items() if issubclass(rule, UpdateRule)]
"""The rows of OPTIMIZERS that an engine applies."""


def classification(rows: int = 10, weighted: bool = True, dtype: str = "float64") -> tuple[Objective, Any]:
    """Return a penalised 3-4-2 classification and a start."""
    rng = np.random.default_rng(rows)
    X, y = rng.normal(size=(rows, 3)).astype(dtype), rng.integers(0, 2, rows)
    weight = rng.uniform(0.5, 2, rows).astype(dtype) if weighted else None
    network = Network(3, [Dense(4), Activation("tanh"), Dense(2)])
    return Objective(network, CrossEntropy(), X, y, weight, [L2(0.01)]), network.initialize(0, dtype)


class Epoch(NamedTuple):
    """What the naive loop knows after an epoch."""

    theta: Any
    step: int
    loss: float
    gradient_norm: float


def naive_batches(order: str, seed: int, epoch: int, rows: int, batch_size: int) -> list[Any]:
    """Return the row numbers of each batch of an epoch."""
    if batch_size >= rows or order == "given":
        numbers = np.arange(rows)
    else:
        numbers = Stream(seed, "shuffle", step=epoch if order == "reshuffle" else 0).permutation(rows)
    return [numbers[k : k + batch_size] for k in range(0, rows, batch_size)]


def naive_training(
    objective: Objective, theta: Any, rule: UpdateRule, rate: float, batch_size: int, order: str, seed: int
) -> Iterator[Epoch]:
    """Train for ever, one whole and pure update per batch, with nothing of the loop's own machinery."""
    memory, step, epoch = rule.zeros(theta.size, theta.dtype.name, objective.network.mask("weight")), 0, 0
    while True:
        total, gradient = 0.0, None
        for rows in naive_batches(order, seed, epoch, objective.rows, batch_size):
            weight = None if objective.sample_weight is None else objective.sample_weight[rows]
            parts = objective.network, objective.loss, objective.X[rows], objective.y[rows], weight
            loss, gradient = Objective(*parts, objective.penalties).value_and_gradient(theta)
            theta, memory = rule.update(theta, gradient, memory, rate)
            total, step = total + len(rows) * float(loss), step + 1
        epoch += 1
        yield Epoch(theta, step, total / objective.rows, float(np.linalg.norm(gradient)))


class Recording(Objective):
    """Notes the row numbers of every batch."""

    seen: list[list[int]]

    def batch(self, rows: Any) -> Objective:
        self.seen.append([int(row) for row in rows])
        return super().batch(rows)


class Watching(Activation):
    """An identity that notes every context it sees."""

    def __init__(self) -> None:
        super().__init__("identity")
        self.seen: list[Context] = []

    def forward(self, params: Any, x: Any, context: Context = PREDICTING) -> Any:
        self.seen.append(context)
        return super().forward(params, x, context)
