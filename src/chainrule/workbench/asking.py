"""The questions of a face about a table: the words for it, handed on to the rooms above the workbench."""

from ..tables.meaning import DECLARED
from ..tables.reading.options import OPTIONS, SEPARATORS, Dialect, ReadOptions
from ..tables.source import names_of, target_words
from ..tables.sources import Asked
from ..tables.targets import split_names

TYPES = (*DECLARED, "text")
"""The kinds that a user may declare a column to be."""

__all__ = [
    "OPTIONS",
    "SEPARATORS",
    "TYPES",
    "Asked",
    "Dialect",
    "ReadOptions",
    "names_of",
    "split_names",
    "target_words",
]
