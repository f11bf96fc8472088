"""From the settings of a step to its parts: the recipe, its augmentations, the averaging of the weights."""

from __future__ import annotations

from dataclasses import fields
from math import isqrt, prod

from ...steps.augmentation.images import Augmentation, Deformation, Mask, Noise
from ...steps.averaging import AVERAGES, Averaging, MovingAverage
from ...steps.recipe import CLIPS, Recipe
from .network import Settings

FIELD_OF_DEFORMATION = {f"augment_{name}": name for name in ("shift", "rotate", "scale", "shear", "elastic")}
"""Settings that need images, and the fields of a Deformation that they set."""


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


AVERAGE_FACTORS = {"start": "averaging_start", "decay": "average_decay"}


def averaging(settings: Settings) -> Averaging | MovingAverage | None:
    """Return how θ is averaged."""
    if settings["averaging"] is None:
        return None
    kind = AVERAGES[settings["averaging"]]
    return kind(**{field.name: float(settings[AVERAGE_FACTORS[field.name]]) for field in fields(kind)})
