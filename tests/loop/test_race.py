"""The race of optimisers: the same start, the budget, what a pass is, who wins, who is refused."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
import pytest

import chainrule as cr
from chainrule.loop.race import NEAR, PASSES, Counted, Course, Entrant, Race, race
from chainrule.optimizers import LBFGS, OPTIMIZERS, SGD, Adam, HessianFree, LevenbergMarquardt, Memory, Optimizer

X = np.linspace(-1, 1, 40)[:, None]
NETWORK = cr.Network(1, [cr.Dense(5), cr.Activation("tanh"), cr.Dense(1)])
OBJECTIVE = cr.Objective(NETWORK, cr.losses.SquaredError(), X, np.sin(3 * X[:, 0]))
START = NETWORK.initialize(0)


@dataclass(frozen=True)
class Asking(Optimizer):
    """Asks each verb once a step, and moves a little down; the number of steps is given."""

    steps: int = 2
    whole_batch: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"gradient", "value", "hessian_product", "gauss_newton", "part"})

    def init(self, network: Any, theta: Any) -> Memory:
        return Memory()

    def step(self, ask: Any, theta: Any, memory: Memory, rate: float) -> Any:
        _, g = ask.value_and_gradient(theta)
        ask.value_and_gradient(theta)  # of memory
        moved = theta - 1e-3 * g
        ask.value(moved)
        ask.hessian_product(theta, g)
        ask.part(0.5, 0).gauss_newton_product(theta, g)
        ask.gauss_newton(theta)
        loss, _ = ask.value_and_gradient(moved)
        message = "enough" if memory.t + 1 == self.steps else ""
        return moved, memory.after(), cr.optimizers.StepReport(loss, 0.0, True, message)


@dataclass(frozen=True)
class Endless(Optimizer):
    """Takes one step, and never comes to the end of the second."""

    whole_batch: ClassVar[bool] = True

    def init(self, network: Any, theta: Any) -> Memory:
        return Memory()

    def step(self, ask: Any, theta: Any, memory: Memory, rate: float) -> Any:
        loss, g = ask.value_and_gradient(theta)
        while memory.t:
            ask.value_and_gradient(theta)
        return theta - 0.1 * g, memory.after(), cr.optimizers.StepReport(loss, 0.0)


def test_passes_are_counted_by_the_verbs() -> None:
    """The first step asks the gradient at the start, each later one that of the last step's end, which is known."""
    (course,) = race(OBJECTIVE, START, {"asking": Asking(3)}, seconds=30).courses
    step = 1 / 3 + 2 + 0.5 * 2 + 2 + 1
    assert course.passes[-1] == pytest.approx(1 + 3 * step)
    assert (course.reason, course.message, course.epochs) == ("converged", "enough", 3)
    assert PASSES["gauss_newton"](10) == 8
    assert {*PASSES} | {"part"} >= {"value_and_gradient", *(Asking().needs - {"gradient"})}


def test_an_update_rule_passes_once_an_epoch_whatever_its_batches() -> None:
    entrants = {"all": SGD(0.1), "batches": Entrant(SGD(0.1), 7)}
    for course in race(OBJECTIVE, START, entrants, seconds=0.1).courses:
        assert course.passes[-1] == pytest.approx(course.epochs, abs=1)
        assert course.epochs > 2


def test_all_begin_at_the_same_start_which_does_not_change() -> None:
    before = START.copy()
    found = race(
        OBJECTIVE, START, {"adam": Entrant(Adam(), 8), "lbfgs": LBFGS(), "lm": LevenbergMarquardt()}, seconds=0.1
    )
    begin = float(OBJECTIVE.value(START))
    assert START.tobytes() == before.tobytes()
    assert found.start == pytest.approx(begin, rel=1e-12)
    for course in found.courses:
        assert (course.seconds[0], course.passes[0], course.losses[0]) == (0, 0, pytest.approx(begin, rel=1e-12))
        assert course.loss == course.losses[-1] < begin
        assert (np.diff(course.seconds) >= 0).all()
        assert (np.diff(course.passes) >= 0).all()


def test_the_winner_has_the_lowest_loss_and_the_goal_is_near_the_best() -> None:
    found = race(OBJECTIVE, START, {"sgd": SGD(0.1), "lm": LevenbergMarquardt()}, seconds=0.1)
    assert found.winner is found.courses[1]
    assert found.winner.loss is not None
    assert found.goal == pytest.approx(found.winner.loss + NEAR * (found.start - found.winner.loss))
    reached = found.winner.seconds_to(found.goal)
    assert reached is not None
    place = int(np.searchsorted(found.winner.seconds, reached))
    assert found.winner.losses[place] <= found.goal < found.winner.losses[place - 1]
    assert found.courses[0].seconds_to(0.0) is None
    assert race(OBJECTIVE, START, {"sgd": SGD()}, seconds=0.01, goal=0.25).goal == 0.25


