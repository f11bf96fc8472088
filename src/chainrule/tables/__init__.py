"""Tables: columns of numbers, categories and dates, from files or frames, as a matrix of numbers."""

from .cells import TableError
from .columns import CategoryColumn, DroppedColumn, InputColumn, NumberColumn
from .encoder import TableEncoder, needs_encoding
from .files import SourceError, read_table, write_table

__all__ = [
    "CategoryColumn",
    "DroppedColumn",
    "InputColumn",
    "NumberColumn",
    "SourceError",
    "TableEncoder",
    "TableError",
    "needs_encoding",
    "read_table",
    "write_table",
]
