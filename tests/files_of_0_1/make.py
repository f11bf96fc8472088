"""Write the files of this folder with the chainrule that is installed, and what it makes of them.

    python make.py

They were written by chainrule 0.1.0: later versions must read them, predict the same and go on to the same ends.
All data are quotients of small whole numbers: the same on every machine.

expected.json holds numbers as hexadecimal texts (float.fromhex). A training with the native engine ends with
`theta_sha256` on every processor with fused multiply-add (without it, its checkpoints are refused); the reference
engine's θ depends on NumPy's products, and is close to `theta`. All three checkpoints are of the fourth of six epochs
or of the end of the third; going on replaces them, so go on with copies.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import chainrule as cr

HERE = Path(__file__).parent
ROWS = 40
SHOWN = 5
"""Rows that `predictions` are of: the first ones."""


def matrix() -> tuple[NDArray[Any], NDArray[Any]]:
    """Return X (40, 3) between -1 and 1, and a target."""
    k = np.arange(ROWS)[:, np.newaxis]
    X = (k * [7, 11, 13] % [19, 23, 29]) / [9.5, 11.5, 14.5] - 1
    return X, X[:, 0] - X[:, 1] * X[:, 2]


def table() -> tuple[pl.DataFrame, list[str]]:
    """Return columns of numbers, texts and dates, each with gaps, and names of classes."""
    X, y = matrix()
    sizes = [None if k % 9 == 4 else float(x) for k, x in enumerate(X[:, 0])]
    towns = [None if k % 11 == 3 else ("Bonn", "Köln", "Ulm")[k * k % 7 % 3] for k in range(ROWS)]
    days = [None if k % 13 == 2 else date(2024, 1, 1) + timedelta(days=17 * k % 366) for k in range(ROWS)]
    return pl.DataFrame({"size": sizes, "town": towns, "day": days}), ["high" if value > 0 else "low" for value in y]


def models() -> dict[str, tuple[Any, Any]]:
    """Return each model file's estimator, not fitted, and what it is fitted to."""
    X, y = matrix()
    common: dict[str, Any] = {"max_iter": 15, "random_state": 1}
    return {
        "classifier.safetensors": (
            cr.MLPClassifier((4,), activation="tanh", normalization="batch", dropout=0.1, **common),
            (X.astype("float32"), np.digitize(y, [-0.3, 0.3])),
        ),
        "regressor.safetensors": (
            cr.MLPRegressor(hidden_layer_sizes=(4,), loss="huber", scale_target=True, input_transform="pca", **common),
            (X, y),
        ),
        "table.safetensors": (cr.MLPClassifier((3,), activation="prelu", **common), table()),
    }


def predictions(model: Any, X: Any) -> NDArray[Any]:
    """Return the predictions for the first rows: probabilities, or values."""
    return model.predict_proba(X[:SHOWN]) if hasattr(model, "predict_proba") else model.predict(X[:SHOWN])


def native_training(checkpoint: Path, epochs: int = 6) -> Any:
    """Return the events of a training in float32, kept in the middle of its fourth epoch."""
    X, y = matrix()
    X = X.astype("float32")
    network = cr.Network(3, [cr.Dense(4), cr.Activation("relu"), cr.Dropout(0.25), cr.Dense(1)])
    return cr.training(
        cr.Objective(network, cr.losses.SquaredError(), X, y, penalties=[cr.penalties.L2(0.01)]),
        network.initialize(2, "float32"),
        optimizer=cr.optimizers.Adam(0.01),
        averaging=cr.MovingAverage(0.9),
        recipe=cr.Recipe(clip=("norm", 1.0)),
        epochs=epochs,
        batch_size=10,
        seed=3,
        engine="native",
        checkpoint=cr.Checkpoint(checkpoint, "7 steps"),
    )


def reference_training(checkpoint: Path, epochs: int = 6) -> Any:
    """Return the events of a training in float64, kept after its third epoch, with a look at validation rows."""
    X, y = matrix()
    network = cr.Network(3, [cr.Dense(4), cr.Activation("tanh"), cr.Dense(1)])
    return cr.training(
        cr.Objective(network, cr.losses.SigmoidCrossEntropy(), X, (y > 0).astype(float)),
        network.initialize(2),
        optimizer=cr.optimizers.Adam(0.01),
        schedule=cr.schedules.Cosine(0.02),
        validation=cr.Objective(network, cr.losses.SigmoidCrossEntropy(), X[:8], (y[:8] > 0).astype(float)),
        stopping=cr.Stopping("validation_loss", keep_best=True),
        epochs=epochs,
        batch_size=10,
        seed=3,
        engine="reference",
        checkpoint=cr.Checkpoint(checkpoint),
    )


TRAININGS = {"training_native.checkpoint": native_training, "training_reference.checkpoint": reference_training}


def ended(events: Any) -> NDArray[Any]:
    """Return θ at the end of a training."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value.theta


def estimator_fit(checkpoint: Path, **settings: Any) -> Any:
    """Return a classifier fitted for six epochs, or interrupted by what the settings say."""
    X, y = matrix()
    model = cr.MLPClassifier(
        (4,), max_iter=6, batch_size=10, random_state=4, engine="native", checkpoint=checkpoint, **settings
    )
    return model.fit(X, y > 0)


def interrupt(event: cr.Progress) -> None:
    """Press Ctrl-C before the fourth epoch is kept."""
    if event.epoch == 4:
        raise KeyboardInterrupt


def write() -> dict[str, Any]:
    """Write every file, and return what is expected of each."""
    expected: dict[str, Any] = {}
    for name, (model, (X, y)) in models().items():
        model.fit(X, y).save(HERE / name)
        expected[name] = {"predictions": as_text(predictions(cr.load(HERE / name), X))}
    for name, training in TRAININGS.items():
        events = training(HERE / name)
        for _ in islice(events, 4):  # killed in the fourth epoch: the file knows three, and some steps
            pass
        events.close()
        expected[name] = end(ended(training(HERE / f"ended.{name}")))
    name = "estimator.checkpoint"
    estimator_fit(HERE / name, callbacks=[interrupt])
    expected[name] = end(estimator_fit(HERE / f"ended.{name}").theta_)
    for path in HERE.glob("ended.*"):
        path.unlink()
    return expected


def end(theta: NDArray[Any]) -> dict[str, Any]:
    """Return a final θ as it stands in expected.json."""
    return {"theta_sha256": hashlib.sha256(theta.tobytes()).hexdigest(), "theta": as_text(theta)}


def as_text(values: NDArray[Any]) -> Any:
    """Return numbers as hexadecimal texts, in lists as deep as the array."""
    return float(values).hex() if values.ndim == 0 else [as_text(value) for value in values]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for old in [*HERE.glob("*.checkpoint"), *HERE.glob("*.safetensors")]:
        old.unlink()
    (HERE / "expected.json").write_text(json.dumps(write(), indent=1) + "\n")
