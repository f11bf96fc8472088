"""Independent oracles of values and derivatives: central differences, JAX, and formulas in eighty digits.

None of them uses a derivative that chainrule states. Central differences see only values (or, one order up, only
gradients); JAX differentiates the definitions by itself, in float64; the eighty-digit formulas are written again in
the tests, in decimal arithmetic, and differentiated by differences so fine that nothing is lost in a float64.

Shapes: θ, v (P,); x any shape.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from chainrule import Objective

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_disable_most_optimizations", True)  # thousands of tiny programs: compiling is the price

Vector = NDArray[np.float64]
Formula = Callable[[Decimal], Decimal]

DIFFERENCES = 1e-7
"""The relative error that every derivative must keep against central differences, in float64."""

JAX = 1e-10
"""The relative error that every derivative must keep against JAX, in float64."""

FLOOR = 1e-3
"""Below this size the error counts as absolute, in units of the floor: 0 has no relative error."""

STEP = 2.0**-11
"""ε^(1/5) is near 2^-10; a little less, because derivatives of deep networks grow with their order."""

DIGITS = 80


def relative_error(got: Any, wanted: Any) -> float:
    """Return ‖got - wanted‖ / max(‖wanted‖, FLOOR); the shapes must agree."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape
    return float(np.linalg.norm(got - wanted) / max(float(np.linalg.norm(wanted)), FLOOR))


def worst_relative_error(got: Any, wanted: Any, floor: float = FLOOR) -> float:
    """Return the largest |got - wanted| / max(|wanted|, floor) of any entry; the shapes must agree."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape
    return float(np.max(np.abs(got - wanted) / np.maximum(np.abs(wanted), floor), initial=0.0))


def central_difference(f: Callable[[float], Any], step: float = STEP) -> Any:
    """Return f'(0) from four points: two central differences, Richardson-extrapolated, error h⁴ f⁽⁵⁾ / 30."""
    return (8 * (f(step) - f(-step)) - (f(2 * step) - f(-2 * step))) / (12 * step)


def central_slope(f: Callable[[Vector], Any], x: Vector) -> Any:
    """Return the derivative of an element-by-element function at each entry of x."""
    return central_difference(lambda t: f(x + t))


def central_gradient(value: Callable[[Vector], Any], theta: Vector) -> Vector:
    """Return the gradient of a number in θ (any shape), one entry at a time."""
    gradient = np.empty(theta.size)
    for k in range(theta.size):
        unit = np.zeros(theta.size)
        unit[k] = 1.0
        unit = unit.reshape(theta.shape)
        gradient[k] = central_difference(lambda t, unit=unit: float(value(theta + t * unit)))
    return gradient.reshape(theta.shape)


def central_product(f: Callable[[Vector], Any], theta: Vector, v: Vector) -> Any:
    """Return (df/dθ) v: with f a gradient, the Hessian product."""
    size = float(np.max(np.abs(v), initial=0.0)) or 1.0
    return size * central_difference(lambda t: f(theta + (t / size) * v))


def jax_gradient(value: Callable[[Any], Any], theta: Vector) -> Vector:
    """Return JAX's gradient of a number in θ (any shape)."""
    return np.asarray(jax.grad(value)(jnp.asarray(theta)))


def jax_product(value: Callable[[Any], Any], theta: Vector, v: Vector) -> Vector:
    """Return JAX's Hessian product: forward mode over reverse mode."""
    return np.asarray(jax.jvp(jax.grad(value), (jnp.asarray(theta),), (jnp.asarray(v),))[1])


def jax_slope(f: Callable[[Any], Any], x: Vector) -> Vector:
    """Return JAX's derivative of an element-by-element function."""
    return jax_gradient(lambda z: f(z).sum(), x)


def jax_bend(f: Callable[[Any], Any], x: Vector) -> Vector:
    """Return JAX's second derivative of an element-by-element function."""
    return jax_product(lambda z: f(z).sum(), x, np.ones_like(x))


def jax_objective(objective: Objective) -> Objective:
    """Return the same objective on JAX arrays; `jax.grad` of its value is the gradient nobody here wrote."""
    weight = objective.sample_weight
    return Objective(
        objective.network,
        objective.loss,
        jnp.asarray(objective.X),
        jnp.asarray(objective.y),
        None if weight is None else jnp.asarray(weight),
        objective.penalties,
    )


def explicit_gauss_newton(objective: Objective, theta: Vector) -> NDArray[np.float64]:
    """Return Jᵀ L'' J (P, P) from JAX's Jacobian of the scores and JAX's Hessian of the loss; no penalties."""
    twin = jax_objective(objective)
    scores = twin.network.forward(jnp.asarray(theta), twin.X)
    jacobian = np.asarray(jax.jacrev(lambda z: twin.network.forward(z, twin.X).reshape(-1))(jnp.asarray(theta)))
    hessian = jax.hessian(lambda s: twin.loss.value(s.reshape(scores.shape), twin.y, twin.sample_weight))
    return jacobian.T @ np.asarray(hessian(scores.reshape(-1))) @ jacobian


def exact(formula: Formula, x: NDArray[np.floating]) -> Vector:
    """Return a decimal formula at each entry of x, rounded to float64 at the very end."""
    with localcontext(prec=DIGITS):
        return _floats(formula, x)


def exact_slope(formula: Formula, x: NDArray[np.floating]) -> Vector:
    """Return the formula's derivative: a central difference with h = 10⁻²⁰, so that h² is beyond float64."""
    h = Decimal("1e-20")
    with localcontext(prec=DIGITS):
        return _floats(lambda z: (formula(z + h) - formula(z - h)) / (2 * h), x)


def exact_bend(formula: Formula, x: NDArray[np.floating]) -> Vector:
    """Return the formula's second derivative, likewise."""
    h = Decimal("1e-15")
    with localcontext(prec=DIGITS):
        return _floats(lambda z: (formula(z + h) - 2 * formula(z) + formula(z - h)) / (h * h), x)


def _floats(formula: Formula, x: NDArray[np.floating]) -> Vector:
    return np.array([float(formula(Decimal(float(entry)))) for entry in x.reshape(-1)]).reshape(x.shape)


def decimal_arctan(x: Decimal) -> Decimal:
    """tan⁻¹ x: halve the angle until the series is short. tan⁻¹ x = 2 tan⁻¹(x / (1 + √(1 + x²)))."""
    halvings = 12
    for _ in range(halvings):
        x = x / (1 + (1 + x * x).sqrt())
    total, power, k = Decimal(0), x, 0
    while abs(power) > Decimal(10) ** (-DIGITS - 10):
        total += power / (2 * k + 1) * (-1) ** k
        power, k = power * x * x, k + 1
    return total * 2**halvings


def decimal_normal_distribution(x: Decimal) -> Decimal:
    """Φ(x): a series near 0, the continued fraction of the tail beyond 4."""
    if x > 4:
        return 1 - decimal_normal_distribution(-x)
    density = (-x * x / 2).exp() / (2 * decimal_pi()).sqrt()
    if x < -4:
        tail = -x
        for k in range(400, 0, -1):
            tail = -x + k / tail
        return density / tail
    term, total, k = x, x, 1
    while abs(term) > Decimal(10) ** (-DIGITS - 10):
        term, k = term * x * x / (2 * k + 1), k + 1
        total += term
    return Decimal("0.5") + density * total


@lru_cache
def decimal_pi() -> Decimal:
    """Return π to the digits in use: 4 tan⁻¹ 1."""
    with localcontext(prec=DIGITS + 10):
        return 4 * decimal_arctan(Decimal(1))
