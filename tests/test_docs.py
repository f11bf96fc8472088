"""What the documentation shows is true: its code runs, its commands print what it says they print."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import chainrule
import house
from chainrule.estimators.settings.table import SETTINGS

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = ("pip ", "ruff ", "git ", "python benchmarks/", "python examples/mnist_errors.py", "chainrule race")
"""Commands that set up, check or measure: `.ci/run` runs the first two, the last take minutes or hours by design."""


class Snippet(NamedTuple):
    """One code block of a page."""

    page: str
    language: str
    text: str


def snippets(language: str) -> list[Snippet]:
    """Return the blocks of one language of all pages."""
    found = ((page, match) for page in PAGES for match in FENCE.finditer(page.read_text()))
    return [Snippet(page.name, m[1], m[2]) for page, m in found if m[1] == language]


def commands(block: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, and what is printed under each."""
    parts = re.split(r"^\$ ", block.replace("\\\n", ""), flags=re.MULTILINE)[1:]
    return [(part.split("\n", 1)[0].strip(), part.split("\n", 1)[1]) for part in parts]


def masked(printed: str) -> list[str]:
    """Return the lines with # for every number: seconds differ from run to run, last digits between machines."""
    lines = [re.sub(r"[-+]?\d[\d,.]*(e[-+]?\d+)?\b|·", "#", line) for line in printed.splitlines()]
    return [re.sub(r"[\s─]+", " ", line).strip() for line in lines if line.strip(" ─")]


class Promise(NamedTuple):
    """A figure that a command prints, and the range it must lie in."""

    figure: str
    low: float = -inf
    high: float = inf


PROMISES = {
    "chainrule train digits": Promise(r"accuracy:? ([\d.]+)", low=0.97),
    "chainrule train ../shared/data/mnist --hidden-layer-sizes 256 --batch-size 128 --max-iter 10": Promise(
        r"error ([\d.]+) %", high=2.2
    ),
    "chainrule train ../shared/data/mnist --hidden-layer-sizes 256 --batch-size 64 --max-iter 2": Promise(
        r"accuracy:? ([\d.]+)", low=0.97
    ),
    "chainrule train ../shared/data/mnist --hidden-layer-sizes 256 --batch-size 128 --max-iter 6": Promise(
        r"accuracy:? ([\d.]+)", low=0.98
    ),
    "chainrule train ../shared/data/tabular/adult_train.csv.gz": Promise(r"accuracy:? ([\d.]+)", low=0.85),
    "chainrule train ../shared/data/tabular/california_housing.csv.gz": Promise(r"RMSE:? ([\d,]+)", high=55_000),
}
"""What the commands of the pages must reach on the test rows, by their first words."""


REPORTED = {
    "python examples/mnist_errors.py permutation-invariant": Promise(r"mean test error ([\d.]+) %", high=1.0),
    "python examples/mnist_errors.py deformed": Promise(r"mean test error ([\d.]+) %", high=0.6),
    "python examples/mnist_errors.py fashion": Promise(r"mean test error ([\d.]+) %", high=9.5),
}
"""What commands that take too long for a test reached on the test rows, as a page reports it."""

MODULES = [m.name for m in pkgutil.walk_packages(chainrule.__path__, "chainrule.") if "__main__" not in m.name]
CONSOLE = [(b.page, *c) for b in snippets("console") for c in commands(b.text) if not c[0].startswith(NOT_RUN)]


