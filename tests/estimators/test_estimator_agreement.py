"""From the same weights, scikit-learn's MLP and ours make the same steps; linear ones end where its linear models do.

Ours is fitted as a user would; scikit-learn's is started (its `warm_start`) from the weights that ours started from.
Both work in float64 on the same data, so that only the order of rounding differs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from sklearn import linear_model, neural_network, svm
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression

import chainrule
from chainrule import Objective
from chainrule.penalties import L2

AGREEMENT = 1e-10
"""The largest relative difference of weights, losses and gradients."""

OPTIMUM = 1e-4
"""The largest relative difference between the optima of linear models."""

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Problem(NamedTuple):
    """The two estimators' name, data, their loss where it is named, and the factor from scikit-learn's loss to ours."""

    kind: str
    X: np.ndarray
    y: np.ndarray
    loss: dict[str, str] = {}  # noqa: RUF012  # never changed
    factor: float = 1.0


def _classification(classes: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(50, 6, n_informative=4, n_classes=classes, random_state=0)
    return X, y


def _regression(targets: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_regression(50, 6, n_targets=targets, noise=5, random_state=0)
    return X, y / 50


def _labels() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_multilabel_classification(50, 6, n_classes=3, random_state=0)
    return (X - X.mean()) / X.std(), y


def _counts() -> tuple[np.ndarray, np.ndarray]:
    X, y = _regression(1)
    return X, np.random.default_rng(0).poisson(np.exp(y / 3)).astype(float)


PROBLEMS: dict[str, Problem] = {
    "binary": Problem("MLPClassifier", *_classification(2)),
    "multiclass": Problem("MLPClassifier", *_classification(4)),
    "multilabel": Problem("MLPClassifier", *_labels()),
    "regression": Problem("MLPRegressor", *_regression(1)),
    "multi-output": Problem("MLPRegressor", *_regression(3), factor=3),
    "counts": Problem("MLPRegressor", *_counts(), {"loss": "poisson"}),
}
"""scikit-learn averages the loss over a regression's targets in what it reports, but not in the gradient it follows."""

every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=list(PROBLEMS))
weighted = pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])

ENDLESS = {"tol": 0.0, "n_iter_no_change": np.inf, "random_state": 0}
PLAIN_STEP = {"solver": "sgd", "momentum": 0, "nesterovs_momentum": False, "learning_rate_init": 1.0}


def weights_of(problem: Problem, weighted: bool) -> np.ndarray | None:
    return np.random.default_rng(1).uniform(0, 3, len(problem.X)) if weighted else None


def ours(problem: Problem, weight: np.ndarray | None, **settings: Any) -> Any:
    return getattr(chainrule, problem.kind)(**problem.loss, **settings).fit(problem.X, problem.y, weight)


def theirs(problem: Problem, weight: np.ndarray | None, start: Any, **settings: Any) -> Any:
    """Return scikit-learn's estimator, trained from the weights that `start`, a fitted one of ours, started from."""
    model = getattr(neural_network, problem.kind)(warm_start=True, **problem.loss, **settings)
    model.set_params(max_iter=1).fit(problem.X, problem.y, weight)
    views = start.network_.views(start.network_.initialize(seed=0))
    model.coefs_ = [value.copy() for name, value in views.items() if name.endswith("W")]
    model.intercepts_ = [value.copy() for name, value in views.items() if name.endswith("b")]
    model.loss_curve_, model.best_loss_, model.t_ = [], np.inf, 0
    return model.set_params(max_iter=settings["max_iter"]).fit(problem.X, problem.y, weight)


def flat(model: Any) -> np.ndarray:
    return np.concatenate([part.ravel() for part in (*model.coefs_, *model.intercepts_)])


def in_their_order(mine: Any, theta: np.ndarray) -> np.ndarray:
    """Return θ with all weights before all biases, as `flat` puts them."""
    views = mine.network_.views(theta)
    return np.concatenate([views[name].ravel() for end in "Wb" for name in views if name.endswith(end)])


