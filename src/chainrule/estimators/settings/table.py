"""The table of settings: all rows of the groups, in the order of the pages, and the check of values against them.

A setting is a row here and a keyword of an estimator. The rows are the truth: signatures are tested against them, and
docstrings, docs/parameters.md and `chainrule train --help` are made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from . import loss, network, optimizer, running, step
from .row import GROUPS, Setting

_ROWS: Mapping[str, Setting] = {**network.ROWS, **loss.ROWS, **optimizer.ROWS, **step.ROWS, **running.ROWS}

SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {name: row for group in GROUPS for name, row in _ROWS.items() if row.group == group}
)
"""The table, group by group."""


def defaults(estimator: str) -> dict[str, Any]:
    """Return the settings of an estimator, by its name, with their defaults."""
    return {name: row.defaults[estimator] for name, row in SETTINGS.items() if estimator in row.defaults}


def check(values: Mapping[str, Any], owner: str) -> None:
    """Check the settings of an estimator.

    Raises ValueError for the first one that is not accepted, naming it, what was given and what is accepted.

    >>> check({"alpha": -1}, "MLPClassifier")
    Traceback (most recent call last):
    ...
    ValueError: MLPClassifier: alpha must be a number at least 0, got -1
    """
    for name, value in values.items():
        refusal = SETTINGS[name].refusal(name, value, owner)
        if refusal is not None:
            raise ValueError(refusal)
