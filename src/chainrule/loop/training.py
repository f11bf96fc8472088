"""The training loop: epochs, batches, validation, stopping. The only one: every face reads its Progress events.

Source: lecture notes (batch, mini-batch and online training; epochs; early stopping; termination).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from math import fsum, isfinite, nan
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..engines import Engine, build, evaluator, steps_of
from ..foundation.arrays import Array
from ..foundation.randomness import Stream
from ..mathematics.objective import Objective
from ..optimizers import Adam, Ending, Memory, Minimizer, UpdateRule
from ..steps.averaging import Averaging, MovingAverage
from ..steps.recipe import DEFAULT_RECIPE, Recipe
from ..steps.schedules import Constant, Schedule, reads_fraction
from . import checks
from .checkpoint import Checkpoint, Keeper, Place
from .fingerprint import fingerprint
from .progress import Progress, Reason, Result, Stopping, TrainingState
from .run import Loop, Pass, StepCallback

SLICE = 64
"""Steps handed to the engine at a time: between slices the loop looks at the clock."""


_Passes: TypeAlias = Generator[Pass, None, Ending]
Callback: TypeAlias = Callable[[Progress], object]


def training(
    objective: Objective,
    theta: NDArray[np.floating],
    *,
    optimizer: UpdateRule | Minimizer | None = None,
    schedule: Schedule | None = None,
    epochs: int = 200,
    batch_size: int | None = None,
    order: Literal["reshuffle", "once", "given"] = "reshuffle",
    seed: int = 0,
    engine: str = "auto",
    n_threads: int | None = None,
    validation: Objective | None = None,
    score: Callable[[Array], float] | None = None,
    stopping: Stopping | None = None,
    averaging: Averaging | MovingAverage | None = None,
    recipe: Recipe = DEFAULT_RECIPE,
    time_limit: float | None = None,
    callbacks: Iterable[Callback] = (),
    on_steps: StepCallback | None = None,
    state: TrainingState | None = None,
    checkpoint: Checkpoint | None = None,
) -> Generator[Progress, None, Result]:
    """Train θ on the objective, yielding a Progress event after every epoch; returns a Result.

    Args:
        objective: what to minimise.
        theta: the starting point (P,); copied, unless `state` is given.
        optimizer: an update rule (default Adam) or a full-batch minimizer such as LBFGS.
        schedule: moment -> learning rate; default the rule's own rate, constant.
        epochs: passes over the data, or iterations of a minimizer.
        batch_size: rows to a step; None takes all rows (batch), 1 is online training.
        order: "reshuffle" draws new batches each epoch, "once" draws them once, "given" keeps the row order.
        seed: names the random streams.
        engine: "auto" takes the native engine where it can, "native" insists on it, "reference" executes the
            definitions. Full-batch minimisers such as LBFGS ask the definitions, whatever the engine.
        n_threads: threads of the native engine; None takes CHAINRULE_NUM_THREADS or the processors there are. They
            change no bit of the result.
        validation: the objective on validation data, for `validation_loss` (its penalties count: give it none).
        score: θ -> a number, higher is better, for `validation_score`.
        stopping: when to stop early; None never does.
        averaging: how to average θ: the average is validated, and is the result. Events carry θ itself.
        recipe: what a step does beside the rule: augmentation, clipping, accumulation, constraints.
        time_limit: seconds after which to stop.
        callbacks: called with each event; one that returns True stops the training.
        on_steps: called with the learning rates and the losses of the steps just done, some at a time; one that
            returns True stops the training. The losses are the batches' before their updates.
        state: go on from this state instead of from θ; it is updated in place.
        checkpoint: where to keep the training; where the file is there already, go on from it, bit for bit. Epochs
            done before are in the history of the Result, and are not yielded again.

    Raises:
        ValueError: an argument that is out of range, naming it.
        CheckpointError: a checkpoint that cannot be written or read, or of other data or settings, naming them.
        DivergenceError: the loss is not finite any more.

    >>> import numpy as np, chainrule as cr
    >>> network = cr.Network(2, [cr.Dense(4), cr.Activation("tanh"), cr.Dense(1)])
    >>> X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 0])
    >>> objective = cr.Objective(network, cr.losses.SigmoidCrossEntropy(), X, y)
    >>> for event in training(objective, network.initialize(0), optimizer=Adam(0.1), epochs=100):
    ...     pass
    >>> event.epoch, event.loss < 0.01
    (100, True)
    """
    state = state or TrainingState(np.array(theta))
    optimizer = Adam() if optimizer is None else optimizer
    if not isinstance(optimizer, UpdateRule | Minimizer):
        raise ValueError(f"optimizer must be an optimiser such as optimizers.Adam(), got {optimizer!r}")
    schedule = schedule or Constant(_rate(optimizer))
    loop = Loop(objective, optimizer, state, validation, score, stopping, averaging, schedule, time_limit)
    loop.on_steps = on_steps
    checks.check(objective, loop, epochs, batch_size, order)
    if checkpoint is not None and isinstance(optimizer, Minimizer):
        name = type(optimizer).__name__
        raise ValueError(f"checkpoint needs a solver that takes steps; {name} keeps its memory elsewhere")
    if validation is not None:
        loop.validate = evaluator(engine, validation, n_threads, state.theta.dtype)
    if isinstance(optimizer, UpdateRule):
        size = min(batch_size or objective.rows, objective.rows) * recipe.accumulate
        checks.check_steps(objective, recipe, seed)
        recipe = replace(recipe, average=None if averaging is None else averaging.decay)
        runner = build(engine, objective, optimizer, seed, n_threads, state.theta.dtype, recipe)
        chosen: dict[str, Any] = {"batch_size": size, "order": order, "optimizer": optimizer, "schedule": schedule}
        chosen |= {"epochs": epochs} if reads_fraction(schedule) or isinstance(averaging, Averaging) else {}
        chosen |= {"stopping": stopping, "scored": score is not None, "seed": seed, "engine": runner.name}
        chosen |= {"recipe": recipe, "averaging": averaging}
        loop.keeper = Keeper(checkpoint, loop, partial(fingerprint, objective, validation, state, **chosen))
        if over := loop.resume(epochs):
            return over
        passes = _batch_passes(runner, loop, size, order, seed, epochs)
    elif averaging is not None:
        raise ValueError(f"averaging needs an optimiser that takes steps; {type(optimizer).__name__} takes none")
    else:
        checks.check_minimizer(objective, optimizer, recipe)
        passes = _iterations(optimizer, loop, epochs)
    callbacks = tuple(callbacks)
    history = loop.history
    reason: Reason = "epochs"
    ending = Ending(False, "")
    try:
        while True:
            try:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    event = loop.finish(next(passes))
            except StopIteration as end:
                ending = end.value
                reason = "converged" if ending.converged else "epochs" if len(history) >= epochs else "gave up"
                break
            history.append(event)
            yield event
            answers = [callback(event) for callback in callbacks]
            if why := loop.over(any(isinstance(a, bool | np.bool_) and a for a in answers)):
                reason = why
                break
            loop.keeper.after_epoch()
    except KeyboardInterrupt:
        reason = "interrupted"
    finally:
        passes.close()
    loop.finished(reason, ending.message)
    return loop.result(reason, ending.message)


def train(objective: Objective, theta: NDArray[np.floating], **settings: Any) -> Result:
    """Run `training` to its end and return its Result; the arguments are the same."""
    events = training(objective, theta, **settings)
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # a generator's return value is untyped


def _batch_passes(engine: Engine, loop: Loop, batch_size: int, order: str, seed: int, epochs: int) -> _Passes:
    """Yield one pass per epoch of mini-batch updates."""
    state, objective = loop.state, loop.objective
    fresh = _memory(engine.rule, objective, state.theta)
    state.memory = state.memory or fresh
    checks.check_memory(state.memory, fresh, engine.rule)
    (loop.averaging or Averaging()).begin(state)
    for epoch in range(len(loop.history), epochs):
        rows = _order(order, seed, state.epoch, objective.rows, batch_size)
        place = loop.place_of_epoch()
        loop.look.begin(place.good, steps_of(objective.rows, batch_size))
        done = _run_epoch(engine, loop, place, rows, batch_size, epoch / epochs, 1 / epochs)
        if not (isfinite(done.loss) and np.isfinite(state.theta).all()):
            raise loop.diverged(place, done.learning_rate)
        loop.place = place if done.cut else None
        loop.fraction = (epoch + 1) / epochs
        yield done
    return Ending(False, "")


def _run_epoch(
    engine: Engine,
    loop: Loop,
    place: Place,
    order: NDArray[np.intp] | None,
    batch_size: int,
    before: float,
    share: float,
) -> Pass:
    """Hand the steps of one epoch to the engine, a slice at a time, until they are done or the time is up.

    `before` is the fraction of the training that is done, `share` what this epoch adds. A loss that is not finite
    ends the epoch, and is then its loss. How the steps are cut into slices changes no bit.
    """
    state, rows, sums = loop.state, loop.objective.rows, place.losses
    assert state.memory is not None
    steps = steps_of(rows, batch_size)
    while (start := len(sums)) < steps and not (start and (loop.told_to_stop or loop.out_of_time())):
        count = int(min(SLICE, steps - start, loop.keeper.room(state.step)))
        rates = loop.rates(range(start, start + count), before, share / steps)
        part = None if order is None else order[start * batch_size : (start + count) * batch_size]
        done = state.memory["t"]
        try:
            losses, norm = engine.run(state.theta, state.memory, part, batch_size, rates, state.step)
        except KeyboardInterrupt:
            state.step += state.memory["t"] - done
            raise
        place.gradient_norm, place.learning_rate = norm, rates[len(losses) - 1]
        loop.done(rates, losses)
        if not isfinite(losses[-1]):
            state.step += len(losses) - 1
            return Pass(losses[-1], norm, place.learning_rate, start * batch_size)
        state.step += count
        sums.extend(losses)
        loop.keeper.after_steps()
    seen = min(rows, len(sums) * batch_size)
    last = seen - batch_size * (len(sums) - 1)
    total = batch_size * fsum(sums[:-1]) + last * sums[-1]
    if len(sums) < steps:
        loop.keeper.write()
    return Pass(total / seen, place.gradient_norm, place.learning_rate, seen, len(sums) < steps)


def _iterations(minimizer: Minimizer, loop: Loop, epochs: int) -> _Passes:
    """Yield one pass per iteration of a full-batch method."""
    state = loop.state
    if not isfinite(float(loop.objective.value(state.theta))):
        raise loop.diverged(Place(state.theta.copy()), None)
    with closing(minimizer.iterate(loop.objective, state.theta.copy(), epochs)) as iterates:
        while True:
            try:
                theta, loss, norm = next(iterates)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # a generator's return value is untyped
            if not isfinite(loss):
                raise loop.diverged(Place(state.theta.copy()), None)
            loop.look.begin(state.theta.copy(), 1)
            state.theta[:] = theta
            state.step += 1
            yield Pass(loss, norm, None, loop.objective.rows)


def _order(order: str, seed: int, epoch: int, rows: int, batch_size: int) -> NDArray[np.intp] | None:
    """Return the row numbers of one epoch, or None where a single batch holds them all."""
    if batch_size >= rows:
        return None
    if order == "given":
        return np.arange(rows)
    return Stream(seed, "shuffle", step=epoch if order == "reshuffle" else 0).permutation(rows)


def _memory(rule: UpdateRule, objective: Objective, theta: NDArray[np.floating]) -> Memory:
    return rule.init(theta.size, theta.dtype.name, decayed=objective.network.mask("weight"))


def _rate(optimizer: UpdateRule | Minimizer) -> float:
    return float(getattr(optimizer, "learning_rate", nan))
