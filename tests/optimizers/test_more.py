"""The problems of Moré, Garbow and Hillstrom: SciPy's methods as the oracle of minima and evaluations."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.optimize

from chainrule.optimizers import (
    BFGS,
    LBFGS,
    ConjugateGradients,
    DampedNewton,
    GradientDescent,
    HessianFree,
    NaturalGradient,
    TrustRegion,
)
from chainrule.optimizers.directions import BETAS
from support.minimisers import MORE, Asked, run
from support.oracles import central_gradient, relative_error

FLAT = 1e-6


class Twin(NamedTuple):
    """A method of ours, SciPy's, its options, and how many of SciPy's evaluations ours takes: median and most."""

    optimizer: Any
    method: str
    options: dict[str, float]
    median: float = 1.2
    most: float = 2.0


TWINS: dict[str, Twin] = {
    "bfgs": Twin(BFGS(tolerance=FLAT), "BFGS", {"gtol": FLAT}),
    "lbfgs": Twin(LBFGS(tolerance=FLAT), "L-BFGS-B", {"gtol": FLAT, "ftol": 1e-20}),
    **{f"cg, {beta}": Twin(ConjugateGradients(beta, tolerance=FLAT), "CG", {"gtol": FLAT}) for beta in BETAS},
    "trust region": Twin(TrustRegion(tolerance=FLAT), "trust-ncg", {"gtol": FLAT}, most=1.2),
    "trust region, dogleg": Twin(TrustRegion(path="dogleg", tolerance=FLAT), "trust-exact", {"gtol": FLAT}),
}


def counts(twin: Twin, name: str) -> tuple[int, int]:
    """Return the evaluations of ours and of SciPy's, after both have come to a minimum as low as the other's."""
    residual, start = MORE[name]
    ask, theirs = Asked(residual), Asked(residual)
    theta, _, reports = run(twin.optimizer, ask, np.array(start, float))
    second = {"hess": theirs.hessian} if twin.method.startswith("trust") else {}
    wanted = scipy.optimize.minimize(
        theirs.value, start, jac=theirs.gradient, method=twin.method, options=twin.options, **second
    )
    assert reports[-1].converged
    assert np.abs(ask.gradient(theta)).max() <= FLAT or "rounding" in reports[-1].message
    assert reports[-1].loss <= wanted.fun * (1 + 1e-6) + 1e-8
    return ask.count, wanted.nfev


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # SciPy's, where its line search gives up at the rounding
@pytest.mark.parametrize("name", list(TWINS))
def test_evaluations_are_within_a_fifth_of_scipys_in_the_median(name: str) -> None:
    twin = TWINS[name]
    ratios = [ours / theirs for ours, theirs in (counts(twin, problem) for problem in MORE)]
    assert np.median(ratios) <= twin.median
    assert max(ratios) <= twin.most


OTHERS: dict[str, Any] = {
    "damped newton": DampedNewton(tolerance=FLAT),
    "natural gradient": NaturalGradient(tolerance=FLAT),
    "hessian-free": HessianFree(tolerance=FLAT),
    "bfgs, armijo": BFGS("armijo", tolerance=FLAT),
    **{
        f"trust region, {curvature}, {path}": TrustRegion(curvature, path, tolerance=FLAT)
        for curvature in ("gauss_newton", "bfgs")
        for path in ("steihaug", "dogleg")
    },
}

LEAST = {"bard": 8.214877e-3, "trigonometric": 2.7950e-5}
"""The sums of squares at the minima that are not 0."""


@pytest.mark.parametrize("problem", list(MORE))
@pytest.mark.parametrize("name", list(OTHERS))
def test_every_other_way_comes_to_a_minimum(name: str, problem: str) -> None:
    residual, start = MORE[problem]
    ask = Asked(residual)
    theta, _, reports = run(OTHERS[name], ask, np.array(start, float), 20000)
    assert reports[-1].converged
    assert ask.value(theta) <= LEAST.get(problem, 0.0) * 1.001 + 1e-6
    assert all(b.loss <= a.loss for a, b in pairwise(reports))


def test_gradient_descent_goes_down_and_says_where_it_gives_up() -> None:
    for residual, start in MORE.values():
        ask = Asked(residual)
        _, memory, reports = run(GradientDescent(max_evaluations=300), ask, np.array(start, float))
        assert reports[-1].loss < 0.5 * ask.value(np.array(start, float))
        assert reports[-1].converged or reports[-1].message == "Maximum evaluations (300) reached"
        assert memory.numbers["evaluations"] <= 300


@pytest.mark.parametrize("problem", list(MORE))
def test_the_oracles_own_gradients_are_right(problem: str) -> None:
    residual, start = MORE[problem]
    theta = np.array(start, float) + 0.1
    assert relative_error(Asked(residual).gradient(theta), central_gradient(Asked(residual).value, theta)) <= 1e-7
