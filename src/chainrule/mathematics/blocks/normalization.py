"""Normalisation in the middle of a network: BatchNorm over the rows of a batch, LayerNorm over the units of a row.

Both standardise x along one axis and then scale and shift each column:

    y = γ x̂ + β,    x̂ = (x - μ) / σ,    σ² = v + ε,    μ and v the mean and variance along the axis.

With P g = g - mean(g) - x̂ mean(x̂ g), means along the same axis, the derivative of x̂ is dx̂ = P dx / σ, and since P is
symmetric, the pull is dx = P (γ dy) / σ.

Shapes: n rows, i inputs. x (n, i), y (n, i), γ and β (i,).

Source: lecture notes (normalisation in the middle of the network); Ioffe and Szegedy 2015; Ba et al. 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from ...foundation import values
from ...foundation.arrays import Array, namespace
from .base import PREDICTING, Context, ParameterSpec, Params, Plain


class NormalCache(NamedTuple):
    """x̂ (n, i), 1/σ (with one entry along the axis), and μ and v of this pass; None where they were given."""

    normal: Array
    inverse: Array
    mean: Array | None
    variance: Array | None


def _mean(x: Array, axis: int) -> Array:
    return namespace(x).mean(x, axis=axis, keepdims=True)


@dataclass(frozen=True)
class _Normalization(Plain):
    """The part that both share: scale and shift, and the derivatives of standardising along `axis`."""

    axis: ClassVar[int]

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return γ (i,) and β (i,)."""
        return {"scale": ParameterSpec((inputs,), "scale", 1.0), "shift": ParameterSpec((inputs,), "bias", 0.0)}

    def _standardized(self, x: Array, epsilon: float) -> NormalCache:
        mean = _mean(x, self.axis)
        centred = x - mean
        variance = _mean(centred * centred, self.axis)
        inverse = 1 / namespace(x).sqrt(variance + epsilon)
        return NormalCache(centred * inverse, inverse, mean, variance)

    def _projected(self, cache: NormalCache, g: Array) -> Array:
        """Return P g; g itself where μ and σ do not depend on x."""
        if cache.mean is None:
            return g
        return g - _mean(g, self.axis) - cache.normal * _mean(cache.normal * g, self.axis)

    def _scaled(self, params: Params, cache: NormalCache) -> Array:
        return params["scale"] * cache.normal + params["shift"]

    def pull_input(self, params: Params, cache: NormalCache, dy: Array) -> Array:
        """dx = P (γ dy) / σ."""
        return cache.inverse * self._projected(cache, params["scale"] * dy)

    def pull_params(self, params: Params, cache: NormalCache, dy: Array) -> dict[str, Array]:
        """dγ = Σ over rows of x̂ dy, dβ = Σ over rows of dy."""
        return {name: namespace(dy).sum(rows, axis=0) for name, rows in self.pull_rows(params, cache, dy).items()}

    def pull_rows(self, params: Params, cache: NormalCache, dy: Array) -> dict[str, Array]:
        """dγ = x̂ dy and dβ = dy of each row; 0 for what is measured."""
        rows = {"scale": cache.normal * dy, "shift": dy}
        return rows | {name: namespace(dy).zeros_like(dy) for name in params if name not in rows}

    def push(self, params: Params, cache: NormalCache, dx: Array | None, dparams: Params) -> Array:
        """dy = γ P dx / σ + x̂ dγ + dβ."""
        dy = self._scaled(dparams, cache)
        return dy if dx is None else dy + params["scale"] * cache.inverse * self._projected(cache, dx)

    def pull_input_tangent(
        self, params: Params, cache: NormalCache, dx: Array | None, dparams: Params, dy: Array
    ) -> Array:
        """P (dγ dy) / σ + (dP (γ dy) - c P (γ dy) / σ) / σ, with c = mean(x̂ dx).

        dP g = -dx̂ mean(x̂ g) - x̂ mean(dx̂ g).
        """
        tangent = cache.inverse * self._projected(cache, dparams["scale"] * dy)
        if dx is None or cache.mean is None:
            return tangent
        g, change = params["scale"] * dy, self._normal_tangent(cache, dx)
        bent = change * _mean(cache.normal * g, self.axis) + cache.normal * _mean(change * g, self.axis)
        steeper = cache.inverse * _mean(cache.normal * dx, self.axis) * self._projected(cache, g)
        return tangent - cache.inverse * (bent + steeper)

    def pull_params_tangent(
        self, params: Params, cache: NormalCache, dx: Array | None, dparams: Params, dy: Array
    ) -> dict[str, Array]:
        """Σ over rows of dx̂ dy for γ; 0 for β."""
        xp = namespace(dy)
        zeros = xp.zeros_like(params["scale"])
        scale = zeros if dx is None else xp.sum(self._normal_tangent(cache, dx) * dy, axis=0)
        return {"scale": scale, "shift": zeros}

    def _normal_tangent(self, cache: NormalCache, dx: Array) -> Array:
        """Return dx̂ = P dx / σ."""
        return cache.inverse * self._projected(cache, dx)


