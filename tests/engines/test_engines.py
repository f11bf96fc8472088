"""The engines: what the reference engine does, step by step, and which engine runs what.

How the native engine computes is tested in test_native*.py; here, only where it is taken and where it is not.
"""

from __future__ import annotations

import os
import re
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Activation, Dense, Network, Objective, train
from chainrule import engines as engines_module
from chainrule.engines import ENGINES, EngineNotice, NativeEngine, ReferenceEngine, steps_of
from chainrule.engines import reference as reference_module
from chainrule.engines.native import core as native
from chainrule.engines.stepping import drawn_rows
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.mathematics import curvature, fisher
from chainrule.mathematics.blocks import PREDICTING, BatchNorm, Context, Dropout
from chainrule.mathematics.gauss_newton import Quadratic, Root
from chainrule.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Momentum, UpdateRule
from chainrule.penalties import L2
from support.naive_loops import RULES, Watching, classification

needs_core = pytest.mark.native


def naive_run(objective: Objective, rule: UpdateRule, theta: Any, batches: list[Any], rates: Any) -> Any:
    """Return θ, the memory, the losses and the last gradient after one whole, pure update per batch."""
    memory, losses, gradient = rule.zeros(theta.size, theta.dtype.name), [], None
    for rows, rate in zip(batches, rates, strict=True):
        part = Objective(
            objective.network,
            objective.loss,
            objective.X[rows],
            objective.y[rows],
            objective.sample_weight[rows],
            objective.penalties,
        )
        loss, gradient = part.value_and_gradient(theta)
        losses.append(float(loss))
        theta, memory = rule.update(theta, gradient, memory, rate)
    return theta, memory, losses, gradient


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_against_the_naive_loop_bit_for_bit(name: str, dtype: str) -> None:
    objective, start = classification(dtype=dtype)
    rule, order = OPTIMIZERS[name](), np.array([3, 1, 4, 9, 5, 2, 6, 0, 8, 7])
    batches = [order[0:4], order[4:8], order[8:]]
    wanted, memory, losses, gradient = naive_run(objective, rule, start, batches, [0.1, 0.2, 0.3])
    theta, state = start.copy(), rule.zeros(start.size, dtype)
    steps = ReferenceEngine(objective, rule).run(theta, state, order, 4, [0.1, 0.2, 0.3])
    assert theta.dtype == dtype
    assert theta.tobytes() == wanted.tobytes()
    assert (state.t, state.arrays.keys()) == (memory.t, memory.arrays.keys())
    assert all(np.array_equal(state[key], memory[key]) for key in memory.arrays)
    assert steps.losses == losses
    assert all(type(loss) is float for loss in steps.losses)
    assert steps.gradient_norm == float(np.linalg.norm(gradient))


def test_without_an_order_every_step_takes_all_rows() -> None:
    objective, start = classification()
    wanted, *_ = naive_run(objective, Adam(), start, [slice(None)] * 3, [0.1] * 3)
    theta = start.copy()
    ReferenceEngine(objective, Adam()).run(theta, Adam().zeros(start.size), None, 10, [0.1] * 3)
    assert theta.tobytes() == wanted.tobytes()


def test_a_run_works_in_place() -> None:
    objective, start = classification()
    theta, state = start.copy(), Momentum().zeros(start.size)
    delta = state["delta"]
    ReferenceEngine(objective, Momentum()).run(theta, state, None, 10, [0.1])
    assert state["delta"] is delta
    assert np.abs(delta).max() > 0
    np.testing.assert_array_equal(theta, start - delta)
    assert state.t == 1


