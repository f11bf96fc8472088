"""Good settings for a table or a set of images: the defaults of `chainrule train`, for Python too.

Chosen on validation rows of nine data sets, never on test rows. Fewer than 10,000 training rows: every row trains, over
a fixed course of 40 epochs with a falling learning rate. More: a tenth of the rows tells when to lower the learning
rate and when to stop.

>>> import warnings
>>> from sklearn.datasets import load_digits
>>> from chainrule import MLPClassifier
>>> X, y = load_digits(return_X_y=True)
>>> settings = for_table(Facts(rows=len(X), standardise=False, scale=1 / 16), max_iter=5)
>>> settings["learning_rate"], settings["batch_size"], settings["max_iter"]
('cosine', 32, 5)
>>> with warnings.catch_warnings(action="ignore"):  # a fixed course ends at max_iter, which scikit-learn warns of
...     model = MLPClassifier(**settings).fit(X[:1500], y[:1500])
>>> model.score(X[1500:], y[1500:]) > 0.9
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from types import MappingProxyType
from typing import Any, Literal

from ..foundation.values import COUNT, POSITIVE, Choice, check
from .settings.optimizer import STEPPING, WHOLE
from .settings.row import CLASSIFIER, REGRESSOR
from .settings.table import SETTINGS, defaults

ESTIMATOR_OF: Mapping[str, str] = MappingProxyType({"classification": CLASSIFIER, "regression": REGRESSOR})
"""The estimator of each task, by name."""

MANY_ROWS = 10_000
"""From so many training rows on, a tenth of them is spent on early stopping."""


@dataclass(frozen=True)
class Facts:
    """The facts that the presets depend on: the training rows, whether columns are standardised, the inputs' scale.

    `early` and `solver` are settled before the others. `image_shape` is the shape of images, where rows are images.
    """

    rows: int
    standardise: bool = True
    scale: float = 1.0
    early: bool = False
    solver: Any = "adam"
    image_shape: tuple[int, ...] | None = None
    task: Literal["classification", "regression"] = "classification"

    def __post_init__(self) -> None:
        check(self, {"rows": COUNT, "scale": POSITIVE, "task": Choice((*ESTIMATOR_OF,))})

    @property
    def plateaus(self) -> bool:
        """True where the learning rate is to fall when the validation score stands still."""
        return self.early and STEPPING.holds({"solver": self.solver})

    @property
    def whole(self) -> bool:
        """True where every step is to take all rows."""
        return WHOLE.holds({"solver": self.solver})


@dataclass(frozen=True)
class Default:
    """A preset: its value, or a function of the facts, and the words for it in the help."""

    value: Any
    words: str = ""

    def of(self, facts: Facts) -> Any:
        """Return the value for a data set."""
        return self.value(facts) if callable(self.value) else self.value


DEFAULTS: Mapping[str, Default] = MappingProxyType(
    {
        "early_stopping": Default(lambda f: f.rows >= MANY_ROWS, f"on from {MANY_ROWS:,} training rows"),
        "hidden_layer_sizes": Default((200, 100)),
        "alpha": Default(0.03),
        "batch_size": Default(
            lambda f: f.rows if f.whole else max(1, min(128 if f.early else 32, f.rows // 2)),
            "32, at most half the rows; 128 with early stopping; all rows for rprop",
        ),
        "max_iter": Default(lambda f: 100 if f.early else 40, "40; 100 with early stopping"),
        "learning_rate": Default(
            lambda f: "adaptive" if f.plateaus else "cosine", "cosine; adaptive with early stopping"
        ),
        "learning_rate_init": Default(
            lambda f: 0.002 if f.solver in ("adam", "adamw") else None,
            "0.002 for adam; other solvers, and adam:FIELD=VALUE, have their own",
        ),
        "n_iter_no_change": Default(lambda f: 5 if f.early else inf, "inf; 5 with early stopping"),
        "random_state": Default(0),
        "dtype": Default("float32"),
        "preprocessing": Default(lambda f: "always" if f.standardise else "never", "always; never for images"),
        "input_scale": Default(lambda f: f.scale, "1; 1/255 for bytes, 1/16 for digits"),
        "scale_target": Default(True),
        "image_shape": Default(lambda f: f.image_shape, "what an idx file says, or a square"),
    }
)
"""The presets: settings whose defaults in `chainrule train` are not the estimators' own, which are scikit-learn's."""


def for_table(facts: Facts, **given: Any) -> dict[str, Any]:
    """Return the settings for the estimator of a task: those given, and the presets for the others.

    Raises ValueError for a setting that the estimator does not have.

    >>> for_table(Facts(rows=50_000, task="regression"))["learning_rate"]
    'adaptive'
    """
    own = defaults(ESTIMATOR_OF[facts.task])
    unknown = next((name for name in given if name not in own), None)
    if unknown in SETTINGS:
        raise ValueError(f"{unknown} is a setting of the other task; this is a {facts.task}")
    if unknown is not None:
        raise ValueError(f"{unknown} is no setting of {ESTIMATOR_OF[facts.task]}; docs/parameters.md lists them")
    early = given.get("early_stopping", DEFAULTS["early_stopping"].of(facts))
    facts = replace(facts, early=bool(early), solver=given.get("solver", own["solver"]))
    ours = {name: default.of(facts) for name, default in DEFAULTS.items() if name in own}
    return {**ours, **given}
