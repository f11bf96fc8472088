"""Starting values of the parameters: rules from fan-in and fan-out.

An initialiser is called with a random stream and a shape, (fan_in, fan_out) for weights or (o,) for biases, and
returns a float64 array of that shape. The variance rules keep the size of the signal steady from block to block:

    xavier: 2 / (fan_in + fan_out)      he: 2 / fan_in      lecun: 1 / fan_in

each as a normal law, or as a uniform law on (-√(3 variance), √(3 variance)).

Orthogonal starts keep every length of the signal, not only its mean size.

Source: lecture notes; Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998; Saxe et al. 2014 (orthogonal);
Mezzadri 2007 (the signs that make it uniform).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod, sqrt
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..foundation.randomness import Stream

Initializer: TypeAlias = Callable[[Stream, tuple[int, ...]], NDArray[Any]]


@dataclass(frozen=True)
class Constant:
    """Every entry is `value`. Equal units stay equal for ever: use it for biases, or to see why not for weights."""

    value: float = 0.0

    def __call__(self, stream: Stream, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an array of `shape` full of `value`."""
        return np.full(shape, float(self.value))


@dataclass(frozen=True)
class Normal:
    """Entries from N(0, std²).

    >>> Normal(std=0.05)(Stream(0, "weights"), (2, 2)).shape
    (2, 2)
    """

    std: float = 0.05

    def __call__(self, stream: Stream, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an array of `shape` drawn from `stream`."""
        return self.std * stream.normal(prod(shape)).reshape(shape)


VARIANCES: Mapping[str, Callable[[int, int], float]] = MappingProxyType(
    {
        "xavier": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
        "he": lambda fan_in, fan_out: 2 / fan_in,
        "lecun": lambda fan_in, fan_out: 1 / fan_in,
    }
)


@dataclass(frozen=True)
class Scaled:
    """Entries with the variance that `rule` (a key of VARIANCES) gives for the fans, normal or uniform."""

    rule: str = "xavier"
    law: str = "uniform"

    def __call__(self, stream: Stream, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an array of `shape` drawn from `stream`."""
        std = sqrt(VARIANCES[self.rule](shape[0], shape[-1]))
        if self.law == "normal":
            return Normal(std)(stream, shape)
        return std * sqrt(3) * (2 * stream.uniform(prod(shape)) - 1).reshape(shape)


@dataclass(frozen=True)
class Orthogonal:
    """W = gain · Q, its columns orthonormal (its rows, where there are fewer rows): every length is kept.

    Q R = G with G standard normal and the diagonal of R positive, which makes Q uniform over all such matrices. A
    bias (o,) is taken as one row. LAPACK factors, so the last bits depend on it, as on no other initialiser.

    >>> W = Orthogonal()(Stream(0, "weights"), (5, 3))
    >>> bool(np.allclose(W.T @ W, np.eye(3)))
    True
    """

    gain: float = 1.0

    def __call__(self, stream: Stream, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an array of `shape` drawn from `stream`."""
        wide = len(shape) == 1 or shape[0] < shape[-1]
        long, short = (shape[-1], prod(shape[:-1])) if wide else (prod(shape[:-1]), shape[-1])
        q, r = np.linalg.qr(stream.normal(long * short).reshape(long, short))
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
        return self.gain * (q.T if wide else q).reshape(shape)


INITIALIZERS: Mapping[str, Initializer] = MappingProxyType(
    {
        "zeros": Constant(0.0),
        "ones": Constant(1.0),
        "normal": Normal(),
        **{f"{rule}_{law}": Scaled(rule, law) for rule in VARIANCES for law in ("uniform", "normal")},
        "orthogonal": Orthogonal(),
    }
)
"""The names that blocks and estimators accept; any other callable of the same form is accepted too."""


def resolve(initializer: str | float | Initializer) -> Initializer:
    """Return the initialiser for a name, a number (that constant) or a callable (itself).

    Raises ValueError, listing the accepted names, for an unknown name.
    """
    if isinstance(initializer, int | float):
        return Constant(float(initializer))
    if callable(initializer):
        return initializer
    if initializer not in INITIALIZERS:
        raise ValueError(
            f"initializer {initializer!r} is not known; accepted: {', '.join(INITIALIZERS)}, a number or a callable"
        )
    return INITIALIZERS[initializer]
