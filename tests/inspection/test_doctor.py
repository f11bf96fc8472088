"""A bad recipe is told its cause, the figure that shows it and the remedy; a good one is told nothing."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.preprocessing import scale

import chainrule as cr
from chainrule import MLPClassifier, MLPRegressor, TrainingAdvice, diagnose
from chainrule.inspection import causes
from chainrule.inspection.causes import Advice, Training, worse_than_constant
from chainrule.inspection.doctor import advise, usual_rate
from chainrule.inspection.symptoms import constant_loss, equal_layers, symptom
from chainrule.losses import LOSSES
from chainrule.mathematics.initializers import Normal
from chainrule.optimizers import LBFGS, Adam
from support.commands import ok, people, refused, write

DATA = Path(__file__).parents[3] / "shared" / "data" / "tabular"
IRIS, DIGITS = load_iris(return_X_y=True), load_digits(return_X_y=True)
FLOWERS, IMAGES = (scale(IRIS[0]), IRIS[1]), (DIGITS[0] / 16, DIGITS[1])

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def blocks_of_houses(rows: int = 600) -> tuple[Any, Any]:
    """Return raw columns like a census's: counts of 1e5, years, shares, coordinates; and prices of about 2."""
    rng = np.random.default_rng(1)
    income, people_there = rng.lognormal(1.3, 0.5, rows), rng.lognormal(10, 1, rows)
    columns = [income, people_there, rng.integers(1940, 2020, rows), rng.uniform(32, 42, rows), rng.random(rows)]
    return np.column_stack(columns), 0.4 * income + 0.2 * rng.normal(size=rows)


