"""The contract of every optimiser, from SGD to second-order methods: its state is data, and it declares its needs.

An engine runs a step by calling `step` with its verbs on the rows of that step; what comes back is the new θ, the new
memory and a report. The memory is a record of named arrays and numbers, so that any training can be kept in a file,
gone on with bit for bit, and handed to a compiled engine by name. P parameters; θ, gradients and products are (P,).

Nobody asks for an optimiser's name or class: whoever wants to know asks `needs`, `elementwise` and `whole_batch`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

from ..foundation.arrays import Array
from ..mathematics.fisher import Factors
from ..mathematics.gauss_newton import Quadratic, Root
from ..mathematics.losses import Loss


@dataclass(eq=False)
class Memory:
    """The state of an optimiser: the count `t` of its steps, arrays by name, and numbers by name.

    >>> Memory(arrays={"delta": 0.5}).after(delta=2.0)
    Memory(t=1, arrays={'delta': 2.0}, numbers={})
    """

    t: int = 0
    arrays: dict[str, Array] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Array:
        """Return an array by its name."""
        return self.arrays[name]

    def after(self, **arrays: Array) -> Memory:
        """Return the memory after one more step: these arrays are new, all others stay."""
        return Memory(self.t + 1, {**self.arrays, **arrays}, self.numbers)

    def become(self, other: Memory) -> None:
        """Take over, in place, the content of another memory."""
        self.t, self.arrays, self.numbers = other.t, other.arrays, other.numbers


NO_FIGURES: Mapping[str, float] = {}


class StepReport(NamedTuple):
    """The figures of one step; a message ends the training, converged or not.

    `loss` is J before the step, or after it where the optimiser knows that (a line search does, a single gradient
    does not). A loss that is not finite means that no step was possible: the engine then drops it. `figures` are
    further numbers to look at, the same names in every step; they stand in the events beside those of the memory.
    """

    loss: float
    gradient_norm: float
    converged: bool = False
    message: str = ""
    figures: Mapping[str, float] = NO_FIGURES


class Evidence(NamedTuple):
    """The findings of a training on the noise and of the parameters, beside θ.

    `beta` is one over the variance of the noise; `alpha` is one over that of the parameters before any data, 0 where
    nothing was known. `gamma` is the number of parameters that the data determine, None where nobody estimated it.
    """

    alpha: float
    beta: float
    gamma: float | None = None


VERBS = (
    "forward",
    "value",
    "gradient",
    "gauss_newton_product",
    "hessian_product",
    "gauss_newton",
    "jacobian",
    "pull",
    "factors",
    "squares",
    "part",
)
"""The names of the verbs in `needs`: "gradient" stands for value_and_gradient, each other name for itself."""


class Verbs(Protocol):
    """The verbs of an engine on the rows of one step: all that an optimiser may ask. n rows, o outputs."""

    def forward(self, theta: Array) -> Array:
        """Return the raw scores (n, o)."""

    def value(self, theta: Array) -> float:
        """Return J(θ)."""

    def value_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """Return J(θ) and dJ/dθ."""

    def gauss_newton_product(self, theta: Array, v: Array) -> Array:
        """Return (Jᵀ L'' J) v, the positive part of the Hessian, times v."""

    def hessian_product(self, theta: Array, v: Array) -> Array:
        """Return (d²J/dθ²) v."""

    def gauss_newton(self, theta: Array) -> Quadratic | Root:
        """Return J(θ), dJ/dθ and the Gauss-Newton matrix, ready to be solved with."""

    def jacobian(self, theta: Array) -> Array:
        """Return dscores/dθ, (n, o, P)."""

    def pull(self, theta: Array, dscores: Array) -> Array:
        """Return (dscores/dθ)ᵀ dscores: a derivative in the scores (n, o), pulled back to θ."""

    def factors(self, theta: Array) -> list[Factors]:
        """Return the Kronecker factors of the Gauss-Newton matrix of every Dense block."""

    def squares(self, theta: Array) -> Array:
        """Return the mean of the rows' squared gradients, (P,)."""

    def part(self, share: float, draw: int) -> Verbs:
        """Return the verbs on a share of the rows, at least one: those of this draw, the same whenever it is asked."""


@runtime_checkable
class Optimizer(Protocol):
    """The contract. A class that inherits from it takes over these defaults and gives `init` and `step`.

    `needs` names the verbs it asks, as VERBS does: "gradient" (value_and_gradient), "value", "hessian_product" and so
    on. An engine is chosen by them.

    >>> class GradientDescent(Optimizer):
    ...     whole_batch = True
    ...     def init(self, network, theta):
    ...         return Memory()
    ...     def step(self, ask, theta, memory, rate):
    ...         loss, gradient = ask.value_and_gradient(theta)
    ...         return theta - 0.1 * gradient, memory.after(), StepReport(loss, float((gradient**2).sum() ** 0.5))
    >>> isinstance(GradientDescent(), Optimizer)
    True
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient"})
    elementwise: ClassVar[bool] = False
    """True for one that works entry by entry: engines may then fuse it with the gradient, and split it."""
    whole_batch: ClassVar[bool] = False
    """True for one that asks the same rows again: it takes them all in every step."""
    scheduled: ClassVar[bool] = False
    """True for one that follows the learning rate of every step."""

    @property
    def learning_rate(self) -> float | None:
        """Its own learning rate; None for an optimiser that finds its own steps; its `rate` is then 1."""
        return None

    def suited(self, loss: Loss) -> Self:
        """Return itself, as it suits a loss."""
        return self

    def evidence(self, memory: Memory, parameters: int, residuals: float, squares: float | None) -> Evidence | None:
        """Return the findings at the end of a training on noise and parameters; None where it says nothing.

        There are P `parameters` and as many `residuals` as targets; `squares` is the sum of the squares of these, None
        for a loss that is no sum of squares.
        """
        return None

    def init(self, network: Any, theta: Array) -> Memory:
        """Return the memory before the first step."""

    def step(self, ask: Verbs, theta: Array, memory: Memory, rate: float) -> tuple[Array, Memory, StepReport]:
        """Return θ and the memory after one step, and its report; no argument is changed."""
