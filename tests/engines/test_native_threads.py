"""One model from many sides at once: threads, signal handlers, forks, the end of the interpreter. Nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from chainrule.engines.native import core as native

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)
if "address" in os.environ.get("CHAINRULE_SANITIZED", ""):
    pytest.skip("many threads are the thread sanitizer's", allow_module_level=True)
if sys.platform != "linux":
    pytest.skip("forks and signals are Linux's", allow_module_level=True)

MODEL = """
import os, signal, threading, time
import numpy as np
from chainrule import Activation, Dense, Network, Objective, engines, train
from chainrule.losses import CrossEntropy
network = Network(64, [Dense(256), Activation("relu"), Dense(256), Activation("relu"), Dense(3)])
theta = network.initialize(0)
run = engines.compiled("native", network, theta)
many, one = np.zeros((400_000, 64)), np.zeros((1, 64))
def compiled(X): return run(X, CrossEntropy())
def predict(X): return engines.predict("native", network, theta, X)
"""


def said(code: str) -> str:
    """Run code after MODEL in a process of its own; return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", MODEL + code],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


@pytest.mark.process
@pytest.mark.parametrize("call", ["compiled", "predict"])
def test_short_predictions_beside_a_long_one(call: str) -> None:
    code = f"""
threading.Thread(target=lambda: {call}(many)).start()
time.sleep(0.02)
for _ in range(20): {call}(one)
print("done")
"""
    assert said(code) == "done\n"


@pytest.mark.process
def test_a_signal_handler_cannot_use_the_model_at_work() -> None:
    code = """
signal.signal(signal.SIGALRM, lambda *_: compiled(one))
signal.setitimer(signal.ITIMER_REAL, 0.02)
try:
    while True: compiled(many)
except RuntimeError as error:
    print(error)
print(compiled(one).shape)
"""
    assert said(code) == "this model is at work in this very thread: a signal handler cannot use it\n(1, 3)\n"


@pytest.mark.process
@pytest.mark.skipif(
    "thread" in os.environ.get("CHAINRULE_SANITIZED", ""), reason="the thread sanitizer cannot follow a fork"
)
def test_a_fork_while_another_thread_predicts() -> None:
    code = """
threading.Thread(target=lambda: compiled(many)).start()
time.sleep(0.02)
child = os.fork()
if child == 0:
    compiled(one)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert said(code) == "7\n"


@pytest.mark.process
def test_the_interpreter_ends_while_a_thread_trains() -> None:
    code = """
objective = Objective(network, CrossEntropy(), many, np.arange(400_000) % 3)
threading.Thread(target=lambda: train(objective, theta, epochs=10**6), daemon=True).start()
time.sleep(1)
print("end")
"""
    assert said(code) == "end\n"
