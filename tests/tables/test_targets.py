"""The target of a table: numbers in every dress and labels are read, what cannot be learned is refused by its row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from chainrule.tables.table import Cells, Table, text_cells
from chainrule.tables.targets import TargetForm, find_columns, read_target, read_weights, split_names

DRAWN = np.random.default_rng(0).uniform(1600, 4000, 400).round(2)


def table(cells: Sequence[Any], **facts: Any) -> Table:
    """Return a table with a number x and a column y of texts or numbers; None is an empty cell."""
    texts = any(isinstance(cell, str) for cell in cells)
    y = text_cells(cells) if texts else Cells("number", np.array(cells, float))
    return Table.of({"x": Cells("number", np.arange(len(cells)) * 1.0), "y": y}, **facts)


def refusal(cells: Sequence[Any], task: str = "auto", **facts: Any) -> str:
    """Return the line with which a target is refused."""
    with pytest.raises(ValueError, match="target 'y'") as caught:
        read_target(table(cells, **facts), ["y"], None, task)
    assert "\n" not in str(caught.value)
    return str(caught.value)


DRESSED = {
    "dollars": (lambda v: f"${v:.2f}", "$1234.5"),
    "thousands": (lambda v: f"{v:,.2f}", "1,234.5"),
    "percent": (lambda v: f"{v:.2f}%", "1234.5%"),
    "unit": (lambda v: f"{v:.2f} kg", "1234.5 kg"),
    "minus sign": (lambda v: f"{v:.2f}".replace("-", "\N{MINUS SIGN}"), ""),
}


@pytest.mark.parametrize("name", DRESSED)
def test_a_target_in_other_dress_is_numbers_and_its_form_is_known(name: str) -> None:
    dress, form = DRESSED[name]
    shift = 2000 if name == "minus sign" else 0
    found = read_target(table([dress(v - shift) for v in DRAWN]), ["y"])
    assert found.forms == (TargetForm("number", form),)
    np.testing.assert_allclose(found.values, DRAWN - shift, atol=1e-9)


def test_a_form_that_is_known_reads_other_rows_the_same_way() -> None:
    form = read_target(table([f"${v:,.2f}" for v in DRAWN]), ["y"]).forms
    assert read_target(table(["$1,000.50", "2"]), ["y"], form).values.tolist() == [1000.5, 2]
    with pytest.raises(ValueError, match=r"target 'y': 'many' in row 2 is not a number written like \$1,234\.5"):
        read_target(table(["$1,000.50", "many"]), ["y"], form)
    with pytest.raises(ValueError, match=r"target 'y' is missing or not finite in row 1 \(row 1 is the first"):
        read_target(table(["NA", "$2"]), ["y"], form)


LABELS: dict[str, tuple[list[Any], list[Any], str, str]] = {
    "texts": (["b", "a"] * 6, ["b", "a"] * 6, "U", "category"),
    "yes and no stay texts": (["yes", "no"] * 6, ["yes", "no"] * 6, "U", "category"),
    "true and false": (["True", "false"] * 6, [True, False] * 6, "b", "flag"),
    "whole numbers": ([2.0, 1.0], [2, 1], "i", "number"),
    "numbers": ([2.5, 1.0], [2.5, 1], "f", "number"),
    "codes": (["007", "01"] * 6, ["007", "01"] * 6, "U", "category"),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_and_numbers_have_their_types(name: str) -> None:
    cells, values, kind, reads = LABELS[name]
    found = read_target(table(cells), ["y"])
    assert (found.values.tolist(), found.values.dtype.kind, found.forms[0].reads) == (values, kind, reads)


def test_large_integers_are_exact() -> None:
    labels = np.array([2**60 + 1, 2**60 + 2] * 5)
    numbered = Table.of({"x": Cells("number", np.arange(10.0)), "y": Cells("number", labels)})
    assert read_target(numbered, ["y"]).values.tolist() == labels.tolist()


MISSING = [
    (["NA" if k % 50 == 7 else str(v) for k, v in enumerate(DRAWN)], r"missing ('NA') in 8 rows, the first is row 8"),
    (["yes", "?", "no"] * 5, "missing ('?') in 5 rows, the first is row 2"),
    (["yes", None, "no"] * 5, "missing or not finite in 5 rows, the first is row 2"),
    ([1.0, 2.0, np.nan], "missing or not finite in row 3"),
    ([1.0, np.inf], "missing or not finite in row 2"),
]


@pytest.mark.parametrize(("cells", "said"), MISSING, ids=[said for _, said in MISSING])
@pytest.mark.parametrize("task", ["auto", "regression", "classification"])
def test_a_gap_is_refused_with_its_row(cells: list[Any], said: str, task: str) -> None:
    line = refusal(cells, task)
    assert f"target 'y' is {said} (row 1 is the first row of data): take th" in line
    assert ("--columns y:category" in line) == ("'?'" in said)


def test_rows_are_those_of_the_file() -> None:
    numbers = np.arange(100, 115)
    assert "the first is row 101" in refusal(["yes", "?", "no"] * 5, row_numbers=numbers)


@pytest.mark.parametrize("task", ["auto", "regression"])
@pytest.mark.parametrize("limit", [1700, 2500])
def test_a_stray_among_numbers_is_named_whatever_its_share(task: str, limit: int) -> None:
    below = [f"<{limit}" if v < limit else str(v) for v in DRAWN]
    first = below.index(f"<{limit}") + 1
    line = refusal(below, task)
    assert line.startswith(f"target 'y': '<{limit}' in row {first} is not a number, but most others are (row 1 is")
    assert line.endswith("--columns y:category")


def test_texts_with_hardly_a_repeat_are_no_classes() -> None:
    names = [f"Mr {k}" for k in range(60)]
    assert "hardly a repeat: 60 different values in 60 rows, such as 'Mr 0' in row 1; that is" in refusal(names)
    assert "'lone 0' in row 41" in refusal([f"c{k // 2}" for k in range(40)] + [f"lone {k}" for k in range(50)])
    insisted = table(names, declared={"y": "category"})
    assert read_target(insisted, ["y"]).values.tolist() == names
    assert read_target(table(["low", "high"]), ["y"]).values.tolist() == ["low", "high"]
    letters = [chr(65 + k % 26) for k in range(60)]
    assert read_target(table(letters), ["y"]).values.tolist() == letters


def test_a_text_kept_as_a_class_is_a_class() -> None:
    kept = table(["yes", "NA", "no"] * 5, declared={"y": "category"})
    assert set(read_target(kept, ["y"]).values) == {"yes", "no", "NA"}
    numbers = table([1.0, 2.0] * 5, declared={"y": "category"})
    assert read_target(numbers, ["y"]).values.tolist() == ["1", "2"] * 5


def test_a_date_is_no_target_unless_it_is_declared() -> None:
    days = [f"2020-01-{1 + k % 28:02d}" for k in range(60)]
    assert "holds dates, such as 2020-01-01 in row 1; to learn the seconds give --columns y:number" in refusal(days)
    seconds = read_target(table(days, declared={"y": "number"}), ["y"])
    assert (seconds.values[:2].tolist(), seconds.forms[0].reads) == ([1577836800, 1577923200], "moment")
    assert read_target(table(days, declared={"y": "category"}), ["y"]).values[0] == "2020-01-01"


def test_a_text_that_must_be_numbers_is_named() -> None:
    assert refusal(["yes", "no"] * 6, "regression") == (
        "target 'y' is text, such as 'yes' in row 1; a regression needs numbers"
    )
    assert "'many' in row 2 is not a number, which --columns says it is" in refusal(
        ["1", "many", "3"], declared={"y": "number"}
    )


def test_several_targets_are_columns_of_numbers() -> None:
    several = Table.of({"a": Cells("number", np.array([1.0, 0.5])), "b": text_cells(["$3", "$4"])})
    found = read_target(several, ["a", "b"])
    assert found.values.tolist() == [[1, 3], [0.5, 4]]
    assert found.forms == (TargetForm("number"), TargetForm("number", "$1234.5"))
    with pytest.raises(ValueError, match="target 'y' is text, such as 'low' in row 1; several targets must be"):
        read_target(table(["low", "high"]), ["x", "y"])


# ------------------------------------------------------------------------------------------ names and weights


def test_a_name_that_holds_a_comma_is_found_first() -> None:
    assert find_columns(["a", "b", "a,b"], ["a,b"]) == ("a,b",)
    assert find_columns(["a", "b"], ["a,b", "a"]) == ("a", "b")
    assert find_columns(["a", "b,c"], ['"b,c",a']) == ("b,c", "a")
    assert split_names(" a , b ,") == ["a", "b"]
    with pytest.raises(ValueError, match=r"there is no column 'prise'; did you mean 'price'\?"):
        find_columns(["price", "x"], ["prise"])
    with pytest.raises(ValueError, match=r"there is no column 'zzz'; it has: 'price', 'x'"):
        find_columns(["price", "x"], ["x,zzz"])


def test_weights_are_numbers_of_at_least_0() -> None:
    assert read_weights(table([0.0, 2.5]), "y").tolist() == [0, 2.5]
    assert read_weights(table(["2 kg", "3 kg"]), "y").tolist() == [2, 3]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([1.0, -2.0], "the weight in row 2 is -2; it must be a number of at least 0"),
        ([1.0, np.nan], "the weight in row 2 is missing"),
        ([1.0, np.inf], "the weight in row 2 is inf"),
        (["a", "b"], "'a' in row 1 is not a number"),
        ([*map(str, range(40)), "many"], "'many' in row 41 is not a number"),
    ],
)
def test_weights_that_weigh_nothing_are_refused(cells: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match="weights 'y'") as caught:
        read_weights(table(cells), "y")
    assert said in str(caught.value)
