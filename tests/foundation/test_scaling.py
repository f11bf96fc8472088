"""Centre and spread of columns: NumPy's bits for ordinary data, spread 0 for rounding noise, in all three users."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from chainrule import Scaling
from chainrule.estimators.fitted.targets import Scale
from chainrule.foundation.scaling import NOISE, mean_and_deviation, without_noise
from chainrule.tables import TableEncoder

RNG = np.random.default_rng(0)
N = 400
THIRD = np.where(RNG.random(N) < 0.5, 0.1 + 0.2, 0.3)
"""One number, but for the last bit."""


def test_ordinary_columns_have_the_bits_of_numpy() -> None:
    x = RNG.normal(size=(N, 3)) * [1, 1e-30, 1e8] + [0, 0, 1e9]
    for columns in (x, x[:, 0], np.asfortranarray(x)):
        mean, deviation = mean_and_deviation(columns)
        assert mean.tobytes() == columns.mean(axis=0).tobytes()
        assert deviation.tobytes() == columns.std(axis=0).tobytes()
        center, spread = without_noise(columns, mean, deviation)
        assert (center.tobytes(), spread.tobytes()) == (mean.tobytes(), deviation.tobytes())


def test_weights_count_rows() -> None:
    x, weight = RNG.normal(size=(6, 2)), np.array([0, 1, 2, 3, 0, 1])
    for got, wanted in zip(
        mean_and_deviation(x, weight), mean_and_deviation(np.repeat(x, weight, axis=0)), strict=True
    ):
        np.testing.assert_allclose(got, wanted, rtol=1e-14)


def test_equal_numbers_have_themselves_as_centre() -> None:
    x = np.full((7, 2), 0.1)
    center, spread = without_noise(x, *mean_and_deviation(x))
    assert center.tolist() == [0.1, 0.1]
    assert spread.tolist() == [0, 0]


@pytest.mark.parametrize("size", [1.0, -0.3, 1e300, 1e-300, 1.6e9])
@pytest.mark.parametrize("rows", [2, 30, 3000])
def test_noise_ends_at_so_many_units_in_the_last_place(size: float, rows: int) -> None:
    bound = min(rows, NOISE) * 2.0**-52
    for relative, constant in ((0.9 * bound, True), (1.2 * bound, False)):
        x = np.ones((rows, 1))
        center, spread = np.array([size]), np.array([abs(size) * relative])
        x[0] = 2
        assert (without_noise(x, center, spread)[1] == 0).all() == constant


def test_what_varies_around_0_is_no_noise() -> None:
    x = 1e-100 * RNG.normal(size=(N, 1))
    center = np.zeros(1)
    assert without_noise(x, center, x.std(axis=0))[1] > 0


@pytest.mark.parametrize("rule", ["standard", "quantile", "min_max"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scaling_leaves_rounding_noise_small(rule: str, dtype: Any) -> None:
    near = np.where(RNG.random(N) < 0.5, 0.3, np.nextafter(np.dtype(dtype).type(0.3), 1)).astype(dtype)
    x = np.stack([RNG.normal(size=N).astype(dtype), near], axis=1)
    factor = Scaling(rule).fit(x)["factor"]
    assert factor[1] == 1
    assert factor[0] != 1
    if rule == "standard" and dtype == "float64":
        np.testing.assert_allclose(1 / factor, StandardScaler().fit(x).scale_, rtol=1e-14)


def test_quartiles_that_differ_by_rounding_are_no_spread() -> None:
    x = np.append(THIRD, [5.0, -7.0])[:, None]
    assert Scaling("quantile").fit(x)["factor"].tolist() == [1.0]


def test_targets_that_differ_by_rounding_keep_deviation_1() -> None:
    y = np.stack([THIRD, RNG.normal(size=N)], axis=1)
    scale = Scale.of(y, None)
    assert scale.deviation[0] == 1
    assert scale.deviation[1] == y.std(axis=0)[1]


def test_a_table_drops_a_column_of_rounding_noise() -> None:
    kinds = np.array(["s", "t"])[RNG.integers(0, 2, N)]
    frame = pd.DataFrame({"b": RNG.normal(size=N), "c": THIRD, "k": kinds})
    _, second, _ = TableEncoder().fit(frame).describe().splitlines()
    assert second.split()[:3] == ["c", "dropped:", "always"]
