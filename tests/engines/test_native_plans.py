"""The core's Plan: whatever it is made from, it answers with a Python exception and never with a crash.

What may take a lot of memory runs in a process of its own, which is not allowed to have it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.engines.native import core as native
from chainrule.engines.native.lowering import Layer, Noise
from support.core_arguments import (
    HIDDEN,
    HUGE,
    INPUTS,
    LAYERS,
    NEGATIVE,
    NONE,
    RECIPE,
    REFUSALS,
    ROWS,
    SIZE,
    SOMETHING,
    WHOLE,
    core,
    plan,
    plan_arguments,
    predict_arguments,
    run_arguments,
    value_arguments,
)

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)


def test_what_is_right_is_taken() -> None:
    done, reported, norm, raised = plan().run(**run_arguments())
    assert (done, reported, raised) == (3, 3, None)
    assert norm > 0
    assert np.isfinite(plan().value(**value_arguments()))
    given = predict_arguments()
    plan(batch=0).predict(**given)
    np.testing.assert_allclose(given["out"].sum(axis=1), 1)


SMALL_PLANS: list[dict[str, Any]] = [
    *({"dtype": dtype} for dtype in ("", "float16", "int64", "FLOAT32", "float32\0", None, 4, b"float32", np.float32)),
    *({"inputs": n} for n in (0, *NEGATIVE, *HUGE, None, 3.0, "3", np.nan)),
    *({"parameters": n} for n in (0, SIZE - 1, *NEGATIVE, 2**63, None, 37.0)),
    *({"batch": n} for n in (*NEGATIVE, *HUGE[2:], None, 9.0)),
    *({"layers": layers} for layers in ([], None, [()], [None], 3, "ab", [{}], [{"outputs": 5, "weights": 0}], {})),
    *({"input": given} for given in ({}, None, 3, {"dropped": 0}, {**Noise()._asdict(), "dropped": 65536})),
    *({"loss": loss} for loss in ((), None, "huber", ("sine", 0.0), ("", 0.0), ("huber",), ("huber", None), (1, 1.0))),
    *({"rule": r} for r in (None, (), ("Adam", []), ("SGD", [0.1]), ("adam", [0.9, 0.999, 1e-8]), ("Adam", None))),
    *({"rule": ("Adam", settings)} for settings in ([0.9] * 2, [0.9] * 4, [None] * 3, ["a"] * 3, [0.9] * 100)),
    *({kind: p} for kind in ("weights", "biases") for p in (None, (), NONE[:3], (*NONE, 0.0), (None,) * 6, "abcdef")),
    *({"recipe": given} for given in ({}, None, 3)),
    *({"recipe": {**RECIPE, "clip": clip}} for clip in ("Norm", "", None, 1)),
    *({"recipe": {**RECIPE, "rates": rates}} for rates in ([], [1.0] * 3, [1.0] * 5, None, ["a"] * 4)),
    *({"recipe": {**RECIPE, "part": part}} for part in (0, -1, ROWS + 1, 2**62, None, 0.5)),
    *({"set": name} for name in ("sse1", "AVX2", "avx512 ", None, 3)),
]


@pytest.mark.parametrize("changes", SMALL_PLANS, ids=repr)
def test_a_plan_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    if changes == {"inputs": 2**31}:
        pytest.skip("in range; the layers are then outside θ")
    with pytest.raises(REFUSALS):
        plan(**changes)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("field", ["outputs", "weights", "biases", "scales", "shifts", "slopes"])
@pytest.mark.parametrize("number", [*NEGATIVE, *HUGE, SIZE, SIZE - 1, None, "1"], ids=repr)
def test_a_layer_that_makes_no_sense_is_refused(layer: int, field: str, number: Any) -> None:
    layers = [dict(each) for each in LAYERS]
    layers[layer][field] = number
    if number == -1 and field not in ("outputs", "weights"):
        return  # such parameters are not there
    with pytest.raises(REFUSALS):
        plan(layers=layers)


def changed(**fields: Any) -> list[dict[str, Any]]:
    return [HIDDEN._replace(**fields)._asdict(), LAYERS[1]]


NORM = {"norm": "batch", "scales": 0, "shifts": 0, "mean": 0, "variance": 0}


@pytest.mark.parametrize(
    "fields",
    [
        *({"norm": norm} for norm in ("batch", "layer", "Batch", "", None, 1)),
        *(
            {**NORM, name: place}
            for name in ("scales", "shifts", "mean", "variance")
            for place in (-1, SIZE - 4, 2**62)
        ),
        *({"live": live} for live in ("prelu", "PReLU", "relu", "", None)),
        *(
            {"live": "prelu", "slopes": place, "shared_slope": shared}
            for place, shared in ((SIZE, True), (SIZE - 4, False))
        ),
        *({name: n} for name in ("dropped", "disconnected") for n in (-1, 65536, np.nan, np.inf, None, "1")),
        *(
            {name: n}
            for name in ("dropout_block", "noise_block", "live_block", "connect_block")
            for n in (-1, 2**64, 0.5)
        ),
    ],
    ids=repr,
)
def test_a_layer_with_a_wrong_stage_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(REFUSALS):
        plan(layers=changed(**fields))


@pytest.mark.parametrize("fields", [NORM, {"live": "rrelu"}, {"dropped": 1}, {"deviation": 0.1}], ids=repr)
def test_the_last_layer_has_an_activation_only(fields: dict[str, Any]) -> None:
    assert plan(layers=changed(**fields))
    with pytest.raises(REFUSALS, match="the last layer has more than an activation"):
        plan(layers=[LAYERS[0], {**LAYERS[1], **fields}])


@pytest.mark.parametrize("name", ["", "Tanh", "sine", "prelu", None, 3])
def test_an_unknown_activation_is_refused(name: Any) -> None:
    with pytest.raises(REFUSALS):
        plan(layers=changed(activation=name))


def small(arguments: tuple[Any, ...]) -> bool:
    """Return whether a plan of these sizes needs little memory, or is clearly out of range."""
    sizes = [arguments[1], arguments[5], *(layer["outputs"] for layer in arguments[3])]
    return all(n <= 2000 or n >= 2**60 for n in sizes)


@given(WHOLE, WHOLE, WHOLE, st.lists(st.tuples(WHOLE, WHOLE, WHOLE), max_size=3))
@settings(max_examples=200)
def test_plans_of_any_numbers(inputs: int, parameters: int, batch: int, layers: list[tuple[int, int, int]]) -> None:
    arguments = plan_arguments(
        inputs=inputs,
        parameters=parameters,
        batch=batch,
        layers=[Layer(outputs, w, b)._asdict() for outputs, w, b in layers],
    )
    if not small(arguments):
        return
    try:
        core.Plan(*arguments)
    except REFUSALS:
        return
    assert inputs > 0
    assert all(outputs > 0 and w >= 0 and b >= -1 and b + outputs <= parameters for outputs, w, b in layers)


@given(st.integers(0, 11), SOMETHING)
@settings(max_examples=300)
def test_plans_with_anything_in_place_of_an_argument(place: int, thing: Any) -> None:
    arguments = list(plan_arguments())
    arguments[place] = thing
    if place in (1, 5) and isinstance(thing, int) and 2000 < thing <= 2**60:
        return
    try:
        made = core.Plan(*arguments)
    except REFUSALS:
        return
    if arguments[0] == "float64" and arguments[1] == INPUTS:
        with_it = run_arguments()
        try:
            made.run(**with_it)
        except REFUSALS:
            return


def scripted(code: str) -> str:
    """Run code in a process that may have 1 GB of address space more than it starts with; return what it prints."""
    head = """
