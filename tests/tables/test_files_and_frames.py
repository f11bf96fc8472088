"""The same data in a file and in a frame: the same table, the same encoder, the same matrix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chainrule import MLPRegressor
from chainrule.tables import TableEncoder, table_of
from chainrule.tables.reading.opened import open_table
from chainrule.tables.reading.options import ReadOptions

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::chainrule.tables.TableWarning"
)
ROWS = 120
RNG = np.random.default_rng(0)
A, B = RNG.normal(50, 10, ROWS).round(3), RNG.integers(0, 9, ROWS)
TOWN = RNG.choice(["Bonn", "Rome", "Ulm"], ROWS)
DAYS = pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 900, ROWS), unit="D")

TABLE = pd.DataFrame(
    {
        "number": A,
        "whole": B,
        "gaps": np.where(B > 5, np.nan, A),
        "huge": 2**60 + B,
        "town": TOWN,
        "holes": np.where(B > 6, None, TOWN),
        "mark": np.where(B > 6, "NA", TOWN),
        "number mark": np.where(B > 6, "?", A.astype(str)),
        "price": [f"${value * 100:,.2f}" for value in A],
        "share": [f"{value:.1f}%" for value in A],
        "code": [f"{k:03d}" for k in B],
        "version": RNG.choice(["3.1", "3.10", "2.7.1"], ROWS),
        "flag": RNG.choice(["yes", "no"], ROWS),
        "day": DAYS.strftime("%d.%m.%Y"),
        "iso": DAYS.strftime("%Y-%m-%d"),
        "clock": [f"{k:02d}:{k * 5:02d}" for k in B],
        "flat": 3,
        "empty": None,
        "id": range(ROWS),
    }
)
TYPED = TABLE.assign(when=DAYS, true=B > 4, kind=pd.Categorical(TOWN), span=pd.to_timedelta(B, unit="min"))
Y = A + B

FILES: dict[str, tuple[pd.DataFrame, Callable[[pd.DataFrame, Path], Any]]] = {
    "t.csv": (TABLE, lambda frame, path: frame.to_csv(path, index=False)),
    "t.tsv": (TABLE, lambda frame, path: frame.to_csv(path, index=False, sep="\t")),
    "t.csv.gz": (TABLE, lambda frame, path: frame.to_csv(path, index=False)),
    "t.parquet": (TYPED, lambda frame, path: frame.to_parquet(path)),
    "part.parquet": (TYPED[::-1], lambda frame, path: frame.to_parquet(path)),
}


@pytest.mark.parametrize("name", FILES)
def test_files_and_frames_are_the_same_table(name: str, tmp_path: Path) -> None:
    frame, write = FILES[name]
    write(frame, tmp_path / name)
    with open_table(str(tmp_path / name)) as opened:
        table = opened.read()
    given = table_of(frame)
    assert table.names == given.names
    for column in table.names:
        assert table[column].kind == given[column].kind, column
        assert table[column].to_list() == given[column].to_list(), column
    one, other = (TableEncoder().fit(each) for each in (table, given))
    assert one.columns_ == other.columns_
    assert one.notes_ == other.notes_
    assert one.transform(table).tobytes() == other.transform(given).tobytes() == one.transform(frame).tobytes()


@pytest.mark.parametrize("name", FILES)
def test_new_rows_of_a_file_are_encoded_as_those_of_a_frame(name: str, tmp_path: Path) -> None:
    frame, write = FILES[name]
    encoder = TableEncoder().fit(frame)
    new = frame[frame["version"] != "2.7.1"].head(20)  # alone, these versions look like numbers
    write(new, tmp_path / name)
    with open_table(str(tmp_path / name), ReadOptions(columns=dict.fromkeys(encoder.text_names, "text"))) as opened:
        assert encoder.transform(opened.read()).tobytes() == encoder.transform(new).tobytes()
        pieces = [encoder.transform(piece) for piece in opened.pieces(7)]
    assert np.concatenate(pieces).tobytes() == encoder.transform(new).tobytes()


def test_an_estimator_gets_the_same_from_both(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    with open_table(str(tmp_path / "t.csv")) as opened:
        table = opened.read()
    models = [MLPRegressor(hidden_layer_sizes=(8,), max_iter=3, random_state=0).fit(each, Y) for each in (table, TABLE)]
    assert np.array_equal(models[0].theta_, models[1].theta_)
    assert np.array_equal(models[0].predict(TABLE), models[1].predict(table))
