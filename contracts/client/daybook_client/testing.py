"""A pytest plugin: the fixture `daybook` is a client of a real Daybook, which pytest starts and stops.

`daybook` and `daybook_server` are one Daybook for the whole session. `fresh_daybook` and `fresh_daybook_server` are a
new Daybook, with new topics and a new database, for one test. The plugin needs the extra `testing`, which installs
Daybook with an embedded Kafka and PostgreSQL. To use other servers, set DAYBOOK_KAFKA_BOOTSTRAP and
DAYBOOK_DATABASE_URL.
"""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from typing import IO, Any

import pytest

from daybook_client.daybook import Daybook

HOST = "daybook_infra.operations.fixture_host"
STOP_SECONDS = 90
TOKEN_SECONDS = 86_400
SERVICE = "service:tests"


@dataclass(frozen=True, slots=True)
class DaybookServer:
    """The addresses of one Daybook, and the key of its tokens. `embedded`: whether the plugin has started its Kafka."""

    url: str
    read_url: str
    kafka_bootstrap: str
    topic_prefix: str
    database_url: str
    jwt_secret: str = field(repr=False)
    embedded: bool = True

    def token(self, principal: str = SERVICE) -> str:
        """A JWT for `service:NAME` or `user:ID`, valid for a day."""
        kind, _, subject = principal.partition(":")
        role = "service_role" if kind == "service" else "authenticated"
        claims = {"sub": subject, "role": role, "aud": "daybook", "exp": int(time.time()) + TOKEN_SECONDS}
        signed = b".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return b".".join((signed, _base64(hmac.digest(self.jwt_secret.encode(), signed, hashlib.sha256)))).decode()

    def over_http(self, principal: str = SERVICE) -> Daybook:
        """A client that is not connected yet: `async with server.over_http() as daybook`."""
        return Daybook.over_http(self.url, token=self.token(principal), read_url=self.read_url)

    def over_kafka(self, principal: str = SERVICE) -> Daybook:
        """Like `over_http`. Records are not signed."""
        from daybook_client.kafka.connection import (  # noqa: PLC0415 - aiokafka is optional
            KafkaConnection,
            connection_by_default,
        )

        # The login in the environment is for the servers that the environment names.
        connection = KafkaConnection if self.embedded else connection_by_default
        return Daybook.over_kafka(
            connection(self.kafka_bootstrap),
            principal=principal,
            key="",
            topic_prefix=self.topic_prefix,
            read_url=self.read_url,
            token=self.token(principal),
        )


class Host:
    """A child process that runs Daybooks. When pytest ends, even if it is killed, the child stops them all and ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[bytes] | None = None
        self._names = (f"daybook-{number}" for number in count())

    def start(self) -> tuple[str, DaybookServer]:
        """Returns the new Daybook's name and addresses."""
        name = next(self._names)
        return name, DaybookServer(**self._ask({"start": name}))

    def stop(self, name: str) -> None:
        self._ask({"stop": name})

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(STOP_SECONDS)
        if process is not None and process.stdout is not None:
            process.stdout.close()
        if self._log is not None:
            self._log.close()

    def _ask(self, request: dict[str, str]) -> Any:
        process = self._process = self._process or self._launched()
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the process has no pipes")
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the process that runs Daybook has ended"}
        if "error" in answer:
            raise RuntimeError(f"the Daybook for tests failed: {answer['error']}\n{self._last_lines()}")
        return answer

    def _launched(self) -> "subprocess.Popen[str]":
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        # In a process group of its own, so that Ctrl-C reaches only pytest, which then stops the child cleanly.
        return subprocess.Popen(  # noqa: S603 - a module of Daybook
            [sys.executable, "-m", HOST],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
            text=True,
        )

    def _last_lines(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0)
        return self._log.read()[-4000:].decode(errors="replace")


def _async_fixture(function: Callable[..., AsyncIterator[Daybook]]) -> object:
    """A fixture of pytest-asyncio, or of pytest if pytest-asyncio is missing: pytest loads this module in every project
    that installs the client, with or without the extra `testing`.
    """
    if find_spec("pytest_asyncio") is None:
        return pytest.fixture(function)
    import pytest_asyncio  # noqa: PLC0415 - see above

    return pytest_asyncio.fixture(function)


@pytest.fixture(scope="session")
def daybook_host() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


@pytest.fixture(scope="session")
def daybook_server(daybook_host: Host) -> DaybookServer:
    """The session's Daybook."""
    return daybook_host.start()[1]


@pytest.fixture
def fresh_daybook_server(daybook_host: Host) -> Iterator[DaybookServer]:
    """A Daybook for this test alone."""
    name, server = daybook_host.start()
    yield server
    daybook_host.stop(name)


@_async_fixture
async def daybook(daybook_server: DaybookServer) -> AsyncIterator[Daybook]:
    """A client of the session's Daybook, as a service, over HTTP."""
    async with daybook_server.over_http() as connected:
        yield connected


@_async_fixture
async def fresh_daybook(fresh_daybook_server: DaybookServer) -> AsyncIterator[Daybook]:
    """A client of a Daybook for this test alone, as a service, over HTTP."""
    async with fresh_daybook_server.over_http() as connected:
        yield connected


def _base64(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")
