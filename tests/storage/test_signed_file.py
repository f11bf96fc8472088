"""Signed files: what is written is read, and a change of any byte is found."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from chainrule.storage.signed_file import UNSIGNED, Kind, SignedFileError, read, write

KIND = Kind("test_key", "test file", 3, 7)
DOCUMENT = {"names": ["a", "β"], "number": 0.1, "nothing": None}
TENSORS: dict[str, Any] = {"x": np.arange(6.0).reshape(2, 3), "empty": np.zeros((0, 2), "float32")}


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    write(tmp_path / "a.file", KIND, DOCUMENT, TENSORS)
    return (tmp_path / "a.file").read_bytes()


def test_document_and_tensors_come_back(content: bytes) -> None:
    document, tensors = read(content, KIND)
    assert document.pop("format") == "3.7"
    assert len(document.pop("sha256")) == 64
    assert document == DOCUMENT
    assert {name: (t.dtype, t.tolist()) for name, t in tensors.items()} == {
        name: (t.dtype, t.tolist()) for name, t in TENSORS.items()
    }


def test_tensors_in_another_memory_order_come_back(tmp_path: Path) -> None:
    write(tmp_path / "a", KIND, {}, {"x": TENSORS["x"].T, "y": TENSORS["x"][:, ::2]})
    tensors = read((tmp_path / "a").read_bytes(), KIND)[1]
    np.testing.assert_array_equal(tensors["x"], TENSORS["x"].T)
    np.testing.assert_array_equal(tensors["y"], TENSORS["x"][:, ::2])


def test_any_reader_of_safetensors_reads_it(tmp_path: Path) -> None:
    write(tmp_path / "a.file", KIND, DOCUMENT, TENSORS)
    with safe_open(str(tmp_path / "a.file"), "numpy") as file:
        assert json.loads(file.metadata()["test_key"])["names"] == ["a", "β"]
        np.testing.assert_array_equal(file.get_tensor("x"), TENSORS["x"])


def test_a_change_of_any_byte_is_found(content: bytes) -> None:
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1
        with pytest.raises(SignedFileError):
            read(bytes(changed), KIND)


def test_a_file_that_was_cut_off_is_refused(content: bytes) -> None:
    for length in range(0, len(content), 7):
        with pytest.raises(SignedFileError):
            read(content[:length], KIND)


def header(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def other(**changes: Any) -> bytes:
    """Return a file that is right but for entries of its document; it is not signed."""
    document = {"format": "3.0", "sha256": UNSIGNED} | changes
    return bytes(save({}, metadata={"test_key": json.dumps(document)}))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", "it is not a test file file, or it was cut off"),
        (struct.pack("<Q", 2**63) + b"{}", "or it was cut off"),
        (header("[]"), "it is damaged, or not a chainrule test file"),
        (header('{"__metadata__": {"another_key": "{}"}}'), "not a chainrule test file"),
        (header("[" * 5000), "not a chainrule test file"),
        (other(format="4.0"), r"it has format 4\.0; this version reads format 3"),
        (other(format=4), "not a chainrule test file"),
        (other(sha256=None), "it holds no checksum"),
        (other(sha256="é" * 64), "it holds no checksum"),
        (other(sha256="0" * 64), "its checksum does not match its content"),
    ],
)
def test_what_is_no_such_file_is_refused(given: bytes, words: str) -> None:
    with pytest.raises(SignedFileError, match=words):
        read(given, KIND)


def test_a_newer_minor_version_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a", KIND._replace(minor=99), DOCUMENT, {})
    assert read((tmp_path / "a").read_bytes(), KIND)[0]["format"] == "3.99"


@pytest.mark.parametrize("document", [{"number": float("nan")}, {"number": float("inf")}])
def test_numbers_that_json_lacks_are_not_written(document: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write(tmp_path / "a", KIND, document, {})
    assert list(tmp_path.iterdir()) == []
