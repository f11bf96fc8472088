"""What the property tests draw: arrays, targets, weights, losses on scores, and whole objectives.

A derivative is only defined away from kinks, so everything drawn here keeps its distance from them (kinks have tests
of their own). Arrays for functions of one number come from Hypothesis entry by entry. Scores, networks and data come
from a seed that Hypothesis draws, because their kinks depend on all numbers together: the builders draw again from
the same seed until the distance is kept.

Shapes: n rows, i inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import reject
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainrule import Activation, Dense, Network, Objective, losses, penalties
from chainrule.losses import LOSSES, Loss
from chainrule.mathematics.activations import ACTIVATIONS

DISTANCE = 0.02
"""How far everything stays from a kink: further than any step of the central differences moves it."""

ATTEMPTS = 500

ROWS = st.integers(1, 4)
WIDTHS = st.integers(1, 3)
SHAPES = st.tuples(ROWS, WIDTHS)
SEEDS = st.integers(0, 2**32 - 1)

LOSS_VARIANTS: tuple[Loss, ...] = (
    losses.SquaredError("mean"),
    losses.Huber(0.3),
    losses.Quantile(0.8),
    losses.CrossEntropy(0.1),
    losses.SigmoidCrossEntropy(0.3),
)
"""Losses with a setting that is not the default; the defaults are the rows of LOSSES."""

ALL_LOSSES: tuple[Loss, ...] = (*(loss() for loss in LOSSES.values()), *LOSS_VARIANTS)


class LossProblem(NamedTuple):
    """Scores (n, o), a fitting target, weights (n,) or None, and a direction v (n, o)."""

    loss: Loss
    scores: NDArray[np.float64]
    target: NDArray[Any]
    weight: NDArray[np.float64] | None
    v: NDArray[np.float64]


class ObjectiveProblem(NamedTuple):
    """An objective, a point θ (P,) away from kinks, and a direction v (P,)."""

    objective: Objective
    theta: NDArray[np.float64]
    v: NDArray[np.float64]


def arrays(
    kinks: Sequence[float] = (), bound: float = 20.0, width: int = 64
) -> st.SearchStrategy[NDArray[np.floating]]:
    """Return arrays of one or two axes with entries in [-bound, bound], none within DISTANCE of a kink."""
    dtype = np.dtype(f"float{width}")
    elements = st.floats(-bound, bound, width=width, allow_subnormal=False)
    shapes = hnp.array_shapes(min_dims=1, max_dims=2, max_side=5)
    return hnp.arrays(dtype, shapes, elements=elements).map(lambda x: moved_off(x, kinks))


def moved_off(x: NDArray[np.floating], kinks: Sequence[float]) -> NDArray[np.floating]:
    """Return x with every entry that is nearer than DISTANCE to a kink put at that distance, on its own side."""
    for kink in kinks:
        side = np.copysign(DISTANCE, x - kink)
        x = np.where(np.abs(x - kink) < DISTANCE, kink + side, x).astype(x.dtype)
    return x


def draw_target(loss: Loss, rng: np.random.Generator, n: int, o: int, soft: bool = False) -> NDArray[Any]:
    """Return a target for `loss`; `soft` gives probabilities where the loss takes them."""
    match loss.targets:
        case "real":
            return rng.normal(0, 1.5, (n, o))
        case "counts":
            return rng.integers(0, 5, (n, o)).astype(float)
        case "signs":
            return rng.choice([-1.0, 1.0], (n, o))
        case "binary":
            return rng.uniform(size=(n, o)) if soft else rng.integers(0, 2, (n, o)).astype(float)
        case "classes" if soft and isinstance(loss, losses.CrossEntropy):
            return rng.dirichlet(np.ones(o), n)
        case "classes":
            return rng.integers(0, o, n)


def draw_weight(rng: np.random.Generator, n: int) -> NDArray[np.float64] | None:
    """Return None, or weights of which about a third are 0."""
    if rng.uniform() < 0.3:
        return None
    return rng.uniform(0.2, 3, n) * (rng.uniform(size=n) < 0.7)


def distance_to_kink(loss: Loss, scores: NDArray[np.floating], target: NDArray[Any]) -> float:
    """Return how far the scores are from the nearest kink of the loss; infinity where it has none."""
    s, t = scores, loss.shaped(target, scores.shape[1])
    match loss:
        case losses.AbsoluteError() | losses.Quantile():
            gaps = np.abs(s - t)
        case losses.Huber():
            gaps = np.abs(np.abs(s - t) - loss.delta)
        case losses.Hinge() | losses.SquaredHinge():
            gaps = np.abs(1 - t * s)
        case losses.Perceptron():
            gaps = np.abs(t * s)
        case losses.MulticlassHinge() | losses.SquaredMulticlassHinge():
            gaps = _gap_of_two_worst(s, t)
        case _:
            gaps = np.array(np.inf)
    return float(np.min(gaps))


def _gap_of_two_worst(s: NDArray[np.floating], t: NDArray[np.integer]) -> NDArray[np.floating]:
    right = np.arange(s.shape[1]) == t[:, None]
    margins = np.sort(~right + s - s[right][:, None], axis=1)
    return margins[:, -1] - margins[:, -2]


def plain_scores(loss: Loss, seed: int) -> tuple[Any, Any, Any, np.random.Generator]:
    """Return scores (6, 3), a hard target, a direction, and the generator that drew them."""
    rng = np.random.default_rng(seed)
    n, o = 6, 3
    return rng.normal(size=(n, o)), draw_target(loss, rng, n, o), rng.normal(size=(n, o)), rng


@st.composite
def loss_problems(draw: st.DrawFn, loss: Loss, shapes: st.SearchStrategy[tuple[int, int]] = SHAPES) -> LossProblem:
    """Scores (n, o) for one loss: hard or soft targets, (n,) targets for one output, weights.

    Losses on class numbers get two outputs at least.
    """
    classes = loss.targets == "classes"
    n, o = draw(shapes)
    o = max(o, 1 + classes)
    soft, size = draw(st.booleans()), draw(st.sampled_from([0.1, 1.0, 3.0]))
    rng = np.random.default_rng(draw(SEEDS))
    target, weight, v = draw_target(loss, rng, n, o, soft), draw_weight(rng, n), rng.normal(size=(n, o))
    for _ in range(ATTEMPTS):
        scores = rng.normal(0, size, (n, o))
        if distance_to_kink(loss, scores, target) > DISTANCE:
            flat = o == 1 and not classes and draw(st.booleans())
            return LossProblem(loss, scores, target[:, 0] if flat else target, weight, v)
    reject()


def hidden_layers(
    draw: st.DrawFn, activation: str | None, depth: int, widths: st.SearchStrategy[int]
) -> list[Dense | Activation]:
    """Return the blocks below the output: Dense and Activation in turn, each activation drawn unless given."""
    blocks: list[Dense | Activation] = []
    for _ in range(depth - 1):
        name = activation or draw(st.sampled_from(sorted(ACTIVATIONS)))
        blocks += [Dense(draw(widths)), Activation(name)]
    return blocks


def drawn_penalties() -> st.SearchStrategy[list[penalties.Penalty]]:
    """Return none, L1, L2 or both, with both meanings of `per_sample`, sometimes on biases too."""
    kinds = st.sampled_from([("weight",), ("weight", "bias")])
    penalty = st.builds(
        lambda cls, strength, per_sample, kinds: cls(strength, per_sample, kinds),
        st.sampled_from([penalties.L1, penalties.L2]),
        st.sampled_from([0.01, 0.7]),
        st.booleans(),
        kinds,
    )
    return st.lists(penalty, max_size=2)


@st.composite
def objective_problems(
    draw: st.DrawFn,
    activation: str | None = None,
    loss: Loss | None = None,
    penalized: bool = True,
    rows: st.SearchStrategy[int] = ROWS,
    widths: st.SearchStrategy[int] = WIDTHS,
) -> ObjectiveProblem:
    """A network of depth 1 to 4 with a loss on data; `activation` and `loss` are drawn where they are not given."""
    loss = loss or draw(st.sampled_from(ALL_LOSSES))
    classes = loss.targets == "classes"
    n, i, o, depth = draw(rows), draw(widths), max(draw(widths), 1 + classes), draw(st.integers(1, 4))
    blocks = [*hidden_layers(draw, activation, depth, widths), Dense(o)]
    if draw(st.booleans()):
        blocks.append(Activation(activation or "sigmoid"))
    network = Network(i, blocks)
    chosen = draw(drawn_penalties()) if penalized else []
    soft = draw(st.booleans())
    rng = np.random.default_rng(draw(SEEDS))
    for _ in range(ATTEMPTS):
        X, y = rng.normal(size=(n, i)), draw_target(loss, rng, n, o, soft)
        theta = _off_zero(rng.normal(0, 0.8, network.size))
        if _clear(network, loss, theta, X, y):
            objective = Objective(network, loss, X, y, draw_weight(rng, n), chosen)
            return ObjectiveProblem(objective, theta, rng.normal(size=network.size))
    reject()


def _off_zero(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    return moved_off(theta, [0.0])  # the kink of L1


def _clear(network: Network, loss: Loss, theta: NDArray[np.float64], X: NDArray[np.float64], y: NDArray[Any]) -> bool:
    scores, caches = network.forward_with_caches(network.unpack(theta), X)
    distances = [distance_to_kink(loss, scores, y)]
    for block, cache in zip(network.blocks, caches, strict=True):
        if isinstance(block, Activation):
            distances += [float(np.min(np.abs(cache.x - kink))) for kink in block.function.kinks]
    return min(distances) > DISTANCE
