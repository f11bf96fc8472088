"""The texts of options: what each stands for, what stands for nothing, and objects with fields."""

from __future__ import annotations

import inspect
import re
import shlex
from math import inf
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule import losses, optimizers, schedules
from chainrule.cli.object_texts import Unrated, as_text, made, parts_of
from chainrule.cli.option_types import SettingType, parse, read
from chainrule.cli.options import settled
from chainrule.estimators.presets import Facts
from chainrule.estimators.settings.optimizer import optimizer, schedule
from chainrule.estimators.settings.table import SETTINGS, check
from chainrule.foundation import values
from chainrule.foundation.values import Number, Several, Whole
from chainrule.losses import LOSSES
from chainrule.mathematics.blocks import Activation, NoisyReLU, PReLU, RReLU
from chainrule.optimizers import OPTIMIZERS
from chainrule.schedules import SCHEDULES
from support.commands import ok, people, refused, write

TEXTS: dict[str, list[tuple[str, Any]]] = {
    "hidden_layer_sizes": [("256,128", (256, 128)), ("100", 100), ("none", ()), ("", ()), (" 3 , 2 ", (3, 2))],
    "activation": [("relu", "relu"), ("relu,tanh", ("relu", "tanh"))],
    "learning_rate_init": [("none", None), ("None", None), ("1e-3", 1e-3)],
    "batch_size": [("auto", "auto"), ("32", 32)],
    "shuffle": [("once", "once"), ("true", True), ("False", False)],
    "early_stopping": [("True", True), ("false", False)],
    "n_iter_no_change": [("inf", inf), ("5", 5)],
    "random_state": [("none", None), ("0", 0), ("7", 7)],
    "warm_up": [("0", 0), ("10", 10)],
    "time_limit": [("none", None), ("2.5", 2.5)],
    "n_threads": [("none", None), ("4", 4)],
    "class_weight": [("none", None), ("balanced", "balanced")],
    "scoring": [("none", None), ("roc_auc", "roc_auc")],
    "alpha": [("0", 0.0), ("1e-4", 1e-4)],
    "solver": [("adamw", "adamw")],
    "image_shape": [("none", None), ("28,28", (28, 28)), (" 8 , 9, 3", (8, 9, 3))],
    "checkpoint": [("none", None), ("run.checkpoint", "run.checkpoint")],
    "checkpoint_every": [("500 steps", "500 steps")],
}


@pytest.mark.parametrize(("name", "text", "value"), [(n, *case) for n, cases in TEXTS.items() for case in cases])
def test_a_text_stands_for_a_value_that_is_accepted(name: str, text: str, value: Any) -> None:
    parsed = read(SETTINGS[name], text)
    assert parsed == value
    assert type(parsed) is type(value)
    check({name: parsed}, "MLPClassifier")


@pytest.mark.parametrize("name", [n for n, setting in SETTINGS.items() if setting.on_command_line])
def test_the_text_of_a_default_stands_for_the_default(name: str) -> None:
    for default in SETTINGS[name].defaults.values():
        text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
        parsed = read(SETTINGS[name], text)
        assert parsed == (default[0] if isinstance(default, tuple) else default)


