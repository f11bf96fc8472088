"""The presets: good settings that the command line and Python share."""

from __future__ import annotations

import re
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from chainrule import MLPClassifier, MLPRegressor, optimizers
from chainrule.estimators.presets import DEFAULTS, MANY_ROWS, Facts, for_table
from chainrule.estimators.settings.table import SETTINGS, check

FACTS = [
    Facts(100),
    Facts(MANY_ROWS),
    Facts(1, standardise=False, scale=1 / 255, image_shape=(8, 8)),
    Facts(50, task="regression"),
]


@pytest.mark.parametrize("facts", FACTS)
@pytest.mark.parametrize("given", [{}, {"solver": "rprop"}, {"solver": "lbfgs"}, {"solver": optimizers.Adam()}])
def test_presets_are_settings_of_the_estimator(facts: Facts, given: dict[str, Any]) -> None:
    kind = MLPRegressor if facts.task == "regression" else MLPClassifier
    settings = for_table(facts, **given)
    check(settings, kind.__name__)
    made = kind(**settings).get_params()
    assert made == {**kind().get_params(), **settings}
    assert {**settings, **given} == settings
    assert ("scale_target" in settings) == (facts.task == "regression")


def test_every_preset_is_a_setting() -> None:
    assert {*DEFAULTS} <= {*SETTINGS}


def test_presets_follow_the_facts() -> None:
    few, many = for_table(Facts(100)), for_table(Facts(MANY_ROWS))
    assert (few["early_stopping"], few["n_iter_no_change"], few["learning_rate"]) == (False, inf, "cosine")
    assert (many["early_stopping"], many["n_iter_no_change"], many["learning_rate"]) == (True, 5, "adaptive")
    assert for_table(Facts(100), early_stopping=True)["learning_rate"] == "adaptive"
    assert for_table(Facts(MANY_ROWS), solver="lbfgs")["learning_rate"] == "cosine"
    assert for_table(Facts(500), solver=optimizers.Rprop())["batch_size"] == 500
    rates = [for_table(Facts(9), solver=solver)["learning_rate_init"] for solver in ("adam", "sgd", optimizers.Adam())]
    assert rates == [0.002, None, None]
    assert for_table(replace(Facts(9), image_shape=(3, 3)))["image_shape"] == (3, 3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("delta", "delta is a setting of the other task; this is a classification"),
        ("foo", "foo is no setting of MLPClassifier; docs/parameters.md lists them"),
    ],
)
def test_foreign_settings_are_refused(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        for_table(Facts(100), **{name: 1.0})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"rows": -5}, "Facts rows must be a whole number of at least 1, got -5"),
        ({"rows": 5, "scale": 0.0}, "Facts scale must be a positive finite number, got 0.0"),
        ({"rows": 5, "task": "foo"}, "Facts task must be one of classification, regression, got 'foo'"),
    ],
)
def test_facts_that_cannot_be_are_refused(wrong: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Facts(**wrong)


def test_a_model_of_presets_learns() -> None:
    X = np.random.default_rng(0).normal(size=(300, 4))
    y = X[:, 0] * 3 + X[:, 1]
    model = MLPRegressor(**for_table(Facts(300, task="regression")))
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(40\) reached"):  # a fixed course ends there
        model.fit(X, y)
    assert model.score(X, y) > 0.95
