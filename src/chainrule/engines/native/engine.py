"""The native engine: lowers a network, a loss and an update rule to the compiled core, which equals the definitions.

The core knows the networks that `lowering` lowers, every activation and loss of the tables, L1 and L2, and every
first-order rule (`plans`). `obstacle` says what stands in the way of anything else; the reference engine then runs
instead. The same seed, data and settings give the same bits for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import cache
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray

from ...foundation.arrays import Array
from ...mathematics.blocks import Dense
from ...mathematics.losses import LOSSES, CrossEntropy, Logistic, Loss, Poisson, SigmoidCrossEntropy
from ...mathematics.network import Network
from ...mathematics.objective import Objective
from ...optimizers import Memory, UpdateRule
from ...steps.augmentation import AUGMENTATIONS
from ...steps.augmentation.mixup import mixup_share
from ...steps.recipe import DEFAULT_RECIPE, Recipe
from ..reference import Steps
from .core import MISSING, _core, instruction_set, instruction_sets, threads
from .lowering import lower
from .plans import PARTS, loss_name, prediction_plan, rule_name, step_plan

__all__ = [
    "LINKS",
    "MISSING",
    "NativeEngine",
    "compiled",
    "instruction_set",
    "instruction_sets",
    "knows",
    "obstacle",
    "plan_for",
    "predict",
    "threads",
]

LINKS: dict[type, str] = dict.fromkeys((type(None), *LOSSES.values()), "identity") | {
    CrossEntropy: "softmax",
    SigmoidCrossEntropy: "sigmoid",
    Logistic: "sigmoid",
    Poisson: "exp",
}
"""What turns a loss's scores into predictions, for each loss the core knows and for none."""


