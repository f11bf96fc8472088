"""What the notes say of small networks: a layer fewer, or weights that start equal, and the training must fail."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest

from chainrule import Activation, Dense, Network, Objective, train, training
from chainrule.losses import Perceptron, SigmoidCrossEntropy
from chainrule.optimizers import LBFGS, SGD, Adam
from chainrule.schedules import Constant
from support.naive_loops import Recording
from support.problems import xor

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
AND, OR, XOR = np.array([-1.0, -1, -1, 1]), np.array([-1.0, 1, 1, 1]), np.array([-1.0, 1, 1, -1])


def right(network: Network, theta: Any, y: Any) -> int:
    """Return how many of the four rows are on their right side; a score of 0 is on none."""
    return int(np.sum(network.forward(theta, X)[:, 0] * y > 0))


def test_xor_needs_a_hidden_layer() -> None:
    line = Network(2, [Dense(1)])
    convex = Objective(line, SigmoidCrossEntropy(), X, (XOR + 1) / 2)
    for seed in range(5):
        start = 3 * line.initialize(seed) + 1
        result = train(convex, start, optimizer=LBFGS(tolerance=1e-9), epochs=200)
        assert convex.value(result.theta) == pytest.approx(log(2), rel=1e-12)
        assert np.abs(result.theta).max() <= 1e-6
    hidden = xor()
    theta = train(hidden.objective, hidden.start, optimizer=LBFGS(), epochs=200).theta
    assert hidden.objective.value(theta) <= 1e-3
    assert right(hidden.objective.network, theta, XOR) == 4


def rosenblatt(order: list[int], y: Any) -> Any:
    """Rosenblatt 1958 from zero weights: add t x to the weights for every row that is not on its right side."""
    w = np.zeros(3)
    for i in order:
        x = np.array([*X[i], 1.0])
        if y[i] * (w @ x) <= 0:
            w = w + y[i] * x
    return w


def perceptron(y: Any, epochs: int) -> tuple[list[int], Any, list[int]]:
    """Return the right rows after each epoch of online training from zeros, the last θ, and the rows' order."""
    network = Network(2, [Dense(1, initializer="zeros")])
    objective = Recording(network, Perceptron(), X, y)
    objective.seen, counts = [], []
    settings = {"optimizer": SGD(), "schedule": Constant(1.0), "batch_size": 1, "epochs": epochs}
    for event in training(objective, network.initialize(0), **settings):
        counts.append(right(network, event.theta, y))
        theta = event.theta.copy()
    return counts, theta, [row for (row,) in objective.seen]


@pytest.mark.parametrize("y", [AND, OR], ids=["and", "or"])
def test_the_perceptron_criterion_learns_and_and_or_from_zeros(y: Any) -> None:
    counts, theta, order = perceptron(y, 20)
    np.testing.assert_array_equal(theta, rosenblatt(order, y))
    learned = counts.index(4)
    assert 1 <= learned <= 12
    assert counts[learned:] == [4] * (20 - learned)


def test_the_perceptron_criterion_never_learns_xor() -> None:
    counts, theta, order = perceptron(XOR, 200)
    np.testing.assert_array_equal(theta, rosenblatt(order, XOR))
    assert max(counts) <= 3


LEAST_OF_ONE_UNIT = 0.75 * (log(3) - 2 / 3 * log(2))
"""The infimum of XOR's loss for a function that rises along one direction: one row is right, three share 2 to 1."""


def start(initializer: Any, seed: int = 0) -> tuple[Objective, Any]:
    """Return XOR for 2-4-1 sigmoid units with weights from `initializer`, and the start."""
    blocks = [Dense(4, initializer), Activation("sigmoid"), Dense(1, initializer)]
    network = Network(2, blocks)
    return Objective(network, SigmoidCrossEntropy(), X, (XOR + 1) / 2), network.initialize(seed)


@pytest.mark.parametrize("initializer", ["zeros", "ones", 0.3])
@pytest.mark.parametrize("optimizer", [SGD(0.5), Adam(0.1)])
def test_hidden_units_that_start_equal_stay_equal_and_cannot_learn_xor(initializer: Any, optimizer: Any) -> None:
    objective, theta = start(initializer)
    trained = train(objective, theta, optimizer=optimizer, epochs=300, batch_size=3).theta
    views = objective.network.views(trained)
    for name, units in (("0.W", views["0.W"]), ("0.b", views["0.b"][None]), ("2.W", views["2.W"].T)):
        assert np.ptp(units, axis=1).max() <= 1e-12 * max(1, np.abs(units).max()), name
    assert np.abs(trained - theta).max() > 0.05
    assert objective.value(trained) > LEAST_OF_ONE_UNIT
    assert right(objective.network, trained, XOR) <= 3


def test_the_best_of_a_few_random_starts_learns_xor() -> None:
    losses = []
    for seed in range(4):
        objective, theta = start("xavier_uniform", seed)
        trained = train(objective, theta, optimizer=Adam(0.1), epochs=300, batch_size=3).theta
        assert np.ptp(objective.network.views(trained)["0.W"], axis=1).max() > 1
        losses.append(objective.value(trained))
    assert min(losses) <= 0.05
