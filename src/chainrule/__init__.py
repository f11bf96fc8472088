"""Multilayer perceptrons whose every block states its own derivatives.

The mathematics and the training loop need NumPy only and are imported here. The estimators and the model file bring
scikit-learn and DuckDB along: they are imported when one of their names is first asked for.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from . import augmentation, gradient_check, losses, optimizers, penalties, schedules
from .inspection.causes import Advice
from .inspection.doctor import TrainingAdvice, diagnose
from .inspection.statistics import BlockStatistics, block_statistics
from .loop.checkpoint import Checkpoint, CheckpointError
from .loop.progress import DivergenceError, Progress, Result, Stopping, TrainingState
from .loop.training import train, training
from .mathematics.blocks import (
    PCA,
    Activation,
    BatchNorm,
    Dense,
    DropConnect,
    Dropout,
    GaussianNoise,
    LayerNorm,
    NoisyReLU,
    PReLU,
    RReLU,
    Scaling,
)
from .mathematics.network import Network
from .mathematics.objective import Objective
from .mathematics.starts import fit_blocks, unit_variance
from .optimizers.least_squares import LeastSquaresResult, least_squares
from .steps.averaging import Averaging, MovingAverage
from .steps.recipe import Recipe

if TYPE_CHECKING:
    from .estimators import MLPClassifier, MLPRegressor
    from .estimators.fitted.saving import ModelFileError, save
    from .estimators.loading import load
    from .estimators.racing import race
    from .loop.loggers import CSVLogger, JSONLinesLogger, TensorBoardLogger
    from .loop.race import Race
    from .loop.range_test import RangeTest, range_test

    __version__: str

__all__ = [
    "PCA",
    "Activation",
    "Advice",
    "Averaging",
    "BatchNorm",
    "BlockStatistics",
    "CSVLogger",
    "Checkpoint",
    "CheckpointError",
    "Dense",
    "DivergenceError",
    "DropConnect",
    "Dropout",
    "GaussianNoise",
    "JSONLinesLogger",
    "LayerNorm",
    "LeastSquaresResult",
    "MLPClassifier",
    "MLPRegressor",
    "ModelFileError",
    "MovingAverage",
    "Network",
    "NoisyReLU",
    "Objective",
    "PReLU",
    "Progress",
    "RReLU",
    "Race",
    "RangeTest",
    "Recipe",
    "Result",
    "Scaling",
    "Stopping",
    "TensorBoardLogger",
    "TrainingAdvice",
    "TrainingState",
    "augmentation",
    "block_statistics",
    "diagnose",
    "fit_blocks",
    "gradient_check",
    "least_squares",
    "load",
    "losses",
    "optimizers",
    "penalties",
    "race",
    "range_test",
    "save",
    "schedules",
    "train",
    "training",
    "unit_variance",
]

_LATE = {
    "CSVLogger": "loop.loggers",
    "JSONLinesLogger": "loop.loggers",
    "MLPClassifier": "estimators",
    "MLPRegressor": "estimators",
    "ModelFileError": "estimators.fitted.saving",
    "Race": "loop.race",
    "RangeTest": "loop.range_test",
    "TensorBoardLogger": "loop.loggers",
    "load": "estimators.loading",
    "race": "estimators.racing",
    "range_test": "loop.range_test",
    "save": "estimators.fitted.saving",
}
"""Names that are imported when they are first asked for, and where they are."""


def __dir__() -> list[str]:
    """Return the names there are, imported or not."""
    return sorted({*globals(), *_LATE, "__version__"})


if not TYPE_CHECKING:  # a type checker would take any name for granted

    def __getattr__(name: str) -> Any:
        """Return a name of the table, imported now, or the installed version."""
        if name == "__version__":
            value = _import_module("importlib.metadata").version("chainrule")
        elif name in _LATE:
            value = getattr(_import_module(f".{_LATE[name]}", __name__), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value
