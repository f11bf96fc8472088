"""Checkpoints: a training that was killed goes on from its last checkpoint, bit for bit as if it had never stopped.

A checkpoint is a signed file (tensors and JSON, nothing to execute) that holds the training
state, the events so far, the position within the epoch, the seconds spent, and the fingerprint of data and settings. It
takes the place of the one before in a single step, so that a kill at any moment leaves a whole file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ..foundation.files import cause_of, clear_leftovers
from ..optimizers import Memory
from ..storage import signed_file
from ..storage.records import Record, Records
from ..storage.vocabulary import UnstorableError
from .fingerprint import Fingerprint, difference
from .progress import Progress, Reason, Result, TrainingState

FILE = signed_file.Kind("chainrule_checkpoint", "checkpoint", 1, 1)
Unit = Literal["epoch", "step", "second"]


class CheckpointError(ValueError):
    """A checkpoint that cannot be written, read or continued; the message is one line naming the file and the cause."""


@dataclass(frozen=True)
class Interval:
    """The time between two checkpoints: every `count` epochs, steps or seconds.

    >>> Interval.parse("30 seconds"), Interval.parse("1 epoch")
    (Interval(count=30.0, unit='second'), Interval(count=1.0, unit='epoch'))
    """

    count: float
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Return the interval of a text such as "10 epochs"; ValueError, with what is accepted, for others."""
        found = re.fullmatch(rf"(\d+(?:\.\d+)?) *({'|'.join(get_args(Unit))})s?", str(text).strip())
        count = float(found[1]) if found else 0.0
        if not found or count == 0 or (found[2] != "second" and count % 1):
            raise ValueError(f"every must be a text such as '1 epoch', '500 steps' or '30 seconds', got {text!r}")
        return cls(count, found[2])  # type: ignore[arg-type]  # the expression lists the units

    @classmethod
    def accepts(cls, text: Any) -> bool:
        """Return True for the text of an interval."""
        try:
            return isinstance(text, str) and bool(cls.parse(text))
        except ValueError:
            return False


class EarlierStarts(NamedTuple):
    """The starts before this one (see n_restarts): the best Result of them, and the seconds they took."""

    best: Result | None = None
    seconds: float = 0.0


NO_EARLIER_STARTS = EarlierStarts()


@dataclass(frozen=True)
class Checkpoint:
    """The file that keeps a training, and how often it is written: "10 epochs", "500 steps" or "30 seconds".

    `about` holds further settings, as plain JSON, that make it another training; `earlier` is kept along; with
    `anew` a file that is there is not read but replaced; `saved` is the content of the file, where it has been read
    already. Raises ValueError for an interval that is none.

    >>> import numpy as np, chainrule as cr
    >>> from tempfile import mkdtemp
    >>> network = cr.Network(1, [cr.Dense(1)])
    >>> objective = cr.Objective(network, cr.losses.SquaredError(), np.array([[1.0], [2.0]]), np.array([3.0, 5.0]))
    >>> settings = {"epochs": 5, "checkpoint": Checkpoint(Path(mkdtemp()) / "run.checkpoint", every="2 steps")}
    >>> first, again = (cr.train(objective, network.initialize(0), **settings) for _ in range(2))
    >>> len(again.history), bool((first.theta == again.theta).all())
    (5, True)
    """

    path: str | Path
    every: str = "1 epoch"
    about: Mapping[str, Any] = field(default_factory=dict)
    earlier: EarlierStarts = NO_EARLIER_STARTS
    anew: bool = False
    saved: SavedTraining | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        Interval.parse(self.every)


@dataclass
class EpochPosition:
    """A position within an epoch: the weights at its start, kept for a divergence, and the results of its steps so far.

    `average` is the average of the weights at its start, where there is one.
    """

    good: NDArray[np.floating]
    losses: list[float] = field(default_factory=list)
    gradient_norm: float = 0.0
    learning_rate: float | None = None
    average: NDArray[np.floating] | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass
class SavedTraining:
    """The content of a checkpoint. `reason` is None where the training is not over."""

    state: TrainingState
    history: list[Progress]
    position: EpochPosition | None
    seconds: float
    reason: Reason | None = None
    message: str = ""
    earlier: EarlierStarts = NO_EARLIER_STARTS
    facts: Fingerprint = field(default_factory=dict, repr=False)


