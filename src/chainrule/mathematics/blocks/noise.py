"""Noise on the signals of a network while it trains: Dropout and GaussianNoise. At prediction they do nothing.

Shapes: n rows, i inputs. x (n, i), y (n, i). Every entry of every step draws its own numbers.

Source: lecture notes; Srivastava et al. 2014; Bishop 1995 (noise as regularisation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from ...foundation import values
from ...foundation.arrays import Array, namespace
from .base import PREDICTING, Context, Elementwise, Params

LEVELS = 1 << 16
"""The number of values of 16 random bits."""


def threshold(rate: float) -> int:
    """Return the number of the LEVELS values of 16 bits that drop an entry."""
    return min(round(rate * LEVELS), LEVELS - 1)


def kept(context: Context, purpose: str, rate: float, like: Array) -> Array:
    """Return M / (1 - p), like `like`: 0 with probability p, the rate in steps of 2⁻¹⁶, else 1 / (1 - p)."""
    dropped = threshold(rate)
    mask = context.bits(purpose, like.shape) >= dropped
    return namespace(like).asarray(mask * (LEVELS / (LEVELS - dropped)), dtype=like.dtype)


class NoiseCache(NamedTuple):
    """The input of the pass, of which only the shape matters, and the context that drew its random numbers."""

    x: Array
    context: Context


@dataclass(frozen=True)
class Dropout(Elementwise):
    """y = M ∘ x / (1 - p): in training each entry is left out with probability p = `rate`; y = x at prediction.

    Dividing by 1 - p keeps the mean ("inverted" dropout). p is a multiple of 2⁻¹⁶.

    >>> import numpy as np
    >>> Dropout(0.5).forward({}, np.array([[1.0, 2.0]]))[0]
    array([[1., 2.]])
    >>> Dropout(0.5).forward({}, np.ones((1, 6)), Context(training=True, seed=0))[0]
    array([[2., 2., 0., 0., 0., 2.]])
    """

    steps_only: ClassVar[bool] = True
    rate: float = 0.5

    def __post_init__(self) -> None:
        values.check(self, {"rate": values.SHARE})

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, NoiseCache]:
        """y = M ∘ x / (1 - p)."""
        cache = NoiseCache(x, context)
        return (self.slope(params, cache) * x if context.training else x), cache

    def slope(self, params: Params, cache: NoiseCache) -> Array:
        """M / (1 - p), drawn again."""
        x, context = cache
        return kept(context, "dropout", self.rate, x) if context.training else namespace(x).ones_like(x)


@dataclass(frozen=True)
class GaussianNoise(Elementwise):
    """y = x + s z in training, with z standard normal and s the `deviation`; y = x at prediction.

    >>> import numpy as np
    >>> GaussianNoise(0.1).forward({}, np.array([[1.0, 2.0]]))[0]
    array([[1., 2.]])
    """

    steps_only: ClassVar[bool] = True
    deviation: float = 0.1

    def __post_init__(self) -> None:
        values.check(self, {"deviation": values.NOT_NEGATIVE})

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, NoiseCache]:
        """y = x + s z."""
        if not context.training:
            return x, NoiseCache(x, context)
        z = namespace(x).asarray(context.normals("noise", x.shape), dtype=x.dtype)
        return x + self.deviation * z, NoiseCache(x, context)

    def slope(self, params: Params, cache: NoiseCache) -> Array:
        """1."""
        return namespace(cache.x).ones_like(cache.x)
