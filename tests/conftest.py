"""Settings of the whole test suite: Hypothesis draws the same examples in every run and never judges time."""

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("support.oracles")

settings.register_profile(
    "chainrule",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("chainrule")
