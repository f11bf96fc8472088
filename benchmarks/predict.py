"""Time predictions side by side: one row, where calling costs, and a million rows, where computing does.

\b
    python benchmarks/predict.py
    python benchmarks/predict.py --rounds 3 --rows 100000 --out predict.md

All packages hold the same weights of one 64-100-10 classifier with ReLU, float32, and must agree on the
probabilities before the clock starts. scikit-learn and chainrule are called through `predict_proba`, with their
checks of the input; "chainrule compiled" is what `model.compile()` returns; ONNX Runtime runs Gemm, Relu, Gemm,
Softmax on arrays that it does not check (one thread for one row, two for many), and PyTorch the same in inference
mode. Rounds are interleaved; nothing else should run meanwhile.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import click
import numpy as np
from clock import THREADS, Figure, Times, block, digits, installed, interleaved, limit_threads, ratios
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

import chainrule

Floats: TypeAlias = NDArray[np.float32]
Predict: TypeAlias = Callable[[Floats], Any]
"""X (n, 64) -> probabilities (n, 10)."""

INPUTS, HIDDEN, CLASSES = 64, 100, 10
CALLS = 100
"""Calls for one row that are timed together: one alone is too short for the clock."""

VERSIONS = ("chainrule", "scikit-learn", "onnxruntime", "torch", "numpy")


def inputs(rows: int) -> Floats:
    """Return standard normal rows."""
    return np.random.default_rng(0).standard_normal((rows, INPUTS), dtype=np.float32)


def fitted(package_classifier: Any) -> Any:
    """Return a classifier after one pass over a thousand rows: what it has learned does not matter here."""
    X = inputs(1000)
    return package_classifier((HIDDEN,), random_state=0).partial_fit(
        X, np.arange(1000) % CLASSES, classes=range(CLASSES)
    )


def _scikit_learn(model: Any) -> Predict:
    peer = fitted(MLPClassifier)
    peer.coefs_, peer.intercepts_ = model.coefs_, model.intercepts_
    return peer.predict_proba  # type: ignore[no-any-return]  # scikit-learn ships no types


def _compiled(model: Any) -> Predict:
    return model.compile()  # type: ignore[no-any-return]  # the model is any estimator


def _onnx_runtime(model: Any, threads: int) -> Predict:
    """Return the run of an ONNX graph that was written by hand: no converter's extra outputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(_onnx_bytes(model), options, providers=["CPUExecutionProvider"])
    return lambda X: session.run(None, {"X": X})[0]


def _onnx_bytes(model: Any) -> bytes:
    """Return Gemm, Relu, Gemm, Softmax with the model's weights."""
    from onnx import TensorProto, helper, numpy_helper

    values = zip(("W0", "W1", "b0", "b1"), [*model.coefs_, *model.intercepts_], strict=True)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["X", "W0", "b0"], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["bent"]),
            helper.make_node("Gemm", ["bent", "W1", "b1"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        ],
        "classifier",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", INPUTS])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", CLASSES])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in values],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()  # type: ignore[no-any-return]


def _torch(model: Any) -> Predict:
    import torch
    from torch.nn import functional

    torch.set_num_threads(THREADS)
    W0, W1 = (torch.from_numpy(W.T.copy()) for W in model.coefs_)
    b0, b1 = (torch.from_numpy(b.copy()) for b in model.intercepts_)

    @torch.inference_mode()
    def predict(X: Floats) -> Any:
        hidden = functional.linear(torch.from_numpy(X), W0, b0).relu_()
        return functional.linear(hidden, W1, b1).softmax(1).numpy()

    return predict


Builders: TypeAlias = Mapping[str, Callable[[Any], Predict]]
ONE_ROW: Builders = {
    "chainrule": lambda model: model.predict_proba,
    "chainrule compiled": _compiled,
    "scikit-learn": _scikit_learn,
    "ONNX Runtime": partial(_onnx_runtime, threads=1),
}
MANY_ROWS: Builders = {
    "chainrule": lambda model: model.predict_proba,
    "scikit-learn": _scikit_learn,
    "ONNX Runtime": partial(_onnx_runtime, threads=THREADS),
    "torch": _torch,
}

NEEDS: Mapping[str, tuple[str, ...]] = {"ONNX Runtime": ("onnxruntime", "onnx"), "torch": ("torch",)}
"""What must be installed for the packages that this project does not bring."""


def build(builders: Builders, model: Any) -> tuple[dict[str, Predict], list[str]]:
    """Return the packages that are here, all agreeing on the probabilities, and a line for each that is not."""
    here: dict[str, Predict] = {}
    absent: list[str] = []
    X = inputs(100)
    for name, builder in builders.items():
        missing = [package for package in NEEDS.get(name, ()) if not installed(package)]
        if missing:
            absent.append(f"{name} is left out: {' and '.join(missing)} not installed.")
            continue
        here[name] = builder(model)
        np.testing.assert_allclose(here[name](X), model.predict_proba(X), atol=1e-5, err_msg=name)
    return here, absent


def rows_of_table(title: str, times: Times, rows: int) -> list[str]:
    """Return the table's rows of one task, with the ratio to chainrule and the rows that one second takes."""
    lines = []
    for name, taken in times.items():
        micros = Figure.of(taken, 1e6)
        ratio = ratios(times, name, "chainrule").cells()
        lines.append(f"| {title} | {name} | {micros.cells()} | {ratio} | {digits(rows / micros.middle)} |")
    return lines


def measure(title: str, builders: Builders, model: Any, rows: int, calls: int, rounds: int) -> list[str]:
    """Print who is left out; return the table's rows of one task."""
    here, absent = build(builders, model)
    for line in absent:
        click.echo(f"{title}: {line}")
    X = inputs(rows)
    times = interleaved({name: block(partial(predict, X), calls) for name, predict in here.items()}, rounds)
    return rows_of_table(title, times, rows)


@click.command(help=__doc__)
@click.option("--rounds", default=9, show_default=True, type=click.IntRange(1), help="counted, after one warm-up")
@click.option("--rows", default=1_000_000, show_default=True, type=click.IntRange(2), help="how many are many rows")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="also write the table here")
def main(rounds: int, rows: int, out: Path | None) -> None:
    """Run the benchmark and print its table."""
    limit_threads()
    versions = ", ".join(f"{name} {installed(name)}" for name in VERSIONS if installed(name))
    model = fitted(chainrule.MLPClassifier)
    body = [
        *measure("1 row", ONE_ROW, model, 1, CALLS, rounds),
        *measure(f"{rows:,} rows", MANY_ROWS, model, rows, 1, rounds),
    ]
    lines = [
        f"{versions}; Python {platform.python_version()}, {platform.machine()}; {rounds} rounds,"
        f" {INPUTS}-{HIDDEN}-{CLASSES} classifier, float32, {THREADS} threads.",
        "",
        "| rows | package | µs per call | spread | time / that of chainrule | spread | rows per µs |",
        "|---|---|--:|--:|--:|--:|--:|",
        *body,
    ]
    click.echo("\n".join(lines))
    if out:
        out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
