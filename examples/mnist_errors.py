"""Train the recipes for MNIST and Fashion-MNIST that docs/results.md reports, and print each seed's test error.

Run: python examples/mnist_errors.py RECIPE [--seeds 5] [--jobs 2] [--epochs N] [--validate]

Every setting was chosen with --validate: trained on the first 50,000 training images, judged on the last 10,000. The
test images are looked at once, after the last epoch. Needs the idx files in ../shared/data.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path
from statistics import mean

from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning

from chainrule import MLPClassifier
from chainrule.tables.sources import load

DATA = Path(__file__).parents[2] / "shared" / "data"
HELD_OUT = 10_000

# Wide layers narrow to small ones, batch normalisation before each ReLU; noise (or dropout) keeps them from learning
# the training images by heart, and the learning rate falls along half a cosine.
LADDER = {"hidden_layer_sizes": (1000, 500, 250, 250, 250), "normalization": "batch", "alpha": 0.0}
SHORT = {"hidden_layer_sizes": (1000, 500, 500), "normalization": "batch", "alpha": 0.0}
FALLING = {"learning_rate": "cosine", "learning_rate_init": 0.002, "n_iter_no_change": float("inf")}
NOISE = {"input_noise": 0.3, "noise": 0.3}
DROPOUT = {"input_dropout": 0.1, "dropout": 0.3}
DEFORMATIONS = {
    "augment_shift": 1.5,
    "augment_rotate": 10,
    "augment_scale": 0.12,
    "augment_shear": 8,
    "augment_elastic": 1.5,
}

RECIPES = {
    "permutation-invariant": ("mnist", {**LADDER, **FALLING, **NOISE, "batch_size": 100, "max_iter": 70}),
    "deformed": ("mnist", {**LADDER, **FALLING, **DEFORMATIONS, "batch_size": 128, "max_iter": 150}),
    "fashion": ("fashion-mnist", {**SHORT, **FALLING, **DROPOUT, "batch_size": 128, "max_iter": 50}),
}
"""The data of each recipe, and its settings. The first and the last know nothing of which pixels are neighbours."""


def error(recipe: str, seed: int, threads: int, epochs: int | None, validate: bool) -> tuple[float, float]:
    """Return the error in percent and the seconds of one training."""
    folder, settings = RECIPES[recipe]
    data = load(DATA / folder)
    X, y, X_test, y_test = data.X, data.y, data.X_test, data.y_test
    if validate:
        X, y, X_test, y_test = X[:-HELD_OUT], y[:-HELD_OUT], X[-HELD_OUT:], y[-HELD_OUT:]
    settings = settings | ({"max_iter": epochs} if epochs else {})
    model = MLPClassifier(**settings, input_scale=data.scale, dtype="float32", random_state=seed, n_threads=threads)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs and no more are part of the recipe
        model.fit(X, y)
    seconds = time.perf_counter() - start
    return 100 * (1 - model.score(X_test, y_test)), seconds


def count(text: str) -> int:
    """Return a whole number of at least 1."""
    if int(text) < 1:
        raise ValueError
    return int(text)


def main() -> None:
    """Train one recipe from several seeds, `jobs` of them at a time; print each in its turn, then what they share."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--seeds", type=count, default=5, help="so many, from 0 on")
    parser.add_argument("--jobs", type=count, default=2, help="seeds trained at a time, each on one thread if several")
    parser.add_argument("--epochs", type=count, help="instead of the recipe's own")
    parser.add_argument("--validate", action="store_true", help="judge on held-out training images")
    given = parser.parse_args()
    if not (DATA / RECIPES[given.recipe][0]).exists():
        sys.exit(f"nothing to train on: there is no {DATA / RECIPES[given.recipe][0]}")
    threads = 1 if given.jobs > 1 else None
    tasks = (delayed(error)(given.recipe, seed, threads, given.epochs, given.validate) for seed in range(given.seeds))
    errors = []
    for seed, (percent, seconds) in enumerate(Parallel(given.jobs, return_as="generator")(tasks)):
        print(f"seed {seed}: error {percent:.2f} %, trained in {seconds:.0f} s", flush=True)
        errors.append(percent)
    kind = "validation" if given.validate else "test"
    print(f"{given.recipe}: mean {kind} error {mean(errors):.2f} %, from {min(errors):.2f} to {max(errors):.2f}")


if __name__ == "__main__":
    main()
