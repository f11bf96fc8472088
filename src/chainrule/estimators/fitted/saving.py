"""Model files: fitted estimators as .safetensors, with nothing to execute.

The weights are plain tensors under the names of `network.views` ("0.W", "0.b", ...), so that any safetensors reader
opens the file. One metadata entry, "chainrule", is a JSON text with the format version, the estimator and its
settings, the network and the loss in a closed vocabulary, the preprocessing, and a checksum over every byte.

Source: the safetensors format, https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ...loop.progress import TrainingState
from ...mathematics.losses import Loss
from ...mathematics.network import Network
from ...storage import signed_file
from ...storage.vocabulary import UnstorableError, decode, encode
from ...tables.encoder import TableEncoder
from .. import MLPClassifier, MLPRegressor
from ..fitting.fit import MLP
from ..settings import network as assembly
from ..settings import table as settings
from . import document as description
from .document import CURVES
from .targets import Classes, Scale

MODEL = signed_file.Kind("chainrule", "model", 1, 0)
ESTIMATORS: Mapping[str, type[MLP]] = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
LABELS = "biufU"
"""The kinds of NumPy types that class labels may have, beside objects that are text."""


class ModelFileError(ValueError):
    """A model file that cannot be written or read; the message is one line naming the file and the cause."""


def save(model: MLP, path: str | Path) -> None:
    """Write a fitted estimator to `path`, whole or not at all.

    Settings that are functions (callbacks, a scorer) are not stored; those that make the network are stored as they
    were when it was made, whatever was set since. Raises ModelFileError for weights that are not
    finite, settings that no estimator takes or a file that cannot be written, and scikit-learn's NotFittedError for
    an estimator that is not fitted.
    """
    check_is_fitted(model, "theta_")
    path = Path(path)
    if not np.isfinite(model.theta_).all():
        raise ModelFileError(f"{path}: not written, the weights are not finite")
    try:
        settings.check(model.get_params(deep=False), type(model).__name__)
    except ValueError as error:
        raise ModelFileError(f"{path}: not written, {error}") from error
    document = _describe(model)
    try:
        signed_file.write(path, MODEL, document, model.network_.views(model.theta_))
    except (OSError, ValueError) as error:
        cause = str(getattr(error, "strerror", None) or error)
        raise ModelFileError(f"{path}: not written, {cause.lower()}") from error


def load(path: str | Path) -> MLP:
    """Return the estimator that `save` wrote: it predicts the same bits.

    Its training can go on (warm start, partial_fit), with fresh optimiser memory. Raises ModelFileError for a file
    that is missing, damaged, of a newer major version, or holds what this version does not know.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read, {(error.strerror or str(error)).lower()}") from error
    try:
        return _rebuilt(*signed_file.read(content, MODEL))
    except (ModelFileError, signed_file.SignedFileError) as error:
        raise ModelFileError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        cause = str(error).splitlines()[0] if isinstance(error, ValueError) and str(error) else repr(error)
        raise ModelFileError(f"{path}: the description of the model is not valid: {cause[:200]}") from error


def _describe(model: MLP) -> dict[str, Any]:
    """Return everything but the weights, as plain JSON."""
    stored = {}
    for name, value in {**model.get_params(deep=False), **model._made}.items():
        if not settings.SETTINGS[name].stored:
            continue
        try:
            stored[name] = encode(value)
        except UnstorableError:
            continue
    encoder, names = model.encoder_, getattr(model, "feature_names_in_", None)
    target = getattr(model, "target_name_", None)
    return {
        "estimator": type(model).__name__,
        "settings": stored,
        "network": {"inputs": model.network_.inputs, "blocks": [encode(_plain(b)) for b in model.network_.blocks]},
        "loss": encode(model.loss_function_),
        "features": {"count": int(model.n_features_in_), "names": None if names is None else [str(n) for n in names]},
        "encoder": None if encoder is None else encoder.to_json(),
        "target": {"name": None if target is None else str(target), **_describe_target(model)},
        "training": {
            "seed": model._seed,
            "reason": model.stop_reason_,
            "n_iter": model.n_iter_,
            "counts": [model._state.epoch, model._state.step, model._state.rows],
            **{name: encode(getattr(model, name)) for name in CURVES},
        },
    }


