"""The update rules again, written from their papers: scalar Python loops that share nothing with chainrule.

Each oracle is a generator. It yields the point at which the next gradient is taken, (P,) as a list, after every
step: that point is what chainrule calls θ. `gradient(t, point)` gives the gradient of step t = 0, 1, ... at a point;
`rates` gives the learning rate of each step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import sqrt

Point = list[float]
Gradient = Callable[[int, Point], Sequence[float]]


def gradient_descent(theta: Point, gradient: Gradient, rates: Sequence[float]) -> Iterator[Point]:
    """Cauchy: x ← x - η f'(x)."""
    x = list(theta)
    for t, eta in enumerate(rates):
        g = gradient(t, x)
        for j in range(len(x)):
            x[j] -= eta * g[j]
        yield list(x)


def momentum(theta: Point, gradient: Gradient, rates: Sequence[float], momentum: float = 0.9) -> Iterator[Point]:
    """The notes, after Polyak 1964: Δ = η g + γ Δ of the step before; x ← x - Δ."""
    x, before = list(theta), [0.0] * len(theta)
    for t, eta in enumerate(rates):
        g = gradient(t, x)
        for j in range(len(x)):
            change = eta * g[j] + momentum * before[j]
            x[j] -= change
            before[j] = change
        yield list(x)


def heavy_ball(theta: Point, gradient: Gradient, rates: Sequence[float], momentum: float = 0.9) -> Iterator[Point]:
    """Polyak 1964, in points alone: x' = x - η f'(x) + γ (x - x of the step before)."""
    x, before = list(theta), list(theta)
    for t, eta in enumerate(rates):
        g = gradient(t, x)
        after = [x[j] - eta * g[j] + momentum * (x[j] - before[j]) for j in range(len(x))]
        x, before = after, x
        yield list(x)


def nesterov(theta: Point, gradient: Gradient, rates: Sequence[float], momentum: float = 0.9) -> Iterator[Point]:
    """Nesterov 1983 as Sutskever et al. 2013 write it: v ← γ v + η f'(x - γ v); x ← x - v.

    Two sequences, x and v; yielded is the point ahead, x - γ v, where the next gradient is taken.
    """
    x, v = list(theta), [0.0] * len(theta)
    for t, eta in enumerate(rates):
        ahead = [x[j] - momentum * v[j] for j in range(len(x))]
        g = gradient(t, ahead)
        for j in range(len(x)):
            v[j] = momentum * v[j] + eta * g[j]
            x[j] -= v[j]
        yield [x[j] - momentum * v[j] for j in range(len(x))]


def adagrad(theta: Point, gradient: Gradient, rates: Sequence[float], epsilon: float = 1e-8) -> Iterator[Point]:
    """Duchi et al. 2011, diagonal: s = ‖g of all steps so far‖ of each entry, H = δ + s; x ← x - η g / H."""
    x: Point = list(theta)
    seen: list[list[float]] = [[] for _ in theta]
    for t, eta in enumerate(rates):
        g = gradient(t, x)
        for j in range(len(x)):
            seen[j].append(g[j])
            x[j] -= eta * g[j] / (epsilon + sqrt(sum(past * past for past in seen[j])))
        yield list(x)


def adadelta(
    theta: Point, gradient: Gradient, rates: Sequence[float], rho: float = 0.95, epsilon: float = 1e-6
) -> Iterator[Point]:
    """Zeiler 2012, algorithm 1: Δx = -(RMS[Δx] / RMS[g]) g, RMS[y] = √(E[y²] + ε); x ← x + η Δx, η = 1 there."""
    x, mean_g, mean_change = list(theta), [0.0] * len(theta), [0.0] * len(theta)
    for t, eta in enumerate(rates):
        g = gradient(t, x)
        for j in range(len(x)):
            mean_g[j] = rho * mean_g[j] + (1 - rho) * g[j] ** 2
            change = -sqrt(mean_change[j] + epsilon) / sqrt(mean_g[j] + epsilon) * g[j]
            mean_change[j] = rho * mean_change[j] + (1 - rho) * change**2
            x[j] += eta * change
        yield list(x)


def rmsprop(
    theta: Point, gradient: Gradient, rates: Sequence[float], rho: float = 0.9, epsilon: float = 1e-8
) -> Iterator[Point]:
    """Tieleman and Hinton 2012: MeanSquare = 0.9 MeanSquare + 0.1 g²; g divided by √MeanSquare."""
    x, mean_square = list(theta), [0.0] * len(theta)
    for t, eta in enumerate(rates):
        g = gradient(t, x)
        for j in range(len(x)):
            mean_square[j] = rho * mean_square[j] + (1 - rho) * g[j] ** 2
            x[j] -= eta * g[j] / (sqrt(mean_square[j]) + epsilon)
        yield list(x)


def adam(
    theta: Point,
    gradient: Gradient,
    rates: Sequence[float],
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
) -> Iterator[Point]:
    """Kingma and Ba 2015, algorithm 1, line by line."""
    x, m, v = list(theta), [0.0] * len(theta), [0.0] * len(theta)
    for step, alpha in enumerate(rates):
        t = step + 1
        g = gradient(step, x)
        for j in range(len(x)):
            m[j] = beta_1 * m[j] + (1 - beta_1) * g[j]
            v[j] = beta_2 * v[j] + (1 - beta_2) * g[j] ** 2
            m_hat, v_hat = m[j] / (1 - beta_1**t), v[j] / (1 - beta_2**t)
            x[j] -= alpha * m_hat / (sqrt(v_hat) + epsilon)
        yield list(x)


def adamw(
    theta: Point,
    gradient: Gradient,
    rates: Sequence[float],
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.01,
    decayed: Sequence[float] | None = None,
) -> Iterator[Point]:
    """Loshchilov and Hutter 2019, algorithm 2: x ← x - η_t (α m̂ / (√v̂ + ε) + λ x).

    The paper keeps α apart from the schedule's η_t; chainrule's learning rate is η_t α, so α = 1 here and
    `weight_decay` is the paper's λ / α. `decayed` is 0 for the entries that are spared, all decay without it.
    """
    alpha = 1.0
    x, m, v = list(theta), [0.0] * len(theta), [0.0] * len(theta)
    for step, eta in enumerate(rates):
        t = step + 1
        g = gradient(step, x)
        for j in range(len(x)):
            decay = weight_decay * x[j] if decayed is None or decayed[j] else 0.0
            m[j] = beta_1 * m[j] + (1 - beta_1) * g[j]
            v[j] = beta_2 * v[j] + (1 - beta_2) * g[j] ** 2
            m_hat, v_hat = m[j] / (1 - beta_1**t), v[j] / (1 - beta_2**t)
            x[j] -= eta * (alpha * m_hat / (sqrt(v_hat) + epsilon) + decay)
        yield list(x)
