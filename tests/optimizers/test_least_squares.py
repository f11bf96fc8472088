"""Least squares: NIST's certified digits, problems with known answers, MINPACK as the oracle, and bad input."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.optimize import leastsq

from chainrule.optimizers.least_squares import Region, least_squares, standard_errors
from support.commands import DATA
from support.minimisers import MORE
from support.oracles import relative_error

ROOT = Path(__file__).parents[2]


def benchmark() -> ModuleType:
    """Return benchmarks/nist.py, which knows the models and reads the files."""
    spec = importlib.util.spec_from_file_location("nist", ROOT / "benchmarks" / "nist.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NIST = benchmark()

# ------------------------------------------------------------------------------------------------ problems written here

PRESSURE = [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0]
VOLUME = [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78]
"""NIST's Misra1a, whose numbers three other problems share: the adsorption of a monomolecular layer."""


class Adsorption(NamedTuple):
    """One of Misra's problems: model, both starts, certified parameters, deviations and sum of squares."""

    model: str
    starts: tuple[list[float], list[float]]
    certified: list[float]
    deviations: list[float]
    squares: float


MISRA: dict[str, Adsorption] = {
    "Misra1a": Adsorption(
        "Misra1a",
        ([500, 1e-4], [250, 5e-4]),
        [2.3894212918e2, 5.5015643181e-4],
        [2.7070075241, 7.2668688436e-6],
        1.2455138894e-1,
    ),
    "Misra1b": Adsorption(
        "Misra1b",
        ([500, 1e-4], [300, 2e-4]),
        [3.3799746163e2, 3.9039091287e-4],
        [3.1643950207, 4.2547321834e-6],
        7.5464681533e-2,
    ),
}


def misra(name: str) -> Any:
    """Return the problem as the benchmark has it."""
    row = MISRA[name]
    starts = tuple(np.array(start, float) for start in row.starts)
    certified, deviations = np.array(row.certified), np.array(row.deviations)
    return NIST.Problem(row.model, starts, certified, deviations, row.squares, np.array(PRESSURE), np.array(VOLUME))


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("name", list(MISRA))
def test_the_certified_digits_of_adsorption(name: str, start: int) -> None:
    problem = misra(name)
    exact = least_squares(problem.residual, problem.starts[start], problem.jacobian)
    differences = least_squares(problem.residual, problem.starts[start])
    for found in (exact, differences):
        assert found.converged
        assert problem.digits(found.theta, found.value) >= 7
        assert found.value == pytest.approx(problem.squares, rel=1e-9)
        assert relative_error(found.standard_errors / problem.deviations, np.ones(2)) <= 1e-5
    assert exact.jacobians <= exact.evaluations


@pytest.mark.data
@pytest.mark.parametrize("path", sorted((DATA / "nist").glob("*.dat")), ids=lambda path: path.stem)
def test_nists_certified_digits(path: Path) -> None:
    problem = NIST.load(path)
    assert relative_error(
        problem.residual(problem.certified) @ problem.residual(problem.certified), problem.squares
    ) < (1e9 if problem.name in NIST.MISPRINTED else 1e-6)
    for start in problem.starts:
        exact, differences, theirs = NIST.fits(problem, start)
        assert exact.converged
        assert problem.digits(exact.theta, exact.value) >= 6
        assert problem.digits(differences.theta, differences.value) >= 6
        if NIST.correct(theirs[0], exact.theta) > 6:
            assert exact.evaluations <= 2 * theirs[2]["nfev"]


@pytest.mark.data
def test_evaluations_are_scipys_in_the_median() -> None:
    ratios = []
    for path in sorted((DATA / "nist").glob("*.dat")):
        problem = NIST.load(path)
        for start in problem.starts:
            exact, _, theirs = NIST.fits(problem, start)
            ratios.append(exact.evaluations / theirs[2]["nfev"])
    assert len(ratios) == 36
    assert np.median(ratios) <= 1


@pytest.mark.parametrize("name", list(MORE))
def test_mores_problems_against_minpack(name: str) -> None:
    function, start = MORE[name]
    found = least_squares(lambda b: function(b)[0], start, lambda b: function(b)[1])
    wanted = leastsq(lambda b: function(b)[0], start, Dfun=lambda b: function(b)[1], full_output=True, xtol=1e-12)
    assert found.converged
    assert found.value <= float(wanted[2]["fvec"] @ wanted[2]["fvec"]) * (1 + 1e-9) + 1e-12
    assert found.residual @ found.residual == pytest.approx(found.value)
    assert relative_error(found.jacobian, function(found.theta)[1]) <= 1e-12


def test_linear_least_squares_take_one_step_and_have_the_textbooks_errors() -> None:
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    found = least_squares(lambda b: A @ b - y, np.zeros(3), lambda b: A)
    wanted, squares = np.linalg.lstsq(A, y, rcond=None)[:2]
    assert relative_error(found.theta, wanted) <= 1e-12
    assert found.value == pytest.approx(squares[0])
    errors = np.sqrt(squares[0] / 17 * np.diag(np.linalg.inv(A.T @ A)))
    assert relative_error(found.standard_errors, errors) <= 1e-10
    assert found.evaluations <= 4


# -------------------------------------------------------------------------------------------------------- its parts


