"""The optimiser's settings: their rows, and the optimiser and the schedule that they make.

Nothing here asks for an optimiser's name or class: conditions ask the attributes that optimisers declare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from ...foundation.values import Choice, Flag, Number, Optional, Whole
from ...loop.progress import Stopping
from ...optimizers import OPTIMIZERS, SGD, Optimizer
from ...steps.schedules import SCHEDULES, Schedule, WarmUp
from .row import FRACTION, Field, FieldOf, Setting, Settings, With, WithAll, fields_of, makers


def takes_batches(rule: Any) -> bool:
    """Return True for an optimiser, or a class of them, that takes a step for each batch: it does not need all rows."""
    return not rule.whole_batch


def follows_a_schedule(rule: Any) -> bool:
    """Return True for an optimiser, or a class of them, that takes the learning rate of every step."""
    return takes_batches(rule) and bool(rule.scheduled)


def compares_batches(rule: Any) -> bool:
    """Return True for an optimiser that compares one gradient with the next, so that both must be of the same rows."""
    return takes_batches(rule) and not rule.scheduled


def solvers(holds: Callable[[Any], bool], said: str) -> With:
    """Return the condition that the solver, by name or as an object, is one that `holds` is true for."""
    return With("solver", tuple(name for name, kind in OPTIMIZERS.items() if holds(kind)), holds, said)


STEPPING = solvers(takes_batches, "a solver that takes batches")
RATED = With("solver", STEPPING.values, follows_a_schedule, STEPPING.said)
UNRATED = With(
    "learning_rate",
    (*SCHEDULES,),
    lambda given: not isinstance(given, Schedule),
    "a schedule without a rate of its own",
)
SCHEDULED = solvers(follows_a_schedule, "a solver that follows a learning rate")
WHOLE = solvers(compares_batches, "a solver that compares gradients")


def with_field(field: str, default: Any) -> tuple[str, ...]:
    """Return the names of the optimisers with a field of some default; one with another default keeps to that."""
    table: Mapping[str, Any] = OPTIMIZERS
    return tuple(
        name for name, kind in table.items() if any(f.name == field and f.default == default for f in fields(kind))
    )


MOST_EVALUATIONS, TOLERANCE = 15000, 1e-4

ADAMS = ("adam", "adamw", "nadam", "amsgrad", "radam")
"""The rules whose β₁, β₂ and ε the settings give. Lion's β₂ and AdaGrad's ε have other defaults of their own."""

SGD_WITH: Mapping[tuple[bool, bool], str] = {(True, True): "nesterov", (True, False): "momentum"}
"""The rule that "sgd" means with momentum above 0 or not and with Nesterov's or not; elsewhere it means itself."""


def _of(*solvers: str, field: str) -> tuple[FieldOf]:
    """Return the field of that name in the optimisers that some names stand for."""
    return (FieldOf("solver", dict.fromkeys(solvers, field)),)


