"""Loggers write every event once, whatever its fields, also when a training is killed and goes on."""

from __future__ import annotations

import csv
import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from math import inf, nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule.loop.loggers import LOGGERS, logger_for, values
from support.naive_loops import classification

OBJECTIVE, START = classification(20)


def event(epoch: int, restart: int = 0, **changed: Any) -> cr.Progress:
    """Return an event."""
    usual = {
        "validation_loss": None,
        "validation_score": 0.25,
        "learning_rate": 0.1,
        "gradient_norm": 2.0,
        "seconds": 0.5,
    }
    given = {"loss": 1.0 / epoch, "step": 10 * epoch, **usual, **changed}
    return cr.Progress(epoch=epoch, restart=restart, theta=START, **given)


def read_csv(path: Path) -> list[dict[str, Any]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


FILES: dict[str, tuple[Callable[[Path], Any], Callable[[Path], list[dict[str, Any]]]]] = {
    "log.csv": (cr.CSVLogger, read_csv),
    "log.jsonl": (cr.JSONLinesLogger, read_lines),
}
both = pytest.mark.parametrize(("name", "kind", "read"), [(n, *f) for n, f in FILES.items()], ids=list(FILES))


def keys(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return restart and epoch of each row."""
    return [(int(row["restart"]), int(row["epoch"])) for row in rows]


@both
def test_a_folder_that_is_not_there_is_told_by_the_name_of_the_file(
    tmp_path: Path, name: str, kind: Any, read: Any
) -> None:
    with pytest.raises(FileNotFoundError, match="No such file or directory") as caught:
        kind(tmp_path / "nowhere" / name)(event(1))
    assert caught.value.filename == str(tmp_path / "nowhere" / name)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as caught:
        kind(tmp_path / "file" / name)(event(1))
    assert caught.value.filename == str(tmp_path / "file" / name)


@both
def test_each_epoch_is_a_row_with_every_number(tmp_path: Path, name: str, kind: Any, read: Any) -> None:
    result = cr.train(OBJECTIVE, START, epochs=3, validation=OBJECTIVE, callbacks=[kind(tmp_path / name)])
    rows = read(tmp_path / name)
    assert keys(rows) == [(0, 1), (0, 2), (0, 3)]
    for row, seen in zip(rows, result.history, strict=True):
        assert row.keys() == {f for f in seen.__dataclass_fields__ if f not in ("theta", "look")}
        assert [float(row[f]) for f in ("loss", "validation_loss", "seconds")] == [
            seen.loss,
            seen.validation_loss,
            seen.seconds,
        ]
        assert row["validation_score"] in ("", None)


@both
def test_a_row_is_there_as_soon_as_it_is_written(tmp_path: Path, name: str, kind: Any, read: Any) -> None:
    logger = kind(tmp_path / name)
    for epoch in (1, 2):
        logger(event(epoch))
        assert len(read(tmp_path / name)) == epoch


@both
def test_going_on_takes_the_place_of_what_is_done_again(tmp_path: Path, name: str, kind: Any, read: Any) -> None:
    path = tmp_path / name
    first = kind(path)
    for key in [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3)]:
        first(event(key[1], key[0]))
    with path.open("a") as file:
        file.write(path.read_text().splitlines()[-1][:20])  # the kill came in the middle of a line
    again = kind(path)
    again(event(2, 1, loss=7.0))
    again(event(3, 1, loss=8.0))
    rows = read(path)
    assert keys(rows) == [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3)]
    assert [float(row["loss"]) for row in rows[-2:]] == [7.0, 8.0]


@both
def test_a_killed_training_leaves_the_rows_of_one_that_never_stopped(
    tmp_path: Path, name: str, kind: Any, read: Any
) -> None:
    settings = {"epochs": 7, "batch_size": 6, "checkpoint": cr.Checkpoint(tmp_path / "run", "2 epochs")}
    for epoch in (3, 5, 6, None):

        def kill(event: cr.Progress, epoch: int | None = epoch) -> None:
            if event.epoch == epoch:
                raise SystemExit

        try:
            cr.train(OBJECTIVE, START, **settings, callbacks=[kind(tmp_path / name), kill])
        except SystemExit:
            assert epoch is not None
    whole = cr.train(OBJECTIVE, START, epochs=7, batch_size=6).history
    rows = read(tmp_path / name)
    assert keys(rows) == [(0, epoch) for epoch in range(1, 8)]
    assert [float(row["loss"]) for row in rows] == [seen.loss for seen in whole]


@both
def test_a_new_training_starts_the_file_anew(tmp_path: Path, name: str, kind: Any, read: Any) -> None:
    logger = kind(tmp_path / name)
    for epochs in (4, 2):
        cr.train(OBJECTIVE, START, epochs=epochs, callbacks=[logger])
        assert len(read(tmp_path / name)) == epochs


@both
def test_restarts_follow_one_another(tmp_path: Path, name: str, kind: Any, read: Any) -> None:
    model = cr.MLPRegressor(hidden_layer_sizes=(2,), max_iter=3, tol=0, n_restarts=2, random_state=0)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.set_params(callbacks=[kind(tmp_path / name)]).fit(OBJECTIVE.X, OBJECTIVE.X[:, 0])
    assert keys(read(tmp_path / name)) == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]


@both
@pytest.mark.parametrize("text", ["name,age\nAda,36\n", "hello", "\x00\x01", "epoch,step,x\n1,2,3\n", '{"epoch": [\n'])
def test_a_file_that_is_no_log_is_not_touched(tmp_path: Path, name: str, kind: Any, read: Any, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"{name}: it is not a log of a training; give another file"):
        kind(path)(event(1))
    assert path.read_text() == text


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    cr.CSVLogger(path)(event(1))
    Longer = make_dataclass("Longer", [("spread", float, 0.5)], bases=(cr.Progress,), frozen=True)
    fields = {name: getattr(event(2), name) for name in cr.Progress.__dataclass_fields__}
    with pytest.raises(ValueError, match=r"log\.csv: its columns are not those of this training"):
        cr.CSVLogger(path)(Longer(**fields))
    assert len(read_csv(path)) == 1


class Spread(NamedTuple):
    mean: float
    largest: Any


@dataclass(frozen=True)
class Detailed(cr.Progress):
    blocks: Any = field(default_factory=tuple)


DETAILED = Detailed(
    **{name: getattr(event(1), name) for name in cr.Progress.__dataclass_fields__},
    blocks=(Spread(0.5, np.float32(2)), {"dead": np.array([1, 0])}),
)


def test_nested_fields_are_numbers_by_name(tmp_path: Path) -> None:
    flat = values(DETAILED)
    assert "theta" not in flat
    nested = {name: value for name, value in flat.items() if name.startswith("blocks")}
    assert nested == {"blocks.0.mean": 0.5, "blocks.0.largest": 2.0, "blocks.1.dead.0": 1, "blocks.1.dead.1": 0}
    for name, (kind, read) in FILES.items():
        kind(tmp_path / name)(DETAILED)
        assert float(read(tmp_path / name)[0]["blocks.0.mean"]) == 0.5


def test_json_has_no_infinity(tmp_path: Path) -> None:
    cr.JSONLinesLogger(tmp_path / "log.jsonl")(event(1, loss=inf, gradient_norm=nan))
    line = json.loads((tmp_path / "log.jsonl").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert (line["loss"], line["gradient_norm"]) == (None, None)


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Return what a reader of event files shows: by name and step, later purges taking earlier values away."""
    from tensorboardX.proto import event_pb2

    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("events*")):
        content = path.read_bytes()
        while content:
            size = int.from_bytes(content[:8], "little")
            record = event_pb2.Event.FromString(content[12 : 12 + size])
            content = content[16 + size :]
            if record.HasField("session_log"):
                found = {n: {s: v for s, v in steps.items() if s < record.step} for n, steps in found.items()}
            for value in record.summary.value:
                found.setdefault(value.tag, {})[record.step] = value.simple_value
    return found


@pytest.fixture
def tensorboard() -> None:
    pytest.importorskip("tensorboardX", reason="the extra `tensorboard` is not installed")


@pytest.mark.usefixtures("tensorboard")
def test_tensorboard_sees_each_epoch_once(tmp_path: Path) -> None:
    logger = cr.TensorBoardLogger(tmp_path)
    for key in [(0, 1), (0, 2), (0, 3), (1, 1)]:
        logger(event(key[1], key[0]))
    logger.close()
    again = cr.TensorBoardLogger(tmp_path)
    for epoch in (2, 3, 4):
        again(event(epoch, loss=10.0 * epoch))
    again.close()
    seen = scalars(tmp_path)
    assert seen["loss"] == {1: 1.0, 2: 20.0, 3: 30.0, 4: 40.0}
    assert seen["learning_rate"][4] == pytest.approx(0.1)
    assert not {"epoch", "theta", "validation_loss", "restart"} & seen.keys()
    assert scalars(tmp_path / "restart_1")["loss"] == {1: 1.0}


@pytest.mark.usefixtures("tensorboard")
def test_tensorboard_loggers_survive_pickle_while_open(tmp_path: Path) -> None:
    logger = cr.TensorBoardLogger(tmp_path)
    logger(event(1))
    copy = pickle.loads(pickle.dumps(logger))
    copy(event(2))
    for each in (logger, copy):
        each.close()
    assert scalars(tmp_path)["loss"].keys() == {1, 2}


def test_without_tensorboardx_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ValueError, match=r'needs tensorboardX: pip install "chainrule\[tensorboard\]"'):
        cr.TensorBoardLogger(tmp_path)


def test_endings_choose_the_logger(tmp_path: Path) -> None:
    for ending, kind in LOGGERS.items():
        if ending:
            assert type(logger_for(tmp_path / f"log{ending.upper()}")) is kind
    with pytest.raises(ValueError, match=r"log\.txt: a log is a \.csv or \.jsonl file, or a folder"):
        logger_for("log.txt")


@pytest.mark.usefixtures("tensorboard")
def test_a_folder_is_for_tensorboard(tmp_path: Path) -> None:
    (tmp_path / "runs.v2").mkdir()
    for folder in ("new", "runs.v2"):
        assert type(logger_for(tmp_path / folder)) is cr.TensorBoardLogger
