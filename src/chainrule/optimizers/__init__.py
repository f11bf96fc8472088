"""Optimisers: update rules of first order, methods with a curvature, searches; one contract for all, `Optimizer`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .contract import NO_FIGURES, VERBS, Evidence, Memory, Optimizer, StepReport, Verbs
from .directions import BFGS, ConjugateGradients, GradientDescent
from .hessian_free import HessianFree, NaturalGradient
from .kfac import KFAC
from .lbfgs import LBFGS
from .levenberg_marquardt import BayesianRegularization, LevenbergMarquardt
from .modern import AMSGrad, Lion, NAdam, RAdam, Rprop
from .muon import Muon
from .newton import DampedNewton, Newton
from .rules import SGD, AdaDelta, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp, UpdateRule
from .trust_region import TrustRegion

__all__ = [
    "BFGS",
    "KFAC",
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
    "HessianFree",
    "LevenbergMarquardt",
    "Lion",
    "Memory",
    "Momentum",
    "Muon",
    "NAdam",
    "NaturalGradient",
    "Nesterov",
    "Newton",
    "Optimizer",
    "RAdam",
    "RMSProp",
    "Rprop",
    "StepReport",
    "TrustRegion",
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
        "muon": Muon,
        "gradient_descent": GradientDescent,
        "newton": Newton,
        "damped_newton": DampedNewton,
        "bfgs": BFGS,
        "lbfgs": LBFGS,
        "cg": ConjugateGradients,
        "trust_region": TrustRegion,
        "hessian_free": HessianFree,
        "natural_gradient": NaturalGradient,
        "kfac": KFAC,
        "levenberg_marquardt": LevenbergMarquardt,
        "lm": LevenbergMarquardt,
        "bayesian": BayesianRegularization,
    }
)
"""The table. Adding a row here, and a row in tests/optimizers/test_optimizers.py, adds an optimiser."""
