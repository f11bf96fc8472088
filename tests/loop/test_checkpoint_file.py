"""The file of a checkpoint: whole or not at all, damaged nowhere unnoticed, everything in it restored."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.loop.checkpoint import FILE, CheckpointWriter, EarlierStarts, SavedTraining, read
from chainrule.optimizers import Memory
from chainrule.storage import signed_file
from support.killing import OBJECTIVE, SETTINGS, START, begun


def test_whatever_an_optimiser_remembers_is_kept(tmp_path: Path) -> None:
    memory = Memory(3, {"mask": START > 0, "pairs": np.zeros((0, 4))}, {"factor": 0.1 + 0.2})
    state = cr.TrainingState(START.copy(), memory, average=START * 3)
    checkpoint = cr.Checkpoint(tmp_path / "run.checkpoint", earlier=EarlierStarts(None, 2.5))
    CheckpointWriter(checkpoint, dict).write(SavedTraining(state, [], None, 1.5, "no change", "words"))
    saved = read(checkpoint.path)
    assert saved is not None
    assert saved.state.memory is not None
    assert (saved.state.memory.t, saved.state.memory.numbers) == (3, memory.numbers)
    assert saved.state.memory.arrays.keys() == memory.arrays.keys()
    for name, value in memory.arrays.items():
        np.testing.assert_array_equal(saved.state.memory[name], value, strict=True)
    np.testing.assert_array_equal(saved.state.average, START * 3, strict=True)
    assert (saved.reason, saved.message, saved.seconds, saved.earlier.seconds) == ("no change", "words", 1.5, 2.5)


def test_a_file_damaged_anywhere_is_refused_in_one_line(tmp_path: Path) -> None:
    path = Path(begun(tmp_path).path)
    content = path.read_bytes()
    changes: list[Callable[[bytearray], Any]] = [lambda c: c.clear(), lambda c: c.__delitem__(slice(-1, None))]
    for position in range(0, len(content), 97):
        changes.append(lambda c, p=position: c.__setitem__(p, c[p] ^ 4))
        changes.append(lambda c, p=position: c.__delitem__(slice(p, None)))
    for change in changes:
        damaged = bytearray(content)
        change(damaged)
        path.write_bytes(damaged)
        with pytest.raises(cr.CheckpointError, match=r"run\.checkpoint: ") as caught:
            cr.train(OBJECTIVE, START, **SETTINGS, checkpoint=cr.Checkpoint(path))
        assert "\n" not in str(caught.value)
        assert path.read_bytes() == damaged


POSITION = {"record": "EpochPosition", "fields": {"map": {"good": 1}}}


@pytest.mark.parametrize("kept", [None, 3, POSITION, {"record": "int"}])
def test_a_file_with_something_else_in_it_is_refused(tmp_path: Path, kept: Any) -> None:
    path = tmp_path / "run.checkpoint"
    signed_file.write(path, FILE, {"facts": {}, "kept": kept}, {})
    with pytest.raises(cr.CheckpointError, match=r"run\.checkpoint: what it holds is not valid"):
        read(path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    signed_file.write(path, FILE._replace(major=2), {"facts": {}, "kept": None}, {})
    with pytest.raises(cr.CheckpointError, match=r"it has format 2\.1; this version reads format 1"):
        read(path)


def test_a_model_is_no_checkpoint_and_a_checkpoint_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    cr.MLPRegressor(hidden_layer_sizes=(), solver="lbfgs").fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0]).save(path)
    with pytest.raises(cr.CheckpointError, match="not a chainrule checkpoint"):
        read(path)
    with pytest.raises(cr.ModelFileError, match="not a chainrule model"):
        cr.load(begun(tmp_path).path)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = begun(tmp_path)
    content = Path(checkpoint.path).read_bytes()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(cr.CheckpointError, match=r"run\.checkpoint: not written, no space left on device"):
        cr.train(OBJECTIVE, START, **SETTINGS, checkpoint=checkpoint)
    assert Path(checkpoint.path).read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_not_there_is_found_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(cr.CheckpointError, match="not written, no such file or directory"):
        next(cr.training(OBJECTIVE, START, **SETTINGS, checkpoint=cr.Checkpoint(tmp_path / "no" / "run.checkpoint")))


def test_what_a_killed_writer_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    checkpoint = begun(tmp_path)
    others = [".run.checkpoint.notes123", ".other.checkpoint.0123abcd", ".run.checkpoint.0123abcd0"]
    for name in (*others, ".run.checkpoint.0123abcd"):
        (tmp_path / name).touch()
    cr.train(OBJECTIVE, START, **SETTINGS, checkpoint=checkpoint)
    assert sorted(found.name for found in tmp_path.iterdir()) == sorted([*others, "run.checkpoint"])
