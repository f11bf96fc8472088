"""Model files: fitted estimators as .safetensors, with nothing to execute. `loading` reads them back.

The weights are plain tensors under the names of `network.views` ("0.W", "0.b", ...), so that any safetensors reader
opens the file. One metadata entry, "chainrule", is a JSON text with the format version, the estimator and its
settings, the network and the loss in a closed vocabulary, the preprocessing, and a checksum over every byte.

Source: the safetensors format, https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ...foundation.files import cause_of
from ...mathematics.blocks import Dense, DropConnect
from ...mathematics.losses import Loss
from ...mathematics.network import Network
from ...storage import signed_file
from ...storage.vocabulary import UnstorableError, encode
from ...tables.encoder import TableEncoder
from ..settings import table
from .uncertainty import Uncertainty

MODEL = signed_file.Kind("chainrule", "model", 1, 0)

FUNCTIONS = ("callbacks", "scoring", "initializer", "bias_initializer")
"""Settings that may be functions: these are left out without a word."""


class ModelFileError(ValueError):
    """A model file that cannot be written or read; the message is one line naming the file and the cause."""


class Model(Protocol):
    """A fitted estimator, as far as its file needs it."""

    KIND: ClassVar[str]
    theta_: NDArray[Any]
    network_: Network
    loss_function_: Loss
    encoder_: TableEncoder | None
    n_features_in_: int
    _uncertainty: Uncertainty | None

    def chosen_settings(self, as_made: bool = False) -> dict[str, Any]:
        """Return the settings by name."""

    def describe_target(self) -> dict[str, Any]:
        """Return the target as plain JSON."""

    def describe_training(self) -> dict[str, Any]:
        """Return the course of the training as plain JSON."""


def save(model: Model, path: str | Path) -> None:
    """Write a fitted estimator to `path`, whole or not at all.

    Settings that are functions (callbacks, a scorer) are not stored; an object of a class of one's own, such as an
    optimiser, is not stored either, and a UserWarning says so. Those that make the network are stored as they were
    when it was made, whatever was set since. Raises ModelFileError for weights that are not finite, settings that no
    estimator takes, an estimator, a block or a loss of a class of one's own, or a file that cannot be written, and
    scikit-learn's NotFittedError for an estimator that is not fitted.
    """
    check_is_fitted(model, "theta_")
    path, name = Path(path), type(model).__name__
    if name != model.KIND:
        raise ModelFileError(
            f"{path}: not written, a file holds no code, such as that of {name}: it is for a {model.KIND} itself"
        )
    if not np.isfinite(model.theta_).all():
        raise ModelFileError(f"{path}: not written, the weights are not finite")
    try:
        table.check(model.chosen_settings(), name)
        settings, left_out = _storable(model.chosen_settings(as_made=True))
        document = _described(model, settings)
    except (ValueError, UnstorableError) as error:
        raise ModelFileError(f"{path}: not written, {error}") from error
    try:
        signed_file.write(path, MODEL, document, {**model.network_.views(model.theta_), **_spread(model)})
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: not written, {cause_of(error).lower()}") from error
    for setting, value in left_out.items():
        default = table.SETTINGS[setting].defaults[model.KIND]
        warnings.warn(
            f"{path}: {setting}={value!r} is not stored, for a file holds no code; the loaded model has"
            f" {setting}={default!r}",
            stacklevel=3,
        )


def _spread(model: Model) -> Mapping[str, NDArray[Any]]:
    """Return the tensors of the uncertainty, where the fit left one."""
    return {} if model._uncertainty is None else model._uncertainty.tensors()


def _described(model: Model, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything but the weights, as plain JSON."""
    names, target, reading = (getattr(model, name, None) for name in ("feature_names_in_", "target_name_", "reading_"))
    return {
        "estimator": model.KIND,
        "settings": settings,
        "network": {"inputs": model.network_.inputs, "blocks": [encode(_plain(b)) for b in model.network_.blocks]},
        "loss": encode(model.loss_function_),
        "features": {"count": int(model.n_features_in_), "names": None if names is None else [str(n) for n in names]},
        "encoder": None if model.encoder_ is None else model.encoder_.to_json(),
        "target": {"name": _names(target), **model.describe_target()},
        **({} if reading is None else {"reading": reading}),
        "training": model.describe_training(),
    }


def _names(target: Any) -> Any:
    """Return the name of a target as text, or those of several as a list of texts."""
    return (
        [str(name) for name in target] if isinstance(target, list | tuple) else None if target is None else str(target)
    )


def _storable(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings that a file stores, as plain JSON, and the objects that it has no words for."""
    stored, left_out = {}, {}
    for name, value in settings.items():
        if not table.SETTINGS[name].stored:
            continue
        try:
            stored[name] = encode(value)
        except UnstorableError:
            if name not in FUNCTIONS:
                left_out[name] = value
    return stored, left_out


def _plain(block: Any) -> Any:
    """Return a block without an initialiser that is a function: the weights are stored, not how they started."""
    if not isinstance(block, Dense | DropConnect):
        return block
    try:
        encode(block)
    except UnstorableError:
        return replace(block, initializer=None, bias_initializer="zeros")
    return block
