"""From the settings of an estimator to the parts of a training: network, loss, optimiser, schedule, stopping rule.

Pure translation, each part from a table: nothing here looks at the values of the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields, replace
from math import ceil, inf, isqrt, prod
from typing import Any, Literal

from ...loop.checkpoint import Checkpoint, EarlierStarts
from ...loop.fingerprint import describe
from ...loop.progress import Monitor, Stopping
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
from ...mathematics.losses import LOSSES, Loss
from ...mathematics.network import Network
from ...mathematics.penalties import L1, L2, Penalty
from ...optimizers import LBFGS, OPTIMIZERS, SGD, Optimizer
from ...steps.augmentation.images import Augmentation, Deformation, Mask, Noise
from ...steps.averaging import AVERAGES, Averaging, MovingAverage
from ...steps.recipe import CLIPS, Recipe
from ...steps.schedules import SCHEDULES, InverseScaling, Schedule, Step, WarmUp

Task = Literal["binary", "multiclass", "multilabel", "regression"]
Settings = Mapping[str, Any]

LOSS_OF_TASK: Mapping[str, Mapping[str, str]] = {
    "log_loss": {
        "binary": "sigmoid_cross_entropy",
        "multiclass": "cross_entropy",
        "multilabel": "sigmoid_cross_entropy",
        "regression": "cross_entropy",  # which `loss` refuses
    },
    "hinge": {"multiclass": "multiclass_hinge"},
    "squared_hinge": {"multiclass": "squared_multiclass_hinge"},
}
"""Names that mean another loss for some tasks; every other name means itself."""

_ADAM = ("beta_1", "beta_2", "epsilon")
SETTINGS_OF_RULE: Mapping[str, tuple[str, ...]] = {
    "momentum": ("momentum",),
    "nesterov": ("momentum",),
    "adam": _ADAM,
    "adamw": (*_ADAM, "weight_decay"),
    "nadam": _ADAM,
    "amsgrad": _ADAM,
    "radam": _ADAM,
    "lion": ("beta_1", "weight_decay"),
}
"""Which settings each solver takes, beside the learning rate; the others keep their own.

The defaults of `beta_2` and `epsilon` are Adam's: they are not for Lion's β₂ and not for AdaGrad's ε.
"""

FIELD_OF_LOSS = {"delta": "delta", "quantile": "q", "label_smoothing": "label_smoothing"}
"""Settings, and the fields of losses that they set."""

NOISE = ("dropout", "input_dropout", "noise", "input_noise", "drop_connect")
"""Settings of blocks that only disturb: with other rates the network keeps its parameters."""

OF_HIDDEN_LAYERS = ("normalization", "dropout", "noise", "drop_connect")
"""Settings that do nothing in a network without hidden layers."""

NETWORK = ("hidden_layer_sizes", "activation", "normalization", "input_transform", "components", *NOISE)
"""Settings that make the network; the others of their group are about its start. The first says how many layers."""

FIELD_OF_DEFORMATION = {f"augment_{name}": name for name in ("shift", "rotate", "scale", "shear", "elastic")}
"""Settings that need images, and the fields of a Deformation that they set."""


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


def loss(settings: Settings, task: Task) -> Loss:
    """Return the loss for the task.

    Raises ValueError for a loss that does not fit the task.
    """
    given = settings["loss"]
    chosen = given if isinstance(given, Loss) else LOSSES[LOSS_OF_TASK.get(given, {}).get(task, given)]()
    if not isinstance(given, Loss):
        taken = ((name, field) for name, field in FIELD_OF_LOSS.items() if hasattr(chosen, field) and name in settings)
        chosen = replace(chosen, **{field: float(settings[name]) for name, field in taken})  # type: ignore[type-var]
    if settings.get("label_smoothing") and not hasattr(chosen, "label_smoothing"):
        raise ValueError(f"label_smoothing is for losses on probabilities, log_loss among them, not for {given!r}")
    fits = {"regression": ("real", "counts"), "multiclass": ("real", "binary", "signs", "classes")}
    accepted = fits.get(task, ("real", "binary", "signs"))
    if chosen.targets not in accepted:
        fitting = sorted(name for name, kind in LOSSES.items() if kind.targets in accepted)
        fitting += ["log_loss"] * (task != "regression")
        raise ValueError(f"loss {given!r} does not fit a {task} target; accepted: {', '.join(fitting)}")
    return chosen


def penalties(settings: Settings) -> list[Penalty]:
    """Return the penalties with a strength above 0."""
    given: tuple[Penalty, ...] = (
        L2(float(settings["alpha"]), per_sample=True),
        L1(float(settings["l1"]), per_sample=True, proximal=bool(settings["l1_proximal"])),
    )
    return [penalty for penalty in given if penalty.strength > 0]


def deforms(settings: Settings) -> bool:
    """Return whether the inputs are taken for images."""
    return any(settings[name] for name in FIELD_OF_DEFORMATION) or any(a.image for a in settings["augmentation"] or ())


def augmentations(settings: Settings, inputs: int) -> tuple[Augmentation, ...]:
    """Return the augmentations with a strength above 0, then those given as objects; inputs as the network gets them.

    Raises ValueError for images that have another number of pixels, or whose shape is not known.
    """
    chosen: list[Augmentation] = []
    strengths = {field: float(settings[name]) for name, field in FIELD_OF_DEFORMATION.items() if settings[name]}
    if strengths:
        chosen.append(Deformation(image_shape(settings, inputs), **strengths))
    if settings["augment_mask"]:
        chosen.append(Mask(float(settings["augment_mask"])))
    if settings["augment_noise"]:
        chosen.append(Noise(float(settings["augment_noise"])))
    chosen += settings["augmentation"] or ()
    for augmentation in chosen:
        augmentation.check_inputs(inputs)
    return tuple(chosen)


def image_shape(settings: Settings, inputs: int) -> tuple[int, ...]:
    """Return the shape of the images: the setting, or a square where there are so many inputs.

    Raises ValueError where it is neither given nor a square.
    """
    given, side = settings["image_shape"], isqrt(inputs)
    if given is None and side * side != inputs:
        raise ValueError(f"image_shape must be given to deform images: {inputs} inputs are no square image")
    shape = (side, side) if given is None else tuple(map(int, given))
    if prod(shape) != inputs:
        raise ValueError(f"image_shape {given!r} has {prod(shape)} numbers, there are {inputs} inputs")
    return shape


def recipe(settings: Settings, inputs: int) -> Recipe:
    """Return what a step does beside the rule.

    Raises ValueError for more than one way of clipping, and as `augmentations` does.
    """
    clips = [(name, settings[f"clip_{name}"]) for name in CLIPS if settings[f"clip_{name}"] is not None]
    if len(clips) > 1:
        raise ValueError(f"give one of clip_{', clip_'.join(CLIPS)}, not {' and '.join(f'clip_{n}' for n, _ in clips)}")
    return Recipe(
        clip=clips[0] if clips else None,
        accumulate=int(settings["accumulate"]),
        rates=settings["rates"] or {},
        max_norm=settings["max_norm"],
        augmentation=augmentations(settings, inputs),
        mixup=float(settings["mixup"]),
    )


def optimizer(settings: Settings) -> Optimizer:
    """Return the optimiser. "sgd" has momentum, as in scikit-learn, unless momentum is 0."""
    solver = settings["solver"]
    if not isinstance(solver, str):
        return solver  # type: ignore[no-any-return]  # settings.check has seen that it is an optimiser
    if solver == "lbfgs":
        return LBFGS(tolerance=float(settings["tol"]), max_evaluations=int(settings["max_fun"]))
    if solver == "sgd" and settings["momentum"] > 0:
        solver = "nesterov" if settings["nesterovs_momentum"] else "momentum"
    rule: Any = OPTIMIZERS[solver]()
    taken = {name: settings[name] for name in SETTINGS_OF_RULE.get(solver, ())}
    return replace(rule, learning_rate=learning_rate(settings, rule), **taken)  # type: ignore[no-any-return]


def learning_rate(settings: Settings, rule: Any) -> float:
    """Return the starting learning rate: the setting, or the rule's own where it is None."""
    given = settings["learning_rate_init"]
    return float(
        (SGD().learning_rate if rule.learning_rate is None else rule.learning_rate) if given is None else given
    )


