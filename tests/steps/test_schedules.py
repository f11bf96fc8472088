"""Every row of SCHEDULES against closed forms, scikit-learn's meanings, and PEGASOS."""

from __future__ import annotations

import re
from math import cos, exp, log, pi, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer
from sklearn.svm import SVC

from chainrule import Dense, Network, Objective, Stopping, train
from chainrule.foundation.randomness import Stream
from chainrule.loop.batches import SLICE
from chainrule.losses import Hinge, SquaredError
from chainrule.optimizers import SGD
from chainrule.penalties import L2
from chainrule.schedules import (
    SCHEDULES,
    Adaptive,
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    InverseTime,
    Moment,
    OneCycle,
    Schedule,
    Step,
    WarmUp,
)
from chainrule.steps.schedules import reads_fraction, steady
from support.oracles import relative_error

Value = tuple[Schedule, Moment, float]

ROWS: dict[str, list[Value]] = {
    "constant": [
        (Constant(), Moment(), 0.001),
        (Constant(0.3), Moment(step=9, epoch=8, rows=7, plateaus=6, fraction=1.0), 0.3),
    ],
    "inverse_time": [
        (InverseTime(), Moment(step=99, rows=99), 0.1),
        (InverseTime(), Moment(epoch=9), 0.01),
        (InverseTime(5.0, "step"), Moment(step=3, epoch=7), 1.25),
        (InverseTime(5.0, "rows"), Moment(step=7, rows=19), 0.25),
    ],
    "invscaling": [
        (InverseScaling(), Moment(step=99, epoch=99), 0.001),
        (InverseScaling(), Moment(rows=9999), 1e-5),
        (InverseScaling(2.0, 2.0, "epoch"), Moment(epoch=3), 0.125),
        (InverseScaling(3.0, 0.75, "step"), Moment(step=15), 0.375),
    ],
    "step": [
        (Step(), Moment(epoch=9), 1e-3),
        (Step(), Moment(epoch=10), 1e-4),
        (Step(), Moment(epoch=39), 1e-6),
        (Step(0.8, 3, 0.5, "step"), Moment(step=8, epoch=99), 0.2),
        (Step(0.8, 100, 0.25, "rows"), Moment(rows=100), 0.2),
    ],
    "exponential": [
        (Exponential(), Moment(step=5, rows=5), 1e-3),
        (Exponential(), Moment(epoch=40), 1e-3 * exp(40 * log(0.95))),
        (Exponential(2.0, 0.5, "step"), Moment(step=10), 2 / 1024),
        (Exponential(2.0, 0.999, "rows"), Moment(rows=3), 2 * 0.999 * 0.999 * 0.999),
    ],
    "cosine": [
        (Cosine(), Moment(step=7, epoch=7), 1e-3),
        (Cosine(0.4), Moment(fraction=0.25), 0.4 * (2 + sqrt(2)) / 4),
        (Cosine(0.4, 0.1), Moment(fraction=0.5), 0.25),
        (Cosine(0.4, 0.1), Moment(fraction=2 / 3), 0.175),
        (Cosine(0.4, 0.1), Moment(fraction=1.0), 0.1),
    ],
    "one_cycle": [
        (OneCycle(), Moment(step=7, epoch=7), 4e-4),
        (OneCycle(0.5), Moment(fraction=0.15), 0.5 * (1 + 1 / 25) / 2),
        (OneCycle(0.5), Moment(fraction=0.3), 0.5),
        (OneCycle(0.5), Moment(fraction=0.65), 0.5 * (1 + 1e-4) / 2),
        (OneCycle(0.5), Moment(fraction=1.0), 5e-5),
        (OneCycle(0.5, 0.5, 2.0, 5.0), Moment(fraction=0.25), 0.375),
        (OneCycle(0.5, 0.5, 2.0, 5.0), Moment(fraction=0.75), 0.3),
    ],
    "adaptive": [
        (Adaptive(), Moment(step=9, epoch=9, rows=9), 1e-3),
        (Adaptive(), Moment(plateaus=3), 8e-6),
        (Adaptive(0.5, 2.0), Moment(plateaus=4), 0.03125),
    ],
}
"""One row per row of the table: closed forms worked out by hand."""

