"""The compiled core, built from src/core (python/bindings.cpp): what the native engine and the tests call.

Everything is checked before anything is computed; what is refused raises ValueError or TypeError.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypedDict

from numpy.typing import NDArray

_Array = NDArray[Any]
_Augmentation = tuple[str, Sequence[float], tuple[int, int, int]]

ACTIVATIONS: list[str]
LOSSES: list[str]
AUGMENTATIONS: list[str]
RULES: dict[str, Rule]

class Rule(TypedDict):
    """The names that an update rule has for its arrays of memory and for its settings."""

    memory: tuple[str, ...]
    settings: tuple[str, ...]

class Noise:
    """Dropout (so many of the 65536 values of 16 bits mean "dropped") and Gaussian noise, and their blocks' numbers."""

    FIELDS: ClassVar[tuple[str, ...]]
    def __init__(
        self, *, dropped: float = 0.0, dropout_block: int = 0, deviation: float = 0.0, noise_block: int = 0
    ) -> None: ...

class Layer:
    """An affine map and what follows it. Places are offsets in θ, -1 where there is nothing; `live` is an activation
    that learns or draws."""

    FIELDS: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        outputs: int,
        weights: int,
        biases: int = -1,
        scales: int = -1,
        shifts: int = -1,
        slopes: int = -1,
        mean: int = -1,
        variance: int = -1,
        disconnected: float = 0.0,
        connect_block: int = 0,
        norm: str = "none",
        epsilon: float = 1.0,
        momentum: float = 0.0,
        activation: str = "identity",
        setting: float = 0.0,
        live: str = "none",
        live_block: int = 0,
        shared_slope: bool = False,
        lowest: float = 0.0,
        highest: float = 0.0,
        dropped: float = 0.0,
        dropout_block: int = 0,
        deviation: float = 0.0,
        noise_block: int = 0,
    ) -> None: ...

class Penalty:
    """λ₁ and λ₂ of the penalties on one kind of parameter; `shrink` is the λ₁ of a proximal step."""

    FIELDS: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        shrink: float = 0.0,
        l1_per_sample: float = 0.0,
        l2_per_sample: float = 0.0,
        shrink_per_sample: float = 0.0,
    ) -> None: ...

class Recipe:
    """The work of a step beside its rule; rates are factors of the learning rate, by kind of parameter."""

    FIELDS: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        clip: str = "none",
        limit: float = 0.0,
        max_norm: float = 0.0,
        rates: Mapping[str, float],
        share: float = 0.0,
        part: int,
        augmentations: Sequence[_Augmentation] = (),
    ) -> None: ...

class Steps:
    """The steps of one call of Plan.run: one update per learning rate, in place in theta, memory and average."""

    FIELDS: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        theta: _Array,
        memory: Mapping[str, _Array],
        average: _Array | None = None,
        X: _Array,
        y: _Array,
        weight: _Array | None = None,
        order: _Array | None = None,
        batch: int,
        learning_rates: _Array,
        shares: _Array | None = None,
        t: int,
        seed: int,
        step: int,
        losses: _Array,
        threads: int,
    ) -> None: ...

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

def solve(set: str, A: _Array, diagonal: _Array | None, b: _Array, x: _Array, threads: int) -> bool:
    """Write x with (A + diag(diagonal)) x = b; False where that matrix is not positive definite."""

def gram(set: str, R: _Array, out: _Array, threads: int) -> None:
    """Write Rᵀ R (n, n) of R (m, n)."""

class Plan:
    """A network, a loss and an update rule with the workspace of a batch; batch 0 only predicts."""

    def __init__(
        self,
        *,
        dtype: str,
        set: str,
        inputs: int,
        input: Noise,
        layers: Sequence[Layer],
        parameters: int,
        batch: int,
        loss: str | None,
        loss_setting: float,
        rule: str | None,
        settings: Mapping[str, float],
        weights: Penalty,
        biases: Penalty,
        recipe: Recipe,
    ) -> None: ...
    def run(self, steps: Steps) -> tuple[int, int, float, BaseException | None]:
        """Make the steps; return how many were done, the losses written, the last |gradient|, and what a signal
        handler raised."""

    def hessian_product(
        self, theta: _Array, v: _Array, X: _Array, y: _Array, weight: _Array | None, out: _Array, threads: int
    ) -> None:
        """Write (d²J/dθ²) v on all rows, as at prediction, into out (P,)."""

    def gauss_newton_product(
        self, theta: _Array, v: _Array, X: _Array, y: _Array, weight: _Array | None, out: _Array, threads: int
    ) -> None:
        """Write (Jᵀ L'' J) v into out (P,)."""

    def pull(
        self, theta: _Array, dscores: _Array, X: _Array, y: _Array, weight: _Array | None, out: _Array, threads: int
    ) -> None:
        """Write Jᵀ dscores into out (P,), for dscores (n, o)."""

    def jacobian(self, theta: _Array, X: _Array, y: _Array, weight: _Array | None, out: _Array, threads: int) -> None:
        """Write dscores/dθ into out (n, o, P)."""

    def gauss_newton(
        self,
        theta: _Array,
        X: _Array,
        y: _Array,
        weight: _Array | None,
        gradient: _Array,
        out: _Array,
        root: bool,
        threads: int,
    ) -> float:
        """Write dL/dθ (P,) and, in float64, Jᵀ L'' J (P, P) or its root √L'' J (n o, P), all without penalties; return
        J(θ)."""

    def value(self, theta: _Array, X: _Array, y: _Array, weight: _Array | None, threads: int) -> float: ...
    def predict(self, theta: _Array | None, X: _Array, link: str, out: _Array, threads: int) -> None:
        """Write predictions into out; θ None takes the weights of the call before."""
