"""Augmentation: training rows changed a little in every step."""

from .base import Augmentation, is_augmentation
from .cells import Mask, Noise
from .images import Deformation
from .table import AUGMENTATIONS, augmented

__all__ = ["AUGMENTATIONS", "Augmentation", "Deformation", "Mask", "Noise", "augmented", "is_augmentation"]
