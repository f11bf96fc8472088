"""Augmentations of training rows; they stand in steps/augmentation."""

from .steps.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    Deformation,
    Mask,
    Noise,
    augmented,
    is_augmentation,
)

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Deformation",
    "Mask",
    "Noise",
    "augmented",
    "is_augmentation",
]
