"""The race of solvers by name, on an objective or on data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.utils.multiclass import type_of_target

from ..loop.race import Entrant, Race
from ..loop.race import race as run_race
from ..mathematics.objective import Objective
from ..optimizers import OPTIMIZERS, Optimizer
from .classifier import MLPClassifier
from .regressor import MLPRegressor

Solvers = Sequence[str] | Mapping[str, Any]


def race(data: Any, solvers: Solvers, *, start: Any = None, batch_size: int | None = 32, **race: Any) -> Race:
    """Train the same start with each solver for so many seconds, and return how far each came.

    Args:
        data: an Objective, or a pair (X, y), or a triple (X, y, estimator) whose settings are taken: with tol=0 a
            solver ends by itself only where it can go no farther.
        solvers: their names, or optimisers by a name of yours.
        start: θ (P,), for an objective; None takes `network.initialize(0)`.
        batch_size: rows to a step on an objective, for those that take batches; an estimator has its own.
        race: `seconds` (10), `goal`, `engine`, `n_threads`, and for an objective `score`, `seed` and `recipe`; see
            `chainrule.loop.race.race`.

    The result is a Race: `courses` with loss, validation score, seconds, passes over the data; `winner`; `goal`.

    Raises:
        ValueError: an argument that is out of range, naming it; data that cannot be trained on.

    >>> from sklearn.datasets import load_iris
    >>> found = race(load_iris(return_X_y=True), ["adam", "lbfgs"], seconds=0.2)
    >>> [course.name for course in found.courses], found.best_score.score > 0.5
    (['adam', 'lbfgs'], True)
    """
    chosen = _by_name(solvers)
    if isinstance(data, Objective):
        theta = data.network.initialize(0, data.X.dtype.name) if start is None else start
        rules = {name: given if isinstance(given, Optimizer) else OPTIMIZERS[given]() for name, given in chosen.items()}
        return run_race(data, theta, {name: Entrant(rule, batch_size) for name, rule in rules.items()}, **race)
    if not isinstance(data, tuple) or len(data) not in (2, 3):
        raise ValueError(f"data must be an Objective, or (X, y), or (X, y, estimator), got {type(data).__name__}")
    X, y, *given = data
    kind = MLPRegressor if type_of_target(y).startswith("continuous") else MLPClassifier
    model = given[0] if given else kind(random_state=0, tol=0.0)
    own = {name: {"solver": solver} for name, solver in chosen.items()}
    return model.race_prepared(model.prepare(X, y), own, **race)


def _by_name(solvers: Solvers) -> dict[str, Any]:
    """Return the solvers by name; ValueError for what is none."""
    chosen = dict(solvers) if isinstance(solvers, Mapping) else {name: name for name in solvers}
    for given in chosen.values():
        if not (isinstance(given, Optimizer) or (isinstance(given, str) and given in OPTIMIZERS)):
            raise ValueError(
                f"solver {given!r} is not known; accepted: {', '.join(OPTIMIZERS)}, or an Optimizer object"
            )
    return chosen
