"""One step of L-BFGS: the points it asks for, what it remembers, and each of its endings at its limit."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest

from chainrule.optimizers import LBFGS, Memory, StepReport
from chainrule.optimizers.search import Point

STILL = "the loss changes by no more than its rounding"
LOST = "no step along the gradient makes the loss smaller"
EPS = float(np.finfo(np.float64).eps)


class Watched:
    """A function of θ that notes each θ it is asked for."""

    def __init__(self, function: Callable[[Any], tuple[float, Any]]) -> None:
        self.function, self.asked = function, list[Any]()

    def value_and_gradient(self, theta: Any) -> Any:
        self.asked.append(theta.copy())
        value, gradient = self.function(theta)
        return np.float64(value), np.asarray(gradient, theta.dtype)


def square(theta: Any) -> tuple[float, Any]:
    """Return θᵀ θ and its gradient."""
    return float(theta @ theta), 2 * theta


def step(
    function: Callable[[Any], tuple[float, Any]], start: Any, memory: Memory | None = None, **settings: Any
) -> tuple[Any, Memory, StepReport, list[Any]]:
    """Return θ, the memory and the report after one step, and all θ that were asked for."""
    optimizer, watched, start = LBFGS(**settings), Watched(function), np.asarray(start)
    theta, memory, report = optimizer.step(watched, start, memory or optimizer.init(None, start), nan)  # type: ignore[arg-type]  # it asks nothing else
    return theta, memory, report, watched.asked


def pairs(steps: Any, changes: Any, evaluations: float = 7.0, t: int = 3) -> Memory:
    """Return a memory of these pairs."""
    return Memory(t, {"steps": np.array(steps), "changes": np.array(changes)}, {"evaluations": evaluations})


def test_a_new_memory_has_no_steps() -> None:
    memory = LBFGS().init(None, np.zeros(3, np.float32))
    assert (memory.t, memory.numbers) == (0, {"evaluations": 0.0})
    assert memory.arrays.keys() == {"steps", "changes"}
    for array in memory.arrays.values():
        np.testing.assert_array_equal(array, np.zeros((0, 3)), strict=True)


def test_the_first_step_goes_a_distance_of_1_down_the_gradient() -> None:
    theta, memory, report, asked = step(square, [3.0, 4.0])
    np.testing.assert_allclose(asked, [[3, 4], [2.4, 3.2]], rtol=1e-15)
    np.testing.assert_array_equal(theta, asked[-1])
    np.testing.assert_allclose(memory["steps"], [[-0.6, -0.8]], rtol=1e-15)
    np.testing.assert_allclose(memory["changes"], [[-1.2, -1.6]], rtol=1e-14)
    assert (memory.t, memory.numbers) == (1, {"evaluations": 2.0})
    assert report[:4] == (pytest.approx(16), pytest.approx(8), False, "")
    assert type(report.loss) is type(report.gradient_norm) is float


def test_a_later_step_is_tried_at_its_full_length() -> None:
    """B is a quarter by the last pair: half of the way to the minimum."""
    theta, memory, report, asked = step(square, [3.0, 4.0], pairs([[1.0, 0.0]], [[4.0, 0.0]]))
    np.testing.assert_allclose(asked, [[3, 4], [1.5, 2]], rtol=1e-15)
    np.testing.assert_array_equal(theta, asked[-1])
    np.testing.assert_allclose(memory["steps"], [[1, 0], [-1.5, -2]])
    np.testing.assert_allclose(memory["changes"], [[4, 0], [-3, -4]])
    assert (memory.t, memory.numbers) == (4, {"evaluations": 8.0})
    assert report[:2] == (6.25, 5.0)


@pytest.mark.parametrize("history", [1, 2, 3])
def test_the_oldest_pairs_are_forgotten(history: int) -> None:
    _, memory, _, _ = step(square, [4.0], pairs([[1.0], [2.0]], [[2.5], [5.0]]), history=history)
    assert memory["steps"][:, 0].tolist() == pytest.approx([1, 2, -3.2][-history:])
    assert memory["changes"][:, 0].tolist() == pytest.approx([2.5, 5, -6.4][-history:])


@pytest.mark.parametrize(("slope", "kept"), [(EPS, False), (2 * EPS, True), (-1.0, False)])
def test_a_pair_without_curvature_is_not_remembered(slope: float, kept: bool) -> None:
    """It is kept where sᵀy is above the rounding of yᵀy; the step counts all the same."""
    before = pairs([[5.0]], [[6.0]])
    after = LBFGS().remember(before, Point(1.0, 0.0, 0.0, None, None), np.array([slope]), np.array([1.0]))
    assert after["steps"].tolist() == [[5], [slope]][: 1 + kept]
    assert after["changes"].tolist() == [[6], [1]][: 1 + kept]
    assert (after.t, before["steps"].tolist()) == (4, [[5]])


def ridge(theta: Any) -> tuple[float, Any]:
    """Return values that fall from (3, 4) in the direction of its gradient only."""
    moved = theta - [3, 4]
    along = abs(moved[0] * 4 - moved[1] * 3) <= 0.1 * float(np.linalg.norm(moved))
    return 25 - float(np.linalg.norm(moved)) if along else 26.0, 2 * theta


def test_pairs_that_mislead_are_forgotten_and_the_gradient_is_followed() -> None:
    theta, memory, report, asked = step(ridge, [3.0, 4.0], pairs([[1.0, 0.0]], [[1.0, 1.0]]))
    assert len(asked) == 22
    np.testing.assert_allclose(asked[-1], [2.4, 3.2], rtol=1e-15)
    np.testing.assert_array_equal(theta, asked[-1])
    np.testing.assert_allclose(memory["steps"], [[-0.6, -0.8]], rtol=1e-15)
    assert (memory.t, memory.numbers) == (4, {"evaluations": 28.0})
    assert (report.loss, report.message) == (pytest.approx(24), "")


@pytest.mark.parametrize("most", [9, 27, 30])
def test_evaluations_may_end_with_either_search(most: int) -> None:
    def rising(theta: Any) -> tuple[float, Any]:
        return 25.0 if theta.tolist() == [3, 4] else 26.0, 2 * theta

    memory = pairs([[1.0, 0.0]], [[1.0, 1.0]])
    theta, memory, report, asked = step(rising, [3.0, 4.0], memory, max_evaluations=most)
    assert (report.converged, report.message) == (False, f"Maximum evaluations ({most}) reached")
    assert (theta.tolist(), len(asked), memory.numbers) == ([3, 4], most - 6, {"evaluations": most})
    assert (memory.t, memory["changes"].tolist()) == (3, [[1, 1]])
    assert report[:2] == (25, 10)
    assert step(rising, [3.0, 4.0], memory)[2].message == LOST


def test_a_search_has_twenty_evaluations_or_what_is_left_of_them() -> None:
    def falling(theta: Any) -> tuple[float, Any]:
        return -theta[0], [-1.0]

    for settings, most in (({}, 20), ({"max_evaluations": 7}, 6)):
        theta, memory, report, asked = step(falling, [0.0], **settings)
        assert (len(asked), memory.numbers) == (1 + most, {"evaluations": 1.0 + most})
        assert (theta, report.loss) == (asked[-1], -asked[-1])
        assert (memory.t, len(memory["steps"])) == (1, 0)
    assert report.message == "Maximum evaluations (7) reached"
    assert not report.converged


# ------------------------------------------------------------------------------------------------ endings


@pytest.mark.parametrize("value", [nan, inf])
def test_a_loss_that_is_not_finite_is_no_ending_of_its_own(value: float) -> None:
    theta, memory, report, asked = step(lambda theta: (value, [0.0, 0.0]), [3.0, 4.0])
    assert report.loss == value or isnan(report.loss)
    assert report[1:4] == (0.0, False, "")
    assert (theta.tolist(), len(asked), memory.t, memory.numbers) == ([3, 4], 1, 0, {"evaluations": 1.0})


@pytest.mark.parametrize(("largest", "small"), [(0.25, True), (0.2500001, False)])
def test_a_gradient_is_small_up_to_the_tolerance(largest: float, small: bool) -> None:
    words = "every entry of the gradient is at most 0.25"
    for start in ([0.01, -largest / 2], [largest / 2, 0.01]):
        _, memory, report, asked = step(square, start, tolerance=0.25)
        assert (len(asked) == 1, memory.t == 0) == (small, small)
        if small:
            assert report[:4] == (start[0] ** 2 + start[1] ** 2, pytest.approx(2 * np.linalg.norm(start)), True, words)


def test_a_step_ends_where_the_gradient_has_become_small() -> None:
    theta, memory, report, _ = step(square, [0.0, 1.05], tolerance=0.11)
    np.testing.assert_allclose(theta, [0, 0.05], rtol=1e-14)
    assert report[:4] == (
        pytest.approx(0.0025),
        pytest.approx(0.1),
        True,
        "every entry of the gradient is at most 0.11",
    )
    assert memory.t == 1


def test_without_parameters_there_is_nothing_to_do() -> None:
    _, _, report, _ = step(lambda theta: (5.0, []), np.zeros(0))
    assert (report.loss, report.converged) == (5.0, True)


LEVELS = [(0.0, 1), (1.0, 1), (1e6, 1e6), (-1e6, 1e6)]
"""Values of J, and what their rounding is relative to."""


@pytest.mark.parametrize(("level", "size"), LEVELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("share", [0.9, 1, 1.1])
def test_a_fall_below_ten_roundings_that_does_not_come_is_no_fault(
    level: float, size: float, dtype: Any, share: float
) -> None:
    """J does not change: whether the gradient promised more than its rounding is what counts."""
    slope = share * 10 * float(np.finfo(dtype).eps) * size
    theta, memory, report, _ = step(lambda theta: (level, [slope]), np.array([1.0], dtype), tolerance=0)
    assert (report.converged, report.message) == ((True, STILL) if share <= 1 else (False, LOST))
    assert report[:2] == (level, pytest.approx(slope))
    assert (theta, theta.dtype, memory.t) == (1, dtype, 0)


@pytest.mark.parametrize(("level", "size"), LEVELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("share", [0.8, 1, 1.2])
def test_a_fall_by_at_most_ten_roundings_is_the_last(level: float, size: float, dtype: Any, share: float) -> None:
    fall = share * 10 * float(np.finfo(dtype).eps) * size
    slope = fall / 2

    def fallen(theta: Any) -> tuple[float, Any]:
        return (level, [slope]) if theta[0] == 1 else (level - fall, [slope / 2])

    theta, memory, report, asked = step(fallen, np.array([1.0], dtype), tolerance=0)
    assert (report.converged, report.message) == ((True, STILL) if share <= 1 else (False, ""))
    assert (report.loss, len(asked), memory.t) == (level - fall, 2, 1)
    assert (theta, theta.dtype, asked[1].dtype) == (0, dtype, dtype)


def test_what_ended_it_comes_before_evaluations_that_are_used_up() -> None:
    _, _, report, _ = step(square, [0.0, 1.05], tolerance=0.11, max_evaluations=2)
    assert (report.converged, report.message) == (True, "every entry of the gradient is at most 0.11")
    _, _, report, _ = step(square, [0.0, 4.0], tolerance=0.11, max_evaluations=2)
    assert (report.converged, report.message) == (False, "Maximum evaluations (2) reached")
    _, _, report, _ = step(lambda theta: (1.0, [EPS]), [0.0], tolerance=0, max_evaluations=3)
    assert (report.converged, report.message) == (True, STILL)
