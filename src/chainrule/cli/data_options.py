"""The options that say what the data are: target, test rows, task; for every command that trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of the data."""
    options = (
        click.option(
            "--target", metavar="COLUMN", help="what to predict: a column of a table, an array of an NPZ file"
        ),
        click.option("--test", metavar="FILE", help="test on this file, and train on every row of SOURCE"),
        click.option(
            "--test-fraction",
            type=click.FloatRange(0, 1, max_open=True),
            default=0.2,
            metavar="NUMBER",
            help="share of the rows held out for the test where SOURCE brings none; 0 tests nothing  [0.2]",
        ),
        click.option(
            "--task",
            type=click.Choice(["auto", "classification", "regression"]),
            default="auto",
            help="auto tells from the target  [auto]",
        ),
    )
    for add in options:
        command = add(command)
    return command
