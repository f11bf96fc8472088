"""Files as people have them, from end to end: what version 0.1 read wrongly is read right, or refused in one line.

Each test is one kind of fault that users reported, with its neighbours; the data are made here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.commands import ok, refused, run

QUICK = ("--max-iter", 30, "--hidden-layer-sizes", 20, "--learning-rate-init", 0.01)

Cell = Callable[[int, float], str]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def column(cell: Cell, rows: int = 600, name: str = "t.csv") -> str:
    """Write a column d that tells hi from lo, beside noise; return the name of the file."""
    draw = random.Random(1)
    lines = ["d,x,y"]
    for k in range(rows):
        v = draw.random()
        lines.append(f"{cell(k, v)},{draw.gauss(0, 1):.3f},{'hi' if v > 0.5 else 'lo'}")
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return name


def accuracy(*words: Any) -> float:
    return float(ok("train", *words, *QUICK, "--json").json["test"]["accuracy"])


# ------------------------------------------------------------------------------------ quotes, lines, separators


def test_rows_with_escaped_quotes_are_all_there() -> None:
    draw = random.Random(0)
    with open("notes.csv", "w") as file:
        file.write("x1,x2,comment,label\n")
        for k in range(600):
            a, b = draw.gauss(0, 1), draw.gauss(0, 1)
            text = r"they said \"fine\" twice" if k % 3 == 0 else r"a 5\" pipe" if k % 10 == 1 else "nothing"
            file.write(f'{a:.3f},{b:.3f},"{text}",{"yes" if a + b > 0 else "no"}\n')
    out = ok("train", "notes.csv", "--target", "label", *QUICK, "--out", "m.safetensors").out
    assert out.startswith("data: notes.csv, 600 rows with 3 columns\n")
    ok("predict", "m.safetensors", "notes.csv", "--out", "p.csv")
    assert len(pd.read_csv("p.csv")) == 600


QUOTES: dict[str, Callable[[int], str]] = {
    "inches": lambda k: f'{20 + k % 9}"',
    "one inch mark": lambda k: '24"' if k == 150 else "24",
    "feet": lambda k: f"5'{k % 12}\"",
    "nicknames": lambda k: 'Al "Bo" Cy',
}


@pytest.mark.parametrize("name", QUOTES)
def test_a_quote_within_a_cell_is_a_sign_like_another(name: str) -> None:
    draw = random.Random(0)
    rows = [(draw.gauss(0, 1), QUOTES[name](k)) for k in range(200)]
    lines = [f"{v:.3f},{size},{'p' if v > 0 else 'q'}" for v, size in rows]
    Path("t.csv").write_text("x,size,y\n" + "\n".join(lines) + "\n")
    report = ok("train", "t.csv", "--target", "y", *QUICK, "--json").json
    assert report["source"]["rows"] == 200
    assert report["test"]["accuracy"] > 0.9


@pytest.mark.parametrize(("first", "separator"), [("sep=;\n", ";"), ("# made by a logger\n", ",")])
def test_a_line_before_the_header_is_skipped(first: str, separator: str) -> None:
    draw = random.Random(0)
    lines = ["x,z,y", *(f"{v:.3f},1,{'p' if v > 0 else 'q'}" for v in (draw.gauss(0, 1) for _ in range(50)))]
    Path("t.csv").write_text(first + "\n".join(lines).replace(",", separator) + "\n")
    report = ok("train", "t.csv", "--target", "y", *QUICK, "--json").json
    assert (report["source"]["rows"], report["source"]["dialect"]["separator"]) == (50, separator)


def european(rows: int = 400) -> str:
    """Write a file with semicolons and decimal commas, as Excel saves in half of Europe."""
    draw, lines = random.Random(0), ["area;age;price;class"]
    for _ in range(rows):
        a, g = draw.uniform(30, 150), draw.uniform(0, 80)
        p = 1000 + 20 * a - 5 * g
        lines.append(f"{a:.3f};{g:.2f};{p:.3f};{'dear' if p > 2600 else 'cheap'}".replace(".", ","))
    Path("eu.csv").write_text("\n".join(lines) + "\n")
    return "eu.csv"


def test_decimal_commas_are_numbers_and_the_model_remembers_them() -> None:
    ran = ok("train", european(), "--target", "price", "--max-iter", 40, "--out", "m.safetensors")
    assert "read with: separator ';', decimal comma\n" in ran.out
    assert "task: regression, because 'price' holds" in ran.out
    scores = ok("evaluate", "m.safetensors", "eu.csv", "--json").json["test"]
    assert scores["rows"] == 400
    assert scores["r2"] > 0.95
    few = "\n".join([*Path("eu.csv").read_text().splitlines()[:1], "50;10;0;cheap", "60,5;10;0;cheap"])
    Path("few.csv").write_text(few + "\n")
    predicted = ok("predict", "m.safetensors", "few.csv").out.split()
    assert [float(p) == pytest.approx(e, abs=150) for p, e in zip(predicted[1:], (1950, 2160), strict=True)] == [
        True
    ] * 2


def test_decimal_commas_do_not_drop_a_column() -> None:
    report = ok("train", european(), "--target", "class", "--max-iter", 40, "--json").json
    assert report["test"]["accuracy"] > 0.95


# ------------------------------------------------------------------------------------------------- the target


TARGETS: dict[str, tuple[Callable[[int, float], str], str]] = {
    "dollar": (lambda k, p: f"${p:.0f}", "regression"),
    "thousands": (lambda k, p: f'"{p:,.0f}"', "regression"),
    "percent": (lambda k, p: f"{p / 50:.0f}%", "regression"),
    "NA": (lambda k, p: "NA" if k % 50 == 7 else f"{p:.2f}", "'price' is missing ('NA') in 8 rows, the first is row 8"),
    "a limit": (lambda k, p: "<1500" if p < 1500 else f"{p:.2f}", "target 'price': '<1500' in row "),
    "a name": (lambda k, p: f"Mr {k}", "target 'price' is text with hardly a repeat: 400 different values in 400 rows"),
}


def priced(cell: Callable[[int, float], str]) -> str:
    draw, lines = random.Random(1), ["area,age,price"]
    for k in range(400):
        a, g = draw.uniform(30, 150), draw.uniform(0, 80)
        lines.append(f"{a:.2f},{g:.1f},{cell(k, 1000 + 20 * a - 5 * g)}")
    Path("t.csv").write_text("\n".join(lines) + "\n")
    return "t.csv"


@pytest.mark.parametrize("task", ["auto", "regression"])
@pytest.mark.parametrize("name", TARGETS)
def test_a_numeric_target_is_never_a_class_per_number(name: str, task: str) -> None:
    cell, said = TARGETS[name]
    words = ("train", priced(cell), "--target", "price", "--task", task, "--max-iter", 40)
    if said == "regression":
        report = ok(*words, "--json").json
        assert (report["task"], report["rows"]) == ("regression", {"train": 320, "test": 80})
        assert report["test"]["r2"] > 0.9
    elif name == "a name" and task == "regression":
        assert "target 'price' is text, such as 'Mr 0' in row 1; a regression needs numbers" in refused(*words)
    else:
        assert said in refused(*words)


def test_a_target_of_texts_without_repeats_can_be_insisted_on() -> None:
    words = ("train", priced(lambda k, p: f"Mr {k}"), "--target", "price", "--columns", "price:category")
    report = ok(*words, "--max-iter", 1, "--json").json
    assert (report["task"], report["rows"]) == ("classification", {"train": 320, "test": 80})


def test_several_targets_are_learned_together_and_named() -> None:
    draw, lines = random.Random(0), ["x,z,y1,y2"]
    for _ in range(400):
        x, v = draw.gauss(0, 1), draw.gauss(0, 1)
        lines.append(f"{x:.4f},{draw.gauss(0, 1):.3f},{v:.3f},{3 * x:.3f}")
    Path("two.csv").write_text("\n".join(lines) + "\n")
    for words in (("--target", "y1", "--target", "y2"), ("--target", "y1,y2")):
        ran = ok("train", "two.csv", *words, "--max-iter", 20, "--out", "m.safetensors")
        assert "with 2 columns" in ran.out
        assert "task: regression, because 'y1' and 'y2' are columns of numbers" in ran.out
    header, first = ok("predict", "m.safetensors", "two.csv").out.splitlines()[:2]
    assert header == "prediction y1,prediction y2"
    assert float(first.split(",")[1]) == pytest.approx(float(lines[1].split(",")[3]), abs=0.5)
    evaluated = ok("evaluate", "m.safetensors", "two.csv", "--json").json
    assert evaluated["target"] == ["y1", "y2"]
    assert 0.3 < evaluated["test"]["r2"] < 0.7  # one of the two depends on nothing
    assert "predicts: 'y1' and 'y2', numbers" in ok("summary", "m.safetensors").out


# ------------------------------------------------------------------------------- numbers in other dress, and gaps


def number(v: float) -> str:
    return f"{v * 100:.2f}"


MARKS = ["NA", "NULL", "-", "?", "#N/A", " ", "<NA>", "nan", "None", "n/a", ".."]


@pytest.mark.parametrize("mark", MARKS)
def test_a_fifth_of_missing_marks_leaves_numbers_numbers(mark: str) -> None:
    ran = ok("train", column(lambda k, v: mark if k % 5 == 3 else number(v)), "--target", "y", *QUICK)
    (line,) = (line for line in ran.out.splitlines() if line.startswith("  d "))
    assert "number" in line
    assert "missing in" in line
    assert accuracy("t.csv", "--target", "y") > 0.8


DRESSES: dict[str, Cell] = {
    "plain": lambda k, v: number(v),
    "few NA among few numbers": lambda k, v: "NA" if k % 50 == 3 else str(int(v * 18)),
    "thousands": lambda k, v: f'"{v * 1e6:,.0f}"',
    "unit": lambda k, v: number(v) + " kg",
    "dollar": lambda k, v: f"${v * 1e6:.0f}",
    "minus sign": lambda k, v: f"{v * 100 - 50:.2f}".replace("-", "\N{MINUS SIGN}"),
    "no-break spaces": lambda k, v: f"{v * 1e6:,.0f}".replace(",", "\N{NO-BREAK SPACE}"),
    "accounting": lambda k, v: f"({50 - v * 100:.2f})" if v < 0.5 else f"{v * 100 - 50:.2f}",
}


@pytest.mark.parametrize("name", DRESSES)
def test_numbers_in_other_dress_are_numbers(name: str) -> None:
    assert accuracy(column(DRESSES[name]), "--target", "y") > 0.93


def day(v: float) -> date:
    return date(2015, 1, 1) + timedelta(int(v * 3000))


DATES: dict[str, Cell] = {
    "iso": lambda k, v: day(v).isoformat(),
    "one NULL": lambda k, v: "NULL" if k == 3 else day(v).isoformat(),
    "one 0000-00-00": lambda k, v: "0000-00-00" if k == 3 else day(v).isoformat(),
    "one 30 February": lambda k, v: "2015-02-30" if k == 3 else day(v).isoformat(),
    "us": lambda k, v: day(v).strftime("%m/%d/%Y"),
    "dotted": lambda k, v: day(v).strftime("%d.%m.%Y"),
    "slashed": lambda k, v: day(v).strftime("%Y/%m/%d"),
    "month name": lambda k, v: day(v).strftime("%d-%b-%y"),
    "utc": lambda k, v: day(v).strftime("%Y-%m-%d 10:00:00 UTC"),
    "no padding": lambda k, v: f"{day(v).year}-{day(v).month}-{day(v).day}",
}


@pytest.mark.parametrize("name", DATES)
def test_dates_are_dates(name: str) -> None:
    assert accuracy(column(DATES[name]), "--target", "y") > 0.93


def test_a_bad_date_is_missing_with_a_note() -> None:
    ran = ok("train", column(DATES["one 0000-00-00"]), "--target", "y", *QUICK)
    assert any("'0000-00-00'" in line and "'d'" in line for line in ran.err.splitlines() if line.startswith("note: "))


def test_a_stray_among_numbers_names_its_row() -> None:
    said = refused("train", column(lambda k, v: "oops" if k == 400 else number(v)), "--target", "y")
    assert "t.csv: column 'd': 'oops' in row 401" in said


def test_the_row_of_an_infinite_value_is_that_of_the_file() -> None:
    said = refused("train", column(lambda k, v: "inf" if k == 3 else number(v)), "--target", "y")
    assert "column 'd'" in said
    assert "row 4 " in f"{said} "
    frame = pd.read_csv("t.csv")
    frame.to_parquet("t.parquet")
    assert "row 4 " in f"{refused('train', 't.parquet', '--target', 'y')} "


def test_a_flag_in_another_spelling_is_the_same_flag() -> None:
    draw = np.random.default_rng(0)
    b = draw.normal(size=400)
    y = np.where(b > 0, "p", "q")
    spellings = {"train": ("True", "False"), "digits": ("1", "0"), "letters": ("T", "F"), "words": ("yes", "no")}
    for name, (true, false) in spellings.items():
        pd.DataFrame({"flag": np.where(b > 0, true, false), "x": draw.normal(size=400), "y": y}).to_csv(
            f"{name}.csv", index=False
        )
    ok("train", "train.csv", "--target", "y", *QUICK, "--out", "m.safetensors")
    for name in spellings:
        assert ok("evaluate", "m.safetensors", f"{name}.csv", "--json").json["test"]["accuracy"] == 1, name


# ------------------------------------------------------------------------------------------------------ Parquet


def test_the_index_of_a_data_frame_is_no_column() -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=400), "y": np.where(np.arange(400) < 200, "old", "new")})
    frame.sample(300, random_state=0).to_parquet("part.parquet")
    out = ok("train", "part.parquet", "--target", "y", *QUICK, "--out", "m.safetensors").out
    assert "data: part.parquet, 300 rows with 1 column\n" in out
    frame.to_parquet("rest.parquet")
    assert "predicted: 400 rows" in ok("predict", "m.safetensors", "rest.parquet", "--out", "p.csv").out


def test_extension_types_are_read_or_refused_by_name() -> None:
    rows = 200
    a = np.random.default_rng(0).normal(size=rows)
    frame = pd.DataFrame({"a": a, "y": np.where(a > 0, "p", "q")})
    frame.assign(c=pd.period_range("2005", periods=rows, freq="M")).to_parquet("period.parquet")
    kinds = {
        "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"] * rows)),
        "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1] * rows, pa.int8())),
        "tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(np.ones((rows, 2))),
    }
    for name, cells in kinds.items():
        pq.write_table(pa.table({"a": a, "y": frame.y, "c": cells}), f"{name}.parquet")
    for name in ("period", *kinds):
        ran = run("train", f"{name}.parquet", "--target", "y", *QUICK, "--quiet")
        assert ran.code in (0, 2), name
        if ran.code:
            assert ran.err.startswith(f"chainrule: error: {name}.parquet: column 'c'"), name
            assert ran.err.count("\n") == 1


def test_a_repeated_name_in_a_parquet_file_is_no_damage() -> None:
    a = np.random.default_rng(0).normal(size=200)
    y = pa.array(np.where(a > 0, "p", "q").tolist())
    pq.write_table(pa.Table.from_arrays([pa.array(a), pa.array(a), y], names=["a", "a", "y"]), "dup.parquet")
    ran = run("train", "dup.parquet", "--target", "y", *QUICK)
    assert "damaged" not in ran.err
    assert "'a'" in ran.err


# ---------------------------------------------------------------------------------------------- wide, and said


@pytest.mark.slow
def test_a_wide_table_is_trained_and_shortened() -> None:
    X = np.random.default_rng(0).normal(size=(200, 2000))
    frame = pd.DataFrame(X).rename(columns=lambda k: f"c{k}").assign(y=(X[:, 0] > 0).astype(int))
    frame.iloc[3, 1999] = np.nan
    frame.to_csv("w.csv", index=False)
    report = ok("train", "w.csv", "--target", "y", "--max-iter", 2, "--hidden-layer-sizes", 16, "--json").json
    assert report["network"]["inputs"] >= 2000
    out = ok("look", "w.csv").out
    assert "data: w.csv, 200 rows with 2,001 columns" in out
    assert "... and 1,961 more columns: 1,961 numbers" in out


def test_columns_can_be_said_to_be_something_else() -> None:
    draw = random.Random(0)
    lines = ["zip,id,w,y"]
    lines += [f"{10000 + k % 3},{k + 1},{1 + k % 2},{'hi' if k % 3 == draw.choice([1]) else 'lo'}" for k in range(120)]
    Path("t.csv").write_text("\n".join(lines) + "\n")
    plain = ok("train", "t.csv", "--target", "y", *QUICK, "--json").json
    assert any("'id'" in note for note in plain["notes"])
    assert plain["network"]["inputs"] == 2
    said = ("--columns", "zip:category,id:number", "--ignore", "w")
    asked = ok("train", "t.csv", "--target", "y", *QUICK, *said, "--json").json
    assert asked["network"]["inputs"] == 4
    assert not any("'id'" in note for note in asked["notes"])
    assert "--columns must be NAME:TYPE,NAME:TYPE with the types number" in refused(
        "train", "t.csv", "--target", "y", "--columns", "zip:colour"
    )


def test_weights_are_no_input_and_need_not_be_there_later() -> None:
    draw = random.Random(0)
    rows = [(k % 2, 1.0 if k % 2 else 0.0) for k in range(200)]
    lines = ["a,b,w,y", *(f"{a},{draw.gauss(0, 1):.3f},{w},{'hi' if a else 'lo'}" for a, w in rows)]
    Path("t.csv").write_text("\n".join(lines) + "\n")
    words = ("train", "t.csv", "--target", "y", "--weights", "w", *QUICK)
    ran = ok(*words, "--out", "m.safetensors")
    assert "with 2 columns" in ran.out
    assert "train: 160 rows, weighed by 'w'" in ran.out
    report = ok(*words, "--json").json
    assert report["source"]["weights"] == "w"
    assert [row[0] for row in report["test"]["confusion"]["counts"]] == [20, 20]  # rows of weight 0 teach nothing
    Path("new.csv").write_text("\n".join(["a,b", "1,0.5", "0,0.5"]) + "\n")
    predicted = ok("predict", "m.safetensors", "new.csv").out.splitlines()[1:]
    assert [line.split(",")[0] for line in predicted] == ["hi", "hi"]
    assert ok("evaluate", "m.safetensors", "t.csv", "--json").json["test"]["rows"] == 200
    negative = Path("t.csv").read_text().replace(",1.0,", ",-1.0,", 1)
    Path("n.csv").write_text(negative)
    assert "n.csv: weights 'w': the weight in row 2 is -1" in refused(
        "train", "n.csv", "--target", "y", "--weights", "w"
    )
    assert "there is no column 'v' for the weights; it has: 'a', 'b', 'w'" in refused(
        "train", "t.csv", "--target", "y", "--weights", "v"
    )