HIGHEST = {"one_cycle": Moment(fraction=0.3)}
"""When a schedule has its highest rate, where that is not the start."""

VALUES = [value for values in ROWS.values() for value in values]
MOMENTS = st.builds(
    Moment, st.integers(0, 10**6), st.integers(0, 10**4), st.integers(0, 10**8), st.integers(0, 9), st.floats(0, 1)
)
SCHEDULE = st.sampled_from([schedule for schedule, _, _ in VALUES])


def rates(schedule: Schedule, epochs: int, rows: int = 6, **settings: Any) -> list[float]:
    """Return the learning rate of each epoch's last step, as the training loop reports them."""
    objective = Objective(Network(1, [Dense(1)]), SquaredError(), np.ones((rows, 1)), np.ones(rows))
    result = train(objective, np.zeros(2), optimizer=SGD(), schedule=schedule, epochs=epochs, **settings)
    return [event.learning_rate for event in result.history]


def test_every_row_of_the_table_has_a_test_row() -> None:
    assert set(ROWS) == set(SCHEDULES)
    assert all(type(schedule) is SCHEDULES[name] for name, values in ROWS.items() for schedule, _, _ in values)


@pytest.mark.parametrize(("schedule", "moment", "wanted"), VALUES)
def test_closed_forms(schedule: Schedule, moment: Moment, wanted: float) -> None:
    assert schedule(moment) == pytest.approx(wanted, rel=1e-14, abs=0)


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_the_first_argument_is_the_highest_rate(name: str) -> None:
    assert SCHEDULES[name](0.3)(HIGHEST.get(name, Moment())) == 0.3


@given(SCHEDULE, MOMENTS)
def test_rates_are_positive_plain_numbers_that_never_exceed_the_highest(schedule: Schedule, moment: Moment) -> None:
    rate = schedule(moment)
    assert type(rate) is float
    assert rate <= schedule.rate * (1 + 1e-15)
    assert rate >= 0


@given(SCHEDULE, MOMENTS)
def test_only_adaptive_goes_on_at_a_plateau(schedule: Schedule, moment: Moment) -> None:
    assert schedule.exhausted(moment) == (not isinstance(schedule, Adaptive) or schedule(moment) <= 1e-6)


@given(SCHEDULE, MOMENTS, st.integers(1, 1000))
def test_warm_up_rises_in_a_line_to_the_schedule_behind_it(schedule: Schedule, moment: Moment, steps: int) -> None:
    warm = WarmUp(schedule, steps)
    t = moment.step
    assert warm(moment) == pytest.approx(schedule(moment) * min(t + 1, steps) / steps, rel=1e-14)
    assert warm(moment._replace(step=steps - 1)) == schedule(moment._replace(step=steps - 1))
    assert warm.exhausted(moment) == schedule.exhausted(moment)


def test_warm_up_in_the_loop() -> None:
    schedule = WarmUp(InverseTime(0.6, "step"), steps=4)
    wanted = [0.6 * 0.25, 0.3 * 0.5, 0.2 * 0.75, 0.15, 0.12, 0.1]
    assert rates(schedule, 6) == pytest.approx(wanted, rel=1e-14)
    assert rates(WarmUp(), 3) == pytest.approx([1e-5, 2e-5, 3e-5], rel=1e-14)


def test_the_notes_rule_over_epochs() -> None:
    assert rates(InverseTime(), 5, batch_size=2) == pytest.approx([0.1, 0.05, 0.1 / 3, 0.025, 0.02], rel=1e-15)


@pytest.mark.parametrize(("unit", "per_epoch"), [("step", 3), ("epoch", 1), ("rows", 6)])
def test_units_in_the_loop(unit: Any, per_epoch: int) -> None:
    last = 2 if unit == "step" else 0
    wanted = [0.1 / (per_epoch * epoch + last + 1) for epoch in range(4)]
    assert rates(InverseTime(0.1, unit), 4, batch_size=2) == pytest.approx(wanted, rel=1e-15)


class Own(Constant):
    """A schedule of one's own: nobody knows what it reads."""


