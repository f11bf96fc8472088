"""What early stopping watches: any figure of the loop, any metric of scikit-learn; the best weights are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import get_scorer
from sklearn.preprocessing import scale

from chainrule import MLPClassifier, MLPRegressor
from chainrule.estimators.fitting.held_out import Rows
from support.commands import ok, people, refused, write

CANCER, DIABETES = load_breast_cancer(return_X_y=True), load_diabetes(return_X_y=True)
ROWS = {
    "classification": (MLPClassifier, scale(CANCER[0]), CANCER[1], {}),
    "regression": (MLPRegressor, scale(DIABETES[0]), DIABETES[1], {"scale_target": True}),
}
every_task = pytest.mark.parametrize("task", list(ROWS))
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Watch:
    """A callback that keeps the weights of every epoch."""

    def __init__(self) -> None:
        self.weights: list[np.ndarray] = []

    def __call__(self, event: Any) -> None:
        self.weights.append(event.theta.copy())


def fitted(task: str, validation: bool = True, **settings: Any) -> tuple[Any, Watch]:
    """Return an estimator fitted to every second row, and its weights by epoch."""
    kind, X, y, own = ROWS[task]
    watch = Watch()
    basis = {"hidden_layer_sizes": (20,), "learning_rate_init": 0.02, "random_state": 0, "max_iter": 60}
    model = kind(**{**basis, **own, **settings}, callbacks=[watch])
    held = {"X_val": X[1::2], "y_val": y[1::2]} if validation else {}
    return model.fit(X[::2], y[::2], **held), watch


def stops_after(gains: Any, patience: int, min_change: float) -> int:
    """Return the epoch after which more than `patience` epochs in a row have not improved by `min_change`."""
    best, still = -np.inf, 0
    for epoch, gain in enumerate(gains, 1):
        still = 0 if gain - best >= min_change else still + 1
        best = max(best, gain)
        if still > patience:
            return epoch
    return len(gains)


@quiet
@every_task
@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("monitor", ["validation_loss", "validation_score"])
def test_the_best_epoch_of_a_validation_figure_is_kept(task: str, monitor: str, early: bool) -> None:
    settings = {"monitor": monitor, "early_stopping": early, "n_iter_no_change": 3, "tol": 1e-3}
    model, watch = fitted(task, **settings)
    gains = {
        "validation_loss": -np.array(model.validation_loss_curve_),
        "validation_score": np.array(model.validation_scores_),
    }[monitor]
    assert model.stop_reason_ == "no change"
    assert model.n_iter_ == stops_after(gains, 3, 1e-3) < 60
    np.testing.assert_array_equal(model.theta_, watch.weights[int(np.argmax(gains))])


@quiet
@pytest.mark.parametrize(("tol", "patience"), [(0.0, 2), (0.05, 2), (0.05, 6)])
def test_minimum_change_and_patience(tol: float, patience: int) -> None:
    settings = {"monitor": "validation_loss", "tol": tol, "n_iter_no_change": patience}
    model, _ = fitted("regression", **settings)
    endless, _ = fitted("regression", **{**settings, "n_iter_no_change": np.inf})
    assert model.n_iter_ == stops_after(-np.array(endless.validation_loss_curve_), patience, tol)


@quiet
@pytest.mark.parametrize(
    ("task", "scoring"),
    [
        ("classification", "roc_auc"),
        ("classification", "neg_log_loss"),
        ("classification", "f1_macro"),
        ("regression", "neg_mean_absolute_error"),
        ("regression", "explained_variance"),
    ],
)
def test_any_metric_of_scikit_learn(task: str, scoring: str) -> None:
    _, X, y, _ = ROWS[task]
    model, watch = fitted(task, monitor="validation_score", scoring=scoring, n_iter_no_change=4)
    best = int(np.argmax(model.validation_scores_))
    np.testing.assert_array_equal(model.theta_, watch.weights[best])
    assert get_scorer(scoring)(model, X[1::2], y[1::2]) == pytest.approx(model.validation_scores_[best], rel=1e-6)


@quiet
@every_task
def test_the_training_loss_can_be_watched_beside_early_stopping(task: str) -> None:
    model, watch = fitted(task, monitor="loss", early_stopping=True, n_iter_no_change=2, tol=0.01)
    assert model.n_iter_ == stops_after(-np.array(model.loss_curve_), 2, 0.01)
    np.testing.assert_array_equal(model.theta_, watch.weights[int(np.argmin(model.loss_curve_))])


@quiet
@every_task
def test_auto_is_what_it_was(task: str) -> None:
    for early, named in ((True, "validation_score"), (False, "loss")):
        first, second = (fitted(task, early_stopping=early, monitor=m)[0].theta_ for m in ("auto", named))
        np.testing.assert_array_equal(first, second)


@quiet
def test_restarts_are_compared_by_what_is_watched() -> None:
    settings = {"monitor": "validation_loss", "max_iter": 3, "hidden_layer_sizes": (2,)}
    several, watch = fitted("classification", **settings, n_restarts=4)
    _, X, y, _ = ROWS["classification"]
    held = several.objective_on(Rows(X[1::2], y[1::2], None), [])
    losses = [float(held.value(theta)) for theta in watch.weights]
    np.testing.assert_array_equal(several.theta_, watch.weights[int(np.argmin(losses))])


@every_task
@pytest.mark.parametrize("monitor", ["validation_loss", "validation_score"])
def test_without_validation_rows_it_is_refused(task: str, monitor: str) -> None:
    with pytest.raises(ValueError, match=f"monitor='{monitor}' needs early_stopping=True, or X_val and y_val"):
        fitted(task, validation=False, monitor=monitor)


@quiet
def test_lbfgs_is_stopped_by_it_too() -> None:
    model, watch = fitted("classification", solver="lbfgs", monitor="validation_loss", alpha=0, n_iter_no_change=3)
    assert model.stop_reason_ == "no change"
    np.testing.assert_array_equal(model.theta_, watch.weights[int(np.argmin(model.validation_loss_curve_))])


def test_the_command_line_takes_it(tmp_path) -> None:
    table = write(tmp_path / "people.csv", people(200))
    words = ["train", table, "--target", "dear", "--json", "--max-iter", 5]
    answer = ok(*words, "--early-stopping", "--monitor", "validation_loss", "--averaging", "swa").json
    assert (answer["settings"]["monitor"], answer["settings"]["averaging"]) == ("validation_loss", "swa")
    assert refused(*words, "--monitor", "validation_loss").count("--monitor") == 1
    idle = ok(*words, "--monitor", "loss", "--average-decay", 0.5).json["notes"]
    assert "--monitor has no effect without --early-stopping" in idle
    assert "--average-decay has no effect without --averaging" in idle
