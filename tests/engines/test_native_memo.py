"""The compiled plans of a network: made once, and gone with it or with the process."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest

from chainrule import Activation, Dense, Network, engines
from chainrule.engines.native import core as native
from chainrule.mathematics.blocks import PCA

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)


def test_plans_are_made_once_for_each_type_of_numbers() -> None:
    network = Network(3, [PCA(2), Dense(4), Activation("tanh")])
    for dtype, plans in (("float32", 2), ("float64", 4)):
        theta = network.initialize(0, dtype)
        engines.predict("native", network, theta, np.ones((2, 3), dtype))
        kept = dict(network.memo)
        engines.predict("native", network, theta, np.ones((5, 3), dtype))
        assert network.memo == kept
        assert len(kept) == plans


def test_plans_hold_no_network() -> None:
    network = Network(3, [Dense(4)])
    engines.predict("native", network, network.initialize(0), np.ones((1, 3)))
    memo, gone = network.memo, weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None
    assert memo == {}


HELD = """
import threading, time
import numpy as np
from chainrule import Dense, Network, engines
network = Network(3, [Dense(4)])
engines.predict("native", network, network.initialize(0), np.ones((1, 3)))
threading.Thread(target=lambda network: time.sleep(60), args=(network,), daemon=True).start()
"""


@pytest.mark.process
def test_no_plan_is_left_when_the_process_ends_though_a_thread_holds_its_network() -> None:
    ran = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")
