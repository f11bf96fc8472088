"""Whatever is handed to the core, it answers with a Python exception and never with a crash.

The core's own Plan is checked first, as if nothing stood before it; then what a caller of the library sees. What may
take a lot of memory runs in a process of its own, which is not allowed to have it.
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
from hypothesis.extra import numpy as hnp

from chainrule import Activation, Dense, Network, Objective, engines, train
from chainrule.engines import NativeEngine, native
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.optimizers import Adam

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)

core: Any = native._core
SET = native.instruction_sets()[0]
NONE = (0.0, 0.0, 0.0, 0.0)
REFUSALS = (ValueError, TypeError, MemoryError, OverflowError)
HUGE = (2**31, 2**40, 2**62, 2**63 - 1, 2**63, 2**64, 10**30)
NEGATIVE = (-1, -(2**31), -(2**40), 1 - 2**63, -(2**63), -(2**64))

ROWS, INPUTS, UNITS, OUTPUTS = 9, 3, 5, 2
SIZE = INPUTS * UNITS + UNITS + UNITS * OUTPUTS + OUTPUTS
LAYERS = [(UNITS, "tanh", 0.0, 0, 15), (OUTPUTS, "identity", 0.0, 20, 30)]


def plan_arguments(**changes: Any) -> tuple[Any, ...]:
    """Return the arguments of a Plan that trains a 3-5-2 network with Adam, some of them changed."""
    fine = {
        "dtype": "float64",
        "inputs": INPUTS,
        "layers": LAYERS,
        "parameters": SIZE,
        "batch": ROWS,
        "loss": ("cross_entropy", 0.0),
        "rule": ("Adam", [0.9, 0.999, 1e-8]),
        "weights": NONE,
        "biases": NONE,
        "set": SET,
    }
    assert changes.keys() <= fine.keys()
    return tuple({**fine, **changes}.values())


def run_arguments(**changes: Any) -> dict[str, Any]:
    """Return the arguments of Plan.run, some of them changed."""
    rng = np.random.default_rng(0)
    fine = {
        "theta": rng.normal(size=SIZE),
        "memory": [np.zeros(SIZE), np.zeros(SIZE)],
        "X": rng.normal(size=(ROWS, INPUTS)),
        "y": rng.integers(0, OUTPUTS, ROWS),
        "weight": np.ones(ROWS),
        "order": np.arange(ROWS),
        "batch": 4,
        "learning_rates": np.full(3, 0.01),
        "t": 0,
        "losses": np.empty(3),
        "threads": 2,
    }
    assert changes.keys() <= fine.keys()
    return {**fine, **changes}


VALUE = ("theta", "X", "y", "weight", "threads")


def value_arguments(**changes: Any) -> dict[str, Any]:
    return {name: run_arguments(**changes)[name] for name in VALUE}


def predict_arguments(**changes: Any) -> dict[str, Any]:
    """Return the arguments of Plan.predict, some of them changed."""
    fine = {"theta": np.ones(SIZE), "X": np.ones((4, INPUTS)), "link": "softmax", "out": np.empty((4, 2)), "threads": 2}
    assert changes.keys() <= fine.keys()
    return {**fine, **changes}


def plan(**changes: Any) -> Any:
    return core.Plan(*plan_arguments(**changes))


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
    *({"layers": layers} for layers in ([], None, [()], [None], 3, "ab", [LAYERS[0][:4]], [(*LAYERS[0], 0)], {})),
    *({"loss": loss} for loss in ((), None, "huber", ("sine", 0.0), ("", 0.0), ("huber",), ("huber", None), (1, 1.0))),
    *({"rule": r} for r in (None, (), ("Adam", []), ("SGD", [0.1]), ("adam", [0.9, 0.999, 1e-8]), ("Adam", None))),
    *({"rule": ("Adam", settings)} for settings in ([0.9] * 2, [0.9] * 4, [None] * 3, ["a"] * 3, [0.9] * 100)),
    *({kind: p} for kind in ("weights", "biases") for p in (None, (), NONE[:3], (*NONE, 0.0), (None,) * 4, "abcd")),
    *({"set": name} for name in ("sse1", "AVX2", "avx512 ", None, 3)),
]


@pytest.mark.parametrize("changes", SMALL_PLANS, ids=repr)
def test_a_plan_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    if changes == {"inputs": 2**31}:
        pytest.skip("in range; the layers are then outside θ")
    with pytest.raises(REFUSALS):
        plan(**changes)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("field", [0, 2, 3, 4])
@pytest.mark.parametrize("number", [*NEGATIVE, *HUGE, SIZE, SIZE - 1, None, "1"], ids=repr)
def test_a_layer_that_makes_no_sense_is_refused(layer: int, field: int, number: Any) -> None:
    layers = [list(each) for each in LAYERS]
    layers[layer][field] = number
    if field == 2 and isinstance(number, int):
        return  # any number sets an activation
    with pytest.raises(REFUSALS):
        plan(layers=[tuple(each) for each in layers])


@pytest.mark.parametrize("name", ["", "Tanh", "sine", "prelu", None, 3])
def test_an_unknown_activation_is_refused(name: Any) -> None:
    with pytest.raises(REFUSALS):
        plan(layers=[(UNITS, name, 0.0, 0, 15), LAYERS[1]])


WHOLE = st.one_of(st.integers(-50, 50), st.integers(-(2**65), 2**65), st.sampled_from([*NEGATIVE, *HUGE]))
SOMETHING = st.one_of(
    st.none(), st.text(max_size=3), WHOLE, st.floats(), st.lists(st.integers(0, 3), max_size=3), st.booleans()
)


def small(arguments: tuple[Any, ...]) -> bool:
    """Return whether a plan of these sizes needs little memory, or is clearly out of range."""
    sizes = [arguments[1], arguments[4], *(layer[0] for layer in arguments[2])]
    return all(n <= 2000 or n >= 2**60 for n in sizes)


@given(WHOLE, WHOLE, WHOLE, st.lists(st.tuples(WHOLE, WHOLE, WHOLE), max_size=3))
@settings(max_examples=200)
def test_plans_of_any_numbers(inputs: int, parameters: int, batch: int, layers: list[tuple[int, int, int]]) -> None:
    arguments = plan_arguments(
        inputs=inputs,
        parameters=parameters,
        batch=batch,
        layers=[(outputs, "relu", 0.0, w, b) for outputs, w, b in layers],
    )
    if not small(arguments):
        return
    try:
        core.Plan(*arguments)
    except REFUSALS:
        return
    assert inputs > 0
    assert all(outputs > 0 and min(w, b) >= 0 and b + outputs <= parameters for outputs, w, b in layers)


@given(st.integers(0, 9), SOMETHING)
@settings(max_examples=300)
def test_plans_with_anything_in_place_of_an_argument(place: int, thing: Any) -> None:
    arguments = list(plan_arguments())
    arguments[place] = thing
    if place in (1, 4) and isinstance(thing, int) and 2000 < thing <= 2**60:
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
from test_native_input import *
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**30,) * 2)
def refused(call):
    try:
        call()
    except REFUSALS as error:
        return type(error).__name__
    raise SystemExit("it was not refused")
"""
    here = str(Path(__file__).parent)
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


