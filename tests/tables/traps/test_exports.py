"""Whole files as the programs of this world export them: several traps in each."""

from __future__ import annotations

import datetime
import gzip
from pathlib import Path

from support.traps import ANY, Is, Right, Trap, category, check, grid, label, moment, number, refusal, tenths, traps

X = number(0.0, 3.7, 7.4)
Y = category("lo", "hi", "hi", "lo", levels=("hi", "lo"))
ROWS = 60


def comma(text: str) -> str:
    """Return a number with its point and comma exchanged."""
    return text.translate(str.maketrans(".,", ",."))


def euro(i: int) -> str:
    """Return an amount as German book-keeping writes it."""
    return comma(f"{1500.25 * i - 9000:,.2f}") + " €"


def date(i: int) -> datetime.date:
    """Return a day of 2015 or later."""
    return datetime.date(2015, 1, 13) + datetime.timedelta(days=37 * i)


CARS = ("ford pinto", "toyota corona", "audi 100 ls")
PASSENGERS = (
    "Braund, Mr. Owen Harris",
    'Nourney, Mr. Alfred ("Baron von Drachstedt")',
    'O\'Dwyer, Miss. Ellen "Nellie"',
)


def quoted(text: str) -> str:
    """Return a text in quotes, those in it doubled."""
    return '"' + text.replace('"', '""') + '"'


GERMAN_EXCEL = "sep=;\r\n" + grid(
    ROWS,
    ";",
    "\r\n",
    Datum=lambda i: f"{date(i):%d.%m.%Y}",
    Betrag=euro,
    Größe=lambda i: comma(tenths(i)),
    ja=lambda i: ("ja", "nein")[i % 2],
)
MYSQL = grid(
    ROWS,
    id=lambda i: f'"{i + 1}"',
    note=lambda i: (r'"said \"no\", twice"', r'"5\" pipe"', r'"C:\\new"')[i % 3],
    born=lambda i: '"0000-00-00"' if i == 5 else f'"{date(i)}"',
    x=lambda i: r"\N" if i % 4 == 1 else f'"{tenths(i)}"',
)
R = grid(
    ROWS,
    **{'""': lambda i: f'"{i + 1}"'},
    x=lambda i: "NA" if i == 1 else tenths(i),
    ok=lambda i: ("TRUE", "FALSE")[i % 2],
    y=lambda i: f'"{label(i)}"',
)
ADULT = grid(
    ROWS,
    ", ",
    header=False,
    age=lambda i: str(20 + i),
    work=lambda i: ("?", "Private", "State-gov")[i % 3],
    weight=lambda i: str(77_516 + 31 * i),
    income=lambda i: ("<=50K", ">50K")[i % 2],
)
MPG = grid(
    ROWS,
    "   ",
    header=False,
    mpg=lambda i: f"{18 + i % 9}.0",
    cylinders=lambda i: str(4 + i % 5),
    power=lambda i: f"{'?' if i % 10 == 3 else f'{130 + i}.0':<10}",
    weight=lambda i: f'{3504 + i}.     12.0   70  1\t"{CARS[i % 3]}"',
)
POSTGRES = grid(
    ROWS,
    "\t",
    x=lambda i: r"\N" if i == 1 else tenths(i),
    ok=lambda i: "tf"[i % 2],
    at=lambda i: f"{date(i)} 10:20:30+00",
    y=label,
)
BANK = grid(
    ROWS,
    **{
        "Date": lambda i: f"{date(i):%m/%d/%Y}",
        "Amount": lambda i: f'"(${i * 100:,.2f})"' if i % 2 else f'"${i * 100:,.2f}"',
        "Change": lambda i: f"{i - 20}.5%",
    },
    kind=label,
)
TITANIC = grid(
    ROWS,
    PassengerId=lambda i: str(i + 1),
    Name=lambda i: quoted(PASSENGERS[i % 3]),
    Ticket=lambda i: ("A/5 21171", "PC 17599", "113803")[i % 3],
    Cabin=lambda i: "C85" if i % 10 == 0 else "",
    Fare=tenths,
    Survived=lambda i: str(i % 2),
)
LOGGER = "# station: 7\n# unit: °C, m/s\n#\n" + grid(
    ROWS, at=lambda i: f"{date(i)}T10:20:30Z", temperature=lambda i: "nan" if i == 1 else f"{i - 20}.5", wind=tenths
)
FORMS = grid(
    ROWS,
    Timestamp=lambda i: f"{date(i).month}/{date(i).day}/{date(i).year} 13:05:07",
    Age=lambda i: str(20 + i % 30),
    **{'"Why, in one word?"': lambda i: '"so\nso"' if i % 2 else '"good, very"'},
)
WINE = grid(
    ROWS, ";", **{'"fixed acidity"': tenths, '"pH"': lambda i: f"3.{i % 10}", '"quality"': lambda i: str(3 + i % 6)}
)
IRIS = grid(ROWS, header=False, a=tenths, b=tenths, name=lambda i: ("Iris-setosa", "Iris-virginica")[i % 2]) + "\n\n"
SPARK = grid(ROWS, x=tenths, note=lambda i: '"{\\"a\\": 1}"' if i % 2 else '""', y=label)
SAS = grid(ROWS, x=lambda i: "." if i % 3 == 1 else tenths(i), day=lambda i: f"{date(i):%d%b%Y}".upper(), y=label)
ACCOUNTS = grid(
    ROWS,
    ";",
    konto=lambda i: f"{i % 9:04d}",
    soll=lambda i: comma(f"{i * 1000.5:,.2f}"),
    haben=lambda i: "-" if i % 2 else comma(f"{i * 1000.5:,.2f}"),
)
MULTI = "x,x,y\nmean,std,\n" + grid(ROWS, header=False, a=tenths, b=tenths, y=label)
SENSORS = grid(
    ROWS,
    time=lambda i: str(1_580_466_000_000 + 60_000 * i),
    lat=lambda i: f"{50 + i / 8}",
    state=lambda i: ("on", "off")[i % 2],
    value=lambda i: "" if i % 5 == 1 else f"{i}e-3",
)

