"""Files that appear whole or not at all: whatever goes wrong, what stood there before stands there still."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import pytest

from chainrule.foundation.files import cause_of, clear_leftovers, replacing


def written(path: Path, content: bytes) -> list[str]:
    """Write a file in one piece; return the names in its folder."""
    with replacing(path) as file:
        file.write(content)
    return sorted(os.listdir(path.parent))


def test_a_new_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for content in (b"first", b"", b"second"):
        assert written(path, content) == ["a.bin"]
        assert path.read_bytes() == content


def interrupted(file: IO[bytes], path: Path, error: BaseException) -> None:
    """Write the new content, see that the old file still stands, and fail."""
    file.write(b"new")
    file.flush()
    assert path.read_bytes() == b"old"
    raise error


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.bin"
    written(path, b"old")
    with pytest.raises(type(error)), replacing(path) as file:
        interrupted(file, path, error)
    assert (os.listdir(tmp_path), path.read_bytes()) == (["a.bin"], b"old")


@pytest.mark.parametrize("name", ["folder", "missing/a.bin"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=name) as caught, replacing(tmp_path / name):
        pass
    assert caught.value.filename == str(tmp_path / name)
    assert os.listdir(tmp_path) == ["folder"]


def test_leftovers_of_a_killed_process_go_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a[1].bin"
    gone = [".a[1].bin.0123abcd"]
    kept = [".a1.bin.0123abcd", ".a[1].bin.0123abcg", ".a[1].bin.0123abc", "a[1].bin", "a[1].bin.0123abcd"]
    for name in gone + kept:
        (tmp_path / name).touch()
    clear_leftovers(path)
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


def test_the_cause_of_an_error_is_in_words() -> None:
    assert cause_of(PermissionError(13, "Permission denied", "a.bin")) == "Permission denied"
    assert cause_of(OSError("it is strange")) == "it is strange"
    assert cause_of(ValueError("a\nb")) == "a\nb"
