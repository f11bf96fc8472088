"""Update rules that change the step of Adam, or keep only the signs; the contract and the notation are rules.py's.

m is the running mean of g, v that of g², 1 - β₁ᵗ and 1 - β₂ᵗ undo their start at zero. What depends on t alone is
worked out in Python, in double precision. Where papers and programs differ, the conventions are PyTorch's.

Source: Dozat 2016 (NAdam); Reddi et al. 2018 (AMSGrad); Liu et al. 2020 (RAdam); Chen et al. 2023 (Lion);
Riedmiller and Braun 1993, Igel and Hüsken 2003 (Rprop).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import sqrt

from ..foundation.arrays import Array, namespace
from .contract import Memory
from .rules import UpdateRule

NEGLIGIBLE = 2.0**-64
"""A product of momenta that 1 - product does not show any more, in double precision."""

RECTIFIED_FROM = 5.0
"""RAdam trusts v once its degrees of freedom ρ exceed this; the paper says 4, its authors' program and PyTorch 5."""


@dataclass(frozen=True)
class NAdam(UpdateRule):
    """Adam that looks ahead: θ ← θ - η (μ' m / (1 - Π μ') + (1 - μ) g / (1 - Π)) / (√v̂ + ε).

    m and v are Adam's, v̂ = v / (1 - β₂ᵗ); μ = β₁ (1 - ½ 0.96^(ψ t)) is the momentum of step t, μ' that of step
    t + 1, Π the product of μ over the steps 1 to t, and ψ the `momentum_decay`.

    >>> rule = NAdam()
    >>> round(rule.momentum_at(1), 6), round(rule.product_to(2), 6)
    (0.450073, 0.202599)
    """

    learning_rate: float = 2e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    momentum_decay: float = 4e-3
    memory = ("mean", "square_mean")

    def momentum_at(self, t: int) -> float:
        """Return μ of step t."""
        return float(self.beta_1 * (1 - 0.5 * 0.96 ** (self.momentum_decay * t)))

    @cached_property
    def _products(self) -> tuple[float, ...]:
        """The products of the momenta up to each step, until they are negligible (some 60 steps)."""
        products = [1.0]
        while products[-1] > NEGLIGIBLE:
            products.append(products[-1] * self.momentum_at(len(products)))
        return tuple(products)

    def product_to(self, t: int) -> float:
        """Return Π μ over the steps 1 to t: a function of t alone, so that no memory is needed for it."""
        return self._products[min(t, len(self._products) - 1)]

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - η (μ' m / (1 - Π μ') + (1 - μ) g / (1 - Π)) / (√v̂ + ε)."""
        t = memory.t + 1
        m = self.beta_1 * memory["mean"] + (1 - self.beta_1) * gradient
        v = self.beta_2 * memory["square_mean"] + (1 - self.beta_2) * gradient * gradient
        here, ahead, product = self.momentum_at(t), self.momentum_at(t + 1), self.product_to(t)
        root = namespace(v).sqrt(v / (1 - self.beta_2**t)) + self.epsilon
        of_mean = learning_rate * ahead / (1 - product * ahead)
        of_gradient = learning_rate * (1 - here) / (1 - product)
        return theta - (of_mean * m + of_gradient * gradient) / root, memory.after(mean=m, square_mean=v)


@dataclass(frozen=True)
class AMSGrad(UpdateRule):
    """Adam whose steps never grow back: V ← max(V, v);  θ ← θ - η m̂ / (√(V / (1 - β₂ᵗ)) + ε)."""

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    memory = ("mean", "square_mean", "largest")

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - η m̂ / (√(V / (1 - β₂ᵗ)) + ε)."""
        xp, t = namespace(theta), memory.t + 1
        m = self.beta_1 * memory["mean"] + (1 - self.beta_1) * gradient
        v = self.beta_2 * memory["square_mean"] + (1 - self.beta_2) * gradient * gradient
        largest = xp.maximum(memory["largest"], v)
        root = xp.sqrt(largest / (1 - self.beta_2**t))
        step = (learning_rate / (1 - self.beta_1**t)) * m / (root + self.epsilon)
        return theta - step, memory.after(mean=m, square_mean=v, largest=largest)


