"""Levenberg's and Marquardt's method, and MacKay's Bayesian regularisation, which stands on it.

    (N G + μ 1) d = -N g

G is the Gauss-Newton matrix of J, g its gradient and N the total weight of the rows: for the squared error N G = JᵀJ
and N g = Jᵀe, as in the textbooks. μ large is a short step along -g, μ small is the Gauss-Newton step.

Shapes: P parameters, n rows, o outputs; θ, g and d (P,), G (P, P).

Source: Levenberg 1944; Marquardt 1963; Hagan and Menhaj 1994; MacKay 1992; Foresee and Hagan 1997.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..foundation import values
from ..foundation.arrays import Array
from ..mathematics.gauss_newton import Quadratic, Root
from ..mathematics.losses import Loss
from .contract import Evidence, Memory, Optimizer, StepReport, Verbs
from .line_search import TOLERANCE, check_size, norm, seen_condition

Vector = NDArray[np.float64]

POSITIVE = values.POSITIVE
NO_STEP: Mapping[str, float] = {"condition": nan}
"""The figures of a step that was none; else a lower bound of the condition number of what was solved with."""

STUCK = "no damping up to {:g} makes the loss smaller"
FALLING = "the evidence has not grown for {} steps"

FIRST = 0.75
"""γ begins as P, but with at most this share of the residuals: were all used up, β would be 0 and stay there."""

TOLD = ("log_evidence", "alpha", "beta", "gamma", "evidence")
"""The numbers kept with the θ of the greatest evidence; the last is the loss there."""

FIELDS: Mapping[str, values.Rule] = {
    "damping": POSITIVE,
    "decrease": values.Number(0, 1, True, True),
    "increase": values.Number(1, low_open=True),
    "largest": POSITIVE,
    "scaled": values.Flag(),
    "tolerance": TOLERANCE,
}


@dataclass(frozen=True)
class LevenbergMarquardt(Optimizer):
    """θ ← θ + d with (N G + μ 1) d = -N g: a step that makes J larger is tried again with μ `increase` times larger.

    A step that is taken makes μ `decrease` times smaller. `scaled` damps each parameter by its own curvature, μ
    diag(N G), so that its unit does not matter (Marquardt). Ends when the largest entry of the gradient is at most
    `tolerance`, and when μ passes `largest`. It holds P × P numbers, or n o × n o where that is less. Memory: μ.

    The defaults are MATLAB's `trainlm`.

    >>> import chainrule as cr
    >>> network, X = cr.Network(1, [cr.Dense(1)]), np.array([[0.0], [1.0], [2.0]])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, np.array([1.0, 3.0, 5.0]))
    >>> cr.train(objective, np.zeros(2), optimizer=LevenbergMarquardt()).theta.round(3)
    array([2., 1.])
    """

    needs: ClassVar[frozenset[str]] = frozenset({"value", "gauss_newton"})
    whole_batch: ClassVar[bool] = True
    damping: float = 1e-3
    decrease: float = 0.1
    increase: float = 10.0
    largest: float = 1e10
    scaled: bool = False
    tolerance: float = 1e-7

    def __post_init__(self) -> None:
        values.check(self, FIELDS)

    def init(self, network: Any, theta: Array) -> Memory:
        """Return the memory before the first step; ValueError for too many parameters."""
        check_size("levenberg_marquardt", theta.size)
        return Memory(0, {}, {"damping": self.damping})

    def step(self, ask: Verbs, theta: Array, memory: Memory, rate: float) -> tuple[Array, Memory, StepReport]:
        """Return θ + d, the memory with the next μ, and the loss after the step."""
        parabola = ask.gauss_newton(theta)
        size = norm(parabola.gradient)
        message = ended(parabola, self.tolerance)
        if message or not isfinite(parabola.value):
            return theta, memory, StepReport(parabola.value, size, bool(message), message, NO_STEP)
        mu = memory.numbers["damping"]
        while mu <= self.largest:
            damping = damped(parabola, mu, self.scaled)
            d = parabola.step(damping)
            tried = moved(theta, d)
            value = float(ask.value(tried)) if tried is not None else np.inf
            if tried is not None and value < parabola.value:
                after = Memory(memory.t + 1, {}, {"damping": max(mu * self.decrease, 1e-20)})
                return tried, after, StepReport(value, size, figures=seen(parabola, damping, d))
            mu *= self.increase
        return theta, memory, StepReport(parabola.value, size, True, STUCK.format(self.largest), NO_STEP)

    def evidence(self, memory: Memory, parameters: int, residuals: float, squares: float | None) -> Evidence:
        """Return β = (residuals - P) / squares, NaN where that is not above 0; 1 without squares."""
        free = residuals - parameters
        return Evidence(0.0, 1.0 if squares is None else free / squares if free > 0 and squares else nan)


def seen(parabola: Quadratic | Root, damping: Vector, d: Vector | None) -> Mapping[str, float]:
    """Return the figures of a step d: a lower bound of the condition number of G + diag(damping)."""
    if d is None:
        return NO_STEP
    return {"condition": seen_condition(parabola.diagonal + damping, d, parabola.gradient)}


def ended(parabola: Quadratic | Root, tolerance: float) -> str:
    """Return the words for a gradient that is small enough, "" for one that is not."""
    flat = float(np.abs(parabola.gradient).max(initial=0.0)) <= tolerance
    return f"every entry of the gradient is at most {tolerance:g}" if flat else ""


def damped(parabola: Quadratic | Root, mu: float, scaled: bool) -> Vector:
    """Return the numbers added to the diagonal of G, (P,): μ / N, or μ times the diagonal, at least a tiny bit."""
    if not scaled:
        return np.full(len(parabola.gradient), mu / parabola.total)
    diagonal = parabola.diagonal
    return np.asarray(mu * np.maximum(diagonal, 1e-12 * diagonal.max(initial=1e-300)))


def moved(theta: Array, d: Vector | None) -> Array | None:
    """Return θ + d in the dtype of θ; None where there is no d, or it is not finite."""
    if d is None or not np.isfinite(d).all():
        return None
    return np.asarray((theta.astype(np.float64) + d).astype(theta.dtype))


@dataclass(frozen=True)
class BayesianRegularization(Optimizer):
    """Levenberg's and Marquardt's method on F = β N E + ½ α ‖θ‖², with α and β told from the data as it goes.

        γ = Σ β λ / (β λ + α)  over the eigenvalues λ of N G        α = γ / ‖θ‖²        β = (n o - γ) / 2 N E

    E is the loss: of squares, half the mean square of the residuals, so that β is one over the variance of the noise.
    γ, from 0 to P, is the number of parameters that the data determine. No rows are needed for a validation. Where the
    loss is a log-likelihood as it stands, as in classification, `noise=False` keeps β at 1. A penalty of the objective
    stays as it is, beside ½ α ‖θ‖². Ends when γ, E and ‖θ‖² change by less than `still` of themselves in
    `patience` steps, and as LevenbergMarquardt ends. Memory: μ, α, β, γ.

    From step to step γ can grow until the noise itself is learned, while the evidence for α and β falls:

        log p(y | α, β) = -F - ½ log |β N G + α 1| + ½ P log α + ½ n o log β

    So the training also ends when the evidence has not grown for `falling` steps, and whenever it ends by itself, θ, α,
    β and γ are those of the greatest evidence.

    Source: MacKay 1992; Foresee and Hagan 1997 (after every step); the constants are MATLAB's `trainbr`.

    >>> import chainrule as cr
    >>> X = np.linspace(-1, 1, 20)[:, None]
    >>> y = 2 * X[:, 0] + 0.1 * np.cos(9 * X[:, 0])
    >>> objective = cr.Objective(cr.Network(1, [cr.Dense(1)]), cr.losses.SquaredError(), X, y)
    >>> result = cr.train(objective, np.array([0.5, 0.5]), optimizer=BayesianRegularization())
    >>> 1 < result.state.memory.numbers["gamma"] < 2
    True
    """

    needs: ClassVar[frozenset[str]] = frozenset({"value", "gauss_newton"})
    whole_batch: ClassVar[bool] = True
    damping: float = 5e-3
    decrease: float = 0.1
    increase: float = 10.0
    largest: float = 1e10
    noise: bool = True
    still: float = 1e-5
    patience: int = 5
    falling: int = 50
    tolerance: float = 1e-7

    def __post_init__(self) -> None:
        own: dict[str, values.Rule] = {"noise": values.Flag(), "still": values.Number(0), "patience": values.COUNT}
        own["falling"] = values.COUNT
        values.check(self, {name: rule for name, rule in FIELDS.items() if name != "scaled"} | own)

    def init(self, network: Any, theta: Array) -> Memory:
        """Return the memory before the first step; ValueError for too many parameters."""
        check_size("bayesian", theta.size)
        names = {"damping": self.damping, "alpha": 0.0, "beta": 1.0, "gamma": float(theta.size), "still": 0.0}
        names |= {"evidence": 0.0, "log_evidence": 0.0, "since": 0.0, "outputs": float(network.outputs)}
        best = {"best": theta.copy(), "told": np.full(len(TOLD), -np.inf)}
        return Memory(0, best, names)

    def suited(self, loss: Loss) -> Self:
        """Return itself, with β kept at 1 for a loss that is a log-likelihood as it stands."""
        return replace(self, noise=self.noise and loss.targets == "real")

    def evidence(self, memory: Memory, parameters: int, residuals: float, squares: float | None) -> Evidence:
        """Return the last α, β and γ."""
        return Evidence(*(memory.numbers[name] for name in ("alpha", "beta", "gamma")))

    def step(self, ask: Verbs, theta: Array, memory: Memory, rate: float) -> tuple[Array, Memory, StepReport]:
        """Return θ + d, the memory with the next μ, α, β and γ, and the loss after the step."""
        parabola = ask.gauss_newton(theta)
        size = norm(parabola.gradient)
        if not isfinite(parabola.value):
            return theta, memory, StepReport(parabola.value, size, figures=NO_STEP)
        numbers, start = dict(memory.numbers), theta.astype(np.float64)
        share = numbers["alpha"] / (numbers["beta"] * parabola.total)  # F / (β N) = E + ½ share ‖θ‖²
        here = parabola.value + 0.5 * share * float(start @ start)
        sloped = parabola._replace(gradient=parabola.gradient + share * start)
        mu, found, value = numbers["damping"], None, parabola.value
        while mu <= self.largest and found is None:
            damping = np.full(theta.size, share + mu / parabola.total)
            d = sloped.step(damping)
            tried = moved(theta, d)
            if tried is not None:
                value = float(ask.value(tried))
                wide = tried.astype(np.float64)
                if value + 0.5 * share * float(wide @ wide) < here:
                    found = tried
            mu *= self.decrease if found is not None else self.increase
        if found is None:
            best, after, reached = greatest(theta, memory, parabola.value)
            return best, after, StepReport(reached, size, True, STUCK.format(self.largest), NO_STEP)
        numbers["damping"] = max(mu, 1e-20)
        message = self._told(numbers, ask.gauss_newton(found), found.astype(np.float64))
        after = self._kept(Memory(memory.t + 1, memory.arrays, numbers), found)
        if not message and after.numbers["since"] >= self.falling:
            message = FALLING.format(self.falling)
        if message:
            found, after, value = greatest(found, after, value)
        return found, after, StepReport(value, size, bool(message), message, seen(sloped, damping, d))

    def _kept(self, memory: Memory, theta: Array) -> Memory:
        """Return the memory that keeps θ and what was told there, where the evidence is the greatest so far."""
        grown = memory.numbers["log_evidence"] > memory["told"][0]
        numbers = {**memory.numbers, "since": 0.0 if grown else memory.numbers["since"] + 1}
        told = np.array([numbers[name] for name in TOLD])
        arrays = {"best": theta.copy(), "told": told} if grown else memory.arrays
        return Memory(memory.t, arrays, numbers)

    def _told(self, numbers: dict[str, float], parabola: Quadratic | Root, theta: Vector) -> str:
        """Set α, β and γ from θ; return the words for values that do not change any more, or ""."""
        N, sizes, before = parabola.total, float(theta @ theta), dict(numbers)
        curvatures = np.maximum(parabola.bends(), 0) * N
        bends = curvatures * numbers["beta"]
        residuals = N * numbers["outputs"]
        first = min(float(theta.size), FIRST * residuals) if self.noise else float(theta.size)
        gamma = float(np.sum(bends / (bends + numbers["alpha"]))) if numbers["alpha"] else first
        errors = max(2 * N * parabola.value, np.finfo(np.float64).tiny)
        gamma = min(gamma, 0.999 * residuals) if self.noise else gamma
        numbers["gamma"], numbers["alpha"] = gamma, gamma / max(sizes, np.finfo(np.float64).tiny)
        if self.noise:
            numbers["beta"] = (residuals - gamma) / errors
        numbers["evidence"] = parabola.value
        numbers["log_evidence"] = log_evidence(numbers, curvatures, theta, N)
        changes = [
            abs(numbers[name] - before[name]) / max(abs(numbers[name]), 1e-300)
            for name in ("gamma", "alpha", "evidence")
        ]
        numbers["still"] = numbers["still"] + 1 if max(changes) <= self.still else 0.0
        return f"γ, the loss and ‖θ‖² stay as they are: γ = {gamma:.1f}" if numbers["still"] >= self.patience else ""


def log_evidence(numbers: Mapping[str, float], curvatures: Vector, theta: Vector, total: float) -> float:
    """Return log p(y | α, β), but for a constant, from the eigenvalues of N G; those left out are 0."""
    alpha, beta, sizes = numbers["alpha"], numbers["beta"], float(theta @ theta)
    fit = beta * total * numbers["evidence"] + 0.5 * alpha * sizes
    volume = float(np.log1p(beta * curvatures / alpha).sum())  # log |β N G + α 1| - P log α
    return -fit - 0.5 * volume + 0.5 * total * numbers["outputs"] * float(np.log(beta))


def greatest(theta: Array, memory: Memory, value: float) -> tuple[Array, Memory, float]:
    """Return θ of the greatest evidence, the memory with what was told there, and the loss; as given where none was."""
    if not isfinite(memory["told"][0]):
        return theta, memory, value
    told = {name: float(number) for name, number in zip(TOLD, memory["told"], strict=True)}
    return memory["best"].copy(), Memory(memory.t, memory.arrays, {**memory.numbers, **told}), told["evidence"]