def with_marks(page: str, command: str, printed: str) -> Any:
    """Return the parameters of a test, marked where the command reads the real data sets, which takes seconds."""
    reads_data = "../shared/data" in command
    return pytest.param(page, command, printed, marks=[pytest.mark.data, pytest.mark.slow] if reads_data else [])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with the project's surroundings, in which the pages' commands run in order."""
    place = tmp_path_factory.mktemp("docs") / "chainrule"
    place.mkdir()
    for name in ("examples", "benchmarks"):
        (place / name).symlink_to(ROOT / name)
    if DATA.exists():
        (place.parent / "shared").symlink_to(DATA.parent)
    return place


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("page", sorted({b.page for b in snippets("python")}))
def test_python_blocks(page, folder, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, object] = {"__name__": "documentation"}
    for block in snippets("python"):
        if block.page == page:
            exec(compile(block.text, page, "exec"), names)


@pytest.mark.process
@pytest.mark.parametrize(("page", "command", "expected"), [with_marks(*block) for block in CONSOLE])
def test_console_blocks(page, command, expected, folder) -> None:
    words = shlex.split(command)
    words[:1] = [sys.executable] if words[0] == "python" else [sys.executable, "-m", "chainrule.cli"]
    environment = {**os.environ, "COLUMNS": "100", "PYTHONHASHSEED": "0"}
    result = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    assert masked(result.stdout) == masked(expected)
    for promise in (p for start, p in PROMISES.items() if command.startswith(start)):
        for printed in (result.stdout, expected):
            figure = re.search(promise.figure, printed)
            assert figure is not None
            assert promise.low <= float(figure[1].replace(",", "")) <= promise.high


LINK = re.compile(r"\[[^\]]+\]\(([^)#:]+)(?:#[^)]*)?\)")
"""A link to a file of the project, in Markdown."""

PATHS = re.compile(r"`((?:\.?[a-z_0-9]+/)+(?:[a-zA-Z_0-9]+\.[a-z]+)?)`")
"""A file or folder named in a page, such as `mathematics/blocks/` or `tools/house.py`."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_files_named_in_the_code_are_there() -> None:
    """A docstring that sends its reader to another file sends them right."""
    code = [
        path for folder in ("src", "tests", "examples", "benchmarks", "tools") for path in (ROOT / folder).rglob("*")
    ]
    named = re.compile(r"\b(?:tests|tools|examples|benchmarks|docs)/[a-z_/]+\.(?:py|md)\b")
    texts = {path: path.read_text() for path in code if path.suffix in (".py", ".hpp", ".cpp")}
    found = {(path.relative_to(ROOT).as_posix(), name) for path, text in texts.items() for name in named.findall(text)}
    assert len(found) > 10
    assert sorted(pair for pair in found if not (ROOT / pair[1]).exists()) == []


def test_the_rooms_of_contributing_are_there() -> None:
    text = FENCE.sub("", (ROOT / "CONTRIBUTING.md").read_text())
    named = set(PATHS.findall(text))
    assert len(named) > 40
    places = (ROOT, ROOT / "src", ROOT / "src" / "chainrule", ROOT / "src" / "core")
    assert [path for path in sorted(named) if not any((place / path).exists() for place in places)] == []


def test_the_floors_of_contributing_are_those_of_the_plan() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    floors = {room: number for number, rooms in enumerate(house.FLOORS, 1) for room in rooms}
    told = [(int(number), room) for number, room in re.findall(r"^\| (\d) \| `([a-z]+)/` \|", text, re.MULTILINE)]
    there = [(number, room) for room, number in floors.items() if (ROOT / "src" / "chainrule" / room).exists()]
    assert sorted(told) == sorted(there)


def test_every_promise_stands_on_a_page() -> None:
    assert all(any(command.startswith(start) for _, command, _ in CONSOLE) for start in PROMISES)


@pytest.mark.parametrize("start", list(REPORTED))
def test_every_long_run_is_reported_in_full(start: str) -> None:
    (printed,) = [p for b in snippets("console") for command, p in commands(b.text) if command.startswith(start)]
    errors = [float(error) for error in re.findall(r"^seed \d: error ([\d.]+) %", printed, re.MULTILINE)]
    promise = REPORTED[start]
    mean = float(re.findall(promise.figure, printed)[0])
    assert len(errors) >= 3
    assert abs(mean - sum(errors) / len(errors)) <= 0.01
    assert promise.low <= mean <= promise.high


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "parameters.md").read_text()
    for name, setting in SETTINGS.items():
        row = next((line for line in page.splitlines() if line.startswith(f"| `{name}` |")), "")
        assert f"| {setting.rule.words} | {setting.help}" in row, name
