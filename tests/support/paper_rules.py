"""The update rules again, written from their papers: scalar Python loops that share nothing with chainrule.

Each oracle is a generator. It yields the point at which the next gradient is taken, (P,) as a list, after every
step: that point is what chainrule calls θ. `gradient(t, point)` gives the gradient of step t = 0, 1, ... at a point;
`rates` gives the learning rate of each step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod, sqrt

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


def nadam(
    theta: Point,
    gradient: Gradient,
    rates: Sequence[float],
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
    momentum_decay: float = 4e-3,
) -> Iterator[Point]:
    """Dozat 2016, algorithm 2, with his schedule μ_t = β₁ (1 - 0.5 · 0.96^(t/250)): g, m, v each with its hat."""
    x, n, v = list(theta), [0.0] * len(theta), [0.0] * len(theta)
    mu = [beta_1 * (1 - 0.5 * 0.96 ** (i * momentum_decay)) for i in range(len(rates) + 2)]
    for step, eta in enumerate(rates):
        t = step + 1
        g = gradient(step, x)
        for j in range(len(x)):
            n[j] = beta_1 * n[j] + (1 - beta_1) * g[j]
            v[j] = beta_2 * v[j] + (1 - beta_2) * g[j] ** 2
            g_hat = g[j] / (1 - prod(mu[1 : t + 1]))
            n_hat = n[j] / (1 - prod(mu[1 : t + 2]))
            v_hat = v[j] / (1 - beta_2**t)
            n_bar = (1 - mu[t]) * g_hat + mu[t + 1] * n_hat
            x[j] -= eta * n_bar / (sqrt(v_hat) + epsilon)
        yield list(x)


def amsgrad(
    theta: Point,
    gradient: Gradient,
    rates: Sequence[float],
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
) -> Iterator[Point]:
    """Reddi et al. 2018, algorithm 2: v̂ = the largest v so far; with Adam's corrections, which they leave out."""
    x, m = list(theta), [0.0] * len(theta)
    seen: list[list[float]] = [[0.0] for _ in theta]
    for step, alpha in enumerate(rates):
        t = step + 1
        g = gradient(step, x)
        for j in range(len(x)):
            m[j] = beta_1 * m[j] + (1 - beta_1) * g[j]
            seen[j].append(beta_2 * seen[j][-1] + (1 - beta_2) * g[j] ** 2)
            x[j] -= alpha * (m[j] / (1 - beta_1**t)) / (sqrt(max(seen[j]) / (1 - beta_2**t)) + epsilon)
        yield list(x)


def radam(
    theta: Point,
    gradient: Gradient,
    rates: Sequence[float],
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
) -> Iterator[Point]:
    """Liu et al. 2020, algorithm 2, with the authors' program's 5 for ρ_t > 4, and its ε beside √v."""
    x, m, v = list(theta), [0.0] * len(theta), [0.0] * len(theta)
    rho_inf = 2 / (1 - beta_2) - 1
    for step, alpha in enumerate(rates):
        t = step + 1
        g = gradient(step, x)
        rho = rho_inf - 2 * t * beta_2**t / (1 - beta_2**t)
        for j in range(len(x)):
            v[j] = beta_2 * v[j] + (1 - beta_2) * g[j] ** 2
            m[j] = beta_1 * m[j] + (1 - beta_1) * g[j]
            m_hat = m[j] / (1 - beta_1**t)
            if rho > 5:
                ell = sqrt(1 - beta_2**t) / (sqrt(v[j]) + epsilon)
                r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
                x[j] -= alpha * r * m_hat * ell
            else:
                x[j] -= alpha * m_hat
        yield list(x)


def lion(
    theta: Point,
    gradient: Gradient,
    rates: Sequence[float],
    beta_1: float = 0.9,
    beta_2: float = 0.99,
    weight_decay: float = 0.01,
    decayed: Sequence[float] | None = None,
) -> Iterator[Point]:
    """Chen et al. 2023, program 1: update = interp(g, m, β₁), its sign, m = interp(g, m, β₂), update + λ x."""
    x, m = list(theta), [0.0] * len(theta)
    for step, eta in enumerate(rates):
        g = gradient(step, x)
        for j in range(len(x)):
            c = beta_1 * m[j] + (1 - beta_1) * g[j]
            sign = 0.0 if c == 0 else c / abs(c)
            m[j] = beta_2 * m[j] + (1 - beta_2) * g[j]
            x[j] -= eta * (sign + (weight_decay * x[j] if decayed is None or decayed[j] else 0.0))
        yield list(x)


def rprop(
    theta: Point,
    gradient: Gradient,
    rates: Sequence[float],
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    step_min: float = 1e-6,
    step_max: float = 50.0,
) -> Iterator[Point]:
    """Igel and Hüsken 2003, algorithm iRprop⁻, branch by branch; Δ₀ is the first rate, within the bounds."""
    x, before = list(theta), [0.0] * len(theta)
    delta = [min(max(rates[0], step_min), step_max)] * len(theta)
    for step in range(len(rates)):
        g = list(gradient(step, x))
        for j in range(len(x)):
            if before[j] * g[j] > 0:
                delta[j] = min(delta[j] * eta_plus, step_max)
            elif before[j] * g[j] < 0:
                delta[j] = max(delta[j] * eta_minus, step_min)
                g[j] = 0.0
            x[j] -= 0.0 if g[j] == 0 else delta[j] if g[j] > 0 else -delta[j]
            before[j] = g[j]
        yield list(x)
