"""One column of any library as cells: pandas, NumPy, polars, pyarrow, Python values.

Shapes: n cells.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from .objects import object_cells, refusal
from .table import Cells, TableError, text_cells
from .texts import text_of, whole_cells


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
    values = array.astype(object)
    if gaps is not None:
        values[gaps] = None
    return object_cells(name, values.tolist())


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
    except (TableError, NotImplementedError) as error:  # the latter is pyarrow's, for types that it cannot convert
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


def value_cells(name: str, values: Any) -> Cells:
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
