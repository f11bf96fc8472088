"""Optimisers: first-order update rules, and full-batch methods that ask the objective themselves.

An optimiser declares what it needs by its contract: an `UpdateRule` needs one gradient per step and is applied by an
engine to mini-batches; a `Minimizer` is handed the objective and yields its own iterates.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .lbfgs import LBFGS, Ending, Iterate, Minimizer
from .modern import AMSGrad, Lion, NAdam, RAdam, Rprop
from .rules import SGD, AdaDelta, AdaGrad, Adam, AdamW, Memory, Momentum, Nesterov, RMSProp, UpdateRule

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Ending",
    "Iterate",
    "Lion",
    "Memory",
    "Minimizer",
    "Momentum",
    "NAdam",
    "Nesterov",
    "RAdam",
    "RMSProp",
    "Rprop",
    "UpdateRule",
]

OPTIMIZERS: Mapping[str, type[UpdateRule] | type[LBFGS]] = MappingProxyType(
    {
        "sgd": SGD,
        "momentum": Momentum,
        "nesterov": Nesterov,
        "adagrad": AdaGrad,
        "adadelta": AdaDelta,
        "rmsprop": RMSProp,
        "adam": Adam,
        "adamw": AdamW,
        "nadam": NAdam,
        "amsgrad": AMSGrad,
        "radam": RAdam,
        "lion": Lion,
        "rprop": Rprop,
        "lbfgs": LBFGS,
    }
)
"""The table. Adding a row here, and a row in tests/optimizers/test_optimizers.py, adds an optimiser."""
