"""How a fit ends and what it keeps: validation, stopping, restarts, time, callbacks, interruption, divergence."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score, get_scorer, make_scorer, mean_absolute_error

from chainrule import MLPClassifier, MLPRegressor, Progress
from chainrule.engines.native import core as native

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
LINE = X @ [1.0, -0.5, 0.5, 0.0] + 0.7 * RNG.normal(size=120)
LABELS, CLASSES = np.where(LINE > 0, "yes", "no"), np.digitize(LINE, [-0.6, 0.6])
TRAIN, HELD = slice(None, 80), slice(80, None)
ENDLESS: dict[str, Any] = {"hidden_layer_sizes": (8,), "random_state": 0, "tol": 0, "n_iter_no_change": np.inf}
BRIEF: dict[str, Any] = {**ENDLESS, "batch_size": 20, "learning_rate_init": 0.02, "max_iter": 12}

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CASES = {
    "binary": (MLPClassifier, LABELS),
    "multiclass": (MLPClassifier, CLASSES),
    "multilabel": (MLPClassifier, (X[:, :3] + 0.5 * RNG.normal(size=(120, 3)) > 0).astype(int)),
    "regression": (MLPRegressor, LINE),
    "multi-output": (MLPRegressor, np.column_stack([LINE, X[:, 3]])),
}
every_case = pytest.mark.parametrize(("estimator", "y"), CASES.values(), ids=list(CASES))
every_solver = pytest.mark.parametrize("solver", ["adam", "lbfgs"])


class Watch:
    """A callback that keeps every event, with a copy of its weights."""

    def __init__(self) -> None:
        self.events: list[Progress] = []
        self.weights: list[np.ndarray] = []

    def __call__(self, event: Progress) -> None:
        self.events.append(event)
        self.weights.append(event.theta.copy())


def interrupt_at(epoch: int) -> Callable[[Progress], None]:
    def callback(event: Progress) -> None:
        if event.epoch == epoch:
            raise KeyboardInterrupt

    return callback


@quiet
@every_case
@every_solver
def test_validation_data_give_two_curves(estimator: Any, y: np.ndarray, solver: str) -> None:
    fitted = estimator(**{**BRIEF, "solver": solver}, alpha=1.0)
    fitted.fit(X[TRAIN], y[TRAIN], X_val=X[HELD], y_val=y[HELD])
    assert len(fitted.validation_loss_curve_) == len(fitted.validation_scores_) == fitted.n_iter_ == 12
    assert fitted.validation_scores_[-1] == pytest.approx(fitted.score(X[HELD], y[HELD]), rel=1e-14, abs=0)
    assert fitted.t_ == 80 * 12
    scores = fitted.network_.forward(fitted.theta_, X[HELD])
    target = fitted._encode_target(y[HELD], "float64")
    assert fitted.validation_loss_curve_[-1] == pytest.approx(
        fitted.loss_function_.value(scores, target), rel=1e-14, abs=0
    )


@every_case
@every_solver
def test_early_stopping_keeps_the_weights_of_the_best_epoch(estimator: Any, y: np.ndarray, solver: str) -> None:
    watch = Watch()
    settings = {**BRIEF, "solver": solver, "early_stopping": True, "n_iter_no_change": 5, "max_iter": 1000}
    fitted = estimator(**settings, callbacks=[watch]).fit(X[TRAIN], y[TRAIN], X_val=X[HELD], y_val=y[HELD])
    best = int(np.argmax(fitted.validation_scores_))
    assert fitted.stop_reason_ == "no change"
    assert best + 1 < fitted.n_iter_ == len(watch.events) < 1000
    assert np.array_equal(fitted.theta_, watch.weights[best])
    assert not np.array_equal(fitted.theta_, watch.weights[-1])
    assert fitted.best_validation_score_ == fitted.validation_scores_[best]
    assert fitted.best_validation_score_ == pytest.approx(fitted.score(X[HELD], y[HELD]), rel=1e-14, abs=0)
    assert fitted.t_ == 80 * fitted.n_iter_


@every_case
def test_early_stopping_holds_a_share_of_the_rows_out(estimator: Any, y: np.ndarray) -> None:
    settings = {**BRIEF, "max_iter": 1000, "tol": 1e-9, "n_iter_no_change": 4}
    fitted = estimator(**settings, early_stopping=True, validation_fraction=0.25).fit(X, y)
    assert fitted.t_ == 90 * fitted.n_iter_
    assert len(fitted.validation_scores_) == len(fitted.validation_loss_curve_) == fitted.n_iter_
    assert fitted.n_iter_ - 1 - np.argmax(fitted.validation_scores_) == 5
    assert fitted.best_loss_ is None


@quiet
def test_the_share_held_out_keeps_the_classes_in_proportion() -> None:
    seen: list[np.ndarray] = []

    def scorer(model: Any, X: np.ndarray, y: np.ndarray) -> float:
        seen.append(y)
        return 0.0

    y = np.repeat(["rare", "common", "usual"], [12, 36, 72])
    settings = {**BRIEF, "early_stopping": True, "validation_fraction": 0.25, "scoring": scorer, "n_iter_no_change": 1}
    MLPClassifier(**settings).fit(X, y)
    labels, counts = np.unique(seen[0], return_counts=True)
    assert dict(zip(labels, counts.tolist(), strict=True)) == {"rare": 3, "common": 9, "usual": 18}


@pytest.mark.parametrize(
    ("estimator", "y", "share", "words"),
    [
        (MLPRegressor, LINE, 0, "validation_fraction must be above 0 with early_stopping=True, got 0"),
        (MLPRegressor, LINE, 0.999, "validation_fraction=0.999 of 120 rows cannot be split off: "),
        (MLPClassifier, LABELS, 0.001, "validation_fraction=0.001 of 120 rows .* number of classes"),
    ],
)
def test_a_share_that_leaves_nothing_is_refused(estimator: Any, y: Any, share: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        estimator(early_stopping=True, validation_fraction=share).fit(X, y)


def test_too_small_a_share_is_refused() -> None:
    with pytest.raises(ValueError, match=r"validation set is too small\. Increase 'validation_fraction'"):
        MLPRegressor(early_stopping=True, validation_fraction=0.005).fit(X, LINE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_val": X}, "X_val and y_val belong together"),
        ({"y_val": LABELS}, "X_val and y_val belong together"),
        ({"X_val": X, "y_val": LABELS[:7]}, "X_val has 120 rows, y_val has 7"),
        ({"X_val": X[:, :3], "y_val": LABELS}, "X has 3 features, but MLPClassifier is expecting 4"),
        ({"X_val": X, "y_val": np.where(LINE > 1, "new", "yes")}, "not among the classes: 'new'"),
        ({"X_val": np.where(X > 1, np.nan, X), "y_val": LABELS}, "contains NaN"),
    ],
)
def test_validation_data_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**BRIEF).fit(X, LABELS, **arguments)


@quiet
def test_a_validation_target_may_be_a_column() -> None:
    flat = MLPClassifier(**BRIEF).fit(X, CLASSES, X_val=X, y_val=CLASSES)
    column = MLPClassifier(**BRIEF).fit(X, CLASSES, X_val=X, y_val=CLASSES[:, None])
    assert column.validation_loss_curve_ == flat.validation_loss_curve_


SCORINGS: list[tuple[str, Any]] = [
    ("binary", "roc_auc"),
    ("multilabel", "average_precision"),
    ("binary", make_scorer(f1_score, pos_label="yes")),
    ("multiclass", "neg_log_loss"),
    ("multiclass", "balanced_accuracy"),
    ("multilabel", "f1_macro"),
    ("regression", "r2"),
    ("regression", make_scorer(mean_absolute_error, greater_is_better=False)),
    ("multi-output", "neg_mean_squared_error"),
    ("regression", lambda model, X, y: -float(np.abs(model.predict(X) - y).max())),
]


@quiet
@pytest.mark.parametrize(("case", "scoring"), SCORINGS)
@pytest.mark.parametrize("input_scale", [1.0, 0.5])
def test_any_scorer_can_be_the_validation_score(case: str, scoring: Any, input_scale: float) -> None:
    estimator, y = CASES[case]
    fitted = estimator(**BRIEF, scoring=scoring, input_scale=input_scale)
    fitted.fit(X[TRAIN], y[TRAIN], X_val=X[HELD], y_val=y[HELD])
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    assert fitted.validation_scores_[-1] == pytest.approx(scorer(fitted, X[HELD], y[HELD]), rel=1e-14, abs=0)
    assert len(set(fitted.validation_scores_)) > 1


def test_a_scorer_of_probabilities_needs_a_loss_that_has_them() -> None:
    with pytest.raises(AttributeError, match="predict_proba"):
        MLPClassifier(**BRIEF, loss="hinge", scoring="neg_log_loss").fit(X, LABELS, X_val=X, y_val=LABELS)


@quiet
@pytest.mark.parametrize("early_stopping", [False, True])
def test_the_best_of_several_starts_is_kept(early_stopping: bool) -> None:
    watch = Watch()
    settings = {**BRIEF, "early_stopping": early_stopping, "n_iter_no_change": 20}
    fitted = MLPRegressor(**settings, n_restarts=5, callbacks=[watch]).fit(X, LINE)
    single = MLPRegressor(**settings).fit(X, LINE)
    epochs = [event.epoch for event in watch.events]
    assert epochs == [*range(1, 13)] * 5
    runs = [slice(12 * k, 12 * (k + 1)) for k in range(5)]
    scores = [[(e.validation_score if early_stopping else -e.loss) for e in watch.events[run]] for run in runs]
    merits = [max(run) if early_stopping else run[-1] for run in scores]
    best = int(np.argmax(merits))
    kept = int(np.argmax(scores[best])) if early_stopping else 11
    assert best != 0
    assert len(set(merits)) == 5
    assert np.array_equal(fitted.theta_, watch.weights[12 * best + kept])
    assert fitted.loss_curve_ == [event.loss for event in watch.events[runs[best]]]
    assert single.loss_curve_ == [event.loss for event in watch.events[runs[0]]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Let the training loop's clock advance by one second each time it is read."""
    ticks = count()
    monkeypatch.setattr(sys.modules["chainrule.loop.run"], "perf_counter", lambda: float(next(ticks)))
    return ticks