ROWS: Mapping[str, Setting] = MappingProxyType(
    {
        "solver": Setting(
            "optimiser",
            "adam",
            Choice(tuple(OPTIMIZERS), (Optimizer,)),
            "update rule or minimiser",
            makes=makers(OPTIMIZERS),
        ),
        "learning_rate_init": Setting(
            "optimiser",
            None,
            Optional(Number(0, low_open=True, high_open=True)),
            "learning rate at the start (one_cycle: at its top); none: the solver's own",
            needs=WithAll((RATED, UNRATED)),
        ),
        "learning_rate": Setting(
            "optimiser",
            "constant",
            Choice(tuple(SCHEDULES), (Schedule,)),
            "learning-rate schedule",
            needs=SCHEDULED,
            makes=makers(SCHEDULES),
        ),
        "power_t": Setting(
            "optimiser",
            0.5,
            Number(0),
            "exponent of invscaling",
            (FieldOf("learning_rate", {"invscaling": "power"}),),
        ),
        "decay": Setting(
            "optimiser",
            0.95,
            Number(0, 1, True),
            "factor of the step and exponential schedules",
            (FieldOf("learning_rate", {"step": "factor", "exponential": "decay"}),),
        ),
        "decay_every": Setting(
            "optimiser",
            10,
            Whole(),
            "epochs between the drops of the step schedule",
            (FieldOf("learning_rate", {"step": "every"}),),
        ),
        "warm_up": Setting(
            "optimiser", 0, Whole(0), "steps over which the learning rate rises from 0", needs=SCHEDULED
        ),
        "momentum": Setting(
            "optimiser",
            0.9,
            Number(0, 1),
            "momentum of sgd, momentum and nesterov",
            _of("momentum", "nesterov", field="momentum"),
            With("solver", ("sgd", "momentum", "nesterov")),
        ),
        "nesterovs_momentum": Setting(
            "optimiser", True, Flag(), "Nesterov's momentum in sgd, not the plain one", needs=With("solver", ("sgd",))
        ),
        "beta_1": Setting(
            "optimiser",
            0.9,
            FRACTION,
            "decay of the first moment of Lion and the Adam family",
            _of(*ADAMS, "lion", field="beta_1"),
        ),
        "beta_2": Setting(
            "optimiser",
            0.999,
            FRACTION,
            "decay of the second moment of the Adam family",
            _of(*ADAMS, field="beta_2"),
        ),
        "epsilon": Setting(
            "optimiser", 1e-8, Number(0, low_open=True), "ε of the Adam family", _of(*ADAMS, field="epsilon")
        ),
        "weight_decay": Setting(
            "optimiser",
            0.01,
            Number(0),
            "decoupled decay of the weights of AdamW and Lion",
            _of("adamw", "lion", field="weight_decay"),
        ),
        "max_fun": Setting(
            "optimiser",
            MOST_EVALUATIONS,
            Whole(),
            "largest number of evaluations of the loss",
            _of(*with_field("max_evaluations", MOST_EVALUATIONS), field="max_evaluations"),
            With("solver", with_field("max_evaluations", MOST_EVALUATIONS), said="a solver that searches along a line"),
        ),
        "tol": Setting(
            "stopping",
            TOLERANCE,
            Number(0),
            "smallest change that counts as an improvement; for a search, gradient to end at",
            (Field(Stopping, "min_change"), *_of(*with_field("tolerance", TOLERANCE), field="tolerance")),
        ),
    }
)
"""The rows of the optimiser; what a step does beside the rule (clipping, rates by kind) is in step.py."""


def optimizer(settings: Settings) -> Optimizer:
    """Return the optimiser. "sgd" has momentum, as in scikit-learn, unless momentum is 0."""
    given = settings["solver"]
    if not isinstance(given, str):
        return given  # type: ignore[no-any-return]  # table.check has seen that it is an optimiser
    with_momentum = settings["momentum"] > 0, bool(settings["nesterovs_momentum"])
    name = {"sgd": SGD_WITH.get(with_momentum, "sgd")}.get(given, given)
    rule: Any = OPTIMIZERS[name]()
    rate = {} if rule.learning_rate is None else {"learning_rate": learning_rate(settings, rule)}
    return replace(rule, **rate, **fields_of(ROWS, settings, "solver", name))  # type: ignore[no-any-return]


def learning_rate(settings: Settings, rule: Optimizer) -> float:
    """Return the starting learning rate: the setting, or the rule's own where it is None."""
    given = settings["learning_rate_init"]
    if given is None:
        given = SGD().learning_rate if rule.learning_rate is None else rule.learning_rate
    return float(given)


def schedule(settings: Settings, rule: Optimizer) -> Schedule:
    """Return the schedule, starting from the learning rate, with its warm-up."""
    given = settings["learning_rate"]
    schedules: Mapping[str, Any] = SCHEDULES
    chosen: Any = given
    if isinstance(given, str):
        named = fields_of(ROWS, settings, "learning_rate", given)
        chosen = schedules[given](learning_rate(settings, rule), **named)
    return WarmUp(chosen, int(settings["warm_up"])) if settings["warm_up"] else chosen
