"""One pass over the rows: their order, the batches, and the steps that an engine makes of them, a slice at a time."""

from __future__ import annotations

from math import fsum, isfinite

import numpy as np
from numpy.typing import NDArray

from ..engines import Steps, steps_of
from ..foundation.randomness import Stream
from .checkpoint import EpochPosition
from .run import EpochResult, Loop

SLICE = 64
"""Steps handed to the engine at a time: between slices the loop looks at the clock."""


def run_epoch(loop: Loop, epoch: int) -> EpochResult:
    """Run one epoch of a training, from wherever a checkpoint left it; DivergenceError where it diverges."""
    settings, state = loop.settings, loop.state
    rows, epochs = settings.objective.rows, settings.epochs
    order = rows_in_order(settings.order, settings.seed, state.epoch, rows, settings.batch_size)
    position = loop.begin_epoch(steps_of(rows, settings.batch_size))
    done = _run_steps(loop, position, order, epoch / epochs, 1 / epochs)
    if not (isfinite(done.loss) and np.isfinite(state.theta).all()):
        raise loop.diverged(position, done.learning_rate, done.message)
    loop.position = position if done.interrupted else None
    loop.fraction = (epoch + 1) / epochs
    return done


def rows_in_order(order: str, seed: int, epoch: int, rows: int, batch_size: int) -> NDArray[np.intp] | None:
    """Return the row numbers of one epoch, or None where a single batch holds them all."""
    if batch_size >= rows:
        return None
    if order == "given":
        return np.arange(rows)
    return Stream(seed, "shuffle", step=epoch if order == "reshuffle" else 0).permutation(rows)


def _run_steps(
    loop: Loop, position: EpochPosition, order: NDArray[np.intp] | None, before: float, share: float
) -> EpochResult:
    """Hand the steps of one epoch to the engine, a slice at a time, until they are done or the time is up.

    `before` is the fraction of the training that is done, `share` what this epoch adds. A loss that is not finite
    ends the epoch, and is then its loss. How the steps are cut into slices changes no bit.
    """
    state, rows, batch_size = loop.state, loop.settings.objective.rows, loop.settings.batch_size
    losses, count_of_epoch, last = position.losses, steps_of(rows, batch_size), Steps([], position.gradient_norm)
    while (start := len(losses)) < count_of_epoch and not last.message:
        if start and (loop.told_to_stop or loop.out_of_time()):
            break
        count = int(min(SLICE, count_of_epoch - start, loop.writer.steps_left(state.step)))
        part = None if order is None else order[start * batch_size : (start + count) * batch_size]
        last = _run_slice(loop, position, part, loop.rates(range(start, start + count), before, share / count_of_epoch))
        if not isfinite(last.losses[-1]):
            state.step += len(last.losses) - 1
            bad, seen = last.losses[-1], start * batch_size
            return EpochResult(bad, last.gradient_norm, position.learning_rate, seen, message=last.message)
        state.step += len(last.losses)
        losses.extend(last.losses)
        loop.after_steps()
    seen = min(rows, len(losses) * batch_size)
    of_last = seen - batch_size * (len(losses) - 1)
    loss = (batch_size * fsum(losses[:-1]) + of_last * losses[-1]) / seen
    interrupted = len(losses) < count_of_epoch and not last.message
    if interrupted:
        loop.write_checkpoint()
    done = (loss, position.gradient_norm, position.learning_rate, seen, interrupted)
    return EpochResult(*done, last.converged, last.message, position.figures)


def _run_slice(loop: Loop, position: EpochPosition, part: NDArray[np.intp] | None, rates: list[float]) -> Steps:
    """Run some steps in the engine; Ctrl-C counts those that were done before it."""
    state, settings = loop.state, loop.settings
    assert state.memory is not None
    done = state.memory.t
    moving = state.average if settings.averaging and settings.averaging.decay is not None else None
    try:
        steps = loop.engine.run(state.theta, state.memory, part, settings.batch_size, rates, state.step, moving)
    except KeyboardInterrupt:
        state.step += state.memory.t - done
        raise
    position.gradient_norm, position.figures = steps.gradient_norm, steps.figures
    position.learning_rate = None if settings.optimizer.learning_rate is None else rates[len(steps.losses) - 1]
    loop.report_steps(rates, steps.losses)
    return steps
