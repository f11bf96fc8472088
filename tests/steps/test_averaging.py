"""Averages of θ against their definitions, in the loop and in the estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.preprocessing import scale

import chainrule as cr
from chainrule import (
    Averaging,
    MLPClassifier,
    MLPRegressor,
    MovingAverage,
    Progress,
    Stopping,
    TrainingState,
    train,
    training,
)
from chainrule.optimizers import LBFGS, OPTIMIZERS, SGD, AdamW, Momentum, UpdateRule
from chainrule.steps.averaging import AVERAGES
from support.naive_loops import classification

RULES = {name: kind for name, kind in OPTIMIZERS.items() if issubclass(kind, UpdateRule)}
BATCHES: dict[str, Any] = {"batch_size": 7, "seed": 4}


def thetas(**settings: Any) -> tuple[list[np.ndarray], Any]:
    """Return θ at the end of each epoch of a training, and its result."""
    objective, start = classification(30)
    seen: list[np.ndarray] = []
    callbacks = [lambda event: seen.append(event.theta.copy())]
    return seen, train(objective, start, **BATCHES, callbacks=callbacks, **settings)


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize(("start", "first"), [(0, 1), (0.5, 4), (0.75, 6), (0.8, 7), (1, 8)])
def test_swa_is_the_mean_of_the_last_epochs(start: float, first: int, engine: str) -> None:
    seen, result = thetas(epochs=8, averaging=Averaging(start), engine=engine)
    np.testing.assert_allclose(result.theta, np.mean(seen[first - 1 :], axis=0), rtol=1e-12, atol=1e-15)
    assert result.state.averaged == 9 - first
    np.testing.assert_array_equal(result.state.theta, seen[-1])


@pytest.mark.parametrize("averaging", [Averaging(0), MovingAverage(0.9)])
def test_the_training_itself_does_not_notice(averaging: Any) -> None:
    plain, _ = thetas(epochs=3, engine="reference")
    averaged, _ = thetas(epochs=3, engine="reference", averaging=averaging)
    assert [t.tobytes() for t in plain] == [t.tobytes() for t in averaged]


@pytest.mark.parametrize("name", list(RULES))
def test_ema_follows_every_step(name: str) -> None:
    objective, start = classification(30)
    decay, steps, mean = 0.8, 13, np.zeros_like(start)
    every = {"optimizer": RULES[name](), "order": "given", "batch_size": 30, "epochs": steps}
    result = train(objective, start, **every, averaging=MovingAverage(decay))

    def follow(event: Progress) -> None:
        mean[:] += max(1 - decay, 1 / event.step) * (event.theta - mean)

    train(objective, start, **every, callbacks=[follow])
    np.testing.assert_allclose(result.theta, mean, rtol=1e-12, atol=1e-15)
    assert not np.allclose(result.theta, result.state.theta, rtol=1e-9)


def test_ema_without_memory_is_the_last_theta() -> None:
    seen, result = thetas(epochs=3, averaging=MovingAverage(0.0))
    np.testing.assert_allclose(result.theta, seen[-1], rtol=1e-14)


@pytest.mark.parametrize("averaging", [Averaging(0.5), MovingAverage(0.9)])
def test_validation_sees_the_average(averaging: Any) -> None:
    objective, start = classification(30)
    judged: list[np.ndarray] = []

    def score(theta: np.ndarray) -> float:
        judged.append(theta.copy())
        return -float(objective.value(theta))

    settings = {"epochs": 6, "validation": objective, "score": score, "averaging": averaging}
    result = train(objective, start, **BATCHES, **settings)
    losses = [event.validation_loss for event in result.history]
    assert losses == pytest.approx([float(objective.value(theta)) for theta in judged], rel=1e-12)
    np.testing.assert_array_equal(result.theta, judged[-1])


@pytest.mark.parametrize("averaging", [Averaging(0), MovingAverage(0.9)])
def test_the_best_average_is_kept(averaging: Any) -> None:
    objective, start = classification(30)
    judged: list[np.ndarray] = []
    scores = iter([0.1, 0.9, 0.3, 0.2])

    def score(theta: np.ndarray) -> float:
        judged.append(theta.copy())
        return next(scores)

    stopping = Stopping("validation_score", keep_best=True)
    result = train(objective, start, epochs=4, score=score, stopping=stopping, averaging=averaging, **BATCHES)
    np.testing.assert_array_equal(result.theta, judged[1])


@pytest.mark.parametrize("averaging", [Averaging(0), MovingAverage(0.9)])
@pytest.mark.parametrize("rule", [Momentum(0.05), AdamW()])
def test_a_training_that_goes_on_from_its_state_averages_on(averaging: Any, rule: Any) -> None:
    objective, start = classification(30)
    settings = {**BATCHES, "averaging": averaging, "optimizer": rule}
    whole = train(objective, start, epochs=6, **settings)
    state = TrainingState(start.copy())
    for _ in range(3):
        result = train(objective, start, epochs=2, state=state, **settings)
    np.testing.assert_array_equal(result.theta, whole.theta)


def test_a_moving_average_is_forgotten_by_a_training_without() -> None:
    objective, start = classification(30)
    state = TrainingState(start.copy())
    train(objective, start, epochs=2, state=state, averaging=MovingAverage(), **BATCHES)
    result = train(objective, start, epochs=2, state=state, **BATCHES)
    np.testing.assert_allclose(result.theta, train(objective, start, epochs=4, **BATCHES).theta, rtol=1e-12, atol=1e-15)
    assert state.average is None


def test_a_training_that_stops_before_the_average_begins_gives_theta() -> None:
    seen, result = thetas(epochs=8, averaging=Averaging(0.75), stopping=Stopping(min_change=1e9, patience=2))
    assert len(seen) < 6
    np.testing.assert_array_equal(result.theta, seen[-1])


@pytest.mark.parametrize("averaging", [Averaging(), MovingAverage()])
def test_without_an_average_theta_counts(averaging: Any) -> None:
    state = TrainingState(np.array([1.0, 2.0]))
    assert averaging.read(state) is state.theta


def test_averages_settle_what_noisy_steps_shake() -> None:
    rng = np.random.default_rng(0)
    X, network = rng.normal(size=(400, 3)), cr.Network(3, [cr.Dense(1)])
    objective = cr.Objective(network, cr.losses.SquaredError(), X, X @ [1.0, -2.0, 0.5] + rng.normal(size=400))
    best = objective.value(train(objective, np.zeros(4), optimizer=LBFGS()).theta)
    settings = {"optimizer": SGD(0.2), "batch_size": 4, "epochs": 20}
    above = {
        averaging: objective.value(train(objective, np.zeros(4), **settings, averaging=averaging).theta) - best
        for averaging in (None, Averaging(0.5), MovingAverage(0.99))
    }
    assert above[Averaging(0.5)] < above[None] / 5
    assert above[MovingAverage(0.99)] < above[None] / 5


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Averaging(1.5), r"Averaging start must be a number from 0 to 1, got 1\.5"),
        (lambda: MovingAverage(1.0), r"MovingAverage decay must be a number of at least 0 and below 1, got 1\.0"),
        (lambda: thetas(epochs=1, averaging="swa"), r"averaging must be such as Averaging\(start=0.75\), or None"),
        (
            lambda: thetas(epochs=1, averaging=Averaging(), optimizer=LBFGS()),
            "averaging needs an optimiser that takes mini-batches; LBFGS takes all rows in every step",
        ),
        (
            lambda: MLPClassifier(**SHORT, l1=1.0, l1_proximal=True, averaging="ema").fit(*IRIS),
            r"a moving average \(ema\) of weights that a proximal L1 penalty makes 0 .* is never 0; average over",
        ),
    ],
)
def test_what_cannot_be_averaged_is_named(make: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        make()


IRIS = load_iris(return_X_y=True)
SHORT: dict[str, Any] = {
    "hidden_layer_sizes": (6,),
    "random_state": 0,
    "max_iter": 8,
    "tol": 0,
    "n_iter_no_change": np.inf,
}
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@quiet
def test_the_estimators_settings() -> None:
    seen: list[np.ndarray] = []
    watch = {"callbacks": [lambda event: seen.append(event.theta.copy())]}
    model = MLPClassifier(**SHORT, averaging="swa", averaging_start=0.5, **watch).fit(*IRIS)
    np.testing.assert_allclose(model.theta_, np.mean(seen[3:], axis=0), rtol=1e-4, atol=1e-7)
    assert np.shares_memory(model.theta_, model.coefs_[0])
    ema = MLPClassifier(**SHORT, averaging="ema", average_decay=0.5).fit(*IRIS).theta_
    plain = MLPClassifier(**SHORT).fit(*IRIS).theta_
    assert 0 < np.linalg.norm(ema - plain) < np.linalg.norm(ema - model.theta_)


@quiet
@pytest.mark.parametrize("averaging", ["swa", "ema"])
def test_early_stopping_scores_the_average(averaging: str) -> None:
    model = MLPClassifier(**SHORT, averaging=averaging, averaging_start=0, early_stopping=True)
    model.fit(*IRIS, X_val=IRIS[0], y_val=IRIS[1])
    assert model.score(*IRIS) == model.best_validation_score_


@quiet
@pytest.mark.parametrize("averaging", ["swa", "ema"])
def test_a_warm_start_begins_a_new_average(averaging: str) -> None:
    model = MLPClassifier(**SHORT, averaging=averaging, averaging_start=0, warm_start=True).fit(*IRIS)
    seen = [model.theta_.copy()]
    model.set_params(max_iter=1, batch_size=150, callbacks=[lambda event: seen.append(event.theta.copy())]).fit(*IRIS)
    np.testing.assert_allclose(model.theta_, seen[1], atol=1e-6)


@quiet
def test_the_mean_over_epochs_keeps_the_zeros_of_a_proximal_step() -> None:
    seen: list[np.ndarray] = []
    settings = {**SHORT, "max_iter": 100, "learning_rate_init": 0.01, "l1": 30.0, "l1_proximal": True}
    callbacks = [lambda event: seen.append(event.theta.copy())]
    model = MLPClassifier(**settings, averaging="swa", callbacks=callbacks).fit(*IRIS)
    zeros = np.all(np.array(seen[74:]) == 0, axis=0)
    assert zeros.any()
    np.testing.assert_array_equal(model.theta_ == 0, zeros)


class ThreeGoodEpochs:
    """A schedule that sweeps the weights away from the fourth epoch on."""

    def __call__(self, moment: Any) -> float:
        return 0.1 if moment.epoch < 3 else 1e300

    def exhausted(self, moment: Any) -> bool:
        return True


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("averaging", [Averaging(0), Averaging(1), MovingAverage(0.9)])
def test_a_divergence_returns_the_last_good_average(averaging: Any, engine: str) -> None:
    objective, start = classification(30)
    settings = {**BATCHES, "engine": engine, "averaging": averaging, "optimizer": SGD(0.1)}
    with pytest.raises(cr.DivergenceError) as caught:
        train(objective, start, **settings, schedule=ThreeGoodEpochs(), epochs=9)
    good = train(objective, start, **settings, epochs=9, callbacks=[lambda event: event.epoch == 3])
    assert caught.value.history[-1].epoch == 3
    np.testing.assert_array_equal(caught.value.theta, good.theta)
    np.testing.assert_array_equal(caught.value.state.theta, good.state.theta)


@quiet
def test_lbfgs_has_no_noise_to_average_and_partial_fit_no_end() -> None:
    with pytest.raises(ValueError, match="averaging needs an optimiser that takes mini-batches; LBFGS takes all rows"):
        MLPClassifier(**SHORT, solver="lbfgs", averaging="swa").fit(*IRIS)
    with pytest.raises(ValueError, match="partial_fit does not support averaging='ema'"):
        MLPRegressor(averaging="ema").partial_fit(*IRIS)


def test_averaged_models_predict_as_well() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    settings = {"hidden_layer_sizes": (30,), "random_state": 0, "learning_rate_init": 0.01}
    models = {a: MLPClassifier(**settings, averaging=a).fit(X[::2], y[::2]) for a in (None, *AVERAGES)}
    scores = {a: model.score(X[1::2], y[1::2]) for a, model in models.items()}
    assert all(score > scores[None] - 0.01 for score in scores.values()), scores


def test_events_carry_theta_itself() -> None:
    objective, start = classification(30)
    events = training(objective, start, averaging=MovingAverage(0.99), epochs=2, **BATCHES)
    first = next(events).theta
    plain = next(training(objective, start, epochs=2, **BATCHES)).theta
    np.testing.assert_array_equal(first, plain)
    events.close()
