"""Columns of plain numbers, side by side as one block: thousands of them cost little more than one.

Shapes: n rows, k columns of plain numbers, f columns of the matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import Column, NumberColumn
from .table import Table
from .values import Given, check_finite, standardised

CELLS = 2**18
"""So many cells are encoded at once: what is computed on the way stays in the cache."""


@dataclass(frozen=True, eq=False)
class NumberBlock:
    """The records of some columns of plain numbers as arrays (k,), with the places of their inputs in the matrix.

    `values` and `missing` are numbers of columns of the matrix, -1 where a record has no such input.
    """

    records: tuple[NumberColumn, ...]
    names: tuple[str, ...]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    values: NDArray[np.intp]
    missing: NDArray[np.intp]

    @classmethod
    def of(cls, records: Sequence[Column]) -> NumberBlock:
        """Return the block of those records that are plain numbers."""
        chosen, values, missing, start = [], [], [], 0
        for record in records:
            stop = start + len(record.inputs)
            if isinstance(record, NumberColumn) and record.reads == "number" and not (record.form or record.origin):
                chosen.append(record)
                values.append(start if record.std > 0 else -1)
                missing.append(stop - 1 if record.missing else -1)
            start = stop
        mean, std = (np.array([getattr(record, name) for record in chosen], float) for name in ("mean", "std"))
        places = np.array(values, np.intp), np.array(missing, np.intp)
        return cls(tuple(chosen), tuple(record.name for record in chosen), mean, std, *places)

    def within(self, table: Table) -> tuple[NumberBlock, NDArray[np.float64]]:
        """Return the part of the records whose columns are plain numbers in a table too, and these columns (n, k)."""
        if table.block_names == self.names:
            return self, table.block
        places = {name: k for k, name in enumerate(table.block_names)}
        here = [k for k, name in enumerate(self.names) if name in places]
        columns = table.block[:, [places[self.names[k]] for k in here]]
        arrays = self.mean[here], self.std[here], self.values[here], self.missing[here]
        records = tuple(self.records[k] for k in here)
        return NumberBlock(records, tuple(record.name for record in records), *arrays), columns

    def write(self, table: Table, columns: NDArray[np.float64], out: NDArray[Any]) -> None:
        """Fill the inputs of these columns (n, k) in the matrix (n, f), as each record would.

        Raises TableError for an infinite value, and for one that cannot be standardised.
        """
        scaling, flagging = np.flatnonzero(self.values >= 0), np.flatnonzero(self.missing >= 0)
        piece = max(1, CELLS // max(1, len(self.names)))
        for start in range(0, len(columns), piece):
            rows = slice(start, start + piece)
            part, target = columns[rows], out[rows]
            absent = np.isnan(part)
            if np.isinf(part).any():
                self._refuse_infinite(table, columns)
            target[:, self.missing[flagging]] = absent[:, flagging]
            mean, std = self.mean[scaling], self.std[scaling]
            with np.errstate(over="ignore"):
                scaled = standardised(part[:, scaling], mean, std).astype(out.dtype)
            scaled[absent[:, scaling]] = 0
            if not np.isfinite(scaled).all():
                row, place = (int(at[0]) for at in np.nonzero(~np.isfinite(scaled)))
                record = self.records[scaling[place]]
                raise record.too_far(Given(record.name, table), start + row, columns[:, scaling[place]])
            target[:, self.values[scaling]] = scaled

    def _refuse_infinite(self, table: Table, columns: NDArray[np.float64]) -> None:
        place = int(np.argmax(np.isinf(columns).any(axis=0)))
        check_finite(Given(self.names[place], table), columns[:, place])
