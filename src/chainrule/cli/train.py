"""`chainrule train`: from a file to a tested, saved network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from .. import save
from ..estimators.settings.table import SETTINGS
from ..loop.loggers import logger_for
from ..workbench.data import Data
from ..workbench.trial import Trial
from . import show, version
from .data_options import data_options
from .option_types import as_options
from .options import TrainCommand, given_settings, training_options
from .planning import PlannedTraining, in_options, planned_training
from .written_files import check_files


@click.command(
    cls=TrainCommand,
    params=training_options(),
    epilog="Example: chainrule train digits --out digits.safetensors",
    context_settings={"max_content_width": 100},
)
@click.argument("source")
@data_options
@click.option("--out", metavar="FILE", help="save the model here, such as model.safetensors")
@click.option("--log", metavar="PATH", help="write each epoch to a .csv or .jsonl file, or for TensorBoard to a folder")
@click.option("--statistics", is_flag=True, help="show each block's outputs and gradients after the last epoch")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
@click.option("--quiet", is_flag=True, help="print nothing but the test scores, on one line")
@click.pass_context
def train(ctx: click.Context, /, source: str, out: str | None, test: str | None, **rest: Any) -> None:
    """Train a network on SOURCE, test it on rows it has not seen, and save it.

    SOURCE is a table: a text file (.csv, .tsv, .txt, ..., also .gz or .zst), Parquet, JSON lines, Arrow, Excel, a
    database (--table or --query), several files ('part-*.parquet'), or - for standard input. Or it is an .npz file,
    MNIST's idx files or their folder, or the word digits for a data set that is always there.

    chainrule look SOURCE shows how a table is read.
    """
    given = given_settings(ctx)
    logger = None if rest["log"] is None else logger_for(rest["log"])
    check_files(
        {"--out": out, "--checkpoint": given.get("checkpoint"), "--log": logger.path if logger else None}, source, test
    )
    planned = planned_training(ctx, source, test, rest["test_fraction"])
    trial = planned.trial
    telling = not (rest["as_json"] or rest["quiet"])
    if telling:
        planned.announce()
    bar = show.Bar(planned.settings["max_iter"], trial.score_name, shown=not rest["quiet"])
    with bar.progress, in_options():
        trial.run([bar, *([] if logger is None else [logger])], rest["statistics"])
    if out is not None:
        save(trial.model, out)
    scores = trial.scores()
    notes = [as_options(text) for text in trial.notes]
    if rest["as_json"]:
        return show.print_json(_report(planned, notes, scores, out, rest["statistics"]))
    if telling:
        _tell_end(trial, notes)
    if scores is not None:
        show.line(show.score_line(scores))
    if telling:
        show.show_scores(scores or {})
        _tell_file(out, trial.data)
    return None


def _tell_file(out: str | None, data: Data) -> None:
    if out is None:
        show.line("not saved; --out model.safetensors keeps the model")
        return
    new = "NEW.csv" if data.is_table else "digits" if data.source.name == "digits" else "NEW"
    show.line(f"saved: {out}; to predict with it: chainrule predict {out} {new} --out predictions.csv")


def _tell_end(trial: Trial, notes: Sequence[str]) -> None:
    """Print the end of the training: epochs, loss, validation score, notes."""
    model, best = trial.model, trial.model.best_validation_score_
    epochs = show.plural(model.n_iter_, "epoch")
    ending = show.ENDINGS.get(model.stop_reason_, model.stop_reason_)
    show.line(f"trained: {epochs} in {trial.seconds:.1f} s, {ending}; loss {show.number(model.loss_)}")
    if best is not None:
        show.line(f"validation {trial.score_name}: {best:.4f}, the best of all epochs")
    if trial.blocks:
        show.show_statistics(trial.blocks)
        if trial.figures:
            figures = (f"{name} {show.brief_number(value)}" for name, value in trial.figures.items())
            show.line(f"the solver's last step: {', '.join(figures)}")
    for text in notes:
        show.note(text)


def _report(
    planned: PlannedTraining,
    notes: Sequence[str],
    scores: Mapping[str, Any] | None,
    out: str | None,
    statistics: bool,
) -> dict[str, Any]:
    """Return everything as one JSON object."""
    trial, data, model = planned.trial, planned.trial.data, planned.trial.model
    inputs, *hidden, outputs = trial.layer_sizes
    dialect = data.source.dialect
    return {
        "command": "train",
        "version": version(),
        "source": {"name": data.source.name, "target": data.source.target, "rows": len(data.source.X)}
        | {"weights": data.source.weights_name, "dialect": dialect and dialect.to_json()},
        "task": data.task,
        "why": data.why,
        "rows": {"train": len(data.train), "test": 0 if data.test is None else len(data.test)},
        "tested_on": data.tested_on,
        "network": {"inputs": inputs, "hidden_layer_sizes": hidden}
        | {"outputs": outputs, "parameters": model.network_.size},
        "settings": {name: planned.settings[name] for name in SETTINGS if name in planned.settings},
        "training": {
            "epochs": model.n_iter_,
            "seconds": trial.seconds,
            "stop_reason": model.stop_reason_,
            "loss": model.loss_,
            "best_validation_score": model.best_validation_score_,
        },
        **({"statistics": [asdict(block) for block in trial.blocks]} if statistics else {}),
        **({"figures": trial.figures} if statistics else {}),
        "test": scores,
        "model": out,
        "notes": [*planned.remarks, *notes],
    }
