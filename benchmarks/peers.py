"""Each peer trains a workload with Adam for a fixed number of epochs and says how long its whole `fit` took."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import sklearn.neural_network
from sklearn.exceptions import ConvergenceWarning
from workloads import Workload

import chainrule


def _fit_seconds(package: Any, workload: Workload) -> Callable[[], float]:
    """Return a function that fits once and gives the seconds; both packages share names and meanings."""
    kind = package.MLPRegressor if workload.regression else package.MLPClassifier
    X, y = workload.data()
    model = kind(
        hidden_layer_sizes=workload.widths[1:-1],
        batch_size=workload.batch,
        max_iter=workload.epochs,
        n_iter_no_change=workload.epochs + 1,
        tol=0.0,
        random_state=0,
    )

    def fit() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            started = perf_counter()
            model.fit(X, y)
            return perf_counter() - started

    return fit


PEERS: dict[str, Callable[[Workload], Callable[[], float]]] = {
    "chainrule": lambda workload: _fit_seconds(chainrule, workload),
    "scikit-learn": lambda workload: _fit_seconds(sklearn.neural_network, workload),
}
