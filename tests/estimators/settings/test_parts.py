"""From settings to parts: each part as documented, and the settings that fit no part refused."""

from __future__ import annotations

from math import inf
from typing import Any, get_args

import numpy as np
import pytest

from chainrule import Activation, Dense, MLPClassifier, MLPRegressor, losses, optimizers, schedules
from chainrule.augmentation import Deformation, Mask, Noise
from chainrule.estimators.settings import loss, optimizer, running, step
from chainrule.estimators.settings import network as assembly
from chainrule.estimators.settings.loss import Task
from chainrule.losses import LOSSES
from chainrule.optimizers import OPTIMIZERS
from chainrule.penalties import L1, L2
from chainrule.schedules import SCHEDULES

Settings = dict[str, Any]

TASKS = get_args(Task)

FITTING: dict[str, dict[str, str]] = {
    "log_loss": {
        "binary": "sigmoid_cross_entropy",
        "multilabel": "sigmoid_cross_entropy",
        "multiclass": "cross_entropy",
    },
    "hinge": {"binary": "hinge", "multilabel": "hinge", "multiclass": "multiclass_hinge"},
    "squared_hinge": {
        "binary": "squared_hinge",
        "multilabel": "squared_hinge",
        "multiclass": "squared_multiclass_hinge",
    },
    "poisson": {"regression": "poisson"},
    **{name: {"multiclass": name} for name in ("cross_entropy", "multiclass_hinge", "squared_multiclass_hinge")},
    **{
        name: dict.fromkeys(("binary", "multiclass", "multilabel"), name)
        for name in ("sigmoid_cross_entropy", "logistic", "perceptron")
    },
    **{name: dict.fromkeys(TASKS, name) for name in ("squared_error", "absolute_error", "huber", "quantile")},
}
"""For each name of a loss the tasks that it fits, and the row of LOSSES that it then means."""


def settings(**changes: Any) -> Settings:
    return {**MLPRegressor().get_params(), **MLPClassifier().get_params(), **changes}


def test_the_table_names_every_loss() -> None:
    assert set(FITTING) == {"log_loss", *LOSSES}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", list(FITTING))
def test_a_loss_fits_its_tasks_and_no_other(name: str, task: Task) -> None:
    if task in FITTING[name]:
        assert loss.loss(settings(loss=name), task) == LOSSES[FITTING[name][task]]()
        return
    with pytest.raises(ValueError, match=f"loss '{name}' does not fit a {task} target; accepted: ") as error:
        loss.loss(settings(loss=name), task)
    offered = str(error.value).split("accepted: ")[1].split(", ")
    assert offered
    for other in offered:
        assert task in FITTING[other]


def test_a_loss_object_is_taken_as_it_is() -> None:
    given = losses.Huber(3.0)
    assert loss.loss(settings(loss=given, delta=9), "regression") is given
    with pytest.raises(ValueError, match="does not fit a binary target"):
        loss.loss(settings(loss=losses.CrossEntropy()), "binary")


def test_delta_and_quantile_reach_their_losses() -> None:
    assert loss.loss(settings(loss="huber", delta=0.3), "regression") == losses.Huber(0.3)
    assert loss.loss(settings(loss="quantile", quantile=0.9), "regression") == losses.Quantile(0.9)


def test_label_smoothing_reaches_the_losses_that_have_it_and_no_given_object() -> None:
    assert loss.loss(settings(label_smoothing=0.1), "multiclass") == losses.CrossEntropy(0.1)
    assert loss.loss(settings(label_smoothing=0.1), "binary") == losses.SigmoidCrossEntropy(0.1)
    with pytest.raises(ValueError, match="label_smoothing is for losses on probabilities, log_loss among them"):
        loss.loss(settings(loss="hinge", label_smoothing=0.1), "binary")
    given = losses.CrossEntropy()
    assert loss.loss(settings(loss=given, label_smoothing=0.1), "multiclass") is given


