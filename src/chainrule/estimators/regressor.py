"""MLPRegressor: scikit-learn's names and meanings for regression, with one target or several."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from .fitted.predictor import Predictor
from .fitted.targets import Numbers, Scale
from .fitting.fit import MLP, another, takes_batches
from .fitting.starting import Way
from .settings import loss as loss_settings


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

    KIND: ClassVar[str] = "MLPRegressor"
    target_scale_: Scale | None
    _target: Numbers

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
        return self._fit(X, y, sample_weight, incremental=True)

    partial_fit = available_if(takes_batches)(partial_fit)

    def _read_target(self, y: NDArray[Any], weight: NDArray[Any] | None, dtype: Any, way: Way, labels: Any) -> None:
        loss = loss_settings.loss(self.chosen_settings(), "regression")
        scaled = bool(self.scale_target) and loss.targets == "real"
        if way.fresh:
            self._target = Numbers.of(y, weight, scaled, dtype)
            self.target_scale_ = self._target.scale
        else:
            self._check_same_target(y, scaled)
        self.loss_function_ = loss

    def _check_same_target(self, y: NDArray[Any], scaled: bool) -> None:
        """Raise ValueError for a target that is read otherwise than that of the training to go on with."""
        was, columns = self.target_scale_ is not None, y.reshape(len(y), -1).shape[1]
        if scaled != was:
            name = "scale_target" if bool(self.scale_target) != was else "loss"
            raise ValueError(another(name, getattr(self, name), f"{'a scaled' if was else 'an unscaled'} target"))
        if columns != self._target.outputs:
            raise ValueError(f"y has {columns} columns, in the first fit it had {self._target.outputs}")

    def describe_target(self) -> dict[str, Any]:
        """Return the columns of the target, their scale and their precision as plain JSON."""
        scale, target = self.target_scale_, self._target
        stored = None if scale is None else [scale.mean.tolist(), scale.deviation.tolist()]
        return {"flat": target.flat, "scale": stored, "precision": target.dtype.name}

    def restore_target(self, described: Mapping[str, Any]) -> None:
        """Take over a target that `describe_target` gave; ValueError where it does not fit the network."""
        flat, stored, outputs = described["flat"], described["scale"], self.network_.outputs
        if (flat and outputs != 1) or (stored is not None and len(stored[0]) != outputs):
            raise ValueError("its target does not fit its network")
        self.target_scale_ = None if stored is None else Scale(*(np.array(s, np.float64) for s in stored))
        dtype = described.get("precision", self.theta_.dtype.name)  # files of 0.1 predict in that of the weights
        self._target = Numbers(outputs, flat, self.target_scale_, np.dtype(dtype))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predicted target of each row: (n,), or (n, targets) where y had several columns."""
        scores = self._scores(X)
        return self._target.decode(scores, self.loss_function_)

    def compile(self) -> Predictor:
        """Return a Predictor: called, it gives the predictions in microseconds."""
        self._require_fit()
        decode = partial(self._target.decode, loss=self.loss_function_)
        return self._compile(None, decode, decode)
