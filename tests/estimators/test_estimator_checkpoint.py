"""The estimators' checkpoints: a fit that was killed goes on, restarts and all; what cannot go on is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, make_scorer

from chainrule import CheckpointError, MLPClassifier, MLPRegressor, Progress, load
from chainrule.estimators.fitted.saving import ModelFileError
from chainrule.loop.checkpoint import read

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
LINE = X @ [1.0, -0.5, 0.5] + 0.3 * RNG.normal(size=80)
LABELS = np.where(LINE > 0, "yes", "no")
BRIEF: dict[str, Any] = {"hidden_layer_sizes": (5,), "batch_size": 11, "max_iter": 6, "tol": 0, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Killed(BaseException):
    """Stands for a SIGKILL."""


def killed_after(events: int) -> Any:
    """Return a callback that kills the fit at its so-manieth event."""
    left = iter(range(events - 1, -1, -1))

    def callback(event: Progress) -> None:
        if next(left) == 0:
            raise Killed

    return callback


def fitted(model: Any) -> dict[str, Any]:
    """Return what a fit leaves behind."""
    names = [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]
    plain = ("theta_", "loss_curve_", "validation_scores_", "validation_loss_curve_", "n_iter_", "t_", "stop_reason_")
    assert set(plain) <= set(names)
    memory = {name: np.asarray(value).tobytes() for name, value in model._state.memory.arrays.items()}
    return {"memory": memory, "theta_": model.theta_.tobytes(), **{name: getattr(model, name) for name in plain[1:]}}


CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "classifier": (MLPClassifier, LABELS, {}),
    "regressor": (MLPRegressor, LINE, {"scale_target": True, "learning_rate": "cosine", "n_restarts": 1}),
    "restarts": (MLPClassifier, LABELS, {"n_restarts": 3, "max_iter": 4}),
    "early": (MLPClassifier, LABELS, {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 12}),
    "early restarts": (MLPRegressor, LINE, {"early_stopping": True, "n_restarts": 3, "scoring": "r2", "max_iter": 4}),
    "balanced": (MLPClassifier, LABELS, {"class_weight": "balanced", "learning_rate": "adaptive"}),
}


@pytest.mark.parametrize("every", ["1 epoch", "5 steps"])
@pytest.mark.parametrize(("kind", "y", "more"), CASES.values(), ids=list(CASES))
def test_a_killed_fit_goes_on(tmp_path: Path, kind: Any, y: Any, more: dict[str, Any], every: str) -> None:
    given = {**BRIEF, **more}
    whole = fitted(kind(**given).fit(X, y))
    keeping = {**given, "checkpoint": tmp_path / "run", "checkpoint_every": every}
    for events in (3, 2, 3):
        with pytest.raises(Killed):
            kind(**keeping, callbacks=[killed_after(events)]).fit(X, y)
    assert fitted(kind(**keeping).fit(X, y)) == whole
    assert fitted(kind(**keeping, callbacks=[killed_after(1)]).fit(X, y)) == whole  # nothing is left to do


def test_the_restart_that_runs_and_the_best_before_it_are_kept(tmp_path: Path) -> None:
    keeping = {**BRIEF, "n_restarts": 3, "checkpoint": tmp_path / "run"}
    with pytest.raises(Killed):
        MLPRegressor(**keeping, callbacks=[killed_after(6 + 6 + 2)]).fit(X, LINE)
    kept = read(tmp_path / "run")
    assert kept is not None
    assert (kept.state.restart, len(kept.history)) == (2, 1)
    assert kept.earlier.best is not None
    assert len(kept.earlier.best.history) == 6
    assert kept.earlier.seconds > 0


def test_no_seed_takes_that_of_the_checkpoint(tmp_path: Path) -> None:
    keeping = {**BRIEF, "random_state": None, "early_stopping": True, "checkpoint": tmp_path / "run"}
    with pytest.raises(Killed):
        MLPRegressor(**keeping, callbacks=[killed_after(3)]).fit(X, LINE)
    resumed = MLPRegressor(**keeping).fit(X, LINE)
    kept = read(tmp_path / "run")
    assert kept is not None
    known = {**keeping, "random_state": kept.facts["seed"], "checkpoint": None}
    assert fitted(resumed) == fitted(MLPRegressor(**known).fit(X, LINE))


REFUSED = {
    "batch size": ({"batch_size": 12}, "batch_size 11, now 12"),
    "alpha": ({"alpha": 0.5}, "penalties.0.strength 0.0001, now 0.5"),
    "activation": ({"activation": "tanh"}, "network.1.name relu, now tanh"),
    "early stopping": ({"early_stopping": True}, "other validation X|stopping.monitor loss, now validation_score"),
    "restarts": ({"n_restarts": 2}, "n_restarts 1, now 2"),
    "scoring": ({"scoring": "r2"}, "scoring None, now r2"),
    "scorer": ({"scoring": make_scorer(f1_score)}, "scoring None, now _Scorer"),
    "seed": ({"random_state": 1}, "seed 0, now 1"),
    "dtype": ({"dtype": "float32"}, "dtype float64, now float32"),
    "scale": ({"scale_target": True}, "other y"),
}


@pytest.mark.parametrize(("changed", "words"), REFUSED.values(), ids=list(REFUSED))
def test_another_setting_is_refused(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    keeping = {**BRIEF, "checkpoint": str(tmp_path / "run")}
    MLPRegressor(**keeping).fit(X, LINE)
    with pytest.raises(CheckpointError, match=rf"run: refused: written .*({words})"):
        MLPRegressor(**{**keeping, **changed}).fit(X, LINE)


def test_other_data_are_refused(tmp_path: Path) -> None:
    model = MLPRegressor(**BRIEF, checkpoint=tmp_path / "run")
    model.fit(X, LINE)
    for data, words in [
        ((X, -LINE), "other y"),
        ((X * 2, LINE), "other X"),
        ((X, LINE, np.arange(80)), "sample_weight"),
    ]:
        with pytest.raises(CheckpointError, match=words):
            MLPRegressor(**BRIEF, checkpoint=tmp_path / "run").fit(*data)
    with pytest.raises(CheckpointError, match="other validation X"):
        MLPRegressor(**BRIEF, checkpoint=tmp_path / "run").fit(X, LINE, X_val=X, y_val=LINE)


def test_fewer_restarts_are_refused(tmp_path: Path) -> None:
    MLPRegressor(**BRIEF, n_restarts=3, checkpoint=tmp_path / "run").fit(X, LINE)
    with pytest.raises(CheckpointError, match="n_restarts 3, now 1"):
        MLPRegressor(**BRIEF, checkpoint=tmp_path / "run").fit(X, LINE)


def test_longer_restarts_are_refused(tmp_path: Path) -> None:
    MLPRegressor(**BRIEF, n_restarts=2, checkpoint=tmp_path / "run").fit(X, LINE)
    with pytest.raises(CheckpointError, match="written with max_iter 6, now 7"):
        MLPRegressor(**{**BRIEF, "max_iter": 7}, n_restarts=2, checkpoint=tmp_path / "run").fit(X, LINE)


def test_a_longer_fit_goes_on(tmp_path: Path) -> None:
    MLPRegressor(**BRIEF, checkpoint=tmp_path / "run").fit(X, LINE)
    longer = {**BRIEF, "max_iter": 9}
    resumed = MLPRegressor(**longer, checkpoint=tmp_path / "run").fit(X, LINE)
    assert fitted(resumed) == fitted(MLPRegressor(**longer).fit(X, LINE))


def test_a_resumed_fit_goes_on_like_any_other(tmp_path: Path) -> None:
    plain = MLPRegressor(**BRIEF).fit(X, LINE).partial_fit(X, LINE)
    again = MLPRegressor(**BRIEF, checkpoint=tmp_path / "run")
    for _ in range(2):
        again.fit(X, LINE)
    again.set_params(checkpoint=None).partial_fit(X, LINE)
    assert plain.theta_.tobytes() == again.theta_.tobytes()


def test_partial_fit_and_warm_starts_are_refused(tmp_path: Path) -> None:
    model = MLPRegressor(**BRIEF, checkpoint=tmp_path / "run")
    words = re.escape(f"partial_fit does not support checkpoint={tmp_path / 'run'!r}; fit does")
    with pytest.raises(ValueError, match=words):
        model.partial_fit(X, LINE)
    model.fit(X, LINE).set_params(warm_start=True)
    with pytest.raises(CheckpointError, match="other starting point"):
        model.fit(X, LINE)
    other = model.set_params(checkpoint=tmp_path / "second").fit(X, LINE)
    plain = MLPRegressor(**BRIEF, warm_start=True).fit(X, LINE).fit(X, LINE)
    assert other.theta_.tobytes() == plain.theta_.tobytes()


@pytest.mark.filterwarnings("ignore")
def test_lbfgs_goes_on_too(tmp_path: Path) -> None:
    def interrupt(event: Any) -> None:
        if event.epoch == 4:
            raise KeyboardInterrupt

    settings = {"hidden_layer_sizes": (4,), "solver": "lbfgs", "max_iter": 12, "random_state": 0}
    whole = MLPRegressor(**settings).fit(X, LINE)
    kept = {**settings, "checkpoint": tmp_path / "run"}
    stopped = MLPRegressor(**kept, callbacks=[interrupt]).fit(X, LINE)
    resumed = MLPRegressor(**kept).fit(X, LINE)
    assert stopped.n_iter_ < resumed.n_iter_ == whole.n_iter_
    assert fitted(resumed) == fitted(whole)


def test_the_time_limit_counts_what_was_spent_before(tmp_path: Path) -> None:
    keeping = {**BRIEF, "max_iter": 100_000, "n_iter_no_change": np.inf, "checkpoint": tmp_path / "run"}
    first = MLPRegressor(**keeping, time_limit=0.2).fit(X, LINE)
    again = MLPRegressor(**keeping, time_limit=0.2).fit(X, LINE)
    assert first.stop_reason_ == again.stop_reason_ == "time"
    assert fitted(first) == fitted(again)


def test_a_model_file_knows_nothing_of_the_checkpoint(tmp_path: Path) -> None:
    model = MLPRegressor(**BRIEF, checkpoint=str(tmp_path / "run")).fit(X, LINE)
    model.save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").checkpoint is None
    with pytest.raises(ModelFileError, match="not a chainrule model"):
        load(tmp_path / "run")
