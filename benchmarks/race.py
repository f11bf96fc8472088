"""Race solvers on three data sets: digits, a table and sinc, from several starts, with the same seconds for each.

\b
    python benchmarks/race.py --seconds 5 --starts 3

Of each solver the median of the starts: the loss of all training rows at the end, the validation score, the passes over
the data, and the seconds to the goal of the race, 1 % of the loss at the start above the best loss (in brackets: how
many starts reached it). A pass is the work of one gradient. The table is wine_quality of ../shared/data where that is,
else scikit-learn's diabetes.
"""

from __future__ import annotations

import platform
import warnings
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import numpy as np
import polars as pl
from clock import THREADS, installed, limit_threads
from sklearn.datasets import load_diabetes, load_digits
from sklearn.preprocessing import StandardScaler

import chainrule as cr

TABLE = Path(__file__).parents[2] / "shared" / "data" / "tabular" / "wine_quality.csv.gz"


class Contest(NamedTuple):
    """A data set with the estimator that learns it, and who races."""

    X: Any
    y: Any
    kind: type[Any]
    hidden: tuple[int, ...]
    solvers: tuple[str, ...]

    def run(self, start: int, seconds: float) -> cr.Race:
        """Race from one start."""
        own: dict[str, Any] = {} if self.kind is cr.MLPClassifier else {"scale_target": True}
        settings = {"hidden_layer_sizes": self.hidden, "activation": "tanh", "alpha": 0.0, "tol": 0.0, **own}
        model = self.kind(**settings, random_state=start, n_threads=THREADS)
        return cr.race((self.X, self.y, model), self.solvers, seconds=seconds)


def table() -> tuple[Any, Any]:
    """Return the inputs, standardised, and the target of a table."""
    if not TABLE.exists():
        X, y = load_diabetes(return_X_y=True)
        return StandardScaler().fit_transform(X), y
    numbers = (
        pl.read_csv(TABLE, infer_schema_length=None)
        .select(pl.selectors.numeric())
        .drop_nulls()
        .to_numpy()
        .astype(float)
    )
    return StandardScaler().fit_transform(numbers[:, :-1]), numbers[:, -1]


def contests() -> dict[str, Contest]:
    """Return the three data sets."""
    digits, x = load_digits(return_X_y=True), np.linspace(-1, 1, 200)[:, None]
    small = ("adam", "rprop", "lbfgs", "cg", "bfgs", "trust_region", "hessian_free", "levenberg_marquardt")
    large = ("sgd", "adam", "rprop", "muon", "lbfgs", "cg", "hessian_free", "kfac")
    return {
        "digits 64-100-10": Contest(digits[0] / 16, digits[1], cr.MLPClassifier, (100,), large),
        "table": Contest(*table(), cr.MLPRegressor, (20,), small),
        "sinc(10 x) 1-20-1": Contest(x, np.sinc(10 * x[:, 0] / np.pi), cr.MLPRegressor, (20,), small),
    }


def lines(races: list[cr.Race]) -> list[str]:
    """Return a row of the table for each solver, the lowest loss first."""
    rows = []
    for courses in zip(*(race.courses for race in races), strict=True):
        ended = [course for course in courses if course.loss is not None]
        if not ended:
            rows.append((np.inf, f"| {courses[0].name} | {courses[0].reason} | | | |"))
            continue
        to_goal = [course.seconds_to(race.goal) for course, race in zip(courses, races, strict=True)]
        reached = [seconds for seconds in to_goal if seconds is not None]
        loss, score = (median(getattr(course, name) for course in ended) for name in ("loss", "score"))
        passes = median(course.passes[-1] for course in ended)
        goal = f"{median(reached):.2f} s ({len(reached)} of {len(races)})" if reached else f"- (0 of {len(races)})"
        rows.append((loss, f"| {courses[0].name} | {loss:.2e} | {score:.4f} | {passes:,.0f} | {goal} |"))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


@click.command(help=__doc__)
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0, min_open=True), help="of each")
@click.option("--starts", default=3, show_default=True, type=click.IntRange(1), help="random states")
def main(seconds: float, starts: int) -> None:
    """Run the benchmark and print its tables."""
    limit_threads()
    warnings.simplefilter("ignore", cr.TrainingAdvice)
    versions = ", ".join(f"{name} {installed(name)}" for name in ("chainrule", "numpy"))
    click.echo(f"{versions}; Python {platform.python_version()}, {platform.machine()}; {starts} starts, {seconds:g} s.")
    for name, contest in contests().items():
        click.echo(f"\n{name}\n")
        click.echo("| solver | loss | validation score | passes | to the goal |\n|---|--:|--:|--:|--:|")
        races = [contest.run(start, seconds) for start in range(starts)]
        click.echo("\n".join(lines(races)))


if __name__ == "__main__":
    main()
