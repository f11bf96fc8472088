"""Model files read back: from the verified description and the tensors to the estimator that predicts the same bits.

It stands above the estimators and holds the one table of them: what writes a file (`fitted.saving`) does not know them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..foundation.files import cause_of
from ..mathematics.losses import Loss
from ..mathematics.network import Network
from ..storage import signed_file
from ..storage.vocabulary import decode
from ..tables.encoder import TableEncoder
from .classifier import MLPClassifier
from .fitted import document as description
from .fitted import uncertainty
from .fitted.saving import MODEL, ModelFileError
from .regressor import MLPRegressor
from .settings import network as network_settings
from .settings import table

Estimator = MLPClassifier | MLPRegressor
ESTIMATORS: Mapping[str, type[Estimator]] = {kind.KIND: kind for kind in (MLPClassifier, MLPRegressor)}
"""The table of the estimators, by their names in model files."""


def load(path: str | Path) -> Estimator:
    """Return the estimator that `save` wrote: it predicts the same bits.

    Its training can go on (warm start, partial_fit), with fresh optimiser memory. Raises ModelFileError for a file
    that is missing, damaged, of a newer major version, or holds what this version does not know.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read, {cause_of(error).lower()}") from error
    try:
        return _rebuilt(*signed_file.read(content, MODEL))
    except (ModelFileError, signed_file.SignedFileError) as error:
        raise ModelFileError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        cause = str(error).splitlines()[0] if isinstance(error, ValueError) and str(error) else repr(error)
        raise ModelFileError(f"{path}: the description of the model is not valid: {cause[:200]}") from error


def _rebuilt(document: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Estimator:
    """Return the estimator that a verified file describes."""
    if document["estimator"] not in ESTIMATORS:
        raise ModelFileError(f"it holds a {str(document['estimator'])[:40]!r}, which this version does not know")
    description.check(document)
    model = ESTIMATORS[document["estimator"]](**_settings(document))
    features, target = document["features"], document["target"]
    model.network_ = Network(document["network"]["inputs"], decode(document["network"]["blocks"]))
    model.loss_function_ = decode(document["loss"])
    if not isinstance(model.loss_function_, Loss):
        raise ModelFileError("its loss is no loss")
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(uncertainty.PREFIX)}
    model.theta_ = _weights(model.network_, weights)
    model._uncertainty = uncertainty.read(tensors, model.network_.size)
    values = model.chosen_settings()
    differing = network_settings.disagreement(values, model.network_)
    if differing is not None:
        raise ModelFileError(f"its settings and its network disagree: {differing[:300]}")
    model.encoder_ = None if document["encoder"] is None else TableEncoder.from_json(document["encoder"])
    _rebuild_features(model, features["count"], features["names"])
    if target["name"] is not None:
        model.target_name_ = target["name"]
    if document.get("reading") is not None:
        model.reading_ = document["reading"]
    model.restore_target(target)
    model.restore_training(document["training"], network_settings.made_of(values))
    return model


def _settings(document: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the estimator, checked as if a user had given them."""
    values = {name: decode(entry) for name, entry in document["settings"].items()}
    unknown = ", ".join(sorted(values.keys() - table.SETTINGS.keys()))
    if unknown:
        raise ModelFileError(f"it has settings that this version does not know: {unknown[:80]}")
    if isinstance(values.get("class_weight"), tuple):
        values["class_weight"] = list(values["class_weight"])
    table.check(values, document["estimator"])
    return values


def _rebuild_features(model: Estimator, count: int, names: list[str] | None) -> None:
    """Set the columns that the model takes; ModelFileError where they do not fit its network."""
    encoder = model.encoder_
    columns, inputs = (
        (count, count) if encoder is None else map(len, (encoder.feature_names_in_, encoder.feature_names_out_))
    )
    if (columns, inputs) != (count, model.network_.inputs) or (names is not None and len(names) != count):
        raise ModelFileError("its features do not fit its network")
    model.n_features_in_ = count
    if names is not None:
        model.feature_names_in_ = np.array(names, object)


def _weights(network: Network, tensors: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Return θ from the tensors, after checking their names, shapes, types and values."""
    expected = {f"{slot.block}.{slot.name}": slot.spec.shape for slot in network.slots}
    if {name: tensor.shape for name, tensor in tensors.items()} != expected:
        raise ModelFileError("its tensors do not fit its network")
    dtypes = {tensor.dtype.name for tensor in tensors.values()}
    if len(dtypes) != 1 or not dtypes <= {"float32", "float64"}:
        raise ModelFileError(f"its tensors have the types {', '.join(sorted(dtypes))}; float32 or float64 is expected")
    theta = np.concatenate([tensors[name].reshape(-1) for name in expected])
    if not np.isfinite(theta).all():
        raise ModelFileError("its weights are not finite")
    return theta
