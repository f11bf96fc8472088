"""What the benchmarks share: threads, versions, interleaved rounds, and how a figure is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from math import floor, log10
from statistics import median
from time import perf_counter, sleep
from typing import NamedTuple, TypeAlias

from threadpoolctl import threadpool_limits

THREADS = 2
"""What every package may use: the machine of the published figures has two cores."""

SECONDS = 0.2
"""How long a round goes on with one package at least: a fit of a millisecond is measured many times."""

REST = 0.2
"""Pause in seconds before each package: the threads of the one before stop spinning and leave the cores alone."""

Timed: TypeAlias = Callable[[], float]
"""Does the work once and returns the seconds it took."""

Times: TypeAlias = dict[str, list[float]]
"""Seconds by name, one entry per round."""


def limit_threads(threads: int = THREADS) -> None:
    """Let chainrule and the matrix products of NumPy and SciPy use that many threads in this process."""
    os.environ["CHAINRULE_NUM_THREADS"] = str(threads)
    threadpool_limits(threads)


def installed(distribution: str) -> str | None:
    """Return the version of a distribution, or None where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def block(call: Callable[[], object], calls: int) -> Timed:
    """Return a function that makes the call so many times and gives the seconds of one: for calls of microseconds."""

    def timed() -> float:
        started = perf_counter()
        for _ in range(calls):
            call()
        return (perf_counter() - started) / calls

    return timed


def repeated(timed: Timed, seconds: float = SECONDS) -> float:
    """Return the median of as many repetitions as fill the seconds, and at least one."""
    taken: list[float] = []
    started = perf_counter()
    while not taken or perf_counter() - started < seconds:
        taken.append(timed())
    return median(taken)


def interleaved(work: Mapping[str, Timed], rounds: int, seconds: float = SECONDS) -> Times:
    """Return the seconds of each, round by round, after one warm-up; in a round each has its turn.

    So a machine that speeds up or slows down does so for all of them.
    """
    times: Times = {name: [] for name in work}
    for turn in range(rounds + 1):
        for name, timed in work.items():
            sleep(REST)
            taken = repeated(timed, seconds)
            times[name] += [taken] * (turn > 0)
    return times


class Figure(NamedTuple):
    """The smallest, the median and the largest of several rounds."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: list[float], scale: float = 1.0) -> Figure:
        """Return the figure of some values, times a scale."""
        return cls(scale * min(values), scale * median(values), scale * max(values))

    def cells(self) -> str:
        """Return two cells of a table, the median and the spread.

        >>> Figure(1.5, 1.7342, 12345.6).cells()
        '1.73 | 1.50 to 12346'
        """
        return f"{digits(self.middle)} | {digits(self.low)} to {digits(self.high)}"


def ratios(times: Times, name: str, baseline: str) -> Figure:
    """Return how many times as long as the baseline a package took, round by round."""
    return Figure.of([t / b for t, b in zip(times[name], times[baseline], strict=True)])


def digits(value: float) -> str:
    """Write a positive number with three digits or, from 1000 on, without a fraction.

    >>> digits(1.7342), digits(24453.2)
    ('1.73', '24453')
    """
    return f"{value:.{max(0, 2 - floor(log10(value)))}f}"