import resource
import numpy as np
from chainrule.engines.native.lowering import Layer
from support.core_arguments import REFUSALS, plan, run_arguments
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**30,) * 2)
def refused(call):
    try:
        call()
    except REFUSALS as error:
        return type(error).__name__
    raise SystemExit("it was not refused")
"""
    here = str(Path(__file__).parents[1])
    ran = subprocess.run(
        [sys.executable, "-c", head + code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([here, *sys.path])},
    )
    assert ran.returncode == 0, f"{ran.returncode}: {ran.stderr[-3000:]}"
    return ran.stdout


only_linux = pytest.mark.skipif(
    sys.platform != "linux" or "CHAINRULE_SANITIZED" in os.environ,
    reason="limits of memory are Linux's, and a sanitizer has its own",
)


@pytest.mark.process
@only_linux
def test_sizes_that_no_memory_holds_are_memory_errors() -> None:
    lines = scripted("""
for inputs, outputs in ((2**20, 2**20), (2**40, 1), (1, 2**40), (2**16, 2**16), (2**34, 4), (3, 2**37)):
    size = inputs * outputs + outputs
    layers = [Layer(outputs, 0, inputs * outputs)._asdict()]
    for batch in (0, 1, 2**40):
        print(refused(lambda: plan(inputs=inputs, layers=layers, parameters=size, batch=batch)))
layers = [Layer(2**20, 0, 0)._asdict()] * 2
print(refused(lambda: plan(inputs=2**20, layers=layers, parameters=2**62)))
""")
    assert set(lines.split()) == {"MemoryError"}


@pytest.mark.process
@only_linux
def test_a_batch_that_no_memory_holds_is_refused() -> None:
    lines = scripted("""
for batch in (2**33, 2**36, 2**40):
    big = plan(batch=batch)
    given = run_arguments(batch=batch, learning_rates=np.full(1, 0.1), losses=np.empty(1))
    try:
        assert big.run(**given)[0] == 1
    except MemoryError:
        pass
    assert big.run(**run_arguments())[0] == 3  # and the plan goes on working
print("alive")
""")
    assert lines == "alive\n"
