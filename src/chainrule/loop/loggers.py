"""Loggers: callbacks that write each Progress event to a file, or for TensorBoard.

They write every field of the event but the weights, whatever fields there are. Rows are told apart by `restart` and
`epoch`: a training that goes on from a checkpoint goes on with its rows, and an epoch that is done again takes the
place of its row; a training that starts anew starts the file anew.
"""

from __future__ import annotations

import csv
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from time import time_ns
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from ..foundation.files import replacing
from ..foundation.records import Plain, fields_of, is_record
from .progress import Progress

FIRST = (-1, -1)
"""The key before that of every row."""


def values(event: Progress) -> dict[str, Any]:
    """Return the numbers of an event by name: nested ones as "outer.inner", the weights left out."""
    return dict(_flat(fields_of(event, hidden=False)))


def _flat(named: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in named.items():
        items = fields_of(value) if is_record(value) else value
        if isinstance(items, list | tuple | np.ndarray):
            items = {str(k): item for k, item in enumerate(items)}
        if isinstance(items, Mapping):
            yield from _flat(items, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", items.item() if isinstance(items, np.generic) else items


def _key(row: Mapping[str, Any]) -> tuple[int, int]:
    """Return the key of a row: its start and its epoch."""
    return int(row["restart"]), int(row["epoch"])


class Logger(Protocol):
    """The contract of a logger: a callback that says which file it writes."""

    @property
    def path(self) -> Path | None:
        """The file; None for a logger that writes a folder."""

    def __call__(self, event: Progress) -> None:
        """Write one event."""


class _FileLogger(ABC):
    """A logger with one line for each event."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._last: tuple[int, int] | None = None

    def __call__(self, event: Progress) -> None:
        """Write one event, at once: what is written survives a kill."""
        row = values(event)
        key = _key(row)
        if self._last is None or key <= self._last:
            self._take_over(row, key)
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(self._line(row))
        self._last = key

    def _take_over(self, row: dict[str, Any], key: tuple[int, int]) -> None:
        """Keep what a killed training wrote before this row; a line that it could not finish goes."""
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        if not text.startswith(self._start()[: len(text)]):
            raise ValueError(f"{self.path}: it is not a log of a training; give another file")
        lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        kept = [line for line, other in self._rows(lines) if other < key]
        with replacing(self.path) as file:
            file.write("".join([*self._head(row, lines if kept else []), *kept]).encode())

    @abstractmethod
    def _start(self) -> str:
        """Return the beginning of every such file."""

    @abstractmethod
    def _head(self, row: dict[str, Any], lines: Sequence[str]) -> list[str]:
        """Return the lines before the first row."""

    @abstractmethod
    def _line(self, row: dict[str, Any]) -> str:
        """Return the line of a row."""

    @abstractmethod
    def _rows(self, lines: list[str]) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield each line that is a row, and its key."""


class CSVLogger(_FileLogger):
    """Writes a CSV table with one row per epoch; None is an empty cell.

    Raises ValueError where the file holds rows of another table, OSError where it cannot be written.

    >>> import numpy as np, chainrule as cr
    >>> from tempfile import mkdtemp
    >>> network, path = cr.Network(1, [cr.Dense(1)]), Path(mkdtemp()) / "log.csv"
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), np.array([[1.0], [2.0]]), np.array([3.0, 5.0]))
    >>> _ = cr.train(objective, network.initialize(0), epochs=3, callbacks=[CSVLogger(path)])
    >>> path.read_text().splitlines()[0].split(",")[:3], len(path.read_text().splitlines())
    (['epoch', 'step', 'loss'], 4)
    """

    def _start(self) -> str:
        return "epoch,step,"

    def _head(self, row: dict[str, Any], lines: Sequence[str]) -> list[str]:
        head, self._columns = self._written(row), (*row,)
        if lines and lines[0] != head:
            raise ValueError(f"{self.path}: its columns are not those of this training; give another file")
        return [head]

    def _line(self, row: dict[str, Any]) -> str:
        return self._written(row.get(name) for name in self._columns)

    def _rows(self, lines: list[str]) -> Iterator[tuple[str, tuple[int, int]]]:
        for line, row in zip(lines[1:], csv.DictReader(lines), strict=False):
            try:
                yield line, _key(row)
            except (KeyError, ValueError, TypeError) as error:
                raise ValueError(f"{self.path}: it is not a log of a training; give another file") from error

    def _written(self, cells: Any) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        return text.getvalue()


class JSONLinesLogger(_FileLogger):
    """Writes one JSON object per epoch and line; numbers that JSON lacks (inf, nan) become null.

    Raises ValueError where the file is no such log, OSError where it cannot be written.
    """

    def _start(self) -> str:
        return '{"epoch": '

    def _head(self, row: dict[str, Any], lines: Sequence[str]) -> list[str]:
        return []

    def _line(self, row: dict[str, Any]) -> str:
        return json.dumps(Plain()(row), allow_nan=False) + "\n"

    def _rows(self, lines: list[str]) -> Iterator[tuple[str, tuple[int, int]]]:
        for line in lines:
            try:
                yield line, _key(json.loads(line))
            except (KeyError, ValueError, TypeError) as error:
                raise ValueError(f"{self.path}: it is not a log of a training; give another file") from error


class TensorBoardLogger:
    """Writes scalars for TensorBoard into a folder, the epoch as their step; each restart has a folder of its own.

    Epochs that are done again take the place of those written before. Raises ValueError where tensorboardX, which
    writes the event files, is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder, self.path = Path(folder), None
        self._last: tuple[int, int] | None = None
        self._writer: Any = None
        _summary_writer()

    def __call__(self, event: Progress) -> None:
        """Write one event."""
        row = values(event)
        key = restart, epoch = _key(row)
        if self._last is None or key <= self._last or restart > self._last[0]:
            self.close()
            folder = self.folder / f"restart_{restart}" if restart else self.folder
            name = f".{time_ns():020}.{os.getpid()}"  # readers take files of one second in the order of their names
            self._writer = _summary_writer()(str(folder), purge_step=epoch, filename_suffix=name)
        for name, value in row.items():
            if isinstance(value, Real) and name not in ("epoch", "restart"):
                self._writer.add_scalar(name, float(value), epoch)
        self._writer.flush()
        self._last = key

    def close(self) -> None:
        """Finish the event file that is being written."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file out of pickles and copies."""
        return {**self.__dict__, "_writer": None, "_last": None}


def _summary_writer() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ValueError('TensorBoardLogger needs tensorboardX: pip install "chainrule[tensorboard]"') from error
    return SummaryWriter


LOGGERS: Mapping[str, Callable[[str | Path], Logger]] = MappingProxyType(
    {".csv": CSVLogger, ".jsonl": JSONLinesLogger, "": TensorBoardLogger}
)
"""Loggers by the ending of their file; a name without one is a folder."""


def logger_for(path: str | Path) -> Logger:
    """Return the logger for a file by its ending; ValueError, with those accepted, for others.

    >>> type(logger_for("log.csv")).__name__
    'CSVLogger'
    """
    path = Path(path)
    ending = "" if path.is_dir() else path.suffix.lower()
    if ending not in LOGGERS:
        raise ValueError(f"{path}: a log is a .csv or .jsonl file, or a folder (for TensorBoard)")
    return LOGGERS[ending](path)
