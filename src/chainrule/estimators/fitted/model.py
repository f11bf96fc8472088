"""A fitted estimator: weights, curves, predictions, a file. Both estimators share it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy, deepcopy
from functools import cache, partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ... import engines
from ...loop.progress import Result, TrainingState
from ...mathematics.losses import Loss
from ...mathematics.network import Network
from ...storage.vocabulary import decode, encode
from ...tables.encoder import TableEncoder
from .document import CURVES
from .inputs import read_rows
from .predictor import Finish, Predictor
from .saving import save
from .targets import Target, output_activation
from .uncertainty import Uncertainty


class Layers(list[NDArray[Any]]):
    """The arrays of the layers, as views of θ: an array that is set at an index is copied into θ."""

    def __init__(self, views: Iterable[NDArray[Any]], put: Callable[[Sequence[Any]], None]) -> None:
        super().__init__(views)
        self._put = put

    def __setitem__(self, index: Any, value: Any) -> None:
        """Copy an array, or those of a slice, into θ; ValueError where they do not fit the layers."""
        arrays = [*self]
        arrays[index] = value
        self._put(arrays)

    def __reduce__(self) -> Any:
        """Copies and pickles are plain lists."""
        return list, ([*self],)


class Fitted(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """The weights that a training found, its course, and the predictions they make."""

    KIND: ClassVar[str]
    """The name of the estimator in model files: that of the class whose signature lists the settings."""

    theta_: NDArray[Any]
    network_: Network
    loss_function_: Loss
    encoder_: TableEncoder | None
    input_scale_: float
    feature_names_in_: NDArray[Any]
    stop_reason_: str
    _target: Target
    _made: Mapping[str, Any]
    _seed: int
    _state: TrainingState
    _uncertainty: Uncertainty | None = None

    @classmethod
    @cache
    def _get_param_names(cls) -> Any:
        """Return the names of the parameters; scikit-learn reads them off the signature in every call."""
        return super()._get_param_names()

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        """The weight matrices (fan_in, fan_out), one per layer: views of theta_. Assigning matrices copies them in."""
        views = self.network_.views(self.theta_)
        return Layers((views[f"{k}.W"] for k in self._layers), partial(setattr, self, "coefs_"))

    @coefs_.setter
    def coefs_(self, values: Sequence[Any]) -> None:
        """Copy matrices of the same shapes into theta_; ValueError for others, and for NaN or infinity."""
        self._put("coefs_", self.coefs_, values)

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        """The bias vectors (fan_out,), one per layer: views of theta_; zeros, not to be changed, where one has none."""
        views, widths, dtype = self.network_.views(self.theta_), self.network_.widths, self.theta_.dtype
        none = [np.zeros(widths[k + 1], dtype) for k in self._layers]
        for vector in none:
            vector.flags.writeable = False
        arrays = (views.get(f"{k}.b", vector) for k, vector in zip(self._layers, none, strict=True))
        return Layers(arrays, partial(setattr, self, "intercepts_"))

    @intercepts_.setter
    def intercepts_(self, values: Sequence[Any]) -> None:
        """Copy vectors of the same shapes into theta_; ValueError for others, and for NaN or infinity."""
        self._put("intercepts_", self.intercepts_, values)

    def _put(self, name: str, views: Sequence[NDArray[Any]], values: Sequence[Any]) -> None:
        """Write arrays into theta_; ValueError, and nothing is written, where they do not fit the layers."""
        with np.errstate(over="ignore"):  # a number that is too large is infinite, and refused below
            arrays = [np.asarray(value, self.theta_.dtype) for value in values]
        wanted, given = ([array.shape for array in each] for each in (views, arrays))
        if given != wanted:
            raise ValueError(f"{name} must have the shapes {wanted}, got {given}")
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError(f"{name} must hold finite numbers of {self.theta_.dtype}, no NaN and no infinity")
        if not self.theta_.flags.writeable:  # mapped from a file
            self._state = deepcopy(self._state)
            self.theta_ = self._state.theta
            views = getattr(self, name)
        if any(array.any() for view, array in zip(views, arrays, strict=True) if not view.flags.writeable):
            raise ValueError(f"{name}: a layer before a batch normalisation has no biases; give zeros for it")
        for view, array in zip(views, arrays, strict=True):
            if view.flags.writeable:
                view[...] = array

    @property
    def gamma_(self) -> float:
        """Number of parameters that the data determine, where the solver estimates it ("bayesian" does)."""
        gamma = self._known("gamma_").evidence.gamma
        if gamma is None:
            raise AttributeError(f"gamma_ is what solver='bayesian' estimates; this is a fit by {self.solver!r}")
        return gamma

    @property
    def standard_errors_(self) -> NDArray[np.float64]:
        """Standard error of each entry of theta_ (P,); NaN for those that the data do not determine."""
        return self._known("standard_errors_").standard_errors

    def _known(self, name: str) -> Uncertainty:
        """Return the uncertainty of the last fit; AttributeError, one line, where there is none."""
        self._require_fit()
        if self._uncertainty is None:
            raise AttributeError(
                f"{name} comes of the Gauss-Newton matrix, which a fit by {self.solver!r} does not leave:"
                " take solver='levenberg_marquardt' or 'bayesian'"
            )
        return self._uncertainty

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
        rows = read_rows(self, X, self.theta_.dtype)
        return engines.predict(self.engine, self.network_, self.theta_, rows, loss, self.n_threads)

    def score_of(self, scores: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None) -> float:
        """Return the accuracy or R² of the predictions for raw scores (n, o)."""
        return self._target.score(scores, y, weight, self.loss_function_)

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
        return Predictor(run, model, partial(read_rows, model, dtype=model.theta_.dtype), loss, finish, decide)

    def for_encoded_rows(self) -> Self:
        """Return this fitted model for rows that are encoded already, as `encoded` gives them: nothing is checked."""
        self._require_fit()
        return self.with_weights(self.theta_)

    def with_weights(self, theta: NDArray[Any]) -> Self:
        """Return a fitted stand-in with other weights θ (P,), for rows that are encoded and checked already."""
        model = copy(self)
        model.theta_, model.encoder_, model.input_scale_ = theta, None, 1.0
        model.n_features_in_ = self.network_.inputs
        model.__dict__.pop("feature_names_in_", None)
        return model

    def save(self, path: Any) -> None:
        """Write the fitted estimator to a model file (.safetensors); `chainrule.load` reads it back.

        Raises ModelFileError when it cannot be written.
        """
        save(self, path)

    def chosen_settings(self, as_made: bool = False) -> dict[str, Any]:
        """Return the settings by name: as they are now, or those that make the network as they were when it was made.

        A subclass may have other parameters: the settings are those of the estimator it is made of.
        """
        owner: Any = next(kind for kind in type(self).__mro__ if "KIND" in vars(kind))
        values = {name: getattr(self, name) for name in owner._get_param_names()}
        return {**values, **self._made, "input_scale": self.input_scale_} if as_made else values

    @abstractmethod
    def describe_target(self) -> dict[str, Any]:
        """Return the target as plain JSON: the entries of `document.TARGETS`."""

    @abstractmethod
    def restore_target(self, described: Mapping[str, Any]) -> None:
        """Take over a target that `describe_target` gave; ValueError where it does not fit the network."""

    def describe_training(self) -> dict[str, Any]:
        """Return the course of the training as plain JSON."""
        return {
            "seed": self._seed,
            "reason": self.stop_reason_,
            "n_iter": self.n_iter_,
            "counts": [self._state.epoch, self._state.step, self._state.rows],
            **{name: encode(getattr(self, name)) for name in CURVES},
        }

    def restore_training(self, described: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        """Take over a course that `describe_training` gave, and the settings that the network was made of."""
        epoch, step, rows = described["counts"]
        self._made, self.input_scale_ = made, float(self.input_scale)
        self._state = TrainingState(self.theta_, epoch=epoch, step=step, rows=rows)
        self._seed, self.stop_reason_ = described["seed"], described["reason"]
        self.n_iter_, self.t_ = described["n_iter"], rows
        for name in CURVES:
            curve = decode(described[name])
            setattr(self, name, None if curve is None else [float(value) for value in curve])
        self._summarise()

    def _take_over(self, result: Result, fresh: bool, keeps_best: bool) -> None:
        """Take over the weights and the curves of a result."""
        state, history = result.state, result.history
        state.theta = result.theta
        self._state, self.theta_ = state, state.theta
        self.n_iter_, self.t_, self.stop_reason_ = len(history), state.rows, result.reason
        self._no_improvement_count = state.no_change
        losses = [event.validation_loss for event in history if event.validation_loss is not None]
        scores = [event.validation_score for event in history if event.validation_score is not None]
        if result.reason == "diverged" and keeps_best:
            scores.append(float("nan"))
        before = [[] if fresh else getattr(self, name, None) or [] for name in CURVES]
        self.loss_curve_ = before[0] + [event.loss for event in history]
        self.validation_loss_curve_ = before[1] + losses or None
        self.validation_scores_ = before[2] + scores or None
        self._summarise()

    def _summarise(self) -> None:
        """Set the figures that the curves and the loss give."""
        scores = self.validation_scores_
        self.out_activation_ = output_activation(self.loss_function_)
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else float("nan")
        self.best_validation_score_ = None if scores is None else max(scores, key=lambda s: (s == s, s))
        self.best_loss_ = None if self.early_stopping else min(self.loss_curve_, default=None)