@pytest.mark.parametrize(
    ("name", "text"), [("alpha", "much"), ("max_iter", "2.5"), ("shuffle", "yes"), ("batch_size", "all")]
)
def test_a_text_that_stands_for_nothing_is_a_value_error(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        read(SETTINGS[name], text)


@given(st.integers())
def test_a_whole_number_survives_its_text(number: int) -> None:
    assert parse(Whole(), str(number)) == number


@given(st.floats(allow_nan=False))
def test_a_number_survives_its_text(number: float) -> None:
    assert parse(Number(), repr(number)) == number


@given(st.lists(st.integers(1, 10**6), min_size=2))
def test_a_list_survives_its_text(sizes: list[int]) -> None:
    assert parse(Several(Whole()), ",".join(map(str, sizes))) == tuple(sizes)


def test_every_rule_has_a_text_or_says_that_it_has_none() -> None:
    rules = [kind for _, kind in inspect.getmembers(values, inspect.isclass) if "accepts" in vars(kind)]
    for kind in rules:
        if kind not in (values.Rule, values.ListOf):  # a list stands in documents, not in settings
            assert parse.dispatch(kind) is not parse.dispatch(object), kind
    with pytest.raises(TypeError, match="there is no text for a str"):
        parse("no rule", "text")


# ------------------------------------------------------------------------------------------------------ objects


OBJECTS: list[tuple[str, str, Any]] = [
    ("solver", "adam:beta_1=0.95", optimizers.Adam(beta_1=0.95)),
    ("solver", "adam: beta_1 = 0.95 , epsilon = 1e-7", optimizers.Adam(beta_1=0.95, epsilon=1e-7)),
    ("solver", "lbfgs:history=20", optimizers.LBFGS(history=20)),
    ("loss", "huber:delta=2", losses.Huber(2.0)),
    ("loss", "cross_entropy:label_smoothing=0.1", losses.CrossEntropy(0.1)),
    ("learning_rate", "step:rate=0.1,every=3,unit=step", schedules.Step(0.1, 3, unit="step")),
    ("activation", "leaky_relu:slope=0.2", Activation("leaky_relu", slope=0.2)),
    ("activation", "prelu:initial=0.1,shared=true,tanh", (PReLU(0.1, shared=True), "tanh")),
]


@pytest.mark.parametrize(("name", "text", "value"), OBJECTS)
def test_a_text_with_fields_stands_for_the_object(name: str, text: str, value: Any) -> None:
    assert read(SETTINGS[name], text) == value
    check({name: value}, "MLPClassifier")


@pytest.mark.parametrize("name", [name for name, row in SETTINGS.items() if row.makes])
def test_every_object_of_the_tables_survives_its_text(name: str) -> None:
    makes = SETTINGS[name].makes
    assert {"solver": {*OPTIMIZERS}, "loss": {*LOSSES}, "learning_rate": {*SCHEDULES}}.get(name, {*makes}) == {*makes}
    for maker in makes.values():
        whole = maker.make()
        again = made(makes, as_text(whole)) if maker.types else whole
        assert (again.at(whole.rate) if isinstance(again, Unrated) else again) == whole


def test_the_makers_of_activations_have_their_fields() -> None:
    makes = SETTINGS["activation"].makes
    known = SETTINGS["activation"].rule.rule.names  # type: ignore[attr-defined]  # Several of a Choice
    assert {*makes} == {*known}
    assert {type(makes[name].make()) for name in ("prelu", "rrelu", "noisy_relu")} == {PReLU, RReLU, NoisyReLU}
    assert {*makes["leaky_relu"].types} == {"slope"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "solver",
            "adam:beta1=0.9",
            "--solver: adam has no field 'beta1' (did you mean beta_1?); its fields: learn",
        ),
        ("solver", "adma:beta_1=0.9", "--solver: 'adma' takes no fields (did you mean adam?); those that do: sgd, mom"),
        ("solver", "adam:beta_1", "--solver: adam takes FIELD=VALUE, not 'beta_1'; its fields: learning_rate, beta_1"),
        ("solver", "adam:", "--solver: adam takes FIELD=VALUE, not ''; its fields: learning_rate, beta_1"),
        ("solver", "adam:beta_1=x", "--solver: adam beta_1 must be a number, got 'x'"),
        ("solver", "adam:beta_1=0.9,beta_1=0.8", "--solver: adam beta_1 is given twice"),
        ("solver", "adam:beta_1=1.5", "--solver: Adam beta_1 must be a number of at least 0 and below 1, got 1.5"),
        ("solver", "lbfgs:history=2.5", "--solver: lbfgs history must be a whole number, got '2.5'"),
        ("solver", "adma", "got 'adma' (did you mean adam?)"),
        ("loss", "log_loss:label_smoothing=0.1", "--loss: 'log_loss' takes no fields; those that do: squared_error"),
        ("loss", "huber:delta=0", "--loss: Huber delta must be"),
        ("learning_rate", "step:unit=hour", "--learning-rate: step unit must be step or epoch or rows, got 'hour'"),
        (
            "learning_rate",
            "cosine:rate=-1",
            "--learning-rate: Cosine rate must be a finite number of at least 0, got -1",
        ),
        ("activation", "prelu:shared=maybe", "--activation: prelu shared must be true or false, got 'maybe'"),
        ("activation", "relu:slope=1", "--activation: relu has no field 'slope'; its fields: none"),
    ],
)
def test_a_text_that_stands_for_no_object_is_one_line(name: str, text: str, words: str) -> None:
    with pytest.raises(click.UsageError, match=re.escape(words)) as error:
        SettingType(name).convert(text, None, None)
    assert "\n" not in str(error.value)


