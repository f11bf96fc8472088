"""Starts that look at the data: what blocks measure of it, and weights scaled until every signal has the same size.

Shapes: n rows, i inputs, o outputs, P parameters. θ (P,), X (n, i).

Source: Mishkin and Matas 2016, "All you need is a good init" (layer-sequential unit variance); its zero mean by the
bias as in Salimans and Kingma 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array, spaced
from .blocks import Dense, Transform
from .network import Network

ROWS = 1024
"""Rows that are looked at, evenly spaced over the data."""


def unit_variance(network: Network, theta: NDArray[np.floating], X: Array, rows: int = ROWS) -> NDArray[np.floating]:
    """Return θ with the outputs of each Dense block scaled to variance 1 and moved to mean 0, on a sample of rows.

    From the first block to the last, with a = x W of the rows that reach it:

        W ← W / σ,  b ← -mean(a) / σ,  σ² = the mean over the units of the variance of a

    W keeps its directions. A block whose outputs do not vary (zero weights) stays as it is. `theta` is not changed.
    Raises ValueError when θ or X does not fit the network, or X has no rows.

    >>> from chainrule import Activation
    >>> network = Network(3, [Dense(50), Activation("relu"), Dense(50)])
    >>> X = 1000 * np.random.default_rng(0).normal(size=(200, 3))
    >>> float(network.forward(unit_variance(network, network.initialize(0), X), X).std().round(6))
    1.0
    """
    if X.ndim != 2 or X.shape[1] != network.inputs or not X.shape[0]:
        raise ValueError(f"X has shape {X.shape}; a start looks at (rows, {network.inputs}), at least one row")
    theta = theta.copy()
    x = X[spaced(X.shape[0], rows)]
    for block, params in zip(network.blocks, network.unpack(theta), strict=True):
        if isinstance(block, Dense):
            a = x @ params["W"]
            deviation = np.sqrt(a.var(axis=0).mean())
            if deviation > 0:
                params["W"] /= deviation
                if block.bias:
                    params["b"][:] = -a.mean(axis=0) / deviation
        x, _ = block.forward(params, x)
    return theta


def fit_blocks(network: Network, theta: NDArray[np.floating], X: Array) -> NDArray[np.floating]:
    """Return θ with the statistics of every transform (Scaling, PCA) as it measures them on X (n, i).

    `theta` is not changed. Raises ValueError as `measure` does.

    >>> from chainrule import Scaling
    >>> network, X = Network(1, [Scaling("min_max"), Dense(1)]), np.array([[2.0], [6.0]])
    >>> theta = fit_blocks(network, network.initialize(0), X)
    >>> network.blocks[0].forward(network.unpack(theta)[0], X)[0].ravel()
    array([0., 1.])
    """
    theta = theta.copy()
    network.settle(theta, measure(network, theta, X))
    return theta


def measure(network: Network, theta: NDArray[np.floating], X: Array) -> dict[str, Array]:
    """Return what every transform measures on what the blocks before it make of X (n, i), by full name ("0.center").

    Raises ValueError when θ or X does not fit the network, for sparse rows, for numbers that are not finite, and for
    statistics that θ's numbers cannot hold.
    """
    if X.ndim != 2 or X.shape[1] != network.inputs:
        raise ValueError(f"X has shape {X.shape}; this network takes (rows, {network.inputs})")
    last = max((k for k, block in enumerate(network.blocks) if isinstance(block, Transform)), default=-1)
    found = dict[str, Array]()
    for k, (block, params) in enumerate(zip(network.blocks[: last + 1], network.unpack(theta), strict=False)):
        if isinstance(block, Transform):
            with np.errstate(over="ignore", invalid="ignore"):
                params = {name: value.astype(theta.dtype) for name, value in block.fit(X).items()}
            if not all(np.isfinite(value).all() for value in params.values()):
                raise ValueError(f"{block!r} cannot scale such data in {theta.dtype}: divide or multiply them before")
            found |= {f"{k}.{name}": value for name, value in params.items()}
        X, _ = block.forward(params, X)
    return found


def as_drawn(network: Network, theta: NDArray[np.floating], X: Array) -> NDArray[np.floating]:
    """Return θ as the initialisers drew it."""
    return theta


STARTS: Mapping[str, Callable[[Network, NDArray[np.floating], Array], NDArray[np.floating]]] = MappingProxyType(
    {"random": as_drawn, "unit_variance": unit_variance}
)
"""The names that the estimators accept."""
