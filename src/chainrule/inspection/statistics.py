"""Figures of every block of a network: the size and slope of its signals, and the pace of its parameters.

Shapes: n rows, o outputs of a block, P parameters. θ (P,), y and dy (n, o); dy = dL/dy.

Figures come from a sample of rows, evenly spaced over the data, passed forward and back as in prediction; the
gradients are those of the loss alone, without penalties.

Source: Glorot and Bengio 2010 (outputs, gradients and saturation by layer).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array, spaced
from ..mathematics.blocks import Block, Cache, Params
from ..mathematics.network import Network
from ..mathematics.objective import Objective
from ..mathematics.trace import Trace

ROWS = 256
"""Rows of a sample."""

SATURATED = 0.01
"""A slope of less than this share of the activation's steepest is saturated."""

RANGE = np.linspace(-8.0, 8.0, 65)
"""The x among which the steepest slope of an activation is sought."""


@dataclass(frozen=True)
class BlockStatistics:
    """The figures of one block.

    - `name`: number, kind and the block's own name;
    - `mean`, `deviation`: of its outputs y;
    - `dead`: share of the units whose slope f'(x) is exactly 0 on every row: nothing is learned through them;
    - `saturated`: share of the entries whose slope |f'(x)| is at most 1 % of the steepest f' of the activation;
    - `output_gradient`: ‖dL/dy‖, the mean loss of the sample being L;
    - `parameter_norm`, `gradient_norm`: ‖θ‖ and ‖dL/dθ‖ of the block's own parameters;
    - `update_ratio`: ‖θ - θ before‖ / ‖θ‖ per step.

    A figure is None where a block has none: a slope for each output (Dense), parameters (an activation), a θ before.
    """

    name: str
    mean: float
    deviation: float
    dead: float | None
    saturated: float | None
    output_gradient: float
    parameter_norm: float | None
    gradient_norm: float | None
    update_ratio: float | None


def slopes(block: Block, params: Params, cache: Cache, y: Array) -> Array | None:
    """Return f'(x) (n, o) of a block that works entry by entry, dx = f'(x) dy, and None for any other block."""
    ones = np.ones_like(y)
    slope, wave = block.pull_input(params, cache, ones), np.cos(np.arange(y.size, dtype=y.dtype)).reshape(y.shape)
    if slope.shape != y.shape:
        return None
    alone = np.allclose(block.pull_input(params, cache, wave), slope * wave, rtol=1e-4, equal_nan=True)
    return slope if alone else None


def steepest(block: Block, params: Params, units: int, dtype: np.dtype) -> tuple[Array, bool]:
    """Return max |f'| of each unit (o,) over RANGE, and whether f' is the same all over RANGE and not 0: no bend."""
    x = np.repeat(RANGE.astype(dtype)[:, None], units, axis=1)
    y, cache = block.forward(params, x)
    slope = np.abs(block.pull_input(params, cache, np.ones_like(y)))
    return slope.max(axis=0), bool((slope == slope[:1]).all() and slope.any())


def _flatness(trace: Trace) -> tuple[float | None, float | None]:
    """Return the shares of dead units and of saturated entries, None for a block without a bend."""
    slope = None if {"weight"} & _kinds(trace) else slopes(trace.block, trace.params, trace.cache, trace.y)
    if slope is None:
        return None, None
    top, straight = steepest(trace.block, trace.params, trace.y.shape[1], trace.y.dtype)
    if straight:
        return None, None
    return float((slope == 0).all(axis=0).mean()), float((np.abs(slope) <= SATURATED * top).mean())


def _kinds(trace: Trace) -> set[str]:
    return {spec.kind for spec in trace.block.parameters(trace.y.shape[1]).values()}


def _norm(parts: Iterator[Array]) -> float:
    """Return the length of all entries of some arrays together."""
    return float(np.sqrt(sum(float(np.vdot(part, part)) for part in parts)))


