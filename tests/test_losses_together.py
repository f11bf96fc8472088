"""How the losses relate to each other, to SciPy and to their documented conventions and links."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import scipy.stats

from chainrule import losses
from oracles import DIFFERENCES, central_gradient, central_product, relative_error, worst_relative_error
from strategies import ALL_LOSSES, plain_scores


def test_logistic_is_sigmoid_cross_entropy_on_signs() -> None:
    logistic, sigmoid = losses.Logistic(), losses.SigmoidCrossEntropy()
    scores, signs, v, _ = plain_scores(logistic, 5)
    target = (signs + 1) / 2
    assert worst_relative_error(logistic.value(scores, signs), sigmoid.value(scores, target)) <= 1e-14
    assert relative_error(logistic.gradient(scores, signs), sigmoid.gradient(scores, target)) <= 1e-14
    assert relative_error(logistic.curvature(scores, signs, v), sigmoid.curvature(scores, target, v)) <= 1e-14
    np.testing.assert_array_equal(logistic.predict(scores), sigmoid.predict(scores))


def test_two_class_softmax_is_sigmoid_cross_entropy_of_the_difference() -> None:
    scores, classes, _, _ = plain_scores(losses.CrossEntropy(), 6)
    scores, classes = scores[:, :2], classes % 2
    difference = scores[:, 1:] - scores[:, :1]
    two, one = losses.CrossEntropy(), losses.SigmoidCrossEntropy()
    assert worst_relative_error(two.value(scores, classes), one.value(difference, classes)) <= 1e-14
    assert relative_error(two.gradient(scores, classes)[:, 1:], one.gradient(difference, classes)) <= 1e-14


def test_gradient_of_cross_entropy_is_that_of_the_divergence() -> None:
    rng = np.random.default_rng(7)
    scores, target = rng.normal(size=(5, 4)), rng.dirichlet(np.ones(4), 5)
    divergence = central_gradient(lambda s: losses.kl_divergence(target, losses.softmax(s)).mean(), scores)
    assert relative_error(losses.CrossEntropy().gradient(scores, target), divergence) <= DIFFERENCES
    entropy = scipy.stats.entropy(target, axis=1).mean()
    wanted = losses.kl_divergence(target, losses.softmax(scores)).mean() + entropy
    assert worst_relative_error(losses.CrossEntropy().value(scores, target), wanted) <= 1e-14


def test_soft_targets_need_not_sum_to_one() -> None:
    rng = np.random.default_rng(8)
    scores, target, v = rng.normal(size=(3, 4)), rng.uniform(0, 2, (3, 4)), rng.normal(size=(3, 4))
    loss = losses.CrossEntropy()
    gradient = central_gradient(lambda s: loss.value(s, target), scores)
    assert relative_error(loss.gradient(scores, target), gradient) <= DIFFERENCES
    product = central_product(lambda s: loss.gradient(s, target), scores, v)
    assert relative_error(loss.curvature(scores, target, v), product) <= DIFFERENCES


def test_divergences_against_scipy() -> None:
    rng = np.random.default_rng(9)
    p, q = rng.dirichlet(np.ones(5), 8), rng.dirichlet(np.ones(5), 8)
    p[0] = [0, 0, 0.5, 0.25, 0.25]  # 0 log 0 = 0
    forward, backward = scipy.stats.entropy(p, q, axis=1), scipy.stats.entropy(q[1:], p[1:], axis=1)
    assert worst_relative_error(losses.kl_divergence(p, q), forward) <= 1e-13
    assert worst_relative_error(losses.jeffreys_divergence(p, q)[1:], forward[1:] + backward) <= 1e-13
    assert np.isposinf(losses.jeffreys_divergence(p, q)[0])  # q > 0 where p = 0
    np.testing.assert_array_equal(losses.kl_divergence(p, p), np.zeros(8))


def test_conventions_of_the_squared_error() -> None:
    scores, target = np.array([[1.0, 3.0], [0.0, 2.0]]), np.array([[0.0, 1.0], [0.0, -2.0]])
    half, mean = losses.SquaredError(), losses.SquaredError("mean")
    assert half == losses.SquaredError("half_sum")
    assert half.value(scores, target) == (0.5 * (1 + 4) + 0.5 * 16) / 2
    assert mean.value(scores, target) == np.mean((scores - target) ** 2)
    np.testing.assert_array_equal(half.gradient(scores, target), (scores - target) / 2)
    np.testing.assert_array_equal(mean.gradient(scores, target), 2 * (scores - target) / 4)
    with pytest.raises(ValueError, match="SquaredError convention 'sum' is not known; accepted: half_sum, mean"):
        losses.SquaredError("sum")


def test_links() -> None:
    scores = np.random.default_rng(10).normal(0, 4, (5, 3))
    for loss in ALL_LOSSES:
        match loss:
            case losses.CrossEntropy():
                wanted = scipy.special.softmax(scores, axis=1)
            case losses.SigmoidCrossEntropy() | losses.Logistic():
                wanted = 1 / (1 + np.exp(-scores))
            case losses.Poisson():
                wanted = np.exp(scores)
            case _:
                wanted = scores
        assert worst_relative_error(loss.predict(scores), wanted, 1e-30) <= 1e-14
        assert loss.probabilistic == isinstance(
            loss, losses.CrossEntropy | losses.SigmoidCrossEntropy | losses.Logistic
        )
