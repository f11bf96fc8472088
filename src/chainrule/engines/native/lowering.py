"""From a network to what the core runs: affine maps, each with what stands between it and the next.

The core knows chains of Dense or DropConnect, each followed by at most one normalisation, one activation, one Dropout
and one GaussianNoise, in this order; the two kinds of noise may also stand before the first. The last map may have an
activation of the table only. Transforms at the beginning are left to whoever holds the data: what they make of it
never changes. `lower` says what stands in the way of anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ...mathematics.activations import ACTIVATIONS
from ...mathematics.blocks import (
    Activation,
    BatchNorm,
    Block,
    Dense,
    DropConnect,
    Dropout,
    GaussianNoise,
    LayerNorm,
    NoisyReLU,
    PReLU,
    RReLU,
    threshold,
)
from ...mathematics.network import Network

Fields = dict[str, Any]
"""Fields of a struct of the core, by name."""


class Lowered(NamedTuple):
    """A network as the core takes it: how many transforms go before, the noise on its inputs, and its layers.

    The noise is the fields of the core's Noise, a layer those of its Layer, by name: only the core says which there
    are, and what stands where none is given (step/layer_fields.hpp).
    """

    transforms: int
    input: Fields
    layers: list[Fields]


Places = Mapping[tuple[int, str], int]
"""The place in θ at which each parameter begins, by the number of its block and its name."""

Entries = Callable[[Any, int, Places], Fields]


def _normalization(name: str) -> Entries:
    def entries(block: BatchNorm | LayerNorm, k: int, places: Places) -> Fields:
        measured = {key: places[k, key] for key in ("mean", "variance") if (k, key) in places}
        where = {"scales": places[k, "scale"], "shifts": places[k, "shift"], **measured}
        momentum = block.momentum if isinstance(block, BatchNorm) else 0.0
        return {"norm": name, "epsilon": block.epsilon, "momentum": momentum, **where}

    return entries


def _activation(block: Activation, k: int, places: Places) -> Fields:
    return {"activation": block.name, "setting": float(next(iter(block.settings.values()), 0.0))}


def _prelu(block: PReLU, k: int, places: Places) -> Fields:
    return {"live": "prelu", "slopes": places[k, "a"], "shared_slope": block.shared}


def _rrelu(block: RReLU, k: int, places: Places) -> Fields:
    at_prediction = {"activation": "leaky_relu", "setting": block.mean}
    return {"live": "rrelu", "lowest": block.lower, "highest": block.upper, "live_block": k, **at_prediction}


def _noisy_relu(block: NoisyReLU, k: int, places: Places) -> Fields:
    return {"live": "noisy_relu", "live_block": k, "activation": "relu"}


def _dropout(block: Dropout, k: int, places: Places) -> Fields:
    return {"dropped": threshold(block.rate), "dropout_block": k}


def _noise(block: GaussianNoise, k: int, places: Places) -> Fields:
    return {"deviation": block.deviation, "noise_block": k}


STAGES: Mapping[type[Block], tuple[int, Entries]] = MappingProxyType(
    {
        BatchNorm: (1, _normalization("batch")),
        LayerNorm: (1, _normalization("layer")),
        Activation: (2, _activation),
        PReLU: (2, _prelu),
        RReLU: (2, _rrelu),
        NoisyReLU: (2, _noisy_relu),
        Dropout: (3, _dropout),
        GaussianNoise: (4, _noise),
    }
)
"""The blocks that may follow an affine map: the place of each in the order, and its fields of the layer."""

NOT_OF_THE_LAST = frozenset({"norm", "live", "dropped", "deviation"})
"""Fields that the last layer cannot have: it may end in an activation only."""

BEFORE_THE_FIRST = 2
"""Of the inputs, the core knows what comes later than this."""


def _affine(block: Dense | DropConnect, k: int, places: Places) -> Fields:
    layer = {"outputs": block.units, "weights": places[k, "W"]}
    if (k, "b") in places:
        layer["biases"] = places[k, "b"]
    if isinstance(block, DropConnect):
        layer |= {"disconnected": threshold(block.rate), "connect_block": k}
    return layer


def lower(network: Network) -> Lowered | str:
    """Return a network as the core takes it, or what the core does not know of it."""
    places = {(slot.block, slot.name): slot.start for slot in network.slots}
    noise, layers, stage = Fields(), list[Fields](), BEFORE_THE_FIRST
    transforms = len(network.transforms)
    for k, block in [*enumerate(network.blocks)][transforms:]:
        if type(block) in (Dense, DropConnect):
            layers.append(_affine(block, k, places))  # type: ignore[arg-type]  # it is one of the two
            stage = 0
            continue
        place, entries = STAGES.get(type(block), (0, _dropout))
        if place <= stage or not _known(block):
            return f"block {k}, {block!r}, is not known to the core in this place"
        stage, added = place, entries(block, k, places)
        (layers[-1] if layers else noise).update(added)
    if not layers:
        return "the network has no Dense block"
    if layers[-1].keys() & NOT_OF_THE_LAST:
        return "the last Dense is followed by more than an Activation"
    return Lowered(transforms, noise, layers)


def _known(block: Block) -> bool:
    return not isinstance(block, Activation) or block.function is ACTIVATIONS.get(block.name)
