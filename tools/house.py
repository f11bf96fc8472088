"""The picture of the house, read from its imports, and what breaks the plan; with --check, only what breaks it.

Exits with 1 and a line per offence where an import goes up or sideways, runs in a circle or stands in a function, and
where a file has no room. A room is a folder; its files may import each other. Packages of others may be imported in
functions. What `chainrule/__init__.py` and `cli/__init__.py` look up by a name in a table is no import statement.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

SRC = Path(__file__).resolve().parents[1] / "src"
PACKAGE = "chainrule"

FLOORS = (
    ("foundation",),
    ("mathematics", "tables"),
    ("optimizers",),
    ("steps",),
    ("inspection", "engines", "storage"),
    ("loop",),
    ("estimators", "applications"),
    ("workbench", "export", PACKAGE),
    ("cli", "playground"),
)
"""The rooms of the Python code, from the ground up; the package's name is the front door, beside the folders."""

DOORS = ("__init__", "augmentation", "gradient_check", "losses", "penalties", "schedules")
"""The files of the front door: the package itself, and modules that hand on the names of a room."""

CORE_FLOORS = (("vector",), ("formulas",), ("step",), ("run",), ("python",))
"""The rooms of the C++ core, from the ground up."""


class Arrow(NamedTuple):
    """One import, from a file to a file; late: it stands in a function."""

    source: str
    target: str
    line: int
    late: bool = False


def python_files(package: Path = SRC / PACKAGE) -> dict[str, Path]:
    """Return the files of the package by their paths without the ending; the compiled core is there by its stub."""
    found = (path for ending in ("*.py", "*.pyi") for path in sorted(package.rglob(ending)))
    return {path.relative_to(package).with_suffix("").as_posix(): path for path in found}


def _targets(node: ast.AST, source: str, files: Collection[str]) -> Iterator[str]:
    """Yield the files of the package that an import statement names."""
    dotted: list[list[str]] = []
    if isinstance(node, ast.Import):
        dotted = [alias.name.split(".") for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = [PACKAGE, *source.split("/")][: -node.level] if node.level else []
        base += node.module.split(".") if node.module else []
        dotted = [[*base, alias.name] for alias in node.names]
    for first, *rest in dotted:
        if first == PACKAGE:
            parents = [rest, [*rest, "__init__"], rest[:-1], [*rest[:-1], "__init__"]]
            yield next(("/".join(p) for p in parents if "/".join(p) in files), "/".join(rest))


def python_arrows(files: dict[str, Path]) -> list[Arrow]:
    """Return each import of the package's own files, wherever it stands."""

    def below(node: ast.AST, source: str, late: bool) -> Iterator[Arrow]:
        for child in ast.iter_child_nodes(node):
            for target in dict.fromkeys(_targets(child, source, files)):
                yield Arrow(source, target, getattr(child, "lineno", 0), late)
            yield from below(child, source, late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))

    return [arrow for source, path in files.items() for arrow in below(ast.parse(path.read_text()), source, False)]


def core_files(core: Path = SRC / "core") -> dict[str, Path]:
    """Return the files of the core by their paths."""
    return {path.relative_to(core).as_posix(): path for path in sorted(core.rglob("*.?pp"))}


def core_arrows(files: dict[str, Path]) -> list[Arrow]:
    """Return each include of the core's own headers."""
    lines = ((name, k, line) for name, path in files.items() for k, line in enumerate(path.read_text().splitlines(), 1))
    return [Arrow(name, found[1], k) for name, k, line in lines if (found := re.match(r'\s*#include "(.+)"', line))]


def room(file: str) -> str:
    """Return the folder that a file stands in; the files beside the folders are the front door."""
    return file.split("/")[0] if "/" in file else PACKAGE


def _circles(pairs: Collection[tuple[str, str]]) -> list[str]:
    """Return the names that reach each other along arrows, one text for each circle."""
    reached = {source: {target for s, target in pairs if s == source} for source, _ in pairs}
    for middle in reached:
        for targets in (targets for targets in reached.values() if middle in targets):
            targets |= reached[middle]
    sets = ([m for m in sorted(reached) if n in reached[m] and m in reached[n]] for n in reached)
    return sorted({", ".join(names) for names in sets if names})


def offences(files: Iterable[str], arrows: list[Arrow], floors: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    """Yield a line for everything that breaks the plan."""
    floor = {name: number for number, names in enumerate(floors, 1) for name in names}
    for file in files:
        if room(file) not in floor or ("/" not in file and file not in DOORS):
            yield f"{file}: a file without a room"
    for source, target, line, late in arrows:
        here, there = room(source), room(target)
        if late:
            yield f"{source}:{line}: imports {target} in a function"
        if here != there and floor.get(there, len(floors)) >= floor.get(here, 0):
            yield f"{source}:{line}: imports {target}, but {there} is not below {here}"
    folders = [[name.rsplit("/", 1)[0] for name in arrow[:2]] for arrow in arrows if arrow.source.count("/") > 1]
    rooms = [(room(arrow.source), room(arrow.target)) for arrow in arrows]
    circles = {
        "files": [arrow[:2] for arrow in arrows],
        "rooms": [(a, b) for a, b in rooms if a != b],
        "folders in a room": [(a, b) for a, b in folders if a != b and b.count("/") and room(a) == room(b)],
    }
    yield from (f"a circle of {kind}: {names}" for kind, pairs in circles.items() for names in _circles(pairs))


def picture(files: Iterable[str], arrows: list[Arrow], floors: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    """Yield the lines of the picture, from the top floor down."""
    sizes = Counter(map(room, files))
    between = Counter((room(arrow.source), room(arrow.target)) for arrow in arrows)
    for number, name in reversed([(k, name) for k, names in enumerate(floors, 1) for name in names if name in sizes]):
        entered = ", ".join(f"{b} {n}" for (a, b), n in sorted(between.items()) if a == name != b)
        yield f"floor {number}  {name:<12}{sizes[name]:>3} files  -> {entered or 'nothing'}"
    count = sum(a != b for a, b in between)
    yield f"{len(sizes)} rooms, {sizes.total()} files; {len(arrows)} arrows between files, {count} between rooms\n"


def main(words: list[str]) -> int:
    """Print the picture, if it is asked for, and the offences; return the exit code."""
    files, core = python_files(), core_files()
    houses = (files, python_arrows(files), FLOORS), (core, core_arrows(core), CORE_FLOORS)
    if "--check" not in words:
        print(*(line for house in houses for line in picture(*house)), sep="\n")
    broken = [line for house in houses for line in offences(*house)]
    print("\n".join(broken or ["no circle, no arrow up, no late import, no file without a room"]))
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
