"""From an objective, an update rule and a recipe to the core's plan of a step; `lowering` does the network.

Everything here translates by a table. `native.obstacle` has seen that there is a row for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from ...mathematics.losses import LOSSES, CrossEntropy, Huber, Loss, Quantile, SigmoidCrossEntropy, SquaredError
from ...mathematics.network import Network
from ...mathematics.objective import Objective
from ...mathematics.penalties import KINDS, L1, L2, ElasticNet
from ...optimizers import OPTIMIZERS, UpdateRule
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
"""What each penalty is made of: λ₁ and λ₂ in the gradient, and λ₁ as a proximal step."""


NO_PENALTY = [0.0] * 6


def loss_name(loss: Loss) -> str | None:
    """Return the core's name of a loss, None where it has none."""
    return next((name for name, kind in LOSSES.items() if type(loss) is kind and name in _core.LOSSES), None)


def rule_name(rule: UpdateRule | None) -> str | None:
    """Return the core's name of an update rule, None where it has none; without a rule it keeps the gradient."""
    return (
        "gradient" if rule is None else next((n for n in _core.RULES if OPTIMIZERS.get(n.lower()) is type(rule)), None)
    )


def _loss_setting(loss: Loss, outputs: int) -> float:
    return float(LOSS_SETTINGS[type(loss)](loss, outputs)) if type(loss) in LOSS_SETTINGS else 0.0


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


def step_plan(objective: Objective, rule: UpdateRule | None, batch: int, recipe: Recipe, part: int) -> _core.Plan:
    """Return the core's plan for an objective without `obstacle`, for steps of at most `batch` rows."""
    settings = () if rule is None else astuple(rule)[1:]  # type: ignore[call-overload]  # the first is the rate
    network, loss = objective.network, objective.loss
    return _plan_of(
        network,
        objective.X.dtype.name,
        batch,
        (loss_name(loss) or "", _loss_setting(loss, network.outputs)),
        (rule_name(rule) or "", [float(s) for s in settings]),
        (_strengths(objective, "weight"), _strengths(objective, "bias")),
        _recipe(recipe, network.inputs, part),
    )


def prediction_plan(network: Network, dtype: str) -> _core.Plan:
    """Return the core's plan for predicting with a network."""
    loss, rule = ("squared_error", 1.0), ("gradient", list[float]())  # not used
    return _plan_of(network, dtype, 0, loss, rule, (NO_PENALTY, NO_PENALTY), _recipe(DEFAULT_RECIPE, network.inputs, 0))


def _plan_of(
    network: Network, dtype: str, batch: int, loss: Any, rule: Any, strengths: Sequence[list[float]], recipe: Any
) -> _core.Plan:
    """Return the core's plan for what follows a network's transforms."""
    lowered = lower(network)
    assert not isinstance(lowered, str), lowered
    return _core.Plan(
        dtype,
        network.widths[lowered.transforms],
        lowered.input._asdict(),
        [layer._asdict() for layer in lowered.layers],
        network.size,
        batch,
        loss,
        rule,
        strengths[0],
        strengths[1],
        recipe,
        instruction_set(),
    )
