"""Write what is made of the rows of settings: the sections of the estimators' docstrings, and docs/parameters.md.

python tools/generate.py            writes the files
python tools/generate.py --check    writes nothing, names the files that are not as the rows say, and exits with 1
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from chainrule.estimators.settings.attributes import ATTRIBUTES
from chainrule.estimators.settings.row import CLASSIFIER, GROUPS, REGRESSOR, Setting
from chainrule.estimators.settings.table import SETTINGS

ROOT = Path(__file__).parents[1]
WIDTH = 120
"""Columns of a line of source."""

SECTION = re.compile(r"    Parameters\n    -{10}\n.*?(?=    Examples\n    -{8}\n)", re.DOTALL)
TABLE = r"(?<=## {heading}\n\n)\|.*?\n(?=\n|\Z)"
HEAD = "| parameter | default | accepts | for | has an effect with |\n|---|---|---|---|---|\n"


def sentence(words: str) -> str:
    """Return words as a sentence; Greek letters and names stay as they are."""
    first = words.split()[0]
    return (words if "_" in first or not first.isascii() else words[0].upper() + words[1:]) + "."


def lines(text: str, indent: int) -> str:
    """Return text in lines of at most WIDTH columns, indented."""
    return textwrap.fill(
        text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent, break_on_hyphens=False
    )


def parameter(name: str, row: Setting, default: Any) -> str:
    """Return the entry of a setting in a docstring: what it accepts, its default, its words and its condition."""
    accepts, told = f"    {name} : {row.rule.words}, default={default!r}", row.help
    if len(accepts) > WIDTH:
        accepts, told = f"    {name} : see below, default={default!r}", f"{told}: {row.rule.words}"
    condition = f" Has an effect with {row.condition.words}." if row.condition else ""
    return f"{accepts}\n{lines(sentence(told) + condition, 8)}\n"


def docstring_sections(estimator: str) -> str:
    """Return the sections Parameters and Attributes of an estimator's docstring."""
    rows = [(name, row) for name, row in SETTINGS.items() if estimator in row.defaults]
    made = "".join(parameter(name, row, row.defaults[estimator]) for name, row in rows)
    found = [(name, row) for name, row in ATTRIBUTES.items() if estimator in row.of]
    kept = "".join(f"    {name} : {row.kind}\n{lines(sentence(row.help), 8)}\n" for name, row in found)
    return f"    Parameters\n    {'-' * 10}\n{made}\n    Attributes\n    {'-' * 10}\n{kept}\n"


def source(estimator: str, text: str) -> str:
    """Return the source of an estimator with the sections that the rows make."""
    return SECTION.sub(lambda old: docstring_sections(estimator), text)


def page_row(name: str, row: Setting) -> str:
    """Return the line of a setting in docs/parameters.md."""
    given = {repr(default) for default in row.defaults.values()}
    default = ", ".join(
        f"`{default!r}`" + f" ({estimator})" * (len(given) > 1) for estimator, default in row.defaults.items()
    )
    default = f"`{given.pop()}`" if len(given) == 1 else default
    only = f" ({next(iter(row.defaults))} only)" if len(row.defaults) == 1 else ""
    condition = row.condition.words if row.condition else ""
    return f"| `{name}` | {default} | {row.rule.words} | {row.help}{only} | {condition} |\n"


def page(text: str) -> str:
    """Return docs/parameters.md with the tables that the rows make, one under the heading of each group."""
    for group, heading in GROUPS.items():
        table = HEAD + "".join(page_row(name, row) for name, row in SETTINGS.items() if row.group == group)
        text = re.sub(TABLE.format(heading=heading), lambda old, new=table: new, text, count=1, flags=re.DOTALL)
    return text


MADE: Mapping[str, Callable[[str], str]] = {
    "src/chainrule/estimators/classifier.py": partial(source, CLASSIFIER),
    "src/chainrule/estimators/regressor.py": partial(source, REGRESSOR),
    "docs/parameters.md": page,
}
"""The files, and how each is made of its old text."""


def main() -> int:
    """Write or check the files; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check, stale = parser.parse_args().check, 0
    for name, make in MADE.items():
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        new = make(old)
        if new != old:
            stale += 1
            print(f"{name}: {'not as the rows of the settings say; run python tools/generate.py' * check or 'written'}")
            if not check:
                path.write_text(new, encoding="utf-8")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
