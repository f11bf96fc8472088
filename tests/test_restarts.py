"""Starts side by side, each on a thread of its own: the same as one after the other, and over when they are told so."""

from __future__ import annotations

import os
import signal
from threading import Timer
from typing import Any

import numpy as np
import pytest

from chainrule import MLPClassifier, fitting
from chainrule.engines import native
from chainrule.restarts import best_side_by_side

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


@native_only
@quiet
@pytest.mark.parametrize("name", STARTED)
def test_starts_side_by_side_are_the_same_as_one_after_the_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, at_once = [], []
    together = fitting.best_side_by_side
    monkeypatch.setattr(fitting, "best_side_by_side", lambda *given: at_once.append(given[1:3]) or together(*given))
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


@native_only
def test_ctrl_c_stops_starts_side_by_side() -> None:
    model = MLPClassifier((200, 200), **ENDLESS, max_iter=10**6, n_restarts=2, n_threads=2)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            model.fit(X, LABELS)
    finally:
        signal.signal(signal.SIGINT, before)
    assert model.stop_reason_ == "interrupted"
    assert model.n_iter_ >= 1


def test_a_start_that_fails_stops_the_others() -> None:
    seen = []

    def start(restart: int, before: Any, anew: bool, stop: Any) -> Any:
        if restart == 1:
            raise OverflowError("start 1")
        seen.append(stop.wait(60))

    with pytest.raises(OverflowError, match="start 1"):
        best_side_by_side(start, 2, 2, False)
    assert seen == [True]