@only_linux
def test_sizes_that_no_memory_holds_are_memory_errors() -> None:
    lines = scripted("""
for inputs, outputs in ((2**20, 2**20), (2**40, 1), (1, 2**40), (2**16, 2**16), (2**34, 4), (3, 2**37)):
    size = inputs * outputs + outputs
    layers = [(outputs, "relu", 0.0, 0, inputs * outputs)]
    for batch in (0, 1, 2**40):
        print(refused(lambda: plan(inputs=inputs, layers=layers, parameters=size, batch=batch)))
layers = [(2**20, "relu", 0.0, 0, 0), (2**20, "relu", 0.0, 0, 0)]
print(refused(lambda: plan(inputs=2**20, layers=layers, parameters=2**62)))
""")
    assert set(lines.split()) == {"MemoryError"}


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


BAD_RUNS: dict[str, tuple[Any, ...]] = {
    "theta": (
        None,
        np.ones(SIZE - 1),
        np.ones(SIZE + 1),
        np.ones((SIZE, 1)),
        np.ones((1, SIZE)),
        np.ones(SIZE, "f4"),
        np.ones(SIZE, ">f8"),
        np.ones(SIZE, int),
        np.ones(SIZE, complex),
        np.ones(SIZE, object),
        np.ones(2 * SIZE)[::2],
        np.ones(SIZE)[::-1],
        np.float64(1),
        [1.0] * SIZE,
        np.ones(8 * SIZE + 1, "u1")[1:].view("f8"),
    ),
    "memory": (
        None,
        [],
        [np.zeros(SIZE)],
        [np.zeros(SIZE)] * 3,
        [np.zeros(SIZE), np.zeros(SIZE - 1)],
        [np.zeros(SIZE), np.zeros(SIZE, "f4")],
        [np.zeros(SIZE), None],
        [np.zeros(SIZE), np.zeros(2 * SIZE)[::2]],
        np.zeros((2, SIZE - 1)),
        3,
    ),
    "X": (
        None,
        np.ones((ROWS, INPUTS + 1)),
        np.ones((ROWS + 1, INPUTS)),
        np.ones((ROWS - 1, INPUTS)),
        np.ones((0, INPUTS)),
        np.ones(ROWS * INPUTS),
        np.ones((ROWS, INPUTS, 1)),
        np.ones((ROWS, INPUTS), "f4"),
        np.ones((ROWS, INPUTS), int),
        np.ones((INPUTS, ROWS)).T,
        np.ones((ROWS, 2 * INPUTS))[:, ::2],
        np.ones((2 * ROWS, INPUTS))[::2],
        np.broadcast_to(np.ones(INPUTS), (ROWS, INPUTS)),
        np.ones((ROWS, INPUTS))[::-1],
        [[1.0] * INPUTS] * ROWS,
    ),
    "y": (
        None,
        np.zeros(ROWS, "i4"),
        np.zeros(ROWS),
        np.zeros(ROWS, bool),
        np.zeros(ROWS, "u8"),
        np.zeros(ROWS - 1, int),
        np.zeros(ROWS + 1, int),
        np.full(ROWS, OUTPUTS),
        np.full(ROWS, -1),
        np.full(ROWS, 2**62),
        np.full(ROWS, -(2**63)),
        np.zeros(2 * ROWS, int)[::2],
        np.ones((ROWS, OUTPUTS), int),
        np.ones((ROWS, OUTPUTS + 1)),
        np.ones((ROWS - 1, OUTPUTS)),
        np.ones((OUTPUTS, ROWS)).T,
        np.zeros((ROWS, 1), int),
        np.int64(0),
    ),
    "weight": (np.ones(ROWS - 1), np.ones((ROWS, 1)), np.ones(ROWS, "f4"), np.ones(2 * ROWS)[::2], 1.0, "x"),
    "order": (
        np.arange(ROWS) + 1,
        np.arange(ROWS) - 1,
        np.full(ROWS, 2**62),
        np.full(ROWS, -(2**63)),
        np.arange(ROWS, dtype="i4"),
        np.arange(ROWS, dtype="f8"),
        np.arange(ROWS, dtype="u8"),
        np.arange(ROWS)[:, None],
        np.zeros(2 * ROWS, int)[::2],
        np.arange(ROWS)[::-1],
        np.arange(8),
        np.arange(0),
        np.zeros(13, int),
        list(range(ROWS)),
        3,
    ),
    "batch": (0, *NEGATIVE, *HUGE, ROWS + 1, 5, 2, None, 4.0),
    "learning_rates": (
        None,
        np.ones(2),
        np.ones(4),
        np.ones(0),
        np.ones(3, "f4"),
        np.ones((3, 1)),
        np.ones(6)[::2],
        [1],
    ),
    "t": (*NEGATIVE, 2**63, None, 1.5),
    "losses": (None, np.empty(2), np.empty(4), np.empty(3, "f4"), np.empty(6)[::2], np.empty((3, 1)), [0.0] * 3),
    "threads": (2**31, 2**40, -(2**40), None, 2.0, "2"),
}


