"""A source: features and target as they were read, and the checks that every kind of source shares.

Shapes: n rows, i inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .reading.options import Dialect
from .table import Table
from .targets import FIRST, TargetForm

Matrix = NDArray[Any]

MOST_NAMES = 30
"""Of more names the first are listed in a message."""

Name = str | tuple[str, ...] | None
"""The name of a target, those of several, or none."""


@dataclass(frozen=True, eq=False)
class Source:
    """Features and target: X a table of n named rows or a matrix (n, i); y of n values, None where absent.

    `X_test`, `y_test` are there when the source brings its own test set. `scale` is what the values of a
    matrix are to be multiplied with before use: 1/255 for bytes, 1/16 for the digits. `image_shape` is that of
    each row, where the file says so.

    Of a table: `forms` say how each target column was read, `weights` (n,) are those of the rows from the column
    `weights_name`, `dialect` is that of a text file, `notes` are what the user should know.
    """

    X: Table | Matrix
    y: Matrix | None
    X_test: Table | Matrix | None = None
    y_test: Matrix | None = None
    name: str = ""
    target: Name = None
    scale: float = 1.0
    image_shape: tuple[int, ...] | None = None
    forms: tuple[TargetForm, ...] = ()
    weights: NDArray[np.float64] | None = None
    weights_name: str | None = None
    dialect: Dialect | None = None
    notes: tuple[str, ...] = ()


def names_of(target: Name | list[str]) -> list[str]:
    """Return the names of a target as a list.

    >>> names_of(None), names_of("y"), names_of(("a", "b"))
    ([], ['y'], ['a', 'b'])
    """
    if target is None:
        return []
    return [target] if isinstance(target, str) else list(target)


def target_words(target: Name | list[str]) -> str:
    """Return the names of a target for a line: 'y', or 'a' and 'b'."""
    *first, last = map(repr, names_of(target) or [""])
    return f"{', '.join(first)} and {last}" if first else last


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
        raise ValueError(f"{what} is missing or not finite in {rows} {FIRST}")


def check_same_inputs(X_test: Matrix, X: Matrix) -> Matrix:
    """Return the test inputs; ValueError where there are more or fewer than in training."""
    if X_test.shape[1] != X.shape[1]:
        raise ValueError(f"the test set has {X_test.shape[1]} inputs, the training set {X.shape[1]}")
    return X_test
