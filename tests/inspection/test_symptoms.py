"""Symptoms: the loss of the best constant, layers of equal units, and which trainings show a sign of trouble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from chainrule import Activation, Dense, Network, Objective
from chainrule.inspection.symptoms import FEWEST_STEPS, constant_loss, equal_layers, symptom
from chainrule.losses import LOSSES, AbsoluteError, CrossEntropy, SquaredError
from chainrule.mathematics.blocks import DropConnect

RNG = np.random.default_rng(0)
N = 60
TARGETS: dict[str, Any] = {
    "real": RNG.normal(3, 2, (N, 2)),
    "counts": RNG.poisson(3, (N, 2)).astype(float),
    "binary": (RNG.random((N, 2)) < 0.3).astype(float),
    "signs": np.where(RNG.random((N, 2)) < 0.3, 1.0, -1.0),
    "classes": (RNG.random(N) < 0.3).astype(int),
}
"""Targets of each kind, for two outputs."""


def objective(loss: Any, weight: Any = None) -> Objective:
    return Objective(Network(1, [Dense(2)]), loss, np.zeros((N, 1)), TARGETS[loss.targets], weight)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_best_constant_is_as_good_as_a_search_finds(name: str, weighted: bool) -> None:
    loss, weight = LOSSES[name](), RNG.uniform(0.5, 2, N) if weighted else None
    given = objective(loss, weight)
    found = constant_loss(given)

    def of(s: Any) -> float:
        return float(loss.value(np.tile(s, (N, 1)), given.y, weight))

    starts = [np.zeros(2), np.array([1.0, -1.0]), np.array([-1.0, 1.0]), np.full(2, 3.0), np.full(2, -1.0)]
    best = min(minimize(of, start, method="Nelder-Mead").fun for start in starts)
    if name != "perceptron":  # which is 0 for scores that are all 0, and says nothing then
        assert found >= best * (1 - 1e-6)
    if loss.probabilistic or name == "squared_error":
        assert found <= best * (1 + 1e-4)


def test_two_classes_have_the_entropy_of_their_shares() -> None:
    share = TARGETS["classes"].mean()
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert constant_loss(objective(CrossEntropy())) == pytest.approx(entropy, rel=1e-12)


def test_the_median_is_the_best_constant_of_absolute_errors() -> None:
    y = TARGETS["real"]
    wanted = AbsoluteError().value(np.tile(np.median(y, axis=0), (N, 1)), y, None)
    assert constant_loss(objective(AbsoluteError())) == wanted


# ------------------------------------------------------------------------------------------------------ equal units

DEEP = Network(2, [Dense(3), Activation("tanh"), DropConnect(4), Activation("tanh"), Dense(1), Activation("tanh")])


def deep(equal: list[int]) -> tuple[Objective, Any]:
    """Return an objective and weights of which some layers have equal units."""
    network = Network(2, [*DEEP.blocks, Dense(2)])
    theta = network.initialize(0)
    params = network.unpack(theta)
    for k in equal:
        params[k]["W"][:], params[k]["b"][:] = 0.5, 0.1
    return Objective(network, SquaredError(), np.ones((4, 2)), np.arange(8.0).reshape(4, 2)), theta


@pytest.mark.parametrize(("equal", "found"), [([], []), ([0], [0]), ([2], [2]), ([0, 2], [0, 2]), ([4], []), ([6], [])])
def test_layers_of_equal_units_are_seen_where_there_are_several_hidden_ones(equal: list[int], found: list[int]) -> None:
    assert equal_layers(*deep(equal)) == found


def test_one_other_unit_or_bias_is_enough() -> None:
    for name in ("W", "b"):
        given, theta = deep([0])
        given.network.unpack(theta)[0][name][..., -1] += 1e-9
        assert equal_layers(given, theta) == []


# --------------------------------------------------------------------------------------------------------- symptoms


@dataclass(frozen=True)
class Epoch:
    """An event of a training, as far as symptoms look."""

    step: int
    loss: float
    learning_rate: float | None = None
    gradient_norm: float = 0.0
    look: Any = None


def history(*losses: float, steps: int = FEWEST_STEPS) -> list[Epoch]:
    return [Epoch(steps if k == len(losses) else k, loss) for k, loss in enumerate(losses, 1)]


def test_signs_of_trouble() -> None:
    given, theta = objective(SquaredError()), np.array([1.0, 2.0, 0.0, 0.0])
    constant = constant_loss(given)
    sound = history(2 * constant, constant, 0.5 * constant, 0.1 * constant)
    assert not symptom(given, theta, sound)
    assert symptom(given, theta, history(2 * constant, 0.91 * constant))
    assert not symptom(given, theta, history(2 * constant, 0.89 * constant))
    assert symptom(given, theta, history(1.0, 1.0, 0.1 * constant, 0.7 * constant, 0.1 * constant))
    assert not symptom(given, theta, history(1.0, 0.1 * constant, 2.0 * constant, 0.2 * constant, 0.1 * constant, 0.1))


@pytest.mark.parametrize("loss", [SquaredError(), CrossEntropy()])
def test_one_value_for_all_rows_is_learned_by_a_tiny_loss(loss: Any) -> None:
    network = Network(1, [Dense(2)])
    y = np.full((N, 2), 0.3) if loss.targets == "real" else np.zeros(N, int)
    given, theta = Objective(network, loss, np.zeros((N, 1)), y), network.initialize(0)
    assert not symptom(given, theta, history(0.5, 5e-4))
    assert symptom(given, theta, history(0.5, 0.4))


def test_a_few_steps_show_nothing() -> None:
    given, theta = objective(SquaredError()), np.zeros(4)
    bad = 2 * constant_loss(given)
    assert not symptom(given, theta, [])
    assert not symptom(given, theta, history(bad, bad, steps=FEWEST_STEPS - 1))
    assert symptom(given, theta, history(bad, bad))


def test_equal_units_are_a_symptom_of_their_own() -> None:
    for equal, answer in (([], False), ([0], True)):
        given, theta = deep(equal)
        assert symptom(given, theta, history(9.0, 0.0)) is answer
