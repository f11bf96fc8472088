"""Activations as blocks: the rows of the table, and those that learn or draw their slope.

Shapes: n rows, i inputs. x (n, i), y (n, i).

Source: lecture notes; He et al. 2015 (PReLU); Xu et al. 2015 (RReLU); Nair and Hinton 2010 (noisy ReLU).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from ...foundation import values
from ...foundation.arrays import Array, namespace
from ..activations import ACTIVATIONS, ActivationFunction, resolve, sigmoid
from .base import PREDICTING, Context, Elementwise, ParameterSpec, Params


class ActivationCache(NamedTuple):
    """Input and output of the pass."""

    x: Array
    y: Array


class Activation(Elementwise):
    """y = f(x), element by element, with f a row of the activation table.

    >>> import numpy as np
    >>> Activation("leaky_relu", slope=0.1).forward({}, np.array([[-1.0, 2.0]]))[0]
    array([[-0.1,  2. ]])
    """

    name: str = ""

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

    @property
    def suits(self) -> str:
        """The initialiser that suits the weights before it."""
        return self.function.initializer

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, ActivationCache]:
        """y = f(x)."""
        y = self.function.f(x, **self.settings)
        return y, ActivationCache(x, y)

    def slope(self, params: Params, cache: ActivationCache) -> Array:
        """f'(x)."""
        return self.function.df(*cache, **self.settings)

    def bend(self, params: Params, cache: ActivationCache) -> Array:
        """f''(x)."""
        return self.function.d2f(*cache, **self.settings)


def _activation(name: str, settings: Mapping[str, float]) -> Activation:
    return Activation(name, **settings)


class PReLUCache(NamedTuple):
    """The input of the pass."""

    x: Array


