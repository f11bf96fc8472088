"""How the options of the command line are read: the names of settings, what they accept as text, and click's types.

What a setting accepts stands in `settings.SETTINGS`; three kinds of values have a text of their own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any

import click

from ..estimators.settings.table import SETTINGS
from ..foundation.values import Choice, Flag, Number, Optional, Rule, Several, Shape, Whole
from ..mathematics.penalties import KINDS

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

    return re.sub(r'\b([a-z_0-9]+)=["\']?([\w.]*\w)["\']?', words, text)


def words_for_text(rule: Rule) -> str:
    """Say what a rule accepts as text; objects that only Python has are left out."""
    if isinstance(rule, Choice):
        return "one of " + ", ".join(rule.names)
    if isinstance(rule, Several):
        return f"{words_for_text(rule.rule)}; or several, separated by commas" + ", or none" * rule.empty
    if isinstance(rule, Optional):
        return f"{words_for_text(rule.rule)}, or none"
    if isinstance(rule, Flag):
        return ", ".join(("true", "false", *rule.also))
    return rule.words


def shape_of(rule: Rule) -> str:
    """Return the placeholder of a rule in the help."""
    if isinstance(rule, Optional):
        return shape_of(rule.rule)
    if isinstance(rule, Several):
        return f"{shape_of(rule.rule)},..."
    if isinstance(rule, Flag):
        return "|".join(("true", "false", *rule.also))
    return {Number: "NUMBER", Whole: "N", Shape: "ROWS,COLUMNS"}.get(type(rule), "NAME")


class SettingType(ParamType):
    """The text of an option, read by the setting's rule."""

    def __init__(self, setting: str) -> None:
        self.name, self.rule = setting, SETTINGS[setting].rule

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value; click's error, with what is accepted, for a text that stands for none."""
        if not isinstance(value, str):
            return value
        readers: tuple[Callable[[str], Any], ...] = (self.rule.parse, float) if self._numeric() else (self.rule.parse,)
        for read in readers:
            try:
                parsed = read(value.strip())
            except (ValueError, KeyError):
                continue
            if self.rule.accepts(parsed):
                return parsed
        raise click.UsageError(f"{option(self.name)} must be {words_for_text(self.rule)}; got {value!r}", ctx)

    def _numeric(self) -> bool:
        return isinstance(self.rule, Choice) and float in self.rule.kinds


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
