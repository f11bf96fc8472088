"""The uncertainty of a fitted model: how far its parameters and its predictions may be off, by its Gauss-Newton matrix.

    C = (β N G + α 1)⁻¹      standard errors √diag C      deviation of a target √(1/β + gᵀ C g),  g = dscore/dθ

N G is the curvature of the loss summed over the training rows at θ, β one over the variance of the noise, α one over
that of the parameters before any data. It is kept as the parabola that the last training ends on: G (P, P), or its
root (n o, P) where that is smaller. C comes of its eigenvectors, when it is first asked for.

Shapes: n rows, o outputs, P parameters; θ (P,), C and G (P, P).

Source: MacKay 1992, "A practical Bayesian framework for backpropagation networks"; Seber and Wild 1989, section 5.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...mathematics.gauss_newton import PIECE, Quadratic, Root
from ...mathematics.network import Network
from ...mathematics.objective import Objective
from ...optimizers import Evidence, Memory, Optimizer

Matrix = NDArray[np.float64]

LOST = 1e-12
"""An eigenvalue of at most this share of the largest is one of a direction that the data do not determine."""

SAME = 1e-4
"""The share by which a loss may differ from the sum of squares, in float32, and be it."""

PREFIX = "uncertainty."
"""The beginning of the names of its tensors in a model file."""


class Spread(NamedTuple):
    """C by its axes: variances (P,), infinite where nothing tells, along the columns of axes (P, P)."""

    variances: Matrix
    axes: Matrix


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """The legacy of the last training: the parabola of its end, and what its method said of noise and parameters.

    `normal` says that the loss is the sum of squares, so that 1/β is the variance of a target.
    """

    parabola: Quadratic | Root
    evidence: Evidence
    normal: bool

    @cached_property
    def spread(self) -> Spread:
        """C by its axes."""
        whole = self.parabola.squared() if isinstance(self.parabola, Root) else self.parabola
        bends, axes = np.linalg.eigh(whole.matrix * whole.total)
        bends = np.where(bends <= LOST * bends.max(initial=0.0), 0.0, bends)
        precision = self.evidence.beta * bends + self.evidence.alpha
        with np.errstate(divide="ignore"):
            return Spread(np.where(precision > 0, 1 / precision, np.inf), axes)

    @property
    def standard_errors(self) -> Matrix:
        """√diag C, (P,); NaN for the parameters that nothing determines, and for all where the noise is not known."""
        if not self.evidence.beta > 0:
            return np.full(len(self.spread.axes), np.nan)
        known = np.isfinite(self.spread.variances)
        errors = np.sqrt(self.spread.axes[:, known] ** 2 @ self.spread.variances[known])
        lost = (self.spread.axes[:, ~known] ** 2).sum(axis=1) > LOST
        return np.where(lost, np.nan, errors)

    @property
    def missing(self) -> str:
        """The words for predictions that cannot have a deviation, "" where they can."""
        if not self.normal:
            return "the loss is no sum of squares"
        lost = int((~np.isfinite(self.spread.variances)).sum())
        if not self.evidence.beta > 0:
            return f"there are no more targets than the {len(self.spread.axes):,} parameters, or no noise at all"
        return f"the data leave {lost:,} direction{'s' * (lost > 1)} of θ open" if lost else ""

    def deviations(self, network: Network, theta: NDArray[Any], X: Any) -> Matrix:
        """Return √(1/β + gᵀ C g) for each row and output, (n, o)."""
        variances, axes = self.spread
        scaled = axes * np.sqrt(variances)
        found = [((J @ scaled) ** 2).sum(axis=2) for J in slopes(network, theta, X)]
        return np.sqrt(1 / self.evidence.beta + np.concatenate(found))

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        """Return everything as tensors by name, for a model file."""
        kept = {name: np.atleast_1d(value) for name, value in self.parabola._asdict().items()}
        evidence = [np.nan if value is None else value for value in self.evidence]
        kept["evidence"] = np.array([*evidence, float(self.normal)])
        return {PREFIX + name: np.asarray(array, np.float64) for name, array in kept.items()}


def of(objective: Objective, parabola: Quadratic | Root, theta: NDArray[Any], rule: Optimizer, memory: Memory) -> Any:
    """Return the uncertainty at the θ that a training with a rule ends on; None where its method says nothing."""
    plain = objective.without_penalties()
    scores = np.asarray(objective.network.forward(theta, objective.X), np.float64)
    twice = 2 * parabola.total * float(plain.value(theta))
    real = objective.loss.targets == "real"
    weight = 1.0 if objective.sample_weight is None else np.asarray(objective.sample_weight, np.float64)[:, None]
    squares = float((weight * (scores - objective.y) ** 2).sum()) if real else np.nan
    normal = abs(squares - twice) <= SAME * squares
    residuals = parabola.total * objective.network.outputs
    evidence = rule.evidence(memory, theta.size, residuals, squares if normal else None)
    return None if evidence is None else Uncertainty(parabola, evidence, normal)


def read(tensors: Mapping[str, NDArray[Any]], parameters: int) -> Uncertainty | None:
    """Return the uncertainty that a model file holds, None where it holds none; ValueError where it is not whole."""
    held = {name.removeprefix(PREFIX): array for name, array in tensors.items() if name.startswith(PREFIX)}
    if not held:
        return None
    evidence = held.pop("evidence", np.zeros(0))
    kind: Any = Root if "rows" in held else Quadratic
    sizes = {"matrix": (parameters, parameters), "gradient": (parameters,), "penalty": (parameters,)}
    sizes |= {"rows": (len(held.get("rows", ())), parameters), "evidence": (4,)}
    fitting = all(array.shape == sizes.get(name, (1,)) for name, array in {**held, "evidence": evidence}.items())
    if set(held) != set(kind._fields) or not fitting or not all(np.isfinite(array).all() for array in held.values()):
        raise ValueError("its uncertainty does not fit its network")
    alpha, beta, gamma, normal = evidence.tolist()
    fields = {name: array if name in sizes else float(array[0]) for name, array in held.items()}
    return Uncertainty(kind(**fields), Evidence(alpha, beta, None if gamma != gamma else gamma), bool(normal))


def slopes(network: Network, theta: NDArray[Any], X: Any) -> Iterator[Matrix]:
    """Yield dscores/dθ (n, o, P) of pieces of the rows."""
    params = network.unpack(theta)
    for start in range(0, len(X), PIECE):
        scores, caches = network.forward_with_caches(params, X[start : start + PIECE])
        unit = np.eye(scores.shape[1], dtype=scores.dtype)
        rows = [network.backward_rows(params, caches, np.tile(e, (len(scores), 1))) for e in unit]
        yield np.stack(rows, axis=1).astype(np.float64)
