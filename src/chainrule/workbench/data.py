"""From a source to training and test rows: which task, which rows, and the mistakes that are known by then.

Shapes: n rows, i inputs. The test rows are never used for choosing anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from ..tables.source import Name, Source, names_of, target_words
from ..tables.sources import Asked, load
from ..tables.table import Table
from .notes import blaming

FEWEST = 10
"""Rows of which a part can be held out."""

MOST_CLASSES = 20
"""With more different whole numbers, a target is a quantity."""


@dataclass(frozen=True)
class Rows:
    """Inputs (a table, or a matrix (n, i)), target, and the weights of the rows (n,) or None."""

    X: Any
    y: NDArray[Any]
    weight: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def part(self, rows: NDArray[np.intp]) -> Rows:
        """Return some of the rows."""
        return Rows(self.X[rows], self.y[rows], None if self.weight is None else self.weight[rows])


@dataclass(frozen=True)
class Data:
    """Training and test rows (None: no test), the task and why; `tested_on` says where the test rows come from.

    `test_name` is the file that holds the test rows; `notes` are what reading the files has to say.
    """

    source: Source
    task: str
    why: str
    train: Rows
    test: Rows | None
    tested_on: str
    test_name: str
    notes: tuple[str, ...] = ()

    @property
    def is_table(self) -> bool:
        """True where the inputs are named columns."""
        return isinstance(self.source.X, Table)

    @property
    def standardise(self) -> bool:
        """True where inputs are to be standardised: tables and plain matrices are, images have their own scale."""
        return self.is_table or self.source.scale == 1


def load_data(
    name: str, target: Name, test: str | None, fraction: float, task: str, seed: int, asked: Asked | None = None
) -> Data:
    """Load a source and set test rows apart: those of `test`, or those the source brings, or a share of its rows.

    `asked` says how a table is read (see `tables.sources.Asked`); the test file is read as the first one was.

    Raises ValueError, one line, for data that cannot be trained on.
    """
    asked = replace(asked or Asked(), task=task)
    source = load(name, target, asked=asked)
    assert source.y is not None
    task, why = task_and_reason(source, task)
    rows = Rows(source.X, as_target(source.y, task, source.target), source.weights)
    notes, test_name = source.notes, test or source.name
    if test is not None:
        other = load(test, source.target, asked=_as_before(asked, source))
        held, tested_on = Rows(other.X, as_target(other.y, task, source.target)), test
        notes += tuple(f"{test}: {text}" for text in other.notes if text not in notes)
        _check_columns(rows.X, held.X, test)
    elif source.X_test is not None and source.y_test is not None:
        held, tested_on = Rows(source.X_test, as_target(source.y_test, task, source.target)), "its own test rows"
    elif fraction > 0:
        rows, held = _held_out(rows, fraction, task, seed, source.name)
        tested_on = f"held out: {fraction * 100:g} % of the rows"
    else:
        return _checked(Data(source, task, why, rows, None, "nothing", test_name, notes))
    return _checked(Data(source, task, why, rows, held, tested_on, test_name, notes))


def _as_before(asked: Asked, source: Source) -> Asked:
    """Return the request for a test file: a target written as in training, and no weights."""
    return replace(asked, forms=source.forms or None, expected=source.dialect, weights=None)


def task_and_reason(source: Source, asked: str) -> tuple[str, str]:
    """Return the task and one line why."""
    y, name = source.y, target_words(source.target)
    assert y is not None
    task = infer_task(y) if asked == "auto" else asked
    if asked != "auto":
        return task, "--task says so"
    if y.ndim > 1:
        words = "columns of 0 and 1" if task == "classification" else "columns of numbers"
        several = len(names_of(source.target)) > 1
        return task, f"{name} are {words}" if several else f"{name} has {y.shape[1]} {words}"
    kinds = {"b": "values, true and false", "i": "whole numbers", "u": "whole numbers", "f": "numbers"}
    return task, f"{name} holds {len(np.unique(y)):,} different {kinds.get(y.dtype.kind, 'texts')}"


def infer_task(y: Any) -> str:
    """Guess the task from a target of shape (n,) or (n, outputs): "classification" or "regression".

    Classification: text, booleans and categories; whole numbers (7 or 7.0) with at most 20 different values
    that come at least twice on average; several columns when all are 0 or 1. The rest is regression.

    >>> infer_task(["yes", "no"]), infer_task([0, 1, 1, 0]), infer_task([0.5, 1.5])
    ('classification', 'classification', 'regression')
    """
    series = nw.from_native(y, series_only=True, pass_through=True)
    if isinstance(series, nw.Series) and isinstance(series.dtype, nw.Categorical | nw.Enum):
        return "classification"
    values = np.asarray(y)
    if values.dtype == object and all(isinstance(value, (bool, np.bool_)) for value in values.flat):
        return "classification"
    try:
        kept = values.dtype.kind in "iu"  # as floats, large integers would be the same
        different = np.unique(values if kept else values.astype(float)) if values.dtype.kind in "iufO" else None
    except (TypeError, ValueError):
        different = None
    if different is None:
        return "classification"
    if values.ndim > 1 and values.shape[1] > 1:
        return "classification" if np.isin(different, (0, 1)).all() else "regression"
    few = len(different) <= MOST_CLASSES and 2 * len(different) <= len(values)
    return "classification" if few and np.all(different == np.round(different)) else "regression"


def as_target(y: Any, task: str, name: Name) -> NDArray[Any]:
    """Return the target as the estimator takes it; ValueError where it does not suit the task."""
    words = target_words(name)
    if task == "regression":
        if y.dtype.kind not in "biuf":
            raise ValueError(f"target {words} is text, such as {str(y.flat[0])!r}; a regression needs numbers")
        return np.asarray(y, np.float64)
    if y.dtype.kind == "f" and not (y == np.round(y)).all():
        strange = y[y != np.round(y)][0]
        raise ValueError(f"target {words} holds {strange:g}; a classification needs text or whole numbers")
    return np.asarray(y.astype(np.int64) if y.dtype.kind == "f" else y)


def _check_columns(X: Any, X_test: Any, test: str) -> None:
    """Raise ValueError where the test inputs cannot be those of the training, before any training."""
    if isinstance(X, Table) != isinstance(X_test, Table):
        raise ValueError(f"{test}: a table and a matrix do not go together as training and test data")
    if isinstance(X, Table):
        missing = [repr(column) for column in X.columns if column not in X_test]
        if missing:
            raise ValueError(f"{test}: it lacks the column {', '.join(missing[:5])} of the training data")
    elif X.shape[1] != X_test.shape[1]:
        raise ValueError(f"{test}: it has {X_test.shape[1]} inputs, the training data {X.shape[1]}")


def _held_out(rows: Rows, fraction: float, task: str, seed: int, name: str) -> tuple[Rows, Rows]:
    if len(rows) < FEWEST:
        count = "1 row is" if len(rows) == 1 else f"{len(rows)} rows are"
        raise ValueError(f"{name}: {count} too few to hold some out; add rows, or give --test-fraction 0")
    with blaming(name):
        train, held = split(rows.y, fraction, seed, labels=task == "classification")
    held_rows = rows.part(held)
    return rows.part(train), Rows(held_rows.X, held_rows.y)


def _checked(data: Data) -> Data:
    """Raise ValueError for a target that is always the same."""
    y = data.train.y
    if (y == y[0]).all() and (y.ndim == 1 or data.task == "regression"):
        what = "classes" if data.task == "classification" else "values"
        raise ValueError(
            f"{data.source.name}: target {target_words(data.source.target)} is always {y[0].tolist()!r}"
            f" in the training rows; two {what} are needed"
        )
    return data


def split(y: NDArray[Any], fraction: float, seed: int, labels: bool) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the row numbers of two parts, the second a share of the rows, with the classes in proportion.

    A class with a single row stays in the first part, where the other rows suffice for the second. Where the second
    part is smaller than the number of classes, the rows are drawn without regard to them. Raises ValueError where no
    row is left for the first part.
    """
    rows, size = np.arange(len(y)), ceil(fraction * len(y))
    if size >= len(y):
        raise ValueError(f"a share of {fraction:g} would hold out all {len(y)} rows; none is left to train on")
    if not labels or y.ndim > 1:
        return tuple(train_test_split(rows, test_size=fraction, random_state=seed))
    _, number, counts = np.unique(y, return_inverse=True, return_counts=True)
    lone = counts[number] < 2
    first, several = rows[~lone], int((counts > 1).sum())
    if size >= len(first):
        return tuple(train_test_split(rows, test_size=size, random_state=seed))
    proportion = number[~lone] if several <= min(size, len(first) - size) else None
    kept, other = train_test_split(first, test_size=size, random_state=seed, stratify=proportion)
    return np.concatenate([kept, rows[lone]]), other


def can_stratify(y: NDArray[Any], fraction: float) -> bool:
    """Return True where scikit-learn can split these labels with the classes in proportion."""
    if y.ndim > 1:
        return True
    counts = np.unique(y, return_counts=True)[1]
    held = ceil(fraction * len(y))
    return bool(counts.min() > 1 and len(counts) <= min(held, len(y) - held))
