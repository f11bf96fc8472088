"""Divergence: the step, a likely cause that fits, and the last good weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Dense, DivergenceError, Network, Objective, TrainingState, train
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.optimizers import LBFGS, SGD, Adam
from chainrule.schedules import Constant


def line(X: Any, y: Any) -> Objective:
    """Return squared error of a straight line on the points (X, y)."""
    return Objective(
        Network(1, [Dense(1)]), SquaredError(), np.reshape(np.asarray(X, float), (-1, 1)), np.asarray(y, float)
    )


X, Y = np.linspace(-2, 2, 12), np.linspace(-1, 3, 12)


def first_bad_step(objective: Objective, rate: float, batch_size: int) -> int:
    """Return the number of gradient steps after which the loss of the next batch is not finite."""
    theta, step = np.zeros(2), 0
    with np.errstate(all="ignore"):
        while True:
            k = step * batch_size % objective.rows
            loss, gradient = objective.batch(slice(k, k + batch_size)).value_and_gradient(theta)
            if not np.isfinite(loss):
                return step
            theta, step = theta - rate * gradient, step + 1


@pytest.mark.parametrize("batch_size", [1, 4, 12])
def test_the_step_the_epoch_and_the_last_good_weights(batch_size: int) -> None:
    objective, thetas = line(X, Y), [np.zeros(2)]
    step = first_bad_step(objective, 30.0, batch_size)
    epoch = step // (12 // batch_size)
    with pytest.raises(DivergenceError) as caught:
        train(
            objective,
            np.zeros(2),
            optimizer=SGD(30.0),
            batch_size=batch_size,
            order="given",
            epochs=10**4,
            callbacks=[lambda event: thetas.append(event.theta.copy())],
        )
    error = caught.value
    assert str(error).startswith(
        f"training diverged at step {step} (epoch {epoch + 1}): the learning rate 30 is too high"
    )
    assert (error.step, error.epoch, error.state.step, error.state.epoch) == (step, epoch, step, epoch)
    assert len(thetas) == epoch + 1
    assert error.theta.tobytes() == thetas[-1].tobytes() == error.state.theta.tobytes()
    assert np.isfinite(error.theta).all()


def test_an_update_that_overflows_at_the_end_of_an_epoch_is_caught() -> None:
    with pytest.raises(DivergenceError, match=r"diverged at step 1 \(epoch 1\)") as caught:
        train(line(X, Y), np.full(2, 10.0), optimizer=SGD(1.7e308))
    np.testing.assert_array_equal(caught.value.theta, np.full(2, 10.0))


def test_it_is_a_value_error_with_the_state_that_was_given() -> None:
    state = TrainingState(np.zeros(2))
    with pytest.raises(ValueError, match="diverged") as caught:
        train(line(X, Y), np.zeros(2), optimizer=SGD(1e6), epochs=10**4, state=state)
    assert caught.value.state is state


RATE = "the learning rate 1e+04 is too high for this network; try 0.001"
STANDARDISE = "standardise them (mean 0, deviation 1)"
REMEDY = 'input_transform="standard" or StandardScaler'
INPUTS = f"the inputs reach 1.2e+03 (column 0, deviation 753); {STANDARDISE}: {REMEDY}"
TARGETS = f"the targets reach 3e+03 (column 0, deviation 1.26e+03); {STANDARDISE}: scale_target=True"


@pytest.mark.parametrize(
    ("objective", "cause"),
    [
        (line(X, Y), RATE),
        (line(X * 600, Y), INPUTS),
        (line(-X * 600, Y), INPUTS),
        (line(X, Y * 1000), TARGETS),
        (line(X, -Y * 1000), TARGETS),
        (line(X * 600, Y * 1000), INPUTS),
    ],
)
def test_the_likely_cause(objective: Objective, cause: str) -> None:
    with pytest.raises(DivergenceError) as caught:
        train(objective, np.zeros(2), optimizer=SGD(), schedule=Constant(1e4), epochs=10**4)
    assert caught.value.cause == cause


def test_class_numbers_are_no_large_targets() -> None:
    rng = np.random.default_rng(0)
    objective = Objective(Network(2, [Dense(150)]), CrossEntropy(), rng.normal(size=(300, 2)), np.arange(300) % 150)
    with pytest.raises(DivergenceError, match="the learning rate"):
        train(objective, np.zeros(450), optimizer=SGD(1e308), epochs=10**4)


@pytest.mark.parametrize("optimizer", [Adam(), LBFGS()])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", ["inputs", "targets"])
def test_what_is_not_finite_from_the_start_is_named(place: str, bad: float, optimizer: Any) -> None:
    spoiled = np.where(np.arange(12) == 5, bad, 1.0)
    objective = line(spoiled, Y) if place == "inputs" else line(X, spoiled)
    with pytest.raises(DivergenceError, match=f"the {place}") as caught:
        train(objective, np.zeros(2), optimizer=optimizer)
    assert caught.value.step == 0
    np.testing.assert_array_equal(caught.value.theta, np.zeros(2))
