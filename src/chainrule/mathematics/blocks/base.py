"""Blocks: functions y = f(x, θ) that know their own derivatives.

Shapes: n rows, i inputs, o outputs. x (n, i), y (n, o); dx and dy are small changes of, or derivatives with
respect to, x and y. Every method is a pure function of its arguments.

- `pull_input` and `pull_params` take dL/dy back to dL/dx and dL/dθ (the notes' criteria A and B);
- `push` takes a change (dx, dθ) forward to dy, the tangent;
- `pull_input_tangent` and `pull_params_tangent` are how those two pulls themselves change along (dx, dθ) with dy
  held fixed; Hessian products need them.

`dx` is None where the input does not change (the first block). Affine part and activation are separate blocks.

Random numbers come from the streams of the Context, drawn again in every method that needs them: no block keeps a mask.

Source: lecture notes; Pearlmutter 1994 (tangents of the backward pass).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias, runtime_checkable

from ...foundation.arrays import Array, namespace
from ...foundation.randomness import Stream
from ..initializers import Initializer

Params: TypeAlias = Mapping[str, Array]
Cache: TypeAlias = Any


class ParameterSpec(NamedTuple):
    """Shape, kind and initialiser (None: the network chooses).

    The kinds are "weight", "bias", "scale", "slope", which are learnt, and "statistic", which is measured: its
    gradient is 0, and a block's `measured` gives its new value.
    """

    shape: tuple[int, ...]
    kind: str
    initializer: str | float | Initializer | None


class Context(NamedTuple):
    """Mode and random streams of a forward pass: everything it may depend on besides x and θ.

    `first_row` is the number of the first row of x within the rows of the step.
    """

    training: bool = False
    seed: int = 0
    step: int = 0
    block: int = 0
    first_row: int = 0

    def at(self, block: int) -> Context:
        """Return the context of one block of a network."""
        return self._replace(block=block) if self.training else self

    def bits(self, purpose: str, shape: tuple[int, ...]) -> Array:
        """Return 16 random bits for each entry, (n, i), of this step and block."""
        rows, columns = shape
        return Stream(self.seed, purpose, self.step, self.block).bits(rows, columns, self.first_row)

    def normals(self, purpose: str, shape: tuple[int, ...]) -> Array:
        """Return a standard normal number for each entry, (n, i), of this step and block."""
        rows, columns = shape
        return Stream(self.seed, purpose, self.step, self.block).normals(rows, columns, self.first_row)


PREDICTING = Context()


@runtime_checkable
class Block(Protocol):
    """The contract of a block. `Standard` answers the first three as most blocks do."""

    @property
    def name(self) -> str:
        """The block's own name beside its kind, such as that of an activation; "" where the kind says it all."""

    @property
    def suits(self) -> str | None:
        """The initialiser that suits the weights before an activation; None for any other block."""

    @property
    def steps_only(self) -> bool:
        """True for a block that draws or measures in every step: no minimiser of all rows at once can train it."""

    def outputs(self, inputs: int) -> int:
        """Return o, given i."""

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return the parameters by name, given i."""

    def forward(self, params: Params, x: Array, context: Context = PREDICTING) -> tuple[Array, Cache]:
        """Return y and the cache, which the other methods need of this pass."""

    def pull_input(self, params: Params, cache: Cache, dy: Array) -> Array:
        """Return (∂y/∂x)ᵀ dy, (n, i)."""

    def pull_params(self, params: Params, cache: Cache, dy: Array) -> dict[str, Array]:
        """Return (∂y/∂θ)ᵀ dy by parameter name."""

    def pull_rows(self, params: Params, cache: Cache, dy: Array) -> dict[str, Array]:
        """Return pull_params of each row by itself, (n, ...), by parameter name: the rows of a Jacobian."""

    def push(self, params: Params, cache: Cache, dx: Array | None, dparams: Params) -> Array:
        """Return (∂y/∂x) dx + (∂y/∂θ) dθ, (n, o)."""

    def pull_input_tangent(self, params: Params, cache: Cache, dx: Array | None, dparams: Params, dy: Array) -> Array:
        """Return the change of pull_input along (dx, dθ) at fixed dy, (n, i)."""

    def pull_params_tangent(
        self, params: Params, cache: Cache, dx: Array | None, dparams: Params, dy: Array
    ) -> dict[str, Array]:
        """Return the change of pull_params along (dx, dθ) at fixed dy, by parameter name."""

    def measured(self, params: Params, cache: Cache) -> dict[str, Array]:
        """Return the new values of the measured parameters after this pass, by name."""


def needs_steps(block: Block) -> bool:
    """Return `steps_only` of a block."""
    return block.steps_only


class Standard:
    """The answers that most blocks share: no name of their own, no activation, nothing random, nothing measured."""

    steps_only: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """No name beside the kind."""
        return ""

    @property
    def suits(self) -> str | None:
        """None: no activation."""
        return None

    def measured(self, params: Params, cache: Cache) -> dict[str, Array]:
        """Return no new values: {}."""
        return {}


class Plain(Standard):
    """A block that keeps the number of columns and has no parameters."""

    def outputs(self, inputs: int) -> int:
        """Return o = i."""
        return inputs

    def parameters(self, inputs: int) -> Mapping[str, ParameterSpec]:
        """Return no parameters: {}."""
        return {}

    def pull_params(self, params: Params, cache: Cache, dy: Array) -> dict[str, Array]:
        """Return {}: there are no parameters."""
        return {}

    def pull_rows(self, params: Params, cache: Cache, dy: Array) -> dict[str, Array]:
        """Return {}: there are no parameters."""
        return {}

    def pull_params_tangent(
        self, params: Params, cache: Cache, dx: Array | None, dparams: Params, dy: Array
    ) -> dict[str, Array]:
        """Return {}: there are no parameters."""
        return {}


class Elementwise(Plain):
    """y = f(x), entry by entry: a subclass gives f in `forward`, f' in `slope` and f'' in `bend`."""

    @abstractmethod
    def slope(self, params: Params, cache: Cache) -> Array:
        """Return f'(x), (n, i)."""

    def bend(self, params: Params, cache: Cache) -> Array:
        """Return f''(x), (n, i): 0, unless a subclass says otherwise."""
        return namespace(cache.x).zeros_like(cache.x)

    def pull_input(self, params: Params, cache: Cache, dy: Array) -> Array:
        """dx = f'(x) dy."""
        return self.slope(params, cache) * dy

    def push(self, params: Params, cache: Cache, dx: Array | None, dparams: Params) -> Array:
        """dy = f'(x) dx."""
        return namespace(cache.x).zeros_like(cache.x) if dx is None else self.slope(params, cache) * dx

    def pull_input_tangent(self, params: Params, cache: Cache, dx: Array | None, dparams: Params, dy: Array) -> Array:
        """f''(x) dx dy."""
        return namespace(cache.x).zeros_like(cache.x) if dx is None else self.bend(params, cache) * dx * dy
