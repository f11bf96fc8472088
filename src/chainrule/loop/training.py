"""The training loop: epochs, batches, validation, stopping. The only one: every face reads its Progress events.

Source: lecture notes (batch, mini-batch and online training; epochs; early stopping; termination).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engines import build, evaluator
from ..foundation.arrays import Array
from ..mathematics.objective import Objective
from ..optimizers import Adam, Optimizer
from ..steps.averaging import Averaging, MovingAverage
from ..steps.recipe import DEFAULT_RECIPE, Recipe
from ..steps.schedules import Constant, Schedule
from . import checks
from .batches import run_epoch
from .checkpoint import Checkpoint
from .progress import Progress, Reason, Result, Stopping, TrainingState
from .run import Callback, Loop, Order, Settings, StepCallback


def training(
    objective: Objective,
    theta: NDArray[np.floating],
    *,
    optimizer: Optimizer | None = None,
    schedule: Schedule | None = None,
    epochs: int = 200,
    batch_size: int | None = None,
    order: Order = "reshuffle",
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
        optimizer: an update rule (default Adam), or another optimiser such as LBFGS.
        schedule: moment -> learning rate; default the optimiser's own rate, constant. An optimiser that finds its own
            steps, such as LBFGS, follows none.
        epochs: passes over the data; one step of an optimiser that takes all rows at once, such as LBFGS.
        batch_size: rows to a step; None takes all rows (batch), as do optimisers such as LBFGS; 1 is online training.
        order: "reshuffle" draws new batches each epoch, "once" draws them once, "given" keeps the row order.
        seed: names the random streams.
        engine: "auto" takes the native engine where it can, "native" insists on it, "reference" executes the
            definitions.
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
    callbacks = tuple(callbacks) if isinstance(callbacks, Iterable) else callbacks
    optimizer = Adam() if optimizer is None else optimizer
    checks.check_optimizer(optimizer)
    rate = optimizer.learning_rate
    own = Constant(1.0 if rate is None else float(rate))
    checks.check_theta(objective, state.theta)
    checks.check_passes(schedule or own, epochs, batch_size, order)
    checks.check_averaging(objective, averaging)
    checks.check_watchers(validation, score, stopping, time_limit, callbacks, on_steps, checkpoint)
    checks.check_stopping(stopping, validation is not None, score is not None)
    validate = None if validation is None else evaluator(engine, validation, n_threads, state.theta.dtype)
    checks.check_seed(seed)
    checks.check_recipe(objective, recipe)
    checks.check_step(objective, optimizer, recipe, averaging)
    rows = objective.rows
    settings = Settings(
        objective=objective,
        optimizer=optimizer,
        schedule=own if rate is None else schedule or own,
        epochs=epochs,
        batch_size=rows if optimizer.whole_batch else min(batch_size or rows, rows) * recipe.accumulate,
        order=order,
        seed=seed,
        validation=validation,
        score=score,
        stopping=stopping,
        averaging=averaging,
        recipe=recipe,
        time_limit=time_limit,
        callbacks=callbacks,
        on_steps=on_steps,
        checkpoint=checkpoint,
    )
    decay = None if averaging is None else averaging.decay
    runner = build(engine, objective, optimizer, seed, n_threads, state.theta.dtype, recipe, decay)
    loop = Loop(settings, state, runner, validate)
    if over := loop.resume():
        return over
    return (yield from _epochs(loop))


def _epochs(loop: Loop) -> Generator[Progress, None, Result]:
    """Yield the event of each epoch that is left; return the Result."""
    settings, history = loop.settings, loop.history
    reason: Reason = "epochs"
    message = ""
    loop.prepare()
    try:
        for epoch in range(len(history), settings.epochs):
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                done = run_epoch(loop, epoch)
                event = loop.finish_epoch(done)
            history.append(event)
            yield event
            answers = [callback(event) for callback in settings.callbacks]
            stop = loop.reason_to_stop(any(isinstance(a, bool | np.bool_) and a for a in answers))
            if stop is None and done.message:
                stop, message = "converged" if done.converged else "gave up", done.message
            if stop is not None:
                reason = stop
                break
            loop.after_epoch()
    except KeyboardInterrupt:
        reason = "interrupted"
    loop.write_end(reason, message)
    return loop.result(reason, message)


def train(objective: Objective, theta: NDArray[np.floating], **settings: Any) -> Result:
    """Run `training` to its end and return its Result; the arguments are the same."""
    events = training(objective, theta, **settings)
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # a generator's return value is untyped
