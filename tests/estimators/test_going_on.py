"""A fitted model that goes on, or is asked, after settings changed: what makes another model is refused."""

from __future__ import annotations

import pickle
from copy import deepcopy
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from chainrule import MLPClassifier, MLPRegressor, load

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::chainrule.TrainingAdvice"
)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
LABELS, LINE = X[:, 0] > 0, 1e3 + X @ [1.0, 2.0, 3.0, 0.0]
TABLE = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "u", "v")})
BRIEF: dict[str, Any] = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0}

CHANGED = {
    "encoded": (MLPRegressor, X, {}, {"preprocessing": "always"}, "preprocessing is 'always', .* made with 'never'"),
    "not encoded": (MLPRegressor, TABLE, {}, {"preprocessing": "never"}, "preprocessing is 'never'"),
    "precision": (MLPRegressor, X, {}, {"dtype": "float32"}, "dtype is 'float32', .* made with 'float64'"),
    "input scale": (MLPRegressor, X, {}, {"input_scale": 0.1}, "input_scale is 0.1, .* made with 1.0"),
    "scaled": (MLPRegressor, X, {}, {"scale_target": True}, "scale_target is True, .* made with an unscaled target"),
    "not scaled": (MLPRegressor, X, {"scale_target": True}, {"scale_target": False}, "scale_target is False"),
    "loss": (MLPRegressor, X, {"scale_target": True}, {"loss": "poisson"}, "loss is 'poisson', .* a scaled target"),
}


@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.parametrize(("kind", "data", "first", "then", "words"), CHANGED.values(), ids=list(CHANGED))
def test_another_reading_of_the_data_is_refused(
    kind: Any, data: Any, first: Any, then: Any, words: str, incremental: bool
) -> None:
    model = kind(**BRIEF, warm_start=True, **first).fit(data, LINE)
    before = model.predict(data)
    model.set_params(**then)
    with pytest.raises(ValueError, match=f"{words}.*: warm_start and partial_fit go on with it"):
        model.partial_fit(data, LINE) if incremental else model.fit(data, LINE)
    assert np.array_equal(model.predict(data), before)


@pytest.mark.parametrize("same", [{"preprocessing": "never"}, {"dtype": "float64"}, {"input_scale": 1}])
def test_other_words_for_the_same_model_are_taken(same: dict[str, Any]) -> None:
    model = MLPRegressor(**BRIEF, warm_start=True).fit(X, LINE)
    model.set_params(**same).fit(X, LINE)
    assert len(model.loss_curve_) == 8


def test_rows_that_go_on_have_the_precision_of_the_weights() -> None:
    model = MLPRegressor(**BRIEF, warm_start=True).fit(X.astype(np.float32), LINE)
    again = MLPRegressor(**BRIEF, warm_start=True).fit(X.astype(np.float32), LINE)
    model.fit(X.astype(np.float32).astype(np.float64), LINE)
    again.fit(X.astype(np.float32), LINE)
    assert model.theta_.dtype == np.float32
    assert (model.theta_ == again.theta_).all()
    with pytest.raises(ValueError, match="too large for dtype"):
        model.partial_fit(1e39 * X, LINE)


def test_the_scale_of_inputs_is_that_of_the_fit() -> None:
    model = MLPClassifier(**BRIEF, input_scale=0.1).fit(X, LABELS)
    given, compiled = model.predict_proba(X), model.compile()
    model.set_params(input_scale=3.0)
    assert np.array_equal(model.predict_proba(X), given)
    assert np.array_equal(compiled(X), given)
    assert np.array_equal(model.compile()(X), given)


