"""From the settings of the loss to its parts: the loss and the penalties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from ...mathematics.losses import LOSSES, Loss
from ...mathematics.penalties import L1, L2, Penalty
from .network import Settings

Task = Literal["binary", "multiclass", "multilabel", "regression"]


LOSS_OF_TASK: Mapping[str, Mapping[str, str]] = {
    "log_loss": {
        "binary": "sigmoid_cross_entropy",
        "multiclass": "cross_entropy",
        "multilabel": "sigmoid_cross_entropy",
        "regression": "cross_entropy",  # which `loss` refuses
    },
    "hinge": {"multiclass": "multiclass_hinge"},
    "squared_hinge": {"multiclass": "squared_multiclass_hinge"},
}
"""Names that mean another loss for some tasks; every other name means itself."""


FIELD_OF_LOSS = {"delta": "delta", "quantile": "q", "label_smoothing": "label_smoothing"}
"""Settings, and the fields of losses that they set."""


def loss(settings: Settings, task: Task) -> Loss:
    """Return the loss for the task.

    Raises ValueError for a loss that does not fit the task.
    """
    given = settings["loss"]
    chosen = given if isinstance(given, Loss) else LOSSES[LOSS_OF_TASK.get(given, {}).get(task, given)]()
    if not isinstance(given, Loss):
        taken = ((name, field) for name, field in FIELD_OF_LOSS.items() if hasattr(chosen, field) and name in settings)
        chosen = replace(chosen, **{field: float(settings[name]) for name, field in taken})  # type: ignore[type-var]
    if settings.get("label_smoothing") and not hasattr(chosen, "label_smoothing"):
        raise ValueError(f"label_smoothing is for losses on probabilities, log_loss among them, not for {given!r}")
    fits = {"regression": ("real", "counts"), "multiclass": ("real", "binary", "signs", "classes")}
    accepted = fits.get(task, ("real", "binary", "signs"))
    if chosen.targets not in accepted:
        fitting = sorted(name for name, kind in LOSSES.items() if kind.targets in accepted)
        fitting += ["log_loss"] * (task != "regression")
        raise ValueError(f"loss {given!r} does not fit a {task} target; accepted: {', '.join(fitting)}")
    return chosen


def penalties(settings: Settings) -> list[Penalty]:
    """Return the penalties with a strength above 0."""
    given: tuple[Penalty, ...] = (
        L2(float(settings["alpha"]), per_sample=True),
        L1(float(settings["l1"]), per_sample=True, proximal=bool(settings["l1_proximal"])),
    )
    return [penalty for penalty in given if penalty.strength > 0]
