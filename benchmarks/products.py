"""Time second derivatives: the gradient on all rows, a Hessian and a Gauss-Newton product, beside JAX and PyTorch.

\b
    python benchmarks/products.py --rounds 7

Networks, data and losses are those of the workloads in `workloads.py`, float32, two threads; a call takes all rows of a
batch of a conjugate-gradient method. JAX differentiates the loss by `jvp` of `grad`, the scores by `jvp` and `vjp`, in
one compiled call; PyTorch does the same by `torch.func`, without compiling. Rounds are interleaved. The table ends with
the price of a product in gradients of the same package.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import click
import numpy as np
from clock import THREADS, Figure, Timed, installed, interleaved, limit_threads, ratios
from peers import starting_weights
from workloads import WORKLOADS, Workload

import chainrule as cr
from chainrule.engines import NativeEngine

WHAT = ("gradient", "hessian product", "gauss-newton product")

Calls = Mapping[str, Callable[[], object]]


def chainrule_calls(workload: Workload) -> Calls:
    """Return the native engine's verbs on all rows."""
    X, y = workload.data()
    hidden = [block for width in workload.widths[1:-1] for block in (cr.Dense(width), cr.Activation("relu"))]
    network = cr.Network(workload.widths[0], [*hidden, cr.Dense(workload.widths[-1])])
    objective = cr.Objective(network, cr.losses.CrossEntropy(), X, y)
    theta = network.initialize(0, "float32")
    v = np.random.default_rng(0).standard_normal(theta.size, np.float32)
    engine = NativeEngine(objective)
    return {
        "gradient": lambda: engine.value_and_gradient(theta),
        "hessian product": lambda: engine.hessian_product(theta, v),
        "gauss-newton product": lambda: engine.gauss_newton_product(theta, v),
    }


def jax_calls(workload: Workload) -> Calls:
    """Return the same in JAX, each one compiled call."""
    import jax
    import jax.numpy as jnp

    X, y = map(jnp.asarray, workload.data())
    weights = jax.tree.map(jnp.asarray, starting_weights(workload.widths))
    random = np.random.default_rng(0)
    v = jax.tree.map(lambda w: jnp.asarray(random.standard_normal(w.shape, np.float32)), weights)

    def scores(weights: Any, x: Any) -> Any:
        *hidden, (W, b) = weights
        for V, c in hidden:
            x = jax.nn.relu(x @ V + c)
        return x @ W + b

    def loss(s: Any, y: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(s), y[:, None], 1).mean()

    def gradient(weights: Any, X: Any, y: Any) -> Any:
        return jax.value_and_grad(lambda w: loss(scores(w, X), y))(weights)

    def hessian(weights: Any, v: Any, X: Any, y: Any) -> Any:
        return jax.jvp(jax.grad(lambda w: loss(scores(w, X), y)), (weights,), (v,))[1]

    def gauss_newton(weights: Any, v: Any, X: Any, y: Any) -> Any:
        s, back = jax.vjp(lambda w: scores(w, X), weights)
        change = jax.jvp(lambda w: scores(w, X), (weights,), (v,))[1]
        return back(jax.jvp(jax.grad(lambda s: loss(s, y)), (s,), (change,))[1])

    made = [jax.jit(f) for f in (gradient, hessian, gauss_newton)]
    given = [(weights, X, y), (weights, v, X, y), (weights, v, X, y)]
    calls = [lambda f=f, a=a: jax.block_until_ready(f(*a)) for f, a in zip(made, given, strict=True)]
    return dict(zip(WHAT, calls, strict=True))


def torch_calls(workload: Workload) -> Calls:
    """Return the same in PyTorch: functions of the weights, differentiated by torch.func."""
    import torch
    from torch.func import grad, jvp, vjp
    from torch.nn import functional

    torch.set_num_threads(THREADS)
    X, y = map(torch.from_numpy, workload.data())
    weights = [torch.from_numpy(part) for layer in starting_weights(workload.widths) for part in layer]
    random = np.random.default_rng(0)
    v = [torch.from_numpy(random.standard_normal(w.shape, np.float32)) for w in weights]

    def scores(weights: Any) -> Any:
        x = X
        for k in range(0, len(weights) - 2, 2):
            x = functional.relu(torch.addmm(weights[k + 1], x, weights[k]))
        return torch.addmm(weights[-1], x, weights[-2])

    def loss(s: Any) -> Any:
        return functional.cross_entropy(s, y)

    def plain() -> Any:
        leaves = [w.detach().requires_grad_() for w in weights]
        return torch.autograd.grad(loss(scores(leaves)), leaves)

    def hessian() -> Any:
        return jvp(grad(lambda w: loss(scores(w))), (weights,), (v,))[1]

    def gauss_newton() -> Any:
        s, back = vjp(scores, weights)
        change = jvp(scores, (weights,), (v,))[1]
        return back(jvp(grad(loss), (s,), (change,))[1])

    return dict(zip(WHAT, (plain, hessian, gauss_newton), strict=True))


PACKAGES: Mapping[str, Callable[[Workload], Calls]] = {
    "chainrule": chainrule_calls,
    "jax": jax_calls,
    "torch": torch_calls,
}


def timed(call: Callable[[], object]) -> Timed:
    """Return a function that makes the call once and gives its seconds."""

    def run() -> float:
        started = perf_counter()
        call()
        return perf_counter() - started

    run()
    return run


@click.command(help=__doc__)
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1), help="counted, after one warm-up")
@click.option("--workload", "names", multiple=True, default=("table", "mnist"), type=click.Choice([*WORKLOADS]))
def main(rounds: int, names: tuple[str, ...]) -> None:
    """Run the benchmark and print its table."""
    limit_threads()
    packages = [package for package in PACKAGES if installed(package)]
    versions = ", ".join(f"{package} {installed(package)}" for package in (*packages, "numpy"))
    click.echo(f"{versions}; Python {platform.python_version()}, {platform.machine()}; {rounds} rounds.\n")
    click.echo("| workload | what | package | ms | spread | time / chainrule | spread | in its gradients | spread |")
    click.echo("|---|---|---|--:|--:|--:|--:|--:|--:|")
    for name in names:
        calls = {p: PACKAGES[p](WORKLOADS[name]) for p in packages}
        work = {f"{p} {what}": timed(calls[p][what]) for what in WHAT for p in packages}
        times = interleaved(work, rounds)
        for label in work:
            package, what = label.split(" ", 1)
            cells = [
                Figure.of(times[label], 1e3),
                ratios(times, label, f"chainrule {what}"),
                ratios(times, label, f"{package} gradient"),
            ]
            click.echo(f"| {name} | {what} | {package} | " + " | ".join(cell.cells() for cell in cells) + " |")


if __name__ == "__main__":
    main()