@dataclass(frozen=True)
class LayerNorm(_Normalization):
    """y = γ x̂ + β with x̂ = (x - μ) / √(v + ε), μ and v over the units of each row.

    >>> import numpy as np
    >>> LayerNorm().forward({"scale": np.ones(2), "shift": np.zeros(2)}, np.array([[1.0, 3.0]]))[0].round(4)
    array([[-1.,  1.]])
    """

    epsilon: float = 1e-5
    axis = 1

    def __post_init__(self) -> None:
        values.check(self, {"epsilon": values.POSITIVE})

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, NormalCache]:
        """y = γ x̂ + β."""
        cache = self._standardized(x, self.epsilon)
        return self._scaled(params, cache), cache


@dataclass(frozen=True)
class BatchNorm(_Normalization):
    """y = γ x̂ + β with x̂ = (x - μ) / √(v + ε): in training μ and v are those of the batch, else running means of them.

    After each step, mean ← (1 - ρ) mean + ρ μ and variance ← (1 - ρ) variance + ρ v n / (n - 1), ρ the `momentum`.
    A batch of one row has no variance: it is normalised as at prediction, and measures nothing.

    >>> import numpy as np
    >>> params = {"scale": np.ones(1), "shift": np.zeros(1), "mean": np.zeros(1), "variance": np.ones(1)}
    >>> x = np.array([[1.0], [3.0]])
    >>> y, cache = BatchNorm().forward(params, x, Context(training=True))
    >>> y.round(4).ravel(), BatchNorm().measured(params, cache)
    (array([-1.,  1.]), {'mean': array([0.2]), 'variance': array([1.1])})
    """

    steps_only: ClassVar[bool] = True
    momentum: float = 0.1
    epsilon: float = 1e-5
    axis = 0

    def __post_init__(self) -> None:
        values.check(self, {"momentum": values.PROPORTION, "epsilon": values.POSITIVE})

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return γ, β and the running mean and variance, each (i,)."""
        measured = {
            "mean": ParameterSpec((inputs,), "statistic", 0.0),
            "variance": ParameterSpec((inputs,), "statistic", 1.0),
        }
        return {**super().parameters(inputs), **measured}

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, NormalCache]:
        """y = γ x̂ + β."""
        if context.training and x.shape[0] > 1:
            cache = self._standardized(x, self.epsilon)
        else:
            inverse = 1 / namespace(x).sqrt(params["variance"] + self.epsilon)
            cache = NormalCache((x - params["mean"]) * inverse, inverse, None, None)
        return self._scaled(params, cache), cache

    def pull_params_tangent(
        self, params: Params, cache: NormalCache, dx: Array | None, dparams: Params, dy: Array
    ) -> dict[str, Array]:
        """The change of dγ and dβ; 0 for what is measured."""
        return super().pull_params_tangent(params, cache, dx, dparams, dy) | self._nothing(params)

    def _nothing(self, params: Params) -> dict[str, Array]:
        zeros = namespace(params["mean"]).zeros_like(params["mean"])
        return {"mean": zeros, "variance": zeros}

    def measured(self, params: Params, cache: NormalCache) -> dict[str, Array]:
        """Return the running mean and variance after this pass."""
        if cache.mean is None or cache.variance is None:
            return {}
        rows = cache.normal.shape[0]
        mean, variance = cache.mean[0], cache.variance[0] * (rows / (rows - 1))
        found = {"mean": mean, "variance": variance}
        return {name: (1 - self.momentum) * params[name] + self.momentum * value for name, value in found.items()}
