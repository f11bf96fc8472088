"""The update rules against PyTorch's: the same network, the same start, fifty steps, every step compared.

PyTorch's optimisers get their gradients from the definitions, at their own weights: what differs is the rules alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from chainrule import Activation, Dense, Network, Objective, engines
from chainrule.losses import CrossEntropy
from chainrule.optimizers import (
    OPTIMIZERS,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    RAdam,
    RMSProp,
    Rprop,
    UpdateRule,
)
from support.oracles import relative_error

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare the update rules with")
optim = torch.optim

STEPS = 50
AGREE = {"float32": 1e-5, "float64": 1e-10}
"""What θ may differ by after any step, relative to its size."""


class Row(NamedTuple):
    """Our rule at its rate, and PyTorch's of the same settings, made from its groups of parameters."""

    ours: UpdateRule
    theirs: Callable[[Any], Any]


ROWS: dict[str, Row] = {
    "sgd": Row(SGD(0.1), lambda p: optim.SGD(p, 0.1, weight_decay=0)),
    "momentum": Row(Momentum(0.1, 0.8), lambda p: optim.SGD(p, 0.1, 0.8, weight_decay=0)),
    "nesterov": Row(Nesterov(0.1, 0.8), lambda p: optim.SGD(p, 0.1, 0.8, weight_decay=0, nesterov=True)),
    "adagrad": Row(AdaGrad(0.02, 1e-8), lambda p: optim.Adagrad(p, 0.02, eps=1e-8)),
    "adadelta": Row(AdaDelta(1.0, 0.95, 1e-6), lambda p: optim.Adadelta(p, 1.0, 0.95, 1e-6)),
    "rmsprop": Row(RMSProp(0.002, 0.9, 1e-8), lambda p: optim.RMSprop(p, 0.002, 0.9, 1e-8)),
    "adam": Row(Adam(0.02, 0.8, 0.99, 1e-8), lambda p: optim.Adam(p, 0.02, (0.8, 0.99), 1e-8)),
    "adamw": Row(AdamW(0.02, 0.9, 0.999, 1e-8, 0.3), lambda p: optim.AdamW(p, 0.02, (0.9, 0.999), 1e-8)),
    "nadam": Row(NAdam(0.02), lambda p: optim.NAdam(p, 0.02)),
    "amsgrad": Row(AMSGrad(0.02, 0.5, 0.8), lambda p: optim.Adam(p, 0.02, (0.5, 0.8), 1e-8, amsgrad=True)),
    "radam": Row(RAdam(0.02), lambda p: optim.RAdam(p, 0.02)),
    "rprop": Row(Rprop(0.02), lambda p: optim.Rprop(p, 0.02)),
}
"""Every rule of the table that PyTorch has. The small β of AMSGrad lets v fall below its largest value."""


def test_every_rule_is_compared_but_lion() -> None:
    rules = {name for name, kind in OPTIMIZERS.items() if issubclass(kind, UpdateRule)}
    assert rules - ROWS.keys() == {name for name, kind in OPTIMIZERS.items() if kind is Lion}
    assert all(type(row.ours) is OPTIMIZERS[name] for name, row in ROWS.items())


@pytest.fixture(params=list(AGREE))
def dtype(request: Any) -> Iterator[str]:
    """A precision; PyTorch's numbers beside its arrays, such as NAdam's product, follow its default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, request.param))
    yield request.param
    torch.set_default_dtype(before)


def objective(dtype: str) -> tuple[Objective, Any]:
    """Return a 5-12-3 network on 60 rows, and its start."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)).astype(dtype), rng.integers(0, 3, 60)
    network = Network(5, [Dense(12), Activation("tanh"), Dense(3)])
    return Objective(network, CrossEntropy(), X, y), network.initialize(0, dtype)


def theirs(objective: Objective, theta: Any, row: Row) -> Any:
    """Yield θ (P,) after each step of PyTorch's optimiser; only weights decay."""
    slots = objective.network.slots
    parts = [torch.tensor(theta[slot.start : slot.stop], requires_grad=True) for slot in slots]
    decay = getattr(row.ours, "weight_decay", 0.0)
    groups = [
        {"params": [part], "weight_decay": decay if slot.spec.kind == "weight" else 0.0}
        for part, slot in zip(parts, slots, strict=True)
    ]
    if type(row.ours) is Rprop:
        groups = [{"params": group["params"]} for group in groups]
    optimizer = row.theirs(groups)
    for _ in range(STEPS):
        gradient = objective.value_and_gradient(np.concatenate([part.detach().numpy() for part in parts]))[1]
        for part, slot in zip(parts, slots, strict=True):
            part.grad = torch.tensor(gradient[slot.start : slot.stop])
        optimizer.step()
        yield np.concatenate([part.detach().numpy() for part in parts])


@pytest.mark.parametrize("engine", list(engines.ENGINES))
@pytest.mark.parametrize("name", list(ROWS))
def test_fifty_steps(name: str, dtype: str, engine: str) -> None:
    if engine == "native" and engines.native.MISSING:
        pytest.skip(f"no native engine: {engines.native.MISSING}")
    row, (problem, theta) = ROWS[name], objective(dtype)
    start = theta.copy()
    runner = engines.build(engine, problem, row.ours, 0, 1, theta.dtype)
    memory = row.ours.zeros(theta.size, dtype, problem.network.mask("weight"))
    errors = []
    for wanted in theirs(problem, theta, row):
        assert wanted.dtype == dtype
        runner.run(theta, memory, None, problem.rows, [row.ours.learning_rate])
        errors.append(relative_error(theta, wanted))
    assert max(errors) <= AGREE[dtype]
    assert relative_error(theta, start) > 0.1
