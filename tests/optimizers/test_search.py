"""Line searches: the step to try next from its formula, and the point that comes back against the Wolfe conditions."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, inf, nan, sin
from typing import Any

import numpy as np
import pytest

from chainrule.optimizers.search import FLAT, SEARCHES, SUFFICIENT, Point, armijo, cubic_minimum, fixed, strong_wolfe
from chainrule.optimizers.search import _next as next_step

Curve = Callable[[float], tuple[float, float]]
"""φ and φ'."""


def at(step: float, value: float, slope: float) -> Point:
    """Return a point of which only the figures matter."""
    return Point(step, value, slope, np.empty(0), np.empty(0))


class Line:
    """A curve as a search asks it: it notes the steps."""

    def __init__(self, curve: Curve) -> None:
        self.curve, self.asked = curve, list[float]()

    def __call__(self, step: float) -> Point:
        self.asked.append(step)
        return at(step, *self.curve(step))


def searched(curve: Curve, first: float, evaluations: int = 20) -> tuple[Point | None, list[float]]:
    """Return the point found, and the steps that were tried."""
    line = Line(curve)
    return strong_wolfe(line, at(0.0, *curve(0.0)), first, evaluations), line.asked


# ------------------------------------------------------------------------------------------------ the cubic


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ((0, 9, -6), (1, 4, -4), 3),  # (x - 3)², whose ends are both on one side of the minimum
        ((0, 0, -3), (2, 2, 9), 1),  # x³ - 3x, around it
        ((-0.5, 1.375, -2.25), (0.5, -1.375, -2.25), 1),  # x³ - 3x, from ends of one slope
        ((1, -8, 12), (2, -1, 3), 3),  # (x - 3)³, which only stops to rise
    ],
)
def test_the_minimum_of_a_cubic_is_found_from_two_points_in_any_order(a: Any, b: Any, wanted: float) -> None:
    assert cubic_minimum(at(*a), at(*b)) == pytest.approx(wanted, rel=1e-15)
    assert cubic_minimum(at(*b), at(*a)) == pytest.approx(wanted, rel=1e-15)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((1, 0, -1), (1, 0, 1)),  # one place
        ((-1, -2, 4), (1, 2, 4)),  # x³ + x, which rises everywhere
        ((0, 0, -1), (1, -1, -1)),  # a line
        *(((0, *figures[:2]), (1, *figures[2:])) for bad in (inf, nan) for figures in np.where(np.eye(4), bad, -1.0)),
    ],
)
def test_where_there_is_no_minimum_there_is_none(a: Any, b: Any) -> None:
    assert cubic_minimum(at(*a), at(*b)) is None
    assert cubic_minimum(at(*b), at(*a)) is None


def parabola(minimum: float, *steps: float) -> list[Point]:
    """Return points of the parabola that is least at `minimum`."""
    return [at(x, (x - minimum) ** 2, 2 * (x - minimum)) for x in steps]


@pytest.mark.parametrize(
    ("minimum", "wanted"),
    [(6.0, 6.0), (3.05, 5.2), (1e3, 11.0), (2.0, 11.0), (3.0, 11.0)],
    ids=["the cubic's", "at least 1.1 times", "at most 4 times", "behind", "here"],
)
def test_a_step_grows_to_the_cubics_minimum_by_1_1_to_4_times_the_last_growth(minimum: float, wanted: float) -> None:
    before, low = parabola(minimum, 1.0, 3.0)
    assert next_step(low, None, before) == pytest.approx(wanted, rel=1e-15)


def test_a_step_without_a_cubic_grows_four_times() -> None:
    assert next_step(at(3, -3, -1), None, at(1, -1, -1)) == 11


@pytest.mark.parametrize("low_first", [True, False])
@pytest.mark.parametrize(
    ("minimum", "wanted"), [(4.0, 4.0), (2.1, 2.4), (5.9, 5.6), (2.4, 2.4), (5.6, 5.6), (-7.0, 2.4), (99.0, 5.6)]
)
def test_within_an_interval_a_step_keeps_a_tenth_from_both_ends(minimum: float, wanted: float, low_first: bool) -> None:
    low, high = parabola(minimum, 2.0, 6.0)[:: 1 if low_first else -1]
    assert next_step(low, high, at(0, 0, 0)) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize(
    ("high", "wanted"),
    [(at(6, inf, 1), 2.4), (at(6, nan, 1), 2.4), (at(6, -4, -1), 4.0), (at(6, 0, inf), 4.0), (at(-2, inf, 1), 1.6)],
)
def test_an_interval_without_a_cubic_is_halved_or_left_for_a_tenth_where_its_end_is_infinite(
    high: Point, wanted: float
) -> None:
    assert next_step(at(2, 0, -1), high, at(0, 1, -1)) == pytest.approx(wanted, rel=1e-15)