def _plain(block: Any) -> Any:
    """Return a block without an initialiser that is a function: the weights are stored, not how they started."""
    try:
        encode(block)
    except UnstorableError:
        return replace(block, initializer=None, bias_initializer="zeros")
    return block


def _describe_target(model: MLP) -> dict[str, Any]:
    if isinstance(model, MLPClassifier):
        labels = model.classes_
        if labels.dtype.kind not in LABELS and not all(isinstance(label, str) for label in labels):
            raise ModelFileError(f"class labels of type {labels.dtype} cannot be stored; use text or numbers")
        kind = "object" if labels.dtype.kind == "O" else labels.dtype.str
        return {"task": model._classes.task, "labels": labels.tolist(), "dtype": kind}
    scale = model.target_scale_
    return {"flat": model._flat, "scale": None if scale is None else [scale.mean.tolist(), scale.deviation.tolist()]}


def _rebuilt(document: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> MLP:
    """Return the estimator that a verified file describes."""
    if document["estimator"] not in ESTIMATORS:
        raise ModelFileError(f"it holds a {str(document['estimator'])[:40]!r}, which this version does not know")
    description.check(document)
    model = ESTIMATORS[document["estimator"]](**_settings(document))
    features, target = document["features"], document["target"]
    model.network_ = Network(document["network"]["inputs"], decode(document["network"]["blocks"]))
    model._made = assembly.made_of(model.get_params(deep=False))
    model.loss_function_ = decode(document["loss"])
    if not isinstance(model.loss_function_, Loss):
        raise ModelFileError("its loss is no loss")
    model.theta_ = _weights(model.network_, tensors)
    model.encoder_ = None if document["encoder"] is None else TableEncoder.from_json(document["encoder"])
    _rebuild_features(model, features["count"], features["names"])
    if target["name"] is not None:
        model.target_name_ = target["name"]
    _rebuild_target(model, target)
    _rebuild_training(model, document["training"])
    return model


def _settings(document: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the estimator, checked as if a user had given them."""
    values = {name: decode(entry) for name, entry in document["settings"].items()}
    unknown = ", ".join(sorted(values.keys() - settings.SETTINGS.keys()))
    if unknown:
        raise ModelFileError(f"it has settings that this version does not know: {unknown[:80]}")
    if isinstance(values.get("class_weight"), tuple):
        values["class_weight"] = list(values["class_weight"])
    settings.check(values, document["estimator"])
    return values


def _rebuild_features(model: MLP, count: int, names: list[str] | None) -> None:
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


def _rebuild_target(model: MLP, target: dict[str, Any]) -> None:
    model._outputs = model.network_.outputs
    if isinstance(model, MLPClassifier):
        dtype = np.dtype(target["dtype"])
        if dtype.kind not in LABELS + "O":
            raise ModelFileError(f"its class labels have the type {dtype}")
        model.classes_ = np.array(target["labels"], dtype)
        if model.classes_.tolist() != target["labels"] or np.unique(model.classes_).tolist() != target["labels"]:
            raise ModelFileError(f"its class labels are not distinct, sorted values of the type {dtype}")
        model._classes = Classes(model.classes_, target["task"])
        if model._classes.outputs != model.network_.outputs:
            raise ModelFileError("its classes do not fit its network")
    elif isinstance(model, MLPRegressor):
        model._flat, scale = target["flat"], target["scale"]
        if (model._flat and model._outputs != 1) or (scale is not None and len(scale[0]) != model._outputs):
            raise ModelFileError("its target does not fit its network")
        model.target_scale_ = None if scale is None else Scale(*(np.array(s, np.float64) for s in scale))
    model.out_activation_ = model._output_activation()


def _rebuild_training(model: MLP, training: dict[str, Any]) -> None:
    epoch, step, rows = training["counts"]
    model._state = TrainingState(model.theta_, epoch=epoch, step=step, rows=rows)
    model._seed, model.stop_reason_ = training["seed"], training["reason"]
    model.n_iter_, model.t_ = training["n_iter"], rows
    for name in CURVES:
        curve = decode(training[name])
        setattr(model, name, None if curve is None else [float(value) for value in curve])
    model._summarise_curves()
