"""Figures of single rows: the mean of their squared gradients, and the Gauss-Newton matrix as Kronecker products.

For a Dense block with the input x of a row, ā = (x, 1) and s = dscores/dy of its output y, the block of the
Gauss-Newton matrix that belongs to (W; b) is

    G = Σ p (ā āᵀ) ⊗ (sᵀ L'' s)  ≈  A ⊗ S,    A = Σ p ā āᵀ,    S = Σ p sᵀ L'' s

over the rows, with the share p of each (1/n without weights) and the curvature L'' of its loss. A ⊗ S is exact for one
row, and wherever ā and s do not depend on each other. S is summed over the o columns of the root of L'': one backward
pass for each, and nothing is drawn.

Shapes: n rows, P parameters; of a block i inputs and o outputs: W (i, o), b (o,), A (i + 1, i + 1) or (i, i), S (o, o).

Source: Martens and Grosse 2015 (K-FAC); Botev et al. 2017 (the whole curvature of the loss, as here); Amari 1998.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..foundation.arrays import Array, is_sparse
from .blocks import Dense
from .gauss_newton import Matrix, roots
from .objective import Objective


class Factors(NamedTuple):
    """The two factors of one Dense block: its number, A of its inputs and S of its outputs."""

    block: int
    A: Matrix
    S: Matrix


def factors(objective: Objective, theta: Array) -> list[Factors]:
    """Return A and S of every Dense block at θ; penalties are left out.

    >>> import chainrule as cr
    >>> network = cr.Network(1, [cr.Dense(1)])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), np.array([[1.0], [3.0]]), np.array([3.0, 5.0]))
    >>> factors(objective, np.array([2.0, 0.0]))[0].A
    array([[5., 2.],
           [2., 1.]])
    """
    network = objective.network
    params = network.unpack(theta)
    scores, caches = network.forward_with_caches(params, objective.X)
    share = _shares(objective)
    bent = roots(objective, scores)
    dense = [k for k, block in enumerate(network.blocks) if isinstance(block, Dense)]
    S = {k: np.zeros((network.widths[k + 1],) * 2) for k in dense}
    for column in range(scores.shape[1]):
        dy = bent[:, column].astype(scores.dtype)
        for k in reversed(range(dense[0] if dense else len(network.blocks), len(network.blocks))):
            if k in S:
                wide = np.asarray(dy, np.float64)
                S[k] += wide.T @ wide
            dy = network.blocks[k].pull_input(params[k], caches[k], dy) if k else dy
    return [Factors(k, _inputs(caches[k].x, share, "b" in params[k]), S[k]) for k in dense]


def _inputs(x: Array, share: Array, bias: bool) -> Matrix:
    """Return A."""
    x = np.asarray(x.toarray() if is_sparse(x) else x, np.float64)
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1) if bias else x
    return np.asarray((x * share[:, None]).T @ x)


def _shares(objective: Objective) -> Matrix:
    """Return the share of each row in J, (n,)."""
    if objective.sample_weight is None:
        return np.full(objective.rows, 1 / objective.rows)
    weight = np.asarray(objective.sample_weight, np.float64)
    return np.asarray(weight / (weight.sum() or 1.0))


def squares(objective: Objective, theta: Array) -> Matrix:
    """Return Σ p (dl/dθ)² over the rows, (P,): the diagonal of the empirical Fisher matrix, without penalties.

    >>> import chainrule as cr
    >>> network = cr.Network(1, [cr.Dense(1)])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), np.array([[1.0], [3.0]]), np.array([3.0, 5.0]))
    >>> squares(objective, np.array([2.0, 0.0]))
    array([5., 1.])
    """
    network = objective.network
    params = network.unpack(theta)
    scores, caches = network.forward_with_caches(params, objective.X)
    dy, share = objective.rows * objective.loss.gradient(scores, objective.y), _shares(objective)
    found: list[dict[str, Matrix]] = [{} for _ in network.blocks]
    for k in reversed(range(len(network.blocks))):
        block = network.blocks[k]
        if isinstance(block, Dense):
            found[k] = _dense_squares(caches[k].x, dy, share)
        else:
            rows = block.pull_rows(params[k], caches[k], dy)
            found[k] = {name: np.tensordot(share, np.asarray(each, np.float64) ** 2, 1) for name, each in rows.items()}
        dy = block.pull_input(params[k], caches[k], dy) if k else dy
    return np.asarray(network.pack(found)) if network.slots else np.zeros(0)


def _dense_squares(x: Array, dy: Array, share: Matrix) -> dict[str, Matrix]:
    """Return Σ p (x dyᵀ)² = (x²)ᵀ (p dy²) and Σ p dy²: no gradient of a row is formed."""
    x, dy = np.asarray(x.toarray() if is_sparse(x) else x, np.float64), np.asarray(dy, np.float64)
    weighted = share[:, None] * dy**2
    return {"W": (x**2).T @ weighted, "b": weighted.sum(axis=0)}
