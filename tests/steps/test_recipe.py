"""What a step does beside its rule, in small sums: clipping, accumulation, rates, constraints, averages."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Activation, Dense, Network, Objective, train
from chainrule.augmentation import Noise
from chainrule.engines import ReferenceEngine
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.mathematics.blocks import BatchNorm, Dropout
from chainrule.mathematics.penalties import KINDS
from chainrule.optimizers import LBFGS, SGD, Adam
from chainrule.penalties import L1, L2
from chainrule.steps.augmentation.mixup import mixup_share
from chainrule.steps.recipe import CLIPS, DEFAULT_RECIPE, Recipe, shrink
from support.strategies import SEEDS

NETWORK = Network(4, [Dense(5), Activation("tanh"), Dense(3)])


def problem(rows: int = 24, network: Network = NETWORK, penalties: Any = ()) -> tuple[Objective, Any]:
    rng = np.random.default_rng(rows)
    X, y = rng.normal(size=(rows, 4)), rng.integers(0, 3, rows)
    objective = Objective(network, CrossEntropy(), X, y, rng.uniform(0.5, 2, rows), penalties)
    return objective, network.initialize(1) + 0.01


def run(objective: Objective, theta: Any, recipe: Recipe, rates: list[float], batch: int, rule: Any = None) -> Any:
    """Return θ and the memory after some steps over the rows in their order."""
    rule = rule or SGD()
    theta, memory = theta.copy(), rule.zeros(theta.size)
    ReferenceEngine(objective, rule, 3, recipe).run(theta, memory, np.arange(objective.rows), batch, rates)
    return theta, memory


@given(SEEDS, st.sampled_from(sorted(CLIPS)), st.floats(1e-3, 10))
def test_a_clipped_gradient_points_the_same_way_and_is_short_enough(seed: int, name: str, limit: float) -> None:
    g = np.random.default_rng(seed).normal(size=NETWORK.size)
    clipped = CLIPS[name](NETWORK, g, limit)
    assert (np.sign(clipped) == np.sign(g)).all()
    assert (np.abs(clipped) <= np.abs(g)).all()
    slack = limit * (1 + 1e-12)
    sizes = {
        "value": np.abs(clipped).max(),
        "norm": np.linalg.norm(clipped),
        "unit": max(np.linalg.norm(w, axis=0).max() for n, w in NETWORK.views(clipped).items() if n.endswith("W")),
    }
    assert sizes[name] <= slack
    assert CLIPS[name](NETWORK, g, 1e6).tobytes() == g.tobytes()


def test_clipping_by_norm_in_numbers() -> None:
    network = Network(1, [Dense(1)])
    np.testing.assert_allclose(CLIPS["norm"](network, np.array([3.0, 4.0]), 1.0), [0.6, 0.8])
    np.testing.assert_allclose(CLIPS["unit"](network, np.array([3.0, 4.0]), 1.0), [1.0, 4.0])  # biases are spared
    np.testing.assert_allclose(CLIPS["value"](network, np.array([3.0, -4.0]), 3.5), [3.0, -3.5])


@pytest.mark.parametrize("parts", [2, 3, 5])
@pytest.mark.parametrize("penalties", [(), (L2(0.1, True), L1(0.01))], ids=["bare", "penalised"])
def test_accumulated_batches_are_one_large_batch(parts: int, penalties: Any) -> None:
    objective, theta = problem(24, penalties=penalties)
    wanted, _ = run(objective, theta, DEFAULT_RECIPE, [0.3] * 2, 12)
    got, _ = run(objective, theta, Recipe(accumulate=parts), [0.3] * 2, 12)
    np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-15)


def test_accumulated_batches_draw_the_masks_of_the_large_one() -> None:
    network = Network(4, [Dropout(0.3), Dense(5), Activation("tanh"), Dropout(0.5), Dense(3)])
    objective, theta = problem(24, network)
    wanted, got = (run(objective, theta, recipe, [0.3], 24)[0] for recipe in (DEFAULT_RECIPE, Recipe(accumulate=4)))
    np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-15)


def test_batch_normalisation_sees_the_parts() -> None:
    network = Network(4, [Dense(5, bias=False), BatchNorm(0.5), Activation("tanh"), Dense(3)])
    objective, theta = problem(12, network)
    got, _ = run(objective, theta, Recipe(accumulate=3), [0.0], 12)
    mean = np.zeros(5)
    for part in range(3):
        z = objective.X[4 * part : 4 * part + 4] @ network.views(theta)["0.W"]
        mean = 0.5 * mean + 0.5 * z.mean(axis=0)
    start = network.views(theta)["1.mean"]
    np.testing.assert_allclose(network.views(got)["1.mean"], mean + start / 8, rtol=1e-12)


@pytest.mark.parametrize("engine", ["reference", "auto"])
def test_parts_are_batches_even_where_they_are_more_than_the_rows(engine: str) -> None:
    network = Network(4, [Dense(5, bias=False), BatchNorm(), Activation("tanh"), Dense(3)])
    objective, theta = problem(30, network)
    settings: Any = {"optimizer": SGD(0.1), "order": "given", "epochs": 2, "engine": engine}
    for batch, few, many in ((10, 3, 5), (20, 2, 3), (None, 1, 4)):
        wanted, got = (
            train(objective, theta, batch_size=batch, recipe=Recipe(accumulate=parts), **settings).theta
            for parts in (few, many)
        )
        np.testing.assert_array_equal(got, wanted)


def test_steps_done_before_an_interrupt_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(ReferenceEngine):
        def run(self, theta: Any, memory: Any, order: Any, batch: int, rates: Any, *more: Any) -> Any:
            super().run(theta, memory, order[: 3 * batch], batch, rates[:3], *more)
            raise KeyboardInterrupt

    objective, theta = problem(24)
    monkeypatch.setattr(
        sys.modules["chainrule.loop.training"], "build", lambda *given: Interrupted(objective, Adam(), 0)
    )
    result = train(objective, theta, optimizer=Adam(), batch_size=2)
    assert (result.reason, result.state.step, result.state.memory.t) == ("interrupted", 3, 3)


def test_rates_by_kind_scale_each_kinds_step() -> None:
    objective, theta = problem()
    plain, _ = run(objective, theta, DEFAULT_RECIPE, [0.1], 24)
    got, _ = run(objective, theta, Recipe(rates={"bias": 3.0, "weight": 0.5}), [0.1], 24)
    factor = np.where(NETWORK.mask("bias"), 3.0, 0.5)
    np.testing.assert_allclose(got - theta, factor * (plain - theta), rtol=1e-9, atol=1e-15)


def test_a_kind_without_a_rate_of_its_own_keeps_the_rates_factor_1() -> None:
    recipe = Recipe(rates={"bias": 3.0})
    assert (recipe.rate("bias"), recipe.rate("weight"), DEFAULT_RECIPE.rate("bias")) == (3.0, 1.0, 1.0)
    factors = recipe.factors(NETWORK, "float32")
    np.testing.assert_array_equal(factors, np.where(NETWORK.mask("bias"), 3, 1).astype("float32"), strict=True)
    assert DEFAULT_RECIPE.factors(NETWORK, "float32") == 1.0
    assert Recipe(rates=dict.fromkeys(KINDS, 2.0)).rate(KINDS[-1]) == 2.0


def test_units_are_shortened_in_the_precision_of_theta() -> None:
    """Each factor is rounded to float32 before it multiplies."""
    theta = np.random.default_rng(0).normal(size=NETWORK.size).astype("float32")
    clipped = Recipe(clip=("unit", 0.7)).clipped(NETWORK, theta)
    for name, w in NETWORK.views(theta).items():
        norms = np.sqrt(np.sum(w * w, axis=0))
        factors = np.where(norms > 0.7, 0.7 / norms, 1).astype("float32") if name.endswith("W") else np.float32(1)
        np.testing.assert_array_equal(NETWORK.views(clipped)[name], w * factors, strict=True)


def test_max_norm_bounds_every_unit_and_spares_biases() -> None:
    objective, theta = problem()
    got, _ = run(objective, theta, Recipe(max_norm=0.4), [0.5], 24)
    plain, _ = run(objective, theta, DEFAULT_RECIPE, [0.5], 24)
    for name, w in NETWORK.views(got).items():
        if name.endswith("W"):
            assert np.linalg.norm(w, axis=0).max() <= 0.4 * (1 + 1e-12)
        else:
            np.testing.assert_array_equal(w, NETWORK.views(plain)[name])


def test_a_proximal_step_makes_zeros_that_a_gradient_does_not() -> None:
    zeros = {}
    for proximal in (False, True):
        objective, theta = problem(24, penalties=[L1(0.2, proximal=proximal)])
        got, _ = run(objective, theta, DEFAULT_RECIPE, [0.1] * 24, 1)
        zeros[proximal] = int((got[NETWORK.mask("weight")] == 0).sum())
        assert not (got[NETWORK.mask("bias")] == 0).any()
    assert zeros[False] == 0
    assert zeros[True] > 10


def test_the_proximal_step_is_the_one_that_its_definition_minimises() -> None:
    """It gives the w that minimises ½ (w - θ)² + λ |w|."""
    slot = NETWORK.slots[0]
    theta = np.random.default_rng(0).normal(size=NETWORK.size)
    before = theta.copy()
    shrink(theta, slot, 0.3)
    grid = np.linspace(-4, 4, 80001)
    for w, start in zip(theta[slot.start : slot.stop], before[slot.start : slot.stop], strict=True):
        best = grid[np.argmin(0.5 * (grid - start) ** 2 + 0.3 * np.abs(grid))]
        assert abs(best - w) <= 1e-4
    np.testing.assert_array_equal(theta[slot.stop :], before[slot.stop :])


def test_the_proximal_step_is_the_rate_of_the_kind_times_the_strength() -> None:
    """The strength is that of a row, 12, over the weight of the rows, 24: weights shrink by 0.1 3 12 / 24."""
    penalty = L1(12.0, per_sample=True, proximal=True)
    network = Network(1, [Dense(1)])
    objective = Objective(network, SquaredError(), np.ones((24, 1)), np.ones(24), penalties=[penalty])
    theta = np.array([2.0, 1.0])
    Recipe(rates={"weight": 3.0, "bias": 7.0}).constrain(objective, theta, 0.1)
    np.testing.assert_allclose(theta, [1.85, 1.0], rtol=1e-15)


def test_the_average_follows() -> None:
    objective, theta = problem()
    average = np.zeros(theta.size)
    for steps in (1, 2, 3):
        got, followed = theta.copy(), theta.copy()
        engine = ReferenceEngine(objective, SGD(), 3, decay=0.6)
        engine.run(got, SGD().zeros(theta.size), np.arange(objective.rows), 8, [0.1] * steps, average=followed)
        average += max(0.4, 1 / steps) * (got - average)
        np.testing.assert_allclose(followed, average, rtol=1e-14)


def test_an_average_is_no_part_of_a_recipe() -> None:
    with pytest.raises(TypeError, match="average"):
        Recipe(average=0.99)  # type: ignore[call-arg]  # it was silently ignored


def test_rows_are_augmented_then_mixed() -> None:
    objective, theta = problem(6)
    recipe = Recipe(augmentation=(Noise(0.5),), mixup=0.3)
    batch = recipe.changed(objective, 3, 11)
    noisy = Recipe(augmentation=(Noise(0.5),)).changed(objective, 3, 11).X
    share = mixup_share(0.3, 3, 11)
    np.testing.assert_allclose(batch.X, share * noisy + (1 - share) * np.roll(noisy, -1, axis=0))
    np.testing.assert_allclose(batch.y.sum(axis=1), 1)
    assert not np.array_equal(noisy, Recipe(augmentation=(Noise(0.5),)).changed(objective, 3, 12).X)
    assert DEFAULT_RECIPE.changed(objective, 3, 11) is objective
    value, _ = batch.value_and_gradient(theta)
    assert np.isfinite(value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"clip": ("size", 1.0)}, "Recipe clip must be one of value, norm, unit and a positive limit"),
        ({"clip": ("norm",)}, "Recipe clip must be one of value, norm, unit and a positive limit"),
        ({"clip": ["norm", 1.0]}, "Recipe clip must be one of value, norm, unit and a positive limit"),
        ({"clip": -1}, "Recipe clip must be one of value, norm, unit and a positive limit"),
        ({"clip": ("norm", 0.0)}, "Recipe clip must be one of value, norm, unit and a positive limit"),
        ({"rates": {"biases": 1.0}}, "Recipe rates must be positive factors of weight, bias, scale, slope"),
        ({"rates": {"bias": -1.0}}, "Recipe rates must be positive factors"),
        ({"rates": {"bias": "much"}}, "Recipe rates must be positive factors"),
        ({"rates": 3}, "Recipe rates must be positive factors of weight, bias, scale, slope, got 3"),
        ({"clip": ("norm", "far")}, "Recipe clip must be one of value, norm, unit and a positive limit"),
        (
            {"augmentation": [1]},
            r"Recipe augmentation must be a sequence of augmentations such as augmentation.Noise\(0.1\), got \[1\]",
        ),
        ({"augmentation": [Noise]}, "Recipe augmentation must be a sequence of augmentations"),
        ({"augmentation": 3}, "Recipe augmentation must be a sequence of augmentations"),
        ({"accumulate": 0}, "Recipe accumulate must be a whole number of at least 1, got 0"),
        ({"max_norm": -1.0}, "Recipe max_norm must be a positive finite number, got -1.0"),
        ({"mixup": -0.1}, "Recipe mixup must be a finite number of at least 0, got -0.1"),
    ],
)
def test_recipes_refuse_what_is_out_of_range(settings: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Recipe(**settings)


def test_a_minimiser_of_all_rows_refuses_what_needs_steps() -> None:
    noisy = Network(4, [Dropout(0.3), Dense(3)])
    with pytest.raises(ValueError, match=r"Dropout\(rate=0.3\) needs an optimiser that takes mini-batches; LBFGS"):
        train(problem(12, noisy)[0], noisy.initialize(0), optimizer=LBFGS())
    with pytest.raises(ValueError, match=r"max_norm needs an update rule such as Adam, .*; LBFGS does not"):
        train(*problem(12), optimizer=LBFGS(), recipe=Recipe(max_norm=1.0))
    with pytest.raises(ValueError, match="a proximal penalty needs an update rule such as Adam"):
        train(*problem(12, penalties=[L1(0.1, proximal=True)]), optimizer=LBFGS())


def test_a_recipe_trains_through_the_public_surface() -> None:
    objective, theta = problem(24)
    recipe = Recipe(clip=("norm", 1.0), rates={"bias": 2.0}, max_norm=2.0, mixup=0.2)
    results = [
        train(objective, theta, optimizer=Adam(0.05), recipe=recipe, epochs=30, batch_size=6, engine=engine)
        for engine in ("reference", "auto")
    ]
    np.testing.assert_allclose(results[1].theta, results[0].theta, rtol=1e-9, atol=1e-12)
    assert objective.value(results[0].theta) < 0.7 * objective.value(theta)


def test_targets_that_are_shares_already_are_mixed_as_they_are() -> None:
    shares = np.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    batch = Recipe(mixup=0.4).changed(Objective(NETWORK, CrossEntropy(), np.eye(2, 4), shares), 3, 11)
    share = mixup_share(0.4, 3, 11)
    np.testing.assert_allclose(batch.y, share * shares + (1 - share) * shares[::-1], rtol=1e-15)


def test_squared_errors_mix_their_targets() -> None:
    X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 10.0, 20.0])
    objective = Objective(Network(1, [Dense(1)]), SquaredError(), X, y)
    batch = Recipe(mixup=1.0).changed(objective, 0, 0)
    np.testing.assert_allclose(batch.y[:, 0], 10 * batch.X[:, 0])
