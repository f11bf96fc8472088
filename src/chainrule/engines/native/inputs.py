"""The inputs as the core takes them: in C order, after the transforms at the head of the network."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...foundation.arrays import Array
from ...mathematics.blocks import Dense
from ...mathematics.network import Network
from ...mathematics.objective import Objective
from .plans import keep_plan, prediction_plan


def plain(a: NDArray[Any]) -> NDArray[Any]:
    """Return an array as the core takes it: itself where it is aligned and in C order, else a copy."""
    flags = a.flags
    return a if flags.c_contiguous and flags.aligned else np.array(a, order="C")


def transformed(network: Network, theta: Array, X: NDArray[Any], count: int) -> NDArray[Any]:
    """Return X after the leading transforms, in C order.

    The core makes the products, so that the bits of a row do not depend on how many rows come together; their plans
    are in the network's memo.
    """

    def multiply(x: Array, W: Array) -> Array:
        y = np.empty((x.shape[0], W.shape[1]), x.dtype)
        what = ("native product", *W.shape, x.dtype)
        if (plan := network.memo.get(what)) is None:
            plan = prediction_plan(Network(W.shape[0], [Dense(W.shape[1], bias=False)]), x.dtype.name)
            keep_plan(network, what, plan)
        plan.predict(plain(W).reshape(-1), plain(x), "identity", y, count)
        return y

    return plain(network.transformed(theta, X, multiply))


class Inputs:
    """X (n, i) of an objective as the core takes it: after the leading transforms, computed once.

    They are in the objective's memo, so that its engines share them, one after the other or side by side.
    """

    def __init__(self, network: Network, X: NDArray[Any], count: int) -> None:
        self._network, self._given, self._threads = network, plain(X), count
        self._size = max((slot.stop for slot in network.slots if slot.block < len(network.transforms)), default=0)
        self._statistics: NDArray[Any] = np.full(self._size, np.nan)
        self._made = self._given
        self._making = Lock()

    @classmethod
    def of(cls, objective: Objective, count: int) -> Inputs:
        """Return the inputs of this objective."""
        shared: Inputs | None = objective.memo.get("native inputs")
        return shared or objective.memo.setdefault("native inputs", cls(objective.network, objective.X, count))

    def at(self, theta: NDArray[np.floating]) -> NDArray[Any]:
        """Return the inputs at θ, computed again only where the statistics in θ have changed."""
        if not self._size:
            return self._given
        with self._making:
            statistics = theta[: self._size]
            if not np.array_equal(statistics, self._statistics):
                self._made = transformed(self._network, theta, self._given, self._threads)
                self._statistics = statistics.copy()
            return self._made
