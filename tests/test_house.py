"""The plan of the house (design.md, section 3) holds, and `tools/house.py` sees whatever breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest

import house

HOUSES = {
    "src/chainrule": (house.python_files(), house.python_arrows(house.python_files()), house.FLOORS),
    "src/core": (house.core_files(), house.core_arrows(house.core_files()), house.CORE_FLOORS),
}

DATA_TO_TESTED_MODEL = {"estimators", "workbench", "export", "cli", "playground", "chainrule"}
"""The rooms that may enter `tables`: what trains takes matrices."""


@pytest.mark.parametrize("place", HOUSES)
def test_the_plan_holds(place: str) -> None:
    assert "\n".join(house.offences(*HOUSES[place])) == ""


def test_every_room_of_the_plan_is_on_one_floor() -> None:
    rooms = [room for rooms in house.FLOORS for room in rooms]
    assert len(set(rooms)) == len(rooms)
    files, arrows, _ = HOUSES["src/chainrule"]
    assert {house.room(file) for file in files} <= set(rooms)
    assert len(files) > 50
    assert len(arrows) > 200


def test_only_estimators_and_faces_know_tables() -> None:
    arrows = HOUSES["src/chainrule"][1]
    entering = {house.room(arrow.source) for arrow in arrows if house.room(arrow.target) == "tables"} - {"tables"}
    assert entering <= DATA_TO_TESTED_MODEL


NO_ROOMS = {"support", "files_of_0_1"}
"""Folders of tests/ that hold no tests."""


def test_the_tests_have_the_same_rooms() -> None:
    tests = Path(__file__).parent
    folders = {path.relative_to(tests).parts[0] for path in tests.glob("*/**/test_*.py")}
    rooms = {house.room(file) for file in HOUSES["src/chainrule"][0]}
    assert folders == rooms - {"chainrule"}
    assert {path.name for path in tests.iterdir() if path.is_dir() and path.name[0] not in "._"} == folders | NO_ROOMS


PLAN = {
    "__init__": "from .cli import main",
    "losses": "",
    "foundation/__init__": "",
    "foundation/arrays": "",
    "foundation/values": "from .arrays import Array",
    "mathematics/__init__": "",
    "mathematics/blocks/__init__": "from .dense import Dense",
    "mathematics/blocks/dense": "from ...foundation import arrays",
    "tables/__init__": "",
    "cli/__init__": "",
}
"""A small house in order, but for the package's import of a face: each case below adds one thing."""

BROKEN = {
    "an import goes up": ("foundation/arrays", "from ..mathematics.blocks import Dense", "mathematics is not below"),
    "an import goes sideways": ("tables/__init__", "from .. import mathematics", "mathematics is not below tables"),
    "by its full name": (
        "foundation/arrays",
        "import chainrule.mathematics.blocks",
        "imports mathematics/blocks/__init",
    ),
    "only for the type checker": ("foundation/arrays", "if TYPE_CHECKING:\n    from .. import cli", "cli is not below"),
    "in a method": (
        "cli/__init__",
        "class A:\n  def f(self):\n    from .. import losses",
        "imports losses in a function",
    ),
    "in a function within one": ("cli/__init__", "def f():\n  def g():\n    import chainrule.losses", "in a function"),
    "of the package itself": ("foundation/arrays", "from .. import __version__", "chainrule is not below foundation"),
    "in a circle of two files": (
        "foundation/arrays",
        "from . import values",
        "circle of files: foundation/arrays, found",
    ),
    "through a package": (
        "mathematics/blocks/dense",
        "from . import Block",
        "a circle of files: mathematics/blocks/__i",
    ),
    "in a circle of rooms": ("foundation/arrays", "from ..tables import a\nfrom ..mathematics import b", "not below"),
    "a folder off the plan": ("attic/chest", "", "attic/chest: a file without a room"),
    "a file beside the folders": ("chest", "", "chest: a file without a room"),
    "a module that is not there": ("cli/show", "from ..attic import chest", "attic is not below cli"),
}
"""Each offence and a part of its line: a file, its text, and the words."""


def built(place: Path, texts: dict[str, str], ending: str) -> Path:
    """Write files of the given texts below a folder."""
    for name, text in texts.items():
        path = place / (name + ending)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place


def found(place: Path) -> list[str]:
    """Return the offences of a package."""
    files = house.python_files(place)
    return list(house.offences(files, house.python_arrows(files), house.FLOORS))


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_the_plan_is_seen(case: str, tmp_path: Path) -> None:
    in_order = {**PLAN, "__init__": "def f():\n    import numpy\n    from rich import print"}
    assert found(built(tmp_path / "house", in_order, ".py")) == []
    name, text, words = BROKEN[case]
    lines = found(built(tmp_path / "house", {**in_order, name: text}, ".py"))
    assert any(words in line for line in lines), lines


def test_a_circle_of_folders_in_a_room_is_seen(tmp_path: Path) -> None:
    room = {
        "loop/a/one": "from ..b.two import x",
        "loop/b/two": "",
        "loop/b/three": "from ..a import four",
        "loop/a/four": "",
    }
    assert found(built(tmp_path / "house", room, ".py")) == ["a circle of folders in a room: loop/a, loop/b"]


def test_a_package_may_gather_the_names_of_its_files(tmp_path: Path) -> None:
    files = {"loop/__init__": "from .run import Loop", "loop/run": "from .progress import Event", "loop/progress": ""}
    assert found(built(tmp_path / "house", files, ".py")) == []


def test_includes_of_the_core_are_seen(tmp_path: Path) -> None:
    texts = {
        "run/trainer": '#include <vector>\n#include "step/plan.hpp"\n',
        "step/plan": '#include "vector/simd.hpp"\n',
        "vector/simd": '  #include "step/plan.hpp"\n',
    }
    files = house.core_files(built(tmp_path, texts, ".hpp"))
    assert list(house.offences(files, house.core_arrows(files), house.CORE_FLOORS)) == [
        "vector/simd.hpp:1: imports step/plan.hpp, but step is not below vector",
        "a circle of files: step/plan.hpp, vector/simd.hpp",
        "a circle of rooms: step, vector",
    ]


def test_the_picture_names_each_room_and_each_arrow(tmp_path: Path) -> None:
    texts = {
        "foundation/arrays": "",
        "loop/run": "from ..foundation.arrays import A, B",
        "loop/batches": "from . import run",
    }
    files = house.python_files(built(tmp_path, texts, ".py"))
    assert list(house.picture(files, house.python_arrows(files), house.FLOORS)) == [
        "floor 6  loop          2 files  -> foundation 1",
        "floor 1  foundation    1 files  -> nothing",
        "2 rooms, 3 files; 2 arrows between files, 1 between rooms\n",
    ]


def test_the_tool_prints_the_picture_and_fails_where_the_plan_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        house, "python_files", lambda: {"attic/chest": built(tmp_path, {"attic/chest": ""}, ".py") / "attic/chest.py"}
    )
    monkeypatch.setattr(house, "core_files", dict)
    assert house.main(["--check"]) == 1
    assert capsys.readouterr().out == "attic/chest: a file without a room\n"
    monkeypatch.setattr(house, "python_files", dict)
    assert house.main([]) == 0
    assert capsys.readouterr().out.startswith("0 rooms, 0 files; 0 arrows")
