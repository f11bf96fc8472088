"""The race of optimisers: the same start for each, one budget of seconds, and how far each of them came.

What a training costs is counted in passes over the data, one pass being the work of a gradient: rows forward and back.
`PASSES` says what each verb of an engine counts; what comes of memory, as the gradient at the end of a line search that
the next step asks again, counts nothing.

Shapes: k moments of a course, P parameters, o outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engines import evaluator, steps_of
from ..foundation.arrays import Array
from ..foundation.values import Number
from ..mathematics.objective import Objective
from ..optimizers import Memory, Optimizer, StepReport
from ..steps.recipe import DEFAULT_RECIPE, Recipe
from .progress import DivergenceError, Progress, TrainingState
from .training import train

PASSES: Mapping[str, Callable[[int], float]] = MappingProxyType(
    {
        "forward": lambda o: 1 / 3,
        "value": lambda o: 1 / 3,
        "value_and_gradient": lambda o: 1.0,
        "pull": lambda o: 1.0,
        "gauss_newton_product": lambda o: 2.0,
        "hessian_product": lambda o: 2.0,
        "gauss_newton": lambda o: 1 + (1 + 2 * o) / 3,
        "jacobian": lambda o: (1 + 2 * o) / 3,
        "factors": lambda o: (1 + 2 * o) / 3,
        "squares": lambda o: 1.0,
    }
)
"""The passes over its rows that a verb counts, by the outputs o.

