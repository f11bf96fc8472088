"""Any DataFrame -> `Table`: pandas, polars, pyarrow, DuckDB relations, dicts of arrays.

The same data give the same table, whatever holds them: a pandas column of objects, nullable integers, an Arrow array.

Shapes: n rows, k columns of plain numbers.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ..foundation.words import listed
from .objects import object_cells, refusal
from .table import EXACT, Cells, Table, TableError, text_cells
from .texts import plain_numbers, text_of, whole_cells

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

    Raises TableError for anything else, for repeated names, and for columns of lists, bytes or complex numbers.

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
    """Return those of the columns of integers that float64 may not hold exactly."""
    if not whole or not len(block):
        return []
    part = block if len(whole) == block.shape[1] else block[:, whole]
    return [whole[k] for k in np.flatnonzero((np.abs(part) >= EXACT).any(axis=0))]


# ------------------------------------------------------------------------------------------------------------- pandas


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


def pandas_cells(name: str, series: Any) -> Cells:
    """Return a pandas column as cells; TableError where it holds what cannot be read."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return array_cells(name, series.to_numpy())
    read = PANDAS_KINDS.get(type(dtype).__name__)
    if read is not None:
        return read(name, series)
    if hasattr(dtype, "numpy_dtype") and dtype.numpy_dtype.kind in ("b", "i", "u", "f"):
        gaps = series.isna().to_numpy()
        return array_cells(name, series.to_numpy(dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0)), gaps)
    return object_cells(name, series.tolist())


def _categories(name: str, series: Any) -> Cells:
    """Return a column of categories: the texts of its values are the levels."""
    known: dict[str, int] = {}
    texts = [text_of(value) for value in series.cat.categories.tolist()]
    places = np.array([known.setdefault(text, len(known)) if text else -1 for text in texts] + [-1], np.int32)
    return Cells("category", places[series.cat.codes.to_numpy()], [*known])


def _arrow(name: str, series: Any) -> Cells:
    column = series.array.__arrow_array__()
    return series_cells(name, nw.from_native(column, series_only=True))


PANDAS_KINDS: Mapping[str, Callable[[str, Any], Cells]] = {
    "ArrowDtype": _arrow,
    "CategoricalDtype": _categories,
    "DatetimeTZDtype": lambda name, s: array_cells(name, s.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()),
    "PeriodDtype": lambda name, s: array_cells(name, s.dt.start_time.to_numpy()),
    "SparseDtype": lambda name, s: pandas_cells(name, s.sparse.to_dense()),
}
"""Columns of the types that pandas adds to NumPy's, by the name of the type; the others are taken as objects."""


# ----------------------------------------------------------------------------------------------------- arrays, mappings


def array_cells(name: str, array: NDArray[Any], gaps: NDArray[np.bool_] | None = None) -> Cells:
    """Return an array (n,) as cells; `gaps` (n,) are missing. TableError where it holds what cannot be read."""
    if isinstance(array, np.ma.MaskedArray):
        array, gaps = array.data, np.ma.getmaskarray(array)
    if gaps is not None and not gaps.any():
        gaps = None
    kind = array.dtype.kind
    if kind == "b":
        return Cells("boolean", array, gaps=gaps)
    if kind in "iu":
        return whole_cells(array, gaps)
    if kind in "fmM":
        dtype, called = {"f": ("f8", "number"), "M": ("M8[us]", "moment"), "m": ("m8[us]", "duration")}[kind]
        values = array.astype(dtype)
        if gaps is not None:
            values[gaps] = np.nan if kind == "f" else np.array("NaT", dtype)
        return Cells(called, values)
    if kind == "c":
        raise refusal(name, "complex numbers")
    values = array.astype(object)
    if gaps is not None:
        values[gaps] = None
    return object_cells(name, values.tolist())


def _mapped_parts(columns: Mapping[Any, Any], only: frozenset[str] | None) -> Parts:
    names = _texts(columns)
    given = {n: c for n, c in zip(names, columns.values(), strict=True) if only is None or n in only}
    cells = {name: _value_cells(name, values) for name, values in given.items()}
    lengths = {name: len(column) for name, column in cells.items()}
    if len(set(lengths.values())) > 1:
        parts = ", ".join(f"{name!r} has {count}" for name, count in [*lengths.items()][:5])
        raise TableError(f"columns must have one value for each row: {parts}")
    return [*cells], np.empty((next(iter(lengths.values()), 0), 0)), [], cells


