"""The words a model file may use: plain JSON for numbers, text and lists, and names from a closed list for objects.

`encode` turns a setting into JSON, `decode` turns it back. Objects are written as {"kind": name, "fields": {...}},
with names from STORABLE only: nothing is imported, nothing is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ..foundation.records import Plain, fields_of
from ..mathematics import initializers
from ..mathematics.blocks import BLOCKS, Activation
from ..mathematics.losses import LOSSES
from ..optimizers import OPTIMIZERS
from ..steps import schedules
from ..steps.augmentation import AUGMENTATIONS
from ..steps.schedules import SCHEDULES


class UnstorableError(TypeError):
    """A value that a model file has no words for, such as a function."""


STORABLE: Mapping[str, type] = MappingProxyType(
    {
        **BLOCKS,
        **{f"augmentation.{kind.__name__}": kind for kind in AUGMENTATIONS.values()},
        **{f"losses.{kind.__name__}": kind for kind in LOSSES.values()},
        **{f"optimizers.{kind.__name__}": kind for kind in OPTIMIZERS.values()},
        **{f"schedules.{kind.__name__}": kind for kind in (*SCHEDULES.values(), schedules.WarmUp)},
        **{
            f"initializers.{kind.__name__}": kind
            for kind in (initializers.Constant, initializers.Normal, initializers.Scaled, initializers.Orthogonal)
        },
    }
)
"""Every object a model file can hold."""

_NAMES = {kind: name for name, kind in STORABLE.items()}


class Encoding(Plain):
    """The form that `decode` reads: numbers that JSON lacks (inf, nan) become {"number": "inf"}, mappings pairs.

    Raises UnstorableError for an object that is not in the vocabulary.
    """

    def not_finite(self, value: float) -> Any:
        """Return the name of a number."""
        return {"number": repr(value)}

    def mapping(self, value: Mapping[Any, Any]) -> Any:
        """Return the pairs of keys and items."""
        return {"pairs": [[self(key), self(item)] for key, item in value.items()]}

    def other(self, value: Any) -> Any:
        """Return the name and the fields of an object."""
        if type(value) not in _NAMES:
            raise UnstorableError(f"a model file has no words for {value!r}")
        fields = {"name": value.name, **value.settings} if isinstance(value, Activation) else fields_of(value)
        return {"kind": _NAMES[type(value)], "fields": {name: self(field) for name, field in fields.items()}}


_encoding = Encoding()


def encode(value: Any) -> Any:
    """Return a value as plain JSON, in the form of `Encoding`; UnstorableError where the vocabulary has no words.

    >>> from chainrule.losses import Huber
    >>> encode((0.5, Huber(2.0)))
    [0.5, {'kind': 'losses.Huber', 'fields': {'delta': 2.0}}]
    """
    return _encoding(value)


def decode(entry: Any) -> Any:
    """Return the value that `encode` wrote; lists come back as tuples.

    Raises ValueError for anything else.
    """
    if entry is None or isinstance(entry, bool | int | str | float):
        return entry
    if isinstance(entry, list):
        return tuple(decode(item) for item in entry)
    if isinstance(entry, dict) and entry.keys() == {"number"} and entry["number"] in ("inf", "-inf", "nan"):
        return float(entry["number"])
    if isinstance(entry, dict) and entry.keys() == {"pairs"} and isinstance(entry["pairs"], list):
        return dict(decode(pair) for pair in entry["pairs"])
    if isinstance(entry, dict) and entry.keys() == {"kind", "fields"} and isinstance(entry["fields"], dict):
        if entry["kind"] not in STORABLE:
            raise ValueError(f"it holds a {str(entry['kind'])[:40]!r}, which this version does not know")
        try:
            return STORABLE[entry["kind"]](**{name: decode(field) for name, field in entry["fields"].items()})
        except TypeError as error:
            raise ValueError(f"its {entry['kind']} has wrong fields") from error
    raise ValueError(f"it holds {str(entry)[:40]!r} where a value was expected")
