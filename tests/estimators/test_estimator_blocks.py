"""Dropout, noise, normalisation, live activations and the recipe of a step, through the estimators and model files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler, scale

import chainrule as cr
from chainrule import MLPClassifier, MLPRegressor
from chainrule.augmentation import Deformation, Mask, Noise
from chainrule.engines.native import core as native
from chainrule.estimators.settings import network as assembly
from chainrule.estimators.settings import step
from chainrule.mathematics.blocks import (
    ACTIVATION_BLOCKS,
    INPUT_TRANSFORMS,
    SCALES,
    BatchNorm,
    DropConnect,
    Dropout,
    GaussianNoise,
    LayerNorm,
    PReLU,
    RReLU,
    Scaling,
)

IRIS = load_iris(return_X_y=True)
CANCER = scale(load_breast_cancer().data), load_breast_cancer().target
SHORT: dict[str, Any] = {"max_iter": 3, "tol": 0.0, "random_state": 0}

SETTINGS: dict[str, dict[str, Any]] = {
    "dropout": {"dropout": 0.3, "input_dropout": 0.1},
    "dropout by layer": {"hidden_layer_sizes": (9, 8), "dropout": (0.2, 0.5)},
    "noise": {"noise": 0.3, "input_noise": 0.1},
    "drop_connect": {"drop_connect": 0.4},
    **{name: {"input_transform": name} for name in SCALES},
    "pca": {"input_transform": "pca", "components": 2},
    "whitening": {"input_transform": "whitening", "input_noise": 0.1},
    "batch norm": {"normalization": "batch"},
    "layer norm": {"normalization": "layer", "dropout": 0.2},
    **{name: {"activation": name} for name in ACTIVATION_BLOCKS},
    "objects": {"hidden_layer_sizes": (9, 8), "activation": [PReLU(0.1, shared=True), RReLU(0.1, 0.2)]},
    "proximal": {"l1": 0.5, "l1_proximal": True},
    "max_norm": {"max_norm": 0.5},
    "rates": {"rates": {"bias": 2.0}},
    **{f"clip_{name}": {f"clip_{name}": 0.1} for name in ("value", "norm", "unit")},
    "accumulate": {"batch_size": 10, "accumulate": 3},
    "augmentation": {"augment_noise": 0.1, "augment_mask": 0.1, "mixup": 0.2},
    "images": {"augment_shift": 1.0, "image_shape": (2, 2), "augmentation": [Noise(0.1)]},
    "averaging": {"averaging": "ema", "normalization": "batch"},
}

every_setting = pytest.mark.parametrize("given", SETTINGS.values(), ids=list(SETTINGS))


def fitted(kind: Any = MLPClassifier, **given: Any) -> Any:
    """Return a model of three epochs, which warns that they are few, and of nothing else."""
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        return kind(**{**SHORT, **given}).fit(*IRIS)


@every_setting
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_every_setting_trains_and_is_kept_in_a_file(kind: Any, given: dict[str, Any], tmp_path: Path) -> None:
    model = fitted(kind, **given)
    again = fitted(kind, **given)
    np.testing.assert_array_equal(model.theta_, again.theta_)
    assert not np.array_equal(model.theta_, fitted(kind).theta_)
    model.save(tmp_path / "model.safetensors")
    loaded = cr.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(IRIS[0]), model.predict(IRIS[0]))
    assert repr(loaded.network_.blocks) == repr(model.network_.blocks)
    assert len(model.coefs_) == len(model.intercepts_) == model.n_layers_ - 1
    assert [b.shape for b in model.intercepts_] == [w.shape[1:] for w in model.coefs_]
    clone(model)


@every_setting
def test_both_engines_agree(given: dict[str, Any]) -> None:
    if native.MISSING:
        pytest.skip(native.MISSING)
    a, b = (fitted(engine=engine, **given) for engine in ("native", "reference"))
    np.testing.assert_allclose(a.theta_, b.theta_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(a.predict_proba(IRIS[0]), b.predict_proba(IRIS[0]), rtol=1e-7, atol=1e-9)


def test_predictions_draw_nothing() -> None:
    model = fitted(dropout=0.5, input_noise=0.3, activation="rrelu", drop_connect=0.3)
    first = model.predict_proba(IRIS[0])
    np.testing.assert_array_equal(first, model.predict_proba(IRIS[0]))
    np.testing.assert_allclose(model.compile()(IRIS[0][:1]), first[:1], rtol=1e-12)


def test_the_network_is_in_the_order_of_the_notes() -> None:
    model = MLPClassifier(
        (9, 8),
        activation=("prelu", "tanh"),
        normalization="batch",
        dropout=(0.2, 0.0),
        noise=0.1,
        drop_connect=(0, 0.5),
    )
    given = {**model.get_params(), "input_dropout": 0.1, "input_noise": 0.2, "input_transform": "whitening"}
    blocks = assembly.network(given, 4, 3).blocks
    kinds = [type(block).__name__ for block in blocks]
    assert kinds == [
        *("PCA", "Dropout", "GaussianNoise"),
        *("Dense", "BatchNorm", "PReLU", "Dropout", "GaussianNoise"),
        *("DropConnect", "BatchNorm", "Activation", "GaussianNoise"),
        "Dense",
    ]
    assert (blocks[1], blocks[2]) == (Dropout(0.1), GaussianNoise(0.2))
    assert [block.bias for block in blocks if isinstance(block, cr.Dense | DropConnect)] == [False, False, True]
    assert LayerNorm() in assembly.network({**given, "normalization": "layer"}, 4, 3).blocks
    assert BatchNorm() in blocks


def test_augmentations_are_those_of_the_settings() -> None:
    given = MLPClassifier(augment_noise=0.1, augment_mask=0.2, augment_rotate=5, augmentation=[Noise(0.3)]).get_params()
    recipe = step.recipe(given, 9)
    assert recipe.augmentation == (Deformation((3, 3), rotate=5), Mask(0.2), Noise(0.1), Noise(0.3))


def test_one_way_of_clipping_at_a_time() -> None:
    with pytest.raises(ValueError, match="give one of clip_value, clip_norm, clip_unit, not clip_value and clip_norm"):
        MLPClassifier(clip_value=1, clip_norm=1).fit(*IRIS)


@pytest.mark.parametrize("name", ["dropout", "noise", "drop_connect"])
def test_a_value_for_each_hidden_layer(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} names 2 layers, hidden_layer_sizes 1"):
        MLPClassifier((5,), **{name: (0.1, 0.2)}).fit(*IRIS)


@pytest.mark.parametrize("given", [{"dropout": 0.5}, {"normalization": "batch"}, {"l1": 1.0, "l1_proximal": True}])
def test_lbfgs_refuses_what_needs_an_update_rule_or_mini_batches(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"needs an (optimiser that takes batches|update rule).*; LBFGS"):
        MLPClassifier(solver="lbfgs", **given).fit(*IRIS)


REFUSED: dict[str, tuple[Any, str]] = {
    "smoothing": ({"loss": "hinge", "label_smoothing": 0.1}, "label_smoothing is for losses on probabilities"),
    "class weights": ({"class_weight": {0: -1.0}}, "class_weight must hold numbers of at least 0, got {0: -1.0}"),
    "recipe": ({"solver": "lbfgs", "max_norm": 1.0}, "max_norm needs an update rule such as Adam, which works entry"),
    "components": ({"components": 2}, "components=2 is for input_transform 'pca' and 'whitening', not None"),
    "too many": ({"input_transform": "pca", "components": 5}, "at most the number of inputs, 4, got 5"),
    "table": ({"preprocessing": "always", "augment_shift": 1.0}, "the columns of an encoded table are no image"),
    "no layer to normalise": (
        {"hidden_layer_sizes": (), "normalization": "batch"},
        r"normalization='batch' is for hidden layers; hidden_layer_sizes \(\) has none",
    ),
    "no layer to disturb": (
        {"hidden_layer_sizes": (), "dropout": 0.5},
        r"dropout=0\.5 is for hidden layers; hidden_layer_sizes \(\) has none",
    ),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_what_would_do_nothing_or_harm_is_refused(what: str) -> None:
    given, words = REFUSED[what]
    with pytest.raises(ValueError, match=words):
        MLPClassifier(**SHORT, **given).fit(*IRIS)


@pytest.mark.parametrize("given", [{"image_shape": (2, 3)}, {}, {"augmentation": [Deformation((2, 3), rotate=1.0)]}])
def test_columns_that_were_dropped_from_an_image_are_counted(given: dict[str, Any]) -> None:
    X = np.column_stack([IRIS[0], np.ones((150, 2))])
    with pytest.raises(ValueError, match=r"are no image: 6 columns \(2 dropped\) became 4 inputs, and shift, rotate"):
        MLPClassifier(**SHORT, preprocessing="always", augment_shift=1.0, **given).fit(X, IRIS[1])


@pytest.mark.parametrize("given", [{"augment_mask": 0.1}, {"mixup": 0.2}, {"input_dropout": 0.1}, {"input_noise": 0.1}])
def test_sparse_rows_are_refused_where_their_inputs_change(given: dict[str, Any]) -> None:
    words = "X is sparse; augmentation, mixup, and noise, dropout or scaling of the inputs need"
    with pytest.raises(ValueError, match=words):
        MLPClassifier(**SHORT, **given, engine="reference").fit(csr_array(IRIS[0]), IRIS[1])


def test_transforms_need_dense_rows() -> None:
    with pytest.raises(ValueError, match="measured on a dense array of at least one row, got sparse rows"):
        MLPClassifier(**SHORT, input_transform="standard").fit(csr_array(IRIS[0]), IRIS[1])


TWINS: dict[str, Any] = {
    "min_max": MinMaxScaler(),
    "standard": StandardScaler(),
    "quantile": RobustScaler(),
    "pca": PCA(),
    "whitening": PCA(whiten=True),
}


@pytest.mark.parametrize("name", list(TWINS))
def test_transforms_are_those_of_scikit_learn(name: str) -> None:
    """On the training rows, and again on others; the sign of a component is a matter of taste."""
    train, other = CANCER[0][::2] * np.geomspace(1, 1e3, 30) + 5, CANCER[0][1::2]
    model = MLPClassifier(**SHORT, input_transform=name)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit(train, CANCER[1][::2])
    block, params = model.network_.blocks[0], model.network_.unpack(model.theta_)[0]
    twin = TWINS[name].fit(train)
    for rows in (train, other):
        ours, theirs = block.forward(params, rows)[0], twin.transform(rows)
        theirs = theirs * np.sign(np.sum(theirs * ours, axis=0))
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9 * np.abs(theirs).max())


def test_a_transform_is_measured_once() -> None:
    """On the first rows that partial_fit sees, and not again in a warm start."""
    model = MLPClassifier(**SHORT, input_transform="standard")
    model.partial_fit(IRIS[0][:120], IRIS[1][:120], classes=[0, 1, 2])
    before = model.network_.views(model.theta_)["0.center"].copy()
    model.partial_fit(IRIS[0][50:] + 3, IRIS[1][50:])
    np.testing.assert_array_equal(model.network_.views(model.theta_)["0.center"], before)
    np.testing.assert_allclose(before, IRIS[0][:120].mean(axis=0))


def test_columns_and_directions_without_a_spread() -> None:
    X = np.column_stack([IRIS[0], IRIS[0][:, 0], np.full(len(IRIS[0]), 0.1)])
    for name in TWINS:
        model = fitted_on(X, input_transform=name)
        assert np.isfinite(model.theta_).all()
        assert np.isfinite(model.predict_proba(X)).all()
    whitened, _ = model.network_.blocks[0].forward(model.network_.unpack(model.theta_)[0], X)
    np.testing.assert_allclose(np.cov(whitened.T), np.diag([1, 1, 1, 1, 0, 0]), atol=1e-9)


@pytest.mark.parametrize("rows", [200, 5000])
def test_a_constant_column_stays_small_on_rows_where_it_is_not_constant(rows: int) -> None:
    """The mean of n equal numbers is not that number, to rounding: its error is no deviation."""
    X = np.random.default_rng(rows).normal(size=(rows, 40))
    X[:, 1:] = 0.1 * np.arange(1, 40)
    for name in TWINS:
        block = INPUT_TRANSFORMS[name]
        y, _ = block.forward(block.fit(X), X[:3] + 1.0)
        assert np.abs(y).max() < 100, name


def test_other_rows_may_be_sparse() -> None:
    X = IRIS[0] * (IRIS[0] > 2)
    for name in TWINS:
        model = fitted_on(X, input_transform=name)
        for rows in (csr_array(X), csr_matrix(X)):
            np.testing.assert_allclose(model.predict_proba(rows), model.predict_proba(X), rtol=1e-9)


def test_a_start_measures_once_and_shares_what_it_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    fit = Scaling.fit
    monkeypatch.setattr(Scaling, "fit", lambda block, x: measured.append(1) or fit(block, x))
    fitted(input_transform="standard", n_restarts=3)
    assert measured == [1]


def test_a_changed_loss_is_taken_up_by_partial_fit() -> None:
    model = MLPClassifier(**SHORT).partial_fit(*IRIS, classes=[0, 1, 2])
    model.set_params(loss="hinge").partial_fit(*IRIS)
    assert type(model.loss_function_).__name__ == "MulticlassHinge"


BEYOND: dict[str, tuple[str, Any, str]] = {
    "NaN": ("standard", np.array([[1.0, 2], [np.nan, 3]]), "is measured on finite numbers; the rows hold NaN"),
    "too large": ("standard", np.array([[1e200, 2], [-1e200, 3]]), "cannot scale such data in float64"),
    "too small": ("min_max", np.array([[1e-310, 2], [0, 3]]), "cannot scale such data in float64"),
    "other columns": ("pca", np.ones((3, 5)), r"X has shape \(3, 5\); this network takes \(rows, 2\)"),
}


@pytest.mark.parametrize("what", list(BEYOND))
def test_data_that_cannot_be_measured_are_refused(what: str) -> None:
    name, rows, words = BEYOND[what]
    network = cr.Network(2, [INPUT_TRANSFORMS[name], cr.Dense(1)])
    with pytest.raises(ValueError, match=words):
        cr.fit_blocks(network, network.initialize(0), rows)


def fitted_on(X: Any, **given: Any) -> Any:
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        return MLPClassifier(**SHORT, **given).fit(X, IRIS[1])


def test_an_augmentation_before_a_transform_runs_on_the_reference_engine() -> None:
    if native.MISSING:
        pytest.skip(native.MISSING)
    with pytest.warns(cr.engines.EngineNotice, match="an augmentation comes before a transform that is measured"):
        fitted(input_transform="standard", augment_noise=0.1)


def test_numbers_of_numpy_are_numbers() -> None:
    fitted(hidden_layer_sizes=(5, 4), dropout=np.array([0.1, 0.2]), noise=[np.float32(0.1), 0])


def test_a_unit_variance_start_knows_layers_without_biases() -> None:
    assert fitted(start="unit_variance", normalization="batch").score(*IRIS) > 0.3


def test_the_range_test_takes_the_recipe_along() -> None:
    X, y = CANCER
    plain, held = (MLPClassifier(random_state=0, max_norm=m).range_test(X, y) for m in (None, 1e-3))
    assert not np.array_equal(plain.losses, held.losses)


def test_validation_sees_no_noise() -> None:
    """An early-stopping score comes from the network as it predicts: with the same weights it is always the same."""
    given = {"dropout": 0.5, "augment_noise": 1.0, "early_stopping": True, "validation_fraction": 0.3}
    model = MLPClassifier((20,), max_iter=30, n_iter_no_change=np.inf, random_state=0, **given)
    with pytest.warns(ConvergenceWarning):
        model.fit(*CANCER)
    assert model.best_validation_score_ > 0.9
    assert model.score(*CANCER) > 0.9


@pytest.mark.parametrize("given", [{"dropout": 0.3}, {"normalization": "batch"}, {"mixup": 0.2, "averaging": "ema"}])
def test_refined_models_predict_well(given: dict[str, Any]) -> None:
    X, y = CANCER
    settings = {"hidden_layer_sizes": (30,), "random_state": 0, "learning_rate_init": 0.01, "max_iter": 60}
    settings["n_iter_no_change"] = np.inf
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        models = [MLPClassifier(**settings, **extra).fit(X[::2], y[::2]) for extra in ({}, given)]
    plain, refined = (model.score(X[1::2], y[1::2]) for model in models)
    assert refined > plain - 0.02
