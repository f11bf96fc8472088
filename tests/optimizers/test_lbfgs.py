"""L-BFGS: SciPy's as its oracle, every ending, and a training like all others: kept, gone on with, stopped."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from sklearn.datasets import load_digits, load_iris

import chainrule as cr
from chainrule import DivergenceError, Network, Objective, Stopping, TrainingState, train, training
from chainrule.engines import best
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.mathematics.blocks import Activation, Dense
from chainrule.optimizers import LBFGS, Memory, StepReport
from chainrule.optimizers.lbfgs import inverse_hessian_product
from chainrule.penalties import L2
from support.oracles import relative_error
from support.problems import PROBLEMS, Problem, Rosenbrock, quadratic, rosenbrock, xor

MORE = 1.5
"""So many times SciPy's evaluations are the most that ours may take."""


class Counting:
    """An objective that counts how often it is asked for a gradient."""

    def __init__(self, objective: Any) -> None:
        self.objective, self.count = objective, 0

    def value_and_gradient(self, theta: Any) -> Any:
        self.count += 1
        return self.objective.value_and_gradient(theta)


def run(optimizer: LBFGS, objective: Any, theta: Any, iterations: int) -> tuple[Any, Memory, list[StepReport]]:
    """Return θ, the memory and the reports after so many steps, or at the end that the optimiser declares."""
    theta, memory, reports = theta.copy(), optimizer.init(None, theta), list[StepReport]()
    while len(reports) < iterations and not (reports and reports[-1].message):
        theta, memory, report = optimizer.step(objective, theta, memory, np.nan)
        reports.append(report)
    return theta, memory, reports


def scipys(objective: Any, start: Any, history: int, tolerance: float) -> Any:
    """Return the result of SciPy's L-BFGS-B."""
    options = {"maxiter": 2000, "maxcor": history, "gtol": tolerance, "ftol": 10 * np.finfo(float).eps}

    def evaluate(theta: Any) -> Any:
        value, gradient = objective.value_and_gradient(theta)
        return float(value), gradient

    return scipy.optimize.minimize(evaluate, start.copy(), method="L-BFGS-B", jac=True, options=options)


def networks() -> dict[str, tuple[Objective, Any]]:
    """Return fits of real data: a convex one, and one with a hidden layer."""
    found = {}
    for name, (X, y), blocks in (
        ("iris, linear", load_iris(return_X_y=True), []),
        ("iris, hidden", load_iris(return_X_y=True), [Dense(6), Activation("tanh")]),
        ("digits, linear", load_digits(return_X_y=True), []),
    ):
        X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-3)
        network = Network(X.shape[1], [*blocks, Dense(y.max() + 1)])
        found[name] = Objective(network, CrossEntropy(), X, y, penalties=[L2(1e-2)]), network.initialize(0)
    return found


ENGINES = ["reference", "auto"]
every_engine = pytest.mark.parametrize("engine", ENGINES)

CASES = [(p, history) for p in PROBLEMS for history in (3, 10)]


@pytest.mark.parametrize(("problem", "history"), CASES, ids=[f"{p.name}, {history}" for p, history in CASES])
def test_the_problems_against_scipy(problem: Problem, history: int) -> None:
    wanted = scipys(problem.objective, problem.start, history, 1e-6)
    theta, memory, reports = run(LBFGS(history, 1e-6), problem.objective, problem.start, 2000)
    assert reports[-1].converged
    assert memory.numbers["evaluations"] <= MORE * wanted.nfev
    if problem.optimum is None:  # several minima: at the end both are flat, and good
        assert float(problem.objective.value(theta)) <= max(problem.wanted, 1.1 * wanted.fun)
    else:
        np.testing.assert_allclose(theta, problem.optimum, atol=1e-3)
        assert float(problem.objective.value(theta)) <= max(wanted.fun, 1e-9)


