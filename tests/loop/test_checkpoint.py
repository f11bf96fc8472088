"""A training that was stopped anywhere goes on as if it had never stopped; everything else is refused in one line."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import schedules
from chainrule.engines import best
from chainrule.loop.checkpoint import Interval, read
from chainrule.optimizers import OPTIMIZERS, Adam, Momentum
from chainrule.schedules import Constant, Cosine, WarmUp
from support.killing import OBJECTIVE, SETTINGS, START, Killed, begun, killing, part, same
from support.naive_loops import RULES, classification

ROOT = Path(__file__).parents[2]
ENGINES = ("reference", "native")[: 1 + (best() == "native")]
loop, clocked = import_module("chainrule.loop.batches"), import_module("chainrule.loop.run")


SCHEDULES = [
    None,
    Constant(0.05),
    schedules.InverseTime(0.1, unit="step"),
    schedules.InverseScaling(0.1),
    schedules.Step(0.1, every=2),
    schedules.Exponential(0.1, unit="step"),
    schedules.Adaptive(0.1),
    Cosine(0.1),
    WarmUp(Cosine(0.1), 7),
]
STOPPING = [
    None,
    cr.Stopping("loss", min_change=0.05, patience=1),
    cr.Stopping("validation_loss", min_change=0.0, patience=1, keep_best=True),
    cr.Stopping("validation_score", min_change=0.01, patience=2, keep_best=True),
]


@st.composite
def trainings(draw: Any) -> tuple[Any, ...]:
    """Draw an objective, a start, and settings of the loop."""
    objective, start = classification(draw(st.integers(5, 40)), weighted=draw(st.booleans()))
    stopping = draw(st.sampled_from(STOPPING))
    chosen = {
        "optimizer": OPTIMIZERS[draw(st.sampled_from(RULES))](),
        "schedule": draw(st.sampled_from(SCHEDULES)),
        "stopping": stopping,
        "epochs": draw(st.integers(1, 6)),
        "batch_size": draw(st.integers(1, 42)),
        "order": draw(st.sampled_from(["reshuffle", "once", "given"])),
        "seed": draw(st.integers(0, 3)),
        "validation": classification(9)[0],
        "score": lambda theta: float(-abs(theta).sum()),
        "engine": draw(st.sampled_from(ENGINES)),
    }
    return objective, start, chosen


@settings(max_examples=60)
@given(
    trainings(),
    st.sampled_from(["1 step", "3 steps", "17 steps", "1 epoch", "2 epochs", "0.000001 seconds"]),
    st.lists(
        st.tuples(st.sampled_from(["after_steps", "after_epoch", "write_checkpoint"]), st.integers(0, 12)), max_size=4
    ),
    st.lists(st.integers(1, 7), min_size=5, max_size=5),
)
def test_going_on_equals_never_stopping(training: Any, every: str, kills: Any, slices: list[int]) -> None:
    objective, start, chosen = training
    whole = cr.train(objective, start, **chosen)
    with TemporaryDirectory() as folder:
        checkpoint = cr.Checkpoint(Path(folder) / "run.checkpoint", every)
        for (name, calls), size in zip(kills, slices, strict=False):
            with patch.object(loop, "SLICE", size), killing(name, calls), suppress(Killed):
                cr.train(objective, start, **chosen, checkpoint=checkpoint)
        with patch.object(loop, "SLICE", slices[-1]):
            resumed = cr.train(objective, start, **chosen, checkpoint=checkpoint)
        assert same(resumed, whole)
        with killing("after_steps", 0):
            assert same(cr.train(objective, start, **chosen, checkpoint=checkpoint), whole)


@settings(max_examples=30)
@given(trainings(), st.integers(1, 9))
def test_how_steps_are_cut_into_slices_changes_no_bit(training: Any, size: int) -> None:
    objective, start, chosen = training
    whole = cr.train(objective, start, **chosen)
    with patch.object(loop, "SLICE", size):
        assert same(cr.train(objective, start, **chosen), whole)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("engine", ENGINES)
def test_six_kills_at_random_moments_change_no_bit(engine: str, threads: int) -> None:
    program = ROOT / "benchmarks" / "kill.py"
    command = [sys.executable, str(program), "--kills", "6", "--engine", engine, "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    row = done.stdout.splitlines()[1].split()
    assert row[:3] == [engine, str(threads), "6"]
    assert row[-1] == row[-2]


NETWORK = cr.Network(3, [cr.Dense(4), cr.Activation("relu"), cr.Dense(2)])
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "batch size": ({"batch_size": 7}, "batch_size 6, now 7"),
    "seed": ({"seed": 5}, "seed 0, now 5"),
    "order": ({"order": "once"}, "order reshuffle, now once"),
    "rule": ({"optimizer": Momentum()}, "optimizer Adam, now Momentum"),
    "its settings": ({"optimizer": Adam(beta_1=0.8)}, "optimizer.beta_1 0.9, now 0.8"),
    "schedule": ({"schedule": Constant(0.2)}, "schedule.rate 0.001, now 0.2"),
    "stopping": ({"stopping": cr.Stopping()}, "stopping None, now Stopping"),
    "recipe": ({"recipe": cr.Recipe(max_norm=2.0)}, "recipe.max_norm None, now 2.0"),
    "average": ({"averaging": cr.MovingAverage(0.5)}, "averaging None, now MovingAverage"),
    "score": ({"score": lambda theta: 0.0}, "scored False, now True"),
    "engine": ({"engine": "reference"}, "engine native, now reference"),
    "validation": ({"validation": part()}, "other validation X"),
    "X": ({"objective": part(X=OBJECTIVE.X + 1e-12)}, "other X"),
    "y": ({"objective": part(y=1 - OBJECTIVE.y)}, "other y"),
    "weights": ({"objective": part(sample_weight=None)}, "other sample_weight"),
    "rows": ({"objective": part(slice(0, 19))}, "other X; with other y; with other sample_weight"),
    "penalty": ({"objective": part(penalties=[cr.penalties.L2(0.02)])}, "penalties.0.strength 0.01, now 0.02"),
    "no penalty": ({"objective": part(penalties=[])}, r"penalties \[L2\], now \[\]"),
    "loss": ({"objective": part(loss=cr.losses.MulticlassHinge())}, "loss CrossEntropy, now MulticlassHinge"),
    "network": ({"objective": part(network=NETWORK)}, "network.1.name tanh, now relu"),
    "start": ({"theta": START + 1}, "other starting point"),
    "type": ({"theta": START.astype("float32")}, "dtype float64, now float32"),
    "about": ({"checkpoint": {"about": {"n_restarts": 3}}}, "n_restarts None, now 3"),
    "fewer epochs": ({"epochs": 1}, "2 epochs are done, now 1 are asked for"),
}


@pytest.mark.parametrize(("changed", "words"), REFUSED.values(), ids=list(REFUSED))
def test_another_training_is_refused_and_the_difference_named(tmp_path: Path, changed: Any, words: str) -> None:
    if "engine" in changed and best() != "native":
        pytest.skip("this build has one engine only")
    checkpoint = begun(tmp_path)
    content = Path(checkpoint.path).read_bytes()
    arguments = {"objective": OBJECTIVE, "theta": START, **SETTINGS, **changed}
    arguments["checkpoint"] = replace(checkpoint, **changed.get("checkpoint", {}))
    with pytest.raises(cr.CheckpointError, match=rf"run\.checkpoint: refused: .*{words}") as caught:
        cr.train(**arguments)
    assert "\n" not in str(caught.value)
    assert Path(checkpoint.path).read_bytes() == content


@pytest.mark.parametrize("free", [{"n_threads": 2}, {"callbacks": [print]}, {"time_limit": 1e6}], ids=str)
def test_what_changes_no_bit_is_not_asked(tmp_path: Path, free: dict[str, Any]) -> None:
    resumed = cr.train(OBJECTIVE, START, **SETTINGS, **free, checkpoint=begun(tmp_path))
    assert same(resumed, cr.train(OBJECTIVE, START, **SETTINGS))


@pytest.mark.parametrize("epochs", [2, 4])
def test_more_epochs_of_a_schedule_without_a_plan(tmp_path: Path, epochs: int) -> None:
    checkpoint = cr.Checkpoint(tmp_path / "run.checkpoint")
    if epochs == 4:
        cr.train(OBJECTIVE, START, **SETTINGS, checkpoint=checkpoint)
    else:
        checkpoint = begun(tmp_path)
    longer = {**SETTINGS, "epochs": 9}
    assert same(cr.train(OBJECTIVE, START, **longer, checkpoint=checkpoint), cr.train(OBJECTIVE, START, **longer))


class Planned(Constant):
    """A schedule of one's own: what it reads is not known."""


