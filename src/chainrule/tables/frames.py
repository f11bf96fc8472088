"""Any DataFrame -> `Table`: pandas, polars, pyarrow, DuckDB relations, dicts of arrays.

The same data give the same table, whatever holds them: a pandas column of objects, nullable integers, an Arrow array.

Shapes: n rows, k columns of plain numbers.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ..foundation.words import listed
from .series import FLOATS, WHOLES, array_cells, pandas_cells, series_cells, value_cells
from .table import EXACT, Cells, Table, TableError
from .texts import plain_numbers

INDEX = "__index_level_"
"""The beginning of the names that pandas gives the levels of its index in Arrow."""


def is_frame(given: Any) -> bool:
    """Return True for what `table_of` takes."""
    if type(given) is np.ndarray:
        return False
    if isinstance(given, Table | Mapping) or nw.dependencies.is_pandas_dataframe(given) or _is_batch(given):
        return True
    return isinstance(nw.from_native(given, pass_through=True), nw.DataFrame | nw.LazyFrame)


def collected(given: Any) -> Any:
    """Return a lazy frame collected, and anything else as it is; TableError where it cannot be computed."""
    if type(given) is np.ndarray or nw.dependencies.is_pandas_dataframe(given):
        return given
    lazy = _is_batch(given) or isinstance(nw.from_native(given, pass_through=True), nw.LazyFrame)
    return _eager(given).to_native() if lazy else given


def table_of(frame: Any, only: Collection[str] | None = None, texts: Collection[str] = ()) -> Table:
    """Return any DataFrame as a table; with `only`, no others of its columns are looked at.

    A column of texts that are all plain numbers becomes numbers, unless it is one of `texts`: 3.10 stays 3.10.

    Taken are frames of pandas, polars (eager and lazy), pyarrow, DuckDB, and whatever else narwhals knows; mappings
    from names to n values each; a `Table` as it is. Names become texts.

    Raises TableError for anything else, for repeated names, and for columns of lists or bytes.

    >>> table = table_of({"age": [31, None], "town": ["Bonn", "Ulm"], "code": ["007", "7"], "size": ["1.5", "2"]})
    >>> table.rows(), table.block_names
    ([(31.0, 'Bonn', '007', 1.5), (None, 'Ulm', '7', 2.0)], ('age', 'size'))
    """
    if isinstance(frame, Table):
        return frame
    wanted = None if only is None else frozenset(only)
    if nw.dependencies.is_pandas_dataframe(frame):
        parts = _pandas_parts(frame, wanted)
    elif isinstance(frame, Mapping):
        parts = _mapped_parts(frame, wanted)
    else:
        parts = _eager_parts(_eager(frame), wanted)
    return _assembled(*parts, texts)


def array_table(array: NDArray[Any], texts: Collection[str] = ()) -> Table:
    """Return a matrix (n, k) as a table of the columns x0, x1, ...; `texts` as in `table_of`."""
    names = tuple(f"x{k}" for k in range(array.shape[1]))
    if array.dtype.kind == "f":
        return Table(names, array.astype(np.float64, copy=False), names, {})
    cells = {name: array_cells(name, array[:, k]) for k, name in enumerate(names)}
    return _assembled(names, np.empty((len(array), 0)), (), cells, texts)


def _is_batch(given: Any) -> bool:
    return type(given).__name__ == "RecordBatch" and type(given).__module__.startswith("pyarrow")


def _eager(frame: Any) -> nw.DataFrame[Any]:
    """Return a frame that narwhals knows, collected where it is lazy."""
    if _is_batch(frame):
        frame = sys.modules["pyarrow"].Table.from_batches([frame])
    try:
        known = nw.from_native(frame)
        return known.collect() if isinstance(known, nw.LazyFrame) else known
    except TypeError as error:
        raise TableError(f"expected a DataFrame, got {type(frame).__name__}") from error
    except nw.exceptions.DuplicateError:
        raise _repeated(frame.column_names if hasattr(frame, "column_names") else frame.columns) from None
    except Exception as error:  # whatever the library raises where a lazy frame cannot be computed
        cause = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
        raise TableError(f"the {type(frame).__name__} cannot be collected: {cause}") from error


def _texts(names: Iterable[Any]) -> list[str]:
    """Return names as texts; TableError where two are the same."""
    texts = [*map(str, names)]
    if len(set(texts)) < len(texts):
        raise _repeated(texts)
    return texts


def _repeated(names: Iterable[Any]) -> TableError:
    twice = [name for name, count in Counter(map(str, names)).items() if count > 1]
    return TableError(f"column names must be unique; given more than once: {listed(twice)}")


Parts = tuple[Sequence[str], NDArray[np.float64], Sequence[str], Mapping[str, Cells]]
"""The names of all columns, the block of numbers and the names of its columns, the other columns."""


def _assembled(
    names: Sequence[str],
    block: NDArray[np.float64],
    block_names: Sequence[str],
    others: Mapping[str, Cells],
    texts: Collection[str],
) -> Table:
    """Return the table of `Parts`; some of the others may be plain numbers as well."""
    if others:
        others = {name: cells if name in texts else plain_numbers(cells) for name, cells in others.items()}
    plain = {n: c for n, c in others.items() if c.kind == "number" and c.values.dtype == np.float64}
    if plain:
        more = np.stack([cells.values for cells in plain.values()], axis=1)
        block = np.concatenate([block, more], axis=1) if block_names else more
    rest = {name: cells for name, cells in others.items() if name not in plain}
    return Table(tuple(names), block, (*block_names, *plain), rest)


def _exact(block: NDArray[np.float64], whole: list[int]) -> list[int]:
    """Return the columns of integers that float64 may not hold exactly."""
    if not whole or not len(block):
        return []
    part = block if len(whole) == block.shape[1] else block[:, whole]
    return [whole[k] for k in np.flatnonzero((np.abs(part) >= EXACT).any(axis=0))]


def _pandas_parts(frame: Any, only: frozenset[str] | None) -> Parts:
    names = _texts(frame.columns.tolist())
    if only is not None:
        kept = [k for k, name in enumerate(names) if name in only]
        if len(kept) < len(names):
            frame, names = frame.iloc[:, kept], [names[k] for k in kept]
    kinds = [dtype.kind if isinstance(dtype, np.dtype) else "" for dtype in frame.dtypes.tolist()]
    plain = [k for k, kind in enumerate(kinds) if kind in ("f", "i", "u")]
    part = frame if len(plain) == len(names) else frame.iloc[:, plain]
    block = part.to_numpy(np.float64)
    wide = {plain[j] for j in _exact(block, [j for j, k in enumerate(plain) if kinds[k] != "f"])}
    if wide:
        block = block[:, [j for j, k in enumerate(plain) if k not in wide]]
        plain = [k for k in plain if k not in wide]
    in_block = set(plain)
    others = {n: pandas_cells(n, frame.iloc[:, k]) for k, n in enumerate(names) if k not in in_block}
    return names, block, [names[k] for k in plain], others


def _mapped_parts(columns: Mapping[Any, Any], only: frozenset[str] | None) -> Parts:
    names = _texts(columns)
    given = {n: c for n, c in zip(names, columns.values(), strict=True) if only is None or n in only}
    cells = {name: value_cells(name, values) for name, values in given.items()}
    lengths = {name: len(column) for name, column in cells.items()}
    if len(set(lengths.values())) > 1:
        parts = ", ".join(f"{name!r} has {count}" for name, count in [*lengths.items()][:5])
        raise TableError(f"columns must have one value for each row: {parts}")
    return [*cells], np.empty((next(iter(lengths.values()), 0), 0)), [], cells


def _eager_parts(frame: nw.DataFrame[Any], only: frozenset[str] | None) -> Parts:
    schema = frame.schema
    kept = [name for name in _texts(schema) if (only is None or name in only) and not _is_index(frame, name)]
    plain = [name for name in kept if isinstance(schema[name], FLOATS | WHOLES)]
    block, numbers = np.empty((len(frame), 0)), list[str]()
    if plain:
        part = frame if len(plain) == len(schema) else frame.select(plain)
        block = np.asarray(part.to_numpy()).astype(np.float64)
        wide = set(_exact(block, [k for k, name in enumerate(plain) if isinstance(schema[name], WHOLES)]))
        numbers = [name for k, name in enumerate(plain) if k not in wide]
        block = block[:, [k for k in range(len(plain)) if k not in wide]] if wide else block
    in_block = set(numbers)
    others = {name: series_cells(name, frame[name]) for name in kept if name not in in_block}
    return kept, block, numbers, others


def _is_index(frame: nw.DataFrame[Any], name: str) -> bool:
    """Return True for an index of pandas that was written to Arrow beside its columns."""
    if not name.startswith(INDEX) or not frame.implementation.is_pyarrow():
        return False
    return INDEX.encode() in (frame.to_native().schema.metadata or {}).get(b"pandas", b"")