def test_a_result_of_counted_steps_is_that_of_the_training_itself() -> None:
    result = cr.train(OBJECTIVE, START, optimizer=LBFGS(), epochs=10**6)
    (course,) = race(OBJECTIVE, START, {"lbfgs": LBFGS()}, seconds=30).courses
    assert course.loss == float(OBJECTIVE.value(result.theta)) or course.loss == pytest.approx(
        float(OBJECTIVE.value(result.theta)), rel=1e-9
    )
    assert course.epochs == len(result.history)
    assert course.losses[1:-1].tolist() == [event.loss for event in result.history]


@pytest.mark.parametrize("name", [name for name, kind in OPTIMIZERS.items() if not kind.elementwise])
def test_a_counted_optimiser_declares_what_the_one_inside_does(name: str) -> None:
    rule = OPTIMIZERS[name]()
    counted = Counted(rule, None)  # type: ignore[arg-type]  # it is not asked to step
    assert isinstance(counted, Optimizer)
    for declared in ("needs", "elementwise", "whole_batch", "scheduled", "learning_rate"):
        assert getattr(counted, declared) == getattr(rule, declared)
    if name not in ("bfgs",):
        (course,) = race(OBJECTIVE, START, {name: Entrant(rule, 10)}, seconds=0.05).courses
        assert course.passes[-1] > 0


def test_a_step_that_does_not_end_is_given_up() -> None:
    started = perf_counter()
    (course,) = race(OBJECTIVE, START, {"endless": Endless()}, seconds=0.2).courses
    assert 0.2 <= course.seconds[-1] <= perf_counter() - started
    assert (course.reason, course.epochs) == ("out of time", 1)
    g = OBJECTIVE.gradient(START)
    assert course.loss == pytest.approx(float(OBJECTIVE.value(START - 0.1 * g)), rel=1e-12)


def test_who_cannot_train_is_refused_or_has_no_end_and_the_others_race() -> None:
    wide = cr.Network(1, [cr.Dense(2000), cr.Activation("tanh"), cr.Dense(1)])
    objective = cr.Objective(wide, cr.losses.SquaredError(), X, X[:, 0])
    solvers = {"lm": LevenbergMarquardt(), "sgd": SGD(1e9), "hf": HessianFree(), "adam": Adam()}
    refused, diverged, *others = race(objective, wide.initialize(0), solvers, seconds=0.2).courses
    assert refused.reason == "refused"
    assert refused.message.startswith("levenberg_marquardt holds P × P numbers, 200 MB for P = 5,000")
    assert (diverged.reason, diverged.loss, diverged.score) == ("diverged", None, None)
    assert diverged.message.startswith("training diverged at step")
    assert all(course.loss is not None for course in others)
    none = race(objective, wide.initialize(0), {"lm": LevenbergMarquardt()}, seconds=0.2)
    assert (none.winner, none.best_score) == (None, None)


@dataclass(frozen=True)
class Interrupted(Endless):
    """Takes one step; in the second Ctrl-C is pressed."""

    def step(self, ask: Any, theta: Any, memory: Memory, rate: float) -> Any:
        if memory.t:
            raise KeyboardInterrupt
        return super().step(ask, theta, memory, rate)


def test_ctrl_c_ends_the_race_with_what_there_is() -> None:
    found = race(OBJECTIVE, START, {"sgd": SGD(), "stopped": Interrupted(), "never": SGD()}, seconds=0.05)
    assert [(course.name, course.reason) for course in found.courses] == [
        ("sgd", "out of time"),
        ("stopped", "interrupted"),
    ]


def test_scores_are_those_of_the_end() -> None:
    found = race(OBJECTIVE, START, {"sgd": SGD(0.1), "lm": LevenbergMarquardt()}, seconds=0.05, score=lambda theta: 7.0)
    assert [course.score for course in found.courses] == [7.0, 7.0]
    assert found.best_score is found.courses[0]
    assert isinstance(pickle.loads(pickle.dumps(found)), Race)
    assert isinstance(found.courses[0], Course)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seconds": 0}, "seconds must be a number above 0, got 0"),
        ({"seconds": np.inf}, "seconds must be a number above 0, got inf"),
        ({"optimizers": {}}, "optimizers must name at least one"),
    ],
)
def test_arguments_out_of_range_are_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        race(OBJECTIVE, START, **{"optimizers": {"sgd": SGD()}, **given})
