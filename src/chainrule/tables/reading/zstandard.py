"""The check that a Zstandard file is whole: its frames and blocks are walked through, not unpacked (RFC 8878)."""

from __future__ import annotations

from pathlib import Path
from typing import IO

MAGIC = 0xFD2FB528
SKIPPABLE = 0x184D2A50
"""The first four bytes of a frame with data; and of one without, but for its last four bits."""

RUN, RESERVED = 1, 3
"""Kinds of blocks: one byte that is repeated, and none that there is."""


def check_whole(path: Path) -> None:
    """Raise EOFError for a file that ends before its last frame does, or is none of frames.

    DuckDB gives the rows up to the cut and says nothing.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < size:
            magic = _number(file, 4)
            if magic & ~0xF == SKIPPABLE:
                file.seek(_number(file, 4), 1)
            elif magic == MAGIC:
                _pass_frame(file)
            else:
                raise EOFError("no frame")
            if file.tell() > size:
                raise EOFError("cut off")


def _number(file: IO[bytes], count: int) -> int:
    data = file.read(count)
    if len(data) < count:
        raise EOFError("cut off")
    return int.from_bytes(data, "little")


def _pass_frame(file: IO[bytes]) -> None:
    """Go to the end of a frame whose first four bytes were read."""
    described = _number(file, 1)
    single = bool(described & 32)
    dictionary = (0, 1, 2, 4)[described & 3]
    content = (int(single), 2, 4, 8)[described >> 6]
    file.seek((not single) + dictionary + content, 1)
    last = False
    while not last:
        block = _number(file, 3)
        last, kind, length = bool(block & 1), block >> 1 & 3, block >> 3
        if kind == RESERVED:
            raise EOFError("damaged")
        file.seek(1 if kind == RUN else length, 1)
    if described & 4:
        _number(file, 4)
