"""One row of the table of settings: everything about a setting that anybody reads, side by side.

The estimators read the default, the rule and what the setting becomes; the command line its words, its condition and
its objects; model files whether it is stored; tools/generate.py writes docstrings and docs/parameters.md from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral
from types import MappingProxyType
from typing import Any, Literal, get_type_hints

from ...foundation.values import Flag, Number, Rule

Settings = Mapping[str, Any]

CLASSIFIER, REGRESSOR = "MLPClassifier", "MLPRegressor"

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "network": "The network",
        "loss": "The loss",
        "optimiser": "The optimiser",
        "training": "Training",
        "stopping": "Stopping",
        "data": "Data",
        "augmentation": "Augmentation",
        "running": "Running",
    }
)
"""The groups in the order of every page, and their headings."""

Group = Literal["network", "loss", "optimiser", "training", "stopping", "data", "augmentation", "running"]

FRACTION = Number(0, 1, high_open=True)
POSITIVE = Number(0, low_open=True, high_open=True)
STRENGTH = Number(0, high_open=True)


class By:
    """A default that differs between the estimators: only those that are named have the setting."""

    def __init__(self, **defaults: Any) -> None:
        self.defaults = defaults


@dataclass(frozen=True)
class Field:
    """A field of the one object of a kind that is made, such as the Recipe's `accumulate`."""

    kind: type
    name: str


@dataclass(frozen=True)
class FieldOf:
    """A field of the object that another setting names: the name there, and the field's name in its object."""

    setting: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Part:
    """Blocks of the network: where they stand, and for those that only disturb the class that takes the strength."""

    place: Literal["inputs", "layers", "weights", "outputs"]
    noise: Callable[..., Any] | None = None


Becomes = Field | FieldOf | Part


def _no(value: Any) -> bool:
    """Return False: no object is accepted."""
    return False


@dataclass(frozen=True)
class With:
    """The condition that another setting has one of some values, or a value that `takes` holds for."""

    setting: str
    values: tuple[Any, ...] = ()
    takes: Callable[[Any], bool] = _no
    said: str = ""

    def holds(self, settings: Settings) -> bool:
        """Return True where the other setting is of that kind."""
        given = settings[self.setting]
        return given in self.values if isinstance(given, str | bool) or given is None else self.takes(given)

    @property
    def words(self) -> str:
        """The condition in words."""
        *others, last = map(repr, self.values or (None,))
        return self.said or f"{self.setting}={', '.join(others) + ' or ' * bool(others)}{last}"


@dataclass(frozen=True)
class WithOneOf:
    """The condition that at least one of some settings is on."""

    settings: tuple[str, ...]

    def holds(self, settings: Settings) -> bool:
        """Return True where one of them is on."""
        return any(settings[name] for name in self.settings)

    @property
    def words(self) -> str:
        """The condition in words."""
        *others, last = self.settings
        return f"{', '.join(others) + ' or ' * bool(others)}{last}"


@dataclass(frozen=True)
class WithAll:
    """The condition that several others hold together."""

    conditions: tuple[With, ...]

    def holds(self, settings: Settings) -> bool:
        """Return True where all of them hold."""
        return all(condition.holds(settings) for condition in self.conditions)

    def first_broken(self, settings: Settings) -> With:
        """Return the first that does not hold."""
        return next(condition for condition in self.conditions if not condition.holds(settings))

    @property
    def words(self) -> str:
        """The conditions in words."""
        return " and ".join(condition.words for condition in self.conditions)


Condition = With | WithOneOf | WithAll


@dataclass(frozen=True)
class Maker:
    """A name that stands for an object with fields: how it is made, its fields with their types, and the way back."""

    make: Callable[..., Any]
    types: Mapping[str, Any]
    read: Callable[[Any], Mapping[str, Any] | None]

    @classmethod
    def of(cls, kind: type[Any]) -> Maker:
        """Return the maker of a dataclass."""
        names, hints = [own.name for own in fields(kind)], get_type_hints(kind)

        def read(made: Any) -> Mapping[str, Any] | None:
            return {name: getattr(made, name) for name in names} if type(made) is kind else None

        return cls(kind, {name: hints[name] for name in names}, read)


def makers(table: Mapping[str, type[Any]]) -> Mapping[str, Maker]:
    """Return the maker of each name in a table of dataclasses."""
    return MappingProxyType({name: Maker.of(kind) for name, kind in table.items()})


@dataclass(frozen=True)
class Setting:
    """One row: group, default, what is accepted, the words for help, what it becomes, and when it has an effect.

    `makes` are the objects that names stand for, so that `--solver adam:beta_1=0.95` is an Adam; `refusals` are values
    that are refused in words of their own.
    """

    group: Group
    default: Any
    rule: Rule
    help: str
    becomes: tuple[Becomes, ...] = ()
    needs: Condition | None = None
    makes: Mapping[str, Maker] = field(default_factory=dict)
    on_command_line: bool = True
    stored: bool = True
    refusals: tuple[tuple[Rule, str], ...] = ()

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The default by estimator, for those that have the setting."""
        given = self.default
        return given.defaults if isinstance(given, By) else {CLASSIFIER: given, REGRESSOR: given}

    @property
    def condition(self) -> Condition | None:
        """The condition under which the setting has an effect: the one given, or that its object is the named one."""
        became = self.becomes[0] if len(self.becomes) == 1 else None
        if self.needs is None and isinstance(became, FieldOf):
            return With(became.setting, tuple(became.fields))
        return self.needs

    def plain(self, value: Any) -> Any:
        """Return an accepted value with its numbers as Python's own."""
        if value is None or isinstance(value, str):
            return value
        if isinstance(self.rule, Number | Flag):
            return float(value) if isinstance(self.rule, Number) else bool(value)
        return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value

    def refusal(self, name: str, value: Any, owner: str) -> str | None:
        """Return why a value is not accepted, None where it is."""
        if self.rule.accepts(value):
            return None
        own = (f"{name} {words}, got {value!r}" for rule, words in self.refusals if rule.accepts(value))
        return next(own, f"{owner}: {name} must be {self.rule.words}, got {value!r}")


Rows = Mapping[str, Setting]


def fields_for(rows: Rows, settings: Settings, kind: type) -> dict[str, Any]:
    """Return the fields that settings set in the object of a kind."""
    found = ((name, row, became) for name, row in rows.items() for became in row.becomes if name in settings)
    return {b.name: row.plain(settings[name]) for name, row, b in found if isinstance(b, Field) and b.kind is kind}


def fields_of(rows: Rows, settings: Settings, setting: str, chosen: str) -> dict[str, Any]:
    """Return the fields that settings set in the object that `setting` names, where it names `chosen`."""
    found = ((name, row, became) for name, row in rows.items() for became in row.becomes if name in settings)
    return {
        became.fields[chosen]: row.plain(settings[name])
        for name, row, became in found
        if isinstance(became, FieldOf) and became.setting == setting and chosen in became.fields
    }