A backward pass is two thirds of a gradient. The Gauss-Newton matrix takes one for each output, after a gradient.
"""

MOST_EPOCHS = 10**9
"""More than any budget of seconds allows."""

LOOK, FIRST_LOOK = 0.1, 0.002
"""The loss of a method that takes batches is computed when its time has grown by a tenth and 0.2 % of the budget."""

NEAR = 0.01
"""The goal, where none is given, is what is left of the loss when 99 % of the way to the best one are done."""

SECONDS = Number(0, low_open=True, high_open=True)


OUT_OF_TIME = "out of time"


class _OutOfTimeError(Exception):
    """The time is up within a step."""


class Entrant(NamedTuple):
    """An optimiser in a race, and the rows of its steps; None takes all."""

    optimizer: Optimizer
    batch_size: int | None = None


@dataclass(frozen=True)
class Course:
    """The course of one optimiser.

    `loss` is J on all rows at the end, `score` that of the validation rows; both None where it did not come to an end.
    `seconds`, `passes` and `losses` (k,) are its moments, the start first, with J on all rows.
    `reason` is why it ended: "out of time", "converged", "gave up", "diverged" or, before it began, "refused";
    `message` says more.
    """

    name: str
    loss: float | None
    score: float | None
    epochs: int
    seconds: NDArray[np.float64]
    passes: NDArray[np.float64]
    losses: NDArray[np.float64]
    reason: str
    message: str = ""

    def seconds_to(self, goal: float) -> float | None:
        """Return the seconds after which the loss was at most `goal`; None where it never was."""
        reached = np.flatnonzero(self.losses <= goal)
        return float(self.seconds[reached[0]]) if len(reached) else None


@dataclass(frozen=True)
class Race:
    """A race that is over: its budget in seconds, the loss of the start, the goal, and the courses as given."""

    budget: float
    start: float
    goal: float
    courses: tuple[Course, ...]

    @property
    def winner(self) -> Course | None:
        """The course with the lowest loss at the end; None where nobody came to an end."""
        return min((c for c in self.courses if c.loss is not None), key=lambda c: c.loss or 0.0, default=None)

    @property
    def best_score(self) -> Course | None:
        """The course with the highest validation score; None without scores."""
        scored = [c for c in self.courses if c.score is not None and isfinite(c.score)]
        return max(scored, key=lambda c: c.score or 0.0, default=None)


def race(
    objective: Objective,
    theta: NDArray[np.floating],
    optimizers: Mapping[str, Optimizer | Entrant],
    *,
    seconds: float = 10.0,
    goal: float | None = None,
    score: Callable[[Array], float] | None = None,
    seed: int = 0,
    recipe: Recipe = DEFAULT_RECIPE,
    engine: str = "auto",
    n_threads: int | None = None,
    told: Callable[[str], Any] = lambda name: None,
) -> Race:
    """Train θ with each optimiser for so many seconds, one after the other, and return how far each came.

    Each begins at the same θ with the same batches, and follows its own learning rate, constant. One that cannot train
    this network is in the result as refused. A step that is not done when the time is up is given up.
    Ctrl-C ends the race.

    Args:
        objective: what is to be minimised.
        theta: the starting point (P,), which is not changed.
        optimizers: by name; an Entrant has a batch size of its own, others take all rows in a step.
        seconds: the budget of each.
        goal: the loss whose time is told; None takes 1 % of the start's above the best.
        score: θ -> a number, higher is better.
        seed, recipe, engine, n_threads: as for `training`; a recipe is for those that work entry by entry.
        told: called with each name before its turn.

    Raises:
        ValueError: an argument that is out of range, naming it.

    >>> import chainrule as cr
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> network = cr.Network(1, [cr.Dense(5), cr.Activation("tanh"), cr.Dense(1)])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), X, np.sin(3 * X[:, 0]))
    >>> solvers = {"sgd": cr.optimizers.SGD(0.1), "lm": cr.optimizers.LevenbergMarquardt()}
    >>> found = race(objective, network.initialize(0), solvers, seconds=0.2)
    >>> found.winner.name
    'lm'
    """
    if not SECONDS.accepts(seconds):
        raise ValueError(f"seconds must be {SECONDS.words}, got {seconds!r}")
    if not optimizers:
        raise ValueError("optimizers must name at least one")
    value = evaluator(engine, objective, n_threads, theta.dtype)
    courses = list[Course]()
    for name, given in optimizers.items():
        told(name)
        entrant = given if isinstance(given, Entrant) else Entrant(given)
        own = recipe if entrant.optimizer.elementwise else DEFAULT_RECIPE
        watch = _Watch(objective, entrant, value, float(seconds))
        courses.append(_run(watch, name, theta, score, seed=seed, recipe=own, engine=engine, n_threads=n_threads))
        if courses[-1].reason == "interrupted":
            break
    begin = float(value(theta))
    best = min((course.loss for course in courses if course.loss is not None), default=begin)
    return Race(float(seconds), begin, best + NEAR * (begin - best) if goal is None else float(goal), tuple(courses))


def _run(
    watch: _Watch, name: str, theta: NDArray[np.floating], score: Callable[[Array], float] | None, **settings: Any
) -> Course:
    """Train with one optimiser and return its course."""
    watch.begin_at(theta)
    settings |= {"optimizer": watch.optimizer, "batch_size": watch.entrant.batch_size, "epochs": MOST_EPOCHS}
    try:
        with np.errstate(all="ignore"):
            result = train(
                watch.objective, theta, state=watch.state, callbacks=[watch], on_steps=watch.after_steps, **settings
            )
        end, reason, message = result.theta, result.reason.replace("callback", OUT_OF_TIME), result.message
    except _OutOfTimeError:
        end, reason, message = watch.state.theta, OUT_OF_TIME, ""
    except DivergenceError as error:
        return watch.course(name, None, None, "diverged", str(error))
    except (ValueError, MemoryError) as error:
        words = " ".join(str(error).split()) or "not enough memory"
        return watch.course(name, None, None, "refused" if len(watch.moments) == 1 else "gave up", words)
    loss = watch.end(end)
    return watch.course(name, loss, None if score is None else float(score(end)), reason, message)


class _Moment(NamedTuple):
    """The seconds and passes so far, and the loss."""

    seconds: float
    passes: float
    loss: float


@dataclass
class _Watch:
    """Follows one training: its moments, its clock, and the passes that its optimiser asks for.

    Methods that take all rows tell J in their events. That of others is computed now and then, while the clock stands.
    """

    objective: Objective
    entrant: Entrant
    value: Callable[[NDArray[np.floating]], float]
    budget: float
    state: TrainingState = field(default_factory=lambda: TrainingState(np.zeros(0)))
    counter: _Counter | None = None
    moments: list[_Moment] = field(default_factory=list)
    epochs: int = 0
    began: float = 0.0

    def begin_at(self, theta: NDArray[np.floating]) -> None:
        """Begin at θ: the clock runs from here."""
        self.state = TrainingState(np.array(theta))
        rows, optimizer = self.objective.rows, self.entrant.optimizer
        if not optimizer.elementwise:
            size = rows if optimizer.whole_batch else min(self.entrant.batch_size or rows, rows)
            self.counter = _Counter(1 / steps_of(rows, size), self.objective.network.outputs, self.out_of_time)
        self.moments.append(_Moment(0.0, 0.0, self.value(theta)))
        self.began = perf_counter()

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser, counted where it asks for more than one gradient a step."""
        inner = self.entrant.optimizer
        return inner if self.counter is None else Counted(inner, self.counter)

    def out_of_time(self) -> bool:
        """Return True where the budget is spent."""
        return perf_counter() - self.began >= self.budget

    def after_steps(self, rates: Sequence[float], losses: Sequence[float]) -> bool:
        """Return True, which stops the training, where the budget is spent."""
        return self.out_of_time()

    def __call__(self, event: Progress) -> None:
        """Note a moment."""
        self.epochs += 1
        if self.entrant.optimizer.whole_batch:
            self._note(event.loss)
        elif perf_counter() - self.began >= (1 + LOOK) * self.moments[-1].seconds + FIRST_LOOK * self.budget:
            self._look(event.theta)

    def end(self, theta: NDArray[np.floating]) -> float:
        """Note the end, and return its loss."""
        self._look(theta)
        return self.moments[-1].loss

    def _look(self, theta: NDArray[np.floating]) -> None:
        """Note a moment with J at θ; the clock stands meanwhile."""
        stopped = perf_counter()
        loss = float(self.value(theta))
        self.began += perf_counter() - stopped
        self._note(loss)

    def _note(self, loss: float) -> None:
        passes = self.state.rows / self.objective.rows if self.counter is None else self.counter.passes
        self.moments.append(_Moment(perf_counter() - self.began, passes, loss))

    def course(self, name: str, loss: float | None, score: float | None, reason: str, message: str) -> Course:
        """Return the course."""
        seconds, passes, losses = np.array(self.moments, np.float64).T
        return Course(name, loss, score, self.epochs, seconds, passes, losses, reason, message)


