"""Multilayer perceptrons whose every block states its own derivatives."""

from . import losses, optimizers, penalties, schedules
from .blocks import Activation, Dense
from .estimators import MLPClassifier, MLPRegressor
from .network import Network
from .objective import Objective
from .progress import DivergenceError, Progress, Result, Stopping, TrainingState
from .training import train, training

__all__ = [
    "Activation",
    "Dense",
    "DivergenceError",
    "MLPClassifier",
    "MLPRegressor",
    "Network",
    "Objective",
    "Progress",
    "Result",
    "Stopping",
    "TrainingState",
    "losses",
    "optimizers",
    "penalties",
    "schedules",
    "train",
    "training",
]
