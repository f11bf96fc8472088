"""Inputs of the estimators: matrices are validated, tables encoded, and the same again for prediction.

Shapes: n rows, i inputs. The functions take the estimator whose `encoder_`, `input_scale_`, `n_features_in_` and
`feature_names_in_` say how its rows are read; `read_training_rows` sets them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_X_y
from sklearn.utils.validation import _check_n_features, column_or_1d, validate_data

from ...foundation.arrays import is_sparse
from ...foundation.callers import callers_level
from ...tables.encoder import TableEncoder, TableWarning, needs_encoding
from ...tables.frames import array_table, collected, is_frame, table_of
from ...tables.table import Table, TableError

TIMES = ("m", "M")
"""The kinds of NumPy types that hold points in time, and spans of it."""

NO_TIMES = "give numbers, such as the days since the first date"


def read_training_rows(model: Any, X: Any, y: Any, fresh: bool) -> tuple[Any, NDArray[Any]]:
    """Return X and y validated, the columns encoded where that is asked for or needed.

    Rows that go on with a model (not `fresh`) are read as its first ones were, in the precision of its weights.
    """
    asked: Any = (np.float64, np.float32) if model.dtype == "auto" else np.dtype(model.dtype)
    common = {
        "multi_output": True,
        "y_numeric": model.__sklearn_tags__().estimator_type == "regressor",
        "dtype": asked if fresh else model.theta_.dtype,
        "accept_sparse": "csr",
        "order": "C",
    }
    X = collected(X)
    if fresh:
        encode = model.preprocessing == "always" or (model.preprocessing == "auto" and _is_table(X))
        model.encoder_ = TableEncoder(dtype="float64" if model.dtype == "auto" else model.dtype) if encode else None
        model.input_scale_ = float(model.input_scale)
    if common["y_numeric"]:
        y = as_numbers(y)
    with np.errstate(over="ignore", invalid="ignore"):  # they refuse what overflows
        if model.encoder_ is None and isinstance(X, Table):
            X, y = check_X_y(_matrix(model, X, fresh), y, **common)
        elif model.encoder_ is None:
            table, (X, y) = X, validate_data(model, X, y, reset=fresh, **common)
            _check_no_times(table)
        else:
            X, y = check_X_y(_encoded(model, X, fresh), y, **common)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    return _rescaled(X, model.input_scale_), y


def read_rows(model: Any, X: Any, dtype: Any) -> Any:
    """Return rows X (n, i) as the network takes them, in the precision of its weights.

    Raises ValueError for rows that are not like those of the training, or that this precision cannot hold.
    """
    if _is_ready(model, X, dtype):
        return X
    X = collected(X)
    if model.encoder_ is not None:
        X = check_array(_encoded(model, X, fresh=False), dtype=dtype)
    elif isinstance(X, Table):
        X = check_array(_matrix(model, X, fresh=False), dtype=(np.float64, np.float32))
    else:
        table, common = X, {"accept_sparse": "csr", "order": "C"}
        X = validate_data(model, X, reset=False, dtype=(np.float64, np.float32), **common)
        _check_no_times(table)
    with np.errstate(over="ignore"):
        rows = _rescaled(X.astype(dtype, copy=False), model.input_scale_)
    if rows is not X:
        check_range(X, rows)
    return rows


def check_range(given: Any, cast: Any, name: str = "X", remedy: str = "scale it") -> None:
    """Raise ValueError for a finite number that is none any more after it was cast, or multiplied."""
    before, after = (a.data if is_sparse(a) else a for a in (given, cast))
    if not np.isfinite(after).all():
        largest = float(np.asarray(before)[~np.isfinite(after)].flat[0])
        raise ValueError(f"{name} holds {largest:g}, which is too large for this model's {cast.dtype}: {remedy}")


def as_numbers(y: Any) -> Any:
    """Return the targets of a regression as numbers; ValueError for dates and others that are none."""
    if y is None or is_sparse(y):
        return y
    numbers = np.asarray(y)
    if numbers.dtype.kind in TIMES:
        raise ValueError(f"y holds {numbers.dtype.name}: {NO_TIMES}")
    if numbers.dtype.kind not in "OSU":
        return y
    try:
        return numbers.astype(np.float64)
    except TypeError as error:
        raise ValueError(f"y holds {numbers.flat[0]!r}, which is no number: {NO_TIMES}") from error


def _check_no_times(X: Any) -> None:
    """Raise ValueError for a matrix of dates or spans, which would be taken for bare counts."""
    for dtype in _dtypes(X):
        if getattr(dtype, "kind", None) in TIMES or (isinstance(dtype, nw.dtypes.DType) and dtype.is_temporal()):
            raise ValueError(f"X holds {dtype}: {NO_TIMES}; a DataFrame may hold them, with preprocessing 'auto'")


def _dtypes(X: Any) -> Iterable[Any]:
    """Return the types of the columns of a table, or the one of a matrix."""
    if not is_frame(X):
        return [X.dtype] if hasattr(X, "dtype") else []
    if nw.dependencies.is_pandas_dataframe(X):  # whose columns may have the same name
        return list(X.dtypes)
    return list(nw.from_native(X, eager_only=True).schema.dtypes())


def _encoded(model: Any, X: Any, fresh: bool) -> NDArray[Any]:
    """Return the encoder's matrix for a table, or for a matrix taken as a table of numbered columns.

    A TableWarning is given for what the encoder notes on the columns of a table: those of a matrix have no names.
    """
    encoder, named = model.encoder_, is_frame(X)
    if not (fresh or named) and hasattr(model, "feature_names_in_"):
        names = ", ".join(model.feature_names_in_[:12])
        raise ValueError(f"this model was trained on a table; give a DataFrame with the columns: {names}")
    if named:
        frame = X
    else:
        texts = () if fresh else encoder.text_names
        frame = array_table(check_array(X, dtype=None, ensure_all_finite="allow-nan"), texts)
    if fresh:
        frame = table_of(frame)
        encoder.fit(frame)
        model.n_features_in_ = len(encoder.feature_names_in_)
        model.__dict__.pop("feature_names_in_", None)
        if named:
            model.feature_names_in_ = np.array(encoder.feature_names_in_, object)
    elif not named:
        _check_n_features(model, X, reset=False)
    matrix, notes = encoder.transform_noted(frame)
    for note in [*encoder.notes_ * fresh, *notes] if named else ():
        warnings.warn(note, TableWarning, stacklevel=callers_level())
    return matrix  # type: ignore[no-any-return]  # the model's encoder is of no known type here


def _matrix(model: Any, table: Table, fresh: bool) -> NDArray[np.float64]:
    """Return the columns of a table that is not to be encoded as a matrix (n, i); ValueError where one is no number."""
    names = list(table.names) if fresh else list(getattr(model, "feature_names_in_", ()))
    if not names:
        raise ValueError("this model was trained on a matrix; give a matrix")
    missing = [name for name in names if name not in table]
    if missing:
        raise TableError(f"column {missing[0]!r} is missing; the model was trained with: {', '.join(names[:30])}")
    texts = [name for name in names if table[name].kind not in ("number", "boolean")]
    if texts:
        raise TableError(f"column {texts[0]!r} is no column of numbers, and preprocessing='never' takes no others")
    if fresh:
        model.n_features_in_, model.feature_names_in_ = len(names), np.array(names, object)
    return np.column_stack([np.where(table[n].absent(), np.nan, table[n].values.astype(np.float64)) for n in names])


def _rescaled(X: Any, scale: float) -> Any:
    return X if scale == 1 else X * X.dtype.type(scale)


def _is_ready(model: Any, X: Any, dtype: Any) -> bool:
    """Return True for a plain array X that needs no validation beyond what is seen here at a glance."""
    plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype == dtype and X.flags.c_contiguous
    fits = plain and X.shape[1] == model.n_features_in_ and len(X) > 0
    bare = model.encoder_ is None and model.input_scale_ == 1 and not hasattr(model, "feature_names_in_")
    return fits and bare and isfinite(X.sum())


def _is_table(X: Any) -> bool:
    """Return True for what must be encoded: a mapping of columns, and a DataFrame of more than complete numbers."""
    if isinstance(X, Table | Mapping):
        return True
    return is_frame(X) and (not len(X.columns) or needs_encoding(X))
