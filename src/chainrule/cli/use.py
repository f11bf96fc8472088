"""`chainrule predict` and `chainrule evaluate`: a saved model on new data."""

from __future__ import annotations

import click

from .. import load
from ..workbench.data import Rows, as_target
from ..workbench.model_facts import target_of, task_of
from ..workbench.notes import blaming, noted
from ..workbench.predictions import check_kind, new_rows, predictions, write_predictions
from ..workbench.scores import scores_of
from . import show, version
from .written_files import check_not_read


@click.command(epilog="Example: chainrule predict model.safetensors new.csv --out predictions.csv")
@click.argument("model")
@click.argument("new")
@click.option("--out", metavar="FILE", help="write a .csv, .csv.gz or .parquet file; without it CSV goes to stdout")
@click.option("--json", "as_json", is_flag=True, help="say as one JSON object what was written (needs --out)")
def predict(model: str, new: str, out: str | None, as_json: bool) -> None:
    """Predict with MODEL for each row of NEW.

    NEW is what SOURCE may be in `chainrule train`; it may lack the target, and have other columns in any order.
    Classes come with the probability of each, P(class), where the model has them.
    """
    if as_json and out is None:
        raise click.UsageError("--json needs --out: without it stdout holds the predictions themselves")
    if out is not None:
        check_not_read("--out", out, model, new)
    fitted = load(model)
    rows = new_rows(new, target_of(fitted), target_required=False)
    with noted() as notes, blaming(rows.source):
        frame = predictions(fitted, rows.X)
    if out is None:
        click.echo(frame.write_csv(), nl=False)
    else:
        write_predictions(frame, out)
    if as_json:
        facts = {"model": model, "source": rows.source, "rows": len(frame), "columns": frame.columns, "out": out}
        return show.print_json({"command": "predict", "version": version(), **facts, "notes": notes})
    for text in notes:
        show.note(text)
    if out is not None:
        show.line(f"predicted: {show.plural(len(frame), 'row')} of {rows.title}, written to {out}")
    return None


@click.command(epilog="Example: chainrule evaluate model.safetensors test.csv")
@click.argument("model")
@click.argument("test")
@click.option("--target", metavar="COLUMN", help="what was to be predicted; the model remembers what it was trained on")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
def evaluate(model: str, test: str, target: str | None, as_json: bool) -> None:
    """Test MODEL on TEST, with the same scores as `chainrule train`.

    Of a source with test rows of its own, such as a folder of MNIST's files, these are taken.
    """
    fitted = load(model)
    task = task_of(fitted)
    rows = new_rows(test, target or target_of(fitted))
    with noted() as notes, blaming(rows.source):
        check_kind(fitted, rows.X)
        y = as_target(rows.y, task, rows.target)
        scores = scores_of(fitted.for_encoded_rows(), Rows(fitted.encoded(rows.X), y))
    if as_json:
        facts = {"model": model, "source": rows.source, "target": rows.target, "task": task}
        return show.print_json({"command": "evaluate", "version": version(), **facts, "test": scores, "notes": notes})
    for text in notes:
        show.note(text)
    show.line(f"model: {model}, {task} of {rows.target!r}")
    show.line(f"data: {rows.title}, {show.plural(scores['rows'], 'row')}")
    show.line(show.score_line(scores))
    show.show_scores(scores)
    return None