def told(model: Any, X: Any, y: Any) -> list[str]:
    """Return the advice given while an estimator is fitted."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    return [str(w.message) for w in caught if issubclass(w.category, TrainingAdvice)]


@pytest.mark.parametrize(
    ("blocks", "wanted", "there"),
    [
        (("relu", None, "zeros"), "b or c", {'activation="relu"', 'initializer="auto"'}),
        (("tanh", "he_uniform", "zeros"), "b or c", {'initializer="he_uniform" with bias_initializer="zeros"'}),
        (("tanh", Normal(3.0), -1.0), "b or c", {'activation="tanh"'}),
    ],
)
def test_what_is_set_already_is_not_advised(blocks: Any, wanted: str, there: set[str]) -> None:
    name, start, bias = blocks
    dense = [cr.Dense(units, initializer=start, bias_initializer=bias) for units in (3, 1)]
    network = cr.Network(2, [dense[0], cr.Activation(name), dense[1]])
    objective = cr.Objective(network, cr.losses.SquaredError(), np.ones((4, 2)), np.arange(4.0))
    training = Training(objective, network.initialize(0))
    for text in there:
        assert causes._try(training, text, "b", "c") == f"try {wanted}"
    for text in ('activation="sigmoid"', 'initializer="zeros"', 'start="unit_variance"'):
        assert causes._try(training, text, "b") == f"try {text} or b"


@quiet
def test_a_target_of_one_value_that_is_learned_is_no_trouble() -> None:
    y = np.full(150, 0.3)
    for seed in range(3):
        assert told(MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs", random_state=seed), IRIS[0], y) == []


def deep(activation: str, initializer: Any) -> MLPClassifier:
    return MLPClassifier((30,) * 6, activation, initializer=initializer, random_state=0, max_iter=60)


BAD: dict[str, tuple[Any, Any, list[str]]] = {
    "rate of 1000": (
        MLPClassifier(solver="sgd", learning_rate_init=1e3, random_state=0),
        FLOWERS,
        [r"0 Dense: the learning rate 1e\+03 moved the weights by \d{3} times their size per step", r"try 0\.001$"],
    ),
    "rate of 10, Adam": (
        MLPClassifier(learning_rate_init=10.0, random_state=0),
        FLOWERS,
        [r"\d Dense: the learning rate 10 moved the weights by [\d.]+ times their size per step", r"try 0\.001$"],
    ),
    "L2 penalty of 1e9": (
        MLPClassifier(alpha=1e9, random_state=0),
        FLOWERS,
        [
            r"0 Dense: the penalty alpha=1e\+09 pulls starting weights [\d.]+e\+07 times as hard as the data",
            r"alpha=0\.\d$",
        ],
    ),
    "L1 penalty of 1e5 on a regression": (
        MLPRegressor(l1=1e5, random_state=0),
        (FLOWERS[0], FLOWERS[0][:, 0]),
        [r"0 Dense: the penalty l1=1e\+05 pulls starting weights [\d.e+]+ times as hard as the data do", r"try l1=\d$"],
    ),
    "proximal L1 penalty of 1e4": (
        MLPClassifier(l1=1e4, l1_proximal=True, random_state=0),
        FLOWERS,
        [
            r"0 Dense: the penalty l1=1e\+04 pulls starting weights [\d.]+ times as hard as the data do",
            r"try l1=0\.\d$",
        ],
    ),
    "clipped to nothing": (
        MLPClassifier(solver="sgd", clip_norm=1e-6, random_state=0),
        FLOWERS,
        [
            r"2 Dense: clip_norm=1e-06 leaves [\d.]+e-05 % of a gradient of the length",
            r"leave it out, or try clip_norm=4$",
        ],
    ),
    "clipped entry by entry": (
        MLPClassifier(solver="sgd", clip_value=1e-6, random_state=0),
        FLOWERS,
        [r"2 Dense: clip_value=1e-06 leaves [\d.]+ % of a gradient of the length", "leave it out"],
    ),
    "rate of 1e-9": (
        MLPClassifier(solver="sgd", learning_rate_init=1e-9, random_state=0),
        FLOWERS,
        [r"0 Dense: the learning rate 1e-09 moved the weights by 5\.\d+e-10 times .* lead nowhere", r"try 0\.001$"],
    ),
    "rate of 1e-6, Adam": (
        MLPClassifier(learning_rate_init=1e-6, random_state=0),
        FLOWERS,
        [r"0 Dense: the learning rate 1e-06 moved the weights by 2\.\d+e-06 times .* lead nowhere", r"try 0\.001$"],
    ),
    "raw columns": (
        MLPRegressor(random_state=0),
        blocks_of_houses(),
        [
            r"0 Dense: the inputs reach [\d.]+e\+05 \(column 1, deviation [\d.e+]+\)",
            'input_transform="standard" or Stand',
        ],
    ),
    "raw columns, sgd": (
        MLPClassifier(solver="sgd", random_state=0),
        (IRIS[0] * 1e5, IRIS[1]),
        [r"0 Dense: the inputs reach 7\.9e\+05 \(column 0, deviation 8\.25e\+04\); standardise them"],
    ),
    "raw target": (
        MLPRegressor(random_state=0),
        (FLOWERS[0], 1e4 * IRIS[0][:, 2]),
        [r"2 Dense: the targets reach 6\.9e\+04 \(column 0, deviation 1\.76e\+04\)", "scale_target=True"],
    ),
    "dead units": (
        MLPClassifier((20, 10), bias_initializer=-100, random_state=0),
        FLOWERS,
        [
            "1 Activation relu: 100 % of its 20 units are dead",
            'initializer="he_uniform" .* a lower .* activation="leaky_relu"',
        ],
    ),
    "vanishing gradient": (
        deep("sigmoid", "auto"),
        FLOWERS,
        [r"0 Dense: the gradient at its output is [\d.]+e-05, 0\.\d+ at 12 Dense: it vanishes", 'activation="relu"'],
    ),
    "saturated tanh": (
        deep("tanh", Normal(3.0)),
        IMAGES,
        [r"1 Activation tanh: [6-9][\d.]+ % of its outputs are saturated", 'start="unit_variance"'],
    ),
    "saturated sigmoids": (
        deep("sigmoid", Normal(30.0)),
        IMAGES,
        [r"1 Activation sigmoid: 9[\d.]+ % of its outputs are saturated", 'initializer="xavier_uniform"'],
    ),
    "exploding gradient": (
        deep("relu", Normal(3.0)),
        IMAGES,
        [r"0 Dense: the gradient at its output is [\d.e+]+, 0\.\d+ at 12 Dense: it explodes", 'initializer="auto"'],
    ),
    "zeros": (
        MLPClassifier((12, 7), initializer="zeros", random_state=0),
        FLOWERS,
        ["0 Dense: its 12 units are all equal", 'initializer="auto"'],
    ),
    "zeros before a batch normalisation": (
        MLPClassifier((12,), initializer="zeros", normalization="batch", random_state=0),
        FLOWERS,
        ["0 Dense: its 12 units are all equal", 'initializer="auto"'],
    ),
    "equal units": (
        MLPClassifier((12,), "tanh", initializer=0.1, random_state=0),
        FLOWERS,
        ["0 Dense: its 12 units are all equal, and will stay so", 'initializer="auto"'],
    ),
}
"""Bad recipes: the estimator, the data, and what the one line says: block and figure, then the remedy."""


@quiet
@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_recipe_is_told_its_one_cause(name: str) -> None:
    model, data, words = BAD[name]
    (line,) = told(model, *data)
    for pattern in words:
        assert re.search(pattern, line), line


@quiet
@pytest.mark.parametrize("name", list(BAD))
def test_both_engines_are_told_the_same_cause(name: str) -> None:
    model, data, _ = BAD[name]
    auto = told(model, *data)
    reference = told(model.__class__(**{**model.get_params(), "engine": "reference", "max_iter": 60}), *data)
    assert [line.split(" ")[:6] for line in auto] == [line.split(" ")[:6] for line in reference]


@quiet
def test_the_remedies_help() -> None:
    assert MLPClassifier(solver="sgd", learning_rate_init=1e-3, random_state=0).fit(*FLOWERS).score(*FLOWERS) > 0.8
    X, y = blocks_of_houses()
    assert told(MLPRegressor(random_state=0, preprocessing="always"), X, y) == []
    healed = MLPClassifier((30,) * 6, "sigmoid", start="unit_variance", random_state=0, learning_rate_init=0.01)
    assert told(healed, *FLOWERS) == []
    assert healed.score(*FLOWERS) > 0.9


@quiet
def test_a_target_and_inputs_of_a_wrong_size_are_two_lines() -> None:
    X, y = blocks_of_houses()
    lines = told(MLPRegressor(random_state=0, max_iter=20), X, 1e9 * y)
    assert [line.split()[3] for line in lines] == ["inputs", "targets"]


def test_a_divergence_says_it_in_the_error() -> None:
    diabetes = load_diabetes(return_X_y=True)
    model = MLPRegressor(solver="sgd", learning_rate_init=1e3, scale_target=True, random_state=0)
    with pytest.raises(
        ValueError, match=r"diverged at step \d+ .* the learning rate 1e\+03 is too high .*; try 0\.001"
    ):
        told(model, scale(diabetes[0]), diabetes[1])


# ------------------------------------------------------------------------------------------------- sound recipes


def table(name: str, target: str) -> tuple[Any, Any]:
    """Return 1500 rows of a table of the shared data."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the real data set {name} (../shared/data) is not here")
    rows = pl.read_csv(path, infer_schema_length=None, null_values=["", "NA", "?"]).drop_nulls(target)
    rows = rows.sample(1500, seed=0)
    return rows.drop(target), rows[target].to_numpy()


