"""Every setting is one row: what it accepts, what it refuses, what its text on the command line stands for."""

from __future__ import annotations

import re
from inspect import signature
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import get_scorer

from chainrule import Activation, MLPClassifier, MLPRegressor, losses, optimizers, schedules
from chainrule.augmentation import Deformation, Mask, Noise
from chainrule.estimators.settings.table import SETTINGS, check
from chainrule.foundation.values import Choice, Flag, Number, Whole
from chainrule.losses import LOSSES
from chainrule.mathematics.activations import ACTIVATIONS
from chainrule.mathematics.blocks import ACTIVATION_BLOCKS, INPUT_TRANSFORMS, PReLU
from chainrule.optimizers import OPTIMIZERS
from chainrule.schedules import SCHEDULES

ESTIMATORS = (MLPClassifier, MLPRegressor)

FRACTION = ((0, 0.5, np.float32(0.25)), (-0.1, 1, nan, True, "0.5", None))
POSITIVE = ((1e-12, 3, np.int64(2)), (0, -1, nan, False, "1", None))
NOT_NEGATIVE = ((0, 0.5, np.float64(2)), (-1e-12, nan, True, "0", None))
COUNT = ((1, 200, np.int32(7)), (0, -1, 1.0, 2.5, True, "1", None, nan))
SWITCH = ((True, False, np.True_), (0, 1, "true", None))

