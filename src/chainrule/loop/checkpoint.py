"""Checkpoints: a training that was killed goes on from its last checkpoint, bit for bit as if it had never stopped.

A checkpoint is a signed file (tensors and JSON, nothing to execute) that holds what the loop remembers: the training
state, the events so far, the place within the epoch, the seconds spent, and the fingerprint of data and settings. It
takes the place of the one before in a single step, so that a kill at any moment leaves a whole file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from math import inf
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ..foundation.files import clear_leftovers
from ..storage import signed_file
from ..storage.vocabulary import UnstorableError, decode, encode
from .fingerprint import Facts, difference
from .progress import Progress, Reason, Result, TrainingState

FILE = signed_file.Kind("chainrule_checkpoint", "checkpoint", 1, 0)
Unit = Literal["epoch", "step", "second"]


class CheckpointError(ValueError):
    """A checkpoint that cannot be written, read or continued; the message is one line naming the file and the cause."""


@dataclass(frozen=True)
class Interval:
    """How often: every `count` epochs, steps or seconds.

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
        """Return whether a text is an interval."""
        try:
            return isinstance(text, str) and bool(cls.parse(text))
        except ValueError:
            return False


class Before(NamedTuple):
    """What the starts before this one came to (see n_restarts): the best of them, and the seconds they took."""

    best: Result | None = None
    seconds: float = 0.0


NOTHING = Before()


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a training is kept: "10 epochs", "500 steps" or "30 seconds".

    `about` holds further settings, as plain JSON, that make it another training; `before` is kept along; with `anew`
    a file that is there is not read but replaced; `saved` is what the file holds, where it has been read already.
    Raises ValueError for an interval that is none.

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
    before: Before = NOTHING
    anew: bool = False
    saved: Kept | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        Interval.parse(self.every)


@dataclass
class Place:
    """A place within an epoch: the weights at its start, kept for a divergence, and what its steps gave so far.

    `judged` is the average of the weights at its start, where there is one.
    """

    good: NDArray[np.floating]
    losses: list[float] = field(default_factory=list)
    gradient_norm: float = 0.0
    learning_rate: float | None = None
    judged: NDArray[np.floating] | None = None


NOWHERE = np.zeros(0)
"""Stands for the live weights in events that no training has taken over yet."""


@dataclass
class Kept:
    """What a checkpoint holds. `reason` is None where the training is not over."""

    state: TrainingState
    history: list[Progress]
    place: Place | None
    seconds: float
    reason: Reason | None = None
    message: str = ""
    before: Before = NOTHING
    facts: Facts = field(default_factory=dict)


class Running(Protocol):
    """What a checkpoint reads of the training loop, and puts back."""

    state: TrainingState
    history: list[Progress]
    place: Place | None

    def seconds(self) -> float:
        """Return the seconds spent so far."""

    def spent(self, seconds: float) -> None:
        """Count from `seconds` on."""


class Keeper:
    """Keeps one running training; without a Checkpoint it does nothing."""

    def __init__(self, checkpoint: Checkpoint | None, running: Running, facts: Callable[[], Facts]) -> None:
        self.checkpoint, self.running = checkpoint, running
        self.interval = Interval(inf, "second") if checkpoint is None else Interval.parse(checkpoint.every)
        self.facts = {} if checkpoint is None else {**facts(), **checkpoint.about}
        self.written = perf_counter()

    def resume(self, epochs: int) -> Kept | None:
        """Put the training where its checkpoint left it; write the first one, and return None, where there is none.

        Raises CheckpointError for a file that is damaged, of another training, or past so many epochs.
        """
        if self.checkpoint is None:
            return None
        path, running = Path(self.checkpoint.path), self.running
        clear_leftovers(path)
        kept = None if self.checkpoint.anew else self.checkpoint.saved or read(path)
        if kept is None:
            self.write()
            return None
        if told := difference(kept.facts, self.facts):
            raise CheckpointError(f"{path}: refused: {told}")
        if len(kept.history) > epochs:
            raise CheckpointError(f"{path}: refused: {len(kept.history)} epochs are done, now {epochs} are asked for")
        running.state.theta[:] = kept.state.theta
        for each in fields(TrainingState):
            if each.name != "theta":
                setattr(running.state, each.name, getattr(kept.state, each.name))
        running.history[:] = [replace(event, theta=running.state.theta) for event in kept.history]
        running.place = kept.place
        running.spent(kept.seconds)
        return kept

    def room(self, step: int) -> float:
        """Return how many steps may be done before the next checkpoint."""
        return self.interval.count - step % self.interval.count if self.interval.unit == "step" else inf

    def after_steps(self) -> None:
        """Write a checkpoint where one is due by the steps or the seconds."""
        since = {"step": self.running.state.step % self.interval.count == 0, "second": self._waited()}
        if since.get(self.interval.unit):
            self.write()

    def after_epoch(self) -> None:
        """Write a checkpoint where one is due by the epochs."""
        if self.interval.unit == "epoch" and len(self.running.history) % self.interval.count == 0:
            self.write()

    def _waited(self) -> bool:
        return perf_counter() - self.written >= self.interval.count

    def write(self, reason: Reason | None = None, message: str = "") -> None:
        """Write the training as it stands, over or not."""
        if self.checkpoint is None:
            return
        run = self.running
        kept = Kept(run.state, run.history, run.place, run.seconds(), reason, message, self.checkpoint.before)
        write(Path(self.checkpoint.path), kept, self.facts)
        self.written = perf_counter()


