"""Mixup: the law of the share, and what is mixed with what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from chainrule.foundation.randomness import Stream
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.steps.augmentation.mixup import mix, mixup_share

shares = st.floats(0, 1)
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1, 2, 30])
def test_shares_follow_the_beta_law(alpha: float) -> None:
    drawn = np.array([mixup_share(alpha, 0, step) for step in range(5000)])
    law = scipy.stats.beta(alpha, alpha)
    assert scipy.stats.kstest(drawn, law.cdf).pvalue > 1e-3
    assert abs(drawn.mean() - 0.5) <= 5 * law.std() / len(drawn) ** 0.5


def gamma_number(alpha: float, stream: Stream) -> float:
    """Return a Gamma(α) number as Marsaglia and Tsang draw one, for an α + 1 that is above 1, times U^(1/α)."""
    d = alpha + 2 / 3
    while True:
        z, u = stream.normal(1)[0], 1 - stream.uniform(1)[0]
        v = (1 + z / np.sqrt(9 * d)) ** 3
        if v > 0 and np.log(u) < z * z / 2 + d - d * v + d * np.log(v):
            return float(d * v * (1 - stream.uniform(1)[0]) ** (1 / alpha))


@pytest.mark.parametrize("alpha", [0.2, 1, 30])
def test_a_share_is_that_of_two_gamma_numbers(alpha: float) -> None:
    for step in range(100):
        stream = Stream(5, "mixup", step)
        first, second = gamma_number(alpha, stream), gamma_number(alpha, stream)
        assert mixup_share(alpha, 5, step) == pytest.approx(first / (first + second), rel=1e-11, abs=1e-15)


@given(st.floats(1e-300, 1e300), seeds, st.integers(0, 2**40))
def test_shares_of_any_alpha_are_shares_and_come_again(alpha: float, seed: int, step: int) -> None:
    share = mixup_share(alpha, seed, step)
    assert 0 <= share <= 1
    assert mixup_share(alpha, seed, step) == share


def test_shares_differ_by_seed_and_step() -> None:
    assert len({mixup_share(0.4, seed, step) for seed in range(5) for step in range(5)}) == 25


@pytest.mark.parametrize("alpha", [0, -1, np.inf, np.nan])
def test_an_alpha_that_is_no_strength_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="mixup alpha must be a positive finite number, got"):
        mixup_share(alpha, 0, 0)


@given(shares, st.integers(1, 6), seeds, st.sampled_from(["float32", "float64"]))
def test_each_row_is_mixed_with_the_next(share: float, n: int, seed: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, 3)).astype(dtype), rng.normal(size=(n, 2)).astype(dtype)
    mixed_X, mixed_y = mix(X, y, share)
    assert (mixed_X.dtype, mixed_y.dtype) == (X.dtype, y.dtype)
    for r in range(n):
        for mixed, rows in ((mixed_X, X), (mixed_y, y)):
            wanted = share * rows[r].astype(float) + (1 - share) * rows[(r + 1) % n].astype(float)
            np.testing.assert_allclose(mixed[r], wanted, rtol=0, atol=8 * np.finfo(dtype).eps)


def test_a_share_of_one_changes_nothing() -> None:
    X, y = np.eye(3), np.array([1.0, 2.0, 3.0])
    for mixed, given_rows in zip(mix(X, y, 1.0), (X, y), strict=True):
        np.testing.assert_array_equal(mixed, given_rows)


@given(shares, seeds)
def test_class_numbers_become_shares_of_the_two_classes(share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, classes = rng.normal(size=(5, 2)), rng.integers(0, 4, 5)
    targets = mix(X, classes, share, classes=4)[1]
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-15)
    np.testing.assert_allclose(targets, share * np.eye(4)[classes] + (1 - share) * np.eye(4)[np.roll(classes, -1)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shares_of_classes_are_of_the_inputs_precision(dtype: str) -> None:
    X, targets = mix(np.eye(2, dtype=dtype), np.array([1, 0]), 0.75, classes=2)
    np.testing.assert_array_equal(X, np.array([[0.75, 0.25], [0.25, 0.75]], dtype), strict=True)
    np.testing.assert_array_equal(targets, X[::-1], strict=True)


@given(shares, seeds)
def test_cross_entropy_of_mixed_targets_is_the_mixed_cross_entropy(share: float, seed: int) -> None:
    """The paper's own form: λ L(f(x̃), y) + (1 - λ) L(f(x̃), y')."""
    rng = np.random.default_rng(seed)
    scores, classes = rng.normal(size=(5, 3)), rng.integers(0, 3, 5)
    loss, targets = CrossEntropy(), mix(scores, classes, share, classes=3)[1]
    two = share * loss.value(scores, classes) + (1 - share) * loss.value(scores, np.roll(classes, -1))
    assert loss.value(scores, targets) == pytest.approx(float(two), rel=1e-12)


def test_a_linear_target_stays_linear() -> None:
    X = np.random.default_rng(0).normal(size=(7, 3))
    mixed_X, mixed_y = mix(X, X @ np.ones((3, 1)), 0.3)
    assert SquaredError().value(mixed_X @ np.ones((3, 1)), mixed_y) < 1e-28
