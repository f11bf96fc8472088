"""The learning-rate range test: on quadratics, where theory says which rates are safe, and where it must refuse."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from chainrule import (
    Activation,
    Dense,
    DivergenceError,
    MLPClassifier,
    MLPRegressor,
    Network,
    Objective,
    RangeTest,
    TrainingState,
    range_test,
    train,
)
from chainrule.engines.native import core as native
from chainrule.estimators.settings import loss as loss_settings
from chainrule.loop.range_test import BLOWN_UP, WINDOW, smoothed
from chainrule.loop.range_test import _Watch as Watch
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.optimizers import LBFGS, OPTIMIZERS, SGD, Adam, Momentum, Rprop
from chainrule.schedules import Exponential
from chainrule.steps.recipe import Recipe


def quadratic(condition: float, seed: int = 0) -> tuple[Objective, Any, float]:
    """Return a linear regression, its start, and the largest eigenvalue of its Hessian."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(80, 5)) * np.geomspace(condition**-0.5, 1, 5)
    objective = Objective(Network(5, [Dense(1)]), SquaredError(), X, X @ rng.normal(size=5) + rng.normal(size=80))
    theta = rng.normal(size=6)
    hessian = np.array([objective.hessian_product(theta, unit) for unit in np.eye(6)])
    return objective, theta, float(np.linalg.eigvalsh(hessian)[-1])


def digits(rows: int = 600) -> tuple[Objective, Any]:
    """Return a small network for the digits, and its start."""
    X, y = load_digits(return_X_y=True)
    network = Network(64, [Dense(30), Activation("relu"), Dense(10)])
    return Objective(network, CrossEntropy(), X[:rows] / 16, y[:rows]), network.initialize(0)


@pytest.mark.parametrize("condition", [1, 30, 1000])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("steps", [60, 100, 400])
def test_gradient_descent_on_a_quadratic_gets_a_rate_that_theory_allows(
    condition: float, seed: int, steps: int
) -> None:
    """Below η = 2 / L gradient descent only falls: the lowest loss lies above, but for half a window of smoothing."""
    objective, theta, largest = quadratic(condition, seed)
    found = range_test(objective, theta, optimizer=SGD(), steps=steps)
    half_a_window = (found.rates[1] / found.rates[0]) ** round(WINDOW * steps)
    assert found.suggestion is not None
    assert 0.2 / half_a_window <= found.suggestion * largest < 2
    start = float(objective.value(theta))
    assert train(objective, theta, optimizer=SGD(found.suggestion), epochs=30).history[-1].loss < start
    with pytest.raises(DivergenceError):
        train(objective, theta, optimizer=SGD(40 * found.suggestion), epochs=5000)


@pytest.mark.parametrize(("rule", "low", "high"), [(SGD(), 0.01, 0.3), (Momentum(), 0.003, 0.1), (Adam(), 1e-3, 0.03)])
@pytest.mark.parametrize("batch_size", [16, 32, 128, None])
def test_rates_for_the_digits_are_those_that_people_use(rule: Any, low: float, high: float, batch_size: Any) -> None:
    objective, theta = digits()
    found = range_test(objective, theta, optimizer=rule, batch_size=batch_size)
    assert low < found.suggestion < high
    assert found.rose


def test_what_a_test_reports() -> None:
    objective, theta = digits()
    before = theta.copy()
    found = range_test(objective, theta, optimizer=SGD(), low=1e-4, high=1.0, steps=50, batch_size=100, seed=3)
    assert type(found) is RangeTest
    assert theta.tobytes() == before.tobytes()
    done = len(found.rates)
    assert 10 < done <= 50
    assert found.rates == pytest.approx(np.geomspace(1e-4, 1.0, 50)[:done], rel=1e-12)
    assert found.smoothed.tobytes() == smoothed(found.losses, 2).tobytes()
    assert found.suggestion == found.rates[found.lowest] / 10
    again = range_test(objective, theta, optimizer=SGD(), low=1e-4, high=1.0, steps=50, batch_size=100, seed=3)
    assert again.losses.tobytes() == found.losses.tobytes()


def test_losses_are_those_of_the_batches_before_their_updates() -> None:
    objective, theta = digits(200)
    found = range_test(objective, theta, optimizer=SGD(), low=1e-3, high=1e-1, steps=10)
    for rate, loss in zip(found.rates, found.losses, strict=True):
        value, gradient = objective.value_and_gradient(theta)
        assert loss == pytest.approx(value, rel=1e-10)
        theta = theta - rate * gradient