@pytest.mark.parametrize("name", ["iris, linear", "iris, hidden", "digits, linear"])
def test_networks_against_scipy(name: str) -> None:
    objective, start = networks()[name]
    wanted = scipys(objective, start, 10, 1e-6)
    theta, memory, reports = run(LBFGS(tolerance=1e-6), objective, start, 2000)
    assert reports[-1].converged
    assert memory.numbers["evaluations"] <= MORE * wanted.nfev
    if "linear" in name:
        assert float(objective.value(theta)) == pytest.approx(wanted.fun, rel=1e-9)
        np.testing.assert_allclose(theta, wanted.x, atol=1e-3)
    else:
        assert float(objective.value(theta)) <= 1.1 * wanted.fun


def test_the_recursion_is_the_update_of_the_inverse_hessian() -> None:
    rng = np.random.default_rng(0)
    steps, g = rng.normal(size=(4, 6)), rng.normal(size=6)
    changes = steps @ (np.diag(rng.uniform(1, 3, 6)))
    B = np.eye(6) * (steps[-1] @ changes[-1]) / (changes[-1] @ changes[-1])
    for s, y in zip(steps, changes, strict=True):
        V = np.eye(6) - np.outer(y, s) / (y @ s)
        B = V.T @ B @ V + np.outer(s, s) / (y @ s)
    assert relative_error(inverse_hessian_product(g, steps, changes), B @ g) <= 1e-12
    np.testing.assert_array_equal(inverse_hessian_product(g, steps[:0], changes[:0]), g)
    with pytest.raises(ValueError, match="zip"):
        inverse_hessian_product(g, steps, changes[1:])


def test_rosenbrock_to_1e_6() -> None:
    problem = rosenbrock()
    theta, _, reports = run(LBFGS(tolerance=1e-6), problem.objective, problem.start, 60)
    assert reports[-1].converged
    assert np.abs(theta - problem.optimum).max() <= 1e-6
    theta, _, reports = run(LBFGS(), problem.objective, problem.start, 60)
    assert reports[-1].loss <= 1e-6
    assert np.abs(problem.objective.gradient(theta)).max() <= 1e-4


def test_a_report_is_of_the_theta_it_comes_with() -> None:
    problem = xor()
    theta, _, reports = run(LBFGS(), problem.objective, problem.start, 5)
    value, gradient = problem.objective.value_and_gradient(theta)
    assert reports[-1][:2] == (float(value), float(np.linalg.norm(gradient)))
    assert all(a.loss > b.loss for a, b in pairwise(reports))


def test_no_argument_is_changed() -> None:
    problem, optimizer = rosenbrock(), LBFGS(history=2)
    theta, memory = problem.start.copy(), optimizer.init(None, problem.start)
    for _ in range(5):
        for array in (theta, *memory.arrays.values()):
            array.flags.writeable = False
        theta, memory, _ = optimizer.step(problem.objective, theta, memory, np.nan)
    assert memory["steps"].shape == memory["changes"].shape == (2, 2)
    assert memory.t == 5


def test_float32_is_asked_in_float32_and_comes_to_its_rounding() -> None:
    seen = set()

    class Watched(Rosenbrock):
        def value_and_gradient(self, theta: Any) -> Any:
            seen.add(theta.dtype.name)
            return super().value_and_gradient(theta)

    theta, memory, reports = run(LBFGS(tolerance=1e-6), Watched(), np.array([-1.2, 1.0], np.float32), 200)
    assert (seen, theta.dtype) == ({"float32"}, np.float32)
    assert memory["steps"].dtype == memory["changes"].dtype == np.float64
    assert reports[-1].converged
    assert np.abs(theta - 1).max() <= 1e-3


def test_endings() -> None:
    problem = rosenbrock()
    _, memory, reports = run(LBFGS(), problem.objective, np.ones(2), 1000)
    assert (len(reports), reports[0].converged, memory.t) == (1, True, 0)
    assert reports[0].message == "every entry of the gradient is at most 0.0001"
    _, memory, reports = run(LBFGS(), problem.objective, problem.start, 3)
    assert (len(reports), reports[-1].message, memory.t) == (3, "", 3)
    _, memory, reports = run(LBFGS(max_evaluations=5), problem.objective, problem.start, 1000)
    assert (reports[-1].converged, reports[-1].message) == (False, "Maximum evaluations (5) reached")
    assert memory.numbers["evaluations"] == 5
    _, _, reports = run(LBFGS(tolerance=0), quadratic(10).objective, quadratic(10).start, 1000)
    assert reports[-1].message == "the loss changes by no more than its rounding"
    assert reports[-1].converged