def test_the_time_limit_ends_the_training(clock: Iterator[int]) -> None:
    fitted = MLPClassifier(**{**BRIEF, "max_iter": 10_000}, time_limit=60).fit(X, LABELS)
    assert fitted.stop_reason_ == "time"
    assert 10 < fitted.n_iter_ < 60
    assert next(clock) <= 65


def test_restarts_share_the_time_limit(clock: Iterator[int]) -> None:
    watch = Watch()
    settings = {**BRIEF, "max_iter": 10_000, "tol": 1e9, "n_iter_no_change": 5}
    MLPClassifier(**settings, n_restarts=100, time_limit=60, callbacks=[watch]).fit(X, LABELS)
    starts = [event.epoch for event in watch.events].count(1)
    assert 2 < starts < 15
    assert next(clock) <= 60 + 5 * starts


@quiet
@every_solver
def test_callbacks_see_every_event(solver: str) -> None:
    watch, other = Watch(), Watch()
    settings = {**BRIEF, "solver": solver, "callbacks": (watch, other)}
    fitted = MLPClassifier(**settings).fit(X, LABELS, X_val=X, y_val=LABELS)
    events = watch.events
    assert [event.epoch for event in events] == [*range(1, 13)]
    assert [event.step for event in events] == [(1 if solver == "lbfgs" else 6) * k for k in range(1, 13)]
    assert [event.loss for event in events] == fitted.loss_curve_
    assert [event.validation_loss for event in events] == fitted.validation_loss_curve_
    assert [event.validation_score for event in events] == fitted.validation_scores_
    assert [event.learning_rate for event in events] == [None if solver == "lbfgs" else 0.02] * 12
    assert all(a.seconds <= b.seconds for a, b in pairwise(events))
    assert all(event.gradient_norm > 0 for event in events)
    assert other.events == events
    assert np.array_equal(fitted.theta_, watch.weights[-1])