def update_ratio(theta: Array, before: Array, steps: int = 1) -> float:
    """Return ‖θ - θ before‖ / ‖θ before‖ per step: about 0.001 in a training that goes well, 1 where all is swept away.

    >>> update_ratio(np.array([3.0, 6.5]), np.array([3.0, 4.0]), steps=4)
    0.125
    """
    size = float(np.linalg.norm(before))
    return float(np.linalg.norm(theta - before)) / size / steps if size else 0.0


def block_statistics(
    objective: Objective,
    theta: NDArray[np.floating],
    rows: int = ROWS,
    before: NDArray[np.floating] | None = None,
    steps: int = 1,
) -> tuple[BlockStatistics, ...]:
    """Return the figures of each block of the objective's network, from at most `rows` of its rows.

    `before` is an earlier θ, `steps` steps ago. Raises ValueError when θ does not have the network's length, or there
    is no row.

    >>> import chainrule as cr
    >>> network = cr.Network(2, [cr.Dense(4, bias_initializer=-9.0), cr.Activation("relu"), cr.Dense(1)])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), np.ones((5, 2)), np.ones(5))
    >>> [(block.name, block.dead) for block in block_statistics(objective, network.initialize(0))]
    [('0 Dense', None), ('1 Activation relu', 1.0), ('2 Dense', None)]
    """
    if rows < 1 or objective.rows == 0:
        raise ValueError(f"statistics need at least one row, got rows={rows} of {objective.rows}")
    part = objective.batch(spaced(objective.rows, rows))
    with np.errstate(all="ignore"):
        moved = _moved(objective.network, theta, before, steps)
        traces = part.network.trace(
            theta, part.X, lambda scores: part.loss.gradient(scores, part.y, part.sample_weight)
        )
        return tuple(_figures(trace, moved[k]) for k, trace in enumerate(traces))


def _moved(network: Network, theta: Array, before: Array | None, steps: int) -> list[float | None]:
    """Return the update ratio of each block, None without parameters or a θ before."""
    ratios: list[float | None] = [None] * len(network.blocks)
    if before is not None:
        for k in {slot.block for slot in network.slots}:
            places = [slice(slot.start, slot.stop) for slot in network.slots if slot.block == k]
            change, size = _norm(theta[p] - before[p] for p in places), _norm(theta[p] for p in places)
            ratios[k] = change / size / steps if size else 0.0
    return ratios


def _figures(trace: Trace, moved: float | None) -> BlockStatistics:
    dead, saturated = _flatness(trace)
    return BlockStatistics(
        name=trace.name,
        mean=float(trace.y.mean()),
        deviation=float(trace.y.std()),
        dead=dead,
        saturated=saturated,
        output_gradient=_norm(iter([trace.dy])),
        parameter_norm=_norm(iter(trace.params.values())) if trace.params else None,
        gradient_norm=_norm(iter(trace.gradients.values())) if trace.params else None,
        update_ratio=moved,
    )


class Look:
    """The figures of an epoch on demand: remembers θ at its start, and computes nothing until it is asked.

    `before` is θ at the beginning of the epoch, `steps` the steps since; `first` is the update ratio of all of θ in
    the first epoch, which says how fast the training set out.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective, self.steps = objective, 1
        self.before: NDArray[np.floating] | None = None
        self.first: float | None = None

    def begin(self, before: NDArray[np.floating], steps: int) -> None:
        """Note where an epoch begins; `before` is kept as it is, so it must be a copy."""
        self.before, self.steps = before, steps

    def end(self, theta: NDArray[np.floating]) -> None:
        """Note the first epoch's update ratio."""
        if self.first is None and self.before is not None:
            self.first = update_ratio(theta, self.before, self.steps)

    def statistics(self, theta: NDArray[np.floating]) -> tuple[BlockStatistics, ...]:
        """Return the figures at θ."""
        return block_statistics(self.objective, theta, before=self.before, steps=self.steps)
