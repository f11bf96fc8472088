"""A mistake on the command line gives one line that helps and exit code 2, and leaves nothing half-written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from chainrule.cli import main

ROWS = [f"{a},{a % 3},{'ab'[a % 2]},{a * 1.5}" for a in range(40)]
TABLE = "\n".join(["age,size,town,price", *ROWS]) + "\n"
QUICK = ["--max-iter", "1", "--quiet"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("mistakes")
    text = {
        "good.csv": TABLE,
        "empty.csv": "",
        "header.csv": "age,price\n",
        "one_row.csv": "age,price\n1,2.5\n",
        "one_class.csv": "age,kind\n" + "1,yes\n2,yes\n3,yes\n" * 5,
        "no_target.csv": "age,price\n1,2.5\n2,\n3,4.5\n" * 5,
        "constant.csv": "age,price\n" + "".join(f"7,{k}.5\n" for k in range(30)),
        "ragged.csv": "age,price\n1,2\n1,2,3\n",
        "no_age.csv": "size,town,price\n1,a,2.0\n",
        "text_age.csv": "age,size,town,price\nold,1,a,2.0\n",
        "rubbish.safetensors": "not a model",
        "notes.txt": "hello",
    }
    for name, content in text.items():
        (place / name).write_text(content)
    (place / "binary.csv").write_bytes(bytes(range(256)) * 9)
    np.savez(place / "odd.npz", pictures=np.zeros(3))
    out = str(place / "model.safetensors")
    result = CliRunner().invoke(main, ["train", str(place / "good.csv"), "--target", "town", "--out", out, *QUICK])
    assert result.exit_code == 0, result.output
    return place


MISTAKES = {
    "no command of that name": ("trian", "No such command 'trian'"),
    "no such file": ("train {0}/absent.csv --target price", "absent.csv: there is no such file"),
    "empty file": ("train {0}/empty.csv --target price", "empty.csv: it is empty"),
    "zero rows": ("train {0}/header.csv --target price", "a header but no rows"),
    "one row": ("train {0}/one_row.csv --target price", "row"),
    "one class": ("train {0}/one_class.csv --target kind", "kind"),
    "missing targets": ("train {0}/no_target.csv --target price", "price"),
    "nothing but a constant column": ("train {0}/constant.csv --target price", "age"),
    "ragged lines": ("train {0}/ragged.csv --target price", "ragged.csv"),
    "binary rubbish": ("train {0}/binary.csv --target price", "binary.csv"),
    "strange ending": ("train {0}/notes.txt --target price", "notes.txt"),
    "strange arrays": ("train {0}/odd.npz", "odd.npz"),
    "wrong target": ("train {0}/good.csv --target prize", "price"),
    "no target given": ("train {0}/good.csv", "age"),
    "text as a number": ("train {0}/good.csv --target town --task regression", "town"),
    "no such folder": ("train {0}/good.csv --target town --out {0}/absent/m.safetensors", "there is no folder"),
    "out is a folder": ("train {0}/good.csv --target town --out {0}", "it is a folder"),
    "bad number": ("train {0}/good.csv --target town --alpha much", "alpha"),
    "number out of range": ("train {0}/good.csv --target town --alpha -1", "at least 0"),
    "bad choice": ("train {0}/good.csv --target town --solver adams", "adam"),
    "bad sizes": ("train {0}/good.csv --target town --hidden-layer-sizes 10,0", "hidden"),
    "option of another task": ("train {0}/good.csv --target price --class-weight balanced", "class-weight"),
    "loss of another task": ("train {0}/good.csv --target town --loss poisson", "poisson"),
    "divergence": ("train {0}/good.csv --target price --solver sgd --learning-rate-init 1e30", "learning rate"),
    "out is the table": ("train {0}/good.csv --target town --out {0}/good.csv", "would overwrite what is read"),
    "out is the input": (
        "predict {0}/model.safetensors {0}/good.csv --out {0}/good.csv",
        "would overwrite what is read",
    ),
    "out is a device": ("train {0}/good.csv --target town --out /dev/null", "it is not a regular file"),
    "infinite rate": ("train {0}/good.csv --target town --learning-rate-init inf", "learning"),
    "missing model": ("predict {0}/absent.safetensors {0}/good.csv", "absent.safetensors"),
    "unreadable model": ("predict {0}/rubbish.safetensors {0}/good.csv", "it is not a model file"),
    "missing column": ("predict {0}/model.safetensors {0}/no_age.csv", "age"),
    "text in a number": ("predict {0}/model.safetensors {0}/text_age.csv", "'old' is not a number"),
    "evaluate without target": ("evaluate {0}/model.safetensors {0}/header.csv", "header.csv"),
    "predict into nowhere": ("predict {0}/model.safetensors {0}/good.csv --out {0}/absent/p.csv", "absent"),
    "layers without sense": ("check-gradients --layers 4-x", "4-x"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_one_line_that_helps(folder, name) -> None:
    command, words = MISTAKES[name]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = CliRunner().invoke(main, [part.format(folder) for part in command.split()])
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("chainrule: error: ")
    assert words in lines[0]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_real_program_ends_the_same_way(folder) -> None:
    command = [sys.executable, "-m", "chainrule.cli", "train", str(folder / "good.csv"), "--target", "prize"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_a_column_that_is_constant_beside_others_is_dropped(folder, tmp_path) -> None:
    lines = [f"{line},same" for line in TABLE.splitlines()]
    (tmp_path / "extra.csv").write_text("\n".join(lines).replace("price,same", "price,always") + "\n")
    result = CliRunner().invoke(main, ["train", str(tmp_path / "extra.csv"), "--target", "town", *QUICK])
    assert result.exit_code == 0, result.output
