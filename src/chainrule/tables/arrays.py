"""Sources of plain arrays: .npz files, and MNIST's idx files or their folder.

Shapes: n rows, i inputs.
"""

from __future__ import annotations

import gzip
import math
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .reading.errors import one_line
from .source import Matrix, Source, check_complete, check_same_inputs, few_names, only_target


def _matrix(array: Matrix, name: str) -> Matrix:
    """Flatten the rows of an array: (n, i), finite."""
    if array.dtype.kind not in "biuf" or array.ndim < 2:
        raise ValueError(f"{name!r} must hold rows of numbers; it is {array.dtype} of shape {array.shape}")
    if not array.size:
        raise ValueError(f"{name!r} is empty: its shape is {array.shape}")
    matrix = array.reshape(len(array), -1)
    if matrix.dtype.kind == "f":
        check_complete(~np.isfinite(matrix), f"{name!r}")
    return matrix


def _labels(array: Matrix, name: str, rows: int) -> Matrix:
    """Check a target of shape (n,), (n, 1) or (n, outputs)."""
    labels = array.ravel() if array.ndim == 2 and array.shape[1] == 1 else array
    if labels.dtype.kind not in "biufU" or labels.ndim not in (1, 2) or not labels.size:
        raise ValueError(f"{name!r} must hold numbers or text; it is {array.dtype} of shape {array.shape}")
    if len(labels) != rows:
        raise ValueError(f"{name!r} has {len(labels)} rows, the features have {rows}")
    if labels.dtype.kind == "f":
        check_complete(~np.isfinite(labels), f"target {name!r}")
    return labels


NPZ_LAYOUTS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x", "y", "x_test", "y_test"),
    ("data", "target", "", ""),
)
"""The names that the arrays of an .npz file may have, in capitals or not, in the order of ROLES."""

ROLES = ("X", "y", "X_test", "y_test")


def read_npz(path: Path, target: str | None, required: bool) -> Source:
    """Return the source in an .npz file; ValueError for a file of another kind or without the arrays."""
    with path.open("rb") as file:
        if file.read(4) != b"PK\3\4" or not zipfile.is_zipfile(file):
            raise ValueError("it is not an .npz file, or was cut off")
    with np.load(path, allow_pickle=False) as archive:
        names, wanted = _names_of_roles(archive.files, target, required)
        arrays = {role: _array(archive, name) for role, name in names.items()}
    X = _matrix(arrays["X"], names["X"])
    y = _labels(arrays["y"], wanted, len(X)) if "y" in arrays else None
    source = Source(X, y, name=str(path), target=wanted, scale=_scale_of(X))
    if not {"X_test", "y_test"} <= arrays.keys():
        return source
    X_test = check_same_inputs(_matrix(arrays["X_test"], names["X_test"]), X)
    return replace(source, X_test=X_test, y_test=_labels(arrays["y_test"], names["y_test"], len(X_test)))


def _names_of_roles(files: list[str], target: str | None, required: bool) -> tuple[dict[str, str], str]:
    """Return the array of each role that there is, and the name of the target, there or not."""
    known = {name.lower(): name for name in reversed(files)}
    layout = next((row for row in NPZ_LAYOUTS if row[0] in known), None)
    if layout is None:
        raise ValueError(f"it holds {few_names(files)}; expected X and y, or x_train and y_train")
    wanted = target or known.get(layout[1], layout[1])
    if required and wanted.lower() not in known:
        raise ValueError(f"there is no array {wanted!r}; it has: {few_names(files)}")
    asked = zip(ROLES, (layout[0], wanted.lower(), *layout[2:]), strict=True)
    return {role: known[name] for role, name in asked if name in known}, wanted


def _scale_of(X: Matrix) -> float:
    """Return the factor that brings bytes to 0..1; other numbers stay as they are."""
    return 1 / 255 if X.dtype == np.uint8 else 1.0


def _array(archive: Any, name: str) -> Matrix:
    try:
        return np.asarray(archive[name])
    except ValueError as error:
        cause = f"{name!r} holds Python objects, which could run code; save it as numbers or text"
        raise ValueError(cause if "allow_pickle" in str(error) else f"{name!r}: {error}") from error


IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> Matrix:
    """Read an array from an idx file, .gz or not; memory grows with the data there are, not those announced.

    The file: two zero bytes, the type, the number of dimensions d, d big-endian sizes of 4 bytes, the values.
    Raises SourceError. Source: LeCun, Cortes and Burges, the MNIST database.
    """
    path = Path(path)
    with one_line(path), (gzip.open if path.name.endswith(".gz") else open)(path, "rb") as file:
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES or not 1 <= head[3] <= 8:
            raise ValueError(f"it is not an idx file: it begins with the bytes {head.hex(' ')}")
        sizes = file.read(4 * head[3])
        if len(sizes) < 4 * head[3]:
            raise ValueError("it ends inside its header")
        shape = tuple(np.frombuffer(sizes, ">u4").tolist())
        dtype = np.dtype(IDX_TYPES[head[2]])
        expected = math.prod(shape) * dtype.itemsize
        data = bytearray()
        while len(data) <= expected and (part := file.read(min(1 << 20, expected + 1 - len(data)))):
            data += part
        if len(data) != expected:
            held = "more" if len(data) > expected else f"{len(data)} bytes"
            raise ValueError(f"its header announces {shape}, {expected} bytes of values, but it holds {held}")
        return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def read_images(path: Path, target: str | None, required: bool) -> Source:
    """Return the source in an idx file of images with its labels beside it, or in a folder of them."""
    images = path
    if path.is_dir():
        found = [image for part in ("train", "t10k") for image in sorted(path.glob(f"*{part}-images*idx3*"))]
        if not found:
            raise ValueError("the folder holds no train-images-idx3-ubyte, with or without .gz")
        images = found[0]
    if "images" not in images.name:
        raise ValueError("give the file of images (...-images-idx3-ubyte); the labels are found beside it")
    name = only_target("label", target, required)
    pixels = read_idx(images)
    X, y = _images_and_labels(images, pixels, required)
    shape = pixels.shape[1:] if pixels.ndim in (3, 4) else None
    source = Source(X, y, name=str(path), target=name, scale=_scale_of(X), image_shape=shape)
    test = _file_beside(images, "train-images", "t10k-images") if "train-images" in images.name else None
    if test is None:
        return source
    X_test, y_test = _images_and_labels(test, read_idx(test), required)
    return replace(source, X_test=check_same_inputs(X_test, X), y_test=y_test)


def _file_beside(path: Path, old: str, new: str) -> Path | None:
    name = path.name.removesuffix(".gz").replace(old, new)
    candidates = (path.with_name(name + suffix) for suffix in ("", ".gz"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _images_and_labels(images: Path, pixels: Matrix, required: bool) -> tuple[Matrix, Matrix | None]:
    X = _matrix(pixels, images.name)
    labels = _file_beside(images.with_name(images.name.replace("idx3", "idx1")), "images", "labels")
    if labels is None and required:
        raise ValueError(f"the labels of {images.name} are not beside it")
    return X, None if labels is None else _labels(read_idx(labels), labels.name, len(X))
