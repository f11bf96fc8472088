"""Engines run training steps. The reference engine executes the definitions; the native one equals it, compiled."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array
from ..mathematics.losses import Loss
from ..mathematics.network import Network
from ..mathematics.objective import Objective
from ..optimizers import Memory, UpdateRule
from ..steps.recipe import DEFAULT_RECIPE, Recipe
from .native import engine as native
from .native.engine import NativeEngine
from .reference import ReferenceEngine, Steps


class Engine(Protocol):
    """What the training loop asks of an engine."""

    name: str
    rule: Any

    def run(
        self,
        theta: NDArray[np.floating],
        state: Memory,
        order: NDArray[np.intp] | None,
        batch_size: int,
        learning_rates: Sequence[float],
        first_step: int = 0,
    ) -> Steps:
        """Make one update per learning rate, in place in θ and its memory."""

    def value(self, theta: NDArray[np.floating]) -> float:
        """Return J(θ) on all rows."""


ENGINES: Mapping[str, type[Engine]] = MappingProxyType({"native": NativeEngine, "reference": ReferenceEngine})


class EngineNotice(UserWarning):
    """The native engine does not know something, so the reference engine runs, several times slower."""


def best() -> str:
    """Return the name of the engine that "auto" takes."""
    return "reference" if native.MISSING else "native"


def report() -> dict[str, Any]:
    """Return what `chainrule info` says: the engine that "auto" takes, its instruction set, threads, processors."""
    return {
        "engine": best(),
        "missing": native.MISSING,
        "instruction_set": "" if native.MISSING else native.instruction_set(),
        "instruction_sets": list(native.instruction_sets()),
        "threads": native.threads(),
        "processors": os.cpu_count(),
    }


def check(engine: str) -> None:
    """Raise ValueError, listing the accepted names, for an engine that is not known or not in this build."""
    if engine not in ("auto", *ENGINES):
        raise ValueError(f"engine {engine!r} is not known; accepted: auto, {', '.join(ENGINES)}")
    if engine == "native" and native.MISSING:
        raise ValueError(f'engine "native" is not in this build: {native.MISSING}; accepted: auto, reference')


def build(
    engine: str,
    objective: Objective,
    rule: UpdateRule | None,
    seed: int,
    n_threads: int | None,
    dtype: Any = None,
    recipe: Recipe = DEFAULT_RECIPE,
) -> Engine:
    """Return the engine for "auto" or a name of ENGINES, ready to run steps on the objective.

    "auto" takes the native engine, and says so with an EngineNotice where the reference engine must run instead.
    Raises ValueError for "native" where the core cannot run this, and for other names.
    """
    check(engine)
    reason = native.obstacle(objective, rule, dtype, recipe)
    if engine == "reference" or (engine == "auto" and reason):
        if engine == "auto" and not native.MISSING:
            warnings.warn(f"the reference engine runs, since {reason}", EngineNotice, stacklevel=4)
        return ReferenceEngine(objective, rule, seed, recipe)
    if reason:
        raise ValueError(f"the native engine cannot run this: {reason}")
    return NativeEngine(objective, rule, seed, n_threads, recipe)


def natively(engine: str, objective: Objective, rule: Any, recipe: Recipe) -> bool:
    """Return whether `build` takes the native engine; a full-batch minimiser asks the definitions."""
    if engine == "reference" or not isinstance(rule, UpdateRule):
        return False
    return not native.obstacle(objective, rule, recipe=recipe)


def evaluator(
    engine: str, objective: Objective, n_threads: int | None, dtype: Any = None
) -> Callable[[NDArray[np.floating]], float]:
    """Return θ -> J(θ) on all rows of an objective, run natively where that can be."""
    if engine == "reference" or native.obstacle(objective, None, dtype):
        return ReferenceEngine(objective, None).value
    return NativeEngine(objective, None, n_threads=n_threads).value


def predict(
    engine: str, network: Network, theta: Array, X: Array, loss: Loss | None = None, n_threads: int | None = None
) -> NDArray[np.floating]:
    """Return the raw scores (n, outputs) of a network, or with a loss what they stand for."""
    check(engine)
    link = native.LINKS.get(type(loss))
    if engine != "reference" and link and (plan := native.plan_for(network, theta, X)):
        return np.asarray(native.predict(plan, network, theta, X, link, n_threads))
    scores = network.forward(theta, X)
    return np.asarray(scores if loss is None else loss.predict(scores))


def compiled(
    engine: str, network: Network, theta: NDArray[np.floating], n_threads: int | None = None
) -> Callable[[NDArray[np.floating], Loss | None], NDArray[np.floating]]:
    """Return (X, loss) -> what `predict` would return, for θ that does not change any more."""
    check(engine)
    if engine != "reference" and native.knows(network, theta):
        return native.compiled(network, theta, n_threads)
    return lambda X, loss: predict("reference", network, theta, X, loss)
