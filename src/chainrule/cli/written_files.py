"""The files that a command is to write: whether that can be done is known before any work."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path


def check_not_read(option: str, out: str, *read: str | None) -> None:
    """Raise ValueError where `out` is one of the files that are read."""
    for name in filter(None, read):
        if Path(out).exists() and Path(name).exists() and Path(out).samefile(name):
            raise ValueError(f"{option} {out}: that would overwrite what is read; give another name")


def check_files(written: Mapping[str, str | Path | None], *read: str | None) -> None:
    """Raise ValueError, before any training, for files that could not be written or that are something else as well."""
    taken: dict[Path, str] = {}
    for name, path in written.items():
        if path is None:
            continue
        check_writable(name, path)
        check_not_read(name, str(path), *read)
        other = taken.setdefault(Path(path).resolve(), name)
        if other != name:
            raise ValueError(f"{other} and {name} name the same file, {path}")


def check_writable(option: str, name: str | Path) -> None:
    """Raise ValueError for a file that could not be written."""
    if not str(name):
        raise ValueError(f"{option}: the name of the file is empty")
    path = Path(name)
    if path.is_dir():
        raise ValueError(f"{option} {path}: it is a folder; give the name of a file in it")
    if path.exists() and not path.is_file():
        raise ValueError(f"{option} {path}: it is not a regular file")
    if not path.parent.is_dir():
        raise ValueError(f"{option} {path}: there is no folder {str(path.parent)!r}")
    trial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        trial.open("xb").close()
        trial.unlink()
    except OSError as error:
        raise ValueError(f"{option} {path}: cannot be written, {(error.strerror or str(error)).lower()}") from error
    if path.exists() and not os.access(path, os.W_OK):
        raise ValueError(f"{option} {path}: cannot be written, it is read-only")
