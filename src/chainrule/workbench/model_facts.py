"""The facts of a fitted model, as plain values: network, columns, settings, training."""

from __future__ import annotations

from typing import Any, NamedTuple

from sklearn.base import is_classifier

from ..mathematics.network import Network
from ..tables.reading.options import Dialect
from ..tables.source import Name, Source
from ..tables.targets import TargetForm


def facts_of(model: Any) -> dict[str, Any]:
    """Return the facts of a fitted estimator; `changed` names the settings that differ from the defaults."""
    task = task_of(model)
    network, defaults = model.network_, type(model)().get_params(deep=False)
    settings = {name: value for name, value in model.get_params(deep=False).items() if name != "callbacks"}
    columns = [] if model.encoder_ is None else model.encoder_.columns_
    return {
        "estimator": type(model).__name__,
        "task": task,
        "target": target_of(model),
        "reading": getattr(model, "reading_", None),
        "classes": model.classes_.tolist() if task == "classification" else None,
        "loss": repr(model.loss_function_),
        "network": {
            "inputs": network.inputs,
            "outputs": network.outputs,
            "parameters": network.size,
            "blocks": _blocks(network),
        },
        "columns": [{"name": c.name, "inputs": len(c.inputs), "becomes": c.describe()} for c in columns],
        "settings": settings,
        "changed": [name for name, value in settings.items() if value != defaults[name]],
        "training": {
            "epochs": model.n_iter_,
            "stop_reason": model.stop_reason_,
            "loss_curve": model.loss_curve_,
            "validation_scores": model.validation_scores_,
        },
    }


def task_of(model: Any) -> str:
    """Return the task of a fitted estimator: "classification" or "regression"."""
    return "classification" if is_classifier(model) else "regression"


def target_of(model: Any) -> Name:
    """Return the name of the target that a model was trained on, or those of several; None where nobody named it."""
    name: Any = getattr(model, "target_name_", None)
    return tuple(name) if isinstance(name, list | tuple) else name


class Reading(NamedTuple):
    """How the file of a training was read: its dialect, the form of each target column, the column of weights."""

    dialect: Dialect | None = None
    forms: tuple[TargetForm, ...] = ()
    weights: str | None = None


def remember_source(model: Any, source: Source) -> None:
    """Let a fitted estimator know its target's name and how its file was read; a model file keeps both."""
    model.target_name_ = list(source.target) if isinstance(source.target, tuple) else source.target
    if source.forms:
        model.reading_ = {
            "dialect": None if source.dialect is None else source.dialect.to_json(),
            "target_form": [form._asdict() for form in source.forms],
            "weights": source.weights_name,
        }


def reading_of(model: Any) -> Reading:
    """Return how the file of a model's training was read; nothing is known of models of 0.1."""
    entry = getattr(model, "reading_", None) or {}
    dialect = entry.get("dialect")
    forms = tuple(TargetForm(**form) for form in entry.get("target_form", ()))
    return Reading(None if dialect is None else Dialect.from_json(dialect), forms, entry.get("weights"))


def _blocks(network: Network) -> list[dict[str, Any]]:
    counts = [0] * len(network.blocks)
    for slot in network.slots:
        counts[slot.block] += slot.stop - slot.start
    names = [f"{type(block).__name__} {block.name}".strip() for block in network.blocks]
    rows = zip(names, network.widths[1:], counts, strict=True)
    return [{"block": name, "outputs": width, "parameters": count} for name, width, count in rows]
