"""The examples run, and print the numbers they promise."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.optimizers import OPTIMIZERS

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
    shown_in_readme, run_below = (
        {"make_flowers.py", "make_flats.py"},
        {"deformations.py", "mnist_errors.py", "optimizers.py"},
    )
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


def _optimizers() -> Any:
    """Return examples/optimizers.py as a module."""
    spec = importlib.util.spec_from_file_location("optimizers_example", EXAMPLES / "optimizers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_surfaces_derivatives_are_those_of_their_heights() -> None:
    h = 1e-5
    for name, surface in _optimizers().SURFACES.items():
        for x, y in np.random.default_rng(0).uniform(-1.5, 1.5, (20, 2)):
            slope = [
                (surface.f(x + h, y) - surface.f(x - h, y)) / (2 * h),
                (surface.f(x, y + h) - surface.f(x, y - h)) / (2 * h),
            ]
            np.testing.assert_allclose(surface.gradient(x, y), slope, rtol=1e-6, atol=1e-6, err_msg=name)
            ahead, behind = np.array(surface.gradient(x + h, y)), np.array(surface.gradient(x - h, y))
            up, down = np.array(surface.gradient(x, y + h)), np.array(surface.gradient(x, y - h))
            bends = np.stack([ahead - behind, up - down]) / (2 * h)
            np.testing.assert_allclose(surface.hessian(x, y), bends, rtol=1e-5, atol=1e-5, err_msg=name)
        for lowest in surface.lowest:
            assert np.abs(surface.gradient(*lowest)).max() < 0.01


def test_every_optimiser_that_needs_no_network_is_drawn() -> None:
    drawn = {name for names in _optimizers().FAMILIES.values() for name in names}
    assert set(OPTIMIZERS) - drawn == {"muon", "kfac", "bayesian", "lm"}


@pytest.mark.slow
@pytest.mark.process
def test_paths_are_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "optimizers.png"
    command = [sys.executable, "-W", "error", str(EXAMPLES / "optimizers.py"), str(picture)]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout
    assert printed == f"{picture}: 23 optimisers on 5 surfaces\n"
    assert picture.read_bytes().startswith(b"\x89PNG")
