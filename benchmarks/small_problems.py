"""Judge the methods of second order on small problems: sinc, a sine, parity, noisy regressions and digits.

\b
    python benchmarks/small_problems.py
    python benchmarks/small_problems.py sinc textbook --starts 10

The parts, all of them where none is named:

\b
    sinc       y = sin(10 x) / (10 x), 1-20-1, to a mean squared error below 1e-8, by Levenberg-Marquardt
    textbook   sin, 1-5-1, to 0.002, and parity, 3-10-10-1, to 0.001, by five methods
    bayesian   Bayesian regularisation against early stopping on five small regressions, and its intervals
    digits     a whole L-BFGS fit, 64-100-10, against scikit-learn's

Seconds are of the wall, and beside them those of the processor: on a machine that has others to serve, the second tell
more. A start counts as solved when its error is below the goal within two seconds.
"""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple

import click
import numpy as np
from clock import THREADS, Figure, block, digits, installed, interleaved, limit_threads, ratios
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes, load_digits, make_friedman1, make_friedman2, make_friedman3
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import chainrule as cr
from chainrule.mathematics.initializers import Initializer
from chainrule.optimizers import BFGS, LBFGS, ConjugateGradients, LevenbergMarquardt, Optimizer, Rprop

Vector = NDArray[np.float64]

MOST_EPOCHS, MOST_SECONDS = 5000, 2.0
"""A start that is not solved by then counts as not solved."""

QUICK = 0.5
"""The seconds that a fit of sinc may take."""

GENTLE = LevenbergMarquardt(damping=0.1, decrease=0.3, increase=2.0)
"""Constants of Levenberg-Marquardt that trust each step less than MATLAB's."""


class Problem(NamedTuple):
    """Data, a network of tanh layers, and the mean squared error to reach."""

    X: Vector
    y: Vector
    hidden: tuple[int, ...]
    goal: float


class Start(NamedTuple):
    """How one start went: the seconds of the wall and of the processor, the epochs, the mean squared error."""

    wall: float
    processor: float
    epochs: int
    error: float


def sinc(rows: int = 1000) -> Problem:
    """Return sin(10 x) / (10 x) on [-1, 1]."""
    x = np.linspace(-1, 1, rows)
    return Problem(x[:, None], np.sinc(10 * x / np.pi), (20,), 1e-8)


def sine() -> Problem:
    """Return one period of the sine on [-1, 1], as MATLAB's page compares its methods on it."""
    x = np.linspace(-1, 1, 41)
    return Problem(x[:, None], np.sin(np.pi * x), (5,), 0.002)


def parity() -> Problem:
    """Return the parity of three bits, all of them ±1."""
    bits = np.array([[1 - 2 * (row >> k & 1) for k in range(3)] for row in range(8)], dtype=float)
    return Problem(bits, np.prod(bits, axis=1), (10, 10), 0.001)


def spread(reach: float) -> Initializer:
    """Return a law that is uniform on (-reach, reach)."""
    return lambda stream, shape: reach * (2 * stream.uniform(int(np.prod(shape))) - 1).reshape(shape)


def nguyen_widrow(units: int) -> dict[str, Any]:
    """Return the first weights and biases of Nguyen and Widrow for one input on [-1, 1]: |w| = 0.7 units."""
    size = 0.7 * units

    def weights(stream: Any, shape: tuple[int, ...]) -> Vector:
        return np.where(stream.uniform(int(np.prod(shape))).reshape(shape) < 0.5, -size, size)

    return {"initializer": weights, "bias_initializer": spread(size)}


def wide(units: int) -> dict[str, Any]:
    """Return first weights five times as wide as Xavier's, with biases as wide."""
    reach = 5 * float(np.sqrt(6 / (1 + units)))
    return {"initializer": spread(reach), "bias_initializer": spread(reach)}


FIRST: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "as usual": lambda units: {},
    "five times as wide": wide,
    "Nguyen-Widrow": nguyen_widrow,
}
"""How the first layer starts."""


def solve(problem: Problem, optimizer: Optimizer, seed: int, first: str = "as usual") -> Start:
    """Train from one start until the goal is reached."""
    blocks: list[Any] = []
    for depth, units in enumerate(problem.hidden):
        blocks += [cr.Dense(units, **(FIRST[first](units) if depth == 0 else {})), cr.Activation("tanh")]
    network = cr.Network(problem.X.shape[1], [*blocks, cr.Dense(1)])
    objective = cr.Objective(network, cr.losses.SquaredError(), problem.X, problem.y)
    theta = network.initialize(seed)
    wall, processor = perf_counter(), process_time()
    settings: dict[str, Any] = {"epochs": MOST_EPOCHS, "time_limit": MOST_SECONDS, "n_threads": 1}
    there = [lambda event: 2 * event.loss < problem.goal]
    result = cr.train(objective, theta, optimizer=optimizer, callbacks=there, **settings)
    taken = perf_counter() - wall, process_time() - processor
    return Start(*taken, len(result.history), 2 * float(objective.value(result.theta)))


