"""Logging: JSON lines on stderr, from Daybook and libraries. Tracebacks in them contain no local variables."""

import json
import logging
import subprocess
import sys

from daybook_infra.runtime.logs import REPEAT_SECONDS, REPEATING, RepeatFilter

PROGRAM = """
import logging
from daybook_infra.runtime.logs import configure_logging, get_logger
from daybook_infra.runtime.settings import Settings

configure_logging(Settings(), service="command")
get_logger("daybook_infra").info("topics_made", count=4)
get_logger("daybook_infra").debug("not_shown")
logging.getLogger("some.library").warning("slow %s", "disk")
logging.getLogger("aiokafka").info("not shown")
for number in range(100):
    logging.getLogger("aiokafka.conn").warning("away %s", number)
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
        ("away 0", "warning"),
        ("broken", "error"),
    ]
    assert {line["service"] for line in lines} == {"command"}
    assert lines[0]["count"] == 4
    assert "ZeroDivisionError" in json.dumps(lines[3])
    assert "hush" not in done.stderr.replace('payload = "hush"', "")


def test_repeated_messages_of_the_kafka_client_are_logged_periodically_with_a_count() -> None:
    sparing = RepeatFilter(REPEATING)

    def omitted(seconds: float, line: int = 1, name: str = "aiokafka.conn") -> int | None:
        """How many messages were left out before this one; None if this one is left out."""
        record = logging.makeLogRecord({"name": name, "lineno": line, "created": 1e9 + seconds})
        return getattr(record, "left_out", 0) if sparing.filter(record) else None

    assert [omitted(0), omitted(0.1), omitted(REPEAT_SECONDS - 0.1)] == [0, None, None]
    assert [omitted(0.1, line=2), omitted(0.2, name="daybook_infra"), omitted(0.3, name="daybook_infra")] == [0, 0, 0]
    assert [omitted(REPEAT_SECONDS), omitted(REPEAT_SECONDS + 0.1), omitted(2 * REPEAT_SECONDS)] == [2, None, 1]
    assert [omitted(-3600), omitted(-3599.9)] == [0, None], "a clock that was set back"
