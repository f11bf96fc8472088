"""A fit made ready and then run gives what `fit` gives; rows encoded once give what rows as they are give."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError

import chainrule as cr
from support.commands import people

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TABLE = pl.DataFrame({name: values for name, values in people(80).items() if name in ("x", "town", "z")})
NEW = pl.DataFrame({name: values for name, values in people(20, seed=7).items() if name in ("x", "town", "z")})
TARGETS = {"MLPClassifier": np.array(people(80)["dear"]), "MLPRegressor": np.array(people(80)["price"])}
SETTINGS = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0}
VARIANTS: dict[str, dict] = {
    "plain": {},
    "early stopping": {"early_stopping": True},
    "single precision": {"dtype": "float32"},
    "several starts": {"n_restarts": 2},
    "lbfgs": {"solver": "lbfgs"},
}

estimators = pytest.mark.parametrize("name", TARGETS)


@estimators
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_prepared_fit_gives_the_bits_of_fit(name, variant) -> None:
    kind, y, settings = getattr(cr, name), TARGETS[name], {**SETTINGS, **VARIANTS[variant]}
    model = kind(**settings)
    prepared = model.prepare(TABLE, y)
    assert model.network_.inputs == len(model.encoder_.schema_)
    assert not hasattr(model, "theta_")
    before = model.encoded(NEW, prepared)
    model.fit_prepared(prepared)
    twin = kind(**settings).fit(TABLE, y)
    assert np.array_equal(model.theta_, twin.theta_)
    assert np.array_equal(before, model.encoded(NEW))
    assert np.array_equal(model.for_encoded_rows().predict(before), twin.predict(NEW))
    if name == "MLPClassifier":
        assert np.array_equal(model.for_encoded_rows().predict_proba(before), twin.predict_proba(NEW))


@estimators
def test_validation_rows_and_weights_count_as_in_fit(name) -> None:
    kind, y = getattr(cr, name), TARGETS[name]
    weight, other = np.linspace(0.5, 2, 80), y[:20]
    model = kind(**SETTINGS, early_stopping=True)
    model.fit_prepared(model.prepare(TABLE, y, weight), NEW, other)
    twin = kind(**SETTINGS, early_stopping=True).fit(TABLE, y, weight, NEW, other)
    assert np.array_equal(model.theta_, twin.theta_)
    assert model.validation_scores_ == twin.validation_scores_


def test_a_matrix_with_a_scale_is_multiplied_once() -> None:
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    model = cr.MLPClassifier(**SETTINGS, input_scale=0.1, preprocessing="never").fit(X, y)
    rows = model.encoded(X)
    assert np.allclose(rows, 0.1 * X)
    assert np.array_equal(model.for_encoded_rows().predict_proba(rows), model.predict_proba(X))


def test_the_range_test_of_a_prepared_fit_is_that_of_its_data() -> None:
    model, y = cr.MLPClassifier(**SETTINGS), TARGETS["MLPClassifier"]
    found = model.range_test_prepared(model.prepare(TABLE, y), low=1e-4, high=1.0, steps=12)
    expected = cr.MLPClassifier(**SETTINGS).range_test(TABLE, y, low=1e-4, high=1.0, steps=12)
    assert np.array_equal(found.losses, expected.losses)


def test_a_model_that_is_not_fitted_encodes_nothing() -> None:
    for ask in (lambda model: model.encoded(TABLE), lambda model: model.for_encoded_rows()):
        with pytest.raises(NotFittedError):
            ask(cr.MLPClassifier())
