"""The native engine: lowers a network, a loss and an update rule to the compiled core, which equals the definitions.

The core knows the networks that `lowering` lowers, every activation and loss of the tables, L1 and L2, and every
first-order rule. `obstacle` says what stands in the way of anything else; the reference engine
then runs instead. The same seed, data and settings give the same bits for any number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import astuple
from functools import cache
from importlib.util import find_spec
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..augmentation import AUGMENTATIONS
from ..losses import (
    LOSSES,
    CrossEntropy,
    Huber,
    Logistic,
    Loss,
    Poisson,
    Quantile,
    SigmoidCrossEntropy,
    SquaredError,
)
from ..mixup import mixup_share
from ..network import Network
from ..objective import Objective
from ..optimizers import OPTIMIZERS, Memory, UpdateRule
from ..penalties import KINDS, L1, L2, ElasticNet
from ..recipe import PLAIN, Recipe
from .lowering import lower
from .reference import Steps

try:
    from .. import _core
except ImportError as error:
    _core = None  # type: ignore[assignment]
    built = find_spec("chainrule._core") is not None
    MISSING = f"the compiled core does not load ({error})" if built else "this installation has no compiled core"
else:
    MISSING = ""

LINKS: dict[type, str] = dict.fromkeys((type(None), *LOSSES.values()), "identity") | {
    CrossEntropy: "softmax",
    SigmoidCrossEntropy: "sigmoid",
    Logistic: "sigmoid",
    Poisson: "exp",
}
"""What turns a loss's scores into predictions, for each loss the core knows and for none."""

LOSS_SETTINGS: dict[type, Callable[[Any, int], float]] = {
    SquaredError: SquaredError.factor,
    Huber: lambda loss, _: loss.delta,
    Quantile: lambda loss, _: loss.q,
    CrossEntropy: lambda loss, _: loss.label_smoothing,
    SigmoidCrossEntropy: lambda loss, _: loss.label_smoothing,
}
"""The one number that a loss hands to the core, from the loss and its number of outputs; 0 for the others."""

NO_PENALTY = [0.0] * 6


@cache
def instruction_sets() -> tuple[str, ...]:
    """Return the instruction sets that this processor and build share, fastest first."""
    return () if _core is None else tuple(_core.instruction_sets())


def instruction_set() -> str:
    """Return the instruction set in use: CHAINRULE_INSTRUCTIONS, or the fastest there is.

    Raises ValueError, listing the accepted names, where the variable names another.
    """
    chosen = os.environ.get("CHAINRULE_INSTRUCTIONS") or instruction_sets()[0]
    if chosen not in instruction_sets():
        raise ValueError(f"CHAINRULE_INSTRUCTIONS is {chosen!r}; this machine has: {', '.join(instruction_sets())}")
    return chosen


def threads(wanted: int | None = None) -> int:
    """Return how many threads to use: `wanted`, else CHAINRULE_NUM_THREADS, else the processors there are for us.

    Those are what the process's affinity and its container's limit leave it, and no more than OMP_NUM_THREADS, which
    joblib sets in its workers so that they do not crowd each other out. Raises ValueError for less than 1.
    """
    given = os.environ.get("CHAINRULE_NUM_THREADS") if wanted is None else wanted
    if given in (None, ""):
        return _processors(os.environ.get("OMP_NUM_THREADS", ""))
    if not str(given).isdecimal() or int(given) < 1:
        name = "CHAINRULE_NUM_THREADS" if wanted is None else "n_threads"
        raise ValueError(f"{name} must be a whole number of at least 1, got {given!r}")
    return min(int(given), 256)


@cache
def _processors(limit: str) -> int:
    from joblib import cpu_count

    return max(1, min(int(cpu_count()), int(limit) if limit.isdecimal() and int(limit) else 256))


