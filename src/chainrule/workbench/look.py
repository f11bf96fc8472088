"""A look at a source: its dialect, what each column is, what training would leave out and why.

It asks what training asks: `meaning.understand` for each column, the encoder for what is left out, the target's own
reading for the task. So it says what training will do, not a second opinion.

Shapes: n rows.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..foundation.words import quoted
from ..tables.columns import DroppedColumn
from ..tables.encoder import TableEncoder
from ..tables.meaning import Understanding, read_values
from ..tables.source import Name, Source, names_of
from ..tables.sources import Asked, check_declared, is_table, load, open_rows
from ..tables.table import Cells, Table, TableError
from ..tables.targets import find_columns, read_target, read_weights, understood
from .data import as_target, task_and_reason
from .notes import blaming, noted

BINS = 8
"""Bins of a histogram."""

MOST_REFUSED = 20
"""After so many columns that training would refuse, the others are not tried."""

MOST_LEVELS = 20
"""Of more levels the most frequent are listed."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def look_at(name: str, asked: Asked | None = None) -> dict[str, Any]:
    """Return the facts of a source as plain values: source, dialect, columns, notes, and the task of a target.

    A column that training would refuse has the reason in `refused`, one that it would leave out in `left_out`.

    Raises SourceError, one line, for a file that cannot be read.
    """
    asked = asked or Asked()
    if not is_table(name):
        return _of_matrix(load(name, ",".join(asked.target) or None, target_required=bool(asked.target)))
    with open_rows(name, asked) as opened:
        table = opened.read()
        facts = {
            "source": {"name": name, "rows": len(table), "columns": len(table.columns)},
            "dialect": None if opened.dialect is None else opened.dialect.to_json(),
            "dialect_words": None if opened.dialect is None else opened.dialect.words(),
        }
        with blaming(name):
            check_declared(table, asked)
            targets = find_columns(table.columns, asked.target)
            weights = find_columns(table.columns, [asked.weights]) if asked.weights else ()
        task, notes = _task(table, targets, weights, asked), [*opened.notes]
    found = {column: understood(table, column) for column in table.columns}
    inputs = table.without([*targets, *weights])
    reasons, of_columns = _left_out(inputs)
    columns = [_Column(table, column, found[column]).facts() for column in table.columns]
    for fact in columns:
        fact |= {"left_out": None, "refused": None, **reasons.get(fact["name"], {})}
    return {**facts, "columns": columns, "task": task, "notes": [*dict.fromkeys([*notes, *of_columns])]}


def _left_out(inputs: Table) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Return why training would refuse columns or leave them out, by name, and the encoder's notes."""
    reasons: dict[str, dict[str, str]] = {}
    notes: list[str] = []
    while inputs.columns:
        encoder = TableEncoder()
        try:
            with noted():
                encoder.fit(inputs)
        except TableError as error:
            notes.append(f"training would be refused: {error}")
            refused = next((name for name in inputs.columns if str(error).startswith(f"column {name!r}")), None)
            if refused is None or len(reasons) == MOST_REFUSED:
                break
            reasons[refused] = {"refused": str(error).removeprefix(f"column {refused!r}").lstrip(": ")}
            inputs = inputs.without([refused])
        else:
            notes += encoder.notes_
            left = [record for record in encoder.columns_ if isinstance(record, DroppedColumn)]
            reasons |= {record.name: {"left_out": record.why} for record in left}
            break
    return reasons, notes


def _task(table: Table, targets: tuple[str, ...], weights: tuple[str, ...], asked: Asked) -> dict[str, Any] | None:
    """Return the task that would be guessed and why, or why the target would be refused; None without a target."""
    if not targets:
        return None
    name: Name = targets[0] if len(targets) == 1 else targets
    facts: dict[str, Any] = {"target": name, "task": None, "why": None, "refused": None}
    try:
        y, forms = read_target(table, targets, None, asked.task)
        source = Source(table, y, target=name, forms=forms)
        task, why = task_and_reason(source, asked.task)
        as_target(y, task, name)
        for column in weights:
            read_weights(table, column)
    except ValueError as error:
        return {**facts, "refused": str(error)}
    return {**facts, "task": task, "why": why}


