"""Encodings and compressed files: the same table, or one line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.traps import ANY, Is, Right, Trap, category, check, grid, label, number, refusal, tenths, traps

X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))
TOWNS = ("Köln", "Zürich", "Ulm")
TOWN = category(*TOWNS, levels=TOWNS)
ALL = {"x": X, "town": TOWN, "y": Y}
TEXT = grid(60, x=tenths, town=lambda i: TOWNS[i % 3], y=label)
PLAIN = grid(60, x=tenths, y=label)
BOTH = {"x": X, "y": Y}
LATE = 25_000
DAMAGED = "damaged|cut off|truncated|incomplete"


def zipped(files: Mapping[str, str]) -> bytes:
    """Return a zip archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


def encrypted(data: bytes) -> bytes:
    """Return a zip archive that claims to be encrypted: bit 0 of the flags, here and in the directory."""
    made = bytearray(data)
    made[6] |= 1
    made[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(made)


def tarred(text: str) -> bytes:
    """Return a tar archive, compressed."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        entry = tarfile.TarInfo("t.csv")
        entry.size = len(text.encode())
        archive.addfile(entry, io.BytesIO(text.encode()))
    return data.getvalue()


ENCODINGS = [
    Trap("UTF-8", "t.csv", TEXT, Right(60, ALL)),
    Trap("UTF-8 with a byte order mark", "t.csv", TEXT.encode("utf-8-sig"), Right(60, ALL)),
    Trap(
        "byte order mark before a quoted name",
        "t.csv",
        b"\xef\xbb\xbf" + TEXT.replace("x,", '"x",', 1).encode(),
        Right(60, ALL),
    ),
    Trap("byte order mark before a comment", "t.csv", b"\xef\xbb\xbf# made\n" + TEXT.encode(), Right(60, ALL)),
    Trap("UTF-16, little end first", "t.csv", b"\xff\xfe" + TEXT.encode("utf-16-le"), Right(60, ALL)),
    Trap("UTF-16, big end first", "t.csv", b"\xfe\xff" + TEXT.encode("utf-16-be"), Right(60, ALL)),
    Trap(
        "UTF-16 with tabs and CRLF, as Excel's Unicode text",
        "t.txt",
        b"\xff\xfe" + TEXT.replace(",", "\t").replace("\n", "\r\n").encode("utf-16-le"),
        Right(60, ALL),
    ),
    Trap(
        "UTF-16 without a mark", "t.csv", TEXT.encode("utf-16-le"), (Right(60, ALL), refusal("UTF-16|binary|encod|NUL"))
    ),
    Trap(
        "UTF-16 said by the user", "t.csv", TEXT.encode("utf-16-le"), Right(60, ALL), options={"encoding": "utf-16-le"}
    ),
    Trap(
        "half a character at the end of UTF-16",
        "t.csv",
        b"\xff\xfe" + TEXT.encode("utf-16-le")[:-1],
        (Right(60, ALL), refusal("UTF-16|encod")),
    ),
    Trap("Latin-1", "t.csv", TEXT.encode("latin-1"), Right(60, ALL, notes=("latin|windows|1252|8859",))),
    Trap("Latin-1 said by the user", "t.csv", TEXT.encode("latin-1"), Right(60, ALL), options={"encoding": "latin-1"}),
    Trap(
        "Latin-1 in the names",
        "t.csv",
        TEXT.replace("town", "größe").encode("latin-1"),
        Right(60, {"x": X, "größe": TOWN, "y": Y}),
    ),
    Trap(
        "Latin-1, first beyond 20,480 rows",
        "t.csv",
        grid(LATE, x=tenths, town=lambda i: "Köln" if i == LATE - 100 else "Ulm", y=label).encode("latin-1"),
        Right(LATE, {"x": X, "town": category("Ulm", levels=("Ulm", "Köln")), "y": Y}),
    ),
    Trap(
        "Windows-1252 with a euro sign",
        "t.csv",
        grid(60, x=tenths, price=lambda i: f"{i + 1},5 €", y=label).replace(",5 €", ".5 €").encode("cp1252"),
        (
            Right(60, {"x": X, "price": number(1.5, 2.5), "y": Y}),
            refusal("encod"),
        ),
    ),
    Trap(
        "Windows-1252 said by the user",
        "t.csv",
        grid(60, x=tenths, note=lambda i: "“a”" if i % 2 else "b – c", y=label).encode("cp1252"),
        Right(60, {"x": X, "note": category("b – c", "“a”"), "y": Y}),
        options={"encoding": "cp1252"},
    ),
    Trap(
        "UTF-8 with one damaged byte",
        "t.csv",
        TEXT.encode()[:-500] + b"\xff" + TEXT.encode()[-499:],
        (
            Right(60, {"x": ANY, "town": ANY, "y": ANY}, notes=("latin|windows|1252|8859|utf-8",)),
            refusal("UTF-8|encod"),
        ),
    ),
    Trap(
        "no encoding", "t.csv", TEXT, refusal("encod", "utf-7000", names_file=False), options={"encoding": "utf-7000"}
    ),
    Trap(
        "UTF-8 said where it is not",
        "t.csv",
        TEXT.encode("latin-1"),
        refusal("UTF-8", "encod"),
        options={"encoding": "utf-8"},
    ),
    Trap(
        "Cyrillic in Windows-1251 said by the user",
        "t.csv",
        grid(60, x=tenths, k=lambda i: "дом" if i % 2 else "лес").encode("cp1251"),
        Right(60, {"x": X, "k": category("лес", "дом")}),
        options={"encoding": "cp1251"},
    ),
    Trap(
        "Japanese in Shift JIS said by the user",
        "t.csv",
        grid(60, x=tenths, k=lambda i: "表" if i % 2 else "名").encode("shift_jis"),
        Right(60, {"x": X, "k": category("名", "表")}),
        options={"encoding": "shift_jis"},
    ),
    Trap(
        "combined and decomposed letters",
        "t.csv",
        grid(60, x=tenths, k=lambda i: "é" if i % 2 else "e\u0301"),
        Right(60, {"x": X, "k": category("e\u0301", "é")}),
    ),
    Trap(
        "emoji",
        "t.csv",
        grid(60, x=tenths, k=lambda i: "👍🏽" if i % 2 else "🙈"),
        Right(60, {"x": X, "k": category("🙈", "👍🏽")}),
    ),
    Trap(
        "blank of zero width",
        "t.csv",
        grid(60, x=lambda i: "\u200b" + tenths(i), y=label),
        (Right(60, BOTH), refusal("'x'", "row 1")),
    ),
]

COMPRESSED = [
    Trap("gzip", "t.csv.gz", gzip.compress(TEXT.encode()), Right(60, ALL)),
    Trap(
        "gzip of two members",
        "t.csv.gz",
        gzip.compress(TEXT[:300].encode()) + gzip.compress(TEXT[300:].encode()),
        Right(60, ALL),
    ),
    Trap("gzip of semicolons", "t.csv.gz", gzip.compress(TEXT.replace(",", ";").encode()), Right(60, ALL)),
    Trap("gzip of Latin-1", "t.csv.gz", gzip.compress(TEXT.encode("latin-1")), Right(60, ALL)),
    Trap("gzip of UTF-16", "t.csv.gz", gzip.compress(TEXT.encode("utf-16")), Right(60, ALL)),
    Trap("gzip of a .txt", "t.txt.gz", gzip.compress(TEXT.encode()), Right(60, ALL)),
    Trap("gzip of tabs", "t.tsv.gz", gzip.compress(TEXT.replace(",", "\t").encode()), Right(60, ALL)),
    Trap("gzip of nothing", "t.csv.gz", gzip.compress(b""), refusal("empty")),
    Trap("cut off gzip", "t.csv.gz", gzip.compress(TEXT.encode())[:-30], refusal(DAMAGED)),
    Trap("gzip without its end", "t.csv.gz", gzip.compress(TEXT.encode())[:-8], refusal(DAMAGED)),
    Trap("gzip with a wrong checksum", "t.csv.gz", gzip.compress(TEXT.encode())[:-8] + bytes(8), refusal(DAMAGED)),
    Trap(
        "gzip with a damaged middle",
        "t.csv.gz",
        (lambda data: data[:60] + bytes(40) + data[100:])(gzip.compress(TEXT.encode())),
        refusal(DAMAGED),
    ),
    Trap("text in a .gz", "t.csv.gz", TEXT, (Right(60, ALL), refusal(f"{DAMAGED}|gzip"))),
    Trap("gzip in a .csv", "t.csv", gzip.compress(TEXT.encode()), (Right(60, ALL), refusal("gzip|binary|compressed"))),
    Trap("bzip2", "t.csv.bz2", bz2.compress(TEXT.encode()), Right(60, ALL)),
    Trap("cut off bzip2", "t.csv.bz2", bz2.compress(TEXT.encode())[:-30], refusal(DAMAGED)),
    Trap("damaged bzip2", "t.csv.bz2", bz2.compress(TEXT.encode())[:40] + bytes(60), refusal(DAMAGED)),
    Trap("xz", "t.csv.xz", lzma.compress(TEXT.encode()), Right(60, ALL)),
    Trap("cut off xz", "t.csv.xz", lzma.compress(TEXT.encode())[:-30], refusal(DAMAGED)),
    Trap("zip", "t.csv.zip", zipped({"t.csv": TEXT}), Right(60, ALL)),
    Trap("zip without the inner ending", "t.zip", zipped({"t.csv": TEXT}), Right(60, ALL)),
    Trap(
        "zip with the folder of a Mac",
        "t.zip",
        zipped({"t.csv": TEXT, "__MACOSX/._t.csv": "\0\5"}),
        (Right(60, ALL), refusal("files")),
    ),
    Trap(
        "zip of two files",
        "t.zip",
        zipped({"a.csv": TEXT, "b.csv": TEXT}),
        refusal("a.csv|2 files|two|several|one file"),
    ),
    Trap("zip of nothing", "t.zip", zipped({}), refusal("no file|empty|0 files|one file")),
    Trap("zip of a file with path", "t.zip", zipped({"../../t.csv": TEXT}), (Right(60, ALL), refusal("path|folder"))),
    Trap("cut off zip", "t.zip", zipped({"t.csv": TEXT})[:-30], refusal(DAMAGED)),
    Trap(
        "damaged zip",
        "t.zip",
        (lambda data: data[:60] + bytes(40) + data[100:])(zipped({"t.csv": TEXT})),
        refusal(DAMAGED),
    ),
    Trap("encrypted zip", "t.zip", encrypted(zipped({"t.csv": TEXT})), refusal("encrypt|password|damaged")),
    Trap("tar", "t.tar.gz", tarred(TEXT), refusal("tar|end|binary|NUL")),
    Trap("text in a .zip", "t.zip", TEXT, refusal(f"{DAMAGED}|zip")),
]


@traps(ENCODINGS)
def test_encodings(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(COMPRESSED)
def test_compressed(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


def zstd_frame(data: bytes) -> bytes:
    """Return the data as one Zstandard frame of one block that is not compressed (at most 128 kB)."""
    assert 256 <= len(data) < 65_792
    head = b"\x28\xb5\x2f\xfd" + b"\x60" + (len(data) - 256).to_bytes(2, "little")
    return head + ((len(data) << 3) | 1).to_bytes(3, "little") + data


@pytest.mark.parametrize("damage", [0, 30, 700])
def test_zstandard(damage: int, tmp_path: Path) -> None:
    """A .zst is read whole, and refused where it is cut off."""
    data = zstd_frame(TEXT.encode())
    verdict = refusal(DAMAGED) if damage else Right(60, ALL)
    check(Trap("zst", "t.csv.zst", data[: len(data) - damage], verdict), tmp_path)


def test_a_bomb_does_not_fill_the_memory(tmp_path: Path) -> None:
    """A small archive of 4 MB of one cell is refused, or read."""
    data = gzip.compress(b"x,y\n1," + b"a" * 4_000_000 + b"\n", 1)
    verdict = (refusal("long|large|size|memory|characters|bytes"), Right(1, {"x": Is("number"), "y": ANY}))
    check(Trap("bomb", "t.csv.gz", data, verdict), tmp_path)
