"""L-BFGS: SciPy's own trajectory, handed out iterate by iterate, with no thread left behind."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from chainrule import DivergenceError, Network, Objective, train, training
from chainrule.losses import SquaredError
from chainrule.mathematics.blocks import Dense
from chainrule.optimizers import LBFGS, Ending, Iterate
from chainrule.optimizers.lbfgs import pulled
from support.problems import PROBLEMS, Problem, Rosenbrock, rosenbrock, xor


def run(optimizer: LBFGS, objective: Any, theta: Any, iterations: int) -> tuple[list[Iterate], Ending]:
    """Return every iterate and the ending."""
    iterates, events = [], optimizer.iterate(objective, theta, iterations)
    while True:
        try:
            iterates.append(next(events))
        except StopIteration as end:
            return iterates, end.value


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
@pytest.mark.parametrize("history", [3, 10])
def test_iterates_are_scipys_bit_for_bit(problem: Problem, history: int) -> None:
    wanted: list[Any] = []

    def note(intermediate_result: Any) -> None:
        wanted.append((intermediate_result.x.copy(), intermediate_result.fun))

    options = {"maxiter": 60, "maxcor": history, "gtol": 1e-6, "ftol": 10 * np.finfo(float).eps, "maxfun": 15000}
    evaluate = problem.objective.value_and_gradient
    result = scipy.optimize.minimize(
        evaluate, problem.start.copy(), method="L-BFGS-B", jac=True, callback=note, options=options
    )
    iterates, ending = run(LBFGS(history, 1e-6), problem.objective, problem.start.copy(), 60)
    assert len(iterates) == result.nit
    assert ending == (result.success, result.message)
    for iterate, (theta, loss) in zip(iterates, wanted, strict=True):
        assert iterate.theta.tobytes() == theta.tobytes()
        assert iterate.loss == loss
        assert iterate.gradient_norm == np.linalg.norm(evaluate(theta)[1])


def test_rosenbrock_to_1e_6() -> None:
    problem = rosenbrock()
    iterates, ending = run(LBFGS(tolerance=1e-6), problem.objective, problem.start, 50)
    assert ending.converged
    assert np.abs(iterates[-1].theta - problem.optimum).max() <= 1e-6
    iterates, ending = run(LBFGS(), problem.objective, problem.start, 50)
    assert ending.converged
    assert iterates[-1].loss <= 1e-6
    assert np.abs(problem.objective.gradient(iterates[-1].theta)).max() <= 1e-4


def test_the_start_is_not_changed() -> None:
    problem = rosenbrock()
    start = problem.start.copy()
    start.flags.writeable = False
    run(LBFGS(), problem.objective, start, 5)
    np.testing.assert_array_equal(start, problem.start)


def test_float32_stays_float32() -> None:
    seen = set()

    class Watched(Rosenbrock):
        def value_and_gradient(self, theta: Any) -> Any:
            seen.add(theta.dtype.name)
            return super().value_and_gradient(theta)

    iterates, _ = run(LBFGS(), Watched(), np.array([-1.2, 1.0], np.float32), 10)
    assert seen == {iterate.theta.dtype.name for iterate in iterates} == {"float32"}


def test_endings() -> None:
    problem = rosenbrock()
    assert run(LBFGS(), problem.objective, problem.start, 1000)[1].converged
    iterates, ending = run(LBFGS(), problem.objective, np.ones(2), 1000)
    assert (iterates, ending.converged) == ([], True)
    iterates, ending = run(LBFGS(), problem.objective, problem.start, 3)
    assert (len(iterates), ending.converged) == (3, False)
    iterates, ending = run(LBFGS(max_evaluations=5), problem.objective, problem.start, 1000)
    assert len(iterates) < 6
    assert not ending.converged


def test_reasons_in_the_training_loop() -> None:
    objective, start = xor().objective, xor().start
    assert train(objective, start, optimizer=LBFGS(), epochs=1000).reason == "converged"
    result = train(objective, start, optimizer=LBFGS(), epochs=3)
    assert (result.reason, result.state.epoch, result.state.step) == ("epochs", 3, 3)
    result = train(objective, start, optimizer=LBFGS(max_evaluations=4), epochs=1000)
    assert result.reason == "gave up"
    assert "EVALUATIONS" in result.message
    assert all(event.learning_rate is None for event in result.history)


def test_the_loop_reports_the_iterates() -> None:
    problem = xor()
    iterates, _ = run(LBFGS(), problem.objective, problem.start, 8)
    events = training(problem.objective, problem.start, optimizer=LBFGS(), epochs=8)
    for event, iterate in zip(events, iterates, strict=True):
        assert event.theta.tobytes() == iterate.theta.tobytes()
        assert (event.loss, event.gradient_norm) == (iterate.loss, iterate.gradient_norm)


@pytest.fixture
def alive() -> Any:
    """Return a function that says whether a thread has been left behind."""
    before = set(threading.enumerate())
    return lambda: set(threading.enumerate()) - before


@pytest.mark.parametrize("iterations", [0, 1, 5])
def test_closing_the_generator_ends_its_thread(alive: Any, iterations: int) -> None:
    events = LBFGS().iterate(Rosenbrock(), np.array([-1.2, 1.0]), 100)
    for _ in range(iterations):
        next(events)
    assert len(alive()) == min(iterations, 1)
    events.close()
    assert not alive()


def test_running_to_the_end_ends_the_thread(alive: Any) -> None:
    run(LBFGS(), Rosenbrock(), np.array([-1.2, 1.0]), 100)
    assert not alive()


def test_closing_the_training_ends_the_thread(alive: Any) -> None:
    events = training(xor().objective, xor().start, optimizer=LBFGS())
    next(events)
    assert len(alive()) == 1
    events.close()
    assert not alive()


def test_a_callback_that_stops_ends_the_thread(alive: Any) -> None:
    result = train(xor().objective, xor().start, optimizer=LBFGS(), callbacks=[lambda event: event.epoch == 2])
    assert (result.reason, len(result.history)) == ("callback", 2)
    assert not alive()


def test_an_exception_in_a_callback_ends_the_thread(alive: Any) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        train(xor().objective, xor().start, optimizer=LBFGS(), callbacks=[lambda event: 1 // 0])
    assert caught.value.__traceback__
    assert not alive()


class Failing(Rosenbrock):
    """Raises in the given evaluation."""

    def __init__(self, error: BaseException, evaluation: int) -> None:
        self.error, self.left = error, evaluation

    def value_and_gradient(self, theta: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise self.error
        return super().value_and_gradient(theta)


@pytest.mark.parametrize("evaluation", [1, 2, 12])
@pytest.mark.parametrize("error", [ZeroDivisionError("in the objective"), KeyboardInterrupt()])
def test_an_exception_in_the_objective_surfaces(alive: Any, evaluation: int, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        run(LBFGS(), Failing(error, evaluation), np.array([-1.2, 1.0]), 100)
    assert caught.value is error
    assert not alive()


def test_an_interrupt_keeps_what_was_learned(alive: Any) -> None:
    class Interrupted(Objective):
        left = 6

        def value_and_gradient(self, theta: Any, *context: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return super().value_and_gradient(theta, *context)

    inner = xor().objective
    objective = Interrupted(inner.network, inner.loss, inner.X, inner.y)
    result = train(objective, xor().start, optimizer=LBFGS())
    assert (result.reason, len(result.history)) == ("interrupted", result.state.epoch)
    assert objective.value(result.theta) == result.history[-1].loss < inner.value(xor().start)
    assert not alive()


def test_divergence_leaves_no_thread(alive: Any) -> None:
    objective = Objective(Network(1, [Dense(1)]), SquaredError(), np.ones((2, 1)), np.array([1.0, 2.0]))

    class Overflowing:
        def iterate(self, objective: Any, theta: Any, iterations: int) -> Any:
            return pulled(lambda report: [report(Iterate(theta, loss, 0.0)) for loss in (1.0, np.inf)] and None)

    with pytest.raises(DivergenceError, match="the loss overflows; start from smaller weights") as caught:
        train(objective, np.zeros(2), optimizer=Overflowing())
    np.testing.assert_array_equal(caught.value.theta, np.zeros(2))
    assert not alive()


def test_what_reports_nothing_ends_at_once(alive: Any) -> None:
    assert list(pulled(lambda report: Ending(True, ""))) == []
    assert not alive()
