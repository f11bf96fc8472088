"""Targets: a user's y turned into what a loss takes, and scores turned back into predictions.

Shapes: n rows, o outputs. A classifier with two classes has one output, with K > 2 classes K outputs, with K labels
(multilabel) K outputs; a regressor one output per target column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.multiclass import type_of_target

from ...foundation.arrays import is_sparse
from ...foundation.scaling import mean_and_deviation, without_noise
from ...mathematics.losses import Loss, softmax
from ..settings.loss import Task
from .inputs import check_range


class Target(Protocol):
    """The target of a fitted estimator: its classes, or the numbers of a regression."""

    @property
    def outputs(self) -> int:
        """The number of outputs o."""

    def encode(self, y: NDArray[Any], loss: Loss, dtype: Any) -> NDArray[Any]:
        """Return y as the loss takes it."""

    def decode(self, scores: NDArray[Any], loss: Loss) -> NDArray[Any]:
        """Return the predictions for scores (n, o)."""

    def strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """Return the class number of each row (n,), which a validation split keeps in proportion, or None."""

    def score(self, scores: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None, loss: Loss) -> float:
        """Return the accuracy or R² of the predictions for scores (n, o)."""


FLOAT64 = np.dtype(np.float64)


class NoNumberError(ValueError):
    """Scores that are NaN: no label can be told from them."""


@dataclass(frozen=True)
class Classes:
    """The labels of a classification, in sorted order, and its task."""

    labels: NDArray[Any]
    task: Task

    @classmethod
    def of(cls, y: NDArray[Any], labels: Any = None) -> Classes:
        """Return the classes of y (n,) or of an indicator matrix y (n, K), or those given.

        Raises ValueError for targets that are no labels.
        """
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            _indicators(y)
            return cls(np.arange(y.shape[1]), "multilabel")
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                f"Unknown label type: {kind}. Maybe you are trying to fit a classifier, which expects discrete "
                "classes on a regression target with continuous values."
            )
        found = np.unique(y if labels is None else labels)
        return cls(found, "multiclass" if len(found) > 2 else "binary")

    @property
    def outputs(self) -> int:
        """The number of outputs o."""
        return 1 if self.task == "binary" else len(self.labels)

    def encode(self, y: NDArray[Any], loss: Loss, dtype: Any) -> NDArray[Any]:
        """Return y as the loss takes it: class numbers, or columns of 0 and 1, or of -1 and +1.

        Raises ValueError for a label that is not among the classes.
        """
        if self.task == "multilabel":
            columns = _indicators(y)
        else:
            numbers = self.numbers(y)
            if loss.targets == "classes":
                return numbers
            columns = numbers[:, None] == (np.arange(len(self.labels)) if self.outputs > 1 else [1])
        return (2 * columns.astype(dtype) - 1) if loss.targets == "signs" else columns.astype(dtype)

    def numbers(self, y: NDArray[Any]) -> NDArray[np.intp]:
        """Return the position of each label of y (n,) among the classes."""
        if y.ndim != 1:
            raise ValueError(f"y must hold one label a row, as in the first fit, got the shape {y.shape}")
        positions = np.searchsorted(self.labels, y).clip(0, len(self.labels) - 1)
        unknown = self.labels[positions] != y
        if np.any(unknown):
            strangers = ", ".join(map(repr, np.unique(np.asarray(y)[unknown])[:5].tolist()))
            raise ValueError(f"y holds labels that are not among the classes: {strangers}")
        return np.asarray(positions, np.intp)

    def decode(self, scores: NDArray[Any], loss: Loss) -> NDArray[Any]:
        """Return the predicted labels for scores (n, o): the largest, or those above the threshold.

        Raises NoNumberError for scores that are NaN.
        """
        if np.isnan(scores).any():
            row = int(np.isnan(scores).any(axis=1).argmax())
            raise NoNumberError(f"row {row}: the scores are NaN, for X holds NaN or numbers too large for the network")
        if self.task == "multiclass":
            return np.asarray(self.labels[scores.argmax(axis=1)])
        above = scores > self.threshold(loss)
        if self.task == "multilabel":
            return above.astype(int)
        return np.asarray(self.labels[above[:, 0].astype(int) if len(self.labels) > 1 else np.zeros(len(scores), int)])

    def decision(self, scores: NDArray[Any], loss: Loss) -> NDArray[Any]:
        """Return the scores less the threshold: (n,) for two classes, (n, K) otherwise."""
        scores = scores - self.threshold(loss)
        return scores[:, 0] if self.task == "binary" else scores

    def threshold(self, loss: Loss) -> float:
        """Return the score above which a label is predicted: halfway between what `encode` gives the two sides."""
        return 0.5 if loss.targets == "real" and self.task != "multiclass" else 0.0

    def states(self, loss: Loss) -> bool:
        """Return True where the loss's predictions are the probabilities as they are."""
        return self.task == "multilabel" or (self.task == "multiclass" and loss.targets == "classes")

    def probabilities(self, scores: NDArray[Any], loss: Loss) -> NDArray[Any]:
        """Return the probability of each class, (n, number of classes)."""
        p = loss.predict(scores)
        if self.task == "binary":
            both = np.concatenate([loss.predict(-scores), p], axis=1)
            return both if len(self.labels) > 1 else np.ones((len(scores), 1), p.dtype)
        if self.task == "multiclass" and loss.targets != "classes":
            total = p.sum(axis=1, keepdims=True)
            return np.asarray(np.where(total > 0, p / np.where(total > 0, total, 1), softmax(scores)))
        return np.asarray(p)

    def strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """Return the class number of each row (n,); None for several labels a row."""
        return None if self.task == "multilabel" else self.numbers(y)

    def score(self, scores: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None, loss: Loss) -> float:
        """Return the accuracy of the labels predicted for scores (n, o)."""
        return float(accuracy_score(y, self.decode(scores, loss), sample_weight=weight))


