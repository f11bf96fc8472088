"""Multilayer perceptrons whose every block states its own derivatives."""

from . import losses, penalties
from .blocks import Activation, Dense
from .network import Network
from .objective import Objective

__all__ = ["Activation", "Dense", "Network", "Objective", "losses", "penalties"]
