"""`chainrule predict` and `chainrule evaluate`: a saved model on new data."""

from __future__ import annotations

from typing import Any

import click
import numpy as np
import polars as pl

from ..estimators.loading import load as load_model
from ..tables.files import write_table
from ..tables.sources import Source, load
from ..workbench.data import Rows, as_target, blaming
from ..workbench.scores import scores_of
from . import show, version
from .train import not_itself


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
        not_itself("--out", out, model, new)
    fitted = load_model(model)
    source = load(new, getattr(fitted, "target_name_", None), target_required=False)
    X = source.X if source.X_test is None else source.X_test
    with show.noted() as notes, blaming(source.name):
        _check_kind(fitted, X)
        frame = predictions(fitted, X)
    if out is None:
        click.echo(frame.write_csv(), nl=False)
    else:
        write_table(frame, out)
    if as_json:
        facts = {"model": model, "source": source.name, "rows": len(frame), "columns": frame.columns, "out": out}
        return show.as_json({"command": "predict", "version": version(), **facts, "notes": notes})
    for text in notes:
        show.note(text)
    if out is not None:
        show.line(f"predicted: {show.plural(len(frame), 'row')} of {_rows_of(source)}, written to {out}")
    return None


def predictions(model: Any, X: Any) -> pl.DataFrame:
    """Return the predictions as a table: `class` and a column P(class) for each class, or `prediction`.

    Several labels or targets have a column each: `class 0`, ... or `prediction 0`, ...
    """
    predicted = np.asarray(model.predict(X))
    name = "class" if hasattr(model, "classes_") else "prediction"
    columns = {name: predicted} if predicted.ndim == 1 else {f"{name} {k}": c for k, c in enumerate(predicted.T)}
    if hasattr(model, "predict_proba"):
        shares = model.predict_proba(X)
        columns |= {f"P({label})": shares[:, k] for k, label in enumerate(model.classes_.tolist())}
    return pl.DataFrame({key: c.tolist() if c.dtype.kind in "OU" else c for key, c in columns.items()})


def _check_kind(model: Any, X: Any) -> None:
    """Raise ValueError where a table is given for a matrix, or the other way round."""
    names = getattr(model, "feature_names_in_", None)
    if names is not None and not isinstance(X, pl.DataFrame):
        columns = ", ".join(names[: show.MOST_LINES]) + ", ..." * (len(names) > show.MOST_LINES)
        raise ValueError(f"this is a matrix, but the model was trained on a table with the columns {columns}")
    if names is None and isinstance(X, pl.DataFrame):
        raise ValueError(f"this is a table, but the model was trained on a matrix with {model.n_features_in_} inputs")


def _rows_of(source: Source) -> str:
    return source.name if source.X_test is None else f"{source.name} (its test rows)"


@click.command(epilog="Example: chainrule evaluate model.safetensors test.csv")
@click.argument("model")
@click.argument("test")
@click.option("--target", metavar="COLUMN", help="what was to be predicted; the model remembers what it was trained on")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
def evaluate(model: str, test: str, target: str | None, as_json: bool) -> None:
    """Test MODEL on TEST, with the same scores as `chainrule train`.

    Of a source with test rows of its own, such as a folder of MNIST's files, these are taken.
    """
    fitted = load_model(model)
    task = "classification" if hasattr(fitted, "classes_") else "regression"
    source = load(test, target or getattr(fitted, "target_name_", None))
    X, y = (source.X, source.y) if source.X_test is None else (source.X_test, source.y_test)
    with show.noted() as notes, blaming(source.name):
        _check_kind(fitted, X)
        scores = scores_of(fitted, Rows(X, as_target(y, task, source.target)))
    if as_json:
        facts = {"model": model, "source": source.name, "target": source.target, "task": task}
        return show.as_json({"command": "evaluate", "version": version(), **facts, "test": scores, "notes": notes})
    for text in notes:
        show.note(text)
    show.line(f"model: {model}, {task} of {source.target!r}")
    show.line(f"data: {_rows_of(source)}, {show.plural(scores['rows'], 'row')}")
    show.line(show.score_line(scores))
    show.show_scores(scores)
    return None
