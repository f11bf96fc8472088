"""Parquet: every type of column, index levels, damaged files."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from support.traps import (
    Is,
    Right,
    Trap,
    category,
    check,
    duration,
    label,
    moment,
    number,
    refusal,
    tenths,
    traps,
)

ROWS = 60
NUMBERS = [float(tenths(i)) for i in range(ROWS)]
LABELS = [label(i) for i in range(ROWS)]
X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))
BOTH = {"x": X, "y": Y}
DAY = datetime.datetime(2020, 1, 31, 10, 20, 30, 123456)
MOMENTS = [DAY + datetime.timedelta(days=i) for i in range(ROWS)]
WITH_INDEX = pd.DataFrame({"x": NUMBERS, "y": LABELS}, index=np.arange(ROWS) * 7 % 61)


def arrow(d: Any = None, **more: Any) -> pa.Table:
    """Return a table of a number, a text and perhaps `d`."""
    return pa.table({**({} if d is None else {"d": d}), "x": NUMBERS, "y": LABELS, **more})


def file(table: pa.Table, **settings: Any) -> Callable[[Path], object]:
    """Return the function that writes a Parquet file."""
    return lambda path: parquet.write_table(table, path, **settings)


def column(name: str, d: Any, verdict: Any, **facts: Any) -> Trap:
    """Return the trap of a Parquet file whose column `d` is what it is about."""
    if isinstance(verdict, Is):
        verdict = Right(ROWS, {"d": verdict, **BOTH})
    return Trap(
        name, "d.parquet", lambda path: parquet.write_table(arrow(d() if callable(d) else d), path), verdict, **facts
    )


def cut(share: float) -> Callable[[Path], object]:
    """Return the function that writes the first part of a Parquet file."""

    def write(path: Path) -> None:
        parquet.write_table(arrow(), path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return write


def damaged(at: int, count: int = 8) -> Callable[[Path], object]:
    """Return the function that writes a Parquet file with some bytes changed, counted from its end."""

    def write(path: Path) -> None:
        parquet.write_table(arrow(), path)
        data = bytearray(path.read_bytes())
        data[len(data) - at : len(data) - at + count] = b"\xff" * count
        path.write_bytes(bytes(data))

    return write


def stamps(unit: str, zone: str | None = None) -> pa.Array:
    """Return moments in a unit of time."""
    return pa.array(MOMENTS, pa.timestamp("us", zone)).cast(pa.timestamp(unit, zone), safe=False)


def rounded(unit: str) -> list[datetime.datetime]:
    """Return the first moments, cut off to a unit of time."""
    keep = {"s": 0, "ms": 123000}.get(unit, 123456)
    return [at.replace(microsecond=keep) for at in MOMENTS[:3]]


def extension(kind: Any, storage: pa.Array) -> pa.Array:
    """Return an array of an extension type."""
    return pa.ExtensionArray.from_storage(kind, storage)


LISTED = refusal("'d'", "list|struct|map|array", "--ignore|only|can be read")
GAPS = [None if i == 1 else i for i in range(ROWS)]
PARQUET = [
    Trap("plain", "t.parquet", file(arrow()), Right(ROWS, BOTH)),
    Trap("many row groups", "t.parquet", file(arrow(), row_group_size=7), Right(ROWS, BOTH)),
    *(
        Trap(f"compressed with {how}", "t.parquet", file(arrow(), compression=how), Right(ROWS, BOTH))
        for how in ("none", "gzip", "brotli", "zstd", "lz4")
    ),
    Trap(
        "dictionaries",
        "t.parquet",
        file(arrow(pa.array(LABELS).dictionary_encode())),
        Right(ROWS, {"d": category("lo", "hi"), **BOTH}),
    ),
    Trap("pandas' index", "t.parquet", lambda path: WITH_INDEX.to_parquet(path), Right(ROWS, BOTH)),
    Trap(
        "pandas' named index",
        "t.parquet",
        lambda path: WITH_INDEX.rename_axis("key").to_parquet(path),
        (
            Right(ROWS, BOTH),
            Right(ROWS, {**BOTH, "key": Is("number", left_out=True)}),
            Right(ROWS, {**BOTH, "key": Is("number")}, notes=("key",)),
        ),
    ),
    Trap(
        "pandas' index of two levels",
        "t.parquet",
        lambda path: WITH_INDEX.set_index([WITH_INDEX.index, np.arange(ROWS)]).to_parquet(path),
        Right(ROWS, BOTH),
    ),
    Trap(
        "pandas' plain index",
        "t.parquet",
        lambda path: WITH_INDEX.reset_index(drop=True).to_parquet(path),
        Right(ROWS, BOTH),
    ),
    Trap(
        "pandas' categories",
        "t.parquet",
        lambda path: WITH_INDEX.assign(d=pd.Categorical(LABELS, ["hi", "lo", "never"])).to_parquet(path),
        Right(ROWS, {**BOTH, "d": category("lo", "hi")}),
    ),
    Trap(
        "pandas' nullable integers",
        "t.parquet",
        lambda path: WITH_INDEX.assign(d=pd.array(GAPS, "Int64")).to_parquet(path),
        Right(ROWS, {**BOTH, "d": number(0, None, 2, missing=1)}),
    ),
    Trap(
        "pandas' nullable booleans",
        "t.parquet",
        lambda path: WITH_INDEX.assign(
            d=pd.array([None if i == 1 else i % 2 == 0 for i in range(ROWS)], "boolean")
        ).to_parquet(path),
        Right(ROWS, {**BOTH, "d": Is("flag", (True, None, True), missing=1)}),
    ),
    Trap(
        "pandas' periods",
        "t.parquet",
        lambda path: WITH_INDEX.assign(d=pd.period_range("2005", periods=ROWS, freq="M")).to_parquet(path),
        (refusal("'d'", "period|extension"), Right(ROWS, {**BOTH, "d": Is("moment")})),
    ),
    Trap(
        "pandas' intervals",
        "t.parquet",
        lambda path: WITH_INDEX.assign(d=pd.cut(WITH_INDEX.x, 4).astype("interval")).to_parquet(path),
        (refusal("'d'", "interval|extension|struct"), Right(ROWS, {**BOTH, "d": Is("category")})),
    ),
    Trap(
        "repeated names",
        "t.parquet",
        file(pa.Table.from_arrays([pa.array(NUMBERS), pa.array(NUMBERS), pa.array(LABELS)], ["x", "x", "y"])),
        (Right(ROWS, {"x": X, "x_1": X, "y": Y}, notes=("x_1",)), refusal("'x'", "twice|more than one|repeated")),
    ),
    Trap(
        "names that differ in case only",
        "t.parquet",
        file(arrow(X=NUMBERS)),
        (Right(ROWS, {**BOTH, "X": X}), Right(ROWS, {**BOTH, "X_1": X})),
    ),
    Trap(
        "an empty name",
        "t.parquet",
        file(pa.table({"": NUMBERS, "y": LABELS})),
        (Right(ROWS, {"": X, "y": Y}), Right(ROWS, {"column0": X, "y": Y}), Right(ROWS, {"C0": X, "y": Y})),
    ),
    Trap("no rows", "t.parquet", file(arrow().slice(0, 0)), refusal("no rows")),
    Trap("no columns", "t.parquet", file(pa.table({})), refusal("column|no rows")),
    Trap("half of the file", "t.parquet", cut(0.5), refusal("Parquet|damaged|cut off")),
    Trap("all but the last bytes", "t.parquet", cut(0.99), refusal("Parquet|damaged|cut off")),
    Trap(
        "the first four bytes", "t.parquet", lambda path: path.write_bytes(b"PAR1"), refusal("Parquet|damaged|cut off")
    ),
    Trap("a damaged footer", "t.parquet", damaged(300), refusal("Parquet|damaged|cut off")),
    Trap("a wrong length of the footer", "t.parquet", damaged(8, 4), refusal("Parquet|damaged|cut off")),
    Trap("Parquet called .csv", "t.csv", file(arrow()), (Right(ROWS, BOTH), refusal("Parquet|binary"))),
]

TYPES = [
    *(
        column(f"{kind}", pa.array([i % 100 for i in range(ROWS)], kind), number(0, 1, 2))
        for kind in (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float32())
    ),
    column("float16", pa.array(np.arange(ROWS).astype(np.float16)), number(0, 1, 2)),
    column(
        "int64 beyond 2^53",
        pa.array([2**53 + 1 + 2 * i for i in range(ROWS)]),
        number(*(2**53 + 1 + 2 * i for i in range(4))),
    ),
    column(
        "int64 beyond 2^53 with gaps",
        pa.array([None if i == 1 else 2**53 + 1 + 2 * i for i in range(ROWS)]),
        number(2**53 + 1, None, 2**53 + 5, missing=1),
    ),
    column(
        "uint64 at its end", pa.array([2**64 - 1 - i for i in range(ROWS)], pa.uint64()), number(2**64 - 1, 2**64 - 2)
    ),
    column("gaps", pa.array(GAPS), number(0, None, 2, missing=1)),
    column(
        "NaN and null",
        pa.array([float("nan") if i == 1 else None if i == 2 else float(i) for i in range(ROWS)]),
        number(0, None, None, 3, missing=2),
    ),
    column("null columns", pa.nulls(ROWS), Is("number|category", (None, None), missing=ROWS, left_out=True)),
    column("booleans", pa.array([i % 2 == 0 for i in range(ROWS)]), Is("flag", (True, False))),
    column(
        "decimal", pa.array([decimal.Decimal(i) / 4 for i in range(ROWS)], pa.decimal128(10, 2)), number(0, 0.25, 0.5)
    ),
    column(
        "decimal of 38 digits",
        pa.array([decimal.Decimal(i) / 4 for i in range(ROWS)], pa.decimal128(38, 10)),
        number(0, 0.25, 0.5),
    ),
    column(
        "decimal256",
        pa.array([decimal.Decimal(i) / 4 for i in range(ROWS)], pa.decimal256(60, 10)),
        (Right(ROWS, {"d": number(0, 0.25, 0.5), **BOTH}), refusal("'d'", "decimal")),
    ),
    *(column(f"moments in {unit}", stamps(unit), Is("moment", rounded(unit))) for unit in ("s", "ms", "us", "ns")),
    column("moments in UTC", stamps("us", "UTC"), Is("moment", rounded("us"))),
    column("moments of New York", stamps("us", "America/New_York"), Is("moment", rounded("us"))),
    column(
        "moments with a gap",
        pa.array([None if i == 1 else at for i, at in enumerate(MOMENTS)]),
        Is("moment", (MOMENTS[0], None, MOMENTS[2]), missing=1),
    ),
    column(
        "dates", pa.array([at.date() for at in MOMENTS]), moment(datetime.date(2020, 1, 31), datetime.date(2020, 2, 1))
    ),
    column(
        "date64",
        pa.array([at.date() for at in MOMENTS]).cast(pa.date64()),
        moment(datetime.date(2020, 1, 31), datetime.date(2020, 2, 1)),
    ),
    column("times of day", pa.array([datetime.time(i % 24, i) for i in range(ROWS)]), duration(0.0, 3660.0, 7320.0)),
    column(
        "times of day in nanoseconds",
        pa.array([i * 10**9 for i in range(ROWS)], pa.time64("ns")),
        duration(0.0, 1.0, 2.0),
    ),
    column(
        "durations",
        pa.array([datetime.timedelta(minutes=i) for i in range(ROWS)]),
        (Right(ROWS, {"d": duration(0.0, 60.0), **BOTH}), refusal("'d'", "duration|interval|int")),
    ),
    column("texts that are numbers", pa.array([tenths(i) for i in range(ROWS)]), number(0.0, 3.7, 7.4)),
    column(
        "texts that are numbers, with marks",
        pa.array(["NA" if i == 1 else tenths(i) for i in range(ROWS)]),
        number(0.0, None, 7.4, missing=1, marks={"NA": 1}),
    ),
    column(
        "texts that are dates",
        pa.array([f"{at:%d.%m.%Y}" for at in MOMENTS]),
        moment(datetime.date(2020, 1, 31), datetime.date(2020, 2, 1)),
    ),
    column("codes", pa.array([f"{i % 20:03d}" for i in range(ROWS)]), Is("category", ("000", "001"))),
    column(
        "texts with empty ones",
        pa.array(["" if i % 3 == 1 else "ab"[i % 2] for i in range(ROWS)]),
        category("a", None, "a", missing=20),
    ),
    column("large texts and views", pa.array(LABELS, pa.large_string()), category("lo", "hi")),
    column(
        "bytes",
        pa.array([b"a", b"b"] * (ROWS // 2)),
        (Right(ROWS, {"d": Is("category"), **BOTH}), refusal("'d'", "bytes|binary|blob")),
    ),
    column("lists", pa.array([[i, 1] for i in range(ROWS)]), LISTED),
    column("lists of one length", pa.FixedSizeListArray.from_arrays(pa.array(np.arange(2 * ROWS)), 2), LISTED),
    column("structs", pa.array([{"a": i} for i in range(ROWS)]), LISTED),
    column("maps", pa.array([[("a", i)] for i in range(ROWS)], pa.map_(pa.string(), pa.int64())), LISTED),
    column(
        "lists that are left out",
        pa.array([[i, 1] for i in range(ROWS)]),
        Right(ROWS, BOTH),
        options={"ignore": ("d",)},
    ),
    column(
        "arrow.json",
        lambda: extension(pa.json_(), pa.array(['{"a": 1}', "{}"] * (ROWS // 2))),
        (refusal("'d'", "json|extension"), Right(ROWS, {"d": Is("category"), **BOTH})),
    ),
    column(
        "arrow.bool8",
        lambda: extension(pa.bool8(), pa.array([i % 2 for i in range(ROWS)], pa.int8())),
        (refusal("'d'", "bool8|extension"), Right(ROWS, {"d": Is("number|flag"), **BOTH})),
    ),
    column(
        "arrow.uuid",
        lambda: extension(pa.uuid(), pa.array([bytes(15) + bytes([i]) for i in range(ROWS)], pa.binary(16))),
        (refusal("'d'", "uuid|extension"), Right(ROWS, {"d": Is("category"), **BOTH})),
    ),
    column(
        "tensors",
        lambda: pa.FixedShapeTensorArray.from_numpy_ndarray(np.ones((ROWS, 2))),
        (refusal("'d'", "tensor|list|extension"),),
    ),
    column(
        "infinite",
        pa.array([float("inf") if i == 3 else tenths_ for i, tenths_ in enumerate(NUMBERS)]),
        refusal("'d'", r"row 4\b", "infinite"),
        train=("--target", "y"),
    ),
]


@traps(PARQUET)
def test_parquet(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@traps(TYPES)
def test_types(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)


@pytest.mark.parametrize("kind", ["object", "string", "category", "arrow"])
def test_the_same_texts_in_all_of_pandas_types(kind: str, tmp_path: Path) -> None:
    """Texts with a gap are the same column, however pandas holds them."""
    texts = pd.Series([None if i == 1 else label(i) for i in range(ROWS)])
    held = texts.astype({"arrow": pd.ArrowDtype(pa.string())}.get(kind, kind))
    right = Right(ROWS, {**BOTH, "d": category("lo", None, "hi", missing=1, levels=("hi", "lo"))})
    check(
        Trap(
            kind,
            "t.parquet",
            lambda path: WITH_INDEX.assign(d=held.to_numpy() if kind == "object" else held.array).to_parquet(path),
            right,
        ),
        tmp_path,
    )