def schedule(settings: Settings, rule: Optimizer) -> Schedule:
    """Return the schedule, starting from the learning rate, with its warm-up."""
    given = settings["learning_rate"]
    _schedules: Mapping[str, Any] = SCHEDULES
    chosen: Any = given if not isinstance(given, str) else _schedules[given](learning_rate(settings, rule))
    if given == "invscaling":
        chosen = InverseScaling(chosen.rate, power=float(settings["power_t"]))
    elif given == "step":
        chosen = Step(chosen.rate, int(settings["decay_every"]), float(settings["decay"]))
    elif given == "exponential":
        chosen = replace(chosen, decay=float(settings["decay"]))
    return WarmUp(chosen, int(settings["warm_up"])) if settings["warm_up"] else chosen


def monitor(settings: Settings) -> Monitor:
    """Return what must improve: for "auto" the validation score with early stopping, else the loss."""
    auto: Monitor = "validation_score" if settings["early_stopping"] else "loss"
    return auto if settings["monitor"] == "auto" else settings["monitor"]


def keeps_best(settings: Settings) -> bool:
    """Return whether the weights of the best epoch are kept: with early stopping, or a validation figure to watch."""
    return bool(settings["early_stopping"]) or monitor(settings) != "loss"


def stopping(settings: Settings, rule: Optimizer) -> Stopping | None:
    """Return the stopping rule on the monitored figure; early stopping and a validation figure keep the best weights.

    An optimiser that takes all rows at once has its own stopping rule on the loss.
    """
    watched, best, patience = monitor(settings), keeps_best(settings), settings["n_iter_no_change"]
    if rule.whole_batch and not best:
        return None
    return Stopping(
        monitor=watched,
        min_change=float(settings["tol"]),
        patience=inf if patience == inf else ceil(patience),
        keep_best=best,
    )


def checkpoint(settings: Settings, earlier: EarlierStarts, anew: bool) -> Checkpoint | None:
    """Return where and how often to keep the training; what only the estimator knows about it is noted along."""
    if settings["checkpoint"] is None:
        return None
    about = {"n_restarts": settings["n_restarts"], "scoring": describe(settings["scoring"])}
    if settings["n_restarts"] > 1:
        about["max_iter"] = settings["max_iter"]  # the starts that are done would have gone on, too
    return Checkpoint(settings["checkpoint"], settings["checkpoint_every"], about, earlier, anew)


AVERAGE_FACTORS = {"start": "averaging_start", "decay": "average_decay"}


def averaging(settings: Settings) -> Averaging | MovingAverage | None:
    """Return how θ is averaged."""
    if settings["averaging"] is None:
        return None
    kind = AVERAGES[settings["averaging"]]
    return kind(**{field.name: float(settings[AVERAGE_FACTORS[field.name]]) for field in fields(kind)})