@pytest.mark.parametrize("schedule", [Cosine(), WarmUp(Cosine()), Planned()], ids=["cosine", "warm", "own"])
def test_more_epochs_of_a_planned_schedule_are_another_training(tmp_path: Path, schedule: Any) -> None:
    checkpoint = begun(tmp_path, schedule=schedule)
    with pytest.raises(cr.CheckpointError, match="epochs 4, now 5"):
        cr.train(OBJECTIVE, START, batch_size=6, epochs=5, schedule=schedule, checkpoint=checkpoint)


def test_events_are_yielded_once_and_the_history_is_whole(tmp_path: Path) -> None:
    checkpoint = begun(tmp_path, 3)
    events = cr.training(OBJECTIVE, START, **SETTINGS, checkpoint=checkpoint)
    assert [event.epoch for event in events] == [4]
    result = cr.train(OBJECTIVE, START, **SETTINGS, checkpoint=checkpoint)
    assert [event.epoch for event in result.history] == [1, 2, 3, 4]
    assert all(event.theta is result.state.theta for event in result.history)


def test_a_state_that_was_given_stays_the_live_one(tmp_path: Path) -> None:
    state = cr.TrainingState(START.copy())
    live = state.theta
    result = cr.train(OBJECTIVE, START, **SETTINGS, state=state, checkpoint=begun(tmp_path))
    assert result.state is state
    assert state.theta is live
    assert all(event.theta is live for event in result.history)
    assert live.tobytes() == cr.train(OBJECTIVE, START, **SETTINGS).theta.tobytes()
    assert vars(state).keys() == vars(cr.TrainingState(START)).keys()