@dataclass
class _Counter:
    """The passes so far; `share` of the rows are in a step, and scores have `outputs`."""

    share: float
    outputs: int
    out_of_time: Callable[[], bool]
    passes: float = 0.0
    last: Array | None = None

    def note(self, verb: str, theta: Array, part: float) -> None:
        """Count a verb at θ on a part of the rows of a step; _OutOfTimeError when time is up.

        The gradient at the θ of the last one comes of memory where steps take all rows.
        """
        if self.out_of_time():
            raise _OutOfTimeError
        if verb == "value_and_gradient" and part == 1:
            if self.share == 1 and self.last is not None and np.array_equal(theta, self.last):
                return
            self.last = np.array(theta)
        self.passes += part * self.share * PASSES[verb](self.outputs)


class Counted(Optimizer):
    """An optimiser whose verbs are counted; it declares what the one inside declares."""

    def __init__(self, inner: Optimizer, counter: _Counter) -> None:
        self.inner, self.counter = inner, counter
        declared = ("needs", "elementwise", "whole_batch", "scheduled")
        vars(self).update({name: getattr(inner, name) for name in declared})

    @property
    def learning_rate(self) -> float | None:
        """That of the one inside."""
        return self.inner.learning_rate

    def init(self, network: Any, theta: Array) -> Memory:
        """Return the memory of the one inside."""
        return self.inner.init(network, theta)

    def step(self, ask: Any, theta: Array, memory: Memory, rate: float) -> tuple[Array, Memory, StepReport]:
        """Return the step of the one inside."""
        verbs: Any = _CountedVerbs(ask, self.counter)
        return self.inner.step(verbs, theta, memory, rate)


class _CountedVerbs:
    """The verbs of an engine on a share of the rows of a step, each counted."""

    def __init__(self, verbs: Any, counter: _Counter, share: float = 1.0) -> None:
        self.verbs, self.counter, self.share = verbs, counter, share
        for verb in PASSES:
            setattr(self, verb, self._counted(verb, getattr(verbs, verb)))

    def _counted(self, verb: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(theta: Array, *given: Any) -> Any:
            self.counter.note(verb, theta, self.share)
            return call(theta, *given)

        return counted

    def part(self, share: float, draw: int) -> _CountedVerbs:
        """Return the verbs on a share of these rows, counted."""
        return _CountedVerbs(self.verbs.part(share, draw), self.counter, self.share * share)
