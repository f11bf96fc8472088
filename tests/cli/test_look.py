"""`chainrule look`: the screen, the JSON, and the options of reading that every command shares."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from support.commands import ok, refused, write


@pytest.fixture
def table(tmp_path) -> Any:
    draw = np.random.default_rng(0)
    v = draw.random(200)
    return write(
        tmp_path / "people.csv",
        {
            "id": list(range(1, 201)),
            "age": [*draw.normal(40, 9, 200).round(1)],
            "price": [f"${p:.2f}" for p in 1000 * v],
            "rate": ["NA" if k % 5 == 0 else f"{p:.1f}%" for k, p in enumerate(100 * v)],
            "joined": [f"{1 + k % 28:02d}.{1 + k % 12:02d}.20{10 + k % 12}" for k in range(200)],
            "a name that is much longer than what a line has room for": ["x", "y"] * 100,
            "town": draw.choice(["Bonn", "Ulm", "Rome"], 200).tolist(),
            "y": np.where(v > 0.5, "hi", "lo").tolist(),
        },
    )


def lines_of(table: Path, *words: Any) -> list[str]:
    return ok("look", table, *words).out.splitlines()


@pytest.mark.parametrize("width", [80, 140])
def test_a_table_is_shown_within_the_width_of_the_terminal(width: int, table, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = lines_of(table, "--target", "y")
    assert lines[0] == f"data: {table}, 200 rows with 8 columns"
    assert lines[1].startswith("read with: separator ','")
    start = next(k for k, text in enumerate(lines) if text.startswith("──"))
    assert lines[start - 1].split() == ["column", "is", "written", "missing", "values", "spread"]
    rows = lines[start + 1 : start + 9]
    assert max(map(cell_len, rows)) <= width
    assert [row.split()[0] for row in rows] == ["id", "age", "price", "rate", "joined", "a", "town", "y"]
    mean = r", mean \S+" if width == 140 else ""
    assert re.match(rf"price +number +\$1234\.5 +\S+ to \S+{mean} +[▁▂▃▄▅▆▇█ ]{{8}}$", rows[2])
    assert re.match(r"rate +number +1234\.5% +20 % NA +", rows[3])
    assert re.match(r"joined +date +31\.12\.2020 +2010-01-\d\d to ", rows[4])
    assert re.match(r"town +category +3 levels: ", rows[6])
    assert lines[start + 9] == "task: classification, because 'y' holds 2 different texts"
    assert any(text.startswith("note: column 'id' is left out") for text in lines[start + 10 :])


def test_json_is_one_object_with_the_facts_and_the_memory(table) -> None:
    facts = ok("look", table, "--target", "y", "--json").json
    assert list(facts) == [
        *("command", "version", "source", "dialect", "columns", "task", "notes", "peak_memory_mb"),
    ]
    assert list(facts["columns"][0]) == [
        *("name", "reads", "form", "missing", "marks", "bad", "distinct", "least", "most", "mean", "histogram"),
        *("levels", "left_out", "refused"),
    ]
    assert facts["peak_memory_mb"] > 10


@pytest.mark.parametrize("words", [("train", "digits", "--max-iter", 1), ("info",), ("find-lr", "digits")])
def test_every_command_says_its_peak_memory(words) -> None:
    assert ok(*words, "--json").json["peak_memory_mb"] > 10


def test_a_target_that_training_would_refuse_is_told_and_a_stray_is_noted(table, tmp_path) -> None:
    lines = lines_of(table, "--target", "rate")
    told = "task: none, training would be refused: target 'rate' is missing ('NA') in 40 rows, the first is row 1"
    assert any(text.startswith(told) for text in lines)
    broken = tmp_path / "broken.csv"
    text = table.read_text().splitlines()
    text[5] = text[5].replace(text[5].split(",")[1], "old", 1)
    broken.write_text("\n".join(text) + "\n")
    assert any("'old' in row 5" in line for line in lines_of(broken) if line.startswith("note: "))


def test_many_columns_are_counted(tmp_path) -> None:
    wide = write(tmp_path / "wide.csv", {f"c{k}": [0.5, 1.5, k] for k in range(60)} | {"t": ["a", "b", "c"]})
    lines = lines_of(wide)
    assert "... and 21 more columns: 20 numbers, 1 category" in lines
    assert sum(text.startswith("c") for text in lines) == 41  # with the head of the table


def test_control_signs_in_a_file_do_not_reach_the_terminal(tmp_path) -> None:
    path = write(tmp_path / "t.csv", {"a\x1b[31m": ["x\x1b[2J", "y"] * 9, "b": list(range(18))})
    assert "\x1b" not in ok("look", path).out


def test_a_source_of_arrays_has_a_line_of_inputs() -> None:
    assert ok("look", "digits").out.splitlines() == [
        "data: digits, 1,797 rows with 64 inputs",
        "inputs: float64 from 0 to 16, images of 8 x 8, multiplied by 0.0625 before use",
        "task: classification, because 'digit' holds 10 different whole numbers",
    ]


# --------------------------------------------------------------------------------------- the options of reading


WRONG = {
    ("--separator", ";;"): "--separator must be one character such as ';', or tab, space, pipe; got ';;'",
    ("--quote", "ab"): "--quote must be one character",
    ("--decimal", ":"): "--decimal must be . or ,",
    ("--encoding", "utf-99"): "--encoding must be an encoding such as utf-8, utf-16, latin-1 or windows-1252",
    ("--columns", "age"): "--columns must be NAME:TYPE,NAME:TYPE with the types number, category, date, duration, text",
    ("--columns", "age:numbr"): "got 'age:numbr'",
    ("--columns", "agee:number"): "--columns: there is no column 'agee'; did you mean 'age'?",
    ("--table", " "): "--table must be some text",
    ("--comment", "//"): "--comment must be one character",
    ("--target", "Age"): "there is no column 'Age'; did you mean 'age'?",
    ("--weights", "agee"): "there is no column 'agee'; did you mean 'age'?",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_options_of_reading_that_say_nothing(words: tuple[str, str], table) -> None:
    assert WRONG[words] in refused("look", table, *words)


def test_options_of_reading_are_followed(tmp_path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("%made by hand\n1,5|a b|'x|y'\n2,5|c d|z\n3,5|c d|z\n")
    words = ("--separator", "pipe", "--decimal", "comma", "--quote", "'", "--comment", "%", "--no-header")
    facts = ok("look", path, *words, "--json").json
    assert facts["source"] == {"name": str(path), "rows": 3, "columns": 3}
    assert [fact["most"] for fact in facts["columns"]] == [3.5, None, None]
    assert facts["columns"][2]["levels"] == [["z", 2], ["x|y", 1]]


@pytest.mark.parametrize("command", ["look", "train", "find-lr", "predict", "evaluate"])
def test_the_options_of_reading_stand_in_the_help_of_every_command_that_reads(command: str) -> None:
    text = ok(command, "--help").out
    for name in ("separator", "quote", "escape", "header", "comment", "encoding", "decimal", "table", "query"):
        assert f"--{name}" in text
    assert "number, category, date, duration, text" in " ".join(text.split())


def test_the_command_of_find_lr_takes_the_options_of_reading_along(table) -> None:
    words = ("--target", "y", "--columns", "town:category", "--columns", "id:number", "--ignore", "rate", "--header")
    ran = ok("find-lr", table, *words, "--hidden-layer-sizes", 4, "--steps", 20)
    given = shlex.split(ran.out.splitlines()[-1].removeprefix("to use it: "))
    assert [given.count(word) for word in ("--columns", "--ignore", "--header", "--target")] == [2, 1, 1, 1]
    ok(*given[1:], "--max-iter", 1)
