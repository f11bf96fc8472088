"""Activation functions: a table with one row each, giving y = f(x), f', f'' and the initialiser that suits it.

Every function works element by element on an array x of any shape and keeps its dtype. `df` and `d2f` also take
y = f(x), because many derivatives are cheaper in y than in x. At a kink the row lists the point, and its `df`
is the sub-gradient that the network uses there: the slope to the left of the kink, 0 for the step functions.

Learnable and random activations need no rows of their own: a setting of a row (the slope of `leaky_relu`) becomes
a parameter, or is drawn, in a block that calls the row with it.

Source: lecture notes; Klambauer et al. 2017 (SELU); Hendrycks and Gimpel 2016 (GELU, SiLU); Misra 2019 (Mish).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi, sqrt
from types import MappingProxyType
from typing import NamedTuple

from ..foundation.arrays import Array, namespace, special

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


class ActivationFunction(NamedTuple):
    """One row: f(x, **settings), df(x, y, **settings), d2f(x, y, **settings)."""

    f: Callable[..., Array]
    df: Callable[..., Array]
    d2f: Callable[..., Array]
    initializer: str
    kinks: tuple[float, ...] = ()
    settings: Mapping[str, float] = MappingProxyType({})


def _zero(x: Array, y: Array, **settings: float) -> Array:
    return namespace(x).zeros_like(x)


def _one(x: Array, y: Array, **settings: float) -> Array:
    return namespace(x).ones_like(x)


def _positive(x: Array) -> Array:
    return namespace(x).astype(x > 0, x.dtype)


def identity(x: Array) -> Array:
    """y = x."""
    return x


def step(x: Array) -> Array:
    """y = 1 where x >= 0, else 0."""
    return namespace(x).astype(x >= 0, x.dtype)


def sign(x: Array) -> Array:
    """y = +1 where x >= 0, else -1."""
    return 2 * step(x) - 1


def sigmoid(x: Array) -> Array:
    """y = 1 / (1 + e^-x)."""
    return special(x).expit(x)


def d_sigmoid(x: Array, y: Array) -> Array:
    """y' = y (1 - y)."""
    return y * (1 - y)


def d2_sigmoid(x: Array, y: Array) -> Array:
    """y'' = y (1 - y) (1 - 2y)."""
    return y * (1 - y) * (1 - 2 * y)


def tanh(x: Array) -> Array:
    """y = (e^x - e^-x) / (e^x + e^-x)."""
    return namespace(x).tanh(x)


def d_tanh(x: Array, y: Array) -> Array:
    """y' = 1 - y²."""
    return 1 - y * y


def d2_tanh(x: Array, y: Array) -> Array:
    """y'' = -2y (1 - y²)."""
    return -2 * y * (1 - y * y)


def algebraic_sigmoid(x: Array) -> Array:
    """y = x / √(1 + x²)."""
    return x / namespace(x).sqrt(1 + x * x)


def d_algebraic_sigmoid(x: Array, y: Array) -> Array:
    """y' = (1 + x²)^(-3/2)."""
    r = 1 / (1 + x * x)
    return r * namespace(x).sqrt(r)


def d2_algebraic_sigmoid(x: Array, y: Array) -> Array:
    """y'' = -3x (1 + x²)^(-5/2)."""
    r = 1 / (1 + x * x)
    return -3 * x * r * r * namespace(x).sqrt(r)


def arctan(x: Array) -> Array:
    """y = tan⁻¹ x."""
    return namespace(x).atan(x)


def d_arctan(x: Array, y: Array) -> Array:
    """y' = 1 / (1 + x²)."""
    return 1 / (1 + x * x)


def d2_arctan(x: Array, y: Array) -> Array:
    """y'' = -2x / (1 + x²)²."""
    r = 1 / (1 + x * x)
    return -2 * x * r * r


def relu(x: Array) -> Array:
    """y = max(0, x)."""
    return namespace(x).maximum(x, 0)


def d_relu(x: Array, y: Array) -> Array:
    """y' = 1 where x > 0, else 0."""
    return _positive(x)


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """y = x where x > 0, else slope x."""
    return namespace(x).where(x > 0, x, slope * x)


