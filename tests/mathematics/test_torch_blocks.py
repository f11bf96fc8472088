"""Blocks against PyTorch on the same weights and inputs: values, gradients, and running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Activation, Dense, Network, Objective
from chainrule.engines import NativeEngine, ReferenceEngine
from chainrule.engines.native import core as native
from chainrule.losses import CrossEntropy
from chainrule.mathematics.blocks import BatchNorm, Block, Context, Dropout, LayerNorm, PReLU
from chainrule.optimizers import SGD

torch: Any = pytest.importorskip("torch", reason="PyTorch, the oracle of these tests, is not installed")

BOUND = {"float32": 1e-5, "float64": 1e-10}

MODULES: dict[type[Block], Any] = {
    Dense: lambda block, i: torch.nn.Linear(i, block.units, bias=block.bias),
    Activation: lambda block, i: {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[block.name](),
    PReLU: lambda block, i: torch.nn.PReLU(1 if block.shared else i),
    BatchNorm: lambda block, i: torch.nn.BatchNorm1d(i, eps=block.epsilon, momentum=block.momentum),
    LayerNorm: lambda block, i: torch.nn.LayerNorm(i, eps=block.epsilon),
    Dropout: lambda block, i: torch.nn.Dropout(block.rate),
}
NAMES = {"W": "weight", "b": "bias", "a": "weight", "scale": "weight", "shift": "bias"}
MEASURED = {"mean": "running_mean", "variance": "running_var"}

CHAINS: dict[str, list[Block]] = {
    "batch norm": [Dense(7, bias=False), BatchNorm(), Activation("tanh"), Dense(5), BatchNorm(0.3, 1e-3), Dense(3)],
    "layer norm": [Dense(7), LayerNorm(), Activation("tanh"), Dense(5), LayerNorm(1e-2), PReLU(), Dense(3)],
    "PReLU": [Dense(7), PReLU(), Dense(5), PReLU(0.1, shared=True), Dense(3)],
    "dropout off": [Dropout(0.0), Dense(7), Activation("tanh"), Dropout(0.0), Dense(3)],
}

every_case = [
    pytest.mark.parametrize("chain", CHAINS.values(), ids=list(CHAINS)),
    pytest.mark.parametrize("dtype", list(BOUND)),
    pytest.mark.parametrize("smoothing", [0.0, 0.1]),
]


def every(test: Any) -> Any:
    for mark in every_case:
        test = mark(test)
    return test


def twin(network: Network, theta: Any) -> Any:
    """Return PyTorch's network with the same parameters."""
    params = network.unpack(theta)
    modules = [MODULES[type(b)](b, i) for b, i in zip(network.blocks, network.widths[:-1], strict=True)]
    model = torch.nn.Sequential(*modules).to(getattr(torch, theta.dtype.name))
    with torch.no_grad():
        for module, block in zip(model, params, strict=True):
            for name, value in block.items():
                there = getattr(module, (NAMES | MEASURED)[name])
                there.copy_(torch.from_numpy(value.T.copy() if name == "W" else value.copy()))
    return model


def flat(network: Network, model: Any, what: Any) -> Any:
    """Return something of each of PyTorch's parameters as one vector like θ; zeros where it has none."""
    parts = []
    for slot in network.slots:
        value = getattr(model[slot.block], (NAMES | MEASURED)[slot.name])
        found = what(value)
        array = np.zeros(slot.spec.shape) if found is None else found.detach().numpy()
        parts.append((array.T if slot.name == "W" else array).reshape(-1))
    return np.concatenate(parts)


def problem(chain: list[Block], dtype: str, smoothing: float) -> tuple[Objective, Any]:
    rng = np.random.default_rng(0)
    network = Network(4, chain)
    theta = network.initialize(0) + 0.1 * np.abs(rng.normal(size=network.size))
    X, y = rng.normal(size=(33, 4)).astype(dtype), rng.integers(0, 3, 33)
    return Objective(network, CrossEntropy(label_smoothing=smoothing), X, y), theta.astype(dtype)


def error(got: Any, wanted: Any) -> float:
    return float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))


@every
def test_values_and_gradients_in_training(chain: list[Block], dtype: str, smoothing: float) -> None:
    objective, theta = problem(chain, dtype, smoothing)
    network, model = objective.network, twin(objective.network, theta)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)(
        model(torch.from_numpy(objective.X)), torch.from_numpy(objective.y)
    )
    loss.backward()
    value, gradient, measured = objective.passes(theta, Context(True))
    assert abs(float(value) - loss.item()) <= BOUND[dtype]
    assert error(gradient, flat(network, model, lambda parameter: parameter.grad)) <= BOUND[dtype]
    for name, found in measured.items():
        block, key = name.split(".")
        assert error(found, getattr(model[int(block)], MEASURED[key]).numpy()) <= BOUND[dtype]


@every
@pytest.mark.parametrize("engine", ["reference", "native"])
def test_steps_and_predictions(chain: list[Block], dtype: str, smoothing: float, engine: str) -> None:
    if engine == "native" and native.MISSING:
        pytest.skip(native.MISSING)
    objective, theta = problem(chain, dtype, smoothing)
    network, model = objective.network, twin(objective.network, theta)
    descent = torch.optim.SGD(model.parameters(), lr=0.05)
    run = {"reference": ReferenceEngine, "native": NativeEngine}[engine](objective, SGD())
    run.run(theta, SGD().zeros(theta.size, dtype), np.tile(np.arange(33), 3), 11, [0.05] * 9)
    X, y = torch.from_numpy(objective.X), torch.from_numpy(objective.y)
    for k in range(9):
        rows = slice(11 * (k % 3), 11 * (k % 3) + 11)
        descent.zero_grad()
        torch.nn.CrossEntropyLoss(label_smoothing=smoothing)(model(X[rows]), y[rows]).backward()
        descent.step()
    assert error(theta, flat(network, model, lambda parameter: parameter)) <= BOUND[dtype]
    model.eval()
    assert error(network.forward(theta, objective.X), model(X).detach().numpy()) <= BOUND[dtype]