@pytest.mark.parametrize("most", [1, 5])
def test_evaluations_that_were_used_up_before_a_step_end_it_where_it_is(most: int) -> None:
    problem, optimizer = rosenbrock(), LBFGS(max_evaluations=most)
    theta, memory, _ = run(optimizer, problem.objective, problem.start, 1000)
    moved, after, report = optimizer.step(problem.objective, theta, memory, np.nan)
    assert (report.converged, report.message) == (False, f"Maximum evaluations ({most}) reached")
    assert report[:2] == (problem.objective.value(theta), np.linalg.norm(problem.objective.gradient(theta)))
    assert (after.t, after.numbers, moved.tobytes()) == (memory.t, {"evaluations": most}, theta.tobytes())
    assert (most == 1) is (memory.t == 0)
    _, _, report = optimizer.step(problem.objective, np.ones(2), memory, np.nan)
    assert report.converged


@every_engine
def test_a_training_that_gave_up_gives_up_again(engine: str) -> None:
    objective, state = xor().objective, TrainingState(xor().start.copy())
    for _ in range(2):
        result = train(objective, state.theta, optimizer=LBFGS(max_evaluations=5), state=state, engine=engine)
        assert (result.reason, result.message) == ("gave up", "Maximum evaluations (5) reached")


def test_a_loss_without_lower_values_ends_it() -> None:
    class Wrong(Rosenbrock):
        def gradient(self, theta: Any) -> Any:
            return -super().gradient(theta)

    start = np.array([-1.2, 1.0])
    theta, _, reports = run(LBFGS(), Wrong(), start, 10)
    assert (reports[-1].converged, len(reports)) == (False, 1)
    assert reports[-1].message == "no step along the gradient makes the loss smaller"
    np.testing.assert_array_equal(theta, start)


def test_a_step_into_the_infinite_is_shortened() -> None:
    class Barrier(Rosenbrock):
        def value(self, theta: Any) -> float:
            return float(-np.log(theta[0]) + theta[0] + theta[1] ** 2) if theta[0] > 0 else np.nan

        def gradient(self, theta: Any) -> Any:
            return np.array([1 - 1 / theta[0], 2 * theta[1]])

    theta, _, reports = run(LBFGS(), Barrier(), np.array([1e-3, 0.0]), 100)
    assert reports[-1].converged
    np.testing.assert_allclose(theta, [1, 0], atol=1e-3)


def test_each_theta_is_evaluated_once() -> None:
    problem = xor()
    counting = Counting(problem.objective)
    result = train(problem.objective, problem.start, optimizer=LBFGS(), epochs=20, engine="reference")
    theta, memory, _ = run(LBFGS(), counting, problem.start, 20)
    assert result.theta.tobytes() == theta.tobytes()
    assert result.state.memory is not None
    assert result.state.memory.numbers == memory.numbers
    assert counting.count == memory.numbers["evaluations"] + 19  # the engine spares these: θ was the last one asked


# ------------------------------------------------------------------------------------------------ in the training loop


@every_engine
def test_reasons_in_the_training_loop(engine: str) -> None:
    objective, start = xor().objective, xor().start
    common: dict[str, Any] = {"engine": engine}
    assert train(objective, start, optimizer=LBFGS(), epochs=1000, **common).reason == "converged"
    result = train(objective, start, optimizer=LBFGS(), epochs=3, **common)
    assert (result.reason, result.message, result.state.epoch, result.state.step) == ("epochs", "", 3, 3)
    result = train(objective, start, optimizer=LBFGS(max_evaluations=4), epochs=1000, **common)
    assert (result.reason, result.message) == ("gave up", "Maximum evaluations (4) reached")
    assert all(event.learning_rate is None for event in result.history)
    assert all(event.loss == pytest.approx(float(objective.value(start)), rel=1) for event in result.history[:1])