@pytest.mark.native
@pytest.mark.skipif(bool(native.MISSING), reason=f"no native engine: {native.MISSING}")
def test_both_engines_find_the_same() -> None:
    objective, theta = digits()
    found = [range_test(objective, theta, batch_size=50, engine=engine) for engine in ("native", "reference")]
    assert found[0].suggestion == pytest.approx(found[1].suggestion, rel=1e-12)
    assert found[0].losses[:60] == pytest.approx(found[1].losses[:60], rel=1e-8)


def test_it_ends_where_the_loss_blows_up() -> None:
    objective, theta, _ = quadratic(10)
    found = range_test(objective, theta, optimizer=SGD(), low=1e-4, high=1e4, steps=300)
    window = round(WINDOW * 300)
    last = [float(np.mean(found.losses[max(0, k - window) : k + 1])) for k in range(len(found.losses))]
    assert len(found.losses) < 300
    assert last[-1] > BLOWN_UP * min(last)
    assert all(last[k] <= BLOWN_UP * min(last[: k + 1]) for k in range(len(last) - 1))
    assert np.isfinite(found.losses).all()


def test_a_loss_that_is_not_finite_ends_it_with_what_there_is() -> None:
    objective, theta, _ = quadratic(10)
    found = range_test(objective, theta, optimizer=SGD(), low=1e-3, high=1e300, steps=12)
    assert np.isfinite(found.losses).all()
    assert 2 <= len(found.losses) < 12


def test_a_loss_that_never_falls_has_no_suggestion() -> None:
    objective, theta, largest = quadratic(1)
    found = range_test(objective, theta, optimizer=SGD(), low=5 / largest, high=50 / largest)
    assert found.lowest == 0
    assert found.suggestion is None


def test_a_loss_that_never_rises_says_so() -> None:
    objective, theta, largest = quadratic(1)
    found = range_test(objective, theta, optimizer=SGD(), low=1e-6, high=0.5 / largest)
    assert not found.rose
    assert found.suggestion == pytest.approx(0.05 / largest, rel=1e-10)


@pytest.mark.parametrize("window", [0, 1, 3, 50])
def test_smoothing_is_the_mean_of_the_neighbours(window: int) -> None:
    losses = np.random.default_rng(0).normal(size=20)
    wanted = [losses[max(0, k - window) : k + window + 1].mean() for k in range(20)]
    assert smoothed(losses.tolist(), window) == pytest.approx(wanted, rel=1e-13)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"low": 0}, "low must be a positive finite number, got 0"),
    ({"low": "1"}, "low must be a positive finite number, got '1'"),
    ({"high": np.inf}, "high must be a positive finite number, got inf"),
    ({"high": True}, "high must be a positive finite number, got True"),
    ({"low": 2, "high": 1}, "low must be below high, got low=2, high=1"),
    ({"steps": 9}, "steps must be a whole number of at least 10, got 9"),
    ({"steps": 20.5}, "steps must be a whole number of at least 10, got 20.5"),
    ({"optimizer": LBFGS()}, "a range test needs an optimizer that follows a learning rate.*; LBFGS does not"),
    ({"optimizer": Rprop()}, "a range test needs an optimizer that follows a learning rate.*; Rprop does not"),
    ({"optimizer": "adam"}, "a range test needs an optimizer that follows a learning rate.*; str does not"),
    ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
    ({"batch_size": "all"}, "batch_size must be a whole number of at least 1"),
    ({"engine": "fast"}, "engine 'fast' is not known"),
]


@pytest.mark.parametrize(("given", "words"), MISTAKES)
def test_mistakes_are_named(given: dict[str, Any], words: str) -> None:
    objective, theta, _ = quadratic(1)
    with pytest.raises(ValueError, match=words):
        range_test(objective, theta, **given)


def test_inputs_that_are_not_finite_are_the_cause_that_is_named() -> None:
    objective = Objective(Network(1, [Dense(1)]), SquaredError(), np.array([[1.0], [np.nan]]), np.ones(2))
    with pytest.raises(DivergenceError, match="the inputs hold NaN"):
        range_test(objective, np.zeros(2))


