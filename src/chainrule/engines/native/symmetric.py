"""The compiled core's part of foundation/symmetric.py: systems and products with the same bits everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...foundation import symmetric
from .core import _core, instruction_set, threads

Matrix = NDArray[np.float64]


def solve(A: Matrix, diagonal: Matrix | None, b: Matrix) -> Matrix | None:
    """Return x with (A + diag(diagonal)) x = b; None where that matrix is not positive definite."""
    x = np.empty_like(b)
    return x if _core.solve(instruction_set(), A, diagonal, b, x, threads()) else None


def gram(R: Matrix) -> Matrix:
    """Return Rᵀ R."""
    out = np.empty((R.shape[1], R.shape[1]))
    _core.gram(instruction_set(), R, out, threads())
    return out


KERNELS = symmetric.Kernels(solve, gram)


def announce() -> None:
    """Let the core do the work, where this installation has one."""
    if _core is not None:
        symmetric.use(KERNELS)
