"""What users call y, and back: labels to what a loss takes, scores to labels and probabilities, scales of a target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import assume, given
from hypothesis import strategies as st

from chainrule import losses
from chainrule.estimators.fitted.targets import Classes, Scale
from chainrule.losses import LOSSES, Loss

LABELS: dict[str, st.SearchStrategy[Any]] = {
    "integers": st.integers(-(2**62), 2**62),
    "strings": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    "booleans": st.booleans(),
    "whole floats": st.integers(-(2**50), 2**50).map(float),
}

every_kind = pytest.mark.parametrize("kind", list(LABELS))
CLASSIFYING = [loss() for loss in LOSSES.values() if loss.targets != "counts"]


def labels_of(draw: Any, kind: str) -> np.ndarray:
    """Return y (n,) with one to five different labels."""
    different = draw(st.lists(LABELS[kind], min_size=1, max_size=5, unique=True))
    return np.array(different + draw(st.lists(st.sampled_from(different), max_size=6)))


def certain(encoded: np.ndarray, loss: Loss, classes: Classes) -> np.ndarray:
    """Return the scores of a network that knows the answer, (n, o)."""
    if encoded.ndim == 1:
        return np.eye(len(classes.labels))[encoded]
    return encoded - 0.5 if loss.targets == "binary" else encoded


@every_kind
@given(data=st.data())
def test_labels_come_back(kind: str, data: st.DataObject) -> None:
    y = labels_of(data.draw, kind)
    classes = Classes.of(y)
    np.testing.assert_array_equal(classes.labels, np.unique(y))
    assert classes.task == ("multiclass" if len(classes.labels) > 2 else "binary")
    loss = data.draw(st.sampled_from(CLASSIFYING))
    assume(loss.targets != "classes" or classes.task == "multiclass")
    decoded = classes.decode(certain(classes.encode(y, loss, "float64"), loss, classes), loss)
    assert decoded.dtype == y.dtype
    np.testing.assert_array_equal(decoded, y)


@every_kind
@given(data=st.data())
def test_a_label_that_was_never_seen_is_named(kind: str, data: st.DataObject) -> None:
    stranger, *different = data.draw(st.lists(LABELS[kind], min_size=2, max_size=5, unique=True))
    y = np.array(different)
    with pytest.raises(ValueError, match="y holds labels that are not among the classes: ") as error:
        Classes.of(y).numbers(np.array([y[0], stranger]))
    assert str(error.value).endswith(f": {stranger!r}")


def test_a_longer_string_is_not_mistaken_for_its_beginning() -> None:
    with pytest.raises(ValueError, match="'abc'"):
        Classes.of(np.array(["ab", "cd"])).numbers(np.array(["abc"]))


def test_at_most_five_strangers_are_named() -> None:
    with pytest.raises(ValueError, match=r"classes: 2, 3, 4, 5, 6$"):
        Classes.of(np.array([0, 1])).numbers(np.arange(100))


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=5))
def test_indicator_matrices_come_back(rows: list[list[bool]]) -> None:
    y = np.array(rows, int)
    classes = Classes.of(y)
    assert (classes.task, classes.outputs) == ("multilabel", 3)
    np.testing.assert_array_equal(classes.labels, [0, 1, 2])
    for loss in (losses.SigmoidCrossEntropy(), losses.Hinge(), losses.SquaredError()):
        encoded = classes.encode(y, loss, "float32")
        assert encoded.dtype == np.float32
        np.testing.assert_array_equal(classes.decode(certain(encoded, loss, classes), loss), y)
        np.testing.assert_array_equal(classes.encode(scipy.sparse.csr_array(y), loss, "float32"), encoded)


@pytest.mark.parametrize(
    ("loss", "two", "three"),
    [
        (losses.SigmoidCrossEntropy(), [[0], [1]], [[1, 0, 0], [0, 0, 1]]),
        (losses.SquaredError(), [[0], [1]], [[1, 0, 0], [0, 0, 1]]),
        (losses.Hinge(), [[-1], [1]], [[1, -1, -1], [-1, -1, 1]]),
        (losses.CrossEntropy(), [0, 1], [0, 2]),
    ],
    ids=repr,
)
def test_what_a_loss_takes(loss: Loss, two: Any, three: Any) -> None:
    for labels, expected in (["a", "b"], two), (["a", "m", "z"], three):
        encoded = Classes.of(np.array(labels)).encode(np.array([labels[0], labels[-1]]), loss, "float32")
        np.testing.assert_array_equal(encoded, expected)
        assert encoded.dtype == (np.intp if loss.targets == "classes" else np.float32)


def test_one_class_is_always_predicted_with_certainty() -> None:
    classes = Classes.of(np.array(["only", "only"]))
    loss = losses.SigmoidCrossEntropy()
    assert (classes.task, classes.outputs) == ("binary", 1)
    np.testing.assert_array_equal(classes.encode(np.array(["only"]), loss, "float64"), [[0.0]])
    scores = np.array([[-3.0], [0.0], [7.0]])
    np.testing.assert_array_equal(classes.decode(scores, loss), ["only"] * 3)
    np.testing.assert_array_equal(classes.probabilities(scores, loss), np.ones((3, 1)))


def test_declared_labels_take_the_place_of_those_found() -> None:
    classes = Classes.of(np.array([1, 1]), labels=[4, 1, 2, 4])
    np.testing.assert_array_equal(classes.labels, [1, 2, 4])
    assert (classes.task, classes.outputs) == ("multiclass", 3)


@pytest.mark.parametrize("y", [np.array([0.5, 1.5]), np.array([[0.5, 1.0], [2.0, 3.0]]), np.array([[1, 2], [3, 4]])])
def test_targets_that_are_no_labels_are_refused(y: np.ndarray) -> None:
    with pytest.raises(ValueError, match="Unknown label type"):
        Classes.of(y)


@given(st.lists(st.lists(st.floats(-30, 30), min_size=3, max_size=3), min_size=1, max_size=4), st.data())
def test_probabilities_sum_to_one_and_agree_with_the_labels(rows: list[list[float]], data: st.DataObject) -> None:
    loss = data.draw(st.sampled_from([losses.CrossEntropy(), losses.SigmoidCrossEntropy(), losses.Logistic()]))
    scores = np.array(rows)
    classes = Classes.of(np.array([3, 5, 8]))
    probabilities = classes.probabilities(scores, loss)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-15)
    chosen = np.searchsorted(classes.labels, classes.decode(scores, loss))
    assert (probabilities[np.arange(len(rows)), chosen] == probabilities.max(axis=1)).all()


@pytest.mark.parametrize("loss", [losses.SigmoidCrossEntropy(), losses.Logistic()])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_scores_still_have_probabilities(loss: Loss, dtype: str) -> None:
    two, three = Classes.of(np.array([0, 1])), Classes.of(np.array([0, 1, 2]))
    p = two.probabilities(np.array([[-1e4], [1e4]], dtype), loss)
    np.testing.assert_array_equal(p, [[1, 0], [0, 1]])
    p = three.probabilities(np.array([[-1e4, -2e4, -1e4], [1e4, 1e4, -1e4]], dtype), loss)
    np.testing.assert_array_equal(p, [[0.5, 0, 0.5], [0.5, 0.5, 0]])
    assert p.dtype == dtype


def test_the_small_probability_of_two_keeps_its_digits() -> None:
    p = Classes.of(np.array([0, 1])).probabilities(np.array([[60.0]]), losses.SigmoidCrossEntropy())
    assert p[0, 0] == pytest.approx(np.exp(-60.0), rel=1e-14, abs=0)


def test_several_labels_have_independent_probabilities() -> None:
    classes = Classes.of(np.array([[1, 0], [1, 1]]))
    p = classes.probabilities(np.array([[0.0, np.log(3)]]), losses.SigmoidCrossEntropy())
    np.testing.assert_allclose(p, [[0.5, 0.75]], rtol=1e-15)


@pytest.mark.parametrize("loss", [loss for loss in CLASSIFYING if loss.targets != "classes"], ids=repr)
def test_the_threshold_parts_the_two_targets(loss: Loss) -> None:
    classes = Classes.of(np.array([0, 1]))
    low, high = classes.encode(np.array([0, 1]), loss, "float64")[:, 0]
    middle = {"binary": 0.0}.get(loss.targets, (low + high) / 2)
    assert classes.threshold(loss) == middle
    decided = classes.decode(np.array([[middle], [np.nextafter(middle, 9)]]), loss)
    np.testing.assert_array_equal(decided, [0, 1])


columns = st.integers(1, 3)
values = st.floats(-1e6, 1e6)


@st.composite
def targets(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray | None]:
    """Return y (n, o), and weights (n,) of which some are 0, or None."""
    n, o = draw(st.integers(1, 6)), draw(columns)
    y = np.array(draw(st.lists(st.lists(values, min_size=o, max_size=o), min_size=n, max_size=n)))
    weight = np.array(draw(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=n, max_size=n)))
    return y, weight if draw(st.booleans()) and weight.any() else None


@given(targets())
def test_a_scale_comes_back(drawn: tuple[np.ndarray, np.ndarray | None]) -> None:
    y, weight = drawn
    scale = Scale.of(y, weight)
    np.testing.assert_allclose(scale.decode(scale.encode(y)), y, rtol=1e-9, atol=1e-9)


@given(targets())
def test_a_scale_gives_mean_zero_and_deviation_one(drawn: tuple[np.ndarray, np.ndarray | None]) -> None:
    y, weight = drawn
    counted = y if weight is None else y[weight > 0]
    assume(np.all(np.ptp(counted, axis=0) > np.maximum(1e-100, 1e-3 * np.abs(counted).max(axis=0))))
    encoded = Scale.of(y, weight).encode(y)
    np.testing.assert_allclose(np.average(encoded, axis=0, weights=weight), 0, atol=1e-10)
    np.testing.assert_allclose(np.average(encoded**2, axis=0, weights=weight), 1, rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1e100, -1e-300])
@pytest.mark.parametrize("rows", [1, 3, 60, 1000])
def test_a_constant_column_keeps_deviation_one(value: float, rows: int) -> None:
    y = np.column_stack([np.full(rows, value), np.arange(rows)])
    scale = Scale.of(y, None)
    assert (scale.mean[0], scale.deviation[0]) == (value, 1.0)
    np.testing.assert_array_equal(scale.encode(y)[:, 0], 0)


def test_a_column_whose_variance_underflows_is_not_divided_by_zero() -> None:
    scale = Scale.of(np.array([[0.0], [3e-245]]), None)
    assert scale.deviation[0] == 1


def test_rows_without_weight_do_not_make_a_column_vary() -> None:
    scale = Scale.of(np.array([[0.1]] * 60 + [[9.0]]), np.array([1.0] * 60 + [0.0]))
    assert (scale.mean[0], scale.deviation[0]) == (0.1, 1.0)


@pytest.mark.parametrize("dtype", ["int8", "bool", "float32"])
def test_a_scale_is_not_rounded_to_the_type_of_the_target(dtype: str) -> None:
    scale = Scale.of(np.array([[0], [1], [1]], dtype), None)
    assert scale.mean[0] == pytest.approx(2 / 3, rel=1e-15, abs=0)
    assert scale.deviation[0] == pytest.approx(np.sqrt(2) / 3, rel=1e-15, abs=0)