@pytest.mark.parametrize("radius", [1e-3, 0.1, 0.5])
def test_a_step_on_the_edge_solves_the_damped_equations(radius: float) -> None:
    rng = np.random.default_rng(1)
    J, r = rng.normal(size=(9, 4)), rng.normal(size=9)
    D = np.linalg.norm(J, axis=0)
    scaled, damping = Region.of(J, r, D).step(radius)
    assert np.linalg.norm(scaled) == pytest.approx(radius, rel=0.1)
    wanted = np.linalg.solve(J.T @ J + damping * np.diag(D**2), -J.T @ r)
    assert relative_error(scaled / D, wanted) <= 1e-9


def test_a_step_within_the_region_is_the_least_of_all() -> None:
    rng = np.random.default_rng(1)
    J, r = rng.normal(size=(9, 4)), rng.normal(size=9)
    scaled, damping = Region.of(J, r, np.ones(4)).step(1e3)
    assert damping == 0
    assert relative_error(scaled, np.linalg.lstsq(J, -r, rcond=None)[0]) <= 1e-10


def test_a_singular_jacobian_is_no_obstacle_and_its_errors_are_not_a_number() -> None:
    t = np.linspace(0, 1, 9)
    found = least_squares(lambda b: (b[0] + b[1]) * t + b[2] - np.exp(t), [1.0, 1.0, 0.0])
    line = np.linalg.lstsq(np.column_stack([t, np.ones(9)]), np.exp(t), rcond=None)[0]
    assert found.theta[0] + found.theta[1] == pytest.approx(line[0])
    assert found.theta[2] == pytest.approx(line[1])
    assert np.isnan(found.standard_errors[:2]).all()
    assert np.isfinite(found.standard_errors[2])


def test_fewer_residuals_than_parameters_have_no_errors() -> None:
    found = least_squares(lambda b: np.array([b[0] * b[1] - 2.0]), [1.0, 1.0])
    assert found.theta.prod() == pytest.approx(2)
    assert np.isnan(found.standard_errors).all()
    assert np.isnan(standard_errors(np.ones((2, 2)), 1.0)).all()


def test_zero_residuals_end_it() -> None:
    found = least_squares(lambda b: b - 3.0, [3.0, 3.0])
    assert (found.value, found.converged, found.reason, found.evaluations) == (0, True, "the residual is zero", 1)
    found = least_squares(lambda b: b * 2.0 - 6.0, [0.0])
    assert (found.theta.tolist(), found.converged) == ([3.0], True)


def test_nan_on_the_way_makes_the_step_shorter() -> None:
    found = least_squares(lambda b: np.array([np.log(b[0]), 0.1 * (b[0] - 1)]), [50.0])
    assert found.theta[0] == pytest.approx(1)
    assert found.converged


def test_evaluations_that_are_used_up_end_it() -> None:
    function, start = MORE["rosenbrock"]
    found = least_squares(lambda b: function(b)[0], start, lambda b: function(b)[1], max_evaluations=3)
    assert (found.converged, found.reason, found.evaluations) == (False, "max_evaluations=3 reached", 3)
    assert found.value < float(function(np.array(start))[0] @ function(np.array(start))[0])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "start": ({"start": [np.nan]}, "start must be a vector of finite numbers, got array([nan])"),
    "matrix": ({"start": [[1.0]]}, "start must be a vector of finite numbers, got array([[1.]])"),
    "nothing": ({"start": []}, "start must be a vector of finite numbers, got array([], dtype=float64)"),
    "shape": ({"residual": lambda b: np.ones((2, 2))}, "residual must return a vector, got the shape (2, 2)"),
    "nan": (
        {"residual": lambda b: np.array([1.0, np.nan])},
        "the residual is nan at the start, in position 1: give a start where it is finite",
    ),
    "infinite": (
        {"residual": lambda b: np.array([-np.inf, 1.0])},
        "the residual is -inf at the start, in position 0: give a start where it is finite",
    ),
    "jacobian": ({"jacobian": lambda b: np.ones((1, 2))}, "jacobian must return the shape (2, 1), got (1, 2)"),
    "slope": (
        {"jacobian": lambda b: np.array([[1.0], [np.inf]])},
        "the derivative of residual 1 in parameter 0 is inf",
    ),
    "tolerance": ({"tolerance": -1}, "tolerance must be a number at least 0 and at most 1, got -1"),
    "evaluations": ({"max_evaluations": 0}, "max_evaluations must be a whole number of at least 1, got 0"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_is_refused_in_one_line(name: str) -> None:
    given, words = REFUSED[name]
    settings: dict[str, Any] = {"residual": lambda b: np.array([b[0] - 1, 2 * b[0]]), "start": [1.0], **given}
    with pytest.raises(ValueError, match=re.escape(words) + "$"):
        least_squares(settings.pop("residual"), settings.pop("start"), **settings)


def test_a_residual_that_changes_its_length_is_refused() -> None:
    lengths = iter([2, 2, 3])
    with pytest.raises(ValueError, match="residual must return 2 numbers, as at the start; it returned the shape"):
        least_squares(lambda b: np.ones(next(lengths)) * b[0], [1.0], lambda b: np.ones((2, 1)))


def test_the_users_arrays_are_not_changed() -> None:
    start = np.array([-1.2, 1.0])

    def greedy(b: Any) -> Any:
        r = MORE["rosenbrock"][0](b)[0]
        b[:] = 99
        return r

    found = least_squares(greedy, start)
    assert start.tolist() == [-1.2, 1.0]
    np.testing.assert_allclose(found.theta, [1, 1], rtol=1e-8)
