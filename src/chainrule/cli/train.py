"""`chainrule train`: from a file to a tested, saved network."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import click
import numpy as np

from ..engines import report as engine_report
from ..estimators.fitted.saving import save
from ..estimators.presets import Facts
from ..estimators.settings import loss as loss_settings
from ..estimators.settings import network as assembly
from ..estimators.settings.table import SETTINGS
from ..inspection.statistics import BlockStatistics
from ..loop import checkpoint
from ..loop.loggers import logger_for
from ..loop.range_test import RangeTest
from ..mathematics.blocks import Activation, Block
from ..mathematics.network import Network
from ..tables.encoder import TableEncoder
from ..workbench.data import Data, Rows, can_stratify, data_options, encoder_of, prepare, split
from ..workbench.scores import scores_of
from . import show, version
from .option_types import as_options
from .options import (
    ESTIMATORS,
    SIGNATURES,
    TrainCommand,
    by_label,
    given_settings,
    settled,
    training_options,
    without_effect,
)


@click.command(
    cls=TrainCommand,
    params=training_options(),
    epilog="Example: chainrule train digits --out digits.safetensors",
    context_settings={"max_content_width": 100},
)
@click.argument("source")
@data_options
@click.option("--out", metavar="FILE", help="save the model here, such as model.safetensors")
@click.option("--log", metavar="PATH", help="write each epoch to a .csv or .jsonl file, or for TensorBoard to a folder")
@click.option("--statistics", is_flag=True, help="show each block's outputs and gradients after the last epoch")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
@click.option("--quiet", is_flag=True, help="print nothing but the test scores, on one line")
@click.pass_context
def train(
    ctx: click.Context, /, source: str, target: str | None, out: str | None, test: str | None, **rest: Any
) -> None:
    """Train a network on SOURCE, test it on rows it has not seen, and save it.

    SOURCE is a table (.csv, .csv.gz, .tsv, .parquet), an .npz file, MNIST's idx files or their folder, or the word
    digits for a data set that is always there.
    """
    given = given_settings(ctx)
    logger = None if rest["log"] is None else logger_for(rest["log"])
    check_files(
        {"--out": out, "--checkpoint": given.get("checkpoint"), "--log": getattr(logger, "path", None)}, source, test
    )
    seed = given.get("random_state", 0) or 0
    data = prepare(source, target, test, rest["test_fraction"], rest["task"], seed % 2**32)
    training = Training(data, given, test, rest["statistics"])
    telling = not (rest["as_json"] or rest["quiet"])
    if telling:
        training.announce()
    training.run(bar=not rest["quiet"], readers=[] if logger is None else [logger])
    if out is not None:
        save(training.model, out)
    scores = training.scores()
    if rest["as_json"]:
        return show.as_json(training.report(scores, out))
    if telling:
        training.tell_end()
    if scores is not None:
        show.line(show.score_line(scores))
    if telling:
        show.show_scores(scores or {})
        _tell_file(out, data)
    return None


def not_itself(option: str, out: str, *read: str | None) -> None:
    """Raise ValueError where `out` is one of the files that are read."""
    for name in filter(None, read):
        if Path(out).exists() and Path(name).exists() and Path(out).samefile(name):
            raise ValueError(f"{option} {out}: that would overwrite what is read; give another name")


def check_files(written: Mapping[str, str | Path | None], *read: str | None) -> None:
    """Raise ValueError, before any training, for files that could not be written or that are something else as well."""
    taken: dict[Path, str] = {}
    for name, path in written.items():
        if path is None:
            continue
        check_writable(name, Path(path))
        not_itself(name, str(path), *read)
        other = taken.setdefault(Path(path).resolve(), name)
        if other != name:
            raise ValueError(f"{other} and {name} name the same file, {path}")


def check_writable(option: str, path: Path) -> None:
    """Raise ValueError for a file that could not be written."""
    if path.is_dir():
        raise ValueError(f"{option} {path}: it is a folder; give the name of a file in it")
    if path.exists() and not path.is_file():
        raise ValueError(f"{option} {path}: it is not a regular file")
    if not path.parent.is_dir():
        raise ValueError(f"{option} {path}: there is no folder {str(path.parent)!r}")
    trial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        trial.open("xb").close()
        trial.unlink()
    except OSError as error:
        raise ValueError(f"{option} {path}: cannot be written, {(error.strerror or str(error)).lower()}") from error
    if path.exists() and not os.access(path, os.W_OK):
        raise ValueError(f"{option} {path}: cannot be written, it is read-only")


def _tell_file(out: str | None, data: Data) -> None:
    if out is None:
        show.line("not saved; --out model.safetensors keeps the model")
        return
    new = "NEW.csv" if data.is_table else "digits" if data.source.name == "digits" else "NEW"
    show.line(f"saved: {out}; to predict with it: chainrule predict {out} {new} --out predictions.csv")


def _block_name(block: Block) -> str:
    return block.name if isinstance(block, Activation) else type(block).__name__


class Training:
    """One training: the settled settings, the estimator, and what is to be said about them."""

    def __init__(self, data: Data, given: Mapping[str, Any], test: str | None, statistics: bool = False) -> None:
        self.statistics = statistics
        rows = len(data.train)
        self.data = data
        facts = Facts(rows, data.standardise, data.source.scale, image_shape=data.source.image_shape)
        self.chosen = settled(data.task, given, facts)
        self.remarks = without_effect(data.task, given, self.chosen)
        self.notes: list[str] = []
        if "class_weight" in self.chosen:
            self.chosen["class_weight"] = by_label(self.chosen["class_weight"], np.unique(data.train.y))
        self.settings = {**SIGNATURES[data.task], **self.chosen}
        self.model = ESTIMATORS[data.task](**self.chosen)
        self.encoder: TableEncoder | None = encoder_of(
            data, self.settings["preprocessing"], self.settings["dtype"], test or data.source.name
        )
        self.network = self._planned()
        self.score: str = self.settings["scoring"] or ("accuracy" if data.task == "classification" else "R²")
        self.seconds = 0.0
        self.blocks: tuple[BlockStatistics, ...] = ()

    def announce(self) -> None:
        """Say what will be trained, on what."""
        data, source = self.data, self.data.source
        columns = "columns" if data.is_table else "inputs"
        show.line(f"data: {source.name}, {show.plural(len(source.X), 'row')} with {source.X.shape[1]:,} {columns}")
        show.line(f"task: {data.task}, because {data.why}")
        self._announce_inputs()
        early = self.settings["early_stopping"]
        kept = f", {self.settings['validation_fraction'] * 100:g} % of them for validation" if early else ""
        show.line(f"train: {show.plural(len(data.train), 'row')}{kept}")
        if data.test is not None:
            show.line(f"test: {show.plural(len(data.test), 'row')}, {data.tested_on}")
        sizes = (self.network.inputs, *assembly.sizes(self.settings), self.network.outputs)
        words = ["-".join(map(str, sizes)), *dict.fromkeys(map(_block_name, self.network.blocks))]
        words.remove("Dense")
        show.line(f"network: {', '.join(words)}, {show.plural(self.network.size, 'parameter')}")
        if self.settings["checkpoint"] is not None:
            show.line(f"checkpoint: {self._kept()}")
        for text in self.remarks:
            show.note(text)

    def _kept(self) -> str:
        """Say what the checkpoint holds, and how often it is written."""
        path, often = self.settings["checkpoint"], self.settings["checkpoint_every"]
        kept = checkpoint.read(path)
        if kept is None:
            return f"{path}, written every {often.removeprefix('1 ')}"
        done = show.plural(len(kept.history), "epoch")
        where = f" of start {kept.state.restart + 1}" if self.settings["n_restarts"] > 1 else ""
        over = ", and the training is over" if kept.reason else ""
        return f"{path} holds {done}{where}, done in {kept.seconds:.1f} s{over}"

    def _announce_inputs(self) -> None:
        if self.encoder is not None:
            show.line(f"columns: {show.plural(len(self.encoder.feature_names_out_), 'input')} from")
            for text in show.shortened(self.encoder.describe().splitlines(), "columns"):
                show.line(f"  {text}", "dim")
        elif self.settings["preprocessing"] == "always":
            show.line("inputs: standardised, constant ones left out")
        elif self.settings["input_scale"] != 1:
            show.line(f"inputs: multiplied by {self.settings['input_scale']:.6g}")

    def _planned(self) -> Network:
        """Return the network to come, constant inputs of a matrix still in; ValueError where the loss does not fit."""
        y, X, kind = self.data.train.y, self.data.train.X, self.data.task
        outputs = y.shape[1] if y.ndim > 1 else 1
        if kind == "classification":
            classes = len(np.unique(y))
            outputs = outputs if y.ndim > 1 or classes == 2 else classes
            kind = "multilabel" if y.ndim > 1 else "multiclass" if outputs > 1 else "binary"
        loss_settings.loss(self.settings, cast(loss_settings.Task, kind))
        inputs = X.shape[1] if self.encoder is None else len(self.encoder.feature_names_out_)
        return assembly.network(self.settings, inputs, outputs)

    def run(self, bar: bool, readers: Sequence[Any] = ()) -> None:
        """Fit the estimator, with a live bar and further readers of its events."""
        reader = show.Bar(self.settings["max_iter"], self.score, bar)
        self.model.set_params(callbacks=[reader, *readers])
        with show.noted() as notes, reader.progress:
            started = perf_counter()
            try:
                self._fit()
            except ValueError as error:
                raise ValueError(as_options(str(error))) from error
            self.seconds = perf_counter() - started
        self.model.set_params(callbacks=None)
        if self.statistics and reader.event is not None:
            self.blocks = reader.event.statistics
        self.model.target_name_ = self.data.source.target
        if self.model.stop_reason_ == "diverged" and not self.model.loss_curve_:
            said = next((text for text in notes if "diverged" in text), "training diverged")
            raise ValueError(as_options(said.partition("; the best weights")[0]))
        told = {"epochs": "converged yet", "interrupted": "interrupted by user"}.get(self.model.stop_reason_)
        self.notes = [as_options(text) for text in notes if told is None or told not in text]
        if missing := engine_report()["missing"]:
            self.notes.append(f"the reference engine runs, several times slower: {missing}")

    def _fit(self) -> None:
        """Fit; where a class is too rare for scikit-learn's validation split, split the rows here."""
        rows, held = self.data.train, Rows(None, np.empty(0))
        share = self.settings["validation_fraction"]
        if self.settings["early_stopping"] and self.data.task == "classification" and not can_stratify(rows.y, share):
            kept, other = split(rows.y, share, self.model.random_state or 0, labels=True)
            rows, held = rows.part(kept), rows.part(other)
        if len(held):
            self.model.fit(rows.X, rows.y, X_val=held.X, y_val=held.y)
        else:
            self.model.fit(rows.X, rows.y)

    def range_test(self, low: float, high: float, steps: int) -> tuple[RangeTest, list[str]]:
        """Return the range test of this training on its rows, and what there is to note."""
        with show.noted() as notes:
            found = self.model.range_test(self.data.train.X, self.data.train.y, low=low, high=high, steps=steps)
        return found, notes

    def scores(self) -> dict[str, Any] | None:
        """Return the test scores, None without test rows."""
        if self.data.test is None:
            return None
        with show.noted() as notes:
            scores = scores_of(self.model, self.data.test)
        self.notes += notes
        return scores

    def tell_end(self) -> None:
        """Say how the training went."""
        model, best = self.model, self.model.best_validation_score_
        epochs = show.plural(model.n_iter_, "epoch")
        ending = show.ENDINGS.get(model.stop_reason_, model.stop_reason_)
        show.line(f"trained: {epochs} in {self.seconds:.1f} s, {ending}; loss {show.number(model.loss_)}")
        if best is not None:
            show.line(f"validation {self.score}: {best:.4f}, the best of all epochs")
        if self.blocks:
            show.show_statistics(self.blocks)
        for text in self.notes:
            show.note(text)

    def report(self, scores: Mapping[str, Any] | None, out: str | None) -> dict[str, Any]:
        """Return everything as one JSON object."""
        data, model = self.data, self.model
        return {
            "command": "train",
            "version": version(),
            "source": {"name": data.source.name, "target": data.source.target, "rows": len(data.source.X)},
            "task": data.task,
            "why": data.why,
            "rows": {"train": len(data.train), "test": 0 if data.test is None else len(data.test)},
            "tested_on": data.tested_on,
            "network": {"inputs": model.network_.inputs, "hidden_layer_sizes": assembly.sizes(self.settings)}
            | {"outputs": model.network_.outputs, "parameters": model.network_.size},
            "settings": {name: self.settings[name] for name in SETTINGS if name in self.settings},
            "training": {
                "epochs": model.n_iter_,
                "seconds": self.seconds,
                "stop_reason": model.stop_reason_,
                "loss": model.loss_,
                "best_validation_score": model.best_validation_score_,
            },
            **({"statistics": [asdict(block) for block in self.blocks]} if self.statistics else {}),
            "test": scores,
            "model": out,
            "notes": [*self.remarks, *self.notes],
        }
