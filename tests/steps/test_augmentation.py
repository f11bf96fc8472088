"""Augmentations: the formulas pixel by pixel, the laws of what is random, rows that stand alone, wrong settings."""

from __future__ import annotations

from math import cos, floor, inf, nan, pi, sin, tan
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainrule.augmentation import AUGMENTATIONS, Augmentation, Deformation, Mask, Noise, augmented, is_augmentation
from chainrule.foundation.randomness import Stream

ROWS: dict[str, Augmentation] = {
    "noise": Noise(0.3),
    "mask": Mask(0.4, -1.0),
    "deformation": Deformation(
        (5, 7), shift=1.5, rotate=30, scale=0.2, shear=20, elastic=0.8, smoothness=2.5, fill=0.5
    ),
}
"""One row per row of the table: all of its settings in use, on 35 inputs."""

every_row = pytest.mark.parametrize("name", list(AUGMENTATIONS))
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
seeds = st.integers(0, 2**32 - 1)


def drawn(rows: int, inputs: int = 35, dtype: str = "float64", seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).uniform(size=(rows, inputs)).astype(dtype)


def stream(step: int = 0, seed: int = 0) -> Stream:
    return Stream(seed, "augmentation", step)


def test_every_row_of_the_table_has_a_test_row() -> None:
    assert {name: type(row) for name, row in ROWS.items()} == dict(AUGMENTATIONS)


@every_row
@both_dtypes
def test_a_new_array_like_the_old_one_which_stays_as_it_was(name: str, dtype: str) -> None:
    x = drawn(6, dtype=dtype)
    before = x.copy()
    changed = ROWS[name](x, stream())
    assert (changed.shape, changed.dtype) == (x.shape, x.dtype)
    assert not np.shares_memory(changed, x)
    np.testing.assert_array_equal(x, before)
    assert (changed != x).any(axis=1).all()
    assert ROWS[name](x[:0], stream()).shape == (0, 35)


@every_row
def test_rows_stand_alone_and_differ_and_so_do_steps(name: str) -> None:
    x = np.repeat(drawn(1), 6, axis=0)
    changed = ROWS[name](x, stream())
    np.testing.assert_array_equal(changed, ROWS[name](x, stream()))
    np.testing.assert_array_equal(changed[:2], ROWS[name](x[:2], stream()))
    others = [*changed, *ROWS[name](x, stream(step=1)), *ROWS[name](x, stream(seed=1))]
    assert len({row.tobytes() for row in others}) == 18


@every_row
def test_a_row_depends_on_its_own_inputs_only(name: str) -> None:
    x = drawn(3)
    other = x.copy()
    other[1] = 9
    np.testing.assert_array_equal(ROWS[name](x, stream())[[0, 2]], ROWS[name](other, stream())[[0, 2]])


def test_noise_is_normal_with_its_deviation() -> None:
    z = (Noise(0.2)(np.ones((1000, 40)), stream()) - 1) / 0.2
    assert scipy.stats.kstest(z.ravel(), "norm").pvalue > 1e-6
    np.testing.assert_array_equal(Noise(0)(drawn(2), stream()), drawn(2))


def test_noise_and_masks_in_numbers() -> None:
    z = stream().normals(2, 3)
    for dtype in (np.float32, np.float64):
        x = np.full((2, 3), 1e6, dtype)
        np.testing.assert_array_equal(Noise(0.3)(x, stream()), x + (0.3 * z).astype(dtype), strict=True)
        wanted = np.where(stream().bits(2, 3) < round(0.4 * 65536), dtype(-0.1), x)
        np.testing.assert_array_equal(Mask(0.4, -0.1)(x, stream()), wanted, strict=True)


def test_images_and_numbers_are_those_that_a_compiled_twin_takes() -> None:
    d = ROWS["deformation"]
    assert isinstance(d, Deformation)
    assert {name: row.image for name, row in ROWS.items()} == {"noise": None, "mask": None, "deformation": (5, 7, 1)}
    assert {name: row.numbers for name, row in ROWS.items()} == {
        "noise": (0.3,),
        "mask": (26214.0, -1.0),
        "deformation": (1.5, 30.0, 0.2, 20.0, d.amplitude, 2.5, 0.5),
    }
    assert all(type(number) is float for row in (*ROWS.values(), Noise(1), Mask(0, 1)) for number in row.numbers)
    assert Deformation((5, 7), shift=1).amplitude == 0


def test_what_is_an_augmentation() -> None:
    assert all(map(is_augmentation, ROWS.values()))
    assert not any(map(is_augmentation, [Noise, Deformation, 3, None, np.copy]))


@pytest.mark.parametrize("rate", [0, 0.25, 0.99])
def test_a_mask_takes_its_share_of_the_inputs(rate: float) -> None:
    x = drawn(1000, 64)
    masked = Mask(rate, 7.0)(x, stream())
    taken = masked == 7
    np.testing.assert_array_equal(masked[~taken], x[~taken])
    assert abs(taken.mean() - rate) <= 5 * (rate * (1 - rate) / x.size) ** 0.5


