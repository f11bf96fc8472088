"""Blocks: functions y = f(x, θ) that know their own derivatives; `base` states their contract."""

from collections.abc import Mapping
from types import MappingProxyType

from .activation import Activation, NoisyReLU, PReLU, RReLU
from .base import PREDICTING, Block, Cache, Context, Elementwise, ParameterSpec, Params, Plain, Standard, needs_steps
from .dense import Dense, DropConnect
from .noise import Dropout, GaussianNoise, threshold
from .normalization import BatchNorm, LayerNorm
from .transform import PCA, SCALES, Scaling, Transform

BLOCKS: Mapping[str, type[Block]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            Activation,
            BatchNorm,
            Dense,
            DropConnect,
            Dropout,
            GaussianNoise,
            LayerNorm,
            NoisyReLU,
            PCA,
            PReLU,
            RReLU,
            Scaling,
        )
    }
)
"""Every block, by its name in model files."""

ACTIVATION_BLOCKS: Mapping[str, type[PReLU] | type[RReLU] | type[NoisyReLU]] = MappingProxyType(
    {"prelu": PReLU, "rrelu": RReLU, "noisy_relu": NoisyReLU}
)
"""Activations that learn or draw, by the names that estimators accept beside those of the table."""

NORMALIZATIONS: Mapping[str, type[BatchNorm] | type[LayerNorm]] = MappingProxyType(
    {"batch": BatchNorm, "layer": LayerNorm}
)
"""The names that estimators accept."""

INPUT_TRANSFORMS: Mapping[str, Transform] = MappingProxyType(
    {**{rule: Scaling(rule) for rule in SCALES}, "pca": PCA(), "whitening": PCA(whiten=True)}
)
"""The names that estimators accept."""

__all__ = [
    "ACTIVATION_BLOCKS",
    "BLOCKS",
    "INPUT_TRANSFORMS",
    "NORMALIZATIONS",
    "PCA",
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
    "Scaling",
    "Standard",
    "Transform",
    "needs_steps",
    "threshold",
]