def test_no_learning_rates_no_steps() -> None:
    objective, start = classification()
    theta = start.copy()
    steps = ReferenceEngine(objective, SGD()).run(theta, SGD().zeros(start.size), None, 10, [])
    assert steps.losses == []
    assert theta.tobytes() == start.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_it_stops_before_the_update_of_a_batch_whose_loss_is_not_finite(bad: float) -> None:
    X = np.ones((5, 1))
    X[3] = bad
    objective = Objective(Network(1, [Dense(1)]), SquaredError(), X, np.full(5, 2.0))
    theta, state, expected = np.zeros(2), SGD().zeros(2), np.zeros(2)
    with np.errstate(invalid="ignore"):
        steps = ReferenceEngine(objective, SGD()).run(theta, state, np.arange(5), 1, [0.1] * 5)
    for _ in range(3):
        expected -= 0.1 * (expected.sum() - 2.0) * np.ones(2)
    np.testing.assert_allclose(theta, expected, rtol=1e-14)
    assert state.t == 3
    assert len(steps.losses) == 4
    assert np.isfinite(steps.losses[:3]).all()
    assert not np.isfinite(steps.losses[3])
    assert np.isnan(steps.gradient_norm)


def test_blocks_see_the_mode_the_seed_and_the_step() -> None:
    block = Watching()
    objective = Objective(Network(1, [Dense(1), block]), SquaredError(), np.ones((4, 1)), np.ones(4))
    engine = ReferenceEngine(objective, SGD(), seed=7)
    engine.run(np.zeros(2), SGD().zeros(2), np.arange(4), 2, [0.1, 0.1], first_step=40)
    assert block.seen == [Context(True, 7, 40, block=1), Context(True, 7, 41, block=1)]
    engine.value(np.zeros(2))
    assert block.seen[2:] == [PREDICTING]


def test_value_is_the_objectives() -> None:
    objective, theta = classification()
    value = ReferenceEngine(objective, None).value(theta)
    assert type(value) is float
    assert value == float(objective.value(theta))


@pytest.mark.parametrize("size", [1, 6, 7, 8, 14, 20])
def test_apply_covers_every_entry_whatever_the_piece(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_module, "PIECE", 7)
    rng = np.random.default_rng(size)
    rule, start, gradient = AdamW(weight_decay=0.1), rng.normal(size=size), rng.normal(size=size)
    decayed = rng.integers(0, 2, size)
    theta, state = start.copy(), rule.zeros(size, decayed=decayed)
    wanted, memory = start, rule.zeros(size, decayed=decayed)
    for _ in range(3):
        reference_module.apply(rule, theta, gradient, state, 0.1)
        wanted, memory = rule.update(wanted, gradient, memory, 0.1)
    assert theta.tobytes() == wanted.tobytes()
    assert state.t == memory.t == 3
    assert all(np.array_equal(state[key], memory[key]) for key in memory.arrays)


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_steps_of_counts_the_batches(rows: int, batch_size: int) -> None:
    assert steps_of(rows, batch_size) == len(range(0, rows, batch_size))


class OtherSquaredError(SquaredError):
    """A loss that is in no table, and means something else by its scores."""

    def predict(self, scores: Any) -> Any:
        return 2 * scores


class OtherRule(SGD):
    """An update rule that is in no table."""


class OtherPenalty(L2):
    """A penalty that is in no table."""


class OtherObjective(Objective):
    """An objective that may compute anything."""

    def value(self, theta: Any) -> Any:
        return super().value(theta) + 1


class OtherNetwork(Network):
    """A network that may compute anything."""

    def forward(self, theta: Any, X: Any) -> Any:
        return super().forward(theta, X) + 1


class Case(NamedTuple):
    """What the native engine cannot run, and what is said of it."""

    objective: Objective
    words: str
    rule: UpdateRule = SGD()
    dtype: str = "float64"


X, Y = np.random.default_rng(0).normal(size=(6, 3)), np.arange(6.0)
LINE = Network(3, [Dense(1)])


def chain(*blocks: Any) -> Objective:
    """Return squared error of a chain of blocks."""
    return Objective(Network(3, blocks), SquaredError(), X, Y)


