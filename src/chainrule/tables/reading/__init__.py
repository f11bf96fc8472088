"""From a name to a table: text files, Parquet, JSON lines, Arrow, Excel and databases, all read by DuckDB.

The only room that knows DuckDB. Whatever cannot be read is a `SourceError` of one line: file, row, cause, remedy.
"""

from .errors import SourceError
from .opened import OpenedTable, open_table, read_table
from .options import OPTIONS, Dialect, ReadOptions

__all__ = ["OPTIONS", "Dialect", "OpenedTable", "ReadOptions", "SourceError", "open_table", "read_table"]
