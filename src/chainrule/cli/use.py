"""`chainrule predict` and `chainrule evaluate`: a saved model on new data, read piece by piece."""

from __future__ import annotations

from typing import Any

import click

from .. import load
from ..workbench.asking import target_words
from ..workbench.model_facts import target_of, task_of
from ..workbench.predictions import evaluated, new_rows, predictions
from ..workbench.writing import Writer
from . import show, version
from .data_options import ReadingCommand, asked_of, reading_options, target_option
from .written_files import check_not_read


@click.command(cls=ReadingCommand, epilog="Example: chainrule predict model.safetensors new.csv --out predictions.csv")
@click.argument("model")
@click.argument("new")
@click.option("--out", metavar="FILE", help="write a .csv, .csv.gz or .parquet file; without it CSV goes to stdout")
@click.option("--json", "as_json", is_flag=True, help="say as one JSON object what was written (needs --out)")
@reading_options
@click.pass_context
def predict(ctx: click.Context, /, model: str, new: str, out: str | None, as_json: bool, **reading: Any) -> None:
    """Predict with MODEL for each row of NEW, in the same order.

    NEW is what SOURCE may be in `chainrule train`; it may lack the target, have other columns in any order, and be
    larger than the memory. Classes come with the probability of each, P(class), where the model has them.
    """
    if as_json and out is None:
        raise click.UsageError("--json needs --out: without it stdout holds the predictions themselves")
    if out is not None:
        check_not_read("--out", out, model, new)
    fitted = load(model)
    with new_rows(fitted, new, asked=asked_of(ctx)) as rows, Writer(out, _echo) as writer:
        for piece in rows.pieces(lambda piece: predictions(fitted, piece.X)):
            writer.write(piece)
    if as_json:
        facts = {"model": model, "source": rows.name, "rows": writer.rows, "columns": writer.columns, "out": out}
        return show.print_json({"command": "predict", "version": version(), **facts, "notes": rows.notes})
    for text in rows.notes:
        show.note(text)
    if out is not None:
        show.line(f"predicted: {show.plural(writer.rows, 'row')} of {rows.title}, written to {out}")
    return None


def _echo(text: str) -> None:
    click.echo(text, nl=False)


@click.command(cls=ReadingCommand, epilog="Example: chainrule evaluate model.safetensors test.csv")
@click.argument("model")
@click.argument("test")
@target_option("what was to be predicted; the model remembers what it was trained on")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
@reading_options
@click.pass_context
def evaluate(
    ctx: click.Context, /, model: str, test: str, target: tuple[str, ...], as_json: bool, **reading: Any
) -> None:
    """Test MODEL on TEST, with the same scores as `chainrule train`; every row counts the same.

    TEST is read in pieces, and may be larger than the memory. Of a source with test rows of its own, such as a folder
    of MNIST's files, these are taken.
    """
    fitted = load(model)
    task = task_of(fitted)
    with new_rows(fitted, test, target or None, asked_of(ctx), labelled=True) as rows:
        scores = evaluated(fitted, rows)
    if as_json:
        facts = {"model": model, "source": rows.name, "target": rows.target, "task": task}
        notes = rows.notes
        return show.print_json({"command": "evaluate", "version": version(), **facts, "test": scores, "notes": notes})
    for text in rows.notes:
        show.note(text)
    show.line(f"model: {model}, {task} of {target_words(rows.target or target_of(fitted))}")
    show.line(f"data: {rows.title}, {show.plural(scores['rows'], 'row')}")
    show.line(show.score_line(scores))
    show.show_scores(scores)
    return None
