"""Signs of a training that may not have learned, which cost next to nothing to see: only where one shows we measure.

Shapes: n rows, o outputs. y and scores (n, o).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array
from ..mathematics.objective import Objective
from .statistics import BlockStatistics


class Probe(Protocol):
    """Figures of the blocks of a training, on demand; `first` is the update ratio of all of θ in the first epoch."""

    steps: int
    first: float | None

    def statistics(self, theta: NDArray[np.floating]) -> tuple[BlockStatistics, ...]:
        """Return the figures at θ."""


class Event(Protocol):
    """One epoch of a finished training, as the loop's Progress tells it."""

    @property
    def step(self) -> int:
        """The steps so far."""

    @property
    def loss(self) -> float:
        """The mean loss of the epoch."""

    @property
    def learning_rate(self) -> float | None:
        """The learning rate of the last step; None where the optimiser finds its own."""

    @property
    def gradient_norm(self) -> float:
        """The length of the last gradient."""

    @property
    def look(self) -> Probe | None:
        """The probe for the blocks' figures, where there is one."""


FEWEST_STEPS = 10
"""The steps from which on a training can be judged."""

ROWS = 256
"""Rows on which the best constant prediction is judged."""

CLEARLY = 0.9
"""A loss of less than this share of the best constant prediction's has learned something."""


TINY = 1e-3
"""A loss above that of the constant by less than this has learned targets that are one value for all rows."""


def _logit(y: Array) -> Array:
    p = np.clip(y, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def _log(p: Array) -> Array:
    return np.log(np.maximum(p, 1e-6))


CONSTANTS: Mapping[str, tuple[Callable[[Array, Array], Array], ...]] = MappingProxyType(
    {
        "real": (lambda y, mean: mean, lambda y, mean: np.median(y, axis=0)),
        "counts": (lambda y, mean: _log(mean),),
        "binary": (lambda y, mean: _logit(mean),),
        "signs": (lambda y, mean: _logit((1 + mean) / 2), lambda y, mean: np.sign(mean), lambda y, mean: mean),
        "classes": (lambda y, mean: _log(mean), lambda y, mean: mean == mean.max(), lambda y, mean: 0 * mean),
    }
)
"""Scores worth trying for every row alike, by a loss's targets (n, o) and their mean. The first is the best where the
loss is the negative logarithm of a probability."""


def constant_loss(objective: Objective) -> float:
    """Return the loss of the best constant prediction, on a sample of rows.

    >>> import chainrule as cr
    >>> network, X = cr.Network(1, [cr.Dense(1)]), np.zeros((4, 1))
    >>> constant_loss(cr.Objective(network, cr.losses.SquaredError(), X, np.array([1.0, 1.0, 5.0, 5.0])))
    2.0
    """
    loss, outputs, rows = objective.loss, objective.network.outputs, slice(None, None, -(-objective.rows // ROWS))
    y = objective.y[rows]
    weight = None if objective.sample_weight is None else objective.sample_weight[rows]
    known = np.eye(outputs)[y] if loss.targets == "classes" and y.ndim == 1 else loss.shaped(y, outputs)
    mean = known.mean(axis=0) if weight is None else weight @ known / max(float(weight.sum()), 1e-300)
    scores = np.empty(known.shape, objective.X.dtype)
    found = []
    for constant in CONSTANTS[loss.targets][: 1 if loss.probabilistic else None]:
        scores[:] = constant(known, mean)
        found.append(float(loss.value(scores, y, weight)))
    return min(found)


def symptom(objective: Objective, theta: NDArray[np.floating], history: Sequence[Event]) -> bool:
    """Return True for a training that may have gone wrong: cheap to ask, and often true of a sound one.

    It has a symptom where the last loss is not clearly below that of the best constant prediction, where the loss jumps
    by half of that in the second half of the epochs, and where all units of a hidden layer are equal. A training of a
    few steps has none, nor has one that has learned a target of one value for all rows.
    """
    if not history or history[-1].step < FEWEST_STEPS:
        return False
    losses = [event.loss for event in history]
    constant = constant_loss(objective)
    if losses[-1] - constant < TINY and bool((objective.y == objective.y[0]).all()):  # nothing to learn, and learned
        return False
    jump = max((after - before for before, after in pairwise(losses[len(losses) // 2 :])), default=0.0)
    learned = losses[-1] < CLEARLY * constant and jump < constant / 2
    return not learned or bool(equal_layers(objective, theta))


def equal_layers(objective: Objective, theta: NDArray[np.floating]) -> list[int]:
    """Return the numbers of the hidden blocks of weights (Dense, DropConnect) with several units, all of them equal."""
    network, params = objective.network, objective.network.unpack(theta)
    hidden = (k for k in network.weighted if k < len(network.blocks) - 1 and network.widths[k + 1] > 1)
    return [k for k in hidden if all(map(_equal, params[k].values()))]


def _equal(W: Array) -> bool:
    """Return True where all columns, or all numbers of a vector, are equal; the first two tell as a rule."""
    return bool((W[..., 0] == W[..., 1]).all() and (W[..., :1] == W).all())
