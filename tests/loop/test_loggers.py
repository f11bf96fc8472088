"""Loggers write every event once, whatever its fields, also when a training is killed and goes on."""

from __future__ import annotations

import csv
import json
import os
import pickle
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from importlib import import_module
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
        assert row.keys() == {f for f in seen.__dataclass_fields__ if f not in ("theta", "look", "figures")}
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


HEAD = "epoch,step,loss,validation_loss,validation_score,learning_rate,gradient_norm,seconds,restart\n"
ROW_1, ROW_2 = "1,10,1.0,,0.25,0.1,2.0,0.5,0\n", "2,20,0.5,,0.25,0.1,2.0,0.5,0\n"


def test_the_bytes_of_a_csv_log(tmp_path: Path) -> None:
    logger = cr.CSVLogger(tmp_path / "log.csv")
    for epoch in (1, 2):
        logger(event(epoch))
    assert (tmp_path / "log.csv").read_bytes() == (HEAD + ROW_1 + ROW_2).encode()


def test_the_bytes_of_a_log_of_json_lines(tmp_path: Path) -> None:
    cr.JSONLinesLogger(tmp_path / "log.jsonl")(event(1, step=Path("a"), loss=-inf))
    line = (
        '{"epoch": 1, "step": "a", "loss": null, "validation_loss": null, "validation_score": 0.25, '
        '"learning_rate": 0.1, "gradient_norm": 2.0, "seconds": 0.5, "restart": 0}\n'
    )
    assert (tmp_path / "log.jsonl").read_bytes() == line.encode()


@both
def test_rows_are_appended_and_the_file_is_not_written_anew(tmp_path: Path, name: str, kind: Any, read: Any) -> None:
    logger, path = kind(tmp_path / name), tmp_path / name
    logger(event(1))
    with path.open("rb") as file:  # a file that takes its place would not be this one
        for epoch in (2, 3):
            logger(event(epoch))
        assert file.read() == path.read_bytes()
        kind(path)(event(3))
        file.seek(0)
        assert os.fstat(file.fileno()).st_ino != path.stat().st_ino


@both
def test_texts_are_utf_8(tmp_path: Path, name: str, kind: Any, read: Any) -> None:
    path = tmp_path / name
    logger = kind(path)
    logger(event(1, step="θ"))
    logger(event(2, step="η"))
    kind(path)(event(2, step="ζ"))
    assert [row["step"] for row in map(dict, FILES[name][1](path))] == ["θ", "ζ"]


NOT_A_LOG = "it is not a log of a training; give another file"
BROKEN: list[tuple[str, str, str]] = [
    ("log.csv", "epoch,step,x\n1,2,3\n", NOT_A_LOG),
    ("log.csv", HEAD + "one,2,3,4,5,6,7,8,0\n", NOT_A_LOG),
    ("log.csv", HEAD + "1,2\n", NOT_A_LOG),
    ("log.csv", "name,age\n", NOT_A_LOG),
    (
        "log.csv",
        HEAD.replace(",loss", "") + "1,10,,0.25,0.1,2.0,0.5,0\n",
        "its columns are not those of this training; give another file",
    ),
    ("log.jsonl", '{"epoch": 1}\n', NOT_A_LOG),
    ("log.jsonl", '{"epoch": 1, "restart": null}\n', NOT_A_LOG),
    ("log.jsonl", '{"epoch": 1, \n', NOT_A_LOG),
    ("log.jsonl", '["epoch"]\n', NOT_A_LOG),
]


@pytest.mark.parametrize(("name", "text", "words"), BROKEN)
def test_why_a_file_is_not_gone_on_with(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are compared whole
        FILES[name][0](path)(event(2))
    assert str(caught.value) == f"{path}: {words}"
    assert path.read_text() == text


def test_a_file_that_is_no_text_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=NOT_A_LOG):
        cr.CSVLogger(tmp_path / "log.csv")(event(1))


@both
def test_a_start_that_a_kill_cut_short_is_taken_over(tmp_path: Path, name: str, kind: Any, read: Any) -> None:
    kind(tmp_path / name)(event(1))
    whole = (tmp_path / name).read_bytes()
    for size in (0, 1, 5, 12, 30):
        (tmp_path / name).write_bytes(whole[:size])
        kind(tmp_path / name)(event(1))
        assert (tmp_path / name).read_bytes() == whole


@pytest.mark.parametrize("rest", ["\n", "\n\n", "2,20,0"])
def test_what_follows_the_last_whole_row_goes(tmp_path: Path, rest: str) -> None:
    (tmp_path / "log.csv").write_text(HEAD + ROW_1 + rest)
    cr.CSVLogger(tmp_path / "log.csv")(event(2))
    assert (tmp_path / "log.csv").read_text() == HEAD + ROW_1 + ROW_2


