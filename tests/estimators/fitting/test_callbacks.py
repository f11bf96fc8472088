"""scikit-learn's callbacks work on the estimators, alone and inside its meta-estimators; an old one has none."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule import MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
LABELS, LINE = np.where(X[:, 0] > 0, "yes", "no"), X[:, 0]
BRIEF: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 5, "tol": 0, "random_state": 0}
CASES = {"classifier": (MLPClassifier, LABELS, "accuracy"), "regressor": (MLPRegressor, LINE, "r2")}
each = pytest.mark.parametrize(("kind", "y", "scoring"), CASES.values(), ids=list(CASES))
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OLD = """
import builtins, warnings
warnings.simplefilter("ignore")
given = builtins.__import__

def older(name, *arguments):  # as if scikit-learn were older than 1.9
    if name == "sklearn.callback" and arguments[0]["__name__"].startswith("chainrule"):
        raise ImportError(name)
    return given(name, *arguments)

builtins.__import__ = older
from chainrule import MLPClassifier
model = MLPClassifier((4,), max_iter=3, random_state=0)
assert not hasattr(model, "set_callbacks")
"""


@pytest.mark.process
def test_an_older_scikit_learn_has_no_callbacks_and_needs_none() -> None:
    fit = "print(model.fit([[0.0], [1.0]] * 10, [0, 1] * 10).n_iter_)"
    done = subprocess.run([sys.executable, "-c", OLD + fit], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("3\n", "")


@each
def test_a_warning_points_at_the_line_that_called_fit(kind: Any, y: Any, scoring: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kind(**{**BRIEF, "batch_size": 100}).fit(X, y)
    told = {str(warning.message)[:20]: warning.filename for warning in caught if "notice" not in str(warning.category)}
    assert len(told) >= 2
    assert all(name == __file__ for text, name in told.items() if text.startswith(("Got `batch", "Stochastic")))


callback = pytest.importorskip("sklearn.callback", reason="scikit-learn is older than 1.9")


class Recorder:
    """Notes each hook, its task and what it was given; stops after some epochs."""

    def __init__(self, last: int = 10**9) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.last, self.given = last, []

    def setup(self, estimator: Any, context: Any) -> None:
        self.calls.append(("setup", context.task_name, None))

    def teardown(self, estimator: Any, context: Any) -> None:
        self.calls.append(("teardown", context.task_name, None))

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.calls.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any, y: Any, metadata: Any, fitted_estimator: Any
    ) -> bool:
        self.calls.append(("end", context.task_name, context.task_id))
        self.given.append((X, y, metadata, fitted_estimator))
        return context.task_name == "epoch" and context.task_id + 1 >= self.last


@each
def test_scores_after_every_epoch(kind: Any, y: Any, scoring: str) -> None:
    monitor = callback.ScoringMonitor(scoring=scoring)
    model = kind(**BRIEF).set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in rows] == [0, 1, 2, 3, 4]
    for epochs in (1, 3, 5):
        shorter = kind(**{**BRIEF, "max_iter": epochs}).fit(X, y)
        assert rows[epochs - 1][scoring] == shorter.score(X, y)
    assert rows[-1][scoring] == model.score(X, y)


@each
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("restarts", [1, 2])
def test_tasks_are_begun_and_ended_in_pairs(kind: Any, y: Any, scoring: str, solver: str, restarts: int) -> None:
    recorder = Recorder()
    plain = kind(**BRIEF, solver=solver, n_restarts=restarts)
    model = clone(plain).set_callbacks(recorder).fit(X, y)
    assert (model.theta_ == plain.fit(X, y).theta_).all()
    assert recorder.calls[0] == ("setup", "fit", None)
    assert recorder.calls[-1] == ("teardown", "fit", None)
    open_tasks: list[tuple[str, Any]] = []
    for what, name, number in recorder.calls[1:-1]:
        if what == "begin":
            open_tasks.append((name, number))
        else:
            assert open_tasks.pop() == (name, number)
    assert open_tasks == []
    names = [name for what, name, _ in recorder.calls if what == "end"]
    assert names.count("start") == (restarts if restarts > 1 else 0)
    assert names.count("epoch") == 5 * restarts


@each
def test_a_callback_stops_the_training(kind: Any, y: Any, scoring: str) -> None:
    model = kind(**BRIEF).set_callbacks(Recorder(last=2)).fit(X, y)
    assert (model.stop_reason_, model.n_iter_) == ("callback", 2)


def test_callbacks_get_the_data_as_it_was_given_and_an_estimator_that_predicts() -> None:
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "u", "v")})
    recorder, weight = Recorder(), np.ones(60)
    MLPClassifier(**BRIEF).set_callbacks(recorder).fit(table, LABELS, sample_weight=weight)
    assert len(recorder.given) == 6
    for given_X, given_y, metadata, fitted in recorder.given:
        assert given_X is table
        assert given_y is LABELS
        assert metadata["sample_weight"] is weight
        assert set(fitted.predict(table)) <= {"yes", "no"}
    thetas = [fitted.theta_.tobytes() for *_, fitted in recorder.given]
    assert len(set(thetas)) == 5  # five epochs; the fit ends with the last


def test_a_fit_that_fails_is_torn_down() -> None:
    recorder = Recorder()
    model = MLPRegressor(**BRIEF, callbacks=[lambda event: 1 / 0]).set_callbacks(recorder)
    with pytest.raises(ZeroDivisionError):
        model.fit(X, LINE)
    assert recorder.calls[-1] == ("teardown", "fit", None)


def test_early_endings_leave_no_task_open() -> None:
    recorder = Recorder()
    model = MLPClassifier(**{**BRIEF, "max_iter": 50, "n_iter_no_change": 2, "tol": 1.0}, early_stopping=True)
    model.set_callbacks(recorder).fit(X, LABELS)
    assert model.stop_reason_ == "no change"
    assert sum(call[0] == "begin" for call in recorder.calls) == sum(call[0] == "end" for call in recorder.calls)


@each
@pytest.mark.parametrize("workers", [None, 2])
def test_inside_a_grid_search(kind: Any, y: Any, scoring: str, workers: int | None, capsys: Any) -> None:
    monitor = callback.ScoringMonitor(scoring=scoring)
    search = GridSearchCV(kind(**BRIEF).set_callbacks(monitor), {"alpha": [0.1, 1.0]}, cv=2, n_jobs=workers)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(epochs) == 5 * 5
    assert capsys.readouterr().out.count("100%") == 2 + 4 + 1


@each
def test_inside_a_pipeline(kind: Any, y: Any, scoring: str, capsys: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), kind(**BRIEF)).set_callbacks(callback.ProgressBar())
    plain = make_pipeline(StandardScaler(), kind(**BRIEF))
    assert (pipeline.fit(X, y)[-1].theta_ == plain.fit(X, y)[-1].theta_).all()
    assert f"{kind.__name__} - fit" in capsys.readouterr().out


@each
def test_partial_fit_calls_none(kind: Any, y: Any, scoring: str) -> None:
    recorder = Recorder()
    model = kind(**BRIEF).set_callbacks(recorder)
    model.partial_fit(X, y, **({"classes": np.unique(y)} if kind is MLPClassifier else {}))
    assert recorder.calls == []
