"""Data that would train or predict without a word and mean something else: each is refused, naming it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from sklearn.datasets import load_iris

from chainrule import MLPClassifier, MLPRegressor, TrainingAdvice, losses
from chainrule.estimators.fitted.targets import Classes
from chainrule.estimators.settings.loss import Task
from chainrule.mathematics.activations import ACTIVATIONS
from chainrule.mathematics.blocks import ACTIVATION_BLOCKS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
BRIEF: dict[str, Any] = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0}
TWO = np.c_[X[:, 0] > 0, X[:, 1] > 0]


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("pair", [(-1, 1), (1, 2), (0, 2), (0, 5), (0, 255), (0.0, 5.0), (-1.0, 1.0)])
def test_label_columns_hold_0_and_1(pair: tuple[float, float], kind: Any) -> None:
    y = kind(np.where(TWO, pair[1], pair[0]))
    with pytest.raises(ValueError, match=r"label columns must hold 0 and 1, got|Unknown label type"):
        MLPClassifier(**BRIEF).fit(X, y)
    model = MLPClassifier(**BRIEF).fit(X, kind(TWO.astype(int)))
    with pytest.raises(ValueError, match="label columns must hold 0 and 1, got"):
        model.partial_fit(X, y)


def test_label_columns_of_any_type_of_0_and_1_are_taken() -> None:
    found = [MLPClassifier(**BRIEF).fit(X, TWO.astype(kind)).theta_ for kind in (bool, int, float)]
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


def test_a_column_of_class_numbers_is_no_matrix() -> None:
    """One label a row as (n, 1) means (n,); as (n, K) it is refused by a model of K classes, not broadcast."""
    y = np.arange(60) % 3
    flat = MLPClassifier(**BRIEF).fit(X, y)
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        column = MLPClassifier(**BRIEF).fit(X, y[:, None])
    assert (flat.theta_ == column.theta_).all()
    with pytest.raises(ValueError, match="one label a row"):
        flat.partial_fit(X, np.tile(y[:, None], 3))


OFFSETS = [0.0, 2000.0, 2.45e6, 1.6e9, 1.6e12]


@pytest.mark.parametrize("off", OFFSETS)
def test_a_scaled_target_loses_nothing_to_its_size(off: float) -> None:
    """In float32 a target far from 0 is trained as one at 0 is, and told apart as finely."""
    settings = {"hidden_layer_sizes": (16,), "scale_target": True, "solver": "lbfgs", "max_iter": 60}
    x, line = X.astype(np.float32), X @ [1.0, 2.0, 3.0]
    model = MLPRegressor(**settings, random_state=0).fit(x, off + line)
    assert model.theta_.dtype == np.float32
    assert model.score(x, off + line) > 0.99
    predicted = model.predict(x)
    assert predicted.dtype == model.compile()(x).dtype == np.float64
    assert len(np.unique(predicted)) == 60
    assert np.array_equal(model.compile().predict(x), predicted)


def test_predictions_have_the_precision_that_the_target_needs() -> None:
    for kind, expected in (
        ("float32", "float32"),
        ("float16", "float32"),
        ("int64", "float64"),
        ("float64", "float64"),
    ):
        model = MLPRegressor(**BRIEF, scale_target=True).fit(X.astype(np.float32), (9 * X[:, 0]).astype(kind))
        assert model.predict(X).dtype == expected, kind


def test_a_constant_target_of_any_size_is_learned() -> None:
    y = np.full(60, 1e30)
    assert MLPRegressor(**BRIEF, scale_target=True).fit(X.astype(np.float32), y).predict(X) == pytest.approx(y)


DATES = pd.Series(pd.date_range("2020", periods=60))
TIMES = {
    "dates": DATES,
    "days": DATES.to_numpy().astype("M8[D]"),
    "zone": DATES.dt.tz_localize("UTC"),
    "objects": list(DATES.dt.date),
    "spans": DATES - DATES[0],
    "periods": pd.Series(pd.period_range("2020", periods=60)),
    "polars": pl.Series(DATES.to_numpy()),
    "one of two columns": pd.DataFrame({"a": DATES, "b": X[:, 0]}),
}


@pytest.mark.parametrize("y", TIMES.values(), ids=list(TIMES))
def test_dates_are_no_numbers_to_regress_on(y: Any) -> None:
    for fit in (MLPRegressor(**BRIEF).fit, MLPRegressor(**BRIEF).partial_fit):
        with pytest.raises(ValueError, match=r"y holds .*: give numbers, such as the days since the first date"):
            fit(X, y)


@pytest.mark.parametrize("kind", ["M8[s]", "m8[s]"])
def test_dates_are_no_numbers_to_learn_from(kind: str) -> None:
    times = np.arange(120).reshape(60, 2).astype(kind)
    for data, more in ((times, {}), (pd.DataFrame(times), {"preprocessing": "never"})):
        with pytest.raises(ValueError, match="X holds"):
            MLPClassifier(**BRIEF, **more).fit(data, X[:, 0] > 0)
    model = MLPClassifier(**BRIEF).fit(X[:, :2], X[:, 0] > 0)
    with pytest.raises(ValueError, match="X holds"):
        model.predict(times)


def test_rows_that_the_models_precision_cannot_hold_are_refused() -> None:
    model = MLPRegressor(**BRIEF).fit(X.astype(np.float32), X[:, 0])
    row = np.array([[0.0, 1e39, 1.0]])
    for ask in (model.predict, model.compile(), model.compile().predict):
        for rows in (row, scipy.sparse.csr_array(row)):
            with pytest.raises(ValueError, match=r"X holds 1e\+39, which is too large for this model's float32"):
                ask(rows)
    with pytest.raises(ValueError, match="X holds"):
        model.fit(X.astype(np.float32), X[:, 0], X_val=row, y_val=[1.0])
    with pytest.raises(ValueError, match=r"y holds .*, which is too large for this model's float32: give scale_target"):
        model.fit(X.astype(np.float32), 1e40 * X[:, 0])
    scaled = MLPRegressor(**BRIEF, input_scale=1e300).fit(1e-300 * X, X[:, 0])
    with pytest.raises(ValueError, match="too large for this model's float64"):
        scaled.predict(1e20 * X)


@pytest.mark.parametrize("activation", sorted({*ACTIVATIONS, *ACTIVATION_BLOCKS}))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_compiled_predictor_has_no_label_for_nan(activation: str, dtype: str) -> None:
    """Some activations answer NaN with a number: the rows themselves are looked at."""
    compiled = MLPClassifier(**BRIEF, activation=activation).fit(X.astype(dtype), X[:, 0] > 0).compile()
    for strange in (np.nan, np.inf, -np.inf):
        rows = X[:4].astype(dtype)
        rows[2, 1] = strange
        for ask in (compiled, compiled.predict):
            with pytest.raises(ValueError, match="Input X contains"):
                ask(rows)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_no_label_is_told_from_scores_that_are_nan(task: Task) -> None:
    classes = Classes(np.arange(2 if task == "binary" else 3), task)
    scores = np.ones((4, classes.outputs))
    scores[2, -1] = np.nan
    with pytest.raises(ValueError, match="row 2: the scores are NaN"):
        classes.decode(scores, losses.Logistic())


WEIGHTLESS = {
    "dict": {"class_weight": {False: 0, True: 0}},
    "columns": {"class_weight": [{0: 0, 1: 0}, {0: 0, 1: 0}]},
    "infinite": {"class_weight": {False: np.inf, True: 1.0}},
}


@pytest.mark.parametrize("given", WEIGHTLESS.values(), ids=list(WEIGHTLESS))
def test_weights_that_leave_nothing_are_refused(given: dict[str, Any]) -> None:
    y = TWO.astype(int) if isinstance(given["class_weight"], list) else TWO[:, 0]
    with pytest.raises(ValueError, match="class_weight"):
        MLPClassifier(**BRIEF, **given).fit(X, y)


def test_a_batch_without_weight_is_passed_over() -> None:
    model = MLPClassifier(**BRIEF, class_weight={False: 0.0, True: 1.0}).fit(X, TWO[:, 0])
    only = X[~TWO[:, 0]]
    assert np.isfinite(model.partial_fit(only, np.zeros(len(only), bool)).theta_).all()
    with pytest.raises(ValueError, match="leave no row a weight above 0"):
        model.fit(X, TWO[:, 0], sample_weight=1.0 * ~TWO[:, 0])


def test_a_training_that_ends_worse_than_a_constant_says_so() -> None:
    data, y = load_iris(return_X_y=True)
    settings = {"max_iter": 300, "random_state": 0, "learning_rate_init": 0.01}
    with pytest.warns(TrainingAdvice, match=r"the loss ended at 0\.92, above the 0\.637 of the best constant output"):
        MLPClassifier((10,), **settings).fit(data, y == 0)
    assert MLPClassifier((10,), **settings, n_iter_no_change=50).fit(data, y == 0).score(data, y == 0) == 1.0
