"""The problems of Moré, Garbow and Hillstrom, their verbs, and how a minimiser is run on what has no network.

Each problem gives its residual r (n,) and the Jacobian (n, P) at θ (P,), and Moré's starting point; J(θ) = ‖r‖².

Source: Moré, Garbow and Hillstrom 1981, "Testing unconstrained optimization software".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.optimizers import Memory, StepReport

Vector = NDArray[np.float64]
Residual = Callable[[Vector], tuple[Vector, Vector]]


def rosenbrock(x: Vector) -> tuple[Vector, Vector]:
    a, b = x
    return np.array([10 * (b - a * a), 1 - a]), np.array([[-20 * a, 10], [-1, 0]])


def powell_singular(x: Vector) -> tuple[Vector, Vector]:
    """Powell's function, whose Hessian is singular at the minimum."""
    a, b, c, d = x
    r = [a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2]
    bent, far = 2 * (b - 2 * c), 2 * 10**0.5 * (a - d)
    J = [[1, 10, 0, 0], [0, 0, 5**0.5, -(5**0.5)], [0, bent, -2 * bent, 0], [far, 0, 0, -far]]
    return np.array(r), np.array(J)


def wood(x: Vector) -> tuple[Vector, Vector]:
    a, b, c, d = x
    s, t = 90**0.5, 10**0.5
    r = [10 * (b - a * a), 1 - a, s * (d - c * c), 1 - c, t * (b + d - 2), (b - d) / t]
    J = [[-20 * a, 10, 0, 0], [-1, 0, 0, 0], [0, 0, -2 * s * c, s], [0, 0, -1, 0], [0, t, 0, t], [0, 1 / t, 0, -1 / t]]
    return np.array(r), np.array(J)


def helical_valley(x: Vector) -> tuple[Vector, Vector]:
    a, b, c = x
    square = a * a + b * b
    turn, radius = np.arctan(b / a) / (2 * np.pi) + (0.5 if a < 0 else 0), np.sqrt(square)
    around = 100 / (2 * np.pi * square)
    J = [[around * b, -around * a, 10], [10 * a / radius, 10 * b / radius, 0], [0, 0, 1]]
    return np.array([10 * (c - 10 * turn), 10 * (radius - 1), c]), np.array(J)


def beale(x: Vector) -> tuple[Vector, Vector]:
    a, b = x
    powers, y = np.arange(1, 4), np.array([1.5, 2.25, 2.625])
    return y - a * (1 - b**powers), np.stack([-(1 - b**powers), a * powers * b ** (powers - 1)], axis=1)


def bard(x: Vector) -> tuple[Vector, Vector]:
    y = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
    u = np.arange(1.0, 16.0)
    v = 16 - u
    w = np.minimum(u, v)
    d = v * x[1] + w * x[2]
    return y - (x[0] + u / d), np.stack([-np.ones(15), u * v / d**2, u * w / d**2], axis=1)


def trigonometric(x: Vector) -> tuple[Vector, Vector]:
    n = np.arange(1, len(x) + 1)
    r = len(x) - np.cos(x).sum() + n * (1 - np.cos(x)) - np.sin(x)
    return r, np.sin(x)[None, :] + np.diag(n * np.sin(x) - np.cos(x))


MORE: dict[str, tuple[Residual, list[float]]] = {
    "rosenbrock": (rosenbrock, [-1.2, 1]),
    "powell singular": (powell_singular, [3, -1, 0, 1]),
    "wood": (wood, [-3, -1, -3, -1]),
    "helical valley": (helical_valley, [-1, 0, 0]),
    "beale": (beale, [1, 1]),
    "bard": (bard, [1, 1, 1]),
    "trigonometric": (trigonometric, [0.1] * 10),
}
"""The table."""


@dataclass
class Asked:
    """The verbs of a problem, which count the θ that J was asked at; a θ asked twice in a row counts once."""

    residual: Residual
    count: int = 0
    last: Any = None

    def _at(self, theta: Any) -> tuple[Vector, Vector]:
        return self.residual(np.asarray(theta, np.float64))

    def value(self, theta: Any) -> float:
        if self.last is None or not np.array_equal(theta, self.last):
            self.count += 1
            self.last = np.array(theta)
        r, _ = self._at(theta)
        return float(r @ r)

    def gradient(self, theta: Any) -> Vector:
        r, J = self._at(theta)
        return 2 * J.T @ r

    def value_and_gradient(self, theta: Any) -> tuple[float, Any]:
        return self.value(theta), self.gradient(theta).astype(theta.dtype)

    def hessian(self, theta: Any) -> Vector:
        """Return the Hessian by central differences of the gradient."""
        h, theta = 1e-5, np.asarray(theta, np.float64)
        unit = np.eye(theta.size)
        columns = [(self.gradient(theta + h * e) - self.gradient(theta - h * e)) / (2 * h) for e in unit]
        H = np.stack(columns)
        return (H + H.T) / 2

    def hessian_product(self, theta: Any, v: Any) -> Any:
        return (self.hessian(theta) @ v).astype(theta.dtype)

    def gauss_newton_product(self, theta: Any, v: Any) -> Any:
        _, J = self._at(theta)
        return (2 * J.T @ (J @ v)).astype(theta.dtype)


def run(optimizer: Any, ask: Any, start: Any, steps: int = 5000) -> tuple[Any, Memory, list[StepReport]]:
    """Return θ, the memory and the reports after so many steps, or at the end that the optimiser declares."""
    theta, reports = np.array(start), list[StepReport]()
    memory = optimizer.init(None, theta)
    while len(reports) < steps and not (reports and reports[-1].message):
        theta, memory, report = optimizer.step(ask, theta, memory, 1.0)
        reports.append(report)
    return theta, memory, reports
