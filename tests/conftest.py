"""Settings of the whole test suite.

Hypothesis draws the same examples in every run and never judges time. A mark brings its condition along: a test marked
`native` or `data` is skipped, with the reason, where there is no compiled core or no data. Tests in a file or folder
whose name holds "native" or "torch" have that mark.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from chainrule.engines.native.core import MISSING

pytest.register_assert_rewrite("support.oracles")

settings.register_profile(
    "chainrule",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("chainrule")

TESTS = Path(__file__).parent
DATA = TESTS.parents[1] / "shared" / "data"

CONDITIONS = {
    "native": MISSING and f"no native engine: {MISSING}",
    "data": "" if DATA.exists() else "the real data sets (../shared/data) are not here",
}
"""Why the tests with a mark cannot run here; an empty text where they can."""


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests by their files' names, and skip those whose mark's condition is not met."""
    for item in items:
        for mark in ("native", "torch"):
            if mark in item.path.relative_to(TESTS).as_posix():
                item.add_marker(mark)
        for mark, reason in CONDITIONS.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))  # such as data or a compiler that are not there