def test_augmentations_have_a_strength_above_zero_and_an_order() -> None:
    assert step.augmentations(settings(), 7) == ()
    own = Mask(0.5, 1.0)
    every = {"augment_noise": 0.1, "augment_mask": 0.2, "augment_rotate": 5, "augmentation": [own]}
    wanted = (Deformation((3, 3), rotate=5.0), Mask(0.2), Noise(0.1), own)
    assert step.augmentations(settings(**every), 9) == wanted
    strengths = {"shift": 1.0, "rotate": 2.0, "scale": 0.3, "shear": 4.0, "elastic": 5.0}
    named = {f"augment_{name}": strength for name, strength in strengths.items()}
    found = step.augmentations(settings(**named, image_shape=[2, 3, 2]), 12)
    assert found == (Deformation((2, 3, 2), **strengths),)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"augment_shift": 1}, "image_shape must be given to deform images: 12 inputs are no square image"),
        ({"augment_shift": 1, "image_shape": (3, 3)}, r"image_shape \(3, 3\) has 9 numbers, there are 12 inputs"),
        (
            {"augmentation": [Deformation((2, 2))]},
            r"Deformation shape \(2, 2\): such an image has 4 numbers, there are 12",
        ),
    ],
)
def test_images_that_the_inputs_are_not_are_refused(changes: Settings, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        step.augmentations(settings(**changes), 12)


def test_the_network_is_a_chain_of_dense_and_activation() -> None:
    network = assembly.network(settings(hidden_layer_sizes=(4, 3), activation=("tanh", "relu")), 5, 2)
    dense = [Dense(units, None, "zeros") for units in (4, 3, 2)]
    assert network.blocks == (dense[0], Activation("tanh"), dense[1], Activation("relu"), dense[2])
    assert network.widths == [5, 4, 4, 3, 3, 2]


@pytest.mark.parametrize("given", [7, (7,), [7], np.array([7]), np.int64(7)])
def test_one_hidden_layer_in_many_ways(given: Any) -> None:
    assert assembly.sizes(settings(hidden_layer_sizes=given)) == [7]


def test_no_hidden_layer_is_a_linear_model() -> None:
    network = assembly.network(settings(hidden_layer_sizes=()), 5, 2)
    assert network.blocks == (Dense(2, None, "zeros"),)


def test_initializers_reach_every_dense_block() -> None:
    network = assembly.network(
        settings(hidden_layer_sizes=(3,), initializer="lecun_normal", bias_initializer=0.1), 2, 1
    )
    assert network.blocks[0] == Dense(3, "lecun_normal", 0.1)
    assert network.blocks[2] == Dense(1, "lecun_normal", 0.1)


def test_the_number_of_activations_must_match() -> None:
    with pytest.raises(ValueError, match="activation names 2 layers, hidden_layer_sizes 3"):
        assembly.network(settings(hidden_layer_sizes=(3, 3, 3), activation=["tanh", "relu"]), 2, 1)


@pytest.mark.parametrize(
    ("alpha", "l1", "expected"),
    [
        (0, 0, []),
        (0.1, 0, [L2(0.1, per_sample=True)]),
        (0, 0.2, [L1(0.2, per_sample=True)]),
        (0.1, 0.2, [L2(0.1, per_sample=True), L1(0.2, per_sample=True)]),
    ],
)
def test_penalties_have_a_strength_above_zero(alpha: float, l1: float, expected: list[Any]) -> None:
    assert loss.penalties(settings(alpha=alpha, l1=l1)) == expected


FACTORS: dict[str, Any] = {
    "learning_rate_init": 0.3,
    "momentum": 0.7,
    "beta_1": 0.6,
    "beta_2": 0.5,
    "epsilon": 0.4,
    "weight_decay": 0.2,
    "tol": 0.01,
    "max_fun": 9,
}

RULES: dict[str, tuple[Any, Any]] = {
    "sgd": (optimizers.Nesterov(1e-3, 0.9), optimizers.Nesterov(0.3, 0.7)),
    "momentum": (optimizers.Momentum(1e-3, 0.9), optimizers.Momentum(0.3, 0.7)),
    "nesterov": (optimizers.Nesterov(1e-3, 0.9), optimizers.Nesterov(0.3, 0.7)),
    "adagrad": (optimizers.AdaGrad(0.01, 1e-8), optimizers.AdaGrad(0.3, 1e-8)),
    "adadelta": (optimizers.AdaDelta(1.0, 0.95, 1e-6), optimizers.AdaDelta(0.3, 0.95, 1e-6)),
    "rmsprop": (optimizers.RMSProp(1e-3, 0.9, 1e-8), optimizers.RMSProp(0.3, 0.9, 1e-8)),
    "adam": (optimizers.Adam(1e-3, 0.9, 0.999, 1e-8), optimizers.Adam(0.3, 0.6, 0.5, 0.4)),
    "adamw": (optimizers.AdamW(1e-3, 0.9, 0.999, 1e-8, 0.01), optimizers.AdamW(0.3, 0.6, 0.5, 0.4, 0.2)),
    "nadam": (optimizers.NAdam(2e-3, 0.9, 0.999, 1e-8, 4e-3), optimizers.NAdam(0.3, 0.6, 0.5, 0.4, 4e-3)),
    "amsgrad": (optimizers.AMSGrad(1e-3, 0.9, 0.999, 1e-8), optimizers.AMSGrad(0.3, 0.6, 0.5, 0.4)),
    "radam": (optimizers.RAdam(1e-3, 0.9, 0.999, 1e-8), optimizers.RAdam(0.3, 0.6, 0.5, 0.4)),
    "lion": (optimizers.Lion(1e-4, 0.9, 0.99, 0.01), optimizers.Lion(0.3, 0.6, 0.99, 0.2)),
    "rprop": (optimizers.Rprop(0.01, 0.5, 1.2, 1e-6, 50.0), optimizers.Rprop(0.3, 0.5, 1.2, 1e-6, 50.0)),
    "lbfgs": (optimizers.LBFGS(10, 1e-4, 15000), optimizers.LBFGS(10, 0.01, 9)),
    "muon": (optimizers.Muon(), optimizers.Muon(learning_rate=0.3)),
    "kfac": (optimizers.KFAC(), optimizers.KFAC(learning_rate=0.3)),
    **{
        name: (kind(tolerance=1e-4, max_evaluations=15000), kind(tolerance=0.01, max_evaluations=9))
        for name, kind in (
            ("gradient_descent", optimizers.GradientDescent),
            ("newton", optimizers.Newton),
            ("damped_newton", optimizers.DampedNewton),
            ("bfgs", optimizers.BFGS),
            ("cg", optimizers.ConjugateGradients),
            ("trust_region", optimizers.TrustRegion),
            ("natural_gradient", optimizers.NaturalGradient),
        )
    },
    "hessian_free": (optimizers.HessianFree(tolerance=1e-4), optimizers.HessianFree(tolerance=0.01)),
    "levenberg_marquardt": (optimizers.LevenbergMarquardt(tolerance=1e-7),) * 2,
    "lm": (optimizers.LevenbergMarquardt(tolerance=1e-7),) * 2,
    "bayesian": (optimizers.BayesianRegularization(tolerance=1e-7),) * 2,
}
"""For each solver the optimiser that the default settings give, and that of FACTORS."""


@pytest.mark.parametrize("solver", list(OPTIMIZERS))
def test_a_solver_takes_the_settings_that_it_has(solver: str) -> None:
    plain, changed = RULES[solver]
    assert optimizer.optimizer(settings(solver=solver)) == plain
    assert optimizer.optimizer(settings(solver=solver, **FACTORS)) == changed


def test_sgd_chooses_its_momentum() -> None:
    plain = settings(solver="sgd", nesterovs_momentum=False)
    assert optimizer.optimizer(plain) == optimizers.Momentum(1e-3, 0.9)
    assert optimizer.optimizer({**plain, "momentum": 0}) == optimizers.SGD(1e-3)


def test_an_optimizer_object_is_taken_as_it_is() -> None:
    given = optimizers.Adam(0.2)
    assert optimizer.optimizer(settings(solver=given, learning_rate_init=0.1, beta_1=0.5)) is given


SCHEDULED: dict[str, Any] = {
    "constant": schedules.Constant(0.3),
    "inverse_time": schedules.InverseTime(0.3, "epoch"),
    "invscaling": schedules.InverseScaling(0.3, 0.7, "rows"),
    "step": schedules.Step(0.3, 4, 0.6, "epoch"),
    "exponential": schedules.Exponential(0.3, 0.6, "epoch"),
    "cosine": schedules.Cosine(0.3, 0.0),
    "one_cycle": schedules.OneCycle(0.3, 0.3, 25.0, 1e4),
    "adaptive": schedules.Adaptive(0.3, 5.0, 1e-6),
}


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_a_schedule_takes_the_settings_that_it_has(name: str) -> None:
    given = settings(learning_rate=name, learning_rate_init=0.3, power_t=0.7, decay=0.6, decay_every=4)
    rule = optimizer.optimizer(given)
    assert optimizer.schedule(given, rule) == SCHEDULED[name]
    assert optimizer.schedule({**given, "warm_up": 8}, rule) == schedules.WarmUp(SCHEDULED[name], 8)


@pytest.mark.parametrize("solver", [optimizers.Adam(0.2), "adagrad", "adadelta", "adam", "lbfgs"])
def test_the_schedule_starts_from_the_rules_own_rate(solver: Any) -> None:
    given = settings(solver=solver)
    own = {"adagrad": 0.01, "adadelta": 1.0, "adam": 1e-3, "lbfgs": 1e-3}.get(str(solver), 0.2)
    assert optimizer.schedule(given, optimizer.optimizer(given)) == schedules.Constant(own)
    told = {**given, "learning_rate_init": 0.5}
    assert optimizer.schedule(told, optimizer.optimizer(told)) == schedules.Constant(0.5)


def test_a_schedule_object_is_taken_as_it_is() -> None:
    given = schedules.Cosine(0.2, 0.1)
    changed = settings(learning_rate=given, learning_rate_init=0.5)
    assert optimizer.schedule(changed, optimizers.Adam()) is given
    assert optimizer.schedule({**changed, "warm_up": 3}, optimizers.Adam()) == schedules.WarmUp(given, 3)


def test_stopping_watches_the_loss_or_the_validation_score() -> None:
    given = settings(tol=0.01, n_iter_no_change=7)
    late = running.stopping(given, optimizers.Adam())
    early = running.stopping({**given, "early_stopping": True}, optimizers.Adam())
    assert late is not None
    assert (late.monitor, late.min_change, late.patience, late.keep_best) == ("loss", 0.01, 7, False)
    assert early is not None
    assert (early.monitor, early.min_change, early.patience, early.keep_best) == ("validation_score", 0.01, 7, True)


def test_stopping_can_be_given_infinite_patience() -> None:
    endless = running.stopping(settings(n_iter_no_change=inf), optimizers.Adam())
    assert endless is not None
    assert endless.patience == inf


def test_a_minimizer_stops_by_itself_unless_stopped_early() -> None:
    assert running.stopping(settings(), optimizers.LBFGS()) is None
    early = running.stopping(settings(early_stopping=True), optimizers.LBFGS())
    assert early is not None
    assert early.keep_best
