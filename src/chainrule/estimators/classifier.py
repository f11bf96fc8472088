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

from ..mathematics.losses import LOSSES, Loss
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
    kind = LOSSES.get(loss_settings.named(loss, "multiclass")) if isinstance(loss, str) else type(loss)
    if kind is not None and issubclass(kind, Loss) and kind.probabilistic:
        return True
    raise AttributeError(
        f"predict_proba is not available with loss={estimator.loss!r}: its scores are no probabilities"
    )


class MLPClassifier(ClassifierMixin, MLP):  # type: ignore[misc]  # scikit-learn ships no types
    """Multilayer perceptron for binary, multi-class and multilabel classification.

    A drop-in for `sklearn.neural_network.MLPClassifier`: its parameters, attributes and meanings, and more. The
    network has raw scores; the default loss is cross entropy, L = -Σ t log p, with p the softmax of the scores (the
    sigmoid for two classes or several labels), averaged over the rows of the batch, plus alpha/(2n) Σ W².

    Parameters
    ----------
    hidden_layer_sizes : a whole number of at least 1; or a sequence of such, one per hidden layer, default=(100,)
        Units in each hidden layer; none for a linear model.
    activation : see below, default='relu'
        Activation, for all hidden layers or one each: one of algebraic_sigmoid, arctan, elu, gelu, identity,
        leaky_relu, linear, logistic, mish, noisy_relu, prelu, relu, rrelu, selu, sigmoid, sign, silu, softplus, step,
        swish, tanh, or an Activation object, or a PReLU object, or a RReLU object, or a NoisyReLU object; or a sequence
        of such, one per hidden layer.
    initializer : see below, default='auto'
        Starting weights; auto suits the activation: one of auto, zeros, ones, normal, xavier_uniform, xavier_normal,
        he_uniform, he_normal, lecun_uniform, lecun_normal, orthogonal, or a whole number, or a number, or a function.
    bias_initializer : see below, default='zeros'
        Starting biases: one of zeros, ones, normal, xavier_uniform, xavier_normal, he_uniform, he_normal,
        lecun_uniform, lecun_normal, orthogonal, or a whole number, or a number, or a function.
    start : one of random, unit_variance, default='random'
        Scale of the starting weights; unit_variance: suits the data.
    input_transform : one of min_max, standard, quantile, pca, whitening, or None, default=None
        Change of the inputs before the first layer, measured on the training rows.
    components : a whole number of at least 1, or None, default=None
        Principal components that are kept. Has an effect with input_transform='pca' or 'whitening'.
    normalization : one of batch, layer, or None, default=None
        Normalisation before the activations of hidden layers.
    dropout : a number at least 0 and below 1; or a sequence of such, one per hidden layer, default=0.0
        Share of each hidden layer's outputs left out in a step.
    input_dropout : a number at least 0 and below 1, default=0.0
        Share of the inputs left out in a step, the rest enlarged.
    noise : a number at least 0; or a sequence of such, one per hidden layer, default=0.0
        Deviation of normal noise on each hidden layer's outputs.
    input_noise : a number at least 0, default=0.0
        Deviation of normal noise on the inputs.
    drop_connect : a number at least 0 and below 1; or a sequence of such, one per hidden layer, default=0.0
        Share of each hidden layer's weights left out in a step.
    loss : see below, default='log_loss'
        The function that is minimised: one of log_loss, squared_error, absolute_error, huber, quantile, poisson,
        cross_entropy, sigmoid_cross_entropy, logistic, hinge, squared_hinge, multiclass_hinge,
        squared_multiclass_hinge, perceptron, or a Loss object.
    label_smoothing : a number at least 0 and below 1, default=0.0
        Share of the target that goes to all classes alike. Has an effect with loss='log_loss', 'cross_entropy' or
        'sigmoid_cross_entropy'.
    alpha : a number at least 0, default=0.0001
        L2 penalty on the weights, divided by the rows of the batch.
    l1 : a number at least 0, default=0.0
        L1 penalty on the weights, divided by the rows of the batch.
    l1_proximal : True or False, default=False
        L1 as a proximal step, which makes weights exactly 0. Has an effect with l1.
    max_norm : a number above 0, or None, default=None
        Longest the incoming weights of a unit may be.
    solver : see below, default='adam'
        Update rule or minimiser: one of sgd, momentum, nesterov, adagrad, adadelta, rmsprop, adam, adamw, nadam,
        amsgrad, radam, lion, rprop, muon, gradient_descent, newton, damped_newton, bfgs, lbfgs, cg, trust_region,
        hessian_free, natural_gradient, kfac, levenberg_marquardt, lm, bayesian, or an Optimizer object.
    learning_rate_init : a number above 0, or None, default=None
        Learning rate at the start (one_cycle: at its top); none: the solver's own. Has an effect with a solver that
        takes batches and a schedule without a rate of its own.
    learning_rate : see below, default='constant'
        Learning-rate schedule: one of constant, inverse_time, invscaling, step, exponential, cosine, one_cycle,
        adaptive, or a Schedule object. Has an effect with a solver that follows a learning rate.
    power_t : a number at least 0, default=0.5
        Exponent of invscaling. Has an effect with learning_rate='invscaling'.
    decay : a number above 0 and at most 1, default=0.95
        Factor of the step and exponential schedules. Has an effect with learning_rate='step' or 'exponential'.
    decay_every : a whole number of at least 1, default=10
        Epochs between the drops of the step schedule. Has an effect with learning_rate='step'.
    warm_up : a whole number of at least 0, default=0
        Steps over which the learning rate rises from 0. Has an effect with a solver that follows a learning rate.
    momentum : a number at least 0 and at most 1, default=0.9
        Momentum of sgd, momentum and nesterov. Has an effect with solver='sgd', 'momentum' or 'nesterov'.
    nesterovs_momentum : True or False, default=True
        Nesterov's momentum in sgd, not the plain one. Has an effect with solver='sgd'.
    beta_1 : a number at least 0 and below 1, default=0.9
        Decay of the first moment of Lion and the Adam family. Has an effect with solver='adam', 'adamw', 'nadam',
        'amsgrad', 'radam' or 'lion'.
    beta_2 : a number at least 0 and below 1, default=0.999
        Decay of the second moment of the Adam family. Has an effect with solver='adam', 'adamw', 'nadam', 'amsgrad' or
        'radam'.
    epsilon : a number above 0, default=1e-08
        ε of the Adam family. Has an effect with solver='adam', 'adamw', 'nadam', 'amsgrad' or 'radam'.
    weight_decay : a number at least 0, default=0.01
        Decoupled decay of the weights of AdamW and Lion. Has an effect with solver='adamw' or 'lion'.
    max_fun : a whole number of at least 1, default=15000
        Largest number of evaluations of the loss. Has an effect with a solver that searches along a line.
    rates : a dict of positive factors by kind (weight, bias, scale, slope) such as {'bias': 2.0}, or None, default=None
        Factors of the learning rate by kind of parameter.
    clip_value : a number above 0, or None, default=None
        Largest entry of the gradient.
    clip_norm : a number above 0, or None, default=None
        Largest norm of the gradient.
    clip_unit : a number above 0, or None, default=None
        Largest norm of the gradient of a unit's weights.
    batch_size : a whole number of at least 1, or 'auto', default='auto'
        Rows to a step; auto is min(200, rows). Has an effect with a solver that takes batches.
    accumulate : a whole number of at least 1, default=1
        Batches whose gradients make one step.
    averaging : one of swa, ema, or None, default=None
        Average of the weights: swa, over epochs; ema, over steps.
    averaging_start : a number at least 0 and at most 1, default=0.75
        Fraction of the epochs before swa begins. Has an effect with averaging='swa'.
    average_decay : a number at least 0 and below 1, default=0.99
        Share of the average that ema keeps in each step. Has an effect with averaging='ema'.
    max_iter : a whole number of at least 1, default=200
        Largest number of epochs (steps of solvers that take all rows).
    shuffle : True or False, or 'once', default=True
        New batches each epoch. Has an effect with a solver that takes batches.
    n_restarts : a whole number of at least 1, default=1
        Independent starts, of which the best is kept.
    class_weight : None, 'balanced' or a dict, default=None
        Weights of the classes.
    random_state : a whole number of at least 0 and at most 18446744073709551615, or None, default=None
        Seed: the same seed gives the same bits.
    tol : a number at least 0, default=0.0001
        Smallest change that counts as an improvement; for a search, gradient to end at.
    n_iter_no_change : a whole number of at least 1, or inf, default=10
        Epochs without improvement before stopping.
    early_stopping : True or False, default=False
        Stopping on the validation score, the best weights kept.
    validation_fraction : a number at least 0 and below 1, default=0.1
        Share of the rows kept for validation. Has an effect with early_stopping=True.
    monitor : one of auto, loss, validation_loss, validation_score, default='auto'
        Figure that must improve; auto: the score with early stopping, else the loss. Has an effect with
        early_stopping=True, or X_val and y_val in fit.
    scoring : a scikit-learn scorer, the name of one (such as 'accuracy', 'f1_macro' or 'r2') or None, default=None
        Validation score. Has an effect with early_stopping=True, or X_val and y_val in fit.
    time_limit : a number above 0, or None, default=None
        Seconds after which to stop.
    preprocessing : one of auto, always, never, default='auto'
        Encoded and standardised columns; auto: where a table needs it.
    input_scale : a number above 0, default=1.0
        Factor on every input, such as 1/255 for pixels.
    dtype : one of auto, float32, float64, default='auto'
        Precision; auto follows the data.
    augment_noise : a number at least 0, default=0.0
        Deviation of normal noise on every input.
    augment_mask : a number at least 0 and below 1, default=0.0
        Share of the inputs that are set to 0.
    augment_shift : a number at least 0 and at most 1e+06, default=0.0
        Pixels by which images are shifted at most.
    augment_rotate : a number at least 0 and at most 180, default=0.0
        Degrees by which images are turned at most.
    augment_scale : a number at least 0 and below 1, default=0.0
        Share by which images grow or shrink at most.
    augment_shear : a number at least 0 and below 90, default=0.0
        Degrees by which images are slanted at most.
    augment_elastic : a number at least 0 and at most 1e+06, default=0.0
        Pixels by which images are bent, root mean square.
    image_shape : two or three whole numbers of at least 1, such as 28,28, or None, default=None
        Rows and columns of images; none: a square. Has an effect with augment_shift, augment_rotate, augment_scale,
        augment_shear or augment_elastic.
    mixup : a number at least 0, default=0.0
        α of the Beta(α, α) law of the share in which rows are mixed.
    augmentation : a sequence of augmentations, or None, default=None
        Further augmentations, after those above.
    engine : one of auto, native, reference, default='auto'
        Engine of the steps; auto: native where it can.
    n_threads : a whole number of at least 1, or None, default=None
        Threads of the native engine; they change no bit.
    verbose : True, False or a number, default=False
        A line for each epoch.
    warm_start : True or False, default=False
        Start from the last fit.
    callbacks : a sequence of functions that take a Progress event, or None, default=None
        Readers of the events.
    checkpoint : the name of a file, or None, default=None
        File that keeps the training, which goes on from it where it is there.
    checkpoint_every : a text such as '1 epoch', '500 steps' or '30 seconds', default='1 epoch'
        Interval of writing it: so many epochs, steps or seconds. Has an effect with a checkpoint.

    Attributes
    ----------
    classes_ : array
        The labels, sorted.
    coefs_ : list of arrays
        Weights of each layer (inputs, units), views of theta_.
    intercepts_ : list of arrays
        Biases of each layer (units,), views of theta_.
    theta_ : array
        All parameters in one vector.
    network_ : Network
        The chain of blocks that maps inputs to raw scores.
    loss_function_ : Loss
        The loss that was minimised.
    loss_ : float
        Training loss of the last epoch.
    best_loss_ : float or None
        Smallest training loss; None with early stopping.
    loss_curve_ : list
        Training loss of each epoch.
    validation_loss_curve_ : list or None
        Loss of each epoch on the validation rows.
    validation_scores_ : list or None
        Score of each epoch on the validation rows.
    best_validation_score_ : float or None
        Best score on the validation rows.
    n_iter_ : int
        Epochs that were done.
    t_ : int
        Rows that were seen in training.
    gamma_ : float
        Parameters that the data determine; only where the solver estimates it (bayesian).
    standard_errors_ : array
        Standard error of each entry of theta_; only after levenberg_marquardt or bayesian.
    stop_reason_ : str
        Reason why the training ended.
    target_name_ : str or list
        Name of the target, or of several; only after `chainrule train`.
    reading_ : dict
        How the file was read; only after `chainrule train` on a table.
    encoder_ : TableEncoder or None
        Encoder of the columns, where there is one.
    input_scale_ : float
        Factor on every input that the model was fitted with.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : array
        Names of the columns; only where they have names.
    n_layers_ : int
        Number of layers, the inputs counted.
    n_outputs_ : int
        Number of outputs of the network.
    out_activation_ : str
        Scikit-learn's name for the link of the loss.

    Examples
    --------
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