def counted(starts: list[Start], goal: float) -> str:
    """Return the cells of a table: how many were solved, and of these the seconds and the epochs."""
    solved = [start for start in starts if start.error < goal]
    count = f"{len(solved)} of {len(starts)}"
    if not solved:
        return f"{count} | - | - | - | -"
    wall, processor = (Figure.of([start[k] for start in solved], 1e3) for k in (0, 1))
    epochs = Figure.of([float(start.epochs) for start in solved])
    return (
        f"{count} | {wall.cells()} | {digits(processor.middle)}, {digits(processor.high)} at most"
        f" | {epochs.middle:.0f}, {epochs.low:.0f} to {epochs.high:.0f}"
    )


def sinc_part(starts: int, rounds: int) -> None:
    """Print how Levenberg-Marquardt does on sinc(10 x), by its constants and by the first weights."""
    problem = sinc()
    methods = {
        "the defaults": LevenbergMarquardt(),
        "scaled": LevenbergMarquardt(scaled=True),
        "gentle": GENTLE,
        "gentle, scaled": replace(GENTLE, scaled=True),
    }
    click.echo(
        f"\nsinc(10 x), 1-20-1, 1000 rows, to {problem.goal:g}; gentle is damping={GENTLE.damping:g},"
        f" decrease={GENTLE.decrease:g}, increase={GENTLE.increase:g}\n"
    )
    click.echo(
        "| first layer | constants | in 0.5 s | of the processor | solved | ms | spread | of the processor | epochs |"
    )
    click.echo("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for first in FIRST:
        for name, method in methods.items():
            done = [solve(problem, method, seed, first) for seed in range(starts)]
            quick, fast = (sum(s.error < problem.goal and s[k] < QUICK for s in done) for k in (0, 1))
            click.echo(f"| {first} | {name} | {quick} | {fast} | {counted(done, problem.goal)} |")


def textbook_part(starts: int, rounds: int) -> None:
    """Print five methods side by side on the sine and on parity; each start is theirs in turn."""
    methods: dict[str, Optimizer] = {
        "levenberg_marquardt": LevenbergMarquardt(),
        "the same, gentle": GENTLE,
        "bfgs": BFGS(),
        "lbfgs": LBFGS(),
        "cg": ConjugateGradients(),
        "rprop": Rprop(),
    }
    for title, problem in {"sin, 1-5-1, 41 rows": sine(), "parity, 3-10-10-1, 8 rows": parity()}.items():
        click.echo(f"\n{title}, to {problem.goal:g}\n")
        click.echo("| method | solved | ms | spread | of the processor | epochs | ms of bfgs / ms |")
        click.echo("|---|--:|--:|--:|--:|--:|--:|")
        done: dict[str, list[Start]] = {name: [] for name in methods}
        for seed in range(starts):
            for name, method in methods.items():
                done[name].append(solve(problem, method, seed))
        for name, runs in done.items():
            pairs = [
                (theirs.processor, own.processor)
                for theirs, own in zip(done["bfgs"], runs, strict=True)
                if max(theirs.error, own.error) < problem.goal
            ]
            gain = digits(median(theirs / own for theirs, own in pairs)) if pairs else "-"
            click.echo(f"| {name} | {counted(runs, problem.goal)} | {gain} |")


class Regression(NamedTuple):
    """Rows to learn and to test; `noise` is its known deviation, None where nobody knows it."""

    X: Vector
    y: Vector
    X_test: Vector
    y_test: Vector
    noise: float | None


def made(make: Callable[..., tuple[Vector, Vector]], noise: float, rows: int) -> Callable[[int], Regression]:
    """Return a function of the seed that makes so many rows to learn and 1000 to test."""

    def build(seed: int) -> Regression:
        X, y = make(n_samples=rows + 1000, noise=noise, random_state=seed)
        return Regression(X[:rows], y[:rows], X[rows:], y[rows:], noise)

    return build


def make_sinc(n_samples: int, noise: float, random_state: int) -> tuple[Vector, Vector]:
    """Return sin(10 x) / (10 x) with normal noise."""
    random = np.random.default_rng(random_state)
    x = random.uniform(-1, 1, n_samples)
    return x[:, None], np.sinc(10 * x / np.pi) + noise * random.normal(size=n_samples)


def diabetes(fold: int) -> Regression:
    """Return scikit-learn's diabetes with every fifth of its rows, shuffled once, kept for the test."""
    X, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    test = np.arange(len(X)) % 5 == fold
    return Regression(X[order[~test]], y[order[~test]], X[order[test]], y[order[test]], None)


MADE = {
    "friedman1": (make_friedman1, 1.0),
    "friedman2": (make_friedman2, 100.0),
    "friedman3": (make_friedman3, 0.1),
    "sinc": (make_sinc, 0.1),
}

REGRESSIONS: Mapping[str, Callable[[int], Regression]] = {
    "diabetes": diabetes,
    **{f"{name}, {rows} rows": made(*how, rows) for rows in (200, 1000) for name, how in MADE.items()},
}

STOPPED: Mapping[str, Mapping[str, Any]] = {
    "adam": {"solver": "adam", "learning_rate_init": 0.01, "batch_size": 32, "n_iter_no_change": 30},
    "lbfgs": {"solver": "lbfgs", "n_iter_no_change": 30},
    "lm": {"solver": "lm", "n_iter_no_change": 10},
}
"""Who stops early, with a tenth of the rows for the validation."""


def regressor(seed: int, **own: Any) -> cr.MLPRegressor:
    """Return an estimator with ten hidden units."""
    settings: dict[str, Any] = {"hidden_layer_sizes": (10,), "activation": "tanh", "alpha": 0.0, "max_iter": 2000}
    return cr.MLPRegressor(**settings | own, scale_target=True, random_state=seed, n_threads=1)


def learned(data: Regression, seed: int) -> dict[str, float]:
    """Return the test RMSE of each way, and of the Bayesian one γ and the share of targets in its intervals."""
    scaler = StandardScaler().fit(data.X)
    X, X_test = scaler.transform(data.X), scaler.transform(data.X_test)
    model = regressor(seed, solver="bayesian").fit(X, data.y)
    mean, deviation = model.predict(X_test, return_std=True)
    found = {
        "bayesian": rmse(mean, data.y_test),
        "gamma": model.gamma_,
        "covered": float(np.mean(np.abs(data.y_test - mean) <= 1.96 * deviation)),
    }
    for name, own in STOPPED.items():
        stopped = regressor(seed, early_stopping=True, **own).fit(X, data.y)
        found[name] = rmse(stopped.predict(X_test), data.y_test)
    return found


def rmse(predicted: Vector, y: Vector) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((predicted - y) ** 2)))


