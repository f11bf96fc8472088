"""The options of `chainrule train`: one for each setting of the estimators, and the defaults a newcomer needs.

Names, accepted values and help come from `settings.SETTINGS`, defaults from the estimators' signatures, except
those in DEFAULTS below: these are the command line's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from types import MappingProxyType
from typing import Any

import click

from ..estimators import MLPClassifier, MLPRegressor
from ..estimators.settings.network import FIELD_OF_DEFORMATION, SETTINGS_OF_RULE, monitor
from ..estimators.settings.table import SETTINGS
from ..foundation.values import Choice, Flag, Optional, Rule, Several
from ..optimizers import OPTIMIZERS
from .option_types import SHAPES, SPECIAL, SettingType, option, shape_of

ESTIMATORS: Mapping[str, type[Any]] = {"classification": MLPClassifier, "regression": MLPRegressor}
SIGNATURES: Mapping[str, Mapping[str, Any]] = {
    task: {name: p.default for name, p in inspect.signature(kind).parameters.items()}
    for task, kind in ESTIMATORS.items()
}
"""The estimators' own defaults, by task and setting."""

STEPPING = tuple(name for name, kind in OPTIMIZERS.items() if not kind.whole_batch)
"""The solvers that take steps, on batches."""

SCHEDULED = tuple(name for name in STEPPING if OPTIMIZERS[name].scheduled)
"""Those of them that follow a learning-rate schedule."""

WHOLE = tuple(name for name in STEPPING if name not in SCHEDULED)
"""Those that compare one gradient with the next: both must be of the same rows."""

MANY_ROWS = 10_000
"""From so many training rows on, a tenth of them is spent on early stopping."""


@dataclass(frozen=True)
class Facts:
    """What the defaults may depend on; `early` and `solver` are settled before the others."""

    rows: int
    standardise: bool
    scale: float
    early: bool = False
    solver: str = "adam"
    image_shape: tuple[int, ...] | None = None

    @property
    def plateaus(self) -> bool:
        """Whether the learning rate is to fall when the validation score stands still."""
        return self.early and not OPTIMIZERS[self.solver].whole_batch


@dataclass(frozen=True)
class Default:
    """A default of the command line: its value, or a function of the facts, and the words for it in the help."""

    value: Any
    words: str = ""

    def of(self, facts: Facts) -> Any:
        """Return the value for a data set."""
        return self.value(facts) if callable(self.value) else self.value


