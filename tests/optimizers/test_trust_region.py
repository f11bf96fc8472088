"""Trust regions: the point of each path, the radius, saddles, and every curvature."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.engines import ReferenceEngine
from chainrule.optimizers import TrustRegion
from chainrule.optimizers.conjugate import to_edge
from chainrule.optimizers.directions import updated
from chainrule.optimizers.trust_region import CURVATURES, PATHS, dogleg, learnt, resized, steihaug
from support.minimisers import run
from support.oracles import relative_error
from support.problems import Quadratic, quadratic, rosenbrock, xor

WAYS = [(curvature, path) for curvature in CURVATURES for path in PATHS]


def parabola(B: Any, g: Any, p: Any) -> float:
    return float(0.5 * p @ B @ p + g @ p)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.floats(0.01, 10))
def test_every_path_keeps_to_the_region_and_beats_the_steepest_way_down(seed: int, P: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    A, g = rng.normal(size=(P, P)), rng.normal(size=P)
    for B in (A @ A.T + 0.1 * np.eye(P), (A + A.T) / 2):
        bend = g @ B @ g
        along = min(radius / np.linalg.norm(g), (g @ g) / bend if bend > 0 else np.inf)
        for path in PATHS.values():
            p, edge, count = path(lambda v, B=B: B @ v, g, radius)
            assert np.linalg.norm(p) <= radius * (1 + 1e-9)
            assert not edge or np.linalg.norm(p) == pytest.approx(radius, rel=1e-6)
            assert parabola(B, g, p) <= parabola(B, g, -along * g) + 1e-9
            assert count >= 1


def test_the_dogleg_is_the_newton_step_where_it_keeps_to_the_region() -> None:
    B, g = np.array([[4.0, 1.0], [1.0, 2.0]]), np.array([1.0, -1.0])
    whole = np.linalg.solve(B, -g)
    p, edge, _ = dogleg(lambda v: B @ v, g, 10.0)
    assert relative_error(p, whole) <= 1e-12
    assert not edge
    along = -(g @ g) / (g @ B @ g) * g
    for radius in np.linspace(np.linalg.norm(along), np.linalg.norm(whole), 5)[1:-1]:
        p, edge, _ = dogleg(lambda v: B @ v, g, float(radius))
        share = (p - along) / (whole - along)
        assert edge
        assert share[0] == pytest.approx(share[1])
        assert 0 < share[0] < 1


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.floats(0, 0.99))
def test_the_way_to_the_edge_ends_on_it(seed: int, P: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    p, d = rng.normal(size=(2, P))
    p *= share * 3 / np.linalg.norm(p)
    far = to_edge(p, d, 3.0)
    assert far >= 0
    assert np.linalg.norm(p + far * d) == pytest.approx(3, rel=1e-9)


@pytest.mark.parametrize(
    ("ratio", "edge", "length", "wanted"),
    [
        (0.2, True, 2.0, 0.5),
        (0.2, False, 0.4, 0.1),
        (-1.0, True, 2.0, 0.5),
        (0.5, True, 2.0, 2.0),
        (0.9, True, 2.0, 4.0),
    ],
)
def test_the_radius_follows_the_ratio(ratio: float, edge: bool, length: float, wanted: float) -> None:
    assert resized(2.0, ratio, edge, length) == pytest.approx(wanted)


@pytest.mark.parametrize(("curvature", "path"), [way for way in WAYS if way[0] != "bfgs"])
def test_a_parabola_takes_one_step_of_the_dogleg_and_few_of_truncated_ones(curvature: str, path: str) -> None:
    problem = quadratic(10)
    optimizer = TrustRegion(curvature, path, radius=100.0, tolerance=1e-3)
    theta, memory, reports = run(optimizer, problem.objective, problem.start)
    assert len(reports) <= (1 if path == "dogleg" else 8)
    assert memory.numbers["evaluations"] == len(reports) + 1
    np.testing.assert_allclose(theta, problem.optimum, atol=0.02)


@pytest.mark.parametrize(("curvature", "path"), WAYS)
def test_every_way_goes_down_to_the_end_of_the_valley(curvature: str, path: str) -> None:
    problem = rosenbrock()
    theta, memory, reports = run(TrustRegion(curvature, path, tolerance=1e-8), problem.objective, problem.start)
    assert reports[-1].converged
    np.testing.assert_allclose(theta, [1, 1], atol=1e-6)
    assert all(b.loss < a.loss for a, b in pairwise(reports))
    assert memory.numbers["evaluations"] <= 70


def test_a_saddle_is_left_along_its_negative_curvature() -> None:
    class Bent(Quadratic):
        """¼ a⁴ - ½ a² + ½ b²: a saddle at 0, minima at a = ±1."""

        def value(self, theta: Any) -> float:
            a, b = theta
            return float(0.25 * a**4 - 0.5 * a * a + 0.5 * b * b)

        def gradient(self, theta: Any) -> Any:
            a, b = theta
            return np.array([a**3 - a, b])

        def hessian_product(self, theta: Any, v: Any) -> Any:
            return np.array([(3 * theta[0] ** 2 - 1) * v[0], v[1]])

    for path in PATHS:
        start = np.array([1e-6, 0.5])
        theta, _, reports = run(TrustRegion(path=path, tolerance=1e-8), Bent(np.ones(2), np.ones(2)), start)
        assert reports[-1].converged
        assert reports[-1].loss == pytest.approx(-0.25)
        assert np.abs(theta).round(6).tolist() == [1, 0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_bfgss_matrix_is_the_inverse_of_its_inverse(seed: int, P: int) -> None:
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(P, P))
    H = np.eye(P) + A @ A.T
    memory = TrustRegion("bfgs").init(None, np.zeros(P))
    memory.arrays["B"], memory.t = H, 3
    s = rng.normal(size=P)
    y = (np.eye(P) + A.T @ A) @ s
    got = learnt(memory, s, y)["B"]
    wanted = np.linalg.inv(updated(np.linalg.inv(H), s, y, 1 / float(y @ s)))
    assert relative_error(got, wanted) <= 1e-6
    assert relative_error(got @ s, y) <= 1e-9
    assert learnt(memory, s, -y) is memory.arrays


def test_endings() -> None:
    problem = rosenbrock()
    _, memory, reports = run(TrustRegion(max_evaluations=5), problem.objective, problem.start)
    assert (reports[-1].message, reports[-1].converged) == ("Maximum evaluations (5) reached", False)
    assert memory.numbers["evaluations"] == 5
    _, memory, reports = run(TrustRegion(), problem.objective, np.ones(2))
    assert (reports[-1].message, memory.t) == ("every entry of the gradient is at most 0.0001", 0)
    _, _, reports = run(TrustRegion(tolerance=0), quadratic(10).objective, quadratic(10).start)
    assert reports[-1].converged
    assert reports[-1].message in (
        "the loss changes by no more than its rounding",
        "every entry of the gradient is at most 0",
    )


def test_a_loss_without_lower_values_ends_it() -> None:
    class Wrong(Quadratic):
        def gradient(self, theta: Any) -> Any:
            return -super().gradient(theta)

    problem, start = Wrong(np.ones(2), np.zeros(2)), np.array([3.0, 4.0])
    theta, _, reports = run(TrustRegion(), problem, start)
    assert len(reports) == 1
    assert reports[-1].message in (
        "the loss changes by no more than its rounding",
        "no step within the trust region makes the loss smaller",
    )
    assert theta.tolist() == start.tolist()


@pytest.mark.parametrize(("curvature", "path"), WAYS)
def test_networks(curvature: str, path: str) -> None:
    problem = xor()
    result = cr.train(problem.objective, problem.start, optimizer=TrustRegion(curvature, path), epochs=200)
    assert float(problem.objective.value(result.theta)) < 0.01
    assert TrustRegion(curvature, path).needs == CURVATURES[curvature].needs


def test_a_matrix_of_too_many_parameters_is_refused_and_products_are_not() -> None:
    for optimizer in (TrustRegion("bfgs"), TrustRegion(path="dogleg")):
        with pytest.raises(ValueError, match="trust_region with a matrix holds P × P numbers, 200 MB"):
            optimizer.init(None, np.zeros(5001))
    assert TrustRegion().init(None, np.zeros(5001)).t == 0


def test_the_figures_of_a_network_are_counted() -> None:
    problem = xor()
    _, memory, reports = run(TrustRegion(), ReferenceEngine(problem.objective), problem.start, 5)
    assert memory.numbers["products"] >= 5
    assert memory.numbers["radius"] > 0
    assert len(reports) == memory.t == 5
    assert steihaug(lambda v: v, np.ones(2), 10.0)[2] == 1
