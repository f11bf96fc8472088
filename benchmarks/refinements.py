"""Time dropout, batch normalisation and augmentation against the plain step, and against PyTorch doing the same.

\b
    python benchmarks/refinements.py --rounds 7

The network is that of the workload "mnist", 784-256-10 with batches of 128 rows, Adam, float32, two threads. Dropout
leaves out 0.2 of the inputs and 0.5 of the hidden outputs. The images (28 x 28) are shifted, turned, scaled, slanted
and bent, each by its own random numbers in every step. PyTorch does it with one `grid_sample` for the batch: an affine
grid plus a coarse random field that `interpolate` makes smooth. Rounds are interleaved; the figure is the whole
training divided by its steps, data and starting weights at hand.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from math import radians
from time import perf_counter
from typing import Any

import click
from clock import THREADS, Figure, Timed, digits, installed, interleaved, limit_threads, ratios
from workloads import WORKLOADS

import chainrule as cr

WORKLOAD = WORKLOADS["mnist"]
SIDE = 28
SHIFT, ROTATE, SCALE, SHEAR, ELASTIC, KNOTS = 2.0, 10.0, 0.1, 8.0, 1.2, 8
"""How far images go: pixels, degrees, shares; and how many knots across PyTorch's random field has."""

HIDDEN = WORKLOAD.widths[1]

CHAINS: Mapping[str, Callable[[], list[Any]]] = {
    "plain": lambda: [cr.Dense(HIDDEN), cr.Activation("relu"), cr.Dense(10)],
    "dropout": lambda: [
        *(cr.Dropout(0.2), cr.Dense(HIDDEN), cr.Activation("relu")),
        *(cr.Dropout(0.5), cr.Dense(10)),
    ],
    "batch norm": lambda: [cr.Dense(HIDDEN, bias=False), cr.BatchNorm(), cr.Activation("relu"), cr.Dense(10)],
}
"""What is refined; "augmentation" trains the plain chain on deformed images."""

NAMES = (*CHAINS, "augmentation")

DEFORMATION = cr.augmentation.Deformation((SIDE, SIDE), SHIFT, ROTATE, SCALE, SHEAR, ELASTIC)


def chainrule_seconds(name: str) -> Timed:
    """Return a function that trains once through `chainrule.train`."""
    X, y = WORKLOAD.data()
    network = cr.Network(WORKLOAD.widths[0], CHAINS.get(name, CHAINS["plain"])())
    objective = cr.Objective(network, cr.losses.CrossEntropy(), X, y)
    theta = network.initialize(0, "float32")
    recipe = cr.Recipe(augmentation=(DEFORMATION,)) if name == "augmentation" else cr.Recipe()

    def train() -> float:
        started = perf_counter()
        cr.train(objective, theta, epochs=WORKLOAD.epochs, batch_size=WORKLOAD.batch, recipe=recipe, engine="native")
        return perf_counter() - started

    return train


def torch_seconds(name: str) -> Timed:
    """Return a function that trains once with PyTorch's loop."""
    import torch
    from torch import nn

    torch.set_num_threads(THREADS)
    X, y = map(torch.from_numpy, WORKLOAD.data())
    inputs = WORKLOAD.widths[0]
    modules = {
        "dropout": lambda: [
            nn.Dropout(0.2),
            nn.Linear(inputs, HIDDEN),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(HIDDEN, 10),
        ],
        "batch norm": lambda: [
            *(nn.Linear(inputs, HIDDEN, bias=False), nn.BatchNorm1d(HIDDEN)),
            *(nn.ReLU(), nn.Linear(HIDDEN, 10)),
        ],
    }.get(name, lambda: [nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10)])
    change = torch_deformation if name == "augmentation" else (lambda x: x)
    loss = nn.CrossEntropyLoss()

    def train() -> float:
        model = nn.Sequential(*modules())
        started = perf_counter()
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        for _ in range(WORKLOAD.epochs):
            for rows in torch.randperm(len(X)).split(WORKLOAD.batch):
                optimizer.zero_grad()
                loss(model(change(X.index_select(0, rows))), y.index_select(0, rows)).backward()
                optimizer.step()
        return perf_counter() - started

    train()
    return train


def torch_deformation(x: Any) -> Any:
    """Return the images of a batch, each deformed by its own random numbers."""
    import torch
    from torch.nn import functional

    n = len(x)

    def within(limit: float) -> Any:
        return limit * (2 * torch.rand(n) - 1)

    angle, scale, shear = within(radians(ROTATE)), 1 + within(SCALE), torch.tan(within(radians(SHEAR)))
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    shift = torch.stack([within(SHIFT), within(SHIFT)], 1) * (2 / SIDE)
    rows = torch.stack([torch.stack([cos, shear * cos - sin], 1), torch.stack([sin, shear * sin + cos], 1)], 1)
    grid = functional.affine_grid(torch.cat([rows, shift[:, :, None]], 2), [n, 1, SIDE, SIDE], align_corners=False)
    field = torch.rand(n, 2, KNOTS, KNOTS) * 2 - 1
    smooth = functional.interpolate(field, size=(SIDE, SIDE), mode="bicubic", align_corners=True)
    grid = grid + smooth.permute(0, 2, 3, 1) * (ELASTIC * 2 / SIDE)
    return functional.grid_sample(x.view(n, 1, SIDE, SIDE), grid, align_corners=False).view(n, -1)


@click.command(help=__doc__)
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1), help="counted, after one warm-up")
def main(rounds: int) -> None:
    """Run the benchmark and print its table."""
    limit_threads()
    work = {f"chainrule {name}": chainrule_seconds(name) for name in NAMES}
    if installed("torch"):
        work |= {f"torch {name}": torch_seconds(name) for name in NAMES}
    versions = ", ".join(f"{name} {installed(name)}" for name in ("chainrule", "torch", "numpy"))
    click.echo(f"{versions}; Python {platform.python_version()}, {platform.machine()}; {rounds} rounds.\n")
    times = interleaved(work, rounds)
    click.echo("| what | package | µs per step | spread | time / plain | spread | time / that of chainrule |")
    click.echo("|---|---|--:|--:|--:|--:|--:|")
    for label in work:
        package, name = label.split(" ", 1)
        micros = Figure.of(times[label], 1e6 / WORKLOAD.steps)
        plain = ratios(times, label, f"{package} plain")
        ours = ratios(times, label, f"chainrule {name}")
        click.echo(f"| {name} | {package} | {micros.cells()} | {plain.cells()} | {digits(ours.middle)} |")


if __name__ == "__main__":
    main()
