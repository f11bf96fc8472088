"""A trial: one estimator, trained on some rows and tested on others, without a screen.

    data = load_data("table.csv", "price", test=None, fraction=0.2, task="auto", seed=0)
    trial = plan(data, MLPRegressor())      # columns and network are known; whoever shows them does it now
    trial.run(callbacks=[bar])
    trial.scores()

The encoder is fitted once, each set of rows is encoded once, the network is built once.

Shapes: n rows, i inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from ..engines import report as engine_report
from ..estimators.fitting.fit import PreparedFit
from ..estimators.settings.network import sizes
from ..inspection.statistics import BlockStatistics
from ..loop.progress import Progress
from ..loop.race import Race
from ..loop.range_test import RangeTest
from ..mathematics.blocks import Activation
from ..tables.table import TableError
from .data import Data, Rows, can_stratify, split
from .model_facts import remember_source
from .notes import blaming, noted
from .scores import scores_of

TOLD = {"epochs": "converged yet", "interrupted": "interrupted by user"}
"""The words of a warning that says no more than the reason of stopping, by that reason."""


@dataclass(frozen=True)
class SavedProgress:
    """The progress that a checkpoint holds: epochs done, seconds spent, the start they belong to, and the end."""

    epochs: int
    seconds: float
    start: int
    over: bool


@dataclass
class Trial:
    """One training, planned: its estimator knows encoder and network, its test rows are encoded.

    `validation` are rows that are set apart here, as given; `saved` is the progress in a checkpoint that is there.
    `remarks` are what reading and planning have to say: what was guessed, what is left out.
    After `run`: `seconds`, `notes`, the optimiser's `figures` of the last epoch, and `blocks` where the statistics of
    that epoch were asked for.
    """

    data: Data
    model: Any
    prepared: PreparedFit | None
    validation: Rows | None
    test: Rows | None
    saved: SavedProgress | None
    remarks: tuple[str, ...] = ()
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    blocks: tuple[BlockStatistics, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def layer_sizes(self) -> list[int]:
        """The number of inputs, the size of each hidden layer, the number of outputs."""
        network = self.model.network_
        return [network.inputs, *sizes(self.model.get_params(deep=False)), network.outputs]

    @property
    def block_names(self) -> list[str]:
        """The name of each block of the network: an activation's own, or that of the class."""
        blocks = self.model.network_.blocks
        return [block.name if isinstance(block, Activation) else type(block).__name__ for block in blocks]

    @property
    def score_name(self) -> str:
        """The name of the validation score."""
        usual = "accuracy" if self.data.task == "classification" else "R²"
        return str(self.model.scoring or usual)

    def run(self, callbacks: Sequence[Callable[[Progress], Any]] = (), statistics: bool = False) -> None:
        """Train; `callbacks` read the events. Raises ValueError as `fit` does, and where no epoch was reached."""
        last: list[Progress] = []
        self.model.set_params(callbacks=[*callbacks, lambda event: last.__setitem__(slice(None), [event])])
        with noted() as notes:
            started = perf_counter()
            self._fit()
            self.seconds = perf_counter() - started
        self.model.set_params(callbacks=None)
        remember_source(self.model, self.data.source)
        if last:
            self.figures = last[0].figures
            self.blocks = last[0].statistics if statistics else ()
        reason = self.model.stop_reason_
        if reason == "diverged" and not self.model.loss_curve_:
            cause = next((text for text in notes if "diverged" in text), "training diverged")
            raise ValueError(cause.partition("; the best weights")[0])
        self.notes = [text for text in notes if reason not in TOLD or TOLD[reason] not in text]
        if missing := engine_report()["missing"]:
            self.notes.append(f"the reference engine runs, several times slower: {missing}")

    def _fit(self) -> None:
        held = self.validation
        if held is None:
            self.model.fit_prepared(self._taken())
        else:
            self.model.fit_prepared(self._taken(), held.X, held.y)

    def _taken(self) -> PreparedFit:
        """Return the prepared fit and let go of it: its rows need not stay in memory."""
        prepared, self.prepared = self.prepared, None
        if prepared is None:
            raise RuntimeError("a trial runs once; plan another")
        return prepared

    def range_test(self, low: float, high: float, steps: int) -> tuple[RangeTest, list[str]]:
        """Return the learning-rate range test on the training rows, and the notes on it."""
        with noted() as notes:
            found = self.model.range_test_prepared(self._taken(), low=low, high=high, steps=steps)
        return found, notes

    def race(self, solvers: Mapping[str, Mapping[str, Any]], **race: Any) -> tuple[Race, list[str]]:
        """Return the race of solvers on the training rows, as `race_prepared` has it, and the notes on it."""
        with noted() as notes:
            found = self.model.race_prepared(self._taken(), solvers, **race)
        return found, notes

    def scores(self) -> dict[str, Any] | None:
        """Return the test scores, None without test rows."""
        if self.test is None:
            return None
        with noted() as notes:
            scores = scores_of(self.model.for_encoded_rows(), self.test)
        self.notes += notes
        return scores


def plan(data: Data, model: Any, validate: bool = True) -> Trial:
    """Return the trial of an estimator that is not fitted yet; without `validate` no row is set apart for validation.

    Raises ValueError, one line, for data and settings that cannot be trained with: test rows are checked as well.
    """
    rows, held = _validation_split(data, model) if validate else (data.train, None)
    with noted() as notes, blaming(data.source.name, TableError):
        prepared = model.prepare(rows.X, rows.y, rows.weight)
    test, of_test = None, []
    if data.test is not None:
        with noted() as of_test, blaming(data.test_name):
            test = Rows(model.encoded(data.test.X, prepared), data.test.y)
    prefix = "" if data.test_name == data.source.name else f"{data.test_name}: "
    remarks = dict.fromkeys([*data.notes, *notes, *(f"{prefix}{text}" for text in of_test)])
    return Trial(data, model, prepared, held, test, _saved_progress(prepared), tuple(remarks))


def _saved_progress(prepared: PreparedFit) -> SavedProgress | None:
    if (saved := prepared.saved) is None:
        return None
    return SavedProgress(len(saved.history), saved.seconds, saved.state.restart, saved.reason is not None)


def _validation_split(data: Data, model: Any) -> tuple[Rows, Rows | None]:
    """Return training and validation rows where a class is too rare for scikit-learn's split, else all rows and None.

    Where it is not too rare, the estimator holds out rows of its own.
    """
    rows, share = data.train, model.validation_fraction
    if not model.early_stopping or data.task != "classification" or can_stratify(rows.y, share):
        return rows, None
    kept, other = split(rows.y, share, model.random_state or 0, labels=True)
    return rows.part(kept), rows.part(other) if len(other) else None
