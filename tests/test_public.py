"""The house as a whole: what it offers, that everything is documented, and what each room may use."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import house

PACKAGE = Path(cr.__file__).parent
FILES = house.python_files()
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}
ARROWS = house.python_arrows(FILES)
CODE = [name for name, path in FILES.items() if path.suffix == ".py"]

USES = {
    "foundation": {"numpy", "scipy", "array_api_compat"},
    "mathematics": {"numpy"},
    "tables": {"numpy", "duckdb", "narwhals", "sklearn", "openpyxl", "pyarrow"},
    "optimizers": {"numpy"},
    "steps": {"numpy"},
    "inspection": {"numpy"},
    "engines": {"numpy", "joblib"},
    "storage": {"numpy", "safetensors"},
    "loop": {"numpy", "tensorboardX"},
    "estimators": {"numpy", "polars", "narwhals", "sklearn"},
    "workbench": {"numpy", "narwhals", "sklearn"},
    "chainrule": set[str](),
    "cli": {"numpy", "sklearn", "click", "rich", "matplotlib"},
}
"""The packages of others that a room may use (design.md, section 5). No room but a face knows a screen."""

LAZY = {"joblib", "matplotlib", "openpyxl", "pyarrow", "safetensors", "tensorboardX"}
"""Packages that are imported in functions only, so that importing a file stays quick."""

FACES = {"cli": {"workbench", "estimators", "loop", "chainrule"}}
"""The rooms that a face may enter (design.md, section 2)."""

LOOK_UP = {"__init__", "cli/__init__", "foundation/arrays"}
"""Files that import by a name: a public name, a command, the scipy of an array library."""

CORE = "engines/native/_core"
"""The compiled core, which only its engine knows."""


def _packages(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the packages, the standard library's and this one apart, that import statements name."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return found - sys.stdlib_module_names


modules = pytest.mark.parametrize("name", CODE)


@modules
def test_a_room_uses_only_its_packages(name: str) -> None:
    assert _packages(ast.walk(TREES[name])) <= USES[house.room(name)]


def test_lazy_packages_are_imported_in_functions_only() -> None:
    assert {name: found for name in CODE if (found := _packages(TREES[name].body) & LAZY)} == {}
    assert set.union(*(_packages(ast.walk(TREES[name])) for name in CODE)) >= LAZY


@pytest.mark.parametrize("face", FACES)
def test_a_face_enters_only_public_rooms(face: str) -> None:
    entered = {(a.source, a.target) for a in ARROWS if house.room(a.source) == face != house.room(a.target)}
    assert [pair for pair in sorted(entered) if house.room(pair[1]) not in FACES[face]] == []


@modules
def test_no_module_takes_private_names_of_another(name: str) -> None:
    taken = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom) and (node.level > 1 or (node.level and "/" not in name)):
            taken |= {*(node.module or "").split("."), *(alias.name for alias in node.names)}
    assert [part for part in taken if part.startswith("_") and not part.endswith("__")] == []


def test_only_its_engine_knows_the_compiled_core() -> None:
    knowing = {arrow.source for arrow in ARROWS if arrow.target == CORE}
    assert knowing
    assert {Path(name).parent for name in knowing} == {Path(CORE).parent}


def test_modules_are_imported_by_a_name_in_tables_only() -> None:
    assert {name for name in CODE if "import_module" in FILES[name].read_text()} == LOOK_UP


def test_the_package_itself_only_gathers_names() -> None:
    allowed = (ast.Expr, ast.ImportFrom, ast.Assign, ast.FunctionDef, ast.If)
    assert all(isinstance(node, allowed) for node in TREES["__init__"].body)
    functions = [node.name for node in ast.walk(TREES["__init__"]) if isinstance(node, ast.FunctionDef)]
    assert functions == ["__dir__", "__getattr__"]
    assert not any(isinstance(node, ast.ClassDef | ast.Lambda) for node in ast.walk(TREES["__init__"]))


def _documented(node: Any, where: str) -> Iterator[tuple[str, str | None]]:
    """Yield each public class, function and method below a node, with its docstring."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            yield f"{where}.{child.name}", ast.get_docstring(child)
            if isinstance(child, ast.ClassDef):
                yield from _documented(child, f"{where}.{child.name}")


@modules
def test_everything_public_has_a_docstring(name: str) -> None:
    assert ast.get_docstring(TREES[name])
    assert [where for where, text in _documented(TREES[name], name) if not (text or "").strip()] == []


PUBLISHING = [cr, cr.losses, cr.optimizers, importlib.import_module("chainrule.engines")]


@pytest.mark.parametrize("module", PUBLISHING, ids=lambda module: module.__name__)
def test_public_names_are_sorted_exist_and_are_documented(module: ModuleType) -> None:
    names = module.__all__
    assert len(set(names)) == len(names)
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value):
            assert (value.__doc__ or "").strip(), name


def test_the_packages_names_are_sorted() -> None:
    """Names in capitals first, then classes, then the rest."""
    assert cr.__all__ == sorted(cr.__all__, key=lambda name: (not name.isupper(), name.islower(), name))
    assert cr.__version__ == version("chainrule")


