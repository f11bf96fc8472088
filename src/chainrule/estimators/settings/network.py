"""The network's settings: their rows, and the network that they make.

Pure translation: nothing here looks at the values of the data.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

from ...foundation.values import Choice, Optional, Several, Whole
from ...mathematics.activations import ACTIVATIONS, ALIASES, resolve
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
from ...mathematics.initializers import INITIALIZERS
from ...mathematics.network import Network
from ...mathematics.starts import STARTS
from .row import FRACTION, STRENGTH, Field, FieldOf, Maker, Part, Setting, Settings, fields_for, fields_of, makers

_names = tuple(sorted({*ACTIVATIONS, *ALIASES, *ACTIVATION_BLOCKS}))
_initializers = Choice(("auto", *INITIALIZERS), (int, float, Callable))  # type: ignore[arg-type]  # isinstance takes it


def _activation_maker(name: str) -> Maker:
    """Return the maker of a row of the activation table; the names of its settings are the fields."""

    def read(made: Any) -> Mapping[str, Any] | None:
        return made.settings if isinstance(made, Activation) and made.name == resolve(name) else None

    return Maker(partial(Activation, name), dict.fromkeys(ACTIVATIONS[resolve(name)].settings, float), read)


ROWS: Mapping[str, Setting] = MappingProxyType(
    {
        "hidden_layer_sizes": Setting(
            "network",
            (100,),
            Several(Whole(), empty=True),
            "units in each hidden layer; none for a linear model",
            (Part("layers"),),
            refusals=((Several(Whole(-sys.maxsize)), "must be > 0"),),  # scikit-learn's words
        ),
        "activation": Setting(
            "network",
            "relu",
            Several(Choice(_names, (Activation, *ACTIVATION_BLOCKS.values()))),
            "activation, for all hidden layers or one each",
            (Part("outputs"),),
            makes={**{n: _activation_maker(n) for n in (*ACTIVATIONS, *ALIASES)}, **makers(ACTIVATION_BLOCKS)},
        ),
        "initializer": Setting(
            "network",
            "auto",
            _initializers,
            "starting weights; auto suits the activation",
            (Field(Dense, "initializer"),),
        ),
        "bias_initializer": Setting(
            "network",
            "zeros",
            Choice(_initializers.names[1:], _initializers.kinds),
            "starting biases",
            (Field(Dense, "bias_initializer"),),
        ),
        "start": Setting(
            "network", "random", Choice(tuple(STARTS)), "scale of the starting weights; unit_variance: suits the data"
        ),
        "input_transform": Setting(
            "network",
            None,
            Optional(Choice(tuple(INPUT_TRANSFORMS))),
            "change of the inputs before the first layer, measured on the training rows",
            (Part("inputs"),),
        ),
        "components": Setting(
            "network",
            None,
            Optional(Whole()),
            "principal components that are kept",
            (FieldOf("input_transform", {"pca": "components", "whitening": "components"}),),
        ),
        "normalization": Setting(
            "network",
            None,
            Optional(Choice(tuple(NORMALIZATIONS))),
            "normalisation before the activations of hidden layers",
            (Part("layers"),),
        ),
        "dropout": Setting(
            "network",
            0.0,
            Several(FRACTION),
            "share of each hidden layer's outputs left out in a step",
            (Part("outputs", Dropout),),
        ),
        "input_dropout": Setting(
            "network",
            0.0,
            FRACTION,
            "share of the inputs left out in a step, the rest enlarged",
            (Part("inputs", Dropout),),
        ),
        "noise": Setting(
            "network",
            0.0,
            Several(STRENGTH),
            "deviation of normal noise on each hidden layer's outputs",
            (Part("outputs", GaussianNoise),),
        ),
        "input_noise": Setting(
            "network", 0.0, STRENGTH, "deviation of normal noise on the inputs", (Part("inputs", GaussianNoise),)
        ),
        "drop_connect": Setting(
            "network",
            0.0,
            Several(FRACTION),
            "share of each hidden layer's weights left out in a step",
            (Part("weights", DropConnect),),
        ),
    }
)
"""The rows of the network."""

PARTS: Mapping[str, Part] = MappingProxyType(
    {name: became for name, row in ROWS.items() for became in row.becomes if isinstance(became, Part)}
)
"""The place of each setting that makes blocks."""

NOISE = tuple(name for name, part in PARTS.items() if part.noise is not None)
"""Settings of blocks that only disturb: with other rates the network keeps its parameters."""

OF_HIDDEN_LAYERS = tuple(name for name, part in PARTS.items() if part.place != "inputs" and not ROWS[name].default)
"""Settings that do nothing in a network without hidden layers."""

PER_LAYER = tuple(name for name, part in PARTS.items() if part.place in ("weights", "outputs"))
"""Settings with a value for each hidden layer."""

NETWORK = tuple(name for name, row in ROWS.items() if any(isinstance(b, Part | FieldOf) for b in row.becomes))
"""Settings that make the network; the others of their group are about its start."""


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
        return given  # type: ignore[no-any-return]  # table.check has seen that it is a block
    return ACTIVATION_BLOCKS[given]() if given in ACTIVATION_BLOCKS else Activation(given)


def transform(settings: Settings) -> list[Block]:
    """Return the block that is fitted to the inputs, where there is one.

    Raises ValueError for `components` without a PCA.
    """
    chosen, components = settings["input_transform"], settings["components"]
    condition = ROWS["components"].condition
    if components is not None and condition is not None and not condition.holds(settings):
        raise ValueError(f"components={components!r} is for input_transform 'pca' and 'whitening', not {chosen!r}")
    if chosen is None:
        return []
    block: Any = INPUT_TRANSFORMS[chosen]
    return [replace(block, **fields_of(ROWS, settings, "input_transform", chosen))]


def noise(strengths: Settings, place: str) -> list[Block]:
    """Return the blocks that disturb what passes a place, for the strengths above 0."""
    here = ((name, part.noise) for name, part in PARTS.items() if part.place == place and part.noise is not None)
    return [kind(float(strengths[name])) for name, kind in here if strengths[name] > 0]


def affine(units: int, strengths: Settings, starts: Mapping[str, Any]) -> Block:
    """Return the affine map of a hidden layer: dense, or disturbed by a strength above 0 on its weights."""
    here = ((name, part.noise) for name, part in PARTS.items() if part.place == "weights" and part.noise is not None)
    disturbed = (partial(kind, units, float(strengths[name])) for name, kind in here if strengths[name] > 0)
    return next(disturbed, partial(Dense, units))(**starts)


def network(settings: Settings, inputs: int, outputs: int) -> Network:
    """Return the network of the settings; ValueError as `chain` says."""
    return Network(inputs, chain(settings, outputs))


def chain(settings: Settings, outputs: int) -> list[Block]:
    """Return the blocks: for each hidden layer an affine map, normalisation, activation and noise, then raw scores.

    An affine map before a batch normalisation has no biases: they would be taken away again. Raises ValueError for
    what hidden layers should have where there are none, and as `each` does.
    """
    starts, norm = fields_for(ROWS, settings, Dense), settings["normalization"]
    starts["initializer"] = None if settings["initializer"] == "auto" else settings["initializer"]
    blocks = [*transform(settings), *noise(settings, "inputs")]
    for name in OF_HIDDEN_LAYERS if not sizes(settings) else ():
        if any(_spread(settings[name], 1)):
            raise ValueError(f"{name}={settings[name]!r} is for hidden layers; hidden_layer_sizes () has none")
    layers = zip(*(each(settings, name) for name in PER_LAYER), strict=True)
    for size, values in zip(sizes(settings), layers, strict=True):
        own = dict(zip(PER_LAYER, values, strict=True))
        blocks.append(affine(size, own, {**starts, "bias": norm != "batch"}))
        blocks += [NORMALIZATIONS[norm]()] if norm else []
        blocks += [activation(own["activation"]), *noise(own, "outputs")]
    return [*blocks, Dense(outputs, **starts)]


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


def disagreement(settings: Settings, known: Network) -> str | None:
    """Return where a network is not the one that the settings make, in words; None where it is.

    How the weights started plays no part: an initialiser that is a function of the user's is in no model file.

    >>> from chainrule import MLPClassifier
    >>> settings = MLPClassifier((8,)).get_params()
    >>> disagreement(settings, network(settings, 4, 3))
    >>> disagreement({**settings, "activation": "tanh"}, network(settings, 4, 3))
    "block 1 is Activation('relu'), they make Activation('tanh')"
    """
    try:
        wanted = chain(settings, known.outputs)
    except ValueError as error:
        return f"they make no network: {error}"
    for number, (ours, theirs) in enumerate(zip_longest(wanted, known.blocks)):
        if _unstarted(ours) != _unstarted(theirs):
            return f"block {number} is {theirs!r}, they make {ours!r}"
    return None


def _unstarted(block: Any) -> Any:
    """Return a block without the initialisers of its weights and biases."""
    return (
        replace(block, initializer=None, bias_initializer="zeros") if isinstance(block, Dense | DropConnect) else block
    )