WORDS: list[tuple[dict[str, Any], str]] = [
    (
        {"optimizer": Rprop()},
        "a range test needs an optimizer that follows a learning rate, such as Adam; Rprop does not",
    ),
    ({"low": 0.0}, "low must be a positive finite number, got 0.0"),
    ({"low": False}, "low must be a positive finite number, got False"),
    ({"high": "1"}, "high must be a positive finite number, got '1'"),
    ({"high": np.inf}, "high must be a positive finite number, got inf"),
    ({"low": 1, "high": 1}, "low must be below high, got low=1, high=1"),
    ({"steps": 9}, "steps must be a whole number of at least 10, got 9"),
    ({"steps": True}, "steps must be a whole number of at least 10, got True"),
    ({"steps": 10.0}, "steps must be a whole number of at least 10, got 10.0"),
]


@pytest.mark.parametrize(("given", "words"), WORDS)
def test_each_refusal_in_full(given: dict[str, Any], words: str) -> None:
    objective, theta, _ = quadratic(1)
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are compared whole
        range_test(objective, theta, **given)
    assert str(caught.value) == words


def test_the_defaults() -> None:
    objective, theta, _ = quadratic(10)
    found = range_test(objective, theta)
    settings: dict[str, Any] = {"low": 1e-7, "high": 10.0, "steps": 100, "batch_size": 80, "seed": 0, "engine": "auto"}
    wanted = range_test(objective, theta, optimizer=Adam(), **settings)
    assert found.losses.tobytes() == wanted.losses.tobytes()
    assert found.rates.tobytes() == wanted.rates.tobytes()
    assert range_test(objective, theta, steps=10, high=1e-6).losses.shape == (10,)


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "epochs"),
    [(None, 1, 25), (80, 1, 25), (81, 1, 25), (40, 1, 13), (20, 2, 13), (3, 1, 1)],
)
def test_what_the_training_is_told(
    monkeypatch: pytest.MonkeyPatch, batch_size: Any, accumulate: int, epochs: int
) -> None:
    told: dict[str, Any] = {}

    def stopped(objective: Any, theta: Any, **settings: Any) -> None:
        told.update(settings, objective=objective, theta=theta)
        settings["on_steps"]([0.1, 0.2], [3.0, 2.0])
        raise DivergenceError(2, 0, "", TrainingState(theta))

    monkeypatch.setattr(import_module("chainrule.loop.range_test"), "train", stopped)
    objective, theta, _ = quadratic(1)
    rule, recipe = SGD(), Recipe(accumulate=accumulate)
    others = {"batch_size": batch_size, "seed": 5, "recipe": recipe, "engine": "reference", "n_threads": 2}
    found = range_test(objective, theta, optimizer=rule, low=1e-2, high=1.0, steps=25, **others)
    assert (found.rates.tolist(), found.losses.tolist(), found.smoothed.tolist()) == ([0.1, 0.2], [3, 2], [2.5, 2.5])
    assert told.pop("objective") is objective
    assert told.pop("theta") is theta
    assert told.pop("optimizer") is rule
    watch, schedule = told.pop("on_steps"), told.pop("schedule")
    assert (watch.steps, watch.window) == (25, 1)
    assert schedule == Exponential(1e-2, 100 ** (1 / 24), unit="step")
    assert told == {**others, "epochs": epochs}


def watched(steps: int, window: int, *slices: list[float]) -> tuple[list[bool], list[float]]:
    """Return the answers of a watch to slices of losses, and the losses it kept."""
    watch = Watch(steps, window)
    answers = [watch([0.5] * len(losses), losses) for losses in slices]
    assert watch.rates == [0.5] * len(watch.losses)
    return answers, watch.losses


def test_when_enough_was_seen() -> None:
    assert watched(3, 1, [1.0, 1.0], [1.0]) == ([False, True], [1.0, 1.0, 1.0])
    assert watched(3, 1, [1.0] * 5) == ([True], [1.0] * 3)
    assert watched(3, 1, [1.0, np.nan]) == ([True], [1.0])
    assert watched(9, 1, [np.inf]) == ([True], [])


def test_each_loss_has_its_rate() -> None:
    with pytest.raises(ValueError, match="zip"):
        Watch(9, 1)([0.5], [1.0, 2.0])


def test_losses_that_are_whole_numbers_are_smoothed_too() -> None:
    assert smoothed([1, 2, 6, 4], 1).tolist() == [1.5, 3.0, 4.0, 5.0]


