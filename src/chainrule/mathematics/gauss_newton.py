"""The Gauss-Newton matrix G, with what a method that solves with it needs beside it.

    G = Σ Jᵀ L'' J + Σ penalties'',   J = dscores/dθ of each row, (o, P);  L'' (o, o) its loss's curvature, positive

G = Rᵀ R + diag(p): the root R has a row for each row of data and output, R = √L'' J. With fewer rows than parameters
R is the smaller one to keep; with more, G is summed over pieces of rows and no J is kept.

Shapes: n rows, o outputs, P parameters; θ (P,), G (P, P), R (n o, P), p (P,). All in float64.

Source: Schraudolph 2002; Martens 2010; Nocedal and Wright 2006, chapter 10.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..foundation import symmetric
from ..foundation.arrays import Array
from .losses.elements import ElementLoss
from .objective import Objective

Matrix = NDArray[np.float64]

PIECE = 100
"""Rows whose Jacobian is formed at a time."""


class Quadratic(NamedTuple):
    """The parabola that Gauss and Newton put in the place of J at θ: J, dJ/dθ, G, and the total weight of the rows."""

    value: float
    gradient: Matrix
    matrix: Matrix
    total: float

    @property
    def diagonal(self) -> Matrix:
        """The diagonal of G, (P,)."""
        return np.diagonal(self.matrix)

    def step(self, damping: Matrix) -> Matrix | None:
        """Return d with (G + diag(damping)) d = -dJ/dθ, by Cholesky's factors; None where they do not exist."""
        return symmetric.solve(self.matrix, -self.gradient, damping)

    def bends(self) -> Matrix:
        """Return the eigenvalues of G, (P,)."""
        return np.asarray(np.linalg.eigvalsh(self.matrix))


class Root(NamedTuple):
    """The same by its root: G = rowsᵀ rows + diag(penalty)."""

    value: float
    gradient: Matrix
    rows: Matrix
    penalty: Matrix
    total: float

    @property
    def diagonal(self) -> Matrix:
        """The diagonal of G, (P,)."""
        return np.asarray((self.rows**2).sum(axis=0) + self.penalty)

    def step(self, damping: Matrix) -> Matrix | None:
        """Return d with (G + diag(damping)) d = -dJ/dθ, by the smaller matrix R Λ⁻¹ Rᵀ; None where that is singular.

        (RᵀR + Λ)⁻¹ = Λ⁻¹ - Λ⁻¹ Rᵀ (1 + R Λ⁻¹ Rᵀ)⁻¹ R Λ⁻¹, with Λ = diag(penalty + damping) above 0.
        """
        inverse = self.penalty + damping
        if not (inverse > 0).all():
            return self.squared().step(damping)
        inverse = 1 / inverse
        plain = -inverse * self.gradient
        A = symmetric.gram((self.rows * np.sqrt(inverse)).T)
        across = symmetric.solve(A, self.rows @ plain, np.ones(len(A)))
        return None if across is None else np.asarray(plain - inverse * (self.rows.T @ across))

    def bends(self) -> Matrix:
        """Return the eigenvalues of G that are not 0 for want of rows, at most P."""
        if self.penalty.any():
            return self.squared().bends()
        return np.asarray(np.linalg.svd(self.rows, compute_uv=False) ** 2)

    def squared(self) -> Quadratic:
        """Return the parabola with G formed."""
        G = symmetric.gram(self.rows)
        G[np.diag_indices_from(G)] += self.penalty
        return Quadratic(self.value, self.gradient, G, self.total)


def gauss_newton(objective: Objective, theta: Array) -> Quadratic | Root:
    """Return the parabola of J at θ: by its root where that is smaller than G, n o < P, else with G."""
    smaller = objective.rows * objective.network.outputs < theta.shape[0]
    return root(objective, theta) if smaller else quadratic(objective, theta)


def root(objective: Objective, theta: Array) -> Root:
    """Return J, dJ/dθ and the root of G at θ.

    >>> import chainrule as cr
    >>> network = cr.Network(1, [cr.Dense(1)])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), np.array([[1.0], [3.0]]), np.array([3.0, 5.0]))
    >>> root(objective, np.array([2.0, 0.0])).squared().matrix.round(12)
    array([[5., 2.],
           [2., 1.]])
    """
    value, gradient = objective.value_and_gradient(theta)
    return Root(
        float(value),
        _double(gradient),
        _rows(objective, theta),
        penalty_bends(objective, theta),
        float(objective.total),
    )


def quadratic(objective: Objective, theta: Array) -> Quadratic:
    """Return J, dJ/dθ and G at θ, summed over pieces of rows."""
    value, gradient = objective.value_and_gradient(theta)
    G = np.diag(penalty_bends(objective, theta))
    plain = objective.without_penalties()
    for start in range(0, objective.rows, PIECE):
        piece = plain.batch(slice(start, start + PIECE))
        rows = _rows(piece, theta)
        G += (float(piece.total) / float(objective.total)) * symmetric.gram(rows)
    return Quadratic(float(value), _double(gradient), G, float(objective.total))


def _double(array: Array) -> Matrix:
    return np.asarray(array, np.float64)


def jacobian_rows(objective: Objective, theta: Array) -> Array:
    """Return J of each row, (n, o, P): one backward pass for each output, whose rows stay apart."""
    network = objective.network
    params = network.unpack(theta)
    scores, caches = network.forward_with_caches(params, objective.X)
    unit = np.eye(scores.shape[1], dtype=scores.dtype)
    return np.stack([network.backward_rows(params, caches, np.tile(e, (len(scores), 1))) for e in unit], axis=1)


def _rows(objective: Objective, theta: Array) -> Matrix:
    """Return R (n o, P)."""
    J = _double(jacobian_rows(objective, theta))
    scores = objective.network.forward(theta, objective.X)
    if isinstance(objective.loss, ElementLoss):
        return np.asarray(_bends(objective, scores, objective.loss)[:, :, None] * J).reshape(-1, J.shape[2])
    return np.asarray(roots(objective, scores) @ J).reshape(-1, J.shape[2])


def roots(objective: Objective, scores: Array) -> Matrix:
    """Return √L'' of each row, (n, o, o): its rows squared and summed are the row's curvature in the scores."""
    loss = objective.loss
    unit = np.eye(scores.shape[1], dtype=scores.dtype)
    if isinstance(loss, ElementLoss):
        return np.asarray(_bends(objective, scores, loss)[:, :, None] * unit)
    along = [loss.curvature(scores, objective.y, np.tile(e, (len(scores), 1)), objective.sample_weight) for e in unit]
    H = _double(np.stack(along, axis=2))
    bends, axes = np.linalg.eigh((H + H.transpose(0, 2, 1)) / 2)
    return np.asarray(np.sqrt(np.maximum(bends, 0))[:, :, None] * axes.transpose(0, 2, 1))


def _bends(objective: Objective, scores: Array, loss: ElementLoss) -> Matrix:
    """Return √l'' of each score, (n, o), for a loss that sees them one by one."""
    bends = _double(loss.curvature(scores, objective.y, np.ones_like(scores), objective.sample_weight))
    return np.asarray(np.sqrt(np.maximum(bends, 0)))


def penalty_bends(objective: Objective, theta: Array) -> Matrix:
    """Return the second derivatives of the penalties, (P,): they see each parameter by itself."""
    if not objective.penalties:
        return np.zeros(theta.shape[0])
    return _double(objective.penalty_product(theta, np.ones_like(theta)))
