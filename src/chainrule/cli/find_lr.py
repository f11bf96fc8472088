"""`chainrule find-lr`: a learning rate for a data set, found by a short training.

It reads the same data and builds the same network as `chainrule train` with the same options.
"""

from __future__ import annotations

import shlex
from typing import Any

import click
import numpy as np

from ..estimators.settings.optimizer import SCHEDULED
from ..estimators.settings.table import SETTINGS
from ..loop.range_test import BELOW, RangeTest
from . import show, version
from .data_options import data_options
from .object_texts import without_rate
from .option_types import as_options, option
from .options import TrainCommand, given_settings, is_given, show_value, training_options
from .pictures import empty_figure
from .planning import in_options, planned_training
from .written_files import check_not_read, check_writable

OWN = ("low", "high", "steps", "plot", "as_json")
"""Options that `chainrule train` does not have."""

RATE = click.FloatRange(0, 1e6, min_open=True)

FOUND = "learning_rate_init"
"""The setting that is looked for."""

TABLE_LINES = 16
"""Lines of the table."""


class FindCommand(TrainCommand):
    """A command whose help shows its own options first, then those of train."""

    first = ("target", "low", "high", "steps", "plot", "solver", "hidden_layer_sizes", "batch_size", "random_state")


def _options() -> list[click.Option]:
    """Return the options of train, the solver's with the names that this command takes."""
    options = training_options()
    for solver in options:
        if solver.name == "solver":
            solver.help = f"update rule: {', '.join(SCHEDULED.values)}  [{SETTINGS['solver'].default}]"
    return options


@click.command(
    "find-lr",
    cls=FindCommand,
    params=_options(),
    epilog="Example: chainrule find-lr digits --solver sgd --plot rates.png",
    context_settings={"max_content_width": 100},
)
@click.argument("source")
@data_options
@click.option("--low", type=RATE, default=1e-7, metavar="NUMBER", help="the first learning rate  [1e-07]")
@click.option("--high", type=RATE, default=10.0, metavar="NUMBER", help="the last learning rate  [10]")
@click.option("--steps", type=click.IntRange(10), default=100, metavar="N", help="how many steps  [100]")
@click.option("--plot", metavar="FILE", help="draw the loss over the learning rate, such as rates.png")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
@click.pass_context
def find_lr(ctx: click.Context, /, source: str, test: str | None, **rest: Any) -> None:
    """Find a learning rate for SOURCE: one short training whose rate rises from far too low to far too high.

    The suggestion is a tenth of the rate at which the loss was lowest. SOURCE and the options are those of
    chainrule train, so that its command line can be taken over; those of the schedule and of stopping play no part.
    The exit code is 1 where the loss never fell.
    """
    plot = rest["plot"]
    _check(ctx, given_settings(ctx).get("solver", "adam"), rest["low"], rest["high"])
    if plot is not None:
        check_writable("--plot", plot)
        check_not_read("--plot", plot, source, test)
    figure = None if plot is None else empty_figure(plot, (7, 4))
    planned = planned_training(ctx, source, test, rest["test_fraction"], validate=False)
    if not rest["as_json"]:
        planned.announce()
    with in_options():
        found, notes = planned.trial.range_test(rest["low"], rest["high"], rest["steps"])
    notes = [as_options(text) for text in notes]
    command = None if found.suggestion is None else _command(ctx, found.suggestion)
    if rest["as_json"]:
        notes = [*planned.remarks, *notes]
        show.print_json({"command": "find-lr", "version": version(), **_facts(found), "train": command, "notes": notes})
    else:
        for text in notes:
            show.note(text)
        _show(found, command)
    if figure is not None:
        _draw(figure, found, plot)
        if not rest["as_json"]:
            show.line(f"drawn: {plot}")
    if command is None:
        ctx.exit(1)


def _check(ctx: click.Context, solver: Any, low: float, high: float) -> None:
    """Raise click.UsageError for a test that cannot be made."""
    if not SCHEDULED.holds({"solver": solver}):
        known = ", ".join(SCHEDULED.values)
        raise click.UsageError(f"--solver {show_value(solver)} follows no learning rate; accepted: {known}", ctx)
    if not low < high:
        raise click.UsageError(f"--low must be below --high; got {low:g} and {high:g}", ctx)


def _facts(found: RangeTest) -> dict[str, Any]:
    """Return everything as plain values."""
    curves = {"rates": found.rates, "losses": found.losses, "smoothed": found.smoothed}
    lowest = float(found.rates[found.lowest])
    return {**curves, "lowest_at": lowest, "rose": found.rose, "suggestion": found.suggestion}


def _command(ctx: click.Context, rate: float) -> str:
    """Return the command line that trains with a learning rate, with the options that were given here."""
    words = ["chainrule", "train", ctx.params["source"]]
    for parameter in ctx.command.params:
        name = str(parameter.name)
        if isinstance(parameter, click.Option) and is_given(ctx, name) and name not in (*OWN, FOUND):
            words += _words(parameter, without_rate(ctx.params[name]))
    return shlex.join([*words, option(FOUND), f"{rate:.2g}"])


def _words(parameter: click.Option, value: Any) -> list[str]:
    """Return an option as one would type it: a flag, or a value, or each of several."""
    if parameter.is_flag:
        return [parameter.opts[0] if value else "".join(parameter.secondary_opts)]
    values = value if parameter.multiple else [show_value(value)]
    return [word for given in values for word in (parameter.opts[0], given)]


def _show(found: RangeTest, command: str | None) -> None:
    """Print the table of rates and losses, and the suggestion with the command to use it."""
    made = show.table("learning rate", "loss", "")
    last = len(found.rates) - 1
    for k in sorted({*np.linspace(0, last, TABLE_LINES).round().astype(int).tolist(), found.lowest}):
        made.add_row(f"{found.rates[k]:.2g}", show.number(found.smoothed[k]), "lowest" if k == found.lowest else "")
    show.print_table(made)
    if found.suggestion is None:
        show.line(f"suggestion: none, the loss never fell between {found.rates[0]:.2g} and {found.rates[-1]:.2g}")
        return
    if not found.rose:
        show.note(f"the loss was still falling at {found.rates[-1]:.2g}; try a higher --high")
    why = f"1/{BELOW:g} of {found.rates[found.lowest]:.2g}, where the loss was lowest"
    show.line(f"suggestion: {found.suggestion:.2g}, {why}")
    show.line(f"to use it: {command}")


def _draw(figure: Any, found: RangeTest, path: str) -> None:
    """Draw the loss over the learning rate, with the lowest loss and the suggestion."""
    axes = figure.add_subplot()
    axes.semilogx(found.rates, found.losses, color="tab:blue", alpha=0.35, linewidth=1, label="loss of each batch")
    axes.semilogx(found.rates, found.smoothed, color="tab:blue", linewidth=2, label="smoothed")
    axes.plot(found.rates[found.lowest], found.smoothed[found.lowest], "o", color="tab:red", label="lowest")
    if found.suggestion is not None:
        label = f"suggestion {found.suggestion:.2g}"
        axes.axvline(found.suggestion, color="tab:green", linestyle="--", label=label)
    low, high = float(found.losses.min()), float(found.losses[: found.lowest + 1].max())
    room = 0.1 * (high - low) or 1.0
    axes.set_ylim(low - room, high + 2 * room)  # where the loss blows up, it leaves the picture
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.savefig(path)
