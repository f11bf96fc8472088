"""How the time of a training step grows: against rows per batch, width, depth and threads.

\b
    python benchmarks/scaling.py                            # tables, and docs/scaling.png
    python benchmarks/scaling.py --rounds 1 --out picture.png

One quantity moves, the others stay at 256 rows per batch, two hidden layers of 256, two threads; 64 inputs, 10
classes, ReLU, Adam, float32, through `chainrule.train`. The exponent is the slope of log time against log size over
the upper half of the range, where the work outgrows what every step costs anyway. "All products" is the exponent that
a step has when it is nothing but matrix products, evenly spread over the threads. Each number of threads runs in a
process of its own, since thread pools keep the size they start with. Nothing else should run meanwhile.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from math import log
from pathlib import Path
from statistics import linear_regression, median
from typing import Any, NamedTuple

import click
from clock import THREADS, Figure, Times, installed, interleaved, limit_threads
from peers import PEERS
from workloads import Workload

INPUTS, CLASSES = 64, 10
ROWS, WIDTH, DEPTH = 256, 256, 2

POOLS = (
    "CHAINRULE_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Variables that set the threads: chainrule's own, and those of the library behind NumPy's matrix products."""

WORK = 2e10
"""Floating-point operations of one timed training, about: the larger the steps, the fewer of them."""


def workload(rows: int = ROWS, width: int = WIDTH, depth: int = DEPTH) -> Workload:
    """Return a training of 8 to 512 steps in epochs of 8, so that the data stays small."""
    widths = (INPUTS, *[width] * depth, CLASSES)
    one = Workload(f"{rows} rows, {depth} x {width}", widths, rows, steps_per_epoch=8, epochs=1)
    return one._replace(epochs=max(1, min(64, int(WORK / one.products / one.steps))))


class Panel(NamedTuple):
    """What moves, its unit, over which sizes, and the exponent of a step that is nothing but matrix products."""

    title: str
    unit: str
    ideal: float
    workloads: Mapping[int, Workload]


