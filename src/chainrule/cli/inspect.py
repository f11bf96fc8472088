"""`chainrule summary`, `check-gradients` and `info`: looking inside."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..engines import report as engine_report
from ..estimators.loading import load as load_model
from ..estimators.settings import loss as loss_settings
from ..estimators.settings import network as assembly
from ..foundation.randomness import Stream
from ..inspection.gradient_check import ArrayCheck
from ..inspection.gradient_check import check_gradients as check
from ..mathematics.losses import LOSSES, Loss
from ..mathematics.network import Network
from ..mathematics.objective import Objective
from ..mathematics.penalties import Penalty
from . import show, version
from .option_types import SettingType
from .options import SIGNATURES, show_value

LIBRARIES = ("numpy", "scipy", "scikit-learn", "polars", "narwhals", "safetensors", "click", "rich")

# ---------------------------------------------------------------------------------------------------- summary


@click.command()
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
def summary(model: str, as_json: bool) -> None:
    """Say what MODEL is: network, settings, preprocessing, and how it was trained."""
    fitted = load_model(model)
    facts = _facts(fitted)
    if as_json:
        return show.as_json({"command": "summary", "version": version(), "model": model, **facts})
    show.line(f"model: {facts['estimator']} in {model}")
    show.line(f"predicts: {_predicts(facts)}")
    show.line(f"minimises: {facts['loss']}")
    _show_inputs(fitted)
    _show_training(facts["training"])
    if facts["changed"]:
        show.line("settings that differ from the estimator's defaults:", "bold")
        wide = max(map(len, facts["changed"]))
        for name in facts["changed"]:
            show.line(f"  {name:{wide}}  {show_value(facts['settings'][name])}", "dim")
    show.line("network:", "bold")
    click.echo(fitted.network_.summary())
    return None


def _facts(model: Any) -> dict[str, Any]:
    """Return what is to be said about a fitted estimator, as plain values."""
    classes = getattr(model, "classes_", None)
    task = "regression" if classes is None else "classification"
    own, network = SIGNATURES[task], model.network_
    settings = {name: value for name, value in model.get_params(deep=False).items() if name != "callbacks"}
    columns = [] if model.encoder_ is None else model.encoder_.columns_
    return {
        "estimator": type(model).__name__,
        "task": task,
        "target": getattr(model, "target_name_", None),
        "classes": None if classes is None else classes.tolist(),
        "loss": repr(model.loss_function_),
        "network": {
            "inputs": network.inputs,
            "outputs": network.outputs,
            "parameters": network.size,
            "blocks": _blocks(network),
        },
        "columns": [{"name": c.name, "inputs": len(c.outputs), "becomes": c.describe()} for c in columns],
        "settings": settings,
        "changed": [name for name, value in settings.items() if value != own[name]],
        "training": {
            "epochs": model.n_iter_,
            "stop_reason": model.stop_reason_,
            "loss_curve": model.loss_curve_,
            "validation_scores": model.validation_scores_,
        },
    }


def _blocks(network: Network) -> list[dict[str, Any]]:
    counts = [0] * len(network.blocks)
    for slot in network.slots:
        counts[slot.block] += slot.stop - slot.start
    names = [" ".join([type(block).__name__, getattr(block, "name", "")]).strip() for block in network.blocks]
    rows = zip(names, network.widths[1:], counts, strict=True)
    return [{"block": name, "outputs": width, "parameters": count} for name, width, count in rows]


def _predicts(facts: Mapping[str, Any]) -> str:
    target = "the target" if facts["target"] is None else repr(facts["target"])
    if facts["classes"] is None:
        return f"{target}, a number"
    names = list(map(str, facts["classes"]))
    more = f", ... ({len(names)} classes)" if len(names) > show.MOST_LINES else ""
    return f"{target}, one of {', '.join(names[: show.MOST_LINES])}{more}"


def _show_inputs(model: Any) -> None:
    if model.encoder_ is not None:
        show.line(f"columns: {show.plural(model.network_.inputs, 'input')} from")
        for text in show.shortened(model.encoder_.describe().splitlines(), "columns"):
            show.line(f"  {text}", "dim")
    else:
        scale = "" if model.input_scale == 1 else f", multiplied by {model.input_scale:.6g}"
        show.line(f"inputs: {model.network_.inputs}{scale}")


def _show_training(training: Mapping[str, Any]) -> None:
    losses, scores = training["loss_curve"], training["validation_scores"]
    ending = show.ENDINGS.get(training["stop_reason"], training["stop_reason"])
    show.line(f"trained: {show.plural(training['epochs'], 'epoch')}, {ending}")
    if losses:
        show.line(f"loss: {show.number(losses[0])} in the first epoch, {show.number(losses[-1])} in the last")
    if scores:
        best = int(np.nanargmax(scores))
        show.line(f"validation score: {scores[best]:.4f} at best, in epoch {best + 1}")


# -------------------------------------------------------------------------------------------- check-gradients


@click.command(epilog="Example: chainrule check-gradients --layers 4-8-3 --activation tanh")
@click.argument("model", required=False)
@click.option("--layers", metavar="N-N-...", help="instead of MODEL: inputs, hidden layers and outputs, such as 4-8-3")
@click.option(
    "--activation", type=SettingType("activation"), default="tanh", metavar="NAME", help="with --layers [tanh]"
)
@click.option("--loss", type=click.Choice(list(LOSSES)), metavar="NAME", help="with --layers [cross_entropy]")
@click.option("--rows", type=click.IntRange(1), default=8, metavar="N", help="rows of random data [8]")
@click.option("--seed", type=click.IntRange(0), default=0, metavar="N", help="seed of the random data [0]")
@click.option("--tolerance", type=float, default=1e-6, metavar="NUMBER", help="largest relative error to pass [1e-06]")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
@click.pass_context
def check_gradients(ctx: click.Context, /, model: str | None, layers: str | None, **rest: Any) -> None:
    """Compare gradients and Hessian products with finite differences, on random data, in float64.

    The network is that of MODEL with its loss, its penalties and weights near its own (units that never fire may
    sit exactly on a kink, where there is no derivative), or a new one of --layers. The exit code is 1 where an error
    is larger than --tolerance.
    """
    if (model is None) == (layers is None):
        raise click.UsageError("give a MODEL or --layers, such as --layers 4-8-3", ctx)
    if model is not None:
        fitted = load_model(model)
        network, loss = fitted.network_, fitted.loss_function_
        theta = _near(fitted.theta_, rest["seed"], network.mask("statistic"))
        penalties = loss_settings.penalties(fitted.get_params(deep=False))
    else:
        network, loss = _fresh(ctx, str(layers), rest["activation"], rest["loss"])
        theta, penalties = network.initialize(rest["seed"]).astype(np.float64), []
    rows = check(_on_random_data(network, loss, penalties, rest["rows"], rest["seed"]), theta, seed=rest["seed"])
    worst = max(row.worst for row in rows)
    passed = worst <= rest["tolerance"]
    if rest["as_json"]:
        facts = {"layers": _sizes(network), "loss": repr(loss), "tolerance": rest["tolerance"], "passed": passed}
        arrays = [{**vars(row), "worst": row.worst} for row in rows]
        show.as_json({"command": "check-gradients", "version": version(), **facts, "arrays": arrays})
    else:
        _show_check(rows, network, loss)
        show.line(f"{'PASS' if passed else 'FAIL'}: worst relative error {worst:.1e}, {rest['tolerance']:g} is allowed")
    if not passed:
        ctx.exit(1)


def _fresh(ctx: click.Context, layers: str, activation: Any, loss: str | None) -> tuple[Network, Loss]:
    sizes = [int(part) if part.strip().isdecimal() else 0 for part in layers.split("-")]
    if len(sizes) < 2 or min(sizes) < 1:
        raise click.UsageError(f"--layers must be at least two whole numbers such as 4-8-3, got {layers!r}", ctx)
    chosen_here = {"hidden_layer_sizes": sizes[1:-1], "activation": activation, "bias_initializer": "normal"}
    network = assembly.network({**SIGNATURES["classification"], **chosen_here}, sizes[0], sizes[-1])
    chosen = LOSSES[loss or ("cross_entropy" if sizes[-1] > 1 else "squared_error")]()
    if chosen.targets == "classes" and sizes[-1] < 2:
        raise click.UsageError(f"--loss {loss} needs at least 2 outputs, --layers {layers} has 1", ctx)
    return network, chosen


def _near(theta: NDArray[np.floating], seed: int, still: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return θ, each entry moved by about 0.01, but those that stand still."""
    return theta.astype(np.float64) + 0.01 * Stream(seed, "noise", step=3).normal(theta.size) * ~still