@every_engine
def test_a_batch_size_changes_nothing(engine: str) -> None:
    objective, start = xor().objective, xor().start
    one, other = (train(objective, start, optimizer=LBFGS(), batch_size=b, engine=engine).theta for b in (None, 1))
    assert one.tobytes() == other.tobytes()


@every_engine
def test_a_training_that_was_stopped_goes_on_to_the_same_bits(engine: str, tmp_path: Path) -> None:
    objective, start = networks()["iris, hidden"]
    settings: dict[str, Any] = {"optimizer": LBFGS(), "epochs": 30, "engine": engine}
    whole = train(objective, start, **settings)
    checkpoint = cr.Checkpoint(tmp_path / "run.checkpoint")
    stop: list[Callable[[Any], bool]] = [lambda event: event.epoch % 7 == 0]
    for _ in range(4):
        events = training(objective, start, **settings, checkpoint=checkpoint)
        for event in events:
            if stop[0](event):
                break
        events.close()
    resumed = train(objective, start, **settings, checkpoint=checkpoint)
    assert resumed.theta.tobytes() == whole.theta.tobytes()
    assert [event.loss for event in resumed.history] == [event.loss for event in whole.history]
    state = TrainingState(start.copy())
    for epochs in (4, 1, 25):
        result = train(objective, start, state=state, **{**settings, "epochs": epochs})
    assert result.theta.tobytes() == whole.theta.tobytes()
    assert result.state.memory.numbers == whole.state.memory.numbers  # type: ignore[union-attr]  # it has one


def test_early_stopping_and_the_clock_end_it() -> None:
    objective, start = networks()["iris, hidden"]
    part = objective.batch(np.arange(0, 150, 3))
    stopping = Stopping("validation_loss", 1e9, patience=2, keep_best=True)
    result = train(objective, start, optimizer=LBFGS(), validation=part, stopping=stopping)
    assert (result.reason, len(result.history)) == ("no change", 4)
    result = train(objective, start, optimizer=LBFGS(), time_limit=0.0)
    assert (result.reason, len(result.history)) == ("time", 1)


@pytest.mark.parametrize("asked", [1, 2, 6])
def test_an_interrupt_keeps_what_was_learned(asked: int) -> None:
    class Interrupted(Objective):
        left = asked

        def passes(self, theta: Any, *context: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return super().passes(theta, *context)

    inner = xor().objective
    objective = Interrupted(inner.network, inner.loss, inner.X, inner.y)
    result = train(objective, xor().start, optimizer=LBFGS())
    assert (result.reason, len(result.history)) == ("interrupted", result.state.epoch)
    if result.history:
        assert objective.value(result.theta) == result.history[-1].loss < inner.value(xor().start)


def test_a_loss_that_is_not_finite_is_a_divergence() -> None:
    objective = Objective(Network(1, [Dense(1)]), SquaredError(), np.full((2, 1), 1e200), np.array([1.0, 2.0]))
    with pytest.raises(DivergenceError, match="training diverged at step 0"):
        train(objective, np.ones(2), optimizer=LBFGS())


def test_the_native_engine_gives_the_same_bits_for_any_number_of_threads() -> None:
    if best() == "reference":
        pytest.skip("no native engine")
    objective, start = networks()["digits, linear"]
    runs = [
        train(objective, start, optimizer=LBFGS(), epochs=12, engine="native", n_threads=n).theta.tobytes()
        for n in (1, 2, 3)
    ]
    assert runs[0] == runs[1] == runs[2]
    reference = train(objective, start, optimizer=LBFGS(), epochs=3, engine="reference").theta
    np.testing.assert_allclose(
        train(objective, start, optimizer=LBFGS(), epochs=3, engine="native").theta, reference, rtol=1e-7, atol=1e-9
    )
