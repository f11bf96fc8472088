"""The options of the command line, read: the names of settings, what they accept as text, and click's types.

The accepted values stand in the rows of the settings; here is how a text becomes one: by the class of the row's rule,
as an object with fields (`adam:beta_1=0.95`) where a name stands for one, and in three ways of their own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import singledispatch
from math import inf
from typing import TYPE_CHECKING, Any

import click

from ..estimators.settings import Anything, Choice, Flag, Number, Optional, Rule, Several, Shape, Whole
from ..estimators.settings.row import Setting
from ..estimators.settings.table import SETTINGS
from ..penalties import KINDS
from .object_texts import ObjectTextError, Unrated, did_you_mean, made, parts_of

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # not generic before click 8.4


def option(name: str) -> str:
    """Return the option of a setting: "max_iter" is --max-iter."""
    return f"--{name.replace('_', '-')}"


def as_options(text: str) -> str:
    """Return a text about settings in the command line's words.

    >>> as_options('try start="unit_variance", scale_target=True or learning_rate_init=0.1')
    'try --start unit_variance, --scale-target or --learning-rate-init 0.1'
    """

    def words(found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        return found[0] if name not in SETTINGS else option(name) + (f" {value}" if value != "True" else "")

    return _about_columns(re.sub(r'\b([a-z_0-9]+)=["\']?([\w.]*\w)["\']?', words, text))


REMEDIES = {
    "take the column out, or declare it a category": "leave the column out (--ignore {0}), or keep the texts as levels"
    " (--columns {0}:category)",
    "declare it a number if it is one": "--columns {0}:number keeps it",
}
"""The remedies for a column in Python, and on the command line."""


def _about_columns(text: str) -> str:
    """Return a text about one column with the remedies of the command line.

    >>> _about_columns("column 'id' is left out: it only tells the rows apart; declare it a number if it is one")
    "column 'id' is left out: it only tells the rows apart; --columns id:number keeps it"
    """
    column = re.search(r"\bcolumn '([^']+)'", text)
    for said, remedy in REMEDIES.items() if column else ():
        text = text.replace(said, remedy.format(column[1] if column else ""))
    return text


@singledispatch
def parse(rule: Any, text: str) -> Any:
    """Return the value that a text stands for under a rule; ValueError where it stands for none."""
    raise TypeError(f"there is no text for a {type(rule).__name__}")


@parse.register
def _(rule: Number, text: str) -> float:
    return float(text)


@parse.register
def _(rule: Whole, text: str) -> Any:
    return next((other for other in rule.also if str(other) == text), None) or int(text)


@parse.register
def _(rule: Choice, text: str) -> Any:
    return float(text) if float in rule.kinds and text not in rule.names else text


@parse.register
def _(rule: Flag, text: str) -> bool | str:
    known: dict[str, bool | str] = {"true": True, "false": False, **{word: word for word in rule.also}}
    if text.lower() not in known:
        raise ValueError(f"{text!r} is not {rule.words}")
    return known[text.lower()]


@parse.register
def _(rule: Several, text: str) -> Any:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 1 and "" in parts:
        raise ValueError("a comma stands at an end, or beside another")
    items = tuple(parse(rule.rule, part) for part in parts if part not in ("", "none"))
    return items[0] if len(items) == 1 else items


@parse.register
def _(rule: Shape, text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


@parse.register
def _(rule: Optional, text: str) -> Any:
    return None if text.lower() == "none" else parse(rule.rule, text)


@parse.register
def _(rule: Anything, text: str) -> Any:
    return None if text.lower() == "none" else text


def read(row: Setting, text: str) -> Any:
    """Return the value of a setting that a text stands for: by its rule, or an object with fields."""
    if not row.makes or ":" not in text:
        return parse(row.rule, text)
    if not isinstance(row.rule, Several):
        return made(row.makes, text)
    items = tuple(
        made(row.makes, part) if ":" in part else parse(row.rule.rule, part.strip()) for part in parts_of(text)
    )
    return items[0] if len(items) == 1 else items


def words_for_text(rule: Rule) -> str:
    """Return the words for the texts that a rule accepts; objects that only Python has are left out."""
    if isinstance(rule, Choice):
        return "one of " + ", ".join(rule.names)
    if isinstance(rule, Several):
        return f"{words_for_text(rule.rule)}; or several, separated by commas" + ", or none" * rule.empty
    if isinstance(rule, Optional):
        return f"{words_for_text(rule.rule)}, or none"
    if isinstance(rule, Flag):
        return ", ".join(("true", "false", *rule.also))
    return rule.words


def shape_of(row: Setting) -> str:
    """Return the placeholder of a setting in the help."""
    return _shape(row.rule, "[:FIELD=VALUE]" if row.makes else "")


def _shape(rule: Rule, fields: str = "") -> str:
    if isinstance(rule, Optional):
        return _shape(rule.rule, fields)
    if isinstance(rule, Several):
        return f"{_shape(rule.rule, fields)},..."
    if isinstance(rule, Flag):
        return "|".join(("true", "false", *rule.also))
    return {Number: "NUMBER", Whole: "N", Shape: "ROWS,COLUMNS"}.get(type(rule), "NAME") + fields


def _names(rule: Rule) -> tuple[str, ...]:
    """Return the names that a rule accepts."""
    inner = rule.rule if isinstance(rule, Several | Optional) else rule
    return inner.names if isinstance(inner, Choice) else ()


class SettingType(ParamType):
    """The text of an option, read by the setting's row."""

    def __init__(self, setting: str) -> None:
        self.name, self.row = setting, SETTINGS[setting]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value; click's error, with what is accepted, for a text that stands for none."""
        if not isinstance(value, str):
            return value
        try:
            parsed = read(self.row, value.strip())
        except ObjectTextError as error:
            raise click.UsageError(f"{option(self.name)}: {error}", ctx) from None
        except ValueError:
            parsed = self.row  # no rule accepts a row
        if isinstance(parsed, Unrated) or self.row.rule.accepts(parsed):
            return parsed
        near = did_you_mean(value, _names(self.row.rule))
        accepted = words_for_text(self.row.rule)
        raise click.UsageError(f"{option(self.name)} must be {accepted}; got {value!r}{near}", ctx)


