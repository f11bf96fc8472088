"""Standard errors, γ and the deviation of predictions: against textbooks, eigenvalues and held-out targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import MLPClassifier, MLPRegressor
from chainrule.estimators.fitted import uncertainty
from chainrule.mathematics.curvature import gauss_newton, jacobian

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::chainrule.TrainingAdvice"
)


def line(rows: int = 60, seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    X = random.normal(size=(rows, 3))
    return X, X @ [1.0, -2.0, 0.5] + 3 + 0.7 * random.normal(size=rows)


def waves(rows: int, seed: int) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    X = random.uniform(-1, 1, (rows, 2))
    return X, 5 * np.sin(3 * X[:, 0]) + X[:, 1] ** 2 + 40 + 0.8 * random.normal(size=rows)


def linear(solver: str, **settings: Any) -> MLPRegressor:
    return MLPRegressor(hidden_layer_sizes=(), solver=solver, alpha=0, random_state=0, **settings).fit(*line())


def curved(solver: str = "bayesian", seed: int = 0, **settings: Any) -> MLPRegressor:
    given = {"hidden_layer_sizes": (6,), "activation": "tanh", "scale_target": True, "alpha": 0, "max_iter": 300}
    return MLPRegressor(**{**given, **settings}, solver=solver, random_state=seed).fit(*waves(150, seed))


@pytest.mark.parametrize("scaled", [False, True])
def test_on_a_line_they_are_those_of_the_textbook(scaled: bool) -> None:
    X, y = line()
    model, design = linear("lm", scale_target=scaled), np.column_stack([X, np.ones(60)])
    inverse, found = np.linalg.inv(design.T @ design), np.linalg.lstsq(design, y, rcond=None)
    s = np.sqrt(found[1][0] / (60 - 4))
    deviation = 1 if model.target_scale_ is None else model.target_scale_.deviation[0]
    np.testing.assert_allclose(model.standard_errors_ * deviation, s * np.sqrt(np.diag(inverse)), rtol=1e-6)
    new = np.array([[0.3, -1.0, 2.0], [9.0, 9.0, 9.0]])
    rows = np.column_stack([new, np.ones(2)])
    predicted, deviations = model.predict(new, return_std=True)
    np.testing.assert_allclose(predicted, rows @ found[0], rtol=1e-6)
    np.testing.assert_allclose(deviations, s * np.sqrt(1 + np.einsum("ri,ij,rj->r", rows, inverse, rows)), rtol=1e-6)
    assert not hasattr(model, "gamma_")


def test_gamma_is_the_sum_over_eigenvalues() -> None:
    model = curved()
    X, y = waves(150, 0)
    target = model.target_scale_.encode(y[:, None])
    objective = cr.Objective(model.network_, cr.losses.SquaredError(), X, target)
    numbers = model._state.memory.numbers
    bends = np.linalg.eigvalsh(gauss_newton(objective, model.theta_)) * 150 * numbers["beta"]
    assert model.gamma_ == pytest.approx(float((bends / (bends + numbers["alpha"])).sum()), rel=1e-3)
    assert 5 < model.gamma_ < model.network_.size
    errors = np.linalg.inv(
        gauss_newton(objective, model.theta_) * 150 * numbers["beta"] + numbers["alpha"] * np.eye(25)
    )
    np.testing.assert_allclose(model.standard_errors_, np.sqrt(np.diag(errors)), rtol=1e-6)
    J = jacobian(model.network_, model.theta_, X)[:, 0]
    wanted = np.sqrt(1 / numbers["beta"] + np.einsum("np,pq,nq->n", J, errors, J)) * model.target_scale_.deviation
    np.testing.assert_allclose(model.predict(X, return_std=True)[1], wanted, rtol=1e-6)


def test_they_cover_what_they_say() -> None:
    """95 % of held-out targets lie within 1.96 deviations, where the noise is normal; over five data sets together."""
    inside = []
    for seed in range(5):
        X, y = waves(1000, seed + 100)
        predicted, deviation = curved(seed=seed).predict(X, return_std=True)
        inside.append(float((np.abs(y - predicted) <= 1.96 * deviation).mean()))
        assert 0.92 <= inside[-1] <= 0.98
    assert 0.93 <= np.mean(inside) <= 0.97


def test_fewer_rows_than_parameters_keep_the_root_and_say_the_same() -> None:
    X, y = waves(20, 0)
    model = MLPRegressor(
        hidden_layer_sizes=(8,), activation="tanh", solver="bayesian", alpha=0, random_state=0, max_iter=50
    ).fit(X, y - 40)
    assert model._uncertainty is not None
    parabola = model._uncertainty.parabola
    assert isinstance(parabola, uncertainty.Root)
    assert parabola.rows.shape == (20, 33)
    squared = uncertainty.Uncertainty(parabola.squared(), model._uncertainty.evidence, True)
    np.testing.assert_allclose(model.standard_errors_, squared.standard_errors, rtol=1e-9)
    assert np.isfinite(model.predict(X, return_std=True)[1]).all()


def test_what_the_data_leave_open_is_said() -> None:
    X, y = line()
    twice = np.column_stack([X, X[:, 0]])
    model = MLPRegressor(hidden_layer_sizes=(), solver="lm", alpha=0, random_state=0).fit(twice, y)
    assert np.isnan(model.standard_errors_).tolist() == [True, False, False, True, False]
    with pytest.raises(ValueError, match=r"the data leave 1 direction of θ open; take solver='bayesian'$"):
        model.predict(twice, return_std=True)
    few = MLPRegressor(hidden_layer_sizes=(), solver="lm", alpha=0, random_state=0).fit(X[:3], y[:3])
    assert np.isnan(few.standard_errors_).all()
    with pytest.raises(ValueError, match="there are no more targets than the 4 parameters"):
        few.predict(X, return_std=True)


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "hessian_free"])
def test_other_solvers_say_that_there_is_none(solver: str) -> None:
    model = linear(solver, max_iter=5)
    with pytest.raises(ValueError, match=f"is for solver='bayesian' or 'levenberg_marquardt', not for '{solver}'$"):
        model.predict(line()[0], return_std=True)
    assert not hasattr(model, "standard_errors_")
    with pytest.raises(AttributeError, match=f"gamma_ comes of the Gauss-Newton matrix, which a fit by '{solver}'"):
        _ = model.gamma_


def test_a_loss_that_is_no_sum_of_squares_has_errors_of_parameters_only() -> None:
    X, y = line()
    model = MLPRegressor("poisson", hidden_layer_sizes=(), solver="lm", alpha=0, random_state=0, max_iter=50)
    model.fit(X, np.random.default_rng(0).poisson(np.exp(0.3 * X[:, 0])))
    assert np.isfinite(model.standard_errors_).all()
    with pytest.raises(ValueError, match="the loss is no sum of squares"):
        model.predict(X, return_std=True)
    classifier = MLPClassifier((), solver="lm", alpha=0, random_state=0, max_iter=20).fit(X, y > 3)
    assert classifier.standard_errors_.shape == (4,)


def test_weights_count_as_rows() -> None:
    X, y = line(30)
    weight = np.tile([1.0, 2.0], 15)
    rows = np.repeat(np.arange(30), weight.astype(int))
    weighted, repeated = (
        MLPRegressor(hidden_layer_sizes=(), solver="bayesian", alpha=0, random_state=0).fit(*given)
        for given in ((X, y, weight), (X[rows], y[rows]))
    )
    np.testing.assert_allclose(
        weighted.predict(X, return_std=True)[1], repeated.predict(X, return_std=True)[1], rtol=1e-4
    )


@pytest.mark.parametrize("rows", [150, 20])
def test_a_model_file_keeps_it(rows: int, tmp_path: Path) -> None:
    X, y = waves(rows, 0)
    model = MLPRegressor(hidden_layer_sizes=(6,), activation="tanh", solver="bayesian", random_state=0, max_iter=20)
    model.fit(X, y)
    model.save(tmp_path / "model.safetensors")
    loaded = cr.load(tmp_path / "model.safetensors")
    assert loaded.predict(X, return_std=True)[1].tobytes() == model.predict(X, return_std=True)[1].tobytes()
    assert (loaded.gamma_, loaded.standard_errors_.tobytes()) == (model.gamma_, model.standard_errors_.tobytes())
    plain = linear("lbfgs")
    plain.save(tmp_path / "plain.safetensors")
    assert not hasattr(cr.load(tmp_path / "plain.safetensors"), "standard_errors_")


def test_a_file_whose_uncertainty_is_not_whole_is_refused() -> None:
    tensors = dict(linear("lm")._uncertainty.tensors())
    assert uncertainty.read({}, 4) is None
    assert uncertainty.read(tensors, 4) is not None
    for broken in (
        {**tensors, "uncertainty.matrix": np.zeros((3, 3))},
        {**tensors, "uncertainty.matrix": np.full((4, 4), np.inf)},
        {**tensors, "uncertainty.more": np.zeros(1)},
        {name: value for name, value in tensors.items() if name != "uncertainty.total"},
        {name: value for name, value in tensors.items() if name != "uncertainty.evidence"},
    ):
        with pytest.raises(ValueError, match="its uncertainty does not fit its network"):
            uncertainty.read(broken, 4)
