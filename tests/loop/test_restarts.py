"""Starts side by side, each on a thread of its own: the same as one after the other, and over when they are told so."""

from __future__ import annotations

import subprocess
import sys
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from chainrule import Dense, MLPClassifier, Network, Objective, Progress, Result, TrainingState
from chainrule.engines.native import core as native
from chainrule.estimators.fitting import starting
from chainrule.loop import restarts
from chainrule.loop.checkpoint import EarlierStarts, SavedTraining
from chainrule.loop.restarts import best_of, best_side_by_side, too_short
from chainrule.losses import SquaredError

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
    monkeypatch.setattr(restarts, "SHORTEST", 0)
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

restarts.SHORTEST = 0
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
@pytest.mark.slow
def test_ctrl_c_stops_starts_side_by_side() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "interrupted True Training interrupted by user.\n"


def test_a_start_that_fails_stops_the_others() -> None:
    seen = []

    def start(restart: int, before: Any, anew: bool, stop: Any) -> Any:
        if restart == 1:
            raise OverflowError("start 1")
        seen.append(stop.wait(20))

    with pytest.raises(OverflowError, match="start 1"):
        best_side_by_side(start, 2, 2, False)
    assert seen == [True]


# ------------------------------------------------------------------------------------------------- which is the best


def ended(loss: float, reason: Any = "epochs", score: Any = None, best: Any = None, seconds: float = 1.0) -> Result:
    """Return the Result of a training of one epoch."""
    event = Progress(1, 1, loss, None, score, 0.1, 0.0, seconds, np.zeros(1))
    return Result(np.zeros(1), reason, [event], TrainingState(np.zeros(1), best=best))


EMPTY = Result(np.zeros(1), "interrupted", [], TrainingState(np.zeros(1)))

RANKED: dict[str, tuple[bool, list[Result], int]] = {
    "lowest loss": (False, [ended(3.0), ended(1.0), ended(2.0)], 1),
    "highest score": (False, [ended(3.0, score=0.1), ended(1.0, score=0.5), ended(2.0, score=0.9)], 2),
    "best of what was watched": (True, [ended(1.0, best=-5.0), ended(2.0, best=-4.0), ended(3.0)], 1),
    "none watched": (True, [ended(1.0), ended(2.0)], 0),
    "diverged": (False, [ended(1.0, "diverged"), ended(9.0)], 1),
    "diverged with a score": (False, [ended(1.0, "diverged", score=9.0), ended(9.0, score=-1.0)], 1),
    "equal": (False, [ended(1.0), ended(1.0)], 0),
}


@pytest.mark.parametrize("name", RANKED)
def test_the_best_start_is_kept(name: str) -> None:
    keeps_best, results, best = RANKED[name]
    found = best_of(lambda restart, earlier, anew: results[restart], len(results), None, keeps_best)
    assert found is results[best]
    found = best_side_by_side(lambda restart, *_: results[restart], len(results), 2, keeps_best)
    assert found is results[best]


def test_each_start_is_told_of_those_before_it() -> None:
    results, told = [ended(3.0, seconds=2.0), ended(1.0, seconds=4.0), ended(2.0)], []

    def start(restart: int, earlier: EarlierStarts, anew: bool) -> Result:
        told.append((restart, earlier.best, earlier.seconds, anew))
        return results[restart]

    assert best_of(start, 3, None, False) is results[1]
    assert told == [(0, None, 0.0, False), (1, results[0], 2.0, True), (2, results[1], 6.0, True)]


@pytest.mark.parametrize(("at", "first"), [(0, 0), (1, 1), (2, 2), (5, 2)])
def test_a_checkpoint_goes_on_with_the_start_that_was_running(at: int, first: int) -> None:
    before = ended(0.5)
    state = TrainingState(np.zeros(1), restart=at)
    saved = SavedTraining(state, [], None, 0.0, earlier=EarlierStarts(before, 7.0))
    told = []

    def start(restart: int, earlier: EarlierStarts, anew: bool) -> Result:
        told.append((restart, earlier.seconds, anew))
        return ended(1.0)

    assert best_of(start, 3, saved, False) is before
    assert told == [(k, 7.0 + k - first, k > first) for k in range(first, 3)]


@pytest.mark.parametrize("reason", ["interrupted", "time"])
def test_no_further_start_after_one_that_was_stopped(reason: str) -> None:
    results = [ended(2.0), ended(3.0, reason), ended(1.0)]
    assert best_of(lambda restart, *_: results[restart], 3, None, False) is results[0]
    assert best_of(lambda *_: EMPTY, 3, None, False) is EMPTY


def test_epochs_are_short_by_their_multiplications() -> None:
    network = Network(1, [Dense(1)])  # two parameters
    for rows, answer in ((2**20 - 1, True), (2**20, False)):
        X = np.zeros((rows, 1), "float32")
        assert too_short(Objective(network, SquaredError(), X, X[:, 0])) is answer


def test_every_start_side_by_side_is_a_new_one_that_can_be_stopped() -> None:
    told = []

    def start(restart: int, earlier: EarlierStarts, anew: bool, stop: Any) -> Result:
        told.append((restart, earlier, anew, stop.is_set()))
        return ended(float(restart))

    assert best_side_by_side(start, 3, 1, False).history[-1].loss == 0.0
    assert told == [(k, EarlierStarts(), True, False) for k in range(3)]


@pytest.mark.parametrize(("threads", "count", "at_once"), [(2, 5, 2), (5, 2, 2)])
def test_no_more_starts_at_once_than_threads(threads: int, count: int, at_once: int) -> None:
    gate = Barrier(at_once)

    def start(restart: int, earlier: Any, anew: bool, stop: Any) -> Result:
        if restart < at_once:
            gate.wait(60)
        return ended(float(restart), "time" if restart == 0 else "epochs")

    assert best_side_by_side(start, count, threads, False).reason == "time"


def test_ctrl_c_stops_the_starts_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def start(restart: int, earlier: Any, anew: bool, stop: Any) -> Result:
        return ended(float(restart) if stop.wait(20) else -1.0)

    def interrupted(futures: Any, timeout: float, until: str) -> Any:
        asked.append((len(futures), timeout, until))
        raise KeyboardInterrupt

    monkeypatch.setattr(restarts, "wait", interrupted)
    result = best_side_by_side(start, 4, 1, False)
    assert (result.reason, result.history[-1].loss) == ("interrupted", 0.0)
    assert asked == [(4, restarts.PATIENCE, "FIRST_EXCEPTION")]
