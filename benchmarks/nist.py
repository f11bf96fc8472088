"""Judge `least_squares` on NIST's nonlinear regressions: correct digits and evaluations, with SciPy's MINPACK beside.

\b
    python benchmarks/nist.py --folder ../shared/data/nist

Each problem is fitted from both of its starts, with its exact Jacobian and with finite differences. The digits are the
least over the parameters of -log10(|b - certified| / |certified|), at most 11; SciPy's `leastsq` has the exact Jacobian
and the same tolerance. The files are those of the Statistical Reference Datasets of NIST/ITL, as they were published.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import leastsq

from chainrule.optimizers.least_squares import LeastSquaresResult, least_squares

Vector = NDArray[np.float64]
Model = Callable[[Any, Any], Any]

MOST = 11.0
"""Digits that are certified."""

TINY = 1e-30
"""The step of a complex derivative, Im f(b + ih) / h: exact, for nothing is subtracted."""

MISPRINTED = {"Roszman1": "the first certified parameter"}
"""Files with a known misprint: the certified residual sum of squares is compared there instead."""


def bell(b: Any, x: Any, k: int) -> Any:
    """Return bₖ exp(-(x - bₖ₊₁)² / bₖ₊₂²)."""
    return b[k] * np.exp(-((x - b[k + 1]) ** 2) / b[k + 2] ** 2)


def wave(b: Any, x: Any, period: Any, k: int) -> Any:
    """Return bₖ cos(2πx / period) + bₖ₊₁ sin(2πx / period)."""
    return b[k] * np.cos(2 * np.pi * x / period) + b[k + 1] * np.sin(2 * np.pi * x / period)


def ratio(b: Any, x: Any, top: int) -> Any:
    """Return a quotient of polynomials; the last `top` parameters belong to the lower one, which begins with 1."""
    upper = sum(c * x**k for k, c in enumerate(b[: len(b) - top]))
    return upper / (1 + sum(c * x ** (k + 1) for k, c in enumerate(b[len(b) - top :])))


def exponentials(b: Any, x: Any) -> Any:
    """Return b₀ exp(-b₁x) + b₂ exp(-b₃x) + b₄ exp(-b₅x)."""
    return sum(b[k] * np.exp(-b[k + 1] * x) for k in (0, 2, 4))


def decay_and_bells(b: Any, x: Any) -> Any:
    """Return b₀ exp(-b₁x) and two bells."""
    return b[0] * np.exp(-b[1] * x) + bell(b, x, 2) + bell(b, x, 5)


def chwirut(b: Any, x: Any) -> Any:
    """Return exp(-b₀x) / (b₁ + b₂x)."""
    return np.exp(-b[0] * x) / (b[1] + b[2] * x)


MODELS: Mapping[str, Model] = {
    "Bennett5": lambda b, x: b[0] * (b[1] + x) ** (-1 / b[2]),
    "BoxBOD": lambda b, x: b[0] * (1 - np.exp(-b[1] * x)),
    "Chwirut1": chwirut,
    "Chwirut2": chwirut,
    "DanWood": lambda b, x: b[0] * x ** b[1],
    "ENSO": lambda b, x: b[0] + wave(b, x, 12, 1) + wave(b, x, b[3], 4) + wave(b, x, b[6], 7),
    "Eckerle4": lambda b, x: b[0] / b[1] * np.exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "Gauss1": decay_and_bells,
    "Gauss2": decay_and_bells,
    "Gauss3": decay_and_bells,
    "Hahn1": lambda b, x: ratio(b, x, 3),
    "Kirby2": lambda b, x: ratio(b, x, 2),
    "Lanczos1": exponentials,
    "Lanczos2": exponentials,
    "Lanczos3": exponentials,
    "MGH09": lambda b, x: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
    "MGH10": lambda b, x: b[0] * np.exp(b[1] / (x + b[2])),
    "MGH17": lambda b, x: b[0] + b[1] * np.exp(-x * b[3]) + b[2] * np.exp(-x * b[4]),
    "Misra1a": lambda b, x: b[0] * (1 - np.exp(-b[1] * x)),
    "Misra1b": lambda b, x: b[0] * (1 - (1 + b[1] * x / 2) ** -2),
    "Misra1c": lambda b, x: b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5),
    "Misra1d": lambda b, x: b[0] * b[1] * x / (1 + b[1] * x),
    "Nelson": lambda b, x: b[0] - b[1] * x[:, 0] * np.exp(-b[2] * x[:, 1]),
    "Rat42": lambda b, x: b[0] / (1 + np.exp(b[1] - b[2] * x)),
    "Rat43": lambda b, x: b[0] / (1 + np.exp(b[1] - b[2] * x)) ** (1 / b[3]),
    "Roszman1": lambda b, x: b[0] - b[1] * x - np.arctan(b[2] / (x - b[3])) / np.pi,
    "Thurber": lambda b, x: ratio(b, x, 3),
}
"""The table: f(b, x) of each problem."""


class Problem(NamedTuple):
    """One file: both starts, what is certified, and the data."""

    name: str
    starts: tuple[Vector, Vector]
    certified: Vector
    deviations: Vector
    squares: float
    x: Vector
    y: Vector

    def residual(self, b: Vector) -> Vector:
        """Return f(b, x) - y."""
        return np.asarray(MODELS[self.name](b, self.x) - self.y)

    def jacobian(self, b: Vector) -> Vector:
        """Return df/db, (n, P)."""
        unit = np.eye(len(b))
        columns = [MODELS[self.name](b + 1j * TINY * e, self.x).imag / TINY for e in unit]
        return np.stack(columns, axis=1)

    def digits(self, b: Vector, squares: float) -> float:
        """Return the correct digits of b, or of its sum of squares where the file has a misprint."""
        got, wanted = (
            (np.array([squares]), np.array([self.squares])) if self.name in MISPRINTED else (b, self.certified)
        )
        return correct(got, wanted)


def correct(got: Vector, certified: Vector) -> float:
    """Return the least -log10 of the relative errors, from 0 to 11."""
    errors = np.abs(got - certified) / np.abs(certified)
    return float(np.min(np.clip(-np.log10(np.maximum(errors, 10**-MOST)), 0, MOST)))


def load(path: Path) -> Problem:
    """Return the problem of a file; log y for Nelson, as its model has it."""
    text = path.read_text()
    lines = text.splitlines()

    def part(name: str) -> list[str]:
        place = re.search(rf"{name}\s*\(lines\s*(\d+) to\s*(\d+)\)", text)
        first, last = place.groups() if place else ("1", "0")
        return [line for line in lines[int(first) - 1 : int(last)] if line.strip()]

    table = [line for line in part("Certified Values") if re.match(r"\s*b\d+\s*=", line)]
    numbers = np.array([[float(entry) for entry in line.split("=")[1].split()] for line in table])
    found = re.search(r"Residual Sum of Squares:\s*(\S+)", text)
    data = np.array([[float(entry) for entry in line.split()] for line in part("Data")])
    y, x = data[:, 0], data[:, 1:]
    return Problem(
        path.stem,
        (numbers[:, 0], numbers[:, 1]),
        numbers[:, 2],
        numbers[:, 3],
        float(found[1]) if found else np.nan,
        x if x.shape[1] > 1 else x[:, 0],
        np.log(y) if path.stem == "Nelson" else y,
    )


def fits(problem: Problem, start: Vector) -> tuple[LeastSquaresResult, LeastSquaresResult, Any]:
    """Return ours with the exact Jacobian, ours with differences, and SciPy's."""
    with np.errstate(all="ignore"):
        exact = least_squares(problem.residual, start, problem.jacobian)
        differences = least_squares(problem.residual, start)
        tight = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15, "maxfev": 10000}
        theirs = leastsq(problem.residual, start, Dfun=problem.jacobian, full_output=True, **tight)
    return exact, differences, theirs


