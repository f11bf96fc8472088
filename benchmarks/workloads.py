"""The six workloads: from a network that fits in a cache line's neighbourhood to one that is all matrix products."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Workload(NamedTuple):
    """Layer widths, rows to a step, and how many steps one timed fit makes."""

    name: str
    widths: tuple[int, ...]
    batch: int
    steps_per_epoch: int
    epochs: int
    regression: bool = False

    @property
    def steps(self) -> int:
        return self.steps_per_epoch * self.epochs

    @property
    def products(self) -> float:
        """Floating-point operations of the matrix products of one step: forward, dW, and dx but for the first."""
        pairs = list(zip(self.widths, self.widths[1:], strict=False))
        forward = sum(a * b for a, b in pairs)
        return 2.0 * self.batch * (3 * forward - pairs[0][0] * pairs[0][1])

    def data(self, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return X and y in float32: standard normal inputs, targets from a random linear rule."""
        random = np.random.default_rng(seed)
        rows = self.batch * self.steps_per_epoch
        X = random.standard_normal((rows, self.widths[0]), dtype=np.float32)
        scores = X @ random.standard_normal((self.widths[0], self.widths[-1]), dtype=np.float32)
        if self.regression:
            return X, np.tanh(scores / np.sqrt(self.widths[0]))
        return X, scores.argmax(axis=1)


WORKLOADS = {
    w.name: w
    for w in (
        Workload("tiny", (2, 8, 4, 2), 10, 50, 20),
        Workload("digits", (64, 100, 10), 200, 8, 50),
        Workload("table", (100, 256, 256, 2), 256, 16, 10),
        Workload("mnist", (784, 256, 10), 128, 32, 4),
        Workload("wide", (784, 1024, 1024, 10), 256, 8, 2),
        Workload("coordinates", (512, 256, 256, 256, 256, 3), 4096, 4, 2, regression=True),
    )
}
