"""Python and the core hand over values by name: their order decides nothing, a wrong name is refused."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import fields, make_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.engines.native import core as native
from chainrule.engines.native import plans
from chainrule.optimizers import OPTIMIZERS, UpdateRule
from support.core_arguments import ADAM, HIDDEN, LAST, RATES, RECIPE, SIZE, core, plan, run, run_arguments

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)

SETTINGS: Mapping[str, Any] = {
    name: {f.name: f.default for f in fields(OPTIMIZERS[name.lower()]) if f.name != "learning_rate"}  # type: ignore[arg-type]
    for name in core.RULES
    if name != plans.GRADIENT
}
"""The settings of every rule of the core, by name, as Python has them."""


def turned(given: Mapping[str, Any]) -> dict[str, Any]:
    return dict(reversed([*given.items()]))


def memory_of(rule: str) -> dict[str, Any]:
    """Return a memory with other numbers in every array, so that arrays in each other's place show."""
    return {name: np.linspace(0.01, 0.02, SIZE) * (k + 1) for k, name in enumerate(core.RULES[rule]["memory"])}


def trained(rule: str, settings: Mapping[str, float], memory: dict[str, Any]) -> list[Any]:
    theta = run_arguments()["theta"]
    assert run(plan(rule=rule, settings=settings), theta=theta, memory=memory)[0] == 3
    return [theta, *(memory[name] for name in sorted(memory))]


@pytest.mark.parametrize("rule", SETTINGS)
def test_the_core_names_what_the_rule_in_python_names(rule: str) -> None:
    kind = OPTIMIZERS[rule.lower()]
    assert issubclass(kind, UpdateRule)
    assert {*core.RULES[rule]["settings"]} == {*SETTINGS[rule]}
    assert {*core.RULES[rule]["memory"]} == {*kind.memory, *(["decayed"] if kind.decays else [])}


@pytest.mark.parametrize("rule", SETTINGS)
def test_the_order_of_names_changes_no_bit(rule: str) -> None:
    straight = trained(rule, SETTINGS[rule], memory_of(rule))
    across = trained(rule, turned(SETTINGS[rule]), turned(memory_of(rule)))
    for one, other in zip(straight, across, strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_order_of_a_layers_and_of_a_recipes_fields_changes_no_bit() -> None:
    rates = {**RATES, "bias": 0.5, "weight": 2.0}
    straight, across = run_arguments(), run_arguments()
    plan(recipe={**RECIPE, "rates": rates}).run(core.Steps(**straight))
    plan(layers=[turned(HIDDEN), turned(LAST)], recipe=turned({**RECIPE, "rates": turned(rates)})).run(
        core.Steps(**turned(across))
    )
    assert straight["theta"].tobytes() == across["theta"].tobytes()


def test_the_order_of_a_rules_fields_changes_no_bit() -> None:
    """A dataclass like Adam, its fields the other way round, is handed over as Adam itself is."""
    given = [(f.name, float, f.default) for f in fields(cr.optimizers.Adam)]
    other = make_dataclass("Adam", [*reversed(given)])()
    assert [f.name for f in fields(other)] != [name for name, *_ in given]
    assert plans._settings(other) == plans._settings(cr.optimizers.Adam()) == ADAM


@pytest.mark.parametrize("rule", [rule for rule in SETTINGS if SETTINGS[rule]])
def test_a_wrong_name_of_a_setting_is_refused(rule: str) -> None:
    first, *others = SETTINGS[rule]
    wrong = {first + "_": SETTINGS[rule][first], **{name: SETTINGS[rule][name] for name in others}}
    for settings in (wrong, {name: SETTINGS[rule][name] for name in others}, {**SETTINGS[rule], "more": 1.0}):
        with pytest.raises(ValueError, match=f"the settings of {rule} are called .*{first}.*, got"):
            plan(rule=rule, settings=settings)


@pytest.mark.parametrize("rule", core.RULES)
def test_a_wrong_name_of_an_array_of_memory_is_refused(rule: str) -> None:
    fine = memory_of(rule)
    wrong = [{**fine, "more": np.ones(SIZE)}]
    for name in fine:
        others = {key: array for key, array in fine.items() if key != name}
        wrong += [others, {**others, name.upper(): fine[name]}]
    for memory in wrong:
        with pytest.raises(ValueError, match=f"the memory of {rule} is called"):
            run(plan(rule=rule, settings=SETTINGS.get(rule, {})), memory=memory)


@pytest.mark.parametrize("struct", ["Noise", "Layer", "Penalty", "Recipe", "Steps"])
def test_the_stub_says_what_the_core_takes(struct: str) -> None:
    stub = ast.parse((Path(native.__file__).parent / "_core.pyi").read_text())
    (made,) = [node for node in stub.body if isinstance(node, ast.ClassDef) and node.name == struct]
    (init,) = [node for node in made.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    assert [argument.arg for argument in init.args.kwonlyargs] == [*getattr(core, struct).FIELDS]
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        if default is None:
            others = {a.arg: None for a in init.args.kwonlyargs if a.arg != argument.arg}
            with pytest.raises((TypeError, ValueError)):
                getattr(core, struct)(**others)


def test_a_field_that_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(TypeError, match="Layer needs weights"):
        core.Layer(outputs=3)
    with pytest.raises(TypeError, match="Layer has no field units; it has: outputs, weights"):
        core.Layer(outputs=3, weights=0, units=3)
    with pytest.raises(ValueError, match="weights is of the wrong type"):
        core.Layer(outputs=3, weights="0")
