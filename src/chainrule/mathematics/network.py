"""A network: a chain of blocks over one flat parameter vector θ.

Shapes: n rows, P parameters. θ (P,), x (n, inputs), scores (n, outputs). A parameter is named "k.name", k being
the number of its block from 0: the weights of a first Dense block are "0.W".

Source: lecture notes (a chain of blocks; forward and backward pass); Pearlmutter 1994.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from math import prod
from operator import matmul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array, namespace
from ..foundation.memo import Memo
from ..foundation.randomness import Stream
from . import initializers, trace
from .blocks import PREDICTING, Block, Cache, Context, ParameterSpec, Transform


class Slot(NamedTuple):
    """The place of one parameter: θ[start:stop], with the block's number, its own name and its spec."""

    block: int
    name: str
    spec: ParameterSpec
    start: int
    stop: int


class Network:
    """A chain of blocks from `inputs` features to raw scores.

    >>> from chainrule import Activation, Dense
    >>> network = Network(784, [Dense(256), Activation("relu"), Dense(10)])
    >>> network.size
    203530
    """

    def __init__(self, inputs: int, blocks: Sequence[Block]) -> None:
        if isinstance(inputs, bool) or inputs < 1 or int(inputs) != inputs:
            raise ValueError(f"a network needs a whole number of inputs, at least 1, got {inputs!r}")
        self.inputs = int(inputs)
        self.blocks = tuple(blocks)
        self.widths = [self.inputs]
        self.slots: tuple[Slot, ...] = ()
        start = 0
        for k, block in enumerate(self.blocks):
            if isinstance(block, type) or not isinstance(block, Block):
                raise TypeError(f"block {k} of a network must follow the Block contract, got {block!r}")
            for name, spec in block.parameters(self.widths[-1]).items():
                stop = start + prod(spec.shape)
                self.slots += (Slot(k, name, spec, start, stop),)
                start = stop
            self.widths.append(block.outputs(self.widths[-1]))
        self.size = start
        self.outputs = self.widths[-1]
        self.memo = Memo()

    def __repr__(self) -> str:
        return f"Network({self.inputs}, [{', '.join(map(repr, self.blocks))}])"

    def unpack(self, theta: Array) -> list[dict[str, Array]]:
        """Return the parameters of each block by their own names, as views of θ.

        Raises ValueError when θ does not have this network's length.
        """
        self._check(theta)
        params: list[dict[str, Array]] = [{} for _ in self.blocks]
        for k, name, spec, start, stop in self.slots:
            params[k][name] = theta[start:stop].reshape(spec.shape)
        return params

    def pack(self, params: Sequence[Mapping[str, Array]]) -> Array:
        """Return one flat vector from the parameters (or gradients) of each block."""
        parts = [params[slot.block][slot.name].reshape(-1) for slot in self.slots]
        return namespace(parts[0]).concat(parts)

    def views(self, theta: Array) -> dict[str, Array]:
        """Return every parameter by its full name, "0.W", "0.b", ..., as views of θ: never copies.

        Raises ValueError when θ does not have this network's length.
        """
        self._check(theta)
        return {f"{k}.{name}": theta[start:stop].reshape(spec.shape) for k, name, spec, start, stop in self.slots}

    def mask(self, kind: str) -> NDArray[np.bool_]:
        """Return (P,) booleans: which entries of θ are of `kind` ("weight", "bias", ...)."""
        mask = np.zeros(self.size, bool)
        for slot in self.slots:
            mask[slot.start : slot.stop] = slot.spec.kind == kind
        return mask

    def initialize(self, seed: int = 0, dtype: str = "float64", restart: int = 0) -> NDArray[np.floating]:
        """Return a fresh θ, (P,). Each parameter has its own stream; `restart` names further independent starts.

        Raises ValueError, naming it, for an initialiser that returns something else than an array of the right shape.
        """
        theta = np.empty(self.size, dtype)
        for index, slot in enumerate(self.slots):
            stream = Stream(seed, "weights", step=restart, block=index)
            initializer = initializers.resolve(self._initializer(slot))
            drawn = np.asarray(initializer(stream, slot.spec.shape))
            if drawn.shape != slot.spec.shape or drawn.dtype.kind not in "biuf":
                given = f"{drawn.shape} of {drawn.dtype}"
                raise ValueError(
                    f"initializer {initializer!r} must return an array of numbers of the shape {slot.spec.shape}"
                    f" for {slot.block}.{slot.name}, got {given}"
                )
            theta[slot.start : slot.stop] = drawn.reshape(-1)
        return theta

    def _initializer(self, slot: Slot) -> str | float | initializers.Initializer:
        """Return the slot's own initialiser, or the one that suits the activation before the next weights."""
        if slot.spec.initializer is not None:
            return slot.spec.initializer
        following = next((k for k in self.weighted if k > slot.block), len(self.blocks))
        suiting = (block.suits for block in self.blocks[slot.block + 1 : following])
        return next(filter(None, suiting), "xavier_uniform")

    @property
    def weighted(self) -> list[int]:
        """The numbers of the blocks that have weights: a parameter of the kind "weight", as Dense has."""
        return sorted({slot.block for slot in self.slots if slot.spec.kind == "weight"})

    def forward(self, theta: Array, x: Array) -> Array:
        """Return the raw scores (n, outputs) for x (n, inputs).

        Raises ValueError when θ or x have the wrong size.
        """
        if x.ndim != 2 or x.shape[1] != self.inputs:
            raise ValueError(f"x has shape {x.shape}; this network takes (rows, {self.inputs})")
        for passed in trace.forward(self.blocks, self.unpack(theta), x):
            x = passed.y
        return x

    def trace(
        self, theta: Array, x: Array, dscores: Callable[[Array], Array], context: Context = PREDICTING
    ) -> list[trace.Trace]:
        """Return all numbers of one pass, block by block: x, y, cache, dL/dy and dL/dθ of each.

        `dscores` gives dL/dscores (n, outputs) for the scores, such as the gradient of a loss. Raises ValueError when
        θ does not have this network's length.

        >>> from chainrule import Activation, Dense
        >>> network = Network(1, [Dense(1), Activation("tanh")])
        >>> passes = network.trace(np.array([1.0, 0.5]), np.array([[-0.5]]), lambda scores: np.array([[2.0]]))
        >>> [(each.name, each.y.item(), each.dy.item()) for each in passes]
        [('0 Dense', 0.0, 2.0), ('1 Activation tanh', 0.0, 2.0)]
        """
        return trace.traces(self.names, self.blocks, self.unpack(theta), x, dscores, context)

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The blocks at the beginning that are measured on the inputs, and never learn."""
        return tuple(takewhile(lambda block: isinstance(block, Transform), self.blocks))  # type: ignore[arg-type]  # they are

    def transformed(self, theta: Array, x: Array, multiply: Callable[[Array, Array], Array] = matmul) -> Array:
        """Return x (n, inputs) after the leading transforms; `multiply` is the product of two matrices."""
        for block, params in zip(self.transforms, self.unpack(theta), strict=False):
            x = block.apply(params, x, multiply)
        return x

    def forward_with_caches(
        self, params: Sequence[Mapping[str, Array]], x: Array, context: Context = PREDICTING
    ) -> tuple[Array, list[Cache]]:
        """Return the scores and each block's cache."""
        caches = []
        for passed in trace.forward(self.blocks, params, x, context):
            x = passed.y
            caches.append(passed.cache)
        return x, caches

    def measured(self, params: Sequence[Mapping[str, Array]], caches: Sequence[Cache]) -> dict[str, Array]:
        """Return the new values of the measured parameters after a pass, by full name ("1.mean", ...)."""
        return {
            f"{k}.{name}": value
            for k, block in enumerate(self.blocks)
            for name, value in block.measured(params[k], caches[k]).items()
        }

    def write_statistics(self, theta: NDArray[np.floating], measured: Mapping[str, Array]) -> None:
        """Write measured values into θ, in place."""
        views = self.views(theta)
        for name, value in measured.items():
            views[name][:] = value

    def backward(
        self, params: Sequence[Mapping[str, Array]], caches: Sequence[Cache], dy: Array
    ) -> list[dict[str, Array]]:
        """Take dL/dscores back through the chain; return dL/dθ of each block.

        The first block's `pull_input` is not asked for: nobody needs dL/dx.
        """
        return [pulled.gradients for pulled in trace.backward(self.blocks, params, caches, dy)][::-1]

    def backward_rows(self, params: Sequence[Mapping[str, Array]], caches: Sequence[Cache], dy: Array) -> Array:
        """Return dL/dθ of each row by itself, (n, P), for dL/dscores (n, outputs) of each row's own L."""
        rows: list[dict[str, Array]] = [{} for _ in self.blocks]
        for k in reversed(range(len(self.blocks))):
            rows[k] = self.blocks[k].pull_rows(params[k], caches[k], dy)
            dy = self.blocks[k].pull_input(params[k], caches[k], dy) if k else dy
        parts = [rows[slot.block][slot.name].reshape(dy.shape[0], -1) for slot in self.slots]
        return namespace(dy).concat(parts, axis=1) if parts else dy[:, :0]

    def push(
        self,
        params: Sequence[Mapping[str, Array]],
        caches: Sequence[Cache],
        dparams: Sequence[Mapping[str, Array]],
    ) -> list[Array | None]:
        """Take a change dθ forward; return dx of each block, and dscores last. The network's input is fixed."""
        changes: list[Array | None] = [None]
        for block, p, cache, dp in zip(self.blocks, params, caches, dparams, strict=True):
            changes.append(block.push(p, cache, changes[-1], dp))
        return changes

    def backward_tangent(
        self,
        params: Sequence[Mapping[str, Array]],
        caches: Sequence[Cache],
        dparams: Sequence[Mapping[str, Array]],
        changes: Sequence[Array | None],
        dy: Array,
        dy_tangent: Array,
    ) -> list[dict[str, Array]]:
        """Return the change of `backward` along dθ: Pearlmutter's R{·} of the backward pass.

        `changes` come from `push`; dy is dL/dscores and dy_tangent its change along dθ.
        """
        tangents: list[dict[str, Array]] = [{} for _ in self.blocks]
        for k in reversed(range(len(self.blocks))):
            block, at, along = self.blocks[k], (params[k], caches[k]), (changes[k], dparams[k])
            direct = block.pull_params(*at, dy_tangent)
            bent = block.pull_params_tangent(*at, *along, dy)
            tangents[k] = {name: direct[name] + bent[name] for name in direct}
            if k > 0:
                dy_tangent = block.pull_input(*at, dy_tangent) + block.pull_input_tangent(*at, *along, dy)
                dy = block.pull_input(*at, dy)
        return tangents

    @property
    def names(self) -> list[str]:
        """The blocks' names: number, kind and the block's own name, such as "1 Activation relu"."""
        return [f"{k} {type(block).__name__} {block.name}".rstrip() for k, block in enumerate(self.blocks)]

    def summary(self) -> str:
        """Return a table of the blocks with output widths and parameter counts.

        >>> from chainrule import Activation, Dense
        >>> print(Network(2, [Dense(3), Activation("tanh"), Dense(1)]).summary())
        block              output  parameters
        0 Dense                 3           9
        1 Activation tanh       3           0
        2 Dense                 1           4
        total                              13
        """
        counts = [0] * len(self.blocks)
        for slot in self.slots:
            counts[slot.block] += slot.stop - slot.start
        labels = self.names
        wide = max(map(len, [*labels, "block", "total"]))
        lines = [f"{'block':{wide}}  {'output':>6}  {'parameters':>10}"]
        for label, width, count in zip(labels, self.widths[1:], counts, strict=True):
            lines.append(f"{label:{wide}}  {width:>6,}  {count:>10,}")
        return "\n".join([*lines, f"{'total':{wide}}  {'':>6}  {self.size:>10,}"])

    def _check(self, theta: Array) -> None:
        if theta.shape != (self.size,):
            raise ValueError(f"θ has shape {theta.shape}; this network has {self.size} parameters: ({self.size},)")
