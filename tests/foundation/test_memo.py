"""A memo lives with its object, and no copy of the object has it."""

from __future__ import annotations

import copy
import pickle

import numpy as np

import chainrule as cr
from chainrule.foundation.memo import Memo


def network() -> cr.Network:
    made = cr.Network(2, [cr.Dense(1)])
    made.memo["plan"] = object()
    return made


def test_deep_copies_and_pickles_begin_with_an_empty_memo() -> None:
    made = network()
    for copied in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert (type(copied.memo), dict(copied.memo), copied.size) == (Memo, {}, made.size)
    assert list(made.memo) == ["plan"]


def test_objectives_with_other_rows_or_penalties_begin_with_an_empty_memo() -> None:
    """The rows prepared for one objective are wrong for the rows of another."""
    X, y = np.ones((3, 2)), np.ones((3, 1))
    objective = cr.Objective(network(), cr.losses.SquaredError(), X, y, penalties=[cr.penalties.L2(0.1)])
    objective.memo["inputs"] = X
    for other in (objective.batch(np.array([0])), objective.replaced(2 * X, y), objective.without_penalties()):
        assert (other.memo, other.network is objective.network) == ({}, True)
    assert list(objective.memo) == ["inputs"]
