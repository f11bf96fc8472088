"""The options of `chainrule train`: one for each setting of the estimators, and the defaults a newcomer needs.

Names, accepted values, help and conditions come from the rows of the settings, defaults from the presets and, where
these say nothing, from the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from ..estimators import MLPClassifier, MLPRegressor
from ..estimators.presets import DEFAULTS, ESTIMATOR_OF, Facts, for_table
from ..estimators.settings import Choice, Flag, Optional, Rule, Several
from ..estimators.settings.optimizer import learning_rate, optimizer
from ..estimators.settings.row import GROUPS, Condition, Setting, WithAll, WithOneOf
from ..estimators.settings.running import monitor
from ..estimators.settings.table import SETTINGS, defaults
from .data_options import READING_HEADING, READING_NAMES
from .object_texts import Unrated, as_text
from .option_types import SHAPES, SPECIAL, SettingType, option, shape_of

ESTIMATORS: Mapping[str, type[Any]] = {"classification": MLPClassifier, "regression": MLPRegressor}
SIGNATURES: Mapping[str, Mapping[str, Any]] = {task: defaults(name) for task, name in ESTIMATOR_OF.items()}
"""The estimators' own defaults, by task and setting."""


def is_given(ctx: click.Context, name: str) -> bool:
    """Return True for an option that stands on the command line."""
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
    text = f"{text}{_condition(row)}  [{_default_words(name, tasks)}]"
    if isinstance(row.rule, Flag) and not row.rule.also:
        return click.Option([f"{option(name)}/--no-{option(name)[2:]}"], default=None, help=text)
    if name in SPECIAL:
        kind, shape = SPECIAL[name]
        return click.Option([option(name)], type=kind(), metavar=shape, help=text)
    shape = SHAPES.get(name) or shape_of(row)
    return click.Option([option(name)], type=SettingType(name), metavar=shape, help=text)


def _choices(rule: Rule) -> str:
    """Return the accepted names, for the help."""
    inner = rule.rule if isinstance(rule, Several | Optional) else rule
    return f": {', '.join(inner.names)}" if isinstance(inner, Choice) else ""


def _condition(row: Setting) -> str:
    """Return the condition under which an option has an effect, for the help."""
    return "" if row.condition is None else f"; with {_condition_words(row.condition)}"


def _condition_words(condition: Condition) -> str:
    if isinstance(condition, WithAll):
        return " and ".join(map(_condition_words, condition.conditions))
    if isinstance(condition, WithOneOf):
        return " or ".join(map(option, condition.settings))
    if len(condition.values) > MOST_NAMED:
        return condition.said
    values = [str(value) for value in condition.values if value is not True]
    return f"{option(condition.setting)}{' ' * bool(values)}{' or '.join(values)}"


MOST_NAMED = 6
"""From so many values on, a condition is said by what they share."""


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
    if value is None or isinstance(value, float):
        return "none" if value is None else f"{value:g}"
    return as_text(value)


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
    chosen = for_table(replace(facts, task=task), **given)  # type: ignore[arg-type]  # a task's name
    values = {**own, **chosen}
    if not values["early_stopping"] and monitor(values) != "loss":
        raise click.UsageError(f"--monitor {values['monitor']} needs --early-stopping", click.get_current_context())
    if isinstance(values["learning_rate"], Unrated):
        chosen["learning_rate"] = values["learning_rate"].at(learning_rate(values, optimizer(values)))
    return chosen


def without_effect(task: str, given: Mapping[str, Any], chosen: Mapping[str, Any]) -> list[str]:
    """Return a remark for each given option that another setting makes idle."""
    values = {**SIGNATURES[task], **chosen, **given}
    remarks = []
    for name in given:
        condition = SETTINGS[name].condition
        if condition is None or condition.holds(values):
            continue
        if isinstance(condition, WithAll):
            condition = condition.first_broken(values)
        if isinstance(condition, WithOneOf):
            state = f"without one of {', '.join(map(option, condition.settings))}"
        elif values[condition.setting]:
            state = f"with {option(condition.setting)} {show_value(values[condition.setting])}"
        else:
            state = f"without {option(condition.setting)}"
        remarks.append(f"{option(name)} has no effect {state}")
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
        reading = [name for name in ("weights", *READING_NAMES) if name not in self.first]
        sections = {"The options that matter first": list(self.first), READING_HEADING: reading}
        for group, heading in GROUPS.items():
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
