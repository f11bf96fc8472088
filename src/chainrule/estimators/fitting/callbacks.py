"""scikit-learn's callback protocol (from 1.9 on), fed with the events of the training loop.

With an older scikit-learn the protocol is absent, and so is `set_callbacks`.

Source: sklearn.callback, https://scikit-learn.org/stable/api/sklearn.callback.html.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...loop.progress import Progress

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
    from sklearn.callback import with_callbacks
except ImportError:

    class CallbackSupport:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


__all__ = ["CallbackSupport", "Tasks", "with_callbacks"]


class Tasks:
    """The tasks of one fit: each start and each of its `epochs`, 0 for partial_fit, which has none.

    There are none either where the estimator has no callbacks of scikit-learn.

    A callback that answers True after an epoch stops the training. As in scikit-learn's own iterative solvers, the
    epoch that was begun when the training ended is ended empty.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, weight: Any, starts: int, epochs: int) -> None:
        self.estimator, self.starts, self.epochs = estimator, starts, epochs
        self.data = {"X": X, "y": y, "metadata": None if weight is None else {"sample_weight": weight}}
        self.readers = (self.after_epoch,) if epochs and getattr(estimator, "_skl_callbacks", None) else ()
        self.fit: Any = None
        self.start: Any = None
        self.epoch: Any = None
        if self.readers:
            self.fit = estimator._init_callback_context(max_subtasks=starts if starts > 1 else epochs)
            self._begin(self.fit)

    def begin(self) -> None:
        """Begin a start of the training, and its first epoch."""
        if self.fit is None:
            return
        self.start, self.done = self.fit, 0
        if self.starts > 1:
            self.start = self.fit.subcontext(task_name="start", max_subtasks=self.epochs)
            self._begin(self.start)
        self._next()

    def after_epoch(self, event: Progress) -> bool:
        """End an epoch, begin the next; return whether a callback wants to stop."""
        stop = self._end(self.epoch, lambda: {"theta_": event.theta.copy(), "n_iter_": event.epoch})
        self.done += 1
        self.epoch = None
        if not stop and self.done < self.epochs:
            self._next()
        return stop

    def end(self) -> None:
        """End a start, and the epoch that was begun and did not come."""
        if self.epoch is not None:
            self.epoch.call_on_fit_task_end(estimator=self.estimator)
            self.epoch = None
        if self.start is not self.fit:
            self.start.call_on_fit_task_end(estimator=self.estimator)

    def finish(self) -> None:
        """End the fit: the estimator is fitted."""
        if self.fit is not None:
            self._end(self.fit, dict)

    def _begin(self, task: Any) -> None:
        task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def _end(self, task: Any, fitted: Callable[[], dict[str, Any]]) -> bool:
        return bool(task.call_on_fit_task_end(estimator=self.estimator, **self.data, reconstruction_attributes=fitted))

    def _next(self) -> None:
        self.epoch = self.start.subcontext(task_name="epoch")
        self._begin(self.epoch)
