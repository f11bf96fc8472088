"""The settings of the estimators: one row each, read by the estimators, the command line and the model file.

A row says what a setting is for, what it accepts (in code, in words, and as text on the command line) and which
group of `chainrule train --help` shows it. Defaults stand once, in the estimators' signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf, isnan
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np

from .activations import ACTIVATIONS, ALIASES
from .blocks import Activation
from .engines import ENGINES
from .initializers import INITIALIZERS
from .losses import LOSSES, Loss
from .optimizers import OPTIMIZERS, Minimizer, UpdateRule
from .schedules import SCHEDULES, Schedule

Group = Literal["network", "loss", "optimiser", "training", "stopping", "data", "running"]


class Rule(Protocol):
    """What a setting accepts."""

    @property
    def words(self) -> str:
        """Say what is accepted, for errors and help."""

    def accepts(self, value: Any) -> bool:
        """Return whether the value is accepted."""

    def parse(self, text: str) -> Any:
        """Return the value a text stands for; ValueError when it stands for none."""


@dataclass(frozen=True)
class Number:
    """A real number between low and high; open ends are excluded."""

    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False

    @property
    def words(self) -> str:
        """The interval in words."""
        low = f"above {self.low:g}" if self.low_open else f"at least {self.low:g}"
        high = f"below {self.high:g}" if self.high_open else f"at most {self.high:g}"
        return "a number " + " and ".join([low] + [high] * (self.high < inf))

    def accepts(self, value: Any) -> bool:
        """Whether value is a number in the interval."""
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real) or isnan(value):
            return False
        number = float(value)
        above = number > self.low if self.low_open else number >= self.low
        below = number < self.high if self.high_open else number <= self.high
        return above and below

    def parse(self, text: str) -> float:
        """The number."""
        return float(text)


@dataclass(frozen=True)
class Whole:
    """A whole number of at least `low`; `also` lists other accepted words or numbers."""

    low: int = 1
    also: tuple[Any, ...] = ()

    @property
    def words(self) -> str:
        """The lower end in words."""
        return f"a whole number of at least {self.low}" + "".join(f", or {a!r}" for a in self.also)

    def accepts(self, value: Any) -> bool:
        """Whether value is a whole number of at least low, or one of the others."""
        whole = isinstance(value, Integral) and not isinstance(value, bool | np.bool_) and int(value) >= self.low
        return whole or any(value is a or (isinstance(value, type(a)) and value == a) for a in self.also)

    def parse(self, text: str) -> Any:
        """The whole number, or the other value of that text."""
        return next((a for a in self.also if str(a) == text), None) or int(text)


@dataclass(frozen=True)
class Choice:
    """One of some names, or an object of `kinds`."""

    names: tuple[str, ...]
    kinds: tuple[type, ...] = ()

    @property
    def words(self) -> str:
        """The names."""
        objects = "".join(f", or a {kind.__name__} object" for kind in self.kinds)
        return "one of " + ", ".join(self.names) + objects

    def accepts(self, value: Any) -> bool:
        """Whether value is one of the names, or such an object."""
        return value in self.names if isinstance(value, str) else isinstance(value, self.kinds)

    def parse(self, text: str) -> str:
        """The name."""
        return text


@dataclass(frozen=True)
class Flag:
    """True or False."""

    words: str = "True or False"

    def accepts(self, value: Any) -> bool:
        """Whether value is a boolean."""
        return isinstance(value, bool | np.bool_)

    def parse(self, text: str) -> bool:
        """True for "true", False for "false"."""
        return {"true": True, "false": False}[text.lower()]


@dataclass(frozen=True)
class Several:
    """One value of a rule, or a sequence of them (a comma-separated list as text)."""

    rule: Rule
    empty: bool = False

    @property
    def words(self) -> str:
        """The single value, or a list."""
        return f"{self.rule.words}; or a sequence of such, one per hidden layer"

    def accepts(self, value: Any) -> bool:
        """Whether value, or each of its items, is accepted."""
        if isinstance(value, str) or not isinstance(value, Iterable):
            return self.rule.accepts(value)
        items = list(value)
        return (self.empty or bool(items)) and all(map(self.rule.accepts, items))

    def parse(self, text: str) -> Any:
        """The value, or a tuple of the comma-separated values."""
        items = tuple(self.rule.parse(part.strip()) for part in text.split(",") if part.strip() not in ("", "none"))
        return items[0] if len(items) == 1 else items


@dataclass(frozen=True)
class Optional:
    """None, or what the rule accepts."""

    rule: Rule

    @property
    def words(self) -> str:
        """The rule's words, or None."""
        return f"{self.rule.words}, or None"

    def accepts(self, value: Any) -> bool:
        """Whether value is None or accepted."""
        return value is None or self.rule.accepts(value)

    def parse(self, text: str) -> Any:
        """None for "none", else the rule's value."""
        return None if text.lower() == "none" else self.rule.parse(text)


@dataclass(frozen=True)
class Anything:
    """Values that the estimator checks itself, because they depend on the data or on scikit-learn."""

    words: str
    test: Callable[[Any], bool] = lambda value: True

    def accepts(self, value: Any) -> bool:
        """Whether the test holds."""
        return self.test(value)

    def parse(self, text: str) -> Any:
        """The text itself; None for "none"."""
        return None if text.lower() == "none" else text


@dataclass(frozen=True)
class Setting:
    """One row: its group, what it accepts, what it is for, and whether the command line offers it."""

    group: Group
    rule: Rule
    help: str
    on_command_line: bool = True


