"""Targets and weights: the right task, or one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.commands import run
from support.traps import Cell, Refused, Trap, check, grid, refusal, tenths, traps

QUICK = ("--max-iter", 1, "--hidden-layer-sizes", "none")
ROWS = 400


def value(i: int) -> float:
    """Return a price, different in each row."""
    return 1000.25 + i * 7.5


@dataclass(frozen=True)
class Learnt:
    """What a training must say: the task, the classes or None, the outputs of the network, words of its notes."""

    task: str
    classes: Sequence[Any] | None = None
    outputs: int | None = None
    notes: Sequence[str] = ()


class Case(NamedTuple):
    """A target, and the answers of which one must be given."""

    name: str
    cell: Cell
    answers: Learnt | Refused | tuple[Learnt | Refused, ...]
    rows: int = ROWS
    words: Sequence[str] = ("--target", "price")
    separator: str = ","


def missing(mark: str) -> Cell:
    """Return prices with a mark in row 8 and every fiftieth after it."""
    return lambda i: mark if i % 50 == 7 else f"{value(i):.2f}"


REGRESSION, CLASSES = Learnt("regression", None, 1), Learnt("classification")
ROW_8 = refusal("'price'", r"row 8\b")
"""A missing target is refused with its row; or its rows are left out, and a note says so."""
LEFT_OUT = Learnt("regression", None, 1, notes=("price",))
CASES = [
    Case("plain prices", lambda i: f"{value(i):.2f}", REGRESSION),
    *(
        Case(f"2 % {mark!r}", missing(mark), (ROW_8, LEFT_OUT))
        for mark in ("NA", "", "NULL", "?", "-", "nan", "None", "#N/A")
    ),
    Case(
        "2 % NA, said to be a regression",
        missing("NA"),
        (ROW_8, LEFT_OUT),
        words=("--target", "price", "--task", "regression"),
    ),
    Case(
        "detection limit",
        lambda i: "<1500" if value(i) < 1500 else f"{value(i):.2f}",
        (refusal("'price'", "<1500", r"row 1\b"), refusal("'price'", "1503|1500", r"row \d")),
        rows=2000,
    ),
    Case("one text", lambda i: "sold" if i == 7 else f"{value(i):.2f}", refusal("'price'", "'sold'", r"row 8\b")),
    Case("dollars", lambda i: f"${value(i):.0f}", REGRESSION),
    Case("dollars with thousands", lambda i: f'"${value(i):,.2f}"', REGRESSION),
    Case("thousands", lambda i: f'"{value(i):,.0f}"', REGRESSION),
    Case("percent", lambda i: f"{i / 4}%", REGRESSION),
    Case("a unit", lambda i: f"{value(i):.1f} kg", REGRESSION),
    Case("euros", lambda i: f'"{value(i):.2f} €"'.replace(".", ","), REGRESSION),
    Case("minus signs of typography", lambda i: f"{value(i) - 2000:.2f}".replace("-", "\u2212"), REGRESSION),
    Case("decimal commas", lambda i: f"{value(i):.2f}".replace(".", ","), REGRESSION, separator=";"),
    Case("a different text in every row", lambda i: f"house {i}", (refusal("'price'", "differ|class|text|repeat"),)),
    Case(
        "two rows of each text",
        lambda i: f"house {i // 2}",
        (refusal("'price'", "class|text|repeat"), Learnt("classification", notes=("'price'",))),
    ),
    Case(
        "a few texts", lambda i: ("low", "middle", "high")[i % 3], Learnt("classification", ("high", "low", "middle"))
    ),
    Case("True and False", lambda i: str(i % 2 == 0), CLASSES),
    Case("yes and no", lambda i: ("yes", "no")[i % 2], Learnt("classification", ("no", "yes"))),
    Case(
        "yes, no and a mark",
        lambda i: "NA" if i == 7 else ("yes", "no")[i % 2],
        (ROW_8, Learnt("classification", ("no", "yes"), notes=("price",))),
    ),
    Case("0 and 1", lambda i: str(i % 2), Learnt("classification", (0, 1))),
    Case("1.0 and 2.0", lambda i: f"{1 + i % 2}.0", CLASSES),
    Case("codes with leading zeros", lambda i: ("007", "7", "07")[i % 3], Learnt("classification", ("007", "07", "7"))),
    Case("versions", lambda i: ("3.1", "3.10", "2.7.1")[i % 3], Learnt("classification", ("2.7.1", "3.1", "3.10"))),
    Case(
        "whole numbers beyond 2^53 as classes",
        lambda i: str(2**53 + i % 2),
        (
            Learnt("classification", (2**53, 2**53 + 1)),
            Learnt("classification", (str(2**53), str(2**53 + 1))),
            refusal("'price'", r"2\^53|large|exact|9,?007"),
        ),
    ),
    Case("whole numbers beyond 2^53 that differ", lambda i: str(2**60 + i * 10**12), (REGRESSION, refusal("'price'"))),
    Case(
        "one value",
        lambda i: "7",
        (refusal("'price'", "one|same|constant|differ"), Learnt("regression", notes=("'price'",))),
    ),
    Case("one class", lambda i: "same", refusal("'price'", "one|same|constant|differ")),
    Case("always empty", lambda i: "", refusal("'price'", "missing|empty")),
    Case("infinite", lambda i: "inf" if i == 7 else f"{value(i)}", refusal("'price'", r"row 8\b", "infinite")),
    Case("dates", lambda i: f"{2000 + i % 20}-01-{1 + i % 28:02d}", (refusal("'price'", "date"), REGRESSION)),
    Case(
        "several targets, in one word",
        lambda i: f"{value(i)}",
        Learnt("regression", None, 2),
        words=("--target", "price,x"),
    ),
    Case(
        "several targets, in two words",
        lambda i: f"{value(i)}",
        Learnt("regression", None, 2),
        words=("--target", "price", "--target", "x"),
    ),
    Case(
        "the same target twice",
        lambda i: f"{value(i)}",
        (refusal("price"), REGRESSION),
        words=("--target", "price", "--target", "price"),
    ),
    Case("a target that is not there", lambda i: "1", refusal("'cost'", "price"), words=("--target", "cost")),
    Case("a target in another case", lambda i: "1", refusal("'Price'", "price"), words=("--target", "Price")),
    Case(
        "a target that is left out",
        lambda i: f"{value(i)}",
        refusal("price", "ignore|target"),
        words=("--target", "price", "--ignore", "price"),
    ),
    Case(
        "a column to leave out that is not there",
        lambda i: f"{value(i)}",
        (refusal("'cost'"), Learnt("regression", notes=("'cost'",))),
        words=("--target", "price", "--ignore", "cost"),
    ),
    Case(
        "a column to declare that is not there",
        lambda i: f"{value(i)}",
        (refusal("'cost'"), Learnt("regression", notes=("'cost'",))),
        words=("--target", "price", "--columns", "cost:number"),
    ),
    Case(
        "a kind of column that there is not",
        lambda i: f"{value(i)}",
        refusal("banana", "number", "category", names_file=False),
        words=("--target", "price", "--columns", "x:banana"),
    ),
    Case(
        "all columns are left out",
        lambda i: f"{value(i)}",
        refusal("nothing|no column|input"),
        words=("--target", "price", "--ignore", "x,w"),
    ),
    Case("weights", lambda i: f"{value(i)}", REGRESSION, words=("--target", "price", "--weights", "w")),
    Case(
        "weights that are not there",
        lambda i: f"{value(i)}",
        refusal("'v'", "w"),
        words=("--target", "price", "--weights", "v"),
    ),
    Case(
        "the target as weights",
        lambda i: f"{value(i)}",
        refusal("price", "weights?"),
        words=("--target", "price", "--weights", "price"),
    ),
]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_targets(case: Case, tmp_path: Path) -> None:
    other = (lambda i: tenths(i).replace(".", ",")) if case.separator == ";" else tenths
    text = grid(case.rows, case.separator, x=other, price=case.cell, w=lambda i: str(1 + i % 3))
    path = tmp_path / "t.csv"
    path.write_text(text)
    ran = run("train", path, *case.words, *QUICK, "--json")
    answers = case.answers if isinstance(case.answers, tuple) else (case.answers,)
    failed = []
    for answer in answers:
        try:
            if isinstance(answer, Learnt):
                assert ran.code == 0, ran.err
                return _check_learnt(ran.json, answer, case)
            return check(Trap(case.name, "t.csv", text, answer, train=(*case.words, *map(str, QUICK))), tmp_path)
        except AssertionError as error:
            failed.append(str(error))
    raise AssertionError("\n".join(failed))


def _check_learnt(said: Mapping[str, Any], answer: Learnt, case: Case) -> None:
    assert said["task"] == answer.task, said["why"]
    assert answer.outputs in (None, said["network"]["outputs"])
    left = 3 - (answer.outputs or 1) - ("--weights" in case.words)
    assert said["network"]["inputs"] == left, f"{said['network']} where {left} columns are inputs"
    assert abs(said["test"]["rows"] / case.rows - 0.2) < 0.02, f"{said['test']['rows']} rows are tested of {case.rows}"
    if answer.classes is not None:
        assert said["test"]["confusion"]["labels"] == [str(name) for name in answer.classes]
    for word in answer.notes:
        assert word in "\n".join(said["notes"]), said["notes"]


def weights(cell: Cell) -> str:
    """Return a table with weights."""
    return grid(60, x=tenths, w=cell, y=lambda i: "hi" if i % 3 else "lo")


BY_WEIGHT = ("--target", "y", "--weights", "w")
WEIGHTS = [
    Trap(
        "negative weight",
        "w.csv",
        weights(lambda i: "-1" if i == 7 else "1"),
        refusal("'w'", r"row 8\b", "negative|-1"),
        train=BY_WEIGHT,
    ),
    Trap(
        "missing weight",
        "w.csv",
        weights(lambda i: "" if i == 7 else f"{1 + i}"),
        refusal("'w'", r"row 8\b", "missing|empty"),
        train=BY_WEIGHT,
    ),
    Trap(
        "infinite weight",
        "w.csv",
        weights(lambda i: "inf" if i == 7 else f"{1 + i}"),
        refusal("'w'", r"row 8\b", "infinite"),
        train=BY_WEIGHT,
    ),
    Trap(
        "text as a weight",
        "w.csv",
        weights(lambda i: "much" if i == 7 else f"{1 + i}"),
        refusal("'w'", "much", r"row 8\b"),
        train=BY_WEIGHT,
    ),
    Trap("texts as weights", "w.csv", weights(lambda i: "ab"[i % 2]), refusal("'w'", "number"), train=BY_WEIGHT),
    Trap("weights that are all 0", "w.csv", weights(lambda i: "0"), refusal("'w'", "0|zero"), train=BY_WEIGHT),
]


@traps(WEIGHTS)
def test_weights(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)
