"""What the estimators do with X: validate matrices, encode tables, and the same again for prediction."""

from __future__ import annotations

from math import isfinite
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_X_y
from sklearn.utils.validation import _check_n_features, column_or_1d, validate_data

from ...tables.encoder import TableEncoder, needs_encoding


class TableInputs(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """An estimator that takes matrices as scikit-learn's do, and tables with text and missing values."""

    theta_: NDArray[Any]
    encoder_: TableEncoder | None
    feature_names_in_: NDArray[Any]

    def _inputs(self, X: Any, y: Any, fresh: bool) -> tuple[Any, NDArray[Any]]:
        """Validate X and y; encode the columns where that is asked for or needed."""
        dtypes = (np.float64, np.float32) if self.dtype == "auto" else np.dtype(self.dtype)
        common = {
            "multi_output": True,
            "y_numeric": self.__sklearn_tags__().estimator_type == "regressor",
            "dtype": dtypes,
            "accept_sparse": "csr",
            "order": "C",
        }
        if fresh:
            encode = self.preprocessing == "always" or (self.preprocessing == "auto" and _is_table(X))
            self.encoder_ = TableEncoder(dtype="float64" if self.dtype == "auto" else self.dtype) if encode else None
        if self.encoder_ is None:
            X, y = validate_data(self, X, y, reset=fresh, **common)
        else:
            X, y = check_X_y(self._encoded(X, fresh), y, **common)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return self._rescaled(X), y

    def _encoded(self, X: Any, fresh: bool) -> NDArray[Any]:
        """Return the encoder's matrix for a table, or for a matrix taken as a table of numbered columns."""
        encoder = self.encoder_
        assert encoder is not None
        if not (fresh or _is_frame(X)) and hasattr(self, "feature_names_in_"):
            names = ", ".join(self.feature_names_in_[:12])
            raise ValueError(f"this model was trained on a table; give a DataFrame with the columns: {names}")
        frame = X if _is_frame(X) else _numbered(X)
        if fresh:
            encoder.fit(frame)
            self.n_features_in_ = len(encoder.feature_names_in_)
            self.__dict__.pop("feature_names_in_", None)
            if _is_frame(X):
                self.feature_names_in_ = np.array(encoder.feature_names_in_, object)
        elif not _is_frame(X):
            _check_n_features(self, X, reset=False)
        return encoder.transform(frame)

    def _rescaled(self, X: Any) -> Any:
        return X if self.input_scale == 1 else X * X.dtype.type(self.input_scale)

    def _validated(self, X: Any) -> Any:
        """Return X as the network takes it, for prediction."""
        dtype = self.theta_.dtype
        if self._ready(X):
            return X
        if self.encoder_ is not None:
            X = check_array(self._encoded(X, fresh=False), dtype=dtype)
        else:
            X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=(np.float64, np.float32), order="C")
        return self._rescaled(X.astype(dtype, copy=False))

    def _ready(self, X: Any) -> bool:
        """Return whether X is a plain array that needs no validation beyond what is seen here at a glance."""
        plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype == self.theta_.dtype and X.flags.c_contiguous
        fits = plain and X.shape[1] == self.n_features_in_ and len(X) > 0
        bare = self.encoder_ is None and self.input_scale == 1 and not hasattr(self, "feature_names_in_")
        return fits and bare and isfinite(X.sum())


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and nw.dependencies.is_into_dataframe(X)


def _is_table(X: Any) -> bool:
    return _is_frame(X) and (not len(X.columns) or needs_encoding(X))


def _numbered(X: Any) -> pl.DataFrame:
    X = check_array(X, dtype=None, ensure_all_finite="allow-nan")
    try:
        return pl.DataFrame({f"x{k}": X[:, k] for k in range(X.shape[1])})
    except TypeError as error:
        raise ValueError(f"a column of the array mixes kinds of values ({error}); give a DataFrame") from error
