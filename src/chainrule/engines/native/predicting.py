"""Predicting in the compiled core: plans are in the network's memo, for one row at a time as for many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...foundation.arrays import Array
from ...mathematics.losses import Loss
from ...mathematics.network import Network
from ..job import Job
from .core import threads
from .inputs import plain, transformed
from .obstacles import known_link, obstacle
from .plans import keep_plan, prediction_plan

FEW = 1 << 18
"""Multiplications up to which one thread is taken without asking for more."""


def plan_for(network: Network, theta: Array, X: Array) -> Any:
    """Return the core's plan for predicting X, or None where the core cannot; both are kept for the next call."""
    if not (isinstance(X, np.ndarray) and isinstance(theta, np.ndarray)) or X.dtype != theta.dtype or X.ndim != 2:
        return None
    what = ("native prediction", theta.dtype)
    if what not in network.memo:
        no = obstacle(Job(None, theta.dtype, network=network))
        keep_plan(network, what, None if no else prediction_plan(network, theta.dtype.name))
    return network.memo[what] if X.shape[1] == network.inputs else None


def predict(plan: Any, network: Network, theta: Array, X: Array, link: str, n_threads: int | None) -> Array:
    """Return the predictions (n, outputs), the link of the raw scores, by a plan of `plan_for`."""
    out = np.empty((X.shape[0], network.outputs), theta.dtype)
    count = 1 if X.shape[0] * network.size < FEW else threads(n_threads)
    theta = plain(theta)
    plan.predict(theta, transformed(network, theta, X, count), link, out, count)
    return out


def scores(network: Network, theta: Array, X: Array, link: str, n_threads: int | None) -> Array:
    """Return the predictions (n, outputs), the link of the raw scores, for rows that fit θ."""
    return predict(plan_for(network, theta, X), network, theta, X, link, n_threads)


def compiled(
    network: Network, theta: NDArray[np.floating], n_threads: int | None
) -> Callable[[NDArray[np.floating], Loss | None], NDArray[np.floating]]:
    """Return (X, loss) -> predictions, with θ packed once; X is copied where it is not in C order."""
    outputs, dtype, count = network.outputs, theta.dtype, threads(n_threads)
    plan = prediction_plan(network, dtype.name)
    nothing = transformed(network, theta, np.empty((0, network.inputs), dtype), 1)
    plan.predict(theta, nothing, "identity", np.empty((0, outputs), dtype), 1)
    predict, ahead = plan.predict, bool(network.transforms)

    def run(X: NDArray[np.floating], loss: Loss | None) -> NDArray[np.floating]:
        if not isinstance(X, np.ndarray):  # sparse rows are for the definitions
            scores = network.forward(theta, X)
            return np.asarray(scores if loss is None else loss.predict(scores))
        out = np.empty((len(X), outputs), dtype)
        link = known_link(loss)
        X = transformed(network, theta, X, count) if ahead else plain(X)
        predict(None, X, link or "identity", out, count)
        return out if link else np.asarray(loss.predict(out))  # type: ignore[union-attr]  # None has a link

    return run
