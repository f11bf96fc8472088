"""How the losses relate to each other, to SciPy and to their documented conventions and links."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from chainrule import losses
from support.oracles import DIFFERENCES, central_gradient, central_product, relative_error, worst_relative_error
from support.strategies import ALL_LOSSES, SEEDS, draw_target, plain_scores


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
    for outputs in (1, 2, 3, 5):  # the two agree for two outputs only
        scores, target, v = np.random.default_rng(outputs).normal(size=(3, 4, outputs))
        assert mean.value(scores, target) == pytest.approx(np.mean((scores - target) ** 2), rel=1e-14)
        assert half.value(scores, target) == pytest.approx(outputs / 2 * np.mean((scores - target) ** 2), rel=1e-14)
        np.testing.assert_allclose(mean.gradient(scores, target), 2 * (scores - target) / (4 * outputs), rtol=1e-14)
        np.testing.assert_allclose(mean.curvature(scores, target, v), 2 * v / (4 * outputs), rtol=1e-14)
        np.testing.assert_allclose(half.curvature(scores, target, v), v / 4, rtol=1e-14)
    with pytest.raises(ValueError, match="SquaredError convention must be one of half_sum, mean, got 'sum'"):
        losses.SquaredError("sum")


def test_links() -> None:
    scores = np.random.default_rng(10).normal(0, 4, (5, 3))
    for loss in ALL_LOSSES:
        match loss:
            case losses.CrossEntropy():
                link, wanted = "softmax", scipy.special.softmax(scores, axis=1)
            case losses.SigmoidCrossEntropy() | losses.Logistic():
                link, wanted = "sigmoid", 1 / (1 + np.exp(-scores))
            case losses.Poisson():
                link, wanted = "exp", np.exp(scores)
            case _:
                link, wanted = "identity", scores
        assert loss.link == link
        assert worst_relative_error(loss.predict(scores), wanted, 1e-30) <= 1e-14
        assert loss.probabilistic == isinstance(
            loss, losses.CrossEntropy | losses.SigmoidCrossEntropy | losses.Logistic
        )


SMOOTHED = [(losses.CrossEntropy, 3), (losses.SigmoidCrossEntropy, 1), (losses.SigmoidCrossEntropy, 3)]


@pytest.mark.parametrize(("kind", "outputs"), SMOOTHED)
@given(share=st.floats(0, 0.99), seed=SEEDS)
def test_smoothing_is_the_loss_of_smoothed_targets(kind: Any, outputs: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, v = rng.normal(size=(2, 5, outputs))
    target = draw_target(kind(), rng, 5, outputs)
    rows = np.eye(outputs)[target] if target.ndim == 1 else target
    smooth = (1 - share) * rows + share / (outputs if target.ndim == 1 else 2)
    smoothed, plain = kind(share), kind()
    assert smoothed.value(scores, target) == pytest.approx(float(plain.value(scores, smooth)), rel=1e-12)
    assert relative_error(smoothed.gradient(scores, target), plain.gradient(scores, smooth)) <= 1e-12
    assert relative_error(smoothed.curvature(scores, target, v), plain.curvature(scores, smooth, v)) <= 1e-12
    np.testing.assert_array_equal(smoothed.predict(scores), plain.predict(scores))
    assert smoothed.unsmoothed == plain


@pytest.mark.parametrize("kind", [losses.CrossEntropy, losses.SigmoidCrossEntropy])
def test_a_smoothing_that_is_no_share_is_refused(kind: Any) -> None:
    for wrong, error in ((1, ValueError), (-0.1, ValueError), ("0.1", TypeError)):
        with pytest.raises(error, match=f"{kind.__name__} label_smoothing must be a number of at least 0 and below 1"):
            kind(wrong)


def test_settings_of_the_losses_without_sense_are_refused() -> None:
    for delta in (0, -1.0):
        with pytest.raises(ValueError, match=f"^Huber delta must be a number above 0, got {delta}$"):
            losses.Huber(delta)
    for q in (0, 1, -0.5, 1.5):
        with pytest.raises(ValueError, match=f"^Quantile q must be a number above 0 and below 1, got {q}$"):
            losses.Quantile(q)
    assert (losses.Huber(1e-9).delta, losses.Quantile(0.999).q) == (1e-9, 0.999)


@pytest.mark.torch
@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("soft", [False, True])
def test_smoothed_cross_entropy_is_torchs(share: float, soft: bool) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    scores, target = rng.normal(0, 3, (8, 5)), draw_target(losses.CrossEntropy(), rng, 8, 5, soft)
    s = torch.tensor(scores, requires_grad=True)
    value = torch.nn.CrossEntropyLoss(label_smoothing=share)(s, torch.tensor(target))
    value.backward()
    loss = losses.CrossEntropy(share)
    assert worst_relative_error(loss.value(scores, target), value.item()) <= 1e-12
    assert relative_error(loss.gradient(scores, target), s.grad.numpy()) <= 1e-12
