"""The end of a fit: its events read out, an interruption and a divergence met, and what the user is told."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from ...foundation.callers import callers_level
from ...inspection.doctor import TrainingAdvice, advise
from ...loop.progress import DivergenceError, Progress, Result, TrainingState
from ...mathematics.objective import Objective
from ...steps.recipe import Recipe

LARGE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)


def drain(events: Generator[Progress, None, Result], state: TrainingState, keeps_best: bool) -> Result:
    """Read the events to the end. A divergence ends the fit, the last good (or best) weights kept."""
    stopped = False
    while True:
        try:
            events.throw(KeyboardInterrupt) if stopped else next(events)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # a generator's return value is untyped
        except KeyboardInterrupt:
            if stopped:
                return Result(state.theta, "interrupted", [], state)
            stopped = True
        except DivergenceError as error:
            best = state.best_theta if keeps_best else None
            return Result(error.theta if best is None else best, "diverged", error.history, state, str(error))


def warn(result: Result, rule: Any, max_iter: int) -> None:
    """Warn of a training that was interrupted, diverged, or ended before it had converged."""
    level = callers_level()
    if result.reason == "interrupted":
        warnings.warn("Training interrupted by user.", stacklevel=level)
    elif result.reason == "diverged":
        warnings.warn(f"{result.message}; the best weights are kept", ConvergenceWarning, stacklevel=level)
    elif result.reason in ("epochs", "gave up"):
        name = type(rule).__name__ if rule.whole_batch else "Stochastic Optimizer"  # scikit-learn's words
        why = result.message or f"Maximum iterations ({max_iter}) reached"
        warnings.warn(f"{name}: {why} and the optimization hasn't converged yet.", ConvergenceWarning, stacklevel=level)


def advice(objective: Objective, result: Result, rule: Any, recipe: Recipe) -> None:
    """Warn with a cause and a remedy for each sign that a training did not learn."""
    if result.reason in ("diverged", "interrupted"):
        return
    stopped = result.reason in ("no change", "converged")
    for found in advise(objective, result.theta, result.history, rule, recipe, stopped):
        warnings.warn(str(found), TrainingAdvice, stacklevel=callers_level())


def print_iteration(event: Progress) -> None:
    """Print an epoch, as scikit-learn does."""
    score = "" if event.validation_score is None else f", validation score = {event.validation_score:.6f}"
    print(f"Iteration {event.epoch}, loss = {event.loss:.8f}{score}")
