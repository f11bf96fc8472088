"""Symmetric systems and products, whoever does the work: SciPy and NumPy, or the compiled core where there is one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from chainrule.foundation import symmetric


@pytest.fixture(params=["plain", "chosen"])
def kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let SciPy do the work, or leave it to who does it here."""
    before = symmetric.use(symmetric.PLAIN)
    if request.param == "chosen":
        symmetric.use(before)
    yield
    symmetric.use(before)


def hilbert(n: int) -> symmetric.Matrix:
    return np.array([[1 / (i + j + 1) for j in range(n)] for i in range(n)])


@pytest.mark.usefixtures("kernels")
def test_a_system_whose_solution_is_known() -> None:
    wanted = np.arange(1.0, 6.0)
    x = symmetric.solve(hilbert(5), hilbert(5) @ wanted)
    assert x is not None
    np.testing.assert_allclose(x, wanted, rtol=1e-9)


@pytest.mark.usefixtures("kernels")
def test_what_is_added_to_the_diagonal_decides() -> None:
    A, b = np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([4.0, 4.0])
    assert symmetric.solve(A, b) is None
    assert symmetric.solve(np.array([[np.nan, 0.0], [0.0, 1.0]]), b) is None
    x = symmetric.solve(A, b, np.array([1.5, 1.5]))
    assert x is not None
    np.testing.assert_allclose(x, [4 / 4.5, 4 / 4.5], rtol=1e-12)
    np.testing.assert_array_equal(A, [[1.0, 2.0], [2.0, 1.0]])


@pytest.mark.usefixtures("kernels")
def test_arrays_in_any_order_and_precision_are_taken() -> None:
    A, b = np.asfortranarray(hilbert(4) + np.eye(4)).astype("f4"), np.ones(8)[::2]
    x = symmetric.solve(A, b)
    assert x is not None
    np.testing.assert_allclose(A.astype(float) @ x, b, rtol=1e-12)


@pytest.mark.usefixtures("kernels")
def test_a_product_with_itself_is_symmetric() -> None:
    R = np.random.default_rng(0).normal(size=(40, 9)).T
    got = symmetric.gram(R)
    np.testing.assert_array_equal(got, got.T)
    np.testing.assert_allclose(got, np.einsum("mi,mj->ij", R, R), rtol=1e-12, atol=1e-12)
