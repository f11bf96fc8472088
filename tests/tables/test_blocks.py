"""Columns of plain numbers side by side: the same bits as each of them alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.foundation.scaling import mean_and_deviation, without_noise
from chainrule.tables import NumberColumn, Table, TableEncoder, TableError, blocks, learning

NUMBERS = st.floats(allow_infinity=False) | st.integers(-3, 3).map(float) | st.just(math.nan)
BLOCKS = st.tuples(st.integers(1, 40), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=NUMBERS)
)


def table(block: np.ndarray) -> Table:
    """Return a block as a table, with a column that always has something to tell."""
    names = tuple(f"c{k}" for k in range(block.shape[1]))
    block = np.column_stack([block, np.arange(len(block)) % 7, np.where(np.arange(len(block)) % 2, np.nan, 1)])
    return Table((*names, "some", "gaps"), block, (*names, "some", "gaps"), {})


def alone(values: np.ndarray) -> tuple[float, float, int]:
    """Return mean, deviation and gaps of one column (n,), computed as version 0.1 did."""
    present = values[~np.isnan(values)]
    if not present.size:
        return 0.0, 0.0, len(values)
    unit = math.ldexp(1.0, math.frexp(float(np.abs(present).max()))[1] - 1)
    center, spread = without_noise(present / unit, *mean_and_deviation(present / unit))
    return unit * float(center), unit * float(spread), len(values) - len(present)


def encoded_alone(values: np.ndarray, mean: float, std: float, missing: int) -> list[np.ndarray]:
    """Return the columns of the matrix for one column (n,), computed as version 0.1 did."""
    absent = np.isnan(values)
    if std > 0:
        with np.errstate(over="ignore"):
            values = 2 * ((0.5 * values - 0.5 * mean) / std)
        values[absent] = 0
    return [values] * (std > 0) + [absent.astype(float)] * (missing > 0)


@given(BLOCKS, st.sampled_from([1, 7, 2**18]))
def test_a_block_has_the_bits_of_its_columns(block: np.ndarray, cells: int) -> None:
    given_table = table(block)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CELLS", cells)
        patch.setattr(learning, "CELLS", cells)
        try:
            encoder = TableEncoder().fit(given_table)
            matrix = encoder.transform(given_table)
        except TableError as error:
            assert "nothing to learn" in str(error) or "too far from" in str(error)  # noqa: PT017
            return
    columns = []
    for record, values in zip(encoder.columns_, given_table.block.T, strict=True):
        facts = alone(values)
        if isinstance(record, NumberColumn):
            assert (record.mean, record.std, record.missing) == facts
            columns += encoded_alone(values, *facts)
        else:
            assert facts[1] == 0
    assert matrix.tobytes() == np.stack(columns, axis=1).tobytes()


def test_columns_are_found_in_a_block_of_any_order() -> None:
    block = np.random.default_rng(0).normal(size=(20, 3))
    encoder = TableEncoder(dtype="float32").fit(dict(zip("abc", block.T, strict=True)))
    turned = {"c": block[:, 2], "more": block[:, 0], "a": block[:, 0], "b": [str(x) for x in block[:, 1]]}
    whole = encoder.transform(dict(zip("abc", block.T, strict=True)))
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(encoder.transform(turned), whole)
    np.testing.assert_array_equal(encoder.transform({**turned, "b": [f"{x:.17g} " for x in block[:, 1]]}), whole)


def test_the_first_value_that_cannot_be_used_is_named_with_its_row_in_the_file() -> None:
    encoder = TableEncoder().fit({"a": [1.0, 2.0], "b": [1.0, 3.0]})
    values = Table(("a", "b"), np.array([[1.0, 2], [1, 2], [1, np.inf]]), ("a", "b"), {})
    for rows, row in ((slice(None), 3), ([2, 0], 3), (slice(1, None), 3)):
        with pytest.raises(TableError, match=rf"^column 'b': the value in row {row} is infinite"):
            encoder.transform(values[rows])
    far = Table(("a", "b"), np.array([[1.0, 2], [-1.7e308, 2]]), ("a", "b"), {})
    tiny = TableEncoder().fit({"a": [1.0, 1.0 + 1e-9], "b": [1.0, 3.0]})
    with pytest.raises(TableError, match=r"^column 'a': -1.7e\+308 in row 2 is too far from the training mean 1\.0"):
        tiny.transform(far)