def test_items_of_a_list_keep_their_fields() -> None:
    assert parts_of("relu,rrelu:low=0.1,high=0.3,tanh") == ["relu", "rrelu:low=0.1,high=0.3", "tanh"]
    assert parts_of("a=1,b") == ["a=1", "b"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, schedules.Cosine(0.002, 1e-4)),
        ({"learning_rate_init": 0.3}, schedules.Cosine(0.3, 1e-4)),
        ({"solver": "adagrad"}, schedules.Cosine(0.01, 1e-4)),
        ({"solver": optimizers.Adam(0.5)}, schedules.Cosine(0.5, 1e-4)),
    ],
)
def test_a_schedule_without_a_rate_starts_from_the_learning_rate(given: dict[str, Any], expected: Any) -> None:
    unrated = read(SETTINGS["learning_rate"], "cosine:minimum=1e-4")
    assert as_text(unrated) == "cosine:minimum=0.0001"
    chosen = settled("classification", {**given, "learning_rate": unrated}, Facts(100, True, 1.0))
    assert chosen["learning_rate"] == expected


def test_a_training_with_object_texts_is_that_with_the_objects(tmp_path: Any) -> None:
    path = tmp_path / "m.safetensors"
    words = "--solver adam:beta_1=0.95 --loss cross_entropy:label_smoothing=0.1 --activation leaky_relu:slope=0.2"
    told = ok("train", "digits", "--max-iter", 2, *shlex.split(words), "--beta-1", 0.5, "--out", path, "--json").json
    assert told["notes"][0] == "--beta-1 has no effect with --solver adam:beta_1=0.95"
    model = cr.load(path)
    assert model.solver == optimizers.Adam(beta_1=0.95)
    assert model.loss_function_ == losses.CrossEntropy(0.1)
    assert (model.loss, model.activation) == (losses.CrossEntropy(0.1), Activation("leaky_relu", slope=0.2))
    assert model.network_.blocks[1] == model.activation
    assert re.search("solver +adam:beta_1=0.95\n", ok("summary", path).out)


def test_find_lr_takes_objects_and_hands_them_on(tmp_path: Any) -> None:
    table = write(tmp_path / "people.csv", people())
    words = ("--target", "price", "--solver", "adam:beta_1=0.95", "--learning-rate", "cosine:minimum=1e-05")
    told = ok("find-lr", table, *words, "--steps", 20, "--json").json
    assert "--solver adam:beta_1=0.95 --learning-rate cosine:minimum=1e-05" in told["train"]
    rated = (*words[:2], "--learning-rate", "step:rate=0.3,every=4")
    command = ok("find-lr", table, *rated, "--steps", 20, "--json").json["train"]
    assert "--learning-rate step:every=4 " in command
    suggestion = float(command.split()[-1])
    told = ok(*shlex.split(command)[1:], "--max-iter", 1, "--json").json
    assert told["settings"]["learning_rate"] == str(schedules.Step(suggestion, every=4))
    assert not any("no effect" in text for text in told["notes"])
    said = refused("find-lr", table, "--target", "price", "--solver", "lbfgs:history=5")
    assert "--solver lbfgs:history=5 follows no learning rate; accepted: sgd" in said


@pytest.mark.parametrize(
    ("words", "rate", "note"),
    [
        ("--learning-rate step:rate=0.3", 0.3, "with --learning-rate step:rate=0.3"),
        ("--learning-rate step:every=5", 0.001, None),
        ("--solver adam:learning_rate=0.3", 0.001, None),
        ("--solver adam:learning_rate=0.3 --learning-rate cosine", 0.001, None),
        ("--solver rprop:learning_rate=0.3", 0.3, "with --solver rprop:learning_rate=0.3"),
    ],
)
def test_the_rate_of_an_object_and_that_of_its_own_option(tmp_path: Any, words: str, rate: float, note: Any) -> None:
    told = ok(
        "train",
        "digits",
        "--max-iter",
        1,
        *words.split(),
        "--learning-rate-init",
        0.001,
        "--out",
        tmp_path / "m.safetensors",
        "--json",
    ).json
    model = cr.load(tmp_path / "m.safetensors")
    settings = model.get_params(deep=False)
    rule = optimizer(settings)
    used = rule.learning_rate if note and "rprop" in note else schedule(settings, rule)(schedules.Moment())
    assert used == rate
    idle = [text for text in told["notes"] if "--learning-rate-init" in text]
    assert idle == ([f"--learning-rate-init has no effect {note}"] if note else [])
