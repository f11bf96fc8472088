"""The warnings of a piece of work, collected for whoever shows them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
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


@contextmanager
def blaming(name: str, kind: type[ValueError] = ValueError) -> Iterator[None]:
    """Put the name of a file before an error of its data."""
    try:
        yield
    except kind as error:
        raise ValueError(f"{name}: {error}") from error
