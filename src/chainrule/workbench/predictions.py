"""Predictions of a saved model for new rows, piece by piece: files may be larger than memory.

Shapes: n rows, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from ..tables.source import Name, Source, names_of
from ..tables.sources import Asked, ReadOptions, is_table, load, open_rows, source_of
from ..tables.table import Table
from ..tables.targets import TargetForm, find_columns
from .data import as_target
from .model_facts import reading_of, target_of, task_of
from .notes import blaming, merge_notes, noted
from .scores import Scoring

MOST_NAMES = 12
"""Of more columns the first are named in a message."""


@dataclass
class NewRows:
    """Rows that a model has not seen, ready to be read in pieces, and where they come from.

    `target` is the name of the column that the model predicts (or those of several). `notes` grow while the pieces are
    read: each note stands there once.
    """

    name: str
    title: str
    target: Name
    read: Callable[[], Iterator[Source]]
    notes: list[str] = field(default_factory=list)

    def pieces(self, work: Callable[[Source], Any]) -> Iterator[Any]:
        """Yield the result of `work` on each piece; its warnings become notes, its errors name the file."""
        for piece in self.read():
            with noted() as notes, blaming(self.name):
                made = work(piece)
            merge_notes(self.notes, notes)
            yield made


@contextmanager
def new_rows(
    model: Any, name: str, target: Name = None, asked: Asked | None = None, labelled: bool = False
) -> Iterator[NewRows]:
    """Open rows for a model: a source's own test rows, or all rows that it has.

    The file is read as the training file was (the model remembers its dialect), unless `asked` says otherwise. With
    `labelled`, each piece has its target y. Raises SourceError, one line, where it cannot be read.
    """
    reading, target = reading_of(model), target or target_of(model)
    if not is_table(name):
        source = load(name, target, target_required=labelled)
        own = None if source.X_test is None else replace(source, X=source.X_test, y=source.y_test)
        title = name if own is None else f"{name} (its test rows)"
        yield NewRows(name, title, source.target, lambda: iter([own or source]))
        return
    asked = asked or Asked()
    texts = {} if model.encoder_ is None else dict.fromkeys(model.encoder_.text_names, "text")
    as_told = replace(asked.reading, columns={**texts, **asked.reading.columns})
    asked = replace(asked, reading=as_told, weights=reading.weights, task=task_of(model), expected=reading.dialect)
    with open_rows(name, asked) as opened:
        names: tuple[str, ...] = ()
        if labelled:
            with blaming(name):
                names = find_columns(opened.columns, names_of(target))
            target = names[0] if len(names) == 1 else names
        asked = replace(asked, target=names, forms=_forms(model, reading.forms, names))
        yield NewRows(name, name, target, _reader(opened, asked, labelled), list(opened.notes))


def _forms(model: Any, known: tuple[TargetForm, ...], names: tuple[str, ...]) -> tuple[TargetForm, ...] | None:
    """Return how the target columns are written; of models that do not know it (0.1), labels stay as they are."""
    if known and len(known) == len(names):
        return known
    return (TargetForm("category"),) * len(names) if is_classifier(model) else None


def _reader(opened: Any, asked: Asked, labelled: bool) -> Callable[[], Iterator[Source]]:
    """Return the function that yields the pieces; the first gives the target's form, where no model has it."""

    def read() -> Iterator[Source]:
        known = asked
        for table in opened.pieces():
            if not labelled:
                yield Source(table, None, name=opened.name)
                continue
            with blaming(opened.name):
                piece = source_of(opened, table, replace(known, weights=None, reading=ReadOptions()))
            known = replace(known, forms=piece.forms)
            yield piece

    return read


def check_kind(model: Any, X: Any) -> None:
    """Raise ValueError where a table is given for a matrix, or the other way round."""
    names = getattr(model, "feature_names_in_", None)
    if names is not None and not _is_named(X):
        columns = ", ".join(names[:MOST_NAMES]) + ", ..." * (len(names) > MOST_NAMES)
        raise ValueError(f"this is a matrix, but the model was trained on a table with the columns {columns}")
    if names is None and _is_named(X):
        raise ValueError(f"this is a table, but the model was trained on a matrix with {model.n_features_in_} inputs")


def _is_named(X: Any) -> bool:
    return isinstance(X, Table) or hasattr(X, "columns")


def predictions(model: Any, X: Any) -> dict[str, NDArray[Any]]:
    """Return the predictions by name: `class` and P(class) for each class, or `prediction`, n values each.

    The columns P(class) stand in the order of the labels themselves: P(2) before P(10). Several labels or targets
    have a column each: `class a`, ... or `prediction a`, ... by their names where the model knows these, else by
    their numbers. The rows are encoded once.

    Raises ValueError for rows that are not of the model's kind, or that it cannot read.
    """
    check_kind(model, X)
    rows, names, model = model.encoded(X), names_of(target_of(model)), model.for_encoded_rows()
    predicted = np.asarray(model.predict(rows))
    name = "class" if is_classifier(model) else "prediction"
    if predicted.ndim == 1:
        columns = {name: predicted}
    else:
        own = names if len(names) == predicted.shape[1] else [*map(str, range(predicted.shape[1]))]
        columns = {f"{name} {known}": column for known, column in zip(own, predicted.T, strict=True)}
    if hasattr(model, "predict_proba"):
        shares, labels = model.predict_proba(rows), model.classes_.tolist()
        labels = names if predicted.ndim > 1 and len(names) == len(labels) else labels
        columns |= {f"P({label})": shares[:, k] for k, label in enumerate(labels)}
    return columns


def evaluated(model: Any, rows: NewRows) -> dict[str, Any]:
    """Return the scores of a model on new rows; what is kept of them is the target and what was predicted.

    Every row counts the same, those that were weighted in training as well.
    """
    scoring, task = Scoring(model.for_encoded_rows()), task_of(model)

    def work(piece: Source) -> None:
        check_kind(model, piece.X)
        y = as_target(piece.y, task, piece.target)
        scoring.add(model.encoded(piece.X), y)

    for _ in rows.pieces(work):
        pass
    with blaming(rows.name):
        return scoring.scores()
