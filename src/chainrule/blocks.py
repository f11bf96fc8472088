"""Blocks: functions y = f(x, θ) that know their own derivatives.

Shapes: n rows, i inputs, o outputs. x (n, i), y (n, o); dx and dy are small changes of, or derivatives with
respect to, x and y. Every method is a pure function of its arguments.

- `pull_input` and `pull_params` take dL/dy back to dL/dx and dL/dθ (the notes' criteria A and B);
- `push` takes a change (dx, dθ) forward to dy, the tangent;
- `pull_input_tangent` and `pull_params_tangent` are how those two pulls themselves change along (dx, dθ) with dy
  held fixed; Hessian products need them.

`dx` is None where the input does not change (the first block). Affine part and activation are separate blocks.

Source: lecture notes; Pearlmutter 1994 (tangents of the backward pass).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from .activations import ACTIVATIONS, ActivationFunction, resolve
from .arrays import Array, namespace
from .initializers import Initializer
from .randomness import Stream

Params: TypeAlias = Mapping[str, Array]
Cache: TypeAlias = Any


class ParameterSpec(NamedTuple):
    """Shape, kind ("weight", "bias", "scale" or "slope") and initialiser (None: the network chooses)."""

    shape: tuple[int, ...]
    kind: str
    initializer: str | float | Initializer | None


@dataclass(frozen=True)
class Context:
    """What a forward pass may depend on besides x and θ: the mode, and the streams of this step."""

    training: bool = False
    seed: int = 0
    step: int = 0

    def stream(self, purpose: str, block: int) -> Stream:
        """Return the random stream of this step for one block."""
        return Stream(self.seed, purpose, self.step, block)


PREDICTING = Context()


@runtime_checkable
class Block(Protocol):
    """The contract of a block."""

    def outputs(self, inputs: int) -> int:
        """Return o, given i."""

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return the parameters by name, given i."""

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, Cache]:
        """Return y and what the other methods need to know of this pass."""

    def pull_input(self, params: Params, cache: Cache, dy: Array) -> Array:
        """Return (∂y/∂x)ᵀ dy, (n, i)."""

    def pull_params(self, params: Params, cache: Cache, dy: Array) -> dict[str, Array]:
        """Return (∂y/∂θ)ᵀ dy by parameter name."""

    def push(self, params: Params, cache: Cache, dx: Array | None, dparams: Params) -> Array:
        """Return (∂y/∂x) dx + (∂y/∂θ) dθ, (n, o)."""

    def pull_input_tangent(self, params: Params, cache: Cache, dx: Array | None, dparams: Params, dy: Array) -> Array:
        """Return the change of pull_input along (dx, dθ) at fixed dy, (n, i)."""

    def pull_params_tangent(
        self, params: Params, cache: Cache, dx: Array | None, dparams: Params, dy: Array
    ) -> dict[str, Array]:
        """Return the change of pull_params along (dx, dθ) at fixed dy, by parameter name."""


class DenseCache(NamedTuple):
    """The input of the pass."""

    x: Array