def test_every_public_class_is_reachable_under_one_name() -> None:
    objects = [getattr(cr, name) for name in cr.__all__]
    assert len({id(value) for value in objects}) == len(objects)
    assert not [value for value in objects if getattr(value, "__name__", "").startswith("_")]


def test_the_designs_public_surface() -> None:
    X = np.random.default_rng(0).normal(size=(40, 7))
    y = (X[:, 0] > 0).astype(int)
    network = cr.Network(7, [cr.Dense(6), cr.Activation("relu"), cr.Dense(2)])
    theta = network.initialize(seed=0)
    assert network.forward(theta, X).shape == (40, 2)
    objective = cr.Objective(network, cr.losses.CrossEntropy(), X, y, penalties=[cr.penalties.L2(1e-4)])
    value, gradient = objective.value_and_gradient(theta)
    assert np.isfinite(value)
    assert gradient.shape == objective.hessian_product(theta, gradient).shape == theta.shape
    settings = {"optimizer": cr.optimizers.Adam(), "schedule": cr.schedules.Constant(1e-2), "batch_size": 8, "seed": 0}
    events = list(cr.training(objective, theta, **settings, epochs=10, engine="auto"))
    result = cr.train(objective, theta, **settings, epochs=10)
    assert [event.epoch for event in events] == list(range(1, 11))
    assert events[-1].loss == result.history[-1].loss < events[0].loss


HEAVY = (
    "sklearn",
    "scipy",
    "duckdb",
    "polars",
    "narwhals",
    "pandas",
    "safetensors",
    "click",
    "rich",
    "tensorboardX",
    "jax",
    "joblib",
    "importlib.metadata",
)
"""What `import chainrule` leaves alone; the estimators and the model file bring some of it when asked for."""


def _in_a_new_process(program: str) -> Any:
    """Return the JSON that a program prints in a process where nothing is imported yet."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.process
@pytest.mark.parametrize("module", ["chainrule", "chainrule.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    program = f"import json, sys, {module}; print(json.dumps([n for n in {HEAVY} if n in sys.modules]))"
    assert _in_a_new_process(program) == (["click"] if module == "chainrule.cli" else [])


@pytest.mark.process
def test_help_loads_no_command() -> None:
    program = """
import json, sys
from click.testing import CliRunner
from chainrule.cli import main
result = CliRunner().invoke(main, ["--help"])
print(json.dumps([result.exit_code, [name for name in sys.modules if name.split(".")[0] in ("sklearn", "duckdb")]]))
"""
    assert _in_a_new_process(program) == [0, []]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("name", cr.__all__)
def test_every_name_resolves_whatever_is_asked_first(name: str) -> None:
    program = """
import json
import chainrule as cr
value = cr.{0}
from chainrule import *
print(json.dumps([{0} is value is cr.{0}, "{0}" in dir(cr), sorted(set(cr.__all__) - set(globals()))]))
"""
    assert _in_a_new_process(program.format(name)) == [True, True, []]


@pytest.mark.process
def test_the_loop_stays_the_loop_when_its_module_is_imported() -> None:
    program = """
import json
import chainrule.loop.training, chainrule.estimators
import chainrule as cr
print(json.dumps([callable(cr.training), callable(cr.train), cr.training.__name__]))
"""
    assert _in_a_new_process(program) == [True, True, "training"]


def test_a_name_that_is_not_there_is_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'chainrule' has no attribute 'MLPClasifier'"):
        cr.MLPClasifier  # noqa: B018
    assert {*cr.__all__, "__version__"} <= {*dir(cr)}


@pytest.mark.process
def test_estimators_and_rules_survive_pickle_in_a_new_process() -> None:
    content = pickle.dumps([cr.MLPClassifier((3,)), cr.optimizers.AdamW(), cr.Dense(2), cr.penalties.L1(0.5)])
    program = f"import json, pickle; print(json.dumps([type(v).__name__ for v in pickle.loads({content!r})]))"
    assert _in_a_new_process(program) == ["MLPClassifier", "AdamW", "Dense", "L1"]


WATCHED_IMPORT = """
import json, sys, threading
allowed, seen = json.loads(sys.argv[1]), []

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and not arguments[0].startswith(tuple(allowed)):
        seen.append([event, arguments[0]])
    if event.split(".")[0] in ("_thread", "subprocess", "socket", "shutil", "tempfile", "urllib") or event in (
        "os.system", "os.fork", "os.exec", "os.mkdir", "os.remove", "os.rename"
    ):
        seen.append([event, str(arguments)[:80]])

import {known}
sys.addaudithook(watch)
import chainrule
for name in chainrule.__all__:
    getattr(chainrule, name)
extras = sorted({{"jax", "matplotlib", "torch", "click"}} & set(sys.modules))
print(json.dumps([seen, threading.active_count(), extras]))
"""


@pytest.mark.process
def test_importing_opens_no_other_files_and_starts_no_thread() -> None:
    known = "numpy, scipy.special, scipy.optimize, scipy.sparse, sklearn.base, sklearn.metrics, duckdb, narwhals"
    allowed = [str(PACKAGE), sys.prefix, sys.base_prefix]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", WATCHED_IMPORT.format(known=known), json.dumps(allowed)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    seen, threads, extras = json.loads(done.stdout)
    assert seen == []
    assert threads == 1
    assert extras == []
