"""DataFrames go straight into the estimators: text, categories, dates and gaps, the same way at every predict."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from chainrule import MLPClassifier, MLPRegressor
from chainrule.tables import TableEncoder

ROWS = 160
RNG = np.random.default_rng(0)
NUMBER, OTHER = RNG.normal(size=ROWS), RNG.normal(size=ROWS)
TOWN = RNG.choice(["Bonn", "Rome", "Ulm"], ROWS)
FLAG = RNG.uniform(size=ROWS) > 0.5
DAYS = RNG.integers(0, 1000, ROWS)
GAPS = RNG.uniform(size=ROWS) < 0.2
EFFECT = NUMBER + 2 * (TOWN == "Ulm") + FLAG - DAYS / 500 - 1.5 * GAPS
MIDDLE = float(np.median(EFFECT))
LABELS = np.where(EFFECT > MIDDLE, "high", "low")

SETTINGS: dict[str, Any] = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.02, "max_iter": 40, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def table(**changes: Any) -> pd.DataFrame:
    """Return the mixed table as pandas's classic types; NaN, NaT and None are its gaps."""
    columns = {
        "number": NUMBER,
        "town": TOWN,
        "kind": pd.Categorical(TOWN, categories=["Ulm", "Rome", "Bonn", "Paris"]),
        "flag": FLAG,
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(DAYS, unit="D"),
        "gaps": np.where(GAPS, np.nan, OTHER),
        "words": np.where(GAPS, None, TOWN),
        "whole": RNG.integers(0, 9, ROWS),
    }
    return pd.DataFrame({**columns, **changes})


TABLE = table()
NUMERIC = TABLE[["number", "whole"]].assign(other=OTHER)
FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "pandas, nullable types": lambda frame: frame.convert_dtypes(),
    "pandas, arrow types": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.from_pandas,
    "pyarrow": lambda frame: pl.from_pandas(frame).to_arrow(),
}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))


def classifier(**changes: Any) -> MLPClassifier:
    return MLPClassifier(**{**SETTINGS, **changes})


@pytest.fixture(scope="module")
def model() -> MLPClassifier:
    """A classifier that has learned the mixed table."""
    return classifier(max_iter=100, n_iter_no_change=np.inf).fit(TABLE, LABELS)


def test_a_mixed_table_is_learned(model: MLPClassifier) -> None:
    assert model.score(TABLE, LABELS) > 0.9
    assert model.n_features_in_ == 8
    assert model.feature_names_in_.tolist() == TABLE.columns.tolist()
    assert model.coefs_[0].shape == (len(model.encoder_.feature_names_out_), 8)
    assert {"town=Ulm", "flag=True", "day", "gaps", "gaps=missing"} < set(model.encoder_.feature_names_out_)


@every_form
def test_every_form_of_a_table_gives_the_same_bits(model: MLPClassifier, form: Callable[[pd.DataFrame], Any]) -> None:
    given = form(TABLE)
    fitted, plain = (classifier(max_iter=5).fit(frame, LABELS) for frame in (given, TABLE))
    assert np.array_equal(fitted.theta_, plain.theta_)
    assert fitted.encoder_.columns_ == plain.encoder_.columns_
    np.testing.assert_array_equal(model.predict_proba(given), model.predict_proba(TABLE))


@pytest.mark.parametrize("column", TABLE.columns)
def test_one_column_alone_is_read(column: str) -> None:
    fitted = classifier(max_iter=2).fit(TABLE[[column]], LABELS)
    named = {name.split("=")[0] for name in fitted.encoder_.feature_names_out_} if fitted.encoder_ else {column}
    assert named == {column}
    assert (fitted.encoder_ is None) == (column in ("number", "flag", "whole"))


def test_dates_carry_information() -> None:
    late = DAYS > 500
    fitted = classifier(max_iter=100).fit(TABLE[["day"]], late)
    assert fitted.score(TABLE[["day"]], late) > 0.95


