"""The rooms of the C++ core: an #include points to the same floor or down, never up, and never in a circle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "src" / "core"
FLOORS = ["vector", "formulas", "step", "run", "python"]
"""From the ground up: what a room may include lies before it."""

FILES = sorted(path.relative_to(CORE) for path in CORE.rglob("*") if path.suffix in (".hpp", ".cpp"))


def included(text: str) -> list[Path]:
    """Return the files of ours that a C++ text includes."""
    return [Path(name) for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.MULTILINE)]


def upward(file: Path, text: str) -> Iterator[str]:
    """Yield the includes of a file that lead to a floor above its own."""
    for name in included(text):
        if FLOORS.index(name.parts[0]) > FLOORS.index(file.parts[0]):
            yield f"{file} includes {name}"


def test_every_file_lies_in_a_room() -> None:
    assert {file.parts[0] for file in FILES} == set(FLOORS)
    assert all(len(file.parts) == 2 for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_includes_point_down_to_files_there_are(file: Path) -> None:
    text = (CORE / file).read_text()
    assert not [*upward(file, text)]
    assert [name for name in included(text) if name not in FILES] == []


def test_an_include_that_points_up_is_seen() -> None:
    assert [*upward(Path("vector/philox.hpp"), '#include "vector/math.hpp"\n#include "step/plan.hpp"\n')]


def test_no_file_includes_itself_by_a_detour() -> None:
    order = TopologicalSorter({file: included((CORE / file).read_text()) for file in FILES}).static_order()
    assert set(order) == set(FILES)


def test_no_file_is_left_over() -> None:
    """Every header is included by somebody, every source is built."""
    built = (CORE.parents[1] / "CMakeLists.txt").read_text()
    used = {name for file in FILES for name in included((CORE / file).read_text())}
    assert [file for file in FILES if file.suffix == ".hpp" and file not in used] == []
    assert [file for file in FILES if file.suffix == ".cpp" and f"${{core}}/{file}" not in built] == []
