"""The inputs as the core takes them: in C order, after the transforms at the head of the network."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray

from ...foundation.arrays import Array
from ...mathematics.blocks import Dense
from ...mathematics.network import Network
from ...mathematics.objective import Objective
from .core import _core
from .plans import prediction_plan


def plain(a: NDArray[Any]) -> NDArray[Any]:
    """Return an array as the core takes it: itself where it is aligned and in C order, else a copy."""
    flags = a.flags
    return a if flags.c_contiguous and flags.aligned else np.array(a, order="C")


def transformed(network: Network, theta: Array, X: NDArray[Any], count: int) -> NDArray[Any]:
    """Return X after the leading transforms, in C order.

    The core makes the products, so that the bits of a row do not depend on how many rows come together.
    """

    def multiply(x: Array, W: Array) -> Array:
        y = np.empty((x.shape[0], W.shape[1]), x.dtype)
        _product(*W.shape, x.dtype.name).predict(plain(W).reshape(-1), plain(x), "identity", y, count)
        return y

    return plain(network.transformed(theta, X, multiply))


@cache
def _product(inputs: int, outputs: int, dtype: str) -> _core.Plan:
    return prediction_plan(Network(inputs, [Dense(outputs, bias=False)]), dtype)


class Inputs:
    """X (n, i) of an objective as the core takes it: after the leading transforms, computed once."""

    def __init__(self, network: Network, X: NDArray[Any], count: int) -> None:
        self._network, self._given, self._threads = network, plain(X), count
        self._size = max((slot.stop for slot in network.slots if slot.block < len(network.transforms)), default=0)
        self._statistics: NDArray[Any] = np.full(self._size, np.nan)
        self._made = self._given
        self._making = Lock()

    @classmethod
    def of(cls, objective: Objective, count: int) -> Inputs:
        """Return the inputs prepared for this objective, shared between engines that run at the same time."""
        with _sharing:
            known = _inputs[objective]() if objective in _inputs else None
            shared = known or cls(objective.network, objective.X, count)
            _inputs[objective] = ref(shared)
        return shared

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


_inputs: WeakKeyDictionary[Objective, ref[Inputs]] = WeakKeyDictionary()
_sharing = Lock()
