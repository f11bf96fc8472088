"""Everything that a step does beside its rule, in the native engine: equal to the definitions, the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Activation, Dense, Network, Objective
from chainrule.augmentation import Deformation, Mask, Noise
from chainrule.engines import NativeEngine, ReferenceEngine, steps_of
from chainrule.engines.native import core as native
from chainrule.losses import CrossEntropy
from chainrule.mathematics.blocks import BatchNorm, Block, DropConnect, Dropout, LayerNorm, PReLU
from chainrule.optimizers import Nesterov
from chainrule.penalties import L1, L2, ElasticNet, Penalty
from chainrule.steps.recipe import CLIPS, DEFAULT_RECIPE, Recipe
from support.native_cases import LATER, both_dtypes
from support.oracles import relative_error

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)

CHAINS: dict[str, list[Block]] = {
    "plain": [Dense(50), Activation("tanh"), Dense(300), Activation("tanh"), Dense(5)],
    "normalised": [
        *(Dense(50, bias=False), BatchNorm(), Activation("tanh"), Dropout(0.3)),
        *(Dense(300), LayerNorm(), PReLU(), Dense(5)),
    ],
    "DropConnect": [DropConnect(50, 0.5), Activation("tanh"), DropConnect(300, 0.3), Activation("tanh"), Dense(5)],
}
DECAYS = {"average": 0.9, "average and max norm": 0.9, "all": 0.5}
"""The decay of the moving average, for the recipes that run with one."""

RECIPES: dict[str, Recipe] = {
    "value": Recipe(clip=("value", 3e-3)),
    "norm": Recipe(clip=("norm", 0.1)),
    "unit": Recipe(clip=("unit", 0.01)),
    "rates": Recipe(rates={"bias": 2.0, "scale": 0.5, "slope": 3.0}),
    "max norm": Recipe(max_norm=0.9),
    "average": DEFAULT_RECIPE,
    "average and max norm": Recipe(max_norm=0.9),
    "parts": Recipe(accumulate=3),
    "mixup": Recipe(mixup=0.4),
    "augmented": Recipe(augmentation=(Mask(0.2), Noise(0.3))),
    "images": Recipe(augmentation=(Deformation((6, 6), 1, 20, 0.1, 10, 0.8),), mixup=1.0),
    "all": Recipe(
        augmentation=(Noise(0.3),),
        mixup=0.4,
        accumulate=3,
        clip=("norm", 0.1),
        max_norm=0.9,
        rates={"bias": 3.0},
    ),
}
PENALTIES: dict[str, list[Penalty]] = {
    "none": [],
    "proximal": [L1(1e-3, proximal=True), L2(1e-3, True)],
    "elastic": [ElasticNet(1e-2, kinds=("weight", "bias"))],
}


def test_every_way_to_clip_has_a_recipe() -> None:
    assert {recipe.clip[0] for recipe in RECIPES.values() if recipe.clip} == {*CLIPS}


def run(engine: Any, theta: Any, batch: int) -> tuple[Any, ...]:
    """Return θ, its average, the losses, the last gradient's norm and the value at the end."""
    rule = Nesterov()
    theta, memory, losses = theta.copy(), rule.zeros(theta.size, theta.dtype.name), []
    average = theta.copy()
    order = np.random.default_rng(1).permutation(engine.objective.rows)
    steps = steps_of(order.size, batch)
    for epoch in range(3):
        done = engine.run(theta, memory, order, batch, [0.03] * steps, epoch * steps, average)
        losses += done.losses
    return theta, average, np.array(losses), done.gradient_norm, engine.value(theta)


@pytest.mark.parametrize("rows_and_batch", [(101, 37), (1300, 600)], ids=str)
@pytest.mark.parametrize("chain", CHAINS.values(), ids=list(CHAINS))
@pytest.mark.parametrize("name", list(RECIPES))
@both_dtypes
def test_recipes(chain: list[Block], name: str, dtype: str, rows_and_batch: tuple[int, int]) -> None:
    rows, batch = rows_and_batch
    recipe = RECIPES[name]
    turn = list(RECIPES).index(name) + list(CHAINS.values()).index(chain)  # every penalty meets every recipe
    penalties = list(PENALTIES.values())[turn % len(PENALTIES)]
    rng = np.random.default_rng(rows)
    network = Network(36, chain)
    X, y, weight = rng.normal(size=(rows, 36)).astype(dtype), rng.integers(0, 5, rows), rng.uniform(0.5, 2, rows)
    objective = Objective(network, CrossEntropy(), X, y, weight, penalties)
    theta = network.initialize(0, dtype) + np.asarray(0.01, dtype)  # no bias on the kink of L1
    decay = DECAYS.get(name)
    wanted = run(ReferenceEngine(objective, Nesterov(), 7, recipe, decay), theta, batch)
    first, *others = (run(NativeEngine(objective, Nesterov(), 7, n, recipe, decay), theta, batch) for n in (1, 2, 7))
    for got, right in zip(first, wanted, strict=True):
        assert relative_error(got, right) <= LATER[dtype]
    for other in others:
        for got, same in zip(other, first, strict=True):
            np.testing.assert_array_equal(got, same)
    assert (decay is None) == np.array_equal(first[1], theta)
