"""Running the command line in the tests: in this process, or as a real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner

from chainrule.cli import main
from chainrule.engines.native import core as native

DATA = Path(__file__).parents[3] / "shared" / "data"

NO_CORE = f"note: the reference engine runs, several times slower: {native.MISSING}\n"
"""What every training says where the core was not built."""


class Ran(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stdout holds, which must be one JSON object in plain numbers."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def run(*words: Any) -> Ran:
    """Run `chainrule words...` in this process."""
    try:
        runner = CliRunner(mix_stderr=False)  # click before 8.2
    except TypeError:
        runner = CliRunner()
    result = runner.invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr.replace(NO_CORE, ""))


def ok(*words: Any) -> Ran:
    """Run a command that must succeed."""
    ran = run(*words)
    assert ran.code == 0, ran.err
    return ran


def refused(*words: Any) -> str:
    """Run a command that must be refused: exit code 2, one line on stderr; return what it says."""
    ran = run(*words)
    assert ran.code == 2
    assert ran.err.startswith("chainrule: error: ")
    assert ran.err.count("\n") == 1
    assert ran.err.endswith("\n")
    return ran.err.removeprefix("chainrule: error: ").rstrip("\n")


def process(*words: Any, **settings: Any) -> subprocess.Popen[str]:
    """Start `chainrule words...` as a process of its own."""
    command = [sys.executable, "-m", "chainrule.cli", *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "80"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
    return subprocess.Popen(command, env=environment, text=True, **pipes)


def people(rows: int = 80, seed: int = 0) -> dict[str, list[Any]]:
    """Return a table: a number, a text, a whole number, and a class and a price that depend on them."""
    draw = np.random.default_rng(seed)
    x, z, town = draw.normal(size=rows).round(3), draw.integers(0, 4, rows), draw.choice(["Bonn", "Ulm"], rows)
    price = (3 * x + z + (town == "Ulm") + 0.25).round(3)
    return {
        "x": x.tolist(),
        "town": town.tolist(),
        "z": z.tolist(),
        "price": price.tolist(),
        "dear": np.where(price > 2, "yes", "no").tolist(),
    }


def write(path: Path, table: dict[str, list[Any]], *, without: tuple[str, ...] = ()) -> Path:
    """Write a table as CSV, without some of its columns."""
    names = [name for name in table if name not in without]
    lines = [",".join(names), *(",".join(map(str, row)) for row in zip(*(table[n] for n in names), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path
