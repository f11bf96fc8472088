"""Draw the path of every optimiser on five surfaces, and race them on three data sets.

Run: python examples/optimizers.py optimizers.png              the paths   (needs matplotlib)
     python examples/optimizers.py race.png --race --seconds 5   the race on digits, a table and sinc

The surfaces are those of the lecture notes: a bowl, a ravine, Rosenbrock's valley, a saddle and a cliff. Each is a
function of two numbers with its gradient and its Hessian, and answers the verbs that an engine answers: an optimiser
does not notice that there is no network. The learning rate is that of nine whose path is lowest on the average;
Gauss-Newton's matrix is here the positive part of the Hessian. Muon and K-FAC look at the layers of a network, and the
Bayesian method at its noise: they are not drawn.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.preprocessing import StandardScaler

import chainrule as cr
from chainrule.mathematics.gauss_newton import Quadratic
from chainrule.optimizers import OPTIMIZERS

STEPS = 100
RATES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4, 3e-5)

FAMILIES = {
    "one rate for all\none gradient a step": ("sgd", "momentum", "nesterov", "lion", "rprop"),
    "a rate for each entry\none gradient a step": (
        *("adagrad", "adadelta", "rmsprop", "adam", "adamw"),
        *("nadam", "amsgrad", "radam"),
    ),
    "a search along a line\ngradients of all rows": ("gradient_descent", "cg", "bfgs", "lbfgs"),
    "the curvature\nsecond derivatives": (
        *("newton", "damped_newton", "trust_region", "hessian_free"),
        *("natural_gradient", "levenberg_marquardt"),
    ),
}


class Surface(NamedTuple):
    """f(x, y) with its gradient and its Hessian, where a path begins, and what is drawn: x and y from, to."""

    f: Callable[[Any, Any], Any]
    gradient: Callable[[float, float], Any]
    hessian: Callable[[float, float], Any]
    start: tuple[float, float]
    frame: tuple[float, float, float, float]
    lowest: tuple[tuple[float, float], ...]


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + e⁻ˣ)."""
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def wall(x: Any) -> Any:
    """Return the slope of the cliff, s(1 - s)."""
    s = sigmoid(10 * (x - 0.5))
    return s * (1 - s)


SURFACES = {
    "bowl": Surface(
        lambda x, y: 0.5 * (x**2 + 3 * y**2),
        lambda x, y: [x, 3 * y],
        lambda x, y: [[1, 0], [0, 3]],
        (-2.0, 1.4),
        (-2.5, 1, -1.2, 1.8),
        ((0, 0),),
    ),
    "ravine": Surface(
        lambda x, y: 0.5 * (0.2 * (x + y) ** 2 + 20 * (x - y) ** 2),
        lambda x, y: [0.2 * (x + y) + 20 * (x - y), 0.2 * (x + y) - 20 * (x - y)],
        lambda x, y: [[20.2, -19.8], [-19.8, 20.2]],
        (-1.6, -1.9),
        (-2.2, 0.8, -2.2, 0.8),
        ((0, 0),),
    ),
    "Rosenbrock's valley": Surface(
        lambda x, y: (1 - x) ** 2 + 20 * (y - x**2) ** 2,
        lambda x, y: [-2 * (1 - x) - 80 * x * (y - x**2), 40 * (y - x**2)],
        lambda x, y: [[2 - 80 * (y - 3 * x**2), -80 * x], [-80 * x, 40]],
        (-1.3, 1.0),
        (-1.9, 1.6, -0.7, 2.3),
        ((1, 1),),
    ),
    "saddle": Surface(
        lambda x, y: x**2 - y**2 + 0.25 * y**4,
        lambda x, y: [2 * x, -2 * y + y**3],
        lambda x, y: [[2, 0], [0, -2 + 3 * y**2]],
        (-1.7, 0.06),
        (-2.1, 1.3, -2.1, 2.1),
        ((0, 2**0.5), (0, -(2**0.5))),
    ),
    "cliff": Surface(
        lambda x, y: 2 * sigmoid(10 * (x - 0.5)) + 0.15 * (x + 1) ** 2 + 0.3 * y**2,
        lambda x, y: [20 * wall(x) + 0.3 * (x + 1), 0.6 * y],
        lambda x, y: [[200 * wall(x) * (1 - 2 * sigmoid(10 * (x - 0.5))) + 0.3, 0], [0, 0.6]],
        (1.9, 1.3),
        (-2.6, 2.4, -1.6, 1.8),
        ((-1, 0),),
    ),
}


