"""Every row of OPTIMIZERS: against its paper's algorithm, its paper's defaults, and on the problems table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from itertools import zip_longest
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Dense, Network
from chainrule.engines import ReferenceEngine
from chainrule.engines.reference import PIECE, apply
from chainrule.optimizers import OPTIMIZERS, SGD, AdamW, Memory, Momentum, NAdam, Nesterov, Optimizer, UpdateRule
from chainrule.optimizers.modern import NEGLIGIBLE
from support import paper_rules as paper
from support.oracles import relative_error
from support.problems import PROBLEMS, Problem, Quadratic, quadratic

PAPER = 1e-12
"""The relative error that every rule must keep against its paper's algorithm, in float64, after every step."""

Oracle = Callable[..., Iterator[list[float]]]


class Row(NamedTuple):
    """The paper's algorithm, the paper's defaults, other settings to try, and one budget per row of PROBLEMS.

    A budget is the learning rate (0: the optimiser finds its own) and the steps in which to come down to WANTED; None
    for a problem that the optimiser is not for: without a network, or not convex.
    """

    oracle: Oracle | None
    defaults: dict[str, Any]
    others: dict[str, float]
    budgets: tuple[tuple[float, int] | None, ...]


WANTED = (1e-6, 1e-5, 1e-3, 0.05, 0.1)
"""The loss to reach on each row of PROBLEMS; they start at 9.1, 7.3, 24.2, 0.72 and 0.70."""

