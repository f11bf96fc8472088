"""Say which bits trainings end with, and whether they are still those of another day.

\b
    python benchmarks/bits.py > before.txt
    python benchmarks/bits.py --compare before.txt      # exits with 1, naming what differs

Every line is the name of a training and the SHA-256 of what it ended with: θ, and for an estimator what it predicts.
Together they reach both engines, every update rule but L-BFGS, both precisions and every part of a step. The lines of
one machine, with one NumPy, are compared: the reference engine's products are those of its BLAS.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from clock import limit_threads
from numpy.typing import NDArray

import chainrule as cr
from chainrule import losses, penalties
from chainrule import optimizers as rules
from chainrule.augmentation import Deformation, Mask, Noise
from chainrule.schedules import Adaptive, Cosine, Exponential, InverseScaling, InverseTime, OneCycle, Step, WarmUp

ROWS, INPUTS, UNITS, BATCH = 300, 36, 64, 128

ENGINES: dict[str, dict[str, Any]] = {
    "reference": {"engine": "reference"},
    "native, 1 thread": {"engine": "native", "n_threads": 1},
    "native, 3 threads": {"engine": "native", "n_threads": 3},
}


class Training:
    """A rule, a loss, a network's blocks but the last, and what else the objective and `chainrule.train` are given."""

    def __init__(
        self, rule: Any, loss: losses.Loss, blocks: list[Any], dtype: str = "float32", **settings: Any
    ) -> None:
        self.rule, self.loss, self.blocks, self.dtype = rule, loss, blocks, dtype
        self.weighted = settings.pop("weighted", False)
        self.penalties = [settings.pop("penalty", penalties.L2(1e-3))]
        self.settings = {"epochs": 4, "batch_size": BATCH, "seed": 7, **settings}

    def run(self, engine: dict[str, Any]) -> list[NDArray[Any]]:
        """Return θ at the end."""
        X, y = data(self.loss.targets, self.dtype)
        network = cr.Network(INPUTS, [*self.blocks, cr.Dense(3 if self.loss.targets == "classes" else 1)])
        weight = np.linspace(0.5, 1.5, ROWS) if self.weighted else None
        objective = cr.Objective(network, self.loss, X, y, weight, self.penalties)
        theta = cr.fit_blocks(network, network.initialize(5, self.dtype), X)
        validation = cr.Objective(network, self.loss, X[::4], y[::4])
        settings = {"optimizer": self.rule, "validation": validation, **self.settings, **engine}
        return [cr.train(objective, theta, **settings).theta]