def test_augmentations_follow_each_other_with_a_stream_each() -> None:
    x = drawn(4)
    chain = list(ROWS.values())
    wanted = x
    for k, augmentation in enumerate(chain):
        wanted = augmentation(wanted, Stream(3, "augmentation", 5, k))
    np.testing.assert_array_equal(augmented(x, chain, 3, 5), wanted)
    assert augmented(x, [], 3, 5) is x


# The formula of a deformation, one pixel at a time.


def spline(x: float) -> float:
    """Return β(x) from its pieces."""
    x = abs(x)
    return 2 / 3 - x * x + x**3 / 2 if x < 1 else (2 - x) ** 3 / 6 if x < 2 else 0.0


def source(d: Deformation, u: list[float], r: int, c: int) -> tuple[float, float]:
    """Return s(p) for one pixel and the row's random numbers."""
    middle = ((d.image[0] - 1) / 2, (d.image[1] - 1) / 2)
    alpha, size, slant = pi / 180 * d.rotate * u[0], 1 + d.scale * u[1], tan(pi / 180 * d.shear * u[2])
    y, x = r - middle[0], c - middle[1]
    x = x + slant * y  # first slanted, then turned, then scaled
    y, x = size * (cos(alpha) * y - sin(alpha) * x), size * (sin(alpha) * y + cos(alpha) * x)
    (down, across), amplitude = d.knots, d.amplitude
    bend = [0.0, 0.0]
    for axis in range(2):
        for j in range(down):
            for k in range(across):
                beta = spline(r / d.smoothness - (j - 1)) * spline(c / d.smoothness - (k - 1))
                bend[axis] += amplitude * beta * u[5 + (axis * down + j) * across + k]
    return middle[0] + y + d.shift * u[3] + bend[0], middle[1] + x + d.shift * u[4] + bend[1]


def sampled(d: Deformation, image: NDArray[Any], s: float, t: float, channel: int) -> float:
    """Return the image at row s and column t."""

    def pixel(i: int, j: int) -> float:
        inside = 0 <= i < d.image[0] and 0 <= j < d.image[1]
        return float(image[i, j, channel]) if inside else d.fill

    i, j = floor(s), floor(t)
    f, g = s - i, t - j
    above = (1 - g) * pixel(i, j) + g * pixel(i, j + 1)
    return (1 - f) * above + f * ((1 - g) * pixel(i + 1, j) + g * pixel(i + 1, j + 1))


shapes = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))


@st.composite
def deformations(draw: st.DrawFn, shapes: st.SearchStrategy[tuple[int, int, int]] = shapes) -> Deformation:
    """Deformations of any strength, each of whose settings is 0 now and then."""
    return Deformation(
        draw(shapes),
        *(draw(st.one_of(st.just(0.0), st.floats(0, most))) for most in (9, 180, 0.95, 60, 4)),
        draw(st.floats(1, 9)),
        draw(st.floats(-2, 2)),
    )


def hold_to_formula(d: Deformation, seed: int) -> None:
    """Compare two images, pixel by pixel."""
    x = drawn(2, int(np.prod(d.image)), seed=seed)
    got = d(x, stream(seed=seed)).reshape(2, *d.image)
    bits = stream(seed=seed).bits(2, 5 + 2 * d.knots[0] * d.knots[1])
    for row, image in enumerate(x.reshape(2, *d.image)):
        u = [(2 * int(b) + 1) / 65536 - 1 for b in bits[row]]
        for r, c, k in np.ndindex(d.image):
            assert got[row, r, c, k] == pytest.approx(sampled(d, image, *source(d, u, r, c), k), abs=1e-11)


def test_a_deformation_of_all_settings_is_its_formula() -> None:
    hold_to_formula(ROWS["deformation"], 0)  # type: ignore[arg-type]  # it is one
    hold_to_formula(Deformation((4, 3, 2), shift=2, rotate=90, scale=0.5, shear=45, elastic=1, smoothness=2, fill=3), 1)


@given(deformations(), seeds)
@settings(max_examples=60)
def test_any_deformation_is_its_formula(d: Deformation, seed: int) -> None:
    hold_to_formula(d, seed)


@pytest.mark.parametrize(
    ("shape", "smoothness", "knots"),
    [((28, 1), 7, (7, 4)), ((29, 2), 7, (8, 4)), ((30, 8), 7, (8, 5)), ((5, 7), 2.5, (5, 6)), ((6, 4), 1, (9, 7))],
)
def test_knots_are_one_before_the_image_and_two_after_its_last_cell(shape: Any, smoothness: float, knots: Any) -> None:
    assert Deformation(shape, elastic=1, smoothness=smoothness).knots == knots
    assert Deformation(shape, shift=1, smoothness=smoothness).knots == (0, 0)


