"""Losses that are a sum over the outputs of l(s, t), for one score s and its target t."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from ...foundation.arrays import Array, namespace, special
from ...foundation.values import SHARE, Choice, Number, check
from ..activations import softplus
from .base import Link, Loss, Targets


class ElementLoss(Loss):
    """A loss that is a sum over the outputs of l(s, t)."""

    @abstractmethod
    def element(self, s: Array, t: Array) -> Array:
        """l(s, t)."""

    @abstractmethod
    def slope(self, s: Array, t: Array) -> Array:
        """l' = dl/ds."""

    @abstractmethod
    def bend(self, s: Array, t: Array) -> Array:
        """l'' = d²l/ds²."""

    def rows(self, scores: Array, target: Array) -> Array:
        """Σⱼ l(sᵢⱼ, tᵢⱼ)."""
        return namespace(scores).sum(self.element(scores, target), axis=1)

    def rows_gradient(self, scores: Array, target: Array) -> Array:
        """l'(s, t)."""
        return self.slope(scores, target)

    def rows_curvature(self, scores: Array, target: Array, v: Array) -> Array:
        """l''(s, t) v."""
        return self.bend(scores, target) * v


@dataclass(frozen=True)
class SquaredError(ElementLoss):
    """Squared error. convention "half_sum": ½ Σⱼ (sⱼ - tⱼ)² per row; "mean": (1/o) Σⱼ (sⱼ - tⱼ)² per row.

    Rows are averaged in both: "mean" is the mean square error, "half_sum" has the gradient s - t.

    >>> import numpy as np
    >>> float(SquaredError("mean").value(np.array([[1.0, 3.0]]), np.array([[0.0, 0.0]])))
    5.0
    """

    convention: Literal["half_sum", "mean"] = "half_sum"

    def __post_init__(self) -> None:
        check(self, {"convention": Choice(("half_sum", "mean"))})

    def factor(self, outputs: int) -> float:
        """Return c, where a row's loss is ½ c Σⱼ (sⱼ - tⱼ)²: 1, or 2/o."""
        return 1.0 if self.convention == "half_sum" else 2.0 / outputs

    def element(self, s: Array, t: Array) -> Array:
        """½ c (s - t)², c = 1 or 2/o."""
        r = s - t
        return (0.5 * self.factor(s.shape[1])) * r * r

    def slope(self, s: Array, t: Array) -> Array:
        """c (s - t)."""
        return self.factor(s.shape[1]) * (s - t)

    def bend(self, s: Array, t: Array) -> Array:
        """c."""
        return self.factor(s.shape[1]) * namespace(s).ones_like(s)


@dataclass(frozen=True)
class AbsoluteError(ElementLoss):
    """|s - t|, with the sub-gradient 0 at s = t: the conditional median."""

    def element(self, s: Array, t: Array) -> Array:
        """|s - t|."""
        return namespace(s).abs(s - t)

    def slope(self, s: Array, t: Array) -> Array:
        """sign(s - t)."""
        return namespace(s).sign(s - t)

    def bend(self, s: Array, t: Array) -> Array:
        """0."""
        return namespace(s).zeros_like(s)


@dataclass(frozen=True)
class Huber(ElementLoss):
    """½ r² where |r| ≤ δ, else δ (|r| - δ/2), with r = s - t: squared near, absolute far."""

    delta: float = 1.0

    def __post_init__(self) -> None:
        check(self, {"delta": Number(0, low_open=True)})

    def _clipped(self, s: Array, t: Array) -> Array:
        xp = namespace(s)
        return xp.minimum(xp.maximum(s - t, -self.delta), self.delta)

    def element(self, s: Array, t: Array) -> Array:
        """c (r - c/2), with c = r clipped to [-δ, δ]."""
        c = self._clipped(s, t)
        return c * (s - t - 0.5 * c)

    def slope(self, s: Array, t: Array) -> Array:
        """r clipped to [-δ, δ]."""
        return self._clipped(s, t)

    def bend(self, s: Array, t: Array) -> Array:
        """1 where |r| < δ, else 0."""
        xp = namespace(s)
        return xp.astype(xp.abs(s - t) < self.delta, s.dtype)


@dataclass(frozen=True)
class Quantile(ElementLoss):
    """q r where r > 0, else (q - 1) r, with r = t - s and the sub-gradient 0 at r = 0: the q-quantile."""

    q: float = 0.5

    def __post_init__(self) -> None:
        check(self, {"q": Number(0, 1, low_open=True, high_open=True)})

    def element(self, s: Array, t: Array) -> Array:
        """max(q r, (q - 1) r)."""
        r = t - s
        return namespace(s).maximum(self.q * r, (self.q - 1) * r)

    def slope(self, s: Array, t: Array) -> Array:
        """-q where r > 0, 1 - q where r < 0."""
        xp = namespace(s)
        return (1 - self.q) * xp.astype(t < s, s.dtype) - self.q * xp.astype(t > s, s.dtype)

    def bend(self, s: Array, t: Array) -> Array:
        """0."""
        return namespace(s).zeros_like(s)


