"""First and second derivatives as matrices: for small networks, for methods that solve with them, and to look at.

Shapes: n rows, i inputs, o outputs, P parameters; X (n, i), θ (P,), the Jacobian (n, o, P), the others (P, P).

    J = dscores/dθ        Gauss-Newton: G = Jᵀ L'' J + Σ penalties''        Hessian: H = d²J(θ)/dθ²

Source: lecture notes; Schraudolph 2002; Nocedal and Wright 2006, chapter 10.
"""

from __future__ import annotations

from collections.abc import Callable

from ..foundation.arrays import Array, namespace
from .network import Network
from .objective import Objective


def pull(network: Network, theta: Array, X: Array, dscores: Array) -> Array:
    """Return (dscores/dθ)ᵀ dscores, (P,): a derivative in the scores (n, o), pulled back to the parameters."""
    params = network.unpack(theta)
    _, caches = network.forward_with_caches(params, X)
    return network.pack(network.backward(params, caches, dscores))


def push(network: Network, theta: Array, X: Array, v: Array) -> Array:
    """Return (dscores/dθ) v, (n, o): how the scores change when θ moves along v."""
    params = network.unpack(theta)
    _, caches = network.forward_with_caches(params, X)
    return network.push(params, caches, network.unpack(v))[-1]


def jacobian(network: Network, theta: Array, X: Array) -> Array:
    """Return dscores/dθ, (n, o, P), one parameter after the other.

    >>> import numpy as np, chainrule as cr
    >>> jacobian(cr.Network(1, [cr.Dense(1)]), np.array([2.0, 0.5]), np.array([[3.0], [4.0]]))[:, 0]
    array([[3., 1.],
           [4., 1.]])
    """
    params = network.unpack(theta)
    _, caches = network.forward_with_caches(params, X)
    return _stacked(lambda v: network.push(params, caches, network.unpack(v))[-1], theta)


def gauss_newton(objective: Objective, theta: Array) -> Array:
    """Return G (P, P), column by column."""
    return _stacked(lambda v: objective.gauss_newton_product(theta, v), theta)


def hessian(objective: Objective, theta: Array) -> Array:
    """Return H (P, P), column by column.

    >>> import numpy as np, chainrule as cr
    >>> network = cr.Network(1, [cr.Dense(1)])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), np.array([[1.0], [3.0]]), np.array([3.0, 5.0]))
    >>> hessian(objective, np.array([2.0, 0.0]))
    array([[5., 2.],
           [2., 1.]])
    """
    return _stacked(lambda v: objective.hessian_product(theta, v), theta)


def _stacked(product: Callable[[Array], Array], theta: Array) -> Array:
    """Return the products with the unit vectors of θ, side by side along a last axis."""
    xp = namespace(theta)
    unit = xp.eye(theta.shape[0], dtype=theta.dtype)
    return xp.stack([product(unit[k]) for k in range(theta.shape[0])], axis=-1)
