"""Arrays: which are taken, whose functions a formula uses, and which rows a sample has."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from chainrule.foundation.arrays import check_array, is_sparse, namespace, spaced, special

SPARSE = [scipy.sparse.csr_matrix(np.eye(2)), scipy.sparse.coo_array(np.eye(2))]
NO_ARRAYS: list[tuple[Any, str]] = [([1.0], "list"), (None, "NoneType"), (3.0, "float"), ("x", "str")]


def test_the_functions_are_those_of_the_library_of_the_array() -> None:
    jax = pytest.importorskip("jax")
    x = jax.numpy.ones(2)
    assert namespace(np.ones(2)) is namespace(np.float64(1)) is np
    assert namespace(x).exp(x).tolist() == pytest.approx([np.e, np.e])
    assert special(np.ones(2)) is special(np.float64(1)) is scipy.special
    assert special(x) is jax.scipy.special


def test_sparse_is_what_scipy_calls_sparse() -> None:
    assert [is_sparse(x) for x in SPARSE] == [True, True]
    assert [is_sparse(x) for x in (np.eye(2), [[1.0]], None, SPARSE)] == [False] * 4


@pytest.mark.process
def test_the_question_does_not_load_scipy() -> None:
    program = "import sys; from chainrule.foundation.arrays import is_sparse; print(is_sparse(1), [*sys.modules])"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.startswith("False ")
    assert "scipy.sparse" not in told


def test_arrays_are_taken_and_sparse_ones_where_they_will_do() -> None:
    check_array("X", np.ones(2))
    for x in SPARSE:
        check_array("X", x, sparse=True)
        with pytest.raises(TypeError, match=r"^X must be an array, such as numpy\.asarray gives, got a scipy\."):
            check_array("X", x)


@pytest.mark.parametrize(("given", "words"), NO_ARRAYS)
@pytest.mark.parametrize("sparse", [True, False])
def test_anything_else_is_a_type_error_that_names_the_argument(given: Any, words: str, sparse: bool) -> None:
    with pytest.raises(TypeError, match=re.escape(f"y must be an array, such as numpy.asarray gives, got a {words}")):
        check_array("y", given, sparse)


@given(st.integers(1, 300), st.integers(1, 300))
def test_a_sample_spans_all_rows_evenly(rows: int, most: int) -> None:
    found = spaced(rows, most)
    assert len(found) == min(rows, most)
    assert found[0] == 0
    assert most == 1 or found[-1] == rows - 1
    gaps = np.diff(found)
    assert not len(gaps) or (gaps.min() >= 1 and gaps.max() - gaps.min() <= 1)