def read_only(array: Any) -> Any:
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(("name", "k"), [(name, k) for name, bad in BAD_RUNS.items() for k in range(len(bad))])
def test_a_run_that_makes_no_sense_is_refused(name: str, k: int) -> None:
    made, bad = plan(), run_arguments(**{name: BAD_RUNS[name][k]})
    before = bad["theta"].copy() if isinstance(bad["theta"], np.ndarray) else None
    with pytest.raises(REFUSALS):
        made.run(**bad)
    assert before is None or np.array_equal(bad["theta"], before)
    if name in VALUE and name != "threads":
        with pytest.raises(REFUSALS):
            made.value(**value_arguments(**{name: BAD_RUNS[name][k]}))
    assert made.run(**run_arguments())[0] == 3


@pytest.mark.parametrize("name", ["theta", "losses", "memory"])
def test_what_is_written_must_be_writable(name: str) -> None:
    fine = run_arguments()[name]
    bad = [fine[0], read_only(fine[1])] if name == "memory" else read_only(fine)
    with pytest.raises(REFUSALS):
        plan().run(**run_arguments(**{name: bad}))
    assert not bad[1 if name == "memory" else slice(None)].flags.writeable


def test_what_is_only_read_may_be_read_only() -> None:
    given = run_arguments()
    names = ("X", "y", "weight", "order", "learning_rates")
    assert plan().run(**{**given, **{name: read_only(given[name]) for name in names}})[0] == 3
    plan().value(**value_arguments(theta=read_only(given["theta"])))
    plan(batch=0).predict(**predict_arguments(theta=read_only(np.ones(SIZE)), X=read_only(np.ones((4, INPUTS)))))


