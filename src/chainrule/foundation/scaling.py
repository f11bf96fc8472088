"""Centre and spread of columns, and which columns count as constant: the one rule for inputs, tables and targets.

Shapes: n rows, i columns. x (n,) or (n, i); centre and spread (), or (i,).

Source: the rule of scikit-learn's StandardScaler for columns that are constant but for rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

NOISE = 100
"""At most so many units in the last place are taken for rounding noise, however many rows there are."""


def mean_and_deviation(x: Numbers, weight: NDArray[Any] | None = None) -> tuple[Numbers, Numbers]:
    """Return mean and deviation of each column of x, over rows that count `weight` (n,) times.

    >>> mean_and_deviation(np.array([[1.0, 5.0], [3.0, 5.0]]))
    (array([2., 5.]), array([1., 0.]))
    """
    mean = np.average(x, axis=0, weights=weight)
    return mean, np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight))


def without_noise(x: Numbers, center: Numbers, spread: Numbers, precision: Any = np.float64) -> tuple[Numbers, Numbers]:
    """Return centre and spread of the columns of x, with spread 0 where a column is constant but for rounding.

    A column counts as constant where all its numbers are equal (its centre is then that number), or where its spread
    is at most ε |centre| min(n, NOISE): numbers that differ in their last digits only, as 0.1 + 0.2 and 0.3 do. Where
    the numbers came in another `precision` than double, neighbours in that precision are noise as well.

    >>> x = np.array([[0.3, 1.0], [0.1 + 0.2, 2.0]])
    >>> without_noise(x, *mean_and_deviation(x))[1]
    array([0. , 0.5])
    """
    steps = max(min(len(x), NOISE) * np.finfo(np.float64).eps, _step(precision))
    equal = x.min(axis=0) == x.max(axis=0)
    noise = spread <= steps * np.abs(center)
    return np.where(equal, x[0], center), np.where(equal | noise, 0.0, spread)


def _step(precision: Any) -> float:
    """Return the relative distance of neighbouring numbers; 0 for whole numbers, which are exact."""
    return float(np.finfo(precision).eps) if np.issubdtype(precision, np.floating) else 0.0
