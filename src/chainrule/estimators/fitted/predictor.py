"""A fitted estimator compiled for prediction: weights packed once, next to nothing done per call."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...mathematics.losses import Loss

Run = Callable[[NDArray[Any], Loss | None], NDArray[Any]]
Finish = Callable[[NDArray[Any]], NDArray[Any]]


def as_they_are(outputs: NDArray[Any]) -> NDArray[Any]:
    """Return the network's outputs."""
    return outputs


class Predictor:
    """Predicts with weights that no longer change; made by `estimator.compile()`.

    An array (n, i) of the network's dtype, where the estimator neither encodes nor rescales its columns, is taken as
    it is after one look at its sum of squares: one row costs a few microseconds. All other rows, and those that are
    not finite, go through the estimator's own checks and steps. A predictor may be called from several threads, and
    pickled.

    >>> from sklearn.datasets import load_iris
    >>> from chainrule import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((10,), solver="lbfgs", random_state=0, max_iter=1000).fit(X, y)
    >>> predictor = model.compile()
    >>> bool((predictor.predict(X) == model.predict(X)).all()), predictor(X[:1]).shape
    (True, (1, 3))
    """

    def __init__(
        self, run: Run, model: Any, check: Callable[[Any], Any], loss: Loss | None, finish: Finish, decide: Finish
    ) -> None:
        """Take the network's runner, the fitted model, its check of rows, and two functions of the network's outputs.

        `finish` gets the scores after the loss's link (or raw, where the loss is None), `decide` the raw scores.
        """
        self._run, self._model, self._check = run, model, check
        self._loss, self._finish, self._decide = loss, finish, decide
        self._dtype, self._inputs = model.theta_.dtype, model.network_.inputs
        self._as_it_is = model.encoder_ is None and model.input_scale_ == 1

    def __call__(self, X: Any) -> NDArray[Any]:
        """Return the probabilities (n, classes) of a classifier, its decision function where its loss has none, or
        the predictions of a regressor.

        Raises ValueError for rows that the estimator refuses.
        """
        return self._finish(self._run(self._rows(X), self._loss))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predicted labels, or numbers; ValueError for rows that the estimator refuses."""
        return self._decide(self._run(self._rows(X), None))

    def __reduce__(self) -> Any:
        return type(self._model).compile, (self._model,)

    def _rows(self, X: Any) -> NDArray[Any]:
        plain = self._as_it_is and type(X) is np.ndarray and X.dtype == self._dtype and X.ndim == 2
        if plain and X.shape[1] == self._inputs and isfinite(np.vdot(X, X)):  # some activations hide NaN
            return np.asarray(X)
        return self._check(X)  # type: ignore[no-any-return]  # an array, or a sparse one
