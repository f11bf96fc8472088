"""How both estimators are fitted: validating data, running the training loop, keeping what it found.

A subclass knows its target: `_read_target`, `_encode_target`, `_weigh`, `_strata`, `_default_score`.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping
from copy import copy, deepcopy
from functools import cache, partial
from threading import Event
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import _check_sample_weight

from ... import engines
from ...inspection.doctor import TrainingAdvice, advise
from ...loop import checkpoint
from ...loop.checkpoint import EarlierStarts
from ...loop.progress import DivergenceError, Progress, Result, TrainingState
from ...loop.range_test import RangeTest, range_test
from ...loop.restarts import best_of, best_side_by_side, short
from ...loop.training import training
from ...mathematics.objective import Objective
from ...mathematics.starts import STARTS, measure
from ...optimizers import OPTIMIZERS, Optimizer
from ...steps.recipe import Recipe
from ..fitted.model import Fitted
from ..settings import network as assembly
from ..settings import table as settings
from .callbacks import CallbackSupport, Tasks, callers_level, with_callbacks

LARGE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)

ORDERS: Mapping[Any, Literal["reshuffle", "once", "given"]] = {True: "reshuffle", False: "given", "once": "once"}


class Rows(NamedTuple):
    """Validated rows: X (n, i), the user's y, weight (n,) or None."""

    X: Any
    y: NDArray[Any]
    weight: NDArray[Any] | None


class Job(NamedTuple):
    """What the starts of one fit share; `measured` is what the transform of the inputs has found."""

    objective: Objective
    held: Rows | None
    rule: Any
    tasks: Tasks
    batch_size: int
    measured: Mapping[str, NDArray[Any]]
    fresh: bool
    incremental: bool


def first_order(estimator: Any) -> bool:
    """Return True: partial_fit exists for solvers that take steps; the attribute is absent otherwise."""
    given = estimator.solver
    solver = OPTIMIZERS.get(given) if isinstance(given, str) else given
    if not (isinstance(solver, Optimizer) and solver.whole_batch):
        return True
    raise AttributeError(f"partial_fit is only available for first-order solvers, not for {estimator.solver!r}")


