"""A setting stands once: signatures, docstrings, pages and conditions are those of its row."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import neural_network

from chainrule import MLPClassifier, MLPRegressor, Network, optimizers
from chainrule.estimators.settings import loss as loss_settings
from chainrule.estimators.settings import network as network_settings
from chainrule.estimators.settings import optimizer, step
from chainrule.estimators.settings.attributes import ATTRIBUTES
from chainrule.estimators.settings.network import NOISE, disagreement, network
from chainrule.estimators.settings.row import GROUPS, FieldOf, With, WithAll, WithOneOf
from chainrule.estimators.settings.table import SETTINGS, check, defaults
from chainrule.losses import Huber
from chainrule.mathematics.blocks import Activation, Dense, Dropout

ROOT = Path(__file__).parents[3]
ESTIMATORS = (MLPClassifier, MLPRegressor)
each = pytest.mark.parametrize("estimator", ESTIMATORS)


def signature(estimator: type) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(estimator).parameters)


@each
def test_a_signature_is_that_of_the_rows(estimator: type) -> None:
    given = {name: parameter.default for name, parameter in signature(estimator).items()}
    wanted = defaults(estimator.__name__)
    assert given == wanted
    assert {name: type(value) for name, value in given.items()} == {n: type(v) for n, v in wanted.items()}


@each
def test_a_signature_begins_with_scikit_learns(estimator: type) -> None:
    own = inspect.signature(getattr(neural_network, estimator.__name__)).parameters
    ours = signature(estimator)
    shared = [name for name in own if name in ours]
    assert [*ours][: len(shared)] == shared
    assert [ours[name].kind for name in shared] == [own[name].kind for name in shared]
    assert {ours[name].kind for name in [*ours][len(shared) :]} == {inspect.Parameter.KEYWORD_ONLY}


@each
def test_a_docstring_lists_every_parameter_with_default_words_and_condition(estimator: type) -> None:
    text = inspect.getdoc(estimator) or ""
    section = text[text.index("Parameters\n----------") : text.index("Attributes\n----------")]
    entries = dict(re.findall(r"^(\w+) : (.*?)(?=^\w+ : |\Z)", section, re.MULTILINE | re.DOTALL))
    assert list(entries) == list(defaults(estimator.__name__))
    for name, entry in entries.items():
        row, words = SETTINGS[name], " ".join(entry.split())
        assert f"default={row.defaults[estimator.__name__]!r}" in entry.splitlines()[0]
        assert row.rule.words in words
        assert row.help[1:] in words
        assert (f"Has an effect with {row.condition.words}." if row.condition else "") in words


@each
def test_a_docstring_lists_the_attributes_that_a_fitted_estimator_has(estimator: type) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3 if estimator is MLPClassifier else rng.normal(size=60)
    with warnings.catch_warnings(action="ignore"):
        model = estimator(max_iter=2).fit(rng.normal(size=(60, 3)), y)
    public = {name for name in dir(model) if name.endswith("_") and not name.startswith("_")}
    listed = {name for name, row in ATTRIBUTES.items() if estimator.__name__ in row.of}
    assert listed - public == {"feature_names_in_", "reading_", "target_name_", "gamma_", "standard_errors_"}
    assert public <= listed
    text = inspect.getdoc(estimator) or ""
    section = text[text.index("Attributes\n----------") : text.index("Examples\n--------")]
    assert set(re.findall(r"^(\w+_) : ", section, re.MULTILINE)) == listed


def test_docstrings_and_pages_are_what_the_rows_make() -> None:
    ran = subprocess.run([sys.executable, ROOT / "tools" / "generate.py", "--check"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "")


def test_the_check_finds_what_is_not_as_the_rows_say() -> None:
    text = (ROOT / "docs" / "parameters.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)[: len(SETTINGS)] != []
    found = {name for name in SETTINGS if re.search(rf"^\| `{name}` \| ", text, re.MULTILINE)}
    assert found == {*SETTINGS}


def test_every_group_has_its_rows_together() -> None:
    groups = [row.group for row in SETTINGS.values()]
    assert list(dict.fromkeys(groups)) == list(GROUPS)
    assert groups == sorted(groups, key=list(GROUPS).index)


# --------------------------------------------------------------------------------------------------- conditions


BOTH = {**defaults("MLPRegressor"), **defaults("MLPClassifier")}

CONDITIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "components": ({"input_transform": "pca"}, {"input_transform": "standard"}),
    "delta": ({"loss": "huber"}, {"loss": Huber(2.0)}),
    "quantile": ({"loss": "quantile"}, {"loss": "huber"}),
    "label_smoothing": ({"loss": "log_loss"}, {"loss": "hinge"}),
    "l1_proximal": ({"l1": 0.1}, {"l1": 0.0}),
    "learning_rate_init": ({"solver": "sgd"}, {"solver": "lbfgs"}),
    "learning_rate": ({"solver": optimizers.Adam()}, {"solver": optimizers.LBFGS()}),
    "power_t": ({"learning_rate": "invscaling"}, {"learning_rate": "constant"}),
    "decay": ({"learning_rate": "exponential"}, {"learning_rate": "cosine"}),
    "decay_every": ({"learning_rate": "step"}, {"learning_rate": "exponential"}),
    "warm_up": ({"solver": "adam"}, {"solver": "rprop"}),
    "momentum": ({"solver": "sgd"}, {"solver": "adam"}),
    "nesterovs_momentum": ({"solver": "sgd"}, {"solver": "nesterov"}),
    "beta_1": ({"solver": "lion"}, {"solver": "sgd"}),
    "beta_2": ({"solver": "adam"}, {"solver": "lion"}),
    "epsilon": ({"solver": "radam"}, {"solver": optimizers.RAdam()}),
    "weight_decay": ({"solver": "adamw"}, {"solver": "adam"}),
    "max_fun": ({"solver": "lbfgs"}, {"solver": "adam"}),
    "batch_size": ({"solver": "rprop"}, {"solver": "lbfgs"}),
    "shuffle": ({"solver": optimizers.SGD()}, {"solver": "lbfgs"}),
    "averaging_start": ({"averaging": "swa"}, {"averaging": "ema"}),
    "average_decay": ({"averaging": "ema"}, {"averaging": None}),
    "validation_fraction": ({"early_stopping": True}, {"early_stopping": False}),
    "monitor": ({"early_stopping": True}, {"early_stopping": False}),
    "scoring": ({"early_stopping": True}, {"early_stopping": False}),
    "image_shape": ({"augment_shear": 3.0}, {"augment_noise": 0.1}),
    "checkpoint_every": ({"checkpoint": Path("run")}, {"checkpoint": None}),
}
"""For each row with a condition: settings that fulfil it, settings that do not."""


def test_every_condition_is_under_test() -> None:
    assert {*CONDITIONS} == {name for name, row in SETTINGS.items() if row.condition}


@pytest.mark.parametrize("name", list(CONDITIONS))
def test_a_condition_holds_and_does_not(name: str) -> None:
    condition = SETTINGS[name].condition
    assert condition is not None
    fulfilled, broken = CONDITIONS[name]
    assert condition.holds({**BOTH, **fulfilled})
    assert not condition.holds({**BOTH, **broken})
    assert condition.words
    if isinstance(condition, With | WithAll):
        parts = condition.conditions if isinstance(condition, WithAll) else (condition,)
        assert all(SETTINGS[part.setting].rule.accepts(value) for part in parts for value in part.values)
    else:
        assert isinstance(condition, WithOneOf)
        assert {*condition.settings} <= {*SETTINGS}


MADE = {
    "solver": lambda settings: optimizer.optimizer(settings),
    "learning_rate": lambda settings: optimizer.schedule(settings, optimizer.optimizer(settings)),
    "averaging": step.averaging,
    "input_transform": network_settings.transform,
    "loss": lambda settings: loss_settings.loss(settings, "multiclass"),
}
"""The parts that named settings make."""

OTHER: dict[str, Any] = {"components": 2, "decay_every": 3, "max_fun": 9, "tol": 0.5}


FIELDS = [
    (name, became.setting, chosen, chosen in became.fields)
    for name, row in SETTINGS.items()
    for became in row.becomes
    if isinstance(became, FieldOf)
    for chosen in getattr(SETTINGS[became.setting].rule, "rule", SETTINGS[became.setting].rule).names
]
"""Each setting that becomes a field, beside each name that may have the field, and whether the row says that it does.

