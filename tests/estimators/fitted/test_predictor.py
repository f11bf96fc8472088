"""`estimator.compile()`: what it gives equals what the estimator gives, whatever the rows come as."""

from __future__ import annotations

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from chainrule import MLPClassifier, MLPRegressor
from chainrule.engines import ENGINES, best

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
FITTED: dict[str, Any] = {}
"""The estimators under test, by what is particular about them."""

for engine in sorted({"reference", best()}):
    common = {"hidden_layer_sizes": (9,), "max_iter": 30, "random_state": 0, "engine": engine, "solver": "lbfgs"}
    classes, regress = MLPClassifier(**common), MLPRegressor(**common)
    more = {
        "multiclass": (classes, {}, np.array(["a", "b", "c"])[np.arange(60) % 3]),
        "binary": (classes, {}, np.array(["no", "yes"])[np.arange(60) % 2]),
        "multilabel": (classes, {}, RNG.integers(0, 2, (60, 3))),
        "hinge": (classes, {"loss": "squared_multiclass_hinge"}, np.arange(60) % 3),
        "float32": (classes, {"dtype": "float32", "input_scale": 0.5}, np.arange(60) % 3),
        "one target": (regress, {"scale_target": True}, RNG.normal(size=60)),
        "targets": (regress, {}, RNG.normal(size=(60, 2))),
        "counts": (regress, {"loss": "poisson"}, RNG.poisson(3, 60)),
    }
    for name, (estimator, settings, y) in more.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            FITTED[f"{name}, {engine}"] = type(estimator)(**{**common, **settings}).fit(X, y)

every_model = pytest.mark.parametrize("name", list(FITTED))


def test_every_engine_is_tried() -> None:
    assert {name.split(", ")[1] for name in FITTED} <= set(ENGINES)


@every_model
@pytest.mark.parametrize("rows", [1, 7, 60])
def test_a_predictor_says_what_its_estimator_says(name: str, rows: int) -> None:
    model = FITTED[name]
    predictor = model.compile()
    np.testing.assert_array_equal(predictor.predict(X[:rows]), model.predict(X[:rows]))
    method = next(m for m in ("predict_proba", "decision_function", "predict") if hasattr(model, m))
    np.testing.assert_array_equal(predictor(X[:rows]), getattr(model, method)(X[:rows]))


@every_model
def test_rows_of_any_make(name: str) -> None:
    model = FITTED[name]
    predictor, wanted = model.compile(), model.compile()(X)
    for made in (X.tolist(), np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], np.ascontiguousarray(X[::-1])[::-1]):
        np.testing.assert_array_equal(predictor(made), wanted)
    np.testing.assert_allclose(predictor(X.astype("float32")), wanted, rtol=1e-4, atol=1e-5)


@every_model
def test_sparse_rows_are_taken_as_the_estimator_takes_them(name: str) -> None:
    model = FITTED[name]
    predictor = model.compile()
    method = next(m for m in ("predict_proba", "decision_function", "predict") if hasattr(model, m))
    for made in (scipy.sparse.csr_matrix(X), scipy.sparse.coo_array(X)):
        np.testing.assert_array_equal(predictor.predict(made), model.predict(made))
        np.testing.assert_array_equal(predictor(made), getattr(model, method)(made))


@every_model
@given(st.lists(st.integers(0, 9), min_size=0, max_size=3).filter(lambda shape: shape[-1:] != [4] or len(shape) == 3))
def test_rows_of_another_shape_are_refused(name: str, shape: list[int]) -> None:
    with pytest.raises(ValueError, match=r"Expected 2D|Found array with|features, but"):
        FITTED[name].compile()(np.zeros(shape))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_only_fitted_estimators_compile(kind: Any) -> None:
    with pytest.raises(NotFittedError):
        kind().compile()


def test_fitting_again_leaves_a_predictor_as_it_was() -> None:
    for kind, y in ((MLPClassifier, np.arange(60) % 3), (MLPRegressor, X[:, 0] * 10)):
        model = kind(hidden_layer_sizes=(5,), solver="lbfgs", max_iter=10, random_state=0).fit(X, y)
        predictor, before = model.compile(), model.predict(X)
        model.fit(X[:20, :2], np.arange(20) % 2)
        np.testing.assert_array_equal(predictor.predict(X), before)


def test_one_predictor_from_many_threads() -> None:
    predictor = FITTED[f"multiclass, {best()}"].compile()
    one_by_one = [predictor(row[None]).tobytes() for row in X]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda row: predictor(row[None]).tobytes(), X)) == one_by_one


def test_a_table_goes_through_the_steps_of_its_model() -> None:
    frame = pd.DataFrame({"size": X[:, 0], "kind": np.array(["u", "v", None])[np.arange(60) % 3]})
    model = MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs", max_iter=20, random_state=0).fit(frame, X[:, 1])
    predictor = model.compile()
    np.testing.assert_array_equal(predictor(frame[["kind", "size"]]), model.predict(frame))
    with pytest.raises(ValueError, match="give a DataFrame with the columns: size, kind"):
        predictor(X[:, :2])


@every_model
def test_a_predictor_can_be_pickled(name: str) -> None:
    predictor = FITTED[name].compile()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(predictor))(X), predictor(X))


def test_rows_that_the_estimator_refuses_are_refused() -> None:
    predictor = FITTED[f"multiclass, {best()}"].compile()
    for rows in (scipy.sparse.eye(4, format="csr") * 1j, [["a"] * 4], [[np.nan] * 4], None, []):
        with pytest.raises((ValueError, TypeError)):
            predictor(rows)