class _Column(NamedTuple):
    """One column, to be described."""

    table: Table
    name: str
    found: Understanding

    @property
    def cells(self) -> Cells:
        cells: Cells = self.table[self.name]
        return cells

    def facts(self) -> dict[str, Any]:
        found, table = self.found, self.table
        bad = {text: table.row_number(position) for text, position in found.bad.items()}
        facts = {"name": self.name, "reads": found.reads, "form": found.form, "missing": 0}
        facts |= {"marks": dict(found.missing), "bad": bad}
        return facts | (self._levels() if found.reads in ("flag", "category") else self._range())

    def _range(self) -> dict[str, Any]:
        """Return least, most, mean and histogram of numbers; of dates in ISO form."""
        values, strange = read_values(self.cells, self.found.reads, self.found.form)
        present = values[np.isfinite(values)]
        absent = np.isnan(values) if self.found.stray is None else np.isnan(values) & ~strange
        facts: dict[str, Any] = {"missing": int(absent.sum())}
        facts |= {"distinct": len(np.unique(present)), "least": None, "most": None, "mean": None}
        if len(present):
            unit = float(np.abs(present).max()) or 1.0  # sums of huge numbers stay finite
            mean = unit * float(np.mean(present / unit))
            facts |= {"least": float(present.min()), "most": float(present.max()), "mean": mean}
        if self.found.reads == "moment":
            facts |= {key: _iso(facts[key]) for key in ("least", "most", "mean")}
        return {**facts, "histogram": _histogram(present), "levels": None}

    def _levels(self) -> dict[str, Any]:
        """Return the most frequent levels, each with its rows."""
        counts = _counts(self.cells)
        marks = sum(counts.pop(mark, 0) for mark in self.found.missing)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return {
            "missing": int(self.cells.absent().sum()) + marks,
            "distinct": len(counts),
            **dict.fromkeys(("least", "most", "mean", "histogram")),
            "levels": [[level, rows] for level, rows in ordered[:MOST_LEVELS]],
        }


def _counts(cells: Cells) -> dict[str, int]:
    """Return the rows of each different cell that is there, by its text."""
    if not cells.has_levels:
        present = np.flatnonzero(~cells.absent())
        return dict(Counter(cells.text(position) for position in present.tolist()))
    counts = np.bincount(cells.values[cells.values >= 0], minlength=len(cells.levels))
    return {level: rows for level, rows in zip(cells.levels, counts.tolist(), strict=True) if rows}


def _histogram(values: NDArray[np.float64]) -> list[int] | None:
    """Return the counts of values in eight bins of the same width; None where they do not differ."""
    if not len(values) or values.min() == values.max():
        return None
    low, high = values.min(), values.max()
    share = (values / 2 - low / 2) / (high / 2 - low / 2)  # halves: the difference of huge numbers stays finite
    places = np.minimum((share * BINS).astype(int), BINS - 1)
    counts: list[int] = np.bincount(places, minlength=BINS).tolist()
    return counts


def _iso(seconds: float | None) -> str | None:
    """Return seconds since 1970 as an ISO date, with the time where it is not midnight."""
    if seconds is None:
        return None
    try:
        moment = EPOCH + timedelta(seconds=round(seconds))
    except OverflowError:
        return quoted(seconds)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return text.removesuffix("T00:00:00")


def _of_matrix(source: Source) -> dict[str, Any]:
    """Return the facts of a source of arrays: it has no dialect, and its inputs no names."""
    X: Any = source.X
    facts: dict[str, Any] = {
        "source": {"name": source.name, "rows": len(X), "columns": X.shape[1]},
        "dialect": None,
        "dialect_words": None,
        "columns": [],
        "task": None,
        "inputs": {"least": float(X.min()), "most": float(X.max()), "dtype": X.dtype.name, "scale": source.scale}
        | {"image_shape": source.image_shape},
        "notes": list(source.notes),
    }
    if source.y is not None:
        task, why = task_and_reason(source, "auto")
        names = names_of(source.target)
        facts["task"] = {"target": names[0] if len(names) == 1 else names, "task": task, "why": why, "refused": None}
    return facts