@pytest.mark.parametrize("threads", [0, -1, -(2**31), 1, 300, 2**31 - 1])
def test_any_number_of_threads_will_do(threads: int) -> None:
    assert plan().run(**run_arguments(threads=threads))[0] == 3
    plan().value(**value_arguments(threads=threads))
    plan(batch=0).predict(**predict_arguments(threads=threads))


def test_numbers_that_are_not_finite_stop_a_run() -> None:
    for name in ("theta", "X", "weight"):
        for bad in (np.nan, np.inf, -np.inf):
            spoiled = np.full_like(run_arguments()[name], bad)
            assert plan().run(**run_arguments(**{name: spoiled}))[:2] == (0, 1)
    for number in (np.nan, np.inf, -np.inf, 1e308, -1e308):
        plan(weights=(number,) * 4, loss=("huber", number))
        plan(rule=("Adam", [number] * 3)).run(**run_arguments(learning_rates=np.full(3, number)))
        plan(layers=[(UNITS, "elu", number, 0, 15), LAYERS[1]]).run(**run_arguments(t=2**63 - 1))


BAD_PREDICTIONS: dict[str, tuple[Any, ...]] = {
    "theta": BAD_RUNS["theta"][1:],
    "X": (*(bad for bad in BAD_RUNS["X"] if bad is None or np.ndim(bad) != 2 or np.shape(bad)[1] != INPUTS), None),
    "link": ("", "tanh", "Softmax", None, 3),
    "out": (
        None,
        np.empty((4, OUTPUTS + 1)),
        np.empty((3, OUTPUTS)),
        np.empty((5, OUTPUTS)),
        np.empty(4 * OUTPUTS),
        np.empty((4, OUTPUTS), "f4"),
        np.empty((OUTPUTS, 4)).T,
        read_only(np.empty((4, OUTPUTS))),
    ),
    "threads": BAD_RUNS["threads"],
}


@pytest.mark.parametrize(("name", "k"), [(name, k) for name, bad in BAD_PREDICTIONS.items() for k in range(len(bad))])
def test_a_prediction_that_makes_no_sense_is_refused(name: str, k: int) -> None:
    with pytest.raises(REFUSALS):
        plan(batch=0).predict(**predict_arguments(**{name: BAD_PREDICTIONS[name][k]}))


def test_plans_for_one_purpose_refuse_the_other() -> None:
    with pytest.raises(ValueError, match="this plan only trains"):
        plan().predict(**predict_arguments())
    with pytest.raises(ValueError, match="this plan only predicts"):
        plan(batch=0).value(**value_arguments())
    with pytest.raises(ValueError, match="batches of this engine have 1 to 0 rows"):
        plan(batch=0).run(**run_arguments())


def test_no_theta_keeps_the_weights_of_the_call_before() -> None:
    made, first, again = plan(batch=0), predict_arguments(), predict_arguments(theta=None)
    made.predict(**first)
    made.predict(**again)
    np.testing.assert_array_equal(first["out"], again["out"])


@pytest.mark.filterwarnings("ignore")  # nanobind warns besides
def test_a_plan_that_never_was_made_is_refused() -> None:
    made = core.Plan.__new__(core.Plan)
    for call in (made.run, made.value, made.predict):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(TypeError):
        made.value(**value_arguments())


