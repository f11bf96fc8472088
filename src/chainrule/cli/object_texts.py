"""Objects as text: NAME:FIELD=VALUE,FIELD=VALUE, such as adam:beta_1=0.95, is the object that the name stands for.

Which names stand for objects, and the types of their fields, is in the rows of the settings. The classes check the
values themselves.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from ..estimators.settings.row import Maker
from ..estimators.settings.table import SETTINGS


class ObjectTextError(ValueError):
    """A text NAME:FIELD=VALUE,... that stands for no object; the message says why, and what is accepted."""


@dataclass(frozen=True)
class Unrated:
    """A schedule whose text says no rate: it starts from the learning rate of the other settings."""

    name: str
    maker: Maker
    fields: Mapping[str, Any]

    def at(self, rate: float) -> Any:
        """Return the schedule that starts from a rate."""
        return self.maker.make(rate=rate, **self.fields)


RATE = "rate"
"""The field of a schedule that the learning rate gives where the text does not."""


def made(makes: Mapping[str, Maker], text: str) -> Any:
    """Return the object of NAME:FIELD=VALUE,FIELD=VALUE; its class checks the values.

    >>> made(SETTINGS["solver"].makes, "lbfgs:history=20")
    LBFGS(history=20, tolerance=0.0001, max_evaluations=15000)
    """
    name, _, rest = text.partition(":")
    name = name.strip()
    if name not in makes:
        raise ObjectTextError(f"{name!r} takes no fields{did_you_mean(name, makes)}; those that do: {_listed(makes)}")
    maker, given = makes[name], dict[str, Any]()
    for part in rest.split(","):
        field, equals, word = (piece.strip() for piece in part.partition("="))
        if field not in maker.types or not equals:
            near = did_you_mean(field, maker.types)
            wrong = f"has no field {field!r}{near}" if equals else f"takes FIELD=VALUE, not {part!r}"
            raise ObjectTextError(f"{name} {wrong}; its fields: {', '.join(maker.types) or 'none'}")
        if field in given:
            raise ObjectTextError(f"{name} {field} is given twice")
        given[field] = _field_value(f"{name} {field}", maker.types[field], word)
    try:
        whole = maker.make(**given)
    except (ValueError, TypeError) as error:
        raise ObjectTextError(str(error)) from error
    return Unrated(name, maker, given) if RATE in maker.types and RATE not in given else whole


def without_rate(schedule: Any) -> Any:
    """Return a schedule without its rate, to be given another; other values as they are.

    >>> as_text(without_rate(made(SETTINGS["learning_rate"].makes, "step:rate=0.3,every=5")))
    'step:every=5'
    """
    for name, maker in SETTINGS["learning_rate"].makes.items():
        fields = maker.read(schedule)
        if fields is not None:
            own = maker.read(maker.make()) or {}
            others = {key: value for key, value in fields.items() if key != RATE}
            return Unrated(name, maker, {k: v for k, v in others.items() if v != own[k]} or others)
    return schedule


def _listed(makes: Mapping[str, Maker]) -> str:
    return ", ".join(name for name, maker in makes.items() if maker.types)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the question after the nearest known word, empty where none is near."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {close[0]}?)" if close else ""


def _field_value(field: str, kind: Any, word: str) -> Any:
    """Return the value of a field's type that a word stands for."""
    if get_origin(kind) in (Union, UnionType):
        inner, *_ = (other for other in get_args(kind) if other is not NoneType)
        return None if word.lower() == "none" else _field_value(field, inner, word)
    accepted = (True, False) if kind is bool else get_args(kind)
    if accepted:
        named = {str(value).lower(): value for value in accepted}
        if word.lower() not in named:
            raise ObjectTextError(f"{field} must be {' or '.join(named)}, got {word!r}")
        return named[word.lower()]
    if kind is str:
        return word
    try:
        return int(word) if kind is int else float(word)
    except ValueError:
        raise ObjectTextError(f"{field} must be a {'whole ' * (kind is int)}number, got {word!r}") from None


def as_text(value: Any) -> str:
    """Return the text of an object that a name stands for, as `made` reads it; str of any other value.

    >>> as_text(made(SETTINGS["activation"].makes, "leaky_relu:slope=0.2"))
    'leaky_relu:slope=0.2'
    """
    if isinstance(value, Unrated):
        return _object_text(value.name, value.fields)
    for row in SETTINGS.values():
        for name, maker in row.makes.items():
            fields = maker.read(value)
            if fields is not None:
                own = maker.read(maker.make()) or {}
                return _object_text(name, {k: v for k, v in fields.items() if v != own[k]} or fields)
    return str(value)


def _object_text(name: str, fields: Mapping[str, Any]) -> str:
    return f"{name}:{','.join(f'{key}={value}' for key, value in fields.items())}" if fields else name


def parts_of(text: str) -> list[str]:
    """Return the items of a comma-separated list; FIELD=VALUE after an object belongs to it.

    >>> parts_of("rrelu:low=0.1,high=0.3,tanh")
    ['rrelu:low=0.1,high=0.3', 'tanh']
    """
    items: list[str] = []
    for part in text.split(","):
        if items and ":" in items[-1] and "=" in part and ":" not in part:
            items[-1] += f",{part}"
        else:
            items.append(part)
    return items
