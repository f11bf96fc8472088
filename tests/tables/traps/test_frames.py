"""Frames: an estimator reads them as the command line reads the same data from a file, or names the column."""

from __future__ import annotations

import datetime
import decimal
import fractions
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.exceptions import ConvergenceWarning

from chainrule import MLPClassifier, MLPRegressor, load
from chainrule.tables import TableEncoder
from support.commands import ok

ROWS = 200
RNG = np.random.default_rng(0)
A = RNG.normal(50, 10, ROWS)
B = RNG.normal(size=ROWS)
Y = (A - 50) / 10 + 0.5 * B
CLASS = np.where(A > 50, "high", "low")
DAYS = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(A * 30), unit="D")
NUMBERS = pd.DataFrame({"a": A, "b": B})


def fitted(frame: Any, y: Any = Y, kind: Any = MLPRegressor) -> Any:
    """Return an estimator after a short training, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind(hidden_layer_sizes=(16,), solver="lbfgs", max_iter=100, random_state=0).fit(frame, y)


def score(frame: Any, y: Any = Y, kind: Any = MLPRegressor) -> float:
    """Return the score on the training rows."""
    model = fitted(frame, y, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn's, of sparse columns
        return float(model.score(frame, y))


def texts(values: Any) -> list[str]:
    """Return numbers as texts."""
    return [f"{value:.6f}" for value in values]


READ: dict[str, Callable[[], Any]] = {
    "numbers": lambda: NUMBERS,
    "texts that are numbers": lambda: NUMBERS.assign(a=texts(A)),
    "objects that are numbers": lambda: NUMBERS.assign(a=A.astype(object)),
    "nullable numbers": lambda: NUMBERS.convert_dtypes(),
    "Arrow numbers": lambda: NUMBERS.astype({"a": pd.ArrowDtype(pa.float64())}),
    "Arrow texts": lambda: NUMBERS.assign(a=pd.Series(texts(A), dtype=pd.ArrowDtype(pa.string()))),
    "pandas' string type": lambda: NUMBERS.assign(a=pd.Series(texts(A), dtype="string")),
    "float32": lambda: NUMBERS.astype("float32"),
    "sparse numbers": lambda: NUMBERS.assign(a=pd.arrays.SparseArray(A)),
    "decimals": lambda: NUMBERS.assign(a=[decimal.Decimal(text) for text in texts(A)]),
    "fractions": lambda: NUMBERS.assign(a=[fractions.Fraction(int(value * 1000), 1000) for value in A]),
    "objects with one 'NA'": lambda: NUMBERS.assign(
        a=pd.Series(["NA" if i == 3 else v for i, v in enumerate(A)], dtype=object)
    ),
    "objects with None and NaN": lambda: NUMBERS.assign(
        a=pd.Series([None if i == 3 else float("nan") if i == 4 else v for i, v in enumerate(A)], dtype=object)
    ),
    "objects with pd.NA": lambda: NUMBERS.assign(
        a=pd.Series([pd.NA if i == 3 else v for i, v in enumerate(A)], dtype=object)
    ),
    "texts with a currency": lambda: NUMBERS.assign(a=[f"${value:,.2f}" for value in A]),
    "texts with decimal commas": lambda: NUMBERS.assign(a=[text.replace(".", ",") for text in texts(A)]),
    "dates": lambda: NUMBERS.assign(a=DAYS),
    "dates with a zone": lambda: NUMBERS.assign(a=DAYS.tz_localize("Europe/Berlin")),
    "dates as texts, day first": lambda: NUMBERS.assign(a=DAYS.strftime("%d/%m/%Y")),
    "dates as texts, month first": lambda: NUMBERS.assign(a=DAYS.strftime("%m/%d/%Y")),
    "dates as objects": lambda: NUMBERS.assign(a=pd.Series(list(DAYS.date), dtype=object)),
    "Arrow dates": lambda: NUMBERS.assign(a=pd.Series(DAYS).astype(pd.ArrowDtype(pa.timestamp("us")))),
    "durations": lambda: NUMBERS.assign(a=pd.to_timedelta(A, unit="h")),
    "durations as objects": lambda: NUMBERS.assign(
        a=pd.Series([datetime.timedelta(hours=float(v)) for v in A], dtype=object)
    ),
    "an index with names": lambda: NUMBERS.set_index(pd.Index([f"r{i}" for i in range(ROWS)], name="key")),
    "an index of two levels": lambda: NUMBERS.set_index([pd.Index(range(ROWS)), pd.Index(range(ROWS))]),
    "whole numbers as names": lambda: NUMBERS.set_axis([0, 1], axis=1),
    "polars": lambda: pl.DataFrame({"a": A, "b": B}),
    "lazy polars": lambda: pl.DataFrame({"a": A, "b": B}).lazy(),
    "polars with texts": lambda: pl.DataFrame({"a": texts(A), "b": B}),
    "pyarrow": lambda: pa.table({"a": A, "b": B}),
    "pyarrow in pieces": lambda: pa.concat_tables(
        [pa.table({"a": A[:90], "b": B[:90]}), pa.table({"a": A[90:], "b": B[90:]})]
    ),
    "dict of arrays": lambda: {"a": A, "b": B},
    "dict of lists": lambda: {"a": A.tolist(), "b": B.tolist()},
}


@pytest.mark.parametrize("name", READ)
def test_numbers_and_dates_are_read_from_any_frame(name: str) -> None:
    """F05: the most important column was left out without a word; R2 fell from 1.00 to 0.32."""
    assert score(READ[name]()) > 0.95


def test_a_relation_of_duckdb() -> None:
    frame = NUMBERS
    assert len(frame) == ROWS
    with duckdb.connect() as connection:
        assert score(connection.sql("select * from frame")) > 0.95


CATEGORIES: dict[str, Callable[[], Any]] = {
    "pd.cut": lambda: pd.cut(A, 4),
    "pd.qcut": lambda: pd.qcut(A, 4),
    "intervals": lambda: pd.array(pd.cut(A, 4)).astype("interval"),
    "tuples": lambda: pd.Categorical([("u", 1) if v > 50 else ("v", 2) for v in A]),
    "timestamps": lambda: pd.Categorical(pd.to_datetime(np.where(A > 50, "2020-01-01", "2021-01-01"))),
    "periods in a category": lambda: pd.Categorical(pd.PeriodIndex(np.where(A > 50, "2020-01", "2021-01"), freq="M")),
    "periods": lambda: pd.PeriodIndex(np.where(A > 50, "2020-01", "2021-01"), freq="M"),
    "booleans": lambda: A > 50,
    "nullable booleans": lambda: pd.array(A > 50, "boolean"),
    "booleans as objects": lambda: pd.Series(list(A > 50), dtype=object),
    "booleans in a category": lambda: pd.Categorical(A > 50),
    "numbers in a category": lambda: pd.Categorical(np.where(A > 50, 7, 70)),
    "texts in a category": lambda: pd.Categorical(CLASS),
    "texts": lambda: CLASS,
    "Arrow dictionary": lambda: pd.Series(CLASS).astype(pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
    "numbers and texts": lambda: pd.Series([1 if v > 50 else "one" for v in A], dtype=object),
    "versions": lambda: pd.Categorical(np.where(A > 50, "3.1", np.where(B > 0, "3.10", "2.7.1"))),
    "codes": lambda: np.where(A > 50, "01", np.where(B > 0, "1", "2A")),
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_are_read_from_any_frame(name: str) -> None:
    """F17, F08: a category is a category; its values' texts are the levels."""
    frame = pd.DataFrame({"b": B, "k": CATEGORIES[name]()})
    assert score(frame, CLASS, MLPClassifier) > 0.8


