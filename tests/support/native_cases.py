"""Networks, data and starting weights for comparing the native engine with the reference engine, and the bounds.

The bounds are relative errors, of vectors in the Euclidean norm: ONCE for what one evaluation gives, LATER for what
fifty updates make of it. Both engines run in the same precision, so that each bound holds the errors of both. A kink
would tell the two apart wherever rounding moves a number across it: rows that come near one are left out.

Shapes: n rows, i inputs, o outputs, P parameters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import reject
from hypothesis import strategies as st

from chainrule import Activation, Dense, Network, Objective
from chainrule.losses import Loss
from chainrule.mathematics.activations import ACTIVATIONS
from chainrule.optimizers import UpdateRule
from chainrule.penalties import L1, L2
from support.naive_loops import RULES
from support.strategies import (
    ALL_LOSSES,
    ATTEMPTS,
    SEEDS,
    distance_to_kink,
    draw_target,
    drawn_penalties,
    moved_off,
)

ONCE = {"float32": 1e-5, "float64": 1e-12}
"""What a value or a gradient may differ by, relative to its size."""

LATER = {"float32": 1e-3, "float64": 1e-10}
"""What θ, the memory and the losses may differ by in fifty steps, relative to their sizes."""

NEAR = 1e-3
"""How far rows stay from a kink: further than the rounding of float32 moves anything."""

SMOOTH = tuple(
    loss
    for loss in ALL_LOSSES
    if distance_to_kink(loss, np.zeros((2, 2)), draw_target(loss, np.random.default_rng(0), 2, 2)) > 99
)
KINKED = tuple(loss for loss in ALL_LOSSES if loss not in SMOOTH)
"""A network that ends in steps or in zeros may have all its scores at a kink of these."""

DTYPES = st.sampled_from(["float32", "float64"])
WIDTHS = st.one_of(st.integers(1, 70), st.sampled_from([8, 16, 17, 31, 32, 33, 48, 64, 65]))
ROWS = st.sampled_from([1, 2, 3, 5, 7, 8, 9, 31, 33, 63, 64, 65, 101, 255, 256, 257, 511, 512, 513, 1025, 1300])

both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_rule = pytest.mark.parametrize("name", RULES)
every_loss = pytest.mark.parametrize("loss", ALL_LOSSES, ids=repr)


class Case(NamedTuple):
    """An objective, and θ (P,) in the dtype of its data."""

    objective: Objective
    theta: Any

    @property
    def dtype(self) -> str:
        return str(self.theta.dtype)


def draw_theta(network: Network, rng: np.random.Generator) -> Any:
    """Return θ with which every layer's sums stay near 1 in size, none of it within DISTANCE of 0, the kink of L1."""
    parts = [
        moved_off(rng.normal(size=slot.spec.shape), [0.0]) / (np.sqrt(slot.spec.shape[0]) if slot.name == "W" else 2)
        for slot in network.slots
    ]
    return np.concatenate([part.reshape(-1) for part in parts])


def clear_rows(network: Network, loss: Loss, theta: Any, X: Any, y: Any) -> Any:
    """Return which rows keep their distance from every kink of the network and the loss."""
    scores, caches = network.forward_with_caches(network.unpack(theta), X)
    clear = np.ones(X.shape[0], bool)
    if loss in KINKED:
        clear = np.array([distance_to_kink(loss, scores[[r]], y[[r]]) > NEAR for r in range(X.shape[0])])
    for block, cache in zip(network.blocks, caches, strict=True):
        if isinstance(block, Activation):
            for kink in block.function.kinks:
                clear &= (np.abs(cache.x - kink) > NEAR).all(axis=1)
    return np.flatnonzero(clear)


def draw_data(
    network: Network, loss: Loss, theta: Any, rng: np.random.Generator, rows: int, soft: bool
) -> tuple[Any, Any]:
    """Return X and y with so many rows, all of them clear of kinks; reject a network that leaves hardly any."""
    X, y = np.empty((0, network.inputs)), None
    for attempt in range(ATTEMPTS):
        if attempt and X.shape[0] >= rows:
            return X[:rows], y[:rows]
        if attempt > 3 and X.shape[0] < rows * attempt / 20:
            break
        more = rng.normal(size=(rows + 5, network.inputs))
        target = draw_target(loss, rng, rows + 5, network.outputs, soft)
        keep = clear_rows(network, loss, theta, more, target)
        X = np.concatenate([X, more[keep]])
        y = target[keep] if y is None else np.concatenate([y, target[keep]])
    reject()


@st.composite
def networks(draw: st.DrawFn, activation: str | None = None, outputs: int = 1, end: Any = None) -> Network:
    """A network of one to four layers, each with an activation or none, the last one sometimes too."""
    names = st.sampled_from(sorted(ACTIVATIONS)) if activation is None else st.just(activation)
    blocks: list[Any] = []
    for _ in range(draw(st.integers(0, 3))):
        blocks.append(Dense(draw(WIDTHS)))
        blocks += [Activation(draw(names))] if draw(st.integers(0, 5)) else []
    blocks.append(Dense(max(outputs, draw(WIDTHS))))
    if draw(st.booleans()) if end is None else end:
        blocks.append(Activation(draw(names)))
    return Network(draw(WIDTHS), blocks)


@st.composite
def cases(draw: st.DrawFn, activation: str | None = None, loss: Loss | None = None, end: Any = None) -> Case:
    """An objective on data of either dtype: weights and penalties or none, hard or soft targets."""
    loss = loss or draw(st.sampled_from(SMOOTH if end else ALL_LOSSES))
    end = False if loss in KINKED else end
    network = draw(networks(activation, 1 + (loss.targets == "classes"), end))
    dtype, rows, soft = draw(DTYPES), draw(ROWS), draw(st.booleans())
    chosen, weighted = draw(drawn_penalties()), draw(st.booleans())
    rng = np.random.default_rng(draw(SEEDS))
    theta = draw_theta(network, rng)
    X, y = draw_data(network, loss, theta, rng, rows, soft)
    weight = rng.uniform(0.2, 3, rows) * (rng.uniform(size=rows) < 0.8) if weighted else None
    X = X.astype(dtype)
    return Case(Objective(network, loss, X, y, weight, chosen), theta.astype(dtype))


PENALTIES = (L2(0.01), L1(0.01, True))


def trainable(loss: Loss, dtype: str, rows: int = 150, weighted: bool = True, penalties: Any = PENALTIES) -> Case:
    """Return a smooth network on so many rows, and where to start."""
    rng, outputs = np.random.default_rng(rows), 4
    network = Network(6, [Dense(37), Activation("tanh"), Dense(18), Activation("softplus"), Dense(outputs)])
    X, y = rng.normal(size=(rows, 6)).astype(dtype), draw_target(loss, rng, rows, outputs)
    weight = rng.uniform(0.5, 2, rows) if weighted else None
    return Case(Objective(network, loss, X, y, weight, penalties), network.initialize(0, dtype))


def memory_for(rule: UpdateRule, case: Case) -> Any:
    return rule.zeros(case.theta.size, case.dtype, case.objective.network.mask("weight"))
