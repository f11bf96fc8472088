"""Deformation: images shifted, turned, scaled, slanted and bent at random, by one bilinear resampling.

Shapes: n images of R rows, C columns and K channels, each a row of i = R C K inputs, channels last. x (n, i).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...foundation.randomness import Stream
from ...foundation.values import FINITE, SHARE, Number, check

PIXELS = Number(0, 1e6, called="a number of pixels from 0 to a million")
HALF_TURN = Number(0, 180, called="a number of degrees from 0 to 180")
SLANT = Number(0, 90, high_open=True, called="a number of degrees of at least 0 and below 90")
SPACING = Number(1, high_open=True, called="a finite number of at least 1")


@dataclass(frozen=True)
class Deformation:
    """Images shifted, turned, scaled, slanted and bent, each at random, by one bilinear resampling.

    The pixel at p = (row, column) of the new image is taken from the old one at

        s(p) = c + A (p - c) + t + d(p),    A = (1 + σ) [cos α, -sin α; sin α, cos α] [1, 0; tan φ, 1],

    with c the centre ((R-1)/2, (C-1)/2) and α, φ, σ, both shifts t uniform between minus and plus `rotate` and `shear`
    (degrees), `scale` (a share) and `shift` (pixels). The field d is a sum of cubic B-splines at the knots of a grid
    `smoothness` pixels apart,

        d(p) = a Σⱼₖ β(p₁/h - j) β(p₂/h - k) uⱼₖ,    β(x) = ((2 - |x|)₊³ - 4 (1 - |x|)₊³) / 6,

    with u uniform in [-1, 1]² and a such that √E|d|², over all pixels, is `elastic`: twice continuously differentiable,
    and never longer than a √2. It is the smoothed random field of Simard, Steinkraus and Platt with the B-spline in
    place of their Gaussian, at a fraction of its cost: β is as wide as a Gaussian of deviation h/√3, so that h = 7 is
    their 4 pixels. Between pixels the image is bilinear, outside it is `fill`.

    Strengths that leave handwritten digits what they are: shift 2, rotate 10, scale 0.1, shear 8, elastic 1.2.

    Raises TypeError or ValueError for a shape that is not two or three whole numbers from 1 to 32768, and for
    numbers outside their limits; calling it raises ValueError where the inputs are not that image.

    >>> moved = Deformation((1, 4), shift=1.0)
    >>> moved(np.array([[0.0, 1.0, 0.0, 0.0]]), Stream(3, "augmentation")).round(3)
    array([[0.   , 0.253, 0.048, 0.   ]])

    Source: Simard, Steinkraus and Platt 2003, "Best practices for convolutional neural networks applied to visual
    document analysis"; Unser 1999, "Splines: a perfect fit for signal and image processing".
    """

    shape: Sequence[int]
    shift: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    smoothness: float = 7.0
    fill: float = 0.0

    def __post_init__(self) -> None:
        lengths = tuple(self.shape) if isinstance(self.shape, Sequence | np.ndarray) else ()
        whole = all(isinstance(length, Integral) and not isinstance(length, bool) for length in lengths)
        if len(lengths) not in (2, 3) or not whole or not 1 <= min(lengths) <= max(lengths) <= 2**15:
            accepted = "two or three whole numbers from 1 to 32768 (rows, columns, channels)"
            raise ValueError(f"Deformation shape must be {accepted}, got {self.shape!r}")
        object.__setattr__(self, "shape", tuple(int(length) for length in lengths))
        rules = {"shift": PIXELS, "rotate": HALF_TURN, "scale": SHARE, "shear": SLANT}
        check(self, {**rules, "elastic": PIXELS, "smoothness": SPACING, "fill": FINITE})

    @property
    def image(self) -> tuple[int, int, int]:
        """Rows, columns and channels."""
        rows, columns, channels = (*self.shape, 1)[:3]
        return rows, columns, channels

    @property
    def numbers(self) -> tuple[float, ...]:
        """shift, rotate, scale, shear, the field's amplitude a, smoothness, fill."""
        given = self.shift, self.rotate, self.scale, self.shear, self.amplitude, self.smoothness, self.fill
        return tuple(map(float, given))

    def check_inputs(self, inputs: int) -> None:
        """Raise ValueError where an image has another number of pixels than there are inputs."""
        rows, columns, channels = self.image
        if rows * columns * channels != inputs:
            has = f"{rows * columns * channels} numbers"
            raise ValueError(f"Deformation shape {self.shape}: such an image has {has}, there are {inputs} inputs")

    @property
    def knots(self) -> tuple[int, int]:
        """The grid of knots (down, across): one before the image, two after its last cell; none without a field."""
        rows, columns, _ = self.image
        return (_knots(rows, self.smoothness), _knots(columns, self.smoothness)) if self.elastic else (0, 0)

    @property
    def amplitude(self) -> float:
        """The amplitude a: E|d|² = 2 a²/3 m₁ m₂, with m the mean over an axis of Σⱼ β²; 0 without a field."""
        down, across = self._splines()
        return self.elastic and self.elastic * sqrt(1.5 / (np.mean(np.sum(down**2, 1)) * np.mean(np.sum(across**2, 1))))

    def __call__(self, x: NDArray[Any], stream: Stream) -> NDArray[Any]:
        """The images at s(p)."""
        self.check_inputs(x.shape[1])
        images = x.reshape(len(x), *self.image)
        down, across = self._sources(len(x), stream, x.dtype)
        return _bilinear(images, down, across, self.fill).reshape(x.shape)

    def _sources(self, n: int, stream: Stream, dtype: Any) -> NDArray[Any]:
        """Return s(p) for every pixel of n images: (2, n, R, C), rows first."""
        down, across = self.knots
        bits = stream.bits(n, 5 + 2 * down * across)
        u = ((2 * bits.astype(np.int32) + 1) / 2**16 - 1).astype(dtype)  # exact: -1 + 2⁻¹⁶ ... 1 - 2⁻¹⁶
        matrix, shift = self._affine(u[:, :5].astype(np.float64))
        centre = (np.array(self.image[:2]) - 1) / 2
        p, q = (np.arange(length) - middle for length, middle in zip(self.image[:2], centre, strict=True))
        field_down, field_across = (weights.astype(dtype) for weights in self._splines())
        field = field_down @ (dtype.type(self.amplitude) * u[:, 5:].reshape(n, 2, down, across)) @ field_across.T
        rows = matrix[..., 0, None] * p + (centre + shift)[..., None]  # (n, 2, R): the part that a row's pixels share
        columns = matrix[..., 1, None] * q
        sources = rows.astype(dtype)[..., None] + columns.astype(dtype)[:, :, None] + field
        return np.moveaxis(sources, 1, 0)

    def _affine(self, u: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return A (n, 2, 2) and t (n, 2) for uniform numbers u (n, 5)."""
        angle, slant = np.radians(self.rotate * u[:, 0]), np.tan(np.radians(self.shear * u[:, 2]))
        cosine, sine = np.cos(angle), np.sin(angle)
        rows = [[cosine - sine * slant, -sine], [sine + cosine * slant, cosine]]
        return np.moveaxis((1 + self.scale * u[:, 1]) * np.array(rows), -1, 0), self.shift * u[:, 3:]

    def _splines(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return β(p/h - j) for every pixel and knot: (R, knots down) and (C, knots across); knot j is at (j-1) h."""
        rows, columns, _ = self.image
        down, across = self.knots
        return _spline(rows, down, self.smoothness), _spline(columns, across, self.smoothness)


def _knots(pixels: int, spacing: float) -> int:
    return int((pixels - 1) / spacing) + 4


def _spline(pixels: int, knots: int, spacing: float) -> NDArray[np.float64]:
    x = np.abs(np.arange(pixels)[:, None] / spacing - (np.arange(knots) - 1))
    return np.asarray((np.maximum(2 - x, 0) ** 3 - 4 * np.maximum(1 - x, 0) ** 3) / 6)


def _bilinear(images: NDArray[Any], s: NDArray[Any], t: NDArray[Any], fill: float) -> NDArray[Any]:
    """Return images (n, R, C, K) at rows s and columns t (n, R, C), bilinear between pixels, `fill` outside."""
    n, rows, columns, _ = images.shape
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)), constant_values=fill)
    s, t = np.clip(s + 1, 0, rows + 1), np.clip(t + 1, 0, columns + 1)
    i, j = s.astype(np.intp), t.astype(np.intp)  # the corner above and left
    down, right = (s - i).astype(s.dtype)[..., None], (t - j).astype(t.dtype)[..., None]
    r = np.arange(n)[:, None, None]
    above = padded[r, i, j] + right * (padded[r, i, j + 1] - padded[r, i, j])
    below = padded[r, i + 1, j] + right * (padded[r, i + 1, j + 1] - padded[r, i + 1, j])
    return np.asarray(above + down * (below - above))
