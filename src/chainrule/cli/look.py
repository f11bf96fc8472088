"""`chainrule look`: how a table is read, shown before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ..workbench.look import look_at
from . import show, version
from .data_options import ReadingCommand, asked_of, reading_options, target_option

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
        show.line(f"note: {' '.join(text.split())}")
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
    made = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), expand=False)
    made.add_column("column", no_wrap=True, max_width=28, overflow="ellipsis", min_width=6)
    made.add_column("is", no_wrap=True)
    made.add_column("written", no_wrap=True, max_width=18, overflow="ellipsis")
    made.add_column("missing", no_wrap=True, justify="right", max_width=24, overflow="ellipsis")
    made.add_column("values", no_wrap=True, overflow="ellipsis", ratio=1)
    made.add_column("spread", no_wrap=True, min_width=8)
    for fact in columns:
        style = "red" if fact["refused"] else "dim" if fact["left_out"] else ""
        kind = KINDS[fact["reads"]][0]
        cells = (fact["name"], kind, _form(fact), _missing(fact, rows), _values(fact), _spread(fact))
        made.add_row(*(Text(cell.replace("\n", " "), style) for cell in cells))
    show.print_table(made)


def _form(fact: Mapping[str, Any]) -> str:
    """Return how a number or a date is written, by an example; nothing for what is written plainly."""
    if fact["reads"] == "moment":
        return "2020-12-31" if fact["form"] == "iso" else EXAMPLE.strftime(fact["form"])
    return str(fact["form"])


def _missing(fact: Mapping[str, Any], rows: int) -> str:
    """Return the share of the cells that are missing, and the marks that stand there."""
    if not fact["missing"]:
        return ""
    share = 100 * fact["missing"] / rows
    words = f"{share:.0f} %" if share >= 1 else f"{fact['missing']:,}"
    return f"{words} {', '.join(fact['marks'])}".strip()


def _values(fact: Mapping[str, Any]) -> str:
    """Return the range of numbers and dates, or the levels of categories."""
    if fact["levels"] is not None:
        shown = ", ".join(level for level, _ in fact["levels"][:SHOWN_LEVELS])
        count = f"{fact['distinct']:,}: " if fact["distinct"] > 2 else ""
        return f"{count}{shown}"
    if fact["least"] is None:
        return ""
    if fact["reads"] == "moment":
        return f"{fact['least'].replace('T', ' ')} to {fact['most'].replace('T', ' ')}"
    if fact["least"] == fact["most"]:
        return f"always {show.number(fact['least'])}"
    return f"{show.number(fact['least'])} to {show.number(fact['most'])}, mean {show.number(fact['mean'])}"


def _spread(fact: Mapping[str, Any]) -> str:
    """Return a histogram in eight characters; of categories the rows of the most frequent levels."""
    counts = fact["histogram"]
    if counts is None and fact["levels"]:
        counts = [rows for _, rows in fact["levels"][:SHOWN_LEVELS]]
    if not counts:
        return ""
    top = max(counts)
    return "".join(" " if not n else BARS[min(len(BARS) - 1, (len(BARS) * n - 1) // top)] for n in counts)


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
