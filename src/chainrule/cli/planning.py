"""The training that a command line describes: asked for here, planned by the workbench, announced here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from ..estimators.presets import Facts
from ..workbench.asking import Dialect, names_of
from ..workbench.data import load_data
from ..workbench.trial import Trial, plan
from . import show
from .data_options import asked_of
from .option_types import as_options
from .options import ESTIMATORS, by_label, given_settings, settled, without_effect

_READ_AS = {"number": "numbers", "moment": "seconds since 1970", "duration": "seconds"}
"""The words for cells of a target, where they are no plain numbers."""


@contextmanager
def in_options() -> Iterator[None]:
    """Turn the words of an error about settings into those of the command line."""
    try:
        yield
    except ValueError as error:
        raise ValueError(as_options(str(error))) from error


@dataclass
class PlannedTraining:
    """A planned trial, its settings, and a remark for each option that has no effect."""

    trial: Trial
    settings: dict[str, Any]
    remarks: list[str]

    def announce(self) -> None:
        """Print the data, the network, and the remarks."""
        trial, data, source = self.trial, self.trial.data, self.trial.data.source
        columns = show.plural(source.X.shape[1], "column" if data.is_table else "input")
        show.line(f"data: {source.name}, {show.plural(len(source.X), 'row')} with {columns}")
        if source.dialect not in (None, Dialect()):
            show.line(f"read with: {source.dialect.words()}")
        show.line(f"task: {data.task}, because {data.why}")
        for name, form in zip(names_of(source.target), source.forms, strict=False):
            if form.form:
                show.line(f"target: {name!r} is written like {form.form}, and read as {_READ_AS[form.reads]}")
        self._announce_inputs()
        early = self.settings["early_stopping"]
        kept = f", {self.settings['validation_fraction'] * 100:g} % of them for validation" if early else ""
        weighed = "" if source.weights_name is None else f", weighed by {source.weights_name!r}"
        show.line(f"train: {show.plural(len(data.train), 'row')}{weighed}{kept}")
        if data.test is not None:
            show.line(f"test: {show.plural(len(data.test), 'row')}, {data.tested_on}")
        words = ["-".join(map(str, trial.layer_sizes)), *dict.fromkeys(trial.block_names)]
        words.remove("Dense")
        show.line(f"network: {', '.join(words)}, {show.plural(trial.model.network_.size, 'parameter')}")
        if self.settings["checkpoint"] is not None:
            show.line(f"checkpoint: {self._checkpoint_words()}")
        for text in self.remarks:
            show.note(text)

    def _announce_inputs(self) -> None:
        encoder = self.trial.model.encoder_
        if encoder is not None and self.trial.data.is_table:
            show.line(f"columns: {show.plural(len(encoder.feature_names_out_), 'input')} from")
            for text in show.first_lines(encoder.describe().splitlines(), "columns"):
                show.line(f"  {text}", "dim")
        elif self.settings["preprocessing"] == "always":
            show.line("inputs: standardised, constant ones left out")
        elif self.settings["input_scale"] != 1:
            show.line(f"inputs: multiplied by {self.settings['input_scale']:.6g}")

    def _checkpoint_words(self) -> str:
        """Return the progress that the checkpoint holds, or how often it is written."""
        path, often, saved = self.settings["checkpoint"], self.settings["checkpoint_every"], self.trial.saved
        if saved is None:
            return f"{path}, written every {often.removeprefix('1 ')}"
        start = f" of start {saved.start + 1}" if self.settings["n_restarts"] > 1 else ""
        over = ", and the training is over" if saved.over else ""
        return f"{path} holds {show.plural(saved.epochs, 'epoch')}{start}, done in {saved.seconds:.1f} s{over}"


def planned_training(
    ctx: click.Context,
    source: str,
    test: str | None,
    fraction: float,
    validate: bool = True,
) -> PlannedTraining:
    """Return the training that a command line describes.

    Raises ValueError or click.UsageError, one line, for data and options that cannot be trained with.
    """
    given = given_settings(ctx)
    asked = asked_of(ctx)
    seed = (given.get("random_state", 0) or 0) % 2**32
    data = load_data(source, None, test, fraction, asked.task, seed, asked)
    image_shape = data.source.image_shape
    facts = Facts(len(data.train), data.standardise, data.source.scale, image_shape=image_shape)
    chosen = settled(data.task, given, facts)
    remarks = without_effect(data.task, given, chosen)
    if "class_weight" in chosen:
        chosen["class_weight"] = by_label(chosen["class_weight"], np.unique(data.train.y))
    model = ESTIMATORS[data.task](**chosen)
    with in_options():
        trial = plan(data, model, validate)
    return PlannedTraining(trial, model.get_params(deep=False), [*map(as_options, trial.remarks), *remarks])
