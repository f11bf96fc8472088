"""Optimisers: first-order update rules, and methods that search along a line; one contract for all, `Optimizer`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .contract import NO_FIGURES, VERBS, Evidence, Memory, Optimizer, StepReport, Verbs
from .directions import BFGS, ConjugateGradients, GradientDescent
from .lbfgs import LBFGS
from .levenberg_marquardt import BayesianRegularization, LevenbergMarquardt
from .modern import AMSGrad, Lion, NAdam, RAdam, Rprop
from .newton import DampedNewton, Newton
from .rules import SGD, AdaDelta, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp, UpdateRule

__all__ = [
    "BFGS",
    "LBFGS",
    "NO_FIGURES",
    "OPTIMIZERS",
    "SGD",
    "VERBS",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "BayesianRegularization",
    "ConjugateGradients",
    "DampedNewton",
    "Evidence",
    "GradientDescent",
    "LevenbergMarquardt",
    "Lion",
    "Memory",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Newton",
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
        "gradient_descent": GradientDescent,
        "cg": ConjugateGradients,
        "bfgs": BFGS,
        "newton": Newton,
        "damped_newton": DampedNewton,
        "levenberg_marquardt": LevenbergMarquardt,
        "lm": LevenbergMarquardt,
        "bayesian": BayesianRegularization,
    }
)
"""The table. Adding a row here, and a row in tests/optimizers/, adds an optimiser; "lm" is a second name of one."""
