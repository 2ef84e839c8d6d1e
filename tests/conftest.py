"""What every test may ask for. The environment's DAYBOOK_* say which servers to use, and are then out of sight."""

import os
import signal

import pytest

from daybook_infra.runtime.settings import load_settings
from support.stack import ASKED, fresh_settings, lasting_settings, stack

__all__ = ["fresh_settings", "lasting_settings", "stack"]


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts its background jobs with SIGINT ignored, and what the tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[ASKED] = load_settings()
    for name in [name for name in os.environ if name.startswith("DAYBOOK_")]:
        del os.environ[name]
