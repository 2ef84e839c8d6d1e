"""A process kills itself at the failpoint that its environment names."""

import signal
import subprocess
import sys

import pytest

PASSES = "from daybook_infra.runtime.failpoints import failpoint\nfor n in range(3): failpoint('after-ack'); print(n)"


@pytest.mark.parametrize(
    ("armed", "code", "passed"),
    [
        ("", 0, 3),
        ("before-append", 0, 3),
        ("after-ack", -signal.SIGKILL, 0),
        ("after-ack:3", -signal.SIGKILL, 2),
        ("after-ack:4", 0, 3),
    ],
)
def test_a_process_dies_at_the_nth_pass_of_its_failpoint(armed: str, code: int, passed: int) -> None:
    python = [sys.executable, "-u", "-c", PASSES]
    done = subprocess.run(python, env={"DAYBOOK_FAILPOINT": armed}, capture_output=True, check=False)
    assert (done.returncode, len(done.stdout.split())) == (code, passed)