EVERY_DTYPE = st.sampled_from([np.dtype(code) for code in ("f4", "f8", "f2", ">f8", "i8", "i4", "u8", "?", "c16", "g")])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=10)
NUMBERS = st.floats(-1e3, 1e3, width=16) | st.just(float("nan"))


@st.composite
def any_arrays(draw: st.DrawFn) -> Any:
    """An array of any dtype and shape, often nearly the right one, sometimes not contiguous or not writable."""
    shapes = st.sampled_from([(SIZE,), (ROWS, INPUTS), (ROWS,), (3,), (ROWS, OUTPUTS), (4, INPUTS), (4, OUTPUTS)])
    shape, dtype = draw(shapes | SHAPES), draw(st.sampled_from([np.dtype("f8"), np.dtype("i8")]) | EVERY_DTYPE)
    with np.errstate(all="ignore"):
        array = np.full(shape, draw(st.integers(-1, 3))).astype(dtype)
    if array.ndim and draw(st.integers(0, 4)) == 0:
        array = draw(st.sampled_from([array[::-1], array[::2], array.T, array[..., None], array[:0]]))
    return read_only(array) if array.ndim and draw(st.integers(0, 9)) == 0 else array


@given(st.dictionaries(st.sampled_from(sorted(run_arguments())), SOMETHING | any_arrays(), min_size=1, max_size=3))
@settings(max_examples=300)
def test_anything_in_place_of_the_arguments_of_a_run(changes: dict[str, Any]) -> None:
    for made in (plan(), plan(dtype="float32"), plan(loss=("huber", 1.0))):
        try:
            made.run(**run_arguments(**changes))
            made.value(**{name: value for name, value in run_arguments(**changes).items() if name in VALUE})
        except REFUSALS:
            pass


@given(st.dictionaries(st.sampled_from(sorted(predict_arguments())), SOMETHING | any_arrays(), min_size=1, max_size=3))
@settings(max_examples=200)
def test_anything_in_place_of_the_arguments_of_a_prediction(changes: dict[str, Any]) -> None:
    for made in (plan(batch=0), plan(batch=0, dtype="float32")):
        with suppress(REFUSALS):
            made.predict(**predict_arguments(**changes))


@given(st.sampled_from([SET, "", "x"]), st.text(max_size=4), SOMETHING | any_arrays(), SOMETHING | any_arrays())
def test_anything_in_place_of_the_arguments_of_evaluate(chosen: str, name: str, x: Any, y: Any) -> None:
    for function in (name, "exp"):
        with suppress(REFUSALS):
            core.evaluate(chosen, function, x, y, 0.0)


def objective(**changes: Any) -> Objective:
    """Return cross entropy of a 3-5-2 network on nine rows, or something else."""
    network = Network(INPUTS, [Dense(UNITS), Activation("tanh"), Dense(OUTPUTS)])
    given = {"loss": CrossEntropy(), "X": run_arguments()["X"], "y": run_arguments()["y"], **changes}
    return Objective(network, **given)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"theta": np.ones(SIZE, "f4")}, "theta must hold float64 numbers"),
        ({"theta": np.ones(SIZE - 1)}, r"theta must have shape \(32,\), got \(31,\)"),
        ({"theta": np.ones(2 * SIZE)[::2]}, "theta must be contiguous, in C order"),
        ({"order": np.arange(9, dtype="i4")}, "order must hold int64 numbers"),
        ({"order": np.arange(9) + 1}, "order holds row 9 of 9"),
        ({"order": np.arange(9) - 1}, "order holds row -1 of 9"),
        ({"order": np.arange(8)}, "order must hold one batch for every learning rate"),
        ({"batch_size": 0}, "batches of this engine have 1 to 0 rows"),
        ({"state": {"t": 0}}, "the update rule has other arrays of memory"),
        ({"state": {"t": -1, "mean": np.zeros(SIZE), "square_mean": np.zeros(SIZE)}}, "t must not be negative"),
        ({"state": {"t": 0, "mean": np.zeros(SIZE), "square_mean": np.zeros(3)}}, r"memory must have shape \(32,\)"),
    ],
    ids=str,
)
def test_the_engine_says_what_does_not_fit(changes: dict[str, Any], words: str) -> None:
    engine = NativeEngine(objective(), Adam())
    fine = {
        "theta": np.ones(SIZE),
        "state": Adam().init(SIZE),
        "order": np.arange(9),
        "batch_size": 4,
        "learning_rates": [0.1] * 3,
    }
    with pytest.raises(ValueError, match=words):
        engine.run(**{**fine, **changes})


