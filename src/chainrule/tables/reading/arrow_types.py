"""The extension types of a Parquet file's columns, from the Arrow schema that its metadata hold.

The schema is a flatbuffer; of it only the fields' names and their metadata are read.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping

EPOCH_PERIODS: Mapping[str, str] = {
    "D": "(timestamp '1970-01-01' + {} * interval 1 day)",
    "M": "(timestamp '1970-01-01' + {} * interval 1 month)",
    "ME": "(timestamp '1970-01-01' + {} * interval 1 month)",
    "Q": "(timestamp '1970-01-01' + {} * interval 3 month)",
    "QE": "(timestamp '1970-01-01' + {} * interval 3 month)",
    "A": "(timestamp '1970-01-01' + {} * interval 1 year)",
    "Y": "(timestamp '1970-01-01' + {} * interval 1 year)",
    "YE": "(timestamp '1970-01-01' + {} * interval 1 year)",
    "H": "(timestamp '1970-01-01' + {} * interval 1 hour)",
    "MIN": "(timestamp '1970-01-01' + {} * interval 1 minute)",
    "T": "(timestamp '1970-01-01' + {} * interval 1 minute)",
    "S": "(timestamp '1970-01-01' + {} * interval 1 second)",
}
"""pandas' periods, which are stored as numbers since 1970: the SQL of the moment each begins."""

EXTENSION = "ARROW:extension:name"
DURATION = 18
UNITS = ("* 1000000", "* 1000", "", "// 1000")
"""From seconds, milliseconds, microseconds and nanoseconds to microseconds."""


def arrow_kinds(encoded: bytes) -> dict[str, str]:
    """Return the facts on columns that Arrow's schema has and Parquet has not; empty where it cannot be understood.

    "extension:NAME", "dictionary" for categories, "duration:" with the SQL that makes microseconds of its integers.
    """
    try:
        data = base64.b64decode(encoded)
        start = 8 if data[:4] == b"\xff\xff\xff\xff" else 4
        schema = _Table(data, start + _int(data, start)).table(2)
        return {field.text(0): _kind(field) for field in schema.tables(1)} if schema else {}
    except (ValueError, struct.error, IndexError, UnicodeDecodeError):
        return {}


def _kind(field: _Table) -> str:
    pairs = {pair.text(0): pair.text(1) for pair in field.tables(6)}
    if EXTENSION in pairs:
        return f"extension:{pairs[EXTENSION]}"
    if field.table(4):
        return "dictionary"
    if field.byte(2) == DURATION:
        kind = field.table(3)
        return f"duration:{UNITS[kind.short(0, 1) if kind else 1]}"
    return ""


def _int(data: bytes, place: int) -> int:
    return int(struct.unpack_from("<i", data, place)[0])


class _Table:
    """A table of a flatbuffer: its fields stand where a table of offsets says."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data, self.place = data, place

    def _field(self, number: int) -> int:
        """Return the place of a field; 0 where it is not there."""
        offsets = self.place - _int(self.data, self.place)
        size = struct.unpack_from("<H", self.data, offsets)[0]
        slot = 4 + 2 * number
        offset = struct.unpack_from("<H", self.data, offsets + slot)[0] if slot < size else 0
        return self.place + int(offset) if offset else 0

    def table(self, number: int) -> _Table | None:
        place = self._field(number)
        return _Table(self.data, place + _int(self.data, place)) if place else None

    def byte(self, number: int) -> int:
        place = self._field(number)
        return self.data[place] if place else 0

    def short(self, number: int, default: int) -> int:
        place = self._field(number)
        return int(struct.unpack_from("<h", self.data, place)[0]) if place else default

    def tables(self, number: int) -> Iterator[_Table]:
        place = self._field(number)
        if place:
            vector = place + _int(self.data, place)
            for k in range(_int(self.data, vector)):
                entry = vector + 4 + 4 * k
                yield _Table(self.data, entry + _int(self.data, entry))

    def text(self, number: int) -> str:
        place = self._field(number)
        if not place:
            return ""
        start = place + _int(self.data, place)
        return self.data[start + 4 : start + 4 + _int(self.data, start)].decode()
