"""The facts of a fitted model, as plain values: network, columns, settings, training."""

from __future__ import annotations

from typing import Any

from sklearn.base import is_classifier

from ..mathematics.network import Network


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


def target_of(model: Any) -> str | None:
    """Return the name of the target that a model was trained on, None where nobody named it."""
    name: str | None = getattr(model, "target_name_", None)
    return name


def _blocks(network: Network) -> list[dict[str, Any]]:
    counts = [0] * len(network.blocks)
    for slot in network.slots:
        counts[slot.block] += slot.stop - slot.start
    names = [f"{type(block).__name__} {block.name}".strip() for block in network.blocks]
    rows = zip(names, network.widths[1:], counts, strict=True)
    return [{"block": name, "outputs": width, "parameters": count} for name, width, count in rows]