def pairs(text: str) -> dict[str, float]:
    """Return the numbers of NAME:NUMBER,NAME:NUMBER; ValueError where that is no such text."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.rpartition(":")
        if not name.strip():
            raise ValueError(f"{part!r} has no name")
        found[name.strip()] = float(number)
    return found


class ClassWeight(ParamType):
    """ "balanced", or LABEL:WEIGHT,LABEL:WEIGHT; the labels stay text until the classes are known."""

    name = "class_weight"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return "balanced", None or a mapping from label to weight."""
        if value in ("balanced", "none"):
            return None if value == "none" else value
        try:
            weights = pairs(value)
        except ValueError:
            weights = {"": -1.0}
        if not all(0 <= weight < inf for weight in weights.values()):
            raise click.UsageError(
                f"--class-weight must be balanced, none, or LABEL:WEIGHT,LABEL:WEIGHT; got {value!r}", ctx
            )
        return weights


class Rates(ParamType):
    """KIND:FACTOR,KIND:FACTOR with the kinds of parameters."""

    name = "rates"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return None or a mapping from kind to factor."""
        if value == "none":
            return None
        try:
            factors = pairs(value)
        except ValueError:
            factors = {"": 0.0}
        if not SETTINGS["rates"].rule.accepts(factors):
            raise click.UsageError(
                f"--rates must be KIND:FACTOR,KIND:FACTOR with positive factors of {', '.join(KINDS)}, or none;"
                f" got {value!r}",
                ctx,
            )
        return factors


class Scoring(ParamType):
    """The name of one of scikit-learn's scorers."""

    name = "scoring"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name."""
        from sklearn.metrics import get_scorer_names

        names = get_scorer_names()
        if value in names or value == "none":
            return None if value == "none" else value
        close = difflib.get_close_matches(value, names) or ["accuracy", "f1_macro", "roc_auc", "r2"]
        raise click.UsageError(f"--scoring: {value!r} is no scorer of scikit-learn; try {', '.join(close)}", ctx)


SHAPES = {"checkpoint": "FILE", "checkpoint_every": "'N UNITS'"}
"""Placeholders that say more than the rule's."""

SPECIAL: Mapping[str, tuple[type[ParamType], str]] = {
    "class_weight": (ClassWeight, "balanced|LABEL:W,..."),
    "rates": (Rates, "KIND:FACTOR,..."),
    "scoring": (Scoring, "NAME"),
}