def test_seconds_go_on(tmp_path: Path) -> None:
    checkpoint = begun(tmp_path)
    kept = read(checkpoint.path)
    assert kept is not None
    result = cr.train(OBJECTIVE, START, **SETTINGS, checkpoint=checkpoint)
    assert result.history[1].seconds <= kept.seconds <= result.history[2].seconds


@pytest.mark.parametrize("mid", [False, True])
def test_a_training_out_of_time_gives_its_result_again_and_goes_on_with_more_time(tmp_path: Path, mid: bool) -> None:
    clock = count(0.0, 1.0)
    limit = {"time_limit": 7.0 if mid else 1.0}
    checkpoint = cr.Checkpoint(tmp_path / "run.checkpoint")
    with patch.object(loop, "SLICE", 1), patch.object(clocked, "perf_counter", lambda: next(clock)):
        first = cr.train(OBJECTIVE, START, **SETTINGS, **limit, checkpoint=checkpoint)
        again = cr.train(OBJECTIVE, START, **SETTINGS, **limit, checkpoint=checkpoint)
    assert first.reason == "time"
    assert len(first.history) < 4
    assert same(again, first)
    assert same(cr.train(OBJECTIVE, START, **SETTINGS, checkpoint=checkpoint), cr.train(OBJECTIVE, START, **SETTINGS))


