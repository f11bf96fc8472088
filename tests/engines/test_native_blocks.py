"""Blocks that draw, learn or measure, in the native engine: equal to the definitions, the same bits on any threads.

A network is a chain of affine maps, each with some of the stages that may follow it, as lowering.STAGES has them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Activation, Dense, Network, Objective, engines, fit_blocks
from chainrule.engines import NativeEngine, ReferenceEngine
from chainrule.engines.native import core as native
from chainrule.engines.native.lowering import STAGES, lower
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.mathematics.blocks import (
    PCA,
    BatchNorm,
    Block,
    Context,
    DropConnect,
    Dropout,
    GaussianNoise,
    LayerNorm,
    NoisyReLU,
    PReLU,
    RReLU,
    Scaling,
)
from chainrule.optimizers import Adam, Nesterov
from chainrule.penalties import L1, L2
from support.native_cases import DTYPES, LATER, ONCE, both_dtypes
from support.oracles import relative_error
from support.strategies import SEEDS

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)

CHAINS: dict[str, list[Block]] = {
    "dropout": [Dropout(0.2), Dense(50), Activation("tanh"), Dropout(0.5), Dense(33), Dropout(0.3), Dense(5)],
    "noise": [GaussianNoise(0.3), Dense(50), Activation("tanh"), GaussianNoise(0.2), Dense(5)],
    "both kinds of noise": [Dropout(0.1), GaussianNoise(0.3), Dense(70), Dropout(0.4), GaussianNoise(0.2), Dense(5)],
    "PReLU": [Dense(50), PReLU(), Dense(33), PReLU(0.1, shared=True), Dropout(0.3), Dense(5)],
    "RReLU": [Dense(50), RReLU(), Dense(33), RReLU(0.1, 0.9), Dense(5)],
    "noisy ReLU": [Dense(50), NoisyReLU(), Dense(33), NoisyReLU(), Dense(5)],
    "DropConnect": [DropConnect(50), Activation("tanh"), DropConnect(300, 0.3), Activation("tanh"), Dense(5)],
    "LayerNorm": [Dense(50), LayerNorm(), Activation("tanh"), Dense(33), LayerNorm(), PReLU(), Dense(5)],
    "BatchNorm": [Dense(50), BatchNorm(), Activation("tanh"), Dense(33, bias=False), BatchNorm(0.3), Dense(5)],
    "BatchNorm first": [Dense(50, bias=False), BatchNorm(), Activation("tanh"), Dense(40), Dense(33), Dense(5)],
    "Scaling": [Scaling("quantile"), Dense(50), Activation("tanh"), Dense(5)],
    "PCA": [Scaling("min_max"), PCA(20, whiten=True), Dropout(0.1), Dense(50, bias=False), BatchNorm(), Dense(5)],
    "all": [
        Dropout(0.1),
        *(Dense(40), Activation("tanh")),
        *(Dense(50, bias=False), BatchNorm(), PReLU(), Dropout(0.3), GaussianNoise(0.1)),
        *(DropConnect(33, 0.2), LayerNorm(), RReLU()),
        *(Dense(20), BatchNorm(), NoisyReLU()),
        Dense(5),
    ],
}

every_chain = pytest.mark.parametrize("chain", CHAINS.values(), ids=list(CHAINS))


def problem(chain: list[Block], dtype: str, rows: int = 700) -> tuple[Objective, Any]:
    """Return a penalised, weighted classification and a start."""
    rng = np.random.default_rng(rows)
    network = Network(37, chain)
    X, y, weight = rng.normal(size=(rows, 37)), rng.integers(0, network.outputs, rows), rng.uniform(0.5, 2, rows)
    penalties = [L2(1e-3), L1(1e-4, kinds=("weight", "bias"))]
    theta = network.initialize(0, dtype)
    for slot in network.slots:  # zero biases sit on the kink of L1, and do not tell whether they are added
        if slot.spec.kind == "bias":
            theta[slot.start : slot.stop] = rng.normal(0, 0.1, slot.stop - slot.start)
    theta = fit_blocks(network, theta, X)
    return Objective(network, CrossEntropy(), X.astype(dtype), y, weight, penalties), theta


def run(engine: Any, theta: Any, rule: Any, batch: int, epochs: int = 3) -> tuple[Any, ...]:
    """Return θ, the losses, the gradient's norm and the value at the end, of some epochs."""
    theta, memory, losses = theta.copy(), rule.zeros(theta.size, theta.dtype.name), []
    order = np.random.default_rng(1).permutation(engine.objective.rows)
    steps = engines.steps_of(order.size, batch)
    for epoch in range(epochs):
        done = engine.run(theta, memory, order, batch, [0.01] * steps, epoch * steps)
        losses += done.losses
    return theta, np.array(losses), done.gradient_norm, engine.value(theta)


