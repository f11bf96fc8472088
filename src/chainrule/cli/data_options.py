"""The options that say what the data are and how their files are read; one table of each, for every command.

`asked_of` turns what stands on a command line into what the sources are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import click

from ..workbench.asking import OPTIONS, SEPARATORS, TYPES, Asked, ReadOptions, split_names
from .option_types import ParamType

Command = Callable[..., Any]


def _separator(text: str) -> str:
    """Return a separator: one character, or "space" for runs of blanks."""
    known = SEPARATORS.get(text.lower(), text)
    if known == "space" or text.lower() == "space":
        return "space"
    if len(known) != 1 or known in "\r\n":
        raise ValueError("one character such as ';', or tab, space, pipe")
    return known


def _character(text: str) -> str:
    """Return a quote or an escape: one character, or "" for none."""
    if text.lower() in ("none", ""):
        return ""
    if len(text) != 1 or text in "\r\n":
        raise ValueError("one character such as '\"', or none")
    return text


def _decimal(text: str) -> str:
    known = {"point": ".", "comma": ","}.get(text.lower(), text)
    if known not in (".", ","):
        raise ValueError(". or , (or the words point, comma)")
    return known


def _encoding(text: str) -> str:
    try:
        "".encode(text)
    except LookupError:
        raise ValueError("an encoding such as utf-8, utf-16, latin-1 or windows-1252") from None
    return text


def _some_text(text: str) -> str:
    if not text.strip():
        raise ValueError("some text")
    return text


PAIR = re.compile(rf"\s*(.+?)\s*:\s*({'|'.join(TYPES)})\s*(?:,|$)")


def _types(text: str) -> dict[str, str]:
    """Return name -> type of NAME:TYPE,NAME:TYPE; the last colon before a type divides.

    >>> _types("zip:category,born:date")
    {'zip': 'category', 'born': 'date'}
    """
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        pair = PAIR.match(text, place)
        if pair is None:
            raise ValueError(f"NAME:TYPE,NAME:TYPE with the types {', '.join(TYPES)}")
        found[pair[1].strip('"')] = pair[2]
        place = pair.end()
    if not found:
        raise ValueError(f"NAME:TYPE,NAME:TYPE with the types {', '.join(TYPES)}")
    return found


class Row(NamedTuple):
    """One option of reading: its placeholder, how its text is read, and what happens without it."""

    shape: str
    read: Callable[[str], Any]
    default: str = "guessed"


READING: Mapping[str, Row] = {
    "columns": Row("NAME:TYPE,...", _types, "told from their values"),
    "ignore": Row("NAME,...", lambda text: tuple(split_names(text)), "none"),
    "separator": Row("CHARACTER", _separator),
    "decimal": Row(". or ,", _decimal),
    "quote": Row("CHARACTER", _character),
    "escape": Row("CHARACTER", _character),
    "comment": Row("CHARACTER", _character),
    "encoding": Row("NAME", _encoding),
    "table": Row("NAME", _some_text, "the only one"),
    "query": Row("SQL", _some_text, "none"),
}
"""The options that say how a file is read; --header is a flag beside them."""

READING_NAMES = (*READING, "header")

READING_HEADING = "Reading the file (what is not said is found out)"

TARGET_HELP = "what to predict: a column (or several: a,b) of a table, an array of an NPZ file"


class Reading(ParamType):
    """The text of an option of reading, by its row."""

    def __init__(self, name: str) -> None:
        self.name, self.row = name, READING[name]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text as it was given, after its row has read it: `asked_of` reads it again."""
        try:
            self.row.read(value)
        except ValueError as error:
            raise click.UsageError(f"--{self.name} must be {error}; got {value!r}", ctx) from None
        return value


class ReadingCommand(click.Command):
    """A command whose help shows the options of reading below its own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write its own options, then those of reading."""
        records = {p.name: p.get_help_record(ctx) for p in self.get_params(ctx) if isinstance(p, click.Option)}
        own = [record for name, record in records.items() if record and name not in READING_NAMES]
        reading = [record for name in READING_NAMES if (record := records.get(name))]
        for heading, rows in (("Options", own), (READING_HEADING, reading)):
            with formatter.section(heading):
                formatter.write_dl(rows)


def reading_options(command: Command) -> Command:
    """Give a command the options of reading a file."""
    click.option("--header/--no-header", default=None, help=f"{OPTIONS['header']}  [guessed]")(command)
    for name, row in reversed([*READING.items()]):
        several, text = name in ("columns", "ignore"), f"{OPTIONS[name]}  [{row.default}]"
        click.option(f"--{name}", type=Reading(name), metavar=row.shape, multiple=several, help=text)(command)
    return command


def target_option(help_text: str = TARGET_HELP) -> Callable[[Command], Command]:
    """Return the option of the target."""
    return click.option("--target", metavar="COLUMN", multiple=True, help=help_text)


def data_options(command: Command) -> Command:
    """Give a command that trains the options of the data."""
    options = (
        target_option(),
        click.option("--test", metavar="FILE", help="test on this file, and train on every row of SOURCE"),
        click.option(
            "--test-fraction",
            type=click.FloatRange(0, 1, max_open=True),
            default=0.2,
            metavar="NUMBER",
            help="share of the rows held out for the test where SOURCE brings none; 0 tests nothing  [0.2]",
        ),
        click.option(
            "--task",
            type=click.Choice(["auto", "classification", "regression"]),
            default="auto",
            help="auto tells from the target  [auto]",
        ),
        click.option("--weights", metavar="COLUMN", help="a column that weighs the training rows; it is no input"),
    )
    for add in options:
        command = add(command)
    return reading_options(command)


def asked_of(ctx: click.Context) -> Asked:
    """Return the request to the sources, from the options on the command line."""
    given = {name: ctx.params.get(name) for name in READING_NAMES}
    read = {name: READING[name].read(value) for name, value in given.items() if isinstance(value, str)}
    columns: dict[str, str] = {}
    for text in given["columns"] or ():
        columns |= _types(text)
    ignore = tuple(name for text in given["ignore"] or () for name in split_names(text))
    facts = {**read, "header": given["header"], "columns": columns, "ignore": ignore}
    return Asked(
        target=tuple(ctx.params.get("target") or ()),
        weights=ctx.params.get("weights"),
        task=ctx.params.get("task") or "auto",
        reading=ReadOptions(**facts),
    )
