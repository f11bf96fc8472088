"""Tables of random texts, numbers and dialects: written by the csv module, read by both ways, the same as before."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.tables import Cells, ReadOptions, Table, open_table, read_table, write_table
from chainrule.tables.reading import textfile

PLAIN = re.compile(r"\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)\s*", re.ASCII | re.IGNORECASE)
LEADING_ZERO = re.compile(r"\s*[+-]?0\d", re.ASCII)


def meant(texts: list[str]) -> list[Any]:
    """Return the values of a column of texts by the rules, said once more and slowly."""
    full = [text for text in texts if text]
    plain = all(PLAIN.fullmatch(text) and not LEADING_ZERO.match(text) and "\n" not in text for text in full)
    whole = all(re.fullmatch(r"\s*[+-]?\d+\s*", text) for text in full)
    if plain and whole and any(abs(int(text)) >= 2**53 for text in full):
        numbers = [int(text) for text in full]
        low, high = min(numbers), max(numbers)
        if (low >= -(2**63) and high < 2**63) or (low >= 0 and high < 2**64):
            return [int(text) if text else None for text in texts]
        plain = False
    if plain:
        numbers = [float(text) if text else np.nan for text in texts]
        return [None if number != number else number for number in numbers]
    return [text or None for text in texts]


def same(table: Table, names: list[str], columns: list[list[str]]) -> None:
    assert table.columns == names
    assert len(table) == len(columns[0])
    for name, column in zip(names, columns, strict=True):
        assert table[name].to_list() == meant(column), name


numbers = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(allow_nan=False).map(repr),
    st.integers(-(2**65), 2**65).map(str),
    st.sampled_from(["0", "-0", ".5", "5.", "+3", " 4", "5 ", "1e3", "-.5E-2", "", "", "nan", "inf", "0.0"]),
)
odd = st.sampled_from(["007", "01", "NA", "1_000", "0x1F", "1,5", "12:30", "1 2", "$5", "-", "--1", "e5", "١", "\t7"])
letters = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")) | st.sampled_from(",;\"'\t|\\#\n"), max_size=6
)
texts = letters.filter(lambda text: text == text.strip())
kinds = st.sampled_from(
    [
        numbers,
        st.one_of(numbers, odd),
        texts,
        st.integers(0, 2**66).map(str),
        st.floats(-9, 9).map(repr),
        st.integers(0, 9).map(str),
    ]
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    width = draw(st.integers(2, 5))
    rows = draw(st.integers(1, 12))
    columns = []
    for _ in range(width):
        kind = draw(kinds)
        columns.append(draw(st.lists(kind, min_size=rows, max_size=rows)))
    return [f"name{k}" for k in range(width)], columns


@pytest.mark.parametrize("way", ["small", "big"])
@given(
    made=tables(),
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([0, 1]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, made: Any, separator: str, end: str, quoting: int
) -> None:
    names, columns = made
    if way == "big":
        monkeypatch.setattr(textfile, "SMALL_CELLS", 0)
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([names, *zip(*columns, strict=True)])
    path = tmp_path / "table.csv"
    path.write_bytes(file.getvalue().encode())
    said = ReadOptions(separator=separator, header=True, decimal=".", quote='"')
    with open_table(str(path), said) as opened:
        same(opened.read(), names, columns)
        pieces = list(opened.pieces(5))
    assert [piece.row_number(0) for piece in pieces] == list(range(1, len(columns[0]) + 1, 5))
    for name, column in zip(names, columns, strict=True):
        assert len({piece[name].kind for piece in pieces}) == 1
        assert [value for piece in pieces for value in piece[name].to_list()] == meant(column)


@given(made=tables(), suffix=st.sampled_from([".csv", ".tsv", ".csv.gz", ".parquet"]))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_table_that_is_written_is_read_again(tmp_path: Path, made: Any, suffix: str) -> None:
    names, columns = made
    cells = {name: meant(column) for name, column in zip(names, columns, strict=True)}
    path = tmp_path / f"table{suffix}"
    write_table(cells, path)
    said = (
        {}
        if suffix == ".parquet"
        else {"header": True, "decimal": ".", "quote": '"', "separator": "\t" if "tsv" in suffix else ","}
    )
    again = read_table(path, **said)
    assert again.columns == names
    for name, values in cells.items():
        kept = again[name]
        assert isinstance(kept, Cells)
        assert [value if value == value else None for value in kept.to_list()] == values
