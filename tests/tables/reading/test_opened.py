"""Sources as a whole: several files, standard input, pieces, temporary files."""

from __future__ import annotations

import gzip
import io
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from chainrule.tables import ReadOptions, SourceError, open_table, read_table, write_table
from chainrule.tables.reading import loading, textfile, texts


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary files go to a folder of their own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_what_is_not_there(tmp_path: Path) -> None:
    for name, cause in (
        (tmp_path / "no.csv", "there is no such file"),
        (tmp_path, "it is a folder, not a file"),
        (tmp_path / "*.csv", "no file has such a name"),
    ):
        with pytest.raises(SourceError) as caught:
            open_table(str(name))
        assert str(caught.value) == f"{name}: {cause}"
    with pytest.raises(SourceError, match="the name of the file is empty"):
        open_table("")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_several_files_are_one_table(tmp_path: Path, suffix: str, temporary: Path) -> None:
    for k in (1, 0, 2):
        columns = {"a": np.arange(4) + 10 * k, "b": ["x", None, "y", f"z{k}"]}
        write_table(columns if k else dict(reversed(columns.items())), tmp_path / f"part-{k}{suffix}")
    with open_table(str(tmp_path / f"part-*{suffix}")) as opened:
        assert opened.rows == 12
        assert opened.columns == ["b", "a"]
        assert opened.notes[-1] == f"3 files were read, from part-0{suffix} to part-2{suffix}"
        table = opened.read()
        assert table["a"].to_list() == [10 * k + i for k in range(3) for i in range(4)]
        assert table["b"].to_list() == [cell for k in range(3) for cell in ("x", None, "y", f"z{k}")]
        pieces = list(opened.pieces(5))
        assert [piece.row_number(0) for piece in pieces] == [1, 6, 11]
        assert [row for piece in pieces for row in piece.rows()] == table.rows()
    assert not [*temporary.iterdir()]


def test_a_column_is_text_if_it_is_so_in_one_of_several_files(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b,c\n1.0,2,18446744073709551615\n")
    (tmp_path / "2.csv").write_text("c,a,b\n1,x,3\n")
    table = read_table(tmp_path / "?.csv")
    assert table.rows() == [("1.0", 2.0, 2**64 - 1), ("x", 3.0, 1)]


@pytest.mark.parametrize(
    ("second", "cause"),
    [
        ("a\n1\n", "2.csv: it has no column 'b', which 1.csv has"),
        ("a,b,c\n1,2,3\n", "2.csv: it has a column 'c', which 1.csv has not"),
        ("a,b\n1\n", "2.csv: line 2 has 1 of the header's 2 fields"),
    ],
)
def test_several_files_that_do_not_fit(tmp_path: Path, second: str, cause: str, temporary: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text(second)
    with pytest.raises(SourceError) as caught:
        open_table(str(tmp_path / "*.csv"))
    assert str(caught.value) == str(tmp_path / cause)
    assert not [*temporary.iterdir()]


@pytest.mark.parametrize("content", [b"a,b\n1,x\n", gzip.compress(b"a,b\n1,x\n", mtime=0)])
def test_standard_input(content: bytes, monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setattr(texts.sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert read_table("-").rows() == [(1.0, "x")]
    assert not [*temporary.iterdir()]


@pytest.mark.parametrize(
    "content", ["a,b\n1,2\n", "a,b\r\n1,2\n3,4\r\n", "#x\na,b\n1,2\n#y\n", " a b\n 1 2\n", "a,b\n1\n", 'a,b\n1,"2\n']
)
@pytest.mark.parametrize("way", [0, 10**9])
def test_temporary_files_are_removed(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, content: str, way: int
) -> None:
    monkeypatch.setattr(textfile, "SMALL_CELLS", way)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(content.encode()))
    try:
        read_table(path)
    except SourceError as error:
        assert "line 2" in str(error)  # noqa: PT017
    assert not [*temporary.iterdir()]


def test_pieces_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textfile, "SMALL_CELLS", 0)
    monkeypatch.setattr(loading, "FEW_LEVELS", 50)
    monkeypatch.setattr(loading, "BLOCK", 1000)
    rows = 3000
    generator = np.random.default_rng(0)
    columns = {
        "few": generator.choice(["a", "b", None], rows),
        "many": [f"t{k % 700}" if k % 3 else None for k in range(rows)],
        "number": generator.normal(size=rows),
        "gaps": np.where(generator.random(rows) < 0.5, np.nan, 1.5),
        "large": [2**60 + k for k in range(rows)],
        "late": ["1"] * (rows - 1) + ["x"],
        "odd": ["+1", " 2", "3 "] * (rows // 3),
    }
    path = tmp_path / "t.csv"
    write_table(columns, path)
    with open_table(str(path)) as opened:
        table = opened.read()
        pieces = list(opened.pieces(700))
    expected = columns | {
        "gaps": [None if v != v else v for v in columns["gaps"]],
        "odd": [1.0, 2.0, 3.0] * (rows // 3),
    }
    for name, values in expected.items():
        assert table[name].to_list() == list(values), name
        assert [cell for piece in pieces for cell in piece[name].to_list()] == list(values), name
        assert {piece[name].kind for piece in pieces} == {table[name].kind}
    assert list(table["many"].levels[:2]) == ["t1", "t2"]


def test_the_memory_of_duckdb_is_bounded(tmp_path: Path) -> None:
    with open_table(str(_text(tmp_path))) as opened:
        assert opened.rows == 1
    work = texts.Workspace()
    con = textfile.connect(work, memory=1 << 28)
    assert con.execute("select current_setting('memory_limit')").fetchall() == [("256.0 MiB",)]
    assert con.execute("select current_setting('autoinstall_known_extensions')").fetchall() == [(False,)]
    con.close()
    work.close()


def _text(folder: Path) -> Path:
    path = folder / "t.txt"
    path.write_text("a,b\n1,2\n")
    return path


def test_what_cannot_be_left_out(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no column is left after --ignore"):
        open_table(str(_text(tmp_path)), ReadOptions(ignore=("a", "b")))


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"separator": ",,"}, "the separator must be one character"),
        ({"decimal": "x"}, "the decimal mark must be"),
        ({"encoding": "utf-99"}, "there is no encoding 'utf-99'"),
    ],
)
def test_options_that_are_none(tmp_path: Path, options: dict[str, str], cause: str) -> None:
    with pytest.raises(SourceError, match=cause):
        read_table(_text(tmp_path), **options)