ADAM = {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
NOTES_RATE = {"learning_rate": 1e-3}
SEARCHED = {"search": "strong_wolfe", "tolerance": 1e-4, "max_evaluations": 15000}
MARQUARDT = {"damping": 1e-3, "decrease": 0.1, "increase": 10.0, "largest": 1e10, "tolerance": 1e-7}
LM = Row(
    None,
    {**MARQUARDT, "scaled": False},
    {},
    (None, None, None, (0, 16), (0, 46)),
)

ROWS: dict[str, Row] = {
    "sgd": Row(
        paper.gradient_descent,
        NOTES_RATE,
        {},
        ((1.8, 50), (1.8, 1800), (0.002, 3800), (3, 60), (1.8, 1100)),
    ),
    "momentum": Row(
        paper.momentum,
        {**NOTES_RATE, "momentum": 0.9},
        {"momentum": 0.5},
        ((0.1, 180), (1.8, 180), (0.002, 450), (3, 25), (1, 700)),
    ),
    "nesterov": Row(
        paper.nesterov,
        {**NOTES_RATE, "momentum": 0.9},
        {"momentum": 0.5},
        ((1, 80), (1, 320), (0.001, 750), (1.8, 25), (0.5, 400)),
    ),
    "adagrad": Row(
        paper.adagrad,
        {"learning_rate": 0.01, "epsilon": 1e-8},
        {"epsilon": 1e-2},
        ((3, 30), (3, 380), (1.8, 1500), (0.5, 70), (0.3, 350)),
    ),
    "adadelta": Row(
        paper.adadelta,
        {"learning_rate": 1.0, "rho": 0.95, "epsilon": 1e-6},
        {"rho": 0.5, "epsilon": 1e-3},
        ((1.8, 900), (1.8, 2000), (0.01, 22000), (10, 70), (3, 1100)),
    ),
    "rmsprop": Row(
        paper.rmsprop,
        {**NOTES_RATE, "rho": 0.9, "epsilon": 1e-8},
        {"rho": 0.5, "epsilon": 1e-3},
        ((0.001, 3700), (0.002, 2000), (0.001, 4800), (0.2, 80), (0.01, 700)),
    ),
    "adam": Row(
        paper.adam,
        ADAM,
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        ((0.2, 180), (1, 250), (0.02, 2500), (0.5, 30), (0.1, 110)),
    ),
    "adamw": Row(
        paper.adamw,
        {**ADAM, "weight_decay": 0.01},
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "weight_decay": 0.3},
        ((0.1, 2800), (0.1, 4000), (0.02, 3600), (0.5, 30), (0.1, 110)),
    ),
    "nadam": Row(
        paper.nadam,
        {**ADAM, "learning_rate": 2e-3, "momentum_decay": 4e-3},
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "momentum_decay": 0.3},
        ((0.2, 150), (0.5, 400), (0.005, 6000), (0.5, 50), (0.1, 260)),
    ),
    "amsgrad": Row(
        paper.amsgrad,
        ADAM,
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        ((0.2, 180), (1, 250), (0.5, 500), (0.5, 30), (0.1, 110)),
    ),
    "radam": Row(
        paper.radam,
        ADAM,
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        ((0.5, 200), (1, 600), (0.004, 8000), (0.5, 80), (0.2, 150)),
    ),
    "lion": Row(
        paper.lion,
        {"learning_rate": 1e-4, "beta_1": 0.9, "beta_2": 0.99, "weight_decay": 0.01},
        {"beta_1": 0.5, "beta_2": 0.9, "weight_decay": 0.3},
        ((0.0005, 6500), (0.001, 3200), (0.001, 3500), (0.05, 80), (0.05, 250)),
    ),
    "rprop": Row(
        paper.rprop,
        {"learning_rate": 0.01, "eta_minus": 0.5, "eta_plus": 1.2, "step_min": 1e-6, "step_max": 50.0},
        {"eta_minus": 0.3, "eta_plus": 1.5, "step_min": 1e-3, "step_max": 0.02},
        ((0.01, 80), (0.01, 300), (0.01, 1800), (0.1, 40), (0.1, 110)),
    ),
    "lbfgs": Row(
        None,
        {"history": 10, "tolerance": 1e-4, "max_evaluations": 15000},
        {},
        ((0, 12), (0, 20), (0, 40), (0, 18), (0, 700)),
    ),
    "gradient_descent": Row(None, SEARCHED, {}, ((0, 30), (0, 700), (0, 1500), (0, 40), None)),
    "newton": Row(None, {**SEARCHED, "search": "fixed"}, {}, ((0, 1), (0, 1), (0, 6), None, None)),
    "damped_newton": Row(
        None,
        {**SEARCHED, "search": "armijo", "damping": 1e-3, "factor": 4.0},
        {},
        ((0, 2), (0, 3), (0, 24), (0, 7), (0, 60)),
    ),
    "bfgs": Row(None, SEARCHED, {}, ((0, 16), (0, 35), (0, 30), (0, 15), (0, 80))),
    "cg": Row(None, {**SEARCHED, "beta": "polak_ribiere"}, {}, ((0, 6), (0, 6), (0, 22), (0, 12), (0, 500))),
    "trust_region": Row(
        None,
        {
            "curvature": "hessian",
            "path": "steihaug",
            "radius": 1.0,
            "tolerance": 1e-4,
            "max_evaluations": 15000,
        },
        {},
        ((0, 8), (0, 7), (0, 25), (0, 9), (0, 70)),
    ),
    "hessian_free": Row(
        None,
        {
            "damping": 1.0,
            "most": 250,
            "progress": 5e-4,
            "warm": 0.95,
            "preconditioned": False,
            "rows": 1.0,
            "largest": 1e10,
            "tolerance": 1e-4,
        },
        {},
        ((0, 11), (0, 21), (0, 13), (0, 14), (0, 60)),
    ),
    "natural_gradient": Row(
        None,
        {**SEARCHED, "search": "armijo", "damping": 1e-2, "factor": 2.0, "most": 250},
        {},
        ((0, 6), (0, 8), (0, 37), (0, 9), (0, 66)),
    ),
    "kfac": Row(
        None,
        {"learning_rate": 0.1, "momentum": 0.9, "damping": 0.1, "rho": 0.95, "every": 5, "limit": 1e-2},
        {},
        (None, None, None, (0.1, 40), (0.1, 300)),
    ),
    "muon": Row(
        None,
        {
            "learning_rate": 0.02,
            "momentum": 0.95,
            "steps": 5,
            "weight_decay": 0.01,
            "adam_learning_rate": 1e-3,
            "beta_1": 0.9,
            "beta_2": 0.95,
            "epsilon": 1e-8,
        },
        {},
        (None, None, None, (0.5, 150), (0.5, 80)),
    ),
    "levenberg_marquardt": LM,
    "lm": LM,
    "bayesian": Row(
        None,
        {**MARQUARDT, "damping": 5e-3, "noise": True, "still": 1e-5, "patience": 5, "falling": 50},
        {},
        (None, None, None, None, None),
    ),
}
"""One row per row of the table. AdaGrad's paper names no learning rate and no default of δ."""

