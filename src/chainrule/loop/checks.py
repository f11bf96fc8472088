"""What cannot work, said before a training starts."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from ..mathematics.blocks import Elementwise, Transform, needs_steps
from ..mathematics.objective import Objective
from ..optimizers import Memory, Minimizer, UpdateRule
from ..steps.averaging import Averaging, MovingAverage
from ..steps.recipe import DEFAULT_RECIPE, Recipe
from ..steps.schedules import Schedule


def check_minimizer(objective: Objective, minimizer: Minimizer, recipe: Recipe) -> None:
    """Raise ValueError for what only training step by step can do."""
    for block in filter(needs_steps, objective.network.blocks):
        raise ValueError(f"{block!r} needs an optimiser that takes steps; {type(minimizer).__name__} takes none")
    for name in (
        field.name for field in fields(recipe) if getattr(recipe, field.name) != getattr(DEFAULT_RECIPE, field.name)
    ):
        raise ValueError(f"{name} needs an optimiser that takes steps; {type(minimizer).__name__} takes none")
    if objective.proximal:
        raise ValueError(
            f"a proximal penalty needs an optimiser that takes steps; {type(minimizer).__name__} takes none"
        )


def check_steps(objective: Objective, recipe: Recipe, seed: int) -> None:
    """Raise ValueError for a seed, or a recipe that does not fit the data."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise ValueError(f"seed must be a whole number from 0 to 2**64 - 1, got {seed!r}")
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, got {recipe!r}")
    for augmentation in recipe.augmentation:
        augmentation.check_inputs(objective.network.inputs)
    first = objective.network.blocks[:1]
    changed = bool(recipe.augmentation or recipe.mixup or any(isinstance(b, Elementwise | Transform) for b in first))
    if changed and hasattr(objective.X, "tocsr"):
        raise ValueError(
            "X is sparse; augmentation, mixup, and noise, dropout or scaling of the inputs need dense rows"
        )


def check_memory(memory: Memory, fresh: Memory, rule: UpdateRule) -> None:
    """Raise ValueError for the memory of a state that another update rule has left."""
    held, kept = ({*each} - {"average"} for each in (memory, fresh))
    if held != kept:
        has, needs = (", ".join(sorted(names)) for names in (held, kept))
        raise ValueError(
            f"state.memory is another rule's: it holds {has}, {type(rule).__name__} keeps {needs}; give memory=None"
        )


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
    if loop.averaging is not None and not isinstance(loop.averaging, Averaging | MovingAverage):
        raise ValueError(f"averaging must be such as Averaging(start=0.75), or None, got {loop.averaging!r}")
    if isinstance(loop.averaging, MovingAverage) and objective.proximal:
        raise ValueError(
            "a moving average (ema) of weights that a proximal L1 penalty makes 0 comes near 0 and is never 0;"
            " average over epochs (swa), or leave out one of the two"
        )
    if order not in ("reshuffle", "once", "given"):
        raise ValueError(f"order {order!r} is not known; accepted: reshuffle, once, given")
    monitor = loop.stopping.monitor if loop.stopping else "loss"
    if monitor == "validation_loss" and loop.validation is None:
        raise ValueError("stopping on validation_loss needs `validation`")
    if monitor == "validation_score" and loop.score is None:
        raise ValueError("stopping on validation_score needs `score`")
