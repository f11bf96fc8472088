"""`chainrule race`: solvers side by side on a data set, from the same start, each with the same seconds.

It reads the same data and builds the same network as `chainrule train` with the same options.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ..estimators.presets import DEFAULTS, Facts
from ..loop.race import Race
from ..workbench.race import facts, row, verdict
from . import show, version
from .data_options import data_options
from .object_texts import parts_of
from .option_types import SettingType, as_options
from .options import TrainCommand, given_settings, training_options
from .pictures import empty_figure
from .planning import PlannedTraining, in_options, planned_training
from .written_files import check_not_read, check_writable

RATE = "learning_rate_init"
LEFT_OUT = ("solver", "early_stopping", "max_iter", "time_limit", "checkpoint", "checkpoint_every")
"""Options of train that a race has its own of, or none."""


class RaceCommand(TrainCommand):
    """A command whose help shows its own options first, then those of train."""

    first = ("target", "solvers", "seconds", "goal", "plot", "hidden_layer_sizes", "batch_size", "random_state")


@click.command(
    "race",
    cls=RaceCommand,
    params=[made for made in training_options() if made.name not in LEFT_OUT],
    epilog="Example: chainrule race digits --solvers adam,lbfgs,lm:damping=0.01 --seconds 5 --plot race.png",
    context_settings={"max_content_width": 100},
)
@click.argument("source")
@data_options
@click.option(
    "--solvers",
    default="adam,lbfgs,hessian_free",
    metavar="NAME[:FIELD=VALUE],...",
    help="who races  [adam,lbfgs,hessian_free]",
)
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=10.0, metavar="NUMBER", help="each  [10]")
@click.option("--goal", type=float, metavar="NUMBER", help="loss whose time is told  [1 % of the start above the best]")
@click.option("--plot", metavar="FILE", help="draw the loss over seconds and over passes, such as race.png")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
@click.pass_context
def race(ctx: click.Context, /, source: str, test: str | None, **rest: Any) -> None:
    """Train the same network on SOURCE with each solver, so many seconds each, and tell how far each came.

    A pass is the work of one gradient: all rows forward and back. The loss is that of all training rows at the end;
    the score is that of validation rows, which nobody trains on. Learning rates are constant. The exit code is 1
    where no solver came to an end.
    """
    solvers, plot = _solvers(ctx, rest["solvers"]), rest["plot"]
    if plot is not None:
        check_writable("--plot", plot)
        check_not_read("--plot", plot, source, test)
    figure = None if plot is None else empty_figure(plot, (11, 4.2))
    planned = planned_training(ctx, source, test, rest["test_fraction"], validate=False)
    telling = not rest["as_json"]
    if telling:
        planned.announce()
    own = {name: _own(ctx, planned, solver) for name, solver in solvers.items()}
    with in_options():
        found, notes = planned.trial.race(own, seconds=rest["seconds"], goal=rest["goal"])
    notes = [as_options(text) for text in notes]
    if telling:
        for text in notes:
            show.note(text)
        _show(found, planned.trial.score_name)
    else:
        report = {"command": "race", "version": version(), "source": planned.trial.data.source.name, **facts(found)}
        show.print_json({**report, "notes": [*planned.remarks, *notes]})
    if figure is not None:
        _draw(figure, found, plot)
        if telling:
            show.line(f"drawn: {plot}")
    if found.winner is None:
        ctx.exit(1)


def _solvers(ctx: click.Context, text: str) -> dict[str, Any]:
    """Return the solvers by their texts; click.UsageError for one that is not known."""
    kind = SettingType("solver")
    names = [name.strip() for name in parts_of(text) if name.strip()]
    if not names:
        raise click.UsageError("--solvers names nobody", ctx)
    try:
        return {name: kind.convert(name, None, ctx) for name in names}
    except click.UsageError as error:
        raise click.UsageError(error.message.replace("--solver", "--solvers", 1), ctx) from None


def _own(ctx: click.Context, planned: PlannedTraining, solver: Any) -> Mapping[str, Any]:
    """Return the settings of a solver: itself, its learning rate, and its batches, as train would have them.

    It ends by itself only where it can go no farther, unless --tol says more.
    """
    given, data = given_settings(ctx), planned.trial.data
    known = Facts(len(data.train), data.standardise, solver=solver)
    presets = {name: DEFAULTS[name].of(known) for name in (RATE, "batch_size") if name not in given}
    return {"solver": solver, **presets, **({} if "tol" in given else {"tol": 0.0})}


def _show(found: Race, score: str) -> None:
    """Print the table, what was refused, and the winner."""
    made = show.table("solver", "loss", score, "epochs", "passes", "seconds", "to goal", "ended")
    for line in (row(found, course) for course in found.courses):
        goal = "-" if line["to_goal"] is None else f"{line['to_goal']:.2f}"
        counts = (f"{line['epochs']:,}", f"{line['passes']:,.0f}", f"{line['seconds']:.2f}")
        validated = "-" if line["score"] is None else f"{line['score']:.4f}"
        made.add_row(line["solver"], show.brief_number(line["loss"]), validated, *counts, goal, line["ended"])
    show.print_table(made, least=80 + max(len(course.name) for course in found.courses) + len(score))
    for course in found.courses:
        if course.loss is None:
            show.note(f"{course.name}: {course.message}")
    show.line(f"goal: loss {show.brief_number(found.goal)}; the start had {show.brief_number(found.start)}")
    show.line(verdict(found))


def _draw(figure: Any, found: Race, path: str) -> None:
    """Draw the loss of each solver over the seconds, and over the passes."""
    left, right = figure.subplots(1, 2, sharey=True)
    for course in found.courses:
        if course.reason == "refused":
            continue
        label = course.name + (", the winner" if course is found.winner else "")
        wide = 2.4 if course is found.winner else 1.6
        for axes, places in ((left, course.seconds), (right, course.passes)):
            axes.plot(places, course.losses, linewidth=wide, label=label)
    for axes, words in ((left, "seconds"), (right, "passes over the data")):
        axes.axhline(found.goal, color="0.6", linestyle=":", linewidth=1)
        axes.set_xscale("symlog", linthresh=0.05 if axes is left else 1)
        axes.set_xlim(left=0)
        axes.set_xlabel(words)
        axes.grid(alpha=0.25)
    if min(float(course.losses.min()) for course in found.courses) > 0:
        left.set_yscale("log")
    left.set_ylabel("loss")
    right.legend(frameon=False)
    figure.savefig(path)
