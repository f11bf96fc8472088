"""The records of columns as plain JSON, and back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from ..foundation.records import Plain, fields_of, read_record
from ..foundation.values import Anything, Flag, ListOf, Number, Rule, Whole
from ..foundation.words import listed, quoted
from .columns import CategoryColumn, Column, DroppedColumn, NumberColumn

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
    "bool": Flag(),
    "tuple[str, ...]": ListOf(TEXT, "a list of texts"),
    "tuple[int, ...]": ListOf(ROWS, "a list of counts"),
}
"""The rule for a field of a record in JSON, by the type that the record declares."""


def to_entry(record: Column) -> dict[str, Any]:
    """Return a record as plain JSON types."""
    kind = next(kind for kind, known in COLUMN_KINDS.items() if isinstance(record, known))
    return {"kind": kind, **Plain()(fields_of(record))}


def from_entry(entry: Any, position: int) -> Column:
    """Read one column's record, of this version or of 0.1, which lacks the fields that have a default.

    ValueError says what is wrong and where.
    """
    what = f"table encoder, column {position}"
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or kind not in COLUMN_KINDS:
        raise ValueError(f"{what}: 'kind' must be one of {listed(COLUMN_KINDS)}, got {quoted(kind)}")
    record = COLUMN_KINDS[kind]
    rules = {field.name: FIELD_RULES[str(field.type)] for field in fields(record)}
    given = {name: value for name, value in entry.items() if name != "kind"}
    usual = {field.name: Plain()(field.default) for field in fields(record) if field.default is not MISSING}
    made: Column = read_record(record, {**usual, **given}, rules, what)
    return made
