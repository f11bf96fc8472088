"""Every derivative of an objective against finite differences, in float64: the check that needs no second opinion.

Shapes: P parameters. θ, v, gradients and products (P,).

A central difference sees only values (for the Hessian, only gradients) and knows no formula. Where its step crosses
a kink such as ReLU's it is wrong itself; so smaller steps are tried too, and the best agreement counts. A wrong
formula agrees at no step.

Source: lecture notes (gradient checking); Fornberg 1988 (the four-point difference).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..foundation.randomness import Stream
from ..mathematics.network import Network, Slot
from ..mathematics.objective import Objective

Vector = NDArray[np.float64]

STEPS = tuple(2.0**-power for power in (8, 11, 14, 17, 20))
"""The steps that are tried, from large to small: truncation falls with h⁴, rounding rises with 1/h."""

ENOUGH = 1e-9
"""A relative error below which no smaller step is tried."""

FLOOR = 1e-3
"""Entries below this share of the largest one are compared with that share: 0 has no relative error."""


@dataclass(frozen=True)
class ArrayCheck:
    """The worst relative errors of one parameter array. `checked` of its `size` entries were moved one by one."""

    name: str
    size: int
    checked: int
    gradient_error: float
    hessian_error: float

    @property
    def worst(self) -> float:
        """The larger of the two errors; infinite where one is not a number."""
        errors = (self.gradient_error, self.hessian_error)
        return max(errors) if all(error == error for error in errors) else float("inf")


def check_gradients(
    objective: Objective, theta: NDArray[np.floating], *, entries: int = 40, directions: int = 2, seed: int = 0
) -> list[ArrayCheck]:
    """Compare gradient and Hessian products of an objective at θ with central differences; one row per array.

    What a batch normalisation measures is no parameter to learn, and is left alone.

    Of each parameter array, `entries` entries (all, where it has no more) are moved one by one, and all of them
    together along `directions` random directions; the Hessian is multiplied with as many directions of the whole θ.

    Raises ValueError for a θ of the wrong size.

    >>> import numpy as np, chainrule as cr
    >>> network = cr.Network(2, [cr.Dense(3), cr.Activation("tanh"), cr.Dense(1)])
    >>> X, y = np.array([[0.0, 1.0], [1.0, 2.0]]), np.array([0.5, -0.5])
    >>> rows = check_gradients(cr.Objective(network, cr.losses.SquaredError(), X, y), network.initialize(0))
    >>> [row.name for row in rows], max(row.worst for row in rows) < 1e-7
    (['0.W', '0.b', '2.W', '2.b'], True)
    """
    objective, point = _in_double(objective), theta.astype(np.float64)
    objective.network.views(point)
    draw = Stream(seed, "noise")
    with np.errstate(over="ignore", invalid="ignore"):
        gradient_errors = dict(_gradient_errors(objective, point, entries, directions, draw))
        hessian_errors = _hessian_errors(objective, point, directions, draw)
    return [
        ArrayCheck(_name(slot), _size(slot), min(entries, _size(slot)), *errors)
        for slot, *errors in (
            (slot, gradient_errors[_name(slot)], hessian_errors[_name(slot)]) for slot in _learnt(objective.network)
        )
    ]


def _in_double(objective: Objective) -> Objective:
    """Return the objective with all its numbers in float64."""
    double = copy(objective)
    for name in ("X", "y", "sample_weight"):
        values: Any = getattr(objective, name)
        if values is not None and values.dtype.kind == "f":
            setattr(double, name, values.astype(np.float64))
    return double


def _learnt(network: Network) -> list[Slot]:
    return [slot for slot in network.slots if slot.spec.kind != "statistic"]


def _name(slot: Slot) -> str:
    return f"{slot.block}.{slot.name}"


def _size(slot: Slot) -> int:
    return slot.stop - slot.start


def _gradient_errors(
    objective: Objective, theta: Vector, entries: int, directions: int, draw: Stream
) -> Iterator[tuple[str, float]]:
    """Yield the worst error of gradientᵀ d for the directions d within each array."""
    value, gradient = objective.value_and_gradient(theta)
    floor = _floor(gradient, FLOOR * float(value))
    for slot in _learnt(objective.network):
        errors = [0.0]
        for d in _directions(slot, theta.size, entries, directions, draw):
            errors.append(_least_error(_along(objective.value, theta, d), float(gradient @ d), floor))
        yield _name(slot), float(np.max(errors))


def _directions(slot: Slot, P: int, entries: int, directions: int, draw: Stream) -> Iterator[Vector]:
    """Yield unit vectors within one array: single entries, then random ones."""
    for k in draw.permutation(_size(slot))[:entries]:
        d = np.zeros(P)
        d[slot.start + k] = 1.0
        yield d
    for _ in range(directions):
        d = np.zeros(P)
        d[slot.start : slot.stop] = draw.normal(_size(slot))
        yield d / np.linalg.norm(d)


def _hessian_errors(objective: Objective, theta: Vector, directions: int, draw: Stream) -> dict[str, float]:
    """Return the worst error of H v within each array, over some random directions v of the whole θ."""
    worst = {_name(slot): 0.0 for slot in _learnt(objective.network)}
    for _ in range(directions):
        v = draw.normal(theta.size) * ~objective.network.mask("statistic")
        v /= np.linalg.norm(v)
        product = objective.hessian_product(theta, v)
        floor = _floor(product, FLOOR * float(np.abs(objective.gradient(theta)).max()))
        gradients = _along(objective.gradient, theta, v)
        estimates = [_slope(gradients, h) for h in STEPS]
        for slot in _learnt(objective.network):
            part = slice(slot.start, slot.stop)
            errors = [_error(estimate[part], product[part], floor) for estimate in estimates]
            worst[_name(slot)] = float(np.max([worst[_name(slot)], np.min(errors)]))
    return worst


def _along(f: Callable[[Vector], Any], theta: Vector, d: Vector) -> Callable[[float], Any]:
    """Return t -> f(θ + t d)."""
    return lambda t: f(theta + t * d)


def _floor(exact: Vector, least: float) -> float:
    """Return the size below which an error counts as absolute."""
    return FLOOR * max(float(np.abs(exact).max(initial=0.0)), abs(least), 1e-300)


def _least_error(f: Callable[[float], Any], exact: float, floor: float) -> float:
    """Return the least error over the steps, trying no more of them than needed."""
    least = float("inf")
    for h in STEPS:
        error = _error(_slope(f, h), exact, floor)
        least = error if error != error else min(least, error)
        if least <= ENOUGH or error != error:
            break
    return least


def _slope(f: Callable[[float], Any], h: float) -> Any:
    """Return f'(0) from four points, f' + O(h⁴)."""
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


def _error(estimate: Any, exact: Any, floor: float) -> float:
    """Return the largest |estimate - exact| / max(|estimate|, |exact|, floor); NaN where one of them is."""
    scale = np.maximum(np.maximum(np.abs(estimate), np.abs(exact)), floor)
    return float(np.max(np.abs(estimate - exact) / scale, initial=0.0))