def test_the_file_has_the_scale_of_the_fit(tmp_path: Any) -> None:
    model = MLPClassifier(**BRIEF, input_scale=0.1).fit(X, LABELS).set_params(input_scale=3.0)
    model.save(tmp_path / "m.safetensors")
    assert np.array_equal(load(tmp_path / "m.safetensors").predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("batch", [1, 20])
def test_balanced_weights_are_not_for_a_batch(batch: int) -> None:
    model = MLPClassifier(**BRIEF, class_weight="balanced")
    with pytest.raises(ValueError, match=r"partial_fit does not support class_weight='balanced'; .* as a dict"):
        model.partial_fit(X[:batch], LABELS[:batch], classes=[False, True])
    assert not hasattr(model, "theta_")
    model.fit(X, LABELS)
    with pytest.raises(ValueError, match="partial_fit does not support class_weight='balanced'"):
        model.partial_fit(X[:batch], LABELS[:batch])
    model.set_params(class_weight={False: 1.0, True: 2.0}).partial_fit(X[:batch], LABELS[:batch])


def test_partial_fit_is_there_where_an_optimiser_takes_batches() -> None:
    class Whole:
        """An optimiser that asks the same rows again."""

        whole_batch = True

    for solver, there in (("adam", True), ("lbfgs", False), (Whole(), False), ("no such name", True)):
        assert hasattr(MLPClassifier(solver=solver), "partial_fit") is there


def test_weights_can_be_assigned() -> None:
    """As federated learning does: averages of several models' weights go into each, which then goes on."""
    models = [MLPClassifier(**BRIEF).partial_fit(X[k::2], LABELS[k::2], classes=[False, True]) for k in range(2)]
    mean = [np.mean(parts, axis=0) for parts in zip(*(m.coefs_ for m in models), strict=True)]
    shift = [np.mean(parts, axis=0) for parts in zip(*(m.intercepts_ for m in models), strict=True)]
    for model in models:
        model.coefs_, model.intercepts_ = mean, shift
    assert (models[0].theta_ == models[1].theta_).all()
    assert all(np.array_equal(a, b) for a, b in zip(models[0].coefs_, mean, strict=True))
    assert np.array_equal(models[0].predict_proba(X), models[1].predict_proba(X))
    before = models[0].theta_.copy()
    models[0].partial_fit(X, LABELS)
    assert 0 < np.abs(models[0].theta_ - before).max() < 0.01


WRONG = {
    "a layer less": lambda arrays: arrays[:-1],
    "transposed": lambda arrays: [array.T for array in arrays],
    "one number": lambda arrays: [array.ravel()[:1] for array in arrays],
}


@pytest.mark.parametrize("change", WRONG.values(), ids=list(WRONG))
def test_weights_of_other_shapes_are_refused(change: Any) -> None:
    model = MLPClassifier(**BRIEF).fit(X, LABELS)
    before = model.theta_.copy()
    with pytest.raises(ValueError, match=r"coefs_ must have the shapes \[\(4, 5\), \(5, 1\)\], got"):
        model.coefs_ = change(model.coefs_)
    assert (model.theta_ == before).all()


def test_the_weights_of_one_layer_can_be_assigned(tmp_path) -> None:
    fitted = MLPClassifier(**BRIEF).fit(X, LABELS)
    fitted.save(tmp_path / "m.safetensors")
    for model in (fitted, load(tmp_path / "m.safetensors")):
        first, shift = np.full((4, 5), 0.25), np.arange(5.0)
        model.coefs_[0], model.intercepts_[0] = first, shift
        model.coefs_[1] *= 2
        assert np.array_equal(model.coefs_[0], first)
        assert np.array_equal(model.intercepts_[0], shift)
        assert np.array_equal(model.theta_[:20].reshape(4, 5), first)
        before = model.theta_.copy()
        with pytest.raises(ValueError, match="coefs_ must have the shapes"):
            model.coefs_[0] = first.T
        assert np.array_equal(model.theta_, before)


def test_lists_of_weights_are_lists() -> None:
    model = MLPClassifier(**BRIEF).fit(X, LABELS)
    assert isinstance(model.coefs_, list)
    assert len(model.coefs_ + model.intercepts_) == 4
    for copied in (deepcopy(model.coefs_), pickle.loads(pickle.dumps(model.coefs_))):
        assert type(copied) is list
        assert all(np.array_equal(a, b) for a, b in zip(copied, model.coefs_, strict=True))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(wrong: float) -> None:
    model = MLPClassifier(**BRIEF).fit(X, LABELS)
    before = model.theta_.copy()
    for name in ("coefs_", "intercepts_"):
        arrays = [array.copy() for array in getattr(model, name)]
        arrays[1][0] = wrong
        with pytest.raises(ValueError, match=f"{name} must hold finite numbers"):
            setattr(model, name, arrays)
        with pytest.raises(ValueError, match=f"{name} must hold finite numbers"):
            getattr(model, name)[1] = arrays[1]
    assert np.array_equal(model.theta_, before)


def test_a_layer_without_biases_has_none_to_set() -> None:
    model = MLPClassifier(**BRIEF, normalization="batch").fit(X, LABELS)
    model.intercepts_ = [np.zeros(5), np.ones(1)]
    assert [b.tolist() for b in model.intercepts_] == [[0.0] * 5, [1.0]]
    with pytest.raises(ValueError, match="no biases"):
        model.intercepts_ = [np.ones(5), np.ones(1)]


def test_weights_mapped_from_a_file_can_be_assigned(tmp_path: Any) -> None:
    joblib.dump(MLPClassifier(**BRIEF).fit(X, LABELS), tmp_path / "m.joblib")
    model = joblib.load(tmp_path / "m.joblib", mmap_mode="r")
    assert not model.theta_.flags.writeable
    model.coefs_ = [np.zeros((4, 5)), np.zeros((5, 1))]
    assert not any(W.any() for W in model.coefs_)
    model.partial_fit(X, LABELS)
    assert any(W.any() for W in model.coefs_)
