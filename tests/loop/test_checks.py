"""The words with which a training refuses its arguments, each whole; and that what is just allowed is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import chainrule as cr
from chainrule.losses import SquaredError
from chainrule.mathematics.blocks import Dropout
from chainrule.optimizers import LBFGS, SGD, Adam, Memory
from chainrule.penalties import L1
from chainrule.steps.augmentation import Deformation, Noise
from chainrule.steps.averaging import Averaging, MovingAverage
from chainrule.steps.recipe import Recipe


class Asking(LBFGS):
    """Declares that it asks batches for more than the gradient."""

    whole_batch = False
    needs = frozenset({"gradient", "jacobian", "hessian_product"})


@dataclass
class Duck:
    """Takes steps, and does not inherit the rest of the contract."""

    def init(self, network: Any, theta: Any) -> Memory:
        return Memory()

    def step(self, ask: Any, theta: Any, memory: Memory, rate: float) -> Any:
        raise AssertionError("never asked")


def needing(needs: Any) -> Any:
    """Return an optimiser that declares these needs."""
    return type("Needing", (LBFGS,), {"needs": needs})()


def problem(*blocks: Any, penalties: Any = (), sparse_rows: bool = False) -> cr.Objective:
    """Return squared error on four rows of two columns."""
    X: Any = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    X = sparse.csr_array(X) if sparse_rows else X
    return cr.Objective(cr.Network(2, [*blocks, cr.Dense(1)]), SquaredError(), X, np.ones(4), penalties=penalties)


ONE_BY_ONE = "needs an update rule such as Adam, which works entry by entry; LBFGS does not"
SPARSE = "X is sparse; augmentation, mixup, and noise, dropout or scaling of the inputs need dense rows"
CALLBACKS = "callbacks must be a sequence of functions that take an event, got "
INHERIT = "its class must inherit from chainrule.optimizers.Optimizer"
NO_VERB = (
    "no verb of an engine; accepted: a set of forward, value, gradient, gauss_newton_product, hessian_product, "
    "gauss_newton, jacobian, pull, factors, squares, part"
)
SEED = "seed must be a whole number from 0 to 2**64 - 1, got "
BATCH = "batch_size must be a whole number of at least 1 (or None for all rows), got "
EPOCHS = "epochs must be a whole number of at least 1, got "

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"optimizer": "adam"}, "optimizer must be an optimiser such as optimizers.Adam(), got 'adam'"),
    ({"optimizer": Adam}, f"optimizer must be an optimiser such as optimizers.Adam(), got {Adam!r}"),
    ({"optimizer": Duck()}, "optimizer must be an optimiser such as optimizers.Adam(), got Duck(); " + INHERIT),
    ({"optimizer": needing({"gradient", "hesian_product"})}, f"Needing.needs names hesian_product, {NO_VERB}"),
    ({"optimizer": needing("gradient")}, f"Needing.needs names 'gradient', {NO_VERB}"),
    (
        {"optimizer": LBFGS(), "objective": problem(Dropout(0.1))},
        "Dropout(rate=0.1) needs an optimiser that takes batches; LBFGS takes all rows in every step",
    ),
    (
        {"optimizer": Asking(), "objective": problem(Dropout(0.1))},
        "Dropout(rate=0.1) needs an optimiser that asks for the gradient only; Asking needs hessian_product, jacobian",
    ),
    (
        {"optimizer": LBFGS(), "averaging": Averaging()},
        "averaging needs an optimiser that takes batches; LBFGS takes all rows in every step",
    ),
    ({"optimizer": LBFGS(), "recipe": Recipe(max_norm=1.0)}, f"max_norm {ONE_BY_ONE}"),
    ({"optimizer": LBFGS(), "recipe": Recipe(mixup=0.5)}, f"mixup {ONE_BY_ONE}"),
    (
        {"optimizer": LBFGS(), "objective": problem(penalties=[L1(0.1, proximal=True)])},
        f"a proximal penalty {ONE_BY_ONE}",
    ),
    ({"seed": -1}, SEED + "-1"),
    ({"seed": 2**64}, SEED + str(2**64)),
    ({"seed": True}, SEED + "True"),
    ({"seed": 1.0}, SEED + "1.0"),
    ({"recipe": None}, "recipe must be a Recipe, got None"),
    ({"recipe": Recipe(mixup=0.5), "objective": problem(sparse_rows=True)}, SPARSE),
    ({"recipe": Recipe(augmentation=(Noise(0.1),)), "objective": problem(sparse_rows=True)}, SPARSE),
    ({"objective": problem(Dropout(0.1), sparse_rows=True)}, SPARSE),
    (
        {"optimizer": SGD(), "state": cr.TrainingState(np.zeros(3), Memory(1, {"v": np.zeros(3)}, {"b": 1.0}))},
        "state.memory is another rule's: it holds b, v, SGD keeps nothing; give memory=None",
    ),
    (
        {"optimizer": Adam(), "state": cr.TrainingState(np.zeros(3), Memory(1))},
        "state.memory is another rule's: it holds nothing, Adam keeps mean, square_mean; give memory=None",
    ),
    ({"objective": problem().batch(slice(0, 0))}, "the objective holds no rows: nothing to train on"),
    ({"theta": np.zeros(4)}, "theta has shape (4,); this network has 3 parameters"),
    ({"theta": np.zeros(3, int)}, "theta must hold float32 or float64 numbers, got int64"),
    ({"schedule": 0.1}, "schedule must be a schedule such as schedules.Constant(0.001), got 0.1"),
    ({"epochs": 0}, EPOCHS + "0"),
    ({"epochs": 2.0}, EPOCHS + "2.0"),
    ({"batch_size": 0}, BATCH + "0"),
    ({"batch_size": 2.0}, BATCH + "2.0"),
    ({"order": "random"}, "order 'random' is not known; accepted: reshuffle, once, given"),
    ({"averaging": "swa"}, "averaging must be such as Averaging(start=0.75), or None, got 'swa'"),
    (
        {"averaging": MovingAverage(), "objective": problem(penalties=[L1(0.1, proximal=True)])},
        "a moving average (ema) of weights that a proximal L1 penalty makes 0 comes near 0 and is never 0; average "
        "over epochs (swa), or leave out one of the two",
    ),
    ({"validation": (1, 2)}, "validation must be an Objective on the validation rows, or None, got (1, 2)"),
    ({"stopping": 3}, "stopping must be a Stopping, or None, got 3"),
    ({"checkpoint": "x.ck"}, "checkpoint must be a Checkpoint such as Checkpoint('training.ck'), or None, got 'x.ck'"),
    ({"time_limit": -1}, "time_limit must be a number of at least 0, in seconds, or None, got -1"),
    ({"time_limit": "1 s"}, "time_limit must be a number of at least 0, in seconds, or None, got '1 s'"),
    ({"callbacks": print}, CALLBACKS + "<built-in function print>"),
    ({"callbacks": [3]}, CALLBACKS + "(3,)"),
    ({"score": 1.0}, "score must be a function, or None, got 1.0"),
    ({"on_steps": 1.0}, "on_steps must be a function, or None, got 1.0"),
    ({"theta": np.array([0.0, np.nan, 0.0])}, "theta holds NaN or infinity; start from finite weights"),
    ({"stopping": cr.Stopping("validation_loss")}, "stopping on validation_loss needs `validation`"),
    ({"stopping": cr.Stopping("validation_score")}, "stopping on validation_score needs `score`"),
]


@pytest.mark.parametrize(("given", "words"), REFUSED, ids=[words[:50] for _, words in REFUSED])
def test_each_refusal_in_full(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are compared whole
        cr.train(**{"objective": problem(), "theta": np.zeros(3), "epochs": 1, **given})
    assert str(caught.value) == words


ALLOWED: list[dict[str, Any]] = [
    {"seed": 0},
    {"seed": 2**64 - 1},
    {"seed": np.int64(3)},
    {"epochs": 1, "batch_size": 1},
    {"epochs": np.int64(1), "batch_size": np.int64(2)},
    {"objective": problem(sparse_rows=True)},
    {"recipe": Recipe(mixup=0.5)},
    {"objective": problem(Dropout(0.1))},
    {"objective": problem(penalties=[L1(0.1, proximal=True)])},
    {"objective": problem(penalties=[L1(0.1, proximal=True)]), "averaging": Averaging()},
    {"averaging": MovingAverage()},
    {"callbacks": (event for event in [lambda event: None])},
    {"time_limit": np.float32(1e3)},
    {"time_limit": np.inf},
    {"optimizer": LBFGS()},
    {"optimizer": LBFGS(), "objective": problem(penalties=[L1(0.1)])},
    {"stopping": cr.Stopping("validation_loss"), "validation": problem()},
    {"stopping": cr.Stopping("validation_score"), "score": lambda theta: 0.0},
    {"stopping": cr.Stopping("loss")},
    {"theta": np.zeros(3, "float32")},
]


@pytest.mark.parametrize("given", ALLOWED, ids=str)
def test_what_is_just_allowed_trains(given: dict[str, Any]) -> None:
    result = cr.train(**{"objective": problem(), "theta": np.zeros(3), "epochs": 1, **given})
    assert (result.reason, result.state.epoch) == ("epochs", 1)


def test_an_augmentation_checks_the_inputs_before_the_first_step() -> None:
    with pytest.raises(ValueError, match="such an image has 4 numbers, there are 2 inputs"):
        cr.train(problem(), np.zeros(3), recipe=Recipe(augmentation=(Deformation((2, 2), shift=0.5),)))
