"""The fingerprint of a training, by which it is known again: its data as SHA-256, its settings as plain JSON.

Two trainings with equal fingerprints end with the same bits. Threads, callbacks and time limits are no part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from ..engines import report
from ..foundation.arrays import is_sparse
from ..foundation.records import fields_of
from ..mathematics.objective import Objective
from ..storage.vocabulary import Encoding, UnstorableError
from .progress import TrainingState

Fingerprint = dict[str, Any]
"""A fingerprint: plain JSON by name."""

SEVERAL = 3
"""Differences that are named, at most; one change often brings others along."""


def digest(*parts: Any) -> str:
    """Return "sha256:" and the checksum of arrays, dense or sparse, and plain values: type, shape and content.

    >>> digest(np.zeros(2)) == digest(np.zeros(2)), digest(np.zeros(2)) == digest(np.zeros((2, 1)))
    (True, False)
    """
    total = hashlib.sha256()
    for part in parts:
        if is_sparse(part):
            part = part if part.format in ("csr", "csc") else part.tocsr()
            total.update(digest(part.shape, part.data, part.indices, part.indptr).encode())
        elif isinstance(part, np.ndarray):
            total.update(f"{part.dtype.str} {part.shape} ".encode())
            total.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        else:
            total.update(f"{part!r} ".encode())
    return f"sha256:{total.hexdigest()}"


class _Description(Encoding):
    """The form of a fingerprint: arrays by their digest, objects of any class by their fields or by their name."""

    def array(self, value: Any) -> Any:
        return digest(value)

    def other(self, value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            return {"kind": type(value).__name__, **self._items(fields_of(value))}
        if isinstance(value, partial):
            return {"kind": "partial", "of": self([value.func, value.args, *value.keywords.items()])}
        try:
            return super().other(value)
        except UnstorableError:
            if hasattr(value, "__qualname__"):
                return f"{value.__module__}.{value.__qualname__}"
        named = self._items(getattr(value, "__dict__", {}))
        shown = object.__repr__(value) != repr(value)  # else it is an address, another one in every process
        return repr(value) if shown and not named else {"kind": type(value).__name__, **named}

    def _items(self, items: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self(item) for name, item in items.items()}


_description = _Description()


def describe(value: Any) -> Any:
    """Return a setting as plain JSON, the same in every process.

    >>> from chainrule.penalties import L2
    >>> describe([L2(0.1), digest])
    [{'kind': 'L2', 'strength': 0.1, 'per_sample': False, 'kinds': ['weight']}, 'chainrule.loop.fingerprint.digest']
    """
    return _description(value)


def fingerprint(
    objective: Objective, validation: Objective | None, state: TrainingState, **settings: Any
) -> Fingerprint:
    """Return the fingerprint of a training that starts from `state`, with all its settings by name."""
    network = objective.network
    found: Fingerprint = {
        **{name: describe(value) for name, value in settings.items()},
        "network": {"inputs": network.inputs, "blocks": describe(network.blocks)},
        "loss": describe(objective.loss),
        "penalties": describe(objective.penalties),
        "dtype": state.theta.dtype.name,
        **_data(objective, ""),
        **({} if validation is None else _data(validation, "validation ")),
    }
    if report()["instruction_set"] == "baseline" and found.get("engine") == "native":
        found["engine"] = "native, without fused multiply-add"  # which rounds otherwise than all its other forms
    return found | {"starting point": _starting_point(state)}


def _data(objective: Objective, which: str) -> Fingerprint:
    return {which + name: digest(getattr(objective, name)) for name in ("X", "y", "sample_weight")}


def _starting_point(state: TrainingState) -> str:
    """Return the digest of a training state; a moving average counts as the last array of the optimiser's memory."""
    moving = state.average is not None and state.averaged == 0 and state.memory is not None
    parts = fields_of(state)
    if state.memory is not None:
        items = {"t": state.memory.t, **state.memory.arrays, **state.memory.numbers}
        items |= {"average": state.average} if moving else {}
        parts["memory"] = digest(*(part for item in items.items() for part in item))
    return digest(*(parts | {"average": None} if moving else parts).values())


def difference(before: Fingerprint, now: Fingerprint) -> str:
    """Return in words how two fingerprints differ, "" where they do not; a fact that is missing is None.

    >>> difference({"batch_size": 32, "X": "sha256:1"}, {"batch_size": 64, "X": "sha256:2"})
    'written with batch_size 32, now 64; with other X'
    """
    found = list(islice(_differences(before, now), SEVERAL))
    return f"written {'; '.join(f'with {words}' for words in found)}" if found else ""


def _differences(before: Any, now: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield "seed 0, now 1" for each leaf of two trees that is not the same in both."""
    if before == now:
        return
    keys = [before.keys(), now.keys()] if isinstance(before, dict) and isinstance(now, dict) else []
    if keys and (not path or keys[0] == keys[1]) and before.get("kind") == now.get("kind"):
        for name in [*before, *(name for name in now if name not in before)]:
            yield from _differences(before.get(name), now.get(name), (*path, name))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for k, pair in enumerate(zip(before, now, strict=True)):
            yield from _differences(*pair, (*path, str(k)))
    else:
        name = ".".join(part for part in path if part not in ("fields", "blocks"))
        hidden = any(str(value).startswith("sha256:") for value in (before, now))
        yield f"other {name}" if hidden else f"{name} {_words(before)}, now {_words(now)}"


def _words(value: Any) -> str:
    """Return a value of a fingerprint in few words."""
    if isinstance(value, dict) and "kind" in value:
        return str(value["kind"]).split(".")[-1]
    if isinstance(value, list):
        return f"[{', '.join(map(_words, value))}]"[:80]
    return str(value)[:40]
