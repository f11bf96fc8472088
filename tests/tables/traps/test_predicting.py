"""The same rows in another dress are predicted alike, or refused; what was never seen is said."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from support.commands import ok, run
from support.traps import Cell, grid, tenths

ROWS = 60


def made(d: Cell, separator: str = ",", decimal: str = ".") -> str:
    """Return a table whose class depends on `d` (a function of the row's number) and nothing else."""
    return grid(ROWS, separator, d=d, x=lambda i: tenths(i).replace(".", decimal), y=lambda i: "hi" if i % 2 else "lo")


def words(*texts: str) -> Cell:
    """Return cells that take turns."""
    return lambda i: texts[i % len(texts)]


class Pair(NamedTuple):
    """A training table, and the same rows written otherwise. `refusable`: one line is right, too."""

    name: str
    trained: str
    new: str
    refusable: bool = False


def flags(trained: tuple[str, str], *others: tuple[str, str]) -> list[Pair]:
    """Return the pairs of one flag and its other spellings, each as (true, false)."""
    return [
        Pair(
            f"{trained[0]}/{trained[1]}, then {yes!r}/{no!r}", made(words(trained[1], trained[0])), made(words(no, yes))
        )
        for yes, no in others
    ]


def price(i: int) -> float:
    """Return a number that tells the classes apart."""
    return 2000.5 + i * 10 if i % 2 else 100.5 + i * 10


def date(pattern: str) -> Cell:
    """Return dates that tell the classes apart, by year."""
    return lambda i: pattern.format(d=1 + i % 28, m=1 + i % 12, y=2020 if i % 2 else 1990)


LEVELS = made(words("Bonn", "Ulm", "Köln", "Trier"))
CODES = made(words("A7", "100000", "B2", "2000"))
PRICES = made(lambda i: f"{price(i):.1f}")
DATES = made(date("{y}-{m:02d}-{d:02d}"))
DOLLARS = made(lambda i: f'"${price(i):,.1f}"')
PAIRS = [
    *flags(
        ("True", "False"),
        ("1", "0"),
        ("T", "F"),
        ("true", "false"),
        ("TRUE", "FALSE"),
        ("yes", "no"),
        ("Y", "N"),
        ("on", "off"),
        (" True", "False "),
        ("1.0", "0.0"),
    ),
    *flags(("yes", "no"), ("Yes", "No"), ("Y", "N"), ("true", "false"), ("1", "0")),
    *flags(("1", "0"), ("True", "False"), ("yes", "no"), ("T", "F"), ("1.0", "0.0"), ("on", "off")),
    *flags(("T", "F"), ("True", "False"), ("1", "0"), ("t", "f")),
    Pair("towns in small letters", LEVELS, made(words("bonn", "ulm", "köln", "trier"))),
    Pair("towns in capitals", LEVELS, made(words("BONN", "ULM", "KÖLN", "TRIER"))),
    Pair("towns in blanks", LEVELS, made(words(" Bonn", "Ulm ", " Köln ", "Trier"))),
    Pair("towns in quotes", LEVELS, made(words('"Bonn"', '"Ulm"', '"Köln"', '"Trier"'))),
    Pair("codes as a database writes them", CODES, made(words("a7", "100000.0", "b2", "2000.0"))),
    Pair("codes with exponents", CODES, made(words("A7", "1e5", "B2", "2e3"))),
    Pair("numbers with more digits", PRICES, made(lambda i: f"{price(i):.4f}")),
    Pair("numbers in quotes", PRICES, made(lambda i: f'"{price(i):.1f}"')),
    Pair("numbers with exponents", PRICES, made(lambda i: f"{price(i):.8e}")),
    Pair("numbers in blanks", PRICES, made(lambda i: f" {price(i):.1f} ")),
    Pair("numbers with thousands", PRICES, made(lambda i: f'"{price(i):,.1f}"'), refusable=True),
    Pair(
        "numbers with decimal commas",
        PRICES,
        made(lambda i: f"{price(i):.1f}".replace(".", ","), ";", ","),
        refusable=True,
    ),
    Pair("numbers with a currency", PRICES, made(lambda i: f"${price(i):.1f}"), refusable=True),
    Pair("dollars without their sign", DOLLARS, made(lambda i: f"{price(i):.1f}"), refusable=True),
    Pair("dollars without thousands", DOLLARS, made(lambda i: f"${price(i):.1f}"), refusable=True),
    Pair("semicolons for commas", PRICES, made(lambda i: f"{price(i):.1f}", ";")),
    Pair("tabs for commas", PRICES, made(lambda i: f"{price(i):.1f}", "\t")),
    Pair("commas for semicolons", made(lambda i: f"{price(i):.1f}", ";"), PRICES),
    Pair(
        "points for decimal commas",
        made(lambda i: f"{price(i):.1f}".replace(".", ","), ";", ","),
        PRICES,
        refusable=True,
    ),
    Pair("CRLF and a byte order mark", PRICES, "\ufeff" + PRICES.replace("\n", "\r\n")),
    Pair("dates with slashes", DATES, made(date("{y}/{m:02d}/{d:02d}")), refusable=True),
    Pair("dates day first", DATES, made(date("{d:02d}.{m:02d}.{y}")), refusable=True),
    Pair("dates with a time", DATES, made(date("{y}-{m:02d}-{d:02d} 00:00:00")), refusable=True),
    Pair("dates as ISO, then as UTC", DATES, made(date("{y}-{m:02d}-{d:02d}T00:00:00Z")), refusable=True),
    Pair("dates day first, then ISO", made(date("{d:02d}.{m:02d}.{y}")), DATES, refusable=True),
    Pair(
        "columns in another order, and one more",
        PRICES,
        "\n".join(f"{y},q,{x},{d}" for d, x, y in (line.split(",") for line in PRICES.split("\n")[:-1])).replace(
            "y,q,", "y,more,", 1
        )
        + "\n",
    ),
    Pair("comments and blank lines", PRICES, "# new\n" + PRICES.replace("\n", "\n\n", 1)),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the function that trains on a table, once for each."""
    known: dict[str, Path] = {}

    def trained(text: str) -> Path:
        if text not in known:
            folder = tmp_path_factory.mktemp("model")
            (folder / "t.csv").write_text(text, encoding="utf-8")
            ok(
                "train",
                folder / "t.csv",
                "--target",
                "y",
                "--max-iter",
                30,
                "--hidden-layer-sizes",
                4,
                "--learning-rate-init",
                0.05,
                "--test-fraction",
                0,
                "--out",
                folder / "m.safetensors",
            )
            known[text] = folder
        return known[text]

    return trained


def predictions(folder: Path, text: str, tmp_path: Path) -> str:
    """Return what the model predicts for a table."""
    new, out = tmp_path / "new.csv", tmp_path / "p.csv"
    new.write_text(text, encoding="utf-8", newline="")
    ok("predict", folder / "m.safetensors", new, "--out", out)
    return out.read_text()


@pytest.mark.parametrize("pair", [pytest.param(pair, id=pair.name) for pair in PAIRS])
def test_the_same_rows_are_predicted_alike(pair: Pair, model: Callable[[str], Path], tmp_path: Path) -> None:
    folder = model(pair.trained)
    expected = predictions(folder, pair.trained, tmp_path)
    assert len({line.split(",")[0] for line in expected.splitlines()[1:]}) == 2, "the training has learnt nothing"
    (tmp_path / "new.csv").write_text(pair.new, encoding="utf-8", newline="")
    ran = run("predict", folder / "m.safetensors", tmp_path / "new.csv")
    if ran.code == 2 and pair.refusable:
        assert re.search(r"'d'.*row 1\b", ran.err), ran.err
        assert ran.err.count("\n") == 1
        return
    assert ran.code == 0, ran.err
    assert ran.out == expected


@pytest.mark.parametrize(
    ("trained", "new", "words_of_error"),
    [
        (PRICES, PRICES.replace("d,x,y", "e,x,y"), ("'d'", "missing")),
        (PRICES, PRICES.replace("120.5", "broken"), ("'d'", "'broken'", r"row 3\b")),
        (PRICES, PRICES.replace("120.5", "inf"), ("'d'", r"row 3\b", "infinite")),
        (DATES, DATES.replace("1990-03-03", "soon"), ("'d'", "'soon'", r"row 3\b")),
    ],
    ids=["column is missing", "stray", "infinite", "no date"],
)
def test_what_cannot_be_predicted_is_refused(
    trained: str, new: str, words_of_error: tuple[str, ...], model: Callable[[str], Path], tmp_path: Path
) -> None:
    assert new != trained
    (tmp_path / "new.csv").write_text(new)
    ran = run("predict", model(trained) / "m.safetensors", tmp_path / "new.csv")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    for word in ("new.csv", *words_of_error):
        assert re.search(word, ran.err), ran.err


@pytest.mark.parametrize("mark", ["", "NA", "NULL", "?", "-"])
def test_marks_are_missing_whether_training_had_them_or_not(
    mark: str, model: Callable[[str], Path], tmp_path: Path
) -> None:
    """All spellings of a missing value give one prediction."""
    for trained, value in ((PRICES, "120.5"), (DATES, "1990-03-03"), (LEVELS, "Köln")):
        folder = model(trained)
        assert predictions(folder, trained.replace(value, mark, 1), tmp_path) == predictions(
            folder, trained.replace(value, "", 1), tmp_path
        )


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_column_that_was_never_seen_is_noted(command: str, model: Callable[[str], Path], tmp_path: Path) -> None:
    folder = model(LEVELS)
    (tmp_path / "new.csv").write_text(made(words("Rom", "Oslo", "Wien")))
    ran = ok(command, folder / "m.safetensors", tmp_path / "new.csv")
    notes = [line for line in (ran.out + ran.err).splitlines() if line.startswith("note:")]
    assert any("'d'" in note for note in notes), ran.out + ran.err


def test_levels_that_are_one_number_stay_apart(model: Callable[[str], Path], tmp_path: Path) -> None:
    """F08: 3.1 and 3.10 were one level."""
    for texts in (("3.1", "3.10", "2.7.1", "x"), ("01", "1", "2A", "1.0"), ("1E5", "100000", "A7", "B")):
        lines = [
            line.split(",")
            for line in predictions(model(made(words(*texts))), made(words(*texts)), tmp_path).splitlines()[1:]
        ]
        assert [line[0] for line in lines] == ["hi" if i % 2 else "lo" for i in range(ROWS)]
