"""One pass through a chain of blocks with all its numbers: the only loops that go through the blocks.

Shapes: n rows, i inputs and o outputs of a block. x (n, i), y (n, o), dy = dL/dy (n, o).

Forward, each block gives y and a cache; backward, dL/dy of the last block (the gradient of the loss in the scores)
becomes dL/dθ of each block and dL/dy of the block before it:

    yₖ = fₖ(xₖ, θₖ),  xₖ₊₁ = yₖ        dL/dθₖ = (∂yₖ/∂θₖ)ᵀ dyₖ,  dyₖ₋₁ = (∂yₖ/∂xₖ)ᵀ dyₖ

Whoever only needs the scores or the gradient drops the other numbers on the way; whoever looks inside (statistics,
starts, the doctor, an explanation) keeps them as `Trace`s.

Source: lecture notes (forward and backward pass).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from ..foundation.arrays import Array
from .blocks import PREDICTING, Block, Cache, Context, Params


class Passed(NamedTuple):
    """One block after the forward pass: its number k, its parameters, input x (n, i), output y (n, o) and cache."""

    k: int
    block: Block
    params: Params
    x: Array
    y: Array
    cache: Cache


class Pulled(NamedTuple):
    """One block in the backward pass: its number k, dL/dy (n, o), and dL/dθ of its parameters by name."""

    k: int
    dy: Array
    gradients: dict[str, Array]


class Trace(NamedTuple):
    """One block with all numbers of a pass.

    `name` is number and kind, such as "1 Activation relu". x (n, i) and y (n, o) are input and output, dy (n, o) is
    dL/dy, and `gradients` are dL/dθ of the block's parameters by name.
    """

    name: str
    block: Block
    params: Params
    x: Array
    y: Array
    cache: Cache
    dy: Array
    gradients: Mapping[str, Array]


Prepare: TypeAlias = Callable[[int, Block, Params, Array], Params]
"""Block number, block, its parameters and the x that reaches it -> the parameters that it is passed with."""


def forward(
    blocks: Sequence[Block],
    params: Sequence[Params],
    x: Array,
    context: Context = PREDICTING,
    prepare: Prepare | None = None,
) -> Iterator[Passed]:
    """Yield each block after its forward pass, from the first to the last, for x (n, inputs).

    With `prepare` the parameters of a block may depend on the x that reaches it: a start that looks at the data.
    """
    for k, (block, own) in enumerate(zip(blocks, params, strict=True)):
        own = own if prepare is None else prepare(k, block, own, x)
        y, cache = block.forward(own, x, context.at(k))
        yield Passed(k, block, own, x, y, cache)
        x = y


def backward(blocks: Sequence[Block], params: Sequence[Params], caches: Sequence[Cache], dy: Array) -> Iterator[Pulled]:
    """Yield each block's dL/dy and dL/dθ, from the last to the first, for dL/dscores (n, outputs).

    The first block's `pull_input` is not asked for: nobody needs dL/dx.
    """
    for k in reversed(range(len(blocks))):
        yield Pulled(k, dy, blocks[k].pull_params(params[k], caches[k], dy))
        if k > 0:
            dy = blocks[k].pull_input(params[k], caches[k], dy)


def traces(
    names: Sequence[str],
    blocks: Sequence[Block],
    params: Sequence[Params],
    x: Array,
    dscores: Callable[[Array], Array],
    context: Context = PREDICTING,
) -> list[Trace]:
    """Return every block's trace for x (n, inputs); `dscores` gives dL/dscores, (n, outputs), for the scores."""
    passed = list(forward(blocks, params, x, context))
    if not passed:
        return []
    caches = [each.cache for each in passed]
    pulled = {each.k: each for each in backward(blocks, params, caches, dscores(passed[-1].y))}
    return [
        Trace(name, own.block, own.params, own.x, own.y, own.cache, pulled[own.k].dy, pulled[own.k].gradients)
        for name, own in zip(names, passed, strict=True)
    ]
