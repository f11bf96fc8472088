"""The obstacles of the compiled core: words for everything in a job that it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...foundation.arrays import is_sparse
from ...mathematics.losses import LOSSES, Loss
from ...mathematics.network import Network
from ...mathematics.objective import Objective
from ...optimizers import VERBS as ALL_VERBS
from ...optimizers import Optimizer
from ...steps.augmentation import AUGMENTATIONS
from ...steps.recipe import Recipe
from ..job import Job
from . import core
from .lowering import lower
from .plans import PARTS, loss_name, rule_name

VERBS = frozenset(ALL_VERBS)
"""The verbs of the native engine: all there are."""

BENT = frozenset({"hessian_product", "gauss_newton_product", "jacobian", "pull"})
"""The verbs for which `bent_obstacle` says what the core does not know."""

FLOATS = (np.float32, np.float64)


def obstacle(job: Job) -> str | None:
    """Return why the core cannot do a job, or None."""
    return next(_obstacles(job), None)


def _obstacles(job: Job) -> Iterator[str]:
    """Yield the words for everything that stands in the way, the most basic first."""
    lowered = core.MISSING or lower(job.chain)
    if isinstance(lowered, str):
        yield lowered
        return
    if type(job.chain) is not Network or type(job.objective) not in (type(None), Objective):
        yield "the objective or its network is of a class of its own"
    if job.objective is None:
        if job.dtype not in FLOATS:
            yield f"θ holds {job.dtype} numbers; it must hold float32 or float64"
        return
    yield from _of_rows(job.objective.X, job.dtype)
    if loss_name(job.objective.loss) is None:
        yield f"the loss {job.objective.loss!r} is not of the table"
    if job.optimizer is not None:
        yield from _of_optimizer(job.optimizer, job.chain)
    if any(type(p) not in PARTS or not {*p.kinds} <= {"weight", "bias"} for p in job.objective.penalties):
        yield "a penalty is not of the table, or on other parameters than weights and biases"
    yield from _of_recipe(job.recipe, job.chain)


def _of_rows(X: Any, dtype: Any) -> Iterator[str]:
    if not isinstance(X, np.ndarray):
        yield "X is sparse" if is_sparse(X) else f"X is a {type(X).__name__}, not a NumPy array"
    elif X.dtype not in FLOATS or X.dtype != (X.dtype if dtype is None else dtype):
        yield f"X holds {X.dtype} numbers and θ {dtype or X.dtype}; both must be float32 or both float64"


def bent_obstacle(network: Network) -> str | None:
    """Return why the core has no products, Jacobian or pull of a network that it lowers, or None."""
    lowered = lower(network)
    if isinstance(lowered, str):
        return lowered
    for layer in lowered.layers:
        if "norm" in layer or "slopes" in layer:
            return "the core has no second derivatives of a normalisation or of slopes that are learnt"
    return None


def _of_optimizer(optimizer: Optimizer, network: Network) -> Iterator[str]:
    if optimizer.elementwise:
        if rule_name(optimizer) is None:
            yield f"the update rule {optimizer!r} is not of the table"
    elif missing := sorted(optimizer.needs - VERBS):
        yield f"{type(optimizer).__name__} needs {', '.join(missing)}, which the core does not have"
    elif (asked := sorted(optimizer.needs & BENT)) and (reason := bent_obstacle(network)):
        yield f"{type(optimizer).__name__} needs {', '.join(asked)}, and {reason}"
    elif not optimizer.whole_batch:
        yield f"{type(optimizer).__name__} asks batches of rows, which the core takes in an update rule only"


def _of_recipe(recipe: Recipe, network: Network) -> Iterator[str]:
    if recipe.augmentation and network.transforms:
        yield "an augmentation comes before a transform that is measured on the inputs"
    if any(type(augmentation) not in AUGMENTATIONS.values() for augmentation in recipe.augmentation):
        yield "an augmentation is not of the table"


def known_link(loss: Loss | None) -> str | None:
    """Return the core's name of a loss's link, "identity" without a loss; None for a loss that it does not know."""
    if loss is None:
        return "identity"
    return loss.link if type(loss) in LOSSES.values() else None
