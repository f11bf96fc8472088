"""The causes of a training that does not learn: each with the figure that shows it, and its remedy.

They stand in a table, the most basic first, for each explains those below it: inputs of a wrong size blow up weights,
weights that are blown up kill units, dead units pass no gradient.

Source: LeCun et al. 1998, "Efficient BackProp"; Glorot and Bengio 2010; Pascanu et al. 2013.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..foundation.arrays import Array, is_sparse, spaced
from ..mathematics.network import Network
from ..mathematics.objective import Objective
from ..mathematics.penalties import L1, L2, Penalty
from ..steps.recipe import DEFAULT_RECIPE, Recipe
from .statistics import BlockStatistics, block_statistics
from .symptoms import Event, constant_loss, equal_layers

SAMPLE = 4096
"""Rows on which columns are judged."""

LARGE, WIDE = 100.0, 10.0
"""Numbers that reach 100, in a column whose root mean square is above 10, are not standardised."""

SWEPT, SLOW = 0.3, 1e-5
"""In a sound training a step moves the weights by 0.1 to 1 % of their size; from 30 % on they are swept away."""

UNMOVED, STILL = 0.1, 0.05
"""Slow steps lead nowhere if they move the weights by less than this share of their size, and the loss by less than
this share of the best constant prediction's."""

OVERPOWERED = 100.0
"""Penalties that pull so many times as hard as the data do decide alone."""

SHORTENED = 0.01
"""A gradient that clipping leaves less than this share of does nothing."""

ROWS = 256
"""Rows on which the data's gradient is measured."""

WORSE = 0.05
"""A loss that is above that of the best constant prediction by more than this share of it has learned nothing."""

DEAD, FLAT = 0.7, 0.5
"""Shares of dead units, and of saturated entries, that no sound training was seen to have."""

FADED = 100.0
"""The factor by which the gradient may grow or shrink on its way through the network."""


@dataclass(frozen=True)
class Advice:
    """One cause: the block where it shows, the figure that shows it, and the remedy.

    >>> print(Advice("1 Activation relu", "its 100 units are dead", "try a lower learning rate"))
    1 Activation relu: its 100 units are dead; try a lower learning rate
    """

    block: str
    figure: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.block}: {self.figure}; {self.remedy}"


