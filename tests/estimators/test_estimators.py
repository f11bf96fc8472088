"""MLPClassifier and MLPRegressor on every kind of target and data, with every loss, solver and object they accept."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import joblib
import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.utils.class_weight import compute_sample_weight

from chainrule import Activation, MLPClassifier, MLPRegressor, losses, optimizers, schedules
from chainrule.estimators.settings import loss as loss_settings
from chainrule.estimators.settings.loss import Task
from chainrule.losses import LOSSES
from chainrule.mathematics.initializers import INITIALIZERS, Constant
from chainrule.optimizers import OPTIMIZERS

TASKS = get_args(Task)
X = np.random.default_rng(0).normal(size=(90, 4))
LINE = X @ [1.0, -0.5, 0.5, 0.0]
TARGETS: dict[str, np.ndarray] = {
    "binary": np.where(LINE > 0, "yes", "no"),
    "multiclass": np.digitize(LINE, [-0.6, 0.6]) * 10,
    "multilabel": (X[:, :3] > [0, 0.3, -0.3]).astype(int),
    "regression": np.column_stack([LINE, 2 - X[:, 3]]),
}
COUNTS = np.round(np.exp(1 + LINE))

EASY: dict[str, Any] = {"hidden_layer_sizes": (8,), "random_state": 0, "tol": 0, "n_iter_no_change": np.inf}
FULL_BATCH: dict[str, Any] = {**EASY, "solver": "sgd", "learning_rate_init": 0.05, "max_iter": 20}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
every_task = pytest.mark.parametrize("task", TASKS)


def model(task: str, **settings: Any) -> Any:
    return (MLPRegressor if task == "regression" else MLPClassifier)(**settings)


def agree(a: Any, b: Any) -> None:
    """The weights are equal but for the order of rounding."""
    np.testing.assert_allclose(a.theta_, b.theta_, rtol=1e-10, atol=1e-13)


def same_bits(a: Any, b: Any) -> bool:
    return a.theta_.dtype == b.theta_.dtype and np.array_equal(a.theta_, b.theta_)


def _fits(loss: str, task: Task) -> bool:
    settings = {**MLPRegressor().get_params(), "loss": loss}
    try:
        return loss_settings.loss(settings, task) is not None
    except ValueError:
        return False


NAMES = ("log_loss", *LOSSES)
FITTING = [(loss, task) for loss in NAMES for task in TASKS if _fits(loss, task)]
PROBABILISTIC = {"log_loss", "cross_entropy", "sigmoid_cross_entropy", "logistic"}


@pytest.mark.parametrize(("loss", "task"), FITTING)
def test_every_loss_learns_every_task_that_it_fits(loss: str, task: str) -> None:
    y = COUNTS if loss == "poisson" else TARGETS[task]
    fitted = model(task, loss=loss, **{**EASY, "learning_rate_init": 0.03, "batch_size": 10, "max_iter": 30}).fit(X, y)
    assert fitted.predict(X).shape == y.shape
    assert fitted.score(X, y) > 0.75
    if task == "regression":
        return
    scores, predicted = fitted.decision_function(X), fitted.predict(X)
    assert scores.shape == {"binary": (90,), "multiclass": (90, 3), "multilabel": (90, 3)}[task]
    numbers = scores.argmax(axis=1) if task == "multiclass" else (scores > 0).astype(int)
    np.testing.assert_array_equal(predicted, numbers if task == "multilabel" else fitted.classes_[numbers])


@pytest.mark.parametrize(("loss", "task"), [(n, t) for n in NAMES for t in TASKS if (n, t) not in FITTING])
def test_a_loss_that_does_not_fit_is_refused_with_those_that_do(loss: str, task: Task) -> None:
    with pytest.raises(ValueError, match=f"loss '{loss}' does not fit a {task} target; accepted: ") as error:
        model(task, loss=loss).fit(X, TARGETS[task])
    for name in str(error.value).split("accepted: ")[1].split(", "):
        assert _fits(name, task)


@pytest.mark.parametrize(("loss", "task"), [(loss, task) for loss, task in FITTING if task != "regression"])
def test_probabilities_exist_exactly_where_the_loss_has_them(loss: str, task: str) -> None:
    unfitted = MLPClassifier(loss=loss, **{**EASY, "max_iter": 2})
    assert hasattr(unfitted, "predict_proba") == (loss in PROBABILISTIC)
    fitted = unfitted.fit(X, TARGETS[task])
    assert hasattr(fitted, "predict_log_proba") == hasattr(fitted, "predict_proba") == (loss in PROBABILISTIC)
    if loss not in PROBABILISTIC:
        with pytest.raises(AttributeError, match="predict_proba"):
            fitted.predict_proba(X)
        return
    p = fitted.predict_proba(X)
    assert p.shape == (90, len(fitted.classes_))
    assert (p > 0).all()
    np.testing.assert_array_equal(fitted.predict_log_proba(X), np.log(p))
    if task == "multilabel":
        np.testing.assert_array_equal(fitted.predict(X), p > 0.5)
        return
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[p.argmax(axis=1)])


def test_a_regressor_has_no_probabilities() -> None:
    assert not hasattr(MLPRegressor(), "predict_proba")


FORMATS: list[Callable[[Any], Any]] = [
    scipy.sparse.csr_matrix,
    scipy.sparse.csc_matrix,
    scipy.sparse.coo_matrix,
    scipy.sparse.csr_array,
    scipy.sparse.csc_array,
]


@every_task
@pytest.mark.parametrize("sparse", FORMATS)
def test_sparse_equals_dense(task: str, sparse: Callable[[Any], Any]) -> None:
    holes = X * (np.abs(X) > 0.5)
    settings = {**EASY, "max_iter": 10, "batch_size": 20, "learning_rate_init": 0.01}
    dense = model(task, **settings).fit(holes, TARGETS[task])
    fitted = model(task, **settings).fit(sparse(holes), TARGETS[task])
    agree(fitted, dense)
    scores = "predict" if task == "regression" else "decision_function"
    answer = getattr(dense, scores)
    np.testing.assert_allclose(answer(sparse(holes)), answer(holes), rtol=1e-11, atol=1e-13)


def test_sparse_validation_data_and_labels() -> None:
    y = TARGETS["multilabel"]
    settings = {**EASY, "max_iter": 5, "early_stopping": True}
    dense = MLPClassifier(**settings).fit(X, y, X_val=X, y_val=y)
    fitted = MLPClassifier(**settings).fit(X, y, X_val=scipy.sparse.csr_array(X), y_val=y)
    np.testing.assert_allclose(fitted.validation_loss_curve_, dense.validation_loss_curve_, rtol=1e-12)
    assert same_bits(MLPClassifier(**settings).fit(X, scipy.sparse.csr_array(y)), MLPClassifier(**settings).fit(X, y))


@every_task
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_integer_weights_are_repeated_rows(task: str, solver: str) -> None:
    times = np.random.default_rng(1).integers(0, 4, 90)
    settings = {**FULL_BATCH, "solver": solver, "alpha": 0.5}
    settings |= {"scale_target": True} if task == "regression" else {}
    weighted = model(task, **settings, batch_size=90).fit(X, TARGETS[task], times)
    repeated = model(task, **settings, batch_size=int(times.sum()))
    agree(weighted, repeated.fit(np.repeat(X, times, axis=0), np.repeat(TARGETS[task], times, axis=0)))


@every_task
def test_rows_of_weight_zero_might_as_well_be_absent(task: str) -> None:
    kept = np.random.default_rng(2).uniform(size=90) < 0.7
    settings = {**FULL_BATCH, "alpha": 0.5}
    strange = np.where(kept[:, None], X, 1e3)
    weighted = model(task, **settings, batch_size=90).fit(strange, TARGETS[task], kept.astype(float))
    agree(weighted, model(task, **settings, batch_size=int(kept.sum())).fit(X[kept], TARGETS[task][kept]))


@every_task
@pytest.mark.parametrize(
    ("given", "setting", "expected"),
    [
        ("float32", "auto", "float32"),
        ("float64", "auto", "float64"),
        ("int32", "auto", "float64"),
        ("float32", "float64", "float64"),
        ("float64", "float32", "float32"),
    ],
)
def test_precision_follows_the_input_or_the_setting(task: str, given: str, setting: str, expected: str) -> None:
    data = (4 * X).astype(given)
    scaled = {"scale_target": True} if task == "regression" else {}
    fitted = model(task, dtype=setting, **{**EASY, "max_iter": 2}, **scaled).fit(data, TARGETS[task])
    answers = [] if task == "regression" else [fitted.decision_function(data), fitted.predict_proba(data)]
    assert {a.dtype.name for a in [fitted.theta_, *fitted.coefs_, *fitted.intercepts_, *answers]} == {expected}


@every_task
def test_coefs_and_intercepts_are_views_in_scikit_learns_shapes(task: str) -> None:
    fitted = model(task, **{**EASY, "hidden_layer_sizes": (6, 5), "max_iter": 2}).fit(X, TARGETS[task])
    outputs = {"binary": 1, "regression": 2}.get(task, 3)
    assert [W.shape for W in fitted.coefs_] == [(4, 6), (6, 5), (5, outputs)]
    assert [b.shape for b in fitted.intercepts_] == [(6,), (5,), (outputs,)]
    assert sum(a.size for a in (*fitted.coefs_, *fitted.intercepts_)) == fitted.theta_.size == fitted.network_.size
    assert all(np.shares_memory(a, fitted.theta_) for a in (*fitted.coefs_, *fitted.intercepts_))
    assert (fitted.n_layers_, fitted.n_outputs_, fitted.n_features_in_) == (4, outputs, 4)
    hidden = np.maximum(np.maximum(X @ fitted.coefs_[0] + fitted.intercepts_[0], 0) @ fitted.coefs_[1], 0)
    fitted.intercepts_[1][:] = 0
    fitted.coefs_[2][:] = 1
    scores = np.tile(hidden.sum(axis=1, keepdims=True), outputs) + fitted.intercepts_[2]
    given = fitted.predict(X) if task == "regression" else fitted.decision_function(X).reshape(90, -1)
    np.testing.assert_allclose(given, scores, rtol=1e-12)


COPIES: dict[str, Callable[[Any, Path], Any]] = {
    "pickle": lambda fitted, path: pickle.loads(pickle.dumps(fitted)),
    "deepcopy": lambda fitted, path: copy.deepcopy(fitted),
    "joblib": lambda fitted, path: joblib.load(joblib.dump(fitted, path / "model.joblib")[0]),
}


@every_task
@pytest.mark.parametrize("how", list(COPIES))
def test_a_copy_predicts_and_goes_on_alike(task: str, how: str, tmp_path: Path) -> None:
    fitted = model(task, **{**EASY, "max_iter": 4, "batch_size": 20}).fit(X, TARGETS[task])
    again = COPIES[how](fitted, tmp_path)
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    before = fitted.theta_.copy()
    again.partial_fit(X, TARGETS[task])
    assert np.array_equal(fitted.theta_, before)
    assert not same_bits(again, fitted)
    assert same_bits(again, fitted.partial_fit(X, TARGETS[task]))
    assert all(np.shares_memory(W, again.theta_) for W in again.coefs_)


@every_task
def test_a_clone_is_unfitted_and_fits_alike(task: str) -> None:
    settings = {**EASY, "max_iter": 3, "solver": optimizers.Adam(0.01), "activation": (Activation("elu", alpha=0.5),)}
    fitted = model(task, **settings, learning_rate=schedules.Cosine(0.01)).fit(X, TARGETS[task])
    again = clone(fitted)
    with pytest.raises(NotFittedError):
        again.predict(X)
    assert same_bits(again.fit(X, TARGETS[task]), fitted)


@pytest.mark.parametrize("solver", list(OPTIMIZERS))
@every_task
def test_every_solver_trains(solver: str, task: str) -> None:
    rate = None if solver in ("adadelta", "muon", "kfac") else 0.02
    epochs = 150 if solver == "muon" else 40  # the first and the last layer are AdamW's, at its own slow rate
    settings = {**EASY, "solver": solver, "learning_rate_init": rate, "batch_size": 10, "max_iter": epochs}
    fitted = model(task, **settings).fit(X, TARGETS[task])
    if solver == "newton":  # these starts lie where the Hessian is not positive definite, which it says
        assert (fitted.stop_reason_, fitted.n_iter_) == ("gave up", 1)
    else:
        assert fitted.loss_curve_[-1] < 0.6 * fitted.loss_curve_[0]
    assert hasattr(fitted, "partial_fit") == (not OPTIMIZERS[solver].whole_batch)


def test_lbfgs_says_how_it_went() -> None:
    fitted = MLPClassifier((), solver="lbfgs", alpha=1.0, max_iter=1000).fit(X, TARGETS["binary"])
    assert fitted.stop_reason_ == "converged"
    assert len(fitted.loss_curve_) == fitted.n_iter_ > 3
    assert np.all(np.diff(fitted.loss_curve_) < 0)
    assert fitted.loss_ == fitted.best_loss_ == fitted.loss_curve_[-1]


SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "optimiser": ({"solver": "adam", "learning_rate_init": 0.02}, {"solver": optimizers.Adam(0.02)}),
    "minimiser": ({"solver": "lbfgs", "tol": 1e-3}, {"solver": optimizers.LBFGS(tolerance=1e-3)}),
    "schedule": (
        {"learning_rate": "step", "learning_rate_init": 0.02, "decay_every": 3, "decay": 0.5},
        {"learning_rate": schedules.Step(0.02, every=3, factor=0.5)},
    ),
    "activation": ({"activation": "tanh"}, {"activation": Activation("tanh")}),
    "activations": ({"activation": "tanh"}, {"activation": ["tanh"]}),
    "loss": ({"loss": "cross_entropy"}, {"loss": losses.CrossEntropy()}),
    "initializer": ({"initializer": "he_normal"}, {"initializer": INITIALIZERS["he_normal"]}),
    "number": ({"bias_initializer": Constant(0.3)}, {"bias_initializer": 0.3}),
    "function": (
        {"initializer": "normal"},
        {"initializer": lambda stream, shape: INITIALIZERS["normal"](stream, shape)},
    ),
    "sizes": ({"hidden_layer_sizes": 8}, {"hidden_layer_sizes": [8]}),
    "threads": ({"n_threads": None}, {"n_threads": 3}),
}


@pytest.mark.parametrize("what", list(SAME))
def test_an_object_does_what_its_name_does(what: str) -> None:
    named, given = ({**EASY, "max_iter": 8, "batch_size": 30, **settings} for settings in SAME[what])
    fitted = MLPClassifier(**named).fit(X, TARGETS["multiclass"])
    assert same_bits(fitted, MLPClassifier(**given).fit(X, TARGETS["multiclass"]))


@every_task
def test_the_engines_agree(task: str) -> None:
    settings = {**EASY, "max_iter": 8, "batch_size": 30}
    auto, reference = (model(task, engine=engine, **settings).fit(X, TARGETS[task]) for engine in ("auto", "reference"))
    agree(auto, reference)
    np.testing.assert_allclose(auto.loss_curve_, reference.loss_curve_, rtol=1e-10)


@every_task
@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_any_number_of_threads_gives_the_same_bits(task: str, n_threads: int) -> None:
    settings = {**EASY, "hidden_layer_sizes": (150, 70), "max_iter": 3, "batch_size": 400, "dtype": "float32"}
    wide, y = np.tile(X, (12, 20)), np.tile(TARGETS[task].T, 12).T
    one, several = (model(task, n_threads=n, **settings).fit(wide, y) for n in (1, n_threads))
    assert same_bits(one, several)
    assert one.loss_curve_ == several.loss_curve_
    np.testing.assert_array_equal(one.predict(wide), several.predict(wide))


def test_each_layer_can_have_its_own_activation() -> None:
    fitted = MLPClassifier((5, 4, 3), ("tanh", Activation("leaky_relu", slope=0.1), "sigmoid"), max_iter=2)
    fitted.fit(X, TARGETS["binary"])
    activations = fitted.network_.blocks[1::2]
    assert activations == (Activation("tanh"), Activation("leaky_relu", slope=0.1), Activation("sigmoid"))
    with pytest.raises(ValueError, match="activation names 2 layers, hidden_layer_sizes 3"):
        fitted.set_params(activation=("tanh", "relu")).fit(X, TARGETS["binary"])


RATED = [name for name, kind in OPTIMIZERS.items() if not kind.whole_batch]


@pytest.mark.parametrize("solver", [*RATED, optimizers.RMSProp(0.07)])
def test_without_a_learning_rate_the_rules_own_is_taken(solver: Any) -> None:
    seen: list[float | None] = []
    settings = {**EASY, "max_iter": 1, "solver": solver, "callbacks": [lambda event: seen.append(event.learning_rate)]}
    MLPClassifier(**settings).fit(X, TARGETS["binary"])
    MLPClassifier(**settings, learning_rate_init=0.3).fit(X, TARGETS["binary"])
    own = OPTIMIZERS[solver]() if isinstance(solver, str) else solver
    assert seen == [getattr(own, "learning_rate", None), 0.3]


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_weights_are_sample_weights(task: str, weighted: bool) -> None:
    y, settings = TARGETS[task], {**EASY, "max_iter": 5, "batch_size": 20}
    weight = np.random.default_rng(3).uniform(size=90) if weighted else None
    by_label = {label: 1.5 + k for k, label in enumerate(np.unique(y))}
    for given in ("balanced", [by_label] * 3 if task == "multilabel" else by_label):
        equivalent = compute_sample_weight(given, y) * (1 if weight is None else weight)
        fitted = MLPClassifier(class_weight=given, **settings).fit(X, y, weight)
        assert same_bits(fitted, MLPClassifier(**settings).fit(X, y, equivalent))
        assert not same_bits(fitted, MLPClassifier(**settings).fit(X, y, weight))


def test_balanced_weights_help_the_rare_class() -> None:
    y = LINE + np.random.default_rng(4).normal(size=90) > 1.5
    settings = {**EASY, "hidden_layer_sizes": (), "solver": "lbfgs"}
    plain, balanced = (MLPClassifier(class_weight=given, **settings).fit(X, y) for given in (None, "balanced"))
    assert balanced.predict(X)[y].mean() > 0.8 > plain.predict(X)[y].mean()


@pytest.mark.parametrize("columns", [1, 2])
def test_a_scaled_target_is_scaled_back(columns: int) -> None:
    y = 1e4 + 500 * TARGETS["regression"][:, :columns].squeeze()
    settings = {**EASY, "max_iter": 10, "batch_size": 30}
    fitted = MLPRegressor(scale_target=True, **settings).fit(X, y)
    standard = MLPRegressor(**settings).fit(X, (y - y.mean(axis=0)) / y.std(axis=0))
    agree(fitted, standard)
    np.testing.assert_allclose(fitted.predict(X), standard.predict(X) * y.std(axis=0) + y.mean(axis=0), rtol=1e-10)


def test_inputs_are_scaled_by_a_factor_each_time() -> None:
    pixels, settings = np.round(40 * X + 120), {**EASY, "max_iter": 5}
    fitted = MLPClassifier(input_scale=1 / 255, **settings).fit(pixels, TARGETS["binary"])
    scaled = MLPClassifier(**settings).fit(pixels * (1 / 255), TARGETS["binary"])
    assert same_bits(fitted, scaled)
    np.testing.assert_array_equal(fitted.predict_proba(pixels), scaled.predict_proba(pixels * (1 / 255)))


def test_a_single_column_is_one_target_with_a_warning() -> None:
    with pytest.warns(DataConversionWarning, match="column-vector"):
        fitted = MLPRegressor(**{**EASY, "max_iter": 2}).fit(X, LINE[:, None])
    assert fitted.predict(X).shape == (90,)


def test_each_epoch_is_printed_when_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    y = TARGETS["binary"]
    fitted = MLPClassifier(verbose=True, **{**EASY, "max_iter": 3}).fit(X, y, X_val=X, y_val=y)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3
    assert printed[2].startswith(f"Iteration 3, loss = {fitted.loss_:.8f}, validation score = ")
