"""The native engine's second derivatives against the reference engine's and JAX's, and their bits.

Products, pulls, Jacobians and the Gauss-Newton matrix, for every activation and loss, in both precisions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from chainrule import (
    Activation,
    BatchNorm,
    Dense,
    DropConnect,
    Dropout,
    LayerNorm,
    Network,
    NoisyReLU,
    Objective,
    PReLU,
    RReLU,
    Scaling,
    fit_blocks,
    train,
)
from chainrule.engines import Engine, NativeEngine, ReferenceEngine
from chainrule.engines.native import core as native
from chainrule.losses import CrossEntropy, Loss, SquaredError
from chainrule.mathematics.activations import ACTIVATIONS
from chainrule.mathematics.gauss_newton import Quadratic, Root, gauss_newton
from chainrule.optimizers.levenberg_marquardt import LevenbergMarquardt
from chainrule.optimizers.newton import Newton
from chainrule.penalties import L1, L2
from support.core_arguments import REFUSALS
from support.native_cases import ONCE, Case, both_dtypes, cases, every_loss, trainable
from support.oracles import JAX, jax_objective, jax_product, relative_error
from support.strategies import ALL_LOSSES, draw_target

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)

THREADS = (1, 2, 3, 7)
FUSED = tuple(name for name in native.instruction_sets() if name != "baseline")

every_activation = pytest.mark.parametrize("activation", list(ACTIVATIONS))

Verb = Callable[[Engine, Any, Any, Any], Any]


def squared(parabola: Quadratic | Root) -> Any:
    return (parabola.squared() if isinstance(parabola, Root) else parabola).matrix


VERBS: dict[str, Verb] = {
    "hessian_product": lambda engine, theta, v, dscores: engine.hessian_product(theta, v),
    "gauss_newton_product": lambda engine, theta, v, dscores: engine.gauss_newton_product(theta, v),
    "pull": lambda engine, theta, v, dscores: engine.pull(theta, dscores),
    "gauss_newton": lambda engine, theta, v, dscores: squared(engine.gauss_newton(theta)),
    "jacobian": lambda engine, theta, v, dscores: engine.jacobian(theta),
}
every_verb = pytest.mark.parametrize("verb", VERBS)


def directions(case: Case) -> tuple[Any, Any]:
    """Return v (P,) and dscores (n, o) in the dtype of the data."""
    rng, objective = np.random.default_rng(1), case.objective
    shape = (objective.rows, objective.network.outputs)
    return rng.normal(size=case.theta.size).astype(case.dtype), rng.normal(size=shape).astype(case.dtype)


def check_products(case: Case) -> None:
    v, dscores = directions(case)
    engines = NativeEngine(case.objective, n_threads=2), ReferenceEngine(case.objective)
    for verb in ("hessian_product", "gauss_newton_product", "pull"):
        got, wanted = (VERBS[verb](engine, case.theta, v, dscores) for engine in engines)
        assert got.dtype == case.dtype
        assert relative_error(got, wanted) <= ONCE[case.dtype], verb


@every_activation
def test_every_activation(activation: str) -> None:
    settings(max_examples=20)(given(cases(activation=activation))(check_products))()


@every_loss
def test_every_loss(loss: Loss) -> None:
    settings(max_examples=20)(given(cases(loss=loss))(check_products))()


@every_activation
@both_dtypes
def test_the_core_has_the_bend_of_every_activation(activation: str, dtype: str) -> None:
    row = ACTIVATIONS[activation]
    x = np.linspace(-9, 9, 1001).astype(dtype)
    setting = next(iter(row.settings.values()), 0.0)
    got = np.empty_like(x)
    native._core.evaluate(native.instruction_sets()[0], f"d2f {activation}", x, got, setting)
    wide = x.astype(np.float64)
    wanted = row.d2f(wide, row.f(wide, **row.settings), **row.settings)
    assert np.abs(got - wanted).max() <= 20 * np.finfo(dtype).eps


@every_loss
@both_dtypes
@pytest.mark.parametrize("rows", [20, 300], ids=["root", "matrix"])
def test_the_gauss_newton_matrix_is_that_of_the_definitions(loss: Loss, dtype: str, rows: int) -> None:
    rng = np.random.default_rng(2)
    network = Network(5, [Dense(21), Activation("tanh"), Dense(7), Activation("softplus"), Dense(3)])
    X, y = rng.normal(size=(rows, 5)).astype(dtype), draw_target(loss, rng, rows, 3)
    objective = Objective(network, loss, X, y, rng.uniform(0.5, 2, rows), [L2(0.01), L1(0.01, True)])
    theta = network.initialize(0, dtype)
    got, wanted = NativeEngine(objective).gauss_newton(theta), gauss_newton(objective, theta)
    assert type(got) is type(wanted) is (Root if rows == 20 else Quadratic)
    assert relative_error(got.value, wanted.value) <= ONCE[dtype]
    assert relative_error(got.gradient, wanted.gradient) <= ONCE[dtype]
    assert relative_error(squared(got), squared(wanted)) <= ONCE[dtype]
    assert relative_error(got.diagonal, wanted.diagonal) <= ONCE[dtype]
    assert got.total == wanted.total
    np.testing.assert_array_equal(squared(got), squared(got).T)


@both_dtypes
@pytest.mark.parametrize("rows", [1, 63, 65, 600])
def test_the_jacobian_is_that_of_the_definitions(dtype: str, rows: int) -> None:
    case = trainable(CrossEntropy(), dtype, rows)
    got, wanted = (engine(case.objective).jacobian(case.theta) for engine in (NativeEngine, ReferenceEngine))
    assert got.dtype == dtype
    assert relative_error(got, wanted) <= ONCE[dtype]


def test_many_outputs_and_wide_layers() -> None:
    rng, network = np.random.default_rng(3), Network(300, [Dense(300), Activation("relu"), Dense(280)])
    X, y = rng.normal(size=(70, 300)), rng.integers(0, 280, 70)
    case = Case(Objective(network, CrossEntropy(), X, y), network.initialize(0))
    check_products(case)
    small = Network(2, [Dense(2), Activation("tanh"), Dense(280)])
    objective, theta = Objective(small, CrossEntropy(), X[:, :2], y), small.initialize(0)
    got, wanted = NativeEngine(objective).gauss_newton(theta), gauss_newton(objective, theta)
    assert relative_error(squared(got), squared(wanted)) <= ONCE["float64"]


@pytest.mark.slow
@every_loss
def test_both_engines_against_jax(loss: Loss) -> None:
    case = trainable(loss, "float64", 40)
    v, _ = directions(case)
    whole = jax_product(jax_objective(case.objective).value, case.theta, v)
    for engine in (NativeEngine(case.objective), ReferenceEngine(case.objective)):
        assert relative_error(engine.hessian_product(case.theta, v), whole) <= JAX


def at_prediction() -> Case:
    """Return an objective of every block that does something else, or nothing, at prediction."""
    rng = np.random.default_rng(4)
    blocks = [
        Scaling(),
        Dropout(0.2),
        DropConnect(9, 0.3),
        RReLU(),
        Dropout(0.5),
        Dense(8),
        NoisyReLU(),
        Dense(7, bias=False),
        Dropout(0.1),
        Dense(3),
    ]
    network, X = Network(4, blocks), rng.normal(2, 3, size=(90, 4))
    theta = fit_blocks(network, network.initialize(0), X)
    return Case(Objective(network, CrossEntropy(), X, rng.integers(0, 3, 90), None, [L2(0.1)]), theta)


@every_verb
def test_the_passes_are_those_of_a_prediction(verb: str) -> None:
    case = at_prediction()
    if verb == "gauss_newton":
        return check_matrix_only(case)
    got, wanted = (
        VERBS[verb](e(case.objective), case.theta, *directions(case)) for e in (NativeEngine, ReferenceEngine)
    )
    assert relative_error(got, wanted) <= ONCE["float64"]


def check_matrix_only(case: Case) -> None:
    """Check G itself: value and gradient of an engine are those of a training step, with its random numbers."""
    got, wanted = NativeEngine(case.objective).gauss_newton(case.theta), gauss_newton(case.objective, case.theta)
    assert relative_error(squared(got), squared(wanted)) <= ONCE["float64"]


def test_a_weight_of_zero_leaves_a_row_out() -> None:
    case = trainable(SquaredError(), "float64", 60)
    weight = np.r_[np.ones(40), np.zeros(20)]
    with_zeros = Objective(case.objective.network, SquaredError(), case.objective.X, case.objective.y, weight)
    fewer = with_zeros.batch(slice(0, 40))
    v, _ = directions(case)
    for verb in ("hessian_product", "gauss_newton_product", "gauss_newton"):
        got, wanted = (VERBS[verb](NativeEngine(o), case.theta, v, None) for o in (with_zeros, fewer))
        assert relative_error(got, wanted) <= ONCE["float64"]


@pytest.mark.parametrize("block", [LayerNorm(), BatchNorm(), PReLU()], ids=repr)
def test_what_the_core_does_not_know_is_said_before_the_work_starts(block: Any) -> None:
    rng, network = np.random.default_rng(5), Network(2, [Dense(3), block, Dense(1)])
    objective = Objective(network, SquaredError(), rng.normal(size=(9, 2)), rng.normal(size=9))
    theta = network.initialize(0)
    engine, words = NativeEngine(objective), "second derivatives of a normalisation or of slopes that are learnt"
    for call in (engine.hessian_product, engine.gauss_newton_product, engine.pull):
        with pytest.raises(NotImplementedError, match=words):
            call(theta, theta)
    with pytest.raises(NotImplementedError, match=words):
        engine.jacobian(theta)
    if not isinstance(block, BatchNorm):
        np.testing.assert_array_equal(squared(engine.gauss_newton(theta)), squared(gauss_newton(objective, theta)))
        with pytest.raises(ValueError, match=f"Newton needs hessian_product, and .*{words}"):
            train(objective, theta, optimizer=Newton(), engine="native")


@pytest.mark.parametrize("wrong", [None, "x", 3.0, {}, np.ones(3)], ids=repr)
def test_what_is_no_direction_is_refused(wrong: Any) -> None:
    case = trainable(SquaredError(), "float64", 9)
    engine = NativeEngine(case.objective)
    for call in (engine.hessian_product, engine.gauss_newton_product, engine.pull):
        with pytest.raises(REFUSALS):
            call(case.theta, wrong)
        with pytest.raises(REFUSALS):
            call(wrong, case.theta)
    for ask in (engine.jacobian, engine.gauss_newton):
        with pytest.raises(REFUSALS):
            ask(wrong)


def digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@every_verb
@both_dtypes
@pytest.mark.parametrize("loss", [CrossEntropy(), SquaredError()], ids=repr)
def test_any_number_of_threads_and_any_set_give_the_same_bits(
    verb: str, dtype: str, loss: Loss, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = trainable(loss, dtype, 1100)
    v, dscores = directions(case)

    def bits(threads: int) -> str:
        return digest(VERBS[verb](NativeEngine(case.objective, n_threads=threads), case.theta, v, dscores))

    found = {bits(n) for n in THREADS}
    for name in FUSED:
        monkeypatch.setenv("CHAINRULE_INSTRUCTIONS", name)
        found |= {bits(n) for n in (1, 3)}
    assert len(found) == 1


@pytest.mark.parametrize("loss", ALL_LOSSES, ids=repr)
def test_every_loss_gives_the_same_bits_on_every_set(loss: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    case = trainable(loss, "float64", 100)
    found = set()
    for name in FUSED:
        monkeypatch.setenv("CHAINRULE_INSTRUCTIONS", name)
        engine = NativeEngine(case.objective, n_threads=1)
        found.add(digest([VERBS[verb](engine, case.theta, *directions(case)) for verb in ("hessian_product", "pull")]))
        found.add(digest([VERBS[verb](engine, case.theta, *directions(case)) for verb in ("hessian_product", "pull")]))
    assert len(found) == 1


@pytest.mark.parametrize("name", native.instruction_sets())
def test_every_instruction_set_is_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_INSTRUCTIONS", name)
    case = trainable(CrossEntropy(), "float64", 150)
    check_products(case)
    check_matrix_only(case)


def test_levenberg_marquardt_ends_in_the_same_bits_for_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(-1, 1, 400)[:, None]
    network = Network(1, [Dense(20), Activation("tanh"), Dense(1)])
    objective, found = Objective(network, SquaredError(), x, np.sinc(10 * x[:, 0] / np.pi)), set()
    for threads in THREADS:
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", str(threads))
        found.add(digest(train(objective, network.initialize(1), optimizer=LevenbergMarquardt(), epochs=30).theta))
    assert len(found) == 1
