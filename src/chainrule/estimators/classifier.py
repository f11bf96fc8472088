"""MLPClassifier: scikit-learn's names and meanings for binary, multi-class and multilabel classification."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if

from ..mathematics.losses import LOSSES
from .fitted.predictor import Predictor, as_they_are
from .fitted.targets import Classes
from .fitting.fit import MLP, first_order
from .settings import network as assembly


def _probabilistic(estimator: Any) -> bool:
    """Probabilities exist for the losses that have them; the methods are absent otherwise."""
    loss = getattr(estimator, "loss_function_", None) or estimator.loss
    if isinstance(loss, str):
        loss = LOSSES.get(assembly.LOSS_OF_TASK.get(loss, {}).get("multiclass", loss))
    if getattr(loss, "probabilistic", False):
        return True
    raise AttributeError(
        f"predict_proba is not available with loss={estimator.loss!r}: its scores are no probabilities"
    )


class MLPClassifier(ClassifierMixin, MLP):  # type: ignore[misc]  # scikit-learn ships no types
    """Multilayer perceptron for binary, multi-class and multilabel classification.

    A drop-in for `sklearn.neural_network.MLPClassifier`: its parameters, attributes and meanings, and more. The
    network has raw scores; the default loss is cross entropy, L = -Σ t log p, with p the softmax of the scores (the
    sigmoid for two classes or several labels), averaged over the rows of the batch, plus alpha/(2n) Σ W².

    Every parameter is described by one line in `chainrule train --help` and in docs/parameters.md. Fitted
    attributes: `classes_`, `coefs_`, `intercepts_`, `theta_`, `network_`, `loss_curve_`, `validation_loss_curve_`,
    `validation_scores_`, `n_iter_`, `loss_`, `best_loss_`, `stop_reason_`, and scikit-learn's others.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), learning_rate_init=0.02, tol=1e-3, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True

    Source: lecture notes; scikit-learn's interface.
    """

    classes_: NDArray[Any]
    _classes: Classes

    def __init__(
        self,
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
        loss: Any = "log_loss",
        label_smoothing: float = 0.0,
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
        class_weight: Any = None,
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

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Make one pass over X and y, going on from where the last call stopped.

        `classes` lists all labels, on the first call. k calls with the same data give the bits of `fit` with
        max_iter=k and no stopping (but a schedule that follows a plan, cosine or
        one_cycle, runs its whole course in each call). After `set_params` another
        solver begins with a memory of its own, and other rates of dropout and
        noise are taken up. Raises ValueError for labels that `classes` does not
        list, and for settings that would make another network.
        """
        if not hasattr(self, "theta_"):
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            self._declared = np.unique(classes)
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
            )
        try:
            return self._fit(X, y, sample_weight, None, None, incremental=True)
        finally:
            self.__dict__.pop("_declared", None)

    partial_fit = available_if(first_order)(partial_fit)

    def _read_target(self, y: NDArray[Any], weight: NDArray[Any] | None, fresh: bool, incremental: bool) -> None:
        if fresh or not incremental:
            found = Classes.of(y, getattr(self, "_declared", None))
            if not fresh and not np.array_equal(found.labels, self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit."
                    f" Previously got {self.classes_}, `y` has {found.labels}"
                )
            self._classes, self.classes_ = found, found.labels
        self.loss_function_ = assembly.loss(self.get_params(deep=False), self._classes.task)
        self._outputs = self._classes.outputs

    def _output_activation(self) -> str:
        link = self.loss_function_.link
        return "logistic" if link == "sigmoid" else link

    def _encode_target(self, y: NDArray[Any], dtype: Any) -> NDArray[Any]:
        return self._classes.encode(y, self.loss_function_, dtype)

    def _weigh(self, y: NDArray[Any], weight: NDArray[Any] | None, dtype: Any) -> NDArray[Any] | None:
        if self.class_weight is None:
            return weight
        by_class: NDArray[Any] = compute_sample_weight(self.class_weight, y).astype(dtype)
        if not (by_class >= 0).all():
            raise ValueError(f"class_weight must hold numbers of at least 0, got {self.class_weight!r}")
        return by_class if weight is None else by_class * weight

    def _strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        if self._classes.task == "multilabel":
            return None
        numbers = self._classes.numbers(y)
        return numbers[:, None] > 0 if self._classes.task == "binary" else numbers

    def _default_score(self, scores: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None) -> float:
        predicted = self._classes.decode(scores, self.loss_function_)
        return float(accuracy_score(y, predicted, sample_weight=weight))

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Return the scores: (n,) for two classes, (n, K) otherwise.

        The largest of several classes is predicted; for two classes or several labels, those above 0. Scores are
        the network's raw ones, less the 1/2 that parts the targets 0 and 1 of losses such as squared_error.
        """
        scores = self._scores(X)
        return self._classes.decision(scores, self.loss_function_)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predicted label of each row (n,), or the 0/1 indicator matrix (n, K) for several labels."""
        scores = self._scores(X)
        return self._classes.decode(scores, self.loss_function_)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the probability of each class, (n, K), in the order of `classes_`."""
        self._require_fit()
        if self._classes.states(self.loss_function_):
            return self._run(X, self.loss_function_)
        return self._classes.probabilities(self._scores(X), self.loss_function_)

    def compile(self) -> Predictor:
        """Return a Predictor: called, it gives probabilities (the decision function, where the loss has none), fast.

        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> predictor = MLPClassifier((10,), solver="lbfgs", max_iter=1000, random_state=0).fit(X, y).compile()
        >>> predictor(X[:2]).shape
        (2, 3)
        """
        self._require_fit()
        classes, loss = self._classes, self.loss_function_
        decide = partial(classes.decode, loss=loss)
        if not loss.probabilistic:
            return self._compile(None, partial(classes.decision, loss=loss), decide)
        if classes.states(loss):
            return self._compile(loss, as_they_are, decide)
        return self._compile(None, partial(classes.probabilities, loss=loss), decide)

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Return the logarithm of `predict_proba`, (n, K)."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    predict_proba = available_if(_probabilistic)(predict_proba)
    predict_log_proba = available_if(_probabilistic)(predict_log_proba)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
