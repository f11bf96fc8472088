"""The compiled core, built from native/ (bindings.cpp): what `engines/native.py` and the tests call.

Everything is checked before anything is computed; what is refused raises ValueError or TypeError.
"""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

_Array = NDArray[Any]
_Layer = dict[str, Any]  # the fields of lowering.Layer by name; for the inputs those of lowering.Noise
_Penalty = Sequence[float]  # λ of L1, of L2 and of L1 as a proximal step, then of those per sample

ACTIVATIONS: list[str]
LOSSES: list[str]
RULES: list[str]
AUGMENTATIONS: list[str]

def instruction_sets() -> list[str]: ...
def evaluate(set: str, name: str, x: _Array, y: _Array, setting: float, /) -> None: ...
def augment(
    set: str,
    name: str,
    numbers: Sequence[float],
    shape: tuple[int, int, int],
    stream: tuple[int, int, int, int],
    first_row: int,
    x: _Array,
    out: _Array,
    /,
) -> None:
    """Write x (n, i) changed by an augmentation into out, its row r drawn as row first_row + r of the stream (seed,
    purpose, step, block); shape is the image's, or (1, i, 1)."""

class Plan:
    """A network, a loss and an update rule with the workspace of a batch; batch 0 only predicts."""

    def __init__(
        self,
        dtype: str,
        inputs: int,
        input: _Layer,
        layers: Sequence[_Layer],
        parameters: int,
        batch: int,
        loss: tuple[str, float],
        rule: tuple[str, list[float]],
        weights: _Penalty,
        biases: _Penalty,
        recipe: dict[str, Any],
        set: str,
        /,
    ) -> None: ...
    def run(
        self,
        theta: _Array,
        memory: Sequence[_Array],
        average: _Array | None,
        X: _Array,
        y: _Array,
        weight: _Array | None,
        order: _Array | None,
        batch: int,
        learning_rates: _Array,
        shares: _Array | None,
        t: int,
        seed: int,
        step: int,
        losses: _Array,
        threads: int,
    ) -> tuple[int, int, float, BaseException | None]:
        """Make one update per learning rate; return the steps done, the losses written, the last |gradient|, and
        what a signal handler raised."""

    def value(self, theta: _Array, X: _Array, y: _Array, weight: _Array | None, threads: int) -> float: ...
    def predict(self, theta: _Array | None, X: _Array, link: str, out: _Array, threads: int) -> None:
        """Write predictions into out; θ None takes the weights of the call before."""
