"""The array library of a formula is the array library of its arguments.

A definition asks for its namespace (`numpy`, `jax.numpy`, ...) and for the special functions that go with it;
the same line then runs on NumPy, is differentiated by JAX in the tests, and can be compiled by JAX.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj
from numpy.typing import NDArray

Array: TypeAlias = Any
"""Any array that follows the Python array API standard."""


def namespace(x: Array) -> Any:
    """Return the array namespace of x.

    NumPy 2 is its own standard namespace; taking it directly keeps the price of a small layer down.
    """
    return np if isinstance(x, np.ndarray | np.generic) else array_namespace(x)


def is_sparse(x: Any) -> bool:
    """Return True for a matrix or an array of scipy.sparse, which is not loaded for the question."""
    known = sys.modules.get("scipy.sparse")
    return known is not None and bool(known.issparse(x))


def check_array(name: str, x: Any, sparse: bool = False) -> None:
    """Raise TypeError, naming the argument, unless x is an array (or, where that will do, a SciPy sparse one)."""
    if not is_array_api_obj(x) and not (sparse and is_sparse(x)):
        kind = f"{type(x).__module__.split('.')[0]}.{type(x).__name__}".removeprefix("builtins.")
        raise TypeError(f"{name} must be an array, such as numpy.asarray gives, got a {kind}")


def spaced(rows: int, most: int) -> NDArray[np.intp]:
    """Return the numbers of at most `most` rows, evenly spaced: data are often sorted.

    >>> spaced(10, 4)
    array([0, 3, 6, 9])
    """
    return np.linspace(0, rows - 1, min(rows, most)).astype(np.intp)


def special(x: Array) -> Any:
    """Return the module of special functions (`expit`, `ndtr`, `xlogy`, ...) for the library of x."""
    if isinstance(x, np.ndarray | np.generic):
        import scipy.special  # not above: it would be half the time of importing the package

        return scipy.special
    return import_module(namespace(x).__name__.split(".")[0] + ".scipy.special")