@dataclass(frozen=True)
class RAdam(UpdateRule):
    """Adam that waits until v can be trusted: θ ← θ - η r m̂ √(1 - β₂ᵗ) / (√v + ε) where ρ > 5, else θ - η m̂.

    ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ), ρ∞ = 2 / (1 - β₂) - 1, are the degrees of freedom behind v;
    r² = (ρ - 4)(ρ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρ) corrects its variance.

    >>> rule = RAdam()
    >>> [round(rule.rectification(t), 4) for t in (1, 5, 6, 1000)]
    [0.0, 0.0, 0.0258, 0.6453]
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    memory = ("mean", "square_mean")

    def rectification(self, t: int) -> float:
        """Return r at step t, 0 as long as v is not trusted."""
        most = 2 / (1 - self.beta_2) - 1
        rho = most - 2 * t * self.beta_2**t / (1 - self.beta_2**t)
        if rho <= RECTIFIED_FROM:
            return 0.0
        return sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - η r m̂ √(1 - β₂ᵗ) / (√v + ε), or θ - η m̂."""
        t = memory.t + 1
        m = self.beta_1 * memory["mean"] + (1 - self.beta_1) * gradient
        v = self.beta_2 * memory["square_mean"] + (1 - self.beta_2) * gradient * gradient
        step, r = (learning_rate / (1 - self.beta_1**t)) * m, self.rectification(t)
        if r > 0:
            step = (r * sqrt(1 - self.beta_2**t)) * step / (namespace(v).sqrt(v) + self.epsilon)
        return theta - step, memory.after(mean=m, square_mean=v)


@dataclass(frozen=True)
class Lion(UpdateRule):
    """θ ← θ - η (sign(β₁m + (1-β₁)g) + λ θ);  m ← β₂m + (1-β₂)g.

    Every entry moves by η, whatever its gradient: η wants to be 3 to 10 times smaller than Adam's, λ as much larger.
    The training loop spares biases from the decay.
    """

    learning_rate: float = 1e-4
    beta_1: float = 0.9
    beta_2: float = 0.99
    weight_decay: float = 0.01
    memory = ("mean",)
    decays = True

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - η (sign(β₁m + (1-β₁)g) + λ θ)."""
        m, decayed = memory["mean"], memory["decayed"]
        step = learning_rate * namespace(theta).sign(self.beta_1 * m + (1 - self.beta_1) * gradient)
        decay = (learning_rate * self.weight_decay) * decayed * theta
        mean = self.beta_2 * m + (1 - self.beta_2) * gradient
        return theta - step - decay, memory.after(mean=mean)


@dataclass(frozen=True)
class Rprop(UpdateRule):
    """θ ← θ - Δ sign(g): Δ grows by η₊ while the gradient keeps its sign, and shrinks by η₋ where it changes.

    This is iRprop⁻: where the sign changed, the gradient is taken as 0, there and in the next comparison. Δ starts at
    the learning rate of the first update, later ones do not count, and stays in [`step_min`, `step_max`]. It is for
    full batches: the noise of small ones looks like a change of sign.
    """

    learning_rate: float = 0.01
    eta_minus: float = 0.5
    eta_plus: float = 1.2
    step_min: float = 1e-6
    step_max: float = 50.0
    memory = ("gradient", "step_size")
    scheduled = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step_min > self.step_max:
            raise ValueError(f"Rprop step_min must be at most step_max, {self.step_max!r}, got {self.step_min!r}")

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - Δ sign(g)."""
        xp, before = namespace(theta), memory["step_size"]
        agreement = gradient * memory["gradient"]
        shrunk = xp.where(agreement < 0, before * self.eta_minus, before)
        size = xp.where(agreement > 0, before * self.eta_plus, shrunk)
        size = xp.where(before == 0, learning_rate, size)  # 0 only before the first update: Δ is at least step_min
        size = xp.clip(size, self.step_min, self.step_max)
        kept = xp.where(agreement < 0, xp.zeros_like(gradient), gradient)
        return theta - size * xp.sign(kept), memory.after(gradient=kept, step_size=size)