TWICE = chain(Dense(1), Activation("tanh"), Activation("relu"))
NOT_NATIVE: dict[str, Case] = {
    "sparse": Case(Objective(LINE, SquaredError(), scipy.sparse.csr_array(X), Y), "X is sparse"),
    "objective": Case(
        OtherObjective(LINE, SquaredError(), X, Y), "the objective or its network is of a class of its own"
    ),
    "network": Case(
        Objective(OtherNetwork(3, [Dense(1)]), SquaredError(), X, Y),
        "the objective or its network is of a class of its own",
    ),
    "loss": Case(Objective(LINE, OtherSquaredError(), X, Y), f"the loss {OtherSquaredError()!r} is not of the table"),
    "rule": Case(Objective(LINE, SquaredError(), X, Y), f"the update rule {OtherRule()!r} is not of", OtherRule()),
    "penalty": Case(
        Objective(LINE, SquaredError(), X, Y, penalties=[OtherPenalty(0.1)]),
        "a penalty is not of the table, or on other parameters than weights and biases",
    ),
    "block": Case(
        chain(Dense(1), Watching()), "block 1, Activation('identity'), is not known to the core in this place"
    ),
    "activations": Case(TWICE, "block 2, Activation('relu'), is not known to the core in this place"),
    "order": Case(chain(Dense(2), Dropout(0.5), Activation("relu"), Dense(1)), "block 2, Activation('relu'), is not"),
    "normalised inputs": Case(chain(BatchNorm(), Dense(1)), "block 0, BatchNorm(momentum=0.1, epsilon=1e-05), is not"),
    "output": Case(chain(Dense(1), Dropout(0.5)), "the last Dense is followed by more than an Activation"),
    "precision": Case(
        Objective(LINE, SquaredError(), X, Y), "X holds float64 numbers and θ float32; both must be", dtype="float32"
    ),
}
"""One row per obstacle."""

every_obstacle = pytest.mark.parametrize("what", list(NOT_NATIVE))


def test_engines_know_their_names() -> None:
    assert list(ENGINES) == ["native", "reference"]
    assert all(engine.name == name for name, engine in ENGINES.items())


@needs_core
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", RULES)
def test_auto_runs_natively_and_says_nothing(name: str, dtype: str) -> None:
    objective, _ = classification(dtype=dtype)
    rule = OPTIMIZERS[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine = engines_module.build("auto", objective, rule, 3, 2, dtype)
    assert type(engine) is NativeEngine
    assert (engine.objective, engine.optimizer, engine.seed, engine.threads) == (objective, rule, 3, 2)
    assert engines_module.best() == "native"


@needs_core
@every_obstacle
def test_auto_falls_back_and_says_why(what: str) -> None:
    case = NOT_NATIVE[what]
    with pytest.warns(EngineNotice, match=f"^the reference engine runs, since .*{re.escape(case.words)}") as notices:
        engine = engines_module.build("auto", case.objective, case.rule, 3, None, case.dtype)
    assert len(notices) == 1
    assert type(engine) is ReferenceEngine
    assert (engine.objective, engine.optimizer, engine.seed) == (case.objective, case.rule, 3)


@needs_core
@every_obstacle
def test_native_refuses_and_says_why(what: str) -> None:
    case = NOT_NATIVE[what]
    with pytest.raises(ValueError, match=f"^the native engine cannot run this: .*{re.escape(case.words)}"):
        engines_module.build("native", case.objective, case.rule, 0, None, case.dtype)


@every_obstacle
def test_reference_runs_everything_and_says_nothing(what: str) -> None:
    case = NOT_NATIVE[what]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine = engines_module.build("reference", case.objective, case.rule, 0, None, case.dtype)
    assert type(engine) is ReferenceEngine


@needs_core
def test_a_training_that_falls_back_equals_the_reference_bit_for_bit() -> None:
    inner, start = classification()
    objective = OtherObjective(inner.network, inner.loss, inner.X, inner.y, inner.sample_weight, inner.penalties)
    settings = {"optimizer": Adam(0.1), "batch_size": 3, "epochs": 2}
    with pytest.warns(EngineNotice, match="of a class of its own"):
        result = train(objective, start, **settings)
    wanted = train(inner, start, engine="reference", **settings)
    assert result.theta.tobytes() == wanted.theta.tobytes()
    with pytest.raises(ValueError, match=r"the native engine cannot run this: .* of a class of its own"):
        train(objective, start, engine="native", **settings)


@pytest.mark.parametrize("ask", ["check", "build", "predict"])
def test_an_unknown_engine_is_refused(ask: str) -> None:
    objective, theta = classification()
    calls = {
        "check": lambda: engines_module.check("gpu"),
        "build": lambda: engines_module.build("gpu", objective, SGD(), 0, None),
        "predict": lambda: engines_module.predict("gpu", objective.network, theta, objective.X),
    }
    with pytest.raises(ValueError, match=r"^engine 'gpu' is not known; accepted: auto, native, reference$"):
        calls[ask]()


def test_known_engines_are_accepted() -> None:
    for engine in ("auto", "reference", engines_module.best()):
        engines_module.check(engine)


def test_without_the_core_the_reference_engine_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "MISSING", "the compiled core is not there (no compiler)")
    objective, theta = classification()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert type(engines_module.build("auto", objective, SGD(), 0, None)) is ReferenceEngine
    assert engines_module.best() == "reference"
    scores = engines_module.predict("auto", objective.network, theta, objective.X)
    assert scores.tobytes() == objective.network.forward(theta, objective.X).tobytes()
    assert engines_module.evaluator("auto", objective, None)(theta) == objective.value(theta)
    assert (engines_module.report()["engine"], engines_module.report()["missing"]) == ("reference", native.MISSING)
    text = (
        'engine "native" is not in this build: the compiled core is not there (no compiler); accepted: auto, reference'
    )
    for ask in (engines_module.check, lambda name: engines_module.build(name, objective, SGD(), 0, None)):
        with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
            ask("native")


