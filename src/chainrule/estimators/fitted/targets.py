"""Targets: what users call y, turned into what a loss takes, and scores turned back into predictions.

Shapes: n rows, o outputs. A classifier with two classes has one output, with K > 2 classes K outputs, with K labels
(multilabel) K outputs; a regressor one output per target column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target

from ...foundation.scaling import mean_and_deviation, without_noise
from ...mathematics.losses import Loss, softmax
from ..settings.network import Task


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
            columns = (y.toarray() if hasattr(y, "toarray") else np.asarray(y)).astype(dtype)
        else:
            numbers = self.numbers(y)
            if loss.targets == "classes":
                return numbers
            columns = numbers[:, None] == (np.arange(len(self.labels)) if self.outputs > 1 else [1])
        return (2 * columns.astype(dtype) - 1) if loss.targets == "signs" else columns.astype(dtype)

    def numbers(self, y: NDArray[Any]) -> NDArray[np.intp]:
        """Return the position of each label of y (n,) among the classes."""
        positions = np.searchsorted(self.labels, y).clip(0, len(self.labels) - 1)
        unknown = self.labels[positions] != y
        if np.any(unknown):
            strangers = ", ".join(map(repr, np.unique(np.asarray(y)[unknown])[:5].tolist()))
            raise ValueError(f"y holds labels that are not among the classes: {strangers}")
        return np.asarray(positions, np.intp)

    def decode(self, scores: NDArray[Any], loss: Loss) -> NDArray[Any]:
        """Return the predicted labels for scores (n, o): the largest, or those above the threshold."""
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
        """Return whether what the loss makes of scores is the probabilities as they are."""
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


@dataclass(frozen=True)
class Scale:
    """The mean and deviation of each target column, (o,), with which a regression is trained."""

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
