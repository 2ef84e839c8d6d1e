"""The servers of the test session: `fresh_settings` gives a test its own topics and database, and SIGTERM stops the
servers and deletes their folder.
"""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from daybook_infra.runtime.kafka.topics import verify_topics
from daybook_infra.runtime.settings import Settings
from support.sql import ask
from support.stack import FreshSettings

PROGRAM = """
import signal
from urllib.parse import urlsplit
from daybook_infra.stack.interface import Part
from support.stack import own_stack
with own_stack(parts=frozenset({Part.POSTGRES})) as stack:
    print(stack.home.folder, urlsplit(stack.servers().database_url).port, "started", flush=True)
    signal.pause()
"""


async def test_fresh_settings_have_topics_and_tables(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(partitions=3)
    await verify_topics(settings)
    assert await _tables(settings) >= 10


async def test_two_fresh_settings_share_nothing(fresh_settings: FreshSettings) -> None:
    first, second = fresh_settings(init=False), fresh_settings(init=False)
    assert first.topic_prefix != second.topic_prefix
    assert first.database_url != second.database_url
    assert await _tables(first) == 0


def test_sigterm_stops_the_servers_and_deletes_their_folder() -> None:
    tests = Path(__file__).parents[1]
    with subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=tests, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        folder, port = next(line for line in program.stdout if line.endswith("started\n")).split()[:2]
        program.terminate()
    assert not Path(folder).exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)))


async def _tables(settings: Settings) -> int:
    count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    return int(await ask(settings.database_url.get_secret_value(), count))
