"""Time chainrule against its peers: one run, interleaved, medians and ratios.

    python benchmarks/run.py                      # all workloads, 9 rounds
    python benchmarks/run.py tiny mnist --rounds 5 --out table.md

A round fits every peer once, in turn, so that a machine that speeds up or slows down does so for all of them. The
figure is the whole `fit` divided by its steps. The machine's own matrix-product peak (NumPy, 2048 cubed, float32) is
measured in every round too. Nothing else should run meanwhile.
"""

from __future__ import annotations

import platform
from pathlib import Path
from statistics import median
from time import perf_counter

import click
import numpy as np
from peers import PEERS
from workloads import WORKLOADS, Workload

import chainrule


def product_peak(size: int = 2048) -> float:
    """Return GFLOP/s of one square float32 matrix product."""
    a = np.ones((size, size), np.float32)
    started = perf_counter()
    a @ a
    return 2 * size**3 / (perf_counter() - started) / 1e9


def measure(workload: Workload, rounds: int) -> dict[str, list[float]]:
    """Return seconds per step of every peer, and the peak in GFLOP/s, for each round after one warm-up."""
    fits = {name: peer(workload) for name, peer in PEERS.items()}
    times: dict[str, list[float]] = {name: [] for name in (*fits, "peak")}
    for turn in range(rounds + 1):
        taken = {name: fit() / workload.steps for name, fit in fits.items()}
        taken["peak"] = product_peak()
        for name, value in taken.items():
            times[name] += [value] * (turn > 0)
    return times


def rows(workload: Workload, times: dict[str, list[float]]) -> list[str]:
    """Return the table's rows of one workload, chainrule first."""
    peak = median(times["peak"])
    ours = median(times["chainrule"])
    lines = []
    for name in PEERS:
        low, middle, high = (1e6 * f(times[name]) for f in (min, median, max))
        ratios = sorted(t / c for t, c in zip(times[name], times["chainrule"], strict=True))
        share = workload.products / (median(times[name]) * peak * 1e9)
        lines.append(
            f"| {workload.name} | {name} | {middle:.0f} | {low:.0f} to {high:.0f} | {median(times[name]) / ours:.2f}"
            f" | {ratios[0]:.2f} to {ratios[-1]:.2f} | {100 * share:.0f} % |"
        )
    return lines


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(WORKLOADS)))
@click.option("--rounds", default=9, show_default=True, help="counted rounds, after one warm-up")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="also write the table here")
def main(names: tuple[str, ...], rounds: int, out: Path | None) -> None:
    """Run the benchmark and print its table."""
    head = [
        f"chainrule {chainrule.__version__}, Python {platform.python_version()}, NumPy {np.__version__},"
        f" {platform.machine()}; {rounds} rounds, whole fit, Adam, float32.",
        "",
        "| workload | package | µs per step | spread | time / chainrule's | spread | of matrix peak |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    click.echo("\n".join(head))
    body: list[str] = []
    for name in names or WORKLOADS:
        lines = rows(WORKLOADS[name], measure(WORKLOADS[name], rounds))
        click.echo("\n".join(lines))
        body += lines
    if out:
        out.write_text("\n".join([*head, *body]) + "\n")


if __name__ == "__main__":
    main()
