"""Files for `tools/fuzz_reading.py`: small tables in random dialects and formats, and random damage to them.

Everything is a function of a seed. Shapes: n rows.
"""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet


@dataclass(frozen=True)
class Written:
    """A file: its name and bytes; and for text how it was written, which the independent readers are told.

    `first` is the first line before the damage.
    """

    name: str
    data: bytes
    separator: str = ""
    quote: str = ""
    escape: str = ""
    header: bool = True
    first: bytes = b""

    @property
    def is_text(self) -> bool:
        """True for files of text, compressed or not."""
        return bool(self.separator)


WORDS = ("Bonn", "Ulm", "Köln", "a b", "it's", "x-1", "São Paulo", "名")
TRICKY = ("a, b", "a; b", 'say "no"', "two\nlines", "tab\tbed", "#tag", "C:\\new", "-", "NA", "?", "1,5", "007")
COLUMNS: tuple[Callable[[random.Random, int], str], ...] = (
    lambda r, i: str(r.randint(-99, 99)),
    lambda r, i: f"{r.gauss(0, 100):.3f}",
    lambda r, i: r.choice(WORDS),
    lambda r, i: r.choice(TRICKY) if r.random() < 0.3 else r.choice(WORDS),
    lambda r, i: "" if r.random() < 0.2 else str(r.randint(0, 5)),
    lambda r, i: f"20{r.randint(10, 29)}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}",
    lambda r, i: r.choice(("true", "false")),
    lambda r, i: "NA" if r.random() < 0.1 else f"{r.random():.2f}",
    lambda r, i: f"${r.randint(1, 9999)}.50",
    lambda r, i: f"{r.randint(1, 28):02d}.{r.randint(1, 12):02d}.20{r.randint(10, 29)}",
    lambda r, i: str(i),
)
"""The content of a column: a cell from random numbers and the row's number."""


def cell(text: str, r: random.Random, separator: str, quote: str, escape: str) -> str:
    """Return a cell as it stands in the file: in quotes where it must be, and now and then where it need not."""
    special = any(sign in text for sign in (separator, quote, escape, "\n", "\r", "#")) or text != text.strip()
    if not special and r.random() < 0.9:
        return text
    if escape != quote:
        text = text.replace(escape, escape * 2)
    return quote + text.replace(quote, escape + quote) + quote


def text_file(r: random.Random) -> Written:
    """Return a table as text in a random dialect."""
    separator = r.choice(",,,;\t|")
    quote, escape = r.choice(('""', '""', '"\\', "''"))
    end = r.choice(("\n", "\n", "\n", "\r\n", "\r"))
    makers = [r.choice(COLUMNS) for _ in range(r.randint(2, 6))]
    makers[0] = COLUMNS[1]  # a number shows what is a header
    rows = [[make(r, i) for make in makers] for i in range(r.randint(1, 60))]
    lines = [separator.join(cell(text, r, separator, quote, escape) for text in row) for row in rows]
    header = r.random() < 0.85
    lines = [separator.join(f"name{k}" for k in range(len(makers)))] * header + lines
    data = (end.join(lines) + end * r.choice((1, 1, 1, 0, 2))).encode()
    return Written("t.csv", data, separator, quote, escape, header, lines[0].encode())


@cache
def parquet_files() -> tuple[bytes, ...]:
    """Return small Parquet files with every type of column that is common."""
    r = random.Random(0)
    n = 50
    columns = {
        "number": pa.array([r.random() for _ in range(n)]),
        "gaps": pa.array([None if i % 7 == 3 else i for i in range(n)]),
        "large": pa.array([2**60 + i for i in range(n)]),
        "text": pa.array([r.choice(WORDS) for _ in range(n)]),
        "level": pa.array([r.choice(WORDS) for _ in range(n)]).dictionary_encode(),
        "flag": pa.array([i % 2 == 0 for i in range(n)]),
        "moment": pa.array([i * 10**9 for i in range(n)], pa.timestamp("us", "UTC")),
        "decimal": pa.array(range(n)).cast(pa.decimal128(22, 2)),
        "list": pa.array([[i] for i in range(n)]),
    }
    files = []
    chosen = (("number", "text"), ("gaps", "level", "flag"), ("large", "moment", "decimal"), ("text", "list"))
    ways: tuple[dict[str, Any], ...] = (
        {},
        {"compression": "none"},
        {"compression": "zstd", "row_group_size": 20},
        {"compression": "gzip", "use_dictionary": False},
    )
    for names in (*chosen, tuple(columns)):
        for settings in ways:
            sink = io.BytesIO()
            parquet.write_table(pa.table({name: columns[name] for name in names}), sink, **settings)
            files.append(sink.getvalue())
    return tuple(files)


