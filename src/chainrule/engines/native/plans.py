"""From an objective, an update rule and a recipe to the core's plan of a step; `lowering` does the network.

Everything here translates by a table. `obstacles.obstacle` has seen that there is a row for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from weakref import finalize

import numpy as np

from ...mathematics.losses import LOSSES, CrossEntropy, Huber, Loss, Quantile, SigmoidCrossEntropy, SquaredError
from ...mathematics.network import Network
from ...mathematics.objective import Objective
from ...mathematics.penalties import KINDS, L1, L2, ElasticNet
from ...optimizers import OPTIMIZERS, Optimizer
from ...steps.augmentation import AUGMENTATIONS
from ...steps.recipe import DEFAULT_RECIPE, Recipe
from .core import _core, instruction_set
from .lowering import lower

LOSS_SETTINGS: dict[type, Callable[[Any, int], float]] = {
    SquaredError: SquaredError.factor,
    Huber: lambda loss, _: loss.delta,
    Quantile: lambda loss, _: loss.q,
    CrossEntropy: lambda loss, _: loss.label_smoothing,
    SigmoidCrossEntropy: lambda loss, _: loss.label_smoothing,
}
"""The one number that a loss hands to the core, from the loss and its number of outputs; 0 for the others."""

PARTS: dict[type, Callable[[Any], tuple[float, float, float]]] = {
    L1: lambda penalty: (0.0, 0.0, penalty.strength) if penalty.proximal else (penalty.strength, 0.0, 0.0),
    L2: lambda penalty: (0.0, penalty.strength, 0.0),
    ElasticNet: lambda penalty: (penalty.ratio * penalty.strength, (1 - penalty.ratio) * penalty.strength, 0.0),
}
"""The parts of each penalty: λ₁ and λ₂ in the gradient, and λ₁ as a proximal step."""


GRADIENT = "Gradient"
"""The core's rule that keeps the gradient instead of moving θ."""


def loss_name(loss: Loss) -> str | None:
    """Return the core's name of a loss, None where it has none."""
    return next((name for name, kind in LOSSES.items() if type(loss) is kind and name in _core.LOSSES), None)


def rule_name(rule: Optimizer | None) -> str | None:
    """Return the core's name of an update rule, None where it has none; without a rule it keeps the gradient."""
    if rule is None:
        return GRADIENT
    return next((name for name in _core.RULES if OPTIMIZERS.get(name.lower()) is type(rule)), None)


def _loss_setting(loss: Loss, outputs: int) -> float:
    return float(LOSS_SETTINGS[type(loss)](loss, outputs)) if type(loss) in LOSS_SETTINGS else 0.0


def _penalty(objective: Objective, kind: str) -> _core.Penalty:
    """Return the penalties on one kind of parameter: those fixed, and those divided by the rows."""
    totals = np.zeros((2, 3))
    for penalty in objective.penalties:
        if kind in penalty.kinds:
            totals[int(penalty.per_sample)] += PARTS[type(penalty)](penalty)
    (l1, l2, shrink), (l1_per_sample, l2_per_sample, shrink_per_sample) = totals.tolist()
    return _core.Penalty(
        l1=l1,
        l2=l2,
        shrink=shrink,
        l1_per_sample=l1_per_sample,
        l2_per_sample=l2_per_sample,
        shrink_per_sample=shrink_per_sample,
    )


def _recipe(recipe: Recipe, inputs: int, part: int, decay: float | None = None) -> _core.Recipe:
    """Return a recipe as the core takes it; a batch normalisation sees `part` rows at a time."""
    clip, limit = recipe.clip or ("none", 0.0)
    names = {kind: name for name, kind in AUGMENTATIONS.items()}
    augmentations = [(names[type(a)], [*a.numbers], a.image or (1, inputs, 1)) for a in recipe.augmentation]  # type: ignore[index]  # `obstacle` has seen that they are of the table
    return _core.Recipe(
        clip=clip,
        limit=float(limit),
        max_norm=float(recipe.max_norm or 0.0),
        rates={kind: recipe.rate(kind) for kind in KINDS},
        share=0.0 if decay is None else 1.0 - decay,
        part=part,
        augmentations=augmentations,
    )


def step_plan(
    objective: Objective, rule: Optimizer | None, batch: int, recipe: Recipe, part: int, decay: float | None = None
) -> _core.Plan:
    """Return the core's plan for an objective without `obstacle`, for steps of at most `batch` rows."""
    network, loss = objective.network, objective.loss
    return _core.Plan(
        **_network(network),
        dtype=objective.X.dtype.name,
        batch=batch,
        loss=loss_name(loss),
        loss_setting=_loss_setting(loss, network.outputs),
        rule=rule_name(rule),
        settings=_settings(rule),
        weights=_penalty(objective, "weight"),
        biases=_penalty(objective, "bias"),
        recipe=_recipe(recipe, network.inputs, part, decay),
    )


def prediction_plan(network: Network, dtype: str) -> _core.Plan:
    """Return the core's plan for predicting with a network."""
    return _core.Plan(
        **_network(network),
        dtype=dtype,
        batch=0,
        loss="squared_error",  # not used, as all that follows
        loss_setting=1.0,
        rule=GRADIENT,
        settings={},
        weights=_core.Penalty(),
        biases=_core.Penalty(),
        recipe=_recipe(DEFAULT_RECIPE, network.inputs, 0),
    )


def keep_plan(network: Network, what: tuple[Any, ...], plan: _core.Plan | None) -> None:
    """Put a plan into the network's memo, which is emptied before the process ends.

    Else a plan of a network that a daemon thread still holds then would be reported as leaked.
    """
    network.memo[what] = plan
    finalize(network, network.memo.clear)


def _settings(rule: Optimizer | None) -> dict[str, float]:
    """Return the numbers of a rule by name, but for the learning rate, which comes with every step."""
    numbers = {} if rule is None else asdict(rule)  # type: ignore[call-overload]  # every rule is a dataclass
    return {name: float(number) for name, number in numbers.items() if name != "learning_rate"}


def _network(network: Network) -> dict[str, Any]:
    """Return the fields of a plan that say what follows a network's transforms."""
    lowered = lower(network)
    assert not isinstance(lowered, str), lowered
    return {
        "inputs": network.widths[lowered.transforms],
        "input": _core.Noise(**lowered.input),
        "layers": [_core.Layer(**layer) for layer in lowered.layers],
        "parameters": network.size,
        "set": instruction_set(),
    }
