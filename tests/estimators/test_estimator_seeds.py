"""The same seed gives the same bits, and a training that goes on (partial_fit, warm_start) goes on with every bit."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import MLPClassifier, MLPRegressor
from chainrule.estimators.settings.network import NETWORK, NOISE, network
from chainrule.estimators.settings.table import SETTINGS

X = np.random.default_rng(0).normal(size=(70, 4))
LINE = X @ [1.0, -0.5, 0.5, 0.0]
CLASSES = np.digitize(LINE, [-0.6, 0.6])
CASES = {
    "binary": (MLPClassifier, np.where(LINE > 0, "yes", "no")),
    "multiclass": (MLPClassifier, CLASSES),
    "multilabel": (MLPClassifier, (X[:, :3] > 0).astype(int)),
    "regression": (MLPRegressor, LINE),
    "multi-output": (MLPRegressor, np.column_stack([LINE, X[:, 3]])),
}
BRIEF: dict[str, Any] = {"hidden_layer_sizes": (6,), "batch_size": 16, "tol": 0, "n_iter_no_change": np.inf}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
every_case = pytest.mark.parametrize(("estimator", "y"), CASES.values(), ids=list(CASES))


def same_bits(a: Any, b: Any) -> bool:
    return a.theta_.dtype == b.theta_.dtype and np.array_equal(a.theta_, b.theta_)


def declared(model: Any, y: np.ndarray) -> dict[str, Any]:
    """Return what the first call of partial_fit needs."""
    classes = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
    return {"classes": classes} if isinstance(model, MLPClassifier) else {}


def in_steps(model: Any, y: np.ndarray, calls: int, weight: Any = None, **first: Any) -> Any:
    """Return the model after some calls of partial_fit."""
    first = {**declared(model, y), **first}
    for call in range(calls):
        model.partial_fit(X, y, weight, **(first if call == 0 else {}))
    return model


@every_case
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_same_seed_gives_the_same_bits(estimator: Any, y: np.ndarray, solver: str) -> None:
    settings = {**BRIEF, "max_iter": 5, "solver": solver}
    a, b, c = (estimator(**settings, random_state=seed).fit(X, y) for seed in (7, 7, 8))
    assert same_bits(a, b)
    assert a.loss_curve_ == b.loss_curve_
    assert not np.isclose(a.theta_, c.theta_).all()


def test_the_seed_also_fixes_the_rows_held_out() -> None:
    settings = {**BRIEF, "max_iter": 5, "early_stopping": True}
    a, b, c = (MLPRegressor(**settings, random_state=seed).fit(X, LINE) for seed in (7, 7, 8))
    assert a.validation_scores_ == b.validation_scores_ != c.validation_scores_


def test_fitting_again_starts_afresh() -> None:
    model = MLPRegressor(**BRIEF, max_iter=3, random_state=0).fit(X, LINE)
    first = model.theta_.copy()
    assert np.array_equal(model.fit(X, LINE).theta_, first)
    assert len(model.loss_curve_) == model.n_iter_ == 3


def test_without_a_seed_the_global_state_is_asked() -> None:
    def fitted() -> Any:
        return MLPRegressor(**BRIEF, max_iter=2).fit(X, LINE)

    before = np.random.get_state()
    np.random.seed(5)
    a, b = fitted(), fitted()
    np.random.seed(5)
    c = fitted()
    np.random.set_state(before)
    assert same_bits(a, c)
    assert not same_bits(a, b)


def test_a_random_state_object_is_asked_once_for_each_fit() -> None:
    def fitted(state: np.random.RandomState) -> Any:
        return MLPRegressor(**BRIEF, max_iter=2, random_state=state).fit(X, LINE)

    shared = np.random.RandomState(5)
    a, b = fitted(shared), fitted(shared)
    assert same_bits(a, fitted(np.random.RandomState(5)))
    assert not same_bits(a, b)


def test_a_seed_leaves_the_global_state_alone() -> None:
    before = np.random.get_state()[1].copy()
    MLPClassifier(**BRIEF, max_iter=2, random_state=0, early_stopping=True).fit(X, CLASSES)
    assert np.array_equal(np.random.get_state()[1], before)


def test_orders_of_the_rows() -> None:
    orders: dict[Any, list[np.ndarray]] = {True: [], False: [], "once": []}
    for shuffle, seen in orders.items():
        model = MLPRegressor(**BRIEF, shuffle=shuffle, random_state=0, max_iter=2)
        model.set_params(callbacks=[lambda event, seen=seen: seen.append(event.theta.copy())]).fit(X, LINE)
    assert np.array_equal(orders[True][0], orders["once"][0])
    assert not np.array_equal(orders[True][1], orders["once"][1])
    assert not np.array_equal(orders[False][0], orders["once"][0])


KINDS: dict[str, dict[str, Any]] = {
    "adam": {},
    "momentum, invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    "adamw, steps": {"solver": "adamw", "learning_rate": "step", "decay_every": 2, "decay": 0.5},
    "adadelta": {"solver": "adadelta"},
    "rmsprop, inverse time": {"solver": "rmsprop", "learning_rate": "inverse_time"},
    "adagrad, exponential": {"solver": "adagrad", "learning_rate": "exponential"},
    "warm-up, l1": {"warm_up": 11, "l1": 0.1, "learning_rate_init": 0.01},
    "batches drawn once": {"shuffle": "once"},
    "rows in order": {"shuffle": False},
    "online": {"batch_size": 1},
    "full batch": {"batch_size": "auto"},
    "float32": {"dtype": "float32"},
}


@pytest.mark.parametrize("kind", list(KINDS))
@every_case
def test_k_calls_of_partial_fit_are_a_fit_of_k_epochs(kind: str, estimator: Any, y: np.ndarray) -> None:
    settings = {**BRIEF, "random_state": 3, **KINDS[kind]}
    weight = np.random.default_rng(1).uniform(size=70)
    whole = estimator(**settings, max_iter=5).fit(X, y, weight)
    steps = in_steps(estimator(**settings), y, 5, weight)
    assert same_bits(steps, whole)
    assert steps.loss_curve_ == whole.loss_curve_
    assert (steps.t_, steps.n_iter_) == (whole.t_, 1) == (350, 1)


@pytest.mark.parametrize("labels", [[0, 1, 2], [5, 2, 0, 1, 1, -3]])
def test_declared_classes_may_be_absent(labels: list[int]) -> None:
    model = in_steps(MLPClassifier(**BRIEF, random_state=3), CLASSES, 4, classes=labels)
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    network = cr.Network(4, [cr.Dense(6), cr.Activation("relu"), cr.Dense(len(set(labels)))])
    y = np.searchsorted(np.unique(labels), CLASSES)
    l2 = [cr.penalties.L2(1e-4, per_sample=True)]
    objective = cr.Objective(network, cr.losses.CrossEntropy(), X, y, penalties=l2)
    result = cr.train(objective, network.initialize(3), epochs=4, batch_size=16, seed=3)
    assert np.array_equal(model.theta_, result.theta)
    assert model.predict_proba(X).shape == (70, len(set(labels)))


def test_a_first_batch_of_one_class_is_enough() -> None:
    model = MLPClassifier(**{**BRIEF, "batch_size": "auto"}, learning_rate_init=0.05, random_state=0)
    model.partial_fit(X[CLASSES == 1], CLASSES[CLASSES == 1], classes=[0, 1, 2])
    assert (model.predict(X[:5]) == 1).any()
    for _ in range(60):
        model.partial_fit(X, CLASSES)
    assert model.score(X, CLASSES) > 0.9


@every_case
def test_batches_of_other_sizes(estimator: Any, y: np.ndarray) -> None:
    model = estimator(**{**BRIEF, "batch_size": "auto"}, random_state=0)
    model.partial_fit(X[:30], y[:30], **declared(model, y))
    for size in (7, 1, 70):
        model.partial_fit(X[:size], y[:size])
    assert (model.t_, len(model.loss_curve_), model.n_iter_) == (108, 4, 1)
    assert model.predict(X).shape == y.shape


@pytest.mark.parametrize(("rows", "steps"), [(70, 1), (200, 1), (201, 2), (450, 3)])
def test_automatic_batches_have_200_rows(rows: int, steps: int) -> None:
    data = np.resize(X, (rows, 4))
    seen: list[int] = []
    model = MLPRegressor(hidden_layer_sizes=(2,), max_iter=1, callbacks=[lambda event: seen.append(event.step)])
    model.fit(data, data[:, 0])
    assert seen == [steps]


def test_a_batch_size_above_the_rows_is_clipped_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="Got `batch_size` 16 larger than sample size 5"):
        MLPRegressor(**BRIEF, max_iter=1).fit(X[:5], LINE[:5])


@every_case
def test_partial_fit_goes_on_after_fit(estimator: Any, y: np.ndarray) -> None:
    settings = {**BRIEF, "random_state": 3}
    model = estimator(**settings, max_iter=3).fit(X, y)
    for _ in range(2):
        model.partial_fit(X, y)
    whole = estimator(**settings, max_iter=5).fit(X, y)
    assert same_bits(model, whole)
    assert model.loss_curve_ == whole.loss_curve_


def test_what_partial_fit_refuses() -> None:
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        MLPClassifier(**BRIEF).partial_fit(X, CLASSES)
    with pytest.raises(ValueError, match=r"y holds labels that are not among the classes: 2$"):
        MLPClassifier(**BRIEF).partial_fit(X, CLASSES, classes=[0, 1])
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        MLPClassifier(**BRIEF, early_stopping=True).partial_fit(X, CLASSES, classes=[0, 1, 2])
    with pytest.raises(AttributeError, match="partial_fit"):
        MLPRegressor(solver=cr.optimizers.LBFGS()).partial_fit(X, LINE)


def test_what_partial_fit_refuses_later_leaves_the_model_as_it_was() -> None:
    model = in_steps(MLPClassifier(**BRIEF, random_state=0), CLASSES, 2)
    before = model.theta_.copy()
    with pytest.raises(ValueError, match="not the same as on last call to partial_fit"):
        model.partial_fit(X, CLASSES, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"y holds labels that are not among the classes: 3, 4, 5$"):
        model.partial_fit(X, CLASSES + 3)
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 4"):
        model.partial_fit(X[:, :3], CLASSES)
    assert np.array_equal(model.theta_, before)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    whole = MLPClassifier(**BRIEF, random_state=0, max_iter=3).fit(X, CLASSES)
    assert same_bits(model.partial_fit(X, CLASSES, classes=[2, 1, 0]), whole)


@every_case
def test_a_warm_start_goes_on_with_a_rule_without_memory(estimator: Any, y: np.ndarray) -> None:
    settings = {**BRIEF, "random_state": 3, "solver": "sgd", "momentum": 0, "learning_rate_init": 0.05}
    warm = estimator(**settings, max_iter=3, warm_start=True).fit(X, y)
    warm.set_params(max_iter=2).fit(X, y)
    whole = estimator(**settings, max_iter=5).fit(X, y)
    assert same_bits(warm, whole)
    assert warm.loss_curve_ == whole.loss_curve_
    assert (warm.n_iter_, warm.t_) == (2, 350)


def test_a_warm_start_forgets_the_memory_of_the_rule() -> None:
    settings = {**BRIEF, "random_state": 3, "batch_size": 70, "warm_start": True}
    warm = MLPRegressor(**settings, max_iter=3).fit(X, LINE)
    start = warm.theta_.copy()
    warm.set_params(max_iter=1).fit(X, LINE)
    l2 = [cr.penalties.L2(1e-4, per_sample=True)]
    objective = cr.Objective(warm.network_, cr.losses.SquaredError(), X, LINE, penalties=l2)
    assert np.array_equal(warm.theta_, cr.train(objective, start, epochs=1).theta)


def test_a_warm_start_of_lbfgs_goes_further_down() -> None:
    warm = MLPRegressor(**{**BRIEF, "solver": "lbfgs"}, max_iter=4, warm_start=True, random_state=0)
    first = warm.fit(X, LINE).loss_
    assert warm.fit(X, LINE).loss_curve_[4] < first
    assert len(warm.loss_curve_) == 8


def test_a_warm_start_needs_the_same_classes() -> None:
    warm = MLPClassifier(**BRIEF, max_iter=2, warm_start=True, random_state=0).fit(X, CLASSES)
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same classes"):
        warm.fit(X, CLASSES > 0)
    with pytest.raises(ValueError, match="X has 2 features"):
        warm.fit(X[:, :2], CLASSES)


OTHER_NETWORKS: dict[str, Any] = {
    "hidden_layer_sizes": (6, 6),
    "activation": "tanh",
    "normalization": "layer",
    "input_transform": "standard",
    "components": 1,
}
"""Settings that make another network; with those of `assembly.NOISE` it keeps its parameters."""


def test_every_setting_of_the_network_is_one_of_its_making_its_noise_or_its_start() -> None:
    rows = {name for name, row in SETTINGS.items() if row.group == "network"}
    assert {*NETWORK} == {*OTHER_NETWORKS, *NOISE}
    assert rows == {*NETWORK, "initializer", "bias_initializer", "start"}


@pytest.mark.parametrize("name", list(OTHER_NETWORKS))
@pytest.mark.parametrize("loaded", [False, True])
def test_another_network_is_refused_by_the_name_of_the_setting(name: str, loaded: bool, tmp_path: Path) -> None:
    model = MLPRegressor(**BRIEF, input_transform="pca", max_iter=2, warm_start=True, random_state=0).fit(X, LINE)
    was, before = model.get_params()[name], model.theta_.copy()
    model.set_params(**{name: OTHER_NETWORKS[name]})
    if loaded:
        model.save(tmp_path / "model.safetensors")
        model = cr.load(tmp_path / "model.safetensors")
        assert model.get_params()[name] == was
        model.set_params(**{name: OTHER_NETWORKS[name]}, warm_start=True)
    words = rf"{name} is .*, the network was made with {re.escape(repr(was))}: warm_start and partial_fit go on with it"
    for go_on in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=words):
            go_on(X, LINE)
    assert np.array_equal(model.theta_, before)
    model.set_params(**{name: was}).partial_fit(X, LINE)
    assert model.set_params(**{name: OTHER_NETWORKS[name]}, warm_start=False).fit(X, LINE).theta_.size > 0


@pytest.mark.parametrize("hidden", [(6,), [6], 6, np.array([6])])
def test_the_same_sizes_in_other_words_are_no_change(hidden: Any) -> None:
    a, b = (MLPRegressor(**BRIEF, random_state=0).partial_fit(X, LINE) for _ in range(2))
    a.set_params(hidden_layer_sizes=hidden, activation=["relu"]).partial_fit(X, LINE)
    assert same_bits(a, b.partial_fit(X, LINE))


@pytest.mark.parametrize("name", NOISE)
def test_other_noise_is_taken_up_where_a_training_goes_on(name: str) -> None:
    model = MLPRegressor(**BRIEF, random_state=0).partial_fit(X, LINE)
    with_noise = copy.deepcopy(model).set_params(**{name: 0.5}).partial_fit(X, LINE)
    wanted = network(with_noise.get_params(), 4, 1)
    assert repr(with_noise.network_) == repr(wanted) != repr(model.network_)
    assert not same_bits(with_noise, copy.deepcopy(model).partial_fit(X, LINE))
    back = with_noise.set_params(**{name: 0.0}).partial_fit(X, LINE)
    assert repr(back.network_) == repr(model.network_)


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("solver", ["sgd", "adagrad", "rprop", cr.optimizers.AdamW(0.01)])
def test_another_solver_begins_with_a_memory_of_its_own(solver: Any, engine: str) -> None:
    settings = {**BRIEF, "random_state": 0, "batch_size": 70, "engine": engine}
    a = MLPRegressor(**settings).partial_fit(X, LINE).set_params(solver=solver)
    b = copy.deepcopy(a)
    b._state.memory = None
    assert same_bits(a.partial_fit(X, LINE), b.partial_fit(X, LINE))
    assert same_bits(a.partial_fit(X, LINE), b.partial_fit(X, LINE))
