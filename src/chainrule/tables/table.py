"""A table as it was read: named columns of cells, before anybody decided what they mean for learning.

Files and frames of every kind become a `Table`; `meaning` says how its texts are read, `encoder` turns it into a
matrix.

Shapes: n rows, k columns of plain numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

KINDS = ("number", "boolean", "moment", "duration", "text", "category")
"""The kinds of cells. A text may turn out to be a number, a date or a flag; a category was declared to be one."""

EXACT = 2**53
"""Up to this size every integer is a float64."""


class TableError(ValueError):
    """A table that cannot be used; the message names the column and the cause."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The n cells of one column.

    | kind | values | missing where |
    |---|---|---|
    | number | float64, or int64 or uint64 for integers beyond 2^53 | NaN, `gaps` |
    | boolean | bool | `gaps` |
    | moment | datetime64[us], in UTC | NaT |
    | duration | timedelta64[us]; of a clock's times timedelta64[ns] | NaT |
    | text, category | int32 positions in `levels`, which are all different | -1 |
    """

    kind: str
    values: Array
    levels: Sequence[str] = ()
    gaps: Array | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def has_levels(self) -> bool:
        """True for texts and categories."""
        return self.kind in ("text", "category")

    def absent(self) -> NDArray[np.bool_]:
        """Return the missing cells, (n,)."""
        if self.has_levels:
            return np.asarray(self.values < 0)
        if self.values.dtype.kind == "f":
            return np.isnan(self.values)
        if self.values.dtype.kind in "mM":
            return np.isnat(self.values)
        return np.zeros(len(self), bool) if self.gaps is None else self.gaps

    def take(self, rows: Any) -> Cells:
        """Return some of the cells: by a slice, numbers of rows, or a mask."""
        gaps = None if self.gaps is None else self.gaps[rows]
        return replace(self, values=self.values[rows], gaps=gaps)

    def text(self, position: int) -> str:
        """Return one cell as text; "" where it is missing.

        >>> Cells("number", np.array([2.0, 0.5])).text(0)
        '2'
        """
        if self.absent()[position]:
            return ""
        value = self.values[position]
        if self.has_levels:
            return str(self.levels[value])
        if self.kind == "number" and float(value).is_integer() and abs(float(value)) < EXACT:
            return str(int(value))
        return str(value)

    def to_list(self) -> list[Any]:
        """Return the cells as Python values, None where missing."""
        values = self.values.astype("m8[us]") if self.values.dtype == "m8[ns]" else self.values
        plain = [*self.levels, None]
        plain = [plain[k] for k in values] if self.has_levels else values.tolist()
        return [None if gone else value for value, gone in zip(plain, self.absent().tolist(), strict=True)]


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of n cells each. Plain numbers stand side by side in `block`, float64 (n, k), NaN where missing.

    `row_numbers` are the rows' places in the file, from 1, where they are not 1 to n. `decimal` is the mark that
    the file is known to use in its numbers. `declared` says what the user called a column: a key of
    `meaning.DECLARED`.
    """

    names: tuple[str, ...]
    block: NDArray[np.float64]
    block_names: tuple[str, ...]
    others: Mapping[str, Cells]
    row_numbers: NDArray[np.int64] | None = None
    decimal: str = "."
    declared: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, columns: Mapping[str, Cells], rows: int | None = None, **facts: Any) -> Table:
        """Return the table of some columns; `rows` is needed where there are none."""
        plain = [name for name, cells in columns.items() if cells.kind == "number" and cells.values.dtype == np.float64]
        count = len(next(iter(columns.values()))) if rows is None else rows
        block = np.empty((len(plain), count)).T  # each column in one piece of memory
        for k, name in enumerate(plain):
            block[:, k] = columns[name].values
        kept = set(plain)
        others = {name: cells for name, cells in columns.items() if name not in kept}
        return cls(tuple(columns), block, tuple(plain), others, **facts)

    def __len__(self) -> int:
        return len(self.block)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order."""
        return list(self.names)

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and of columns."""
        return len(self), len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.others or name in self._places

    @property
    def _places(self) -> dict[str, int]:
        """The place of each plain number in the block."""
        made = self.__dict__.get("_known_places")
        if made is None:
            made = {name: k for k, name in enumerate(self.block_names)}
            object.__setattr__(self, "_known_places", made)
        return made

    def __getitem__(self, chosen: Any) -> Any:
        """Return the cells of one column (by its name), or some of the rows (by a slice, numbers, or a mask)."""
        if not isinstance(chosen, str):
            return self.take(chosen)
        if chosen in self.others:
            return self.others[chosen]
        return Cells("number", self.block[:, self._places[chosen]])

    def take(self, rows: Any) -> Table:
        """Return some of the rows: by a slice, their numbers from 0, or a mask; they keep their places in the file."""
        places = np.arange(1, len(self) + 1) if self.row_numbers is None else self.row_numbers
        others = {name: cells.take(rows) for name, cells in self.others.items()}
        return replace(self, block=self.block[rows], others=others, row_numbers=places[rows])

    def without(self, names: Iterable[str]) -> Table:
        """Return the table without some columns."""
        gone = set(names)
        kept = tuple(name for name in self.names if name not in gone)
        plain = [k for k, name in enumerate(self.block_names) if name not in gone]
        block = self.block if len(plain) == len(self.block_names) else self.block[:, plain]
        others = {name: cells for name, cells in self.others.items() if name not in gone}
        return replace(
            self, names=kept, block=block, block_names=tuple(self.block_names[k] for k in plain), others=others
        )

    def row_number(self, position: int) -> int:
        """Return the place in the file, from 1, of a row of this table, from 0."""
        return position + 1 if self.row_numbers is None else int(self.row_numbers[position])

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples of Python values, None where missing."""
        return list(zip(*(self[name].to_list() for name in self.names), strict=True))


def text_cells(values: Iterable[str | None], kind: str = "text") -> Cells:
    """Return texts as cells; None is missing, and so is the empty text.

    >>> cells = text_cells(["Bonn", None, "Ulm", "Bonn"])
    >>> cells.values.tolist(), list(cells.levels)
    ([0, -1, 1, 0], ['Bonn', 'Ulm'])
    """
    known: dict[str | None, int] = {None: -1, "": -1}
    given = list(values)
    for value in dict.fromkeys(given):
        known.setdefault(value, len(known) - 2)
    codes = np.fromiter(map(known.__getitem__, given), np.int32, len(given))
    return Cells(kind, codes, [value for value in known if value])
