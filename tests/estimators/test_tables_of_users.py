"""Tables as people have them, given to the estimators: what a column means, what is left out, what is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from chainrule import MLPClassifier, MLPRegressor
from chainrule.tables import CategoryColumn, NumberColumn, TableWarning, table_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
ROWS = 300
A, B = RNG.normal(50, 10, ROWS), RNG.normal(size=ROWS)
GROUP = np.array(["u", "v", "w"])[RNG.integers(0, 3, ROWS)]
Y = (A - 50) / 10 + 0.5 * B
BRIEF: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
EXACT: dict[str, Any] = {"hidden_layer_sizes": (20,), "solver": "lbfgs", "max_iter": 300, "random_state": 0}

DRESSES: dict[str, tuple[Any, str]] = {
    "numbers": (A, ""),
    "texts": ([f"{v:.3f}" for v in A], ""),
    "a mark among numbers": (pd.Series(["NA" if i == 3 else v for i, v in enumerate(A)], dtype=object), ""),
    "marks": (["?" if i % 5 == 3 else f"{v:.3f}" for i, v in enumerate(A)], ""),
    "currency": ([f"${v:,.2f}" for v in A], "$1,234.5"),
    "commas": ([f"{v:.2f}".replace(".", ",") for v in A], "1234,5"),
    "unit": ([f"{v:.2f} kg" for v in A], "1234.5 kg"),
    "percent": ([f"{v:.2f}%" for v in A], "1234.5%"),
    "minus": ([f"{v - 50:.2f}".replace("-", "\N{MINUS SIGN}") for v in A], ""),
}


@pytest.mark.parametrize("name", DRESSES)
def test_a_column_of_numbers_in_any_dress_is_learned(name: str) -> None:
    values, form = DRESSES[name]
    frame = pd.DataFrame({"a": values, "b": B, "g": GROUP})
    model = MLPRegressor(**EXACT).fit(frame, Y)
    column = model.encoder_.columns_[0]
    assert isinstance(column, NumberColumn)
    assert column.form.replace(",234", "234") == form.replace(",234", "234")
    assert model.score(frame, Y) > (0.9 if column.missing > 1 else 0.99)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%b-%y", "%Y/%m/%d"])
def test_dates_as_text_are_dates(form: str) -> None:
    days = [date(2015, 1, 1) + timedelta(int(k)) for k in RNG.integers(0, 3000, ROWS)]
    late = np.array([day > date(2019, 1, 1) for day in days])
    frame = pd.DataFrame({"day": [day.strftime(form) for day in days], "b": B})
    model = MLPClassifier(**EXACT).fit(frame, late)
    assert model.encoder_.columns_[0].reads == "moment"
    assert model.score(frame, late) > 0.98


def test_strays_and_values_that_no_network_reads_are_refused_by_name() -> None:
    stray = [f"{v:.3f}" for v in A]
    stray[7] = "<10"
    with pytest.raises(ValueError, match=r"^column 'a'.*'<10' in row 8 is not a number"):
        MLPRegressor(**BRIEF).fit(pd.DataFrame({"a": stray, "b": B}), Y)
    with pytest.warns(TableWarning, match="column 'a' is left out"):
        MLPRegressor(**BRIEF).fit(pd.DataFrame({"a": A + 0j, "b": B}), Y)


def test_all_columns_may_be_texts_of_numbers() -> None:
    frame = pd.DataFrame({"a": [f"{v:.3f}" for v in A], "b": [f"{v:.3f}" for v in B]})
    assert MLPRegressor(**EXACT).fit(frame, Y).score(frame, Y) > 0.99


# ------------------------------------------------------------------------------------- what is left out, what is new


def test_what_is_left_out_is_warned_of_at_the_users_line() -> None:
    frame = pd.DataFrame({"id": range(ROWS), "a": A, "flat": 1, "name": [f"n{k}" for k in range(ROWS)]})
    with pytest.warns(TableWarning) as caught:
        MLPRegressor(**BRIEF, preprocessing="always").fit(frame, Y)
    assert [str(w.message).partition(" left out:")[0] for w in caught if w.category is TableWarning] == [
        "column 'id' is",
        "column 'flat' is",
        "column 'name' is",
    ]
    assert {w.filename for w in caught} == {__file__}


def test_nothing_is_warned_of_where_nothing_is_left_out() -> None:
    frame = pd.DataFrame({"a": A, "g": GROUP})
    with warnings.catch_warnings():
        warnings.simplefilter("error", TableWarning)
        model = MLPRegressor(**BRIEF).fit(frame, Y)
        model.predict(frame)
        MLPRegressor(**BRIEF, preprocessing="always").fit(np.c_[A, np.ones(ROWS)], Y).predict(np.c_[A, np.ones(ROWS)])


def test_values_never_seen_are_warned_of() -> None:
    frame = pd.DataFrame({"a": A, "g": GROUP})
    model = MLPRegressor(**BRIEF).fit(frame, Y)
    with pytest.warns(TableWarning, match=r"^column 'g': 300 of 300 values, such as 'z', were never seen") as caught:
        model.predict(frame.assign(g="z"))
    assert caught[0].filename == __file__


def test_a_flag_is_the_same_in_any_type() -> None:
    flag, kind = B > 0, np.array(["s", "t"])[RNG.integers(0, 2, ROWS)]
    frame = pd.DataFrame({"flag": flag, "k": kind})
    model = MLPClassifier(**EXACT).fit(frame, flag)
    words = np.where(flag, "T", "F")
    for given in (flag, flag.astype(int), flag.astype(float), words, np.where(flag, " true", "FALSE"), list(flag)):
        assert model.score(frame.assign(flag=given), flag) == 1


# ---------------------------------------------------------------------------------------------------------- categories


@pytest.mark.parametrize(
    "codes", [("3.1", "3.10", "2.7.1"), ("1E5", "100000", "A7"), ("01", "1", "2A"), ("0.5", ".50", "x")]
)
def test_categories_that_read_as_the_same_number_stay_apart(codes: tuple[str, ...]) -> None:
    chosen = np.array(codes)[RNG.integers(0, 3, ROWS)]
    frame = pd.DataFrame({"v": pd.Categorical(chosen), "b": B})
    model = MLPClassifier(**EXACT).fit(frame, chosen == codes[1])
    assert model.encoder_.columns_[0].levels == tuple(sorted(codes))
    assert model.score(frame, chosen == codes[1]) == 1
    for each in codes:  # alone, such texts may look like numbers
        assert (model.predict(frame.assign(v=each)) == (each == codes[1])).all()
        assert (model.predict(pl.DataFrame({"v": [each] * ROWS, "b": B})) == (each == codes[1])).all()


CATEGORIES: dict[str, Callable[[], Any]] = {
    "cut": lambda: pd.cut(B, [-9, -0.5, 0, 0.5, 9]),
    "qcut": lambda: pd.qcut(B, 4),
    "intervals": lambda: pd.Series(pd.cut(B, [-9, -0.5, 0, 0.5, 9])).astype("interval"),
    "tuples": lambda: pd.Categorical([("u", 1) if v > 0 else ("v", 2) for v in B]),
    "moments": lambda: pd.Categorical(pd.to_datetime(np.where(B > 0, "2020-01-01", "2021-01-01"))),
    "periods": lambda: pd.Categorical(pd.PeriodIndex(np.where(B > 0, "2020-01", "2021-01"), freq="M")),
    "numbers": lambda: pd.Categorical(np.where(B > 0, 1.5, 2.0)),
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_of_anything_are_levels(name: str) -> None:
    frame = pd.DataFrame({"a": A, "k": CATEGORIES[name]()})
    model = MLPClassifier(**{**EXACT, "hidden_layer_sizes": (10,)}).fit(frame, B > 0)
    column = model.encoder_.columns_[1]
    assert isinstance(column, CategoryColumn)
    assert sorted(column.levels) == sorted({*table_of(frame)["k"].to_list()})
    assert model.score(frame, B > 0) > 0.8


# ------------------------------------------------------------------------------------------------- frames of every kind

MIXED = pd.DataFrame({"a": A, "g": GROUP, "n": np.where(A > 50, np.nan, B)})
NUMBERS = pd.DataFrame({"a": A, "b": B})
KINDS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "polars": pl.from_pandas,
    "lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "pyarrow": pa.Table.from_pandas,
    "batch": pa.RecordBatch.from_pandas,
    "DuckDB": lambda frame: duckdb.connect().from_df(frame),
    "dict": lambda frame: {name: frame[name].to_numpy() for name in frame},
    "table": table_of,
}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_every_kind_train_the_same_model(kind: str) -> None:
    for frame in (MIXED, NUMBERS):
        if frame is NUMBERS and kind in ("dict", "table"):
            continue  # always encoded
        given = KINDS[kind](frame)
        model, plain = (MLPRegressor(**BRIEF).fit(each, Y) for each in (given, frame))
        assert np.array_equal(model.theta_, plain.theta_)
        assert model.feature_names_in_.tolist() == list(frame)
        given = KINDS[kind](frame)
        np.testing.assert_array_equal(plain.predict(given), model.predict(frame))


def test_dicts_and_tables_are_always_encoded() -> None:
    models = [
        MLPRegressor(**BRIEF).fit({"a": A, "b": B}, Y),
        MLPRegressor(**BRIEF).fit(table_of(NUMBERS), Y),
        MLPRegressor(**BRIEF, preprocessing="always").fit(NUMBERS, Y),
    ]
    assert all(np.array_equal(model.theta_, models[0].theta_) for model in models)


def test_the_row_of_an_infinite_value_is_the_row_of_the_table() -> None:
    values = A.copy()
    values[4] = np.inf
    table = table_of({"a": values, "g": GROUP})
    with pytest.raises(ValueError, match=r"^column 'a': the value in row 5 is infinite"):
        MLPRegressor(**BRIEF).fit(table[RNG.permutation(ROWS)], RNG.permutation(Y))


def test_thousands_of_columns_are_one_block() -> None:
    """As many columns as the fault reported, with one gap: the same model as of the matrix that is standardised."""
    X = RNG.normal(size=(60, 2000))
    frame = pd.DataFrame(X).rename(columns=str)
    frame.iloc[3, 1999] = np.nan
    model = MLPClassifier(**BRIEF).fit(frame, X[:, 0] > 0)
    matrix = model.encoder_.transform(frame)
    np.testing.assert_allclose(matrix[:, :1999], ((X - X.mean(axis=0)) / X.std(axis=0))[:, :1999], atol=1e-12)
    assert matrix[3, 1999:].tolist() == [0, 1]
    np.testing.assert_array_equal(model.predict(frame[:1]), model.predict(frame)[:1])
