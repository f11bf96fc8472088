"""MLPRegressor: scikit-learn's names and meanings for regression, with one target or several."""

from __future__ import annotations

from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from .fitted.predictor import Predictor
from .fitted.targets import Scale
from .fitting.fit import MLP, first_order
from .settings import network as assembly


class MLPRegressor(RegressorMixin, MLP):  # type: ignore[misc]  # scikit-learn ships no types
    """Multilayer perceptron for regression, with one target or several.

    A drop-in for `sklearn.neural_network.MLPRegressor`. The default loss is ½ Σⱼ (scoreⱼ - yⱼ)² averaged over the
    rows of the batch, plus alpha/(2n) Σ W²; absolute, Huber, quantile and Poisson losses are there too. With
    `scale_target=True` the target is standardised while training, and losses are in those units.

    Parameters and fitted attributes as for MLPClassifier, without the classes.

    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(200, 5, random_state=0)
    >>> model = MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", scale_target=True, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.99
    True

    Source: lecture notes; scikit-learn's interface.
    """

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float | None = None,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: Any = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        delta: float = 1.0,
        quantile: float = 0.5,
        scale_target: bool = False,
        input_transform: str | None = None,
        components: int | None = None,
        normalization: str | None = None,
        dropout: Any = 0.0,
        input_dropout: float = 0.0,
        noise: Any = 0.0,
        input_noise: float = 0.0,
        drop_connect: Any = 0.0,
        initializer: Any = "auto",
        bias_initializer: Any = "zeros",
        start: str = "random",
        l1: float = 0.0,
        l1_proximal: bool = False,
        max_norm: float | None = None,
        weight_decay: float = 0.01,
        rates: Any = None,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        clip_unit: float | None = None,
        accumulate: int = 1,
        decay: float = 0.95,
        decay_every: int = 10,
        warm_up: int = 0,
        monitor: str = "auto",
        scoring: Any = None,
        n_restarts: int = 1,
        averaging: str | None = None,
        averaging_start: float = 0.75,
        average_decay: float = 0.99,
        time_limit: float | None = None,
        callbacks: Any = None,
        checkpoint: Any = None,
        checkpoint_every: str = "1 epoch",
        preprocessing: str = "auto",
        input_scale: float = 1.0,
        augment_noise: float = 0.0,
        augment_mask: float = 0.0,
        augment_shift: float = 0.0,
        augment_rotate: float = 0.0,
        augment_scale: float = 0.0,
        augment_shear: float = 0.0,
        augment_elastic: float = 0.0,
        image_shape: Any = None,
        mixup: float = 0.0,
        augmentation: Any = None,
        dtype: str = "auto",
        engine: str = "auto",
        n_threads: int | None = None,
    ) -> None:
        self._keep(locals())

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one pass over X and y, going on from where the last call stopped.

        k calls with the same data give the bits of `fit` with max_iter=k and no stopping (but a schedule that follows
        a plan, cosine or one_cycle, runs its whole course in each call). After `set_params` another solver begins with
        a memory of its own, and other rates of dropout and noise are taken up. Raises ValueError for settings that
        would make another network.
        """
        return self._fit(X, y, sample_weight, None, None, incremental=True)

    partial_fit = available_if(first_order)(partial_fit)

    def _read_target(self, y: NDArray[Any], weight: NDArray[Any] | None, fresh: bool, incremental: bool) -> None:
        columns = y.reshape(len(y), -1)
        self._outputs = columns.shape[1]
        self._flat = y.ndim == 1
        self.loss_function_ = assembly.loss(self.get_params(deep=False), "regression")
        if self.loss_function_.targets == "counts" and (columns < 0).any():
            raise ValueError("the poisson loss is for counts: y must be at least 0")
        if fresh:
            self.target_scale_ = Scale.of(columns, weight) if self._scaling() else None

    def _output_activation(self) -> str:
        return self.loss_function_.link

    def _scaling(self) -> bool:
        return bool(self.scale_target) and self.loss_function_.targets == "real"

    def _encode_target(self, y: NDArray[Any], dtype: Any) -> NDArray[Any]:
        columns = y.reshape(len(y), -1).astype(dtype)
        return columns if self.target_scale_ is None else self.target_scale_.encode(columns).astype(dtype)

    def _weigh(self, y: NDArray[Any], weight: NDArray[Any] | None, dtype: Any) -> NDArray[Any] | None:
        return weight

    def _strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        return None

    def _default_score(self, scores: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None) -> float:
        return float(r2_score(y, self._decode_scores(scores), sample_weight=weight))

    def _decode_scores(self, scores: NDArray[Any]) -> NDArray[Any]:
        predicted = np.asarray(self.loss_function_.predict(scores))
        if self.target_scale_ is not None:
            predicted = self.target_scale_.decode(predicted).astype(scores.dtype)
        return predicted[:, 0] if self._flat else predicted

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predicted target of each row: (n,), or (n, targets) where y had several columns."""
        scores = self._scores(X)
        return self._decode_scores(scores)

    def compile(self) -> Predictor:
        """Return a Predictor: called, it gives the predictions in microseconds."""
        self._require_fit()
        decode = copy(self)._decode_scores
        return self._compile(None, decode, decode)