@dataclass(frozen=True)
class Training:
    """A finished training; `rate` is its highest learning rate, `usual` the optimiser's own.

    `stopped` says that it ended by itself, before its last epoch.
    """

    objective: Objective
    theta: NDArray[np.floating]
    history: Sequence[Event] = ()
    rate: float | None = None
    usual: float | None = None
    recipe: Recipe = DEFAULT_RECIPE
    stopped: bool = False

    @cached_property
    def blocks(self) -> tuple[BlockStatistics, ...]:
        """The figures of each block at θ."""
        look = self.history[-1].look if self.history else None
        return look.statistics(self.theta) if look else block_statistics(self.objective, self.theta)

    @cached_property
    def weighted(self) -> list[int]:
        """The numbers of the blocks of weights (Dense, DropConnect)."""
        return self.objective.network.weighted

    @cached_property
    def pace(self) -> float | None:
        """The share of their size by which a step of the first epoch moved the weights."""
        return self.history[0].look.first if self.history and self.history[0].look else None

    @cached_property
    def idle(self) -> bool:
        """True where the steps were so short that all of them together lead nowhere."""
        if self.rate is None or self.pace is None or not 0 <= self.pace < SLOW or not self.history[0].learning_rate:
            return False
        if not abs(self.history[-1].loss - self.history[0].loss) < STILL * constant_loss(self.objective):
            return False
        highest = self.rate / self.history[0].learning_rate  # a warm-up begins with less
        return self.pace * highest < SLOW and self.pace * highest * self.history[-1].step < UNMOVED

    def batch(self) -> Objective:
        """Return the objective on as many rows as a step takes, or those at hand where that is not known."""
        look = self.history[-1].look if self.history else None
        rows = -(-self.objective.rows // (look.steps if look else 1))
        return self.objective.batch(spaced(self.objective.rows, rows))

    def faster(self) -> str:
        """Return a learning rate to try: the optimiser's own, or ten times the rate where that was not far below."""
        assert self.rate is not None
        return f"{self.usual if self.usual and 10 * self.rate <= self.usual else 10 * self.rate:.3g}"

    def slower(self) -> str:
        """Return a learning rate to try: the optimiser's own, or a tenth where the rate was not far above it."""
        assert self.rate is not None
        return f"{self.usual if self.usual and self.rate >= 10 * self.usual else self.rate / 10:.3g}"


def _columns(X: Array) -> tuple[Array, Array, Array]:
    """Return the largest |x|, the root mean square and the deviation of each column, on a sample of rows."""
    part = X[spaced(X.shape[0], SAMPLE)]
    largest = abs(part).max(axis=0)
    largest = largest.toarray().ravel() if is_sparse(largest) else np.asarray(largest)
    squares = part.multiply(part) if is_sparse(part) else np.square(part, dtype=np.float64)
    mean, square = (np.asarray(a.mean(axis=0), np.float64).ravel() for a in (part, squares))
    return largest, np.sqrt(square), np.sqrt(np.maximum(square - mean * mean, 0))


def unscaled(name: str, values: Array, remedy: str, block: str) -> list[Advice]:
    """Return advice on columns of numbers that are far from standardised."""
    if not values.shape[0]:
        return []
    largest, size, deviation = _columns(values)
    k = int(np.argmax(size))
    if not (largest[k] > LARGE and size[k] > WIDE):
        return []
    figure = f"the {name} reach {largest[k]:.3g} (column {k}, deviation {deviation[k]:.3g})"
    return [Advice(block, figure, f"standardise them (mean 0, deviation 1): {remedy}")]


def wrong_scale(training: Training) -> list[Advice]:
    """Inputs, or targets of a regression, of a wrong size."""
    objective, names = training.objective, training.objective.network.names
    X, remedy = _after_transforms(training)
    found = unscaled("inputs", X, remedy, names[0])
    if objective.loss.targets == "real":
        found += unscaled("targets", objective.y, "scale_target=True", names[-1])
    return found


def _after_transforms(training: Training) -> tuple[Array, str]:
    """Return a sample of the inputs as the first learning block gets them, and what would scale them.

    None of them where θ, and what was measured with it, is not known: after a divergence.
    """
    X, network = training.objective.X, training.objective.network
    if not network.transforms:
        return X, 'input_transform="standard" or StandardScaler'
    if not training.theta.size:
        return X[:0], ""
    sample = X[spaced(training.objective.rows, SAMPLE)]
    return network.transformed(training.theta, sample), 'input_transform="standard" or "whitening"'


def equal_units(training: Training) -> list[Advice]:
    """Layers whose units are all alike: they get the same gradient, and count as one unit for ever."""
    network = training.objective.network
    return [
        Advice(
            network.names[k],
            f"its {network.widths[k + 1]} units are all equal, and will stay so",
            'start from random weights: initializer="auto"',
        )
        for k in equal_layers(training.objective, training.theta)[:1]
    ]


def rate_too_high(training: Training) -> list[Advice]:
    """A learning rate that sweeps the weights away."""
    if training.rate is None or training.pace is None or training.pace < SWEPT:
        return []
    worst = max(training.blocks, key=lambda block: block.parameter_norm or 0.0)
    pace = f"the learning rate {training.rate:.3g} moved the weights by {training.pace:.3g} times their size per step"
    return [Advice(worst.name, f"{pace} of the first epoch", f"try {training.slower()}")]


SETTING_OF_PENALTY: Mapping[type, str] = MappingProxyType({L2: "alpha", L1: "l1"})
"""The estimators' names for the strengths of penalties."""


def overpowered(training: Training) -> list[Advice]:
    """Penalties that decide alone: at usual starting weights, their gradient is far longer than that of the data.

    At the weights that were found the two are equally long: penalties have then pulled the weights to where they are.
    """
    network, batch = training.objective.network, training.batch()
    theta = _from_usual_weights(network).initialize(0, training.theta.dtype.name)
    measured = network.mask("statistic")
    theta[measured] = training.theta[measured]
    data = batch.without_penalties().batch(spaced(batch.rows, ROWS)).gradient(theta)
    pulls = [(float(np.linalg.norm(_pull(batch, penalty, theta))), penalty) for penalty in batch.penalties]
    pull, penalty = max(pulls, key=lambda pair: pair[0], default=(0.0, None))
    ratio = pull / max(float(np.linalg.norm(data)), 1e-300)
    if penalty is None or not ratio > OVERPOWERED:
        return []
    name = SETTING_OF_PENALTY.get(type(penalty), f"{type(penalty).__name__} strength")
    figure = (
        f"the penalty {name}={penalty.strength:.3g} pulls starting weights {ratio:.3g} times as hard as the data do"
    )
    remedy = f"try {name}={penalty.strength / ratio / OVERPOWERED:.1g}"
    return [Advice(network.names[training.weighted[0]], figure, remedy)]


USUAL: Mapping[str, str | None] = MappingProxyType({"weight": None, "bias": "zeros"})
"""Initialisers by kind: None is the one that suits the activation that follows."""


def _from_usual_weights(network: Network) -> Network:
    """Return the network with the usual initialisers in the blocks of weights."""
    usual = copy(network)
    usual.slots = tuple(
        slot._replace(spec=slot.spec._replace(initializer=USUAL.get(slot.spec.kind, slot.spec.initializer)))
        if slot.block in network.weighted
        else slot
        for slot in network.slots
    )
    return usual


def _pull(batch: Objective, penalty: Penalty, theta: Array) -> Array:
    """Return the gradient of one penalty; a proximal one pulls as hard as the same penalty in the gradient."""
    plain = replace(penalty, proximal=False) if penalty.proximal else penalty  # type: ignore[type-var]  # L1
    alone = Objective(batch.network, batch.loss, batch.X, batch.y, batch.sample_weight, [plain])
    return alone.penalty_and_gradient(theta)[1]


def shortened(training: Training) -> list[Advice]:
    """A limit that clipping shortens the gradient to, which leaves next to nothing of it and of the steps."""
    if training.recipe.clip is None or not training.idle:
        return []
    (kind, limit), network = training.recipe.clip, training.objective.network
    g = training.batch().gradient(training.theta)
    norm, left = (float(np.linalg.norm(v)) for v in (g, training.recipe.clipped(network, g)))
    if not left < SHORTENED * norm:
        return []
    figure = f"clip_{kind}={limit:.3g} leaves {_share(left / norm)} of a gradient of the length {norm:.3g}"
    return [Advice(network.names[training.weighted[-1]], figure, f"leave it out, or try clip_norm={norm:.1g}")]


def dead_units(training: Training) -> list[Advice]:
    """Units of an activation with a flat side (ReLU) that are on it for every row."""
    found = [k for k, b in enumerate(training.blocks) if (b.dead or 0) >= DEAD and _has_flat_side(training, k)]
    start = 'initializer="he_uniform" with bias_initializer="zeros"'
    remedy = _try(training, start, "a lower learning rate", 'activation="leaky_relu"')
    figure = "{} of its {} units are dead: 0 slope on every row"
    return [
        Advice(b.name, figure.format(_share(b.dead), training.objective.network.widths[k + 1]), remedy)
        for k, b in ((k, training.blocks[k]) for k in found[:1])
    ]


def _has_flat_side(training: Training, k: int) -> bool:
    """Return True where a block's slope is exactly 0 at -3 or 3, not only where a curve runs out of digits."""
    block, units = training.objective.network.blocks[k], training.objective.network.widths[k + 1]
    params = training.objective.network.unpack(training.theta)[k]
    x = np.repeat(np.array([[-3.0], [3.0]], training.theta.dtype), units, axis=1)
    y, cache = block.forward(params, x)
    return bool((block.pull_input(params, cache, np.ones_like(y)) == 0).any())


def saturated(training: Training) -> list[Advice]:
    """Sigmoids and their like at their flat ends, where no gradient passes."""
    found = [b for k, b in enumerate(training.blocks) if (b.saturated or 0) >= FLAT and not _has_flat_side(training, k)]
    remedy = _try(training, 'start="unit_variance"', 'initializer="xavier_uniform"', 'activation="relu"')
    figure = "{} of its outputs are saturated: less than 1 % of the steepest slope"
    return [Advice(b.name, figure.format(_share(b.saturated)), remedy) for b in found[:1]]


def _try(training: Training, *remedies: str) -> str:
    """Return the remedies in words, without those that the network has already."""
    there = _settings_there(training.objective.network)
    *others, last = [text for text in remedies if text not in there]
    return f"try {', '.join(others)}{' or ' * bool(others)}{last}"


def _settings_there(network: Network) -> set[str]:
    """Return the settings among the remedies that the network has, in the words of the remedies."""
    blocks = [block for block in network.blocks if block.suits is not None]
    activations, suiting = {block.name for block in blocks}, {block.suits for block in blocks}
    own: dict[str, set[Any]] = {"weight": set(), "bias": set()}
    for slot in network.slots:
        if slot.block in network.weighted and slot.spec.kind in own:
            given = slot.spec.initializer
            own[slot.spec.kind].add(given if given is None or isinstance(given, str) else "another")
    starts = own["weight"] if own["weight"] != {None} else {"auto"} | (suiting if len(suiting) == 1 else set())
    there = {f'activation="{name}"' for name in activations if len(activations) == 1}
    if len(own["weight"]) == 1:
        there |= {f'initializer="{name}"' for name in starts}
        if own["bias"] <= {"zeros"}:
            there |= {f'initializer="{name}" with bias_initializer="zeros"' for name in starts}
    return there


def _share(share: float | None) -> str:
    return f"{100 * (share or 0):.3g} %"


def fading(training: Training) -> list[Advice]:
    """Gradients that vanish or explode on the way back from the last block of weights to the first."""
    if len(training.weighted) < 2:
        return []
    first, last = training.blocks[training.weighted[0]], training.blocks[training.weighted[-1]]
    ratio = first.output_gradient / last.output_gradient if last.output_gradient > 0 else 1.0
    figure = f"the gradient at its output is {first.output_gradient:.3g}, {last.output_gradient:.3g} at {last.name}"
    if ratio < 1 / FADED:
        remedy = _try(training, 'activation="relu"', 'start="unit_variance"')
        return [Advice(first.name, f"{figure}: it vanishes", remedy)]
    if ratio > FADED:
        remedy = _try(training, 'initializer="auto"', 'start="unit_variance"')
        return [Advice(first.name, f"{figure}: it explodes", remedy)]
    return []


def rate_too_low(training: Training) -> list[Advice]:
    """A learning rate that leaves the weights where they started, although they have a gradient."""
    if not training.idle or not training.history[-1].gradient_norm > 0:
        return []
    steps = f"the {training.history[-1].step} steps lead nowhere"
    pace = f"the learning rate {training.rate:.3g} moved the weights by {training.pace:.3g} times their size per step"
    first = training.objective.network.names[training.weighted[0]]
    return [Advice(first, f"{pace}: {steps}", f"try {training.faster()}")]


def worse_than_constant(training: Training) -> list[Advice]:
    """A loss above that of the best constant output, in a training that ended by itself and not on its way down."""
    if not (training.history and training.stopped):
        return []
    if bool((training.objective.y == training.objective.y[0]).all()):  # one value for all is the constant itself
        return []
    losses, constant = [event.loss for event in training.history], constant_loss(training.objective)
    falling = losses[-1] == min(losses) and losses[len(losses) // 2] - losses[-1] > STILL * abs(constant)
    if falling or not losses[-1] > constant + WORSE * abs(constant):
        return []
    figure = f"the loss ended at {losses[-1]:.3g}, above the {constant:.3g} of the best constant output"
    slower = "" if training.rate is None else f"a lower learning rate such as {training.slower()}, or "
    remedy = f"try {slower}more epochs (max_iter, n_iter_no_change)"
    return [Advice(training.objective.network.names[-1], figure, remedy)]


CAUSES: tuple[Callable[[Training], list[Advice]], ...] = (
    wrong_scale,
    equal_units,
    rate_too_high,
    overpowered,
    shortened,
    dead_units,
    saturated,
    fading,
    rate_too_low,
    worse_than_constant,
)
"""The table, the most basic first: what one finds, those below it would only repeat."""
