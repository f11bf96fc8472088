"""Diagnosis of a training that does not learn: the block, the figure that shows the cause, and the remedy.

`advise` looks at a finished training for symptoms that cost next to nothing to see; only where there is one does
`diagnose` measure, cause by cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mathematics.objective import Objective
from ..steps.recipe import DEFAULT_RECIPE, Recipe
from .causes import CAUSES, Advice, Training, wrong_scale
from .symptoms import Event, symptom

MOST = 2
"""Advice that is given at a time."""


class TrainingAdvice(UserWarning):
    """A training that did not learn, with a measured cause and a remedy."""


def diagnose(
    objective: Objective,
    theta: NDArray[np.floating],
    history: Sequence[Event] = (),
    learning_rate: float | None = None,
    usual: float | None = None,
    recipe: Recipe = DEFAULT_RECIPE,
    stopped: bool = False,
) -> list[Advice]:
    """Return at most two causes why θ has learned badly, the most basic first; none where every figure is sound.

    `history` are the events of the training (a rate that is too high shows in them only), `learning_rate` its highest
    rate, `usual` the rate to recommend, `recipe` the work of its steps beside the rule; `stopped` says that it ended
    by itself, before its last epoch.

    >>> import chainrule as cr
    >>> network = cr.Network(2, [cr.Dense(4, bias_initializer=-9.0), cr.Activation("relu"), cr.Dense(1)])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), np.ones((5, 2)), np.ones(5))
    >>> [advice.figure for advice in diagnose(objective, network.initialize(0))]
    ['100 % of its 4 units are dead: 0 slope on every row']
    """
    training = Training(objective, theta, history, learning_rate, usual, recipe, stopped)
    with np.errstate(all="ignore"):
        return next((found for cause in CAUSES if (found := cause(training))), [])[:MOST]


def advise(
    objective: Objective,
    theta: NDArray[np.floating],
    history: Sequence[Event],
    optimizer: Any,
    recipe: Recipe = DEFAULT_RECIPE,
    stopped: bool = False,
) -> list[Advice]:
    """Return the advice of `diagnose` on a finished training that has a symptom, else none."""
    with np.errstate(all="ignore"):
        if not symptom(objective, theta, history):
            return []
    rates = [event.learning_rate for event in history if event.learning_rate is not None]
    return diagnose(objective, theta, history, max(rates, default=None), usual_rate(optimizer), recipe, stopped)


def usual_rate(optimizer: Any) -> float | None:
    """Return the learning rate that an optimiser's class has by itself, None where it has none.

    >>> from chainrule.optimizers import SGD
    >>> usual_rate(SGD(30.0))
    0.001
    """
    own = getattr(type(optimizer), "learning_rate", None)
    return float(own) if isinstance(own, float | int) else None


def likely_cause(objective: Objective, learning_rate: float | None, usual: float | None) -> str:
    """Return the most likely cause of a loss that is not finite, and its remedy."""
    data = [("inputs", objective.X)]
    if objective.loss.targets == "real":
        data.append(("targets", objective.y))
    for name, values in data:
        if values.size and not isfinite(float(abs(values).max())):
            return f"the {name} hold NaN or infinity; remove or fill them"
    training = Training(objective, np.empty(0), (), learning_rate, usual)
    for advice in wrong_scale(training)[:1]:
        return f"{advice.figure}; {advice.remedy}"
    if learning_rate is None:
        return "the loss overflows; start from smaller weights or standardise the data"
    return f"the learning rate {learning_rate:.3g} is too high for this network; try {training.slower()}"
