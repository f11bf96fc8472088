"""The starts of a fit: what they share, the state each begins from, and how they are run to the best result."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ... import engines
from ...loop.checkpoint import EarlierStarts, SavedTraining
from ...loop.progress import Result, TrainingState
from ...loop.restarts import best_of, best_side_by_side, too_short
from ...loop.training import training
from ...mathematics.network import Network
from ...mathematics.objective import Objective
from ...mathematics.starts import STARTS, measure
from ...steps.recipe import Recipe
from ..fitted import uncertainty
from ..fitted.model import Fitted
from ..fitted.uncertainty import Uncertainty
from ..settings import optimizer, running, step
from .callbacks import Tasks
from .endings import drain, print_iteration
from .held_out import Rows, scorer

ORDERS: Mapping[Any, Literal["reshuffle", "once", "given"]] = {True: "reshuffle", False: "given", "once": "once"}


class Way(NamedTuple):
    """The way of a fit: `fresh` begins with new weights, not with the last; `incremental` ends after a single pass."""

    fresh: bool
    incremental: bool


@dataclass(frozen=True)
class Job:
    """The common ground of the starts of one fit.

    `last` is the state to go on from, None for a fresh fit; `measured` is what the transform of the inputs found.
    """

    model: Fitted
    settings: Mapping[str, Any]
    way: Way
    seed: int
    objective: Objective
    held: Rows | None
    judge: Objective | None
    rule: Any
    recipe: Recipe
    batch_size: int
    tasks: Tasks
    saved: SavedTraining | None
    last: TrainingState | None
    measured: Mapping[str, NDArray[Any]]

    @property
    def keeps_best(self) -> bool:
        """True where the weights of the best epoch are the result."""
        return running.keeps_best(self.settings)


def run_job(job: Job) -> Result:
    """Run the starts of a job, side by side or one after the other, and return the best Result."""
    start, starts = partial(run_start, job), job.tasks.starts
    threads = 1 if starts < 2 else _starts_at_a_time(job)
    if threads > 1:
        return best_side_by_side(start, starts, threads, job.keeps_best)
    return best_of(start, starts, job.saved, job.keeps_best)


def run_start(job: Job, restart: int, earlier: EarlierStarts, anew: bool, stop: Event | None = None) -> Result:
    """Run the training loop once; the time limit counts the seconds of the starts before; see restarts.Start."""
    values, rule, limit = job.settings, job.rule, job.settings["time_limit"]
    state = _starting_state(job, restart)
    job.tasks.begin()
    events = training(
        job.objective,
        state.theta,
        optimizer=rule,
        schedule=optimizer.schedule(values, rule),
        epochs=1 if job.way.incremental else values["max_iter"],
        batch_size=job.batch_size,
        order=ORDERS[values["shuffle"]],
        seed=job.seed,
        engine=values["engine"],
        n_threads=values["n_threads"] if stop is None else 1,
        on_steps=None if stop is None else lambda rates, losses: stop.is_set(),
        validation=job.judge,
        score=None if job.held is None else scorer(job.model, job.held),
        stopping=None if job.way.incremental else running.stopping(values, rule),
        averaging=step.averaging(values),
        recipe=job.recipe,
        time_limit=None if limit is None else max(0.0, limit - earlier.seconds),
        callbacks=(*([print_iteration] if values["verbose"] else []), *(values["callbacks"] or ()), *job.tasks.readers),
        state=state,
        checkpoint=running.checkpoint(values, earlier, anew, job.saved),
    )
    result = drain(events, state, job.keeps_best)
    job.tasks.end()
    return result


def _starts_at_a_time(job: Job) -> int:
    """Return the number of starts to run side by side: one per thread where it is faster and calls no user's code."""
    values = job.settings
    own = (values["initializer"], values["bias_initializer"], values["learning_rate"])
    watched = values["verbose"] or values["callbacks"] or job.tasks.readers or values["scoring"] is not None
    limited = values["checkpoint"] is not None or values["time_limit"] is not None
    if watched or limited or any(map(callable, own)) or too_short(job.objective):
        return 1
    native = engines.natively(values["engine"], job.objective, job.rule, job.recipe)
    return engines.threads(values["n_threads"]) if native else 1


def _starting_state(job: Job, restart: int) -> TrainingState:
    """Return a new state, or the last one: partial_fit keeps the optimiser's memory, a warm start does not."""
    network, X, last = job.model.network_, job.objective.X, job.last
    if last is None:
        theta = first_weights(network, X, job.settings, job.seed, restart, job.measured)
        return TrainingState(theta, restart=restart)
    if not last.theta.flags.writeable:  # mapped from a file, in a worker process
        last = deepcopy(last)
    return last if job.way.incremental else TrainingState(last.theta, None, last.epoch, last.step, last.rows)


def first_weights(
    network: Network,
    X: Any,
    settings: Mapping[str, Any],
    seed: int,
    restart: int = 0,
    measured: Mapping[str, NDArray[Any]] | None = None,
) -> NDArray[Any]:
    """Return the weights θ (P,) that a training starts from; transforms of the inputs are measured on X, once."""
    theta = network.initialize(seed, X.dtype.name, restart)
    network.write_statistics(theta, measured_by_transforms(network, X) if measured is None else measured)
    return STARTS[settings["start"]](network, theta, X)


def measured_by_transforms(network: Network, X: Any) -> dict[str, NDArray[Any]]:
    """Return the figures that the transforms of the inputs measure: the weights, which come later, play no part."""
    return measure(network, np.zeros(network.size, X.dtype), X)


def uncertainty_of(job: Job, best: Result) -> Uncertainty | None:
    """Return the uncertainty of a result, where the solver asks for the Gauss-Newton matrix; else None."""
    memory, values = best.state.memory, job.settings
    if "gauss_newton" not in job.rule.needs or memory is None:
        return None
    engine = engines.build(values["engine"], job.objective, job.rule, n_threads=values["n_threads"])
    parabola = engine.gauss_newton(best.theta)
    found: Uncertainty | None = uncertainty.of(job.objective, parabola, best.theta, job.rule, memory)
    return found