class Verbs:
    """The verbs of an engine on a surface: all that an optimiser may ask."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface

    def value(self, theta: Any) -> float:
        """Return f."""
        return float(self.surface.f(*theta))

    def value_and_gradient(self, theta: Any) -> tuple[float, Any]:
        """Return f and its gradient."""
        return self.value(theta), np.array(self.surface.gradient(*theta), float)

    def hessian_product(self, theta: Any, v: Any) -> Any:
        """Return H v."""
        return np.array(self.surface.hessian(*theta), float) @ v

    def positive(self, theta: Any) -> Any:
        """Return the positive part of H."""
        bends, axes = np.linalg.eigh(np.array(self.surface.hessian(*theta), float))
        return axes * np.maximum(bends, 0) @ axes.T

    def gauss_newton_product(self, theta: Any, v: Any) -> Any:
        """Return the positive part of H times v."""
        return self.positive(theta) @ v

    def gauss_newton(self, theta: Any) -> Quadratic:
        """Return the parabola with the positive part of H."""
        return Quadratic(*self.value_and_gradient(theta), self.positive(theta), 1.0)

    def squares(self, theta: Any) -> Any:
        """Return the squared entries of the gradient."""
        return np.array(self.surface.gradient(*theta), float) ** 2


class Plane:
    """A network of two parameters, both weights."""

    outputs, size, blocks, slots = 1, 2, (), ()

    def mask(self, kind: str) -> Any:
        """Return that both are weights."""
        return np.ones(2)


def path(rule: Any, surface: Surface) -> Any:
    """Return the points (steps, 2) that an optimiser visits; it ends where it says so, or far away."""
    theta, ask = np.array(surface.start), Verbs(surface)
    memory, points = rule.init(Plane(), theta), [theta]
    for _ in range(STEPS):
        theta, memory, report = rule.step(ask, theta, memory, rule.learning_rate or 1.0)
        if not (np.isfinite(theta).all() and np.abs(theta).max() < 50):
            break
        points.append(theta)
        if report.message:
            break
    return np.array(points)


def best_path(name: str, surface: Surface) -> Any:
    """Return the path of an optimiser, with the learning rate of RATES whose path is lowest on the average."""
    rule: Any = OPTIMIZERS[name]()
    rules = [rule] if rule.learning_rate is None else [replace(rule, learning_rate=rate) for rate in RATES]
    with np.errstate(all="ignore"):
        found = [path(each, surface) for each in rules]
    return min(found, key=lambda points: mean_height(points, surface))


def mean_height(points: Any, surface: Surface) -> float:
    """Return the mean of f over the steps after the start, the last point standing for those that were not taken."""
    heights = surface.f(*points[1:].T)
    return float((heights.sum() + (STEPS - len(heights)) * surface.f(*points[-1])) / STEPS)


def draw_paths(picture: str) -> None:
    """Draw a row for each family of optimisers, a column for each surface."""
    pyplot = plotting()
    figure, grid = pyplot.subplots(len(FAMILIES), len(SURFACES), figsize=(16, 12.6), layout="constrained")
    for row, (family, names) in enumerate(FAMILIES.items()):
        colours = pyplot.get_cmap("tab10").colors
        for axes, (title, surface) in zip(grid[row], SURFACES.items(), strict=True):
            backdrop(axes, surface)
            for k, name in enumerate(names):
                points = best_path(name, surface)
                axes.plot(*points.T, color="white", linewidth=2.8, alpha=0.7)
                axes.plot(*points.T, "o-", color=colours[k], linewidth=1.5, markersize=2, label=name)
                axes.plot(*points[-1], "o", color=colours[k], markersize=5, markeredgecolor="white")
            axes.plot(*surface.start, "o", color="black", markersize=6, zorder=5)
            if row == 0:
                axes.set_title(title, fontsize=15)
        grid[row, 0].set_ylabel(family, fontsize=12)
        handles, labels = grid[row, 0].get_legend_handles_labels()
        spot = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5), "frameon": False, "fontsize": 11}
        grid[row, -1].legend(handles, labels, **spot)
    figure.savefig(picture, dpi=80)


def backdrop(axes: Any, surface: Surface) -> None:
    """Draw the heights of a surface, and a star where it is lowest."""
    left, right, bottom, top = surface.frame
    x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(bottom, top, 200))
    height = surface.f(x, y)
    shown = np.sqrt(height - height.min())  # closer lines where it is low
    axes.contourf(x, y, shown, 16, cmap="Greys", alpha=0.45)
    axes.contour(x, y, shown, 14, colors="0.55", linewidths=0.4)
    for lowest in surface.lowest:
        axes.plot(*lowest, "*", color="gold", markersize=15, markeredgecolor="black", markeredgewidth=0.7, zorder=4)
    axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[])


def contests() -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Return the data sets with their estimators, and who races on each."""
    digits, table = load_digits(return_X_y=True), load_diabetes(return_X_y=True)
    x = np.linspace(-1, 1, 200)[:, None]
    settings: dict[str, Any] = {"random_state": 0, "alpha": 0.0, "tol": 0.0, "activation": "tanh"}
    regressor = cr.MLPRegressor(hidden_layer_sizes=(20,), scale_target=True, **settings)
    small = ("adam", "rprop", "lbfgs", "cg", "bfgs", "damped_newton", "hessian_free", "levenberg_marquardt")
    return {
        "digits, 64-50-10": (
            (digits[0] / 16, digits[1], cr.MLPClassifier((50,), **settings)),
            ("sgd", "adam", "rprop", "muon", "lbfgs", "cg", "hessian_free", "kfac"),
        ),
        "a table, 10-20-1": ((StandardScaler().fit_transform(table[0]), table[1], regressor), small),
        "sinc(10 x), 1-20-1": ((x, np.sinc(10 * x[:, 0] / np.pi), regressor), small),
    }


