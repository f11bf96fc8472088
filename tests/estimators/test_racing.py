"""`chainrule.race`: on an objective, on data, with an estimator's settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

import chainrule as cr
from chainrule.optimizers import SGD, LevenbergMarquardt

X, Y = load_iris(return_X_y=True)


def test_on_an_objective_by_name_and_by_object() -> None:
    network = cr.Network(4, [cr.Dense(3), cr.Activation("tanh"), cr.Dense(3)])
    objective = cr.Objective(network, cr.losses.CrossEntropy(), X, Y)
    found = cr.race(objective, {"mine": SGD(0.1), "lm": "lm"}, seconds=0.05)
    assert [course.name for course in found.courses] == ["mine", "lm"]
    assert found.start == pytest.approx(float(objective.value(network.initialize(0))), rel=1e-9)
    start = network.initialize(7)
    found = cr.race(objective, ["sgd"], seconds=0.05, start=start, score=lambda theta: -1.0)
    assert found.start == pytest.approx(float(objective.value(start)), rel=1e-9)
    assert found.courses[0].score == -1


def test_on_data_the_score_is_of_rows_that_nobody_trains_on() -> None:
    found = cr.race((X, Y), ["adam", "lbfgs"], seconds=0.1)
    assert all(course.score in {k / 15 for k in range(16)} for course in found.courses)
    found = cr.race((X, X[:, 0] * 0.37), ["lbfgs"], seconds=0.2)
    assert found.courses[0].score > 0.9


def test_an_estimator_gives_its_settings_and_stays_as_it_is() -> None:
    model = cr.MLPClassifier((3,), random_state=4, tol=0.5, dropout=0.1, batch_size=30)
    found = cr.race((X, Y, model), {"sgd": "sgd", "lbfgs": "lbfgs", "lm": LevenbergMarquardt()}, seconds=0.1)
    reasons = [course.reason for course in found.courses]
    assert reasons == ["out of time", "refused", "refused"]
    assert "Dropout(rate=0.1) needs an optimiser that takes batches" in found.courses[1].message
    assert (model.solver, model.get_params()["tol"]) == ("adam", 0.5)
    plain = cr.MLPClassifier((3,), random_state=4, tol=0.5)
    assert cr.race((X, Y, plain), ["lbfgs"], seconds=5).courses[0].reason == "converged"


@pytest.mark.parametrize(
    ("data", "solvers", "words"),
    [
        ((X, Y), ["adm"], "^solver 'adm' is not known; accepted: sgd, momentum, "),
        ((X, Y), {"mine": 3}, "^solver 3 is not known"),
        (X, ["adam"], r"^data must be an Objective, or \(X, y\), or \(X, y, estimator\), got ndarray$"),
        ((X, Y[:9]), ["adam"], "inconsistent numbers of samples"),
    ],
)
def test_what_cannot_race_is_named(data: Any, solvers: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cr.race(data, solvers, seconds=0.1)


def test_several_targets_and_labels_race_too() -> None:
    both = np.stack([X[:, 0] * 0.5, X[:, 1] * 0.3], axis=1)
    assert cr.race((X, both), ["lbfgs"], seconds=0.1).winner is not None
    assert cr.race((X, np.stack([Y == 0, Y == 1], axis=1).astype(int)), ["lbfgs"], seconds=0.1).winner is not None
