"""Augmentations of single inputs, of any data: Noise and Mask.

Shapes: n rows, i inputs. x (n, i).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...foundation.randomness import Stream
from ...foundation.values import FINITE, NOT_NEGATIVE, SHARE, check
from .base import OfAnyInputs


@dataclass(frozen=True)
class Noise(OfAnyInputs):
    """x + σ z with z standard normal, for each input by itself.

    Raises TypeError or ValueError for a deviation that is no finite number of at least 0.

    >>> Noise(0.1)(np.zeros((1, 3)), Stream(0, "augmentation")).round(3)
    array([[ 0.049, -0.173, -0.06 ]])

    Source: Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".
    """

    deviation: float = 0.1

    def __post_init__(self) -> None:
        check(self, {"deviation": NOT_NEGATIVE})

    @property
    def numbers(self) -> tuple[float, ...]:
        """σ."""
        return (float(self.deviation),)

    def __call__(self, x: NDArray[Any], stream: Stream) -> NDArray[Any]:
        """x + σ z."""
        return np.asarray(x + (self.deviation * stream.normals(*x.shape)).astype(x.dtype))


@dataclass(frozen=True)
class Mask(OfAnyInputs):
    """Each input replaced by `value` with probability `rate`, in steps of 1/65536; the others stay as they are.

    Unlike in dropout nothing is scaled up: the network learns to do without any of its inputs. Raises TypeError or
    ValueError for a rate that is not at least 0 and below 1, or a value that is not finite.

    >>> Mask(0.5)(np.ones((2, 6)), Stream(1, "augmentation"))
    array([[0., 1., 0., 1., 1., 1.],
           [1., 0., 1., 0., 0., 0.]])

    Source: Vincent et al. 2008, "Extracting and composing robust features with denoising autoencoders".
    """

    rate: float = 0.1
    value: float = 0.0

    def __post_init__(self) -> None:
        check(self, {"rate": SHARE, "value": FINITE})

    @property
    def numbers(self) -> tuple[float, ...]:
        """The threshold of the random 16 bits, and the value."""
        return float(round(self.rate * 2**16)), float(self.value)

    def __call__(self, x: NDArray[Any], stream: Stream) -> NDArray[Any]:
        """`value` where the bits are below rate 2¹⁶, else x."""
        threshold, value = self.numbers
        return np.where(stream.bits(*x.shape) < threshold, x.dtype.type(value), x)