RULES = [name for name, row in ROWS.items() if row.oracle]
every_rule = pytest.mark.parametrize("name", RULES)
CASES = [(name, settings) for name in RULES for settings in ({}, ROWS[name].others)]
every_case = pytest.mark.parametrize(("name", "settings"), CASES)


class Noisy:
    """A gradient that pulls towards a point and adds noise of very different sizes; the last entry's is always 0."""

    def __init__(self, steps: int, P: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.pull, self.centre = rng.uniform(0, 0.5, P), rng.normal(size=P)
        self.noise = rng.normal(size=(steps, P)) * 10 ** rng.uniform(-3, 1, (steps, P))
        self.noise[rng.uniform(size=(steps, P)) < 0.2] = 0
        self.pull[-1], self.noise[:, -1] = 0, 0

    def __call__(self, t: int, point: Any) -> Any:
        return self.pull * (np.asarray(point) - self.centre) + self.noise[t]


def trajectory(rule: UpdateRule, theta: Any, gradient: Noisy, rates: Any, memory: Any = None) -> Iterator[Any]:
    """Yield θ after every update of a chainrule rule."""
    memory = memory or rule.zeros(theta.size, theta.dtype.name)
    for t, rate in enumerate(rates):
        theta, memory = rule.update(theta, gradient(t, theta).astype(theta.dtype), memory, float(rate))
        yield theta


def worst_error(
    rule: UpdateRule, oracle: Iterator[list[float]], theta: Any, gradient: Noisy, rates: Any, **k: Any
) -> float:
    """Return the largest relative error of θ after any step."""
    steps = zip_longest(trajectory(rule, theta, gradient, rates, **k), oracle)
    return max(relative_error(got, np.array(wanted)) for got, wanted in steps)


def test_every_row_of_the_table_has_a_test_row() -> None:
    assert set(ROWS) == set(OPTIMIZERS)
    assert all(len(row.budgets) == len(PROBLEMS) == len(WANTED) for row in ROWS.values())
    assert all(OPTIMIZERS[name].elementwise == bool(row.oracle) for name, row in ROWS.items())
    assert all(isinstance(kind(), Optimizer) for kind in OPTIMIZERS.values())


@pytest.mark.parametrize("name", list(ROWS))
def test_defaults_are_the_papers(name: str) -> None:
    assert asdict(OPTIMIZERS[name]()) == ROWS[name].defaults


@every_case
@pytest.mark.parametrize("seed", [0, 1])
def test_many_steps_against_the_paper(name: str, settings: dict[str, float], seed: int) -> None:
    gradient, theta = Noisy(400, 7, seed), np.random.default_rng(seed).normal(size=7)
    rates = 0.05 / (1 + 0.01 * np.arange(400))
    oracle = ROWS[name].oracle(list(theta), gradient, rates, **settings)
    assert worst_error(OPTIMIZERS[name](**settings), oracle, theta, gradient, rates) <= PAPER


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 30), st.floats(1e-5, 2), st.sampled_from(CASES))
def test_drawn_steps_against_the_paper(seed: int, P: int, steps: int, rate: float, case: Any) -> None:
    name, settings = case
    gradient, theta = Noisy(steps, P, seed), np.random.default_rng(seed).normal(size=P)
    oracle = ROWS[name].oracle(list(theta), gradient, [rate] * steps, **settings)
    assert worst_error(OPTIMIZERS[name](**settings), oracle, theta, gradient, [rate] * steps) <= PAPER


def test_momentum_is_the_heavy_ball() -> None:
    gradient, theta, rates = Noisy(400, 7), np.ones(7), np.linspace(0.1, 0.01, 400)
    oracle = paper.heavy_ball(list(theta), gradient, [0.05] * 400)
    assert worst_error(Momentum(), oracle, theta, gradient, [0.05] * 400) <= PAPER
    oracle = paper.heavy_ball(list(theta), gradient, rates)
    assert worst_error(Momentum(), oracle, theta, gradient, rates) <= PAPER


