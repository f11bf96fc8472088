"""The compiled core of this installation, or why it is missing; its instruction sets and its number of threads."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec

__all__ = ["MISSING", "_core", "instruction_set", "instruction_sets", "threads"]

try:
    from . import _core
except ImportError as error:
    _core = None  # type: ignore[assignment]
    built = find_spec("chainrule.engines.native._core") is not None
    MISSING = f"the compiled core does not load ({error})" if built else "this installation has no compiled core"
else:
    MISSING = ""


@cache
def instruction_sets() -> tuple[str, ...]:
    """Return the instruction sets that this processor and build share, fastest first."""
    return () if _core is None else tuple(_core.instruction_sets())


def instruction_set() -> str:
    """Return the instruction set in use: CHAINRULE_INSTRUCTIONS, or the fastest there is.

    Raises ValueError, listing the accepted names, where the variable names another.
    """
    chosen = os.environ.get("CHAINRULE_INSTRUCTIONS") or instruction_sets()[0]
    if chosen not in instruction_sets():
        raise ValueError(f"CHAINRULE_INSTRUCTIONS is {chosen!r}; this machine has: {', '.join(instruction_sets())}")
    return chosen


def threads(wanted: int | None = None) -> int:
    """Return the number of threads to use: `wanted`, else CHAINRULE_NUM_THREADS, else the processors there are for us.

    Those are what the process's affinity and its container's limit leave it, and no more than OMP_NUM_THREADS, which
    joblib sets in its workers so that they do not crowd each other out. Raises ValueError for less than 1.
    """
    given = os.environ.get("CHAINRULE_NUM_THREADS") if wanted is None else wanted
    if given in (None, ""):
        return _processors(os.environ.get("OMP_NUM_THREADS", ""))
    if not str(given).isdecimal() or int(given) < 1:
        name = "CHAINRULE_NUM_THREADS" if wanted is None else "n_threads"
        raise ValueError(f"{name} must be a whole number of at least 1, got {given!r}")
    return min(int(given), 256)


@cache
def _processors(limit: str) -> int:
    from joblib import cpu_count

    return max(1, min(int(cpu_count()), int(limit) if limit.isdecimal() and int(limit) else 256))
