"""`chainrule train --checkpoint --log`: killed and run again, what it says, what it refuses."""

from __future__ import annotations

import csv
import re
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.loop.checkpoint import read
from support.commands import ok, people, process, refused, write


@pytest.fixture
def words(tmp_path: Path) -> tuple[Any, ...]:
    """The words of a training that keeps itself."""
    table = write(tmp_path / "people.csv", people())
    return ("train", table, "--target", "dear", "--max-iter", 8, "--checkpoint", tmp_path / "run.checkpoint")


def test_a_finished_training_gives_its_result_again(words, tmp_path) -> None:
    first, again = (ok(*words, "--out", tmp_path / f"{k}.safetensors").out for k in (0, 1))
    assert f"checkpoint: {tmp_path / 'run.checkpoint'}, written every epoch\n" in first
    assert re.search(r"run\.checkpoint holds 8 epochs, done in \d+\.\d s, and the training is over\n", again)
    scores = [re.search(r"^test accuracy.*$", out, re.MULTILINE)[0] for out in (first, again)]
    assert scores[0] == scores[1]
    weights = [cr.load(tmp_path / f"{k}.safetensors").theta_ for k in (0, 1)]
    np.testing.assert_array_equal(*weights, strict=True)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system knows no SIGKILL")
def test_a_killed_training_goes_on(tmp_path) -> None:
    kept, log = tmp_path / "run.checkpoint", tmp_path / "log.csv"
    base = ("train", "digits", "--hidden-layer-sizes", 8, "--max-iter", 150, "--quiet")
    words = (*base, "--checkpoint", kept, "--checkpoint-every", "7 steps", "--log", log)
    for _ in range(2):
        child, before = process(*words), read(kept) if kept.exists() else None
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            now = read(kept) if kept.exists() else None
            if now is not None and now.state.epoch > (before.state.epoch if before else 0) + 1:
                break
        child.kill()
        child.communicate()
        assert child.returncode == -signal.SIGKILL
    resumed = ok(*words, "--out", tmp_path / "resumed.safetensors").out
    assert resumed == ok(*base, "--out", tmp_path / "whole.safetensors").out
    thetas = [cr.load(tmp_path / f"{name}.safetensors").theta_.tobytes() for name in ("resumed", "whole")]
    assert thetas[0] == thetas[1]
    rows = list(csv.DictReader(log.read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 151))


def test_another_training_is_refused_in_one_line(words) -> None:
    ok(*words)
    assert "run.checkpoint: refused: written with batch_size 32, now 16" in refused(*words, "--batch-size", 16)
    assert "refused: written with seed 0, now 3" in refused(*words, "--random-state", 3)


def test_a_damaged_checkpoint_is_refused_in_one_line(words, tmp_path) -> None:
    (tmp_path / "run.checkpoint").write_bytes(b"nonsense")
    assert "run.checkpoint: it is not a checkpoint file, or it was cut off" in refused(*words)


def test_options_that_cannot_work(words, tmp_path) -> None:
    every = ("--checkpoint-every", "2 hours")
    assert "must be a text such as '1 epoch', '500 steps' or '30 seconds'; got '2 hours'" in refused(*words, *every)
    same = ("--out", tmp_path / "run.checkpoint")
    assert "--out and --checkpoint name the same file" in refused(*words, *same)
    assert "there is no folder" in refused(*words[:-1], tmp_path / "no" / "run.checkpoint")
    assert "--checkpoint" in refused(*words[:-1], words[1])
    assert "a log is a .csv or .jsonl file, or a folder" in refused(*words, "--log", tmp_path / "log.txt")
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    assert "notes.csv: it is not a log of a training" in refused(*words, "--log", tmp_path / "notes.csv")


def test_an_interval_without_a_checkpoint_has_no_effect(words) -> None:
    said = ok(*words[:-2], "--checkpoint-every", "3 steps").err
    assert "--checkpoint-every has no effect without --checkpoint" in said


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_the_log_holds_every_epoch(words, tmp_path, name) -> None:
    ok(*words, "--log", tmp_path / name)
    lines = (tmp_path / name).read_text().splitlines()
    assert len(lines) == 8 + name.endswith("csv")
