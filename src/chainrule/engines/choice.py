"""The choice of an engine: one function chooses, by what each engine says that it cannot do."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array
from ..mathematics.losses import Loss
from ..mathematics.network import Network
from ..mathematics.objective import Objective
from ..optimizers import Memory, Optimizer, Verbs
from ..steps.recipe import DEFAULT_RECIPE, Recipe
from .job import Job
from .native import core, predicting
from .native.engine import NativeEngine
from .native.obstacles import known_link
from .reference import ReferenceEngine
from .stepping import Steps


class Engine(Verbs, Protocol):
    """The contract of an engine: its verbs on all rows of an objective, and `run` for the training loop."""

    name: ClassVar[str]
    verbs: ClassVar[frozenset[str]]
    """The verbs that it has: "forward", "value", "gradient" (value_and_gradient) and so on."""
    optimizer: Any

    @classmethod
    def obstacle(cls, job: Job) -> str | None:
        """Return why it cannot do a job, or None."""

    def run(
        self,
        theta: NDArray[np.floating],
        memory: Memory,
        order: NDArray[np.intp] | None,
        batch_size: int,
        learning_rates: Sequence[float],
        first_step: int = 0,
        average: NDArray[np.floating] | None = None,
    ) -> Steps:
        """Take one step per learning rate, in place in θ, the memory and the moving average."""


ENGINES: Mapping[str, type[Engine]] = MappingProxyType({"native": NativeEngine, "reference": ReferenceEngine})
"""The table, in order of preference: "auto" takes the first that can do a job."""


class EngineNotice(UserWarning):
    """The native engine does not know something, so the reference engine runs, several times slower."""


def best() -> str:
    """Return the name of the engine that "auto" takes."""
    return "reference" if core.MISSING else "native"


def report() -> dict[str, Any]:
    """Return the facts of `chainrule info`: the engine that "auto" takes, its instruction set, threads, processors."""
    return {
        "engine": best(),
        "missing": core.MISSING,
        "instruction_set": "" if core.MISSING else core.instruction_set(),
        "instruction_sets": list(core.instruction_sets()),
        "threads": core.threads(),
        "processors": os.cpu_count(),
    }


def check(engine: str) -> None:
    """Raise ValueError, listing the accepted names, for an engine that is not known or not in this build."""
    if engine not in ("auto", *ENGINES):
        raise ValueError(f"engine {engine!r} is not known; accepted: auto, {', '.join(ENGINES)}")
    if engine == "native" and core.MISSING:
        raise ValueError(f'engine "native" is not in this build: {core.MISSING}; accepted: auto, reference')


def choose(engine: str, job: Job) -> tuple[str, str | None]:
    """Return the name of the engine that does a job, and what keeps the one that "auto" prefers from it.

    Raises ValueError for names that are not known, and for an engine asked for by name that cannot do the job.
    """
    check(engine)
    obstacles = {name: ENGINES[name].obstacle(job) for name in (ENGINES if engine == "auto" else [engine])}
    chosen = next((name for name, obstacle in obstacles.items() if obstacle is None), None)
    if chosen is None:
        raise ValueError(f"the {engine} engine cannot run this: {obstacles[engine]}")
    return chosen, next(iter(obstacles.values()))


def build(
    engine: str,
    objective: Objective,
    optimizer: Optimizer | None,
    seed: int = 0,
    n_threads: int | None = None,
    dtype: Any = None,
    recipe: Recipe = DEFAULT_RECIPE,
    decay: float | None = None,
) -> Engine:
    """Return the engine for "auto" or a name of ENGINES, ready to run steps on the objective.

    "auto" says with an EngineNotice where an update rule must run in the reference engine. Raises ValueError as
    `choose` does.
    """
    chosen, reason = choose(engine, Job(objective, dtype, optimizer, recipe))
    if reason and not core.MISSING and optimizer is not None and optimizer.elementwise:
        warnings.warn(f"the reference engine runs, since {reason}", EngineNotice, stacklevel=4)
    if chosen == "native":
        return NativeEngine(objective, optimizer, seed, n_threads, recipe, decay)
    return ReferenceEngine(objective, optimizer, seed, recipe, decay)


def natively(engine: str, objective: Objective, optimizer: Optimizer, recipe: Recipe) -> bool:
    """Return True where `build` takes the native engine."""
    return choose(engine, Job(objective, None, optimizer, recipe))[0] == "native"


def evaluator(
    engine: str, objective: Objective, n_threads: int | None, dtype: Any = None
) -> Callable[[NDArray[np.floating]], float]:
    """Return θ -> J(θ) on all rows of an objective; an engine that cannot do it leaves it to the definitions."""
    preferred = "auto" if engine == "native" else engine
    return build(preferred, objective, None, n_threads=n_threads, dtype=dtype).value


def predict(
    engine: str, network: Network, theta: Array, X: Array, loss: Loss | None = None, n_threads: int | None = None
) -> NDArray[np.floating]:
    """Return the raw scores (n, outputs) of a network, or with a loss what they stand for."""
    # Not by `choose`: for one row that would take as long again as the prediction itself. `plan_for` asks for the
    # same obstacles, once per network and dtype.
    check(engine)
    link = known_link(loss)
    if engine != "reference" and link and (plan := predicting.plan_for(network, theta, X)):
        return np.asarray(predicting.predict(plan, network, theta, X, link, n_threads))
    scores = network.forward(theta, X)
    return np.asarray(scores if loss is None else loss.predict(scores))


def compiled(
    engine: str, network: Network, theta: NDArray[np.floating], n_threads: int | None = None
) -> Callable[[NDArray[np.floating], Loss | None], NDArray[np.floating]]:
    """Return (X, loss) -> what `predict` would return, for θ that does not change any more."""
    check(engine)
    preferred = "auto" if engine == "native" else engine
    if choose(preferred, Job(None, theta.dtype, network=network))[0] == "native":
        return predicting.compiled(network, theta, n_threads)
    return lambda X, loss: predict("reference", network, theta, X, loss)
