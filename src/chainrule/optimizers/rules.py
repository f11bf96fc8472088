"""First-order update rules: one formula per class.

θ, the gradient g and every array of the memory have shape (P,); η is the learning rate. A rule never mutates its
arguments and works entry by entry, so that an engine may apply it to θ piece by piece. t counts updates from 1.
The defaults are the papers'; where a paper names no learning rate, it is the notes' 0.001, and 0.01 for AdaGrad,
whose steps only shrink.

Source: lecture notes; Polyak 1964; Nesterov 1983 and Sutskever et al. 2013; Duchi et al. 2011; Zeiler 2012;
Tieleman and Hinton 2012; Kingma and Ba 2015; Loshchilov and Hutter 2019.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from ..foundation import values
from ..foundation.arrays import Array, namespace
from ..foundation.records import names_of
from .contract import Memory, Optimizer, StepReport, Verbs

LIMITS: Mapping[str, values.Rule] = MappingProxyType(
    {
        "learning_rate": values.POSITIVE,
        "momentum": values.PROPORTION,
        "rho": values.SHARE,
        "beta_1": values.SHARE,
        "beta_2": values.SHARE,
        "epsilon": values.POSITIVE,
        "weight_decay": values.NOT_NEGATIVE,
        "momentum_decay": values.NOT_NEGATIVE,
        "eta_minus": values.Number(0, 1, low_open=True, high_open=True),
        "eta_plus": values.Number(1, low_open=True, high_open=True, called="a finite number above 1"),
        "step_min": values.POSITIVE,
        "step_max": values.POSITIVE,
    }
)
"""The accepted settings of rules, by name. ε divides in every rule that has it: 0 / 0 where no gradient ever was."""


class UpdateRule(ABC):
    """A first-order rule: an `Optimizer` that needs one gradient per step, and keeps its memory in arrays like θ.

    A subclass gives its one formula, `update`, and the names of its arrays, `memory`.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient"})
    elementwise: ClassVar[bool] = True
    whole_batch: ClassVar[bool] = False
    scheduled: ClassVar[bool] = True
    memory: ClassVar[tuple[str, ...]] = ()
    decays: ClassVar[bool] = False
    """True for a rule that shrinks weights by itself: "decayed" in its memory holds the entries to shrink, 0 and 1."""
    learning_rate: float
    suited, evidence = Optimizer.suited, Optimizer.evidence

    def __post_init__(self) -> None:
        values.check(self, {name: LIMITS[name] for name in names_of(self) if name in LIMITS})

    def init(self, network: Any, theta: Array) -> Memory:
        """Return the memory before the first step: weights decay, where the rule decays, and biases do not."""
        return self.zeros(theta.size, theta.dtype.name, network.mask("weight") if self.decays else None)

    def zeros(self, P: int, dtype: str = "float64", decayed: Array | None = None) -> Memory:
        """Return a memory of zeros (P,); a rule that decays shrinks the entries named by `decayed`, or all."""
        arrays = {name: np.zeros(P, dtype) for name in self.memory}
        if self.decays:
            arrays["decayed"] = np.ones(P, dtype) if decayed is None else decayed.astype(dtype)
        return Memory(0, arrays)

    @abstractmethod
    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """Return θ after one update, and the memory after it."""

    def step(self, ask: Verbs, theta: Array, memory: Memory, rate: float) -> tuple[Array, Memory, StepReport]:
        """Return θ and the memory after the update that the gradient at θ asks for, and the loss before it."""
        loss, gradient = ask.value_and_gradient(theta)
        report = StepReport(float(loss), float(np.linalg.norm(gradient)))
        return *self.update(theta, gradient, memory, rate), report


@dataclass(frozen=True)
class SGD(UpdateRule):
    """θ ← θ - η g.

    >>> rule = SGD()
    >>> theta, memory = rule.update(np.array([1.0]), np.array([0.5]), rule.zeros(1), learning_rate=0.1)
    >>> theta
    array([0.95])
    """

    learning_rate: float = 1e-3

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - η g."""
        return theta - learning_rate * gradient, memory.after()


@dataclass(frozen=True)
class Momentum(UpdateRule):
    """Δ ← η g + γ Δ;  θ ← θ - Δ."""

    learning_rate: float = 1e-3
    momentum: float = 0.9
    memory = ("delta",)

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - Δ."""
        delta = learning_rate * gradient + self.momentum * memory["delta"]
        return theta - delta, memory.after(delta=delta)