def test_a_training_out_of_time_at_the_end_of_an_epoch_does_no_other(tmp_path: Path) -> None:
    clock, checkpoint = count(0.0, 1.0), cr.Checkpoint(tmp_path / "run.checkpoint", "9 epochs")
    with patch.object(clocked, "perf_counter", lambda: next(clock)):
        first = cr.train(OBJECTIVE, START, epochs=9, time_limit=5.0, checkpoint=checkpoint)
        kept = read(checkpoint.path)
        again = cr.train(OBJECTIVE, START, epochs=9, time_limit=5.0, checkpoint=checkpoint)
    assert first.reason == "time"
    assert 1 <= len(first.history) < 9
    assert kept is not None
    assert (kept.position, kept.reason, len(kept.history)) == (None, None, len(first.history))
    assert same(again, first)


@pytest.mark.parametrize("answer", [True, KeyboardInterrupt])
def test_a_callback_ends_a_training_but_ctrl_c_does_not(tmp_path: Path, answer: Any) -> None:
    def callback(event: cr.Progress) -> Any:
        if event.epoch == 2 and answer is not True:
            raise answer
        return event.epoch == 2

    checkpoint = cr.Checkpoint(tmp_path / "run.checkpoint")
    stopped = cr.train(OBJECTIVE, START, **SETTINGS, callbacks=[callback], checkpoint=checkpoint)
    result = cr.train(OBJECTIVE, START, **SETTINGS, checkpoint=checkpoint)
    assert stopped.reason == ("callback" if answer is True else "interrupted")
    assert same(result, stopped if answer is True else cr.train(OBJECTIVE, START, **SETTINGS))


def test_a_training_that_diverges_diverges_again(tmp_path: Path) -> None:
    chosen = {**SETTINGS, "optimizer": cr.optimizers.SGD(), "schedule": schedules.Exponential(1.0, 1e40), "epochs": 30}
    objective = part(loss=cr.losses.SquaredError(), y=np.eye(2)[OBJECTIVE.y])
    told = []
    for checkpoint in (None, *[cr.Checkpoint(tmp_path / "run.checkpoint")] * 2):
        with pytest.raises(cr.DivergenceError) as caught:
            cr.train(objective, START, **chosen, checkpoint=checkpoint)
        told.append((str(caught.value), caught.value.theta.tobytes(), len(caught.value.history)))
    assert told[0] == told[1] == told[2]
    assert told[0][2] > 0


@pytest.mark.parametrize("text", ["", "epoch", "0 epochs", "1.5 steps", "-1 steps", "3 hours", "1 epoch 2", 3, None])
def test_intervals_that_are_none(text: Any) -> None:
    assert not Interval.accepts(text)
    with pytest.raises(ValueError, match="every must be a text such as '1 epoch'"):
        cr.Checkpoint("run.checkpoint", text)


WRITES = {
    "1 epoch": [0, 4, 8, 12, 16, 20, 20],
    "2 epochs": [0, 8, 16, 20],
    "3 steps": [0, 3, 6, 9, 12, 15, 18, 20],
    "1000 seconds": [0, 20],
}


@pytest.mark.parametrize(("text", "steps"), WRITES.items(), ids=list(WRITES))
def test_checkpoints_are_written_when_they_are_due(tmp_path: Path, text: str, steps: list[int]) -> None:
    written: list[int] = []
    module = import_module("chainrule.loop.checkpoint")
    original = module.write

    def write(path: Path, kept: Any, facts: Any) -> None:
        written.append(kept.state.step)
        original(path, kept, facts)

    with patch.object(module, "write", write):
        cr.train(OBJECTIVE, START, epochs=5, batch_size=5, checkpoint=cr.Checkpoint(tmp_path / "run", text))
    assert written == steps
