"""Checking the derivatives of a network on random data: those of a fitted model, or of a new one.

Shapes: n rows, P parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..estimators import MLPClassifier
from ..estimators.settings.loss import penalties as penalties_of
from ..estimators.settings.network import network as network_of
from ..foundation.randomness import Stream
from ..inspection.gradient_check import ArrayCheck, check_gradients
from ..mathematics.losses import Loss
from ..mathematics.network import Network
from ..mathematics.objective import Objective
from ..mathematics.penalties import Penalty


class GradientReport(NamedTuple):
    """The errors of each array of parameters, and the network and loss they belong to."""

    network: Network
    loss: Loss
    arrays: list[ArrayCheck]

    @property
    def worst(self) -> float:
        """The largest relative error."""
        return max(array.worst for array in self.arrays)

    @property
    def layer_sizes(self) -> list[int]:
        """The number of inputs, then that of the outputs of each layer with weights."""
        weights = [slot for slot in self.network.slots if slot.spec.kind == "weight"]
        return [self.network.inputs, *(slot.spec.shape[-1] for slot in weights)]


def check_model(model: Any, rows: int, seed: int) -> GradientReport:
    """Return the check of a fitted model with its loss and its penalties, at weights near its own.

    Units that never fire may sit exactly on a kink, where there is no derivative: so each weight is moved by about
    0.01, but those that stand still.
    """
    network, loss = model.network_, model.loss_function_
    moved = 0.01 * Stream(seed, "noise", step=3).normal(model.theta_.size) * ~network.mask("statistic")
    penalties = penalties_of(model.get_params(deep=False))
    return _report(network, loss, model.theta_.astype(np.float64) + moved, penalties, rows, seed)


def check_new(sizes: Sequence[int], activation: Any, loss: Loss, rows: int, seed: int) -> GradientReport:
    """Return the check of a new network: inputs, hidden layers and outputs in `sizes`. ValueError as of a network."""
    model = MLPClassifier(list(sizes[1:-1]), activation, bias_initializer="normal")
    network = network_of(model.get_params(deep=False), sizes[0], sizes[-1])
    return _report(network, loss, network.initialize(seed).astype(np.float64), [], rows, seed)


def _report(
    network: Network, loss: Loss, theta: NDArray[np.float64], penalties: list[Penalty], rows: int, seed: int
) -> GradientReport:
    objective = objective_on_random_data(network, loss, penalties, rows, seed)
    return GradientReport(network, loss, check_gradients(objective, theta, seed=seed))


def objective_on_random_data(network: Network, loss: Loss, penalties: list[Penalty], rows: int, seed: int) -> Objective:
    """Return an objective on standard normal inputs (n, i) and targets of the loss's kind."""
    X = Stream(seed, "noise", step=1).normal(rows * network.inputs).reshape(rows, network.inputs)
    y = Stream(seed, "noise", step=2).normal(rows * network.outputs).reshape(rows, network.outputs)
    targets: Mapping[str, Any] = {
        "real": y,
        "counts": np.floor(np.abs(2 * y)),
        "binary": (y > 0).astype(float),
        "signs": np.where(y > 0, 1.0, -1.0),
        "classes": y.argmax(axis=1),
    }
    return Objective(network, loss, X, targets[loss.targets], penalties=penalties)
