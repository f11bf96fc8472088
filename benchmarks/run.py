"""Time chainrule against its peers: one run, interleaved, medians and ratios.

\b
    python benchmarks/run.py                      # all workloads, all peers that are installed, 9 rounds
    python benchmarks/run.py tiny mnist --rounds 5 --out table.md
    python benchmarks/run.py --peers "chainrule steps" --peers torch --peers jax

A round gives every peer its turn, so that a machine that speeds up or slows down does so for all of them; in its turn
a peer trains again and again for 0.2 seconds, and the median counts. The figure is the whole training divided by its
steps, the ratio is to the first peer of the table. The machine's own matrix-product peak is the best float32 product,
2048 cubed, of NumPy or PyTorch, three of each in every round. Nothing else should run meanwhile.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import click
import numpy as np
from clock import THREADS, Figure, Timed, Times, digits, installed, interleaved, limit_threads, ratios
from peers import DISTRIBUTIONS, PEERS
from workloads import WORKLOADS, Workload

SIZE = 2048
"""Rows and columns of the square matrices of the peak."""


def numpy_product() -> Timed:
    """Return a function that times NumPy's product; the result's memory is at hand."""
    a, c = np.ones((SIZE, SIZE), np.float32), np.empty((SIZE, SIZE), np.float32)
    return partial(_seconds, lambda: np.matmul(a, a, out=c))


def torch_product() -> Timed:
    """Return a function that times PyTorch's product; the result's memory is at hand."""
    import torch

    torch.set_num_threads(THREADS)
    a, c = torch.ones(SIZE, SIZE), torch.empty(SIZE, SIZE)
    return partial(_seconds, lambda: torch.mm(a, a, out=c))


PRODUCTS: Mapping[str, Callable[[], Timed]] = {"numpy": numpy_product, "torch": torch_product}
"""Whose matrix products are measured, by distribution."""


def _seconds(call: Callable[[], object]) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started


def best_of_three(timed: Timed) -> float:
    """Return the shortest of three repetitions."""
    return min(timed() for _ in range(3))


class Measurement(NamedTuple):
    """Seconds per training of each peer, and per product of each package that has one, round by round."""

    workload: Workload
    trainings: Times
    products: Times


def measure(workload: Workload, peers: list[str], rounds: int) -> Measurement:
    """Time the peers and the products in the same rounds."""
    trainings = {name: PEERS[name](workload) for name in peers}
    products = {name: partial(best_of_three, product()) for name, product in PRODUCTS.items() if installed(name)}
    prefixed = {f"product {name}": timed for name, timed in products.items()}
    times = interleaved({**trainings, **prefixed}, rounds)
    return Measurement(
        workload, {name: times[name] for name in trainings}, {name: times[f"product {name}"] for name in products}
    )


def peak(measurements: list[Measurement]) -> tuple[float, str]:
    """Return the largest FLOP/s of all rounds, and whose product it was."""
    best = {name: min(min(m.products[name]) for m in measurements) for name in measurements[0].products}
    fastest = min(best, key=best.__getitem__)
    return 2 * SIZE**3 / best[fastest], fastest


def rows(measurement: Measurement, most: float) -> list[str]:
    """Return the table's rows of one workload, the peer that the others are compared with first."""
    workload, times = measurement.workload, measurement.trainings
    lines = []
    for name in times:
        micros = Figure.of(times[name], 1e6 / workload.steps)
        share = workload.products / (1e-6 * micros.middle * most)
        ratio = ratios(times, name, next(iter(times)))
        lines.append(f"| {workload.name} | {name} | {micros.cells()} | {ratio.cells()} | {100 * share:.1f} % |")
    return lines


def head(peers: list[str], rounds: int) -> list[str]:
    """Return the lines above the table: what was measured, and with which versions."""
    distributions = dict.fromkeys([*(DISTRIBUTIONS[name] for name in peers), "numpy"])
    versions = ", ".join(f"{name} {installed(name)}" for name in distributions)
    return [
        f"{versions}; Python {platform.python_version()}, {platform.machine()}; {rounds} rounds, Adam, float32,"
        f" {THREADS} threads."
    ]


def table(measurements: list[Measurement], peers: list[str]) -> list[str]:
    """Return the sentence about the peak, and the table."""
    most, fastest = peak(measurements)
    return [
        f"Matrix peak: {most / 1e9:.0f} GFLOP/s, the best {SIZE}-cubed float32 product of all rounds"
        f" (of {' and '.join(measurements[0].products)}; it was {fastest}'s).",
        "",
        f"| workload | peer | µs per step | spread | time / that of {peers[0]} | spread | of matrix peak |",
        "|---|---|--:|--:|--:|--:|--:|",
        *(line for measurement in measurements for line in rows(measurement, most)),
    ]


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(WORKLOADS)))
@click.option("--peers", multiple=True, type=click.Choice(list(PEERS)), help="only this peer; may be given again")
@click.option("--rounds", default=9, show_default=True, type=click.IntRange(1), help="counted, after one warm-up")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="also write the table here")
def main(names: tuple[str, ...], peers: tuple[str, ...], rounds: int, out: Path | None) -> None:
    """Run the benchmark and print its table."""
    limit_threads()
    chosen = [name for name in PEERS if name in (peers or PEERS)]
    here = [name for name in chosen if installed(DISTRIBUTIONS[name])]
    absent = [f"{name} is left out: {DISTRIBUTIONS[name]} is not installed." for name in chosen if name not in here]
    if not here:
        raise click.UsageError(" ".join(absent))
    lines = [*head(here, rounds), *absent]
    click.echo("\n".join(lines))
    measurements = []
    for name in names or WORKLOADS:
        measurement = measure(WORKLOADS[name], here, rounds)
        measurements.append(measurement)
        steps = ", ".join(
            f"{peer} {digits(Figure.of(t, 1e6 / measurement.workload.steps).middle)}"
            for peer, t in measurement.trainings.items()
        )
        click.echo(f"{name}, µs per step: {steps}", err=True)
    body = table(measurements, here)
    click.echo("\n".join(body))
    if out:
        out.write_text("\n".join([*lines, *body]) + "\n")


if __name__ == "__main__":
    main()