@every_solver
def test_a_callback_that_returns_true_stops(solver: str) -> None:
    watch = Watch()
    callbacks = [lambda event: event.epoch == 3, watch]
    fitted = MLPClassifier(**{**BRIEF, "solver": solver}, callbacks=callbacks).fit(X, LABELS)
    assert (fitted.stop_reason_, fitted.n_iter_, len(watch.events)) == ("callback", 3, 3)
    assert np.array_equal(fitted.theta_, watch.weights[2])


@quiet
def test_a_callback_must_return_true_itself_to_stop() -> None:
    fitted = MLPClassifier(**BRIEF, callbacks=[lambda event: event.epoch, lambda event: "stop"]).fit(X, LABELS)
    assert (fitted.stop_reason_, fitted.n_iter_) == ("epochs", 12)


@every_case
@every_solver
def test_an_interruption_keeps_what_was_learned(estimator: Any, y: np.ndarray, solver: str) -> None:
    watch = Watch()
    settings = {**BRIEF, "solver": solver, "n_restarts": 3, "callbacks": [watch, interrupt_at(4)]}
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        fitted = estimator(**settings).fit(X, y)
    assert fitted.stop_reason_ == "interrupted"
    assert fitted.n_iter_ == len(fitted.loss_curve_) == len(watch.events) == 4
    assert np.array_equal(fitted.theta_, watch.weights[-1])
    assert fitted.predict(X).shape == y.shape