@click.command(help=__doc__)
@click.option(
    "--folder",
    default=Path("../shared/data/nist"),
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="folder of NIST's .dat files",
)
def main(folder: Path) -> None:
    """Run the benchmark and print its table."""
    click.echo("| problem | start | digits | of deviations | evaluations | by differences | SciPy's | evaluations |")
    click.echo("|---|--:|--:|--:|--:|--:|--:|--:|")
    ratios, least = list[float](), {"exact": list[float](), "differences": list[float](), "SciPy": list[float]()}
    for path in sorted(folder.glob("*.dat")):
        problem = load(path)
        for number, start in enumerate(problem.starts, 1):
            exact, differences, theirs = fits(problem, start)
            theta, info = theirs[0], theirs[2]
            got = {
                "exact": problem.digits(exact.theta, exact.value),
                "differences": problem.digits(differences.theta, differences.value),
                "SciPy": problem.digits(theta, float(info["fvec"] @ info["fvec"])),
            }
            for name, digits in got.items():
                least[name].append(digits)
            ratios.append(exact.evaluations / info["nfev"])
            errors = correct(exact.standard_errors, problem.deviations)
            click.echo(
                f"| {problem.name} | {number} | {got['exact']:.1f} | {errors:.1f} | {exact.evaluations} |"
                f" {got['differences']:.1f} | {got['SciPy']:.1f} | {info['nfev']} |"
            )
    click.echo(
        f"\n{len(ratios)} fits; evaluations / SciPy's: {median(ratios):.2f} in the median, {max(ratios):.2f} at most."
    )
    for name, digits in least.items():
        click.echo(f"{name}: at least 6 digits in {sum(d >= 6 for d in digits)}, the fewest {min(digits):.1f}.")
    for name, what in MISPRINTED.items():
        click.echo(f"{name}: {what} is misprinted in the file; its digits are those of the residual sum of squares.")


if __name__ == "__main__":
    main()
