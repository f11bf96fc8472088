"""A step's settings beside the optimiser's: their rows, and the recipe and the averaging that they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isqrt, prod
from types import MappingProxyType

from ...foundation.values import Anything, Choice, Number, Optional, Shape, Whole
from ...mathematics.penalties import KINDS
from ...steps.augmentation import Augmentation, Deformation, Mask, Noise, is_augmentation
from ...steps.averaging import AVERAGES, Averaging, MovingAverage
from ...steps.recipe import CLIPS, Recipe
from .optimizer import STEPPING
from .row import FRACTION, POSITIVE, STRENGTH, Field, FieldOf, Setting, Settings, WithOneOf, fields_for, fields_of

_rates = Anything(
    f"a dict of positive factors by kind ({', '.join(KINDS)}) such as {{'bias': 2.0}}, or None",
    lambda v: v is None or (isinstance(v, Mapping) and {*v} <= {*KINDS} and all(map(POSITIVE.accepts, v.values()))),
)
_augmentations = Anything(
    "a sequence of augmentations, or None",
    lambda v: v is None or (isinstance(v, Iterable) and all(map(is_augmentation, v))),
)

DEFORMING: Mapping[str, Setting] = MappingProxyType(
    {
        "augment_shift": Setting(
            "augmentation",
            0.0,
            Number(0, 1e6),
            "pixels by which images are shifted at most",
            (Field(Deformation, "shift"),),
        ),
        "augment_rotate": Setting(
            "augmentation",
            0.0,
            Number(0, 180),
            "degrees by which images are turned at most",
            (Field(Deformation, "rotate"),),
        ),
        "augment_scale": Setting(
            "augmentation",
            0.0,
            FRACTION,
            "share by which images grow or shrink at most",
            (Field(Deformation, "scale"),),
        ),
        "augment_shear": Setting(
            "augmentation",
            0.0,
            Number(0, 90, high_open=True),
            "degrees by which images are slanted at most",
            (Field(Deformation, "shear"),),
        ),
        "augment_elastic": Setting(
            "augmentation",
            0.0,
            Number(0, 1e6),
            "pixels by which images are bent, root mean square",
            (Field(Deformation, "elastic"),),
        ),
    }
)
"""The rows that need images."""

ROWS: Mapping[str, Setting] = MappingProxyType(
    {
        "max_norm": Setting(
            "loss",
            None,
            Optional(POSITIVE),
            "longest the incoming weights of a unit may be",
            (Field(Recipe, "max_norm"),),
        ),
        "rates": Setting(
            "optimiser", None, _rates, "factors of the learning rate by kind of parameter", (Field(Recipe, "rates"),)
        ),
        "clip_value": Setting("optimiser", None, Optional(POSITIVE), "largest entry of the gradient"),
        "clip_norm": Setting("optimiser", None, Optional(POSITIVE), "largest norm of the gradient"),
        "clip_unit": Setting("optimiser", None, Optional(POSITIVE), "largest norm of the gradient of a unit's weights"),
        "batch_size": Setting(
            "training", "auto", Whole(1, ("auto",)), "rows to a step; auto is min(200, rows)", needs=STEPPING
        ),
        "accumulate": Setting(
            "training", 1, Whole(), "batches whose gradients make one step", (Field(Recipe, "accumulate"),)
        ),
        "averaging": Setting(
            "training",
            None,
            Optional(Choice(tuple(AVERAGES))),
            "average of the weights: swa, over epochs; ema, over steps",
        ),
        "averaging_start": Setting(
            "training",
            0.75,
            Number(0, 1),
            "fraction of the epochs before swa begins",
            (FieldOf("averaging", {"swa": "start"}),),
        ),
        "average_decay": Setting(
            "training",
            0.99,
            FRACTION,
            "share of the average that ema keeps in each step",
            (FieldOf("averaging", {"ema": "decay"}),),
        ),
        "augment_noise": Setting(
            "augmentation", 0.0, STRENGTH, "deviation of normal noise on every input", (Field(Noise, "deviation"),)
        ),
        "augment_mask": Setting(
            "augmentation", 0.0, FRACTION, "share of the inputs that are set to 0", (Field(Mask, "rate"),)
        ),
        **DEFORMING,
        "image_shape": Setting(
            "augmentation",
            None,
            Optional(Shape()),
            "rows and columns of images; none: a square",
            needs=WithOneOf(tuple(DEFORMING)),
        ),
        "mixup": Setting(
            "augmentation",
            0.0,
            STRENGTH,
            "α of the Beta(α, α) law of the share in which rows are mixed",
            (Field(Recipe, "mixup"),),
        ),
        "augmentation": Setting(
            "augmentation", None, _augmentations, "further augmentations, after those above", on_command_line=False
        ),
    }
)
"""The rows of a step: those of a Recipe, of the augmentations and of the average."""


def deforms(settings: Settings) -> bool:
    """Return True where the inputs are taken for images."""
    return any(settings[name] for name in DEFORMING) or any(a.image for a in settings["augmentation"] or ())


def augmentations(settings: Settings, inputs: int) -> tuple[Augmentation, ...]:
    """Return the augmentations with a strength above 0, then those given as objects; inputs as the network gets them.

    Raises ValueError for images that have another number of pixels, or whose shape is not known.
    """
    chosen: list[Augmentation] = []
    if any(settings[name] for name in DEFORMING):
        chosen.append(Deformation(image_shape(settings, inputs), **fields_for(ROWS, settings, Deformation)))
    for kind in (Mask, Noise):
        strength = fields_for(ROWS, settings, kind)
        chosen += [kind(**strength)] if any(strength.values()) else []
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
    """Return the recipe of a step: clipping, accumulation, rates by kind, bound on the weights, augmentations, mixup.

    Raises ValueError for more than one way of clipping, and as `augmentations` does.
    """
    clips = [(name, settings[f"clip_{name}"]) for name in CLIPS if settings[f"clip_{name}"] is not None]
    if len(clips) > 1:
        raise ValueError(f"give one of clip_{', clip_'.join(CLIPS)}, not {' and '.join(f'clip_{n}' for n, _ in clips)}")
    own = fields_for(ROWS, settings, Recipe)
    own["rates"] = own["rates"] or {}
    return Recipe(clip=clips[0] if clips else None, augmentation=augmentations(settings, inputs), **own)


def averaging(settings: Settings) -> Averaging | MovingAverage | None:
    """Return the averaging of θ, None where there is none."""
    chosen = settings["averaging"]
    return None if chosen is None else AVERAGES[chosen](**fields_of(ROWS, settings, "averaging", chosen))