def bayesian_part(starts: int, rounds: int) -> None:
    """Print Bayesian regularisation beside early stopping."""
    click.echo(f"\nTest RMSE, ten tanh units, the median of {rounds} seeds or folds\n")
    click.echo(
        f"| data | noise | bayesian | {' | '.join(STOPPED)} | the best of these / bayesian | spread | γ | covered |"
    )
    click.echo("|---|--:|--:" + "|--:" * len(STOPPED) + "|--:|--:|--:|--:|")
    for name, build in REGRESSIONS.items():
        runs, noise = [learned(build(seed), seed) for seed in range(rounds)], build(0).noise
        middle = {key: median(run[key] for run in runs) for key in runs[0]}
        best = min(STOPPED, key=lambda way: middle[way])
        gain = Figure.of([run[best] / run["bayesian"] for run in runs])
        covered = 100 * float(np.mean([run["covered"] for run in runs]))
        errors = " | ".join(digits(middle[way]) for way in ("bayesian", *STOPPED))
        told = "-" if noise is None else f"{noise:g}"
        click.echo(f"| {name} | {told} | {errors} | {gain.cells()} | {middle['gamma']:.1f} | {covered:.1f} % |")


def digits_part(starts: int, rounds: int) -> None:
    """Print the seconds of a whole L-BFGS fit beside scikit-learn's, the same tolerance and iterations."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    click.echo("\nL-BFGS, digits 64-100-10, relu, 1797 rows\n")
    click.echo("| threads | at most | chainrule ms | spread | scikit-learn ms | spread | ratio | spread | iterations |")
    click.echo("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for threads, most in ((THREADS, 30), (THREADS, 200), (1, 200)):
        limit_threads(threads)
        settings: dict[str, Any] = {"solver": "lbfgs", "max_iter": most, "tol": 1e-4, "random_state": 0}
        models = {"chainrule": cr.MLPClassifier(**settings, n_threads=threads), "sklearn": MLPClassifier(**settings)}
        times = interleaved({name: block(partial(model.fit, X, y), 1) for name, model in models.items()}, rounds)
        ours, theirs = (Figure.of(times[name], 1e3).cells() for name in models)
        taken = " and ".join(str(model.n_iter_) for model in models.values())
        gain = ratios(times, "sklearn", "chainrule").cells()
        click.echo(f"| {threads} | {most} | {ours} | {theirs} | {gain} | {taken} |")


PARTS = {"sinc": sinc_part, "textbook": textbook_part, "bayesian": bayesian_part, "digits": digits_part}


@click.command(help=__doc__)
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--starts", default=30, show_default=True, type=click.IntRange(1), help="random starts")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 5), help="seeds, folds and rounds")
def main(parts: tuple[str, ...], starts: int, rounds: int) -> None:
    """Run the benchmark and print its tables."""
    limit_threads()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.simplefilter("ignore", cr.TrainingAdvice)
    versions = ", ".join(f"{name} {installed(name)}" for name in ("chainrule", "numpy", "scikit-learn"))
    click.echo(f"{versions}; Python {platform.python_version()}, {platform.machine()}, {processor()}.")
    for part in parts or PARTS:
        PARTS[part](starts, rounds)


def processor() -> str:
    """Return the name of the processor and the cores there are."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
