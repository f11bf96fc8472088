"""The examples run, and print the numbers they promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

PROMISED = {
    "step_by_step.py": [
        "E           = half squared   0.298371109",
        "w1 w2 w3 w4                  0.149780716",
        "w5 w6 w7 w8                  0.358916480",
        "E                            0.291027774",
        "E                            0.0000351019",
    ],
}


def test_every_example_is_promised_something() -> None:
    shown_in_readme, run_below = {"make_flowers.py"}, {"deformations.py", "mnist_errors.py", "optimizers.py"}
    assert {path.name for path in EXAMPLES.glob("*.py")} == PROMISED.keys() | shown_in_readme | run_below
    readme = (EXAMPLES.parent / "README.md").read_text()
    assert all(f"$ python examples/{name}" in readme for name in shown_in_readme)


@pytest.mark.process
@pytest.mark.parametrize("name", PROMISED)
def test_example(name: str) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    for line in PROMISED[name]:
        assert line in printed


@pytest.mark.process
@pytest.mark.data
@pytest.mark.slow
def test_deformed_digits_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "deformations.png"
    command = [sys.executable, str(EXAMPLES / "deformations.py"), str(picture)]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert printed == f"{picture}: 10 digits, 7 deformations of each\n"
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.data
def test_errors_on_mnist_are_measured() -> None:
    """One epoch on 50,000 training images, judged on the other 10,000: far from what the recipe reaches."""
    options = ["fashion", "--seeds", "1", "--jobs", "1", "--epochs", "1", "--validate"]
    command = [sys.executable, str(EXAMPLES / "mnist_errors.py"), *options]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    found = re.fullmatch(
        r"seed 0: error ([\d.]+) %, trained in \d+ s\nfashion: mean validation error \1 %, from \1 to \1\n", printed
    )
    assert found is not None, printed
    assert 9 < float(found[1]) < 18
