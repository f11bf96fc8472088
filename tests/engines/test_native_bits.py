"""The same seed, data and settings give the same bits: for any number of threads, on every set with fused
multiply-add, from Python threads at once, and in forked processes. And Ctrl-C ends a long step at once, cleanly.

The problems are large enough that the core really uses several threads: one more for every WORTH multiplications.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Activation, Dense, Network, Objective, engines, train
from chainrule.engines import NativeEngine
from chainrule.engines.native import core as native
from chainrule.losses import CrossEntropy, Loss
from chainrule.mathematics.activations import ACTIVATIONS
from chainrule.optimizers import OPTIMIZERS, SGD, Adam, UpdateRule
from chainrule.penalties import L1, L2
from support.naive_loops import RULES
from support.strategies import ALL_LOSSES, SEEDS, draw_target, drawn_penalties

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)

HERE = str(Path(__file__).parent)

WORTH = 4e5
"""WORTH_A_THREAD of trainer.cpp."""

THREADS = (1, 2, 3, 7)
FUSED = tuple(name for name in native.instruction_sets() if name != "baseline")
"""The sets with fused multiply-add, whose bits agree."""

every_rule = pytest.mark.parametrize("name", RULES)
every_loss = pytest.mark.parametrize("loss", ALL_LOSSES, ids=repr)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
two_sets = pytest.mark.skipif(len(FUSED) < 2, reason="fewer than two instruction sets with fused multiply-add here")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="forks and signals are Linux's")

forks = pytest.mark.skipif(
    "thread" in os.environ.get("CHAINRULE_SANITIZED", ""), reason="the thread sanitizer cannot follow a fork"
)


def digest(*arrays: Any) -> str:
    """Return the SHA-256 of arrays."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def threads_used(network: Network, rows: int, passes: int) -> float:
    """Return how many threads this much work pays for, as Trainer::useful says."""
    products = sum(slot.spec.shape[0] * slot.spec.shape[1] for slot in network.slots if slot.name == "W")
    return rows * products * passes / WORTH + 1


def problem(loss: Loss | None = None, dtype: str = "float64", rows: int = 700, seed: int = 0) -> tuple[Objective, Any]:
    """Return a penalised objective on weighted rows, large enough for seven threads in batches of 300, and a start."""
    rng, loss = np.random.default_rng(seed), loss or CrossEntropy()
    network = Network(20, [Dense(77), Activation("tanh"), Dense(35), Activation("softplus"), Dense(5)])
    assert threads_used(network, 300, 3) > max(THREADS) / 2
    X, y, weight = rng.normal(size=(rows, 20)), draw_target(loss, rng, rows, 5), rng.uniform(0.5, 2, rows)
    objective = Objective(network, loss, X.astype(dtype), y, weight, [L2(0.01), L1(1e-3, True, ("weight", "bias"))])
    return objective, network.initialize(seed, dtype)


def trained(objective: Objective, theta: Any, rule: UpdateRule | None = None, n_threads: int | None = None) -> str:
    """Return the digest of everything that three epochs of training give."""
    result = train(
        objective,
        theta,
        optimizer=rule or Adam(),
        batch_size=min(objective.rows, 600),
        epochs=3,
        seed=5,
        engine="native",
        n_threads=n_threads,
    )
    return digest(result.theta, [event.loss for event in result.history], [e.gradient_norm for e in result.history])


def the_same(results: list[str]) -> bool:
    return len(set(results)) == 1


def on_every_set(monkeypatch: pytest.MonkeyPatch, run: Callable[[], str]) -> list[str]:
    """Return what `run` gives on every instruction set with fused multiply-add."""
    results = []
    for name in FUSED:
        monkeypatch.setenv("CHAINRULE_INSTRUCTIONS", name)
        results.append(run())
    return results


def test_seven_threads_are_really_used() -> None:
    objective, _ = problem()
    assert threads_used(objective.network, 600, 3) >= max(THREADS)


@every_rule
@both_dtypes
def test_any_number_of_threads_trains_to_the_same_bits(name: str, dtype: str) -> None:
    objective, theta = problem(dtype=dtype)
    assert the_same([trained(objective, theta, OPTIMIZERS[name](), n) for n in THREADS])


@every_loss
@both_dtypes
def test_every_loss_does(loss: Loss, dtype: str) -> None:
    objective, theta = problem(loss, dtype)
    assert the_same([trained(objective, theta, SGD(), n) for n in THREADS])


