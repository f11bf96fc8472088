"""Scaling and PCA: linear maps of the inputs, before a network learns, whose numbers come from the data.

    y = (x - c) A,   c and A measured once, by `fit`, on the training rows; A is a diagonal for Scaling

Nothing here is learnt: c and A are statistics, and every derivative in them is 0 by decree. `starts.fit_blocks`
measures them for a whole network.

Shapes: n rows, i inputs, k components. x (n, i), c (i,).

Source: lecture notes (inputs scaled, standardised, decorrelated); LeCun et al. 1998, "Efficient BackProp".
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import matmul
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ...foundation import values
from ...foundation.arrays import Array, is_sparse, namespace
from ...foundation.randomness import Stream
from ...foundation.scaling import Numbers, mean_and_deviation, without_noise
from .base import PREDICTING, Context, ParameterSpec, Params, Standard

Product: TypeAlias = Callable[[Array, Array], Array]


class TransformCache(NamedTuple):
    """The input of the pass."""

    x: Array


class Transform(Standard):
    """A linear map that is measured: a subclass gives `linear`, (n, i) -> (n, o), and its transpose `back`."""

    @abstractmethod
    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return the statistics, given i: "center" among them."""

    @abstractmethod
    def fit(self, x: Array) -> dict[str, Numbers]:
        """Return the statistics of x (n, i), by name, measured in double precision."""

    @abstractmethod
    def outputs(self, inputs: int) -> int:
        """Return o, given i."""

    @abstractmethod
    def linear(self, params: Params, x: Array, multiply: Product = matmul) -> Array:
        """Return x A; `multiply` is the product of two matrices."""

    @abstractmethod
    def back(self, params: Params, dy: Array) -> Array:
        """Return dy Aᵀ."""

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, TransformCache]:
        """y = (x - c) A; the rows of a SciPy sparse x become dense."""
        x = x.toarray() if is_sparse(x) else x
        return self.apply(params, x), TransformCache(x)

    def apply(self, params: Params, x: Array, multiply: Product = matmul) -> Array:
        """Return y."""
        return self.linear(params, x - params["center"], multiply)

    def pull_input(self, params: Params, cache: TransformCache, dy: Array) -> Array:
        """dx = dy Aᵀ."""
        return self.back(params, dy)

    def pull_params(self, params: Params, cache: TransformCache, dy: Array) -> dict[str, Array]:
        """0: nothing is learnt."""
        return {name: namespace(dy).zeros_like(value) for name, value in params.items()}

    def pull_rows(self, params: Params, cache: TransformCache, dy: Array) -> dict[str, Array]:
        """0: nothing is learnt."""
        return {name: namespace(dy).zeros((len(dy), *value.shape), dtype=dy.dtype) for name, value in params.items()}

    def push(self, params: Params, cache: TransformCache, dx: Array | None, dparams: Params) -> Array:
        """dy = dx A."""
        return self.linear(params, namespace(cache.x).zeros_like(cache.x) if dx is None else dx)

    def pull_input_tangent(
        self, params: Params, cache: TransformCache, dx: Array | None, dparams: Params, dy: Array
    ) -> Array:
        """0: the map is linear."""
        return namespace(cache.x).zeros_like(cache.x)

    def pull_params_tangent(
        self, params: Params, cache: TransformCache, dx: Array | None, dparams: Params, dy: Array
    ) -> dict[str, Array]:
        """0: nothing is learnt."""
        return self.pull_params(params, cache, dy)


def _range(x: Numbers) -> tuple[Numbers, Numbers]:
    return x.min(axis=0), np.ptp(x, axis=0)


def _quartiles(x: Numbers) -> tuple[Numbers, Numbers]:
    low, middle, high = np.quantile(x, (0.25, 0.5, 0.75), axis=0)
    return middle, high - low


SCALES: Mapping[str, Callable[[Numbers], tuple[Numbers, Numbers]]] = MappingProxyType(
    {"min_max": _range, "standard": mean_and_deviation, "quantile": _quartiles}
)
"""Centre and spread of each column: what Scaling takes away, and what it divides by."""


