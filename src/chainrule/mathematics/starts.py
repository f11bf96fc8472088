"""Starts that look at the data: statistics that blocks measure, and weights scaled until all signals have one size.

Shapes: n rows, i inputs, o outputs, P parameters. θ (P,), X (n, i).

Source: Mishkin and Matas 2016, "All you need is a good init" (layer-sequential unit variance); its zero mean by the
bias as in Salimans and Kingma 2016.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array, spaced
from .blocks import Block, Params, Transform
from .network import Network
from .trace import forward

ROWS = 1024
"""Rows that are looked at, evenly spaced over the data."""


def unit_variance(network: Network, theta: NDArray[np.floating], X: Array, rows: int = ROWS) -> NDArray[np.floating]:
    """Return θ with the outputs of each block of weights scaled to variance 1 and moved to mean 0, on a sample of rows.

    From the first such block (Dense, DropConnect) to the last, with a = x W of the rows that reach it:

        W ← W / σ,  b ← -mean(a) / σ,  σ² = the mean over the units of the variance of a

    W keeps its directions. A block whose outputs do not vary (zero weights) stays as it is. `theta` is not changed.
    Raises ValueError when θ or X does not fit the network, or X has no rows.

    >>> from chainrule import Activation, Dense
    >>> network = Network(3, [Dense(50), Activation("relu"), Dense(50)])
    >>> X = 1000 * np.random.default_rng(0).normal(size=(200, 3))
    >>> float(network.forward(unit_variance(network, network.initialize(0), X), X).std().round(6))
    1.0
    """
    if X.ndim != 2 or X.shape[1] != network.inputs or not X.shape[0]:
        raise ValueError(f"X has shape {X.shape}; a start looks at (rows, {network.inputs}), at least one row")
    theta = theta.copy()
    kinds: list[dict[str, str]] = [{} for _ in network.blocks]
    for slot in network.slots:
        kinds[slot.block][slot.name] = slot.spec.kind

    def scale(k: int, block: Block, params: Params, x: Array) -> Params:
        """Scale the weights of a block that has some, for the x that reaches it."""
        if "weight" in kinds[k].values():
            _scale_to_unit_variance(block, params, kinds[k], x)
        return params

    deque(forward(network.blocks, network.unpack(theta), X[spaced(X.shape[0], rows)], prepare=scale), maxlen=0)
    return theta


def _scale_to_unit_variance(block: Block, params: Params, kinds: Mapping[str, str], x: Array) -> None:
    """Scale the weights of a block, and move its biases, in place, so that its outputs have variance 1 and mean 0."""
    biases = {name: np.zeros_like(params[name]) for name, kind in kinds.items() if kind == "bias"}
    a, _ = block.forward({**params, **biases}, x)
    deviation = np.sqrt(a.var(axis=0).mean())
    if deviation > 0:
        for name in (name for name, kind in kinds.items() if kind == "weight"):
            params[name][...] /= deviation
        for name in biases:
            params[name][:] = -a.mean(axis=0) / deviation


def fit_blocks(network: Network, theta: NDArray[np.floating], X: Array) -> NDArray[np.floating]:
    """Return θ with the statistics of every transform (Scaling, PCA) as it measures them on X (n, i).

    `theta` is not changed. Raises ValueError as `measure` does.

    >>> from chainrule import Dense, Scaling
    >>> network, X = Network(1, [Scaling("min_max"), Dense(1)]), np.array([[2.0], [6.0]])
    >>> theta = fit_blocks(network, network.initialize(0), X)
    >>> network.blocks[0].forward(network.unpack(theta)[0], X)[0].ravel()
    array([0., 1.])
    """
    theta = theta.copy()
    network.write_statistics(theta, measure(network, theta, X))
    return theta


def measure(network: Network, theta: NDArray[np.floating], X: Array) -> dict[str, Array]:
    """Return the statistics of every transform by full name ("0.center"), measured on X (n, i) as it reaches them.

    Raises ValueError when θ or X does not fit the network, for sparse rows, for numbers that are not finite, and for
    statistics that θ's numbers cannot hold.
    """
    if X.ndim != 2 or X.shape[1] != network.inputs:
        raise ValueError(f"X has shape {X.shape}; this network takes (rows, {network.inputs})")
    upto = 1 + max((k for k, block in enumerate(network.blocks) if isinstance(block, Transform)), default=-1)
    found = dict[str, Array]()

    def fit(k: int, block: Block, params: Params, x: Array) -> Params:
        """Return the statistics of a transform, measured on the x that reaches it."""
        if not isinstance(block, Transform):
            return params
        measured = _statistics(block, x, theta.dtype)
        found.update({f"{k}.{name}": value for name, value in measured.items()})
        return measured

    deque(forward(network.blocks[:upto], network.unpack(theta)[:upto], X, prepare=fit), maxlen=0)
    return found


def _statistics(block: Transform, x: Array, dtype: Any) -> dict[str, Array]:
    """Return the statistics of a transform on x in the numbers of θ; ValueError where these cannot hold them."""
    with np.errstate(over="ignore", invalid="ignore"):
        measured = {name: value.astype(dtype) for name, value in block.fit(x).items()}
    if not all(np.isfinite(value).all() for value in measured.values()):
        raise ValueError(f"{block!r} cannot scale such data in {dtype}: divide or multiply them before")
    return measured


def as_drawn(network: Network, theta: NDArray[np.floating], X: Array) -> NDArray[np.floating]:
    """Return θ as the initialisers drew it."""
    return theta


STARTS: Mapping[str, Callable[[Network, NDArray[np.floating], Array], NDArray[np.floating]]] = MappingProxyType(
    {"random": as_drawn, "unit_variance": unit_variance}
)
"""The names that the estimators accept."""
