"""Bytes of any kind to a plain UTF-8 file that can be read in place: unpacked, transcoded, or as it is.

What the bytes hold is counted on the way; nothing here knows DuckDB.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, NamedTuple

import duckdb
import numpy as np

from .zstandard import check_whole

CHUNK = 1 << 23
SPARE = 1 << 29
"""Bytes of the disk that stay free: what unpacks to more is refused."""

MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8"} | {
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""The marks at the beginning of a text, the longer ones first."""

PACKED = {".gz": "gzip", ".bz2": "bz2", ".zip": "zip", ".zst": "zst", ".xz": "xz"}


class ByteFacts(NamedTuple):
    """The bytes of a file, counted."""

    size: int = 0
    feeds: int = 0
    returns: int = 0
    both: int = 0
    quotes: int = 0
    underscore: bool = False
    nul: bool = False
    utf8: bool = True

    @property
    def line_end(self) -> bytes:
        """The byte that ends a line."""
        return b"\n" if self.feeds or not self.returns else b"\r"


@dataclass
class PlainText:
    """A plain file of UTF-8 text with what was counted in it; `encoding` is that of the file it was made of."""

    path: Path
    encoding: str
    facts: ByteFacts
    notes: list[str] = field(default_factory=list)


class Workspace:
    """A temporary folder that is made when it is needed."""

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None
        self._count = 0

    @property
    def folder(self) -> Path:
        """The folder."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="chainrule-", ignore_cleanup_errors=True)
        return Path(self._folder.name)

    def new(self, ending: str = "") -> Path:
        """Return a path in it that nothing has yet."""
        self._count += 1
        return self.folder / f"{self._count}{ending}"

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


PACKED_MARKS: Mapping[bytes, str] = {
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"PK\x03\x04": ".zip",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"\xfd7zXZ\0": ".xz",
}
"""The first bytes of packed files, where their names do not say it."""


def packing_of(path: Path) -> str:
    """Return the ending that stands for how a file is packed, by its first bytes; "" for a plain file."""
    with path.open("rb") as file:
        head = file.read(8)
    return next((ending for mark, ending in PACKED_MARKS.items() if head.startswith(mark)), "")


def without_packing(name: str) -> tuple[str, str]:
    """Return a name without the ending of its compression, and that ending, in small letters.

    >>> without_packing("people.CSV.gz")
    ('people.csv', '.gz')
    """
    lower = name.lower()
    for ending in PACKED:
        if lower.endswith(ending):
            return lower.removesuffix(ending), ending
    return lower, ""


def spooled(work: Workspace) -> Path:
    """Return standard input as a file."""
    path = work.new()
    with path.open("wb") as file:
        _copy(sys.stdin.buffer, file)
    return path


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while chunk := source.read(CHUNK):
        if len(chunk) == CHUNK and shutil.disk_usage(Path(target.name).parent).free < SPARE:
            raise ValueError("unpacked, it does not fit on the disk for temporary files")
        if chunk.count(0) > 0.9 * len(chunk):  # whoever packs gigabytes of nothing means no table
            raise ValueError("it is binary data, not a table of text")
        target.write(chunk)


@contextmanager
def _zip_member(path: Path) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive:
        inside = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
        if len(inside) != 1:
            raise ValueError(f"it holds {len(inside)} files; unpack it, and name the one to read")
        if inside[0].flag_bits & 1:
            raise ValueError("it needs a password; unpack it first")
        with archive.open(inside[0]) as file:
            yield file


def unpacked(path: Path, ending: str, work: Workspace) -> Path:
    """Return the path of the unpacked file; the path itself where it is not packed.

    Raises what the standard library raises for damaged data, ValueError for an archive of several files.
    """
    if not ending:
        return path
    target = work.new()
    if ending == ".zst":
        check_whole(path)
        _unpack_zst(path, target)
        return target
    openers: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".zip": _zip_member}
    with openers[ending](path) as source, target.open("wb") as file:
        try:
            _copy(source, file)
        except OSError as error:
            if ending == ".bz2" and error.errno is None:  # what bz2 raises for bytes that are not its own
                raise EOFError from error
            raise
    return target


def _unpack_zst(path: Path, target: Path) -> None:
    """Write the lines of a .zst file, which DuckDB unpacks; blank lines and the kind of line ends are kept."""
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as con, target.open("wb") as file:
        con.execute("set threads = 1")
        rows = con.execute(
            "select line from read_csv(?, columns = {'line': 'VARCHAR'}, delim = '', quote = '', escape = '',"
            " header = false, auto_detect = false, compression = 'zstd', strict_mode = false,"
            " max_line_size = 67108864)",
            [str(path)],
        )
        while lines := rows.fetchmany(50_000):
            file.write("".join(f"{line or ''}\n" for (line,) in lines).encode())


def plain_text(path: Path, encoding: str | None, work: Workspace) -> PlainText:
    """Return a text file as plain UTF-8: the file itself where it is, else a copy.

    `encoding` None: by its mark, UTF-8 where that fits, UTF-16 where every other byte is 0, else Windows-1252.

    Raises ValueError for binary data and for letters that the encoding given does not have.
    """
    with path.open("rb") as file:
        head = file.read(1 << 16)
    mark = next((name for bytes_, name in MARKS.items() if head.startswith(bytes_)), None)
    try:
        said = codecs.lookup(encoding).name if encoding else None
    except LookupError:
        raise ValueError(f"there is no encoding {encoding!r}") from None
    notes: list[str] = []
    if said is None and mark is None and (guess := _utf16_without_mark(head)):
        said = guess
        notes.append(f"its letters were read as {guess.upper()}, by their look; --encoding says otherwise")
    chosen = said or mark or "utf-8"
    if mark == "utf-8" and said in (None, "utf-8", "utf-8-sig"):
        chosen = "utf-8"
    if chosen not in ("utf-8", "ascii"):
        target = transcoded(path, chosen, work)
        return PlainText(target, chosen, byte_facts(target), notes)
    facts = byte_facts(path)
    if facts.nul:
        raise ValueError("it is binary data, not a table of text")
    if facts.utf8:
        return PlainText(path, "utf-8", facts, notes)
    if said:
        raise ValueError(f"it is not {encoding} text; --encoding latin-1 reads it if that is what it is")
    target = transcoded(path, "cp1252", work)
    notes.append("its letters are not UTF-8 and were read as Windows-1252 (Latin-1); --encoding says otherwise")
    return PlainText(target, "cp1252", byte_facts(target), notes)


def _utf16_without_mark(head: bytes) -> str | None:
    even, odd = head[0::2].count(0), head[1::2].count(0)
    most = len(head) // 2 * 0.4
    if len(head) >= 4 and odd > most and even <= odd // 20:
        return "utf-16-le"
    return "utf-16-be" if len(head) >= 4 and even > most and odd <= even // 20 else None


def transcoded(path: Path, encoding: str, work: Workspace) -> Path:
    """Return a copy of a text file in UTF-8, without a mark; bytes that Windows-1252 lacks are read as Latin-1."""
    target = work.new()
    errors = "strict"
    if encoding == "cp1252":
        codecs.register_error("chainrule-latin", lambda e: (e.object[e.start : e.end].decode("latin-1"), e.end))  # type: ignore[attr-defined]
        errors = "chainrule-latin"
    with path.open("rb") as file, target.open("w", encoding="utf-8", newline="") as out:
        text = io.TextIOWrapper(file, encoding, errors, newline="")
        try:
            first = True
            while chunk := text.read(CHUNK):
                out.write(chunk.removeprefix("\ufeff") if first else chunk)
                first = False
        except UnicodeError as error:
            raise ValueError(f"it is not {encoding.upper()} text; --encoding says what it is") from error
    return target


def byte_facts(path: Path) -> ByteFacts:
    """Return the counts of a file's bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    size = feeds = returns = both = quotes = 0
    underscore, nul, utf8, pending, ends_in_return = False, False, True, False, False
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            values = np.frombuffer(chunk, np.uint8)
            size += len(chunk)
            feeds += int(np.count_nonzero(values == 10))
            quotes += int(np.count_nonzero(values == 34))
            underscore = underscore or b"_" in chunk
            if b"\r" in chunk:
                returns += chunk.count(b"\r")
                both += chunk.count(b"\r\n")
            both += ends_in_return and chunk[:1] == b"\n"
            ends_in_return = chunk[-1:] == b"\r"
            nul = nul or b"\0" in chunk
            if utf8 and (pending or not chunk.isascii()):
                try:
                    decoder.decode(chunk)
                    pending = bool(decoder.getstate()[0])
                except UnicodeDecodeError:
                    utf8 = False
    return ByteFacts(size, feeds, returns, both, quotes, underscore, nul, utf8 and not pending)


def with_plain_line_ends(path: Path, work: Workspace) -> Path:
    """Return a copy in which each line ends with a line feed alone."""
    target = work.new()
    with path.open("rb") as file, target.open("wb") as out:
        rest = b""
        while chunk := file.read(CHUNK):
            chunk = rest + chunk
            rest = b"\r" if chunk.endswith(b"\r") else b""
            out.write(chunk.removesuffix(rest).replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        out.write(b"\n" if rest else b"")
    return target
