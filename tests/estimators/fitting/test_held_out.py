"""Rows held out of a training: classes in proportion where that can be, weights that count there too, given rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split

from chainrule import MLPClassifier, MLPRegressor
from chainrule.estimators.fitted.targets import Classes, Numbers
from chainrule.estimators.fitting.held_out import Rows, held_out

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::UserWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(500, 5))
STOPPING: dict[str, Any] = {"hidden_layer_sizes": (6,), "early_stopping": True, "max_iter": 3, "random_state": 0}

FEW_OR_MANY = {
    "100 classes": np.arange(500) % 100,
    "letters": np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))[np.arange(200) % 26],
    "one row of three": np.array(["alpha", "beta", "rare"])[np.where(np.arange(500) == 0, 2, np.arange(500) % 2)],
    "one row of two": np.where(np.arange(500) == 7, "yes", "no"),
    "each row another": np.arange(20),
    "several labels": np.eye(30, dtype=int)[np.arange(120) % 30],
}


@pytest.mark.parametrize("y", FEW_OR_MANY.values(), ids=list(FEW_OR_MANY))
def test_rare_and_many_classes_can_be_held_out(y: np.ndarray) -> None:
    if len(np.unique(y)) == len(y):
        with pytest.raises(ValueError, match=r"validation_fraction=0\.1 of 20 rows cannot be split off"):
            MLPClassifier(**STOPPING).fit(X[: len(y)], y)
        return
    fitted = MLPClassifier(**STOPPING).fit(X[: len(y)], y)
    assert len(fitted.validation_scores_) == 3
    assert fitted.t_ == 3 * (len(y) - np.ceil(0.1 * len(y)))


def test_a_class_of_one_row_is_trained_on() -> None:
    for row in range(40):
        y = np.where(np.arange(40) == row, "rare", np.where(np.arange(40) % 2, "a", "b"))
        train, held = held_out(Rows(X[:40], y, None), 0.25, 3, Classes.of(y))
        assert "rare" in train.y
        assert np.unique(held.y, return_counts=True)[1].tolist() == [5, 5]
        assert len(train.y) == 30


def test_the_split_is_scikit_learns_where_classes_have_rows_enough() -> None:
    y, weight = np.arange(60) % 3, RNG.random(60)
    train, held = held_out(Rows(X[:60], y, weight), 0.2, 5, Classes.of(y))
    theirs = train_test_split(X[:60], y, weight, test_size=0.2, random_state=5, stratify=y)
    for ours, expected in zip((train.X, held.X, train.y, held.y, train.weight, held.weight), theirs, strict=True):
        assert np.array_equal(ours, expected)
    train, held = held_out(Rows(X[:60], X[:60, 0], None), 0.2, 5, Numbers.of(X[:60, 0], None, False, "float64"))
    assert np.array_equal(held.y, train_test_split(X[:60, 0], test_size=0.2, random_state=5)[1])


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_weights_count_in_the_validation_loss_and_score_of_a_held_out_share(task: str) -> None:
    line = X[:, 0] + 0.8 * RNG.normal(size=500)
    y = {"binary": line > 0, "multiclass": np.digitize(line, [-0.5, 0.5]), "regression": line}[task]
    weight = np.where(RNG.random(500) < 0.5, 0.01, RNG.random(500) * 5)
    kind = MLPRegressor if task == "regression" else MLPClassifier
    settings = {**STOPPING, "validation_fraction": 0.3, "tol": 0.0, "n_iter_no_change": np.inf, "alpha": 0.0}
    seen: list[np.ndarray] = []
    fitted = kind(**settings, callbacks=[lambda event: seen.append(event.theta.copy())]).fit(X, y, weight)
    target = fitted._target
    _, held = held_out(Rows(X, y, weight), 0.3, 0, target)
    for epoch, theta in enumerate(seen):
        scores = fitted.network_.forward(theta, held.X)
        encoded = target.encode(held.y, fitted.loss_function_, "float64")
        loss = fitted.loss_function_.value(scores, encoded, held.weight)
        measure = r2_score if task == "regression" else accuracy_score
        score = measure(held.y, target.decode(scores, fitted.loss_function_), sample_weight=held.weight)
        bare = fitted.loss_function_.value(scores, encoded)
        assert fitted.validation_loss_curve_[epoch] == pytest.approx(loss, rel=1e-12)
        assert abs(bare - loss) > 1e-3 * abs(loss)
        assert fitted.validation_scores_[epoch] == pytest.approx(score, rel=1e-12)


GIVEN = {
    "unknown label": (MLPClassifier, np.array(["a", "b"] * 20), np.array(["a", "z"] * 5), "not among the classes: 'z'"),
    "two columns": (MLPClassifier, np.arange(40) % 3, np.ones((10, 3), int), "one label a row"),
    "-1 and 1": (MLPClassifier, np.eye(2, dtype=int)[np.arange(40) % 2], -np.ones((10, 2)), "must hold 0 and 1"),
    "dates": (MLPRegressor, X[:40, 0], np.full(10, "2020-01-01", "M8[D]"), "y holds datetime64"),
    "NaN": (MLPRegressor, X[:40, 0], np.full(10, np.nan), "y_val holds NaN"),
    "counts": (lambda **s: MLPRegressor(loss="poisson", **s), np.arange(40) % 3, -np.ones(10), "at least 0"),
}


@pytest.mark.parametrize(("kind", "y", "y_val", "words"), GIVEN.values(), ids=list(GIVEN))
def test_validation_targets_are_checked_as_those_of_the_training(kind: Any, y: Any, y_val: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kind(max_iter=2).fit(X[:40], y, X_val=X[40:50], y_val=y_val)
