"""Kills a training again and again, lets it go on from its checkpoint, and compares the last weights' SHA-256.

    python benchmarks/kill.py            50 kills for each engine and number of threads
    python benchmarks/kill.py --kills 6 --engine native --threads 2

Each run is a process of its own that writes a checkpoint every few steps; it is killed with SIGKILL at a random
moment, started again, and so on. The exit code is 1 where any weights differ from those of a run never killed.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.engines import best

EPOCHS = 60
PAUSE = 0.01
"""Seconds to wait after each epoch: a run then lasts long enough to be hit in every part of it."""


def run(engine: str, threads: int, path: Path | None, pause: float = 0.0) -> str:
    """Train with early stopping, ragged batches and a falling rate; return the SHA-256 of the weights and curves."""
    draw = np.random.default_rng(0)
    X, y = draw.normal(size=(203, 6)), draw.integers(0, 3, 203)
    network = cr.Network(6, [cr.Dense(40), cr.Activation("tanh"), cr.Dense(3)])
    training, validation = (cr.Objective(network, cr.losses.CrossEntropy(), X[k::2], y[k::2]) for k in (0, 1))
    result = cr.train(
        training,
        network.initialize(0),
        optimizer=cr.optimizers.Adam(),
        schedule=cr.schedules.WarmUp(cr.schedules.Cosine(0.01), 20),
        epochs=EPOCHS,
        batch_size=10,
        engine=engine,
        n_threads=threads,
        validation=validation,
        stopping=cr.Stopping("validation_loss", patience=EPOCHS, keep_best=True),
        callbacks=[lambda event: time.sleep(pause)],
        checkpoint=None if path is None else cr.Checkpoint(path, every="3 steps"),
    )
    memory = [] if result.state.memory is None else [*result.state.memory.arrays.values()]
    curve = np.array([[event.loss, event.validation_loss, event.gradient_norm] for event in result.history])
    parts = [result.theta, result.state.theta, curve, *memory]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def killed(engine: str, threads: int, kills: int, seed: int) -> tuple[int, int, str]:
    """Return how often a run was killed, how many runs that took, and the SHA-256 at the end of the last.

    A run that ends before its kill is begun anew, until there were so many kills; every end must be the same.
    """
    done, runs, draw = 0, 0, random.Random(seed)
    ended, ends = False, set[str]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.checkpoint"
        while done < kills or not ended:
            command = [sys.executable, __file__, "--run", str(path), "--engine", engine, "--threads", str(threads)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert child.stdout is not None
            child.stdout.readline()  # it says that it starts
            time.sleep(draw.uniform(0, 0.25) if done < kills else 0)
            if done < kills and child.poll() is None:
                child.kill()
            end = child.stdout.read().strip()
            runs, done = runs + 1, done + (child.wait() < 0)
            ended = child.returncode == 0
            if ended:
                ends.add(end)
                path.unlink()
            elif child.returncode > 0:
                raise SystemExit(f"a run failed after {done} kills")
        leftovers = [found.name for found in Path(folder).iterdir()]
    return done, runs, ends.pop() if len(ends) == 1 and not leftovers else f"{len(ends)} different ends, {leftovers}"


def main() -> int:
    """Print a table, a row for each engine and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--engine", choices=["reference", "native"], action="append")
    parser.add_argument("--threads", type=int, action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    engines = given.engine or ["reference", "native"][: 1 + (best() == "native")]
    if given.run:
        print("starts", flush=True)
        print(run(engines[0], given.threads[0], given.run, PAUSE))
        return 0
    print(f"{'engine':<10} {'threads':>7} {'kills':>6} {'runs':>5}  SHA-256 at the end, never killed and killed")
    same = True
    for engine in engines:
        for threads in given.threads or [1, 2]:
            whole = run(engine, threads, None)
            done, runs, end = killed(engine, threads, given.kills, given.seed)
            same &= whole == end
            print(f"{engine:<10} {threads:>7} {done:>6} {runs:>5}  {whole[:12]} {end[:12]}", flush=True)
    print("the same bits" if same else "DIFFERENT BITS")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
