"""What cannot work, said before a training starts; and what most likely went wrong where one diverged."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from .objective import Objective
from .schedules import Schedule


def likely_cause(objective: Objective, learning_rate: float | None) -> str:
    """Return the most likely cause of a loss that is not finite, and its remedy."""
    data = [("inputs", objective.X)]
    if objective.loss.targets == "real":
        data.append(("targets", objective.y))
    for name, values in data:
        largest = float(abs(values).max()) if values.size else 0.0
        if not isfinite(largest):
            return f"the {name} hold NaN or infinity; remove or fill them"
        if largest > 100:
            return f"the {name} reach {largest:.3g}; standardise them (mean 0, deviation 1)"
    if learning_rate is None:
        return "the loss overflows; start from smaller weights or standardise the data"
    return f"the learning rate {learning_rate:.3g} is too high for this network; try {learning_rate / 10:.3g}"


def check(objective: Objective, loop: Any, epochs: int, batch_size: int | None, order: str) -> None:
    """Raise ValueError, naming the argument, for settings that cannot work."""
    if objective.rows == 0:
        raise ValueError("the objective holds no rows: nothing to train on")
    if loop.state.theta.shape != (objective.network.size,):
        raise ValueError(
            f"theta has shape {loop.state.theta.shape}; this network has {objective.network.size} parameters"
        )
    if not np.issubdtype(loop.state.theta.dtype, np.floating):
        raise ValueError(f"theta must hold float32 or float64 numbers, got {loop.state.theta.dtype}")
    if not isinstance(loop.schedule, Schedule):
        raise ValueError(f"schedule must be a schedule such as schedules.Constant(0.001), got {loop.schedule!r}")
    if not isinstance(epochs, int | np.integer) or epochs < 1:
        raise ValueError(f"epochs must be a whole number of at least 1, got {epochs!r}")
    if batch_size is not None and (not isinstance(batch_size, int | np.integer) or batch_size < 1):
        raise ValueError(f"batch_size must be a whole number of at least 1 (or None for all rows), got {batch_size!r}")
    if order not in ("reshuffle", "once", "given"):
        raise ValueError(f"order {order!r} is not known; accepted: reshuffle, once, given")
    monitor = loop.stopping.monitor if loop.stopping else "loss"
    if monitor == "validation_loss" and loop.validation is None:
        raise ValueError("stopping on validation_loss needs `validation`")
    if monitor == "validation_score" and loop.score is None:
        raise ValueError("stopping on validation_score needs `score`")
