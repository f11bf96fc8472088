"""The objective J(θ): network, loss and penalties on data. Every optimiser asks only this.

Shapes: n rows, P parameters. θ, v and the products (P,).

    J(θ) = loss(network(θ, X), y) + Σ penalties

Source: lecture notes; Pearlmutter 1994 (Hessian product); Schraudolph 2002 (Gauss-Newton product).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..foundation.arrays import Array, check_array, namespace
from ..foundation.memo import Memo
from .blocks import PREDICTING, Context
from .losses import Loss, check_weights
from .network import Network, Slot
from .penalties import Penalty


class Objective:
    """J(θ) of a network and a loss on the rows of X and y, with optional weights per row and penalties.

    y is what the loss takes: (n, o), (n,) for one output, or (n,) class numbers; y and the weights take the dtype
    of X. Raises TypeError for what is no array, and ValueError when the shapes do not fit, naming them.

    >>> import numpy as np, chainrule as cr
    >>> network = cr.Network(1, [cr.Dense(1)])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), np.array([[1.0], [2.0]]), np.array([3.0, 5.0]))
    >>> value, gradient = objective.value_and_gradient(np.array([2.0, 0.0]))
    >>> float(value), gradient
    (0.5, array([-1.5, -1. ]))
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        X: Array,
        y: Array,
        sample_weight: Array | None = None,
        penalties: Sequence[Penalty] = (),
    ) -> None:
        check_array("X", X, sparse=True)
        check_array("y", y)
        if sample_weight is not None:
            check_array("sample_weight", sample_weight)
        if X.ndim != 2 or X.shape[1] != network.inputs:
            raise ValueError(f"X has shape {X.shape}; this network takes (rows, {network.inputs})")
        if y.shape[0] != X.shape[0]:
            raise ValueError(f"X has {X.shape[0]} rows, y has {y.shape[0]}")
        loss.check_target(y, X.shape[0], network.outputs)
        if sample_weight is not None:
            check_weights(sample_weight, X.shape[0])
        self.network = network
        self.loss = loss
        self.X = X
        hard = loss.targets == "classes" and y.ndim == 1
        self.y = y if hard else namespace(y).astype(loss.shaped(y, network.outputs), X.dtype, copy=False)
        self.sample_weight = sample_weight
        if sample_weight is not None:
            self.sample_weight = namespace(sample_weight).astype(sample_weight, X.dtype, copy=False)
        self.penalties = tuple(penalties)
        self.memo = Memo()
        self._touched = [(p, [s for s in network.slots if s.spec.kind in p.kinds]) for p in self.penalties]

    @property
    def rows(self) -> int:
        """The number of rows n."""
        return int(self.X.shape[0])

    def batch(self, rows: Array) -> Objective:
        """Return the same objective on some of its rows (an array of row numbers, or a slice)."""
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return self._with(X=self.X[rows], y=self.y[rows], sample_weight=weight)

    def value(self, theta: Array) -> Array:
        """Return J(θ), one number."""
        scores = self.network.forward(theta, self.X)
        params = self.network.unpack(theta)
        return self.loss.value(scores, self.y, self.sample_weight) + self._penalty(params)

    def value_and_gradient(self, theta: Array, context: Context = PREDICTING) -> tuple[Array, Array]:
        """Return J(θ) and dJ/dθ: one forward and one backward pass."""
        value, gradient, _ = self.passes(theta, context)
        return value, gradient

    def passes(self, theta: Array, context: Context = PREDICTING) -> tuple[Array, Array, dict[str, Array]]:
        """Return J(θ), dJ/dθ, and what the parameters that are measured become, by their names in `network.views`."""
        network = self.network
        params = network.unpack(theta)
        scores, caches = network.forward_with_caches(params, self.X, context)
        value = self.loss.value(scores, self.y, self.sample_weight) + self._penalty(params)
        dscores = self.loss.gradient(scores, self.y, self.sample_weight)
        gradients = network.backward(params, caches, dscores)
        self._add_penalties(gradients, lambda p, k, name: p.gradient(params[k][name]))
        return value, network.pack(gradients), network.measured(params, caches)

    def gradient(self, theta: Array) -> Array:
        """Return dJ/dθ, (P,)."""
        return self.value_and_gradient(theta)[1]

    def hessian_product(self, theta: Array, v: Array) -> Array:
        """Return (d²J/dθ²) v without forming the Hessian: the backward pass differentiated along v."""
        network = self.network
        params, dparams = network.unpack(theta), network.unpack(v)
        scores, caches = network.forward_with_caches(params, self.X)
        changes = network.push(params, caches, dparams)
        dy = self.loss.gradient(scores, self.y, self.sample_weight)
        dy_tangent = self.loss.curvature(scores, self.y, changes[-1], self.sample_weight)
        products = network.backward_tangent(params, caches, dparams, changes, dy, dy_tangent)
        self._add_penalties(products, lambda p, k, name: p.product(params[k][name], dparams[k][name]))
        return network.pack(products)

    def gauss_newton_product(self, theta: Array, v: Array) -> Array:
        """Return (Σ Jᵀ L'' J) v, J being the derivative of the scores: the positive part of the Hessian."""
        network = self.network
        params, dparams = network.unpack(theta), network.unpack(v)
        scores, caches = network.forward_with_caches(params, self.X)
        dscores = network.push(params, caches, dparams)[-1]
        bent = self.loss.curvature(scores, self.y, dscores, self.sample_weight)
        products = network.backward(params, caches, bent)
        self._add_penalties(products, lambda p, k, name: p.product(params[k][name], dparams[k][name]))
        return network.pack(products)

    @property
    def proximal(self) -> list[tuple[Penalty, list[Slot]]]:
        """The penalties that the training loop takes proximal steps for, and what they touch."""
        return [(penalty, touched) for penalty, touched in self._touched if penalty.proximal]

    def strength(self, penalty: Penalty) -> Array | float:
        """Return λ, divided by the rows (their total weight) where it is per sample."""
        return penalty.strength / (self.total + (self.total == 0)) if penalty.per_sample else penalty.strength

    @property
    def total(self) -> Array | int:
        """The total weight of the rows; their number where they have none."""
        return self.rows if self.sample_weight is None else namespace(self.sample_weight).sum(self.sample_weight)

    def replaced(self, X: Array, y: Array) -> Objective:
        """Return the same objective with other inputs and targets in its rows."""
        return self._with(X=X, y=y)

    def without_penalties(self) -> Objective:
        """Return the same objective without penalties."""
        return self._with(penalties=(), _touched=[])

    def _with(self, **changes: Any) -> Objective:
        """Return the same objective with other attributes, which are right: nothing is checked again."""
        changed = object.__new__(Objective)
        changed.__dict__.update(self.__dict__, memo=Memo(), **changes)
        return changed

    def penalty_and_gradient(self, theta: Array) -> tuple[Array | float, Array]:
        """Return Σ penalties at θ and its derivative (P,)."""
        params = self.network.unpack(theta)
        zeros = self.network.unpack(namespace(theta).zeros_like(theta))
        self._add_penalties(zeros, lambda p, k, name: p.gradient(params[k][name]))
        return self._penalty(params), self.network.pack(zeros)

    def penalty_product(self, theta: Array, v: Array) -> Array:
        """Return (Σ penalties)'' v, (P,)."""
        params, dparams = self.network.unpack(theta), self.network.unpack(v)
        zeros = self.network.unpack(namespace(theta).zeros_like(theta))
        self._add_penalties(zeros, lambda p, k, name: p.product(params[k][name], dparams[k][name]))
        return self.network.pack(zeros)

    def _penalty(self, params: Sequence[dict[str, Array]]) -> Array | float:
        total: Array | float = 0.0
        for penalty, touched in self._touched:
            total = total + self.strength(penalty) * sum(penalty.value(params[s.block][s.name]) for s in touched)
        return total

    def _add_penalties(
        self, gradients: list[dict[str, Array]], derivative: Callable[[Penalty, int, str], Array]
    ) -> None:
        """Add each penalty's derivative, times its strength, to the gradients of the parameters it touches."""
        for penalty, touched in self._touched:
            if penalty.proximal:
                continue
            strength = self.strength(penalty)
            for k, name, *_ in touched:
                gradients[k][name] = gradients[k][name] + strength * derivative(penalty, k, name)
