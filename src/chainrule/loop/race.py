"""The race of optimisers: the same start for each, one budget of seconds, and how far each of them came.

What a training costs is counted in passes over the data, one pass being the work of a gradient: rows forward and back.
`PASSES` says what each verb of an engine counts; what comes of memory, as the gradient at the end of a line search that
the next step asks again, counts nothing.

Shapes: k moments of a course, P parameters, o outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
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
    }
)
"""The passes over its rows that a verb counts, by the outputs o.

A backward pass is two thirds of a gradient. The Gauss-Newton matrix takes one for each output, after a gradient.
"""

MOST_EPOCHS = 10**9
"""More than any budget of seconds allows."""

NEAR = 0.01
"""The goal, where none is given, is what is left of the loss when 99 % of the way to the best one are done."""

SECONDS = Number(0, low_open=True, high_open=True)


class Entrant(NamedTuple):
    """An optimiser in a race, and the rows of its steps; None takes all."""

    optimizer: Optimizer
    batch_size: int | None = None


@dataclass(frozen=True)
class Course:
    """The course of one optimiser.

    `loss` is J on all rows at the end, `score` that of the validation rows; both None where it did not come to an end.
    `seconds`, `passes` and `losses` (k,) are its moments, the start first: an epoch each, with the loss of its event.
    `reason` is why it ended, in words; `refused` says that it did not even begin.
    """

    name: str
    loss: float | None
    score: float | None
    epochs: int
    seconds: NDArray[np.float64]
    passes: NDArray[np.float64]
    losses: NDArray[np.float64]
    reason: str
    refused: bool = False

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
    this network is in the result as refused; a step that has begun is ended, however long that takes.

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
    begin, courses = float(value(theta)), list[Course]()
    settings = {"seed": seed, "time_limit": seconds, "engine": engine, "n_threads": n_threads}
    for name, given in optimizers.items():
        told(name)
        entrant = given if isinstance(given, Entrant) else Entrant(given)
        own = {**settings, "recipe": recipe if entrant.optimizer.elementwise else DEFAULT_RECIPE}
        courses.append(_run(_Watch(objective, entrant, begin), name, theta, value, score, own))
    ends = [course.loss for course in courses if course.loss is not None]
    told_goal = min(ends, default=begin) + NEAR * (begin - min(ends, default=begin)) if goal is None else float(goal)
    return Race(float(seconds), begin, told_goal, tuple(courses))


def _run(
    watch: _Watch,
    name: str,
    theta: NDArray[np.floating],
    value: Callable[[NDArray[np.floating]], float],
    score: Callable[[Array], float] | None,
    settings: dict[str, Any],
) -> Course:
    """Train with one optimiser and return its course."""
    watch.state = TrainingState(np.array(theta))
    settings |= {"optimizer": watch.optimizer, "batch_size": watch.entrant.batch_size, "epochs": MOST_EPOCHS}
    try:
        result = train(watch.objective, theta, state=watch.state, callbacks=[watch], **settings)
    except DivergenceError as error:
        return watch.course(name, None, None, str(error))
    except (ValueError, MemoryError) as error:
        words = " ".join(str(error).split()) or "not enough memory"
        return watch.course(name, None, None, words, refused=len(watch.moments) == 1)
    words = result.message or {"time": "out of time"}.get(result.reason, result.reason)
    loss = float(value(result.theta))
    return watch.course(name, loss, None if score is None else float(score(result.theta)), words)


class _Moment(NamedTuple):
    """The seconds and passes so far, and the loss."""

    seconds: float
    passes: float
    loss: float


@dataclass
class _Watch:
    """Follows one training: its moments, and the passes that its optimiser asks for."""

    objective: Objective
    entrant: Entrant
    begin: float
    state: TrainingState | None = None
    counter: _Counter | None = None
    moments: list[_Moment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.moments.append(_Moment(0.0, 0.0, self.begin))
        rows, optimizer = self.objective.rows, self.entrant.optimizer
        if not optimizer.elementwise:
            size = rows if optimizer.whole_batch else min(self.entrant.batch_size or rows, rows)
            self.counter = _Counter(1 / steps_of(rows, size), self.objective.network.outputs)

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser, counted where it asks for more than one gradient a step."""
        inner = self.entrant.optimizer
        return inner if self.counter is None else Counted(inner, self.counter)

    def __call__(self, event: Progress) -> None:
        """Note a moment."""
        assert self.state is not None
        passes = self.state.rows / self.objective.rows if self.counter is None else self.counter.passes
        self.moments.append(_Moment(event.seconds, passes, event.loss))

    def course(self, name: str, loss: float | None, score: float | None, reason: str, refused: bool = False) -> Course:
        """Return the course."""
        seconds, passes, losses = np.array(self.moments, np.float64).T
        return Course(name, loss, score, len(self.moments) - 1, seconds, passes, losses, reason, refused)


@dataclass
class _Counter:
    """The passes so far; `share` of the rows are in a step, and scores have `outputs`."""

    share: float
    outputs: int
    passes: float = 0.0
    last: Array | None = None

    def note(self, verb: str, theta: Array) -> None:
        """Count a verb at θ; the gradient at the θ of the last one comes of memory where steps take all rows."""
        if verb == "value_and_gradient":
            if self.share == 1 and self.last is not None and np.array_equal(theta, self.last):
                return
            self.last = np.array(theta)
        self.passes += self.share * PASSES[verb](self.outputs)


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
        return self.inner.step(_CountedVerbs(ask, self.counter), theta, memory, rate)


class _CountedVerbs:
    """The verbs of an engine, each counted."""

    def __init__(self, verbs: Any, counter: _Counter) -> None:
        for verb in PASSES:
            setattr(self, verb, self._counted(verb, getattr(verbs, verb), counter))

    @staticmethod
    def _counted(verb: str, call: Callable[..., Any], counter: _Counter) -> Callable[..., Any]:
        def counted(theta: Array, *given: Any) -> Any:
            counter.note(verb, theta)
            return call(theta, *given)

        return counted
