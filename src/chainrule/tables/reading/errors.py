"""The errors of a file, as an error of one line."""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ...foundation.files import cause_of

DAMAGED = "the compressed data are damaged or cut off"
CAUSES: Mapping[type[Exception], str] = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a folder, not a file",
    UnicodeDecodeError: "it is not UTF-8 text",
    EOFError: DAMAGED,
    zlib.error: DAMAGED,
    lzma.LZMAError: DAMAGED,
    gzip.BadGzipFile: DAMAGED,
    zipfile.BadZipFile: DAMAGED,
    RuntimeError: DAMAGED,  # what zipfile raises for a method of compression that it does not know
    MemoryError: "it claims more data than fits in memory",
    duckdb.OutOfMemoryException: "it needs more memory than there is",
}
READ_ERRORS: tuple[type[Exception], ...] = (OSError, ValueError, duckdb.Error, *CAUSES)


class SourceError(ValueError):
    """Data that cannot be read or written; the message is one line that names the file and the cause."""


@contextmanager
def one_line(path: str | Path) -> Iterator[None]:
    """Turn what goes wrong inside into a SourceError of one line that names the (innermost) file."""
    try:
        yield
    except SourceError:
        raise
    except READ_ERRORS as error:
        raise SourceError(f"{path}: {short_cause(error)}") from error


def short_cause(error: Exception) -> str:
    """Return the cause of an error in one line.

    >>> short_cause(EOFError("Compressed file ended"))
    'the compressed data are damaged or cut off'
    """
    known = [cause for kind, cause in CAUSES.items() if isinstance(error, kind)]
    cause = known[0] if known else cause_of(error)
    lines = cause.splitlines() or [type(error).__name__]
    first = lines[0].strip()
    if isinstance(error, duckdb.Error) and not known:
        if "Unknown frame descriptor" in cause or "ZSTD" in cause:
            return DAMAGED
        first = first.split(" Error: ", 1)[-1]
    return first if len(first) <= 300 else first[:297] + "..."
