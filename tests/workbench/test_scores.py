"""Scores of a model on rows: each number as scikit-learn computes it, and labels that files hold in another type."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

import chainrule as cr
from chainrule.workbench.data import Rows
from chainrule.workbench.model_facts import facts_of, target_of, task_of
from chainrule.workbench.plain import plain_json
from chainrule.workbench.scores import LARGEST_CONFUSION, labels_in_type_of, scores_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
CLASSES = np.array([10, 2, 33])[np.argmax(X + 0.5 * RNG.normal(size=X.shape), axis=1)]
SETTINGS: dict[str, Any] = {"hidden_layer_sizes": (5,), "max_iter": 40, "random_state": 0, "solver": "lbfgs"}


def classifier(y: Any = CLASSES, **settings: Any) -> Any:
    return cr.MLPClassifier(**SETTINGS | settings).fit(X, y)


def regressor() -> Any:
    return cr.MLPRegressor(**SETTINGS).fit(X, X @ [1.0, 2.0, 3.0])


def test_scores_of_a_classifier() -> None:
    model, other = classifier(), Rows(X[:40] + 0.3, CLASSES[:40])
    found, predicted = scores_of(model, other), model.predict(other.X)
    assert found == json.loads(json.dumps(found))
    assert found["accuracy"] == metrics.accuracy_score(other.y, predicted) < 1
    assert (found["rows"], found["error_percent"]) == (40, 100 * (1 - found["accuracy"]))
    assert found["macro_f1"] == metrics.f1_score(other.y, predicted, average="macro")
    assert found["log_loss"] == pytest.approx(metrics.log_loss(other.y, model.predict_proba(other.X)), rel=1e-6)
    assert found["confusion"]["labels"] == ["2", "10", "33"]
    assert found["confusion"]["counts"] == metrics.confusion_matrix(other.y, predicted).tolist()
    assert found["unknown_labels"] == []


def test_labels_that_the_model_does_not_know_are_named() -> None:
    found = scores_of(classifier(), Rows(X[:3], np.array([2, 10, 77])))
    assert (found["unknown_labels"], found["log_loss"]) == (["77"], None)
    assert found["confusion"]["labels"] == ["2", "10", "33", "77"]


def test_a_loss_without_probabilities_has_no_log_loss() -> None:
    assert scores_of(classifier(loss="squared_multiclass_hinge"), Rows(X, CLASSES))["log_loss"] is None


def test_several_labels_have_the_mean_log_loss_of_each() -> None:
    y = (X > 0).astype(int)
    model = classifier(y)
    found, p = scores_of(model, Rows(X, y)), np.clip(model.predict_proba(X), 1e-15, 1 - 1e-15)
    assert found["log_loss"] == pytest.approx(-np.mean(np.where(y > 0, np.log(p), np.log(1 - p))), rel=1e-9)
    assert found["confusion"] is None


def test_many_classes_have_no_confusion_matrix() -> None:
    y = np.arange(90) % (LARGEST_CONFUSION + 1)
    assert scores_of(classifier(y, max_iter=2), Rows(X, y))["confusion"] is None


def test_scores_of_a_regressor() -> None:
    model, y = regressor(), X @ [1.0, 2.0, 3.0] + RNG.normal(size=90)
    found, residuals = scores_of(model, Rows(X, y)), y - model.predict(X)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(y, model.predict(X)), rel=1e-12)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(y, model.predict(X)), rel=1e-12)
    assert found["r2"] == metrics.r2_score(y, model.predict(X))
    assert found["residual_quantiles"]["50"] == np.median(residuals)
    assert scores_of(model, Rows(X[:1], y[:1]))["r2"] is None


@pytest.mark.parametrize(
    ("y", "classes", "expected"),
    [
        ([1, 2], ["1", "2"], ["1", "2"]),
        (["2", "10"], [2, 10], [2, 10]),
        (["2.0"], [2.0, 3.0], [2.0]),
        ([1, 2], [1, 3], [1, 2]),
        (["a"], ["b"], ["a"]),
        (["TRUE", "false"], [False, True], [True, False]),
        ([True, False], ["false", "true"], ["true", "false"]),
        ([1.0, 2.0], ["1", "2.0", "x"], ["1", "2.0"]),
    ],
)
def test_labels_take_the_type_of_the_classes(y: Any, classes: Any, expected: Any) -> None:
    found = labels_in_type_of(np.array(y), np.array(classes))
    assert (found.tolist(), found.dtype.kind) == (expected, np.array(expected).dtype.kind)


def test_a_text_that_is_no_class_is_named() -> None:
    with pytest.raises(ValueError, match="the target holds 'x'; the classes of the model are 1, 2"):
        labels_in_type_of(np.array(["1", "x"]), np.array([1, 2]))


def test_facts_of_models() -> None:
    model = classifier(alpha=0.5)
    facts = facts_of(model)
    assert json.loads(json.dumps(plain_json(facts), allow_nan=False))["network"]["parameters"] == model.network_.size
    assert (facts["task"], facts["classes"], facts["target"]) == ("classification", [2, 10, 33], None)
    assert {"alpha", *SETTINGS} >= set(facts["changed"]) >= {"alpha", "solver"}
    blocks = facts["network"]["blocks"]
    assert [block["block"] for block in blocks] == ["Dense", "Activation relu", "Dense"]
    assert [block["parameters"] for block in blocks] == [20, 0, 18]
    model.target_name_ = "kind"
    assert target_of(model) == "kind"
    plain = facts_of(regressor())
    assert (plain["task"], plain["classes"]) == (task_of(regressor()), None) == ("regression", None)
