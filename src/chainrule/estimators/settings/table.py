"""The settings of the estimators: one row each, read by the estimators, the command line and the model file.

A row says what a setting is for, what it accepts (in code, in words, and as text on the command line) and which
group of `chainrule train --help` shows it. Defaults stand once, in the estimators' signatures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from numbers import Integral, Real
from os import PathLike
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from sklearn.metrics import get_scorer_names

from ...engines import ENGINES
from ...foundation.values import Anything, Choice, Flag, Number, Optional, Rule, Several, Shape, Whole
from ...loop.checkpoint import Interval
from ...loop.progress import Monitor
from ...mathematics.activations import ACTIVATIONS, ALIASES
from ...mathematics.blocks import ACTIVATION_BLOCKS, INPUT_TRANSFORMS, NORMALIZATIONS, Activation
from ...mathematics.initializers import INITIALIZERS
from ...mathematics.losses import LOSSES, Loss
from ...mathematics.penalties import KINDS
from ...mathematics.starts import STARTS
from ...optimizers import OPTIMIZERS, Optimizer, UpdateRule
from ...steps.augmentation.images import is_augmentation
from ...steps.averaging import AVERAGES
from ...steps.schedules import SCHEDULES, Schedule

Group = Literal["network", "loss", "optimiser", "training", "stopping", "data", "augmentation", "running"]


@dataclass(frozen=True)
class Setting:
    """One row: its group, what it accepts, what it is for; whether the command line and model files have it."""

    group: Group
    rule: Rule
    help: str
    on_command_line: bool = True
    stored: bool = True


_names = tuple(sorted({*ACTIVATIONS, *ALIASES, *ACTIVATION_BLOCKS}))
_initializers = Choice(("auto", *INITIALIZERS), (int, float, Callable))  # type: ignore[arg-type]  # isinstance takes it
_fraction = Number(0, 1, high_open=True)
_seed = Optional(Whole(0, high=2**64 - 1))
_verbose = Anything("True, False or a number", lambda v: isinstance(v, Real | np.bool_))
_class_weight = Anything(
    "None, 'balanced' or a dict",
    lambda v: v is None or isinstance(v, Mapping | list) or (isinstance(v, str) and v == "balanced"),
)
_scorer = Anything(
    "a scikit-learn scorer, the name of one (such as 'accuracy', 'f1_macro' or 'r2') or None",
    lambda v: v is None or (v in get_scorer_names() if isinstance(v, str) else callable(v)),
)
_strength = Number(0, high_open=True)
_positive = Number(0, low_open=True, high_open=True)
_rates = Anything(
    f"a dict of positive factors by kind ({', '.join(KINDS)}) such as {{'bias': 2.0}}, or None",
    lambda v: v is None or (isinstance(v, Mapping) and {*v} <= {*KINDS} and all(map(_positive.accepts, v.values()))),
)
_augmentations = Anything(
    "a sequence of augmentations, or None",
    lambda v: v is None or (isinstance(v, Iterable) and all(map(is_augmentation, v))),
)
_callbacks = Anything(
    "a sequence of functions that take a Progress event, or None",
    lambda v: v is None or (isinstance(v, Iterable) and all(map(callable, v))),
)
_file = Anything("the name of a file, or None", lambda v: v is None or (isinstance(v, str | PathLike) and bool(str(v))))
_interval = Anything("a text such as '1 epoch', '500 steps' or '30 seconds'", Interval.accepts)

SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "hidden_layer_sizes": Setting(
            "network", Several(Whole(), empty=True), "units in each hidden layer; none for a linear model"
        ),
        "activation": Setting(
            "network",
            Several(Choice(_names, (Activation, *ACTIVATION_BLOCKS.values()))),
            "activation, for all hidden layers or one each",
        ),
        "initializer": Setting("network", _initializers, "starting weights; auto suits the activation"),
        "bias_initializer": Setting("network", Choice(_initializers.names[1:], _initializers.kinds), "starting biases"),
        "start": Setting(
            "network",
            Choice(tuple(STARTS)),
            "unit_variance scales the starting weights to the data",
        ),
        "input_transform": Setting(
            "network",
            Optional(Choice(tuple(INPUT_TRANSFORMS))),
            "what is done to the inputs first, measured on the training rows",
        ),
        "components": Setting("network", Optional(Whole()), "principal components that pca and whitening keep"),
        "normalization": Setting(
            "network",
            Optional(Choice(tuple(NORMALIZATIONS))),
            "what stands before the activations of hidden layers",
        ),
        "dropout": Setting("network", Several(_fraction), "share of each hidden layer's outputs left out in a step"),
        "input_dropout": Setting("network", _fraction, "share of the inputs left out in a step, the rest enlarged"),
        "noise": Setting("network", Several(_strength), "deviation of normal noise on each hidden layer's outputs"),
        "input_noise": Setting("network", _strength, "deviation of normal noise on the inputs"),
        "drop_connect": Setting(
            "network", Several(_fraction), "share of each hidden layer's weights left out in a step"
        ),
        "loss": Setting("loss", Choice(("log_loss", *LOSSES), (Loss,)), "what is minimised"),
        "delta": Setting("loss", Number(0, low_open=True), "where the Huber loss turns from squared to absolute"),
        "quantile": Setting("loss", Number(0, 1, True, True), "the quantile of the quantile loss"),
        "label_smoothing": Setting("loss", _fraction, "share of the target that goes to all classes alike"),
        "alpha": Setting("loss", Number(0), "L2 penalty on the weights, divided by the rows of the batch"),
        "l1": Setting("loss", Number(0), "L1 penalty on the weights, divided by the rows of the batch"),
        "l1_proximal": Setting("loss", Flag(), "take l1 as a proximal step, which makes weights exactly 0"),
        "max_norm": Setting("loss", Optional(_positive), "longest the incoming weights of a unit may be"),
        "solver": Setting(
            "optimiser", Choice(tuple(OPTIMIZERS), (UpdateRule, Optimizer)), "update rule or another optimiser"
        ),
        "learning_rate_init": Setting(
            "optimiser",
            Optional(Number(0, low_open=True, high_open=True)),
            "learning rate at the start; the highest one of one_cycle",
        ),
        "learning_rate": Setting("optimiser", Choice(tuple(SCHEDULES), (Schedule,)), "learning-rate schedule"),
        "power_t": Setting("optimiser", Number(0), "exponent of invscaling"),
        "decay": Setting("optimiser", Number(0, 1, True), "factor of the step and exponential schedules"),
        "decay_every": Setting("optimiser", Whole(), "epochs between the drops of the step schedule"),
        "warm_up": Setting("optimiser", Whole(0), "steps over which the learning rate rises from 0"),
        "momentum": Setting("optimiser", Number(0, 1), "momentum of sgd, momentum and nesterov"),
        "nesterovs_momentum": Setting("optimiser", Flag(), "whether sgd uses Nesterov's momentum"),
        "beta_1": Setting("optimiser", _fraction, "decay of the first moment of Lion and the Adam family"),
        "beta_2": Setting("optimiser", _fraction, "decay of the second moment of the Adam family"),
        "epsilon": Setting("optimiser", Number(0, low_open=True), "ε of the Adam family"),
        "weight_decay": Setting("optimiser", Number(0), "decoupled decay of the weights of AdamW and Lion"),
        "rates": Setting("optimiser", _rates, "factors of the learning rate by kind of parameter"),
        "clip_value": Setting("optimiser", Optional(_positive), "largest entry of the gradient"),
        "clip_norm": Setting("optimiser", Optional(_positive), "largest norm of the gradient"),
        "clip_unit": Setting("optimiser", Optional(_positive), "largest norm of the gradient of a unit's weights"),
        "max_fun": Setting("optimiser", Whole(), "largest number of evaluations of lbfgs"),
        "batch_size": Setting("training", Whole(1, ("auto",)), "rows to a step; auto is min(200, rows)"),
        "accumulate": Setting("training", Whole(), "batches whose gradients make one step"),
        "max_iter": Setting("training", Whole(), "largest number of epochs (iterations of lbfgs)"),
        "shuffle": Setting("training", Flag(("once",)), "new batches each epoch"),
        "n_restarts": Setting("training", Whole(), "independent starts, of which the best is kept"),
        "averaging": Setting(
            "training",
            Optional(Choice(tuple(AVERAGES))),
            "average the weights: swa, over epochs; ema, over steps",
        ),
        "averaging_start": Setting("training", Number(0, 1), "fraction of the epochs before swa begins"),
        "average_decay": Setting("training", _fraction, "what ema keeps of the average in each step"),
        "class_weight": Setting("training", _class_weight, "weights of the classes"),
        "random_state": Setting("training", _seed, "seed: the same seed gives the same bits"),
        "tol": Setting("stopping", Number(0), "smallest change that counts as an improvement"),
        "n_iter_no_change": Setting("stopping", Whole(1, (inf,)), "epochs without improvement before stopping"),
        "early_stopping": Setting("stopping", Flag(), "stop on the validation score, keep the best weights"),
        "validation_fraction": Setting("stopping", _fraction, "share of the rows kept for validation"),
        "monitor": Setting(
            "stopping",
            Choice(("auto", *get_args(Monitor))),
            "what must improve; auto: the score with early stopping, else the loss",
        ),
        "scoring": Setting("stopping", _scorer, "validation score"),
        "time_limit": Setting("stopping", Optional(Number(0, low_open=True)), "seconds after which to stop"),
        "preprocessing": Setting(
            "data",
            Choice(("auto", "always", "never")),
            "encode and standardise columns; auto: where a table needs it",
        ),
        "input_scale": Setting("data", Number(0, low_open=True), "factor on every input, such as 1/255 for pixels"),
        "scale_target": Setting("data", Flag(), "standardise the target of a regression while training"),
        "dtype": Setting("data", Choice(("auto", "float32", "float64")), "precision; auto follows the data"),
        "augment_noise": Setting("augmentation", _strength, "deviation of normal noise on every input"),
        "augment_mask": Setting("augmentation", _fraction, "share of the inputs that are set to 0"),
        "augment_shift": Setting("augmentation", Number(0, 1e6), "pixels by which images are shifted at most"),
        "augment_rotate": Setting("augmentation", Number(0, 180), "degrees by which images are turned at most"),
        "augment_scale": Setting("augmentation", _fraction, "share by which images grow or shrink at most"),
        "augment_shear": Setting(
            "augmentation", Number(0, 90, high_open=True), "degrees by which images are slanted at most"
        ),
        "augment_elastic": Setting("augmentation", Number(0, 1e6), "pixels by which images are bent, root mean square"),
        "image_shape": Setting("augmentation", Optional(Shape()), "rows and columns of images; none: a square"),
        "mixup": Setting("augmentation", _strength, "α of the Beta(α, α) law of the share in which rows are mixed"),
        "augmentation": Setting("augmentation", _augmentations, "further augmentations, after those above", False),
        "engine": Setting("running", Choice(("auto", *ENGINES)), "what runs the steps; auto: native where it can"),
        "n_threads": Setting("running", Optional(Whole()), "threads of the native engine; they change no bit"),
        "verbose": Setting("running", _verbose, "print each epoch", False),
        "warm_start": Setting("running", Flag(), "go on from the last fit", False),
        "callbacks": Setting("running", _callbacks, "readers", False),
        "checkpoint": Setting(
            "running", _file, "keep the training here; go on from it where it is there", stored=False
        ),
        "checkpoint_every": Setting(
            "running", _interval, "how often to keep it: after so many epochs, steps or seconds"
        ),
    }
)
"""The table. A setting is a row here and a keyword of an estimator."""


def check(values: Mapping[str, Any], owner: str) -> None:
    """Check the settings of an estimator.

    Raises ValueError for the first one that is not accepted, naming it, what was given and what is accepted.

    >>> check({"alpha": -1}, "MLPClassifier")
    Traceback (most recent call last):
    ...
    ValueError: MLPClassifier: alpha must be a number at least 0, got -1
    """
    for name, value in values.items():
        rule = SETTINGS[name].rule
        if rule.accepts(value) or (name == "random_state" and not isinstance(value, Integral)):
            continue  # scikit-learn's check_random_state knows the other values
        if name == "hidden_layer_sizes" and Several(Whole(-sys.maxsize)).accepts(value):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {value!r}")
        raise ValueError(f"{owner}: {name} must be {rule.words}, got {value!r}")