@dataclass(frozen=True)
class Dense:
    """y = x W + b, with W (i, o) and b (o,). x may be a SciPy sparse matrix.

    `initializer` is a name, a number or a callable; None takes the one that suits the activation that follows.

    >>> import numpy as np
    >>> y, cache = Dense(1).forward({"W": np.array([[2.0], [3.0]]), "b": np.array([1.0])}, np.array([[1.0, 1.0]]))
    >>> y
    array([[6.]])
    """

    units: int
    initializer: str | float | Initializer | None = None
    bias_initializer: str | float | Initializer = "zeros"

    def __post_init__(self) -> None:
        whole = isinstance(self.units, int | float | np.number) and not isinstance(self.units, bool)
        if not whole or not 1 <= self.units < inf or int(self.units) != self.units:
            raise ValueError(f"Dense units must be a whole number of at least 1, got {self.units!r}")
        object.__setattr__(self, "units", int(self.units))

    def outputs(self, inputs: int) -> int:
        """Return o = units."""
        return self.units

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return W (i, o) and b (o,)."""
        return {
            "W": ParameterSpec((inputs, self.units), "weight", self.initializer),
            "b": ParameterSpec((self.units,), "bias", self.bias_initializer),
        }

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, DenseCache]:
        """y = x W + b."""
        return x @ params["W"] + params["b"], DenseCache(x)

    def pull_input(self, params: Params, cache: DenseCache, dy: Array) -> Array:
        """dx = dy Wᵀ."""
        return dy @ params["W"].T

    def pull_params(self, params: Params, cache: DenseCache, dy: Array) -> dict[str, Array]:
        """dW = xᵀ dy, db = Σ over rows of dy."""
        return {"W": cache.x.T @ dy, "b": namespace(dy).sum(dy, axis=0)}

    def push(self, params: Params, cache: DenseCache, dx: Array | None, dparams: Params) -> Array:
        """dy = dx W + x dW + db."""
        dy = cache.x @ dparams["W"] + dparams["b"]
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
        return {"W": dw, "b": xp.zeros_like(params["b"])}


class ActivationCache(NamedTuple):
    """Input and output of the pass."""

    x: Array
    y: Array


class Activation:
    """y = f(x), element by element, with f a row of the activation table.

    >>> import numpy as np
    >>> Activation("leaky_relu", slope=0.1).forward({}, np.array([[-1.0, 2.0]]))[0]
    array([[-0.1,  2. ]])
    """

    def __init__(self, name: str, **settings: float) -> None:
        self.name = resolve(name)
        self.function: ActivationFunction = ACTIVATIONS[self.name]
        unknown = settings.keys() - self.function.settings.keys()
        if unknown:
            raise ValueError(
                f"activation {self.name!r} has no setting {', '.join(sorted(unknown))};"
                f" accepted: {', '.join(self.function.settings) or 'none'}"
            )
        self.settings = {**self.function.settings, **settings}

    def __repr__(self) -> str:
        given = "".join(f", {k}={v!r}" for k, v in self.settings.items())
        return f"Activation({self.name!r}{given})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Activation) and (self.name, self.settings) == (other.name, other.settings)

    def __hash__(self) -> int:
        return hash((self.name, *sorted(self.settings.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return _activation, (self.name, self.settings)

    def outputs(self, inputs: int) -> int:
        """Return o = i."""
        return inputs

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return nothing: an activation of the table has no parameters."""
        return {}

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, ActivationCache]:
        """y = f(x)."""
        y = self.function.f(x, **self.settings)
        return y, ActivationCache(x, y)

    def pull_input(self, params: Params, cache: ActivationCache, dy: Array) -> Array:
        """dx = f'(x) dy."""
        return self.function.df(*cache, **self.settings) * dy

    def pull_params(self, params: Params, cache: ActivationCache, dy: Array) -> dict[str, Array]:
        """Return nothing: no parameters."""
        return {}

    def push(self, params: Params, cache: ActivationCache, dx: Array | None, dparams: Params) -> Array:
        """dy = f'(x) dx."""
        if dx is None:
            return namespace(cache.x).zeros_like(cache.x)
        return self.function.df(*cache, **self.settings) * dx

    def pull_input_tangent(
        self, params: Params, cache: ActivationCache, dx: Array | None, dparams: Params, dy: Array
    ) -> Array:
        """f''(x) dx dy."""
        if dx is None:
            return namespace(cache.x).zeros_like(cache.x)
        return self.function.d2f(*cache, **self.settings) * dx * dy

    def pull_params_tangent(
        self, params: Params, cache: ActivationCache, dx: Array | None, dparams: Params, dy: Array
    ) -> dict[str, Array]:
        """Return nothing: no parameters."""
        return {}


def _activation(name: str, settings: Mapping[str, float]) -> Activation:
    return Activation(name, **settings)