@every_form
def test_complete_numbers_behave_as_an_array(form: Callable[[pd.DataFrame], Any]) -> None:
    given, array = form(NUMERIC.assign(flag=FLAG)), np.column_stack([NUMERIC.to_numpy(), FLAG])
    fitted, plain = classifier(max_iter=5).fit(given, LABELS), classifier(max_iter=5).fit(array, LABELS)
    assert fitted.encoder_ is None
    assert fitted.feature_names_in_.tolist() == ["number", "whole", "other", "flag"]
    assert np.array_equal(fitted.theta_, plain.theta_)
    np.testing.assert_array_equal(fitted.predict_proba(given), plain.predict_proba(array))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.predict(array)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(form(NUMERIC.assign(strange=FLAG)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_precision_of_tables(dtype: str) -> None:
    assert classifier(max_iter=2).fit(NUMERIC.astype(dtype), LABELS).theta_.dtype == dtype
    fitted = classifier(max_iter=2, dtype=dtype).fit(TABLE, LABELS)
    assert fitted.theta_.dtype == fitted.predict_proba(TABLE).dtype == dtype
    assert classifier(max_iter=2).fit(TABLE, LABELS).theta_.dtype == "float64"


def test_preprocessing_always_standardises_numbers_too() -> None:
    fitted = classifier(max_iter=5, preprocessing="always").fit(NUMERIC, LABELS)
    array = NUMERIC.to_numpy()
    standard = (array - array.mean(axis=0)) / array.std(axis=0)
    np.testing.assert_allclose(fitted.encoder_.transform(NUMERIC), standard, rtol=1e-12, atol=1e-14)
    encoded = TableEncoder().fit_transform(NUMERIC)
    assert np.array_equal(fitted.theta_, classifier(max_iter=5).fit(encoded, LABELS).theta_)


def test_preprocessing_always_reads_arrays_as_tables() -> None:
    array = np.column_stack([NUMBER, np.where(GAPS, np.nan, OTHER)])
    fitted = classifier(preprocessing="always").fit(array, LABELS)
    assert fitted.encoder_.feature_names_out_ == ["x0", "x1", "x1=missing"]
    assert not hasattr(fitted, "feature_names_in_")
    assert fitted.n_features_in_ == 2
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 2"):
        fitted.predict(np.column_stack([array, array[:, 0]]))
    mixed = classifier(preprocessing="always").fit(np.array([["a", 1], [2, 3]], object), ["yes", "no"])
    assert mixed.encoder_.feature_names_out_ == ["x0=2", "x0=a", "x1"]


@pytest.mark.parametrize(("frame", "message"), [(TABLE, "could not convert string"), (TABLE[["gaps"]], "contains NaN")])
def test_preprocessing_never_is_scikit_learns_behaviour(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(preprocessing="never").fit(frame, LABELS)


@every_form
def test_columns_are_found_by_name(model: MLPClassifier, form: Callable[[pd.DataFrame], Any]) -> None:
    turned = TABLE[TABLE.columns[::-1]].assign(further="ignored")
    np.testing.assert_array_equal(model.predict_proba(form(turned)), model.predict_proba(TABLE))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (TABLE.drop(columns="town"), r"column 'town' is missing; the model was trained with: number, town, kind, "),
        (TABLE.drop(columns=["town", "day"]), r"columns 'town', 'day' are missing; the model was trained with: "),
        (TABLE.assign(number="many"), r"column 'number': 'many' in row 1 is not a number \(it was a number when"),
        (TABLE.assign(day="soon"), r"column 'day': 'soon' in row 1 is not a date or time \(it was a date or time when"),
        (TABLE.assign(number=np.inf), r"column 'number': the value in row 1 is infinite"),
        (TABLE.iloc[:0], "the table has no rows"),
        (TABLE.to_numpy(), r"this model was trained on a table; give a DataFrame with the columns: number, town, "),
        (NUMERIC.to_numpy(), r"this model was trained on a table; give a DataFrame with the columns: number, town, "),
        (NUMBER, "this model was trained on a table; give a DataFrame"),
    ],
)
def test_tables_that_do_not_fit_are_refused(model: MLPClassifier, given: Any, message: str) -> None:
    for method in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(ValueError, match=message):
            method(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (TABLE[[]], "the table has no columns"),
        (TABLE.iloc[:0], "the table has no rows"),
        (TABLE.assign(gaps=np.inf), "the value in row 1 is infinite"),
        (pd.DataFrame({"a": ["x"] * ROWS}), "nothing to learn from: no column tells any rows apart"),
        (pd.concat([TABLE, TABLE[["town"]]], axis=1), "unique"),
        (TABLE.assign(words=[[1, 2]] * ROWS), "column 'words' holds lists"),
    ],
)
def test_tables_that_cannot_be_learned_are_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier().fit(given, LABELS[: len(given)])


def scores_with(model: MLPClassifier, frame: pd.DataFrame, column: str, value: Any) -> np.ndarray:
    return model.decision_function(frame.assign(**{column: pd.Series([value] * len(frame), dtype=object)}))


@pytest.mark.filterwarnings("ignore::chainrule.tables.TableWarning")
@pytest.mark.parametrize("column", ["town", "words"])
def test_a_category_never_seen_is_told_apart_from_a_missing_one(model: MLPClassifier, column: str) -> None:
    known = {town: scores_with(model, TABLE, column, town) for town in ("Bonn", "Rome", "Ulm")}
    unseen, missing = (scores_with(model, TABLE, column, value) for value in ("Atlantis", None))
    for a, b in [(unseen, missing), *((given, value) for value in known.values() for given in (unseen, missing))]:
        assert not np.isclose(a, b).any()
    np.testing.assert_array_equal(scores_with(model, TABLE, column, "Eldorado"), unseen)
    np.testing.assert_array_equal(scores_with(model, TABLE, column, np.nan), missing)