def powers(first: int, last: int) -> list[int]:
    """Return first, 2 first, 4 first, ..., last."""
    return [first << k for k in range((last // first).bit_length())]


PANELS = (
    Panel("batch", "rows per batch", 1, {n: workload(rows=n) for n in powers(16, 8192)}),
    Panel("width", "units per hidden layer", 2, {n: workload(width=n) for n in powers(16, 2048)}),
    Panel("depth", "hidden layers", 1, {n: workload(depth=n) for n in powers(1, 16)}),
)
"""The panels that one process measures."""

THREAD_COUNTS = (1, 2)
THREAD_WIDTHS = {f"width {n}": workload(width=n) for n in (64, 256, 1024)}
"""The lines of the thread panel: what is too small to share, the middle, and what is large."""


class Curve(NamedTuple):
    """One line of a panel: seconds per step by size, round by round."""

    name: str
    times: Mapping[int, list[float]]

    def micros(self) -> dict[int, Figure]:
        """Return µs per step by size."""
        return {size: Figure.of(values, 1e6) for size, values in self.times.items()}

    def exponent(self) -> float:
        """Return the slope of log time against log size over the upper half of the sizes, two at least."""
        upper = sorted(self.times)[-max(2, (len(self.times) + 1) // 2) :]
        return linear_regression([log(n) for n in upper], [log(median(self.times[n])) for n in upper]).slope


class Drawn(NamedTuple):
    """A panel with its curves."""

    title: str
    unit: str
    ideal: float
    curves: list[Curve]


def per_step(workloads: Mapping[Any, Workload], rounds: int) -> dict[Any, list[float]]:
    """Return the seconds of one step of each workload, round by round, interleaved."""
    work = {str(key): PEERS["chainrule steps"](w) for key, w in workloads.items()}
    times = interleaved(work, rounds)
    return {key: [t / w.steps for t in times[str(key)]] for key, w in workloads.items()}


def in_child(threads: int) -> Times:
    """Run this file in a process with that many threads; return the seconds per step of the thread panel's lines."""
    environment = {**os.environ, **{name: str(threads) for name in POOLS}}
    command = [sys.executable, str(Path(__file__).resolve()), "--child"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # what --child printed


def measure_threads(rounds: int) -> list[Curve]:
    """Return the thread panel's curves; in a round each number of threads has its turn."""
    turns = [{threads: in_child(threads) for threads in THREAD_COUNTS} for _ in range(rounds)]
    return [
        Curve(name, {threads: [turn[threads][name][0] for turn in turns] for threads in THREAD_COUNTS})
        for name in THREAD_WIDTHS
    ]


def measure(rounds: int) -> list[Drawn]:
    """Return all four panels."""
    drawn = []
    for panel in PANELS:
        click.echo(f"measuring {panel.title}", err=True)
        curves = [Curve("chainrule", per_step(panel.workloads, rounds))]
        drawn.append(Drawn(panel.title, panel.unit, panel.ideal, curves))
    click.echo("measuring threads", err=True)
    return [*drawn, Drawn("threads", "threads", -1, measure_threads(rounds))]


def tables(panels: list[Drawn]) -> list[str]:
    """Return the table of exponents, and the table of times."""
    exponents = [
        f"| {panel.title} | {curve.name} | {curve.exponent():.2f} | {panel.ideal:g} |"
        for panel in panels
        for curve in panel.curves
    ]
    times = [
        f"| {panel.title} | {curve.name} | {size} {panel.unit} | {figure.cells()} |"
        for panel in panels
        for curve in panel.curves
        for size, figure in curve.micros().items()
    ]
    return [
        "| against | line | exponent | all products |",
        "|---|---|--:|--:|",
        *exponents,
        "",
        "| against | line | size | µs per step | spread |",
        "|---|---|--:|--:|--:|",
        *times,
    ]


def picture(panels: list[Drawn], caption: str, out: Path) -> None:
    """Draw the panels, two by two, log-log: the medians, the spread of the rounds, and the slope of all products."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context({"font.size": 12, "axes.titlesize": 13, "axes.grid": True, "grid.alpha": 0.3}):
        figure, axes = pyplot.subplots(2, 2, figsize=(12, 9), layout="constrained")
        figure.suptitle(f"chainrule: time of one training step\n{caption}", fontsize=14)
        for axis, panel in zip(axes.flat, panels, strict=True):
            draw(axis, panel)
        figure.savefig(out, dpi=120)
        pyplot.close(figure)


def draw(axis: Any, panel: Drawn) -> None:
    """Draw one panel; a dashed line through each curve's slow end shows the slope of all products."""
    for number, curve in enumerate(panel.curves):
        color, micros = f"C{number}", curve.micros()
        sizes = list(micros)
        low, middle, high = zip(*micros.values(), strict=True)
        axis.fill_between(sizes, low, high, color=color, alpha=0.2)
        axis.plot(sizes, middle, "o-", color=color, label=f"{curve.name}: exponent {curve.exponent():.2f}")
        anchor = -1 if panel.ideal > 0 else 0
        slope = [middle[anchor] * (n / sizes[anchor]) ** panel.ideal for n in sizes]
        axis.plot(sizes, slope, "--", color=color, alpha=0.6)
    axis.plot([], [], "--", color="gray", label=f"all products: exponent {panel.ideal:g}")
    scale(axis, panel)
    axis.set(title=panel.title.capitalize(), xlabel=panel.unit, ylabel="time per step (µs)")
    axis.legend(fontsize=11, loc="upper left" if panel.ideal > 0 else "upper right")


def scale(axis: Any, panel: Drawn) -> None:
    """Make both axes logarithmic, every size and plain numbers on them, with room for the legend where lines fall."""
    from matplotlib.ticker import LogLocator

    figures = [figure for curve in panel.curves for figure in curve.micros().values()]
    sizes = list(panel.curves[0].times)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_ylim(min(f.low for f in figures) / 2.5, max(f.high for f in figures) * (1.7 if panel.ideal > 0 else 20))
    axis.set_xticks(sizes, [str(n) for n in sizes])
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=30))
    axis.yaxis.set_major_formatter("{x:,g}")
    axis.minorticks_off()


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="counted, after one warm-up")
@click.option("--out", default="docs/scaling.png", show_default=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--child", is_flag=True, hidden=True, help="print the thread panel's times of this process as JSON")
def main(rounds: int, out: Path, child: bool) -> None:
    """Run the benchmark, print its tables and draw its picture."""
    if child:
        print(json.dumps(per_step(THREAD_WIDTHS, 1)))
        return
    limit_threads()
    versions = f"chainrule {installed('chainrule')}, NumPy {installed('numpy')}"
    click.echo(f"{versions}, Python {platform.python_version()}, {platform.machine()}; {rounds} rounds.\n")
    panels = measure(rounds)
    click.echo("\n".join(tables(panels)))
    caption = (
        f"{INPUTS} inputs, {DEPTH} hidden layers of {WIDTH}, {CLASSES} classes, {ROWS} rows per batch,"
        f" {THREADS} threads, but for what moves; Adam, float32"
    )
    picture(panels, caption, out)
    click.echo(f"\nwritten to {out}", err=True)


if __name__ == "__main__":
    main()
