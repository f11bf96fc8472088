"""Symmetric systems and products in the compiled core: right, refused where they must be, and with the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.engines.native import core as native
from chainrule.engines.native import symmetric as compiled
from chainrule.foundation import symmetric
from support.core_arguments import REFUSALS

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)

SIZES = (1, 2, 15, 16, 17, 63, 64, 65, 129, 300)
FUSED = tuple(name for name in native.instruction_sets() if name != "baseline")


def positive(n: int, seed: int = 0) -> tuple[Any, Any, Any]:
    """Return A (n, n), a diagonal to add and b (n,): A + diag is positive definite, A alone is not."""
    rng = np.random.default_rng(seed)
    R = rng.normal(size=(n + 3, n))
    d = rng.uniform(1, 2, n)
    return R.T @ R - np.diag(d) + 0.1 * np.eye(n), d, rng.normal(size=n)


def test_the_core_does_the_work_where_it_is() -> None:
    assert symmetric.use(symmetric.PLAIN) is compiled.KERNELS
    assert symmetric.use(compiled.KERNELS) is symmetric.PLAIN


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", native.instruction_sets())
def test_a_system_is_solved(n: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_INSTRUCTIONS", name)
    A, d, b = positive(n)
    for kernels in (compiled.KERNELS, symmetric.PLAIN):
        x = kernels.solve(A, d, b)
        assert x is not None
        assert np.linalg.norm((A + np.diag(d)) @ x - b) <= 1e-10 * np.linalg.norm(b)
    x = compiled.solve(A + np.diag(d), None, b)
    assert x is not None
    np.testing.assert_allclose(x, np.linalg.solve(A + np.diag(d), b), rtol=1e-8)


@pytest.mark.parametrize("n", SIZES)
def test_a_matrix_that_is_not_positive_definite_has_no_solution(n: int) -> None:
    A, d, b = positive(n)
    for last in (-1e-3, 0.0, np.nan):
        changed = A + np.diag(d)
        changed[-1] = changed[:, -1] = 0
        changed[-1, -1] = last
        for kernels in (compiled.KERNELS, symmetric.PLAIN):
            assert kernels.solve(changed, None, b) is None


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 17), (300, 33), (700, 130)], ids=str)
def test_the_product_of_a_matrix_with_itself(shape: tuple[int, int]) -> None:
    R = np.random.default_rng(1).normal(size=shape)
    got = symmetric.gram(R)
    np.testing.assert_array_equal(got, got.T)
    np.testing.assert_allclose(got, R.T @ R, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(symmetric.PLAIN.gram(R), R.T @ R)


def test_any_number_of_threads_and_any_set_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    A, d, b = positive(600)
    R, found = np.random.default_rng(2).normal(size=(900, 250)), set()
    for name in FUSED:
        monkeypatch.setenv("CHAINRULE_INSTRUCTIONS", name)
        for threads in (1, 2, 3, 7):
            monkeypatch.setenv("CHAINRULE_NUM_THREADS", str(threads))
            x = symmetric.solve(A, b, d)
            assert x is not None
            found.add(x.tobytes() + symmetric.gram(R).tobytes())
    assert len(found) == 1


@pytest.mark.parametrize(
    ("A", "diagonal", "b"),
    [
        (np.eye(3), None, np.ones(2)),
        (np.eye(3), np.ones(2), np.ones(3)),
        (np.ones(3), None, np.ones(3)),
        (np.eye(3, dtype="f4"), None, np.ones(3)),
        (np.eye(3), None, np.float64(1)),
        (None, None, None),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(A: Any, diagonal: Any, b: Any) -> None:
    with pytest.raises(REFUSALS):
        native._core.solve("", A, diagonal, b, np.empty(3), 1)
    with pytest.raises(REFUSALS):
        native._core.gram("", b, np.empty((3, 3)), 1)
