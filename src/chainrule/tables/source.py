"""A source: features and target as they were read, and the checks that every kind of source shares.

Shapes: n rows, i inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Matrix = NDArray[Any]

MOST_NAMES = 30
"""Of more names the first are listed in a message."""


@dataclass(frozen=True, eq=False)
class Source:
    """Features and target: X a table of n named rows or a matrix (n, i); y of n values, None where absent.

    `X_test`, `y_test` are there when the source brings its own test set. `scale` is what the values of a
    matrix are to be multiplied with before use: 1/255 for bytes, 1/16 for the digits. `image_shape` is that of
    each row, where the file says so.
    """

    X: pl.DataFrame | Matrix
    y: Matrix | None
    X_test: pl.DataFrame | Matrix | None = None
    y_test: Matrix | None = None
    name: str = ""
    target: str | None = None
    scale: float = 1.0
    image_shape: tuple[int, ...] | None = None


def only_target(name: str, target: str | None, required: bool) -> str:
    """Return the name of the one target that a source has; ValueError where another is asked for."""
    if required and target not in (None, name):
        raise ValueError(f"the target is {name!r}; there is no {target!r} (leave it out)")
    return name


def few_names(names: list[str]) -> str:
    """Return names for a message, the first thirty of many."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(map(repr, names[:MOST_NAMES])) + more


def check_complete(absent: NDArray[np.bool_], what: str) -> None:
    """Raise ValueError, with the first row, where a value is absent; `absent` has n rows."""
    if absent.any():
        gaps = np.flatnonzero(absent.reshape(len(absent), -1).any(axis=1)) + 1
        rows = f"{len(gaps)} rows, the first is row {gaps[0]}" if len(gaps) > 1 else f"row {gaps[0]}"
        raise ValueError(f"{what} is missing or not finite in {rows} (row 1 is the first row of data)")


def check_same_inputs(X_test: Matrix, X: Matrix) -> Matrix:
    """Return the test inputs; ValueError where there are more or fewer than in training."""
    if X_test.shape[1] != X.shape[1]:
        raise ValueError(f"the test set has {X_test.shape[1]} inputs, the training set {X.shape[1]}")
    return X_test
