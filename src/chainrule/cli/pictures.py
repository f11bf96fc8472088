"""Pictures that a command draws, with matplotlib, which is an extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def empty_figure(path: str, size: tuple[float, float]) -> Any:
    """Return an empty figure, inches wide and high, for the file of --plot; ValueError where it cannot be written."""
    try:
        from matplotlib.figure import Figure  # not above: an extra, for --plot alone
    except ImportError:
        raise ValueError("--plot needs matplotlib; install it: pip install 'chainrule[plots]'") from None
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    kinds = figure.canvas.get_supported_filetypes()
    kind = Path(path).suffix.lstrip(".").lower()
    if kind not in kinds:
        raise ValueError(f"--plot {path}: the name must end in one of .{', .'.join(sorted(kinds))}")
    return figure