def _value_cells(name: str, values: Any) -> Cells:
    """Return the values of a mapping's column as cells."""
    if type(values).__module__.partition(".")[0] == "pandas":
        return pandas_cells(name, sys.modules["pandas"].Series(values))
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise refusal(name, f"an array of {values.ndim} dimensions")
        return array_cells(name, values)
    known = nw.from_native(values, series_only=True, pass_through=True)
    if isinstance(known, nw.Series):
        return series_cells(name, known)
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TableError(f"column {name!r} must be a sequence of values, one for each row, got {type(values).__name__}")
    return object_cells(name, values)


# ------------------------------------------------------------------------------------- polars, pyarrow and the others


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


FLOATS = nw.Float32 | nw.Float64
WHOLES = nw.Int8 | nw.Int16 | nw.Int32 | nw.Int64 | nw.UInt8 | nw.UInt16 | nw.UInt32 | nw.UInt64


def series_cells(name: str, series: nw.Series[Any]) -> Cells:
    """Return a column of polars, pyarrow or others as cells; TableError where it holds what cannot be read."""
    dtype, native = series.dtype, series.to_native()
    extension = getattr(getattr(native, "type", None), "extension_name", "")
    if extension:
        return _extension_cells(name, native, extension)
    for kinds, read in SERIES_KINDS:
        if isinstance(dtype, kinds):
            return read(name, series)
    return object_cells(name, series.to_list())


def _extension_cells(name: str, column: Any, extension: str) -> Cells:
    """Return a column of an Arrow extension type (periods, JSON, ...) by the values that it stands for."""
    try:
        values = column.to_pandas() if "pandas" in sys.modules else column.to_pylist()
        return pandas_cells(name, values) if hasattr(values, "dtype") else object_cells(name, values)
    except (TableError, NotImplementedError) as error:
        raise refusal(name, f"values of the type {extension}") from error


def _gaps(series: nw.Series[Any]) -> NDArray[np.bool_]:
    return np.asarray(series.is_null().to_numpy(), bool)


def _filled(blank: Any) -> Callable[[str, nw.Series[Any]], Cells]:
    """Return the reader of numbers or booleans that writes `blank` into gaps before NumPy takes the values over."""

    def read(name: str, series: nw.Series[Any]) -> Cells:
        gaps = _gaps(series)
        values = (series.fill_null(blank) if gaps.any() else series).to_numpy()
        return array_cells(name, np.asarray(values), gaps)

    return read


def _moments(name: str, series: nw.Series[Any]) -> Cells:
    if getattr(series.dtype, "time_zone", None):
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return _times(name, series)


def _times(name: str, series: nw.Series[Any]) -> Cells:
    values = np.asarray(series.to_numpy())
    return array_cells(name, values) if values.dtype.kind in "mM" else object_cells(name, series.to_list())


def _refused(name: str, series: nw.Series[Any]) -> Cells:
    raise refusal(name, str(series.dtype))


def _texted(kind: str) -> Callable[[str, nw.Series[Any]], Cells]:
    """Return the reader of texts: declared categories stay what they are, texts may be numbers."""
    if kind == "text":
        return lambda name, series: object_cells(name, series.to_list())
    return lambda name, series: text_cells((None if v is None else text_of(v) for v in series.to_list()), kind)


SERIES_KINDS: tuple[tuple[Any, Callable[[str, nw.Series[Any]], Cells]], ...] = (
    (nw.Boolean, _filled(False)),
    (FLOATS, _filled(float("nan"))),
    (WHOLES, _filled(0)),
    (nw.Datetime, _moments),
    (nw.Date | nw.Duration, _times),
    (nw.String, _texted("text")),
    (nw.Categorical | nw.Enum, _texted("category")),
    (nw.List | nw.Array | nw.Struct | nw.Binary, _refused),
)
"""Columns by the type that narwhals gives them; the others (times, decimals, objects) are taken as Python values."""
