"""Learning-rate schedules; they stand in steps/schedules."""

from .steps.schedules import (
    SCHEDULES,
    Adaptive,
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    InverseTime,
    Moment,
    OneCycle,
    Schedule,
    Step,
    Unit,
    WarmUp,
    reads_fraction,
    steady,
)

__all__ = [
    "SCHEDULES",
    "Adaptive",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseScaling",
    "InverseTime",
    "Moment",
    "OneCycle",
    "Schedule",
    "Step",
    "Unit",
    "WarmUp",
    "reads_fraction",
    "steady",
]
