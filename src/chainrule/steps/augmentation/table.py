"""The table of augmentations, and a list of them applied to the rows of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from ...foundation.randomness import Stream
from .base import Augmentation
from .cells import Mask, Noise
from .images import Deformation

AUGMENTATIONS: Mapping[str, type[Noise | Mask | Deformation]] = MappingProxyType(
    {"noise": Noise, "mask": Mask, "deformation": Deformation}
)
"""The table, by the names of the compiled twins. A new row here needs its row in tests/steps/test_augmentation.py."""


def augmented(x: NDArray[Any], augmentations: Sequence[Augmentation], seed: int, step: int) -> NDArray[Any]:
    """Return x (n, i) changed by each augmentation in turn, the k-th with the stream (seed, "augmentation", step, k).

    >>> import numpy as np
    >>> augmented(np.zeros((1, 2)), [Noise(0.1), Mask(0.5, -1.0)], seed=0, step=0).round(3)
    array([[-1.   , -0.173]])
    """
    for k, augmentation in enumerate(augmentations):
        x = augmentation(x, Stream(seed, "augmentation", step, k))
    return x
