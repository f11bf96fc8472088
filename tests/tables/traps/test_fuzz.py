"""A short run of `tools/fuzz_reading.py`; the long one is run by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz_files import made
from fuzz_reading import FINE, examined, text_rows


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_damaged_files_are_read_right_or_refused(first: int, tmp_path: Path) -> None:
    outcomes = {seed: examined(seed, tmp_path) for seed in range(first, first + 20)}
    assert not {seed: outcome for seed, outcome in outcomes.items() if outcome.kind not in FINE}


def test_a_seed_makes_one_file() -> None:
    assert [made(seed) for seed in range(30)] == [made(seed) for seed in range(30)]


def test_the_independent_readers_count() -> None:
    """Many of the damaged files can still be compared."""
    counted = [text_rows(file) for file in map(made, range(200)) if file.is_text]
    assert sum(rows is not None for rows in counted) > len(counted) / 3