DEFAULTS: Mapping[str, Default] = MappingProxyType(
    {
        "early_stopping": Default(lambda f: f.rows >= MANY_ROWS, f"on from {MANY_ROWS:,} training rows"),
        "hidden_layer_sizes": Default((200, 100)),
        "alpha": Default(0.03),
        "batch_size": Default(
            lambda f: f.rows if f.solver in WHOLE else max(1, min(128 if f.early else 32, f.rows // 2)),
            "32, at most half the rows; 128 with early stopping; all rows for rprop",
        ),
        "max_iter": Default(lambda f: 100 if f.early else 40, "40; 100 with early stopping"),
        "learning_rate": Default(
            lambda f: "adaptive" if f.plateaus else "cosine", "cosine; adaptive with early stopping"
        ),
        "learning_rate_init": Default(
            lambda f: 0.002 if f.solver in ("adam", "adamw") else None, "0.002 for adam; other solvers have their own"
        ),
        "n_iter_no_change": Default(lambda f: 5 if f.early else inf, "inf; 5 with early stopping"),
        "random_state": Default(0),
        "dtype": Default("float32"),
        "preprocessing": Default(lambda f: "always" if f.standardise else "never", "always; never for images"),
        "input_scale": Default(lambda f: f.scale, "1; 1/255 for bytes, 1/16 for digits"),
        "scale_target": Default(True),
        "image_shape": Default(lambda f: f.image_shape, "what an idx file says, or a square"),
    }
)
"""The command line's own defaults. Chosen on validation rows of nine data sets, never on test rows.

Fewer than 10,000 training rows: every row trains, over a fixed course of 40 epochs with a falling learning rate. More:
a tenth of the rows tells when to lower the learning rate and when to stop.
"""


class _Given(tuple[Any, ...]):
    """Values such as these: all but None."""

    def __contains__(self, value: object) -> bool:
        return value is not None


ONLY_WITH: Mapping[str, tuple[str, tuple[Any, ...]]] = MappingProxyType(
    {
        "components": ("input_transform", ("pca", "whitening")),
        "delta": ("loss", ("huber",)),
        "quantile": ("loss", ("quantile",)),
        "power_t": ("learning_rate", ("invscaling",)),
        "decay": ("learning_rate", ("step", "exponential")),
        "decay_every": ("learning_rate", ("step",)),
        **{
            name: ("solver", tuple(solver for solver, taken in SETTINGS_OF_RULE.items() if name in taken))
            for name in ("beta_1", "beta_2", "epsilon", "weight_decay")
        },
        "momentum": ("solver", ("sgd", "momentum", "nesterov")),  # sgd becomes one of the others
        "nesterovs_momentum": ("solver", ("sgd",)),
        **dict.fromkeys(("learning_rate_init", "batch_size", "shuffle"), ("solver", STEPPING)),
        **dict.fromkeys(("learning_rate", "warm_up"), ("solver", SCHEDULED)),
        "max_fun": ("solver", ("lbfgs",)),
        "averaging_start": ("averaging", ("swa",)),
        "average_decay": ("averaging", ("ema",)),
        "validation_fraction": ("early_stopping", (True,)),
        "monitor": ("early_stopping", (True,)),
        "scoring": ("early_stopping", (True,)),
        "checkpoint_every": ("checkpoint", _Given(["FILE"])),
    }
)
"""Settings without an effect unless another one has one of these values."""

NEEDS_ONE_OF: Mapping[str, tuple[str, ...]] = {
    "image_shape": tuple(FIELD_OF_DEFORMATION),
    "l1_proximal": ("l1",),
}
"""Settings without an effect unless one of some others is given."""


def is_given(ctx: click.Context, name: str) -> bool:
    """Return whether an option stands on the command line."""
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def given_settings(ctx: click.Context) -> dict[str, Any]:
    """Return the settings that stand on the command line."""
    return {name: value for name, value in ctx.params.items() if name in SETTINGS and is_given(ctx, name)}


def training_options() -> list[click.Option]:
    """Return one option for each setting that the command line offers and an estimator has."""
    known = [name for name, row in SETTINGS.items() if row.on_command_line]
    return [_option(name) for name in known if any(name in defaults for defaults in SIGNATURES.values())]


def _option(name: str) -> click.Option:
    row = SETTINGS[name]
    tasks = [task for task in SIGNATURES if name in SIGNATURES[task]]
    text = f"{row.help}{_choices(row.rule)}" + f" ({tasks[0]} only)" * (len(tasks) == 1)
    text = f"{text}  [{_default_words(name, tasks)}]"
    if isinstance(row.rule, Flag) and not row.rule.also:
        return click.Option([f"{option(name)}/--no-{option(name)[2:]}"], default=None, help=text)
    if name in SPECIAL:
        kind, shape = SPECIAL[name]
        return click.Option([option(name)], type=kind(), metavar=shape, help=text)
    shape = SHAPES.get(name) or shape_of(row.rule)
    return click.Option([option(name)], type=SettingType(name), metavar=shape, help=text)


def _choices(rule: Rule) -> str:
    """Return the accepted names, for the help."""
    inner = rule.rule if isinstance(rule, Several | Optional) else rule
    return f": {', '.join(inner.names)}" if isinstance(inner, Choice) else ""


def _default_words(name: str, tasks: list[str]) -> str:
    if name in DEFAULTS:
        return DEFAULTS[name].words or show_value(DEFAULTS[name].value)
    values = {task: show_value(SIGNATURES[task][name]) for task in tasks}
    return " or ".join(dict.fromkeys(values.values()))


def show_value(value: Any) -> str:
    """Return a setting's value as one would type it."""
    if isinstance(value, tuple | list):
        return ",".join(map(show_value, value)) or "none"
    if isinstance(value, dict):
        return ",".join(f"{key}:{show_value(item)}" for key, item in value.items())
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def settled(task: str, given: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """Return the estimator's settings: those given, else the command line's defaults, else the estimator's.

    Raises click.UsageError for an option that is not for this task, and for a validation figure to be watched where
    there are no rows for it.
    """
    own = SIGNATURES[task]
    foreign = [name for name in given if name not in own]
    if foreign:
        other = "regression" if task == "classification" else "classification"
        raise click.UsageError(f"{option(foreign[0])} is for {other}; this is a {task}", click.get_current_context())
    early = given.get("early_stopping", DEFAULTS["early_stopping"].of(facts))
    facts = replace(facts, early=bool(early), solver=given.get("solver", own["solver"]))
    ours = {name: default.of(facts) for name, default in DEFAULTS.items() if name in own}
    chosen = {**ours, **given}
    if not facts.early and monitor({**own, **chosen}) != "loss":
        raise click.UsageError(f"--monitor {chosen['monitor']} needs --early-stopping", click.get_current_context())
    return chosen


def without_effect(task: str, given: Mapping[str, Any], chosen: Mapping[str, Any]) -> list[str]:
    """Return a remark for each given option that another setting makes idle."""
    values = {**SIGNATURES[task], **chosen}
    remarks = []
    for name in given:
        other, accepted = ONLY_WITH.get(name, ("", ()))
        if other and values[other] not in accepted:
            state = f"with {option(other)} {show_value(values[other])}" if values[other] else f"without {option(other)}"
            remarks.append(f"{option(name)} has no effect {state}")
        if name in NEEDS_ONE_OF and not any(values[other] for other in NEEDS_ONE_OF[name]):
            remarks.append(f"{option(name)} has no effect without one of {', '.join(map(option, NEEDS_ONE_OF[name]))}")
    return remarks


def by_label(weights: Any, classes: Any) -> Any:
    """Return class weights with the labels as they are in the data.

    Raises ValueError for a label that is not there.
    """
    if not isinstance(weights, dict):
        return weights
    labels = {str(label): label for label in classes.tolist()}
    unknown = [label for label in weights if label not in labels]
    if unknown:
        raise ValueError(f"--class-weight: there is no class {unknown[0]!r}; there are: {', '.join(labels)}")
    return {labels[label]: weight for label, weight in weights.items()}


HEADINGS: Mapping[str, str] = {
    "network": "The network",
    "loss": "The loss",
    "optimiser": "The optimiser",
    "training": "Training",
    "stopping": "Stopping",
    "data": "Data",
    "augmentation": "Augmentation",
    "running": "Running",
}

FIRST = (
    *("target", "out", "test", "test_fraction", "task"),
    *("hidden_layer_sizes", "max_iter", "learning_rate_init", "early_stopping", "random_state"),
)
"""The options that matter first, in the order of the help."""


class TrainCommand(click.Command):
    """A command whose help shows ten options first, and the others by group."""

    first: tuple[str, ...] = FIRST

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by section."""
        records = {p.name: p.get_help_record(ctx) for p in self.get_params(ctx) if isinstance(p, click.Option)}
        sections = {"The options that matter first": list(self.first)}
        for group, heading in HEADINGS.items():
            sections[heading] = [
                name for name, row in SETTINGS.items() if row.group == group and name not in self.first
            ]
        placed = {name for names in sections.values() for name in names}
        sections["Running"] += [name for name in records if name is not None and name not in placed]
        for heading, names in sections.items():
            rows = [record for name in names if (record := records.get(name))]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
