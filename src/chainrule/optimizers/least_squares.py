"""Nonlinear least squares for any function: Levenberg's and Marquardt's method, as a trust region.

    θ = argmin ‖r(θ)‖²,  r of n residuals, J = dr/dθ

A step p minimises ‖r + J p‖² within ‖D p‖ ≤ Δ, where D holds the largest norm that each column of J has had: the
parameters' own scales. p solves (JᵀJ + λ D²) p = -Jᵀ r for the λ ≥ 0 that just keeps to the region. It is found from
the singular values of J D⁻¹, so that JᵀJ, whose condition is that of J squared, is never formed.

Shapes: n residuals, P parameters; θ (P,), r (n,), J (n, P).

Source: Levenberg 1944; Marquardt 1963; Moré 1978, "The Levenberg-Marquardt algorithm: implementation and theory".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..foundation import values

Vector = NDArray[np.float64]
Function = Callable[[Vector], ArrayLike]

EPSILON = float(np.finfo(np.float64).eps)

FIRST_RADIUS = 10.0
"""The first Δ, in units of ‖D θ‖."""

POOR, GOOD, LEAST = 0.25, 0.75, 1e-4
"""A step that gains less than a quarter of what was foretold shrinks Δ, one that gains more than three quarters doubles
it, and one that gains less than 0.0001 of it is not taken."""

DIFFERENCE = EPSILON ** (1 / 3)
"""The step of a central difference, in units of the parameter."""


class LeastSquaresResult(NamedTuple):
    """The end of a fit: θ (P,), the sum of squares ‖r‖², r (n,) and J (n, P) there.

    `standard_errors` (P,) are √diag(s² (JᵀJ)⁻¹) with s² = ‖r‖² / (n - P); NaN for the parameters that the data do not
    tell apart, and for all where n ≤ P. `evaluations` counts calls of the residual for steps, `jacobians` those of J.
    """

    theta: Vector
    value: float
    residual: Vector
    jacobian: Vector
    standard_errors: Vector
    converged: bool
    reason: str
    evaluations: int
    jacobians: int


def least_squares(
    residual: Function,
    start: ArrayLike,
    jacobian: Function | None = None,
    *,
    tolerance: float = 1e-15,
    max_evaluations: int = 5000,
) -> LeastSquaresResult:
    """Return the θ with the least ‖r(θ)‖² that is reached from `start` (P,).

    `residual` takes θ (P,) and returns r (n,); `jacobian` returns dr/dθ (n, P), and is taken from central differences
    where it is not given. Ends where the gain, the step, or the cosine of r with every column of J is at most
    `tolerance` (the first two relative), or after `max_evaluations` of r. A residual that is not finite on the way
    makes the step shorter.

    Raises ValueError, one line, for a start that is not finite or where r or J is not, and for shapes that do not fit.

    >>> t = np.array([0.0, 1.0, 2.0, 3.0])
    >>> y = np.array([2.0, 1.2131, 0.7358, 0.4463])
    >>> found = least_squares(lambda b: b[0] * np.exp(-b[1] * t) - y, [1.0, 1.0])
    >>> found.theta.round(3), bool(found.standard_errors.max() < 1e-4), found.converged
    (array([2. , 0.5]), True, True)
    """
    limits: Mapping[str, values.Rule] = {"tolerance": values.Number(0, 1), "max_evaluations": values.COUNT}
    for name, given in (("tolerance", tolerance), ("max_evaluations", max_evaluations)):
        if not limits[name].accepts(given):
            raise ValueError(f"{name} must be {limits[name].words}, got {given!r}")
    problem = _Problem(residual, jacobian)
    return _fitted(problem, problem.first(start), tolerance, max_evaluations)


@dataclass
class _Problem:
    """The residual and its Jacobian, checked and counted."""

    residual: Function
    derivative: Function | None
    evaluations: int = 0
    jacobians: int = 0
    rows: int = 0

    def first(self, start: ArrayLike) -> Vector:
        """Return the start, after its residual has been looked at."""
        theta = np.array(start, np.float64)
        if theta.ndim != 1 or not theta.size or not np.isfinite(theta).all():
            raise ValueError(f"start must be a vector of finite numbers, got {np.asarray(start)!r:.60}")
        r = np.asarray(self.residual(theta.copy()), np.float64)
        if r.ndim != 1 or not r.size:
            raise ValueError(f"residual must return a vector, got the shape {r.shape}")
        if not np.isfinite(r).all():
            row = int(np.argmin(np.isfinite(r)))
            raise ValueError(
                f"the residual is {r[row]} at the start, in position {row}: give a start where it is finite"
            )
        self.rows = r.size
        return theta

    def r(self, theta: Vector) -> Vector:
        """Return the residual, (n,)."""
        self.evaluations += 1
        return self._r(theta)

    def _r(self, theta: Vector) -> Vector:
        with np.errstate(all="ignore"):
            r = np.asarray(self.residual(theta.copy()), np.float64)
        if r.shape != (self.rows,):
            raise ValueError(
                f"residual must return {self.rows} numbers, as at the start; it returned the shape {r.shape}"
            )
        return r

    def J(self, theta: Vector) -> Vector:
        """Return the Jacobian, (n, P)."""
        self.jacobians += 1
        with np.errstate(all="ignore"):
            given = self._differences(theta) if self.derivative is None else self.derivative(theta.copy())
        J = np.asarray(given, np.float64)
        if J.shape != (self.rows, theta.size):
            raise ValueError(f"jacobian must return the shape {(self.rows, theta.size)}, got {J.shape}")
        if not np.isfinite(J).all():
            row, column = np.argwhere(~np.isfinite(J))[0]
            raise ValueError(f"the derivative of residual {row} in parameter {column} is {J[row, column]}")
        return J

    def _differences(self, theta: Vector) -> Vector:
        """Return (r(θ + h e) - r(θ - h e)) / 2h for each parameter, side by side."""
        columns = []
        for k, value in enumerate(theta):
            ahead, behind = theta.copy(), theta.copy()
            ahead[k] += DIFFERENCE * (abs(value) or 1.0)
            behind[k] -= DIFFERENCE * (abs(value) or 1.0)
            columns.append((self._r(ahead) - self._r(behind)) / (ahead[k] - behind[k]))
        return np.stack(columns, axis=1)


class Region(NamedTuple):
    """The least-squares problem ‖r + J p‖² at one point, by the singular values of J D⁻¹ = U S Vᵀ."""

    S: Vector
    Vt: Vector
    shares: Vector
    """Uᵀ r."""

    @classmethod
    def of(cls, J: Vector, r: Vector, D: Vector) -> Region:
        """Decompose J D⁻¹."""
        U, S, Vt = np.linalg.svd(J / D, full_matrices=False)
        return cls(S, Vt, U.T @ r)

    def step(self, radius: float) -> tuple[Vector, float]:
        """Return D p and λ: the Gauss-Newton step where it keeps to the region, else the one that ends on its edge.

        ‖D p(λ)‖ = Δ is solved for λ by Newton's method on 1/Δ - 1/‖D p‖, which is nearly linear in λ.
        """
        S, shares = self.S, self.shares
        kept = S.max(initial=0.0) * EPSILON * len(S) < S
        plain = np.where(kept, -shares / np.where(kept, S, 1.0), 0.0)
        if np.linalg.norm(plain) <= radius:
            return self.Vt.T @ plain, 0.0
        low, high = 0.0, float(np.linalg.norm(S * shares)) / radius
        damping = max(1e-3 * high, sqrt(low * high))
        for _ in range(50):
            p = -S * shares / (S**2 + damping)
            length = float(np.linalg.norm(p))
            if abs(length - radius) <= 0.1 * radius:
                break
            low, high = (damping, high) if length > radius else (low, damping)
            slope = -float(np.sum(p**2 / (S**2 + damping))) / length
            damping -= (length - radius) / radius * length / slope
            if not low < damping < high:
                damping = max(1e-3 * high, sqrt(low * high))
        return self.Vt.T @ (-S * shares / (S**2 + damping)), damping


def _fitted(problem: _Problem, theta: Vector, tolerance: float, most: int) -> LeastSquaresResult:
    """Take steps until one of the tests ends it."""
    r = problem.r(theta)
    J = problem.J(theta)
    D = _scales(J)
    radius = FIRST_RADIUS * (float(np.linalg.norm(D * theta)) or 1.0)
    reason = "" if r.any() else "the residual is zero"
    region = Region.of(J, r, D)
    first = True
    while not reason:
        size = float(np.linalg.norm(r))
        if _cosine(J, r) <= tolerance:
            reason = "the residual is at right angles to every column of the Jacobian"
            break
        scaled, damping = region.step(radius)
        length = float(np.linalg.norm(scaled))
        radius = min(radius, length) if first else radius
        first = False
        step = scaled / D
        tried = theta + step
        after = problem.r(tried)
        pushed = (float(np.linalg.norm(J @ step)) / size) ** 2
        held = damping * (length / size) ** 2
        foretold, slope, gained = pushed + 2 * held, -(pushed + held), -1.0
        new = float(np.linalg.norm(after))
        if isfinite(new) and 0.1 * new < size:
            gained = 1 - (new / size) ** 2
        ratio = gained / foretold if foretold > 0 else 0.0
        if ratio <= POOR:
            radius = _shrunk(gained, slope) * min(radius, 10 * length)
        elif damping == 0 or ratio >= GOOD:
            radius = 2 * length
        if ratio >= LEAST:
            theta, r = tried, after
            if not r.any():
                reason = "the residual is zero"
            J = problem.J(theta)
            D = np.maximum(D, _scales(J))
            region = Region.of(J, r, D)
        if abs(gained) <= tolerance and foretold <= tolerance:
            reason = reason or "the sum of squares gains no more"
        elif radius <= tolerance * float(np.linalg.norm(D * theta)):
            reason = reason or "the steps are smaller than the tolerance"
        elif problem.evaluations >= most:
            return _result(problem, theta, r, J, False, f"max_evaluations={most} reached")
        elif abs(gained) <= EPSILON and foretold <= EPSILON:
            reason = reason or "the sum of squares gains no more than its rounding"
        elif radius <= EPSILON * float(np.linalg.norm(D * theta)):
            reason = reason or "the steps are smaller than the rounding of θ"
    return _result(problem, theta, r, J, True, reason)


def _scales(J: Vector) -> Vector:
    """Return the norm of each column; 1 for a column of zeros."""
    norms = np.linalg.norm(J, axis=0)
    return np.where(norms > 0, norms, 1.0)


def _cosine(J: Vector, r: Vector) -> float:
    """Return the largest cosine of the angles between r and the columns of J."""
    with np.errstate(all="ignore"):
        cosines = np.abs(J.T @ (r / np.linalg.norm(r))) / _scales(J)
    return float(np.max(cosines))


def _shrunk(gained: float, slope: float) -> float:
    """Return the factor of Δ after a poor step: where the parabola through its gain is least, from 0.1 to 0.5."""
    share = 0.5 if gained >= 0 else 0.5 * slope / (slope + 0.5 * gained)
    return max(share, 0.1)


def _result(problem: _Problem, theta: Vector, r: Vector, J: Vector, converged: bool, reason: str) -> LeastSquaresResult:
    value = float(r @ r)
    errors = standard_errors(J, value)
    return LeastSquaresResult(theta, value, r, J, errors, converged, reason, problem.evaluations, problem.jacobians)


def standard_errors(J: Vector, value: float) -> Vector:
    """Return √diag(s² (JᵀJ)⁻¹), (P,), with s² = value / (n - P); NaN where J does not tell a parameter from others.

    >>> standard_errors(np.array([[1.0], [1.0], [1.0]]), 6.0)
    array([1.])
    """
    rows, P = J.shape
    if rows <= P:
        return np.full(P, np.nan)
    D = _scales(J)
    _, S, Vt = np.linalg.svd(J / D, full_matrices=False)
    lost = S.max(initial=0.0) * EPSILON * rows >= S
    inverse = np.where(lost, 0.0, 1 / np.where(lost, 1.0, S))
    errors = np.sqrt(value / (rows - P)) * np.linalg.norm(Vt.T * inverse, axis=1) / D
    told: Any = (Vt[lost] ** 2).sum(axis=0) > EPSILON if lost.any() else np.zeros(P, bool)
    return np.where(told, np.nan, errors)
