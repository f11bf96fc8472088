"""Blocks: functions y = f(x, θ) that know their own derivatives; `base` states their contract."""

from .activation import Activation, NoisyReLU, PReLU, RReLU
from .base import PREDICTING, Block, Cache, Context, Elementwise, ParameterSpec, Params, Plain
from .dense import Dense, DropConnect
from .noise import Dropout, GaussianNoise, threshold
from .normalization import BatchNorm, LayerNorm

__all__ = [
    "PREDICTING",
    "Activation",
    "BatchNorm",
    "Block",
    "Cache",
    "Context",
    "Dense",
    "DropConnect",
    "Dropout",
    "Elementwise",
    "GaussianNoise",
    "LayerNorm",
    "NoisyReLU",
    "PReLU",
    "ParameterSpec",
    "Params",
    "Plain",
    "RReLU",
    "threshold",
]
