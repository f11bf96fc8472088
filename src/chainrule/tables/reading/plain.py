"""Texts of a file to cells: plain numbers where every text is one, else levels and codes.

Shapes: n texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..table import Cells, text_cells
from ..texts import numbers_of, spread


def cells_of_texts(texts: Sequence[str | None], decimal: str = ".", kind: str | None = None) -> Cells:
    """Return the cells of texts, None where missing; `kind` says that they stay texts or categories."""
    if kind is None:
        present = [text for text in texts if text]
        if not present:
            return Cells("number", np.full(len(texts), np.nan))
        values = numbers_of(present, decimal)
        if values is not None:
            return spread(values, np.fromiter(map(bool, texts), bool, len(texts)))
    return text_cells(texts, kind or "text")
