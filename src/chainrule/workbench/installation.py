"""The facts of this installation: versions, engine, instruction set, threads."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from ..engines import report

LIBRARIES = ("numpy", "scipy", "scikit-learn", "duckdb", "narwhals", "safetensors", "click", "rich")


def installation() -> dict[str, Any]:
    """Return the versions of Python and of the libraries, and the engine's facts (see `engines.report`)."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        **report(),
    }
