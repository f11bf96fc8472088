"""Tables: columns of numbers, categories and dates, from files or frames, as a matrix of numbers."""

from .columns import CategoryColumn, DroppedColumn, InputColumn, NumberColumn
from .encoder import TableEncoder, TableWarning, needs_encoding
from .files import SourceError, read_table, write_table
from .frames import table_of
from .table import Cells, Table, TableError

__all__ = [
    "CategoryColumn",
    "Cells",
    "DroppedColumn",
    "InputColumn",
    "NumberColumn",
    "SourceError",
    "Table",
    "TableEncoder",
    "TableError",
    "TableWarning",
    "needs_encoding",
    "read_table",
    "table_of",
    "write_table",
]
