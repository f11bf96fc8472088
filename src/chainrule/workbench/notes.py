"""The warnings of a piece of work, collected for whoever shows them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def noted() -> Iterator[list[str]]:
    """Collect the warnings for users that are given inside, each once and on one line, instead of printing them."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield notes
        finally:
            given = (" ".join(str(w.message).split()) for w in caught if issubclass(w.category, UserWarning))
            notes.extend(dict.fromkeys(given))


SHARE = re.compile(r"([\d,]+) of ([\d,]+) values, such as ('.*?'|\".*?\")")
"""The count in a note on a part of the rows; other rows of the same source may have the same to say."""


def merge_notes(notes: list[str], more: Iterable[str]) -> None:
    """Add notes to those that are there: each once, and the counts of the same note on other rows summed.

    >>> notes = ["column 'a': 3 of 4 values, such as 'x', were never seen"]
    >>> merge_notes(notes, ["column 'a': 2 of 2 values, such as 'y', were never seen", "other"])
    >>> notes
    ["column 'a': 5 of 6 values, such as 'x', were never seen", 'other']
    """
    for text in more:
        place = next((k for k, known in enumerate(notes) if _kind(known) == _kind(text)), None)
        if place is None:
            notes.append(text)
        elif (there := SHARE.search(notes[place])) and (here := SHARE.search(text)):
            some, among = (int(there[k].replace(",", "")) + int(here[k].replace(",", "")) for k in (1, 2))
            summed = f"{some:,} of {among:,} values, such as {there[3]}"
            notes[place] = notes[place].replace(there[0], summed)


def _kind(note: str) -> str:
    return SHARE.sub("", note)


@contextmanager
def blaming(name: str, kind: type[ValueError] = ValueError) -> Iterator[None]:
    """Put the name of a file before an error of its data."""
    try:
        yield
    except kind as error:
        raise ValueError(f"{name}: {error}") from error
