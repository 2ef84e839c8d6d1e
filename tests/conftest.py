"""Fixtures for every test. The DAYBOOK_* variables of the environment choose the servers and are then removed."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from daybook_infra.runtime.settings import load_settings
from support.stack import ASKED, fresh_settings, lasting_settings, stack

__all__ = ["fresh_settings", "lasting_settings", "stack"]


pytest.register_assert_rewrite("suites")
# On a busy machine, hypothesis's deadlines would fail tests at random. Each test has a timeout instead.
settings.register_profile("daybook", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("daybook")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs with SIGINT ignored, and the processes that tests start would inherit this.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[ASKED] = load_settings()
    for name in [name for name in os.environ if name.startswith("DAYBOOK_")]:
        del os.environ[name]
