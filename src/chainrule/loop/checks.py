"""The checks of a training's arguments, before it starts: each takes the values that it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import numpy as np

from ..foundation.arrays import is_sparse
from ..foundation.values import Number
from ..foundation.words import quoted
from ..mathematics.blocks import Elementwise, Transform, needs_steps
from ..mathematics.objective import Objective
from ..optimizers import VERBS, Memory, Optimizer
from ..steps.averaging import Averaging, MovingAverage
from ..steps.recipe import DEFAULT_RECIPE, Recipe
from ..steps.schedules import Schedule
from .checkpoint import Checkpoint
from .progress import Stopping

POSITIVE_OR_INF = Number(0, low_open=True, called="a positive number")


def check_optimizer(optimizer: Any) -> None:
    """Raise ValueError for what is no optimiser, and for one that needs a verb that there is not."""
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, type):
        own = callable(getattr(optimizer, "step", None)) and not isinstance(optimizer, type)
        advice = "; its class must inherit from chainrule.optimizers.Optimizer" if own else ""
        raise ValueError(f"optimizer must be an optimiser such as optimizers.Adam(), got {optimizer!r}{advice}")
    needs: Any = optimizer.needs
    unknown = [repr(needs)] if isinstance(needs, str) else sorted(map(str, {*needs} - {*VERBS}))
    if unknown:
        name, wrong = type(optimizer).__name__, unknown[0]
        raise ValueError(f"{name}.needs names {wrong}, no verb of an engine; accepted: a set of {', '.join(VERBS)}")


def check_step(objective: Objective, optimizer: Optimizer, recipe: Recipe, averaging: Any) -> None:
    """Raise ValueError for what the steps of this optimiser cannot do, by what it declares.

    Random and measuring blocks change from pass to pass, which a single gradient per step may see and a line search
    or a second derivative may not. A recipe and a proximal step are parts of the step of an update rule. An average
    evens out the noise of mini-batches.
    """
    name = type(optimizer).__name__
    if optimizer.whole_batch:
        why: str | None = f"needs an optimiser that takes mini-batches; {name} takes all rows in every step"
    else:
        more = ", ".join(sorted(optimizer.needs - {"gradient"}))
        why = f"needs an optimiser that asks for the gradient only; {name} needs {more}" if more else None
    for block in filter(needs_steps, objective.network.blocks):
        if why:
            raise ValueError(f"{block!r} {why}")
    if averaging is not None and optimizer.whole_batch:
        raise ValueError(f"averaging {why}")
    if not optimizer.elementwise:
        changed = [f.name for f in fields(recipe) if getattr(recipe, f.name) != getattr(DEFAULT_RECIPE, f.name)]
        for what in (*changed, *(["a proximal penalty"] if objective.proximal else [])):
            raise ValueError(f"{what} needs an update rule such as Adam, which works entry by entry; {name} does not")


def check_watchers(
    validation: Any, score: Any, stopping: Any, time_limit: Any, callbacks: Any, on_steps: Any, checkpoint: Any
) -> None:
    """Raise ValueError, naming the argument, for what cannot watch, end or keep a training."""
    for name, value, kind, such in (
        ("stopping", stopping, Stopping, "a Stopping"),
        ("checkpoint", checkpoint, Checkpoint, "a Checkpoint such as Checkpoint('training.ck')"),
    ):
        if value is not None and not isinstance(value, kind):
            raise ValueError(f"{name} must be {such}, or None, got {quoted(value)}")
    if validation is not None and not callable(getattr(validation, "value", None)):
        raise ValueError(f"validation must be an Objective on the validation rows, or None, got {quoted(validation)}")
    if time_limit is not None and not POSITIVE_OR_INF.accepts(time_limit):
        raise ValueError(f"time_limit must be {POSITIVE_OR_INF.words} of seconds, or None, got {quoted(time_limit)}")
    if not (isinstance(callbacks, Iterable) and all(map(callable, callbacks))):
        raise ValueError(f"callbacks must be a sequence of functions that take an event, got {quoted(callbacks)}")
    for name, value in (("score", score), ("on_steps", on_steps)):
        if value is not None and not callable(value):
            raise ValueError(f"{name} must be a function, or None, got {quoted(value)}")


def check_seed(seed: Any) -> None:
    """Raise ValueError for a seed that names no stream."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise ValueError(f"seed must be a whole number from 0 to 2**64 - 1, got {seed!r}")


