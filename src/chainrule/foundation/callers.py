"""The user's own line of code, for warnings that are given deep inside."""

from __future__ import annotations

import sys

OURS = (__name__.split(".")[0], "sklearn.callback")
"""Packages whose frames stand between a user's call and what warns inside."""


def callers_level() -> int:
    """Return the `stacklevel` with which a warning points at the line of the user's own code."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(OURS):
        level, frame = level + 1, frame.f_back
    return level
