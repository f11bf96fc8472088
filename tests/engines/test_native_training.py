"""Whole trainings and predictions on the native engine, through the public surface, against the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Activation, Dense, DivergenceError, Network, Objective, Stopping, engines, train
from chainrule.engines.native import core as native
from chainrule.losses import CrossEntropy, Loss, Poisson, SigmoidCrossEntropy, SquaredError
from chainrule.optimizers import OPTIMIZERS, SGD
from chainrule.schedules import Constant, Exponential
from support.naive_loops import RULES
from support.native_cases import (
    DTYPES,
    LATER,
    ONCE,
    both_dtypes,
    draw_data,
    draw_theta,
    networks,
    trainable,
)
from support.oracles import relative_error
from support.strategies import (
    ALL_LOSSES,
    SEEDS,
)

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)


@given(st.sampled_from([None, *ALL_LOSSES]), DTYPES, st.sampled_from([0, 1, 2, 63, 64, 65, 129, 700]), SEEDS, st.data())
@settings(max_examples=120)
def test_predictions(loss: Loss | None, dtype: str, rows: int, seed: int, data: st.DataObject) -> None:
    network = data.draw(networks())
    rng = np.random.default_rng(seed)
    theta = draw_theta(network, rng)
    X, _ = draw_data(network, SquaredError(), theta, rng, rows, False)
    X, theta = X.astype(dtype), theta.astype(dtype)
    scores = network.forward(theta, X)
    wanted = scores if loss is None else loss.predict(scores)
    got = engines.predict("native", network, theta, X, loss)
    assert got.dtype == wanted.dtype
    assert relative_error(got, wanted) <= ONCE[dtype]


@pytest.mark.parametrize("loss", [CrossEntropy(), SigmoidCrossEntropy(), Poisson()], ids=repr)
@both_dtypes
def test_predictions_of_scores_of_any_size(loss: Loss, dtype: str) -> None:
    network = Network(1, [Dense(5)])
    theta = np.array([1, -1, 0.5, 2, -3, 0, 0, 0, 0, 0], dtype)
    X = np.array([0, 1e-30, 1, -1, 20, -20, 30, -30, 85, 100, -100, 1e4, -1e4], dtype)[:, None]
    with np.errstate(over="ignore"):
        wanted = loss.predict(network.forward(theta, X))
    got = engines.predict("native", network, theta, X, loss)
    np.testing.assert_allclose(got, wanted, rtol=ONCE[dtype], atol=1e-37)


def test_a_network_predicts_with_whatever_theta_it_is_given() -> None:
    network, rng = Network(3, [Dense(4), Activation("tanh"), Dense(2)]), np.random.default_rng(0)
    X = rng.normal(size=(7, 3))
    for dtype in ("float64", "float32", "float64"):
        for seed in range(3):
            theta = network.initialize(seed, dtype)
            got = engines.predict("auto", network, theta, X.astype(dtype))
            assert relative_error(got, network.forward(theta, X.astype(dtype))) <= ONCE[dtype]


def test_what_cannot_be_predicted_natively_is_predicted_by_the_definitions() -> None:
    network = Network(3, [Dense(4), Activation("tanh"), Dense(2)])
    X, theta = np.random.default_rng(0).normal(size=(7, 3)), network.initialize(0)
    got = engines.predict("auto", network, theta, X.astype("float32"))
    np.testing.assert_array_equal(got, network.forward(theta, X.astype("float32")))
    odd = Network(3, [Activation("tanh"), Dense(2)])
    theta = odd.initialize(0)
    np.testing.assert_array_equal(engines.predict("native", odd, theta, X), odd.forward(theta, X))


@pytest.mark.parametrize("name", RULES)
@both_dtypes
def test_training_through_the_public_surface(name: str, dtype: str) -> None:
    case = trainable(CrossEntropy(), dtype)
    held = trainable(CrossEntropy(), dtype, 61, penalties=()).objective
    rate = 0.3 if name == "adadelta" else 0.003
    results = [
        train(
            case.objective,
            case.theta,
            optimizer=OPTIMIZERS[name](),
            schedule=Exponential(rate, 0.97),
            epochs=5,
            batch_size=16,
            seed=3,
            validation=held,
            stopping=Stopping(monitor="validation_loss", keep_best=True),
            engine=engine,
        )
        for engine in ("reference", "native")
    ]
    wanted, got = results
    assert got.theta.dtype == dtype
    assert relative_error(got.theta, wanted.theta) <= LATER[dtype]
    for of in ("loss", "validation_loss", "learning_rate", "gradient_norm"):
        numbers = [[getattr(event, of) for event in result.history] for result in results]
        assert relative_error(numbers[1], numbers[0]) <= LATER[dtype]
    assert [event.step for event in got.history] == [event.step for event in wanted.history]
    assert (got.reason, got.state.best_epoch) == (wanted.reason, wanted.state.best_epoch)


@pytest.mark.parametrize("order", ["reshuffle", "once", "given"])
@pytest.mark.parametrize("batch", [None, 1, 7, 150, 1000])
def test_every_way_through_the_rows(order: Any, batch: int | None) -> None:
    case = trainable(SigmoidCrossEntropy(), "float64", weighted=False)
    thetas = [
        train(
            case.objective, case.theta, optimizer=SGD(0.01), order=order, batch_size=batch, epochs=3, engine=engine
        ).theta
        for engine in ("reference", "native")
    ]
    assert relative_error(thetas[1], thetas[0]) <= LATER["float64"]


def test_both_engines_diverge_at_the_same_step() -> None:
    X, y = np.linspace(-2, 2, 12)[:, None], np.linspace(-1, 3, 12)
    objective, caught = Objective(Network(1, [Dense(1)]), SquaredError(), X, y), []
    for engine in ("reference", "native"):
        with pytest.raises(DivergenceError) as error:
            train(
                objective,
                np.zeros(2),
                optimizer=SGD(),
                schedule=Constant(30.0),
                batch_size=4,
                epochs=999,
                engine=engine,
            )
        caught.append(error.value)
    assert str(caught[0]) == str(caught[1])
    assert caught[0].state.step == caught[1].state.step
