"""The native engine: lowers a network, a loss and an update rule to the compiled core, which equals the definitions.

The core knows chains of Dense, each with at most one Activation after it, every activation and loss of the tables,
L1 and L2, and every first-order rule. `obstacle` says what stands in the way of anything else; the reference engine
then runs instead. The same seed, data and settings give the same bits for any number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import astuple, fields
from functools import cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..activations import ACTIVATIONS
from ..arrays import Array
from ..blocks import Activation, Dense
from ..losses import LOSSES, Loss
from ..network import Network
from ..objective import Objective
from ..optimizers import OPTIMIZERS, Memory, UpdateRule
from ..penalties import L1, L2
from .reference import Steps

try:
    from .. import _core
except ImportError as error:  # built without a compiler
    _core = None  # type: ignore[assignment]
    MISSING = f"the compiled core is not there ({error})"
else:
    MISSING = ""

LINKS = {"cross_entropy": "softmax", "sigmoid_cross_entropy": "sigmoid", "logistic": "sigmoid", "poisson": "exp"}
"""What turns a loss's scores into predictions, by the loss's name; the identity for the others."""


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


class Layer(NamedTuple):
    """A Dense block and the Activation after it, as the core takes them: offsets are places in θ."""

    outputs: int
    activation: str
    setting: float
    weights: int
    biases: int


def lower(network: Network) -> list[Layer] | str:
    """Return the layers of a network, or what the core does not know of it."""
    starts = {(slot.block, slot.name): slot.start for slot in network.slots}
    layers: list[Layer] = []
    may_activate = False
    for k, block in enumerate(network.blocks):
        if type(block) is Dense:
            layers.append(Layer(block.units, "identity", 0.0, starts[k, "W"], starts[k, "b"]))
            may_activate = True
        elif type(block) is Activation and may_activate and block.function is ACTIVATIONS[block.name]:
            layers[-1] = layers[-1]._replace(activation=block.name, setting=float(sum(block.settings.values())))
            may_activate = False
        else:
            return f"block {k}, {block!r}, is not a Dense or the one Activation after a Dense"
    return layers or "the network has no block"


def _loss_name(loss: Loss) -> str | None:
    return next((name for name, kind in LOSSES.items() if type(loss) is kind), None)


def _rule_name(rule: UpdateRule | None) -> str | None:
    return "gradient" if rule is None else next((n for n in _core.RULES if OPTIMIZERS.get(n.lower()) is type(rule)), None)


def _loss_setting(loss: Loss, outputs: int) -> float:
    if getattr(loss, "convention", None) is not None:
        return 1.0 if loss.convention == "half_sum" else 2.0 / outputs  # type: ignore[attr-defined]
    return float(next((getattr(loss, f.name) for f in fields(loss)), 0.0))  # type: ignore[arg-type]


def obstacle(objective: Objective, rule: UpdateRule | None = None, dtype: Any = None) -> str | None:
    """Return why the core cannot train this objective with this rule, or None."""
    layers = MISSING or lower(objective.network)
    if isinstance(layers, str):
        return layers
    X = objective.X
    if not isinstance(X, np.ndarray):
        return "X is sparse" if hasattr(X, "tocsr") else f"X is a {type(X).__name__}, not a NumPy array"
    if X.dtype not in (np.float32, np.float64) or X.dtype != (X.dtype if dtype is None else dtype):
        return f"X holds {X.dtype} numbers and θ {dtype or X.dtype}; both must be float32 or both float64"
    if _loss_name(objective.loss) is None:
        return f"the loss {objective.loss!r} is not of the table"
    if rule is not None and _rule_name(rule) is None:
        return f"the update rule {rule!r} is not of the table"
    if any(type(p) not in (L1, L2) or not {*p.kinds} <= {"weight", "bias"} for p in objective.penalties):
        return "a penalty is not L1 or L2 on weights or biases"
    return None


def _strengths(objective: Objective, kind: str) -> tuple[float, float, float, float]:
    """Return λ₁ and λ₂ on one kind of parameter: fixed, then those divided by the rows."""

    def total(penalty: type, per_sample: bool) -> float:
        chosen = (p for p in objective.penalties if type(p) is penalty and p.per_sample == per_sample and kind in p.kinds)
        return float(sum(p.strength for p in chosen))

    return total(L1, False), total(L2, False), total(L1, True), total(L2, True)


def _plan(objective: Objective, rule: UpdateRule | None, batch: int) -> Any:
    settings = () if rule is None else astuple(rule)[1:]  # type: ignore[call-overload]  # the first is the rate
    return _core.Plan(
        objective.X.dtype.name,
        objective.network.inputs,
        [tuple(layer) for layer in lower(objective.network)],
        objective.network.size,
        batch,
        (_loss_name(objective.loss), _loss_setting(objective.loss, objective.network.outputs)),
        (_rule_name(rule), [float(s) for s in settings]),
        _strengths(objective, "weight"),
        _strengths(objective, "bias"),
        instruction_set(),
    )


class NativeEngine:
    """Runs update steps of one objective with one rule in the compiled core; see ReferenceEngine for the contract."""

    name = "native"

    def __init__(
        self, objective: Objective, rule: UpdateRule | None = None, seed: int = 0, n_threads: int | None = None
    ) -> None:
        if reason := obstacle(objective, rule):
            raise ValueError(f"the native engine cannot run this: {reason}")
        self.objective, self.rule, self.seed = objective, rule, seed
        self.threads = threads(n_threads)
        hard = objective.loss.targets == "classes" and objective.y.ndim == 1
        self._X = np.ascontiguousarray(objective.X)
        self._y = np.ascontiguousarray(objective.y, np.int64 if hard else self._X.dtype)
        weight = objective.sample_weight
        self._weight = None if weight is None else np.ascontiguousarray(weight)
        self._plans: dict[int, Any] = {}

    def _plan(self, batch: int) -> Any:
        if batch not in self._plans:
            self._plans = {batch: _plan(self.objective, self.rule, batch)}
        return self._plans[batch]

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
        memory = [value for name, value in state.items() if name != "t"]
        done, reported, norm, raised = self._plan(batch).run(
            theta, memory, self._X, self._y, self._weight, order, batch, rates, state["t"], losses, self.threads
        )
        state["t"] += done
        if raised is not None:
            raise raised
        return Steps(losses[:reported].tolist(), norm)

    def value(self, theta: NDArray[np.floating]) -> float:
        """Return J(θ) on all rows."""
        return float(self._plan(self._X.shape[0]).value(theta, self._X, self._y, self._weight, self.threads))

    def value_and_gradient(self, theta: NDArray[np.floating]) -> tuple[float, NDArray[np.floating]]:
        """Return J(θ) and dJ/dθ (P,) on all rows."""
        gradient = np.zeros_like(theta)
        losses = self.run(theta, {"t": 0, "gradient": gradient}, None, 0, [0.0]).losses
        return losses[0], gradient


_predicting: WeakKeyDictionary[Network, dict[str, Any]] = WeakKeyDictionary()


def can_predict(network: Network, theta: Array, X: Array) -> bool:
    """Return whether the core can run this network on X."""
    dense = isinstance(X, np.ndarray) and isinstance(theta, np.ndarray) and X.dtype == theta.dtype and X.ndim == 2
    fits = dense and X.dtype in (np.float32, np.float64) and X.shape[1] == network.inputs
    return fits and not MISSING and not isinstance(lower(network), str)


def prediction_plan(network: Network, dtype: str) -> Any:
    """Return the core's plan for predicting with a network."""
    layers = [tuple(layer) for layer in lower(network)]
    rule, none = ("gradient", []), (0.0, 0.0, 0.0, 0.0)
    return _core.Plan(
        dtype, network.inputs, layers, network.size, 0, ("squared_error", 1.0), rule, none, none, instruction_set()
    )


def predict(
    network: Network, theta: Array, X: Array, loss: Loss | None = None, n_threads: int | None = None
) -> NDArray[np.floating]:
    """Return the raw scores (n, outputs), or with a loss what they stand for: loss.predict(scores)."""
    plans = _predicting.setdefault(network, {})
    dtype = theta.dtype.name
    if dtype not in plans:
        plans[dtype] = prediction_plan(network, dtype)
    out = np.empty((X.shape[0], network.outputs), theta.dtype)
    plans[dtype].predict(theta, np.ascontiguousarray(X), link_of(loss), out, threads(n_threads))
    return out


def link_of(loss: Loss | None) -> str:
    """Return the core's name for what a loss makes of scores."""
    return "identity" if loss is None else LINKS.get(_loss_name(loss) or "", "identity")
