"""How often one command does what takes time: nothing is learned, encoded, built or read twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from support.commands import ok, people, write

COUNTED = {
    "encoder fitted": ("chainrule.tables.encoder", "TableEncoder.fit"),
    "encoded": ("chainrule.tables.encoder", "TableEncoder.transform_noted"),
    "network built": ("chainrule.mathematics.network", "Network.__init__"),
    "checkpoint read": ("chainrule.loop.checkpoint", "read"),
    "model file read": ("chainrule.storage.signed_file", "read"),
}
"""The calls that are counted, and where they stand."""


@pytest.fixture
def calls(monkeypatch) -> Counter[str]:
    """The calls of each row of COUNTED, and for rows that are encoded how many there are."""
    counts = Counter[str]()

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **settings: Any) -> Any:
            rows = f" {arguments[1].shape[0]} rows" if name == "encoded" else ""
            counts[name + rows] += 1
            return function(*arguments, **settings)

        return counted

    for name, (module, path) in COUNTED.items():
        owner, _, attribute = path.rpartition(".")
        holder = attrgetter(owner)(import_module(module)) if owner else import_module(module)
        monkeypatch.setattr(holder, attribute, counting(name, getattr(holder, attribute)))
    return counts


@pytest.fixture
def table(tmp_path) -> Path:
    return write(tmp_path / "people.csv", people(80))


ONCE = {"encoder fitted": 1, "network built": 1, "encoded 64 rows": 1, "encoded 16 rows": 1}
"""80 rows: 64 to train, 16 to test."""

CHECKPOINT = {"checkpoint read": 1}
FILE_READ = {"model file read": 1}
"""A checkpoint is a signed file, too."""

TRAININGS = {
    "classification": (("dear",), ONCE),
    "regression": (("price",), ONCE),
    "as JSON, saved": (("dear", "--json", "--out", "{0}/m.safetensors"), ONCE),
    "early stopping": (("dear", "--early-stopping"), ONCE),
    "early stopping by a scorer": (("dear", "--early-stopping", "--scoring", "balanced_accuracy"), ONCE),
    "several starts": (("dear", "--n-restarts", 2), ONCE),
    "a test file": (
        ("dear", "--test", "{0}/other.csv"),
        {"encoder fitted": 1, "network built": 1, "encoded 80 rows": 1, "encoded 30 rows": 1},
    ),
    "no test": (
        ("dear", "--test-fraction", 0),
        {"encoder fitted": 1, "network built": 1, "encoded 80 rows": 1},
    ),
    "a new checkpoint": (("dear", "--checkpoint", "{0}/new.checkpoint"), ONCE | CHECKPOINT),
    "a checkpoint of several starts": (
        ("dear", "--checkpoint", "{0}/new.checkpoint", "--n-restarts", 2),
        ONCE | CHECKPOINT,
    ),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_does_everything_once(name, table, tmp_path, calls) -> None:
    (target, *words), expected = TRAININGS[name]
    write(tmp_path / "other.csv", people(30, seed=1))
    ok("train", table, "--target", target, "--max-iter", 2, *(str(word).format(tmp_path) for word in words))
    assert calls == expected


def test_a_checkpoint_that_is_there_is_read_once(table, tmp_path, calls) -> None:
    command = ("train", table, "--target", "dear", "--max-iter", 2, "--checkpoint", tmp_path / "run.checkpoint")
    ok(*command)
    calls.clear()
    out = ok(*command).out
    assert "holds 2 epochs" in out
    assert calls == ONCE | CHECKPOINT | FILE_READ


def test_rows_set_apart_for_validation_are_encoded_once(tmp_path, calls) -> None:
    rare = people(80)
    rare["dear"] = ["never" if k == 0 else label for k, label in enumerate(rare["dear"])]
    table = write(tmp_path / "rare.csv", rare)
    ok("train", table, "--target", "dear", "--max-iter", 2, "--early-stopping", "--test-fraction", 0)
    encoded = {name: count for name, count in calls.items() if name.startswith("encoded")}
    assert set(encoded.values()) == {1}
    assert sum(int(name.split()[1]) for name in encoded) == 80
    assert (calls["encoder fitted"], calls["network built"]) == (1, 1)


def test_looking_for_a_rate_does_everything_once(table, calls) -> None:
    ok("find-lr", table, "--target", "dear", "--steps", 10)
    assert calls == ONCE


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_new_rows_are_encoded_once(command, table, tmp_path, calls) -> None:
    model, new = tmp_path / "m.safetensors", write(tmp_path / "new.csv", people(20, seed=3))
    ok("train", table, "--target", "dear", "--max-iter", 2, "--out", model)
    calls.clear()
    ok(command, model, new)
    assert calls == {"encoded 20 rows": 1, "network built": 1} | FILE_READ