@pytest.mark.parametrize("schedule", [schedule for schedule, _, _ in VALUES], ids=repr)
def test_a_steady_schedule_is_one_that_no_step_changes_within_an_epoch(schedule: Schedule) -> None:
    within = {schedule(Moment(step, 3, 3, 0, fraction)) for step, fraction in ((3, 0.1), (4, 0.2), (1000, 0.6))}
    assert steady(schedule) is (len(within) == 1)
    assert not steady(WarmUp(schedule))
    assert not steady(Own())


@pytest.mark.parametrize("kind", list(SCHEDULES.values()))
def test_each_schedule_says_whether_it_reads_the_planned_length(kind: Any) -> None:
    seen = {kind(0.5)(Moment(3, 3, 3, 0, fraction)) for fraction in (0.0, 0.3, 0.9)}
    assert reads_fraction(kind(0.5)) is (len(seen) > 1)
    assert reads_fraction(WarmUp(kind(0.5))) is (len(seen) > 1)
    assert reads_fraction(Own())


def test_step_in_the_loop_falls_where_it_says() -> None:
    assert rates(Step(0.1, 2, 0.5), 5) == [0.1, 0.1, 0.05, 0.05, 0.025]


def test_cosine_runs_over_the_planned_steps_and_ends_at_its_minimum() -> None:
    wanted = [0.1 + 0.3 * (1 + cos(pi * (3 * epoch + 2) / 300)) / 2 for epoch in range(100)]
    got = rates(Cosine(0.4, 0.1), 100, batch_size=2)
    assert got == pytest.approx(wanted, rel=1e-13)
    assert np.all(np.diff(got) < 0)
    assert 0.1 < got[-1] <= 0.1 + 0.3 * (pi / 600) ** 2
    assert Cosine(0.4, 0.1)(Moment(fraction=1.0)) == 0.1


def test_cosine_over_epochs_longer_than_a_slice() -> None:
    steps = 2 * SLICE + 5
    wanted = [0.2 * (1 + cos(pi * (steps * (epoch + 1) - 1) / (3 * steps))) for epoch in range(3)]
    assert rates(Cosine(0.4), 3, rows=steps, batch_size=1) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("steps", [10, 100, 1000])
