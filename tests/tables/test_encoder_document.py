"""The encoder as a document: JSON and back without losing a bit, wrong documents refused, any small table encoded."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.tables import InputColumn, TableEncoder, table_of
from chainrule.tables.meaning.marks import is_mark
from chainrule.tables.values import READINGS

PEOPLE = pl.DataFrame(
    {
        "age": [20.0, 40.0, None, 60.0],
        "town": ["Bonn", "Ulm", "Bonn", None],
        "member": [True, False, True, True],
        "since": [dt.date(2020, 1, day) for day in (1, 2, 3, 4)],
    }
)


# -------------------------------------------------------------------------- JSON and describe


def test_the_matrix_is_c_contiguous_of_the_asked_type() -> None:
    for dtype in ("float32", "float64"):
        matrix = TableEncoder(dtype=dtype).fit_transform(PEOPLE)
        assert matrix.dtype == dtype
        assert matrix.flags.c_contiguous


def test_describe_has_one_line_for_each_column() -> None:
    added = {"score": pl.Series(["1", "2", "3", "?"]), "low": pl.Series([-6, -4, -6, -4])}
    frame = PEOPLE.with_columns(flat=pl.lit(1), **added)
    assert TableEncoder().fit(frame).describe().splitlines() == [
        "age     number -> (x - 40) / 16.3299; missing in 1 row -> the mean, and an indicator",
        "town    category -> 2 levels + (missing) in 1 row",
        "member  category -> 2 levels",
        "since   date, in seconds since 1970 -> (x - 1.57797e+09) / 96598.1",
        "flat    dropped: always 1",
        "score   number -> (x - 2) / 0.816497; missing in 1 row ('?') -> the mean, and an indicator",
        "low     number -> (x + 5) / 1",
    ]


def test_json_round_trip_gives_the_same_records_and_bits() -> None:
    encoder = TableEncoder(rare_below=3, dtype="float32").fit(PEOPLE.with_columns(flat=pl.lit(1)))
    again = TableEncoder.from_json(json.loads(json.dumps(encoder.to_json(), allow_nan=False)))
    assert again.columns_ == encoder.columns_
    assert again.to_json() == encoder.to_json()
    frame = PEOPLE.with_columns(flat=pl.lit(1))
    assert again.transform(frame).tobytes() == encoder.transform(frame).tobytes()


def test_an_encoder_can_be_pickled() -> None:
    encoder = TableEncoder().fit(PEOPLE)
    assert pickle.loads(pickle.dumps(encoder)).columns_ == encoder.columns_


def number(**changes: Any) -> dict[str, Any]:
    return {"kind": "number", "name": "a", "reads": "number", "mean": 0.5, "std": 2.0, "missing": 0} | changes


def category(**changes: Any) -> dict[str, Any]:
    plain = {"kind": "category", "name": "b", "levels": ["x", "y"], "counts": [3, 4], "rare": 0, "missing": 0}
    return plain | {"stray": ""} | changes


def test_records_say_what_0_1_did_not_know() -> None:
    """Fields that files of 0.1 lack may be absent; those of today are written, and read again."""
    encoder = TableEncoder.from_json(document(number(), category()))
    today = document(
        number(form="$1,234.5", marks=["NA"], bad=["x"], origin=str(2**100)),
        category(takes_marks=True, marks=["?"]),
    )
    written = TableEncoder.from_json(today).to_json()
    assert written == today
    assert encoder.to_json() == document(
        number(form="", marks=[], bad=[], origin=""), category(takes_marks=False, marks=[])
    )


def document(*columns: Any, **changes: Any) -> dict[str, Any]:
    return {"rare_below": 10, "max_levels": 100, "dtype": "float64", "columns": [*columns]} | changes


def test_the_documents_below_are_right_but_for_one_thing() -> None:
    assert TableEncoder.from_json(document(number(), category())).feature_names_out_ == ["a", "b=x", "b=y"]


WRONG_DOCUMENTS: list[tuple[Any, str]] = [
    (None, "'columns' must be a list"),
    ([], "'columns' must be a list"),
    (document(columns={}), "'columns' must be a list"),
    (document(), "nothing to learn from"),
    (document(number(), extra=1), "expected an object with 'rare_below', 'max_levels', 'dtype'"),
    (document(number(), rare_below=0), "rare_below must be a whole number of at least 1"),
    (document(number(), rare_below=True), "'rare_below' must be a count"),
    (document(number(), max_levels=-1), "'max_levels' must be a count"),
    (document(number(), dtype="object"), "dtype must be"),
    (document(number(), number()), "column names must be unique"),
    (document("a"), "column 1: 'kind' must be one of 'dropped', 'number', 'category'"),
    (document(number(kind="os.system")), "column 1: 'kind' must be one of"),
    (document(number(kind=["number"])), "column 1: 'kind' must be one of"),
    (document(number(more=1)), "column 1: expected an object with"),
    (document({"kind": "number", "name": "a"}), "column 1: expected an object with"),
    (document(number(name=3)), "column 1: 'name' must be a text"),
    (document(number(name="\ud800")), "column 1: 'name' must be a text"),
    (document(number(reads="eval")), "column 1: 'reads' must be one of"),
    (document(number(mean="0.5")), "column 1: 'mean' must be a finite number"),
    (document(number(mean=float("nan"))), "column 1: 'mean' must be a finite number"),
    (document(number(std=float("inf"))), "column 1: 'std' must be a finite number"),
    (document(number(std=10**400)), "column 1: 'std' must be a finite number"),
    (document(number(std=-1.0)), "column 1: 'std' must not be negative"),
    (document(number(missing=-1)), "column 1: 'missing' must be a count"),
    (document(number(missing=True)), "column 1: 'missing' must be a count"),
    (document(number(missing=2**60)), "column 1: 'missing' must be a count"),
    (document(number(form=1)), "column 1: 'form' must be a text"),
    (document(number(marks="NA")), "column 1: 'marks' must be a list of texts"),
    (document(number(origin="0.5")), "column 1: 'origin' must be a whole number"),
    (document(category(takes_marks=1)), "column 1: 'takes_marks' must be True or False"),
    (document(number(), category(levels="xy")), "column 2: 'levels' must be a list of texts"),
    (document(number(), category(levels=["x", 1])), "column 2: 'levels' must be a list of texts"),
    (document(number(), category(levels=["x", "x"])), "column 2: 'levels' must be unique"),
    (
        document(number(), category(counts=[1])),
        "column 2: 'levels' must be unique, with one of 'counts' each",
    ),
    (document(number(), category(counts=[1, -1])), "column 2: 'counts' must be a list of counts"),
    (document(number(), category(levels=[], counts=[])), "column 2: 'counts' and 'rare' must not all be 0"),
]


@pytest.mark.parametrize(("entry", "message"), WRONG_DOCUMENTS)
def test_a_wrong_document_is_refused_with_the_place(entry: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        TableEncoder.from_json(entry)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# -------------------------------------------------------------------------- properties

CELLS = {
    "integers": st.integers(-(2**63), 2**63 - 1),
    "floats": st.floats(allow_infinity=False),
    "texts": st.text(st.characters(codec="utf-8"), max_size=6),
    "digits": st.text("0123456789.-+e", max_size=5),
    "booleans": st.booleans(),
    "few": st.sampled_from(["a", "b", "(rare)", "(missing)", "True", "1"]),
}


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    """Small tables of every kind of column, each with gaps or not."""
    rows = draw(st.integers(1, 12))
    kinds = draw(st.lists(st.sampled_from([*CELLS]), min_size=1, max_size=5))
    columns = {}
    for position, kind in enumerate(kinds):
        cells = CELLS[kind] if draw(st.booleans()) else st.none() | CELLS[kind]
        columns[f"{kind} {position}"] = draw(st.lists(cells, min_size=rows, max_size=rows))
    return pl.DataFrame(columns)


def fitted(frame: pl.DataFrame) -> TableEncoder:
    """Fit; a table in which no column tells rows apart is not what the properties are about."""
    try:
        return TableEncoder(rare_below=2, max_levels=3).fit(frame)
    except ValueError as error:
        assert str(error).startswith("nothing to learn from")  # noqa: PT017
        assume(False)
        raise


@given(tables())
def test_every_small_table_becomes_finite_numbers(frame: pl.DataFrame) -> None:
    encoder = fitted(frame)
    matrix = encoder.transform(frame)
    assert matrix.shape == (len(frame), len(encoder.feature_names_out_))
    assert np.isfinite(matrix).all()


@given(tables())
@pytest.mark.slow
def test_json_keeps_every_bit(frame: pl.DataFrame) -> None:
    encoder = fitted(frame)
    again = TableEncoder.from_json(json.loads(json.dumps(encoder.to_json(), allow_nan=False)))
    assert again.transform(frame).tobytes() == encoder.transform(frame).tobytes()


@given(tables(), st.randoms())
@pytest.mark.slow
def test_rows_are_encoded_one_by_one(frame: pl.DataFrame, random: Any) -> None:
    encoder = fitted(frame)
    order = list(range(len(frame)))
    random.shuffle(order)
    matrix = encoder.transform(frame)
    assert encoder.transform(frame[order]).tobytes() == matrix[order].tobytes()
    assert encoder.transform(frame[:1]).tobytes() == matrix[:1].tobytes()


@given(tables(), tables())
def test_a_new_table_is_encoded_or_refused_by_name(frame: pl.DataFrame, other: pl.DataFrame) -> None:
    encoder = fitted(frame)
    new = pl.DataFrame({name: other.to_series(i % other.width) for i, name in enumerate(frame.columns)})
    try:
        assert np.isfinite(encoder.transform(new)).all()
    except ValueError as error:
        assert str(error).startswith("column '")  # noqa: PT017


@given(tables())
@pytest.mark.slow
def test_pandas_and_polars_give_the_same_matrix(frame: pl.DataFrame) -> None:
    expected = fitted(frame).transform(frame)
    given_to_pandas = pd.DataFrame({column.name: _pandas(column) for column in frame})
    assert fitted(given_to_pandas).transform(given_to_pandas).tobytes() == expected.tobytes()


def _pandas(column: pl.Series) -> Any:
    if column.dtype == pl.Int64 and column.null_count():
        return pd.array(column.to_list(), dtype="Int64")
    return pd.Series(column.to_list(), dtype="float64" if column.dtype == pl.Float64 else None)


# -------------------------------------------------------------------------- the schema of the inputs


def test_the_schema_says_what_each_input_stands_for() -> None:
    frame = PEOPLE.with_columns(
        flat=pl.lit(1), wait=pl.Series([dt.timedelta(k) for k in range(4)]), code=pl.Series(["a", "a", "b", "c"])
    )
    encoder = TableEncoder(rare_below=2).fit(frame.sample(40, with_replacement=True, seed=1, shuffle=True))
    entries = [(entry.column, entry.kind, entry.level) for entry in encoder.schema_]
    assert entries == [
        ("age", "number", None),
        ("age", "missing", None),
        ("town", "level", "Bonn"),
        ("town", "level", "Ulm"),
        ("town", "missing", None),
        ("member", "level", "False"),
        ("member", "level", "True"),
        ("since", "moment", None),
        ("wait", "duration", None),
        ("code", "level", "a"),
        ("code", "level", "b"),
        ("code", "level", "c"),
    ]
    assert [entry.name for entry in encoder.schema_][:5] == [
        "age",
        "age=missing",
        "town=Bonn",
        "town=Ulm",
        "town=(missing)",
    ]


def test_rare_levels_share_an_input() -> None:
    encoder = TableEncoder(max_levels=1).fit(pl.DataFrame({"town": ["a"] * 30 + ["b"] * 20 + ["c"] * 20}))
    assert encoder.schema_ == (
        InputColumn("town=a", "town", "level", "a"),
        InputColumn("town=(rare)", "town", "rare"),
    )


@given(tables())
def test_the_schema_fits_the_matrix(frame: pl.DataFrame) -> None:
    encoder = fitted(frame)
    matrix, schema, table = encoder.transform(frame), encoder.schema_, table_of(frame)
    assert len(schema) == matrix.shape[1]
    assert [entry.name for entry in schema] == encoder.feature_names_out_
    positions = [frame.columns.index(entry.column) for entry in schema]
    assert positions == sorted(positions)
    for entry, values in zip(schema, matrix.T, strict=True):
        assert (entry.kind == "level") == (entry.level is not None)
        cells = table[entry.column]
        texts = [None if value is None else str(value) for value in cells.to_list()]
        absent = np.array([text is None or is_mark(text) for text in texts])
        if entry.kind == "missing":
            assert values.tolist() == absent.astype(float).tolist()
        elif entry.kind == "level":
            assert [value == 1 for value in values[~absent]] == [
                text == entry.level for text, gone in zip(texts, absent, strict=True) if not gone
            ]
        elif entry.kind == "rare":
            assert set(values[~absent].tolist()) <= {0.0, 1.0}
        else:
            assert entry.kind in READINGS
            assert entry.name == entry.column


@given(tables())
def test_json_keeps_the_schema(frame: pl.DataFrame) -> None:
    encoder = fitted(frame)
    again = TableEncoder.from_json(json.loads(json.dumps(encoder.to_json(), allow_nan=False)))
    assert again.schema_ == encoder.schema_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_and_model_files_keep_the_schema(tmp_path) -> None:
    model = cr.MLPClassifier((2,), max_iter=1).fit(PEOPLE, [0, 1, 0, 1])
    model.save(tmp_path / "m.safetensors")
    assert len(model.encoder_.schema_) == model.network_.inputs
    assert cr.load(tmp_path / "m.safetensors").encoder_.schema_ == model.encoder_.schema_


def test_times_have_the_last_bit_that_0_1_gave_them() -> None:
    """Microseconds times the float nearest to 10^-6: model files of 0.1 were trained on such numbers."""
    moment = {"kind": "number", "name": "t", "reads": "moment", "mean": 0.0, "std": 1.0, "missing": 0}
    encoder = TableEncoder.from_json(document(moment))
    given = np.random.default_rng(0).integers(-(10**15), 10**15, 1000)
    expected = (given * (1 / 1e6)).tolist()
    assert encoder.transform({"t": given.astype("M8[us]")})[:, 0].tolist() == expected
    texts = [str(value) for value in given.astype("M8[us]")]
    assert encoder.transform({"t": texts})[:, 0].tolist() == expected
    assert encoder.transform(pl.DataFrame({"t": given.astype("M8[us]")}))[:, 0].tolist() == expected
