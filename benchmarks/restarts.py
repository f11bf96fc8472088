"""Time several starts of one training side by side, each on a thread of its own, against one after the other.

\b
    python benchmarks/restarts.py --rounds 5

Four starts (n_restarts=4) of each workload through the estimator, on two threads. A time limit that is never reached
makes them run one after the other, each on both threads; the weights are the same bits either way.
"""

from __future__ import annotations

import platform
import warnings
from time import perf_counter

import click
from clock import THREADS, Figure, Timed, digits, installed, interleaved, limit_threads, ratios
from sklearn.exceptions import ConvergenceWarning
from workloads import WORKLOADS, Workload

import chainrule as cr

STARTS = 4
WAYS = {"side by side": None, "in turn": 1e9}


def seconds(workload: Workload, time_limit: float | None) -> Timed:
    """Return a function that fits once."""
    X, y = workload.data()
    kind = cr.MLPRegressor if workload.regression else cr.MLPClassifier
    model = kind(
        hidden_layer_sizes=workload.widths[1:-1],
        batch_size=workload.batch,
        max_iter=workload.epochs,
        tol=0,
        n_iter_no_change=float("inf"),
        n_restarts=STARTS,
        n_threads=THREADS,
        time_limit=time_limit,
        random_state=0,
        engine="native",
    )

    def fit() -> float:
        started = perf_counter()
        model.fit(X, y)
        return perf_counter() - started

    return fit


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="counted, after one warm-up")
def main(rounds: int) -> None:
    """Run the benchmark and print its table."""
    limit_threads()
    warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs and no more are what is timed
    versions = ", ".join(f"{name} {installed(name)}" for name in ("chainrule", "numpy"))
    click.echo(f"{versions}; Python {platform.python_version()}, {platform.machine()}; {rounds} rounds.\n")
    click.echo("| workload | ms side by side | spread | ms in turn | spread | in turn / side by side |")
    click.echo("|---|--:|--:|--:|--:|--:|")
    for name, workload in WORKLOADS.items():
        times = interleaved({way: seconds(workload, limit) for way, limit in WAYS.items()}, rounds)
        figures = [Figure.of(times[way], 1e3).cells() for way in WAYS]
        gain = ratios(times, "in turn", "side by side")
        click.echo(f"| {name} | {' | '.join(figures)} | {digits(gain.middle)} |")


if __name__ == "__main__":
    main()