class CheckpointWriter:
    """Reads the checkpoint of a training, says when the next one is due, and writes it; nothing without a Checkpoint.

    `facts` gives the fingerprint of the training.
    """

    def __init__(self, checkpoint: Checkpoint | None, facts: Callable[[], Fingerprint]) -> None:
        self.checkpoint = checkpoint
        self.interval = Interval(inf, "second") if checkpoint is None else Interval.parse(checkpoint.every)
        self.facts = {} if checkpoint is None else {**facts(), **checkpoint.about}
        self.written = perf_counter()

    def read(self, epochs: int) -> SavedTraining | None:
        """Return the training that the checkpoint holds; None where there is no checkpoint yet, or a new one is wanted.

        Raises CheckpointError for a file that is damaged, of another training, or past so many epochs.
        """
        if self.checkpoint is None:
            return None
        path = Path(self.checkpoint.path)
        clear_leftovers(path)
        saved = None if self.checkpoint.anew else self.checkpoint.saved or read(path)
        if saved is None:
            return None
        if told := difference(saved.facts, self.facts):
            raise CheckpointError(f"{path}: refused: {told}")
        if len(saved.history) > epochs:
            raise CheckpointError(f"{path}: refused: {len(saved.history)} epochs are done, now {epochs} are asked for")
        return saved

    def steps_left(self, step: int) -> float:
        """Return the number of steps that may be done before the next checkpoint."""
        return self.interval.count - step % self.interval.count if self.interval.unit == "step" else inf

    def due_after_step(self, step: int) -> bool:
        """Return True where a checkpoint is due within an epoch, by the steps or the seconds."""
        if self.interval.unit == "step":
            return step % self.interval.count == 0
        return self.interval.unit == "second" and perf_counter() - self.written >= self.interval.count

    def due_after_epoch(self, epochs: int) -> bool:
        """Return True where a checkpoint is due by the epochs that are done."""
        return self.interval.unit == "epoch" and epochs % self.interval.count == 0

    def write(self, saved: SavedTraining) -> None:
        """Write the training as it stands."""
        if self.checkpoint is not None:
            write(Path(self.checkpoint.path), replace(saved, earlier=self.checkpoint.earlier), self.facts)
            self.written = perf_counter()


# ---------------------------------------------------------------------------------------------------- the file

PLACEHOLDER = np.zeros(0)
"""The θ of events read from a file, until their training puts its live one there."""


def with_live_theta(history: list[Progress], theta: NDArray[np.floating]) -> list[Progress]:
    """Return the events of a file with the live θ of their training."""
    return [replace(event, theta=theta) for event in history]


def _read_state(memory: Any, average: Any, **others: Any) -> TrainingState:
    """Return a training state; format 1.0 kept the count, the arrays and a moving average in one mapping."""
    if isinstance(memory, dict):
        moving = memory.pop("average", None)
        average = moving if average is None else average
        memory = Memory(memory.pop("t"), memory)
    return TrainingState(memory=memory, average=average, **others)


def _read_training(state: TrainingState, history: list[Progress], **others: Any) -> SavedTraining:
    return SavedTraining(state=state, history=with_live_theta(history, state.theta), **others)


def _read_result(state: TrainingState, history: list[Progress], **others: Any) -> Result:
    return Result(state=state, history=with_live_theta(history, state.theta), **others)


RECORDS = Records(
    kinds={
        SavedTraining: Record(_read_training, {"place": "position", "before": "earlier"}),
        TrainingState: Record(_read_state),
        Memory: Record(Memory),
        EpochPosition: Record(EpochPosition, {"judged": "average"}),
        EarlierStarts: Record(EarlierStarts),
        Result: Record(_read_result),
    },
    event=Progress,
    make_event=partial(Progress, theta=PLACEHOLDER),
    earlier={"Kept": "SavedTraining", "Place": "EpochPosition", "Before": "EarlierStarts"},
)
"""Every record that a checkpoint can hold, beside events and the model file's vocabulary.

A new record (a dataclass or a NamedTuple in the state or in the events) gets its row here. The earlier names are those
of format 1.0.
"""


def write(path: Path, saved: SavedTraining, facts: Fingerprint) -> None:
    """Write a checkpoint, whole or not at all.

    Raises CheckpointError where that is not possible.
    """
    tensors: dict[str, NDArray[Any]] = {}
    try:
        signed_file.write(path, FILE, {"facts": facts, "kept": RECORDS.pack(saved, "kept", tensors)}, tensors)
    except (OSError, ValueError, UnstorableError) as error:
        cause = cause_of(error)
        raise CheckpointError(f"{path}: not written, {cause[:1].lower()}{cause[1:]}") from error


def read(path: str | Path) -> SavedTraining | None:
    """Return the content of a checkpoint, None where there is no file.

    Raises CheckpointError for a file that cannot be read, is damaged, or no checkpoint.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read, {cause_of(error).lower()}") from error
    try:
        document, tensors = signed_file.read(content, FILE)
    except signed_file.SignedFileError as error:
        raise CheckpointError(f"{path}: {error}") from error
    try:
        saved: SavedTraining = RECORDS.unpack(document["kept"], tensors)
        if not isinstance(saved, SavedTraining) or not isinstance(saved.state, TrainingState):
            raise ValueError("there is no training in it")
        return replace(saved, facts=_facts(document["facts"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: what it holds is not valid: {str(error)[:80]}") from error


def _facts(facts: Fingerprint) -> Fingerprint:
    """Return the fingerprint in a file; in format 1.0 a recipe repeated the decay that `averaging` holds."""
    recipe = facts.get("recipe")
    return facts | {"recipe": {n: v for n, v in recipe.items() if n != "average"}} if recipe else facts