def test_a_gap_where_training_had_none_is_the_mean(model: MLPClassifier) -> None:
    gap, mean = (TABLE.assign(number=value) for value in (np.nan, NUMBER.mean()))
    np.testing.assert_allclose(model.decision_function(gap), model.decision_function(mean), rtol=1e-12)


@every_form
def test_validation_data_may_be_a_table(form: Callable[[pd.DataFrame], Any]) -> None:
    train, held = TABLE[:100], TABLE[100:].reset_index(drop=True)
    turned = form(held[held.columns[::-1]].assign(town=["Atlantis", *held["town"][1:]]))
    fitted = classifier(scoring="neg_log_loss").fit(train, LABELS[:100], X_val=turned, y_val=pl.Series(LABELS[100:]))
    assert len(fitted.validation_scores_) == fitted.n_iter_
    assert fitted.validation_scores_[-1] == get_scorer("neg_log_loss")(fitted, turned, LABELS[100:])
    with pytest.raises(ValueError, match="column 'town' is missing"):
        classifier().fit(train, LABELS[:100], X_val=held.drop(columns="town"), y_val=LABELS[100:])
    with pytest.raises(ValueError, match="this model was trained on a table"):
        classifier().fit(train, LABELS[:100], X_val=NUMERIC.to_numpy(), y_val=LABELS)


def test_early_stopping_on_a_table() -> None:
    fitted = classifier(early_stopping=True, validation_fraction=0.25).fit(TABLE, LABELS)
    assert fitted.t_ == 120 * fitted.n_iter_
    assert fitted.best_validation_score_ > 0.7


@pytest.mark.parametrize(
    "y", [pd.Series(LABELS), pd.Series(pd.Categorical(LABELS)), pd.Series(LABELS, dtype="string"), pl.Series(LABELS)]
)
def test_targets_may_be_columns_of_a_table(y: Any) -> None:
    fitted = classifier(max_iter=5).fit(TABLE, y)
    assert fitted.classes_.tolist() == ["high", "low"]
    np.testing.assert_array_equal(fitted.predict(TABLE), classifier(max_iter=5).fit(TABLE, LABELS).predict(TABLE))


def test_a_regression_from_table_to_table() -> None:
    y = pl.DataFrame({"effect": EFFECT, "other": -EFFECT})
    settings = {**SETTINGS, "max_iter": 200, "scale_target": True}
    fitted = MLPRegressor(**settings).fit(pl.from_pandas(TABLE), y)
    assert fitted.predict(pl.from_pandas(TABLE)).shape == (ROWS, 2)
    assert fitted.score(TABLE, y) > 0.9


def test_a_pickled_model_keeps_its_steps(model: MLPClassifier) -> None:
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(TABLE), model.predict_proba(TABLE))


@pytest.mark.filterwarnings("ignore::chainrule.tables.TableWarning")
def test_partial_fit_keeps_the_steps_of_its_first_table() -> None:
    model = classifier().partial_fit(TABLE[:100], LABELS[:100], classes=["high", "low"])
    columns = model.encoder_.columns_
    model.partial_fit(TABLE[100:].assign(town="Atlantis"), LABELS[100:])
    assert model.encoder_.columns_ == columns
    encoder = TableEncoder().fit(TABLE[:100])
    plain = classifier().partial_fit(encoder.transform(TABLE[:100]), LABELS[:100], classes=["high", "low"])
    plain.partial_fit(encoder.transform(TABLE[100:].assign(town="Atlantis")), LABELS[100:])
    assert np.array_equal(model.theta_, plain.theta_)


def test_grid_search_and_cross_validation() -> None:
    grid = {"hidden_layer_sizes": [(), (6,)], "alpha": [1e-4, 1.0]}
    search = GridSearchCV(classifier(max_iter=25), grid, cv=2, scoring="roc_auc").fit(TABLE, LABELS)
    assert search.best_score_ > 0.8
    again = classifier(max_iter=25, **search.best_params_).fit(TABLE, LABELS)
    np.testing.assert_array_equal(search.predict_proba(TABLE), again.predict_proba(TABLE))
    scores = cross_val_score(classifier(max_iter=25), TABLE, LABELS, cv=3, n_jobs=1)
    assert scores.shape == (3,)
    assert scores.min() > 0.6


def test_pipelines() -> None:
    whole = make_pipeline(classifier(max_iter=5)).fit(TABLE, LABELS)
    np.testing.assert_array_equal(
        whole.predict_proba(TABLE), classifier(max_iter=5).fit(TABLE, LABELS).predict_proba(TABLE)
    )
    columns = make_column_transformer((StandardScaler(), ["number", "whole"]), (OneHotEncoder(), ["town", "flag"]))
    pipeline = make_pipeline(columns, classifier()).fit(TABLE, LABELS)
    assert pipeline.score(TABLE, LABELS) > 0.75
    assert pipeline[-1].encoder_ is None