@pytest.mark.parametrize("name", [name for name in RULES if OPTIMIZERS[name].decays])
def test_a_rule_that_decays_spares_what_is_not_decayed(name: str) -> None:
    gradient, theta, decayed = Noisy(400, 6), np.linspace(1, 2, 6), np.array([1.0, 0, 1, 0, 1, 0])
    rule = OPTIMIZERS[name](weight_decay=0.3)
    oracle = ROWS[name].oracle(list(theta), gradient, [0.02] * 400, weight_decay=0.3, decayed=decayed)
    memory = rule.zeros(6, decayed=decayed == 1)
    assert worst_error(rule, oracle, theta, gradient, [0.02] * 400, memory=memory) <= PAPER


@every_rule
def test_float32_stays_float32(name: str) -> None:
    gradient, theta = Noisy(200, 7), np.random.default_rng(0).normal(size=7).astype(np.float32)
    rule = OPTIMIZERS[name]()
    memory = rule.zeros(7, "float32")
    oracle = list(ROWS[name].oracle([float(x) for x in theta], gradient, [0.01] * 200))
    for t in range(200):
        theta, memory = rule.update(theta, gradient(t, theta).astype(np.float32), memory, 0.01)
        assert {value.dtype for value in (theta, *memory.arrays.values())} == {np.dtype("f4")}
    assert relative_error(theta, np.array(oracle[-1])) <= 2e-6


@every_rule
def test_arrays_of_jax_go_through_the_same_lines(name: str) -> None:
    rule, gradient, theta = OPTIMIZERS[name](), Noisy(20, 7), np.linspace(-1, 2, 7).astype(np.float32)
    memory = rule.zeros(7, "float32")
    other, held = jnp.asarray(theta), Memory(0, {name: jnp.asarray(v) for name, v in memory.arrays.items()})
    for t in range(20):
        g = gradient(t, theta).astype(np.float32)
        theta, memory = rule.update(theta, g, memory, 0.01)
        other, held = rule.update(other, jnp.asarray(g), held, 0.01)
        assert isinstance(other, jax.Array)
        assert relative_error(np.asarray(other), theta) <= 1e-6


@every_rule
def test_a_new_memory_is_zero(name: str) -> None:
    memory = OPTIMIZERS[name]().zeros(3, "float32")
    assert (memory.t, memory.numbers) == (0, {})
    if OPTIMIZERS[name].decays:
        np.testing.assert_array_equal(memory.arrays.pop("decayed"), np.ones(3, np.float32), strict=True)
    for values in memory.arrays.values():
        np.testing.assert_array_equal(values, np.zeros(3, np.float32), strict=True)


@every_rule
def test_a_rule_begins_with_a_memory_like_theta_in_which_only_weights_decay(name: str) -> None:
    rule, network = OPTIMIZERS[name](), Network(2, [Dense(3)])
    theta = network.initialize(0, "float32")
    memory, wanted = rule.init(network if rule.decays else None, theta), rule.zeros(9, "float32")
    if rule.decays:
        wanted.arrays["decayed"] = network.mask("weight").astype("float32")
    assert (memory.t, memory.numbers, memory.arrays.keys()) == (0, {}, wanted.arrays.keys())
    for key, array in memory.arrays.items():
        np.testing.assert_array_equal(array, wanted[key], strict=True)


@every_rule
def test_arguments_are_not_changed(name: str) -> None:
    rng, rule = np.random.default_rng(0), OPTIMIZERS[name]()
    theta, gradient, memory = rng.normal(size=5), rng.normal(size=5), rule.zeros(5)
    for count in range(1, 4):
        given = {"theta": theta, "gradient": gradient, **memory.arrays}
        before = {key: np.array(value) for key, value in given.items()}
        for value in given.values():
            value.flags.writeable = False
        theta, memory = rule.update(theta, gradient, memory, 0.1)
        assert memory.t == count
        assert all(np.array_equal(given[key], before[key]) for key in before)


