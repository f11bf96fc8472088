"""Learning-rate schedules: the moment in a training -> learning rate η.

A schedule is a small immutable object called with a Moment. Rules in time t say which clock they read: `unit` is
"step" (updates done), "epoch" (passes done) or "rows" (rows seen in finished passes).

Source: lecture notes; Shalev-Shwartz et al. 2007 (PEGASOS); Loshchilov and Hutter 2017 (cosine);
Smith and Topin 2018 (one cycle).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import cos, pi
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, get_args, runtime_checkable

from ..foundation.values import NOT_NEGATIVE, POSITIVE, Anything, Choice, Number, Rule, check

AT_LEAST_1 = Number(1, called="a number of at least 1")


Unit = Literal["step", "epoch", "rows"]


class Moment(NamedTuple):
    """The progress of a training: all counts start at 0; `fraction` of the planned steps lies in [0, 1]."""

    step: int = 0
    epoch: int = 0
    rows: int = 0
    plateaus: int = 0
    fraction: float = 0.0

    def of(self, unit: Unit) -> int:
        """Return the count of one clock."""
        return {"step": self.step, "epoch": self.epoch, "rows": self.rows}[unit]


@runtime_checkable
class Schedule(Protocol):
    """Moment -> learning rate."""

    def __call__(self, moment: Moment) -> float:
        """Return η at this moment."""

    def exhausted(self, moment: Moment) -> bool:
        """Return True where training should stop, rather than go on, when nothing improves any more."""


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "rate": Anything(NOT_NEGATIVE.words, lambda rate: NOT_NEGATIVE.accepts(rate) or rate != rate),
        "minimum": NOT_NEGATIVE,
        "power": NOT_NEGATIVE,
        "factor": POSITIVE,
        "decay": POSITIVE,
        "every": AT_LEAST_1,
        "rise": Number(0, 1, low_open=True, high_open=True),
        "start": AT_LEAST_1,
        "end": AT_LEAST_1,
        "unit": Choice(get_args(Unit)),
    }
)
"""The accepted values of the fields of schedules, by name. A rate of NaN says that the optimiser follows none."""


class _Checked:
    """A schedule whose fields are checked, each by the rule of its name."""

    @property
    def unit(self) -> Unit:
        """The clock that the rate follows: "step", unless a schedule has a field for it."""
        return "step"

    def __post_init__(self) -> None:
        check(self, {name: rule for name, rule in RULES.items() if name in vars(self)})


class _Stops(_Checked):
    """A schedule with nothing left to try on a plateau."""

    def exhausted(self, moment: Moment) -> bool:
        """Return True: a plateau ends the training."""
        return True


@dataclass(frozen=True)
class Constant(_Stops):
    """η = rate."""

    rate: float = 1e-3

    def __call__(self, moment: Moment) -> float:
        """Return rate."""
        return self.rate


@dataclass(frozen=True)
class InverseTime(_Stops):
    """η = rate / t, with t = 1, 2, ...: 0.1 / t over epochs is the notes' rule, 1 / (λ t) over steps PEGASOS's.

    >>> [InverseTime(0.1)(Moment(epoch=e)) for e in range(3)]
    [0.1, 0.05, 0.03333333333333333]
    """

    rate: float = 0.1
    unit: Unit = "epoch"

    def __call__(self, moment: Moment) -> float:
        """Return rate / (t + 1), t being the clock `unit`."""
        return self.rate / (float(moment.of(self.unit)) + 1)


@dataclass(frozen=True)
class InverseScaling(_Stops):
    """η = rate / (t + 1)^power; over "rows" it is scikit-learn's `invscaling`."""

    rate: float = 1e-3
    power: float = 0.5
    unit: Unit = "rows"

    def __call__(self, moment: Moment) -> float:
        """Return rate / (t + 1)^power, t being the clock `unit`."""
        return self.rate / float((moment.of(self.unit) + 1) ** self.power)