class Unreadable(NamedTuple):
    """A column that is refused, and words of the message besides its name."""

    values: Callable[[], Any]
    words: tuple[str, ...]


REFUSED = {
    "stray": Unreadable(
        lambda: ["broken" if i == 3 else text for i, text in enumerate(texts(A))], ("'broken'", r"row 4\b")
    ),
    "stray among objects": Unreadable(
        lambda: pd.Series(["broken" if i == 3 else v for i, v in enumerate(A)], dtype=object), ("'broken'", r"row 4\b")
    ),
    "lists": Unreadable(lambda: [[v, v] for v in A], ("list",)),
    "arrays": Unreadable(lambda: list(np.ones((ROWS, 2))), ("array|list",)),
    "dicts": Unreadable(lambda: [{"a": v} for v in A], ("dict|record|list",)),
    "sets": Unreadable(lambda: [{v} for v in A], ("set|list",)),
    "infinite": Unreadable(lambda: np.where(np.arange(ROWS) == 3, np.inf, A), ("infinite", r"row 4\b|position 3\b")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match="'a'") as caught:
        fitted(pd.DataFrame({"a": pd.Series(REFUSED[name].values()), "k": CLASS, "b": B}))
    message = str(caught.value)
    assert "\n" not in message
    for word in REFUSED[name].words:
        assert re.search(word, message), message


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ([7] * ROWS, "always"),
        (["same"] * ROWS, "always"),
        ([None] * ROWS, "missing"),
        ([f"text {i}" for i in range(ROWS)], "rare|differ"),
    ],
    ids=["constant", "one text", "always missing", "all levels rare"],
)
def test_a_column_that_is_left_out_is_warned_of(column: Any, reason: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(NUMBERS.assign(gone=column, k=CLASS), Y)
    said = [str(warning.message) for warning in caught if warning.category is not ConvergenceWarning]
    assert any("'gone'" in text and re.search(reason, text) for text in said), said


def test_an_id_is_left_out_and_warned_of() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLPRegressor(hidden_layer_sizes=(4,), max_iter=200, tol=1e9).fit(
            NUMBERS.assign(customer_id=np.arange(ROWS), k=CLASS), Y
        )
    assert any("'customer_id'" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("other", [int, float, str, object, "boolean", "category"])
def test_a_flag_is_the_same_in_another_type(other: Any) -> None:
    """F07: a boolean column as 0/1 was never seen."""
    frame = pd.DataFrame({"flag": A > 50, "k": np.array(["s", "t"])[np.arange(ROWS) % 2]})
    model = fitted(frame, CLASS, MLPClassifier)
    np.testing.assert_array_equal(
        model.predict_proba(frame.assign(flag=frame.flag.astype(other))), model.predict_proba(frame)
    )


def test_most_values_never_seen_are_warned_of() -> None:
    frame = pd.DataFrame({"k": CLASS, "b": B})
    model = fitted(frame)
    with pytest.warns(UserWarning, match="'k'"):
        model.predict(frame.assign(k="other"))


def test_repeated_names_are_refused() -> None:
    with pytest.raises(ValueError, match="'a'"):
        fitted(pd.DataFrame(np.c_[A, B], columns=["a", "a"]))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_frames_and_files_are_encoded_alike(kind: str, tmp_path: Path) -> None:
    """The command line predicts from a file what the estimator it trained predicts from the frame."""
    frame = pd.DataFrame(
        {
            "a": A,
            "k": np.where(B > 0, "u", "v"),
            "n": np.arange(ROWS) % 7,
            "day": DAYS.strftime("%d.%m.%Y"),
            "price": [f"${v:,.2f}" for v in A * 100],
            "flag": np.where(B > 1, "yes", "no"),
            "y": CLASS,
        }
    )
    path, model = tmp_path / f"t.{kind}", tmp_path / "m.safetensors"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    ok("train", path, "--target", "y", "--max-iter", 2, "--hidden-layer-sizes", 4, "--test-fraction", 0, "--out", model)
    out = tmp_path / "p.csv"
    ok("predict", model, path, "--out", out)
    said = pd.read_csv(out)
    np.testing.assert_array_equal(load(model).predict(frame.drop(columns="y")), said[said.columns[0]])
    encoder = TableEncoder().fit(frame.drop(columns="y"))
    assert [column.name for column in encoder.columns_] == ["a", "k", "n", "day", "price", "flag"]
