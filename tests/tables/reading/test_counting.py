"""The independent count of records, against Python's csv module over the whole file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.tables import Dialect
from chainrule.tables.reading import counting
from chainrule.tables.reading.counting import count_records, first_fault

cells = st.text(st.sampled_from('ab ,"\n\\'), max_size=5)
rows = st.lists(st.lists(cells, min_size=2, max_size=3), min_size=1, max_size=12)


@pytest.mark.parametrize("chunk", [7, 1 << 23])
@given(rows=rows, end=st.sampled_from(["\n", "\r\n", "\r"]), blank=st.integers(0, 2), last=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_records_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, rows: list[list[str]], end: str, blank: int, last: bool
) -> None:
    monkeypatch.setattr(counting, "CHUNK", chunk)
    file = io.StringIO(newline="")
    for row in rows:
        csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL if end == "\r" else csv.QUOTE_MINIMAL).writerow(row)
        file.write(end * blank)
    text = file.getvalue() if last else file.getvalue().removesuffix(end)
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert count_records(path, Dialect(), end[-1:].encode(), 1, False) == len(rows)
    assert first_fault(path, Dialect(), len(rows[0]), 1) == "" or len({len(row) for row in rows}) > 1


@pytest.mark.parametrize(
    ("content", "dialect", "from_line", "one_column", "count"),
    [
        ("a,b\n1,2\n3,4\n", Dialect(), 2, False, 2),
        ("a,b\n1,2\n3,4", Dialect(), 3, False, 1),
        ('a,24"\n1,2\n3,5"\n', Dialect(), 1, False, 3),
        ('a,"x \\" y\nz"\n1,2\n', Dialect(escape="\\"), 1, False, 2),
        ('a,"x\n1,2\n', Dialect(quote="", escape=""), 1, False, 2),
        ("a,b\n#1,2\n3,4\n", Dialect(comment="#"), 1, False, 2),
        ("a\n1\n\n3\n\n\n", Dialect(), 2, True, 3),
        ("", Dialect(), 1, False, 0),
        ("\n\n", Dialect(), 1, True, 0),
    ],
)
def test_records_of_other_dialects(
    tmp_path: Path, content: str, dialect: Dialect, from_line: int, one_column: bool, count: int
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    assert count_records(path, dialect, b"\n", from_line, one_column) == count


def test_an_open_quote_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,2\n3,"4\n5,6\n')
    with pytest.raises(ValueError, match=r"line 3: a quote .* is opened and never closed"):
        count_records(path, Dialect(), b"\n", 2, False)
    assert first_fault(path, Dialect(), 2, 2) == 'line 3: a quote (") is opened and never closed'