def real(load: Any) -> Any:
    """Return a function that loads one of scikit-learn's data sets, standardised."""

    def standardised() -> tuple[Any, Any]:
        X, y = load(return_X_y=True)
        return scale(X), y

    return standardised


REAL: dict[str, tuple[type[Any], Any]] = {
    "iris": (MLPClassifier, real(load_iris)),
    "wine": (MLPClassifier, real(load_wine)),
    "breast cancer": (MLPClassifier, real(load_breast_cancer)),
    "digits": (MLPClassifier, real(load_digits)),
    "diabetes": (MLPRegressor, real(load_diabetes)),
    "California housing": (MLPRegressor, lambda: table("california_housing.csv.gz", "median_house_value")),
    "adult": (MLPClassifier, lambda: table("adult_train.csv.gz", "income")),
}
SOUND: dict[str, dict[str, Any]] = {
    "defaults": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01},
    "lbfgs": {"solver": "lbfgs", "max_iter": 100},
    "deep relu": {"hidden_layer_sizes": (30, 30, 30)},
    "penalised": {"alpha": 1.0, "l1": 0.1},
    "clipped": {"clip_norm": 1e-3, "learning_rate_init": 0.003},
    "warmed up": {"warm_up": 50, "learning_rate_init": 0.003},
    "early stopping": {"early_stopping": True, "activation": "tanh", "averaging": "swa"},
    "sigmoid, few epochs": {"activation": "sigmoid", "learning_rate_init": 0.01, "max_iter": 5},
}


