"""Test scores as plain numbers, on rows that a model has not seen.

Shapes: n rows, K classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.base import is_classifier

from ..tables.meaning import flag_value
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
    scoring = Scoring(model)
    scoring.add(rows.X, rows.y)
    return scoring.scores()


class Scoring:
    """Scores of a fitted estimator on rows that come in pieces; the inputs of a piece are not kept."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._actual: list[NDArray[Any]] = []
        self._predicted: list[NDArray[Any]] = []
        self._losses: list[NDArray[Any]] = []

    def add(self, X: Any, y: NDArray[Any]) -> None:
        """Take a piece: inputs (n, i) as the model takes them, and the target."""
        if is_classifier(self.model):
            y = labels_in_type_of(y, self.model.classes_)
            self._losses.append(_log_losses(self.model, X, y))
        self._actual.append(y)
        self._predicted.append(np.asarray(self.model.predict(X)))

    def scores(self) -> dict[str, Any]:
        """Return the scores of all pieces, as `scores_of` names them."""
        y, predicted = np.concatenate(self._actual), np.concatenate(self._predicted)
        if is_classifier(self.model):
            return _classification(y, predicted, self.model.classes_, np.concatenate(self._losses))
        return _regression(y, predicted.astype(np.float64))


def _classification(
    y: NDArray[Any], predicted: NDArray[Any], classes: NDArray[Any], losses: NDArray[Any]
) -> dict[str, Any]:
    unknown = [] if y.ndim > 1 else np.setdiff1d(y, classes).tolist()
    accuracy = float(metrics.accuracy_score(y, predicted))
    return {
        "rows": len(y),
        "accuracy": accuracy,
        "error_percent": 100 * (1 - accuracy),
        "macro_f1": float(metrics.f1_score(y, predicted, average="macro", zero_division=0)),
        "log_loss": None if np.isnan(losses).any() else float(losses.mean()),
        "unknown_labels": [str(label) for label in unknown],
        "confusion": _confusion(y, predicted, np.union1d(classes, y) if y.ndim == 1 else None),
    }


def labels_in_type_of(y: NDArray[Any], classes: NDArray[Any]) -> NDArray[Any]:
    """Return labels in the type of the classes, where a file holds the same ones in another: "1" for 1.

    True and false match in every spelling of the two words. Raises ValueError for a text that is no class, where the
    classes are no texts.
    """
    spelled = {flag_value(str(label)): label for label in classes.tolist()}
    if len(classes) == len(spelled) == 2 and None not in spelled and not np.isin(y, classes).all():
        flags = [flag_value(str(label)) for label in y.tolist()]
        if None not in flags:
            return np.asarray([spelled[flag] for flag in flags], classes.dtype)
    if classes.dtype.kind in "UO" and y.dtype.kind not in "UO":
        return _as_texts(y, {str(label): label for label in classes.tolist()})
    if classes.dtype.kind in "biuf" and y.dtype.kind in "UO":
        known = {str(label): label for label in classes.tolist()}
        if classes.dtype.kind == "b":
            known |= {spelled: label for word, label in [*known.items()] for spelled in (word.lower(), word.upper())}
        stranger = next((label for label in y.tolist() if label not in known), None)
        if stranger is not None:
            names = ", ".join(map(str, classes.tolist()))
            raise ValueError(f"the target holds {stranger!r}; the classes of the model are {names}")
        return np.asarray([known[label] for label in y.tolist()], classes.dtype)
    return y


def _as_texts(y: NDArray[Any], known: dict[str, str]) -> NDArray[Any]:
    """Return numbers and booleans as the texts that the classes are: 1 for "1" or "1.0", True for "true"."""
    by_value: dict[float, str] = {}
    for text in known:
        try:
            by_value.setdefault(float(text), text)
        except ValueError:
            continue
    folded = {text.casefold(): text for text in known}
    return np.asarray([_text_of(label, known, by_value, folded) for label in y.tolist()])


def _text_of(label: Any, known: dict[str, str], by_value: dict[float, str], folded: dict[str, str]) -> str:
    text = str(label)
    if text in known:
        return text
    if isinstance(label, bool):
        return folded.get(text.casefold(), text)
    return by_value.get(float(label), text)


def _log_losses(model: Any, X: Any, y: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log loss of each row (n,), NaN where there are no probabilities or the label is new to the model."""
    if not hasattr(model, "predict_proba"):
        return np.full(len(y), np.nan)
    p = model.predict_proba(X).astype(np.float64)
    if y.ndim > 1:
        p = np.clip(p, 1e-15, 1 - 1e-15)
        return np.asarray(-np.where(y > 0, np.log(p), np.log(1 - p)).mean(axis=1))
    p = p / p.sum(axis=1, keepdims=True)
    place = np.searchsorted(model.classes_, y).clip(0, len(model.classes_) - 1)
    tiny = np.finfo(np.float64).eps
    losses = -np.log(p[np.arange(len(y)), place].clip(tiny, 1 - tiny))
    return np.asarray(np.where(model.classes_[place] == y, losses, np.nan))


def _confusion(y: NDArray[Any], predicted: NDArray[Any], labels: NDArray[Any] | None) -> dict[str, Any] | None:
    if labels is None or len(labels) > LARGEST_CONFUSION:
        return None
    counts = metrics.confusion_matrix(y, predicted, labels=labels)
    return {"labels": [str(label) for label in labels.tolist()], "counts": counts.tolist()}


def _regression(y: NDArray[Any], predicted: NDArray[Any]) -> dict[str, Any]:
    residuals = y - predicted
    return {
        "rows": len(y),
        "rmse": float(np.sqrt(np.mean(residuals**2))),
        "mae": float(np.mean(np.abs(residuals))),
        "r2": float(metrics.r2_score(y, predicted)) if len(y) > 1 else None,
        "residual_quantiles": {str(q): float(np.percentile(residuals, q)) for q in QUANTILES},
    }