@dataclass(frozen=True)
class PReLU(Elementwise):
    """y = x where x > 0, else a x, with a slope a to learn for each unit, (i,), or one for all, (1,).

    The slope starts at `initial`; at x = 0 the derivative is a.

    Source: lecture notes; He et al. 2015.

    >>> import numpy as np
    >>> PReLU().forward({"a": np.array([0.5, 0.1])}, np.array([[-1.0, 2.0]]))[0]
    array([[-0.5,  2. ]])
    """

    initial: float = 0.25
    shared: bool = False

    def __post_init__(self) -> None:
        values.check(self, {"initial": values.FINITE})

    @property
    def suits(self) -> str:
        """The initialiser that suits the weights before it."""
        return ACTIVATIONS["relu"].initializer

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return a (i,), or (1,) where the units share it."""
        return {"a": ParameterSpec((1,) if self.shared else (inputs,), "slope", float(self.initial))}

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, PReLUCache]:
        """y = max(x, 0) + a min(x, 0)."""
        return namespace(x).where(x > 0, x, params["a"] * x), PReLUCache(x)

    def slope(self, params: Params, cache: PReLUCache) -> Array:
        """1 where x > 0, else a."""
        xp = namespace(cache.x)
        return xp.where(cache.x > 0, xp.ones_like(cache.x), params["a"])

    def pull_params(self, params: Params, cache: PReLUCache, dy: Array) -> dict[str, Array]:
        """da = Σ over rows (and units that share it) of min(x, 0) dy."""
        return {"a": self._gathered(_negative(cache.x) * dy)}

    def pull_rows(self, params: Params, cache: PReLUCache, dy: Array) -> dict[str, Array]:
        """da = min(x, 0) dy of each row, summed over the units that share it."""
        da = _negative(cache.x) * dy
        return {"a": namespace(da).sum(da, axis=1, keepdims=True) if self.shared else da}

    def push(self, params: Params, cache: PReLUCache, dx: Array | None, dparams: Params) -> Array:
        """dy = (1 or a) dx + min(x, 0) da."""
        return super().push(params, cache, dx, dparams) + _negative(cache.x) * dparams["a"]

    def pull_input_tangent(
        self, params: Params, cache: PReLUCache, dx: Array | None, dparams: Params, dy: Array
    ) -> Array:
        """da dy where x is not positive."""
        xp = namespace(dy)
        return xp.where(cache.x > 0, xp.zeros_like(dy), dparams["a"] * dy)

    def pull_params_tangent(
        self, params: Params, cache: PReLUCache, dx: Array | None, dparams: Params, dy: Array
    ) -> dict[str, Array]:
        """Σ of dx dy where x is not positive."""
        xp = namespace(dy)
        zeros = xp.zeros_like(dy)
        return {"a": self._gathered(zeros if dx is None else xp.where(cache.x > 0, zeros, dx * dy))}

    def _gathered(self, da: Array) -> Array:
        """Return the sum over rows (i,), or over everything (1,)."""
        total = namespace(da).sum(da, axis=0)
        return namespace(da).sum(total, keepdims=True) if self.shared else total


def _negative(x: Array) -> Array:
    return namespace(x).where(x > 0, namespace(x).zeros_like(x), x)


class RandomCache(NamedTuple):
    """The input of the pass, and the context that drew its random numbers."""

    x: Array
    context: Context


@dataclass(frozen=True)
class RReLU(Elementwise):
    """y = x where x > 0, else a x: a is uniform on (lower, upper) in training, their mean at prediction.

    Each entry of each step has its own slope a, of 2¹⁶ possible ones.

    Source: lecture notes; Xu et al. 2015.

    >>> import numpy as np
    >>> RReLU(0.1, 0.3).forward({}, np.array([[-1.0, 2.0]]))[0]
    array([[-0.2,  2. ]])
    """

    steps_only: ClassVar[bool] = True
    lower: float = 1 / 8
    upper: float = 1 / 3

    def __post_init__(self) -> None:
        values.check(self, {"lower": values.FINITE, "upper": values.FINITE})
        if self.lower > self.upper:
            raise ValueError(f"RReLU lower must be at most upper, got {self.lower!r} and {self.upper!r}")

    @property
    def suits(self) -> str:
        """The initialiser that suits the weights before it."""
        return ACTIVATIONS["relu"].initializer

    @property
    def mean(self) -> float:
        """The slope at prediction."""
        return (self.lower + self.upper) / 2

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, RandomCache]:
        """y = max(x, 0) + a min(x, 0)."""
        cache = RandomCache(x, context)
        return self.slope(params, cache) * x, cache

    def slope(self, params: Params, cache: RandomCache) -> Array:
        """1 where x > 0, else a."""
        x, context = cache
        xp = namespace(x)
        if not context.training:
            return xp.where(x > 0, xp.ones_like(x), self.mean * xp.ones_like(x))
        share = (context.bits("slope", x.shape) + 0.5) * 2.0**-16
        a = xp.asarray(self.lower + (self.upper - self.lower) * share, dtype=x.dtype)
        return xp.where(x > 0, xp.ones_like(x), a)


@dataclass(frozen=True)
class NoisyReLU(Elementwise):
    """y = max(0, x + ε) with ε from N(0, σ(x)), σ(x) = 1 / (1 + e^-x) the variance; max(0, x) at prediction.

    ε = √σ(x) z with z standard normal, so that dε/dx = z √σ(x) (1 - σ(x)) / 2 counts in the derivative.

    Source: lecture notes; Nair and Hinton 2010.

    >>> import numpy as np
    >>> NoisyReLU().forward({}, np.array([[-1.0, 2.0]]))[0]
    array([[0., 2.]])
    """

    steps_only: ClassVar[bool] = True

    @property
    def suits(self) -> str:
        """The initialiser that suits the weights before it."""
        return ACTIVATIONS["relu"].initializer

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, RandomCache]:
        """y = max(0, x + √σ z)."""
        noisy = x + self._parts(RandomCache(x, context))[0]
        return namespace(x).where(noisy > 0, noisy, namespace(x).zeros_like(x)), RandomCache(x, context)

    def slope(self, params: Params, cache: RandomCache) -> Array:
        """1 + z √σ (1 - σ) / 2 where y > 0, else 0."""
        noise, rest = self._parts(cache)
        return self._where_positive(cache.x + noise, 1 + noise * rest / 2)

    def bend(self, params: Params, cache: RandomCache) -> Array:
        """z √σ (1 - σ) (1 - 3σ) / 4 where y > 0, else 0."""
        noise, rest = self._parts(cache)
        return self._where_positive(cache.x + noise, noise * rest * (3 * rest - 2) / 4)

    def _where_positive(self, noisy: Array, value: Array) -> Array:
        xp = namespace(noisy)
        return xp.where(noisy > 0, value, xp.zeros_like(noisy))

    def _parts(self, cache: RandomCache) -> tuple[Array, Array]:
        """Return √σ(x) z, which is 0 at prediction, and 1 - σ(x)."""
        x, context = cache
        xp = namespace(x)
        z = context.normals("noise", x.shape) if context.training else 0.0
        return xp.sqrt(sigmoid(x)) * xp.asarray(z, dtype=x.dtype), sigmoid(-x)
