"""The entries that the description inside a model file must have for a model to come of it: one row each.

A checksum finds what was changed by chance; these rows find what was written by no version of this library.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from numbers import Real
from types import MappingProxyType
from typing import Any, get_args

from ...foundation.values import Anything, Choice, Flag, Optional, Rule, Whole
from ...loop.progress import Reason
from ...storage.vocabulary import decode
from ...tables.reading.options import Dialect

CURVES = ("loss_curve_", "validation_loss_curve_", "validation_scores_")
"""Attributes of a fitted estimator that hold a number per epoch, or None."""


def _list_of(value: Any, item: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, item) and not isinstance(v, bool) for v in value)


def _curve(value: Any) -> bool:
    return isinstance(value, list) and _list_of([*decode(value)], Real)


def _scale(value: Any) -> bool:
    """True for the means and the deviations of as many columns."""
    if not isinstance(value, list) or len(value) != 2 or not all(_list_of(part, Real) for part in value):
        return False
    mean, deviation = value
    return len(mean) == len(deviation) and all(abs(m) < inf for m in mean) and all(0 < d < inf for d in deviation)


_text = Anything("text", lambda value: isinstance(value, str))
_texts = Anything("a list of text", lambda value: _list_of(value, str))
_count = Whole(0)
_counts = Anything(
    "three whole numbers of at least 0",
    lambda value: isinstance(value, list) and len(value) == 3 and all(map(_count.accepts, value)),
)


def _dialect(value: Any) -> bool:
    try:
        Dialect.from_json(value)
    except ValueError:
        return False
    return True


def _reading(value: Any) -> bool:
    """True for how a file was read: its dialect, the form of each column of the target, the column of weights."""
    if not isinstance(value, dict) or value.keys() != {"dialect", "target_form", "weights"}:
        return False
    forms, dialect = value["target_form"], value["dialect"]
    return (
        (dialect is None or _dialect(dialect))
        and isinstance(value["weights"], str | None)
        and _list_of(forms, dict)
        and all(form.keys() == {"reads", "form"} and _list_of([*form.values()], str) for form in forms)
    )


ENTRIES: Mapping[str, Rule] = MappingProxyType(
    {
        "settings": Anything("an object", lambda value: isinstance(value, dict)),
        "network.inputs": Whole(),
        "network.blocks": Anything("a list", lambda value: isinstance(value, list)),
        "features.count": Whole(),
        "features.names": Optional(_texts),
        "target.name": Optional(Anything("text or a list of text", lambda v: _text.accepts(v) or _texts.accepts(v))),
        "reading": Optional(Anything("a dialect, the forms of the target and a column of weights", _reading)),
        "training.seed": Whole(0, high=2**64 - 1),
        "training.reason": Choice(get_args(Reason)),
        "training.n_iter": _count,
        "training.counts": _counts,
        **{f"training.{name}": Optional(Anything("a list of numbers", _curve)) for name in CURVES},
    }
)
"""The entries of every description."""

TARGETS: Mapping[str, Mapping[str, Rule]] = MappingProxyType(
    {
        "MLPClassifier": {
            "target.task": Choice(("binary", "multiclass", "multilabel")),
            "target.labels": Anything(
                "a list of at least one label", lambda value: isinstance(value, list) and bool(value)
            ),
            "target.dtype": _text,
        },
        "MLPRegressor": {
            "target.flat": Flag(),
            "target.scale": Optional(Anything("two lists of numbers, the second positive", _scale)),
            "target.precision": Choice(("float32", "float64")),
        },
    }
)
"""The entries on the target of each estimator."""

ADDED = frozenset({"target.precision", "reading"})
"""Entries that files of 0.1 do not have."""


def check(document: dict[str, Any]) -> None:
    """Check the entries of a description.

    Raises ValueError for the first one that is missing or not accepted, naming it, what it says and what is accepted.
    """
    for path, rule in {**ENTRIES, **TARGETS[document["estimator"]]}.items():
        *outer, last = path.split(".")
        part: Any = document
        for key in outer:
            part = part.get(key) if isinstance(part, dict) else None
        if not isinstance(part, dict) or last not in part:
            if path in ADDED:
                continue
            raise ValueError(f"it has no {path}")
        value = part[last]
        if not rule.accepts(value):
            raise ValueError(f"{path} must be {rule.words}, got {repr(value)[:40]}")
