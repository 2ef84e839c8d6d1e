"""If the extra that a connection needs is not installed, the error names the extra."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys

sys.modules[{package!r}] = None  # as if it were not installed
from daybook_client import Daybook, Misuse

try:
    {call}
except Misuse as misuse:
    print(misuse)
"""
HTTP, KAFKA = 'Daybook.over_http("http://a:1")', 'Daybook.over_kafka("a:1", principal="service:shop")'
BLOCKING = "import daybook_client.blocking"
READING = 'Daybook.over_kafka("a:1", principal="service:shop", read_url="http://a:2")'


def printed(package: str, call: str) -> str:
    program = [sys.executable, "-c", PROGRAM.format(package=package, call=call)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("package", "call", "extra"),
    [("httpx", HTTP, "http"), ("httpx", READING, "http"), ("httpx", BLOCKING, "http"), ("aiokafka", KAFKA, "kafka")],
)
def test_the_missing_extra_is_named(package: str, call: str, extra: str) -> None:
    assert printed(package, call) == f"{package} is not installed: install daybook-client[{extra}]\n"


def test_kafka_alone_needs_no_extra_for_http() -> None:
    assert printed("httpx", KAFKA) == ""
