"""Signed files: tensors and one JSON document as .safetensors, with a checksum over every byte.

One metadata entry holds a JSON text; among what it says are the format version and a SHA-256 of the whole file in
which the 64 characters of the checksum itself stand as zeros: a change at any position is found. Model files and
checkpoints are such files, under different keys.

Source: the safetensors format, https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..foundation.files import replacing

LARGEST_HEADER = 64 << 20
UNSIGNED = "0" * 64


class Kind(NamedTuple):
    """A kind of signed file: its metadata key, its name in errors, and its format version."""

    key: str
    name: str
    major: int
    minor: int


class SignedFileError(ValueError):
    """A file that is not what it should be; the message says why, without its name."""


def write(path: Path, kind: Kind, document: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write a document and tensors to `path`, whole or not at all.

    Raises OSError where that is not possible, ValueError for a document that is not plain JSON.
    """
    from safetensors.numpy import save  # not above: `import chainrule` leaves the file format alone

    signed = {"format": f"{kind.major}.{kind.minor}", "sha256": UNSIGNED, **document}
    text = json.dumps(signed, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    unsigned = save(whole, metadata={kind.key: text})
    digest = hashlib.sha256(unsigned).hexdigest()
    with replacing(path) as file:
        file.write(unsigned.replace(UNSIGNED.encode(), digest.encode(), 1))


def read(content: bytes, kind: Kind) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the document and the tensors of a file's content; SignedFileError where they are not what was written."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    size = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else 0
    if not 2 <= size <= min(LARGEST_HEADER, len(content) - 8):
        raise SignedFileError(f"it is not a {kind.name} file, or it was cut off")
    try:
        header = json.loads(content[8 : 8 + size])
        document = json.loads(header["__metadata__"][kind.key])
        major = int(document["format"].split(".")[0])
        signature = document["sha256"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SignedFileError(f"it is damaged, or not a chainrule {kind.name}") from error
    if major != kind.major:
        raise SignedFileError(f"it has format {document['format'][:20]}; this version reads format {kind.major}")
    if not isinstance(signature, str) or len(signature) != 64 or not signature.isascii():
        raise SignedFileError("it is damaged: it holds no checksum")
    unsigned = content.replace(signature.encode(), UNSIGNED.encode(), 1)
    if hashlib.sha256(unsigned).hexdigest() != signature:
        raise SignedFileError("it is damaged: its checksum does not match its content")
    try:
        return document, load(content)
    except SafetensorError as error:
        raise SignedFileError("it is damaged: its tensors cannot be read") from error
