"""The core's Plan: whatever it is made from, it answers with a Python exception and never with a crash.

What may take a lot of memory runs in a process of its own, which is not allowed to have it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.engines.native import core as native
from support.core_arguments import (
    ADAM,
    HIDDEN,
    HUGE,
    INPUTS,
    LAST,
    NEGATIVE,
    RATES,
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
    run,
    structured,
    value_arguments,
)

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)


def test_what_is_right_is_taken() -> None:
    done, reported, norm, raised = run(plan())
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
    *({"layers": layers} for layers in ([], None, [()], [None], 3, "ab", [{}], [{"outputs": 5}], {})),
    *({"layers": [HIDDEN, {**LAST, name: 0}]} for name in ("units", "Outputs", "noise", "")),
    *({"input": given} for given in (None, 3, {"dropped": None}, {"dropped": 65536}, {"outputs": 3})),
    *({"loss": loss} for loss in ((), None, "sine", "", 1, ("huber", 0.0))),
    *({"loss_setting": setting} for setting in (None, "1", ())),
    *({"rule": r} for r in (None, (), "SGD", "adam", "", "gradient", 3)),
    *({"settings": settings} for settings in (None, (), {}, {**ADAM, "rho": 0.9}, dict.fromkeys(ADAM), [0.9] * 3)),
    *({"settings": {**dict([*ADAM.items()][:2]), name: 1e-8}} for name in ("Epsilon", "eps", "", "beta_3", 3)),
    *({kind: p} for kind in ("weights", "biases") for p in (None, (), 3, {"l1": None}, {"L1": 1.0}, {"l1": "a"})),
    *({"recipe": given} for given in ({}, None, 3, {"part": 1}, {"rates": RATES}, {**RECIPE, "parts": 1})),
    *({"recipe": {**RECIPE, "clip": clip}} for clip in ("Norm", "", None, 1)),
    *({"recipe": {**RECIPE, "rates": rates}} for rates in ({}, [1.0] * 4, {**RATES, "x": 1.0}, None, {"weight": 1.0})),
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
    layers = [dict(HIDDEN), dict(LAST)]
    layers[layer][field] = number
    if number == -1 and field not in ("outputs", "weights"):
        return  # such parameters are not there
    with pytest.raises(REFUSALS):
        plan(layers=layers)


def changed(**fields: Any) -> list[dict[str, Any]]:
    return [{**HIDDEN, **fields}, LAST]


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
        plan(layers=[HIDDEN, {**LAST, **fields}])


@pytest.mark.parametrize("name", ["", "Tanh", "sine", "prelu", None, 3])
def test_an_unknown_activation_is_refused(name: Any) -> None:
    with pytest.raises(REFUSALS):
        plan(layers=changed(activation=name))


def small(arguments: dict[str, Any]) -> bool:
    """Return whether a plan of these sizes needs little memory, or is clearly out of range."""
    sizes = [arguments["inputs"], arguments["batch"], *(layer["outputs"] for layer in arguments["layers"])]
    return all(n <= 2000 or n >= 2**60 for n in sizes)


@given(WHOLE, WHOLE, WHOLE, st.lists(st.tuples(WHOLE, WHOLE, WHOLE), max_size=3))
@settings(max_examples=200)
def test_plans_of_any_numbers(inputs: int, parameters: int, batch: int, layers: list[tuple[int, int, int]]) -> None:
    arguments = plan_arguments(
        inputs=inputs,
        parameters=parameters,
        batch=batch,
        layers=[{"outputs": outputs, "weights": w, "biases": b} for outputs, w, b in layers],
    )
    if not small(arguments):
        return
    try:
        core.Plan(**structured(arguments))
    except REFUSALS:
        return
    assert inputs > 0
    assert all(outputs > 0 and w >= 0 and b >= -1 and b + outputs <= parameters for outputs, w, b in layers)


@given(st.sampled_from(sorted(plan_arguments())), SOMETHING)
@settings(max_examples=300)
def test_plans_with_anything_in_place_of_an_argument(name: str, thing: Any) -> None:
    if name in ("inputs", "batch") and isinstance(thing, int) and 2000 < thing <= 2**60:
        return
    arguments = {**structured(plan_arguments()), name: thing}
    try:
        made = core.Plan(**arguments)
    except REFUSALS:
        return
    if arguments["dtype"] == "float64" and arguments["inputs"] == INPUTS:
        with suppress(REFUSALS):
            run(made)


@given(st.sampled_from(["Noise", "Layer", "Penalty", "Recipe"]), st.data())
@settings(max_examples=300)
def test_structs_with_anything_in_place_of_a_field(struct: str, data: st.DataObject) -> None:
    fine = {"Layer": LAST, "Recipe": RECIPE}.get(struct, {})
    name = data.draw(st.sampled_from(getattr(core, struct).FIELDS) | st.text(max_size=8))
    with suppress(REFUSALS):
        getattr(core, struct)(**{**fine, name: data.draw(SOMETHING)})


def scripted(code: str) -> str:
    """Run code in a process that may have 1 GB of address space more than it starts with; return what it prints."""
    head = """
import resource
import numpy as np
from support.core_arguments import REFUSALS, plan, run
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
    layers = [{"outputs": outputs, "weights": 0, "biases": inputs * outputs}]
    for batch in (0, 1, 2**40):
        print(refused(lambda: plan(inputs=inputs, layers=layers, parameters=size, batch=batch)))
layers = [{"outputs": 2**20, "weights": 0, "biases": 0}] * 2
print(refused(lambda: plan(inputs=2**20, layers=layers, parameters=2**62)))
""")
    assert set(lines.split()) == {"MemoryError"}


@pytest.mark.process
@only_linux
def test_a_batch_that_no_memory_holds_is_refused() -> None:
    lines = scripted("""
for batch in (2**33, 2**36, 2**40):
    big = plan(batch=batch)
    try:
        assert run(big, batch=batch, learning_rates=np.full(1, 0.1), losses=np.empty(1))[0] == 1
    except MemoryError:
        pass
    assert run(big)[0] == 3  # and the plan goes on working
print("alive")
""")
    assert lines == "alive\n"
