"""Rows held out of a training: those that a user gives, or a share of the training rows; and how they are scored."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split
from sklearn.utils import column_or_1d

from ... import engines
from ..fitted.inputs import as_numbers
from ..fitted.model import Fitted
from ..fitted.targets import NoNumberError, Target

FEWEST = 2
"""Rows of which a validation score can be had."""


class Rows(NamedTuple):
    """Validated rows: X (n, i), the user's y, weight (n,) or None."""

    X: Any
    y: NDArray[Any]
    weight: NDArray[Any] | None

    def part(self, rows: NDArray[np.intp]) -> Rows:
        """Return some of the rows."""
        return Rows(self.X[rows], self.y[rows], None if self.weight is None else self.weight[rows])


def given(X: Any, y: Any, regression: bool) -> Rows:
    """Return the validation rows of a user, X (n, i) validated already; ValueError where y does not go with it."""
    y = np.asarray(as_numbers(y) if regression else y)
    y = column_or_1d(y) if y.shape[1:] == (1,) else y
    if X.shape[0] != len(y):
        raise ValueError(f"X_val has {X.shape[0]} rows, y_val has {len(y)}")
    if regression and not np.isfinite(y).all():
        raise ValueError("y_val holds NaN or infinity")
    return Rows(X, y, None)


def held_out(rows: Rows, share: float, seed: int, target: Target) -> tuple[Rows, Rows]:
    """Return the rows for training, and a share held out, the classes in proportion where that can be.

    A class of one row stays in training; of more classes than rows are held out, the rows are drawn without regard to
    them. Raises ValueError for a share that cannot be split off.
    """
    count = rows.X.shape[0]
    if not share:
        raise ValueError(f"validation_fraction must be above 0 with early_stopping=True, got {share!r}")
    strata, numbers = target.strata(rows.y), np.arange(count)
    alone = np.zeros(count, bool) if strata is None else _alone(strata)
    drawn, size = numbers[~alone], ceil(share * count)
    if strata is not None and not _fits(strata[drawn], size):
        strata = None
    try:
        train, held = train_test_split(
            drawn, test_size=size, random_state=seed, stratify=None if strata is None else strata[drawn]
        )
    except ValueError as error:
        raise ValueError(f"validation_fraction={share!r} of {count} rows cannot be split off: {error}") from error
    if len(held) < FEWEST:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return rows.part(np.concatenate([train, numbers[alone]])), rows.part(held)


def _alone(strata: NDArray[Any]) -> NDArray[np.bool_]:
    """Return, for each row, whether its class has no other."""
    _, number, counts = np.unique(strata, return_inverse=True, return_counts=True)
    return np.asarray(counts[number] == 1)


def _fits(strata: NDArray[Any], size: int) -> bool:
    """Return True where each class can have a row in either part."""
    return len(np.unique(strata)) <= min(size, len(strata) - size)


def scorer(model: Fitted, held: Rows) -> Callable[[NDArray[Any]], float]:
    """Return θ -> the validation score, by `scoring` or the estimator's own measure; NaN where scores are NaN."""
    if model.scoring is not None:
        chosen = check_scoring(model, scoring=model.scoring)

        def asked(theta: NDArray[Any]) -> float:
            try:
                return float(chosen(model.with_weights(theta), held.X, held.y))
            except NoNumberError:
                return float("nan")

        return asked

    def own(theta: NDArray[Any]) -> float:
        scores = engines.predict(model.engine, model.network_, theta, held.X, n_threads=model.n_threads)
        return model.score_of(scores, held.y, held.weight) if np.isfinite(scores).all() else float("nan")

    return own