def check_recipe(objective: Objective, recipe: Any) -> None:
    """Raise ValueError for a recipe that does not fit the data."""
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, got {recipe!r}")
    for augmentation in recipe.augmentation:
        augmentation.check_inputs(objective.network.inputs)
    first = objective.network.blocks[:1]
    changed = bool(recipe.augmentation or recipe.mixup or any(isinstance(b, Elementwise | Transform) for b in first))
    if changed and is_sparse(objective.X):
        raise ValueError(
            "X is sparse; augmentation, mixup, and noise, dropout or scaling of the inputs need dense rows"
        )


def check_memory(memory: Memory, fresh: Memory, optimizer: Optimizer) -> None:
    """Raise ValueError for the memory of a state that another optimiser has left."""
    held, kept = ({*each.arrays} | {*each.numbers} for each in (memory, fresh))
    if held != kept:
        has, needs = (", ".join(sorted(names)) or "nothing" for names in (held, kept))
        name = type(optimizer).__name__
        raise ValueError(f"state.memory is another rule's: it holds {has}, {name} keeps {needs}; give memory=None")


def check_theta(objective: Objective, theta: Any) -> None:
    """Raise ValueError for an objective without rows, or a θ that is not its network's."""
    if objective.rows == 0:
        raise ValueError("the objective holds no rows: nothing to train on")
    if theta.shape != (objective.network.size,):
        raise ValueError(f"theta has shape {theta.shape}; this network has {objective.network.size} parameters")
    if not np.issubdtype(theta.dtype, np.floating):
        raise ValueError(f"theta must hold float32 or float64 numbers, got {theta.dtype}")
    if not np.isfinite(theta).all():
        raise ValueError("theta holds NaN or infinity; start from finite weights")


def check_passes(schedule: Any, epochs: Any, batch_size: Any, order: str) -> None:
    """Raise ValueError, naming the argument, for passes over the rows that cannot be."""
    if not isinstance(schedule, Schedule):
        raise ValueError(f"schedule must be a schedule such as schedules.Constant(0.001), got {schedule!r}")
    if not isinstance(epochs, int | np.integer) or epochs < 1:
        raise ValueError(f"epochs must be a whole number of at least 1, got {epochs!r}")
    if batch_size is not None and (not isinstance(batch_size, int | np.integer) or batch_size < 1):
        raise ValueError(f"batch_size must be a whole number of at least 1 (or None for all rows), got {batch_size!r}")
    if order not in ("reshuffle", "once", "given"):
        raise ValueError(f"order {order!r} is not known; accepted: reshuffle, once, given")


def check_averaging(objective: Objective, averaging: Any) -> None:
    """Raise ValueError for what is no average, or none of weights that are exactly 0."""
    if averaging is not None and not isinstance(averaging, Averaging | MovingAverage):
        raise ValueError(f"averaging must be such as Averaging(start=0.75), or None, got {averaging!r}")
    if isinstance(averaging, MovingAverage) and objective.proximal:
        raise ValueError(
            "a moving average (ema) of weights that a proximal L1 penalty makes 0 comes near 0 and is never 0;"
            " average over epochs (swa), or leave out one of the two"
        )


def check_stopping(stopping: Stopping | None, validated: bool, scored: bool) -> None:
    """Raise ValueError for a stopping rule that watches a figure which nobody computes."""
    monitor = stopping.monitor if stopping else "loss"
    if monitor == "validation_loss" and not validated:
        raise ValueError("stopping on validation_loss needs `validation`")
    if monitor == "validation_score" and not scored:
        raise ValueError("stopping on validation_score needs `score`")
