"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` when it is finished, and not before.

    Raises OSError, naming `path`, where that is not possible: no folder, no space, or something there that is not a
    regular file.

    It is written beside its place, synced to the disk, and renamed; when anything goes wrong it is gone, and a file
    that stood there before is untouched.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "note.txt"
    >>> with replacing(path) as file:
    ...     _ = file.write(b"whole")
    >>> path.read_bytes()
    b'whole'
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        opened = beside.open("xb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with opened as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def cause_of(error: Exception) -> str:
    """Return the words of an error; those of an OSError without its number and the file's name.

    >>> cause_of(FileNotFoundError(2, "No such file or directory", "data.csv"))
    'No such file or directory'
    """
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def clear_leftovers(path: Path) -> None:
    """Remove the unfinished files that a killed process left beside `path`; of other files none is touched.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "note.txt"
    >>> path.with_name(".note.txt.0123abcd").touch()
    >>> clear_leftovers(path)
    >>> list(path.parent.iterdir())
    []
    """
    for found in path.parent.glob(f".{escape(path.name)}.????????"):
        if set(found.name[-8:]) <= set("0123456789abcdef"):
            found.unlink(missing_ok=True)
