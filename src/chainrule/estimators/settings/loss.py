"""The loss's settings: their rows, and the loss and the penalties that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

from ...foundation.values import Choice, Flag, Number, Several, Whole
from ...mathematics.losses import LOSSES, Loss
from ...mathematics.penalties import L1, L2, Penalty
from .row import FRACTION, By, Field, FieldOf, Setting, Settings, With, WithOneOf, fields_for, fields_of, makers

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

ROWS: Mapping[str, Setting] = MappingProxyType(
    {
        "loss": Setting(
            "loss",
            By(MLPClassifier="log_loss", MLPRegressor="squared_error"),
            Choice(("log_loss", *LOSSES), (Loss,)),
            "the function that is minimised",
            refusals=((Several(Whole()), "must be a loss (did you mean hidden_layer_sizes, by its name?)"),),
            makes=makers(LOSSES),
        ),
        "delta": Setting(
            "loss",
            By(MLPRegressor=1.0),
            Number(0, low_open=True),
            "error from which the Huber loss is absolute, no longer squared",
            (FieldOf("loss", {"huber": "delta"}),),
        ),
        "quantile": Setting(
            "loss",
            By(MLPRegressor=0.5),
            Number(0, 1, True, True),
            "the quantile of the quantile loss",
            (FieldOf("loss", {"quantile": "q"}),),
        ),
        "label_smoothing": Setting(
            "loss",
            By(MLPClassifier=0.0),
            FRACTION,
            "share of the target that goes to all classes alike",
            (FieldOf("loss", dict.fromkeys(("cross_entropy", "sigmoid_cross_entropy"), "label_smoothing")),),
            With("loss", ("log_loss", "cross_entropy", "sigmoid_cross_entropy")),
        ),
        "alpha": Setting(
            "loss",
            0.0001,
            Number(0),
            "L2 penalty on the weights, divided by the rows of the batch",
            (Field(L2, "strength"),),
        ),
        "l1": Setting(
            "loss",
            0.0,
            Number(0),
            "L1 penalty on the weights, divided by the rows of the batch",
            (Field(L1, "strength"),),
        ),
        "l1_proximal": Setting(
            "loss",
            False,
            Flag(),
            "l1 as a proximal step, which makes weights exactly 0",
            (Field(L1, "proximal"),),
            WithOneOf(("l1",)),
        ),
    }
)
"""The rows of the loss; `max_norm`, which bounds weights in each step, is a row of step.py."""

FITS: Mapping[str, tuple[str, ...]] = {
    "regression": ("real", "counts"),
    "multiclass": ("real", "binary", "signs", "classes"),
    "binary": ("real", "binary", "signs"),
    "multilabel": ("real", "binary", "signs"),
}
"""The kinds of targets that a loss may have for each task."""


def named(given: str, task: Task | None = None) -> str:
    """Return the row of LOSSES that a name means for a task: itself, unless LOSS_OF_TASK says otherwise."""
    return LOSS_OF_TASK.get(given, {}).get(str(task), given)


def loss(settings: Settings, task: Task) -> Loss:
    """Return the loss for the task.

    Raises ValueError for a loss that does not fit the task.
    """
    given = settings["loss"]
    chosen: Any = given
    if not isinstance(given, Loss):
        name = named(given, task)
        chosen = replace(LOSSES[name](), **fields_of(ROWS, settings, "loss", name))  # type: ignore[type-var]  # dataclasses all
    if settings.get("label_smoothing") and not isinstance(given, Loss) and not _smooths(name):
        raise ValueError(f"label_smoothing is for losses on probabilities, log_loss among them, not for {given!r}")
    if chosen.targets not in FITS[task]:
        fitting = sorted(name for name, kind in LOSSES.items() if kind.targets in FITS[task])
        fitting += ["log_loss"] * (task != "regression")
        raise ValueError(f"loss {given!r} does not fit a {task} target; accepted: {', '.join(fitting)}")
    return chosen  # type: ignore[no-any-return]  # `replace` of a Loss


def _smooths(name: str) -> bool:
    return any(name in became.fields for became in ROWS["label_smoothing"].becomes if isinstance(became, FieldOf))


def penalties(settings: Settings) -> list[Penalty]:
    """Return the penalties with a strength above 0."""
    given: tuple[Penalty, ...] = (
        L2(**fields_for(ROWS, settings, L2), per_sample=True),
        L1(**fields_for(ROWS, settings, L1), per_sample=True),
    )
    return [penalty for penalty in given if penalty.strength > 0]
