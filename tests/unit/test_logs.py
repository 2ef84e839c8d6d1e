"""Logs: JSON lines on stderr, from our own loggers and the libraries' alike, without payloads."""

import json
import subprocess
import sys

PROGRAM = """
import logging
from daybook_infra.logs import configure_logging, get_logger
from daybook_infra.settings import Settings

configure_logging(Settings(), service="command")
get_logger("daybook_infra").info("topics_made", count=4)
get_logger("daybook_infra").debug("not_shown")
logging.getLogger("some.library").warning("slow %s", "disk")
logging.getLogger("aiokafka").info("not shown")
try:
    payload = "hush"
    1 / 0
except ZeroDivisionError:
    get_logger("daybook_infra").exception("broken")
"""


def test_every_logger_writes_json_lines_to_stderr() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=30)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.stdout == ""
    assert [(line["event"], line["level"]) for line in lines] == [
        ("topics_made", "info"),
        ("slow disk", "warning"),
        ("broken", "error"),
    ]
    assert {line["service"] for line in lines} == {"command"}
    assert lines[0]["count"] == 4
    assert "ZeroDivisionError" in json.dumps(lines[2])
    assert "hush" not in done.stderr.replace('payload = "hush"', "")