def test_every_stage_has_a_chain() -> None:
    used = {type(block) for chain in CHAINS.values() for block in chain}
    assert used == {*STAGES, Dense, DropConnect, Scaling, PCA}
    assert all(not isinstance(lower(Network(37, chain)), str) for chain in CHAINS.values())


@every_chain
@both_dtypes
@pytest.mark.parametrize("batch", [37, 290, 700])
def test_training_equals_the_definitions(chain: list[Block], dtype: str, batch: int) -> None:
    objective, theta = problem(chain, dtype, 700)
    rule = Nesterov()
    wanted = run(ReferenceEngine(objective, rule, 7), theta, rule, batch)
    got = run(NativeEngine(objective, rule, 7, 2), theta, rule, batch)
    for a, b in zip(got, wanted, strict=True):
        assert relative_error(a, b) <= LATER[dtype]
    X = objective.X
    scores = engines.predict("native", objective.network, wanted[0], X)
    assert relative_error(scores, objective.network.forward(wanted[0], X)) <= ONCE[dtype]


@every_chain
@both_dtypes
def test_one_step_equals_the_definitions(chain: list[Block], dtype: str) -> None:
    objective, theta = problem(chain, dtype, 101)
    wanted, got = (
        run(engine, theta, Nesterov(), 101, epochs=1)
        for engine in (ReferenceEngine(objective, Nesterov(), 9), NativeEngine(objective, Nesterov(), 9, 2))
    )
    moved = [theta - result[0] for result in (got, wanted)]
    assert relative_error(*moved) <= 10 * ONCE[dtype]  # a difference of nearly equal numbers, a tenth as large
    for a, b in zip(got[1:], wanted[1:], strict=True):
        assert relative_error(a, b) <= ONCE[dtype]


@every_chain
@both_dtypes
def test_any_number_of_threads_gives_the_same_bits(chain: list[Block], dtype: str) -> None:
    objective, theta = problem(chain, dtype, 700)
    first, *others = (run(NativeEngine(objective, Adam(), 7, n), theta, Adam(), 290) for n in (1, 2, 3, 7))
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_array_equal(a, b)


FUSED = tuple(name for name in native.instruction_sets() if name != "baseline")


