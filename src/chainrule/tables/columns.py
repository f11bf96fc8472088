"""One small frozen record per column: the inputs that it becomes, learned once and followed ever after.

Each record fits itself, fills its columns of the matrix, describes itself, and is plain JSON and back.

Shapes: n rows.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..foundation.records import Plain, fields_of, read_record
from ..foundation.scaling import mean_and_deviation, without_noise
from ..foundation.values import Anything, ListOf, Number, Rule, Whole
from ..foundation.words import listed, quoted
from .cells import DECIMAL, READINGS, TableError, level_names, read_values, row_count

Matrix = NDArray[Any]


class Rules(NamedTuple):
    """When a level is too rare for a column of its own, and how many levels a column may have."""

    rare_below: int
    max_levels: int


@dataclass(frozen=True)
class InputColumn:
    """One column of the matrix, an input of the network: its name, the column of the table it comes from, its kind.

    The kind is how its number is read ("number", "moment" or "duration"), or what a 1 in it stands for: "level", one
    `level` of a category; "rare", any level too rare for a column of its own; "missing", no value.
    """

    name: str
    column: str
    kind: str
    level: str | None = None


@dataclass(frozen=True)
class DroppedColumn:
    """A column that tells nothing apart: it must be there at predict time, but is not looked at."""

    name: str
    why: str

    @property
    def inputs(self) -> list[InputColumn]:
        """The columns of the matrix: none."""
        return []

    def write(self, column: pl.Series, out: Matrix) -> None:
        """Leave out, of shape (n, 0), as it is."""

    def describe(self) -> str:
        """Return the column's treatment, in words."""
        return f"dropped: {self.why}"


@dataclass(frozen=True)
class NumberColumn:
    """A number x, as (x - mean) / std over the training rows; missing: 0, the mean, and an indicator.

    `missing` counts the missing training rows; the indicator exists where there were any. `std` is 0 where
    the present values were all equal; then only the indicator is left.
    """

    name: str
    reads: str
    mean: float
    std: float
    missing: int

    def __post_init__(self) -> None:
        if self.reads not in READINGS:
            raise ValueError(f"'reads' must be one of {listed(READINGS)}, got {self.reads!r}")
        if self.std < 0:
            raise ValueError(f"'std' must not be negative, got {self.std!r}")

    @classmethod
    def fit(cls, column: pl.Series, reads: str) -> NumberColumn | DroppedColumn:
        """Take mean and std of the values that are present; TableError where one is infinite."""
        values = read_values(column, reads)
        present = values[~np.isnan(values)]
        if not present.size:
            return DroppedColumn(column.name, "always missing")
        # A power of two as the unit changes no digit, and keeps sums and squares of huge numbers finite.
        unit = math.ldexp(1.0, math.frexp(float(np.abs(present).max()))[1] - 1)
        center, spread = without_noise(present / unit, *mean_and_deviation(present / unit))
        mean, std = unit * float(center), unit * float(spread)
        missing = len(values) - len(present)
        if std == 0 and not missing:
            return DroppedColumn(column.name, f"always {column.drop_nulls()[0]}")
        return cls(column.name, reads, mean, std, missing)

    @property
    def inputs(self) -> list[InputColumn]:
        """The columns of the matrix."""
        value = InputColumn(self.name, self.name, self.reads)
        absent = InputColumn(f"{self.name}=missing", self.name, "missing")
        return [value] * (self.std > 0) + [absent] * (self.missing > 0)

    def write(self, column: pl.Series, out: Matrix) -> None:
        """Fill out, of shape (n, inputs); TableError for a value that is not a finite number."""
        values = read_values(column, self.reads)
        absent = np.isnan(values)
        if self.missing:
            out[:, -1] = absent
        if self.std > 0:
            with np.errstate(over="ignore"):  # halves: the difference of two huge numbers stays finite
                scaled = (2 * ((0.5 * values - 0.5 * self.mean) / self.std)).astype(out.dtype)
            scaled[absent] = 0
            if not np.isfinite(scaled).all():
                far = values[np.argmin(np.isfinite(scaled))]
                raise TableError(f"column {self.name!r}: {far} is too far from the training mean {self.mean}")
            out[:, 0] = scaled

    def describe(self) -> str:
        """Return the column's treatment, in words."""
        shift = f"{'+' if self.mean < 0 else '-'} {abs(self.mean):.6g}"
        scaled = f" -> (x {shift}) / {self.std:.6g}" if self.std > 0 else ", constant where present"
        missing = f"; missing in {row_count(self.missing)} -> the mean, and an indicator" * bool(self.missing)
        return f"{READINGS[self.reads].unit}{scaled}{missing}"