def _lowered(network: Network) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a network that the core knows, as it takes it."""
    lowered = lower(network)
    assert not isinstance(lowered, str), lowered
    return lowered.input._asdict(), [layer._asdict() for layer in lowered.layers]


def _loss_name(loss: Loss) -> str | None:
    return next((name for name, kind in LOSSES.items() if type(loss) is kind and name in _core.LOSSES), None)


def _rule_name(rule: UpdateRule | None) -> str | None:
    return (
        "gradient" if rule is None else next((n for n in _core.RULES if OPTIMIZERS.get(n.lower()) is type(rule)), None)
    )


def _loss_setting(loss: Loss, outputs: int) -> float:
    return float(LOSS_SETTINGS[type(loss)](loss, outputs)) if type(loss) in LOSS_SETTINGS else 0.0


def obstacle(
    objective: Objective, rule: UpdateRule | None = None, dtype: Any = None, recipe: Recipe = PLAIN
) -> str | None:
    """Return why the core cannot train this objective with this rule and recipe, or None."""
    lowered = MISSING or lower(objective.network)
    if isinstance(lowered, str):
        return lowered
    X = objective.X
    if type(objective) is not Objective or type(objective.network) is not Network:
        return "the objective or its network is of a class of its own"
    if not isinstance(X, np.ndarray):
        return "X is sparse" if hasattr(X, "tocsr") else f"X is a {type(X).__name__}, not a NumPy array"
    if X.dtype not in (np.float32, np.float64) or X.dtype != (X.dtype if dtype is None else dtype):
        return f"X holds {X.dtype} numbers and θ {dtype or X.dtype}; both must be float32 or both float64"
    if _loss_name(objective.loss) is None:
        return f"the loss {objective.loss!r} is not of the table"
    if rule is not None and _rule_name(rule) is None:
        return f"the update rule {rule!r} is not of the table"
    if any(type(p) not in PARTS or not {*p.kinds} <= {"weight", "bias"} for p in objective.penalties):
        return "a penalty is not of the table, or on other parameters than weights and biases"
    if any(type(augmentation) not in AUGMENTATIONS.values() for augmentation in recipe.augmentation):
        return "an augmentation is not of the table"
    return None


PARTS: dict[type, Callable[[Any], tuple[float, float, float]]] = {
    L1: lambda penalty: (0.0, 0.0, penalty.strength) if penalty.proximal else (penalty.strength, 0.0, 0.0),
    L2: lambda penalty: (0.0, penalty.strength, 0.0),
    ElasticNet: lambda penalty: (penalty.ratio * penalty.strength, (1 - penalty.ratio) * penalty.strength, 0.0),
}
"""What each penalty is made of: λ₁ and λ₂ in the gradient, and λ₁ as a proximal step."""


def _strengths(objective: Objective, kind: str) -> list[float]:
    """Return the three parts of the penalties on one kind of parameter: fixed, then those divided by the rows."""
    totals = np.zeros((2, 3))
    for penalty in objective.penalties:
        if kind in penalty.kinds:
            totals[int(penalty.per_sample)] += PARTS[type(penalty)](penalty)
    return totals.reshape(-1).tolist()


def _recipe(recipe: Recipe, inputs: int, part: int) -> dict[str, Any]:
    """Return a recipe as the core takes it; a batch normalisation sees `part` rows at a time."""
    clip, limit = recipe.clip or ("none", 0.0)
    names = {kind: name for name, kind in AUGMENTATIONS.items()}
    augmentations = [(names[type(a)], [*a.numbers], a.image or (1, inputs, 1)) for a in recipe.augmentation]  # type: ignore[index]  # `obstacle` has seen that they are of the table
    return {
        "clip": clip,
        "limit": float(limit),
        "max_norm": float(recipe.max_norm or 0.0),
        "rates": [recipe.rate(kind) for kind in KINDS],
        "share": 0.0 if recipe.average is None else 1.0 - recipe.average,
        "part": part,
        "augmentations": augmentations,
    }


def _plan(objective: Objective, rule: UpdateRule | None, batch: int, recipe: Recipe, part: int) -> _core.Plan:
    """Return the core's plan for an objective without `obstacle`, for steps of at most `batch` rows."""
    settings = () if rule is None else astuple(rule)[1:]  # type: ignore[call-overload]  # the first is the rate
    return _core.Plan(
        objective.X.dtype.name,
        objective.network.inputs,
        *_lowered(objective.network),
        objective.network.size,
        batch,
        (_loss_name(objective.loss) or "", _loss_setting(objective.loss, objective.network.outputs)),
        (_rule_name(rule) or "", [float(s) for s in settings]),
        _strengths(objective, "weight"),
        _strengths(objective, "bias"),
        _recipe(recipe, objective.network.inputs, part),
        instruction_set(),
    )


VALUED = 512
"""Rows that a value needs room for at a time: at prediction no row depends on another."""


