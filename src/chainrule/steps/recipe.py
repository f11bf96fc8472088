"""The recipe of a training step beside its update rule: gradient care, accumulation, rates by kind, constraints.

Shapes: P parameters; θ and g (P,). A unit's incoming weights are a column of a W (i, o).

One step, in this order: the rows are augmented and mixed; their gradient g is clipped; the rule moves θ, with a
learning rate of each kind's own; proximal L1 penalties pull weights to 0; `max_norm` shortens the incoming weights of
units; a moving average (`averaging` of the training) follows θ.

Source: lecture notes; Pascanu et al. 2013 (clipping); Srivastava et al. 2014 (max-norm); Parikh and Boyd 2014
(proximal step).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..foundation import values
from ..mathematics.network import Network, Slot
from ..mathematics.objective import Objective
from ..mathematics.penalties import KINDS
from .augmentation import Augmentation, augmented, is_augmentation
from .augmentation.mixup import mix, mixup_share

Vector = NDArray[np.floating]


def clip_value(network: Network, g: Vector, limit: float) -> Vector:
    """Return min(max(g, -c), c), entry by entry."""
    return np.clip(g, -limit, limit)


def clip_norm(network: Network, g: Vector, limit: float) -> Vector:
    """Return g min(1, c / ‖g‖)."""
    return g * g.dtype.type(shortening(float(np.linalg.norm(g)), limit))


def clip_unit(network: Network, g: Vector, limit: float) -> Vector:
    """Return g with the part of each unit's incoming weights shortened to a norm of at most c."""
    g = g.copy()
    shorten_units(network, g, limit)
    return g


CLIPS: Mapping[str, Callable[[Network, Vector, float], Vector]] = MappingProxyType(
    {"value": clip_value, "norm": clip_norm, "unit": clip_unit}
)
"""The ways to clip a gradient, by name."""


def shortening(norm: float, limit: float) -> float:
    """Return min(1, c / norm); 1 where the norm is no number."""
    return limit / norm if norm > limit else 1.0


def shorten_units(network: Network, v: Vector, limit: float) -> None:
    """Shorten, in place, each unit's incoming weights in v (P,) to a norm of at most c."""
    for slot in network.slots:
        if slot.spec.kind == "weight":
            w = v[slot.start : slot.stop].reshape(slot.spec.shape)
            norms = np.sqrt(np.sum(w * w, axis=0))
            w *= np.where(norms > limit, limit / np.maximum(norms, limit), 1).astype(v.dtype)


def _is_clip(clip: object) -> bool:
    return isinstance(clip, tuple) and len(clip) == 2 and clip[0] in CLIPS and values.POSITIVE.accepts(clip[1])


def _are_rates(rates: object) -> bool:
    return isinstance(rates, Mapping) and {*rates} <= {*KINDS} and all(map(values.POSITIVE.accepts, rates.values()))


@dataclass(frozen=True)
class Recipe:
    """The seven things a step may do beside the rule: clip, accumulate, rates, max_norm, average, augment, mix up.

    `clip` is a row of CLIPS and its limit, such as ("norm", 1.0). `accumulate` batches make one update, from the
    gradient of all their rows; batch normalisation sees one batch at a time. `rates` multiply the learning rate of a
    kind of parameters ("weight", "bias", "scale", "slope"). `max_norm` bounds each unit's incoming weights.
    `augmentation` changes the inputs of every step anew, and `mixup` α mixes each row with the next.

    Raises ValueError or TypeError for what is out of range, naming it.

    >>> Recipe(clip=("norm", 1.0), rates={"bias": 2.0}).rate("bias")
    2.0
    """

    clip: tuple[str, float] | None = None
    accumulate: int = 1
    rates: Mapping[str, float] = field(default_factory=dict)
    max_norm: float | None = None
    augmentation: tuple[Augmentation, ...] = ()
    mixup: float = 0.0

    def __post_init__(self) -> None:
        values.check(self, {"accumulate": values.COUNT, "mixup": values.NOT_NEGATIVE})
        if self.max_norm is not None:
            values.check(self, {"max_norm": values.POSITIVE})
        if self.clip is not None and not _is_clip(self.clip):
            raise ValueError(f"Recipe clip must be one of {', '.join(CLIPS)} and a positive limit, got {self.clip!r}")
        if not _are_rates(self.rates):
            raise ValueError(f"Recipe rates must be positive factors of {', '.join(KINDS)}, got {self.rates!r}")
        if not isinstance(self.augmentation, Sequence) or not all(map(is_augmentation, self.augmentation)):
            accepted = "a sequence of augmentations such as augmentation.Noise(0.1)"
            raise ValueError(f"Recipe augmentation must be {accepted}, got {self.augmentation!r}")

    def rate(self, kind: str) -> float:
        """Return the factor on the learning rate of a kind of parameters."""
        return float(self.rates.get(kind, 1.0))

    def factors(self, network: Network, dtype: object) -> Vector | float:
        """Return the factor on the learning rate of every entry of θ: (P,), or 1."""
        if not self.rates:
            return 1.0
        parts = [np.full(slot.stop - slot.start, self.rate(slot.spec.kind)) for slot in network.slots]
        return np.concatenate(parts).astype(dtype)  # type: ignore[call-overload,no-any-return]  # a dtype

    def changed(self, batch: Objective, seed: int, step: int) -> Objective:
        """Return the objective of a step's rows, augmented and mixed."""
        if not (self.augmentation or self.mixup):
            return batch
        X, y = batch.X, batch.y
        if self.augmentation:
            X = augmented(X, self.augmentation, seed, step)
        if self.mixup:
            classes = batch.network.outputs if batch.loss.targets == "classes" and y.ndim == 1 else None
            X, y = mix(X, y, mixup_share(self.mixup, seed, step), classes)
        return batch.replaced(X, y)

    def clipped(self, network: Network, g: Vector) -> Vector:
        """Return the gradient, clipped."""
        return g if self.clip is None else CLIPS[self.clip[0]](network, g, self.clip[1])

    def constrain(self, objective: Objective, theta: Vector, learning_rate: float) -> None:
        """Take the proximal steps of the penalties that have one, then shorten units; in place in θ."""
        for penalty, slots in objective.proximal:
            for slot in slots:
                shrink(theta, slot, learning_rate * self.rate(slot.spec.kind) * float(objective.strength(penalty)))
        if self.max_norm is not None:
            shorten_units(objective.network, theta, self.max_norm)


def follow(average: Vector, theta: Vector, decay: float, t: int) -> None:
    """Move the average (P,), in place, after update t (from 1): θ̄ ← θ̄ + max(1 - d, 1/t) (θ - θ̄).

    It begins as the mean of all θ so far, without the starting weights, and becomes the exponential moving average
    once that looks back less far.

    >>> average = np.array([1.0])
    >>> for t, theta in enumerate((3.0, 5.0, 8.0), start=1):
    ...     follow(average, np.array([theta]), 0.5, t)
    ...     print(average)
    [3.]
    [4.]
    [6.]
    """
    average += average.dtype.type(max(1 - decay, 1 / t)) * (theta - average)


def shrink(theta: Vector, slot: Slot, threshold: float) -> None:
    """θ ← sign(θ) max(|θ| - threshold, 0) on one parameter, in place: the proximal step of L1, with true zeros."""
    w = theta[slot.start : slot.stop]
    w[:] = np.sign(w) * np.maximum(np.abs(w) - theta.dtype.type(threshold), 0)


DEFAULT_RECIPE = Recipe()
"""The recipe of a step that does nothing beside the rule."""