@dataclass(frozen=True)
class Nesterov(UpdateRule):
    """Δ ← η g + γ Δ;  θ ← θ - (η g + γ Δ).

    This is Nesterov's method written at the point where the gradient is taken: θ here is the look-ahead point.
    """

    learning_rate: float = 1e-3
    momentum: float = 0.9
    memory = ("delta",)

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - (η g + γ Δ)."""
        step = learning_rate * gradient
        delta = step + self.momentum * memory["delta"]
        return theta - (step + self.momentum * delta), memory.after(delta=delta)


@dataclass(frozen=True)
class AdaGrad(UpdateRule):
    """G ← G + g²;  θ ← θ - η g / (√G + ε)."""

    learning_rate: float = 0.01
    epsilon: float = 1e-8
    memory = ("square_sum",)

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - η g / (√G + ε)."""
        total = memory["square_sum"] + gradient * gradient
        step = learning_rate * gradient / (namespace(total).sqrt(total) + self.epsilon)
        return theta - step, memory.after(square_sum=total)


@dataclass(frozen=True)
class AdaDelta(UpdateRule):
    """E ← ρE + (1-ρ)g²;  Δ = g √(D + ε) / √(E + ε);  D ← ρD + (1-ρ)Δ²;  θ ← θ - ηΔ, η = 1."""

    learning_rate: float = 1.0
    rho: float = 0.95
    epsilon: float = 1e-6
    memory = ("square_mean", "delta_mean")

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - ηΔ."""
        xp, rho = namespace(theta), self.rho
        square = rho * memory["square_mean"] + (1 - rho) * gradient * gradient
        delta = gradient * xp.sqrt(memory["delta_mean"] + self.epsilon) / xp.sqrt(square + self.epsilon)
        mean = rho * memory["delta_mean"] + (1 - rho) * delta * delta
        return theta - learning_rate * delta, memory.after(square_mean=square, delta_mean=mean)


@dataclass(frozen=True)
class RMSProp(UpdateRule):
    """E ← ρE + (1-ρ)g²;  θ ← θ - η g / (√E + ε)."""

    learning_rate: float = 1e-3
    rho: float = 0.9
    epsilon: float = 1e-8
    memory = ("square_mean",)

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - η g / (√E + ε)."""
        square = self.rho * memory["square_mean"] + (1 - self.rho) * gradient * gradient
        step = learning_rate * gradient / (namespace(square).sqrt(square) + self.epsilon)
        return theta - step, memory.after(square_mean=square)


@dataclass(frozen=True)
class Adam(UpdateRule):
    """m ← β₁m + (1-β₁)g;  v ← β₂v + (1-β₂)g²;  θ ← θ - η m̂ / (√v̂ + ε), m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ)."""

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    memory = ("mean", "square_mean")

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """θ - η m̂ / (√v̂ + ε)."""
        t = memory.t + 1
        m = self.beta_1 * memory["mean"] + (1 - self.beta_1) * gradient
        v = self.beta_2 * memory["square_mean"] + (1 - self.beta_2) * gradient * gradient
        root = namespace(v).sqrt(v / (1 - self.beta_2**t))
        step = (learning_rate / (1 - self.beta_1**t)) * m / (root + self.epsilon)
        return theta - step, memory.after(mean=m, square_mean=v)


@dataclass(frozen=True)
class AdamW(UpdateRule):
    """Adam with decoupled decay: θ ← θ - η m̂ / (√v̂ + ε) - η λ θ.

    λ is per unit of learning rate, as PyTorch has it (the paper's λ is η λ here). The training loop spares biases.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    memory = ("mean", "square_mean")
    decays = True

    @cached_property
    def _adam(self) -> Adam:
        return Adam(self.learning_rate, self.beta_1, self.beta_2, self.epsilon)

    def update(self, theta: Array, gradient: Array, memory: Memory, learning_rate: float) -> tuple[Array, Memory]:
        """Adam's θ - η λ θ where decayed."""
        moved, after = self._adam.update(theta, gradient, memory, learning_rate)
        decay = (learning_rate * self.weight_decay) * memory["decayed"] * theta
        return moved - decay, after