@pytest.mark.skipif(len(FUSED) < 2, reason="fewer than two instruction sets with fused multiply-add here")
@every_chain
@both_dtypes
def test_fused_sets_give_the_same_bits(chain: list[Block], dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objective, theta = problem(chain, dtype, 300)
    results = []
    for name in FUSED:
        monkeypatch.setenv("CHAINRULE_INSTRUCTIONS", name)
        results.append(run(NativeEngine(objective, Adam(), 7, 2), theta, Adam(), 128))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@every_chain
def test_predictions_and_values_stay_the_same(chain: list[Block]) -> None:
    """Whatever was computed before, with these weights or others."""
    objective, theta = problem(chain, "float64", 101)
    engine = NativeEngine(objective, None, 7, 1)
    other = np.abs(theta) + 0.1
    for weights in (theta, other, theta, theta):
        wanted = objective.network.forward(weights, objective.X)
        got = engines.predict("native", objective.network, weights, objective.X)
        assert relative_error(got, wanted) <= ONCE["float64"]
        assert relative_error(engine.value(weights), float(objective.value(weights))) <= ONCE["float64"]


@pytest.mark.parametrize("rows", [1, 60])
def test_a_value_leaves_nothing_behind_for_the_next_step(rows: int) -> None:
    chain = [Dense(20, bias=False), BatchNorm(), Activation("tanh"), Dense(5)]
    objective, theta = problem(chain, "float64", rows)
    alone, after = NativeEngine(objective, Adam(), 7, 1), NativeEngine(objective, Adam(), 7, 1)
    after.value(theta)
    results = []
    for engine in (alone, after):
        there, memory = theta.copy(), Adam().zeros(theta.size)
        engine.run(there, memory, None, rows, [0.01] * 3)
        results.append(there)
    np.testing.assert_array_equal(*results)


RATES = st.sampled_from([0.0, 0.1, 0.5, 0.93])
UNITS = st.one_of(st.integers(1, 70), st.sampled_from([16, 17, 31, 32, 33, 64, 65]))


@st.composite
def drawn_chains(draw: st.DrawFn) -> list[Block]:
    """One to four affine maps with any of the stages in their order; smooth activations, or such as have their own."""
    noise = [st.builds(Dropout, RATES), st.builds(GaussianNoise, st.sampled_from([0.0, 0.3]))]
    stages = [
        st.sampled_from([BatchNorm(), BatchNorm(0.5, 1e-3), LayerNorm(), LayerNorm(1e-2)]),
        st.sampled_from(
            [Activation("tanh"), Activation("softplus"), PReLU(), PReLU(shared=True), RReLU(), NoisyReLU()]
        ),
        *noise,
    ]
    chain: list[Block] = [draw(stage) for stage in noise if draw(st.booleans())]
    for _ in range(draw(st.integers(0, 3))):
        bias = draw(st.booleans())
        affine = st.builds(Dense, UNITS, bias=st.just(bias)) | st.builds(DropConnect, UNITS, RATES, bias=st.just(bias))
        chain.append(draw(affine))
        chain += [draw(stage) for stage in stages if draw(st.booleans())]
    return [*chain, Dense(draw(UNITS))]


@given(drawn_chains(), DTYPES, UNITS, st.sampled_from([1, 2, 3, 33, 65, 257, 600]), st.integers(1, 4), SEEDS)
@settings(max_examples=80)
def test_values_and_gradients_of_any_chain(
    chain: list[Block], dtype: str, inputs: int, rows: int, n_threads: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    network = Network(inputs, chain)
    theta = network.initialize(seed, dtype)
    X, y = rng.normal(size=(rows, inputs)).astype(dtype), rng.normal(size=(rows, network.outputs))
    objective = Objective(network, SquaredError(), X, y, penalties=[L2(0.01)])
    engine = NativeEngine(objective, None, seed, n_threads)
    lone = NativeEngine(objective, None, seed, 1)
    (value, gradient), again = engine.value_and_gradient(theta), lone.value_and_gradient(theta)
    assert value == again[0]
    np.testing.assert_array_equal(gradient, again[1])
    wanted = exactly(objective, theta, seed)
    assert relative_error(value, wanted[0]) <= ONCE[dtype] * steepness(chain)
    assert relative_error(gradient, wanted[1]) <= ONCE[dtype] * steepness(chain)
    assert relative_error(engine.value(theta), float(objective.value(theta))) <= ONCE[dtype] * steepness(chain)


def exactly(objective: Objective, theta: Any, seed: int) -> tuple[float, Any]:
    """Return the definition's value and gradient in a training pass."""
    value, gradient = objective.value_and_gradient(theta, Context(True, seed))
    return float(value), gradient


def steepness(chain: list[Block]) -> float:
    """Return how much rounding may grow: a normalisation tears rows or units apart that are nearly equal."""
    return 100.0 if any(isinstance(block, BatchNorm | LayerNorm) for block in chain) else 1.0


def test_engines_of_an_objective_share_its_inputs_and_those_of_its_batches_do_not() -> None:
    network = Network(3, [Scaling(), Dense(2)])
    X, y = np.arange(12.0).reshape(4, 3), np.ones((4, 2))
    objective = Objective(network, SquaredError(), X, y)
    inputs = [NativeEngine(each)._inputs for each in (objective, objective, objective.batch(np.arange(2)))]
    assert inputs[0] is inputs[1] is not inputs[2]
    theta = network.initialize(0)
    assert inputs[0].at(theta) is inputs[0].at(theta)
