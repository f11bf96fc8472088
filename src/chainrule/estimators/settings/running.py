"""From the settings of a run to its parts: what is watched, when it stops, where it is kept."""

from __future__ import annotations

from math import ceil, inf

from ...loop.checkpoint import Before, Checkpoint, Kept
from ...loop.fingerprint import describe
from ...loop.progress import Monitor, Stopping
from ...optimizers import Minimizer, UpdateRule
from .network import Settings


def monitor(settings: Settings) -> Monitor:
    """Return what must improve: for "auto" the validation score with early stopping, else the loss."""
    auto: Monitor = "validation_score" if settings["early_stopping"] else "loss"
    return auto if settings["monitor"] == "auto" else settings["monitor"]


def keeps_best(settings: Settings) -> bool:
    """Return whether the weights of the best epoch are kept: with early stopping, or a validation figure to watch."""
    return bool(settings["early_stopping"]) or monitor(settings) != "loss"


def stopping(settings: Settings, rule: UpdateRule | Minimizer) -> Stopping | None:
    """Return the stopping rule on the monitored figure; early stopping and a validation figure keep the best weights.

    A full-batch minimiser has its own stopping rule on the loss.
    """
    watched, best, patience = monitor(settings), keeps_best(settings), settings["n_iter_no_change"]
    if isinstance(rule, Minimizer) and not best:
        return None
    return Stopping(
        monitor=watched,
        min_change=float(settings["tol"]),
        patience=inf if patience == inf else ceil(patience),
        keep_best=best,
    )


def checkpoint(settings: Settings, before: Before, anew: bool, saved: Kept | None) -> Checkpoint | None:
    """Return where and how often to keep the training; what only the estimator knows about it is noted along.

    `saved` is what the file holds, None where there is none: it is not read again.
    """
    if settings["checkpoint"] is None:
        return None
    about = {"n_restarts": settings["n_restarts"], "scoring": describe(settings["scoring"])}
    if settings["n_restarts"] > 1:
        about["max_iter"] = settings["max_iter"]  # the starts that are done would have gone on, too
    return Checkpoint(settings["checkpoint"], settings["checkpoint_every"], about, before, anew or saved is None, saved)
