"""Model files and checkpoints that version 0.1 wrote load, predict the same bits and go on to the same ends.

The files, what wrote them (`make.py`) and what 0.1 made of them (`expected.json`) stand in tests/files_of_0_1.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.engines.native import core

FILES = Path(__file__).parent / "files_of_0_1"
EXPECTED = json.loads((FILES / "expected.json").read_text())
SPEC: Any = importlib.util.spec_from_file_location("make_files_of_0_1", FILES / "make.py")
make = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make)

FUSED = not core.MISSING and core.instruction_set() != "baseline"
"""True where the native engine runs with fused multiply-add: then its bits are those of every such machine."""

MODELS = [name for name in EXPECTED if name.endswith(".safetensors")]
NATIVE = [name for name in EXPECTED if name.endswith(".checkpoint") and "reference" not in name]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def numbers(texts: Any) -> Any:
    """Return the numbers of hexadecimal texts, in lists as deep."""
    return float.fromhex(texts) if isinstance(texts, str) else [numbers(text) for text in texts]


def gone_on(name: str, folder: Path) -> Any:
    """Return θ at the end of a training that goes on in a copy of its checkpoint, which going on replaces."""
    copy = Path(shutil.copy(FILES / name, folder))
    return make.ended(make.TRAININGS[name](copy)) if name in make.TRAININGS else make.estimator_fit(copy).theta_


def test_every_file_is_expected_to_give_something() -> None:
    assert {path.name for path in FILES.iterdir() if path.suffix in (".safetensors", ".checkpoint")} == EXPECTED.keys()
    assert len(MODELS) == len(NATIVE) + 1 == 3


@pytest.mark.parametrize("name", MODELS)
def test_a_model_file_predicts_the_same(name: str) -> None:
    found = make.predictions(cr.load(FILES / name), make.models()[name][1][0])
    wanted = EXPECTED[name]["predictions"]
    np.testing.assert_allclose(found, numbers(wanted), rtol=1e-4 if found.dtype == np.float32 else 1e-9)
    if FUSED:
        assert make.as_text(found) == wanted


def test_a_training_of_the_reference_engine_goes_on(tmp_path: Path) -> None:
    """Its products are NumPy's, which round otherwise on another machine."""
    name = "training_reference.checkpoint"
    np.testing.assert_allclose(gone_on(name, tmp_path), numbers(EXPECTED[name]["theta"]), rtol=1e-9)


@pytest.mark.native
@pytest.mark.parametrize("name", NATIVE)
def test_a_training_of_the_native_engine_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    if not FUSED:
        with pytest.raises(cr.CheckpointError, match="written with engine native, now native, without fused"):
            gone_on(name, tmp_path)
    else:
        assert make.as_text(gone_on(name, tmp_path)) == EXPECTED[name]["theta"]


def test_going_on_starts_where_the_file_ends(tmp_path: Path) -> None:
    """Not from the beginning: of six epochs three are done, and only three more are told."""
    copy = Path(shutil.copy(FILES / "training_reference.checkpoint", tmp_path))
    assert [event.epoch for event in make.reference_training(copy)] == [4, 5, 6]
