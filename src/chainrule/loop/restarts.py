"""Several starts of one training, of which the best is kept (n_restarts).

One after the other, each on all threads, where somebody watches their order: a checkpoint says which one is running.
Else side by side, each on a thread of its own, which never waits for another: faster, unless an epoch is very short,
and the same bits, since no number of threads changes any.
"""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event
from typing import Protocol

import numpy as np

from ..mathematics.objective import Objective
from .checkpoint import EarlierStarts, SavedTraining
from .progress import Result

SHORTEST = 1 << 21
"""Multiplications of an epoch below which Python's part of it, one thread at a time, takes longer than the core's."""

PATIENCE = 0.1
"""Seconds after which a wait begins again: one without an end is deaf to Ctrl-C beside packages such as polars."""


class Start(Protocol):
    """Runs one start."""

    def __call__(self, restart: int, earlier: EarlierStarts, anew: bool, stop: Event | None = None) -> Result:
        """Run start number `restart`; `earlier` are the ones before, `anew` whether this one is new.

        With `stop` it runs on one thread, and ends soon after `stop` is set.
        """


def best_of(start: Start, count: int, saved: SavedTraining | None, keeps_best: bool) -> Result:
    """Run `count` starts, from the one that a checkpoint left running on, and return the best Result."""
    earlier = EarlierStarts() if saved is None else saved.earlier
    first = 0 if saved is None else min(saved.state.restart, count - 1)
    best = earlier.best
    for restart in range(first, count):
        result = start(restart, earlier, restart > first)
        best = max(best or result, result, key=lambda result: _merit(result, keeps_best))
        earlier = EarlierStarts(best, earlier.seconds + (result.history[-1].seconds if result.history else 0.0))
        if result.reason in ("interrupted", "time"):
            break
    assert best is not None
    return best


def too_short(objective: Objective) -> bool:
    """Return True where epochs are too short for starts to run side by side."""
    return objective.rows * objective.network.size < SHORTEST


def best_side_by_side(start: Start, count: int, threads: int, keeps_best: bool) -> Result:
    """Run `count` starts, `threads` of them at a time, and return the best Result; Ctrl-C stops them all."""
    stop = Event()
    with ThreadPoolExecutor(min(threads, count)) as pool:
        running = [pool.submit(start, restart, EarlierStarts(), True, stop) for restart in range(count)]
        try:
            rest = {*running}
            while rest and not any(future.done() and future.exception() for future in running):
                rest = wait(running, PATIENCE, FIRST_EXCEPTION).not_done
        except KeyboardInterrupt:
            rest = {*running}
        if rest:
            stop.set()
        results = [future.result() for future in running if not (rest and future.cancel())]
    best = max(results, key=lambda result: _merit(result, keeps_best))
    return replace(best, reason="interrupted") if stop.is_set() else best


def _merit(result: Result, keeps_best: bool) -> float:
    """Return the merit of a result's weights: the best of the watched figure, the last score, or minus the loss."""
    if keeps_best:
        return -np.inf if result.state.best is None else result.state.best
    if result.reason == "diverged" or not result.history:
        return -np.inf
    last = result.history[-1]
    return -last.loss if last.validation_score is None else last.validation_score
