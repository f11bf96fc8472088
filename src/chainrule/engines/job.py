"""A job: everything that decides which engine can do it. Every engine answers a job with what stands in its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..mathematics.network import Network
from ..mathematics.objective import Objective
from ..optimizers import Optimizer
from ..steps.recipe import DEFAULT_RECIPE, Recipe


@dataclass(frozen=True, eq=False)
class Job:
    """A training or an evaluation of an objective, or a prediction by a network, with θ of a dtype.

    Without an optimiser only the value of the objective is asked for. `dtype` None stands for that of the
    objective's rows.
    """

    objective: Objective | None
    dtype: Any = None
    optimizer: Optimizer | None = None
    recipe: Recipe = DEFAULT_RECIPE
    network: Network | None = None

    @property
    def chain(self) -> Network:
        """The network that runs."""
        if self.objective is None:
            assert self.network is not None
            return self.network
        return self.objective.network
