"""Tables: columns of numbers, categories and dates, from files or frames, as a matrix of numbers."""

from .cells import TableError
from .columns import CategoryColumn, DroppedColumn, InputColumn, NumberColumn
from .encoder import TableEncoder, needs_encoding
from .reading import Dialect, OpenedTable, ReadOptions, SourceError, open_table, read_table
from .table import Cells, Table
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
    "TableWriter",
    "needs_encoding",
    "open_table",
    "read_table",
    "write_table",
]