def test_an_old_head_without_rows_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("epoch,step,other,restart\n5,6,7,0\n")
    cr.CSVLogger(tmp_path / "log.csv")(event(1))
    assert (tmp_path / "log.csv").read_text() == HEAD + ROW_1


@both
def test_rows_of_an_earlier_start_stay_and_later_ones_go(tmp_path: Path, name: str, kind: Any, read: Any) -> None:
    logger = kind(tmp_path / name)
    for restart, epoch in [(0, 1), (0, 2), (1, 1)]:
        logger(event(epoch, restart))
    logger(event(2, 0))
    assert keys(read(tmp_path / name)) == [(0, 1), (0, 2)]
    logger(event(1, 1))
    assert keys(read(tmp_path / name)) == [(0, 1), (0, 2), (1, 1)]


NESTED: list[tuple[Any, dict[str, Any]]] = [
    (Spread(1.0, None), {"x.mean": 1.0, "x.largest": None}),
    ([1, (2.0,)], {"x.0": 1, "x.1.0": 2.0}),
    (np.array([[1.5], [2.5]]), {"x.0.0": 1.5, "x.1.0": 2.5}),
    (np.int64(3), {"x": 3}),
    (cr.Stopping, {"x": cr.Stopping}),
    (
        cr.Stopping("loss", 0.5, 3, True),
        {"x.monitor": "loss", "x.min_change": 0.5, "x.patience": 3, "x.keep_best": True},
    ),
    ({"a": {"b": 1}}, {"x.a.b": 1}),
    ("text", {"x": "text"}),
]


@pytest.mark.parametrize(("value", "flat"), NESTED, ids=lambda value: type(value).__name__)
def test_how_each_kind_of_value_is_flattened(value: Any, flat: dict[str, Any]) -> None:
    Own = make_dataclass("Own", [("x", Any)])
    found = values(Own(value))
    assert found == flat
    assert [type(each) for each in found.values()] == [type(each) for each in flat.values()]


def test_words_for_other_endings_and_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        logger_for("log.txt")
    assert str(caught.value) == "log.txt: a log is a .csv or .jsonl file, or a folder (for TensorBoard)"
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        logger_for("runs")
    assert str(caught.value) == 'TensorBoardLogger needs tensorboardX: pip install "chainrule[tensorboard]"'


class Writer:
    """Stands for tensorboardX: notes what it is told."""

    made: list[Writer]

    def __init__(self, folder: str, **settings: Any) -> None:
        self.folder, self.settings, self.told, self.closed = folder, settings, [], 0
        self.made.append(self)

    def add_scalar(self, *given: Any) -> None:
        self.told.append(given)

    def flush(self) -> None:
        self.told.append("flush")

    def close(self) -> None:
        self.closed += 1


def test_what_tensorboardx_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("chainrule.loop.loggers"), "_summary_writer", lambda: Writer)
    Writer.made = []
    logger = cr.TensorBoardLogger(tmp_path)
    logger.close()  # nothing is open yet
    for restart, epoch in [(0, 1), (0, 2), (1, 1), (1, 2), (1, 2), (1, 1)]:
        logger(event(epoch, restart, step=np.int64(7) if epoch == 1 else "seven"))
    made = Writer.made
    assert [(Path(w.folder).relative_to(tmp_path).as_posix(), w.settings["purge_step"]) for w in made] == [
        *((".", 1), ("restart_1", 1), ("restart_1", 2), ("restart_1", 1)),
    ]
    assert [type(w.folder) for w in made] == [str] * 4
    suffixes = [w.settings["filename_suffix"] for w in made]
    assert suffixes == sorted(suffixes)
    assert all(re.fullmatch(rf"\.\d{{20}}\.{os.getpid()}", suffix) for suffix in suffixes)
    usual = [("loss", 1.0, 1), ("validation_score", 0.25, 1), ("learning_rate", 0.1, 1), ("gradient_norm", 2.0, 1)]
    first = [("step", 7.0, 1), *usual, ("seconds", 0.5, 1), "flush"]
    assert made[0].told[: len(first)] == first
    told = [given[0] for given in made[0].told[len(first) : -1]]  # a step that is no number is left out
    assert told == ["loss", "validation_score", "learning_rate", "gradient_norm", "seconds"]
    assert [w.closed for w in made] == [1, 1, 1, 0]
    logger.close()
    logger.close()
    assert made[3].closed == 1
    copy = pickle.loads(pickle.dumps(logger))
    assert (copy.folder, copy._writer, copy._last) == (tmp_path, None, None)
