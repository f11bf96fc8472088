"""Second-order solvers in the estimators: by name and as objects, kept, stopped, refused, as what they declare says."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

import chainrule as cr
from chainrule import MLPClassifier, MLPRegressor
from chainrule.estimators.settings.optimizer import optimizer
from chainrule.loop import checkpoint
from chainrule.optimizers import OPTIMIZERS, BayesianRegularization, LevenbergMarquardt

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::chainrule.TrainingAdvice"
)

WHOLE = [
    *("gradient_descent", "newton", "damped_newton", "bfgs", "lbfgs", "cg", "trust_region"),
    *("hessian_free", "natural_gradient", "levenberg_marquardt", "lm", "bayesian"),
]
BATCHES = ["kfac", "muon"]
MATRICES = ["newton", "damped_newton", "bfgs", "levenberg_marquardt", "lm", "bayesian"]

X, Y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "activation": "tanh", "random_state": 0, "max_iter": 12}


def fitted(solver: Any, **settings: Any) -> MLPClassifier:
    return MLPClassifier(**{**SMALL, "solver": solver, **settings}).fit(X, Y)


@pytest.mark.parametrize("name", WHOLE + BATCHES)
def test_a_name_and_its_object_are_the_same_training(name: str) -> None:
    by_name = fitted(name)
    as_object = fitted(OPTIMIZERS[name]())
    assert by_name.theta_.tobytes() == as_object.theta_.tobytes()
    assert by_name.loss_curve_ == as_object.loss_curve_
    assert by_name.loss_ <= by_name.loss_curve_[0]


def test_every_row_that_is_no_update_rule_is_tried_here() -> None:
    assert {*WHOLE} == {name for name, kind in OPTIMIZERS.items() if kind.whole_batch}
    assert {*BATCHES} == {n for n, kind in OPTIMIZERS.items() if not (kind.whole_batch or kind.elementwise)}


@pytest.mark.parametrize("name", ["bfgs", "lbfgs", "cg", "newton", "trust_region"])
def test_tol_and_max_fun_reach_those_that_search(name: str) -> None:
    values = {**MLPClassifier().chosen_settings(), "solver": name, "tol": 0.25, "max_fun": 7}
    made: Any = optimizer(values)
    assert (made.tolerance, made.max_evaluations) == (0.25, 7)


@pytest.mark.parametrize("name", ["levenberg_marquardt", "bayesian"])
def test_tol_leaves_the_tolerance_of_matlabs_methods_alone(name: str) -> None:
    made: Any = optimizer({**MLPClassifier().chosen_settings(), "solver": name, "tol": 0.25})
    assert made == OPTIMIZERS[name]()


@pytest.mark.parametrize("name", MATRICES)
def test_a_network_too_large_is_refused_before_anything_is_done(name: str) -> None:
    seen: list[Any] = []
    called = {"lm": "levenberg_marquardt"}.get(name, name)
    model = MLPClassifier(solver=name, hidden_layer_sizes=(700,), callbacks=[seen.append], random_state=0)
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are compared
        model.prepare(X, Y)
    words = f"{called} holds P × P numbers, 200 MB for P = 5,000; this network has 5,603: take hessian_free"
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)
    assert seen == []


def test_bayesian_tells_noise_from_residuals_only() -> None:
    rule = BayesianRegularization()
    assert rule.suited(cr.losses.SquaredError()).noise
    assert not rule.suited(cr.losses.CrossEntropy()).noise
    assert not rule.suited(cr.losses.Poisson()).noise
    assert not BayesianRegularization(noise=False).suited(cr.losses.SquaredError()).noise
    lm = LevenbergMarquardt()
    assert lm.suited(cr.losses.CrossEntropy()) is lm
    assert 0 < fitted("bayesian").gamma_ <= 31


def test_the_noise_of_several_targets_is_that_of_all_residuals() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(400, 2))
    targets = inputs @ random.normal(size=(2, 3)) + 0.5 * random.normal(size=(400, 3))
    model = MLPRegressor(hidden_layer_sizes=(), solver="bayesian", alpha=0, random_state=0).fit(inputs, targets)
    _, deviation = model.predict(inputs, return_std=True)
    assert deviation.shape == (400, 3)
    assert deviation.mean() == pytest.approx(0.5, rel=0.05)


class KilledError(Exception):
    """The end of a process, as far as a training sees it."""


def kill(event: Any) -> None:
    if event.epoch == 5:
        raise KilledError


@pytest.mark.parametrize("name", WHOLE + BATCHES)
def test_a_training_that_is_killed_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    events: list[Any] = []
    settings = {"batch_size": 50, "checkpoint": tmp_path / "run.checkpoint"}
    try:
        fitted(name, **settings, callbacks=[kill])
        assert name == "newton"  # which ends before, at its first step
    except KilledError:
        pass
    resumed = fitted(name, **settings)
    whole = fitted(name, batch_size=50, callbacks=[lambda event: events.append(dict(event.figures))])
    assert resumed.theta_.tobytes() == whole.theta_.tobytes()
    assert resumed.loss_curve_ == whole.loss_curve_
    saved = checkpoint.read(tmp_path / "run.checkpoint")
    assert repr([dict(event.figures) for event in saved.history]) == repr(events)


@pytest.mark.parametrize("name", WHOLE)
def test_it_is_stopped_early_by_the_clock_and_by_ctrl_c(name: str) -> None:
    early = fitted(name, early_stopping=True, n_iter_no_change=2, tol=1e9, max_iter=50)
    assert early.stop_reason_ in ("no change", "converged", "gave up")
    assert early.n_iter_ <= 5
    assert fitted(name, time_limit=1e-9).n_iter_ == 1

    def interrupt(event: Any) -> None:
        if event.epoch == 1:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="Training interrupted by user"):
        assert fitted(name, callbacks=[interrupt]).n_iter_ == 1


@pytest.mark.parametrize("name", WHOLE)
def test_what_it_cannot_do_is_refused_in_one_line(name: str) -> None:
    kind = OPTIMIZERS[name].__name__
    assert not hasattr(MLPClassifier(solver=name), "partial_fit")
    with pytest.raises(ValueError, match=f"^averaging needs an optimiser that takes batches; {kind} takes all rows"):
        fitted(name, averaging="swa")
    with pytest.raises(ValueError, match=f"^clip needs an update rule such as Adam.*; {kind} does not$"):
        fitted(name, clip_norm=1.0)
    with pytest.raises(ValueError, match=rf"^Dropout\(rate=0.1\) needs an optimiser that takes batches; {kind}"):
        fitted(name, dropout=0.1)


@pytest.mark.parametrize("name", WHOLE)
def test_a_warm_start_goes_on_from_the_last_weights(name: str) -> None:
    model = fitted(name, warm_start=True, max_iter=3)
    first = model.loss_
    assert model.fit(X, Y).loss_ <= first + 1e-9


@pytest.mark.parametrize("name", BATCHES)
def test_those_that_take_batches_have_partial_fit(name: str) -> None:
    model = MLPClassifier(**{**SMALL, "solver": name})
    for _ in range(3):
        model.partial_fit(X, Y, classes=[0, 1, 2])
    assert model.n_iter_ == 1
    assert model._state.epoch == 3


def test_the_figures_of_a_step_are_in_the_events_and_in_the_log(tmp_path: Path) -> None:
    events: list[Any] = []
    log = cr.CSVLogger(tmp_path / "log.csv")
    fitted("damped_newton", callbacks=[lambda event: events.append(dict(event.figures)), log])
    assert all({"damping", "condition", "step", "curvature", "evaluations"} == set(figures) for figures in events)
    assert events[0]["condition"] >= 1
    head, *rows = (tmp_path / "log.csv").read_text().splitlines()
    assert "figures.damping" in head.split(",")
    assert len(rows) == len(events)
    assert fitted("adam", callbacks=[lambda event: events.append(event.figures)]).n_iter_
    assert events[-1] == {}


class Ridge:
    """J(w) = -w²/2: it bends down everywhere."""

    def value_and_gradient(self, theta: Any) -> Any:
        return float(-(theta**2).sum() / 2), -theta


def test_negative_curvature_along_a_step_is_seen() -> None:
    rule, start = cr.optimizers.GradientDescent(), np.array([0.01, 0.02])
    _, _, report = rule.step(Ridge(), start, rule.init(None, start), 1.0)  # type: ignore[arg-type]  # no other verb
    assert report.figures["curvature"] == pytest.approx(-1)
    assert report.figures["step"] > 0


def test_warnings_name_the_method() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match=r"^LevenbergMarquardt: Maximum iterations \(2\) reached"):
            fitted("lm", max_iter=2)