@dataclass(frozen=True)
class Poisson(ElementLoss):
    """e^s - t s + t log t - t: the Poisson likelihood of counts t ≥ 0 with mean e^s, 0 at a perfect fit."""

    targets: ClassVar[Targets] = "counts"
    link: ClassVar[Link] = "exp"

    def element(self, s: Array, t: Array) -> Array:
        """e^s - t s + t log t - t."""
        return namespace(s).exp(s) - t * s + special(t).xlogy(t, t) - t

    def slope(self, s: Array, t: Array) -> Array:
        """e^s - t."""
        return namespace(s).exp(s) - t

    def bend(self, s: Array, t: Array) -> Array:
        """e^s."""
        return namespace(s).exp(s)

    def predict(self, scores: Array) -> Array:
        """e^s, the mean count."""
        return namespace(scores).exp(scores)


@dataclass(frozen=True)
class SigmoidCrossEntropy(ElementLoss):
    """-t log σ(s) - (1 - t) log(1 - σ(s)) for each output, t in [0, 1]: binary (o = 1) and multilabel (o > 1).

    `label_smoothing` ε puts (1 - ε) t + ε/2 in the place of t.
    """

    label_smoothing: float = 0.0
    targets: ClassVar[Targets] = "binary"
    probabilistic: ClassVar[bool] = True
    link: ClassVar[Link] = "sigmoid"

    def __post_init__(self) -> None:
        check(self, {"label_smoothing": SHARE})

    @property
    def unsmoothed(self) -> SigmoidCrossEntropy:
        """The same without smoothing."""
        return SigmoidCrossEntropy()

    def smoothed(self, t: Array) -> Array:
        """(1 - ε) t + ε/2."""
        return (1 - self.label_smoothing) * t + self.label_smoothing / 2

    def element(self, s: Array, t: Array) -> Array:
        """t log(1 + e^-s) + (1 - t) log(1 + e^s)."""
        t = self.smoothed(t)
        return t * softplus(-s) + (1 - t) * softplus(s)

    def slope(self, s: Array, t: Array) -> Array:
        """σ(s) - t."""
        return special(s).expit(s) - self.smoothed(t)

    def bend(self, s: Array, t: Array) -> Array:
        """σ(s) σ(-s)."""
        return special(s).expit(s) * special(s).expit(-s)

    def predict(self, scores: Array) -> Array:
        """σ(s), the probability of t = 1."""
        return special(scores).expit(scores)


@dataclass(frozen=True)
class Logistic(ElementLoss):
    """log(1 + e^(-t s)) on targets -1 and +1: -log P(t | x), the notes' logistic loss."""

    targets: ClassVar[Targets] = "signs"
    probabilistic: ClassVar[bool] = True
    link: ClassVar[Link] = "sigmoid"

    def element(self, s: Array, t: Array) -> Array:
        """log(1 + e^(-t s))."""
        return softplus(-t * s)

    def slope(self, s: Array, t: Array) -> Array:
        """-t σ(-t s)."""
        return -t * special(s).expit(-t * s)

    def bend(self, s: Array, t: Array) -> Array:
        """t² σ(t s) σ(-t s)."""
        return t * t * special(s).expit(t * s) * special(s).expit(-t * s)

    def predict(self, scores: Array) -> Array:
        """σ(s), the probability of t = +1."""
        return special(scores).expit(scores)


@dataclass(frozen=True)
class Hinge(ElementLoss):
    """max(0, 1 - t s) on targets -1 and +1, with the sub-gradient 0 at t s = 1: the support vector machine."""

    targets: ClassVar[Targets] = "signs"

    def element(self, s: Array, t: Array) -> Array:
        """max(0, 1 - t s)."""
        return namespace(s).maximum(1 - t * s, 0)

    def slope(self, s: Array, t: Array) -> Array:
        """-t where t s < 1, else 0."""
        return -t * namespace(s).astype(t * s < 1, s.dtype)

    def bend(self, s: Array, t: Array) -> Array:
        """0."""
        return namespace(s).zeros_like(s)


@dataclass(frozen=True)
class SquaredHinge(ElementLoss):
    """max(0, 1 - t s)² on targets -1 and +1."""

    targets: ClassVar[Targets] = "signs"

    def element(self, s: Array, t: Array) -> Array:
        """max(0, 1 - t s)²."""
        m = namespace(s).maximum(1 - t * s, 0)
        return m * m

    def slope(self, s: Array, t: Array) -> Array:
        """-2t max(0, 1 - t s)."""
        return -2 * t * namespace(s).maximum(1 - t * s, 0)

    def bend(self, s: Array, t: Array) -> Array:
        """2t² where t s < 1, else 0."""
        return 2 * t * t * namespace(s).astype(t * s < 1, s.dtype)


@dataclass(frozen=True)
class Perceptron(ElementLoss):
    """max(0, -t s) on targets -1 and +1, with the sub-gradient -t at t s = 0: the perceptron criterion.

    Counting a score of exactly 0 as a mistake lets Rosenblatt's rule start from zero weights.
    """

    targets: ClassVar[Targets] = "signs"

    def element(self, s: Array, t: Array) -> Array:
        """max(0, -t s)."""
        return namespace(s).maximum(-t * s, 0)

    def slope(self, s: Array, t: Array) -> Array:
        """-t where t s ≤ 0, else 0."""
        return -t * namespace(s).astype(t * s <= 0, s.dtype)

    def bend(self, s: Array, t: Array) -> Array:
        """0."""
        return namespace(s).zeros_like(s)