@dataclass(frozen=True)
class Scaling(Transform):
    """y = (x - c) / s, column by column, with c and s of the training rows.

    "min_max" takes the minimum and the range, which become 0 and 1; "standard" the mean and the deviation;
    "quantile" the median and the distance between the quartiles, which outliers do not move. A column without a
    spread, or with one of rounding noise only, is divided by 1.

    >>> import numpy as np
    >>> x = np.array([[1.0], [2.0], [3.0], [100.0]])
    >>> block = Scaling("quantile")
    >>> block.forward(block.fit(x), x)[0].ravel().round(2)
    array([-0.06, -0.02,  0.02,  3.82])
    """

    rule: str = "standard"

    def __post_init__(self) -> None:
        values.check(self, {"rule": values.Choice(tuple(SCALES))})

    @property
    def name(self) -> str:
        """The rule."""
        return self.rule

    def outputs(self, inputs: int) -> int:
        """Return o = i."""
        return inputs

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return c (i,) and 1/s (i,)."""
        return {
            "center": ParameterSpec((inputs,), "statistic", 0.0),
            "factor": ParameterSpec((inputs,), "statistic", 1.0),
        }

    def fit(self, x: Array) -> dict[str, Numbers]:
        """Return c and 1/s of x (n, i)."""
        doubles = _doubles(self, x)
        center, spread = without_noise(doubles, *SCALES[self.rule](doubles), x.dtype)
        spread = np.where(spread == 0, 1.0, spread)
        return {"center": center, "factor": 1 / np.where(spread < np.inf, spread, np.nan)}

    def linear(self, params: Params, x: Array, multiply: Product = matmul) -> Array:
        """x / s."""
        return x * params["factor"]

    def back(self, params: Params, dy: Array) -> Array:
        """dy / s."""
        return dy * params["factor"]


def _identity(stream: Stream, shape: tuple[int, ...]) -> Numbers:
    return np.eye(shape[0], shape[1])


@dataclass(frozen=True)
class PCA(Transform):
    """y = (x - c) W: the principal components, the columns of W the k directions in which the rows vary most.

    c is the mean of the training rows, W holds the first eigenvectors of their covariance, the largest entry of each
    positive; `whiten` divides each by the deviation along it, so that y has covariance 1. `components` None keeps
    all. A direction in which nothing varies gives 0 where it is whitened.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(500, 3)) @ np.array([[2.0, 0, 0], [1, 1, 0], [0, 0, 5]])
    >>> block = PCA(components=2, whiten=True)
    >>> y, _ = block.forward(block.fit(x), x)
    >>> np.cov(y.T).round(6) + 0
    array([[1., 0.],
           [0., 1.]])
    """

    components: int | None = None
    whiten: bool = False

    def __post_init__(self) -> None:
        if self.components is not None:
            values.check(self, {"components": values.COUNT})

    @property
    def name(self) -> str:
        """The scaling after the turn: "whitening", or none."""
        return "whitening" if self.whiten else ""

    def outputs(self, inputs: int) -> int:
        """Return k; ValueError where there are fewer inputs."""
        if self.components is None:
            return inputs
        if self.components > inputs:
            raise ValueError(f"PCA components must be at most the number of inputs, {inputs}, got {self.components}")
        return int(self.components)

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return c (i,) and W (i, k)."""
        return {
            "center": ParameterSpec((inputs,), "statistic", 0.0),
            "W": ParameterSpec((inputs, self.outputs(inputs)), "statistic", _identity),
        }

    def fit(self, x: Array) -> dict[str, Numbers]:
        """Return c and W of x (n, i)."""
        x = _doubles(self, x)
        n, i = x.shape
        center, kept = np.where(np.ptp(x, axis=0) == 0, x[0], x.mean(axis=0)), self.outputs(i)
        triangle = np.linalg.qr(x - center, mode="r")  # xᵀx would lose half of the digits
        _, s, directions = np.linalg.svd(triangle, full_matrices=kept > min(n, i))
        W = directions.T[:, :kept]
        W = W * np.sign(W[np.argmax(np.abs(W), axis=0), np.arange(W.shape[1])])
        if self.whiten:
            varies = s > s[0] * max(n, i) * np.finfo(np.float64).eps
            factors = np.zeros(max(s.size, kept))
            factors[: s.size][varies] = np.sqrt(max(n - 1, 1)) / s[varies]
            W = W * factors[:kept]
        return {"center": center, "W": W}

    def linear(self, params: Params, x: Array, multiply: Product = matmul) -> Array:
        """x W."""
        return multiply(x, params["W"])

    def back(self, params: Params, dy: Array) -> Array:
        """dy Wᵀ."""
        return dy @ params["W"].T


def _doubles(block: Transform, x: Any) -> Numbers:
    """Return x as it is measured; ValueError for what is no dense matrix with rows."""
    if not isinstance(x, np.ndarray) or x.ndim != 2 or not x.shape[0]:
        given = "sparse rows" if is_sparse(x) else f"{type(x).__name__} {getattr(x, 'shape', '')}".rstrip()
        raise ValueError(f"{block!r} is measured on a dense array of at least one row, got {given}")
    if not np.isfinite(x).all():
        raise ValueError(f"{block!r} is measured on finite numbers; the rows hold NaN or infinity")
    return x.astype(np.float64)