@every_rule
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_piece_by_piece_gives_the_same_bits_as_whole(name: str, dtype: str) -> None:
    rng, rule, P = np.random.default_rng(0), OPTIMIZERS[name](), 2 * PIECE + 17
    whole = rng.normal(size=P).astype(dtype)
    pieces, memory, memory_of_pieces = whole.copy(), rule.zeros(P, dtype), rule.zeros(P, dtype)
    for rate in (0.1, 0.01, 0.3):
        gradient = rng.normal(size=P).astype(dtype)
        whole, memory = rule.update(whole, gradient, memory, rate)
        apply(rule, pieces, gradient, memory_of_pieces, rate)
        assert pieces.tobytes() == whole.tobytes()
        assert memory.t == memory_of_pieces.t
        assert memory.arrays.keys() == memory_of_pieces.arrays.keys()
        assert all(np.array_equal(memory[key], memory_of_pieces[key]) for key in memory.arrays)


def loss_reached(optimizer: Any, problem: Problem, rate: float, steps: int) -> float:
    """Return the loss after `steps` steps from the problem's start."""
    objective, theta = problem.objective, problem.start.copy()
    memory = optimizer.zeros(theta.size) if optimizer.elementwise else optimizer.init(objective.network, theta)
    ReferenceEngine(objective, optimizer).run(theta, memory, None, objective.rows, [rate] * steps)
    return float(objective.value(theta))


TRIED = [(name, k) for name in ROWS for k, budget in enumerate(ROWS[name].budgets) if budget]


