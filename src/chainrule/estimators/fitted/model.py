"""What both estimators are once they are fitted: weights, curves, predictions, a file."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ... import engines
from ...loop.progress import Result, TrainingState
from ...mathematics.losses import Loss
from ...mathematics.network import Network
from .inputs import TableInputs
from .predictor import Finish, Predictor


class Fitted(TableInputs):
    """The weights that a training found, what it went through, and what can be done with them."""

    feature_names_in_: NDArray[Any]
    network_: Network
    loss_function_: Loss
    stop_reason_: str
    _state: TrainingState

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        """The weight matrices (fan_in, fan_out), one per layer: views of theta_."""
        views = self.network_.views(self.theta_)
        return [views[f"{k}.W"] for k in self._layers]

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        """The bias vectors (fan_out,), one per layer: views of theta_; zeros where a layer has none."""
        views, widths, dtype = self.network_.views(self.theta_), self.network_.widths, self.theta_.dtype
        return [views.get(f"{k}.b", np.zeros(widths[k + 1], dtype)) for k in self._layers]

    @property
    def _layers(self) -> list[int]:
        """The numbers of the blocks that have weights."""
        return [slot.block for slot in self.network_.slots if slot.spec.kind == "weight"]

    @property
    def n_layers_(self) -> int:
        """Number of layers, the input counted."""
        return len(self.coefs_) + 1

    @property
    def n_outputs_(self) -> int:
        """Number of outputs of the network."""
        return int(self.network_.outputs)

    def _scores(self, X: Any) -> NDArray[Any]:
        """Return the raw scores (n, o) of a fitted model."""
        return self._run(X, None)

    def _run(self, X: Any, loss: Loss | None) -> NDArray[Any]:
        """Return the raw scores, or what a loss makes of them."""
        self._require_fit()
        return engines.predict(self.engine, self.network_, self.theta_, self._validated(X), loss, self.n_threads)

    def _require_fit(self) -> None:
        if not hasattr(self, "theta_"):  # scikit-learn's check alone costs more than predicting a row
            check_is_fitted(self)

    @abstractmethod
    def compile(self) -> Predictor:
        """Return a Predictor: this model with its weights fixed, for a service that calls it a million times."""

    def _compile(self, loss: Loss | None, finish: Finish, decide: Finish) -> Predictor:
        model = copy(self)  # what is fitted later does not change what is compiled now
        model.theta_ = self.theta_.copy()
        run = engines.compiled(self.engine, self.network_, model.theta_, self.n_threads)
        return Predictor(run, model, model._validated, loss, finish, decide)

    def for_encoded_rows(self) -> Self:
        """Return this fitted model for rows that are encoded already, as `encoded` gives them: nothing is checked."""
        self._require_fit()
        return self._probe(self.theta_)

    def save(self, path: Any) -> None:
        """Write the fitted estimator to a model file (.safetensors); `chainrule.load` reads it back.

        Raises ModelFileError when it cannot be written.
        """
        from .saving import save  # the file format knows the estimators, not the other way round

        save(self, path)

    def _probe(self, theta: NDArray[Any], bare: bool = True) -> Self:
        """Return a fitted stand-in with other weights; a bare one takes rows that are validated already."""
        probe = copy(self)
        probe.theta_ = theta
        if bare:
            probe.encoder_, probe.input_scale, probe.n_features_in_ = None, 1.0, self.network_.inputs
            probe.__dict__.pop("feature_names_in_", None)
        return probe

    def _adopt(self, result: Result, fresh: bool) -> None:
        """Take over the weights and the curves of a result."""
        state, history = result.state, result.history
        state.theta = result.theta
        self._state, self.theta_ = state, state.theta
        self.n_iter_, self.t_, self.stop_reason_ = len(history), state.rows, result.reason
        self._no_improvement_count = state.no_change

        def before(name: str) -> list[float]:
            return [] if fresh else getattr(self, name, None) or []

        self.loss_curve_ = before("loss_curve_") + [event.loss for event in history]
        losses = [event.validation_loss for event in history if event.validation_loss is not None]
        scores = [event.validation_score for event in history if event.validation_score is not None]
        if result.reason == "diverged" and self._keeps_best:
            scores.append(float("nan"))
        self.validation_loss_curve_ = before("validation_loss_curve_") + losses or None
        self.validation_scores_ = before("validation_scores_") + scores or None
        self._summarise_curves()

    def _summarise_curves(self) -> None:
        scores = self.validation_scores_
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else float("nan")
        self.best_validation_score_ = None if scores is None else max(scores, key=lambda s: (s == s, s))
        self.best_loss_ = None if self.early_stopping else min(self.loss_curve_, default=None)