class NativeEngine:
    """Runs update steps of one objective with one rule in the compiled core; see ReferenceEngine for the contract."""

    name = "native"

    def __init__(
        self,
        objective: Objective,
        rule: UpdateRule | None = None,
        seed: int = 0,
        n_threads: int | None = None,
        recipe: Recipe = PLAIN,
    ) -> None:
        if reason := obstacle(objective, rule, recipe=recipe):
            raise ValueError(f"the native engine cannot run this: {reason}")
        self.objective, self.rule, self.seed, self.recipe = objective, rule, seed, recipe
        self.threads = threads(n_threads)
        hard = objective.loss.targets == "classes" and objective.y.ndim == 1
        self._X = _plain(objective.X)
        self._y = objective.y.astype(np.int64) if hard else _plain(objective.y)  # checked once: nobody else may write
        weight = objective.sample_weight
        self._weight = None if weight is None else _plain(weight)
        self._plans: dict[tuple[int, int], Any] = {}
        self._values: Any = None

    def _plan(self, batch: int, part: int) -> Any:
        if (batch, part) not in self._plans:
            self._plans = {(batch, part): _plan(self.objective, self.rule, batch, self.recipe, part)}
        return self._plans[batch, part]

    def run(
        self,
        theta: NDArray[np.floating],
        state: Memory,
        order: NDArray[np.intp] | None,
        batch_size: int,
        learning_rates: Sequence[float],
        first_step: int = 0,
    ) -> Steps:
        """Make one update per learning rate, in place in θ and its memory; see ReferenceEngine.run."""
        rates = np.asarray(learning_rates, np.float64)
        losses = np.empty(len(rates))
        batch = self._X.shape[0] if order is None else batch_size
        part = batch if self.recipe.accumulate == 1 else min(batch, -(-batch_size // self.recipe.accumulate))
        memory = [value for name, value in state.items() if name not in ("t", "average")]
        average = None if self.recipe.average is None else state["average"]
        steps = range(first_step, first_step + len(rates))
        alpha = self.recipe.mixup
        shares = np.array([mixup_share(alpha, self.seed, step) for step in steps]) if alpha else None
        done, reported, norm, raised = self._plan(batch, part).run(
            theta,
            memory,
            average,
            self._X,
            self._y,
            self._weight,
            order,
            batch,
            rates,
            shares,
            state["t"],
            self.seed,
            first_step,
            losses,
            self.threads,
        )
        state["t"] += done
        if raised is not None:
            raise raised
        return Steps(losses[:reported].tolist(), norm)

    def value(self, theta: NDArray[np.floating]) -> float:
        """Return J(θ) on all rows."""
        if self._values is None:
            rows = min(self._X.shape[0], VALUED)
            self._values = _plan(self.objective, None, rows, PLAIN, rows)
        return float(self._values.value(theta, self._X, self._y, self._weight, self.threads))

    def value_and_gradient(self, theta: NDArray[np.floating]) -> tuple[float, NDArray[np.floating]]:
        """Return J(θ) and dJ/dθ (P,) on all rows, as training step 0 of the seed finds them."""
        gradient = np.zeros_like(theta)
        losses = self.run(copy(theta), {"t": 0, "gradient": gradient}, None, 0, [0.0]).losses
        return losses[0], gradient


def _plain(a: NDArray[Any]) -> NDArray[Any]:
    """Return an array as the core takes it: itself where it is aligned and in C order, else a copy."""
    flags = a.flags
    return a if flags.c_contiguous and flags.aligned else np.array(a, order="C")


_predicting: WeakKeyDictionary[Network, dict[Any, Any]] = WeakKeyDictionary()
"""Plans for predicting by network and dtype, None where the core cannot: `predict` is called with one row at a time."""

SHORT = 1 << 18
"""Multiplications that are not worth asking how many threads there are."""


def knows(network: Network, theta: Array) -> bool:
    """Return whether the core can run this network with these weights."""
    numbers = isinstance(theta, np.ndarray) and theta.dtype in (np.float32, np.float64)
    return numbers and not MISSING and type(network) is Network and not isinstance(lower(network), str)


def plan_for(network: Network, theta: Array, X: Array) -> Any:
    """Return the core's plan for predicting X, kept for the next call, or None where the core cannot."""
    if not (isinstance(X, np.ndarray) and isinstance(theta, np.ndarray)) or X.dtype != theta.dtype or X.ndim != 2:
        return None
    plans = _predicting.get(network)
    if plans is None:
        plans = _predicting[network] = {}
    if theta.dtype not in plans:
        plans[theta.dtype] = prediction_plan(network, theta.dtype.name) if knows(network, theta) else None
    return plans[theta.dtype] if X.shape[1] == network.inputs else None


def prediction_plan(network: Network, dtype: str) -> _core.Plan:
    """Return the core's plan for predicting with a network."""
    loss, rule = ("squared_error", 1.0), ("gradient", list[float]())  # not used
    size, penalties, recipe = network.size, (NO_PENALTY, NO_PENALTY), _recipe(PLAIN, network.inputs, 0)
    return _core.Plan(
        dtype, network.inputs, *_lowered(network), size, 0, loss, rule, *penalties, recipe, instruction_set()
    )


def predict(plan: Any, network: Network, theta: Array, X: Array, link: str, n_threads: int | None) -> Array:
    """Return what a link makes of the raw scores (n, outputs), by a plan of `plan_for`."""
    out = np.empty((X.shape[0], network.outputs), theta.dtype)
    count = 1 if X.shape[0] * network.size < SHORT else threads(n_threads)
    plan.predict(_plain(theta), _plain(X), link, out, count)
    return out


def compiled(
    network: Network, theta: NDArray[np.floating], n_threads: int | None
) -> Callable[[NDArray[np.floating], Loss | None], NDArray[np.floating]]:
    """Return (X, loss) -> predictions, with θ packed once; X is copied where it is not in C order."""
    outputs, dtype, count = network.outputs, theta.dtype, threads(n_threads)
    plan = prediction_plan(network, dtype.name)
    plan.predict(theta, np.empty((0, network.inputs), dtype), "identity", np.empty((0, outputs), dtype), 1)
    predict = plan.predict

    def run(X: NDArray[np.floating], loss: Loss | None) -> NDArray[np.floating]:
        if not isinstance(X, np.ndarray):  # sparse rows are for the definitions
            scores = network.forward(theta, X)
            return np.asarray(scores if loss is None else loss.predict(scores))
        out = np.empty((len(X), outputs), dtype)
        link = LINKS.get(type(loss))
        predict(None, _plain(X), link or "identity", out, count)
        return out if link else np.asarray(loss.predict(out))  # type: ignore[union-attr]  # None has a link

    return run