@dataclass(frozen=True)
class CategoryColumn:
    """A text, category or boolean, as one column of 0 and 1 per level, sorted by name.

    `counts` are the training rows per level, `rare` those pooled in one column for rare levels, `missing`
    those without a value; the last two have a column where they are not 0. A level never seen counts as rare,
    or is all zeros where none was. A missing value where training had none becomes the mean of the training
    rows, as for numbers: the share of each level. `stray` is the one value that kept a column of numbers from
    being read as such.
    """

    name: str
    levels: tuple[str, ...]
    counts: tuple[int, ...]
    rare: int
    missing: int
    stray: str

    def __post_init__(self) -> None:
        if len(set(self.levels)) != len(self.levels) or len(self.counts) != len(self.levels):
            raise ValueError("'levels' must be unique, with one of 'counts' each")
        if sum(self.counts) + self.rare < 1:
            raise ValueError("'counts' and 'rare' must not all be 0")

    @classmethod
    def fit(cls, column: pl.Series, rules: Rules) -> CategoryColumn | DroppedColumn:
        """Count the levels and pool the rare ones: below 5 % of the rows and below `rare_below` rows."""
        given = column.drop_nulls().alias("value").value_counts(name="rows")
        found = given.with_columns(level=level_names(given["value"])).group_by("level").agg(pl.sum("rows"))
        found = found.sort("rows", "level", descending=[True, False])
        enough = min(rules.rare_below, max(1, len(column) // 20))
        kept = found.filter(pl.col("rows") >= enough).head(rules.max_levels).sort("level")
        rare, missing = int(found["rows"].sum()) - int(kept["rows"].sum()), column.null_count()
        if not missing and (kept.is_empty() or len(found) == 1):
            level = quoted(found["level"][0])
            why = f"always {level}" if len(found) == 1 else f"all {len(found)} levels are rare"
            return DroppedColumn(column.name, why)
        if not len(found):
            return DroppedColumn(column.name, "always missing")
        other = found.filter(~pl.col("level").str.contains(DECIMAL))["level"]
        stray = str(other[0]) if 0 < len(other) <= 3 and 2 * len(other) < len(found) else ""
        return cls(column.name, tuple(kept["level"]), tuple(kept["rows"]), rare, missing, stray)

    @property
    def inputs(self) -> list[InputColumn]:
        """The columns of the matrix."""
        levels = [InputColumn(f"{self.name}={level}", self.name, "level", level) for level in self.levels]
        pooled = {"rare": self.rare, "missing": self.missing}
        others = [InputColumn(f"{self.name}=({kind})", self.name, kind) for kind, rows in pooled.items() if rows]
        return levels + others

    def write(self, column: pl.Series, out: Matrix) -> None:
        """Fill out, of shape (n, inputs), zero on entry."""
        values = column.drop_nulls().unique()
        known = {level: code for code, level in enumerate(self.levels)}
        unseen = len(known) if self.rare else -1
        codes = level_names(values).replace_strict(known, default=unseen, return_dtype=pl.Int64)
        code = column.replace_strict(values, codes, default=-2, return_dtype=pl.Int64).to_numpy()
        absent = column.is_null().to_numpy()
        rows = np.flatnonzero((code >= 0) & ~absent)
        out[rows, code[rows]] = 1
        if self.missing:
            out[absent, -1] = 1
        else:
            counts = np.array([*self.counts, *[self.rare] * (self.rare > 0)], float)
            out[absent] = counts / counts.sum()

    def describe(self) -> str:
        """Return the column's treatment, in words."""
        rare = f" + (rare) in {row_count(self.rare)}" * bool(self.rare)
        missing = f" + (missing) in {row_count(self.missing)}" * bool(self.missing)
        stray = f"; numbers but for {quoted(self.stray)}: an empty cell means missing" * bool(self.stray)
        levels = f"{len(self.levels)} level{'s' * (len(self.levels) != 1)}"
        return f"category -> {levels}{rare}{missing}{stray}"


Column: TypeAlias = DroppedColumn | NumberColumn | CategoryColumn
COLUMN_KINDS: Mapping[str, type[Column]] = {
    "dropped": DroppedColumn,
    "number": NumberColumn,
    "category": CategoryColumn,
}


TEXT = Anything("a text", lambda value: isinstance(value, str) and value.encode(errors="ignore").decode() == value)
ROWS = Whole(0, high=2**53 - 1, called="a count")
NUMBER = Number(-sys.float_info.max, sys.float_info.max, called="a finite number")

FIELD_RULES: Mapping[str, Rule] = {
    "str": TEXT,
    "int": ROWS,
    "float": NUMBER,
    "tuple[str, ...]": ListOf(TEXT, "a list of texts"),
    "tuple[int, ...]": ListOf(ROWS, "a list of counts"),
}
"""The rule for a field of a record in JSON, by the type that the record declares."""


def to_entry(record: Column) -> dict[str, Any]:
    """Return a record as plain JSON types."""
    kind = next(kind for kind, known in COLUMN_KINDS.items() if isinstance(record, known))
    return {"kind": kind, **Plain()(fields_of(record))}


def from_entry(entry: Any, position: int) -> Column:
    """Read one column's record; ValueError says what is wrong and where."""
    what = f"table encoder, column {position}"
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or kind not in COLUMN_KINDS:
        raise ValueError(f"{what}: 'kind' must be one of {listed(COLUMN_KINDS)}, got {quoted(kind)}")
    record = COLUMN_KINDS[kind]
    rules = {field.name: FIELD_RULES[str(field.type)] for field in fields(record)}
    made: Column = read_record(record, {name: value for name, value in entry.items() if name != "kind"}, rules, what)
    return made