@pytest.mark.parametrize(("shape", "smoothness"), [((28, 28), 4), ((28, 28), 1), ((9, 30), 5.5), ((1, 12), 30)])
def test_elastic_is_the_root_mean_square_displacement(shape: tuple[int, int], smoothness: float) -> None:
    d = Deformation(shape, elastic=1.5, smoothness=smoothness)
    moved = d._sources(4000, stream(), np.dtype("float64")) - np.indices(shape)[:, None]
    of_images = (moved**2).sum(axis=0).mean(axis=(1, 2))
    assert abs(of_images.mean() - 1.5**2) <= 5 * of_images.std() / 4000**0.5
    assert np.abs(moved).max() <= d.amplitude


def test_a_deformation_of_strength_zero_changes_nothing() -> None:
    np.testing.assert_array_equal(Deformation((5, 7))(drawn(3), stream()), drawn(3))


@given(deformations(st.just((5, 7, 1))), seeds)
def test_values_stay_between_those_of_the_image_and_outside(d: Deformation, seed: int) -> None:
    x = drawn(3, seed=seed)
    changed = d(x, stream(seed=seed))
    assert changed.min() >= min(x.min(), d.fill) - 1e-15
    assert changed.max() <= max(x.max(), d.fill) + 1e-15


def test_channels_move_together() -> None:
    d = Deformation((6, 5, 3), shift=2, rotate=20, elastic=1)
    x = drawn(2, 90)
    changed = d(x, stream()).reshape(2, 30, 3)
    for k in range(3):
        alone = Deformation((6, 5), shift=2, rotate=20, elastic=1)(x.reshape(2, 30, 3)[:, :, k], stream())
        np.testing.assert_array_equal(changed[:, :, k], alone)


def test_one_dimensional_signals_are_images_of_one_row() -> None:
    x = np.eye(20)[[9]] * 8
    centres = [float(Deformation((1, 20), shift=3)(x, stream(k)).ravel() @ np.arange(20)) for k in range(20)]
    assert np.ptp(centres) > 1


WRONG: list[tuple[type[Any], dict[str, Any], type[Exception], str]] = [
    (Noise, {"deviation": -0.1}, ValueError, "Noise deviation must be a finite number of at least 0, got -0.1"),
    (Noise, {"deviation": "1"}, TypeError, "Noise deviation must be"),
    (Mask, {"rate": 1}, ValueError, "Mask rate must be a number of at least 0 and below 1, got 1"),
    (Mask, {"value": inf}, ValueError, "Mask value must be a finite number, got inf"),
    *(
        (Deformation, {"shape": s}, ValueError, "Deformation shape must be two or three whole numbers from 1 to 32768")
        for s in [28, (28,), (28, 0), (28, 2.5), (1, 2, 3, 4), "28", (True, 2), (2**15 + 1, 1), None]
    ),
    (Deformation, {"shape": (5, 7), "shift": -1}, ValueError, "Deformation shift must be a number of pixels"),
    (Deformation, {"shape": (5, 7), "rotate": 181}, ValueError, "Deformation rotate must be a number of degrees"),
    (Deformation, {"shape": (5, 7), "scale": 1}, ValueError, "Deformation scale must be"),
    (Deformation, {"shape": (5, 7), "shear": 90}, ValueError, "Deformation shear must be"),
    (Deformation, {"shape": (5, 7), "elastic": nan}, ValueError, "Deformation elastic must be"),
    (Deformation, {"shape": (5, 7), "smoothness": 0.5}, ValueError, "Deformation smoothness must be"),
    (Deformation, {"shape": (5, 7), "fill": nan}, ValueError, "Deformation fill must be a finite number, got nan"),
]


@pytest.mark.parametrize(("kind", "given", "error", "words"), WRONG)
def test_wrong_settings_are_named(kind: type[Any], given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        kind(**given)


def test_inputs_that_are_not_the_image_are_refused() -> None:
    for inputs in (34, 36):
        with pytest.raises(
            ValueError, match=rf"shape \(5, 7\): such an image has 35 numbers, there are {inputs} inputs"
        ):
            ROWS["deformation"].check_inputs(inputs)
        with pytest.raises(ValueError, match="Deformation shape"):
            ROWS["deformation"](drawn(2, inputs), stream())
    for row in ROWS.values():
        row.check_inputs(35)


def test_shapes_come_as_any_sequence_of_whole_numbers() -> None:
    same = {Deformation(shape) for shape in ((5, 7), (np.int64(5), 7))} | {Deformation([5, 7])}
    assert same == {Deformation((5, 7))}
    assert Deformation(np.array([5, 7])).image == (5, 7, 1)
    assert Deformation((2**15, 1)).image == (2**15, 1, 1)
