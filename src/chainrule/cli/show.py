"""The output of the commands: lines, tables, notes, the progress bar, and JSON.

Results go to stdout; notes and the progress bar to stderr, so that stdout can be piped. With --json stdout holds one
JSON object and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

from .. import BlockStatistics
from ..loop.progress import Progress as Event
from ..workbench.memory import peak_memory_mb
from ..workbench.plain import plain_json

MOST_LINES = 12
"""Of longer lists the beginning is shown."""


ENDINGS: Mapping[str, str] = {
    "epochs": "as many as --max-iter allows",
    "converged": "converged",
    "no change": "no longer improving",
    "time": "out of time (--time-limit)",
    "interrupted": "stopped by Ctrl-C",
    "gave up": "no better point was found",
    "diverged": "diverged; the best weights are kept",
}
"""Why a training ended."""


def line(text: str, style: str = "") -> None:
    """Print a line of results; a label up to the first colon stands out on a terminal."""
    label, colon, rest = text.partition(": ")
    shown = Text.assemble((label + colon, style or "bold"), (rest, style)) if colon else Text(text, style)
    Console(highlight=False).print(shown, soft_wrap=True)


def note(text: str) -> None:
    """Print a dim remark to stderr, on one line."""
    Console(stderr=True, highlight=False).print(Text(f"note: {' '.join(text.split())}", "dim"), soft_wrap=True)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object; the peak of the memory stands at its end."""
    value = {**value, "peak_memory_mb": peak_memory_mb()}
    click.echo(json.dumps(plain_json(value), indent=2, ensure_ascii=False, allow_nan=False))


def number(value: float | None) -> str:
    """Return a number with about five digits, readable at any size.

    >>> number(52345.678), number(0.123456), number(None), number(1234567.0), number(2e-9)
    ('52,346', '0.12346', '-', '1,234,567', '2e-09')
    """
    if value is None or not isfinite(value):
        return "-"
    if 1e3 <= abs(value) < 1e12:
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.1f}"
    return f"{value:.5g}"


def plural(count: int, word: str) -> str:
    """Return "1 row", "2,000 rows"."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def first_lines(lines: Sequence[str], what: str) -> list[str]:
    """Return at most twelve lines, the last of them saying how many more there are."""
    if len(lines) <= MOST_LINES:
        return list(lines)
    return [*lines[: MOST_LINES - 1], f"... and {len(lines) - MOST_LINES + 1} more {what}"]


# ------------------------------------------------------------------------------------------------ progress bar


class _Numbers(ProgressColumn):
    """Loss, validation score and learning rate of the last epoch."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["numbers"], "cyan")


class Bar:
    """A live bar over the epochs, a reader of Progress events; nothing where stderr is not a terminal."""

    def __init__(self, epochs: int, score: str, shown: bool) -> None:
        self.score = score
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), _Numbers())
        idle = not (shown and sys.stderr.isatty())
        self.progress = Progress(*columns, console=console, transient=True, disable=idle, redirect_stdout=False)
        self.task = self.progress.add_task("training", total=epochs, numbers="")

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.restart:
            self.progress.update(self.task, description=f"start {event.restart + 1}")
        parts = [f"loss {event.loss:.4g}"]
        if event.validation_score is not None:
            parts.append(f"{self.score} {event.validation_score:.4f}")
        if event.learning_rate is not None:
            parts.append(f"rate {event.learning_rate:.2g}")
        self.progress.update(self.task, completed=event.epoch, numbers="  ".join([*parts, f"{event.seconds:.0f} s"]))


# -------------------------------------------------------------------------------------------------- statistics


