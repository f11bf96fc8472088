"""Classes of a user's own, made of the estimators: with parameters more, or fewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from chainrule import MLPClassifier, MLPRegressor, ModelFileError

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::chainrule.TrainingAdvice"
)
X, y = load_iris(return_X_y=True)


class Thresholded(MLPClassifier):
    """A parameter more, and few of the others."""

    def __init__(self, hidden_layer_sizes: Any = (5,), random_state: Any = 0, threshold: float = 0.5) -> None:
        super().__init__(hidden_layer_sizes, random_state=random_state, max_iter=20)
        self.threshold = threshold

    def predict(self, X: Any) -> Any:
        """Return whether the first class is likely enough."""
        return self.predict_proba(X)[:, 0] > self.threshold


class Preset(MLPClassifier):
    """No parameters of its own."""

    def __init__(self, **settings: Any) -> None:
        super().__init__((5,), **{"max_iter": 20, "random_state": 0, **settings})


class Small(MLPRegressor):
    """One parameter."""

    def __init__(self, alpha: float = 0.1) -> None:
        super().__init__(hidden_layer_sizes=(3,), alpha=alpha, max_iter=20, random_state=0, scale_target=True)


class Grandchild(Thresholded):
    """As its parent."""


@pytest.mark.parametrize("kind", [Thresholded, Preset, Small, Grandchild])
def test_a_subclass_fits_goes_on_and_is_asked_as_its_parent(kind: Any) -> None:
    model = kind()
    model.fit(X, y)
    model.partial_fit(X, y)
    assert model.range_test(X, y, steps=10).rates.shape == (10,)
    assert model.compile()(X[:2]).shape[0] == len(model.predict(X[:2])) == 2
    assert clone(model).fit(X, y).n_iter_ == 20
    assert model.chosen_settings()["max_iter"] == 20


def test_settings_that_its_signature_lacks_are_checked_and_used() -> None:
    model = Small().fit(X, y)
    plain = MLPRegressor(hidden_layer_sizes=(3,), alpha=0.1, max_iter=20, random_state=0, scale_target=True).fit(X, y)
    assert (model.theta_ == plain.theta_).all()
    model.solver = "nothing"
    with pytest.raises(ValueError, match="Small: solver must be"):
        model.fit(X, y)


def test_a_parameter_of_ones_own_can_be_searched() -> None:
    search = GridSearchCV(Thresholded(), {"threshold": [0.2, 0.8]}, cv=2, scoring="accuracy").fit(X, y == 0)
    assert search.best_estimator_.threshold == search.best_params_["threshold"]


def test_a_file_holds_no_code(tmp_path: Path) -> None:
    model = Thresholded().fit(X, y)
    with pytest.raises(ModelFileError, match="a file holds no code, such as that of Thresholded"):
        model.save(tmp_path / "model.safetensors")
    assert np.array_equal([*tmp_path.iterdir()], [])
