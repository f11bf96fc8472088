"""The file of a checkpoint: whole or not at all, damaged nowhere unnoticed, everything in it restored."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.loop.checkpoint import (
    FILE,
    CheckpointWriter,
    EarlierStarts,
    EpochPosition,
    Interval,
    SavedTraining,
    read,
    write,
)
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


# ------------------------------------------------------------------------------------------------- words and forms


BAD = "every must be a text such as '1 epoch', '500 steps' or '30 seconds', got "


@pytest.mark.parametrize("text", ["0 steps", "2.5 epochs", "1.5 steps", "0.0 seconds", "x1 step", "1 stepss", 3, None])
def test_the_words_for_an_interval_that_is_none(text: Any) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are compared whole
        Interval.parse(text)
    assert str(caught.value) == BAD + repr(text)
    assert Interval.accepts(text) is False


@pytest.mark.parametrize(
    ("text", "count", "unit"),
    [
        ("1 epoch", 1.0, "epoch"),
        (" 12epochs ", 12.0, "epoch"),
        ("500 steps", 500.0, "step"),
        ("2.0 steps", 2.0, "step"),
        ("0.25 seconds", 0.25, "second"),
        ("1  second", 1.0, "second"),
    ],
)
def test_intervals(text: str, count: float, unit: Any) -> None:
    assert Interval.parse(text) == Interval(count, unit)
    assert Interval.accepts(text) is True


def writer(every: str | None) -> CheckpointWriter:
    return CheckpointWriter(None if every is None else cr.Checkpoint("run.checkpoint", every), dict)


def test_when_a_checkpoint_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("chainrule.loop.checkpoint"), "perf_counter", lambda: clock[0])
    clock = [10.0]
    none, steps, epochs, seconds = (writer(every) for every in (None, "4 steps", "3 epochs", "2 seconds"))
    assert [steps.steps_left(step) for step in (0, 1, 3, 4, 9)] == [4, 3, 1, 4, 3]
    assert {each.steps_left(step) for each in (none, epochs, seconds) for step in (0, 5)} == {inf}
    assert [step for step in range(1, 10) if steps.due_after_step(step)] == [4, 8]
    assert [epoch for epoch in range(1, 10) if epochs.due_after_epoch(epoch)] == [3, 6, 9]
    for each in (none, steps, seconds):
        assert not any(each.due_after_epoch(epoch) for epoch in range(1, 10))
    for now, due in ((10.0, False), (11.9, False), (12.0, True), (13.0, True)):
        clock[0] = now
        assert seconds.due_after_step(3) is due
        assert not none.due_after_step(3)
        assert not epochs.due_after_step(3)


def test_the_clock_of_a_checkpoint_begins_anew_when_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("chainrule.loop.checkpoint"), "perf_counter", lambda: now)
    now = 1.0
    seconds = CheckpointWriter(cr.Checkpoint(tmp_path / "run", "2 seconds"), dict)
    now = 4.0
    assert seconds.due_after_step(1)
    seconds.write(SavedTraining(cr.TrainingState(START), [], None, 0.0))
    assert not seconds.due_after_step(1)


def test_a_writer_without_a_checkpoint_does_nothing() -> None:
    asked: list[int] = []
    none = CheckpointWriter(None, lambda: asked.append(1) or {})
    none.write(SavedTraining(cr.TrainingState(START), [], None, 0.0))
    assert (none.read(1), none.facts, asked) == (None, {}, [])


def test_what_a_writer_reads(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    first = CheckpointWriter(cr.Checkpoint(path, about={"n": 3, "a": 1}), lambda: {"a": 0, "b": 2})
    assert first.facts == {"a": 1, "b": 2, "n": 3}
    assert first.read(1) is None
    state = cr.TrainingState(START.copy(), epoch=2, average=START + 1)
    history = begun_history()
    first.write(SavedTraining(state, history, EpochPosition(START + 2, [0.5, 0.25], 3.0, 0.1, START + 3), 7.5))
    _, tensors = signed_file.read(path.read_bytes(), FILE)
    assert {"kept.state.theta", "kept.state.average", "kept.position.good", "kept.history.loss"} <= tensors.keys()
    saved = first.read(2)
    assert saved is not None
    assert (saved.seconds, saved.reason, saved.message, saved.facts) == (7.5, None, "", first.facts)
    assert saved.earlier == EarlierStarts(None, 0.0)
    position = saved.position
    assert position is not None
    assert (position.losses, position.gradient_norm, position.learning_rate) == ([0.5, 0.25], 3.0, 0.1)
    np.testing.assert_array_equal(position.good, START + 2)
    np.testing.assert_array_equal(position.average, START + 3)
    np.testing.assert_array_equal(saved.state.average, START + 1)
    assert [event.theta is saved.state.theta for event in saved.history] == [True, True]
    with pytest.raises(cr.CheckpointError) as caught:
        first.read(1)
    assert str(caught.value) == f"{path}: refused: 2 epochs are done, now 1 are asked for"
    with pytest.raises(cr.CheckpointError) as caught:
        CheckpointWriter(cr.Checkpoint(path), lambda: {"a": 0, "b": 2, "n": 3}).read(2)
    assert str(caught.value) == f"{path}: refused: written with a 1, now 0"
    held = CheckpointWriter(cr.Checkpoint(path, saved=saved, about={"n": 3}), lambda: {"a": 1, "b": 2})
    assert held.read(2) is saved
    assert CheckpointWriter(cr.Checkpoint(path, saved=saved, anew=True), dict).read(2) is None


def begun_history() -> list[cr.Progress]:
    """Return the events of two epochs."""
    return cr.train(OBJECTIVE, START, epochs=2).history


def test_the_best_of_earlier_starts_is_kept_along(tmp_path: Path) -> None:
    best = cr.train(OBJECTIVE, START, epochs=2)
    checkpoint = cr.Checkpoint(tmp_path / "run", earlier=EarlierStarts(best, 2.5))
    CheckpointWriter(checkpoint, dict).write(SavedTraining(cr.TrainingState(START), [], None, 0.0))
    saved = read(checkpoint.path)
    assert saved is not None
    found = saved.earlier.best
    assert found is not None
    assert (found.reason, found.message, len(found.history)) == ("epochs", "", 2)
    np.testing.assert_array_equal(found.theta, best.theta)
    assert all(event.theta is found.state.theta for event in found.history)


def test_the_form_of_version_1_0(tmp_path: Path) -> None:
    """It kept an optimiser's memory in one mapping with its count and a moving average, and repeated the decay."""
    path = tmp_path / "run.checkpoint"
    state = {"record": "TrainingState"}
    facts = {"recipe": {"average": 0.5, "clip": None}, "b": 1}
    for average, memory, wanted in (
        (None, {"t": 4, "mean": 1.5, "average": 2.5}, 2.5),
        (3.5, {"t": 4, "mean": 1.5, "average": 2.5}, 3.5),
        (None, {"t": 4, "mean": 1.5}, None),
    ):
        fields = {"theta": 0.5, "average": average, "memory": {"map": memory}}
        kept = {"state": {**state, "fields": {"map": fields}}, "history": {"list": []}, "place": None, "seconds": 1.0}
        document = {"facts": facts, "kept": {"record": "Kept", "fields": {"map": kept}}}
        signed_file.write(path, FILE, document, {})
        saved = read(path)
        assert saved is not None
        assert saved.state.memory is not None
        assert (saved.state.average, saved.state.memory.t, saved.state.memory.arrays) == (wanted, 4, {"mean": 1.5})
        assert (saved.position, saved.seconds, saved.facts) == (None, 1.0, {"recipe": {"clip": None}, "b": 1})
    signed_file.write(path, FILE, {**document, "facts": {"recipe": None}}, {})
    assert read(path).facts == {"recipe": None}  # type: ignore[union-attr]