@pytest.mark.parametrize("engine", ["reference", "auto", pytest.param("native", marks=needs_core)])
@pytest.mark.parametrize("loss", [None, CrossEntropy()])
def test_predicting(engine: str, loss: Any) -> None:
    objective, theta = classification()
    scores = objective.network.forward(theta, objective.X)
    wanted = scores if loss is None else loss.predict(scores)
    got = engines_module.predict(engine, objective.network, theta, objective.X, loss)
    assert (got.shape, got.dtype) == ((10, 2), np.float64)
    if engine == "reference":
        assert got.tobytes() == wanted.tobytes()
    np.testing.assert_allclose(got, wanted, rtol=1e-13)


@every_obstacle
def test_predicting_what_the_core_may_not_know(what: str) -> None:
    case = NOT_NATIVE[what]
    network, loss, X = case.objective.network, case.objective.loss, case.objective.X
    theta = network.initialize(0, case.dtype)
    scores = network.forward(theta, X)
    np.testing.assert_allclose(engines_module.predict("auto", network, theta, X), scores, rtol=1e-13)
    got = engines_module.predict("auto", network, theta, X, loss)
    np.testing.assert_allclose(got, loss.predict(scores), rtol=1e-13)


@pytest.mark.parametrize("engine", ["reference", "auto", pytest.param("native", marks=needs_core)])
def test_evaluating(engine: str) -> None:
    objective, theta = classification()
    value = engines_module.evaluator(engine, objective, None)(theta)
    assert type(value) is float
    assert value == pytest.approx(float(objective.value(theta)), rel=0 if engine == "reference" else 1e-13, abs=0)


@every_obstacle
def test_evaluating_what_the_core_may_not_know(what: str) -> None:
    objective, dtype = NOT_NATIVE[what].objective, NOT_NATIVE[what].dtype
    theta = objective.network.initialize(0, dtype)
    value = engines_module.evaluator("auto", objective, None, dtype)(theta)
    assert value == pytest.approx(float(objective.value(theta)), rel=1e-13, abs=0)


def test_the_report() -> None:
    facts = engines_module.report()
    assert (facts["engine"], facts["missing"]) == (engines_module.best(), native.MISSING)
    assert (facts["instruction_set"] == "") == bool(native.MISSING)
    assert facts["instruction_set"] in ("", *facts["instruction_sets"])
    assert (facts["threads"], facts["processors"]) == (native.threads(), os.cpu_count())