def test_one_cycle_is_pytorchs(steps: int) -> None:
    """PyTorch has its first and highest rate at the steps 0 and 0.3 N - 1, its last at N - 1: Smith's ends, exactly."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare the schedule with")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=steps, final_div_factor=1e4 / 25)
    cycle, peak = OneCycle(0.5), 0.3 * steps - 1
    for step in range(steps):
        rising = 0.3 * step / peak if step < peak else 0.3 + 0.7 * (step - peak) / (steps - 1 - peak)
        assert cycle(Moment(fraction=min(rising, 1.0))) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        if step < steps - 1:
            optimizer.step()
            theirs.step()


def test_one_cycle_in_the_loop() -> None:
    got = rates(OneCycle(0.4), 100)
    assert got == pytest.approx([OneCycle(0.4)(Moment(fraction=epoch / 100)) for epoch in range(100)], rel=1e-13)
    assert np.argmax(got) == 30
    assert np.all(np.diff(got[:31]) > 0)
    assert np.all(np.diff(got[30:]) < 0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rise": 0.0}, "OneCycle rise must be a number above 0 and below 1, got 0.0"),
        ({"rise": 1}, "OneCycle rise must be a number above 0 and below 1, got 1"),
        ({"start": 0.5}, "OneCycle start must be a number of at least 1, got 0.5"),
        ({"end": float("nan")}, "OneCycle end must be a number of at least 1, got nan"),
    ],
)
def test_a_cycle_that_cannot_be_is_refused(settings: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        OneCycle(0.1, **settings)


@pytest.mark.parametrize("kind", list(SCHEDULES.values()))
@pytest.mark.parametrize("rate", [-1.0, float("inf")])
def test_a_rate_below_zero_or_without_end_is_refused(kind: Any, rate: float) -> None:
    with pytest.raises(ValueError, match=f"{kind.__name__} rate must be a finite number of at least 0, got {rate}"):
        kind(rate)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Cosine(0.1, -0.1), "Cosine minimum must be a finite number of at least 0, got -0.1"),
        (lambda: Adaptive(0.1, factor=0.0), "Adaptive factor must be a positive finite number, got 0.0"),
        (lambda: Exponential(0.1, decay=0.0), "Exponential decay must be a positive finite number, got 0.0"),
        (lambda: InverseTime(0.1, "hour"), "InverseTime unit must be one of step, epoch, rows, got 'hour'"),
    ],
)
def test_fields_that_cannot_be_are_refused_by_name(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        make()


def test_invscaling_is_scikit_learns() -> None:
    theirs = SGDOptimizer([np.zeros(1)], learning_rate_init=0.02, lr_schedule="invscaling", power_t=0.4)
    wanted = []
    for epoch in range(8):
        wanted.append(theirs.learning_rate)
        theirs.iteration_ends((epoch + 1) * 6)
    assert rates(InverseScaling(0.02, 0.4), 8, batch_size=4) == pytest.approx(wanted, rel=1e-14)


def test_adaptive_is_scikit_learns() -> None:
    theirs = SGDOptimizer([np.zeros(1)], learning_rate_init=0.05, lr_schedule="adaptive")
    wanted = [theirs.learning_rate]
    while not theirs.trigger_stopping("", verbose=False):
        wanted.append(theirs.learning_rate)
    ours, plateaus = Adaptive(0.05), 0
    got = [ours(Moment())]
    while not ours.exhausted(Moment(plateaus=plateaus)):
        plateaus += 1
        got.append(ours(Moment(plateaus=plateaus)))
    assert got == pytest.approx(wanted, rel=1e-14)
    assert len(got) == 8


def test_adaptive_in_the_loop_divides_instead_of_stopping_until_exhausted() -> None:
    stopping = Stopping(min_change=1e3, patience=1)
    assert rates(Adaptive(0.2, 10.0, minimum=0.002), 99, stopping=stopping) == pytest.approx(
        [0.2, 0.2, 0.2, 0.02, 0.02, 0.002, 0.002], rel=1e-14
    )
    assert len(rates(Constant(0.2), 99, stopping=stopping)) == 3


def pegasos(X: Any, y: Any, strength: float, order: Any) -> list[float]:
    """Shalev-Shwartz et al. 2007, figure 1 with one row to a step, and a bias that is not penalised, in scalars."""
    w, bias = [0.0] * X.shape[1], 0.0
    for t, i in enumerate(order, start=1):
        eta = 1 / (strength * t)
        inside = y[i] * (sum(a * b for a, b in zip(w, X[i], strict=True)) + bias) < 1
        w = [(1 - eta * strength) * a + (eta * y[i] * b if inside else 0.0) for a, b in zip(w, X[i], strict=True)]
        bias += eta * y[i] if inside else 0.0
    return [*w, bias]


@pytest.fixture(scope="module")
def machine() -> Objective:
    """Return the linear support vector machine, λ = 0.1, on 300 rows of the breast cancer data."""
    X, y = load_breast_cancer(return_X_y=True)
    X, y = ((X - X.mean(0)) / X.std(0))[:300], (2.0 * y - 1)[:300]
    return Objective(Network(X.shape[1], [Dense(1)]), Hinge(), X, y, penalties=[L2(0.1)])


def learned(machine: Objective, epochs: int) -> Any:
    """Return θ after online training with PEGASOS's schedule."""
    schedule = InverseTime(1 / 0.1, unit="step")
    start = np.zeros(machine.network.size)
    return train(machine, start, optimizer=SGD(), schedule=schedule, batch_size=1, epochs=epochs).theta


def test_pegasos_step_by_step(machine: Objective) -> None:
    order = np.concatenate([Stream(0, "shuffle", step=epoch).permutation(300) for epoch in range(2)])
    wanted = pegasos(machine.X, machine.y[:, 0], 0.1, order)
    assert relative_error(learned(machine, 2), np.array(wanted)) <= 1e-12


def test_pegasos_reaches_the_exact_support_vector_machine(machine: Objective) -> None:
    exact = SVC(kernel="linear", C=1 / (0.1 * machine.rows), tol=1e-8).fit(machine.X, machine.y[:, 0])
    least = machine.value(np.concatenate([exact.coef_[0], exact.intercept_]))
    assert machine.value(learned(machine, 2)) > 1.02 * least
    assert least <= machine.value(learned(machine, 40)) <= 1.01 * least
