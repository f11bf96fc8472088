"""L-BFGS, delegated to SciPy through the objective.

Source: lecture notes (quasi-Newton methods); Liu and Nocedal 1989; Zhu et al. 1997 (the L-BFGS-B that SciPy runs).
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Generator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ..foundation import values
from ..foundation.arrays import Array
from ..mathematics.objective import Objective


class Iterate(NamedTuple):
    """One iteration of a full-batch method: θ (P,), J(θ) and ‖dJ/dθ‖."""

    theta: Array
    loss: float
    gradient_norm: float


class Ending(NamedTuple):
    """How a full-batch method ended: whether it converged, and its own words."""

    converged: bool
    message: str


@runtime_checkable
class Minimizer(Protocol):
    """The contract of a full-batch method: it asks the objective, and yields its iterates."""

    def iterate(self, objective: Objective, theta: Array, iterations: int) -> Generator[Iterate, None, Ending]:
        """Yield each iterate, at most `iterations` of them; return an Ending."""


@dataclass(frozen=True)
class LBFGS:
    """θ ← θ - α B g, with B the inverse Hessian as the last `history` steps show it and α from a Wolfe line search.

    Ends when the largest entry of the gradient is at most `tolerance`, when J changes by no more than its rounding,
    or after `max_evaluations` of J.
    SciPy works in float64; θ is handed to the objective in its own dtype.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient", "value"})
    elementwise: ClassVar[bool] = False
    whole_batch: ClassVar[bool] = True
    history: int = 10
    tolerance: float = 1e-4
    max_evaluations: int = 15000

    def __post_init__(self) -> None:
        tolerance = values.Number(0, called="a number of at least 0")
        values.check(self, {"history": values.COUNT, "tolerance": tolerance, "max_evaluations": values.COUNT})

    def iterate(self, objective: Objective, theta: Array, iterations: int) -> Generator[Iterate, None, Ending]:
        """Yield each iterate; return an Ending."""
        from scipy.optimize import minimize as run  # not above: only this method needs it

        last = {"gradient": np.zeros_like(theta)}

        def evaluate(z: Array) -> tuple[float, Array]:
            value, last["gradient"] = objective.value_and_gradient(z.astype(theta.dtype))
            return float(value), last["gradient"].astype(np.float64)

        def minimize(report: Callable[[Iterate], None]) -> Ending:
            def callback(intermediate_result: Any) -> None:
                norm = float(np.linalg.norm(last["gradient"]))
                report(Iterate(intermediate_result.x.astype(theta.dtype), float(intermediate_result.fun), norm))

            options = {
                "maxiter": iterations,
                "maxfun": self.max_evaluations,
                "gtol": self.tolerance,
                "ftol": 10 * float(np.finfo(theta.dtype).eps),
                "maxcor": self.history,
            }
            start = theta.astype(np.float64)
            result = run(evaluate, start, method="L-BFGS-B", jac=True, callback=callback, options=options)
            return Ending(bool(result.success), str(result.message))

        ending = yield from pulled(minimize)
        return ending


def pulled(minimize: Callable[[Callable[[Iterate], None]], Ending]) -> Generator[Iterate, None, Ending]:
    """Turn a method that reports each iterate to a callback into a generator of iterates.

    The method runs in a thread that waits at every report until the next iterate is asked for; the two never run
    at the same time. Closing the generator ends the method at its current report.
    """
    reports: SimpleQueue[Iterate | Ending | BaseException] = SimpleQueue()
    go_on, closed = Semaphore(0), False

    def report(iterate: Iterate) -> None:
        reports.put(iterate)
        go_on.acquire()
        if closed:
            raise StopIteration

    def run() -> None:
        try:
            reports.put(minimize(report))
        except BaseException as error:
            reports.put(error)

    thread = Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    thread.start()
    try:
        while isinstance(item := reports.get(), Iterate):
            yield item
            go_on.release()
    finally:
        closed = True
        go_on.release()
        thread.join()
    if isinstance(item, BaseException):
        raise item
    return item
