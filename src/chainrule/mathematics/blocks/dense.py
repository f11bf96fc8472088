"""Affine maps: Dense, and DropConnect, which leaves weights out at random while training.

Shapes: n rows, i inputs, o outputs. x (n, i), y (n, o), W (i, o), b (o,).

Source: lecture notes; Wan et al. 2013 (DropConnect).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ...foundation import values
from ...foundation.arrays import Array, is_sparse, namespace
from ..initializers import Initializer
from .base import PREDICTING, Context, ParameterSpec, Params, Standard
from .noise import kept


class DenseCache(NamedTuple):
    """The input of the pass."""

    x: Array


@dataclass(frozen=True)
class Dense(Standard):
    """y = x W + b, with W (i, o) and b (o,). x may be a SciPy sparse matrix.

    `initializer` is a name, a number or a callable; None takes the one that suits the activation that follows.
    `bias=False` leaves b out, as before a BatchNorm, which would take it away again.

    >>> import numpy as np
    >>> y, cache = Dense(1).forward({"W": np.array([[2.0], [3.0]]), "b": np.array([1.0])}, np.array([[1.0, 1.0]]))
    >>> y
    array([[6.]])
    """

    units: int
    initializer: str | float | Initializer | None = None
    bias_initializer: str | float | Initializer = "zeros"
    bias: bool = True

    def __post_init__(self) -> None:
        units: Any = self.units
        whole = isinstance(units, float | np.floating) and units.is_integer()
        values.check_value("Dense units", int(units) if whole else units, values.COUNT)
        object.__setattr__(self, "units", int(units))

    def outputs(self, inputs: int) -> int:
        """Return o = units."""
        return self.units

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return W (i, o) and b (o,)."""
        weights = {"W": ParameterSpec((inputs, self.units), "weight", self.initializer)}
        biases = {"b": ParameterSpec((self.units,), "bias", self.bias_initializer)}
        return weights | biases if self.bias else weights

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, DenseCache]:
        """y = x W + b."""
        y = x @ params["W"]
        return y + params["b"] if self.bias else y, DenseCache(x)

    def pull_input(self, params: Params, cache: DenseCache, dy: Array) -> Array:
        """dx = dy Wᵀ."""
        return dy @ params["W"].T

    def pull_params(self, params: Params, cache: DenseCache, dy: Array) -> dict[str, Array]:
        """dW = xᵀ dy, db = Σ over rows of dy."""
        return self._by_name(cache.x.T @ dy, namespace(dy).sum(dy, axis=0))

    def pull_rows(self, params: Params, cache: DenseCache, dy: Array) -> dict[str, Array]:
        """dW = x dyᵀ and db = dy of each row."""
        x = cache.x.toarray() if is_sparse(cache.x) else cache.x
        return self._by_name(x[:, :, None] * dy[:, None, :], dy)

    def push(self, params: Params, cache: DenseCache, dx: Array | None, dparams: Params) -> Array:
        """dy = dx W + x dW + db."""
        dy = cache.x @ dparams["W"]
        dy = dy + dparams["b"] if self.bias else dy
        return dy if dx is None else dy + dx @ params["W"]

    def pull_input_tangent(
        self, params: Params, cache: DenseCache, dx: Array | None, dparams: Params, dy: Array
    ) -> Array:
        """dy dWᵀ."""
        return dy @ dparams["W"].T

    def pull_params_tangent(
        self, params: Params, cache: DenseCache, dx: Array | None, dparams: Params, dy: Array
    ) -> dict[str, Array]:
        """dxᵀ dy for W; 0 for b."""
        xp = namespace(dy)
        dw = xp.zeros_like(params["W"]) if dx is None else dx.T @ dy
        return self._by_name(dw, xp.zeros_like(dw[0]))

    def _by_name(self, W: Array, b: Array) -> dict[str, Array]:
        return {"W": W, "b": b} if self.bias else {"W": W}