class MLP(CallbackSupport, Fitted):  # type: ignore[misc]  # scikit-learn ships no types
    """The common part of MLPClassifier and MLPRegressor."""

    _seed: int
    _outputs: int
    _made: Mapping[str, Any]

    def _keep(self, given: Mapping[str, Any]) -> None:
        for name, value in given.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    @abstractmethod
    def _read_target(self, y: NDArray[Any], weight: NDArray[Any] | None, fresh: bool, incremental: bool) -> None:
        """Learn from y what it says about outputs, classes, scale and loss."""

    @abstractmethod
    def _output_activation(self) -> str:
        """Return scikit-learn's name for the link of the loss."""

    @abstractmethod
    def _encode_target(self, y: NDArray[Any], dtype: Any) -> NDArray[Any]:
        """Return y as the loss takes it."""

    @abstractmethod
    def _weigh(self, y: NDArray[Any], weight: NDArray[Any] | None, dtype: Any) -> NDArray[Any] | None:
        """Return the weight of each row, class weights included."""

    @abstractmethod
    def _strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """Return what a validation split keeps in proportion."""

    @abstractmethod
    def _default_score(self, scores: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None) -> float:
        """Return accuracy or R²."""

    @classmethod
    @cache
    def _get_param_names(cls) -> Any:
        """Return the names of the parameters; scikit-learn reads them off the signature in every call."""
        return super()._get_param_names()

    @with_callbacks  # type: ignore[untyped-decorator]  # scikit-learn ships no types
    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Self:
        """Fit to X (n, i) and y, with a weight per row if given.

        With X_val and y_val the validation figures come from them, and early stopping uses them in place of a
        share of X; so does a `monitor` that is named, and the best epoch's weights are then kept. A DataFrame with
        text or missing values is encoded (see `preprocessing`). Raises ValueError for settings or data that cannot
        work, naming them.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, incremental=False)

    def _fit(self, X: Any, y: Any, weight: Any, X_val: Any, y_val: Any, incremental: bool) -> Self:
        values = self.get_params(deep=False)
        settings.check(values, type(self).__name__)
        for name in ("early_stopping", "averaging", "checkpoint") if incremental else ():
            if getattr(self, name):
                raise ValueError(f"partial_fit does not support {name}={getattr(self, name)!r}; fit does")
        fresh = not (hasattr(self, "theta_") and (self.warm_start or incremental))
        if not fresh:
            self.network_, self._made = assembly.continued(values, self._made, self.network_), assembly.made_of(values)
        kept = None if self.checkpoint is None else checkpoint.read(self.checkpoint)
        train, held = self._held_out(self._learn(X, y, weight, fresh, incremental, kept), X_val, y_val)
        job = self._job(train, held, (X, y, weight), fresh, incremental)
        best = self._best(job, kept)
        self._adopt(best, fresh)
        if best.reason == "diverged" and not self._keeps_best:
            raise ValueError(f"{LARGE} {best.message}")
        job.tasks.finish()
        if best.reason not in ("diverged", "interrupted") and not incremental:
            for advice in advise(job.objective, self.theta_, best.history, job.rule, self._recipe(values)):
                warnings.warn(str(advice), TrainingAdvice, stacklevel=callers_level())
        self._warn(best, job.rule, incremental)
        return self

    def _job(self, train: Rows, held: Rows | None, given: tuple[Any, Any, Any], fresh: bool, incremental: bool) -> Job:
        """Return what the starts of a fit share; another kind of update rule starts with a memory of its own."""
        values = self.get_params(deep=False)
        rule = assembly.optimizer(values)
        if held is None and not incremental and assembly.monitor(values) != "loss":
            raise ValueError(f"monitor={self.monitor!r} needs early_stopping=True, or X_val and y_val in fit")
        if not fresh and getattr(self, "_kind_of_rule", None) is not type(rule):
            self._state.memory = None
        self._kind_of_rule = type(rule)
        objective = self._objective(train, assembly.penalties(values))
        tasks = Tasks(self, *given, self.n_restarts if fresh else 1, 0 if incremental else self.max_iter)
        measured = self._measured(objective.X) if fresh else {}
        return Job(objective, held, rule, tasks, self._batch_size(objective.rows), measured, fresh, incremental)

    def _best(self, job: Job, kept: checkpoint.SavedTraining | None) -> Result:
        """Run the starts of a job, side by side or one after the other, and return the best Result."""
        start, starts = partial(self._train, job), job.tasks.starts
        threads = 1 if starts < 2 else self._starts_at_a_time(job)
        if threads > 1:
            return best_side_by_side(start, starts, threads, self._keeps_best)
        return best_of(start, starts, kept, self._keeps_best)

    def _learn(
        self, X: Any, y: Any, weight: Any, fresh: bool, incremental: bool, kept: checkpoint.SavedTraining | None = None
    ) -> Rows:
        """Learn columns, classes, network and seed from data (where `fresh`), and return its rows, validated."""
        X, y = self._inputs(X, y, fresh)
        weight = None if weight is None else _check_sample_weight(weight, X, dtype=X.dtype, ensure_non_negative=True)
        self._read_target(y, weight, fresh, incremental)
        self.out_activation_ = self._output_activation()
        if fresh:
            values = self.get_params(deep=False)
            self.network_ = assembly.network(values, X.shape[1], self._outputs)
            self._made = assembly.made_of(values)
            self._seed = _seed(self.random_state) if kept is None else self._seed_of(kept)
        return Rows(X, y, self._weigh(y, weight, X.dtype))

    def range_test(self, X: Any, y: Any, sample_weight: Any = None, **test: Any) -> RangeTest:
        """Return the learning-rate range test of a new training on X (n, i) and y; this estimator does not change.

        `low`, `high` and `steps` are those of `chainrule.range_test`; `learning_rate_init` and what it depends on
        play no part. Raises ValueError as `fit` does, and for a solver without a learning rate.
        """
        values, trial = self.get_params(deep=False), copy(self)
        settings.check(values, type(self).__name__)
        rows = trial._learn(X, y, sample_weight, fresh=True, incremental=False)
        return range_test(
            trial._objective(rows, assembly.penalties(values)),
            trial._starting_state(rows.X, trial._measured(rows.X), fresh=True, incremental=False, restart=0).theta,
            optimizer=assembly.optimizer(values),
            batch_size=self._batch_size(rows.X.shape[0]),
            seed=trial._seed,
            recipe=trial._recipe(values),
            **{"engine": self.engine, "n_threads": self.n_threads, **test},
        )

    def _held_out(self, rows: Rows, X_val: Any, y_val: Any) -> tuple[Rows, Rows | None]:
        """Return the rows for training, and those for validation where there are any."""
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val belong together: give both or neither")
        if X_val is not None:
            probe = self._probe(np.zeros(self.network_.size, rows.X.dtype), bare=False)
            X_val, y_val = probe._validated(X_val), np.asarray(y_val)
            y_val = column_or_1d(y_val) if y_val.shape[1:] == (1,) else y_val
            if X_val.shape[0] != len(y_val):
                raise ValueError(f"X_val has {X_val.shape[0]} rows, y_val has {len(y_val)}")
            return rows, Rows(X_val, y_val, None)
        if not self.early_stopping:
            return rows, None
        share, count = self.validation_fraction, rows.X.shape[0]
        if not share:
            raise ValueError(f"validation_fraction must be above 0 with early_stopping=True, got {share!r}")
        try:
            split = train_test_split(
                *rows if rows.weight is not None else rows[:2],
                test_size=share,
                random_state=self._seed % 2**32,
                stratify=self._strata(rows.y),
            )
        except ValueError as error:
            raise ValueError(f"validation_fraction={share!r} of {count} rows cannot be split off: {error}") from error
        train, held = Rows(*(*split[0::2], None)[:3]), Rows(*(*split[1::2], None)[:3])
        if held.X.shape[0] < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        return train, held

    @property
    def _keeps_best(self) -> bool:
        return assembly.keeps_best(self.get_params(deep=False))

    def _starts_at_a_time(self, job: Job) -> int:
        """Return how many starts to run side by side: one per thread, where that is faster and calls no user's code."""
        own = (self.initializer, self.bias_initializer, self.learning_rate)
        watched = self.verbose or self.callbacks or job.tasks.readers or self.scoring is not None
        limited = self.checkpoint is not None or self.time_limit is not None
        if watched or limited or any(map(callable, own)) or short(job.objective):
            return 1
        recipe = self._recipe(self.get_params(deep=False))
        return engines.threads(self.n_threads) if engines.natively(self.engine, job.objective, job.rule, recipe) else 1

    def _train(self, job: Job, restart: int, earlier: EarlierStarts, anew: bool, stop: Event | None = None) -> Result:
        """Run the training loop once; the time limit counts the seconds of the starts before; see restarts.Start."""
        values, rule, held = self.get_params(deep=False), job.rule, job.held
        state = self._starting_state(job.objective.X, job.measured, job.fresh, job.incremental, restart)
        job.tasks.begin()
        events = training(
            job.objective,
            state.theta,
            optimizer=rule,
            schedule=assembly.schedule(values, rule),
            epochs=1 if job.incremental else self.max_iter,
            batch_size=job.batch_size,
            order=ORDERS[self.shuffle],
            seed=self._seed,
            engine=self.engine,
            n_threads=self.n_threads if stop is None else 1,
            on_steps=None if stop is None else lambda rates, losses: stop.is_set(),
            validation=None if held is None else self._objective(held, [], judge=True),
            score=None if held is None else self._scorer(held),
            stopping=None if job.incremental else assembly.stopping(values, rule),
            averaging=assembly.averaging(values),
            recipe=self._recipe(values),
            time_limit=None if self.time_limit is None else max(0.0, self.time_limit - earlier.seconds),
            callbacks=(*([_print_iteration] if self.verbose else []), *(self.callbacks or ()), *job.tasks.readers),
            state=state,
            checkpoint=assembly.checkpoint(values, earlier, anew),
        )
        result = self._drain(events, state)
        job.tasks.end()
        return result

    def _recipe(self, values: Mapping[str, Any]) -> Recipe:
        if self.encoder_ is not None and assembly.deforms(values):
            raise ValueError(
                f"the columns of an encoded table are no image: {self.encoder_.summary()}, and shift, rotate and the"
                ' like need every pixel as it is; give an array, with preprocessing="never"'
            )
        return assembly.recipe(values, self.network_.inputs)

    def _measured(self, X: Any) -> dict[str, NDArray[Any]]:
        """Return what the transform of the inputs measures: the weights, which come later, play no part."""
        return measure(self.network_, np.zeros(self.network_.size, X.dtype), X)

    def _starting_state(
        self, X: Any, measured: Mapping[str, NDArray[Any]], fresh: bool, incremental: bool, restart: int
    ) -> TrainingState:
        """Return a new state, or the last one: partial_fit keeps the optimiser's memory, a warm start does not."""
        if fresh:
            theta = self.network_.initialize(self._seed, X.dtype.name, restart)
            self.network_.settle(theta, measured)
            return TrainingState(STARTS[self.start](self.network_, theta, X), restart=restart)
        state = self._state
        if not state.theta.flags.writeable:  # mapped from a file, in a worker process
            state = self._state = deepcopy(state)
        if not incremental:
            counts = state.epoch, state.step, state.rows
            state = self._state = TrainingState(state.theta, None, *counts)
        return state

    def _objective(self, rows: Rows, penalties: list[Any], judge: bool = False) -> Objective:
        """Return the objective on some rows; one that judges sees targets as they are."""
        y = self._encode_target(rows.y, rows.X.dtype)
        loss = self.loss_function_.unsmoothed if judge else self.loss_function_
        return Objective(self.network_, loss, rows.X, y, rows.weight, penalties)

    def _batch_size(self, rows: int) -> int:
        if self.batch_size == "auto":
            return min(200, rows)
        if self.batch_size > rows:
            warnings.warn(
                f"Got `batch_size` {self.batch_size} larger than sample size {rows}. It is going to be clipped",
                stacklevel=callers_level(),
            )
        return int(min(self.batch_size, rows))

    def _scorer(self, held: Rows) -> Callable[[NDArray[Any]], float]:
        """Return θ -> the validation score, by `scoring` or the estimator's own measure."""
        if self.scoring is not None:
            scorer = check_scoring(self, scoring=self.scoring)
            return lambda theta: float(scorer(self._probe(theta), held.X, held.y))

        def score(theta: NDArray[Any]) -> float:
            scores = engines.predict(self.engine, self.network_, theta, held.X, n_threads=self.n_threads)
            if not np.isfinite(scores).all():
                return float("nan")
            return self._default_score(scores, held.y, held.weight)

        return score

    def _drain(self, events: Generator[Progress, None, Result], state: TrainingState) -> Result:
        """Read the events to the end. A divergence ends the fit, the last good (or best) weights kept."""
        stopped = False
        while True:
            try:
                events.throw(KeyboardInterrupt) if stopped else next(events)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # a generator's return value is untyped
            except KeyboardInterrupt:
                if stopped:
                    return Result(state.theta, "interrupted", [], state)
                stopped = True
            except DivergenceError as error:
                best = state.best_theta if self._keeps_best else None
                return Result(error.theta if best is None else best, "diverged", error.history, state, str(error))

    def _warn(self, result: Result, rule: Any, incremental: bool) -> None:
        level = callers_level()
        if result.reason == "interrupted":
            warnings.warn("Training interrupted by user.", stacklevel=level)
        elif result.reason == "diverged":
            warnings.warn(f"{result.message}; the best weights are kept", ConvergenceWarning, stacklevel=level)
        elif result.reason in ("epochs", "gave up") and not incremental:
            name = "Stochastic Optimizer" if rule.elementwise else type(rule).__name__
            why = result.message or f"Maximum iterations ({self.max_iter}) reached"
            warnings.warn(
                f"{name}: {why} and the optimization hasn't converged yet.", ConvergenceWarning, stacklevel=level
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _seed_of(self, kept: checkpoint.SavedTraining) -> int:
        """Return the seed of a training to go on with: its own, unless another is given."""
        return int(kept.facts.get("seed") or 0) if self.random_state is None else _seed(self.random_state)


def _seed(random_state: Any) -> int:
    """Return the seed: the number itself, or one drawn from the given or the global RandomState."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))


def _print_iteration(event: Progress) -> None:
    score = "" if event.validation_score is None else f", validation score = {event.validation_score:.6f}"
    print(f"Iteration {event.epoch}, loss = {event.loss:.8f}{score}")
