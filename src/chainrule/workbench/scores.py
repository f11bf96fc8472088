"""Test scores as plain numbers, on rows that a model has not seen.

Shapes: n rows, K classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.base import is_classifier

from .data import Rows

LARGEST_CONFUSION = 30
"""With more classes there is no confusion matrix."""

QUANTILES = (5, 25, 50, 75, 95)


def scores_of(model: Any, rows: Rows) -> dict[str, Any]:
    """Return the scores of a fitted estimator as plain JSON values.

    Classification: rows, accuracy, error_percent, macro_f1, log_loss (None without probabilities, or where labels
    are new to the model), unknown_labels, and for at most 30 classes confusion: labels and counts, row by actual class.
    Regression: rows, rmse, mae, r2, and residual_quantiles of actual - predicted, in percent.
    """
    return _classification(model, rows) if is_classifier(model) else _regression(model, rows)


def _classification(model: Any, rows: Rows) -> dict[str, Any]:
    y, predicted = labels_in_type_of(rows.y, model.classes_), model.predict(rows.X)
    unknown = [] if y.ndim > 1 else np.setdiff1d(y, model.classes_).tolist()
    accuracy = float(metrics.accuracy_score(y, predicted))
    return {
        "rows": len(y),
        "accuracy": accuracy,
        "error_percent": 100 * (1 - accuracy),
        "macro_f1": float(metrics.f1_score(y, predicted, average="macro", zero_division=0)),
        "log_loss": None if unknown else _log_loss(model, rows.X, y),
        "unknown_labels": [str(label) for label in unknown],
        "confusion": _confusion(y, predicted, np.union1d(model.classes_, y) if y.ndim == 1 else None),
    }


def labels_in_type_of(y: NDArray[Any], classes: NDArray[Any]) -> NDArray[Any]:
    """Return labels in the type of the classes, where a file holds the same ones in another: "1" for 1."""
    if classes.dtype.kind in "UO" and y.dtype.kind not in "UO":
        return np.asarray([str(label) for label in y.tolist()])
    if classes.dtype.kind in "biuf" and y.dtype.kind in "UO":
        known = {str(label): label for label in classes.tolist()}
        stranger = next((label for label in y.tolist() if label not in known), None)
        if stranger is not None:
            raise ValueError(f"the target holds {stranger!r}; the classes of the model are {', '.join(known)}")
        return np.asarray([known[label] for label in y.tolist()], classes.dtype)
    return y


def _log_loss(model: Any, X: Any, y: NDArray[Any]) -> float | None:
    if not hasattr(model, "predict_proba"):
        return None
    p = model.predict_proba(X).astype(np.float64)
    if y.ndim > 1:
        p = np.clip(p, 1e-15, 1 - 1e-15)
        return float(-np.where(y > 0, np.log(p), np.log(1 - p)).mean())
    return float(metrics.log_loss(y, p / p.sum(axis=1, keepdims=True), labels=model.classes_))


def _confusion(y: NDArray[Any], predicted: NDArray[Any], labels: NDArray[Any] | None) -> dict[str, Any] | None:
    if labels is None or len(labels) > LARGEST_CONFUSION:
        return None
    counts = metrics.confusion_matrix(y, predicted, labels=labels)
    return {"labels": [str(label) for label in labels.tolist()], "counts": counts.tolist()}


def _regression(model: Any, rows: Rows) -> dict[str, Any]:
    y, predicted = rows.y, model.predict(rows.X).astype(np.float64)
    residuals = y - predicted
    return {
        "rows": len(y),
        "rmse": float(np.sqrt(np.mean(residuals**2))),
        "mae": float(np.mean(np.abs(residuals))),
        "r2": float(metrics.r2_score(y, predicted)) if len(y) > 1 else None,
        "residual_quantiles": {str(q): float(np.percentile(residuals, q)) for q in QUANTILES},
    }
