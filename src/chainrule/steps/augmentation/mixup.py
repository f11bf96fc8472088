"""Mixup: training on points between two rows, with targets between theirs.

Shapes: n rows of a batch, i inputs, o outputs, K classes. In each step all rows are mixed with the same share λ, row r
with row r+1 and the last with the first: batches are in random order already.

Source: Zhang, Cisse, Dauphin and Lopez-Paz 2018, "mixup: beyond empirical risk minimization"; Marsaglia and Tsang 2000,
"A simple method for generating gamma variables".
"""

from __future__ import annotations

from math import log, log1p, sqrt, tanh
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...foundation.randomness import Stream
from ...foundation.values import Number, check_value
from ...mathematics.losses import one_hot

ALPHA = Number(1e-300, high_open=True, called="a positive finite number")
"""Below 1e-300 the logarithms of both Gamma numbers are infinite."""


def mixup_share(alpha: float, seed: int, step: int) -> float:
    """Return λ of a step, drawn from Beta(α, α) with the stream (seed, "mixup", step).

    λ = G / (G + G') = (1 + tanh((log G - log G') / 2)) / 2 with G and G' from Gamma(α), which for a small α are too
    small for anything but their logarithms. Raises ValueError for an α that is not positive and finite.

    >>> [round(mixup_share(0.2, seed=0, step=step), 6) for step in range(3)]
    [0.080442, 9.2e-05, 0.039504]
    """
    check_value("mixup alpha", alpha, ALPHA)
    stream = Stream(seed, "mixup", step)
    odds = _log_gamma_number(alpha, stream) - _log_gamma_number(alpha, stream)
    return (1 + tanh(odds / 2)) / 2


def _log_gamma_number(alpha: float, stream: Stream) -> float:
    """Return the logarithm of a Gamma(α) number: one of Gamma(α + 1), by Marsaglia and Tsang d v, times U^(1/α)."""
    d = alpha + 1 - 1 / 3
    c = 1 / sqrt(9 * d)
    while True:
        z, u = float(stream.normal(1)[0]), 1 - float(stream.uniform(1)[0])
        v = (1 + c * z) ** 3
        if v > 0 and log(u) < 0.5 * z * z + d * (1 - v + log(v)):
            return log(d * v) + log1p(-float(stream.uniform(1)[0])) / alpha


def mix(
    X: NDArray[Any], y: NDArray[Any], share: float, classes: int | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return λ x_r + (1 - λ) x_(r+1) for each row of a batch X (n, i), and the same of its targets.

    y: (n,) or (n, o); with `classes` y (n,) holds class numbers, which become one-hot rows (n, K). Weights of rows
    are not mixed: a row keeps its own.

    >>> X, y = mix(np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 1]), share=0.75, classes=2)
    >>> X.tolist(), y.tolist()
    ([[0.25], [1.25], [1.5]], [[0.75, 0.25], [0.0, 1.0], [0.25, 0.75]])
    """
    if classes is not None:
        y = one_hot(y, np.empty((0, classes), X.dtype))
    return _mixed(X, share), _mixed(y, share)


def _mixed(a: NDArray[Any], share: float) -> NDArray[Any]:
    kept = a.dtype.type(share)
    return np.asarray(kept * a + (1 - kept) * np.roll(a, -1, axis=0))