def show_statistics(blocks: Sequence[BlockStatistics]) -> None:
    """Print the figures of each block; names of any length stay on one line."""
    made = table("block", "mean y", "dev y", "dead", "flat", "‖dL/dy‖", "‖θ‖", "‖dL/dθ‖", "‖Δθ‖/‖θ‖")
    for b in blocks:
        sizes = (b.output_gradient, b.parameter_norm, b.gradient_norm, b.update_ratio)
        shares = ("-" if share is None else f"{100 * share:.0f} %" for share in (b.dead, b.saturated))
        made.add_row(b.name, brief_number(b.mean), brief_number(b.deviation), *shares, *map(brief_number, sizes))
    print_table(made, least=len(max((b.name for b in blocks), key=len)) + 70)


def brief_number(value: float | None) -> str:
    """Return a number with a digit or two, as short as can be.

    >>> brief_number(0.012345), brief_number(-6.2e-11), brief_number(1234.5), brief_number(None)
    ('0.012', '-6e-11', '1e3', '-')
    """
    if value is None or not isfinite(value):
        return "-" if value is None else str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e3:
        return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"
    digits, exponent = f"{value:.0e}".split("e")
    return f"{digits}e{int(exponent)}"


# ------------------------------------------------------------------------------------------------------ scores


def table(*columns: str | Text) -> Table:
    """Return an empty table: the first column to the left, the others to the right."""
    made = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for k, column in enumerate(columns):
        made.add_column(column, justify="right" if k else "left", no_wrap=True)
    return made


def print_table(made: Table, least: int = 0) -> None:
    """Print a table without spaces at the ends of its lines, on lines of `least` columns where the width is less."""
    console = Console(highlight=False)
    console.width = max(console.width, least)
    with console.capture() as captured:
        console.print(made)
    lines = [text.rstrip() for text in captured.get().splitlines() if text.strip()]
    sys.stdout.write("\n".join(text[1:] for text in lines) + "\n")  # the box has an empty left edge


def score_line(scores: Mapping[str, Any]) -> str:
    """Return the scores on one line."""
    if "accuracy" in scores:
        loss = "" if scores["log_loss"] is None else f", log loss {scores['log_loss']:.4f}"
        right = f"test accuracy: {scores['accuracy']:.4f} (error {scores['error_percent']:.2f} %)"
        return f"{right}, macro F1 {scores['macro_f1']:.4f}{loss}"
    r2 = "" if scores["r2"] is None else f", R² {scores['r2']:.4f}"
    return f"test RMSE: {number(scores['rmse'])}, MAE {number(scores['mae'])}{r2}"


def show_scores(scores: Mapping[str, Any]) -> None:
    """Print the confusion matrix, or the quantiles of the residuals."""
    for label in scores.get("unknown_labels", [])[:5]:
        note(f"the model has never seen the class {label!r}; its rows count as errors")
    if scores.get("confusion"):
        _show_confusion(**scores["confusion"])
    if "residual_quantiles" in scores:
        made = table("quantile", *(f"{q} %" for q in scores["residual_quantiles"]))
        made.add_row("actual - predicted", *map(number, scores["residual_quantiles"].values()))
        print_table(made)


def _show_confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    """Print the matrix where it fits the width, else for each class what it was taken for."""
    made = table("actual \\ predicted", *map(Text, labels))
    for k, (label, row) in enumerate(zip(labels, counts, strict=True)):
        made.add_row(Text(label), *(Text(str(n) if n else "·", "bold" if j == k else "") for j, n in enumerate(row)))
    console = Console()
    if console.measure(made, options=console.options.update(max_width=10_000)).maximum > console.width:
        _show_confused(labels, counts)
    else:
        print_table(made)


def _show_confused(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    made = table("actual", "rows", "right")
    made.add_column("taken for", overflow="fold")
    for k, (label, row) in enumerate(zip(labels, counts, strict=True)):
        wrong = sorted((-n, labels[j]) for j, n in enumerate(row) if n and j != k)
        right = f"{100 * row[k] / sum(row):.1f} %" if sum(row) else "-"
        made.add_row(Text(label), f"{sum(row):,}", right, Text(", ".join(f"{other} {-n}" for n, other in wrong[:5])))
    print_table(made)