@quiet
@pytest.mark.parametrize("recipe", list(SOUND))
@pytest.mark.parametrize("data", list(REAL))
def test_a_sound_recipe_is_told_nothing(data: str, recipe: str) -> None:
    kind, load = REAL[data]
    X, y = load()
    settings = {"max_iter": 40, "preprocessing": "always", **SOUND[recipe]}
    settings |= {"scale_target": True} if kind is MLPRegressor else {}
    for seed in range(3):
        assert told(kind(**settings, random_state=seed), X, y) == []


@quiet
@pytest.mark.parametrize("seed", range(3))
def test_targets_without_any_signal_are_no_bad_recipe(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 8))
    assert told(MLPRegressor(alpha=100.0, random_state=seed), X, rng.normal(size=300)) == []
    assert told(MLPClassifier(alpha=100.0, random_state=seed), X, rng.integers(0, 3, 300)) == []


# ------------------------------------------------------------------------------------------------------ the parts


def test_nothing_is_measured_without_a_symptom(monkeypatch) -> None:
    import chainrule.inspection.doctor as room

    monkeypatch.setattr(room, "diagnose", lambda *given: pytest.fail("measured"))
    MLPClassifier(random_state=0, learning_rate_init=0.02, tol=1e-3).fit(*FLOWERS)


def test_single_passes_and_a_few_steps_are_not_judged() -> None:
    bad = {"solver": "sgd", "learning_rate_init": 10.0, "random_state": 0}
    assert told(MLPClassifier(**bad, batch_size=150, max_iter=9), *FLOWERS) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPClassifier(**bad).partial_fit(*FLOWERS, classes=[0, 1, 2])


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "perceptron"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_best_constant_prediction(name: str, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    loss, n = LOSSES[name](), 240
    outputs = 3 if loss.targets == "classes" else 1
    draws = {
        "real": rng.gamma(2, 1, n),
        "counts": rng.poisson(3, n),
        "binary": rng.random(n) < 0.2,
        "signs": np.where(rng.random(n) < 0.2, 1, -1),
        "classes": rng.choice(3, n, p=[0.6, 0.3, 0.1]),
    }
    y = draws[loss.targets] if loss.targets == "classes" else draws[loss.targets].astype(float)
    weight = rng.uniform(0.5, 1.5, n) if weighted else None
    objective = cr.Objective(cr.Network(1, [cr.Dense(outputs)]), loss, np.zeros((n, 1)), y, weight)
    best = float(objective.value(cr.train(objective, np.zeros(2 * outputs), optimizer=LBFGS(tolerance=1e-12)).theta))
    exact = loss.probabilistic or name in ("squared_error", "poisson")
    assert constant_loss(objective) <= best * (1 + 1e-6 if exact else 1.25)
    assert not exact or constant_loss(objective) >= best * (1 - 1e-9)


def test_symptoms() -> None:
    network = cr.Network(4, [cr.Dense(5), cr.Activation("tanh"), cr.Dense(3)])
    objective = cr.Objective(network, cr.losses.CrossEntropy(), *FLOWERS)
    good = cr.train(objective, network.initialize(0), optimizer=Adam(0.02), batch_size=15, epochs=30)
    assert not symptom(objective, good.theta, good.history)
    assert not symptom(objective, good.theta, [])
    idle = cr.train(objective, network.initialize(0), optimizer=Adam(1e-9), epochs=20)
    assert symptom(objective, idle.theta, idle.history)
    assert [advice.remedy for advice in advise(objective, idle.theta, idle.history, Adam())] == ["try 0.001"]
    network.views(good.theta)["0.W"][:] = 1.0
    network.views(good.theta)["0.b"][:] = 0.0
    assert symptom(objective, good.theta, good.history)


@quiet
@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csr_matrix, scipy.sparse.csc_matrix])
def test_sparse_rows_have_columns_too(kind: Any) -> None:
    model = MLPClassifier(solver="sgd", random_state=0)
    (line,) = told(model, kind(1e5 * IRIS[0]), IRIS[1])
    assert line == told(model, 1e5 * IRIS[0], IRIS[1])[0]