CASES: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "hidden_layer_sizes": (
        (5, (), [], (3,), [4, 2], np.array([4, 2]), np.int64(5)),
        (0, -1, (3, 0), 2.5, (3, 2.5), "3", None, True, [[3]]),
    ),
    "activation": (
        (*ACTIVATIONS, *ACTIVATION_BLOCKS, "logistic", Activation("elu", alpha=0.5), ("relu", PReLU(shared=True))),
        ("Relu", ("relu", "no"), (), None, 3, Activation),
    ),
    "initializer": (("auto", "he_normal", 0, 0.1, np.zeros), ("he", None, [0.1], float)),
    "bias_initializer": (("zeros", 0, 0.1, np.zeros), ("auto", None, [0.1], float)),
    "start": (("random", "unit_variance"), ("zeros", None, True)),
    "input_transform": ((None, *INPUT_TRANSFORMS), ("PCA", "robust", True, 1)),
    "components": ((None, 1, np.int64(3)), (0, -1, 0.95, "2", True)),
    "normalization": ((None, "batch", "layer"), ("group", True, "Batch")),
    "dropout": ((0, 0.5, (0.2, 0.5), [0.1], np.array([0.1])), (1, -0.1, nan, (), (0.5, 1), "0.5", None, True)),
    "input_dropout": FRACTION,
    "noise": ((0, 0.5, (0.2, 3)), (-0.1, nan, inf, (), "0.5", None, True)),
    "input_noise": NOT_NEGATIVE,
    "drop_connect": ((0, 0.5, (0.2, 0.5)), (1, -0.1, nan, (), None, True)),
    "l1_proximal": SWITCH,
    "max_norm": ((None, 0.1, 3), (0, -1, nan, inf, "1", True)),
    "rates": ((None, {}, {"bias": 2.0}, {"weight": 1, "slope": 0.5}), ({"bias": 0}, {"biases": 1.0}, 2.0, "bias:2")),
    "clip_value": ((None, 0.1, 3), (0, -1, nan, inf, "1", True)),
    "clip_norm": ((None, 0.1, 3), (0, -1, nan, inf, "1", True)),
    "clip_unit": ((None, 0.1, 3), (0, -1, nan, inf, "1", True)),
    "accumulate": COUNT,
    "loss": (("log_loss", *LOSSES, losses.Huber(2.0)), ("mse", None, losses.Huber)),
    "delta": POSITIVE,
    "quantile": ((0.01, 0.5), (0, 1, nan, "0.5", None)),
    "alpha": NOT_NEGATIVE,
    "l1": NOT_NEGATIVE,
    "solver": ((*OPTIMIZERS, optimizers.Adam(0.1), optimizers.LBFGS()), ("Adam", None, optimizers.Adam, 0.1)),
    "learning_rate_init": ((None, 0.1, 1), (0, -1, nan, "0.1", True)),
    "learning_rate": ((*SCHEDULES, schedules.WarmUp()), ("fast", None, 0.1, schedules.Constant)),
    "power_t": NOT_NEGATIVE,
    "decay": ((0.01, 1), (0, 1.1, nan, "1", None)),
    "decay_every": COUNT,
    "warm_up": ((0, 10, np.int8(3)), (-1, 0.5, True, "1", None)),
    "momentum": ((0, 0.9, 1), (-0.1, 1.1, nan, True, None)),
    "nesterovs_momentum": SWITCH,
    "beta_1": FRACTION,
    "beta_2": FRACTION,
    "epsilon": POSITIVE,
    "weight_decay": NOT_NEGATIVE,
    "max_fun": COUNT,
    "batch_size": ((1, 200, "auto"), (0, -1, 1.5, "all", None, True)),
    "max_iter": COUNT,
    "shuffle": ((True, False, np.False_, "once"), ("twice", 0, None, np.array([True, False]))),
    "n_restarts": COUNT,
    "averaging": ((None, "swa", "ema"), ("mean", "None", True, 0.5)),
    "averaging_start": ((0, 0.75, 1), (-0.1, 1.1, nan, True, None)),
    "average_decay": FRACTION,
    "class_weight": ((None, "balanced", {0: 1.0}, [{0: 1}, {0: 2}]), ("even", 2, True, np.ones(2))),
    "random_state": ((None, 0, 2**64 - 1, np.uint8(3)), (-1, 2**64)),
    "tol": NOT_NEGATIVE,
    "n_iter_no_change": ((1, 10, inf), (0, -1, 2.5, nan, None, "inf")),
    "early_stopping": SWITCH,
    "validation_fraction": FRACTION,
    "monitor": (("auto", "loss", "validation_loss", "validation_score"), ("score", None, True)),
    "scoring": ((None, "r2", get_scorer("roc_auc"), lambda model, X, y: 0.0), (3, ["r2"], True, "acuracy")),
    "time_limit": ((None, 0.1, 60, inf), (0, -1, nan, "60")),
    "preprocessing": (("auto", "always", "never"), ("sometimes", None, True)),
    "input_scale": POSITIVE,
    "scale_target": SWITCH,
    "dtype": (("auto", "float32", "float64"), ("float16", np.float32, None)),
    "label_smoothing": FRACTION,
    "augment_noise": NOT_NEGATIVE,
    "augment_mask": FRACTION,
    "augment_shift": NOT_NEGATIVE,
    "augment_rotate": NOT_NEGATIVE,
    "augment_scale": FRACTION,
    "augment_shear": NOT_NEGATIVE,
    "augment_elastic": NOT_NEGATIVE,
    "image_shape": (
        (None, (28, 28), [8, 9, 3], np.array([4, 5])),
        (28, (28,), (28, 0), (2.5, 3), (1, 2, 3, 4), "28,28", "ab", True, {"a": 1, "b": 2}),
    ),
    "mixup": NOT_NEGATIVE,
    "augmentation": ((None, [], (Noise(0.1), Mask(0.2)), [Deformation((2, 2))]), (Noise(0.1), [Noise], [3], "noise")),
    "engine": (("auto", "native", "reference"), ("fast", None)),
    "n_threads": ((None, 1, 4, np.int64(2)), (0, -1, 1.5, "two", True)),
    "verbose": ((True, False, 0, 10), ("yes", None, [1])),
    "warm_start": SWITCH,
    "checkpoint": ((None, "run.checkpoint", Path("run")), ("", 3, True, b"run")),
    "checkpoint_every": (
        ("1 epoch", "10 epochs", "500 steps", "2.5 seconds"),
        ("1", "0 epochs", "1.5 steps", "2 hours", 3, None),
    ),
    "callbacks": ((None, [], [print], (print, len)), (print, 3, [print, 3], "print")),
}
"""For each row: values that it accepts, values that it refuses."""

every_row = pytest.mark.parametrize("name", list(SETTINGS))


def _parameters(estimator: type) -> dict[str, Any]:
    given = list(signature(estimator).parameters.values())
    return {parameter.name: parameter.default for parameter in given}


def test_each_row_is_a_parameter_and_each_parameter_a_row() -> None:
    assert set(SETTINGS) == {name for estimator in ESTIMATORS for name in _parameters(estimator)}
    assert set(CASES) == set(SETTINGS)