def difference(a: Any, b: Any) -> float:
    """Return the largest difference relative to the largest entry."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    return float(np.max(np.abs(a - b)) / np.max(np.abs(b)))


@every_problem
@weighted
@pytest.mark.parametrize("alpha", [0.0, 2.0])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_the_loss_and_the_gradient_agree(problem: Problem, weighted: bool, alpha: float, activation: str) -> None:
    settings = {**ENDLESS, **PLAIN_STEP, "hidden_layer_sizes": (5, 4), "activation": activation, "alpha": alpha}
    weight = weights_of(problem, weighted)
    mine = ours(problem, weight, max_iter=1, **settings)
    other = theirs(problem, weight, mine, max_iter=1, **settings)
    start = mine.network_.initialize(seed=0)
    parts = (mine.network_, mine.loss_function_, problem.X, problem.y, weight)
    value, gradient = Objective(*parts, [L2(alpha, per_sample=True)]).value_and_gradient(start)
    penalty = value - Objective(*parts).value(start)
    assert difference(mine.loss_curve_, [value]) < 1e-15
    assert difference(value, problem.factor * (other.loss_curve_[0] - penalty) + penalty) < AGREEMENT
    assert difference(in_their_order(mine, gradient), in_their_order(mine, start) - flat(other)) < AGREEMENT
    assert difference(flat(mine), flat(other)) < AGREEMENT


SOLVERS: dict[str, dict[str, Any]] = {
    "gradient descent": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.1},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.02},
    "nesterov": {"solver": "sgd", "momentum": 0.8, "learning_rate_init": 0.02},
    "adam": {"solver": "adam", "learning_rate_init": 0.01, "epsilon": 1e-30},
    "adam, other factors": {"solver": "adam", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-30},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.4, "learning_rate_init": 0.05},
}
"""Adam's ε is next to nothing: ours is the paper's m̂ / (√v̂ + ε), scikit-learn's adds ε before v is corrected."""

BATCHES = {"full batch": {"batch_size": 50}, "ragged batches in order": {"batch_size": 8, "shuffle": False}}


@every_problem
@weighted
@pytest.mark.parametrize("solver", SOLVERS.values(), ids=list(SOLVERS))
@pytest.mark.parametrize("batches", BATCHES.values(), ids=list(BATCHES))
def test_whole_trainings_agree(problem: Problem, weighted: bool, solver: Any, batches: Any) -> None:
    alpha = 0.0 if problem.factor != 1 else 0.5
    settings = {**ENDLESS, **solver, **batches, "activation": "tanh", "hidden_layer_sizes": (6,), "alpha": alpha}
    weight = weights_of(problem, weighted)
    mine = ours(problem, weight, max_iter=25, **settings)
    other = theirs(problem, weight, mine, max_iter=25, **settings)
    assert difference(mine.loss_curve_, problem.factor * np.array(other.loss_curve_)) < AGREEMENT
    assert difference(flat(mine), flat(other)) < AGREEMENT
    assert mine.t_ == other.t_ == 25 * 50
    assert difference(mine.predict(problem.X), other.predict(problem.X)) < AGREEMENT


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_stopping_agrees_to_the_epoch(learning_rate: str) -> None:
    problem = PROBLEMS["multiclass"]
    settings = {**PLAIN_STEP, "learning_rate_init": 0.3, "random_state": 0, "activation": "tanh"}
    settings |= {"tol": 2e-3, "n_iter_no_change": 3, "learning_rate": learning_rate}
    mine = ours(problem, None, max_iter=1000, **settings)
    other = theirs(problem, None, mine, max_iter=1000, **settings)
    assert mine.stop_reason_ == "no change"
    assert 20 < mine.n_iter_ == other.n_iter_
    assert difference(flat(mine), flat(other)) < AGREEMENT
    assert mine.best_loss_ == pytest.approx(other.best_loss_, rel=AGREEMENT, abs=0)


@every_problem
@weighted
def test_lbfgs_sets_out_the_same_way(problem: Problem, weighted: bool) -> None:
    """Two line searches that both hold the Wolfe conditions part later: theirs is SciPy's."""
    settings = {"solver": "lbfgs", "activation": "tanh", "hidden_layer_sizes": (4,), "tol": 0.0, "random_state": 0}
    weight = weights_of(problem, weighted)
    mine = ours(problem, weight, max_iter=2, **settings)
    other = theirs(problem, weight, mine, max_iter=2, **settings)
    assert difference(flat(mine), flat(other)) < AGREEMENT


