"""MLPClassifier: scikit-learn's names and meanings for binary, multi-class and multilabel classification."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if

from ..mathematics.losses import LOSSES
from .fitted.predictor import Predictor, as_they_are
from .fitted.targets import Classes
from .fitting.fit import MLP, takes_batches
from .fitting.held_out import Rows
from .fitting.starting import Way
from .settings import loss as loss_settings

LABELS = "biufU"
"""The kinds of NumPy types that the class labels of a model file may have, beside objects that are text."""


def _probabilistic(estimator: Any) -> bool:
    """Probabilities exist for the losses that have them; the methods are absent otherwise."""
    loss = getattr(estimator, "loss_function_", None) or estimator.loss
    if isinstance(loss, str):
        loss = LOSSES.get(loss_settings.LOSS_OF_TASK.get(loss, {}).get("multiclass", loss))
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

    KIND: ClassVar[str] = "MLPClassifier"
    classes_: NDArray[Any]
    _target: Classes

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
        labels = None if classes is None else np.unique(classes)
        if not hasattr(self, "theta_"):
            if labels is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
        elif labels is not None and not np.array_equal(self.classes_, labels):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
            )
        return self._fit(X, y, sample_weight, incremental=True, labels=labels)

    partial_fit = available_if(takes_batches)(partial_fit)

    def _read_target(self, y: NDArray[Any], weight: NDArray[Any] | None, dtype: Any, way: Way, labels: Any) -> None:
        target = self._target if way.incremental and not way.fresh else Classes.of(y, labels)
        if not way.fresh and not np.array_equal(target.labels, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit."
                f" Previously got {self.classes_}, `y` has {target.labels}"
            )
        self.loss_function_ = loss_settings.loss(self.chosen_settings(), target.task)
        self._target, self.classes_ = target, target.labels

    def _weigh(self, rows: Rows, way: Way) -> NDArray[Any] | None:
        if self.class_weight is None:
            return rows.weight
        if isinstance(self.class_weight, Mapping) and not any(self.class_weight.get(c, 1) for c in self.classes_):
            raise ValueError(f"class_weight must be above 0 for one class at least, got {self.class_weight!r}")
        by_class: NDArray[Any] = compute_sample_weight(self.class_weight, rows.y).astype(rows.X.dtype)
        if not ((by_class >= 0) & np.isfinite(by_class)).all():
            raise ValueError(f"class_weight must hold numbers of at least 0, got {self.class_weight!r}")
        return by_class if rows.weight is None else by_class * rows.weight

    def describe_target(self) -> dict[str, Any]:
        """Return the classes as plain JSON; ValueError for labels that a file cannot hold."""
        labels = self.classes_
        if labels.dtype.kind not in LABELS and not all(isinstance(label, str) for label in labels):
            raise ValueError(f"class labels of type {labels.dtype} cannot be stored; use text or numbers")
        kind = "object" if labels.dtype.kind == "O" else labels.dtype.str
        return {"task": self._target.task, "labels": labels.tolist(), "dtype": kind}

    def restore_target(self, described: Mapping[str, Any]) -> None:
        """Take over classes that `describe_target` gave; ValueError where they do not fit the network."""
        labels, dtype = described["labels"], np.dtype(described["dtype"])
        if dtype.kind not in LABELS + "O":
            raise ValueError(f"its class labels have the type {dtype}")
        self.classes_ = np.array(labels, dtype)
        if self.classes_.tolist() != labels or np.unique(self.classes_).tolist() != labels:
            raise ValueError(f"its class labels are not distinct, sorted values of the type {dtype}")
        self._target = Classes(self.classes_, described["task"])
        if self._target.outputs != self.network_.outputs:
            raise ValueError("its classes do not fit its network")

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Return the scores: (n,) for two classes, (n, K) otherwise.

        The largest of several classes is predicted; for two classes or several labels, those above 0. Scores are
        the network's raw ones, less the 1/2 that parts the targets 0 and 1 of losses such as squared_error.
        """
        scores = self._scores(X)
        return self._target.decision(scores, self.loss_function_)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predicted label of each row (n,), or the 0/1 indicator matrix (n, K) for several labels."""
        scores = self._scores(X)
        return self._target.decode(scores, self.loss_function_)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the probability of each class, (n, K), in the order of `classes_`."""
        self._require_fit()
        if self._target.states(self.loss_function_):
            return self._run(X, self.loss_function_)
        return self._target.probabilities(self._scores(X), self.loss_function_)

    def compile(self) -> Predictor:
        """Return a Predictor: called, it gives probabilities (the decision function, where the loss has none), fast.

        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> predictor = MLPClassifier((10,), solver="lbfgs", max_iter=1000, random_state=0).fit(X, y).compile()
        >>> predictor(X[:2]).shape
        (2, 3)
        """
        self._require_fit()
        classes, loss = self._target, self.loss_function_
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
