"""`chainrule look`: how a table is read, shown before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..workbench.look import look_at
from . import show, version
from .data_options import ReadingCommand, asked_of, reading_options, target_option
from .option_types import as_options

MOST_COLUMNS = 40
"""Of more columns the first are shown."""

KINDS: Mapping[str, tuple[str, str]] = {
    "number": ("number", "numbers"),
    "moment": ("date", "dates"),
    "duration": ("duration", "durations"),
    "flag": ("flag", "flags"),
    "category": ("category", "categories"),
}
"""The word for what a column is, and that for several."""

BARS = "▁▂▃▄▅▆▇█"

SHOWN_LEVELS = 8

SMALL = 0.1
"""The smallest share that is told, in percent."""

NARROWEST, WIDE = 72, 100
"""Lines are at least as long as the first; from the second on there is room for the mean."""

EXAMPLE = datetime(2020, 12, 31, 18, 30, tzinfo=UTC)
"""The moment that shows how dates are written."""


@click.command(cls=ReadingCommand, epilog="Example: chainrule look people.csv --target income")
@click.argument("source")
@target_option("say which task would be guessed for this column (or several: a,b)")
@click.option("--weights", metavar="COLUMN", help="the column that would weigh the training rows")
@click.option(
    "--task",
    type=click.Choice(["auto", "classification", "regression"]),
    default="auto",
    help="auto tells from the target  [auto]",
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON object and nothing else")
@reading_options
@click.pass_context
def look(ctx: click.Context, /, source: str, as_json: bool, **rest: Any) -> None:
    """Show how SOURCE is read: its dialect, what each column is, what is missing, what training would leave out.

    It is what to run first when something looks wrong. Whatever it says wrongly can be said otherwise by an option,
    here and in chainrule train: --columns zip:category, --ignore id, --decimal comma.
    """
    facts = look_at(source, asked_of(ctx))
    if as_json:
        hidden = {"dialect_words"}
        shown = {name: value for name, value in facts.items() if name not in hidden}
        return show.print_json({"command": "look", "version": version(), **shown})
    _show_source(facts)
    if facts["columns"]:
        _show_columns(facts["columns"][:MOST_COLUMNS], facts["source"]["rows"])
        _show_more(facts["columns"][MOST_COLUMNS:])
    _show_task(facts["task"])
    for text in facts["notes"]:
        show.line(f"note: {' '.join(as_options(text).split())}")
    return None


def _show_source(facts: Mapping[str, Any]) -> None:
    source, inputs = facts["source"], facts.get("inputs")
    what = "column" if inputs is None else "input"
    rows = show.plural(source["rows"], "row")
    show.line(f"data: {source['name']}, {rows} with {show.plural(source['columns'], what)}")
    if facts["dialect_words"] is not None:
        show.line(f"read with: {facts['dialect_words']}")
    if inputs is not None:
        shape = inputs["image_shape"]
        images = "" if shape is None else f", images of {' x '.join(map(str, shape))}"
        scale = "" if inputs["scale"] == 1 else f", multiplied by {inputs['scale']:.6g} before use"
        show.line(f"inputs: {inputs['dtype']} from {inputs['least']:g} to {inputs['most']:g}{images}{scale}")


def _show_columns(columns: Sequence[Mapping[str, Any]], rows: int) -> None:
    """Print the table of columns: those that are left out are dim, those that are refused red."""
    cells = [[one_line(cell(fact, rows)) for cell in CELLS.values()] for fact in columns]
    made = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown = [k for k, _ in enumerate(CELLS) if any(row[k] for row in cells)]
    heads = list(CELLS)
    for k, width in zip(shown, _widths(cells, shown), strict=True):
        justify: Any = "right" if heads[k] == "missing" else "left"
        made.add_column(heads[k], width=width, justify=justify, no_wrap=True, overflow="ellipsis")
    for fact, row in zip(columns, cells, strict=True):
        style = "red" if fact["refused"] else "dim" if fact["left_out"] else ""
        made.add_row(*(Text(row[k], style) for k in shown))
    show.print_table(made, least=NARROWEST)


def _widths(cells: Sequence[Sequence[str]], shown: Sequence[int]) -> list[int]:
    """Return a width for each column that is shown: what it needs, up to its share; the values take the rest."""
    heads = list(CELLS)
    needed = {k: max(cell_len(text) for text in (heads[k], *(row[k] for row in cells))) for k in shown}
    room = max(Console().width, NARROWEST) - 2 - 2 * len(shown)
    widths = {k: min(needed[k], int(room * SHARES.get(heads[k], 1))) for k in shown}
    values = heads.index("values")
    if values in widths:
        others = sum(width for k, width in widths.items() if k != values)
        widths[values] = min(needed[values], max(room - others, 10))
    return list(widths.values())


def one_line(text: str) -> str:
    """Return a text without line ends and other signs that a terminal would act on."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _form(fact: Mapping[str, Any], rows: int) -> str:
    """Return how a number or a date is written, by an example; nothing for what is written plainly."""
    if fact["reads"] == "moment":
        return "2020-12-31" if fact["form"] == "iso" else EXAMPLE.strftime(fact["form"])
    return str(fact["form"])


