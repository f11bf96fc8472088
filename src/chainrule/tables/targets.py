"""The target of a table, and its weights: which columns they are, and what their cells are as numbers or labels.

A target that cannot be learned is refused here, by its value and its row: a gap, a stray text among numbers, a text
with hardly a repeat, a date.

Shapes: n rows, o target columns.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..foundation.words import listed, quoted
from .meaning import Understanding, read_values, understand
from .table import EXACT, Cells, Table
from .texts import FLOAT

Array = NDArray[Any]

FEWEST = 10
"""Rows from which on a text target is asked whether it repeats."""

MANY = 20
"""More different numbers, or more classes, make one wonder."""

FIRST = "(row 1 is the first row of data)"


class TargetForm(NamedTuple):
    """How the cells of a target are read: "number" with its form, "moment", "duration", "flag" or "category"."""

    reads: str
    form: str = ""


class TargetColumns(NamedTuple):
    """A target that was read: values (n,), or (n, o) of several columns, and the form of each column."""

    values: Array
    forms: tuple[TargetForm, ...]


def find_columns(columns: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns that are asked for, each a name or several with commas between.

    A column whose own name holds a comma is found first. Raises ValueError for a name that is not there.

    >>> find_columns(["a", "b", "a,b"], ["a,b"]), find_columns(["a", "b"], ["a,b"])
    (('a,b',), ('a', 'b'))
    """
    found: dict[str, None] = {}
    for name in asked:
        for part in [name] if name in columns else split_names(name):
            if part not in columns:
                raise ValueError(f"there is no column {part!r}; {closest(part, columns)}")
            found[part] = None
    return tuple(found)


def split_names(text: str) -> list[str]:
    """Return the names in a text with commas between; one that holds a comma stands in quotes.

    >>> split_names('a, b'), split_names('"a,b",c')
    (['a', 'b'], ['a,b', 'c'])
    """
    return [name for part in next(csv.reader([text], skipinitialspace=True), []) if (name := part.strip())]


def closest(name: str, columns: Sequence[str]) -> str:
    """Return the columns that a name may have meant, or all, for a message."""
    folded = {known.strip().lower(): known for known in columns}
    close = [repr(folded[match]) for match in difflib.get_close_matches(name.strip().lower(), folded)]
    return f"did you mean {' or '.join(close)}?" if close else f"it has: {listed(columns, most=30)}"


def read_target(
    table: Table, names: Sequence[str], forms: Sequence[TargetForm] | None = None, task: str = "auto"
) -> TargetColumns:
    """Return the target columns of a table as numbers, labels or booleans.

    `forms` are those that training found; without them the cells are understood now. Several columns must be numbers.

    Raises ValueError, one line with column, value, row and remedy, for a target that cannot be learned.
    """
    known = [None] * len(names) if forms is None else forms
    columns = [_Column(table, name, form, task, len(names)).read() for name, form in zip(names, known, strict=True)]
    if len(columns) == 1:
        return TargetColumns(columns[0][0], (columns[0][1],))
    values = np.column_stack([values for values, _ in columns])
    return TargetColumns(values, tuple(form for _, form in columns))


def read_weights(table: Table, name: str) -> NDArray[np.float64]:
    """Return the weights of the rows (n,); ValueError for one that is missing, negative or no finite number."""
    cells = table[name]
    found = understood(table, name)
    if found.reads != "number" or found.stray is not None:
        value, row = found.stray or (cells.text(0), 0)
        raise ValueError(
            f"weights {name!r}: {quoted(value)} in row {table.row_number(row)} is not a number; weights are numbers"
        )
    values, strange = read_values(cells, "number", found.form)
    wrong = strange | ~np.isfinite(values) | (values < 0)
    if wrong.any():
        position = int(wrong.argmax())
        given = cells.text(position)
        what = f"is {given}" if given else "is missing"
        raise ValueError(
            f"weights {name!r}: the weight in row {table.row_number(position)} {what}; it must be a number"
            " of at least 0"
        )
    if not values.any():
        raise ValueError(f"weights {name!r}: all of them are 0; a row with weight 0 counts for nothing")
    return values


def understood(table: Table, name: str) -> Understanding:
    """Return the meaning of a column of a table, as it was declared where it was."""
    said = table.declared.get(name)
    return understand(table[name], table.decimal, "category" if said == "text" else said)


