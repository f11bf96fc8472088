"""From the settings of the optimiser to its parts: the update rule or minimiser, and the schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...optimizers import LBFGS, OPTIMIZERS, SGD, Minimizer, UpdateRule
from ...steps.schedules import SCHEDULES, InverseScaling, Schedule, Step, WarmUp
from .network import Settings

_ADAM = ("beta_1", "beta_2", "epsilon")


SETTINGS_OF_RULE: Mapping[str, tuple[str, ...]] = {
    "momentum": ("momentum",),
    "nesterov": ("momentum",),
    "adam": _ADAM,
    "adamw": (*_ADAM, "weight_decay"),
    "nadam": _ADAM,
    "amsgrad": _ADAM,
    "radam": _ADAM,
    "lion": ("beta_1", "weight_decay"),
}
"""Which settings each solver takes, beside the learning rate; the others keep their own.

The defaults of `beta_2` and `epsilon` are Adam's: they are not for Lion's β₂ and not for AdaGrad's ε.
"""


def optimizer(settings: Settings) -> UpdateRule | Minimizer:
    """Return the update rule or minimiser. "sgd" has momentum, as in scikit-learn, unless momentum is 0."""
    solver = settings["solver"]
    if not isinstance(solver, str):
        return solver  # type: ignore[no-any-return]  # settings.check has seen that it is an optimiser
    if solver == "lbfgs":
        return LBFGS(tolerance=float(settings["tol"]), max_evaluations=int(settings["max_fun"]))
    if solver == "sgd" and settings["momentum"] > 0:
        solver = "nesterov" if settings["nesterovs_momentum"] else "momentum"
    rule: Any = OPTIMIZERS[solver]()
    taken = {name: settings[name] for name in SETTINGS_OF_RULE.get(solver, ())}
    return replace(rule, learning_rate=learning_rate(settings, rule), **taken)  # type: ignore[no-any-return]


def learning_rate(settings: Settings, rule: Any) -> float:
    """Return the starting learning rate: the setting, or the rule's own where it is None."""
    given = settings["learning_rate_init"]
    return float(getattr(rule, "learning_rate", SGD().learning_rate) if given is None else given)


def schedule(settings: Settings, rule: UpdateRule | Minimizer) -> Schedule:
    """Return the schedule, starting from the learning rate, with its warm-up."""
    given = settings["learning_rate"]
    _schedules: Mapping[str, Any] = SCHEDULES
    chosen: Any = given if not isinstance(given, str) else _schedules[given](learning_rate(settings, rule))
    if given == "invscaling":
        chosen = InverseScaling(chosen.rate, power=float(settings["power_t"]))
    elif given == "step":
        chosen = Step(chosen.rate, int(settings["decay_every"]), float(settings["decay"]))
    elif given == "exponential":
        chosen = replace(chosen, decay=float(settings["decay"]))
    return WarmUp(chosen, int(settings["warm_up"])) if settings["warm_up"] else chosen
