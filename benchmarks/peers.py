"""Each peer trains a workload with Adam for a fixed number of epochs and says how long its whole training took.

The estimators ("chainrule", "scikit-learn") are timed over all of `fit`: checks, encoding, starting weights, steps.
The loops are what one writes by hand, data as arrays and starting weights at hand: "chainrule steps" through
`chainrule.train`, "torch" eager, "torch.compile", and "jax" with an epoch in one compiled scan. "chainrule steps" is
what is comparable with them.

All train the same network in float32: He uniform weights, ReLU, Glorot uniform weights in the last layer; half the
squared error, or softmax cross entropy (for two classes the estimators take one sigmoid output instead). Each epoch
has its own permutation of the rows. chainrule and scikit-learn add the L2 penalty with alpha = 1e-4; PyTorch and JAX
leave it out, which favours them. They compile and warm up before the clock starts. JAX is left as it is: XLA uses all
cores; the others use two threads.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from itertools import pairwise
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
import sklearn.neural_network
from clock import THREADS, Timed
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from workloads import Workload

import chainrule

Weights: TypeAlias = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""W (fan_in, fan_out) and b (fan_out,) of each layer."""

ALPHA = 1e-4
"""scikit-learn's default strength of the L2 penalty."""


def _fit_seconds(package: Any, workload: Workload) -> Timed:
    """Return a function that fits once and gives the seconds; both packages share names and meanings."""
    kind = package.MLPRegressor if workload.regression else package.MLPClassifier
    X, y = workload.data()
    model = kind(
        hidden_layer_sizes=workload.widths[1:-1],
        alpha=ALPHA,
        batch_size=workload.batch,
        max_iter=workload.epochs,
        n_iter_no_change=workload.epochs + 1,
        tol=0.0,
        random_state=0,
    )

    def fit() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            started = perf_counter()
            model.fit(X, y)
            return perf_counter() - started

    return fit


def _steps_seconds(workload: Workload) -> Timed:
    """Return a function that trains once through `chainrule.train`, below the estimators."""
    X, y = workload.data()
    hidden = [block for width in workload.widths[1:-1] for block in _layer(width)]
    network = chainrule.Network(workload.widths[0], [*hidden, chainrule.Dense(workload.widths[-1])])
    loss = chainrule.losses.SquaredError() if workload.regression else chainrule.losses.CrossEntropy()
    penalties = [chainrule.penalties.L2(ALPHA, per_sample=True)]
    objective = chainrule.Objective(network, loss, X, y, penalties=penalties)
    theta = network.initialize(0, "float32")

    def train() -> float:
        started = perf_counter()
        chainrule.train(
            objective,
            theta,
            optimizer=chainrule.optimizers.Adam(),
            epochs=workload.epochs,
            batch_size=workload.batch,
        )
        return perf_counter() - started

    return train


def _layer(width: int) -> tuple[chainrule.Dense, chainrule.Activation]:
    return chainrule.Dense(width), chainrule.Activation("relu")


def starting_weights(widths: tuple[int, ...]) -> Weights:
    """Return He uniform weights, ±√(6 / fan_in), the last layer's Glorot, ±√(6 / (fan_in + fan_out)); biases 0."""
    random = np.random.default_rng(0)
    weights: Weights = []
    for fan_in, fan_out in pairwise(widths):
        last = len(weights) == len(widths) - 2
        bound = np.sqrt(6 / (fan_in + fan_out * last))
        W = random.uniform(-bound, bound, (fan_in, fan_out)).astype(np.float32)
        weights.append((W, np.zeros(fan_out, np.float32)))
    return weights


def _torch_seconds(workload: Workload, compiled: bool) -> Timed:
    """Return a function that trains once with PyTorch's loop; compiled, the model and its loss are one graph.

    The parameters go back to their starting weights before the clock starts: the graph stays as it was compiled.
    """
    import torch

    torch.set_num_threads(THREADS)
    X, y = map(torch.from_numpy, workload.data())
    model = _torch_model(workload)
    start = [p.detach().clone() for p in model.parameters()]
    loss = _torch_loss(model, workload)
    if compiled:
        torch.compiler.reset()  # or the shapes of the workload before would make this one's dynamic
        loss = torch.compile(loss, dynamic=False)

    def train() -> float:
        with torch.no_grad():
            for p, value in zip(model.parameters(), start, strict=True):
                p.copy_(value)
        started = perf_counter()
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        for _ in range(workload.epochs):
            for rows in torch.randperm(len(X)).split(workload.batch):
                optimizer.zero_grad()
                loss(X.index_select(0, rows), y.index_select(0, rows)).backward()
                optimizer.step()
        return perf_counter() - started

    train()
    return train