@pytest.mark.parametrize(("name", "k"), TRIED, ids=[f"{name}, {PROBLEMS[k].name}" for name, k in TRIED])
def test_problems_table(name: str, k: int) -> None:
    rate, steps = ROWS[name].budgets[k] or (0, 0)
    assert loss_reached(OPTIMIZERS[name](), PROBLEMS[k], rate, steps) <= WANTED[k]
    if steps > 1:
        assert loss_reached(OPTIMIZERS[name](), PROBLEMS[k], rate, max(1, steps // 10)) > WANTED[k]


def test_gradient_descent_contracts_each_eigenvector_as_it_must() -> None:
    problem = quadratic(10)
    objective: Quadratic = problem.objective
    theta, memory = problem.start.copy(), SGD().zeros(6)
    ReferenceEngine(objective, SGD()).run(theta, memory, None, 1, [0.7] * 25)
    values, vectors = np.linalg.eigh(objective.A)
    start = vectors.T @ (problem.start - objective.optimum)
    wanted = objective.optimum + vectors @ ((1 - 0.7 * values) ** 25 * start)
    assert relative_error(theta, wanted) <= PAPER


def test_best_momentum_is_faster_than_the_best_gradient_descent() -> None:
    problem, condition, steps = quadratic(1000), 1000.0, 300
    plain = loss_reached(SGD(), problem, 2 / (1 + 1 / condition), steps)
    root = condition**0.5
    polyak = Momentum(momentum=((root - 1) / (root + 1)) ** 2)
    assert loss_reached(polyak, problem, 4 / (1 + 1 / root) ** 2, steps) <= 1e-6 * plain


REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "learning_rate": ((0, -1, np.inf, np.nan), "a positive finite number"),
    "momentum": ((-0.1, 1.1, np.nan), "a number from 0 to 1"),
    "rho": ((-0.1, 1.0, np.nan), "a number of at least 0 and below 1"),
    "beta_1": ((-0.1, 1, np.inf), "a number of at least 0 and below 1"),
    "beta_2": ((-0.1, 1, np.nan), "a number of at least 0 and below 1"),
    "epsilon": ((0, -1e-8, np.inf), "a positive finite number"),
    "weight_decay": ((-1e-3, np.inf, np.nan), "a finite number of at least 0"),
    "momentum_decay": ((-1e-3, np.inf, np.nan), "a finite number of at least 0"),
    "eta_minus": ((0, 1, np.nan), "a number above 0 and below 1"),
    "eta_plus": ((1, np.inf, np.nan), "a finite number above 1"),
    "step_min": ((0, -1, np.inf, np.nan), "a positive finite number"),
    "step_max": ((0, -1, np.inf, np.nan), "a positive finite number"),
    "history": ((0, -1), "a whole number of at least 1"),
    "tolerance": ((-1e-4, np.nan), "a number of at least 0"),
    "max_evaluations": ((0,), "a whole number of at least 1"),
    "damping": ((0, -1, np.inf, np.nan), "a positive finite number"),
    "factor": ((1, np.nan), "a number above 1"),
    "radius": ((0, -1, np.inf), "a positive finite number"),
    "most": ((0, -1), "a whole number of at least 1"),
    "progress": ((-1e-4, np.nan), "a number at least 0"),
    "warm": ((-0.1, 1.1), "a number at least 0 and at most 1"),
    "rows": ((0, 1.1, np.nan), "a number above 0 and at most 1"),
    "largest": ((0, np.inf, np.nan), "a positive finite number"),
    "every": ((0, -1), "a whole number of at least 1"),
    "limit": ((0, np.inf, np.nan), "a positive finite number"),
    "steps": ((0, -1), "a whole number of at least 1"),
    "adam_learning_rate": ((0, np.inf, np.nan), "a positive finite number"),
    "decrease": ((0, 1, np.nan), "a number above 0 and below 1"),
    "increase": ((1, np.nan), "a number above 1"),
    "still": ((-1, np.nan), "a number at least 0"),
    "patience": ((0, -1), "a whole number of at least 1"),
    "falling": ((0, -1), "a whole number of at least 1"),
}
"""One row per setting: numbers that are refused, and what the error says is accepted."""

NAMED: dict[str, str] = {
    "search": "one of strong_wolfe, armijo, fixed",
    "beta": "one of polak_ribiere, fletcher_reeves, hestenes_stiefel",
    "curvature": "one of hessian, gauss_newton, bfgs",
    "path": "one of steihaug, dogleg",
    "preconditioned": "True or False",
    "scaled": "True or False",
    "noise": "True or False",
}
"""One row per setting that is no number."""

SETTINGS = [(kind, field.name) for kind in dict.fromkeys(OPTIMIZERS.values()) for field in fields(kind)]
COUNTED, CHOSEN = ([each for each in SETTINGS if (each[1] in NAMED) is named] for named in (False, True))


@pytest.mark.parametrize(("kind", "name"), COUNTED, ids=lambda value: getattr(value, "__name__", value))
def test_a_setting_out_of_range_is_refused_where_it_is_given(kind: Any, name: str) -> None:
    numbers, words = REFUSED[name]
    for value in numbers:
        with pytest.raises(ValueError, match=re.escape(f"{kind.__name__} {name} must be {words}, got {value!r}")):
            kind(**{name: value})
    for value in ("0.5", None, True, [0.5]):
        with pytest.raises(TypeError, match=re.escape(f"{kind.__name__} {name} must be {words}, got {value!r}")):
            kind(**{name: value})


@pytest.mark.parametrize(("kind", "name"), CHOSEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_setting_of_another_name_is_refused_where_it_is_given(kind: Any, name: str) -> None:
    for value in ("newton", None, 0.5):
        with pytest.raises(ValueError, match=re.escape(f"{kind.__name__} {name} must be {NAMED[name]}, got {value!r}")):
            kind(**{name: value})


def test_rprops_steps_need_room() -> None:
    with pytest.raises(ValueError, match=re.escape("Rprop step_min must be at most step_max, 0.1, got 0.2")):
        OPTIMIZERS["rprop"](step_min=0.2, step_max=0.1)


def test_the_ends_that_are_accepted_are_accepted() -> None:
    for kind in (Momentum, Nesterov):
        assert (kind(momentum=0).momentum, kind(momentum=1).momentum) == (0, 1)
    AdamW(np.float32(1e-3), beta_1=0, beta_2=0.0, weight_decay=0)
    OPTIMIZERS["lbfgs"](history=np.int64(1), tolerance=0, max_evaluations=1)
    OPTIMIZERS["rprop"](step_min=0.1, step_max=0.1)


def test_nadams_product_of_momenta_ends_where_it_is_negligible() -> None:
    rule = NAdam()
    momenta = [rule.momentum_at(t) for t in range(1, 200)]
    for t in (0, 1, 20, 50):
        assert rule.product_to(t) == pytest.approx(prod(momenta[:t]), rel=1e-14)
    assert 0 < rule.product_to(200) == rule.product_to(10**9) <= NEGLIGIBLE