def test_an_advice_and_the_rate_to_try() -> None:
    assert str(Advice("0 Dense", "it is so", "do this")) == "0 Dense: it is so; do this"
    assert (usual_rate(Adam(7.0)), usual_rate(LBFGS())) == (0.001, None)
    network = cr.Network(2, [cr.Dense(3), cr.Activation("sigmoid"), cr.Dense(1)])
    objective = cr.Objective(network, cr.losses.SquaredError(), np.eye(2), np.ones(2))
    assert diagnose(objective, network.initialize(0)) == []
    assert diagnose(objective, 1e200 * network.initialize(0))[0].block == "1 Activation sigmoid"


def test_the_command_line_says_it_in_its_own_words(tmp_path) -> None:
    ran = ok("train", "digits", "--solver", "sgd", "--learning-rate-init", 10, "--learning-rate", "constant")
    lines = [line for line in ran.err.splitlines() if "learning rate 10" in line]
    assert len(lines) == 1
    assert lines[0].startswith("note: ")
    file = write(tmp_path / "people.csv", people(200))
    raw = ok("train", file, "--target", "dear", "--input-scale", 1e5, "--json").json["notes"]
    assert any("--input-transform standard" in line for line in raw)
    file = write(tmp_path / "numbers.csv", people(200), without=("town", "dear"))
    words = ["train", file, "--target", "price", "--input-scale", 1e5, "--preprocessing", "never", "--solver", "sgd"]
    assert "--input-transform standard" in refused(*words)


def test_a_training_that_ends_above_a_constant_gets_advice() -> None:
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((10,), max_iter=300, random_state=0, learning_rate_init=0.01)
    with pytest.warns(TrainingAdvice, match=r"the loss ended at 0\.92, above the 0\.6\d* of the best constant output"):
        model.fit(X, y == 0)


def test_a_training_still_on_its_way_down_is_left_alone() -> None:
    network = cr.Network(2, [cr.Dense(1)])
    objective = cr.Objective(network, cr.losses.SquaredError(), np.ones((4, 2)), np.array([1.0, -1.0, 1.0, -1.0]))

    def judged(losses: list[float]) -> list[str]:
        events = [
            cr.Progress(k, 10 * k + 10, loss, None, None, 0.1, 1.0, 0.0, np.zeros(3)) for k, loss in enumerate(losses)
        ]
        causes = worse_than_constant(Training(objective, np.zeros(3), events, 0.1, None, stopped=True))
        return [f"{cause.block}: {cause.figure}; {cause.remedy}" for cause in causes]

    assert constant_loss(objective) == 0.5
    said = "0 Dense: the loss ended at 2, above the 0.5 of the best constant output; try a lower learning rate such as"
    assert judged([9.0, 1.0, 2.0]) == [f"{said} 0.01, or more epochs (max_iter, n_iter_no_change)"]
    assert judged([9.0, 2.0, 2.0]) == judged([9.0, 1.0, 2.0])
    assert judged([9.0, 5.0, 2.0]) == judged([9.0, 0.4, 0.52]) == judged([]) == []
    assert len(judged([9.0, 0.4, 0.53])) == 1


def test_equal_units_of_drop_connect_are_seen() -> None:
    for kind in (cr.Dense, cr.DropConnect):
        blocks = [kind(5, initializer=0.1), cr.Activation("tanh"), kind(1, initializer=0.1)]
        network = cr.Network(3, blocks)
        objective = cr.Objective(network, cr.losses.SquaredError(), np.eye(3), np.arange(3.0))
        assert equal_layers(objective, network.initialize(0)) == [0]
        (advice,) = diagnose(objective, network.initialize(0))
        assert advice.figure == "its 5 units are all equal, and will stay so"
        one = cr.Network(3, [kind(1, initializer=0.1), cr.Activation("tanh"), kind(1)])
        assert equal_layers(cr.Objective(one, objective.loss, objective.X, objective.y), one.initialize(0)) == []
