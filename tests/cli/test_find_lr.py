"""`chainrule find-lr`: what it prints, draws and refuses."""

from __future__ import annotations

import builtins
import shlex
from typing import Any

import numpy as np
import pytest

from chainrule.cli.find_lr import OWN, FindCommand
from chainrule.estimators.settings.optimizer import SCHEDULED
from support.commands import ok, people, refused, run, write

SMALL = ("--hidden-layer-sizes", 30, "--low", 1e-5, "--high", 3)


@pytest.fixture
def table(tmp_path) -> Any:
    return write(tmp_path / "some people.csv", people())


def test_a_rate_for_the_digits() -> None:
    ran = ok("find-lr", "digits", *SMALL)
    lines = ran.out.splitlines()
    assert lines[0] == "data: digits, 1,797 rows with 64 inputs"
    rows = [line.split() for line in lines[lines.index(next(x for x in lines if x.startswith("──"))) + 1 : -2]]
    rates, losses = [float(row[0]) for row in rows], [float(row[1].replace(",", "")) for row in rows]
    assert 12 < len(rows) <= 17
    assert rates == sorted(rates)
    assert [row[2:] for row in rows].count(["lowest"]) == 1
    assert rows[int(np.argmin(losses))][2:] == ["lowest"]
    lowest = rates[int(np.argmin(losses))]
    words, suggestion = lines[-2].split(": "), float(lines[-2].split(": ")[1].split(",")[0])
    assert words[0] == "suggestion"
    assert words[1].endswith(f", 1/10 of {lowest:.2g}, where the loss was lowest")
    assert suggestion == pytest.approx(lowest / 10, rel=0.05)
    assert 5e-4 < suggestion < 0.03
    wanted = f"to use it: chainrule train digits --hidden-layer-sizes 30 --learning-rate-init {suggestion:.2g}"
    assert lines[-1] == wanted
    assert ran.err == ""


def test_the_command_it_prints_takes_the_options_along_and_works(table) -> None:
    words = ("--target", "dear", "--solver", "momentum", "--no-early-stopping", "--max-iter", 2)
    more = ("--class-weight", "yes:2,no:1", "--hidden-layer-sizes", "5,4", "--test-fraction", 0.3)
    ran = ok("find-lr", table, *words, *more, "--learning-rate-init", 7, "--steps", 60)
    line = ran.out.splitlines()[-1].removeprefix("to use it: ")
    given = shlex.split(line)
    assert given[:3] == ["chainrule", "train", str(table)]
    for word in (*words, *more):
        assert str(word) in given
    assert given.count("--learning-rate-init") == 1
    assert not {"--steps", "--low", "7"} & set(given)
    trained = ok(*given[1:], "--json").json
    assert trained["settings"]["solver"] == "momentum"
    assert trained["settings"]["learning_rate_init"] == float(given[-1])


def test_one_json_object(table) -> None:
    report = ok("find-lr", table, "--target", "price", "--steps", 40, "--high", 1, "--json").json
    assert report["command"] == "find-lr"
    assert len(report["rates"]) == len(report["losses"]) == len(report["smoothed"]) <= 40
    assert report["lowest_at"] == report["rates"][int(np.argmin(report["smoothed"]))]
    assert report["suggestion"] == pytest.approx(report["lowest_at"] / 10)
    assert report["train"].endswith(f"--learning-rate-init {report['suggestion']:.2g}")


def test_it_trains_on_what_train_trains_on(table) -> None:
    words = (table, "--target", "price", "--batch-size", 64, "--steps", 10, "--low", 1e-30, "--high", 1e-29, "--json")
    report = run("find-lr", *words).json
    trained = ok("train", *words[:5], "--max-iter", 1, "--learning-rate-init", 1e-30, "--json").json
    assert report["losses"][0] == pytest.approx(trained["training"]["loss"], rel=1e-6)


def test_a_loss_that_never_falls_is_no_success(table) -> None:
    ran = run("find-lr", table, "--target", "price", "--solver", "sgd", "--low", 1e4, "--high", 1e5)
    assert ran.code == 1
    assert ran.out.splitlines()[-1].startswith("suggestion: none, the loss never fell between 1e+04 and ")


def test_a_loss_that_still_falls_is_noted(table) -> None:
    ran = ok("find-lr", table, "--target", "price", "--high", 1e-4)
    assert ran.err == "note: the loss was still falling at 0.0001; try a higher --high\n"


def test_the_picture(table, tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: no pictures")
    for name, start in (("rates.png", b"\x89PNG"), ("rates.SVG", b"<?xml")):
        ran = ok("find-lr", table, "--target", "price", "--steps", 30, "--plot", tmp_path / name)
        assert ran.out.splitlines()[-1] == f"drawn: {tmp_path / name}"
        assert (tmp_path / name).read_bytes().startswith(start)
    words = refused("find-lr", table, "--target", "price", "--plot", tmp_path / "rates.xyz")
    assert words.startswith(f"--plot {tmp_path / 'rates.xyz'}: the name must end in one of .")
    words = refused("find-lr", table, "--target", "price", "--plot", tmp_path / "none" / "rates.png")
    assert words == f"--plot {tmp_path / 'none' / 'rates.png'}: there is no folder {str(tmp_path / 'none')!r}"
    assert "would overwrite what is read" in refused("find-lr", table, "--target", "price", "--plot", table)


def test_without_matplotlib_one_line_says_what_to_install(table, tmp_path, monkeypatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    words = refused("find-lr", table, "--target", "price", "--plot", tmp_path / "rates.png")
    assert words == "--plot needs matplotlib; install it: pip install 'chainrule[plots]'"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--solver", "lbfgs"), f"--solver lbfgs follows no learning rate; accepted: {', '.join(SCHEDULED.values)}"),
        (("--solver", "rprop"), "--solver rprop follows no learning rate"),
        (("--low", 2, "--high", 1), "--low must be below --high; got 2 and 1"),
        (("--low", 0), "'--low'"),
        (("--high", "much"), "'--high'"),
        (("--steps", 9), "'--steps'"),
        (("--target", "nothing"), "nothing"),
    ],
)
def test_mistakes(table, words: Any, said: str) -> None:
    assert said in refused("find-lr", table, "--target", "price", *words)


def test_the_help_shows_its_own_options_first() -> None:
    shown = ok("find-lr", "--help").out
    first = shown[shown.index("The options that matter first") : shown.index("The network:")]
    for name in FindCommand.first:
        assert f"--{name.replace('_', '-')}" in first
    assert set(FindCommand.first) & set(OWN) == {"low", "high", "steps", "plot"}
    assert "--out " not in shown
    solvers = " ".join(shown.split()).partition("update rule: ")[2].partition("  [adam]")[0].partition(" [adam]")[0]
    assert solvers == ", ".join(SCHEDULED.values)
