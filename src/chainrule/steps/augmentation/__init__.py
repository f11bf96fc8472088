"""Augmentation: training rows changed a little in every step."""

from .images import AUGMENTATIONS, Augmentation, Deformation, Mask, Noise, augmented, is_augmentation

__all__ = ["AUGMENTATIONS", "Augmentation", "Deformation", "Mask", "Noise", "augmented", "is_augmentation"]
