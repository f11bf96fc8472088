"""What a Plan runs on: whatever it is handed, it answers with a Python exception and never with a crash."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.engines.native import core as native
from support.core_arguments import (
    HIDDEN,
    HUGE,
    INPUTS,
    LAYERS,
    NEGATIVE,
    OUTPUTS,
    REFUSALS,
    ROWS,
    SET,
    SIZE,
    SOMETHING,
    VALUE,
    core,
    plan,
    predict_arguments,
    run_arguments,
    value_arguments,
)

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)


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
        plan(weights=(number,) * 6, loss=("huber", number))
        plan(rule=("Adam", [number] * 3)).run(**run_arguments(learning_rates=np.full(3, number)))
        elu = HIDDEN._replace(activation="elu", setting=number)._asdict()
        plan(layers=[elu, LAYERS[1]]).run(**run_arguments(t=2**63 - 1))


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