@two_sets
@every_rule
@both_dtypes
def test_fused_sets_train_to_the_same_bits(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objective, theta = problem(dtype=dtype)
    assert the_same(on_every_set(monkeypatch, lambda: trained(objective, theta, OPTIMIZERS[name](), 2)))


@two_sets
@every_loss
@both_dtypes
def test_fused_sets_agree_on_every_loss(loss: Loss, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objective, theta = problem(loss, dtype)
    assert the_same(on_every_set(monkeypatch, lambda: trained(objective, theta, SGD(), 2)))


@st.composite
def drawn_objectives(draw: st.DrawFn) -> tuple[Objective, Any]:
    """A network of one to three wide layers on enough rows for several threads, of either dtype."""
    loss, name = draw(st.sampled_from(ALL_LOSSES)), st.sampled_from(sorted(ACTIVATIONS))
    widths, blocks = st.integers(30, 110), []
    for _ in range(draw(st.integers(0, 2))):
        blocks += [Dense(draw(widths)), Activation(draw(name))]
    network = Network(draw(widths), [*blocks, Dense(draw(st.integers(2, 70)))])
    rng, rows, dtype = np.random.default_rng(draw(SEEDS)), draw(st.integers(200, 1100)), draw(st.sampled_from("fd"))
    X, y = rng.normal(size=(rows, network.inputs)).astype(dtype), draw_target(loss, rng, rows, network.outputs)
    weight = rng.uniform(0, 2, rows) if draw(st.booleans()) else None
    penalties = draw(drawn_penalties())
    return Objective(network, loss, X, y, weight, penalties), 0.3 * network.initialize(0, X.dtype.name)


@given(drawn_objectives())
@settings(max_examples=20)
def test_values_gradients_and_predictions_of_any_network(problem: tuple[Objective, Any]) -> None:
    objective, theta = problem
    results = []
    with pytest.MonkeyPatch.context() as patch:
        for name in FUSED or ("",):
            patch.setenv("CHAINRULE_INSTRUCTIONS", name)
            objective.network.memo.clear()
            for n in THREADS:
                value, gradient = NativeEngine(objective, n_threads=n).value_and_gradient(theta)
                alone = NativeEngine(objective, n_threads=n).value(theta)
                predicted = engines.predict("native", objective.network, theta, objective.X, objective.loss, n)
                results.append(digest([value, alone], gradient, predicted))
    assert the_same(results)


@both_dtypes
def test_rows_are_predicted_as_they_are_alone(dtype: str) -> None:
    objective, theta = problem(dtype=dtype)
    network, X = objective.network, objective.X
    together = engines.predict("native", network, theta, X, objective.loss, 3)
    alone = [engines.predict("native", network, theta, row[None], objective.loss) for row in X[:70]]
    assert digest(together[:70]) == digest(*alone)


def test_trainings_at_once_give_the_bits_of_one_after_the_other() -> None:
    problems = [problem(dtype=dtype, seed=k, rows=300) for k in range(6) for dtype in ("float32", "float64")]
    one_by_one = [trained(*given, n_threads=1) for given in problems]
    for n in (1, 2, 3):
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda given, n=n: trained(*given, n_threads=n), problems)) == one_by_one


def test_one_engine_and_one_network_from_many_threads() -> None:
    objective, theta = problem(rows=300)
    engine = NativeEngine(objective, n_threads=2)
    thetas = [theta * (1 + k / 10) for k in range(24)]

    def everything(theta: Any) -> str:
        value, gradient = engine.value_and_gradient(theta)
        predicted = engines.predict("native", objective.network, theta, objective.X, objective.loss, 2)
        return digest([value, engine.value(theta)], gradient, predicted)

    one_by_one = [everything(theta) for theta in thetas]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(everything, thetas)) == one_by_one


HEARS_CTRL_C = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
"""Where the tests run in the background Ctrl-C is ignored, and every child inherits that."""


def script(code: str, limit: float = 60) -> str:
    """Run code in a process of its own, beside the tests' modules; return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", HEARS_CTRL_C + code],
        capture_output=True,
        text=True,
        timeout=limit,
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([HERE, *sys.path]), "CHAINRULE_NUM_THREADS": "3"},
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


@pytest.mark.process
@only_linux
@forks
def test_a_forked_child_trains_to_the_same_bits() -> None:
    lines = script("""
