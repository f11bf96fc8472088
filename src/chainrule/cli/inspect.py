"""`chainrule summary`, `check-gradients` and `info`: looking inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import numpy as np

from .. import load
from ..losses import LOSSES, Loss
from ..workbench.asking import Dialect, names_of, target_words
from ..workbench.gradients import GradientReport, check_model, check_new
from ..workbench.installation import installation
from ..workbench.model_facts import facts_of
from . import show, version
from .option_types import SettingType
from .options import show_value

# ---------------------------------------------------------------------------------------------------- summary


@click.command()
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
def summary(model: str, as_json: bool) -> None:
    """Say what MODEL is: network, settings, preprocessing, and how it was trained."""
    fitted = load(model)
    facts = facts_of(fitted)
    if as_json:
        return show.print_json({"command": "summary", "version": version(), "model": model, **facts})
    show.line(f"model: {facts['estimator']} in {model}")
    show.line(f"predicts: {_predicts(facts)}")
    show.line(f"minimises: {facts['loss']}")
    _show_reading(facts["reading"])
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


def _predicts(facts: Mapping[str, Any]) -> str:
    target = "the target" if facts["target"] is None else target_words(facts["target"])
    if len(names_of(facts["target"])) > 1:
        return f"{target}, {'numbers' if facts['classes'] is None else 'each 0 or 1'}"
    if facts["classes"] is None:
        return f"{target}, a number"
    names = list(map(str, facts["classes"]))
    more = f", ... ({len(names)} classes)" if len(names) > show.MOST_LINES else ""
    return f"{target}, one of {', '.join(names[: show.MOST_LINES])}{more}"


def _show_reading(reading: Mapping[str, Any] | None) -> None:
    """Print how the file was read, where that is more than a plain CSV, and the weights."""
    if reading is None:
        return
    dialect = reading["dialect"]
    if dialect is not None and Dialect.from_json(dialect) != Dialect():
        show.line(f"read with: {Dialect.from_json(dialect).words()}")
    written = [form["form"] for form in reading["target_form"] if form["form"]]
    if written:
        show.line(f"target: written like {', '.join(written)}")
    if reading["weights"] is not None:
        show.line(f"weights: {reading['weights']}")


def _show_inputs(model: Any) -> None:
    if model.encoder_ is not None:
        show.line(f"columns: {show.plural(model.network_.inputs, 'input')} from")
        for text in show.first_lines(model.encoder_.describe().splitlines(), "columns"):
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
    rows, seed, tolerance = rest["rows"], rest["seed"], rest["tolerance"]
    if model is not None:
        report = check_model(load(model), rows, seed)
    else:
        sizes = _sizes(ctx, str(layers))
        report = check_new(sizes, rest["activation"], _loss(ctx, rest["loss"], str(layers), sizes[-1]), rows, seed)
    passed = report.worst <= tolerance
    if rest["as_json"]:
        facts = {"layers": report.layer_sizes, "loss": repr(report.loss), "tolerance": tolerance, "passed": passed}
        arrays = [{**vars(row), "worst": row.worst} for row in report.arrays]
        show.print_json({"command": "check-gradients", "version": version(), **facts, "arrays": arrays})
    else:
        _show_check(report)
        show.line(f"{'PASS' if passed else 'FAIL'}: worst relative error {report.worst:.1e}, {tolerance:g} is allowed")
    if not passed:
        ctx.exit(1)


def _sizes(ctx: click.Context, layers: str) -> list[int]:
    sizes = [int(part) if part.strip().isdecimal() else 0 for part in layers.split("-")]
    if len(sizes) < 2 or min(sizes) < 1:
        raise click.UsageError(f"--layers must be at least two whole numbers such as 4-8-3, got {layers!r}", ctx)
    return sizes


def _loss(ctx: click.Context, name: str | None, layers: str, outputs: int) -> Loss:
    chosen = LOSSES[name or ("cross_entropy" if outputs > 1 else "squared_error")]()
    if chosen.targets == "classes" and outputs < 2:
        raise click.UsageError(f"--loss {name} needs at least 2 outputs, --layers {layers} has 1", ctx)
    return chosen


def _show_check(report: GradientReport) -> None:
    sizes, network = "-".join(map(str, report.layer_sizes)), report.network
    show.line(f"network: {sizes}, {show.plural(network.size, 'parameter')}, {report.loss!r}")
    made = show.table("array", "entries", "moved", "gradient error", "Hessian error")
    for row in report.arrays:
        errors = f"{row.gradient_error:.1e}", f"{row.hessian_error:.1e}"
        made.add_row(row.name, f"{row.size:,}", f"{row.checked:,}", *errors)
    show.print_table(made)


# ------------------------------------------------------------------------------------------------------- info


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
def info(as_json: bool) -> None:
    """Say which versions, engines and processors there are."""
    facts = installation()
    if as_json:
        return show.print_json({"command": "info", "version": version(), **facts})
    show.line(f"chainrule: {version()}")
    show.line(f"python: {facts['python']} on {facts['system']}")
    show.line(f"libraries: {', '.join(f'{name} {number}' for name, number in facts['libraries'].items())}")
    show.line(f"engine: {facts['engine']}" + (f" ({facts['missing']})" if facts["missing"] else ""))
    known = ", ".join(facts["instruction_sets"])
    show.line(f"instruction set: {facts['instruction_set']} (of {known})" if known else "instruction set: NumPy's")
    show.line(f"threads: {facts['threads']} of {facts['processors']} processors")
    return None
