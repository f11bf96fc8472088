"""Fitting, for both estimators: data validated, the training loop run, its result taken over.

A fit is made ready (`prepare`), then run. A subclass knows its target: `_read_target`, `_weigh`.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight

from ...foundation.callers import callers_level
from ...loop import checkpoint
from ...loop.progress import TrainingState
from ...loop.race import Entrant, Race
from ...loop.race import race as run_race
from ...loop.range_test import RangeTest, range_test
from ...mathematics.objective import Objective
from ...optimizers import OPTIMIZERS
from ...steps.recipe import Recipe
from ..fitted.inputs import read_rows, read_training_rows
from ..fitted.model import Fitted
from ..settings import loss as loss_settings
from ..settings import network as network_settings
from ..settings import optimizer, running, step, table
from .callbacks import CallbackSupport, Tasks, with_callbacks
from .endings import LARGE, advice, warn
from .held_out import Rows, given, held_out, scorer
from .starting import Job, Way, first_weights, measured_by_transforms, run_job, uncertainty_of

NOT_IN_A_PASS: Mapping[str, str] = {
    "early_stopping": "fit does",
    "averaging": "fit does",
    "checkpoint": "fit does",
    "class_weight": (
        "a batch does not show how often each class comes: give the weights as a dict, such as"
        " dict(zip(classes, sklearn.utils.class_weight.compute_class_weight('balanced', classes=classes, y=y)))"
    ),
}
"""Settings that partial_fit refuses, and why; `class_weight` only where it is 'balanced'."""


class PreparedFit(NamedTuple):
    """A fit before its first step: validated rows, the data as given, and what the checkpoint holds, if there is one.

    The estimator knows its encoder, its classes or scale of targets, and its network by then.
    """

    rows: Rows
    given: tuple[Any, Any, Any]
    saved: checkpoint.SavedTraining | None
    way: Way


def takes_batches(estimator: Any) -> bool:
    """Return True: partial_fit exists for optimisers that take a batch at a time; the attribute is absent otherwise."""
    solver = estimator.solver
    chosen = OPTIMIZERS.get(solver) if isinstance(solver, str) else solver
    if chosen is None or not chosen.whole_batch:  # a name that is not known is for `fit` to refuse
        return True
    raise AttributeError(
        f"partial_fit is for solvers that take a batch at a time; {estimator.solver!r} asks the same rows again"
    )


class MLP(CallbackSupport, Fitted):  # type: ignore[misc]  # scikit-learn ships no types
    """The common part of MLPClassifier and MLPRegressor."""

    _last_rule: Any = None

    def _keep(self, given: Mapping[str, Any]) -> None:
        """Set the parameters that a signature lists, from the local names of `__init__`."""
        for name, value in given.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    @abstractmethod
    def _read_target(self, y: NDArray[Any], weight: NDArray[Any] | None, dtype: Any, way: Way, labels: Any) -> None:
        """Learn outputs, classes or scale, and loss from y; `labels` are the classes that were declared, or None."""

    def _weigh(self, rows: Rows, way: Way) -> NDArray[Any] | None:
        """Return the weight of each row (n,), that of its class included, or None."""
        return rows.weight

    @with_callbacks  # type: ignore[untyped-decorator]  # scikit-learn ships no types
    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Self:
        """Fit to X (n, i) and y, with a weight per row if given.

        With X_val and y_val the validation figures come from them, and early stopping uses them in place of a
        share of X; so does a `monitor` that is named, and the best epoch's weights are then kept. A DataFrame with
        text or missing values is encoded (see `preprocessing`). Raises ValueError for settings or data that cannot
        work, naming them.
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def prepare(self, X: Any, y: Any, sample_weight: Any = None) -> PreparedFit:
        """Return a fit to X (n, i) and y made ready: its encoder, its network and its checkpoint can be looked at.

        `fit_prepared` runs it, as `fit` does. Raises ValueError as `fit` does.
        """
        return self._prepared(X, y, sample_weight, incremental=False)

    def encoded(self, X: Any, prepared: PreparedFit | None = None) -> Any:
        """Return new rows X (n, i) as the network takes them, before or after the training; ValueError as `predict`."""
        if prepared is None:
            self._require_fit()
        return read_rows(self, X, self.theta_.dtype if prepared is None else prepared.rows.X.dtype)

    def fit_prepared(self, prepared: PreparedFit, X_val: Any = None, y_val: Any = None) -> Self:
        """Fit as `prepare` made ready; X_val and y_val are those of `fit`."""
        values, (fresh, incremental) = self.chosen_settings(), prepared.way
        job = self._job(values, prepared, *self._apart(values, prepared, X_val, y_val))
        del prepared  # rows that were split need not stay in memory beside their parts
        best = run_job(job)
        self._last_rule = job.rule
        self._take_over(best, fresh, job.keeps_best)
        self._uncertainty = uncertainty_of(job, best)
        if best.reason == "diverged" and not job.keeps_best:
            raise ValueError(f"{LARGE} {best.message}")
        job.tasks.finish()
        if not incremental:
            advice(job.objective, best, job.rule, job.recipe)
        if not incremental or best.reason in ("interrupted", "diverged"):
            warn(best, job.rule, values["max_iter"])
        return self

    def _fit(
        self, X: Any, y: Any, weight: Any, X_val: Any = None, y_val: Any = None, incremental: bool = False, **told: Any
    ) -> Self:
        """Make a fit ready and run it; `told` are the labels that partial_fit declares."""
        return self.fit_prepared(self._prepared(X, y, weight, incremental, **told), X_val, y_val)

    def _prepared(self, X: Any, y: Any, weight: Any, incremental: bool, labels: Any = None) -> PreparedFit:
        values = self.chosen_settings()
        table.check(values, type(self).__name__)
        if incremental:
            _check_pass(values)
        way = Way(not (hasattr(self, "theta_") and (self.warm_start or incremental)), incremental)
        if not way.fresh:
            check_same_reading(self)
            network = network_settings.continued(values, self._made, self.network_)
        saved = None if self.checkpoint is None else checkpoint.read(self.checkpoint)
        rows = self._learn(values, (X, y, weight), way, labels)
        if way.fresh:
            self._seed = _seed(self.random_state) if saved is None else _seed_of(saved, self.random_state)
            if not incremental:  # a network that is too large for the solver is refused here, before anything is done
                self._rule(values).init(self.network_, np.zeros(self.network_.size, rows.X.dtype))
        else:
            self.network_, self._made = network, network_settings.made_of(values)
        return PreparedFit(rows, (X, y, weight), saved, way)

    def _learn(self, values: Mapping[str, Any], data: tuple[Any, Any, Any], way: Way, labels: Any = None) -> Rows:
        """Learn columns, classes and network from data (where it is fresh), and return its rows, validated."""
        X, y = read_training_rows(self, *data[:2], way.fresh)
        weight = data[2]
        if weight is not None:
            weight = _check_sample_weight(weight, X, dtype=X.dtype, ensure_non_negative=True)
        self._read_target(y, weight, X.dtype, way, labels)
        if way.fresh:
            self.network_ = network_settings.network(values, X.shape[1], self._target.outputs)
            self._made = network_settings.made_of(values)
        weight = self._weigh(Rows(X, y, weight), way)
        if weight is not None and not way.incremental and not (weight > 0).any():
            raise ValueError("sample_weight and class_weight leave no row a weight above 0: there is nothing to learn")
        return Rows(X, y, weight)

    def _job(self, values: Mapping[str, Any], prepared: PreparedFit, train: Rows, held: Rows | None) -> Job:
        """Return the common ground of the starts of a fit."""
        fresh, incremental = way = prepared.way
        rule = self._rule(values)
        if held is None and not incremental and running.monitor(values) != "loss":
            raise ValueError(f"monitor={self.monitor!r} needs early_stopping=True, or X_val and y_val in fit")
        objective = self.objective_on(train, loss_settings.penalties(values))
        return Job(
            model=self,
            settings=values,
            way=way,
            seed=self._seed,
            objective=objective,
            held=held,
            judge=None if held is None else self.objective_on(held, [], judge=True),
            rule=rule,
            recipe=_recipe(self, values),
            batch_size=_batch_size(self.batch_size, objective.rows),
            tasks=Tasks(self, *prepared.given, self.n_restarts if fresh else 1, 0 if incremental else self.max_iter),
            saved=prepared.saved,
            last=None if fresh else self._state_for(rule),
            measured=measured_by_transforms(self.network_, objective.X) if fresh else {},
        )

    def _rule(self, values: Mapping[str, Any]) -> Any:
        """Return the optimiser that the settings name, as it suits the loss."""
        return optimizer.optimizer(values).suited(self.loss_function_)

    def _state_for(self, rule: Any) -> TrainingState:
        """Return the state to go on from, without a memory where that is of another kind of rule."""
        same = type(self._last_rule) is type(rule)
        return self._state if same else replace(self._state, memory=None)

    def _apart(
        self, values: Mapping[str, Any], prepared: PreparedFit, X_val: Any, y_val: Any
    ) -> tuple[Rows, Rows | None]:
        """Return the rows for training, and those for validation where there are any."""
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val belong together: give both or neither")
        if X_val is not None:
            regression = self.__sklearn_tags__().estimator_type == "regressor"
            return prepared.rows, given(self.encoded(X_val, prepared), y_val, regression)
        if not values["early_stopping"]:
            return prepared.rows, None
        return held_out(prepared.rows, values["validation_fraction"], self._seed % 2**32, self._target)

    def range_test(self, X: Any, y: Any, sample_weight: Any = None, **test: Any) -> RangeTest:
        """Return the learning-rate range test of a new training on X (n, i) and y; this estimator does not change.

        `low`, `high` and `steps` are those of `chainrule.range_test`; `learning_rate_init` and what it depends on
        play no part. Raises ValueError as `fit` does, and for a solver without a learning rate.
        """
        trial, values = copy(self), self.chosen_settings()
        table.check(values, type(self).__name__)
        way = Way(fresh=True, incremental=False)
        rows = trial._learn(values, (X, y, sample_weight), way)
        trial._seed = _seed(self.random_state)
        return trial.range_test_prepared(PreparedFit(rows, (X, y, sample_weight), None, way), **test)

    def range_test_prepared(self, prepared: PreparedFit, **test: Any) -> RangeTest:
        """Return the learning-rate range test of a fit that `prepare` made ready; arguments as for `range_test`."""
        values, rows = self.chosen_settings(), prepared.rows
        return range_test(
            self.objective_on(rows, loss_settings.penalties(values)),
            first_weights(self.network_, rows.X, values, self._seed),
            optimizer=self._rule(values),
            batch_size=_batch_size(self.batch_size, rows.X.shape[0]),
            seed=self._seed,
            recipe=_recipe(self, values),
            **{"engine": self.engine, "n_threads": self.n_threads, **test},
        )

    def race_prepared(self, prepared: PreparedFit, solvers: Mapping[str, Mapping[str, Any]], **race: Any) -> Race:
        """Return the race of solvers on a fit that `prepare` made ready; `race` is as for `chainrule.race`.

        `solvers` are the settings that each has of its own, by name, such as {"lm": {"solver": "lm"}}. The score is
        that of a share of the rows, `validation_fraction`, which nobody trains on; schedule and stopping play no part.
        """
        values = self.chosen_settings()
        train, held = held_out(prepared.rows, values["validation_fraction"], self._seed % 2**32, self._target)
        return run_race(
            self.objective_on(train, loss_settings.penalties(values)),
            first_weights(self.network_, train.X, values, self._seed),
            {name: self._entrant({**values, **own}, train.X.shape[0]) for name, own in solvers.items()},
            score=scorer(self, held),
            seed=self._seed,
            recipe=_recipe(self, values),
            **{"engine": self.engine, "n_threads": self.n_threads, **race},
        )

    def _entrant(self, values: Mapping[str, Any], rows: int) -> Entrant:
        """Return the optimiser that settings name, with the rows of its steps."""
        whole = optimizer.WHOLE.holds(values)
        return Entrant(self._rule(values), None if whole else _batch_size(values["batch_size"], rows))

    def objective_on(self, rows: Rows, penalties: list[Any], judge: bool = False) -> Objective:
        """Return the objective on validated rows; one that judges sees targets as they are."""
        loss = self.loss_function_.unsmoothed if judge else self.loss_function_
        y = self._target.encode(rows.y, self.loss_function_, rows.X.dtype)
        return Objective(self.network_, loss, rows.X, y, rows.weight, penalties)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def check_same_reading(model: Fitted) -> None:
    """Raise ValueError for a setting that would read rows otherwise than the model that a training goes on with."""
    made = {
        "preprocessing": "never" if model.encoder_ is None else "always",
        "input_scale": model.input_scale_,
        "dtype": model.theta_.dtype.name,
    }
    for name, was in made.items():
        if getattr(model, name) not in ("auto", was):
            raise ValueError(another(name, getattr(model, name), repr(was)))


