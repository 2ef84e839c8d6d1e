"""Runs Daybooks for tests: `python -m daybook_infra.operations.fixture_host`. Requests come as JSON lines on stdin, and
each gets one line on stdout. Everything stops when stdin ends, even if the process that writes to it was killed.

`{"start": NAME}` starts a Daybook with topics and a database of its own; the answer has its addresses.
`{"stop": NAME}` stops its services and deletes its database. An answer with `error` says what went wrong.
"""

import asyncio
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from pydantic import SecretStr

from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.settings import ENV_PREFIX, Settings, load_settings
from daybook_infra.stack.embedded import EmbeddedStack
from daybook_infra.stack.interface import Servers, StackError
from daybook_infra.stack.local_settings import parts_needed
from daybook_infra.stack.lock import lock_or_refuse
from daybook_infra.stack.places import Home
from daybook_infra.stack.services import ServiceProcess

HOME_PREFIX = "daybook-fixture-"
# Prefixes of the variables that say how to connect to servers. Other variables would change how the Daybooks behave.
CONNECTING = ("KAFKA_", "DATABASE_URL", "INSECURE")
# A test has few orgs, and each partition costs time at the start.
PARTITIONS = 3
STATEMENT_SECONDS = 30


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> None:
    keep_variables(os.environ, CONNECTING)
    with ExitStack() as undo:
        host = Host(undo)
        for line in sys.stdin:
            try:
                answer = host.answer(json.loads(line))
            except (DaybookError, OSError, asyncpg.PostgresError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def keep_variables(environment: MutableMapping[str, str], kept: tuple[str, ...]) -> None:
    """Deletes Daybook's variables, except for those whose names begin with one of `kept`."""
    for name in [each for each in environment if each.startswith(ENV_PREFIX)]:
        if not name.removeprefix(ENV_PREFIX).startswith(kept):
            del environment[name]


@dataclass(slots=True)
class Host:
    """The servers start with the first Daybook."""

    _undo: ExitStack
    _home: Home | None = None
    _servers: Servers | None = None
    _embedded: bool = False
    _running: dict[str, ExitStack] = field(default_factory=dict)

    def answer(self, request: dict[str, str]) -> dict[str, Any]:
        if "start" in request:
            return self._start(request["start"])
        self._running.pop(request["stop"], ExitStack()).close()
        return {}

    def _start(self, name: str) -> dict[str, Any]:
        if self._home is None or self._servers is None:
            self._home = self._undo.enter_context(own_home())
            self._embedded = bool(parts_needed(load_settings()))
            running = _embedded_servers(self._home) if self._embedded else nullcontext(_named_servers())
            self._servers = self._undo.enter_context(running)
        own = self._undo.enter_context(ExitStack())
        self._running[name] = own
        settings = _fresh_settings(self._servers, own)
        home = Home(self._home.folder / name)
        home.make()
        services = []
        for role in ("projector", "command"):
            service = ServiceProcess(role, home, settings.host, _free_port())
            own.callback(service.stop, say)
            service.launch(_environment(settings))
            services.append(service)
        for service in services:
            service.await_ready()
        projector, command = services
        return _addresses(settings) | {"url": command.url, "read_url": projector.url, "embedded": self._embedded}


@contextmanager
def own_home() -> Iterator[Home]:
    """A folder for one stack. First removes what a host that was killed has left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{HOME_PREFIX}*"):
        left = Home(folder).lock("fixture")
        with suppress(OSError, StackError):
            if left.exists():
                with lock_or_refuse(left, "held by {pid}"):
                    _remove(Home(folder))
    # Other hosts must not find the folder before it is locked.
    hidden = Path(tempfile.mkdtemp(prefix=f".{HOME_PREFIX}"))
    with lock_or_refuse(Home(hidden).lock("fixture"), "held by {pid}"):
        home = Home(hidden.rename(hidden.with_name(hidden.name.removeprefix("."))))
        try:
            yield home
        finally:
            _remove(home)


def _remove(home: Home) -> None:
    EmbeddedStack(home, say).stop()
    if home.data.is_symlink():
        shutil.rmtree(home.data.resolve(), ignore_errors=True)
    shutil.rmtree(home.folder, ignore_errors=True)


def _named_servers() -> Servers:
    settings = load_settings()
    return Servers(settings.kafka_bootstrap, settings.database_url.get_secret_value())


@contextmanager
def _embedded_servers(home: Home) -> Iterator[Servers]:
    """First deletes Daybook's variables: they do not name both servers, and a login in them is for a server that they
    name.
    """
    keep_variables(os.environ, ())
    stack = EmbeddedStack(home, say, durable=False, jars=Home.of_checkout())
    stack.start()
    yield stack.servers()


def _fresh_settings(servers: Servers, undo: ExitStack) -> Settings:
    name = f"fixture_{secrets.token_hex(6)}"
    url = urlunsplit(urlsplit(servers.database_url)._replace(path=f"/{name}"))
    settings = Settings.model_validate(
        {
            "kafka_bootstrap": servers.kafka_bootstrap,
            "database_url": SecretStr(url),
            "topic_prefix": f"{name}.",
            "jwt_secret": SecretStr(secrets.token_urlsafe(32)),
            "partitions": PARTITIONS,
        }
    )
    undo.callback(_execute, servers.database_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    _execute(servers.database_url, f'CREATE DATABASE "{name}"')
    asyncio.run(_init(settings))
    return settings


async def _init(settings: Settings) -> None:
    await ensure_topics(settings)
    await migrate(settings)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _execute(url: str, statement: str) -> None:
    asyncio.run(_execute_alone(url, statement))


async def _execute_alone(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=STATEMENT_SECONDS)
    try:
        await connection.execute(statement, timeout=STATEMENT_SECONDS)
    finally:
        await connection.close(timeout=STATEMENT_SECONDS)


def _addresses(settings: Settings) -> dict[str, str]:
    return {
        "kafka_bootstrap": settings.kafka_bootstrap,
        "topic_prefix": settings.topic_prefix,
        "database_url": settings.database_url.get_secret_value(),
        "jwt_secret": settings.jwt_secret.get_secret_value() if settings.jwt_secret else "",
    }


def _environment(settings: Settings) -> dict[str, str]:
    """A service's variables. Clears an inherited one that names a secret file."""
    cleared = ("DATABASE_URL_FILE",)
    named = {"DAYBOOK_PARTITIONS": str(settings.partitions)}
    addresses = {f"DAYBOOK_{name.upper()}": value for name, value in _addresses(settings).items()}
    return named | addresses | {f"DAYBOOK_{name}": "" for name in cleared}


if __name__ == "__main__":
    main()
