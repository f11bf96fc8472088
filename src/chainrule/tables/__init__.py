"""Tables: columns of numbers, categories and dates, from files or frames, as a matrix of numbers."""

from .columns import CategoryColumn, DroppedColumn, InputColumn, NumberColumn
from .encoder import TableEncoder, TableWarning, needs_encoding
from .frames import table_of
from .reading import Dialect, OpenedTable, ReadOptions, SourceError, open_table, read_table
from .table import Cells, Table, TableError
from .writing import TableWriter, write_table

__all__ = [
    "CategoryColumn",
    "Cells",
    "Dialect",
    "DroppedColumn",
    "InputColumn",
    "NumberColumn",
    "OpenedTable",
    "ReadOptions",
    "SourceError",
    "Table",
    "TableEncoder",
    "TableError",
    "TableWarning",
    "TableWriter",
    "needs_encoding",
    "open_table",
    "read_table",
    "table_of",
    "write_table",
]
