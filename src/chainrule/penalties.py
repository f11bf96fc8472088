"""Penalties on parameters; they stand in mathematics/penalties."""

from .mathematics.penalties import (
    KINDS,
    L1,
    L2,
    PENALTIES,
    ElasticNet,
    Penalty,
)

__all__ = [
    "KINDS",
    "L1",
    "L2",
    "PENALTIES",
    "ElasticNet",
    "Penalty",
]
