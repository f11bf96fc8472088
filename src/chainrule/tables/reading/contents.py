"""The content of an opened source, in memory or in DuckDB, and how several files become one table.

Shapes: n rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..table import Cells
from .options import Dialect


class Content(Protocol):
    """The cells of a source."""

    rows: int

    def whole(self) -> Mapping[str, Cells]:
        """Return all cells, by the names of their columns, in order."""

    def piece(self, start: int, stop: int) -> Mapping[str, Cells]:
        """Return the cells of some rows that follow each other."""

    def close(self) -> None:
        """Let go of what it holds."""


class Held:
    """Cells that are in memory."""

    def __init__(self, cells: Mapping[str, Cells], rows: int) -> None:
        self._cells, self.rows = cells, rows

    def whole(self) -> Mapping[str, Cells]:
        """Return all cells, by the names of their columns, in order."""
        return self._cells

    def piece(self, start: int, stop: int) -> Mapping[str, Cells]:
        """Return the cells of some rows that follow each other."""
        return {name: cells.take(slice(start, stop)) for name, cells in self._cells.items()}

    def close(self) -> None:
        """Let go of what it holds."""


@dataclass
class Part:
    """One file of a source: its columns, its content, its dialect, what is to be said about it."""

    columns: list[str]
    content: Content
    dialect: Dialect | None = None
    notes: list[str] = field(default_factory=list)


class Joined:
    """The contents of several files, one after the other, with the columns of the first."""

    def __init__(self, parts: Sequence[Content], columns: Sequence[str]) -> None:
        self._parts, self._columns = parts, columns
        self.rows = sum(part.rows for part in parts)

    def whole(self) -> Mapping[str, Cells]:
        """Return all cells, by the names of their columns, in order."""
        found = [part.whole() for part in self._parts]
        return {name: joined_cells([cells[name] for cells in found]) for name in self._columns}

    def piece(self, start: int, stop: int) -> Mapping[str, Cells]:
        """Return the cells of some rows that follow each other."""
        found, before = [], 0
        for part in self._parts:
            low, high = max(start - before, 0), min(stop - before, part.rows)
            if low < high:
                found.append(part.piece(low, high))
            before += part.rows
        return {name: joined_cells([cells[name] for cells in found]) for name in self._columns}

    def close(self) -> None:
        """Let go of what it holds."""
        for part in self._parts:
            part.close()


def joined_cells(parts: Sequence[Cells]) -> Cells:
    """Return cells of one kind, one after the other."""
    if len(parts) == 1:
        return parts[0]
    kind = parts[0].kind
    if parts[0].has_levels:
        known: dict[str, int] = {}
        codes = []
        for cells in parts:
            places = np.array([known.setdefault(level, len(known)) for level in cells.levels] + [-1], np.int32)
            codes.append(places[cells.values])
        return Cells(kind, np.concatenate(codes), list(known))
    arrays = [cells.values for cells in parts]
    if kind == "number" and len({array.dtype for array in arrays}) > 1:
        return _mixed_numbers(parts)
    gaps = np.concatenate([cells.absent() for cells in parts]) if any(c.gaps is not None for c in parts) else None
    return Cells(kind, np.concatenate(arrays), gaps=gaps)


def _mixed_numbers(parts: Sequence[Cells]) -> Cells:
    """Join integers of 64 bits and float64: as integers where all are and fit, else as float64."""
    gaps = np.concatenate([cells.absent() for cells in parts])
    floats = [cells.values[~cells.absent()] for cells in parts if cells.values.dtype == np.float64]
    if all(bool((array == np.floor(array)).all()) and bool((np.abs(array) < 2**53).all()) for array in floats):
        values: list[Any] = []
        for cells in parts:
            values += [
                0 if gone else int(v) for v, gone in zip(cells.values.tolist(), cells.absent().tolist(), strict=True)
            ]
        low, high = min(values), max(values)
        if low >= -(2**63) and high < 2**63:
            return Cells("number", np.array(values, np.int64), gaps=gaps)
        if low >= 0 and high < 2**64:
            return Cells("number", np.array(values, np.uint64), gaps=gaps)
    made = np.concatenate([cells.values.astype(np.float64) for cells in parts])
    made[gaps] = np.nan
    return Cells("number", made)
