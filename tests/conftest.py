"""Fixtures for every test. The DAYBOOK_* variables of the environment choose the servers and are then removed."""

import os
import signal

import pytest

from daybook_infra.runtime.settings import load_settings
from support.stack import ASKED, fresh_settings, lasting_settings, stack

__all__ = ["fresh_settings", "lasting_settings", "stack"]


pytest.register_assert_rewrite("suites")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs with SIGINT ignored, and processes started by tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[ASKED] = load_settings()
    for name in [name for name in os.environ if name.startswith("DAYBOOK_")]:
        del os.environ[name]