@dataclass(frozen=True)
class Step(_Stops):
    """η = rate factor^⌊t / every⌋."""

    rate: float = 1e-3
    every: int = 10
    factor: float = 0.1
    unit: Unit = "epoch"

    def __call__(self, moment: Moment) -> float:
        """Return rate factor^⌊t / every⌋, t being the clock `unit`."""
        return float(self.rate * self.factor ** (moment.of(self.unit) // self.every))


@dataclass(frozen=True)
class Exponential(_Stops):
    """η = rate decay^t."""

    rate: float = 1e-3
    decay: float = 0.95
    unit: Unit = "epoch"

    def __call__(self, moment: Moment) -> float:
        """Return rate decay^t, t being the clock `unit`."""
        return float(self.rate * self.decay ** moment.of(self.unit))


@dataclass(frozen=True)
class Cosine(_Stops):
    """η = minimum + (rate - minimum) (1 + cos(π fraction)) / 2: from rate down to minimum over the planned steps."""

    rate: float = 1e-3
    minimum: float = 0.0

    def __call__(self, moment: Moment) -> float:
        """Return the rate for the fraction of the planned steps that is done."""
        return self.minimum + (self.rate - self.minimum) * (1 + cos(pi * moment.fraction)) / 2


@dataclass(frozen=True)
class OneCycle(_Stops):
    """η from rate / start up to rate over the first `rise` of the planned steps, then down to rate / end.

    Both ways by a cosine: η = w a + (1 - w) b, w = (1 + cos(π p)) / 2, leads from a to b while p, the part of the way
    that is done, goes from 0 to 1. A high rate in the middle of a training regularises; `range_test` finds one.
    Momentum stays as it is.

    >>> cycle = OneCycle(0.1)
    >>> [round(cycle(Moment(fraction=f)), 5) for f in (0.0, 0.15, 0.3, 0.65, 1.0)]
    [0.004, 0.052, 0.1, 0.05, 1e-05]
    """

    rate: float = 1e-2
    rise: float = 0.3
    start: float = 25.0
    end: float = 1e4

    def __call__(self, moment: Moment) -> float:
        """Return the rate for the fraction of the planned steps that is done."""
        rising = moment.fraction < self.rise
        p = moment.fraction / self.rise if rising else (moment.fraction - self.rise) / (1 - self.rise)
        a, b = (self.rate / self.start, self.rate) if rising else (self.rate, self.rate / self.end)
        w = (1 + cos(pi * p)) / 2
        return w * a + (1 - w) * b


@dataclass(frozen=True)
class Adaptive(_Checked):
    """η = rate / factor^plateaus: divided each time nothing improves, until it is at most `minimum`."""

    rate: float = 1e-3
    factor: float = 5.0
    minimum: float = 1e-6

    def __call__(self, moment: Moment) -> float:
        """Return rate / factor^plateaus."""
        return self.rate / self.factor**moment.plateaus

    def exhausted(self, moment: Moment) -> bool:
        """Return True where η has come down to the minimum."""
        return self(moment) <= self.minimum


@dataclass(frozen=True)
class WarmUp:
    """η = then(moment) (t + 1) / steps for the first `steps` updates, then(moment) after.

    >>> warm = WarmUp(Constant(0.1), steps=4)
    >>> [warm(Moment(step=t)) for t in (0, 1, 3, 9)]
    [0.025, 0.05, 0.1, 0.1]
    """

    then: Schedule = field(default_factory=Constant)
    steps: int = 100

    def __post_init__(self) -> None:
        check(self, {"steps": AT_LEAST_1})

    def __call__(self, moment: Moment) -> float:
        """Return the warmed-up rate."""
        return self.then(moment) * min(1.0, (moment.step + 1) / self.steps)

    def exhausted(self, moment: Moment) -> bool:
        """Return the answer of the schedule after the warm-up."""
        return self.then.exhausted(moment)


SCHEDULES: Mapping[str, type[Schedule]] = MappingProxyType(
    {
        "constant": Constant,
        "inverse_time": InverseTime,
        "invscaling": InverseScaling,
        "step": Step,
        "exponential": Exponential,
        "cosine": Cosine,
        "one_cycle": OneCycle,
        "adaptive": Adaptive,
    }
)
"""The names that estimators and the command line accept; each takes the starting rate first, one_cycle its highest."""


def steady(schedule: Schedule) -> bool:
    """Return True where η cannot change within an epoch: the training loop then asks once for all its steps."""
    if not isinstance(schedule, _Checked) or type(schedule) not in SCHEDULES.values():
        return False
    return isinstance(schedule, Constant | Adaptive) or schedule.unit != "step"


def reads_fraction(schedule: Schedule) -> bool:
    """Return True where η may depend on the planned length of the training: schedules not listed here are taken to."""
    if isinstance(schedule, WarmUp):
        return reads_fraction(schedule.then)
    return type(schedule) not in (Constant, InverseTime, InverseScaling, Step, Exponential, Adaptive)
