"""The memory that this process has used at its peak."""

from __future__ import annotations

import sys


def peak_memory_mb() -> float | None:
    """Return the largest resident memory so far, in units of 2^20 bytes; None where the system does not tell."""
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