LINEAR = {"hidden_layer_sizes": (), "solver": "lbfgs", "tol": 1e-12, "max_iter": 5000, "random_state": 0}


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
@pytest.mark.parametrize(("name", "loss"), [("binary", "log_loss"), ("binary", "logistic"), ("multiclass", "log_loss")])
def test_logistic_regression(name: str, loss: str, strength: float) -> None:
    problem = PROBLEMS[name]
    mine = chainrule.MLPClassifier(**LINEAR, loss=loss, alpha=strength).fit(problem.X, problem.y)
    other = linear_model.LogisticRegression(C=1 / strength, tol=1e-12, max_iter=5000).fit(problem.X, problem.y)
    assert difference(mine.coefs_[0].T, other.coef_) < OPTIMUM
    assert difference(mine.predict_proba(problem.X), other.predict_proba(problem.X)) < OPTIMUM


@pytest.mark.parametrize("strength", [0.1, 10.0])
@pytest.mark.parametrize("name", ["regression", "multi-output"])
def test_ridge_regression(name: str, strength: float) -> None:
    problem = PROBLEMS[name]
    mine = chainrule.MLPRegressor(**LINEAR, alpha=strength).fit(problem.X, problem.y)
    other = linear_model.Ridge(alpha=strength).fit(problem.X, problem.y)
    assert difference(mine.coefs_[0].T, np.atleast_2d(other.coef_)) < OPTIMUM
    assert difference(mine.intercepts_[0], np.atleast_1d(other.intercept_)) < OPTIMUM


@pytest.mark.parametrize("strength", [0.5, 5.0])
def test_poisson_regression(strength: float) -> None:
    problem = PROBLEMS["counts"]
    mine = chainrule.MLPRegressor(**LINEAR, loss="poisson", alpha=strength).fit(problem.X, problem.y)
    other = linear_model.PoissonRegressor(alpha=strength / 50, tol=1e-12, max_iter=5000).fit(problem.X, problem.y)
    assert difference(mine.coefs_[0][:, 0], other.coef_) < OPTIMUM


@pytest.mark.parametrize("strength", [0.5, 5.0])
def test_support_vector_machine_with_squared_hinge(strength: float) -> None:
    problem = PROBLEMS["binary"]
    mine = chainrule.MLPClassifier(**LINEAR, loss="squared_hinge", alpha=strength).fit(problem.X, problem.y)
    free_bias = {"intercept_scaling": 1e3, "dual": False, "tol": 1e-12, "max_iter": 100_000}
    other = svm.LinearSVC(C=1 / strength, **free_bias).fit(problem.X, problem.y)
    assert difference(mine.coefs_[0].T, other.coef_) < OPTIMUM
    assert difference(mine.intercepts_[0], other.intercept_) < OPTIMUM


ONLINE = {"hidden_layer_sizes": (), "solver": "sgd", "momentum": 0, "batch_size": 1, "shuffle": False, **ENDLESS}


@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize(
    ("loss", "theirs"), [("hinge", "hinge"), ("perceptron", "perceptron"), ("logistic", "log_loss")]
)
def test_online_training_is_stochastic_gradient_descent(loss: str, theirs: str, alpha: float) -> None:
    problem = PROBLEMS["binary"]
    settings = {"loss": loss, "alpha": alpha, "initializer": "zeros", "learning_rate_init": 0.1, "max_iter": 20}
    mine = chainrule.MLPClassifier(**{**ONLINE, **settings}).fit(problem.X, problem.y)
    constant = {"learning_rate": "constant", "eta0": 0.1, "shuffle": False, "tol": None, "max_iter": 20}
    other = linear_model.SGDClassifier(theirs, alpha=alpha, **constant).fit(problem.X, problem.y)
    assert difference(mine.coefs_[0].T, other.coef_) < AGREEMENT
    assert difference(mine.intercepts_[0], other.intercept_) < AGREEMENT


def test_rosenblatts_perceptron() -> None:
    X, y = make_classification(60, 5, n_redundant=0, class_sep=3, n_clusters_per_class=1, random_state=1)
    settings = {"loss": "perceptron", "alpha": 0, "initializer": "zeros", "learning_rate_init": 1.0, "max_iter": 10}
    mine = chainrule.MLPClassifier(**{**ONLINE, **settings}).fit(X, y)
    other = linear_model.Perceptron(shuffle=False, tol=None, max_iter=10).fit(X, y)
    assert difference(mine.coefs_[0].T, other.coef_) < AGREEMENT
    assert mine.score(X, y) == 1