def _squared(parabola: Quadratic | Root) -> Quadratic:
    return parabola.squared() if isinstance(parabola, Root) else parabola


VERBS: dict[str, Any] = {
    "forward": lambda engine, theta, v: engine.forward(theta),
    "value": lambda engine, theta, v: engine.value(theta),
    "gradient": lambda engine, theta, v: engine.value_and_gradient(theta)[1],
    "gauss_newton_product": lambda engine, theta, v: engine.gauss_newton_product(theta, v),
    "hessian_product": lambda engine, theta, v: engine.hessian_product(theta, v),
    "gauss_newton": lambda engine, theta, v: _squared(engine.gauss_newton(theta)).matrix,
    "jacobian": lambda engine, theta, v: engine.jacobian(theta),
    "pull": lambda engine, theta, v: engine.pull(theta, engine.forward(theta)),
    "factors": lambda engine, theta, v: np.concatenate([f.A.ravel() for f in engine.factors(theta)]),
    "squares": lambda engine, theta, v: engine.squares(theta),
    "part": lambda engine, theta, v: engine.part(0.5, 3).gauss_newton_product(theta, v),
}


def test_a_part_of_the_rows_is_drawn_by_seed_and_number() -> None:
    drawn = [drawn_rows(40, 0.25, seed, draw).tolist() for seed, draw in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert drawn[0] == drawn[1] == sorted({*drawn[0]})
    assert len({*map(tuple, drawn)}) == 3
    assert all(len(rows) == 10 for rows in drawn)
    assert drawn_rows(40, 1.0, 0, 0).tolist() == list(range(40))
    assert len(drawn_rows(40, 1e-9, 0, 0)) == 1


def test_every_verb_is_tried() -> None:
    assert ReferenceEngine.verbs == VERBS.keys()
    assert NativeEngine.verbs <= VERBS.keys()
    assert [*engines_module.ENGINES] == ["native", "reference"]


@pytest.mark.parametrize("verb", list(VERBS))
def test_the_verbs_of_the_reference_engine_are_the_definitions(verb: str) -> None:
    objective, theta = classification()
    engine, v, rows = ReferenceEngine(objective, None), np.linspace(-1, 1, theta.size), np.array([3, 0, 5])
    J = curvature.jacobian(objective.network, theta, objective.X)
    wanted: dict[str, Any] = {
        "forward": objective.network.forward(theta, objective.X),
        "value": objective.value(theta),
        "gradient": objective.gradient(theta),
        "gauss_newton_product": objective.gauss_newton_product(theta, v),
        "hessian_product": objective.hessian_product(theta, v),
        "gauss_newton": curvature.gauss_newton(objective, theta),
        "jacobian": J,
        "pull": np.einsum("no,nop->p", objective.network.forward(theta, objective.X), J),
        "factors": np.concatenate([f.A.ravel() for f in fisher.factors(objective, theta)]),
        "squares": fisher.squares(objective, theta),
        "part": objective.batch(drawn_rows(objective.rows, 0.5, 0, 3)).gauss_newton_product(theta, v),
    }
    np.testing.assert_allclose(VERBS[verb](engine, theta, v), wanted[verb], rtol=1e-12, atol=1e-14)
    of_rows = VERBS[verb](ReferenceEngine(objective.batch(rows), None), theta, v)
    np.testing.assert_array_equal(VERBS[verb](engine.on(rows, 0), theta, v), of_rows)
    X = objective.X[:2]
    np.testing.assert_array_equal(engine.forward(theta, X), objective.network.forward(theta, X))


@needs_core
@pytest.mark.parametrize("verb", list(VERBS))
def test_the_verbs_of_the_native_engine_are_those_it_states(verb: str) -> None:
    objective, theta = classification()
    engine, v = NativeEngine(objective), np.linspace(-1, 1, theta.size)
    assert verb in engine.verbs
    wanted = VERBS[verb](ReferenceEngine(objective, None), theta, v)
    np.testing.assert_allclose(VERBS[verb](engine, theta, v), wanted, rtol=1e-10, atol=1e-12)