def test_an_interruption_of_early_stopping_keeps_the_best() -> None:
    watch = Watch()
    settings = {**BRIEF, "early_stopping": True, "max_iter": 100, "callbacks": [watch, interrupt_at(40)]}
    with pytest.warns(UserWarning, match="interrupted"):
        fitted = MLPRegressor(**settings).fit(X, LINE)
    best = int(np.argmax(fitted.validation_scores_))
    assert best < 39
    assert np.array_equal(fitted.theta_, watch.weights[best])


WILD: dict[str, Any] = {**ENDLESS, "solver": "sgd", "momentum": 0, "batch_size": 20, "max_iter": 100}
RISING = {"learning_rate_init": 20.0, "warm_up": 1000}


def test_a_divergence_names_step_cause_and_remedy_and_keeps_the_last_good_weights() -> None:
    watch = Watch()
    fitted = MLPRegressor(**WILD, **RISING, callbacks=[watch])
    with pytest.raises(ValueError, match="training diverged at step") as error:
        fitted.fit(X, LINE)
    epochs = len(watch.events)
    assert epochs > 3
    assert f"(epoch {epochs + 1}): the learning rate" in str(error.value)
    assert "is too high for this network; try " in str(error.value)
    step = int(str(error.value).split("at step ")[1].split()[0])
    assert 6 * epochs <= step < 6 * (epochs + 1)
    assert fitted.stop_reason_ == "diverged"
    assert len(fitted.loss_curve_) == epochs
    assert np.array_equal(fitted.theta_, watch.weights[-1])
    assert np.isfinite(fitted.predict(X)).all()