_names = tuple(sorted({*ACTIVATIONS, *ALIASES}))
_initializers = Choice(("auto", *INITIALIZERS), (int, float, Callable))  # type: ignore[arg-type]  # isinstance takes it
_fraction = Number(0, 1, high_open=True)

SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "hidden_layer_sizes": Setting(
            "network", Several(Whole(), empty=True), "units in each hidden layer; none for a linear model"
        ),
        "activation": Setting(
            "network", Several(Choice(_names, (Activation,))), "activation, for all hidden layers or one each"
        ),
        "initializer": Setting("network", _initializers, "starting weights; auto suits the activation"),
        "bias_initializer": Setting("network", Choice(_initializers.names[1:], _initializers.kinds), "starting biases"),
        "loss": Setting("loss", Choice(("log_loss", *LOSSES), (Loss,)), "what is minimised"),
        "delta": Setting("loss", Number(0, low_open=True), "where the Huber loss turns from squared to absolute"),
        "quantile": Setting("loss", Number(0, 1, True, True), "the quantile of the quantile loss"),
        "alpha": Setting("loss", Number(0), "L2 penalty on the weights, divided by the rows of the batch"),
        "l1": Setting("loss", Number(0), "L1 penalty on the weights, divided by the rows of the batch"),
        "solver": Setting("optimiser", Choice(tuple(OPTIMIZERS), (UpdateRule, Minimizer)), "update rule or minimiser"),
        "learning_rate_init": Setting("optimiser", Optional(Number(0, low_open=True)), "learning rate at the start"),
        "learning_rate": Setting("optimiser", Choice(tuple(SCHEDULES), (Schedule,)), "learning-rate schedule"),
        "power_t": Setting("optimiser", Number(0), "exponent of invscaling"),
        "decay": Setting("optimiser", Number(0, 1, True), "factor of the step and exponential schedules"),
        "decay_every": Setting("optimiser", Whole(), "epochs between the drops of the step schedule"),
        "warm_up": Setting("optimiser", Whole(0), "steps over which the learning rate rises from 0"),
        "momentum": Setting("optimiser", Number(0, 1), "momentum of sgd, momentum and nesterov"),
        "nesterovs_momentum": Setting("optimiser", Flag(), "whether sgd uses Nesterov's momentum"),
        "beta_1": Setting("optimiser", _fraction, "decay of Adam's first moment"),
        "beta_2": Setting("optimiser", _fraction, "decay of Adam's second moment"),
        "epsilon": Setting("optimiser", Number(0, low_open=True), "Adam's ε"),
        "weight_decay": Setting("optimiser", Number(0), "AdamW's decoupled decay of the weights"),
        "max_fun": Setting("optimiser", Whole(), "largest number of evaluations of lbfgs"),
        "batch_size": Setting("training", Whole(1, ("auto",)), "rows to a step; auto is min(200, rows)"),
        "max_iter": Setting("training", Whole(), "largest number of epochs (iterations of lbfgs)"),
        "shuffle": Setting(
            "training",
            Anything("True, False or 'once'", lambda v: v in (True, False, "once")),
            "new batches each epoch",
        ),
        "n_restarts": Setting("training", Whole(), "independent starts, of which the best is kept"),
        "class_weight": Setting("training", Anything("None, 'balanced' or a dict"), "weights of the classes"),
        "random_state": Setting("training", Optional(Whole(0)), "seed: the same seed gives the same bits"),
        "tol": Setting("stopping", Number(0), "smallest change that counts as an improvement"),
        "n_iter_no_change": Setting("stopping", Whole(1, (inf,)), "epochs without improvement before stopping"),
        "early_stopping": Setting("stopping", Flag(), "stop on the validation score, keep the best weights"),
        "validation_fraction": Setting("stopping", _fraction, "share of the rows kept for validation"),
        "scoring": Setting("stopping", Anything("a scikit-learn scorer or its name"), "validation score"),
        "time_limit": Setting("stopping", Optional(Number(0, low_open=True)), "seconds after which to stop"),
        "preprocessing": Setting(
            "data",
            Choice(("auto", "always", "never")),
            "encode and standardise columns; auto: where a table needs it",
        ),
        "input_scale": Setting("data", Number(0, low_open=True), "factor on every input, such as 1/255 for pixels"),
        "scale_target": Setting("data", Flag(), "standardise the target of a regression while training"),
        "dtype": Setting("data", Choice(("auto", "float32", "float64")), "precision; auto follows the data"),
        "engine": Setting("running", Choice(("auto", *ENGINES)), "what runs the steps"),
        "verbose": Setting("running", Anything("True, False or a number"), "print each epoch", False),
        "warm_start": Setting("running", Flag(), "go on from the last fit", False),
        "callbacks": Setting("running", Anything("callables that take a Progress event, or None"), "readers", False),
    }
)
"""The table. A setting is a row here and a keyword of an estimator."""


def check(values: Mapping[str, Any], owner: str) -> None:
    """Check the settings of an estimator.

    Raises ValueError for the first one that is not accepted, naming it, what was given and what is accepted.

    >>> check({"alpha": -1}, "MLPClassifier")
    Traceback (most recent call last):
    ...
    ValueError: MLPClassifier: alpha must be a number at least 0, got -1
    """
    for name, value in values.items():
        if name == "hidden_layer_sizes" and np.ndim(value) <= 1 and np.any(np.asarray(value) <= 0):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {value!r}")
        if name != "random_state" and not SETTINGS[name].rule.accepts(value):
            raise ValueError(f"{owner}: {name} must be {SETTINGS[name].rule.words}, got {value!r}")