TOKENS = (
    *(b'"', b'""', b"'", b"\\", b'\\"', b'"\n', b'\n"', b'",', b',"'),
    *(b",", b";", b"\t", b"|", b" ", b"\n", b"\r", b"\r\n", b"\n\n"),
    *(b"\0", b"#", b"\xef\xbb\xbf", b"\xff\xfe", b"\x80", b"sep=;\n"),
    *(b"NA", b"-", b"0000-00-00", b"1e999", b"inf", b"9" * 20, b"\xe2\x82\xac", b"(5.00)"),
)
"""The damage put into a file of text."""


def _flip(r: random.Random, data: bytearray) -> None:
    at = r.randrange(len(data))
    data[at] ^= 1 << r.randrange(8)


def _overwrite(r: random.Random, data: bytearray) -> None:
    at = r.randrange(len(data))
    data[at : at + r.randint(1, 8)] = r.randbytes(r.randint(1, 8))


def _insert(r: random.Random, data: bytearray) -> None:
    at = r.randrange(len(data) + 1)
    data[at:at] = r.choice(TOKENS)


def _replace(r: random.Random, data: bytearray) -> None:
    at = r.randrange(len(data))
    data[at : at + r.randint(1, 6)] = r.choice(TOKENS)


def _delete(r: random.Random, data: bytearray) -> None:
    at = r.randrange(len(data))
    del data[at : at + r.randint(1, 20)]


def _repeat(r: random.Random, data: bytearray) -> None:
    at = r.randrange(len(data))
    data[at:at] = data[at : at + r.randint(1, 40)] * r.randint(1, 5)


def _cut(r: random.Random, data: bytearray) -> None:
    del data[r.randrange(len(data)) :]


def _swap_lines(r: random.Random, data: bytearray) -> None:
    lines = data.split(b"\n")
    a, b = r.randrange(len(lines)), r.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    data[:] = b"\n".join(lines)


def _repeat_line(r: random.Random, data: bytearray) -> None:
    lines = data.split(b"\n")
    lines.insert(r.randrange(len(lines)), r.choice(lines))
    data[:] = b"\n".join(lines)


TEXT_DAMAGE = (_flip, _insert, _insert, _insert, _replace, _delete, _repeat, _cut, _swap_lines, _repeat_line)
BYTE_DAMAGE = (_flip, _flip, _overwrite, _delete, _repeat, _cut)


def damaged(r: random.Random, data: bytes, kinds: tuple[Callable[[random.Random, bytearray], None], ...]) -> bytes:
    """Return the data after none to four damages."""
    changed = bytearray(data)
    for _ in range(r.choice((0, 1, 1, 1, 2, 2, 3, 4))):
        if changed:
            r.choice(kinds)(r, changed)
    return bytes(changed)


def made(seed: int) -> Written:
    """Return the file of a seed: two of three are text, some of them compressed; the others are Parquet."""
    r = random.Random(seed)
    if r.random() < 1 / 3:
        data = r.choice(parquet_files())
        return Written("t.parquet", damaged(r, data, BYTE_DAMAGE))
    file = text_file(r)
    data = damaged(r, file.data, TEXT_DAMAGE)
    name = file.name
    if r.random() < 0.05:
        name, data = "t.csv.gz", damaged(r, gzip.compress(data, mtime=0), BYTE_DAMAGE)
    return replace(file, name=name, data=data)