def another(name: str, now: Any, was: str) -> str:
    """Return the words for a setting that would make another model."""
    return (
        f"{name} is {now!r}, the model was made with {was}: warm_start and partial_fit go on with it;"
        f" set {name} back, or fit a new estimator"
    )


def _check_pass(settings: Mapping[str, Any]) -> None:
    """Raise ValueError for settings that a single pass cannot follow."""
    for name, why in NOT_IN_A_PASS.items():
        value = settings.get(name)
        if value and (name != "class_weight" or isinstance(value, str)):
            raise ValueError(f"partial_fit does not support {name}={value!r}; {why}")


def _recipe(model: Fitted, settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a step; ValueError for images where there is a table."""
    if model.encoder_ is not None and step.deforms(settings):
        raise ValueError(
            f"the columns of an encoded table are no image: {model.encoder_.summary()}, and shift, rotate and the"
            ' like need every pixel as it is; give an array, with preprocessing="never"'
        )
    return step.recipe(settings, model.network_.inputs)


def _batch_size(asked: Any, rows: int) -> int:
    """Return the rows of a step, with a warning where more are asked for than there are."""
    if asked == "auto":
        return min(200, rows)
    if asked > rows:
        warnings.warn(
            f"Got `batch_size` {asked} larger than sample size {rows}. It is going to be clipped",
            stacklevel=callers_level(),
        )
    return int(min(asked, rows))


def _seed(random_state: Any) -> int:
    """Return the seed: the number itself, or one drawn from the given or the global RandomState."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))


def _seed_of(saved: checkpoint.SavedTraining, random_state: Any) -> int:
    """Return the seed of a training to go on with: its own, unless another is given."""
    return int(saved.facts.get("seed") or 0) if random_state is None else _seed(random_state)