@pytest.mark.parametrize("theta", [None, "x", 3.0, [1.0] * SIZE, {}], ids=repr)
def test_the_engine_refuses_what_is_no_theta(theta: Any) -> None:
    for call in (NativeEngine(objective()).value, NativeEngine(objective()).value_and_gradient):
        with pytest.raises(REFUSALS):
            call(theta)


def test_rows_in_any_memory_order_are_taken() -> None:
    X, theta = np.asfortranarray(run_arguments()["X"]), np.linspace(-1, 1, SIZE)
    wanted = NativeEngine(objective()).value(theta)
    for same in (X, np.repeat(X, 2, axis=0)[::2], X.astype(">f8").astype(float)):
        assert NativeEngine(objective(X=same)).value(theta) == wanted
    y = np.repeat(run_arguments()["y"].astype("i2"), 2)[::2]
    assert NativeEngine(objective(y=y)).value(theta) == wanted


@pytest.mark.parametrize("dtype", ["f2", "i8", ">f8", "c16"])
def test_what_the_core_does_not_hold_is_named(dtype: str) -> None:
    X = np.ones((ROWS, INPUTS)).astype(dtype)
    with pytest.raises(ValueError, match="the native engine cannot run this: X holds"):
        NativeEngine(objective(X=X, loss=SquaredError(), y=np.ones((ROWS, OUTPUTS))))


def test_classes_changed_behind_the_objectives_back_are_found() -> None:
    y = run_arguments()["y"].copy()
    engine = NativeEngine(objective(y=y))
    y[3] = 99
    for call in (engine.value, engine.value_and_gradient):
        with pytest.raises(ValueError, match="y holds class 99 of 2"):
            call(np.ones(SIZE))


def test_no_rows_are_refused_by_the_engine_and_predicted_to_nothing() -> None:
    empty = objective(X=np.empty((0, INPUTS)), y=np.empty(0, int))
    with pytest.raises(ValueError, match="X holds no rows"):
        NativeEngine(empty).value(np.ones(SIZE))
    assert engines.predict("native", empty.network, np.ones(SIZE), np.empty((0, INPUTS))).shape == (0, OUTPUTS)


def test_an_objective_of_another_kind_is_named() -> None:
    class Mine(Objective):
        pass

    fine = objective()
    mine = Mine(fine.network, fine.loss, fine.X, fine.y)
    with pytest.raises(ValueError, match="the native engine cannot run this: the objective"):
        train(mine, np.ones(SIZE), engine="native")


def test_theta_of_the_wrong_dtype_is_named() -> None:
    with pytest.raises(ValueError, match="X holds float64 numbers and θ float32"):
        train(objective(), np.ones(SIZE, "f4"), engine="native")


@pytest.mark.parametrize("chosen", ["nonsense", "AVX512", "avx512,avx2", " "])
def test_an_instruction_set_that_is_not_here_is_named(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_INSTRUCTIONS", chosen)
    words = f"CHAINRULE_INSTRUCTIONS is {chosen!r}; this machine has: {', '.join(native.instruction_sets())}"
    for call in (native.instruction_set, lambda: NativeEngine(objective()).value(np.ones(SIZE))):
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(ValueError, match=words):
        train(objective(), np.ones(SIZE))


@pytest.mark.parametrize("chosen", ["0", "x", "-1", "1.5", "1e3", " "])
def test_a_number_of_threads_that_makes_no_sense_is_named(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", chosen)
    words = f"CHAINRULE_NUM_THREADS must be a whole number of at least 1, got {chosen!r}"
    for call in (native.threads, lambda: NativeEngine(objective()), lambda: train(objective(), np.ones(SIZE))):
        with pytest.raises(ValueError, match=words):
            call()
    monkeypatch.delenv("CHAINRULE_NUM_THREADS")
    for number in (0, -1, 1.5, "x"):
        with pytest.raises(ValueError, match="n_threads must be a whole number of at least 1"):
            NativeEngine(objective(), n_threads=number)


def test_the_environment_sets_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "5")
    assert native.threads() == 5
    assert native.threads(3) == 3
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "10" * 9)
    assert native.threads() == 256
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert native.threads() == 1
