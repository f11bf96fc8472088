"""An independent count of the records of a text file, to hold the reader to.

A line is a record, but for quoted line breaks: lines with an odd number of quotes go through Python's csv module, with
those that follow until their record ends.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .dialect import LONGEST, NEVER_CLOSED, Record, is_trailing, long_fields, records
from .options import Dialect
from .texts import CHUNK


def count_records(path: Path, dialect: Dialect, line_end: bytes, from_line: int, one_column: bool) -> int:
    """Return the number of records from a line on, from 1; blank lines count only between those of one column.

    Raises ValueError with the line of a quote that is never closed.
    """
    counter = _Counter(dialect, line_end, from_line, one_column)
    rest = b""
    with path.open("rb") as file, long_fields():
        while chunk := file.read(CHUNK):
            rest = counter.take(rest + chunk)
            if len(rest) > LONGEST:
                raise ValueError(f"line {counter.line}: a quote is opened and not closed, or the line is too long")
        counter.take(rest + line_end if rest and not rest.endswith(line_end) else rest, True)
    return counter.records - (counter.blanks if one_column else 0)


class _Counter:
    def __init__(self, dialect: Dialect, line_end: bytes, from_line: int, one_column: bool) -> None:
        self.dialect, self.end = dialect, line_end
        self.from_line, self.one_column = from_line, one_column
        self.line, self.records, self.blanks = 1, 0, 0
        self._stop, self._open = 0, False

    def take(self, data: bytes, last: bool = False) -> bytes:
        """Count the whole records at the beginning of the data, and return what is left."""
        values = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(values == self.end[0])
        if not len(ends):
            return data
        starts = np.concatenate(([0], ends[:-1] + 1))
        self._stop = int(ends[-1]) + 1
        before = max(0, min(self.from_line - self.line, len(ends)))
        starts, lengths, done = starts[before:], ends[before:] - starts[before:], before
        if len(starts):
            blank = (lengths == 0) | ((lengths == 1) & (values[starts] == 13))
            if self.dialect.comment:
                blank |= values[starts] == ord(self.dialect.comment)
            kept, done = self._runs(data, values, starts, blank, last)
            done += before
            self._add(kept)
        self.line += done
        return data[ends[done - 1] + 1 :] if done else data

    def _add(self, kept: np.ndarray) -> None:
        full = np.flatnonzero(~kept)
        self.records += len(kept) if self.one_column else len(full)
        self.blanks = len(kept) - 1 - int(full[-1]) if len(full) else self.blanks + len(kept)

    def _runs(
        self, data: bytes, values: np.ndarray, starts: np.ndarray, blank: np.ndarray, last: bool
    ) -> tuple[np.ndarray, int]:
        """Return which records are blank, and how many lines they are."""
        quote, escape = self.dialect.quote, self.dialect.escape
        if not quote or quote.encode() not in data:
            return blank, len(starts)
        marks = (values == ord(quote))[starts[0] : self._stop].view(np.uint8)
        odd = np.bitwise_xor.reduceat(marks, starts - starts[0]).astype(bool)
        if escape != quote and escape:
            pairs = np.flatnonzero((values[: self._stop - 1] == ord(escape)) & (values[1 : self._stop] == ord(quote)))
            odd[np.clip(np.searchsorted(starts, pairs, side="right") - 1, 0, None)] = True
        odd &= ~blank
        kept = np.ones(len(starts), bool)
        nowhere = 0
        for place in np.flatnonzero(odd).tolist():
            if place < nowhere:
                continue
            length = self._length(data, starts, place)
            if place + length >= len(starts) and not last and self._open:
                return blank[:place][kept[:place]], place
            if self._open:
                raise ValueError(
                    f"line {self.line + place + max(0, self.from_line - self.line)}: a quote ({quote}) {NEVER_CLOSED}"
                )
            kept[place + 1 : place + length] = False
            nowhere = place + length
        return blank[kept], len(starts)

    def _length(self, data: bytes, starts: np.ndarray, place: int) -> int:
        """Return the number of lines of the record that begins at a line."""
        used = 0

        def lines() -> Iterator[str]:
            nonlocal used
            for k in range(place, len(starts)):
                used += 1
                stop = starts[k + 1] if k + 1 < len(starts) else self._stop
                yield data[starts[k] : stop].decode("latin-1")

        self._open = False
        made = records(lines(), self.dialect.separator, self.dialect.quote, self.dialect.escape)
        try:
            next(made, None)
        except csv.Error as error:
            self._open = "unexpected end" in str(error)
        return used


def first_fault(path: Path, dialect: Dialect, width: int, from_line: int) -> str:
    """Return the fault of the first record that does not fit, with its line; "" where all fit."""
    line, of = from_line, "the header's" if dialect.header else "the first line's"
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file, long_fields():
        for _ in range(from_line - 1):
            file.readline()
        try:
            for record in records(file, dialect.separator, dialect.quote, dialect.escape):
                line = record.line + from_line
                if _fits(record, dialect, width):
                    continue
                return f"line {line - 1} has {len(record.fields)} of {of} {width} fields"
        except csv.Error as error:
            if "unexpected end" in str(error):
                return f"line {line}: a quote ({dialect.quote}) {NEVER_CLOSED}"
            return f"line {line}: after a closing quote ({dialect.quote}) there is more text"
    return ""


def _fits(record: Record, dialect: Dialect, width: int) -> bool:
    if len(record.fields) == width or not record.fields or is_trailing(record.fields, width):
        return True
    return bool(dialect.comment) and record.fields[0].startswith(dialect.comment)
