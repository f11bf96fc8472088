"""From the settings of an estimator to the parts of a training: network, loss, optimiser, schedule, stopping rule.

Pure translation, each part from a table: nothing here looks at the values of the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from ...mathematics.blocks import (
    ACTIVATION_BLOCKS,
    INPUT_TRANSFORMS,
    NORMALIZATIONS,
    Activation,
    Block,
    Dense,
    DropConnect,
    Dropout,
    GaussianNoise,
)
from ...mathematics.network import Network

Settings = Mapping[str, Any]


NOISE = ("dropout", "input_dropout", "noise", "input_noise", "drop_connect")
"""Settings of blocks that only disturb: with other rates the network keeps its parameters."""

OF_HIDDEN_LAYERS = ("normalization", "dropout", "noise", "drop_connect")
"""Settings that do nothing in a network without hidden layers."""

NETWORK = ("hidden_layer_sizes", "activation", "normalization", "input_transform", "components", *NOISE)
"""Settings that make the network; the others of their group are about its start. The first says how many layers."""


def sizes(settings: Settings) -> list[int]:
    """Return the hidden layers' sizes as a list."""
    given = settings["hidden_layer_sizes"]
    return [int(size) for size in (given if hasattr(given, "__iter__") else [given])]


def each(settings: Settings, name: str) -> list[Any]:
    """Return a setting for each hidden layer: the one value for all, or a value for each.

    Raises ValueError when a sequence of them does not match the hidden layers.
    """
    hidden = sizes(settings)
    values = _spread(settings[name], len(hidden))
    if len(values) != len(hidden):
        raise ValueError(f"{name} names {len(values)} layers, hidden_layer_sizes {len(hidden)}")
    return values


def _spread(given: Any, count: int) -> list[Any]:
    """Return the values of a sequence, or `count` times the one value."""
    alone = isinstance(given, str | Block) or not hasattr(given, "__iter__")
    return [given] * count if alone else list(given)


def activation(given: Any) -> Block:
    """Return an activation's block, by its name or itself."""
    if not isinstance(given, str):
        return given  # type: ignore[no-any-return]  # settings.check has seen that it is a block
    return ACTIVATION_BLOCKS[given]() if given in ACTIVATION_BLOCKS else Activation(given)


def transform(settings: Settings) -> list[Block]:
    """Return the block that is fitted to the inputs, where there is one.

    Raises ValueError for `components` without a PCA.
    """
    chosen, components = settings["input_transform"], settings["components"]
    block: Any = INPUT_TRANSFORMS.get(chosen)
    if components is not None and not hasattr(block, "components"):
        raise ValueError(f"components={components!r} is for input_transform 'pca' and 'whitening', not {chosen!r}")
    return [] if block is None else [block if components is None else replace(block, components=components)]


def noise(dropout: float, deviation: float) -> list[Block]:
    """Return the blocks for the strengths above 0."""
    blocks: list[Block] = [Dropout(float(dropout))] if dropout > 0 else []
    return [*blocks, GaussianNoise(float(deviation))] if deviation > 0 else blocks


def network(settings: Settings, inputs: int, outputs: int) -> Network:
    """Return the network: for each hidden layer an affine map, normalisation, activation and noise, then raw scores.

    An affine map before a batch normalisation has no biases: they would be taken away again. Raises ValueError for
    what hidden layers should have where there are none, and as `each` does.
    """
    initializer = None if settings["initializer"] == "auto" else settings["initializer"]
    biases, norm = settings["bias_initializer"], settings["normalization"]
    starts = {"initializer": initializer, "bias_initializer": biases}
    blocks = [*transform(settings), *noise(settings["input_dropout"], settings["input_noise"])]
    for name in OF_HIDDEN_LAYERS if not sizes(settings) else ():
        if any(_spread(settings[name], 1)):
            raise ValueError(f"{name}={settings[name]!r} is for hidden layers; hidden_layer_sizes () has none")
    layers = [each(settings, name) for name in ("drop_connect", "activation", "dropout", "noise")]
    for size, rate, chosen, dropout, deviation in zip(sizes(settings), *layers, strict=True):
        own = {**starts, "bias": norm != "batch"}
        blocks.append(DropConnect(size, float(rate), **own) if rate > 0 else Dense(size, **own))
        blocks += [NORMALIZATIONS[norm]()] if norm else []
        blocks += [activation(chosen), *noise(dropout, deviation)]
    return Network(inputs, [*blocks, Dense(outputs, initializer, biases)])


def made_of(settings: Settings) -> dict[str, Any]:
    """Return the settings that make the network, as they are now."""
    return {name: deepcopy(settings[name]) for name in NETWORK}


def continued(settings: Settings, made: Settings, known: Network) -> Network:
    """Return the network that a training goes on with: the known one, made of `made`, or its like with other noise.

    Raises ValueError, naming it, for a setting that would make another network.
    """
    layers = len(sizes(made)) or 1
    changed = [name for name in NETWORK if _spread(settings[name], layers) != _spread(made[name], layers)]
    for name in changed:
        if name not in NOISE:
            was = f"{name} is {settings[name]!r}, the network was made with {made[name]!r}"
            raise ValueError(
                f"{was}: warm_start and partial_fit go on with it; set {name} back, or fit a new estimator"
            )
    return network(settings, known.inputs, known.outputs) if changed else known
