"""Linear conjugate gradients: the least of a parabola whose matrix is only known by its products.

    q(p) = ½ pᵀ A p + gᵀ p,    least where A p = -g

Shapes: P parameters; g, p, r and d (P,). All in float64, and summed by NumPy alone.

Source: lecture notes (conjugate gradients); Hestenes and Stiefel 1952; Martens 2010, section 4.4; Steihaug 1983.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np

from ..foundation.arrays import Array
from .line_search import dot, norm

Product = Callable[[Array], Array]

GROWTH = 1.3
"""The iterates that are kept are those with the numbers ⌈1.3ʲ⌉."""

PROGRESS, SHORTEST, SHARE = 5e-4, 10, 0.1
"""Iteration i stops where the last k = max(10, 0.1 i) have gained less than k · 0.0005 of all that was gained."""


class Iterate(NamedTuple):
    """A point of the iteration: its number i, p, q(p), and the residual r = A p + g."""

    i: int
    p: Array
    value: float
    residual: Array


def iterates(product: Product, g: Array, start: Array, inverse: Array | float = 1.0) -> Iterator[Iterate]:
    """Yield p after 0, 1, 2, ... iterations, until the residual is 0 or a direction does not bend upwards.

    `inverse` is the inverse of a diagonal preconditioner, (P,).

    >>> A = np.array([[2.0, 1.0], [1.0, 3.0]])
    >>> [found.p.round(3).tolist() for found in iterates(lambda v: A @ v, np.array([-3.0, -4.0]), np.zeros(2))][-1]
    [1.0, 1.0]
    """
    p = start
    r = product(p) + g if p.any() else g.copy()
    y = inverse * r
    d, size = -y, dot(r, y)
    yield Iterate(0, p, 0.5 * dot(p, r + g), r)
    i = 0
    while size > 0:
        Ad = product(d)
        bend = dot(d, Ad)
        if not bend > 0:
            return
        step = size / bend
        p, r = p + step * d, r + step * Ad
        y = inverse * r
        before, size = size, dot(r, y)
        d = (size / before) * d - y
        i += 1
        yield Iterate(i, p, 0.5 * dot(p, r + g), r)


def kept(i: int) -> bool:
    """Return True for the numbers ⌈1.3ʲ⌉, j = 0, 1, 2, ...

    >>> [i for i in range(1, 20) if kept(i)]
    [1, 2, 3, 4, 5, 7, 9, 11, 14, 18]
    """
    power = 1.0
    while ceil(power) < i:
        power *= GROWTH
    return ceil(power) == i


def slowed(values: Sequence[float], progress: float = PROGRESS) -> bool:
    """Return True where the relative progress of q over the last k iterations is below k times `progress`.

    `values` are q(p) of the iterations 0 to i.  q(p) < 0 and (q(p_i) - q(p_{i-k})) / q(p_i) < k · progress.

    >>> slowed([0.0] + [-1.0] * 30), slowed([0.0] + [-1.0] * 5)
    (True, False)
    """
    i = len(values) - 1
    k = max(SHORTEST, ceil(SHARE * i))
    return i > k and values[-1] < 0 and (values[-1] - values[-1 - k]) / values[-1] < k * progress


def path(
    product: Product, g: Array, start: Array, most: int, inverse: Array | float = 1.0, progress: float = PROGRESS
) -> list[Iterate]:
    """Return the iterates at ⌈1.3ʲ⌉ and the last one, of as many iterations as make progress, and at most `most`."""
    values, found, last = list[float](), list[Iterate](), None
    for last in iterates(product, g, start, inverse):
        values.append(last.value)
        if last.i and kept(last.i):
            found.append(last)
        if last.i >= most or slowed(values, progress):
            break
    assert last is not None
    return found if found and found[-1].i == last.i else [*found, last]


def solve(product: Product, g: Array, most: int) -> Iterate:
    """Return the iterate whose residual is at most min(½, √‖g‖) ‖g‖, or the last of `most`."""
    size, found = norm(g), None
    for found in iterates(product, g, np.zeros_like(g)):
        if found.i >= most or norm(found.residual) <= min(0.5, sqrt(size)) * size:
            break
    assert found is not None
    return found


def within(product: Product, g: Array, radius: float, most: int) -> tuple[Array, bool, int]:
    """Return a p of ‖p‖ ≤ radius that makes q small, whether it is on the edge, and the iterations.

    The iteration goes on inside until its residual is at most min(½, √‖g‖) ‖g‖; a direction that bends downwards, and
    a step across the edge, are followed to the edge (Steihaug).

    >>> saddle = np.array([1.0, -1.0])
    >>> within(lambda v: saddle * v, np.array([0.0, 1.0]), 2.0, 10)[:2]
    (array([ 0., -2.]), True)
    """
    p, r, size = np.zeros_like(g), g.copy(), norm(g)
    d, enough = -r, min(0.5, sqrt(size)) * size
    for i in range(1, most + 1):
        Ad = product(d)
        bend, square = dot(d, Ad), dot(r, r)
        ahead = p + (square / bend) * d if bend > 0 else p
        if bend <= 0 or norm(ahead) >= radius:
            return p + to_edge(p, d, radius) * d, True, i
        p, r = ahead, r + (square / bend) * Ad
        if norm(r) <= enough:
            return p, False, i
        d = (dot(r, r) / square) * d - r
    return p, False, most


def to_edge(p: Array, d: Array, radius: float) -> float:
    """Return the τ ≥ 0 with ‖p + τ d‖ = radius, for a p inside.

    >>> to_edge(np.array([0.0, 3.0]), np.array([1.0, 0.0]), 5.0)
    4.0
    """
    a, b, c = dot(d, d), dot(p, d), dot(p, p) - radius * radius
    root = sqrt(max(b * b - a * c, 0.0))
    return -c / (b + root) if b > 0 else (root - b) / a