# ------------------------------------------------------------------------------------------------ the search


def one(value: float, slope: float) -> Curve:
    """Return a curve with φ(0) = 0 and φ'(0) = -1 that has these figures everywhere else."""
    return lambda step: (value, slope) if step else (0.0, -1.0)


@pytest.mark.parametrize(
    ("value", "slope", "taken"),
    [
        (-SUFFICIENT * 2, 0.0, True),
        (-SUFFICIENT * 1.99, 0.0, False),
        (-1.0, FLAT, True),
        (-1.0, -FLAT, True),
        (-1.0, FLAT + 1e-9, False),
        (-1.0, -FLAT - 1e-9, False),
        (nan, 0.0, False),
        (-1.0, nan, False),
    ],
)
def test_the_first_point_is_taken_where_both_conditions_hold(value: float, slope: float, taken: bool) -> None:
    found, asked = searched(one(value, slope), 2.0)
    assert asked[0] == 2.0
    assert (len(asked) == 1) is taken
    if taken:
        assert found == at(2.0, value, slope)[:3] + found[3:]


CURVES: dict[str, Curve] = {
    "parabola": lambda x: ((x - 3) ** 2, 2 * (x - 3)),
    "More and Thuente 1": lambda x: (-x / (x * x + 2), (x * x - 2) / (x * x + 2) ** 2),
    "More and Thuente 2": lambda x: (
        (x + 0.004) ** 5 - 2 * (x + 0.004) ** 4,
        5 * (x + 0.004) ** 4 - 8 * (x + 0.004) ** 3,
    ),
    "waves": lambda x: (0.1 * x * x - sin(3 * x), 0.2 * x - 3 * cos(3 * x)),
    "cliff": lambda x: ((x - 3) ** 2, 2 * (x - 3)) if x < 4 else (inf, nan),
}


@pytest.mark.parametrize("name", list(CURVES))
@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1e3])
def test_the_point_found_fulfils_the_strong_wolfe_conditions(name: str, first: float) -> None:
    curve = CURVES[name]
    found, asked = searched(curve, first)
    value, slope = curve(0.0)
    assert found is not None
    assert found.value <= value + SUFFICIENT * found.step * slope
    assert abs(found.slope) <= FLAT * abs(slope)
    assert found.step == asked[-1]
    assert len(asked) <= 16


def test_where_nothing_is_lower_there_is_no_point_to_return() -> None:
    found, asked = searched(lambda x: (x, -1.0), 1.0, 7)
    assert (found, len(asked)) == (None, 7)
    assert asked[:2] == [1.0, 0.1]


def test_after_the_last_evaluation_the_lowest_point_counts() -> None:
    def falling(x: float) -> tuple[float, float]:
        return -x, -1.0

    found, asked = searched(falling, 1.0, 4)
    assert asked == [1, 5, 21, 85]
    assert found is not None
    assert found[:3] == (85, -85, -1)
    assert searched(falling, 1.0, 0) == (None, [])


@pytest.mark.parametrize(
    "curve",
    [
        lambda x: (abs(x - 3), 1.0 if x >= 3 else -1.0),  # no slope is flat
        lambda x: (-x, -1.0) if x < 3 else (5.0, nan),  # the last step is rounded to the end with the jump
        lambda x: (-x, -1.0) if x < 3 else (inf, nan),  # and here to the other end
    ],
    ids=["kink", "jump", "cliff"],
)
def test_a_search_ends_where_no_number_is_left_between_its_ends(curve: Curve) -> None:
    found, asked = searched(curve, 0.3, 1000)
    assert found is not None
    assert found.step == pytest.approx(3, rel=1e-14)
    assert len(asked) < 500


def test_a_point_as_low_as_the_best_is_an_end_of_the_interval() -> None:
    """The third step lies between the second and the best, the first."""
    _, asked = searched(lambda x: (-min(x, 1.0), -1.0), 1.0, 3)
    assert asked[:2] == [1.0, 5.0]
    assert 1 < asked[2] < 5


@pytest.mark.parametrize(("first", "end"), [(0.7, (0, 1)), (-0.7, (1, 5))])
def test_the_slope_says_on_which_side_of_a_lower_point_the_minimum_lies(first: float, end: tuple[float, float]) -> None:
    _, asked = searched(lambda x: (-0.3, first) if x else (0.0, -0.5), 1.0, 2)
    assert asked[0] == 1
    assert end[0] < asked[1] <= end[1]


def test_the_search_of_the_table() -> None:
    assert dict(SEARCHES) == {"strong_wolfe": strong_wolfe, "armijo": armijo, "fixed": fixed}
