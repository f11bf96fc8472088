"""The settings of a run: their rows, and what is watched, when a training stops, where it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from numbers import Integral, Real
from os import PathLike
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
from sklearn.metrics import get_scorer_names

from ...engines import ENGINES
from ...foundation.values import Anything, Choice, Flag, Number, Optional, Whole
from ...loop.checkpoint import Checkpoint, EarlierStarts, Interval, SavedTraining
from ...loop.fingerprint import describe
from ...loop.progress import Monitor, Stopping
from ...optimizers import Optimizer
from . import optimizer
from .row import FRACTION, By, Field, Setting, Settings, With, fields_for


@dataclass(frozen=True)
class Seed(Optional):
    """A seed: a whole number, None, or what scikit-learn's check_random_state knows beside, such as a RandomState."""

    def accepts(self, value: Any) -> bool:
        """Return True where value is no whole number, or one in the limits."""
        return not isinstance(value, Integral) or super().accepts(value)


_verbose = Anything("True, False or a number", lambda v: isinstance(v, Real | np.bool_))
_class_weight = Anything(
    "None, 'balanced' or a dict",
    lambda v: v is None or isinstance(v, Mapping | list) or (isinstance(v, str) and v == "balanced"),
)
_scorer = Anything(
    "a scikit-learn scorer, the name of one (such as 'accuracy', 'f1_macro' or 'r2') or None",
    lambda v: v is None or (v in get_scorer_names() if isinstance(v, str) else callable(v)),
)
_callbacks = Anything(
    "a sequence of functions that take a Progress event, or None",
    lambda v: v is None or (isinstance(v, Iterable) and all(map(callable, v))),
)
_file = Anything("the name of a file, or None", lambda v: v is None or (isinstance(v, str | PathLike) and bool(str(v))))
_interval = Anything("a text such as '1 epoch', '500 steps' or '30 seconds'", Interval.accepts)

VALIDATED = With("early_stopping", (True,), said="early_stopping=True")
WATCHED = With("early_stopping", (True,), said="early_stopping=True, or X_val and y_val in fit")
KEPT = With("checkpoint", takes=lambda given: True, said="a checkpoint")

ROWS: Mapping[str, Setting] = MappingProxyType(
    {
        "max_iter": Setting("training", 200, Whole(), "largest number of epochs (steps of solvers that take all rows)"),
        "shuffle": Setting("training", True, Flag(("once",)), "new batches each epoch", needs=optimizer.STEPPING),
        "n_restarts": Setting("training", 1, Whole(), "independent starts, of which the best is kept"),
        "class_weight": Setting("training", By(MLPClassifier=None), _class_weight, "weights of the classes"),
        "random_state": Setting(
            "training", None, Seed(Whole(0, high=2**64 - 1)), "seed: the same seed gives the same bits"
        ),
        "n_iter_no_change": Setting(
            "stopping",
            10,
            Whole(1, (inf,)),
            "epochs without improvement before stopping",
            (Field(Stopping, "patience"),),
        ),
        "early_stopping": Setting("stopping", False, Flag(), "stopping on the validation score, the best weights kept"),
        "validation_fraction": Setting(
            "stopping", 0.1, FRACTION, "share of the rows kept for validation", needs=VALIDATED
        ),
        "monitor": Setting(
            "stopping",
            "auto",
            Choice(("auto", *get_args(Monitor))),
            "figure that must improve; auto: the score with early stopping, else the loss",
            needs=WATCHED,
        ),
        "scoring": Setting("stopping", None, _scorer, "validation score", needs=WATCHED),
        "time_limit": Setting("stopping", None, Optional(Number(0, low_open=True)), "seconds after which to stop"),
        "preprocessing": Setting(
            "data",
            "auto",
            Choice(("auto", "always", "never")),
            "encoded and standardised columns; auto: where a table needs it",
        ),
        "input_scale": Setting(
            "data", 1.0, Number(0, low_open=True), "factor on every input, such as 1/255 for pixels"
        ),
        "scale_target": Setting(
            "data", By(MLPRegressor=False), Flag(), "target of a regression standardised while training"
        ),
        "dtype": Setting("data", "auto", Choice(("auto", "float32", "float64")), "precision; auto follows the data"),
        "engine": Setting(
            "running", "auto", Choice(("auto", *ENGINES)), "engine of the steps; auto: native where it can"
        ),
        "n_threads": Setting("running", None, Optional(Whole()), "threads of the native engine; they change no bit"),
        "verbose": Setting("running", False, _verbose, "a line for each epoch", on_command_line=False),
        "warm_start": Setting("running", False, Flag(), "start from the last fit", on_command_line=False),
        "callbacks": Setting("running", None, _callbacks, "readers of the events", on_command_line=False),
        "checkpoint": Setting(
            "running",
            None,
            _file,
            "file that keeps the training, which goes on from it where it is there",
            stored=False,
        ),
        "checkpoint_every": Setting(
            "running",
            "1 epoch",
            _interval,
            "interval of writing it: so many epochs, steps or seconds",
            needs=KEPT,
        ),
    }
)
"""The rows of a run: its length, its data, its stopping, what watches and keeps it."""


def monitor(settings: Settings) -> Monitor:
    """Return the figure that must improve: for "auto" the validation score with early stopping, else the loss."""
    auto: Monitor = "validation_score" if settings["early_stopping"] else "loss"
    return auto if settings["monitor"] == "auto" else settings["monitor"]


def keeps_best(settings: Settings) -> bool:
    """Return True where the best epoch's weights are kept: with early stopping, or a validation figure to watch."""
    return bool(settings["early_stopping"]) or monitor(settings) != "loss"


def stopping(settings: Settings, rule: Optimizer) -> Stopping | None:
    """Return the stopping rule on the monitored figure; early stopping and a validation figure keep the best weights.

    A method that takes no batches has its own stopping rule on the loss.
    """
    best = keeps_best(settings)
    if not optimizer.takes_batches(rule) and not best:
        return None
    rows = {**optimizer.ROWS, **ROWS}
    return Stopping(monitor=monitor(settings), keep_best=best, **fields_for(rows, settings, Stopping))


def checkpoint(
    settings: Settings, earlier: EarlierStarts, anew: bool, saved: SavedTraining | None
) -> Checkpoint | None:
    """Return where and how often to keep the training; what only the estimator knows about it is noted along.

    `saved` is what the file holds, None where there is none: it is not read again.
    """
    if settings["checkpoint"] is None:
        return None
    about = {"n_restarts": settings["n_restarts"], "scoring": describe(settings["scoring"])}
    if settings["n_restarts"] > 1:
        about["max_iter"] = settings["max_iter"]  # the starts that are done would have gone on, too
    return Checkpoint(
        settings["checkpoint"], settings["checkpoint_every"], about, earlier, anew or saved is None, saved
    )
