"""Systems with a symmetric positive definite matrix, and the product of a matrix with itself, in float64.

The compiled core, where there is one, does both with sums in one order: the same bits for any number of threads and on
every machine with fused multiply-add. It announces itself by `use`; without it SciPy and NumPy do them.

Shapes: A (n, n), b and x (n,), R (m, n).

Source: Golub and Van Loan 2013, chapter 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


class Kernels(NamedTuple):
    """Who does the work: (A, diagonal, b) -> x or None, and R -> Rᵀ R."""

    solve: Callable[[Matrix, Matrix | None, Matrix], Matrix | None]
    gram: Callable[[Matrix], Matrix]


def _solve(A: Matrix, diagonal: Matrix | None, b: Matrix) -> Matrix | None:
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    A = A.copy()
    if diagonal is not None:
        A[np.diag_indices_from(A)] += diagonal
    try:
        return np.asarray(cho_solve(cho_factor(A, lower=True, overwrite_a=True), b))
    except (LinAlgError, ValueError):  # ValueError: NaN or infinity
        return None


def _gram(R: Matrix) -> Matrix:
    return np.asarray(R.T @ R)


PLAIN = Kernels(_solve, _gram)
"""SciPy and NumPy."""

_chosen = [PLAIN]


def use(kernels: Kernels) -> Kernels:
    """Let these kernels do the work from now on; return those that did it before."""
    before, _chosen[0] = _chosen[0], kernels
    return before


def solve(A: Matrix, b: Matrix, diagonal: Matrix | None = None) -> Matrix | None:
    """Return x with (A + diag(diagonal)) x = b, by Cholesky's factors; None where they do not exist.

    >>> solve(np.array([[4.0, 2.0], [2.0, 3.0]]), np.array([8.0, 8.0]))
    array([1., 2.])
    >>> solve(np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([1.0, 1.0])) is None
    True
    """
    wide = None if diagonal is None else np.ascontiguousarray(diagonal, np.float64)
    return _chosen[0].solve(np.ascontiguousarray(A, np.float64), wide, np.ascontiguousarray(b, np.float64))


def gram(R: Matrix) -> Matrix:
    """Return Rᵀ R.

    >>> gram(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[10., 14.],
           [14., 20.]])
    """
    return _chosen[0].gram(np.ascontiguousarray(R, np.float64))
