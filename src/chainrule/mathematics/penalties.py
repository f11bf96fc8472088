"""Penalties on the size of parameters, added to the loss.

A penalty sees one array w of parameters at a time and gives value, gradient and curvature product. Which
parameters it touches is one rule: those whose kind is in `kinds`, weights only by default, so that biases are
spared. `per_sample=True` divides the strength by the number of rows (the total weight) of the data at hand:
scikit-learn's meaning of `alpha`.

Source: lecture notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from ..foundation import values
from ..foundation.arrays import Array, namespace

KINDS = ("weight", "bias", "scale", "slope")
"""The kinds of parameters there are."""


class Penalty(Protocol):
    """The contract of a penalty; w and v have the same shape."""

    @property
    def strength(self) -> float:
        """λ."""

    @property
    def per_sample(self) -> bool:
        """True where the strength is divided by the rows."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of parameters it touches."""

    @property
    def proximal(self) -> bool:
        """True where the training loop takes proximal steps instead of adding the gradient."""

    def value(self, w: Array) -> Array:
        """Return the penalty of w, without its strength."""

    def gradient(self, w: Array) -> Array:
        """Return the derivative of value at w, like w."""

    def product(self, w: Array, v: Array) -> Array:
        """Return the second derivative of value at w, times v, like w."""


@dataclass(frozen=True)
class _Sized:
    """A strength λ, whether it is per sample, and the kinds of parameters it touches."""

    strength: float
    per_sample: bool = False
    kinds: tuple[str, ...] = ("weight",)

    @property
    def proximal(self) -> bool:
        """False: the penalty is added to the gradient."""
        return False

    def __post_init__(self) -> None:
        values.check(self, {"strength": values.NOT_NEGATIVE})
        if not isinstance(self.kinds, tuple) or not all(kind in KINDS for kind in self.kinds):
            error = ValueError if isinstance(self.kinds, tuple) else TypeError
            raise error(f"{type(self).__name__} kinds must be a tuple of {', '.join(KINDS)}, got {self.kinds!r}")


@dataclass(frozen=True)
class L2(_Sized):
    """½ λ Σ w².

    >>> import numpy as np
    >>> L2(0.1).gradient(np.array([1.0, -2.0]))
    array([ 1., -2.])
    """

    def value(self, w: Array) -> Array:
        """½ Σ w²."""
        return 0.5 * namespace(w).sum(w * w)

    def gradient(self, w: Array) -> Array:
        """w."""
        return w

    def product(self, w: Array, v: Array) -> Array:
        """v."""
        return v


@dataclass(frozen=True)
class L1(_Sized):
    """λ Σ |w|, with the sub-gradient 0 at w = 0.

    `proximal=True` leaves it out of the gradient: the training loop instead pulls every w towards 0 by ηλ after each
    update, and no further, so that weights become 0 and stay it.

    Source: lecture notes; Parikh and Boyd 2014 (proximal step).
    """

    proximal: bool = False

    def value(self, w: Array) -> Array:
        """Σ |w|."""
        xp = namespace(w)
        return xp.sum(xp.abs(w))

    def gradient(self, w: Array) -> Array:
        """sign w."""
        return namespace(w).sign(w)

    def product(self, w: Array, v: Array) -> Array:
        """0."""
        return namespace(w).zeros_like(v)


@dataclass(frozen=True)
class ElasticNet(_Sized):
    """λ (ρ Σ |w| + ½ (1 - ρ) Σ w²), ρ the `ratio`: L1 and L2 in one.

    Source: Zou and Hastie 2005.

    >>> import numpy as np
    >>> ElasticNet(1.0, ratio=0.25).gradient(np.array([2.0]))
    array([1.75])
    """

    ratio: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        values.check(self, {"ratio": values.PROPORTION})

    def value(self, w: Array) -> Array:
        """ρ Σ |w| + ½ (1 - ρ) Σ w²."""
        return self.ratio * L1(1.0).value(w) + (1 - self.ratio) * L2(1.0).value(w)

    def gradient(self, w: Array) -> Array:
        """ρ sign w + (1 - ρ) w."""
        return self.ratio * L1(1.0).gradient(w) + (1 - self.ratio) * w

    def product(self, w: Array, v: Array) -> Array:
        """(1 - ρ) v."""
        return (1 - self.ratio) * v


PENALTIES: Mapping[str, type[L1] | type[L2] | type[ElasticNet]] = MappingProxyType(
    {"l1": L1, "l2": L2, "elastic_net": ElasticNet}
)
