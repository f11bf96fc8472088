"""Starts side by side, each on a thread of its own: the same as one after the other, and over when they are told so."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from chainrule import MLPClassifier
from chainrule.engines.native import core as native
from chainrule.estimators.fitting import starting
from chainrule.loop import restarts
from chainrule.loop.restarts import best_side_by_side

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
LABELS = np.where(X @ [1.0, -0.5, 0.5, 0.0] + 0.7 * RNG.normal(size=120) > 0, "yes", "no")
ENDLESS: dict[str, Any] = {"random_state": 0, "tol": 0, "n_iter_no_change": np.inf}
BRIEF: dict[str, Any] = {**ENDLESS, "hidden_layer_sizes": (8,), "batch_size": 20, "max_iter": 12}

native_only = pytest.mark.skipif(bool(native.MISSING), reason=f"no native engine: {native.MISSING}")
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

STARTED: dict[str, dict[str, Any]] = {
    "plain": {},
    "early stopping": {"early_stopping": True, "max_iter": 60},
    "average": {"averaging": "ema", "dropout": 0.2},
    "diverging": {"learning_rate_init": 1e30, "solver": "sgd"},
}


@pytest.mark.native
@native_only
@quiet
@pytest.mark.parametrize("name", STARTED)
def test_starts_side_by_side_are_the_same_as_one_after_the_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, at_once = [], []
    together = starting.best_side_by_side
    monkeypatch.setattr(restarts, "SHORT", 0)
    monkeypatch.setattr(starting, "best_side_by_side", lambda *given: at_once.append(given[1:3]) or together(*given))
    for n_threads in (1, 3):
        model = MLPClassifier(**{**BRIEF, **STARTED[name]}, n_restarts=5, n_threads=n_threads)
        try:
            model.fit(X, LABELS)
        except ValueError as error:
            found.append(str(error))
            continue
        found.append((model.theta_.tobytes(), model.loss_curve_, model.validation_scores_, model.n_iter_))
    assert found[0] == found[1]
    assert at_once == [(5, 3)]


INTERRUPTED = """
import os, signal, threading, warnings
import numpy as np
import polars  # beside it an endless wait is deaf to signals
from chainrule import MLPClassifier
from chainrule.loop import restarts

restarts.SHORT = 0
signal.signal(signal.SIGINT, signal.default_int_handler)
X = np.random.default_rng(0).normal(size=(120, 4))
endless = {"max_iter": 10**6, "tol": 0, "n_iter_no_change": float("inf")}
model = MLPClassifier((50,), **endless, n_restarts=5, n_threads=2, random_state=0)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model.fit(X, X[:, 0] > 0)
print(model.stop_reason_, 1 <= model.n_iter_ < 10**6, *{str(warning.message) for warning in caught})
"""


@pytest.mark.process
@pytest.mark.native
@native_only
def test_ctrl_c_stops_starts_side_by_side() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "interrupted True Training interrupted by user.\n"


def test_a_start_that_fails_stops_the_others() -> None:
    seen = []

    def start(restart: int, before: Any, anew: bool, stop: Any) -> Any:
        if restart == 1:
            raise OverflowError("start 1")
        seen.append(stop.wait(60))

    with pytest.raises(OverflowError, match="start 1"):
        best_side_by_side(start, 2, 2, False)
    assert seen == [True]
