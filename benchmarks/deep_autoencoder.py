"""Train a deep autoencoder from a random start: Hessian-free against SGD with momentum and Adam, in the same seconds.

\b
    python benchmarks/deep_autoencoder.py --seconds 60
    python benchmarks/deep_autoencoder.py --mnist ../shared/data/mnist --seconds 3600 --methods hessian_free

Digits: 64-100-50-25-6 and back; MNIST: 784-1000-500-250-30 and back (Hinton and Salakhutdinov 2006; Martens 2010). All
units are sigmoids but for the code, which is linear; the loss is the cross entropy of the pixels, on all training rows
in every step; Hessian-free takes its curvature from a quarter of them. Weights start as Martens's: 15 of the inputs of
each unit from N(0, 1), all others 0. The learning rates of SGD and Adam are swept over a decade, each for all of the
seconds. The table shows the loss and the squared error of an image, Σ (x - x̂)², at the end.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import click
import numpy as np
from clock import THREADS, limit_threads
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule.foundation.randomness import Stream

INCOMING = 15
"""Weights of each unit that are not 0 at the start."""

TESTED = 5
"""Every fifth row is kept for the test."""


class Way(NamedTuple):
    """One line of the table: a method, and its learning rate."""

    method: str
    optimizer: Any
    rate: float


def ways(methods: tuple[str, ...]) -> Iterator[Way]:
    """Yield the lines of the table."""
    kinds = cr.optimizers
    if "hessian_free" in methods:
        yield Way("hessian_free", kinds.HessianFree(damping=10.0, rows=0.25, preconditioned=True, tolerance=0), 1.0)
    rates = {"momentum": (0.03, 0.1, 0.3), "adam": (1e-3, 3e-3, 1e-2)}
    for method in filter(methods.__contains__, rates):
        for rate in rates[method]:
            rule = kinds.Momentum(rate) if method == "momentum" else kinds.Adam(rate)
            yield Way(f"{method}, {rate:g}", rule, rate)


def sparse(stream: Stream, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return weights of which each unit has 15 incoming ones from N(0, 1)."""
    inputs, units = shape
    W = stream.normal(inputs * units).reshape(inputs, units)
    place = stream.uniform(inputs * units).reshape(inputs, units).argsort(axis=0).argsort(axis=0)
    return np.where(place < INCOMING, W, 0.0)


def network(widths: tuple[int, ...]) -> cr.Network:
    """Return the network down to the code and back; the last sigmoid is the loss's."""
    blocks: list[Any] = []
    there_and_back = (*widths, *widths[-2::-1])
    for k, units in enumerate(there_and_back[1:], 1):
        blocks.append(cr.Dense(units, initializer=sparse))
        if k not in (len(widths) - 1, len(there_and_back) - 1):
            blocks.append(cr.Activation("sigmoid"))
    return cr.Network(widths[0], blocks)


def images(folder: Path, name: str) -> NDArray[np.float32]:
    """Return the images of one of MNIST's files, (n, 784), from 0 to 1."""
    with gzip.open(folder / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255


def data(mnist: Path | None) -> tuple[tuple[int, ...], NDArray[np.float32], NDArray[np.float32]]:
    """Return the widths down to the code, and the rows for training and for the test."""
    if mnist is not None:
        train, test = (images(mnist, f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k"))
        return (784, 1000, 500, 250, 30), train, test
    X = load_digits().data.astype(np.float32) / 16
    tested = np.arange(len(X)) % TESTED == 0
    return (64, 100, 50, 25, 6), X[~tested], X[tested]


def errors(net: cr.Network, theta: NDArray[Any], X: NDArray[Any]) -> float:
    """Return Σ (x - x̂)² of an image, on average."""
    seen = cr.losses.SigmoidCrossEntropy().predict(net.forward(theta, X))
    return float(np.mean(np.sum((X - seen) ** 2, axis=1)))


@click.command(help=__doc__)
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(1), help="for each line")
@click.option("--mnist", type=click.Path(exists=True, file_okay=False, path_type=Path), help="folder of MNIST's files")
@click.option("--methods", default="hessian_free,momentum,adam", show_default=True)
@click.option("--seed", default=0, show_default=True, type=int)
@click.option("--engine", default="auto", show_default=True)
@click.option("--threads", default=THREADS, show_default=True, type=click.IntRange(1))
def main(seconds: float, mnist: Path | None, methods: str, seed: int, engine: str, threads: int) -> None:
    """Run the benchmark and print its table."""
    limit_threads(threads)
    widths, train, test = data(mnist)
    net = network(widths)
    objective = cr.Objective(net, cr.losses.SigmoidCrossEntropy(), train, train)
    start = net.initialize(seed, "float32")
    click.echo(f"{'-'.join(map(str, widths))} and back, {net.size:,} parameters, {len(train):,} rows, {seconds:g} s.\n")
    click.echo("| method | training loss | squared error, training | test | epochs | seconds |")
    click.echo("|---|--:|--:|--:|--:|--:|")
    click.echo(
        f"| the start | {objective.value(start):.4f} | {errors(net, start, train):.3f} |"
        f" {errors(net, start, test):.3f} | 0 | 0 |"
    )
    for way in ways(tuple(methods.split(","))):
        started = perf_counter()
        try:
            result = cr.train(
                objective,
                start,
                optimizer=way.optimizer,
                schedule=cr.schedules.Constant(way.rate),
                epochs=10**9,
                time_limit=seconds,
                engine=engine,
                n_threads=threads,
            )
        except cr.DivergenceError as error:
            click.echo(f"| {way.method} | {error} |  |  |  |  |")
            continue
        theta = result.theta
        click.echo(
            f"| {way.method} | {objective.value(theta):.4f} | {errors(net, theta, train):.3f} |"
            f" {errors(net, theta, test):.3f} | {len(result.history)} | {perf_counter() - started:.0f} |"
        )


if __name__ == "__main__":
    main()