def test_shared_parameters_have_equal_defaults() -> None:
    classifier, regressor = map(_parameters, ESTIMATORS)
    differing = {name for name in classifier.keys() & regressor.keys() if classifier[name] != regressor[name]}
    assert differing == {"loss"}
    assert classifier.keys() - regressor.keys() == {"class_weight", "label_smoothing"}
    assert regressor.keys() - classifier.keys() == {"delta", "quantile", "scale_target"}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_defaults_are_accepted(estimator: type) -> None:
    check(_parameters(estimator), estimator.__name__)


@every_row
def test_a_row_accepts(name: str) -> None:
    for value in CASES[name][0]:
        check({name: value}, "MLPClassifier")


@every_row
def test_a_row_refuses_and_says_what_it_accepts(name: str) -> None:
    for value in CASES[name][1]:
        with pytest.raises(ValueError, match=f"{name} must be ") as error:
            check({name: value}, "MLPClassifier")
        assert repr(value) in str(error.value)
        sizes = name == "hidden_layer_sizes" and "> 0" in str(error.value)
        assert sizes or f"MLPClassifier: {name} must be {SETTINGS[name].rule.words}, got" in str(error.value)


def test_accepted_names_stand_in_the_error() -> None:
    with pytest.raises(ValueError, match=r"one of sgd, .*rprop, .*lm, bayesian, or an Optimizer object") as error:
        check({"solver": "adma"}, "MLPRegressor")
    assert str(error.value).startswith("MLPRegressor: solver must be")
    assert all(name in SETTINGS["loss"].rule.words for name in LOSSES)
    assert all(name in SETTINGS["learning_rate"].rule.words for name in SCHEDULES)


def test_layers_of_no_units_are_refused_in_scikit_learns_words() -> None:
    with pytest.raises(ValueError, match=re.escape("hidden_layer_sizes must be > 0, got (3, -1)")):
        check({"hidden_layer_sizes": (3, -1)}, "MLPClassifier")


def test_random_state_leaves_other_kinds_to_scikit_learn() -> None:
    check({"random_state": np.random.RandomState(0)}, "MLPClassifier")


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_the_estimators_ask_the_table(estimator: type, method: str) -> None:
    extra = {"classes": [0, 1]} if (estimator, method) == (MLPClassifier, "partial_fit") else {}
    with pytest.raises(ValueError, match=f"^{estimator.__name__}: tol must be a number at least 0, got -1$"):
        getattr(estimator(tol=-1), method)(np.eye(2), [0, 1], **extra)


def test_every_row_has_one_line_of_help() -> None:
    for setting in SETTINGS.values():
        assert setting.help == setting.help.strip(" .\n") != ""
        assert len(setting.help) < 80


numbers = st.one_of(st.floats(), st.integers(-(10**6), 10**6))
ends = st.floats(-100, 100)


@given(number=numbers, low=ends, high=ends, low_open=st.booleans(), high_open=st.booleans())
def test_number_is_an_interval(number: float, low: float, high: float, low_open: bool, high_open: bool) -> None:
    inside = (low < number if low_open else low <= number) and (number < high if high_open else number <= high)
    assert Number(low, high, low_open, high_open).accepts(number) == inside


@given(number=st.integers(), low=st.integers(-5, 5), high=st.one_of(st.integers(6, 99), st.just(inf)))
def test_whole_is_a_range_of_integers(number: int, low: int, high: float) -> None:
    rule = Whole(low, ("auto",), high)
    assert rule.accepts(number) == (low <= number <= high)
    assert not rule.accepts(float(number))
    assert rule.accepts("auto")
    assert not rule.accepts(str(number))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Number(0, 1, True, True), "a number above 0 and below 1"),
        (Number(0, 1), "a number at least 0 and at most 1"),
        (Whole(1, ("auto",)), "a whole number of at least 1, or 'auto'"),
        (Whole(0, high=9), "a whole number of at least 0 and at most 9"),
        (Choice(("a", "b"), (Activation, float)), "one of a, b, or an Activation object, or a number"),
        (Flag(("once",)), "True or False, or 'once'"),
    ],
)
def test_words(rule: Any, words: str) -> None:
    assert rule.words == words
