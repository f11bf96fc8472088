"""Engines run training steps. The reference engine executes the definitions; faster ones must equal it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .reference import ReferenceEngine, Steps, steps_of

__all__ = ["ENGINES", "ReferenceEngine", "Steps", "choose", "steps_of"]

ENGINES: Mapping[str, type[ReferenceEngine]] = MappingProxyType({"reference": ReferenceEngine})


def choose(engine: str) -> type[ReferenceEngine]:
    """Return the engine for "auto" (the fastest there is) or a name of ENGINES.

    Raises ValueError, listing the accepted names, for any other.
    """
    if engine == "auto":
        return ReferenceEngine
    if engine not in ENGINES:
        raise ValueError(f"engine {engine!r} is not in this build; accepted: auto, {', '.join(ENGINES)}")
    return ENGINES[engine]