import os, sys, warnings
from test_native_bits import problem, trained
warnings.simplefilter("ignore")
before = trained(*problem())
for k in range(3):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        grandchild = os.fork()
        if grandchild:
            os.waitpid(grandchild, 0)
        os.write(writing, trained(*problem()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 1000) == 2 * before.encode()
    os.close(reading), os.close(writing)
    assert trained(*problem()) == before
print("the same")
""")
    assert lines == "the same\n"


@pytest.mark.process
@only_linux
@forks
def test_processes_of_multiprocessing_and_joblib() -> None:
    lines = script("""
import multiprocessing, warnings
from joblib import Parallel, delayed
from test_native_bits import problem, trained
warnings.simplefilter("ignore")

def task(seed):
    return trained(*problem(seed=seed, rows=300))

wanted = [task(seed) for seed in range(4)]
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(task, range(4)) == wanted
assert Parallel(2, backend="multiprocessing")(delayed(task)(seed) for seed in range(4)) == wanted
assert Parallel(2, backend="threading")(delayed(task)(seed) for seed in range(4)) == wanted
print("the same")
""")
    assert lines == "the same\n"


@pytest.mark.process
@only_linux
def test_joblibs_own_workers() -> None:
    lines = script("""
from joblib import Parallel, delayed
from test_native_bits import problem, trained

wanted = [trained(*problem(seed=seed, rows=300)) for seed in range(2)]
jobs = (delayed(trained)(*problem(seed=seed, rows=300)) for seed in range(2))
assert Parallel(2, backend="loky")(jobs) == wanted
print("the same")
""")
    assert lines == "the same\n"


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
from chainrule import Activation, Dense, Network, Objective
from chainrule.engines import NativeEngine
from chainrule.losses import SquaredError
from chainrule.optimizers import Adam

rng = np.random.default_rng(0)
network = Network(400, [Dense(1200), Activation("tanh"), Dense(1200), Activation("tanh"), Dense(10)])
X = rng.normal(size=(ROWS, 400)).astype("float32")
objective = Objective(network, SquaredError(), X, rng.normal(size=(ROWS, 10)))
engine, rule = NativeEngine(objective, Adam(), n_threads=THREADS), Adam()
theta = network.initialize(0, "float32")
memory, sent = rule.zeros(theta.size, "float32"), []

def interrupt():
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)

timer = threading.Timer(0.6, interrupt)
timer.start()
try:
    engine.run(theta, memory, None, ROWS, [1e-3] * 100000)
except KeyboardInterrupt:
    ended = time.perf_counter()
else:
    raise SystemExit("it was not interrupted")
assert np.isfinite(theta).all()
print(memory.t, ended - sent[0])

# What was counted was done, and nothing else: that many steps from the start come to the same bits.
again, fresh = network.initialize(0, "float32"), rule.zeros(theta.size, "float32")
if memory.t <= LIMIT:
    engine.run(again, fresh, None, ROWS, [1e-3] * memory.t)
    assert again.tobytes() == theta.tobytes()
    assert all(fresh[key].tobytes() == memory[key].tobytes() for key in ("mean", "square_mean"))
"""


@pytest.mark.process
@only_linux
@pytest.mark.parametrize(("rows", "n_threads"), [(60_000, 1), (60_000, 2), (600, 2), (500, 2)])
@pytest.mark.slow
def test_ctrl_c_ends_a_long_step_at_once(rows: int, n_threads: int) -> None:
    code = INTERRUPTED.replace("ROWS", str(rows)).replace("THREADS", str(n_threads)).replace("LIMIT", "60")
    steps, seconds = script(code).split()
    print(f"{rows} rows, {n_threads} threads: {steps} steps done, ended {float(seconds):.3f} s after Ctrl-C")
    assert float(seconds) < 2


@pytest.mark.process
@only_linux
def test_ctrl_c_ends_a_training_with_what_it_has() -> None:
    lines = script("""
import os, signal, threading
import numpy as np
from chainrule import train
from test_native_bits import problem

objective, theta = problem(rows=60_000)
threading.Timer(0.6, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
result = train(objective, theta, epochs=10**6, engine="native")
assert np.isfinite(result.theta).all()
print(result.reason)
""")
    assert lines == "interrupted\n"


@pytest.mark.process
@only_linux
def test_ctrl_c_ends_predictions_and_values() -> None:
    lines = script("""
import os, signal, threading
import numpy as np
from chainrule import Activation, Dense, Network, Objective, engines
from chainrule.engines import NativeEngine
from chainrule.losses import SquaredError

network = Network(64, [Dense(1000), Activation("tanh"), Dense(1000), Activation("tanh"), Dense(1)])
X, theta = np.ones((100_000, 64), "float32"), network.initialize(0, "float32")
engine = NativeEngine(Objective(network, SquaredError(), X, np.ones(100_000)))
for call in (lambda: engines.predict("native", network, theta, X), lambda: engine.value(theta)):
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    try:
        while True:
            call()
    except KeyboardInterrupt:
        print("ended")
small = network.forward(theta, X[:3])
np.testing.assert_allclose(engines.predict("native", network, theta, X[:3]), small, rtol=1e-4)
""")
    assert lines == "ended\nended\n"