def _torch_model(workload: Workload) -> Any:
    """Return Linear and ReLU modules with the starting weights; PyTorch keeps W as (fan_out, fan_in)."""
    import torch

    modules: list[Any] = []
    for W, b in starting_weights(workload.widths):
        linear = torch.nn.Linear(*W.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T.copy()))
            linear.bias.copy_(torch.from_numpy(b))
        modules += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


def _torch_loss(model: Any, workload: Workload) -> Callable[[Any, Any], Any]:
    """Return (x, target) -> the mean loss of a batch."""
    from torch.nn import functional

    def half_squared_error(x: Any, target: Any) -> Any:
        return 0.5 * (model(x) - target).square().sum(1).mean()

    def cross_entropy(x: Any, target: Any) -> Any:
        return functional.cross_entropy(model(x), target)

    return half_squared_error if workload.regression else cross_entropy


def _jax_seconds(workload: Workload) -> Timed:
    """Return a function that trains once with JAX: one compiled call per epoch, a scan over its batches."""
    import jax
    import jax.numpy as jnp

    X, y = map(jnp.asarray, workload.data())
    start = jax.tree.map(jnp.asarray, starting_weights(workload.widths))
    step = _jax_step(_jax_loss(workload))
    random = np.random.default_rng(0)

    @jax.jit
    def epoch(carry: Any, X: Any, y: Any, order: Any) -> Any:
        return jax.lax.scan(lambda carry, rows: step(carry, X[rows], y[rows]), carry, order)[0]

    def train() -> float:
        started = perf_counter()
        zeros = jax.tree.map(jnp.zeros_like, start)
        carry = (start, zeros, zeros, jnp.zeros((), jnp.int32))
        for _ in range(workload.epochs):
            carry = epoch(carry, X, y, random.permutation(len(X)).reshape(-1, workload.batch))
        jax.block_until_ready(carry)
        return perf_counter() - started

    train()
    return train


def _jax_loss(workload: Workload) -> Callable[[Any, Any, Any], Any]:
    """Return (weights, x, target) -> the mean loss of a batch."""
    import jax
    import jax.numpy as jnp

    def scores(weights: Any, x: Any) -> Any:
        *hidden, (W, b) = weights
        for V, c in hidden:
            x = jax.nn.relu(x @ V + c)
        return x @ W + b

    def half_squared_error(weights: Any, x: Any, target: Any) -> Any:
        return 0.5 * jnp.square(scores(weights, x) - target).sum(1).mean()

    def cross_entropy(weights: Any, x: Any, target: Any) -> Any:
        logs = jax.nn.log_softmax(scores(weights, x))
        return -jnp.take_along_axis(logs, target[:, None], 1).mean()

    return half_squared_error if workload.regression else cross_entropy


def _jax_step(loss: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Return one step of Adam for `lax.scan`: (θ, m, v, t), x, target -> (θ, m, v, t), the loss."""
    import jax
    import jax.numpy as jnp

    rate, beta_1, beta_2, epsilon = 1e-3, 0.9, 0.999, 1e-8

    def step(carry: Any, x: Any, target: Any) -> Any:
        theta, m, v, t = carry
        value, g = jax.value_and_grad(loss)(theta, x, target)
        t = t + 1
        m = jax.tree.map(lambda m, g: beta_1 * m + (1 - beta_1) * g, m, g)
        v = jax.tree.map(lambda v, g: beta_2 * v + (1 - beta_2) * g * g, v, g)
        size, root = rate / (1 - beta_1**t), jnp.sqrt(1 - beta_2**t)
        theta = jax.tree.map(lambda p, m, v: p - size * m / (jnp.sqrt(v) / root + epsilon), theta, m, v)
        return (theta, m, v, t), value

    return step


PEERS: dict[str, Callable[[Workload], Timed]] = {
    "chainrule": lambda workload: _fit_seconds(chainrule, workload),
    "scikit-learn": lambda workload: _fit_seconds(sklearn.neural_network, workload),
    "chainrule steps": _steps_seconds,
    "torch": lambda workload: _torch_seconds(workload, compiled=False),
    "torch.compile": lambda workload: _torch_seconds(workload, compiled=True),
    "jax": _jax_seconds,
}

DISTRIBUTIONS: Mapping[str, str] = {
    "chainrule": "chainrule",
    "scikit-learn": "scikit-learn",
    "chainrule steps": "chainrule",
    "torch": "torch",
    "torch.compile": "torch",
    "jax": "jax",
}
"""What must be installed for each peer."""
