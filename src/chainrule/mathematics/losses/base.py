"""Shared by every loss: the average over rows, the range of targets, and functions from scores to probabilities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar, Literal, NamedTuple

from ...foundation.arrays import Array, namespace, special

Targets = Literal["real", "counts", "binary", "signs", "classes"]
Link = Literal["identity", "sigmoid", "softmax", "exp"]


class Range(NamedTuple):
    """The targets that a loss takes, in words, and the entries of a target that are outside."""

    words: str
    outside: Callable[[Array], Array]


RANGES: Mapping[Targets, Range] = MappingProxyType(
    {
        "real": Range("numbers", lambda y: namespace(y).zeros_like(y, dtype=bool)),
        "counts": Range("at least 0", lambda y: y < 0),
        "binary": Range("from 0 to 1", lambda y: (y < 0) | (y > 1)),
        "signs": Range("-1 or +1", lambda y: (y != -1) & (y != 1) & (y == y)),
        "classes": Range("class numbers, or probabilities from 0 to 1", lambda y: (y < 0) | (y > 1)),
    }
)
"""The range of each kind of targets; class numbers are counted by `RowLoss`."""


def check_weights(weight: Array, rows: int) -> None:
    """Raise ValueError unless there is one finite weight of at least 0 for each row: weight (n,)."""
    if weight.shape != (rows,):
        raise ValueError(f"sample_weight has shape {weight.shape}; X has {rows} rows")
    xp = namespace(weight)
    wrong = ~((weight >= 0) & xp.isfinite(weight))
    if xp.any(wrong):
        raise ValueError(f"sample_weight must hold finite numbers of at least 0, got {float(weight[wrong][0]):g}")


def softmax(scores: Array) -> Array:
    """Return pᵢⱼ = e^sᵢⱼ / Σₖ e^sᵢₖ, row by row."""
    xp = namespace(scores)
    e = xp.exp(scores - xp.max(scores, axis=1, keepdims=True))
    return e / xp.sum(e, axis=1, keepdims=True)


def log_softmax(scores: Array) -> Array:
    """Return log pᵢⱼ = sᵢⱼ - log Σₖ e^sᵢₖ, row by row, from scores shifted so that the largest is 0."""
    xp = namespace(scores)
    shifted = scores - xp.max(scores, axis=1, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=1, keepdims=True))


def one_hot(classes: Array, like: Array) -> Array:
    """Return rows of zeros with a one at the class: (n,) integers to an array like `like`, (n, o)."""
    xp = namespace(like)
    return xp.astype(classes[:, None] == xp.arange(like.shape[1]), like.dtype)


def kl_divergence(p: Array, q: Array) -> Array:
    """Return D(p‖q) = Σⱼ pⱼ log(pⱼ / qⱼ) for each row; its gradient in q's scores is that of cross entropy.

    >>> import numpy as np
    >>> kl_divergence(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])).round(6)
    array([0.143841])
    """
    return namespace(p).sum(special(p).rel_entr(p, q), axis=-1)


def jeffreys_divergence(p: Array, q: Array) -> Array:
    """Return the symmetric D(p‖q) + D(q‖p) for each row."""
    return kl_divergence(p, q) + kl_divergence(q, p)


class Loss(ABC):
    """A loss: subclasses give the loss of each row and its derivatives; this class averages them."""

    targets: ClassVar[Targets] = "real"
    probabilistic: ClassVar[bool] = False
    link: ClassVar[Link] = "identity"
    """The function that turns scores into predictions, by name; `predict` applies it."""

    def shaped(self, target: Array, outputs: int) -> Array:
        """Return the target in the shape that `rows` takes: (n, outputs), from (n,) too."""
        return namespace(target).reshape(target, (-1, outputs)) if target.ndim == 1 else target

    def check_target(self, target: Array, rows: int, outputs: int) -> None:
        """Check a target before a training: its shape and its values, which no formula looks at.

        Raises ValueError, naming the loss, the given values and the accepted ones.
        """
        if target.size != rows * outputs:
            raise ValueError(f"y has shape {target.shape}; this network gives ({rows}, {outputs})")
        self._check_values(target)

    def _check_values(self, target: Array) -> None:
        """Raise ValueError where a value is outside the range of the loss's targets; NaN shows in the loss itself."""
        accepted = RANGES[self.targets]
        wrong = accepted.outside(target)
        if namespace(target).any(wrong):
            kind, first = type(self).__name__, float(target[wrong][0])
            raise ValueError(f"{kind} takes targets y that are {accepted.words}, got {first:g}")

    def _beside(self, scores: Array, target: Array) -> Array:
        target = self.shaped(target, scores.shape[1])
        if target.shape[0] != scores.shape[0]:
            raise ValueError(f"scores have shape {scores.shape}, the target has {target.shape[0]} rows")
        if target.ndim > 1 and target.shape != scores.shape:
            raise ValueError(f"scores have shape {scores.shape}, the target has shape {target.shape}")
        return target

    @abstractmethod
    def rows(self, scores: Array, target: Array) -> Array:
        """Return the loss of each row, (n,)."""

    @abstractmethod
    def rows_gradient(self, scores: Array, target: Array) -> Array:
        """Return the derivative of each row's loss in its scores, (n, o)."""

    @abstractmethod
    def rows_curvature(self, scores: Array, target: Array, v: Array) -> Array:
        """Return each row's Hessian in its scores, times v, (n, o)."""

    def value(self, scores: Array, target: Array, weight: Array | None = None) -> Array:
        """Return L = Σᵢ wᵢ lossᵢ / Σᵢ wᵢ, one number."""
        rows = self.rows(scores, self._beside(scores, target))
        if weight is None:
            return namespace(rows).mean(rows)
        return namespace(rows).sum(rows * _shares(weight))

    def gradient(self, scores: Array, target: Array, weight: Array | None = None) -> Array:
        """Return dL/dscores, (n, o)."""
        return _shared(self.rows_gradient(scores, self._beside(scores, target)), weight)

    def curvature(self, scores: Array, target: Array, v: Array, weight: Array | None = None) -> Array:
        """Return (d²L/dscores²) v, (n, o)."""
        return _shared(self.rows_curvature(scores, self._beside(scores, target), v), weight)

    def predict(self, scores: Array) -> Array:
        """Return the predictions for scores: probabilities, counts, or the scores themselves."""
        return scores

    @property
    def unsmoothed(self) -> Loss:
        """The loss that a validation asks: this one, on targets as they are."""
        return self


def _shares(weight: Array) -> Array:
    total = namespace(weight).sum(weight)
    return weight / (total + (total == 0))


def _shared(rows: Array, weight: Array | None) -> Array:
    return rows / rows.shape[0] if weight is None else rows * _shares(weight)[:, None]
