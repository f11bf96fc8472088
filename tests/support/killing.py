"""Trainings that are killed in the tests, and what they must equal."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import chainrule as cr
from chainrule.loop.run import Loop
from chainrule.optimizers import Memory
from support.naive_loops import classification


class Killed(BaseException):
    """Stands for a SIGKILL: nothing catches it."""


def killing(name: str, calls: int) -> Any:
    """Return a patch that kills the training at the given call of one of the loop's methods, after it."""
    left, original = count(calls, -1), getattr(Loop, name)

    def method(self: Loop, *arguments: Any) -> None:
        original(self, *arguments)
        if next(left) == 0:
            raise Killed

    return patch.object(Loop, name, method)


def same(one: cr.Result, other: cr.Result) -> bool:
    """Return whether two results are the same in every bit, but for the seconds."""
    states = [{f.name: getattr(r.state, f.name) for f in fields(r.state)} for r in (one, other)]
    memories = [state.pop("memory") or Memory() for state in states]
    live = ("theta", "best_theta", "average")
    arrays = [(one.theta, other.theta), *((states[0].pop(name), states[1].pop(name)) for name in live)]
    arrays += [(memories[0][name], memories[1].arrays.get(name)) for name in memories[0].arrays]
    states[0]["memory"], states[1]["memory"] = ((memory.t, memory.numbers) for memory in memories)
    events = [[repr(replace(event, seconds=0)) for event in r.history] for r in (one, other)]
    equal = all((a is b) or np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in arrays)
    return equal and states[0] == states[1] and events[0] == events[1] and one.reason == other.reason


OBJECTIVE, START = classification(20)
SETTINGS: dict[str, Any] = {"epochs": 4, "batch_size": 6}


def begun(folder: Path, epochs: int = 2, **chosen: Any) -> cr.Checkpoint:
    """Return the checkpoint of a training killed after so many epochs."""
    checkpoint = cr.Checkpoint(folder / "run.checkpoint")
    with killing("after_epoch", epochs - 1), pytest.raises(Killed):
        cr.train(OBJECTIVE, START, **{**SETTINGS, **chosen}, checkpoint=checkpoint)
    return checkpoint


def part(rows: slice = slice(None), **changed: Any) -> cr.Objective:
    """Return the objective with some of it changed."""
    o = OBJECTIVE
    parts = {"network": o.network, "loss": o.loss, "X": o.X, "y": o.y, "sample_weight": o.sample_weight}
    parts = {**parts, "penalties": o.penalties, **changed}
    return cr.Objective(
        **{n: p[rows] if n in ("X", "y", "sample_weight") and p is not None else p for n, p in parts.items()}
    )
