"""Predictions of a saved model for new rows, as a table.

Shapes: n rows, K classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from sklearn.base import is_classifier

from ..tables.files import write_table
from ..tables.source import Matrix
from ..tables.sources import load

MOST_NAMES = 12
"""Of more columns the first are named in a message."""


class NewRows(NamedTuple):
    """Rows that a model has not seen: inputs, target (None where there is none), its name, and where they come from."""

    X: Any
    y: Matrix | None
    target: str | None
    source: str
    title: str


def new_rows(name: str, target: str | None, target_required: bool = True) -> NewRows:
    """Return a source's own test rows, or all rows that it has; SourceError, one line, where it cannot be read."""
    source = load(name, target, target_required=target_required)
    if source.X_test is None:
        return NewRows(source.X, source.y, source.target, source.name, source.name)
    return NewRows(source.X_test, source.y_test, source.target, source.name, f"{source.name} (its test rows)")


def check_kind(model: Any, X: Any) -> None:
    """Raise ValueError where a table is given for a matrix, or the other way round."""
    names = getattr(model, "feature_names_in_", None)
    if names is not None and not isinstance(X, pl.DataFrame):
        columns = ", ".join(names[:MOST_NAMES]) + ", ..." * (len(names) > MOST_NAMES)
        raise ValueError(f"this is a matrix, but the model was trained on a table with the columns {columns}")
    if names is None and isinstance(X, pl.DataFrame):
        raise ValueError(f"this is a table, but the model was trained on a matrix with {model.n_features_in_} inputs")


def predictions(model: Any, X: Any) -> pl.DataFrame:
    """Return the predictions as a table: `class` and a column P(class) for each class, or `prediction`.

    The columns P(class) stand in the order of the labels themselves: P(2) before P(10). Several labels or targets
    have a column each: `class 0`, ... or `prediction 0`, ... The rows are encoded once.

    Raises ValueError for rows that are not of the model's kind, or that it cannot read.
    """
    check_kind(model, X)
    rows, model = model.encoded(X), model.for_encoded_rows()
    predicted = np.asarray(model.predict(rows))
    name = "class" if is_classifier(model) else "prediction"
    columns = {name: predicted} if predicted.ndim == 1 else {f"{name} {k}": c for k, c in enumerate(predicted.T)}
    if hasattr(model, "predict_proba"):
        shares = model.predict_proba(rows)
        columns |= {f"P({label})": shares[:, k] for k, label in enumerate(model.classes_.tolist())}
    return pl.DataFrame({key: c.tolist() if c.dtype.kind in "OU" else c for key, c in columns.items()})


def write_predictions(predicted: pl.DataFrame, path: str) -> None:
    """Write predictions to a file of the form that its name says; SourceError where that is not possible."""
    write_table(predicted, path)
