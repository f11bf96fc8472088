"""Records as plain JSON and tensors, and back: for everything that the vocabulary of settings has no words for.

    array                       {"tensor": name}       the array is a tensor of the file
    list of floats, or of ints  {"column": name}       kept as one tensor
    list of events              {"events": columns}    one column for each field
    record                      {"record": name, "fields": {"map": ...}}
    mapping, list, tuple        {"map": ...}, {"list": ...}, {"tuple": ...}
    anything else               as `vocabulary.encode` writes it

The classes of the records are handed in: a file names them by words from this closed list, and nothing is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..foundation.records import fields_of, names_of
from .vocabulary import UnstorableError, decode, encode

COLUMNS: Mapping[type, type] = MappingProxyType({float: np.float64, int: np.int64})
"""Lists of one of these types are kept as tensors."""

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Record:
    """A class of records: how one is made from its fields, and the names that earlier formats gave to some of them."""

    make: Callable[..., Any]
    earlier: Mapping[str, str] = field(default_factory=dict)

    def of(self, values: Mapping[str, Any]) -> Any:
        """Return the record with these fields."""
        return self.make(**{self.earlier.get(name, name): value for name, value in values.items()})


@dataclass(frozen=True)
class Records:
    """The records that a file can hold: `kinds` by class; `event` is the class whose lists are kept by columns.

    Fields that repr hides are not kept.
    `earlier` holds the names that earlier formats gave to classes.
    """

    kinds: Mapping[type, Record]
    event: type
    make_event: Callable[..., Any]
    earlier: Mapping[str, str] = field(default_factory=dict)

    def pack(self, value: Any, name: str, tensors: Tensors) -> Any:
        """Return a value as plain JSON, its arrays put into `tensors` under names that start with `name`."""
        for holds, written in self._writers():
            if holds(value):
                return written(value, name, tensors)
        return encode(value)

    def _writers(self) -> Iterator[tuple[Callable[[Any], bool], Callable[[Any, str, Tensors], Any]]]:
        """Yield the kinds of values that have a form of their own, and the writer of each."""
        yield lambda value: isinstance(value, np.ndarray), self._tensor
        yield lambda value: _alike(value) in COLUMNS, self._column
        yield lambda value: _alike(value) is self.event, self._events
        yield lambda value: type(value) in self.kinds, self._record
        yield lambda value: isinstance(value, Mapping), self._map
        yield lambda value: isinstance(value, list | tuple), self._items

    def _tensor(self, value: Any, name: str, tensors: Tensors) -> Any:
        tensors[name] = value
        return {"tensor": name}

    def _column(self, value: Any, name: str, tensors: Tensors) -> Any:
        tensors[name] = np.array(value, COLUMNS[type(value[0])])
        return {"column": name}

    def _events(self, value: Any, name: str, tensors: Tensors) -> Any:
        columns = {each: [getattr(event, each) for event in value] for each in names_of(self.event, hidden=False)}
        return {"events": self._map(columns, name, tensors)}

    def _record(self, value: Any, name: str, tensors: Tensors) -> Any:
        return {"record": type(value).__name__, "fields": self._map(fields_of(value, hidden=False), name, tensors)}

    def _map(self, value: Any, name: str, tensors: Tensors) -> Any:
        return {"map": {key: self.pack(item, f"{name}.{key}", tensors) for key, item in value.items()}}

    def _items(self, value: Any, name: str, tensors: Tensors) -> Any:
        if not isinstance(value, list) and type(value) is not tuple:
            raise UnstorableError(f"a checkpoint has no words for a {type(value).__name__}")
        items = [self.pack(item, f"{name}.{k}", tensors) for k, item in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": items}

    def unpack(self, entry: Any, tensors: Mapping[str, NDArray[Any]]) -> Any:
        """Return the value that `pack` was given; ValueError, KeyError or TypeError for anything else."""
        if not isinstance(entry, dict):
            return decode(entry)
        readers: Mapping[str, Callable[[Any], Any]] = {
            "tensor": lambda name: tensors[name],
            "column": lambda name: tensors[name].tolist(),
            "events": lambda columns: self._read_events(self.unpack(columns, tensors)),
            "record": lambda name: self._kind(name).of(self.unpack(entry["fields"], tensors)),
            "map": lambda items: {key: self.unpack(item, tensors) for key, item in items.items()},
            "list": lambda items: [self.unpack(item, tensors) for item in items],
            "tuple": lambda items: tuple(self.unpack(item, tensors) for item in items),
        }
        kind = next(iter(entry), "")
        known = kind in readers and entry.keys() == ({kind, "fields"} if kind == "record" else {kind})
        return readers[kind](entry[kind]) if known else decode(entry)

    def _read_events(self, columns: Mapping[str, list[Any]]) -> list[Any]:
        return [self.make_event(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]

    def _kind(self, name: str) -> Record:
        by_name = {kind.__name__: record for kind, record in self.kinds.items()}
        return by_name[self.earlier.get(name, name)]


def _alike(value: Any) -> type | None:
    """Return the type that all items of a list share, None where they share none or there are none."""
    kinds = set(map(type, value)) if isinstance(value, list) else set()
    return kinds.pop() if len(kinds) == 1 else None
