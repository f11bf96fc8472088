"""`chainrule race`: what it prints, draws and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from support.commands import ok, people, refused, run, write

QUICK = ("--seconds", 0.2, "--hidden-layer-sizes", 6)


@pytest.fixture
def table(tmp_path) -> Any:
    return write(tmp_path / "people.csv", people())


def test_the_table_names_each_solver_and_the_winner(table) -> None:
    ran = ok("race", table, "--target", "price", *QUICK, "--solvers", "adam, lbfgs,lm:damping=0.01,scaled=true")
    lines = ran.out.splitlines()
    head = next(k for k, line in enumerate(lines) if line.startswith("solver"))
    assert lines[head].split() == ["solver", "loss", "R²", "epochs", "passes", "seconds", "to", "goal", "ended"]
    rows = [line.split() for line in lines[head + 2 : head + 5]]
    assert [row[0] for row in rows] == ["adam", "lbfgs", "lm:damping=0.01,scaled=true"]
    losses = {row[0]: float(row[1]) for row in rows}
    assert lines[-2].startswith("goal: loss ")
    winner = lines[-1].removeprefix("winner: ").split(", loss ")[0]
    assert losses[winner] == min(losses.values())
    assert lines[0].endswith("people.csv, 80 rows with 4 columns")
    assert ran.err == ""


def test_one_json_object_with_the_courses(table) -> None:
    words = ("race", table, "--target", "dear", *QUICK, "--solvers", "adam,lm", "--json", "--dtype", "float64")
    report = ok(*words).json
    assert (report["command"], report["seconds"]) == ("race", 0.2)
    assert [solver["solver"] for solver in report["solvers"]] == ["adam", "lm"]
    for solver in report["solvers"]:
        assert solver["course"]["losses"][0] == pytest.approx(report["start"])
        assert solver["course"]["losses"][-1] == solver["loss"]
    assert report["winner"] in ("adam", "lm")


def test_a_network_too_large_is_a_row_and_a_note(table) -> None:
    ran = ok("race", table, "--target", "price", "--seconds", 0.2, "--solvers", "adam,lm,bfgs")
    assert "refused" in ran.out
    line = "note: lm: levenberg_marquardt holds P × P numbers, 200 MB for P = 5,000; this network has 21,601: take"
    assert line in ran.err
    assert "note: bfgs: bfgs holds P × P numbers" in ran.err
    ran = run("race", table, "--target", "price", "--seconds", 0.2, "--solvers", "lm")
    assert ran.code == 1
    assert ran.out.splitlines()[-1] == "winner: none, nobody came to an end"


def test_the_picture_is_drawn(table, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "race.png"
    ran = ok("race", table, "--target", "price", *QUICK, "--solvers", "sgd,lbfgs", "--plot", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert ran.out.splitlines()[-1] == f"drawn: {picture}"


def test_the_options_are_those_of_train_and_its_own(table) -> None:
    shown = ok("race", "--help").out
    assert "--solvers NAME[:FIELD=VALUE],..." in shown
    for option in ("--seconds", "--goal", "--plot", "--hidden-layer-sizes", "--tol", "--dtype"):
        assert option in shown
    for option in ("--solver NAME", "--early-stopping / ", "--max-iter N", "--checkpoint NAME"):
        assert option not in shown
    ran = ok(
        "race", table, "--target", "price", *QUICK, "--solvers", "sgd", "--learning-rate-init", 1e-30, "--goal", 0.5
    )
    assert "goal: loss 0.5;" in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--solvers", "adm"), "--solvers must be one of sgd"),
        (("--solvers", ","), "--solvers names nobody"),
        (("--solvers", "lm:damping=-1"), "--solvers: LevenbergMarquardt damping must be a positive finite"),
        (("--seconds", 0), "Invalid value for '--seconds'"),
        (("--plot", "race.nothing"), "the name must end in one of"),
        (("--solvers", "adam", "--max-iter", 3), "No such option"),
    ],
)
def test_mistakes_are_one_line(table, words: tuple[Any, ...], said: str) -> None:
    assert said in refused("race", table, "--target", "price", *words)


def test_a_solver_too_large_for_train_is_refused_before_it_begins(table) -> None:
    words = "levenberg_marquardt holds P × P numbers, 200 MB for P = 5,000; this network has 21,601: take hessian_free"
    ran = run("train", table, "--target", "price", "--solver", "lm")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"chainrule: error: {words}")


def test_train_shows_the_figures_of_the_last_step(table) -> None:
    words = (
        "train",
        table,
        "--target",
        "price",
        "--solver",
        "lm:damping=0.1",
        "--hidden-layer-sizes",
        4,
        "--statistics",
    )
    ran = ok(*words)
    line = next(line for line in ran.out.splitlines() if line.startswith("the solver's last step: "))
    assert line.startswith("the solver's last step: damping ")
    assert "condition " in line
    assert ok(*words, "--json").json["figures"].keys() == {"damping", "condition"}
    assert "last step" not in ok("train", table, "--target", "price", "--max-iter", 2, "--statistics").out