ROWS_OF_TABLE = [
    Trap(
        "German Excel",
        "eu.csv",
        GERMAN_EXCEL.encode("cp1252"),
        Right(
            ROWS,
            {
                "Datum": moment(date(0), date(1)),
                "Betrag": number(-9000.0, -7499.75, -5999.5),
                "Größe": X,
                "ja": Is("category|flag", ("ja", "nein")),
            },
        ),
    ),
    Trap(
        "MySQL with an escape",
        "dump.csv",
        MYSQL,
        Right(
            ROWS,
            {
                "id": Is("number", left_out=True),
                "note": category('said "no", twice', '5" pipe', r"C:\new"),
                "born": moment(date(0), date(1), date(2), date(3), date(4), None, bad={"0000-00-00": 6}),
                "x": number(0.0, None, 7.4, missing=15),
            },
        ),
    ),
    Trap(
        "write.csv of R",
        "r.csv",
        R,
        Right(
            ROWS,
            {
                "column0": Is("number", left_out=True),
                "x": number(0.0, None, 7.4, marks={"NA": 1}),
                "ok": Is("flag", ("TRUE", "FALSE")),
                "y": Y,
            },
        ),
    ),
    Trap(
        "adult.data of UCI",
        "adult.data",
        ADULT,
        Right(
            ROWS,
            {
                "column0": number(20, 21),
                "column1": Is("category", missing=20),
                "column2": number(77_516, 77_547),
                "column3": Is("category"),
            },
        ),
    ),
    Trap(
        "auto-mpg.data of UCI",
        "auto-mpg.data",
        MPG,
        (
            Right(ROWS, {**{f"column{k}": ANY for k in range(7)}, "column7": Is("category", CARS, levels=CARS)}),
            refusal("separator|line|row"),
        ),
    ),
    Trap(
        "winequality.csv of UCI",
        "wine.csv",
        WINE,
        Right(ROWS, {"fixed acidity": X, "pH": number(3.0, 3.1), "quality": number(3, 4, 5)}),
    ),
    Trap(
        "iris.data of UCI",
        "iris.data",
        IRIS,
        Right(ROWS, {"column0": X, "column1": X, "column2": category("Iris-setosa", "Iris-virginica")}),
    ),
    Trap(
        "COPY of Postgres",
        "copy.tsv",
        POSTGRES,
        Right(
            ROWS,
            {
                "x": number(0.0, None, 7.4, missing=1),
                "ok": Is("flag", ("t", "f")),
                "at": moment(datetime.datetime(2015, 1, 13, 10, 20, 30)),
                "y": Y,
            },
        ),
    ),
    Trap(
        "statement of a bank",
        "bank.csv",
        BANK,
        Right(
            ROWS,
            {
                "Date": moment(date(0), date(1)),
                "Amount": number(0.0, -100.0, 200.0, -300.0),
                "Change": Is("number", (-20.5, -19.5), form="1234.5%"),
                "kind": Y,
            },
        ),
    ),
    Trap(
        "titanic",
        "titanic.csv",
        TITANIC,
        Right(
            ROWS,
            {
                "PassengerId": Is("number", left_out=True),
                "Name": category(*PASSENGERS, levels=PASSENGERS),
                "Ticket": category("A/5 21171", "PC 17599", "113803"),
                "Cabin": Is("category", missing=54),
                "Fare": X,
                "Survived": number(0, 1),
            },
        ),
    ),
    Trap(
        "a logger",
        "log.csv",
        LOGGER,
        Right(
            ROWS,
            {
                "at": moment(datetime.datetime(2015, 1, 13, 10, 20, 30)),
                "temperature": number(-20.5, None, -18.5, missing=1),
                "wind": X,
            },
        ),
    ),
    Trap(
        "answers to a form",
        "form.csv",
        FORMS,
        Right(
            ROWS,
            {
                "Timestamp": moment(datetime.datetime(2015, 1, 13, 13, 5, 7)),
                "Age": number(20, 21),
                "Why, in one word?": category("good, very", "so\nso"),
            },
        ),
    ),
    Trap(
        "Spark with an escape",
        "part-0.csv",
        SPARK,
        Right(ROWS, {"x": X, "note": Is("category", (None, '{"a": 1}'), missing=30), "y": Y}),
    ),
    Trap(
        "SAS",
        "sas.csv",
        SAS,
        Right(
            ROWS, {"x": number(0.0, None, 7.4, missing=20, marks={".": 20}), "day": moment(date(0), date(1)), "y": Y}
        ),
    ),
    Trap(
        "book-keeping",
        "accounts.csv",
        ACCOUNTS,
        Right(
            ROWS,
            {
                "konto": Is("category", ("0000", "0001")),
                "soll": number(0.0, 1000.5, 2001.0),
                "haben": number(0.0, None, 2001.0, missing=30),
            },
        ),
    ),
    Trap(
        "two lines of names, as pandas writes them",
        "multi.csv",
        MULTI,
        refusal(r"row 1\b"),
        train=("--target", "y"),
    ),
    Trap(
        "sensors",
        "sensors.csv.gz",
        gzip.compress(SENSORS.encode("utf-16")),
        Right(
            ROWS,
            {
                "time": number(1_580_466_000_000, 1_580_466_060_000),
                "lat": number(50.0, 50.125),
                "state": Is("flag", ("on", "off")),
                "value": number(0.0, None, 0.002, missing=12),
            },
        ),
    ),
]


@traps(ROWS_OF_TABLE)
def test_exports(trap: Trap, tmp_path: Path) -> None:
    check(trap, tmp_path)
