"""Losses that couple the outputs of a row: softmax cross entropy and the multi-class hinge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...foundation.arrays import Array, namespace
from ...foundation.values import SHARE, check
from .base import Link, Loss, Targets, log_softmax, one_hot, softmax


class RowLoss(Loss):
    """A loss that couples the outputs of a row: target (n,) class numbers, or (n, o) class probabilities."""

    targets: ClassVar[Targets] = "classes"

    def shaped(self, target: Array, outputs: int) -> Array:
        """Return the target as it is: one class number per row (n,), or class probabilities (n, o)."""
        return target

    def check_target(self, target: Array, rows: int, outputs: int) -> None:
        """Check class numbers (n,) or class probabilities (n, o); ValueError for any other shape or value."""
        if target.ndim == 1:
            return _check_classes(target, outputs)
        if target.shape != (rows, outputs):
            accepted = f"class numbers ({rows},) or class probabilities ({rows}, {outputs})"
            raise ValueError(f"{type(self).__name__} takes y as {accepted}, got the shape {target.shape}")
        return self._check_values(target)


def _check_classes(y: Array, outputs: int) -> None:
    xp = namespace(y)
    if not xp.isdtype(y.dtype, "integral") or (y.shape[0] > 0 and (xp.min(y) < 0 or xp.max(y) >= outputs)):
        raise ValueError(f"y must hold class numbers, integers from 0 to {outputs - 1}: one for each output")


def _distribution(target: Array, scores: Array) -> Array:
    return one_hot(target, scores) if target.ndim == 1 else target


@dataclass(frozen=True)
class CrossEntropy(RowLoss):
    """-Σⱼ tⱼ log pⱼ with p = softmax(s): hard targets (n,) integers, or soft ones (n, o).

    With soft targets it is D(t‖p) + H(t), so that its gradient is also that of the KL divergence. `label_smoothing` ε
    puts (1 - ε) t + ε/o in the place of t: no class is ever certain.

    >>> import numpy as np
    >>> float(CrossEntropy().value(np.zeros((1, 4)), np.array([2])).round(6))
    1.386294

    Source: Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision", for the smoothing.
    """

    label_smoothing: float = 0.0
    probabilistic: ClassVar[bool] = True
    link: ClassVar[Link] = "softmax"

    def __post_init__(self) -> None:
        check(self, {"label_smoothing": SHARE})

    @property
    def unsmoothed(self) -> CrossEntropy:
        """The same without smoothing."""
        return CrossEntropy()

    def smoothed(self, target: Array, scores: Array) -> Array:
        """(1 - ε) t + ε/o, (n, o)."""
        return (1 - self.label_smoothing) * _distribution(target, scores) + self.label_smoothing / scores.shape[1]

    def rows(self, scores: Array, target: Array) -> Array:
        """-Σⱼ tⱼ log pⱼ."""
        return -namespace(scores).sum(self.smoothed(target, scores) * log_softmax(scores), axis=1)

    def rows_gradient(self, scores: Array, target: Array) -> Array:
        """T p - t, with T = Σⱼ tⱼ (1 for a distribution)."""
        t = self.smoothed(target, scores)
        return namespace(t).sum(t, axis=1, keepdims=True) * softmax(scores) - t

    def rows_curvature(self, scores: Array, target: Array, v: Array) -> Array:
        """T (p ∘ v - p (pᵀ v))."""
        xp = namespace(scores)
        p = softmax(scores)
        pv = p * v
        t = xp.sum(self.smoothed(target, scores), axis=1, keepdims=True)
        return t * (pv - p * xp.sum(pv, axis=1, keepdims=True))

    def predict(self, scores: Array) -> Array:
        """softmax(s)."""
        return softmax(scores)


def _violations(scores: Array, target: Array) -> tuple[Array, Array]:
    """Return the worst margin violation m (n, 1) and its derivative in the scores (n, o).

    m = maxⱼ ([j ≠ y] + sⱼ - s_y); where the right class itself is the maximum, m = 0 and so is the derivative.
    """
    xp = namespace(scores)
    t = _distribution(target, scores)
    margins = 1 - t + scores - xp.sum(t * scores, axis=1, keepdims=True)
    worst = one_hot(xp.argmax(margins, axis=1), scores)
    m = xp.max(margins, axis=1, keepdims=True)
    return m, (worst - t) * xp.astype(m > 0, scores.dtype)


@dataclass(frozen=True)
class MulticlassHinge(RowLoss):
    """maxⱼ ([j ≠ y] + sⱼ - s_y) for class numbers y (Crammer and Singer), sub-gradient 0 where it is 0."""

    def rows(self, scores: Array, target: Array) -> Array:
        """m."""
        return _violations(scores, target)[0][:, 0]

    def rows_gradient(self, scores: Array, target: Array) -> Array:
        """dm/ds."""
        return _violations(scores, target)[1]

    def rows_curvature(self, scores: Array, target: Array, v: Array) -> Array:
        """0."""
        return namespace(v).zeros_like(v)


@dataclass(frozen=True)
class SquaredMulticlassHinge(RowLoss):
    """The square of MulticlassHinge, row by row."""

    def rows(self, scores: Array, target: Array) -> Array:
        """m²."""
        m = _violations(scores, target)[0][:, 0]
        return m * m

    def rows_gradient(self, scores: Array, target: Array) -> Array:
        """2m dm/ds."""
        m, dm = _violations(scores, target)
        return 2 * m * dm

    def rows_curvature(self, scores: Array, target: Array, v: Array) -> Array:
        """2 dm/ds (dm/ds · v)."""
        xp = namespace(v)
        dm = _violations(scores, target)[1]
        return 2 * dm * xp.sum(dm * v, axis=1, keepdims=True)
