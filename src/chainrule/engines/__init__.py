"""Engines run training steps. The reference engine executes the definitions; the native one equals it, compiled."""

from .choice import (
    ENGINES,
    Engine,
    EngineNotice,
    best,
    build,
    check,
    choose,
    compiled,
    evaluator,
    natively,
    predict,
    report,
)
from .job import Job
from .native.core import threads
from .native.engine import NativeEngine
from .reference import ReferenceEngine
from .stepping import Steps, steps_of

__all__ = [
    "ENGINES",
    "Engine",
    "EngineNotice",
    "Job",
    "NativeEngine",
    "ReferenceEngine",
    "Steps",
    "best",
    "build",
    "check",
    "choose",
    "compiled",
    "evaluator",
    "natively",
    "predict",
    "report",
    "steps_of",
    "threads",
]