def test_when_the_loss_has_blown_up() -> None:
    """The mean over `window` steps before and the step itself, more than BLOWN_UP times the best such mean."""
    assert watched(9, 0, [1.0, 4.0, 4.1, 1.0]) == ([True], [1.0, 4.0, 4.1])
    assert watched(9, 1, [1.0, 7.0, 1.0]) == ([False], [1.0, 7.0, 1.0])
    assert watched(9, 1, [1.0, 7.1, 1.0]) == ([True], [1.0, 7.1])
    assert watched(9, 0, [-1.0, 2.0, 2.1, 0.0]) == ([True], [-1.0, 2.0, 2.1])
    assert watched(9, 2, [3.0, 3.0, 3.0, 29.9]) == ([False], [3.0, 3.0, 3.0, 29.9])
    assert watched(9, 2, [3.0, 3.0, 3.0, 30.1]) == ([True], [3.0, 3.0, 3.0, 30.1])


def test_an_infinite_loss_at_the_first_rate_is_the_trainings_error() -> None:
    with pytest.raises(DivergenceError, match=r"^training diverged at step 0 \(epoch 1\): the inputs hold"):
        range_test(Objective(Network(1, [Dense(1)]), SquaredError(), np.array([[np.inf]]), np.ones(1)), np.zeros(2))


def test_the_turn_of_the_loss() -> None:
    rates = np.array([0.1, 0.2, 0.4])
    for smooth, lowest, rose, suggestion in (
        ([3.0, 1.0, 2.0], 1, True, 0.02),
        ([1.0, 2.0, 3.0], 0, True, None),
        ([3.0, 2.0, 1.0], 2, False, 0.04),
    ):
        found = RangeTest(rates, rates, np.array(smooth))
        assert (found.lowest, found.rose, found.suggestion) == (lowest, rose, suggestion)


# ------------------------------------------------------------------------------------------------- estimators


@pytest.mark.parametrize("solver", [n for n, kind in OPTIMIZERS.items() if getattr(kind, "scheduled", False)])
def test_every_solver_of_the_estimators_that_follows_a_rate(solver: str) -> None:
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier((20,), solver=solver, batch_size=64, input_scale=1 / 16, random_state=0)
    found = model.range_test(X[:500], y[:500], high=1000)
    assert found.suggestion is not None
    assert found.smoothed.min() < 0.9 * found.smoothed[0]


@pytest.mark.filterwarnings("ignore::chainrule.TrainingAdvice")  # a few epochs suffice here
def test_an_estimator_tests_what_it_would_fit() -> None:
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier((12,), batch_size=50, alpha=0.5, random_state=7, input_scale=1 / 16, l1=0.1)
    found = model.range_test(X[:300], y[:300], low=1e-5, high=1.0, steps=60)
    fitted = model.set_params(max_iter=9, n_iter_no_change=1, tol=1e9).fit(X[:300], y[:300])
    objective = Objective(
        fitted.network_, CrossEntropy(), X[:300] / 16, y[:300], None, loss_settings.penalties(model.get_params())
    )
    start = fitted.network_.initialize(7)
    wanted = range_test(objective, start, low=1e-5, high=1.0, steps=60, batch_size=50, seed=7)
    assert found.losses == pytest.approx(wanted.losses, rel=1e-9)


@pytest.mark.filterwarnings("ignore::chainrule.TrainingAdvice")  # a few epochs suffice here
def test_an_estimator_is_not_changed() -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = MLPRegressor(hidden_layer_sizes=(4,), random_state=0, warm_start=True, tol=1.0).fit(X, X[:, 0])
    theta, attributes = model.theta_.copy(), set(vars(model))
    assert model.range_test(X[:, :2], 100 * X[:, 1], sample_weight=np.ones(60)).suggestion is not None
    assert set(vars(model)) == attributes
    assert model.theta_.tobytes() == theta.tobytes()
    assert model.n_features_in_ == 3


def test_an_estimator_names_what_cannot_be_tested() -> None:
    X, y = np.zeros((20, 2)), np.arange(20) % 2
    for solver in ("lbfgs", "rprop", Rprop()):
        with pytest.raises(ValueError, match="follows a learning rate"):
            MLPClassifier(solver=solver).range_test(X, y)
    with pytest.raises(ValueError, match="alpha must be a number at least 0"):
        MLPClassifier(alpha=-1).range_test(X, y)
