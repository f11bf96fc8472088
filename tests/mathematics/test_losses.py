"""Every row of the table of losses against central differences, JAX and formulas in eighty digits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import losses
from chainrule.losses import LOSSES, Loss
from support.oracles import (
    DIFFERENCES,
    DIGITS,
    JAX,
    central_gradient,
    central_product,
    jax_gradient,
    jax_product,
    relative_error,
    worst_relative_error,
)
from support.strategies import ALL_LOSSES, SEEDS, LossProblem, draw_target, loss_problems, plain_scores

RowFormula = Callable[[Sequence[Decimal], Sequence[Decimal]], Decimal]
LARGE = 1e4


def _cross_entropy(s: Sequence[Decimal], t: Sequence[Decimal]) -> Decimal:
    total = sum(z.exp() for z in s)
    return -sum(q * (z.exp() / total).ln() for z, q in zip(s, t, strict=True) if q)


def _sigmoid_cross_entropy(s: Decimal, t: Decimal) -> Decimal:
    return t * (1 + (-s).exp()).ln() + (1 - t) * (1 + s.exp()).ln()


def _huber(s: Decimal, t: Decimal) -> Decimal:
    r = abs(s - t)
    return r * r / 2 if r <= 1 else r - Decimal("0.5")


def _multiclass_hinge(s: Sequence[Decimal], t: Sequence[Decimal]) -> Decimal:
    right = s[list(t).index(Decimal(1))]
    return max(Decimal(0), *(1 + z - right for z, q in zip(s, t, strict=True) if not q))


def _summed(element: Callable[[Decimal, Decimal], Decimal]) -> RowFormula:
    return lambda s, t: sum(map(element, s, t), Decimal(0))


ROWS: dict[str, RowFormula] = {
    "squared_error": _summed(lambda s, t: (s - t) ** 2 / 2),
    "absolute_error": _summed(lambda s, t: abs(s - t)),
    "huber": _summed(_huber),
    "quantile": _summed(lambda s, t: abs(s - t) / 2),
    "poisson": _summed(lambda s, t: s.exp() - t * s + (t * t.ln() if t else 0) - t),
    "cross_entropy": _cross_entropy,
    "sigmoid_cross_entropy": _summed(_sigmoid_cross_entropy),
    "logistic": _summed(lambda s, t: (1 + (-t * s).exp()).ln()),
    "hinge": _summed(lambda s, t: max(Decimal(0), 1 - t * s)),
    "squared_hinge": _summed(lambda s, t: max(Decimal(0), 1 - t * s) ** 2),
    "multiclass_hinge": _multiclass_hinge,
    "squared_multiclass_hinge": lambda s, t: _multiclass_hinge(s, t) ** 2,
    "perceptron": _summed(lambda s, t: max(Decimal(0), -t * s)),
}
"""One row per row of the table: the loss of one row of scores, written again in decimal arithmetic."""

FEW_SHAPES = st.sampled_from([(1, 1), (4, 3)])
"""JAX compiles each operation for each shape; central differences see all shapes."""

every_name = pytest.mark.parametrize("name", list(LOSSES))
every_loss = pytest.mark.parametrize("loss", ALL_LOSSES, ids=repr)
both_widths = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def exact_rows(name: str, scores: Any, target: Any) -> Any:
    """Return the loss of each row from the decimal formula; class numbers become one-hot rows."""
    if LOSSES[name].targets == "classes" and target.ndim == 1:
        target = np.eye(scores.shape[1])[target]
    with localcontext(prec=DIGITS):
        pairs = zip(scores, target, strict=True)
        return np.array([float(ROWS[name]([*map(_decimal, s)], [*map(_decimal, t)])) for s, t in pairs])


def _decimal(entry: Any) -> Decimal:
    return Decimal(float(entry))


def jax_value(p: LossProblem) -> Callable[[Any], Any]:
    target, weight = jnp.asarray(p.target), None if p.weight is None else jnp.asarray(p.weight)
    return lambda s: p.loss.value(s, target, weight)


def test_every_row_of_the_table_has_a_test_row() -> None:
    assert set(ROWS) == set(LOSSES)


@every_loss
def test_gradient_and_curvature_against_central_differences(loss: Loss) -> None:
    @settings(max_examples=40)
    @given(loss_problems(loss))
    def check(p: LossProblem) -> None:
        _, scores, target, weight, v = p
        gradient = central_gradient(lambda s: loss.value(s, target, weight), scores)
        assert relative_error(loss.gradient(scores, target, weight), gradient) <= DIFFERENCES
        product = central_product(lambda s: loss.gradient(s, target, weight), scores, v)
        assert relative_error(loss.curvature(scores, target, v, weight), product) <= DIFFERENCES

    check()


@every_loss
@pytest.mark.slow
def test_gradient_and_curvature_against_jax(loss: Loss) -> None:
    @settings(max_examples=16)
    @given(loss_problems(loss, FEW_SHAPES))
    def check(p: LossProblem) -> None:
        _, scores, target, weight, v = p
        assert relative_error(loss.gradient(scores, target, weight), jax_gradient(jax_value(p), scores)) <= JAX
        assert relative_error(loss.curvature(scores, target, v, weight), jax_product(jax_value(p), scores, v)) <= JAX

    check()


@every_name
def test_values_against_eighty_digits(name: str) -> None:
    loss = LOSSES[name]()

    @settings(max_examples=25)
    @given(loss_problems(loss))
    def check(p: LossProblem) -> None:
        rows = exact_rows(name, p.scores, loss.shaped(p.target, p.scores.shape[1]))
        wanted = np.mean(rows) if p.weight is None else np.sum(rows * p.weight) / (np.sum(p.weight) or 1)
        assert worst_relative_error(loss.value(p.scores, p.target, p.weight), wanted) <= 1e-12

    check()


@every_loss
@given(seed=SEEDS)
@settings(max_examples=10)
def test_whole_weights_equal_repeated_rows(loss: Loss, seed: int) -> None:
    scores, target, v, rng = plain_scores(loss, seed)
    counts = rng.integers(0, 4, len(scores))
    counts[0] += 1
    rows = np.repeat(np.arange(len(scores)), counts)
    weighted = loss.value(scores, target, counts.astype(float))
    assert worst_relative_error(weighted, loss.value(scores[rows], target[rows])) <= 1e-12
    for got, repeated in (
        (loss.gradient(scores, target, counts.astype(float)), loss.gradient(scores[rows], target[rows])),
        (loss.curvature(scores, target, v, counts.astype(float)), loss.curvature(scores[rows], target[rows], v[rows])),
    ):
        summed = np.zeros_like(got)
        np.add.at(summed, rows, repeated)
        assert relative_error(got, summed) <= 1e-12


@every_loss
@given(seed=SEEDS)
@settings(max_examples=10)
def test_rows_of_weight_zero_change_nothing(loss: Loss, seed: int) -> None:
    scores, target, v, rng = plain_scores(loss, seed)
    weight = rng.uniform(0.5, 2, len(scores))
    weight[-2:] = 0
    kept = scores[:-2], target[:-2]
    assert worst_relative_error(loss.value(scores, target, weight), loss.value(*kept, weight[:-2])) <= 1e-14
    gradient, curvature = loss.gradient(scores, target, weight), loss.curvature(scores, target, v, weight)
    assert relative_error(gradient[:-2], loss.gradient(*kept, weight[:-2])) <= 1e-14
    assert relative_error(curvature[:-2], loss.curvature(*kept, v[:-2], weight[:-2])) <= 1e-14
    assert not gradient[-2:].any()
    assert not curvature[-2:].any()


@every_loss
def test_weights_that_are_all_zero_give_zero(loss: Loss) -> None:
    scores, target, v, _ = plain_scores(loss, 1)
    nothing = np.zeros(len(scores))
    assert loss.value(scores, target, nothing) == 0
    assert not loss.gradient(scores, target, nothing).any()
    assert not loss.curvature(scores, target, v, nothing).any()


@every_loss
def test_equal_weights_equal_no_weights(loss: Loss) -> None:
    scores, target, v, _ = plain_scores(loss, 2)
    sevens = np.full(len(scores), 7.0)
    assert worst_relative_error(loss.value(scores, target, sevens), loss.value(scores, target)) <= 1e-14
    assert relative_error(loss.gradient(scores, target, sevens), loss.gradient(scores, target)) <= 1e-14
    assert relative_error(loss.curvature(scores, target, v, sevens), loss.curvature(scores, target, v)) <= 1e-14


@every_loss
@given(seed=SEEDS)
@settings(max_examples=10)
def test_every_loss_is_convex_in_the_scores_and_its_curvature_symmetric(loss: Loss, seed: int) -> None:
    scores, target, _, _ = plain_scores(loss, seed)
    units = np.eye(scores.size).reshape(-1, *scores.shape)
    matrix = np.array([loss.curvature(scores, target, unit).reshape(-1) for unit in units])
    assert relative_error(matrix, matrix.T) <= 1e-14
    assert np.linalg.eigvalsh(matrix).min() >= -1e-12 * max(np.abs(matrix).max(), 1)


@every_name
@both_widths
@given(seed=SEEDS, soft=st.booleans())
@settings(max_examples=20)
def test_scores_of_ten_thousand(name: str, dtype: Any, seed: int, soft: bool) -> None:
    loss = LOSSES[name]()
    scores, target = _large_scores(loss, dtype, seed, soft)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, gradient = loss.value(scores, target), loss.gradient(scores, target)
        curvature, prediction = loss.curvature(scores, target, np.ones_like(scores)), loss.predict(scores)
    for array in (value, gradient, curvature, prediction):
        assert array.dtype == dtype
        assert np.isfinite(array).all()


@every_name
@both_widths
@given(seed=SEEDS, soft=st.booleans())
@settings(max_examples=20)
def test_losses_of_large_scores_against_eighty_digits(name: str, dtype: Any, seed: int, soft: bool) -> None:
    loss = LOSSES[name]()
    scores, target = _large_scores(loss, dtype, seed, soft)
    wanted = exact_rows(name, scores, target)
    assert worst_relative_error(loss.rows(scores, target), wanted, 1.0) <= 8 * np.finfo(dtype).eps


def _large_scores(loss: Loss, dtype: Any, seed: int, soft: bool) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    top = 80 if loss.targets == "counts" else LARGE  # e^s itself overflows float32 beyond
    scores = rng.choice([-LARGE, 1 - LARGE, -100, -10, -1, 0, 1, 10, 50, top - 1, top], (6, 3)).astype(dtype)
    target = draw_target(loss, rng, 6, 3, soft)
    return scores, target if target.dtype.kind == "i" else target.astype(dtype)


def test_kinks_take_the_documented_sub_gradients() -> None:
    zero, one = np.array([[0.0]]), np.array([[1.0]])
    for sign in (one, -one):
        assert losses.Hinge().gradient(sign, sign) == 0  # t s = 1
        assert losses.SquaredHinge().gradient(sign, sign) == 0
        assert losses.SquaredHinge().curvature(sign, sign, one) == 0
        assert losses.Perceptron().gradient(zero, sign) == -sign  # a score of 0 is a mistake
    for t in (-2.5, 0.0, 3.0):
        at = np.array([[t]])
        assert losses.AbsoluteError().gradient(at, at) == 0
        assert losses.Quantile(0.8).gradient(at, at) == 0
        for edge in (-0.5, 0.5):
            assert losses.Huber(0.5).gradient(at + edge, at) == edge
            assert losses.Huber(0.5).curvature(at + edge, at, one) == 0


@pytest.mark.parametrize("loss", [losses.MulticlassHinge(), losses.SquaredMulticlassHinge()], ids=repr)
@pytest.mark.parametrize("right", [0, 1, 2])
def test_multiclass_hinge_is_flat_where_the_margin_is_just_kept(loss: Loss, right: int) -> None:
    kept, target = 1 + np.eye(3)[[right]], np.array([right])
    assert loss.value(kept, target) == 0
    np.testing.assert_array_equal(loss.gradient(kept, target), np.zeros((1, 3)))
    np.testing.assert_array_equal(loss.curvature(kept, target, np.ones((1, 3))), np.zeros((1, 3)))


def test_multiclass_hinges_by_hand() -> None:
    scores, target, v = np.array([[0.5, 0.25, 0.0]]), np.array([0]), np.array([[3.0, 5.0, 7.0]])
    plain, squared, blame = losses.MulticlassHinge(), losses.SquaredMulticlassHinge(), np.array([[-1.0, 1.0, 0.0]])
    assert plain.value(scores, target) == 0.75  # 1 + 0.25 - 0.5
    assert squared.value(scores, target) == 0.75**2
    np.testing.assert_array_equal(plain.gradient(scores, target), blame)
    np.testing.assert_array_equal(squared.gradient(scores, target), 2 * 0.75 * blame)
    np.testing.assert_array_equal(plain.curvature(scores, target, v), 0 * v)
    np.testing.assert_array_equal(squared.curvature(scores, target, v), 2 * (5 - 3) * blame)


def test_multiclass_hinge_blames_the_first_of_equally_bad_classes() -> None:
    gradient = losses.MulticlassHinge().gradient(np.array([[0.0, 3.0, 3.0]]), np.array([0]))
    np.testing.assert_array_equal(gradient, [[-1.0, 1.0, 0.0]])


@pytest.mark.parametrize("name", ["cross_entropy", "multiclass_hinge", "squared_multiclass_hinge"])
def test_class_numbers_equal_one_hot_rows(name: str) -> None:
    loss = LOSSES[name]()
    scores, classes, v, _ = plain_scores(loss, 3)
    rows = np.eye(scores.shape[1])[classes]
    assert loss.value(scores, classes) == loss.value(scores, rows)
    np.testing.assert_array_equal(loss.gradient(scores, classes), loss.gradient(scores, rows))
    np.testing.assert_array_equal(loss.curvature(scores, classes, v), loss.curvature(scores, rows, v))


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.targets != "classes"])
def test_flat_targets_equal_a_column(name: str) -> None:
    loss = LOSSES[name]()
    scores, target, v, _ = plain_scores(loss, 4)
    scores, target, v = scores[:, :1], target[:, :1], v[:, :1]
    assert loss.value(scores, target[:, 0]) == loss.value(scores, target)
    np.testing.assert_array_equal(loss.gradient(scores, target[:, 0]), loss.gradient(scores, target))
    np.testing.assert_array_equal(loss.curvature(scores, target[:, 0], v), loss.curvature(scores, target, v))


@every_loss
def test_targets_that_do_not_lie_beside_the_scores_are_refused(loss: Loss) -> None:
    scores, target, v, _ = plain_scores(loss, 5)
    fewer = target[:5]
    wider = np.zeros((6, 4)), f"scores have shape {scores.shape}, the target has shape (6, 4)"
    for wrong, words in ((fewer, f"scores have shape {scores.shape}, the target has 5 rows"), wider):
        for call in (loss.value, loss.gradient, lambda s, t: loss.curvature(s, t, v)):
            with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
                call(scores, wrong)


def test_probabilities_of_scores_by_hand() -> None:
    scores = np.log(np.array([[1.0, 1.0, 2.0], [3.0, 0.5, 0.5]])) + np.array([[7.0], [-2.0]])
    wanted = np.array([[0.25, 0.25, 0.5], [0.75, 0.125, 0.125]])
    np.testing.assert_allclose(losses.softmax(scores), wanted, rtol=1e-14)
    np.testing.assert_allclose(losses.log_softmax(scores), np.log(wanted), rtol=1e-13)
    for dtype in (np.float32, np.float64):
        rows = losses.one_hot(np.array([2, 0]), scores.astype(dtype))
        assert rows.dtype == dtype
        np.testing.assert_array_equal(rows, [[0, 0, 1], [1, 0, 0]])


def test_divergences_are_sums_along_the_last_axis() -> None:
    p, q = np.full((4, 2, 2), 0.5), np.tile([0.25, 0.75], (4, 2, 1))
    assert losses.kl_divergence(p, q).shape == losses.jeffreys_divergence(p, q).shape == (4, 2)
    np.testing.assert_allclose(losses.kl_divergence(p, q), np.log(2 / np.sqrt(3)), rtol=1e-14)
