"""Engines run training steps. The reference engine executes the definitions; the native one equals it, compiled."""

from .choice import (
    ENGINES,
    Engine,
    EngineNotice,
    best,
    build,
    check,
    compiled,
    evaluator,
    natively,
    predict,
    report,
)
from .native.core import threads
from .native.engine import NativeEngine
from .reference import ReferenceEngine, Steps, steps_of

__all__ = [
    "ENGINES",
    "Engine",
    "EngineNotice",
    "NativeEngine",
    "ReferenceEngine",
    "Steps",
    "best",
    "build",
    "check",
    "compiled",
    "evaluator",
    "natively",
    "predict",
    "report",
    "steps_of",
    "threads",
]
