"""Optimisers: first-order update rules, and methods that search along a line; one contract for all, `Optimizer`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .contract import VERBS, Memory, Optimizer, StepReport, Verbs
from .lbfgs import LBFGS
from .modern import AMSGrad, Lion, NAdam, RAdam, Rprop
from .rules import SGD, AdaDelta, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp, UpdateRule

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "VERBS",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Lion",
    "Memory",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Optimizer",
    "RAdam",
    "RMSProp",
    "Rprop",
    "StepReport",
    "UpdateRule",
    "Verbs",
]

OPTIMIZERS: Mapping[str, type[Optimizer]] = MappingProxyType(
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