A name that means another one for a task is left to test_settings_parts.py.
"""


@pytest.mark.parametrize(("name", "chooser", "chosen", "has"), FIELDS)
def test_a_field_is_set_where_the_row_says_and_nowhere_else(name: str, chooser: str, chosen: str, has: bool) -> None:
    plain = {**BOTH, chooser: chosen, "nesterovs_momentum": False, "momentum": 0.0}
    changed = {**plain, name: OTHER.get(name, 0.3)}
    if _refusal(chooser, plain):
        return  # a loss that is not for several classes
    if not has and _refusal(chooser, changed):
        assert name in _refusal(chooser, changed)  # components and label_smoothing say where they belong
        return
    means_another = (name, chosen) in {("momentum", "sgd"), ("label_smoothing", "log_loss")}
    same = repr(MADE[chooser](plain)) == repr(MADE[chooser](changed))
    assert same == (not has and not means_another)


def _refusal(setting: str, settings: dict[str, Any]) -> str:
    try:
        MADE[setting](settings)
    except ValueError as error:
        return str(error)
    return ""


# ------------------------------------------------------------------------------------- network and its settings


def test_a_network_agrees_with_the_settings_that_made_it() -> None:
    for changes in ({}, {"dropout": 0.2, "normalization": "batch"}, {"input_transform": "pca", "drop_connect": 0.1}):
        settings = {**BOTH, "hidden_layer_sizes": (5, 4), **changes}
        assert disagreement(settings, network(settings, 3, 2)) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"activation": "tanh"}, "block 1 is Activation('relu'), they make Activation('tanh')"),
        ({"hidden_layer_sizes": (6,)}, "block 0 is Dense(units=5"),
        ({"hidden_layer_sizes": (5, 5)}, "block 2 is Dense(units=2"),
        ({"dropout": 0.5}, "block 2 is Dense(units=2"),
        ({"input_transform": "standard"}, "block 0 is Dense(units=5"),
        ({"activation": ("tanh", "relu")}, "they make no network: activation names 2 layers"),
    ],
)
def test_a_disagreement_is_named(changes: dict[str, Any], words: str) -> None:
    settings = {**BOTH, "hidden_layer_sizes": (5,)}
    said = disagreement({**settings, **changes}, network(settings, 3, 2))
    assert said is not None
    assert said.startswith(words)


def test_more_blocks_than_the_settings_make_are_a_disagreement() -> None:
    settings = {**BOTH, "hidden_layer_sizes": ()}
    longer = Network(3, [Dense(2), Activation("relu")])
    assert disagreement(settings, longer) == "block 1 is Activation('relu'), they make None"


def test_initializers_play_no_part_in_the_agreement() -> None:
    settings = {**BOTH, "hidden_layer_sizes": (5,)}
    started = {**settings, "initializer": np.zeros, "bias_initializer": 0.1, "drop_connect": 0.2}
    assert disagreement({**settings, "drop_connect": 0.2}, network(started, 3, 2)) is None


def test_the_tuples_of_the_network_are_derived_from_the_rows() -> None:
    assert NOISE == ("dropout", "input_dropout", "noise", "input_noise", "drop_connect")
    assert network_settings.OF_HIDDEN_LAYERS == ("normalization", "dropout", "noise", "drop_connect")
    blocks = network({**BOTH, "hidden_layer_sizes": (4,), "dropout": 0.25}, 3, 1).blocks
    assert blocks[2] == Dropout(0.25)


@pytest.mark.parametrize("sizes", [(5,), [5, 4], 5])
def test_sizes_in_the_place_of_a_loss_are_recognised(sizes: Any) -> None:
    words = f"loss must be a loss (did you mean hidden_layer_sizes, by its name?), got {sizes!r}"
    with pytest.raises(ValueError, match=re.escape(words)):
        check({"loss": sizes}, "MLPRegressor")