class DropConnectCache(NamedTuple):
    """The pass that drew the mask, and the Dense block's cache."""

    context: Context
    dense: DenseCache


@dataclass(frozen=True)
class DropConnect(Standard):
    """y = x (M ∘ W) / (1 - p) + b: in training each weight is left out with probability p = `rate`.

    M is 0 or 1, drawn for each step and shared by its rows (the paper draws one for each row). At prediction M / (1 -
    p) is its mean, 1. p is a multiple of 2⁻¹⁶.

    Source: Wan et al. 2013.

    >>> import numpy as np
    >>> params = {"W": np.array([[2.0], [3.0]]), "b": np.array([1.0])}
    >>> DropConnect(1, 0.5).forward(params, np.array([[1.0, 1.0]]))[0]
    array([[6.]])
    """

    steps_only: ClassVar[bool] = True
    units: int
    rate: float = 0.5
    initializer: str | float | Initializer | None = None
    bias_initializer: str | float | Initializer = "zeros"
    bias: bool = True

    def __post_init__(self) -> None:
        values.check(self, {"rate": values.SHARE})
        object.__setattr__(self, "units", self.dense.units)

    @property
    def dense(self) -> Dense:
        """The block without the mask."""
        return Dense(self.units, self.initializer, self.bias_initializer, self.bias)

    def outputs(self, inputs: int) -> int:
        """Return o = units."""
        return self.units

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return W (i, o) and b (o,)."""
        return self.dense.parameters(inputs)

    def masked(self, context: Context, params: Params) -> dict[str, Array]:
        """Return the parameters (or a change of them) with M / (1 - p) on W."""
        if not context.training:
            return dict(params)
        return {**params, "W": kept(context._replace(first_row=0), "connection", self.rate, params["W"]) * params["W"]}

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, DropConnectCache]:
        """y = x (M ∘ W) / (1 - p) + b."""
        y, cache = self.dense.forward(self.masked(context, params), x)
        return y, DropConnectCache(context, cache)

    def pull_input(self, params: Params, cache: DropConnectCache, dy: Array) -> Array:
        """dx = dy (M ∘ W)ᵀ / (1 - p)."""
        return self.dense.pull_input(self.masked(cache.context, params), cache.dense, dy)

    def pull_params(self, params: Params, cache: DropConnectCache, dy: Array) -> dict[str, Array]:
        """dW = M ∘ (xᵀ dy) / (1 - p), db = Σ over rows of dy."""
        return self.masked(cache.context, self.dense.pull_params(params, cache.dense, dy))

    def pull_rows(self, params: Params, cache: DropConnectCache, dy: Array) -> dict[str, Array]:
        """dW = M ∘ (x dyᵀ) / (1 - p) and db = dy of each row."""
        return self.masked(cache.context, self.dense.pull_rows(params, cache.dense, dy))

    def push(self, params: Params, cache: DropConnectCache, dx: Array | None, dparams: Params) -> Array:
        """dy = (dx (M ∘ W) + x (M ∘ dW)) / (1 - p) + db."""
        there, along = (self.masked(cache.context, p) for p in (params, dparams))
        return self.dense.push(there, cache.dense, dx, along)

    def pull_input_tangent(
        self, params: Params, cache: DropConnectCache, dx: Array | None, dparams: Params, dy: Array
    ) -> Array:
        """dy (M ∘ dW)ᵀ / (1 - p)."""
        there, along = (self.masked(cache.context, p) for p in (params, dparams))
        return self.dense.pull_input_tangent(there, cache.dense, dx, along, dy)

    def pull_params_tangent(
        self, params: Params, cache: DropConnectCache, dx: Array | None, dparams: Params, dy: Array
    ) -> dict[str, Array]:
        """M ∘ (dxᵀ dy) / (1 - p) for W; 0 for b."""
        return self.masked(cache.context, self.dense.pull_params_tangent(params, cache.dense, dx, dparams, dy))
