"""The array library of a formula is the array library of its arguments.

A definition asks for its namespace (`numpy`, `jax.numpy`, ...) and for the special functions that go with it;
the same line then runs on NumPy, is differentiated by JAX in the tests, and can be compiled by JAX.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import scipy.special
from array_api_compat import array_namespace

Array: TypeAlias = Any
"""Any array that follows the Python array API standard."""


def namespace(x: Array) -> Any:
    """Return the array namespace of x.

    NumPy 2 is its own standard namespace; taking it directly keeps the price of a small layer down.
    """
    return np if isinstance(x, np.ndarray | np.generic) else array_namespace(x)


def special(x: Array) -> Any:
    """Return the module of special functions (`expit`, `ndtr`, `xlogy`, ...) for the library of x."""
    if isinstance(x, np.ndarray | np.generic):
        return scipy.special
    return import_module(namespace(x).__name__.split(".")[0] + ".scipy.special")
