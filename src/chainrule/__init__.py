"""Multilayer perceptrons whose every block states its own derivatives."""

from importlib.metadata import version as _version

from . import losses, optimizers, penalties, schedules
from .blocks import Activation, Dense
from .estimators import MLPClassifier, MLPRegressor
from .model_file import ModelFileError, load, save
from .network import Network
from .objective import Objective
from .progress import DivergenceError, Progress, Result, Stopping, TrainingState
from .training import train, training

__version__ = _version("chainrule")

__all__ = [
    "Activation",
    "Dense",
    "DivergenceError",
    "MLPClassifier",
    "MLPRegressor",
    "ModelFileError",
    "Network",
    "Objective",
    "Progress",
    "Result",
    "Stopping",
    "TrainingState",
    "load",
    "losses",
    "optimizers",
    "penalties",
    "save",
    "schedules",
    "train",
    "training",
]