@pytest.mark.parametrize(
    ("inputs", "targets", "cause"),
    [
        (X * 1e4, LINE, r"the inputs reach [\d.e+]+ \(column \d, deviation [\d.e+]+\); standardise them"),
        (X, LINE * 1e4, r"the targets reach [\d.e+]+ \(column \d, deviation [\d.e+]+\); standardise them"),
    ],
)
def test_large_data_are_the_likely_cause_of_a_divergence(inputs: np.ndarray, targets: np.ndarray, cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        MLPRegressor(**WILD, learning_rate_init=0.5).fit(inputs, targets)


def test_a_divergence_in_early_stopping_warns_and_keeps_the_best() -> None:
    watch = Watch()
    with pytest.warns(ConvergenceWarning, match=r"training diverged at step .* the best weights are kept"):
        fitted = MLPRegressor(**WILD, **RISING, early_stopping=True, callbacks=[watch]).fit(X, LINE)
    best = int(np.nanargmax(fitted.validation_scores_))
    assert fitted.stop_reason_ == "diverged"
    assert 0 < best < len(watch.events)
    assert np.array_equal(fitted.theta_, watch.weights[best])
    assert fitted.best_validation_score_ == fitted.validation_scores_[best]


@quiet
def test_a_start_that_diverges_does_not_spoil_the_others() -> None:
    sizes = iter([1e200, 1e200, 0.3, 0.3, 1e200, 1e200])

    def drawn(stream: Any, shape: tuple[int, ...]) -> np.ndarray:
        return next(sizes) * stream.normal(int(np.prod(shape))).reshape(shape)

    fitted = MLPRegressor(**BRIEF, initializer=drawn, n_restarts=3).fit(X, LINE)
    assert fitted.stop_reason_ == "epochs"
    assert np.abs(fitted.theta_).max() < 10


@quiet
def test_without_early_stopping_starts_are_compared_by_their_last_weights() -> None:
    watch = Watch()
    settings = {**BRIEF, "max_iter": 60, "n_restarts": 4, "callbacks": [watch]}
    fitted = MLPRegressor(**settings).fit(X[TRAIN], LINE[TRAIN], X_val=X[HELD], y_val=LINE[HELD])
    scores = np.reshape([event.validation_score for event in watch.events], (4, 60))
    best = scores[:, -1].argmax()
    assert best != scores.max(axis=1).argmax()
    assert np.array_equal(fitted.theta_, watch.weights[60 * best + 59])


def test_reaching_the_last_epoch_is_said() -> None:
    with pytest.warns(ConvergenceWarning, match=r"Stochastic Optimizer: Maximum iterations \(12\) reached"):
        MLPClassifier(**BRIEF).fit(X, LABELS)
    with pytest.warns(ConvergenceWarning, match="LBFGS: .*hasn't converged"):
        MLPClassifier(**{**BRIEF, "solver": "lbfgs"}).fit(X, LABELS)


def test_a_single_pass_need_not_converge() -> None:
    assert MLPRegressor(**BRIEF).partial_fit(X, LINE).stop_reason_ == "epochs"


@quiet
@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("y", [LABELS, CLASSES], ids=["binary", "multiclass"])
def test_label_smoothing_is_for_training_only(engine: str, y: np.ndarray) -> None:
    if engine == "native" and native.MISSING:
        pytest.skip(f"no native engine: {native.MISSING}")
    held = {"X_val": X[HELD], "y_val": y[HELD]}
    given = {**BRIEF, "max_iter": 60, "engine": engine}
    plain, smooth = (MLPClassifier(**given, label_smoothing=e).fit(X[TRAIN], y[TRAIN], **held) for e in (0.0, 0.4))
    p = smooth.predict_proba(X[HELD])
    right = p[np.arange(len(p)), np.searchsorted(smooth.classes_, y[HELD])]
    assert smooth.validation_loss_curve_[-1] == pytest.approx(-np.log(right).mean(), rel=1e-9)
    assert smooth.loss_ > plain.loss_ + 0.05
    assert smooth.predict_proba(X).max() < plain.predict_proba(X).max()
