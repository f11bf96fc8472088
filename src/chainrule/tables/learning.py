"""The treatment of each column of a training table: a record per column, and notes on what is left out.

Shapes: n rows, k columns of plain numbers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..foundation.scaling import mean_and_deviation, without_noise
from ..foundation.words import listed, quoted
from .columns import CategoryColumn, Column, DroppedColumn, NumberColumn, Rules
from .levels import values_of
from .meaning import Understanding, understand
from .meaning.codes import code_among
from .table import Cells, Table, TableError
from .texts import PLAIN
from .values import READINGS, Given, as_numbers, check_finite, note_bad, whole_levels, with_exact, without_origin

Array = NDArray[np.float64]

ALWAYS_MISSING, COUNTS_ROWS = "always missing", "it only tells the rows apart"

CELLS = 2**22
"""So many cells are learned from at once: what is computed on the way stays small beside the table."""

COMMON_SHARE = 20
"""A level in at least one of so many rows is not rare."""

FEWEST_ROWS, MOST_OTHERS = 20, 3
"""Rows from which a column may be taken for an id; other texts among numbers of which one is named."""

ID_NAME = re.compile(
    r"""(?i:id|uuid|guid|index|row|rowid|row[ _]?(number|num|nr|id|no)|unnamed:\ 0|(.*[ _.-])(id|uuid|guid))
    |.*[a-z0-9](Id|ID)|""",
    re.VERBOSE,
)
"""The names of columns that number the rows, or the things in them."""

PANDAS_INDEX = re.compile(r"__index_level_[0-9]+__")


def learn(table: Table, rules: Rules) -> tuple[tuple[Column, ...], list[str]]:
    """Return the record of each column of a table, and the notes: what is left out and why, what cannot be read.

    Raises TableError for an infinite number, and for a text where nearly all others are numbers or dates.
    """
    notes: list[str] = []
    records: dict[str, Column] = {name: DroppedColumn(name, COUNTS_ROWS) for name in table.names if _is_id(table, name)}
    plain = [n for n in table.block_names if n not in records and table.declared.get(n, "number") == "number"]
    records |= learn_block(table, plain)
    for name in table.names:
        if name not in records:
            records[name] = _learn_column(Given(name, table, notes), rules)
    learned = tuple(records[name] for name in table.names)
    return learned, [*_left_out(learned), *notes]


def learn_block(table: Table, names: Sequence[str]) -> dict[str, Column]:
    """Return the records of columns of plain numbers, which are learned many at once.

    Raises TableError for an infinite number.
    """
    places = {name: k for k, name in enumerate(table.block_names)}
    step = max(1, CELLS // len(table)) if len(table) else 1
    records: dict[str, Column] = {}
    for start in range(0, len(names), step):
        some = names[start : start + step]
        # A column's numbers side by side: their sum rounds as that of one column.
        columns = np.ascontiguousarray(table.block.T[[places[name] for name in some]])
        if np.isinf(columns).any():
            first = int(np.argmax(np.isinf(columns).any(axis=1)))
            check_finite(Given(some[first], table), columns[first])
        facts = zip(some, *(each.tolist() for each in _facts(columns)), strict=True)
        records |= {name: _number(NumberColumn(name, "number", *rest), table[name]) for name, *rest in facts}
    return records


def _facts(columns: Array) -> tuple[Array, Array, NDArray[np.intp]]:
    """Return mean, deviation and number of gaps of each row of numbers (k, n); 0 where all are missing."""
    mean, std = np.zeros(len(columns)), np.zeros(len(columns))
    missing = np.isnan(columns).sum(axis=1)
    for count in np.unique(missing[missing < columns.shape[1]]):
        chosen = np.flatnonzero(missing == count)
        some = columns if len(chosen) == len(columns) else columns[chosen]
        present = some[~np.isnan(some)].reshape(len(chosen), -1) if count else some
        mean[chosen], std[chosen] = center_and_spread(present)
    return mean, std, missing


def center_and_spread(present: Array) -> tuple[Array, Array]:
    """Return mean and deviation of each row of numbers (k, n); the deviation is 0 where they are equal but for noise.

    A power of two as the unit changes no digit, and keeps sums and squares of huge numbers finite.
    """
    unit = np.ldexp(1.0, np.frexp(np.abs(present).max(axis=1))[1] - 1)
    scaled = (present / unit[:, None]).T
    center, spread = without_noise(scaled, *mean_and_deviation(scaled))
    return unit * center, unit * spread


def _number(record: NumberColumn, cells: Cells) -> Column:
    """Return the record of numbers, or that of a column that is left out."""
    if record.missing == len(cells):
        return DroppedColumn(record.name, ALWAYS_MISSING)
    if record.std == 0 and not record.missing:
        return DroppedColumn(record.name, f"always {cells.text(0)}")
    return record


def _learn_column(given: Given, rules: Rules) -> Column:
    """Return the record of a column that is not plain numbers."""
    declared = given.table.declared.get(given.name)
    declared = "category" if declared == "text" else declared
    found = understand(given.cells, given.table.decimal, declared)
    if found.stray is not None and found.reads != "category":
        raise _stray(given, found)
    note_bad(given, found)
    if found.note:
        given.say(found.note if found.reads in READINGS else f"read as a category: {found.note}")
    return _learn_number(given, found) if found.reads in READINGS else learn_category(given, found, rules)


def _stray(given: Given, found: Understanding) -> TableError:
    text, position = found.stray or ("", 0)
    article = READINGS[found.reads].article if found.reads in READINGS else "a number"
    return TableError(
        f"column {given.name!r}: {quoted(text)} in row {given.row(position)} is not {article}, but most others are; "
        "empty the cell if it is missing, take the column out, or declare it a category"
    )


def _learn_number(given: Given, found: Understanding) -> Column:
    cells, origin = given.cells, 0
    if cells.kind == "number" and found.reads == "number":
        if cells.values.dtype.kind in "iu" and not cells.absent().all():
            origin = int(cells.values[~cells.absent()].min())
        values = without_origin(cells, origin)
    else:
        values, strange = as_numbers(cells, found.reads, found.form)
        values = np.where(strange, np.nan, values)
        check_finite(given, values)
        if found.reads == "number" and (whole := whole_levels(cells)):
            origin = min(whole.values())
            values = with_exact(values, cells, whole, origin)
    check_finite(given, values)
    present = values[~np.isnan(values)]
    mean, std = center_and_spread(present[None]) if len(present) else (np.zeros(1), np.zeros(1))
    facts = float(mean[0]), float(std[0]), len(values) - len(present)
    texts = tuple(text for text in found.missing if text.strip()), tuple(found.bad)
    return _number(NumberColumn(given.name, found.reads, *facts, found.form, *texts, str(origin or "")), cells)


def learn_category(given: Given, found: Understanding, rules: Rules) -> Column:
    """Return the record of a category: its levels counted, the rare ones pooled.

    Rare are those below 5 % of the rows and below `rare_below` rows, and those beyond the `max_levels` most frequent.
    """
    values, places = values_of(given.cells)
    counts = np.bincount(places[places >= 0], minlength=len(values)).tolist()
    rows = {v[0]: count for v, count in zip(values, counts, strict=True) if v[0] not in found.missing}
    missing = len(places) - sum(rows.values())
    if not rows:
        return DroppedColumn(given.name, ALWAYS_MISSING)
    enough = min(rules.rare_below, max(1, len(places) // COMMON_SHARE))
    frequent = sorted((level for level in rows if rows[level] >= enough), key=lambda level: (-rows[level], level))
    kept = sorted(frequent[: rules.max_levels])
    if not missing and (not kept or len(rows) == 1):
        why = f"all {len(rows)} levels are rare" if len(rows) > 1 else f"always {quoted(next(iter(rows)))}"
        return DroppedColumn(given.name, why)
    shares = tuple(rows[level] for level in kept)
    others = [level for level in rows if not PLAIN.fullmatch(level)]
    stray = others[0] if 0 < len(others) <= MOST_OTHERS and 2 * len(others) < len(rows) else ""
    stray = "" if code_among(list(rows)) else stray
    marks = tuple(text for text in found.missing if text.strip())
    rare = sum(rows.values()) - sum(shares)
    return CategoryColumn(given.name, tuple(kept), shares, rare, missing, stray, takes_marks=True, marks=marks)


NUMBERED = re.compile(r"column\d+")
"""The names in a file without a header, none of which says that a column is an id."""


def _is_id(table: Table, name: str) -> bool:
    """Return True for a column that numbers the rows, by its name and its values: all different, none a fraction."""
    if name in table.declared or len(table) == 0:
        return False
    if PANDAS_INDEX.fullmatch(name):
        return True
    first = name == "column0" and not all(map(NUMBERED.fullmatch, table.names))  # the name that an empty one gets
    if len(table) < FEWEST_ROWS or not (first or ID_NAME.fullmatch(name)):
        return False
    cells: Cells = table[name]
    if cells.kind not in ("number", "text") or cells.absent().any():
        return False
    if cells.values.dtype.kind == "f" and (cells.values % 1 != 0).any():
        return False
    return len(np.unique(cells.values)) == len(cells)


def _left_out(records: Sequence[Column]) -> list[str]:
    """Return a line for each reason for which columns are left out."""
    by_reason: dict[str, list[DroppedColumn]] = defaultdict(list)
    for record in records:
        if isinstance(record, DroppedColumn):
            by_reason[next(key for key in REASONS if record.why.startswith(key) or key in record.why)].append(record)
    lines = []
    for key, dropped in by_reason.items():
        alone, together, remedy = REASONS[key]
        names = listed(record.name for record in dropped)
        why = alone.format(dropped[0].why) if len(dropped) == 1 else together
        what = f"column {names} is" if len(dropped) == 1 else f"columns {names} are"
        lines.append(f"{what} left out: {why}{remedy}")
    return lines


REASONS = {
    ALWAYS_MISSING: ("it is always missing", "they are always missing", ""),
    "always ": ("it is {}", "each has the same value in all rows", ", which tells no rows apart"),
    "levels are rare": ("{}", "all their levels are rare", "; group its values if they matter"),
    COUNTS_ROWS: ("{}", "they only tell the rows apart", "; declare it a number if it is one"),
}
"""Why columns are left out: the words for one column, for several, and the remedy."""
