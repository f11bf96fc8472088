"""The contract: a user's own second-order optimiser trains, is kept, goes on and stops like all others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

import chainrule as cr
from chainrule import (
    Activation,
    Dense,
    Dropout,
    LayerNorm,
    MLPClassifier,
    Network,
    Objective,
    Recipe,
    Stopping,
    TrainingState,
)
from chainrule.engines import Job, best, choose
from chainrule.losses import CrossEntropy
from chainrule.optimizers import LBFGS, OPTIMIZERS, SGD, VERBS, Adam, Memory, Optimizer, StepReport
from chainrule.penalties import L1, L2
from support.oracles import relative_error


@dataclass(frozen=True)
class Newton(Optimizer):
    """θ ← θ - (H + damping)⁻¹ g, the damping smaller after every step."""

    needs: ClassVar[frozenset[str]] = frozenset({"gradient", "hessian_product"})
    whole_batch: ClassVar[bool] = True
    damping: float = 1.0
    tolerance: float = 1e-8

    def init(self, network: Any, theta: Any) -> Memory:
        return Memory(0, {"last": np.zeros_like(theta)}, {"damping": self.damping})

    def step(self, ask: Any, theta: Any, memory: Memory, rate: float) -> Any:
        loss, g = ask.value_and_gradient(theta)
        H = np.stack([ask.hessian_product(theta, e) for e in np.eye(theta.size)])
        damping = memory.numbers["damping"]
        last = np.linalg.solve(H + damping * np.eye(theta.size), g)
        small = float(np.abs(g).max()) <= self.tolerance
        report = StepReport(loss, float(np.linalg.norm(g)), small, "the gradient is small" if small else "")
        return theta - last, Memory(memory.t + 1, {"last": last}, {"damping": damping / 2}), report


class NewtonOnBatches(Newton):
    """The same on whatever rows a step has."""

    whole_batch = False


IRIS = load_iris(return_X_y=True)


def iris(blocks: tuple[Any, ...] = (Dense(3), Activation("tanh"))) -> tuple[Objective, Any]:
    X = (IRIS[0] - IRIS[0].mean(axis=0)) / IRIS[0].std(axis=0)
    network = Network(4, [*blocks, Dense(3)])
    return Objective(network, CrossEntropy(), X, IRIS[1], penalties=[L2(0.01)]), network.initialize(0)


def test_newton_needs_few_steps_and_is_told_of_by_events() -> None:
    objective, start = iris(())
    result = cr.train(objective, start, optimizer=Newton(1e-3), epochs=50)
    assert (result.reason, result.message) == ("converged", "the gradient is small")
    assert len(result.history) < 12
    assert float(np.abs(objective.gradient(result.theta)).max()) <= 1e-8
    assert [event.step for event in result.history] == list(range(1, len(result.history) + 1))
    assert all(event.learning_rate is None for event in result.history)
    assert all(event.statistics for event in result.history[:1])


@pytest.mark.parametrize(("kind", "batch_size"), [(Newton, None), (NewtonOnBatches, 40)])
def test_it_goes_on_from_a_checkpoint_and_a_state_to_the_same_bits(kind: Any, batch_size: Any, tmp_path: Path) -> None:
    objective, start = iris()
    settings: dict[str, Any] = {"optimizer": kind(), "epochs": 6, "batch_size": batch_size, "seed": 5}
    whole = cr.train(objective, start, **settings)
    checkpoint = cr.Checkpoint(tmp_path / "run.checkpoint", "1 step")
    for epochs in (2, 1):
        events = cr.training(objective, start, **settings, checkpoint=checkpoint)
        for _ in range(epochs):
            next(events)
        events.close()
    resumed = cr.train(objective, start, **settings, checkpoint=checkpoint)
    state = TrainingState(start.copy())
    for _ in range(3):
        in_parts = cr.train(objective, start, state=state, **{**settings, "epochs": 2})
    for result in (resumed, in_parts):
        assert result.theta.tobytes() == whole.theta.tobytes()
        assert result.state.memory is not None
        assert whole.state.memory is not None
        assert result.state.memory.numbers == whole.state.memory.numbers
        assert result.state.memory["last"].tobytes() == whole.state.memory["last"].tobytes()
    assert [event.loss for event in resumed.history] == [event.loss for event in whole.history]
    with pytest.raises(cr.CheckpointError, match=r"optimizer.damping 1.0, now 2.0"):
        cr.train(objective, start, **{**settings, "optimizer": kind(2.0)}, checkpoint=checkpoint)


def test_it_is_stopped_early_and_by_the_clock() -> None:
    objective, start = iris()
    stopping = Stopping("validation_loss", 1e9, patience=1, keep_best=True)
    result = cr.train(objective, start, optimizer=Newton(), validation=objective, stopping=stopping)
    assert (result.reason, len(result.history)) == ("no change", 3)
    assert cr.train(objective, start, optimizer=Newton(), time_limit=0.0).reason == "time"
    result = cr.train(objective, start, optimizer=Newton(), callbacks=[lambda event: event.epoch == 2])
    assert (result.reason, len(result.history)) == ("callback", 2)


def test_mini_batches_of_one_that_asks_more_than_a_gradient_are_averaged() -> None:
    objective, start = iris()
    settings: dict[str, Any] = {"optimizer": NewtonOnBatches(), "epochs": 3, "batch_size": 50}
    seen: list[Any] = []
    average = start.copy()
    cr.train(objective, start, **settings, callbacks=[lambda event: seen.append(event.theta.copy())])
    result = cr.train(objective, start, **settings, averaging=cr.Averaging(0.0))
    assert relative_error(result.theta, np.mean(seen, axis=0)) <= 1e-12
    result = cr.train(objective, start, **{**settings, "batch_size": None}, averaging=cr.MovingAverage(0.5))
    cr.train(
        objective,
        start,
        **{**settings, "batch_size": None},
        callbacks=[lambda event: average.__iadd__(max(0.5, 1 / event.step) * (event.theta - average)) is None],
    )
    assert relative_error(result.theta, average) <= 1e-12


def test_estimators_ask_what_it_declares() -> None:
    X, y = iris()[0].X, IRIS[1]
    assert not hasattr(MLPClassifier(solver=Newton()), "partial_fit")
    assert hasattr(MLPClassifier(solver=NewtonOnBatches()), "partial_fit")
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")
    with pytest.warns(ConvergenceWarning, match=r"^Newton: Maximum iterations \(6\) reached"):
        model = MLPClassifier((), solver=Newton(), max_iter=6, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "blocks": (
        {"optimizer": Newton(), "blocks": (Dropout(0.1),)},
        r"Dropout\(rate=0.1\) needs an optimiser that takes batches; Newton takes all rows in every step",
    ),
    "blocks of batches": (
        {"optimizer": NewtonOnBatches(), "blocks": (Dropout(0.1),)},
        r"Dropout\(rate=0.1\) needs an optimiser that asks for the gradient only; NewtonOnBatches needs hessian",
    ),
    "average": (
        {"optimizer": Newton(), "averaging": cr.Averaging()},
        "averaging needs an optimiser that takes batches; Newton takes all rows in every step",
    ),
    "recipe": (
        {"optimizer": NewtonOnBatches(), "recipe": Recipe(max_norm=1.0)},
        "max_norm needs an update rule such as Adam, which works entry by entry; NewtonOnBatches does not",
    ),
    "proximal": (
        {"optimizer": Newton(), "penalties": [L1(0.1, proximal=True)]},
        "a proximal penalty needs an update rule such as Adam, which works entry by entry; Newton does not",
    ),
    "class": ({"optimizer": Adam}, "optimizer must be an optimiser such as optimizers.Adam"),
    "name": ({"optimizer": "adam"}, "optimizer must be an optimiser such as optimizers.Adam"),
    "memory": (
        {"optimizer": Newton(), "state": TrainingState(iris()[1], Memory(3, {"delta": iris()[1]}))},
        "state.memory is another rule's: it holds delta, Newton keeps damping, last; give memory=None",
    ),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_it_cannot_do_is_refused_by_what_it_declares(name: str) -> None:
    given, words = REFUSED[name]
    given = dict(given)
    objective, start = iris(given.pop("blocks", (Dense(3), Activation("tanh"))))
    o = objective
    objective = Objective(o.network, o.loss, o.X, o.y, penalties=given.pop("penalties", ()))
    with pytest.raises(ValueError, match=words):
        cr.train(objective, start, epochs=1, **given)


def test_an_engine_is_chosen_by_the_verbs_that_a_job_needs() -> None:
    objective, start = iris((Dense(3), LayerNorm(), Activation("tanh")))
    assert choose("auto", Job(objective, None, Newton()))[0] == "reference"
    assert choose("reference", Job(objective, None, LBFGS())) == ("reference", None)
    if best() == "native":
        assert choose("auto", Job(objective, None, LBFGS()))[0] == "native"
        assert choose("auto", Job(iris()[0], None, Newton()))[0] == "native"
        words = "Newton needs hessian_product, and the core has no second derivatives of a normalisation"
        assert (choose("auto", Job(objective, None, Newton()))[1] or "").startswith(words)
        with pytest.raises(ValueError, match="the native engine cannot run this: Newton needs hessian_product"):
            cr.train(objective, start, optimizer=Newton(), engine="native")
        words = "Newton on batches asks batches of rows, which the core takes in an update rule only"
        asking = type("Newton on batches", (NewtonOnBatches,), {"needs": frozenset({"gradient"})})()
        assert choose("auto", Job(objective, None, asking)) == ("reference", words)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_row_declares_its_needs(name: str) -> None:
    kind = OPTIMIZERS[name]
    assert {*kind.needs} <= {*VERBS}
    assert isinstance(kind(), Optimizer)
    assert kind.scheduled <= (kind().learning_rate is not None)


def test_a_memory_after_a_step_has_what_is_new_and_what_stays() -> None:
    memory = Memory(3, {"delta": np.zeros(2), "mean": np.ones(2)}, {"damping": 0.5})
    after = memory.after(delta=np.full(2, 7.0))
    assert (after.t, after.numbers, after["delta"].tolist(), after["mean"].tolist()) == (
        4,
        {"damping": 0.5},
        [7, 7],
        [1, 1],
    )
    assert (memory.t, memory["delta"].tolist()) == (3, [0, 0])
    memory.become(after)
    assert (memory.t, memory.arrays, memory.numbers) == (4, after.arrays, {"damping": 0.5})


def test_an_optimiser_declares_the_least_unless_it_says_more() -> None:
    class Still(Optimizer):
        """The defaults."""

    still = Still()  # type: ignore[abstract]  # it takes no step
    assert (still.needs, still.elementwise, still.whole_batch, still.scheduled) == ({"gradient"}, False, False, False)
    assert still.learning_rate is None


class Faulty(Optimizer):
    """An optimiser whose author has made a mistake: `wrong` makes the answer of a sound step the one it returns."""

    def __init__(self, wrong: Any = lambda *answer: answer, memory: Any = None) -> None:
        self.wrong, self.memory = wrong, Memory() if memory is None else memory

    def init(self, network: Any, theta: Any) -> Any:
        return self.memory

    def step(self, ask: Any, theta: Any, memory: Memory, rate: float) -> Any:
        loss, g = ask.value_and_gradient(theta)
        return self.wrong(theta - 0.01 * g, memory.after(), StepReport(loss, float(np.linalg.norm(g))))


MISTAKES: dict[str, tuple[Faulty, str]] = {
    "no memory": (Faulty(memory={"v": 0.0}), "Faulty.init must return a Memory, got {'v': 0.0}"),
    "nothing": (Faulty(lambda *answer: None), "Faulty.step must return a tuple (theta, memory, report), got None"),
    "two things": (
        Faulty(lambda *answer: (0, 1)),
        "Faulty.step must return a tuple (theta, memory, report), got (0, 1)",
    ),
    "another shape": (
        Faulty(lambda theta, *rest: (theta[1:], *rest)),
        "Faulty.step must return θ of the shape (27,), got (26,)",
    ),
    "a dict for the memory": (
        Faulty(lambda theta, memory, report: (theta, {}, report)),
        "Faulty.step must return its memory as a Memory, got {}",
    ),
    "a loss for the report": (
        Faulty(lambda theta, memory, report: (theta, memory, 0.5)),
        "Faulty.step must return its report as a StepReport, got 0.5",
    ),
    "NaN": (
        Faulty(lambda theta, *rest: (theta * np.nan, *rest)),
        "training diverged at step 0 (epoch 1): Faulty.step returned NaN or infinity in θ for a finite loss",
    ),
}


@pytest.mark.parametrize("batch_size", [None, 50])
@pytest.mark.parametrize("name", list(MISTAKES))
def test_the_author_of_an_optimiser_is_told_the_mistake(name: str, batch_size: Any) -> None:
    objective, start = iris()
    optimizer, words = MISTAKES[name]
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are compared whole
        cr.train(objective, start, optimizer=optimizer, epochs=2, batch_size=batch_size, engine="reference")
    assert str(caught.value) == words
    assert cr.train(objective, start, optimizer=Faulty(), epochs=2, batch_size=batch_size).state.epoch == 2


def test_an_update_rules_step_is_its_update_at_the_gradient() -> None:
    objective, start = iris()
    rule, theta = SGD(), start
    memory = rule.init(objective.network, theta)
    value, gradient = objective.value_and_gradient(theta)
    moved, after, report = rule.step(objective, theta, memory, 0.1)  # type: ignore[arg-type]  # it asks nothing else
    np.testing.assert_array_equal(moved, theta - 0.1 * gradient)
    assert (memory.t, after.t, report.loss, report.message) == (0, 1, float(value), "")
    assert report.gradient_norm == np.linalg.norm(gradient)