def draw_race(picture: str, seconds: float) -> None:
    """Race on each data set; print the tables and draw the losses over the seconds."""
    pyplot = plotting()
    figure, row = pyplot.subplots(1, 3, figsize=(16, 5.2), layout="constrained")
    for axes, (title, (data, names)) in zip(row, contests().items(), strict=True):
        found = cr.race(data, names, seconds=seconds)
        print(f"{title}: goal {found.goal:.3g}")
        for course in sorted(found.courses, key=lambda course: course.losses[-1]):
            reached = course.seconds_to(found.goal)
            goal = "     -" if reached is None else f"{reached:6.2f}"
            figures = f"{course.losses[-1]:10.3g} {course.passes[-1]:8.0f} passes {course.seconds[-1]:6.2f} s"
            print(f"  {course.name:20s} {figures}   goal after {goal} s   {course.reason}")
            wide = 3 if course is found.winner else 1.5
            label = course.name + ("  (winner)" if course is found.winner else "")
            axes.loglog(course.seconds[1:], course.losses[1:], linewidth=wide, label=label)
        axes.set(title=title, xlabel="seconds", ylabel="loss")
        axes.set_ylim(bottom=max(axes.get_ylim()[0], 1e-8))
        axes.grid(alpha=0.25)
        axes.legend(fontsize=9, frameon=False)
    figure.savefig(picture, dpi=80)


def plotting() -> Any:
    """Return matplotlib's pyplot, drawing to files."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def main() -> None:
    """Draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", help="the file to draw, such as optimizers.png")
    parser.add_argument("--race", action="store_true", help="race on three data sets")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each solver in a race")
    given = parser.parse_args()
    warnings.simplefilter("ignore", cr.TrainingAdvice)
    if given.race:
        draw_race(given.picture, given.seconds)
    else:
        draw_paths(given.picture)
        print(f"{given.picture}: {sum(map(len, FAMILIES.values()))} optimisers on {len(SURFACES)} surfaces")


if __name__ == "__main__":
    main()