def _indicators(y: Any) -> NDArray[Any]:
    """Return label columns (n, K) as an array; ValueError where they hold anything but 0 and 1."""
    columns = y.toarray() if is_sparse(y) else np.asarray(y)
    strange = (columns != 0) & (columns != 1)
    if strange.any():
        found = ", ".join(f"{value:g}" for value in np.unique(columns)[:5].astype(float))
        raise ValueError(f"label columns must hold 0 and 1, got {found}; such as (y == {columns[strange][0]:g})")
    return columns


def output_activation(loss: Loss) -> str:
    """Return scikit-learn's name for the link of a loss."""
    return "logistic" if loss.link == "sigmoid" else loss.link


@dataclass(frozen=True)
class Scale:
    """The mean and deviation of each target column, (o,), with which a regression is trained; both are float64."""

    mean: NDArray[Any]
    deviation: NDArray[Any]

    @classmethod
    def of(cls, y: NDArray[Any], weight: NDArray[Any] | None) -> Scale:
        """Return the scale of y (n, o) in float64; a constant column keeps deviation 1."""
        y = y.astype(np.float64)
        if weight is not None:
            y, weight = y[weight > 0], weight[weight > 0]
        mean, deviation = without_noise(y, *mean_and_deviation(y, weight))
        return cls(mean, np.where(deviation == 0, 1.0, deviation))

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return (y - mean) / deviation."""
        return np.asarray((y - self.mean) / self.deviation)

    def decode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return y deviation + mean."""
        return np.asarray(y * self.deviation + self.mean)


@dataclass(frozen=True)
class Numbers:
    """The targets of a regression: how many columns, whether y was flat (n,), their scale, if they have one.

    `dtype` is the precision of predictions in the target's own scale.
    """

    outputs: int
    flat: bool
    scale: Scale | None = None
    dtype: np.dtype[Any] = FLOAT64

    @classmethod
    def of(cls, y: NDArray[Any], weight: NDArray[Any] | None, scaled: bool, dtype: Any) -> Numbers:
        """Return the target of y (n,) or (n, o), which a network of some dtype is to learn."""
        columns = y.reshape(len(y), -1)
        scale = Scale.of(columns, weight) if scaled else None
        return cls(columns.shape[1], y.ndim == 1, scale, precision(y.dtype, dtype))

    def encode(self, y: NDArray[Any], loss: Loss, dtype: Any) -> NDArray[Any]:
        """Return y as columns (n, o) in a dtype, centred and scaled first: so what is small beside the mean is kept."""
        columns = y.reshape(len(y), -1)
        if loss.targets == "counts" and (columns < 0).any():
            raise ValueError("the poisson loss is for counts: y must be at least 0")
        centred = columns if self.scale is None else self.scale.encode(columns)
        with np.errstate(over="ignore"):
            encoded = centred.astype(dtype)
        check_range(columns, encoded, "y", "give scale_target=True or dtype='float64'")
        return encoded

    def decode(self, scores: NDArray[Any], loss: Loss) -> NDArray[Any]:
        """Return the predictions for scores (n, o), in the target's own scale and precision."""
        predicted = np.asarray(loss.predict(scores))
        if self.scale is not None:
            predicted = self.scale.decode(predicted).astype(self.dtype)
        return predicted[:, 0] if self.flat else predicted

    def decode_deviations(self, deviations: NDArray[Any]) -> NDArray[Any]:
        """Return the deviations of scores (n, o) in the target's own scale and precision."""
        scaled = (deviations if self.scale is None else deviations * self.scale.deviation).astype(self.dtype)
        return np.asarray(scaled[:, 0] if self.flat else scaled)

    def strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """Return None: numbers have no classes."""
        return None

    def score(self, scores: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None, loss: Loss) -> float:
        """Return the R² of the predictions for scores (n, o)."""
        return float(r2_score(y, self.decode(scores, loss), sample_weight=weight))


def precision(target: np.dtype[Any], network: Any) -> np.dtype[Any]:
    """Return the precision that holds a target and what a network says of it: float32 where both do with that.

    >>> precision(np.dtype("int64"), "float32").name, precision(np.dtype("float32"), "float32").name
    ('float64', 'float32')
    """
    return min(np.result_type(target, network), FLOAT64, key=lambda dtype: dtype.itemsize)
