"""One pass over the rows: the order of the rows, and the loss of an epoch whatever its last batch holds."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.loop import batches
from chainrule.loop.batches import rows_in_order

ORDERS = ("reshuffle", "once", "given")


@given(st.integers(2, 200), st.integers(0, 2**64 - 1), st.integers(0, 50))
def test_every_row_is_seen_once(rows: int, seed: int, epoch: int) -> None:
    for order in ORDERS:
        found = rows_in_order(order, seed, epoch, rows, 1)
        assert found is not None
        assert sorted(found) == list(range(rows))


def test_orders_differ_as_their_names_say() -> None:
    def of(order: str, seed: int = 0, epoch: int = 0) -> list[int]:
        found = rows_in_order(order, seed, epoch, 50, 10)
        assert found is not None
        return [*map(int, found)]

    assert of("given") == of("given", 1, 1) == list(range(50))
    assert of("once") == of("once", epoch=7) == of("reshuffle") != of("once", seed=1)
    assert of("reshuffle", epoch=1) not in (of("reshuffle"), of("reshuffle", epoch=2), of("reshuffle", 1, 1))


@pytest.mark.parametrize("batch_size", [50, 51])
@pytest.mark.parametrize("order", ORDERS)
def test_one_batch_of_all_rows_needs_no_order(order: str, batch_size: int) -> None:
    assert rows_in_order(order, 0, 0, 50, batch_size) is None


def problem() -> tuple[cr.Objective, Any]:
    rng = np.random.default_rng(0)
    network = cr.Network(2, [cr.Dense(1)])
    X, y = rng.normal(size=(23, 2)), rng.normal(size=23)
    return cr.Objective(network, cr.losses.SquaredError(), X, y), network.initialize(0)


@pytest.mark.parametrize("batch_size", [1, 4, 5, 22, 23])
def test_the_loss_of_an_epoch_is_the_mean_over_its_rows(batch_size: int) -> None:
    """With a rate of next to nothing θ stays, and the mean over the batches is the loss on all rows."""
    objective, theta = problem()
    still = {"schedule": cr.schedules.Constant(1e-300), "optimizer": cr.optimizers.SGD(), "engine": "reference"}
    (event,) = cr.training(objective, theta, epochs=1, batch_size=batch_size, **still)
    assert event.loss == pytest.approx(float(objective.value(theta)), rel=1e-12)
    assert event.step == ceil(23 / batch_size)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_slices_that_steps_are_handed_over_in_change_no_bit(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    objective, theta = problem()
    whole = cr.train(objective, theta, epochs=3, batch_size=2, seed=1)
    monkeypatch.setattr(batches, "SLICE", size)
    cut = cr.train(objective, theta, epochs=3, batch_size=2, seed=1)
    assert cut.theta.tobytes() == whole.theta.tobytes()
    assert [event.loss for event in cut.history] == [event.loss for event in whole.history]
