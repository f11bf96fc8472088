"""The contract of an augmentation: a random change of the inputs that leaves the targets as they are.

Shapes: n rows, i inputs; an image of R rows, C columns and K channels is a row of i = R C K inputs, channels last. An
augmentation takes a batch x (n, i) and returns a new array like it. All that is random in row r comes from the stream's
name and r alone, so any row can be changed by itself. Inputs are those of the network, before any transform of its own.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from ...foundation.randomness import Stream


@runtime_checkable
class Augmentation(Protocol):
    """A random change of the rows of x."""

    def __call__(self, x: NDArray[Any], stream: Stream) -> NDArray[Any]:
        """Return x (n, i) changed, as a new array of its dtype."""

    def check_inputs(self, inputs: int) -> None:
        """Raise ValueError where rows of so many inputs cannot be changed."""

    @property
    def image(self) -> tuple[int, int, int] | None:
        """The image's rows, columns and channels; None where the inputs may be anything."""

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers in its formula, in the order in which a compiled twin takes them."""


def is_augmentation(value: Any) -> bool:
    """Return True for an object that follows the contract, False for a class of which no object was made."""
    return isinstance(value, Augmentation) and not isinstance(value, type)


class OfAnyInputs:
    """An augmentation of single inputs: it knows no image, and any number of inputs is right."""

    @property
    def image(self) -> None:
        """None: the inputs may be anything."""
        return None

    def check_inputs(self, inputs: int) -> None:
        """Accept any number of inputs."""