def test_the_words_for_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    folder = tmp_path / "Run"
    folder.mkdir()
    with pytest.raises(cr.CheckpointError) as caught:
        read(folder)
    assert str(caught.value) == f"{folder}: cannot be read, is a directory"
    assert read(str(tmp_path / "nothing")) is None
    saved = SavedTraining(cr.TrainingState(START, Memory(1, {}, {"odd": object()})), [], None, 0.0)
    with pytest.raises(cr.CheckpointError) as caught:
        write(tmp_path / "run", saved, {})
    assert str(caught.value).startswith(f"{tmp_path / 'run'}: not written, ")
    with pytest.raises(cr.CheckpointError) as caught:
        write(folder, replace(saved, state=cr.TrainingState(START)), {})
    assert str(caught.value) == f"{folder}: not written, it is not a regular file"
    with pytest.raises(cr.CheckpointError) as caught:
        write(tmp_path / "no" / "run", replace(saved, state=cr.TrainingState(START)), {})
    assert str(caught.value) == f"{tmp_path / 'no' / 'run'}: not written, no such file or directory"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"facts": {}, "kept": 3}, "there is no training in it"),
        ({"facts": {}, "kept": {"record": "Memory", "fields": {"map": {}}}}, "there is no training in it"),
        ({"facts": {}}, "'kept'"),
        ({"facts": {}, "kept": {"record": "int" * 50, "fields": {"map": {}}}}, repr("int" * 50)[:80]),
    ],
)
def test_the_words_for_a_content_that_is_not_valid(tmp_path: Path, document: Any, words: str) -> None:
    path = tmp_path / "run.checkpoint"
    signed_file.write(path, FILE, document, {})
    with pytest.raises(cr.CheckpointError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: what it holds is not valid: {words}"


def test_the_words_for_a_damaged_file(tmp_path: Path) -> None:
    path = Path(begun(tmp_path).path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(signed_file.SignedFileError) as cause:
        signed_file.read(path.read_bytes(), FILE)
    with pytest.raises(cr.CheckpointError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {cause.value}"
