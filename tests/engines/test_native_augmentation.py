"""The compiled augmentations against the definitions, on every instruction set; rows alone; the same bits; refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainrule.augmentation import AUGMENTATIONS, Augmentation, Deformation, Mask, Noise
from chainrule.engines.native import core as native
from chainrule.foundation.randomness import PURPOSES, Stream
from support.core_arguments import HUGE, NEGATIVE, REFUSALS

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)

core: Any = native._core
SETS = native.instruction_sets()
FUSED = tuple(name for name in SETS if name != "baseline")
"""The sets with fused multiply-add, whose bits agree."""

NAMES = {kind: name for name, kind in AUGMENTATIONS.items()}
BOUNDS = {"float32": 1e-5, "float64": 1e-12}
"""What a value may differ by, relative and, below 1, absolute: inputs are 0 to 1, images at most 40 x 40."""

every_set = pytest.mark.parametrize("chosen", SETS)
seeds = st.integers(0, 2**64 - 1)


def twin(
    chosen: str, augmentation: Augmentation, x: NDArray[Any], name: tuple[int, ...] = (0, 0, 0), first: int = 0
) -> NDArray[Any]:
    """Return the rows of x, as the core changes them; name: seed, step and block of the stream."""
    seed, step, block = name
    out = np.full_like(x, 77)
    shape = augmentation.image or (1, x.shape[1], 1)
    stream = (seed, PURPOSES["augmentation"], step, block)
    core.augment(chosen, NAMES[type(augmentation)], list(augmentation.numbers), shape, stream, first, x, out)
    return out


def numbers(most: float) -> st.SearchStrategy[float]:
    return st.one_of(st.just(0.0), st.floats(0, most))


sides = st.one_of(st.integers(1, 40), st.sampled_from([7, 8, 9, 15, 16, 17, 32, 33]))
shapes = st.one_of(st.tuples(sides, sides), st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 4)))
deformations = st.builds(
    Deformation,
    shapes,
    shift=numbers(50),
    rotate=numbers(180),
    scale=numbers(0.95),
    shear=numbers(45),
    elastic=numbers(5),
    smoothness=st.one_of(st.sampled_from([1.0, 2.0, 4.0]), st.floats(1, 50)),
    fill=st.floats(0, 1),
)
of_inputs = st.one_of(st.builds(Noise, st.floats(0, 3)), st.builds(Mask, st.floats(0, 0.99), st.floats(-1, 1)))


def test_the_core_knows_the_table() -> None:
    assert list(AUGMENTATIONS) == core.AUGMENTATIONS


def agrees(chosen: str, augmentation: Augmentation, inputs: int, dtype: str, seed: int) -> None:
    x = np.random.default_rng(seed).uniform(size=(3, inputs)).astype(dtype)
    name = (seed, seed % 1000, seed % 7)
    wanted = augmentation(x, Stream(seed, "augmentation", *name[1:]))
    np.testing.assert_allclose(twin(chosen, augmentation, x, name), wanted, rtol=BOUNDS[dtype], atol=BOUNDS[dtype])


@every_set
@pytest.mark.parametrize("dtype", BOUNDS)
@given(deformations, seeds)
@settings(max_examples=60)
def test_deformations_equal_the_definition(chosen: str, dtype: str, d: Deformation, seed: int) -> None:
    agrees(chosen, d, int(np.prod(d.image)), dtype, seed)


@every_set
@pytest.mark.parametrize("dtype", BOUNDS)
@given(of_inputs, st.one_of(st.integers(1, 100), st.just(784)), seeds)
@settings(max_examples=40)
def test_noise_and_masks_equal_the_definition(chosen: str, dtype: str, a: Noise | Mask, inputs: int, seed: int) -> None:
    agrees(chosen, a, inputs, dtype, seed)


@pytest.mark.parametrize("dtype", BOUNDS)
@given(st.one_of(deformations, of_inputs), seeds)
@settings(max_examples=40)
def test_every_fused_set_gives_the_same_bits(dtype: str, a: Augmentation, seed: int) -> None:
    x = np.random.default_rng(seed).uniform(size=(2, int(np.prod(a.image or 50)))).astype(dtype)
    first, *others = (twin(chosen, a, x, (seed, 1, 2)) for chosen in FUSED)
    for other in others:
        np.testing.assert_array_equal(first, other)


@every_set
@pytest.mark.parametrize("dtype", BOUNDS)
@given(st.one_of(deformations, of_inputs), seeds)
@settings(max_examples=20)
def test_any_row_by_itself_has_the_same_bits(chosen: str, dtype: str, a: Augmentation, seed: int) -> None:
    x = np.random.default_rng(seed).uniform(size=(4, int(np.prod(a.image or 50)))).astype(dtype)
    whole = twin(chosen, a, x, (seed, 3, 0))
    for row in (3, 0, 2):
        np.testing.assert_array_equal(twin(chosen, a, x[[row]], (seed, 3, 0), first=row)[0], whole[row])


@every_set
@given(st.one_of(deformations, of_inputs), seeds)
@settings(max_examples=20)
def test_rows_may_be_changed_in_place(chosen: str, a: Augmentation, seed: int) -> None:
    x = np.random.default_rng(seed).uniform(size=(2, int(np.prod(a.image or 50))))
    wanted = twin(chosen, a, x)
    shape, stream = a.image or (1, 50, 1), (0, PURPOSES["augmentation"], 0, 0)
    core.augment(chosen, NAMES[type(a)], list(a.numbers), shape, stream, 0, x, x)
    np.testing.assert_array_equal(x, wanted)


@every_set
@pytest.mark.parametrize("dtype", BOUNDS)
def test_large_names_of_streams(chosen: str, dtype: str) -> None:
    for a in (Noise(1.0), Mask(0.5), Deformation((5, 10), shift=3, elastic=1)):
        x = np.random.default_rng(0).uniform(size=(1, 50)).astype(dtype)
        wanted = a(x, Stream(2**64 - 1, "augmentation", 2**40, 9))
        np.testing.assert_allclose(twin(chosen, a, x, (2**64 - 1, 2**40, 9)), wanted, atol=BOUNDS[dtype])


@every_set
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf, 1e30])
def test_wild_inputs_and_the_strongest_settings_stay_in_the_image(chosen: str, dtype: str, wild: float) -> None:
    """The sanitizers see every address that is read: no number of an image or setting may lead outside."""
    x = np.full((2, 42), wild, dtype)
    strongest = Deformation((6, 7), 1e6, 180, 1 - 2**-53, 90 - 1e-13, 1e6, 1.0)
    assert twin(chosen, strongest, x).shape == x.shape
    assert (twin(chosen, Mask(0.5, 3.0), x) == 3).any()
    far = twin(chosen, Deformation((6, 7), shift=1e6, fill=0.25), np.ones((50, 42), dtype))
    assert (far == 0.25).mean() > 0.99


FINE: dict[str, Any] = {
    "set": SETS[0],
    "name": "deformation",
    "numbers": [1.0, 10.0, 0.1, 5.0, 1.0, 4.0, 0.0],
    "shape": (5, 7, 1),
    "stream": (0, 8, 0, 0),
    "first_row": 0,
}


def call(**changes: Any) -> None:
    x = changes.pop("x", np.zeros((2, 35)))
    core.augment(*{**FINE, **changes}.values(), x, changes.get("out", np.zeros((2, 35))))


WRONG: list[dict[str, Any]] = [
    *({"set": name} for name in ("avx9", None)),
    *({"name": name} for name in ("blur", "", None, 3)),
    *({"numbers": n} for n in ([], [1.0] * 6, [1.0] * 8, [np.nan] * 7, [np.inf] * 7, [0.0] * 7, None, "1234567")),
    *({"shape": (n, 7, 1)} for n in (0, *HUGE, *NEGATIVE, 2**15 + 1)),
    *({"shape": s} for s in ((5, 7), (5, 7, 2), (7, 4, 1), (2**15, 2**15, 1), None)),
    *({"stream": s} for s in ((0, 8, 0), (-1, 8, 0, 0), (0, 8, 0, 2**64), None)),
    *({"first_row": r} for r in (*HUGE, *NEGATIVE, 0.5, None)),
    *({"x": x} for x in (np.zeros(35), np.zeros((2, 34)), np.zeros((35, 2)).T, np.zeros((2, 35), int), None)),
    *({"out": x} for x in (np.zeros((1, 35)), np.zeros((2, 36)), np.zeros((2, 35), "float32"), None)),
]


def test_arguments_that_do_not_fit_are_refused() -> None:
    call()
    for changes in WRONG:
        with pytest.raises(REFUSALS):
            call(**changes)