# ---------------------------------------------------------------------------------------------------- the file

RECORDS: Mapping[str, type[Any]] = MappingProxyType(
    {kind.__name__: kind for kind in (Kept, TrainingState, Place, Before, Result)}
)
"""Every record that a checkpoint can hold, beside events and the model file's vocabulary.

A new record (a dataclass or a NamedTuple in the state or in the events) gets its row here.
"""

COLUMNS: Mapping[type, type] = MappingProxyType({float: np.float64, int: np.int64})
"""Lists of one of these types are kept as tensors."""


def write(path: Path, kept: Kept, facts: Facts) -> None:
    """Write a checkpoint, whole or not at all.

    Raises CheckpointError where that is not possible.
    """
    tensors: dict[str, NDArray[Any]] = {}
    try:
        signed_file.write(path, FILE, {"facts": facts, "kept": pack(kept, "kept", tensors)}, tensors)
    except (OSError, ValueError, UnstorableError) as error:
        cause = str(getattr(error, "strerror", None) or error)
        raise CheckpointError(f"{path}: not written, {cause[:1].lower()}{cause[1:]}") from error


def read(path: str | Path) -> Kept | None:
    """Return what a checkpoint holds, None where there is no file.

    Raises CheckpointError for a file that cannot be read, is damaged, or no checkpoint.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read, {(error.strerror or str(error)).lower()}") from error
    try:
        document, tensors = signed_file.read(content, FILE)
    except signed_file.SignedFileError as error:
        raise CheckpointError(f"{path}: {error}") from error
    try:
        kept: Kept = unpack(document["kept"], tensors)
        if not isinstance(kept, Kept) or not isinstance(kept.state, TrainingState):
            raise ValueError("there is no training in it")
        return replace(kept, facts=document["facts"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: what it holds is not valid: {str(error)[:80]}") from error


def pack(value: Any, name: str, tensors: dict[str, NDArray[Any]]) -> Any:
    """Return a value as plain JSON, its arrays put into `tensors` under names that start with `name`."""
    kinds = set(map(type, value)) if isinstance(value, list) else set()
    if isinstance(value, np.ndarray) or (len(kinds) == 1 and kinds <= COLUMNS.keys()):
        tensors[name] = value if isinstance(value, np.ndarray) else np.array(value, COLUMNS[kinds.pop()])
        return {"tensor" if isinstance(value, np.ndarray) else "column": name}
    if kinds == {Progress}:
        names = [each.name for each in fields(Progress) if each.repr]  # not θ, nor what knows the data
        columns = {each: [getattr(event, each) for event in value] for each in names}
        return {"events": pack(columns, name, tensors)}
    if type(value).__name__ in RECORDS and type(value) is RECORDS[type(value).__name__]:
        own = getattr(value, "_fields", None) or [each.name for each in fields(value)]
        content = pack({each: getattr(value, each) for each in own}, name, tensors)
        return {"record": type(value).__name__, "fields": content}
    if isinstance(value, Mapping):
        return {"map": {key: pack(item, f"{name}.{key}", tensors) for key, item in value.items()}}
    if hasattr(value, "_fields"):
        raise UnstorableError(f"a checkpoint has no words for a {type(value).__name__}")
    if isinstance(value, list | tuple):
        items = [pack(item, f"{name}.{k}", tensors) for k, item in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": items}
    return encode(value)


def unpack(entry: Any, tensors: Mapping[str, NDArray[Any]]) -> Any:
    """Return what `pack` was given; ValueError, KeyError or TypeError for anything else."""
    if not isinstance(entry, dict):
        return decode(entry)
    if "record" in entry:
        record = RECORDS[entry["record"]](**unpack(entry["fields"], tensors))
        if hasattr(record, "history"):
            record.history[:] = [replace(event, theta=record.state.theta) for event in record.history]
        return record
    if "events" in entry:
        columns = unpack(entry["events"], tensors)
        rows = zip(*columns.values(), strict=True)
        return [Progress(**dict(zip(columns, row, strict=True)), theta=NOWHERE) for row in rows]
    readers: Mapping[str, Callable[[Any], Any]] = {
        "tensor": lambda name: tensors[name],
        "column": lambda name: tensors[name].tolist(),
        "map": lambda items: {key: unpack(item, tensors) for key, item in items.items()},
        "list": lambda items: [unpack(item, tensors) for item in items],
        "tuple": lambda items: tuple(unpack(item, tensors) for item in items),
    }
    kind, *more = entry
    return decode(entry) if more or kind not in readers else readers[kind](entry[kind])
