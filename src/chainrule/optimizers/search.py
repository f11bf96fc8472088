"""Line searches: how far to go along a direction.

φ(α) = J(θ + α d), with the slope φ'(α) = dᵀ dJ/dθ. A search takes the point at α = 0 and a way to evaluate others.

Source: Nocedal and Wright 2006, "Numerical Optimization", algorithms 3.5 and 3.6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite, sqrt
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from ..foundation.arrays import Array


class Point(NamedTuple):
    """A point of the line: α, φ(α), φ'(α), and θ and the gradient there, (P,)."""

    step: float
    value: float
    slope: float
    theta: Array
    gradient: Array


Search: TypeAlias = Callable[[Callable[[float], Point], Point, float, int, float], Point | None]
"""From φ, the point at 0, the first α to try, the most evaluations and c₂, to a point that will do.

None where no evaluation found less than φ(0).
"""

SUFFICIENT, FLAT = 1e-4, 0.9
"""c₁ and c₂: φ(α) ≤ φ(0) + c₁ α φ'(0) and |φ'(α)| ≤ c₂ |φ'(0)| are the strong Wolfe conditions."""

LONGER, NEAREST = (1.1, 4.0), 0.1
"""A step grows by 1.1 to 4 times the last growth; in an interval it keeps this share of its length from both ends."""


def cubic_minimum(a: Point, b: Point) -> float | None:
    """Return where the cubic through the values and slopes at a and b is least; None where that is nowhere.

    >>> nothing = Point(0.0, 1.0, -2.0, None, None)
    >>> cubic_minimum(nothing, Point(2.0, 1.0, 2.0, None, None))
    1.0
    """
    if a.step == b.step or not (isfinite(a.value) and isfinite(b.value) and isfinite(a.slope) and isfinite(b.slope)):
        return None
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return None
    d2 = sqrt(square) * (1 if b.step > a.step else -1)
    divisor = b.slope - a.slope + 2 * d2
    return None if divisor == 0 else b.step - (b.step - a.step) * (b.slope + d2 - d1) / divisor


def _next(low: Point, high: Point | None, before: Point) -> float:
    """Return the next α: within the interval, or beyond `low` as long as there is no other end."""
    if high is None:
        found, length = cubic_minimum(before, low), low.step - before.step
        nearest, farthest = low.step + LONGER[0] * length, low.step + LONGER[1] * length
        return farthest if found is None or found <= low.step else min(max(found, nearest), farthest)
    found, length = cubic_minimum(low, high), high.step - low.step
    if found is None:
        return low.step + (NEAREST if not isfinite(high.value) else 0.5) * length
    share = (found - low.step) / length
    return low.step + min(max(share, NEAREST), 1 - NEAREST) * length


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, first: float, evaluations: int, flat: float = FLAT
) -> Point | None:
    """Return a point where the strong Wolfe conditions hold, or the best there is after so many evaluations.

    While `high` is not known the step grows; then a minimum lies between `low`, the best point so far, and `high`.

    >>> def parabola(step):
    ...     return Point(step, (step - 3.0) ** 2, 2 * (step - 3.0), None, None)
    >>> strong_wolfe(parabola, parabola(0.0), 0.1, 20).step
    0.5
    """
    low, before, step = start, start, first
    high: Point | None = None
    for _ in range(evaluations):
        point = evaluate(step)
        enough = start.value + SUFFICIENT * step * start.slope
        if not (point.value <= enough and point.value < low.value):
            high = point
        elif abs(point.slope) <= -flat * start.slope:
            return point
        else:
            turned = point.slope >= 0 if high is None else point.slope * (high.step - low.step) >= 0
            low, before, high = point, low, low if turned else high
        step = _next(low, high, before)
        if step in (low.step, None if high is None else high.step):
            break
    return None if low is start else low


def armijo(
    evaluate: Callable[[float], Point], start: Point, first: float, evaluations: int, flat: float = FLAT
) -> Point | None:
    """Return the first point of a shrinking α that is low enough: φ(α) ≤ φ(0) + c₁ α φ'(0). No slope is asked for.

    α goes to where the parabola through φ(0), φ'(0) and φ(α) is least, but keeps a tenth to a half of itself.

    >>> def parabola(step):
    ...     return Point(step, (step - 3.0) ** 2, 2 * (step - 3.0), None, None)
    >>> armijo(parabola, parabola(0.0), 8.0, 20).step
    3.0
    """
    step = first
    for _ in range(evaluations):
        point = evaluate(step)
        if point.value <= start.value + SUFFICIENT * step * start.slope and point.value < start.value:
            return point
        bent = point.value - start.value - step * start.slope
        share = -0.5 * start.slope * step / bent if isfinite(bent) and bent > 0 else NEAREST
        step *= min(max(share, NEAREST), 0.5)
    return None


def fixed(
    evaluate: Callable[[float], Point], start: Point, first: float, evaluations: int, flat: float = FLAT
) -> Point | None:
    """Return the point at the first α, wherever that leads; None where it is not finite.

    >>> fixed(lambda step: Point(step, step, 1.0, None, None), Point(0.0, 0.0, 1.0, None, None), 2.0, 1).value
    2.0
    """
    point = evaluate(first)
    return point if isfinite(point.value) else None


SEARCHES: Mapping[str, Search] = MappingProxyType({"strong_wolfe": strong_wolfe, "armijo": armijo, "fixed": fixed})
"""The table of searches."""
