"""The problems that every optimiser is tried on.

Each row of PROBLEMS is a `Problem`:

- `name`: for the test's id;
- `objective`: has `value(theta)`, `value_and_gradient(theta)`, `hessian_product(theta, v)`,
  `gauss_newton_product(theta, v)` and `rows`. The analytic
  ones are `Quadratic` and `Rosenbrock` below, the two data sets are a chainrule `Objective` on all of their rows.
  The analytic ones have `passes` too, and return themselves as their own batch, so that an engine and L-BFGS can run
  every row of the table;
- `start`: where to begin, (P,) float64; copy it before an in-place update;
- `optimum`: θ* (P,), or None where it is not known or not unique;
- `wanted`: the value to come down to. For the analytic problems it is J(θ*) = 0, so state a tolerance; for the data
  sets it is a loss at which every row is on its right side with room to spare.

Nothing is random: the points of the spirals follow a formula, and the networks start from `Network.initialize`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import Activation, Dense, Network, Objective
from chainrule.losses import SigmoidCrossEntropy

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """One row of the table; the head of this module says what its fields mean."""

    name: str
    objective: Any
    start: Vector
    wanted: float
    optimum: Vector | None = None


class Analytic(ABC):
    """A function of θ alone. Subclasses give value, gradient and hessian_product."""

    rows = 1
    network: Any = None
    proximal = ()

    @abstractmethod
    def value(self, theta: Vector) -> float:
        """Return the value at θ."""

    @abstractmethod
    def gradient(self, theta: Vector) -> Vector:
        """Return the gradient at θ."""

    def value_and_gradient(self, theta: Vector) -> tuple[float, Vector]:
        return self.value(theta), self.gradient(theta)

    def passes(self, theta: Vector, context: Any) -> tuple[float, Vector, dict[str, Vector]]:
        """Return value and gradient, and that nothing is measured: what an engine asks."""
        return *self.value_and_gradient(theta), {}

    def batch(self, rows: Any) -> Analytic:
        return self


class Quadratic(Analytic):
    """½ (θ - θ*)ᵀ A (θ - θ*), A having the given eigenvalues in a basis that no axis lies in.

    The basis is the Householder reflection 1 - 2uuᵀ with u ∝ (1, 2, ..., P): a method that only scales the axes
    apart (AdaGrad, Adam) does not see the eigenvectors for free. The gradient method needs η < 2 / max eigenvalue,
    and contracts at best by (κ - 1) / (κ + 1), κ being the ratio of the extreme eigenvalues.
    """

    def __init__(self, eigenvalues: Vector, optimum: Vector) -> None:
        u = np.arange(1.0, len(eigenvalues) + 1)
        basis = np.eye(len(u)) - 2 * np.outer(u, u) / (u @ u)
        self.A = basis @ np.diag(eigenvalues) @ basis
        self.eigenvalues, self.optimum = eigenvalues, optimum

    def value(self, theta: Vector) -> float:
        r = theta - self.optimum
        return 0.5 * float(r @ self.A @ r)

    def gradient(self, theta: Vector) -> Vector:
        return self.A @ (theta - self.optimum)

    def hessian_product(self, theta: Vector, v: Vector) -> Vector:
        return self.A @ v

    def gauss_newton_product(self, theta: Vector, v: Vector) -> Vector:
        return self.A @ v


class Rosenbrock(Analytic):
    """(1 - a)² + 100 (b - a²)² of θ = (a, b): a bent, narrow valley with its minimum 0 at (1, 1)."""

    def value(self, theta: Vector) -> float:
        a, b = theta
        return float((1 - a) ** 2 + 100 * (b - a * a) ** 2)

    def gradient(self, theta: Vector) -> Vector:
        a, b = theta
        return np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])

    def hessian_product(self, theta: Vector, v: Vector) -> Vector:
        a, b = theta
        return np.array([[2 - 400 * (b - 3 * a * a), -400 * a], [-400 * a, 200]]) @ v

    def gauss_newton_product(self, theta: Vector, v: Vector) -> Vector:
        J = np.array([[1.0, 0.0], [-20 * theta[0], 10.0]])
        return 2 * J.T @ (J @ v)


def quadratic(condition: float, size: int = 6) -> Problem:
    """Return a quadratic with eigenvalues from 1/condition to 1, evenly spaced in the logarithm."""
    optimum = np.linspace(-1, 1, size)
    objective = Quadratic(np.geomspace(1 / condition, 1, size), optimum)
    return Problem(f"quadratic, condition {condition:g}", objective, np.full(size, 2.0), 0.0, optimum)


def rosenbrock() -> Problem:
    """Return Rosenbrock's function from his own starting point."""
    return Problem("rosenbrock", Rosenbrock(), np.array([-1.2, 1.0]), 0.0, np.ones(2))


def xor() -> Problem:
    """Return XOR for a 2-4-1 network of tanh units: four rows that no linear model gets right."""
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    network = Network(2, [Dense(4), Activation("tanh"), Dense(1)])
    objective = Objective(network, SigmoidCrossEntropy(), X, np.array([0.0, 1.0, 1.0, 0.0]))
    return Problem("xor", objective, network.initialize(seed=0), 0.05)


def spirals(points: int = 40) -> tuple[Vector, Vector]:
    """Return two interlocked spirals of one and a half turns: X (2 points, 2), and 0 or 1 for each row."""
    angle = np.linspace(0.5 * pi, 3.5 * pi, points)
    arm = 2 * (angle / (3.5 * pi))[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.concatenate([arm, -arm]), np.repeat([0.0, 1.0], points)


def two_spirals() -> Problem:
    """Return the two spirals for a 2-16-16-1 network of tanh units."""
    X, y = spirals()
    network = Network(2, [Dense(16), Activation("tanh"), Dense(16), Activation("tanh"), Dense(1)])
    return Problem("two spirals", Objective(network, SigmoidCrossEntropy(), X, y), network.initialize(seed=0), 0.1)


PROBLEMS: tuple[Problem, ...] = (quadratic(10), quadratic(1000), rosenbrock(), xor(), two_spirals())
"""The table, mildest first."""
