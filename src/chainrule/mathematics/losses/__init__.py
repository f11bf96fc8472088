"""Losses on raw scores: value, gradient, curvature product, and the link from scores to predictions.

Shapes: n rows, o outputs. scores (n, o); target (n, o) unless the loss says otherwise, (n,) where o = 1; weight
(n,) or None. A loss states the loss of each row; `Loss` averages the rows, L = Σᵢ wᵢ lossᵢ / Σᵢ wᵢ, and this is
the only place where anything is normalised: value, gradient and curvature all use the same shares wᵢ / Σ w.

Two families fill the table at the end:

- element losses, Σⱼ l(sᵢⱼ, tᵢⱼ), give l, its slope l' and its bend l'' in s;
- row losses couple the outputs of a row (softmax, multi-class hinge).

With no hidden layer they give linear regression (SquaredError), logistic regression (SigmoidCrossEntropy,
Logistic), the perceptron (Perceptron) and the linear support vector machine (Hinge). Where a loss has a kink its
docstring names the sub-gradient taken.

Source: lecture notes; Crammer and Singer 2001; Huber 1964; Koenker and Bassett 1978.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .base import Loss, check_weights, jeffreys_divergence, kl_divergence, log_softmax, one_hot, softmax
from .elements import (
    AbsoluteError,
    ElementLoss,
    Hinge,
    Huber,
    Logistic,
    Perceptron,
    Poisson,
    Quantile,
    SigmoidCrossEntropy,
    SquaredError,
    SquaredHinge,
)
from .rows import CrossEntropy, MulticlassHinge, SquaredMulticlassHinge

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "CrossEntropy",
    "ElementLoss",
    "Hinge",
    "Huber",
    "Logistic",
    "Loss",
    "MulticlassHinge",
    "Perceptron",
    "Poisson",
    "Quantile",
    "SigmoidCrossEntropy",
    "SquaredError",
    "SquaredHinge",
    "SquaredMulticlassHinge",
    "check_weights",
    "jeffreys_divergence",
    "kl_divergence",
    "log_softmax",
    "one_hot",
    "softmax",
]

LOSSES: Mapping[str, type[Loss]] = MappingProxyType(
    {
        "squared_error": SquaredError,
        "absolute_error": AbsoluteError,
        "huber": Huber,
        "quantile": Quantile,
        "poisson": Poisson,
        "cross_entropy": CrossEntropy,
        "sigmoid_cross_entropy": SigmoidCrossEntropy,
        "logistic": Logistic,
        "hinge": Hinge,
        "squared_hinge": SquaredHinge,
        "multiclass_hinge": MulticlassHinge,
        "squared_multiclass_hinge": SquaredMulticlassHinge,
        "perceptron": Perceptron,
    }
)
"""The table. Adding a row here, and a row in tests/mathematics/test_losses.py, adds a loss."""