def obstacle(
    objective: Objective, rule: UpdateRule | None = None, dtype: Any = None, recipe: Recipe = DEFAULT_RECIPE
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
    if loss_name(objective.loss) is None:
        return f"the loss {objective.loss!r} is not of the table"
    if rule is not None and rule_name(rule) is None:
        return f"the update rule {rule!r} is not of the table"
    if any(type(p) not in PARTS or not {*p.kinds} <= {"weight", "bias"} for p in objective.penalties):
        return "a penalty is not of the table, or on other parameters than weights and biases"
    if recipe.augmentation and objective.network.transforms:
        return "an augmentation comes before a transform that is measured on the inputs"
    if any(type(augmentation) not in AUGMENTATIONS.values() for augmentation in recipe.augmentation):
        return "an augmentation is not of the table"
    return None


VALUED = 512
"""Rows that a value needs room for at a time: at prediction no row depends on another."""


class Inputs:
    """X (n, i) as the core takes it: what the transforms at the head of the network make of it, made once."""

    def __init__(self, network: Network, X: NDArray[Any], count: int) -> None:
        self._network, self._given, self._threads = network, _plain(X), count
        self._size = max((slot.stop for slot in network.slots if slot.block < len(network.transforms)), default=0)
        self._statistics: NDArray[Any] = np.full(self._size, np.nan)
        self._made = self._given
        self._making = Lock()

    @classmethod
    def of(cls, objective: Objective, count: int) -> Inputs:
        """Return those of an objective: engines that live beside each other share what is made."""
        with _sharing:
            known = _inputs[objective]() if objective in _inputs else None
            shared = known or cls(objective.network, objective.X, count)
            _inputs[objective] = ref(shared)
        return shared

    def at(self, theta: NDArray[np.floating]) -> NDArray[Any]:
        """Return them at θ: made again only where the statistics in θ are others."""
        if not self._size:
            return self._given
        with self._making:
            statistics = theta[: self._size]
            if not np.array_equal(statistics, self._statistics):
                self._made = transformed(self._network, theta, self._given, self._threads)
                self._statistics = statistics.copy()
            return self._made


_inputs: WeakKeyDictionary[Objective, ref[Inputs]] = WeakKeyDictionary()
_sharing = Lock()


class NativeEngine:
    """Runs update steps of one objective with one rule in the compiled core; see ReferenceEngine for the contract."""

    name = "native"

    def __init__(
        self,
        objective: Objective,
        rule: UpdateRule | None = None,
        seed: int = 0,
        n_threads: int | None = None,
        recipe: Recipe = DEFAULT_RECIPE,
    ) -> None:
        if reason := obstacle(objective, rule, recipe=recipe):
            raise ValueError(f"the native engine cannot run this: {reason}")
        self.objective, self.rule, self.seed, self.recipe = objective, rule, seed, recipe
        self.threads = threads(n_threads)
        hard = objective.loss.targets == "classes" and objective.y.ndim == 1
        self._inputs = Inputs.of(objective, self.threads)
        self._y = objective.y.astype(np.int64) if hard else _plain(objective.y)  # checked once: nobody else may write
        weight = objective.sample_weight
        self._weight = None if weight is None else _plain(weight)
        self._plans: dict[tuple[int, int], Any] = {}
        self._values: Any = None

    def _plan(self, batch: int, part: int) -> Any:
        if (batch, part) not in self._plans:
            self._plans = {(batch, part): step_plan(self.objective, self.rule, batch, self.recipe, part)}
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
        batch = self.objective.rows if order is None else batch_size
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
            self._inputs.at(theta),
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
            rows = min(self.objective.rows, VALUED)
            self._values = step_plan(self.objective, None, rows, DEFAULT_RECIPE, rows)
        return float(self._values.value(theta, self._inputs.at(theta), self._y, self._weight, self.threads))

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


def transformed(network: Network, theta: Array, X: NDArray[Any], count: int) -> NDArray[Any]:
    """Return what the transforms of a network make of X, in C order; by the core, so that one row is as in many."""

    def multiply(x: Array, W: Array) -> Array:
        y = np.empty((x.shape[0], W.shape[1]), x.dtype)
        _product(*W.shape, x.dtype.name).predict(_plain(W).reshape(-1), _plain(x), "identity", y, count)
        return y

    return _plain(network.transformed(theta, X, multiply))


@cache
def _product(inputs: int, outputs: int, dtype: str) -> _core.Plan:
    return prediction_plan(Network(inputs, [Dense(outputs, bias=False)]), dtype)


def predict(plan: Any, network: Network, theta: Array, X: Array, link: str, n_threads: int | None) -> Array:
    """Return what a link makes of the raw scores (n, outputs), by a plan of `plan_for`."""
    out = np.empty((X.shape[0], network.outputs), theta.dtype)
    count = 1 if X.shape[0] * network.size < SHORT else threads(n_threads)
    theta = _plain(theta)
    plan.predict(theta, transformed(network, theta, X, count), link, out, count)
    return out


def compiled(
    network: Network, theta: NDArray[np.floating], n_threads: int | None
) -> Callable[[NDArray[np.floating], Loss | None], NDArray[np.floating]]:
    """Return (X, loss) -> predictions, with θ packed once; X is copied where it is not in C order."""
    outputs, dtype, count = network.outputs, theta.dtype, threads(n_threads)
    plan = prediction_plan(network, dtype.name)
    nothing = transformed(network, theta, np.empty((0, network.inputs), dtype), 1)
    plan.predict(theta, nothing, "identity", np.empty((0, outputs), dtype), 1)
    predict, ahead = plan.predict, bool(network.transforms)

    def run(X: NDArray[np.floating], loss: Loss | None) -> NDArray[np.floating]:
        if not isinstance(X, np.ndarray):  # sparse rows are for the definitions
            scores = network.forward(theta, X)
            return np.asarray(scores if loss is None else loss.predict(scores))
        out = np.empty((len(X), outputs), dtype)
        link = LINKS.get(type(loss))
        X = transformed(network, theta, X, count) if ahead else _plain(X)
        predict(None, X, link or "identity", out, count)
        return out if link else np.asarray(loss.predict(out))  # type: ignore[union-attr]  # None has a link

    return run