def _kind(fact: Mapping[str, Any], rows: int) -> str:
    return KINDS[fact["reads"]][0]


def _missing(fact: Mapping[str, Any], rows: int) -> str:
    """Return the share of the cells that are missing, and the marks that stand there."""
    if not fact["missing"]:
        return ""
    share = 100 * fact["missing"] / rows
    words = f"{share:.0f} %" if share >= 1 else f"{share:.1f} %" if share >= SMALL else f"<{SMALL} %"
    return f"{words} {', '.join(fact['marks'])}".strip()


def _values(fact: Mapping[str, Any], rows: int) -> str:
    """Return the range of numbers and dates, or the levels of categories."""
    if fact["levels"] is not None:
        shown = ", ".join(level for level, _ in fact["levels"][:SHOWN_LEVELS])
        count = f"{fact['distinct']:,} levels: " if fact["distinct"] > 2 else ""
        return f"{count}{shown}"
    if fact["least"] is None:
        return ""
    least, most = (_plain(fact, key) for key in ("least", "most"))
    if fact["least"] == fact["most"]:
        return f"always {least}"
    told = fact["reads"] == "number" and Console().width >= WIDE
    return f"{least} to {most}" + (f", mean {_plain(fact, 'mean')}" if told else "")


def _plain(fact: Mapping[str, Any], key: str) -> str:
    """Return a figure of a column as one would write it: dates with a blank, whole numbers without a point."""
    value = fact[key]
    if fact["reads"] == "moment":
        return str(value).replace("T", " ")
    if fact["reads"] == "duration":
        return str(timedelta(seconds=round(value)))
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e4 else show.number(value)


def _spread(fact: Mapping[str, Any], rows: int) -> str:
    """Return a histogram in eight characters; of categories the rows of the most frequent levels."""
    counts = fact["histogram"]
    if counts is None and fact["levels"]:
        counts = [rows for _, rows in fact["levels"][:SHOWN_LEVELS]]
    if not counts:
        return ""
    top = max(counts)
    return "".join(" " if not n else BARS[min(len(BARS) - 1, (len(BARS) * n - 1) // top)] for n in counts)


CELLS: Mapping[str, Callable[[Mapping[str, Any], int], str]] = {
    "column": lambda fact, rows: str(fact["name"]),
    "is": _kind,
    "written": _form,
    "missing": _missing,
    "values": _values,
    "spread": _spread,
}
"""The cells shown of a column, by the head of the table."""

SHARES = {"column": 0.2, "written": 0.2, "missing": 0.2}
"""The largest share of a line that some cells may take."""


def _show_more(others: Sequence[Mapping[str, Any]]) -> None:
    """Print how many columns of each kind are not shown."""
    if not others:
        return
    counts = Counter(fact["reads"] for fact in others)
    words = ", ".join(f"{n:,} {KINDS[kind][n > 1]}" for kind, n in counts.most_common())
    show.line(f"... and {show.plural(len(others), 'more column')}: {words}")


def _show_task(task: Mapping[str, Any] | None) -> None:
    if task is None:
        return
    if task["refused"]:
        show.line(f"task: none, training would be refused: {task['refused']}")
    else:
        show.line(f"task: {task['task']}, because {task['why']}")