def d_leaky_relu(x: Array, y: Array, slope: float = 0.01) -> Array:
    """y' = 1 where x > 0, else slope."""
    return slope + (1 - slope) * _positive(x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """y = x where x > 0, else α (e^x - 1)."""
    xp = namespace(x)
    return xp.where(x > 0, x, alpha * xp.expm1(xp.minimum(x, 0)))


def d_elu(x: Array, y: Array, alpha: float = 1.0) -> Array:
    """y' = 1 where x > 0, else α e^x = y + α."""
    xp = namespace(x)
    return xp.where(x > 0, xp.ones_like(x), y + alpha)


def d2_elu(x: Array, y: Array, alpha: float = 1.0) -> Array:
    """y'' = 0 where x > 0, else α e^x = y + α."""
    xp = namespace(x)
    return xp.where(x > 0, xp.zeros_like(x), y + alpha)


def selu(x: Array) -> Array:
    """y = λ elu(x, α), with λ and α such that mean 0 and variance 1 are a fixed point."""
    return SELU_SCALE * elu(x, SELU_ALPHA)


def d_selu(x: Array, y: Array) -> Array:
    """y' = λ where x > 0, else λ α e^x = y + λ α."""
    xp = namespace(x)
    return xp.where(x > 0, xp.full_like(x, SELU_SCALE), y + SELU_SCALE * SELU_ALPHA)


def d2_selu(x: Array, y: Array) -> Array:
    """y'' = 0 where x > 0, else λ α e^x = y + λ α."""
    xp = namespace(x)
    return xp.where(x > 0, xp.zeros_like(x), y + SELU_SCALE * SELU_ALPHA)


def softplus(x: Array) -> Array:
    """y = log(1 + e^x)."""
    xp = namespace(x)
    return xp.logaddexp(x, xp.zeros_like(x))


def d_softplus(x: Array, y: Array) -> Array:
    """y' = σ(x), the sigmoid."""
    return sigmoid(x)


def d2_softplus(x: Array, y: Array) -> Array:
    """y'' = σ(x) σ(-x)."""
    return sigmoid(x) * sigmoid(-x)


def _normal_density(x: Array) -> Array:
    return namespace(x).exp(-0.5 * x * x) * (1 / sqrt(2 * pi))


def gelu(x: Array) -> Array:
    """y = x Φ(x), with Φ the standard normal distribution function (exact, not the tanh approximation)."""
    return x * special(x).ndtr(x)


def d_gelu(x: Array, y: Array) -> Array:
    """y' = Φ(x) + x φ(x)."""
    return special(x).ndtr(x) + x * _normal_density(x)


def d2_gelu(x: Array, y: Array) -> Array:
    """y'' = (2 - x²) φ(x)."""
    return (2 - x * x) * _normal_density(x)


def silu(x: Array) -> Array:
    """y = x σ(x), also called swish."""
    return x * sigmoid(x)


def d_silu(x: Array, y: Array) -> Array:
    """y' = σ(x) (1 + x σ(-x))."""
    return sigmoid(x) * (1 + x * sigmoid(-x))


def d2_silu(x: Array, y: Array) -> Array:
    """y'' = σ(x) σ(-x) (2 + x (σ(-x) - σ(x)))."""
    s, r = sigmoid(x), sigmoid(-x)
    return s * r * (2 + x * (r - s))


def mish(x: Array) -> Array:
    """y = x t, with t = tanh(softplus(x))."""
    return x * _mish_parts(x)[0]


def _mish_parts(x: Array) -> tuple[Array, Array, Array, Array]:
    """Return t, t', σ(x), σ(-x), with e^x = s / r put into tanh(log(1 + e^x)): nothing overflows or cancels."""
    s, r = sigmoid(x), sigmoid(-x)
    q = 1 + r * r
    return s * (1 + r) / q, 4 * r * r * s / (q * q), s, r


def d_mish(x: Array, y: Array) -> Array:
    """y' = t + x t', with t' = (1 - t²) σ(x)."""
    t, dt, _, _ = _mish_parts(x)
    return t + x * dt


def d2_mish(x: Array, y: Array) -> Array:
    """y'' = t' (2 + x (σ(-x) - 2 t σ(x)))."""
    t, dt, s, r = _mish_parts(x)
    return dt * (2 + x * (r - 2 * t * s))


ACTIVATIONS: Mapping[str, ActivationFunction] = MappingProxyType(
    {
        "identity": ActivationFunction(identity, _one, _zero, "xavier_uniform"),
        "step": ActivationFunction(step, _zero, _zero, "xavier_uniform", (0.0,)),
        "sign": ActivationFunction(sign, _zero, _zero, "xavier_uniform", (0.0,)),
        "sigmoid": ActivationFunction(sigmoid, d_sigmoid, d2_sigmoid, "xavier_uniform"),
        "tanh": ActivationFunction(tanh, d_tanh, d2_tanh, "xavier_uniform"),
        "algebraic_sigmoid": ActivationFunction(
            algebraic_sigmoid, d_algebraic_sigmoid, d2_algebraic_sigmoid, "xavier_uniform"
        ),
        "arctan": ActivationFunction(arctan, d_arctan, d2_arctan, "xavier_uniform"),
        "relu": ActivationFunction(relu, d_relu, _zero, "he_uniform", (0.0,)),
        "leaky_relu": ActivationFunction(
            leaky_relu, d_leaky_relu, _zero, "he_uniform", (0.0,), MappingProxyType({"slope": 0.01})
        ),
        "elu": ActivationFunction(elu, d_elu, d2_elu, "he_uniform", (0.0,), MappingProxyType({"alpha": 1.0})),
        "selu": ActivationFunction(selu, d_selu, d2_selu, "lecun_normal", (0.0,)),
        "softplus": ActivationFunction(softplus, d_softplus, d2_softplus, "he_uniform"),
        "gelu": ActivationFunction(gelu, d_gelu, d2_gelu, "he_uniform"),
        "silu": ActivationFunction(silu, d_silu, d2_silu, "he_uniform"),
        "mish": ActivationFunction(mish, d_mish, d2_mish, "he_uniform"),
    }
)
"""The table. Adding a row here, and a row in tests/mathematics/test_activations.py, adds an activation everywhere."""

ALIASES: Mapping[str, str] = MappingProxyType({"logistic": "sigmoid", "swish": "silu", "linear": "identity"})
"""Other names in use: scikit-learn says `logistic`."""


def resolve(name: str) -> str:
    """Return the table's name for `name`, following aliases.

    Raises ValueError, listing the accepted names, when there is none.

    >>> resolve("logistic")
    'sigmoid'
    """
    name = ALIASES.get(name, name)
    if name not in ACTIVATIONS:
        raise ValueError(f"activation {name!r} is not known; accepted: {', '.join(sorted({*ACTIVATIONS, *ALIASES}))}")
    return name
