"""Checks of gradients; they stand in inspection/gradient_check."""

from .inspection.gradient_check import (
    ENOUGH,
    FLOOR,
    STEPS,
    ArrayCheck,
    Vector,
    check_gradients,
)

__all__ = [
    "ENOUGH",
    "FLOOR",
    "STEPS",
    "ArrayCheck",
    "Vector",
    "check_gradients",
]