class _Column(NamedTuple):
    """One target column, to be read."""

    table: Table
    name: str
    known: TargetForm | None
    task: str
    among: int

    @property
    def cells(self) -> Cells:
        cells: Cells = self.table[self.name]
        return cells

    @property
    def declared(self) -> str | None:
        return self.table.declared.get(self.name)

    def read(self) -> tuple[Array, TargetForm]:
        """Return the values (n,), and the form by which they were read."""
        form = self.known or self._form()
        if form.reads in ("number", "moment", "duration"):
            return self._numbers(form), form
        if form.reads == "flag":
            return self._flags(), form
        return self._labels(form), form

    def _form(self) -> TargetForm:
        """Return the meaning of the cells; ValueError for a target that cannot be learned."""
        cells = self.cells
        if self.declared in ("category", "text"):
            return TargetForm("category")
        if cells.kind == "boolean":
            return TargetForm("flag")
        found = self._understood()
        if found.stray is not None:
            raise ValueError(self._stray(*found.stray))
        if found.missing and cells.has_levels:
            self._refuse_marks(found)
        if found.reads in ("moment", "duration"):
            self._question_time(found.reads)
            if found.bad:
                value, position = next(iter(found.bad.items()))
                raise ValueError(f"target {self.name!r}: {quoted(value)} in row {self._row(position)} is no date")
        if found.reads in ("number", "moment", "duration"):
            return TargetForm(found.reads, found.form)
        if _are_booleans(cells):
            return TargetForm("flag")
        return TargetForm("category")

    def _understood(self) -> Understanding:
        """Return the meaning of the cells; a date that is declared to be a number is a date, in seconds."""
        if self.declared == "number":
            alone = understand(self.cells, self.table.decimal)
            if alone.reads in ("moment", "duration"):
                return alone
        return understood(self.table, self.name)

    # -------------------------------------------------------------------------------------------- the values

    def _numbers(self, form: TargetForm) -> Array:
        cells = self.cells
        if cells.kind == "number" and cells.values.dtype.kind in "iu":
            self._check_present(cells.absent())
            return cells.values
        values, strange = read_values(cells, form.reads, form.form)
        if strange.any():
            position = int(strange.argmax())
            if 2 * int(strange.sum()) > len(strange):
                raise ValueError(self._text(cells.text(position), position))
            raise ValueError(self._stray(cells.text(position), position))
        self._check_present(~np.isfinite(values))
        whole = values == np.round(values)
        exact = whole.all() and (np.abs(values) < EXACT).all()
        return values.astype(np.int64) if exact else values

    def _flags(self) -> Array:
        cells = self.cells
        self._check_present(cells.absent())
        if cells.kind == "boolean":
            return cells.values
        if not cells.has_levels:
            return np.asarray(cells.values != 0)
        true = np.array([level.strip().lower() == "true" for level in cells.levels] or [False])
        return np.asarray(true[cells.values])

    def _labels(self, form: TargetForm) -> Array:
        cells = self.cells
        self._check_present(cells.absent())
        if not cells.has_levels:
            if self.declared in ("category", "text") and self.known is None:
                return np.array([cells.text(k) for k in range(len(cells))], str)
            return self._numbers(TargetForm("number")) if cells.kind == "number" else self._texts()
        if self.known is None:
            self._question_labels()
        return np.array(cells.levels, str)[cells.values]

    def _texts(self) -> Array:
        cells = self.cells
        return cells.values if cells.kind == "boolean" else np.array(list(map(str, cells.values.tolist())), str)

    # ------------------------------------------------------------------------------------------ the questions

    def _row(self, position: int) -> int:
        return self.table.row_number(position)

    def _check_present(self, absent: NDArray[np.bool_]) -> None:
        """Raise ValueError, with the first row, where a value is absent."""
        if absent.any():
            raise ValueError(
                f"target {self.name!r} is missing or not finite in {self._rows(absent)} {FIRST}: take"
                f" {'this row' if int(absent.sum()) == 1 else 'these rows'} out"
            )

    def _rows(self, chosen: NDArray[np.bool_]) -> str:
        first, count = self._row(int(chosen.argmax())), int(chosen.sum())
        return f"row {first}" if count == 1 else f"{count:,} rows, the first is row {first}"

    def _refuse_marks(self, found: Understanding) -> None:
        marks = found.missing
        codes = [k for k, level in enumerate(self.cells.levels) if level in marks]
        if not codes:
            return
        chosen = np.isin(self.cells.values, codes)
        them = "this row" if int(chosen.sum()) == 1 else "these rows"
        kept = f", or keep the text as a class: {self._insist()}" if found.reads in ("flag", "category") else ""
        raise ValueError(
            f"target {self.name!r} is missing ({listed(marks, most=3)}) in {self._rows(chosen)} {FIRST}: take {them}"
            f" out{kept}"
        )

    def _insist(self, kind: str = "category") -> str:
        name = f'"{self.name}"' if "," in self.name else self.name
        return f"--columns {name}:{kind}"

    def _stray(self, value: str, position: int) -> str:
        where = f"target {self.name!r}: {quoted(value)} in row {self._row(position)} is not"
        if self.known is not None:
            what = "a number" if self.known.reads == "number" else "a date"
            shape = f" written like {self.known.form}" if self.known.form else ""
            return f"{where} {what}{shape} {FIRST}; it was when the model was trained"
        if self.declared is not None:
            return f"{where} a {self.declared}, which --columns says it is {FIRST}"
        return (
            f"{where} a number, but most others are {FIRST}; correct it or take the row out; or take every text as a"
            f" class: {self._insist()}"
        )

    def _text(self, value: str, position: int) -> str:
        where = f"such as {quoted(value)} in row {self._row(position)}"
        return f"target {self.name!r} is text, {where}; a regression needs numbers"

    def _question_time(self, reads: str) -> None:
        """Raise ValueError for dates and durations, unless they were declared to be numbers."""
        if self.declared in ("number", "date", "duration"):
            return
        first = int((~self.cells.absent()).argmax())
        what = "dates" if reads == "moment" else "durations"
        raise ValueError(
            f"target {self.name!r} holds {what}, such as {self.cells.text(first)} in row {self._row(first)}; to learn"
            f" the seconds give {self._insist('number')}, to take each as a class {self._insist()}"
        )

    def _question_labels(self) -> None:
        """Raise ValueError for texts that are no classes: several targets, a regression, numbers with strays."""
        cells, insisted = self.cells, self.declared in ("category", "text")
        position, value = self._first_text()
        where = f"such as {quoted(value)} in row {self._row(position)}"
        if self.among > 1:
            raise ValueError(f"target {self.name!r} is text, {where}; several targets must be numbers, or all 0 and 1")
        if not insisted:
            self._question_strays()
        if self.task == "regression":
            raise ValueError(self._text(value, position))
        if not insisted:
            self._question_repeats(cells)

    def _first_text(self) -> tuple[int, str]:
        """Return the first cell that is no plain number, or else the first, with its position."""
        cells = self.cells
        plain = np.array([bool(FLOAT.fullmatch(level.strip())) for level in cells.levels] or [True])
        others = ~plain[cells.values]
        position = int(others.argmax()) if others.any() else 0
        return position, cells.text(position)

    def _question_strays(self) -> None:
        """Raise ValueError where most cells are numbers and there are many of them: a class each is not meant."""
        values, strange = read_values(self.cells, "number", "")
        strays = strange | np.isnan(values)
        if len(np.unique(values[~strays])) <= MANY or 2 * int(strays.sum()) > len(values):
            return
        position = int(strays.argmax())
        raise ValueError(self._stray(self.cells.text(position), position))

    def _question_repeats(self, cells: Cells) -> None:
        """Raise ValueError where hardly a text comes twice: names and numbers of rows are no classes."""
        rows = len(cells)
        counts = np.bincount(cells.values, minlength=len(cells.levels))
        classes, lone = int((counts > 0).sum()), int((counts == 1).sum())
        if rows < FEWEST or not (2 * lone > rows or (classes > MANY and rows <= 2 * classes)):
            return
        position = int((counts[cells.values] == 1).argmax())
        raise ValueError(
            f"target {self.name!r} is text with hardly a repeat: {classes:,} different values in {rows:,} rows, such as"
            f" {quoted(cells.text(position))} in row {self._row(position)}; that is nothing to learn. Name another"
            f" column, or insist: {self._insist()}"
        )


def _are_booleans(cells: Cells) -> bool:
    """Return True for texts that are all true or false."""
    return cells.has_levels and {level.strip().lower() for level in cells.levels} <= {"true", "false"}