def data(targets: str, dtype: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return X and a target of the kind that a loss takes."""
    random = np.random.default_rng(3)
    X = random.standard_normal((ROWS, INPUTS)).astype(dtype)
    score = X[:, 0] + X[:, 1] * X[:, 2] + 0.1 * random.standard_normal(ROWS)
    made: dict[str, Callable[[], NDArray[Any]]] = {
        "real": lambda: score.astype(dtype),
        "counts": lambda: np.exp(score.clip(-2, 2)).round().astype(dtype),
        "binary": lambda: (score > 0).astype(dtype),
        "signs": lambda: np.where(score > 0, 1, -1).astype(dtype),
        "classes": lambda: np.digitize(score, [-0.6, 0.6]),
    }
    return X, made[targets]()


def hidden(activation: Any, *more: Any, first: Any = None) -> list[Any]:
    """Return two hidden layers of the activation, with more blocks after each."""
    return [first or cr.Dense(UNITS), activation, *more, cr.Dense(UNITS), activation, *more]


def dense(activation: str) -> list[Any]:
    """Return two hidden layers with an activation of the table."""
    return hidden(cr.Activation(activation))


RELU = cr.Activation("relu")
NORMED = [cr.Dense(UNITS, bias=False), cr.BatchNorm(), RELU, cr.Dense(UNITS), cr.LayerNorm(), cr.Activation("gelu")]
NOISY = hidden(RELU, cr.Dropout(0.2), cr.GaussianNoise(0.1))
WHITE = [cr.PCA(20, whiten=True), *hidden(cr.RReLU())]
CONNECT = hidden(RELU, first=cr.DropConnect(UNITS, 0.2))
PROXIMAL, ELASTIC = penalties.L1(0.01, proximal=True), penalties.ElasticNet(1e-3)
IMAGES = cr.Recipe(augmentation=(Deformation((6, 6), 0.5, 10, 0.1, 5, 0.3), Noise(0.05), Mask(0.1)), mixup=0.3)
CLIPPED = cr.Recipe(clip=("norm", 0.5), max_norm=1.5, rates={"bias": 2.0})
SUMMED = cr.Recipe(clip=("value", 0.1), accumulate=3)
UNIT = cr.Recipe(clip=("unit", 0.2))
WARM = WarmUp(Exponential(0.01), 5)
EARLY = cr.Stopping("validation_loss", 0.05, 0, keep_best=True)

TRAININGS = {
    "sgd": Training(rules.SGD(0.05), losses.SquaredError(), dense("tanh"), "float64"),
    "sgd, proximal": Training(rules.SGD(0.02), losses.Huber(0.5), hidden(RELU), penalty=PROXIMAL),
    "momentum": Training(rules.Momentum(), losses.AbsoluteError(), dense("elu"), schedule=Step(0.01, 2), order="given"),
    "nesterov": Training(rules.Nesterov(), losses.CrossEntropy(), hidden(RELU), schedule=Cosine(0.05), recipe=CLIPPED),
    "adagrad": Training(rules.AdaGrad(), losses.Quantile(0.3), dense("softplus"), "float64", weighted=True),
    "adadelta": Training(rules.AdaDelta(), losses.Poisson(), dense("sigmoid"), batch_size=40, recipe=SUMMED),
    "rmsprop": Training(rules.RMSProp(), losses.SigmoidCrossEntropy(), NOISY, schedule=InverseScaling(0.01)),
    "adam": Training(rules.Adam(), losses.CrossEntropy(0.1), NORMED, weighted=True, averaging=cr.MovingAverage(0.9)),
    "adamw": Training(rules.AdamW(), losses.Logistic(), [cr.Scaling(), *hidden(cr.PReLU())], schedule=OneCycle(0.01)),
    "nadam": Training(rules.NAdam(), losses.SquaredHinge(), CONNECT, penalty=ELASTIC, schedule=InverseTime(0.01)),
    "amsgrad": Training(rules.AMSGrad(), losses.Hinge(), WHITE, "float64", averaging=cr.Averaging(0.5)),
    "radam": Training(rules.RAdam(), losses.MulticlassHinge(), hidden(cr.NoisyReLU()), recipe=UNIT, schedule=WARM),
    "lion": Training(rules.Lion(), losses.CrossEntropy(), hidden(RELU), recipe=IMAGES, order="once"),
    "rprop": Training(rules.Rprop(), losses.SquaredMulticlassHinge(), dense("swish"), "float64", batch_size=None),
    "one by one": Training(rules.SGD(), losses.Perceptron(), [], batch_size=1, schedule=Adaptive(), stopping=EARLY),
}


def table() -> pd.DataFrame:
    """Return columns of numbers, text and dates, with gaps."""
    X, _ = data("real", "float64")
    towns = [None if k % 11 == 0 else ("Ulm", "Bonn", "Kiel")[k % 7 % 3] for k in range(ROWS)]
    sizes = [None if k % 13 == 0 else float(X[k, 0]) for k in range(ROWS)]
    days = [date(2020, 1, 1) + timedelta(days=k * 17 % 365) for k in range(ROWS)]
    return pd.DataFrame({"size": sizes, "town": towns, "day": days, "other": X[:, 1]})


def fit(kind: type[Any], targets: str, X: Any = None, weight: Any = None, **settings: Any) -> list[Any]:
    """Return θ of a fit on X, a matrix where it is None, and what the model predicts for it."""
    matrix, y = data(targets, "float32")
    X = matrix if X is None else X
    common = {"hidden_layer_sizes": (UNITS, 32), "batch_size": BATCH, "max_iter": 5, "random_state": 11}
    model = kind(**{**common, **settings}).fit(X, y, weight)
    return [model.theta_, model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)]


CLASSIFIER, REGRESSOR = cr.MLPClassifier, cr.MLPRegressor

ESTIMATORS: dict[str, Callable[[], list[Any]]] = {
    "plain": lambda: fit(CLASSIFIER, "classes"),
    "table": lambda: fit(CLASSIFIER, "classes", X=table(), early_stopping=True, class_weight="balanced"),
    "table, huber": lambda: fit(REGRESSOR, "real", X=table(), loss="huber", scale_target=True, averaging="ema"),
    "starts": lambda: fit(CLASSIFIER, "binary", n_restarts=3, max_iter=20),
    "weights": lambda: fit(CLASSIFIER, "binary", weight=np.linspace(0, 1, ROWS), class_weight={0: 2.0}),
    "images": lambda: fit(CLASSIFIER, "classes", augment_rotate=9, mixup=0.2, dropout=(0.1, 0.2), averaging="swa"),
    "pca": lambda: fit(REGRESSOR, "counts", loss="poisson", input_transform="pca", start="unit_variance"),
    "adaptive": lambda: fit(REGRESSOR, "real", solver="sgd", learning_rate="adaptive", engine="reference", max_iter=30),
    "batch": lambda: fit(REGRESSOR, "real", normalization="batch", activation="prelu", l1=0.05, l1_proximal=True),
}


def digest(arrays: list[Any]) -> str:
    """Return the SHA-256 of the bytes of some arrays."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def lines() -> Iterator[str]:
    """Yield the digest and the name of every training."""
    for name, training in TRAININGS.items():
        for engine, chosen in ENGINES.items():
            yield f"{digest(training.run(chosen))}  {name} ({engine})"
    for name, call in ESTIMATORS.items():
        yield f"{digest(call())}  {name} (estimator)"


@click.command(help=__doc__)
@click.option("--compare", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="what was printed then")
def main(compare: Path | None) -> None:
    """Print the lines, or only those that differ."""
    limit_threads()
    warnings.simplefilter("ignore")
    if compare is None:
        for line in lines():
            click.echo(line)
        return
    names = {line[66:] for line in {*lines()} ^ {*compare.read_text().splitlines()}}
    for name in sorted(names):
        click.echo(f"differs: {name}")
    sys.exit(bool(names))


if __name__ == "__main__":
    main()