def _on_random_data(network: Network, loss: Loss, penalties: list[Penalty], rows: int, seed: int) -> Objective:
    """Return an objective on standard normal inputs and targets of the loss's kind."""
    X = Stream(seed, "noise", step=1).normal(rows * network.inputs).reshape(rows, network.inputs)
    y = Stream(seed, "noise", step=2).normal(rows * network.outputs).reshape(rows, network.outputs)
    kinds: Mapping[str, Any] = {
        "real": y,
        "counts": np.floor(np.abs(2 * y)),
        "binary": (y > 0).astype(float),
        "signs": np.where(y > 0, 1.0, -1.0),
        "classes": y.argmax(axis=1),
    }
    return Objective(network, loss, X, kinds[loss.targets], penalties=penalties)


def _show_check(rows: list[ArrayCheck], network: Network, loss: Loss) -> None:
    show.line(f"network: {'-'.join(map(str, _sizes(network)))}, {show.plural(network.size, 'parameter')}, {loss!r}")
    made = show.table("array", "entries", "moved", "gradient error", "Hessian error")
    for row in rows:
        errors = f"{row.gradient_error:.1e}", f"{row.hessian_error:.1e}"
        made.add_row(row.name, f"{row.size:,}", f"{row.checked:,}", *errors)
    show.print_table(made)


def _sizes(network: Network) -> list[int]:
    return [network.inputs, *(slot.spec.shape[-1] for slot in network.slots if slot.spec.kind == "weight")]


# ------------------------------------------------------------------------------------------------------- info


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
def info(as_json: bool) -> None:
    """Say which versions, engines and processors there are."""
    libraries = {name: metadata.version(name) for name in LIBRARIES}
    engines = engine_report()
    facts = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    if as_json:
        return show.as_json({"command": "info", "version": version(), **facts, "libraries": libraries, **engines})
    show.line(f"chainrule: {version()}")
    show.line(f"python: {facts['python']} on {facts['system']}")
    show.line(f"libraries: {', '.join(f'{name} {number}' for name, number in libraries.items())}")
    show.line(f"engine: {engines['engine']}" + (f" ({engines['missing']})" if engines["missing"] else ""))
    known = ", ".join(engines["instruction_sets"])
    show.line(f"instruction set: {engines['instruction_set']} (of {known})" if known else "instruction set: NumPy's")
    show.line(f"threads: {engines['threads']} of {engines['processors']} processors")
    return None
