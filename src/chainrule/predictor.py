"""A fitted estimator compiled for prediction: weights packed once, next to nothing done per call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .losses import Loss
from .network import Network

Finish = Callable[[NDArray[Any]], NDArray[Any]]


def as_they_are(outputs: NDArray[Any]) -> NDArray[Any]:
    """Return the network's outputs."""
    return outputs


class Predictor:
    """Predicts with weights that no longer change; made by `estimator.compile()`.

    X (n, i) are rows as the network takes them: numbers, finite, in the columns of the matrix that the estimator was
    fitted to. An array of the network's dtype in C order is taken as it is, without being looked at; anything else
    is converted first. One row costs a few microseconds. A predictor may be called from several threads.

    >>> from sklearn.datasets import load_iris
    >>> from chainrule import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((10,), solver="lbfgs", random_state=0, max_iter=1000).fit(X, y)
    >>> predictor = model.compile()
    >>> bool((predictor.predict(X) == model.predict(X)).all()), predictor(X[:1]).shape
    (True, (1, 3))
    """

    def __init__(
        self,
        run: Callable[[NDArray[Any], Loss | None], NDArray[Any]],
        network: Network,
        dtype: np.dtype[Any],
        input_scale: float,
        loss: Loss | None,
        finish: Finish,
        decide: Finish,
    ) -> None:
        """Take what runs the network, and what is made of its outputs.

        `finish` has what the loss makes of the scores (the scores, where it is None), `decide` the scores.
        """
        self._run, self._loss, self._finish, self._decide = run, loss, finish, decide
        self._dtype, self._input_scale, self._inputs = dtype, input_scale, network.inputs
        self._as_it_is = input_scale == 1

    def __call__(self, X: Any) -> NDArray[Any]:
        """Return the probabilities (n, classes) of a classifier, the predictions of a regressor.

        Raises ValueError where X does not have the columns that the network takes.
        """
        return self._finish(self._run(self._rows(X), self._loss))

    predict_proba = __call__

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predicted labels, or numbers."""
        return self._decide(self._run(self._rows(X), None))

    def _rows(self, X: Any) -> NDArray[Any]:
        plain = self._as_it_is and type(X) is np.ndarray and X.dtype == self._dtype and X.ndim == 2
        if plain and X.shape[1] == self._inputs:
            return np.asarray(X)
        X = np.multiply(np.atleast_2d(np.asarray(X, self._dtype)), self._input_scale, dtype=self._dtype)
        if X.ndim != 2 or X.shape[1] != self._inputs:
            raise ValueError(f"X must have shape (rows, {self._inputs}), got {X.shape}")
        return np.asarray(X)
