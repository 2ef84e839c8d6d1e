"""The servers for tests: one private stack for each test session, and on request a new log and database. The checkout's
own stack shares only Kafka's jars with it.
"""

import asyncio
import hashlib
import os
import secrets
import shutil
import signal
import tempfile
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.postgres.logins import ensure_logins
from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.embedded import EmbeddedStack
from daybook_infra.stack.interface import ALL_PARTS, Part, Servers
from daybook_infra.stack.local_settings import parts_needed
from daybook_infra.stack.lock import is_held, lock_or_refuse
from daybook_infra.stack.places import Home
from support.small_disk import unmount
from support.sql import run

FreshSettings = Callable[..., Settings]
HOME_PREFIX = "daybook-tests-"
# The settings from the session's environment. The settings of tests start from the defaults instead.
ASKED = pytest.StashKey[Settings]()


@contextmanager
def servers(settings: Settings) -> Iterator[Servers]:
    """The servers that the environment names; else embedded servers, or containers if DAYBOOK_STACK=docker."""
    if not parts_needed(settings):
        yield Servers(settings.kafka_bootstrap, settings.database_url.get_secret_value())
    elif settings.stack == "docker":
        from support.containers import containers  # noqa: PLC0415 - slow to import, and rarely needed

        with containers() as started:
            yield started
    else:
        with own_stack() as started:
            yield started.servers()


@contextmanager
def own_stack(
    kafka_advertised: int | None = None, parts: frozenset[Part] = ALL_PARTS, *, durable: bool = False
) -> Iterator[EmbeddedStack]:
    """Starts an embedded stack in a new folder, and removes both afterwards. `durable`: PostgreSQL with fsync, as in
    production.
    """
    with own_home() as home:
        stack = stack_in(home, kafka_advertised, durable=durable)
        stack.start(parts)
        yield stack


def stack_in(home: Home, kafka_advertised: int | None = None, *, durable: bool = False) -> EmbeddedStack:
    return EmbeddedStack(home, print, durable=durable, jars=Home.of_checkout(), kafka_advertised=kafka_advertised)


@contextmanager
def own_home() -> Iterator[Home]:
    """Makes a folder for a stack. Afterwards stops the servers that were started in it, and deletes it."""
    _sweep()
    with sigterm_as_sigint():
        home = Home(Path(tempfile.mkdtemp(prefix=HOME_PREFIX)))
        with lock_or_refuse(home.lock("session"), "held by {pid}"):
            try:
                yield home
            finally:
                _clear(home)


@contextmanager
def sigterm_as_sigint() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, so that the program stops what it has started before it ends. Does nothing
    outside the main thread, because only the main thread may set a handler.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _sweep() -> None:
    """Ends the servers of test sessions that were killed, and deletes their folders."""
    for folder in Path(tempfile.gettempdir()).glob(f"{HOME_PREFIX}*"):
        home = Home(folder)
        with suppress(FileNotFoundError):
            if (
                folder.stat().st_uid == os.geteuid()
                and home.lock("session").exists()
                and not is_held(home.lock("session"))
            ):
                _clear(home)


def _clear(home: Home) -> None:
    EmbeddedStack(home, print).stop()
    if home.data.is_mount():
        unmount(home)
    remove(home)


def remove(home: Home) -> None:
    """Deletes the stack's folder and its data, which may be outside the folder. The servers must have stopped."""
    if home.data.is_symlink():
        shutil.rmtree(home.data.resolve(), ignore_errors=True)
    shutil.rmtree(home.folder, ignore_errors=True)


class Fresh:
    """Makes settings with a new topic prefix and a new database. `drop` deletes these topics and databases."""

    def __init__(self, found: Servers) -> None:
        self._servers = found
        self._made: list[Settings] = []

    def __call__(self, *, init: bool = True, **changes: object) -> Settings:
        """Makes topics and a migrated database; with `init=False`, no topics and an empty database. Works with and
        without a running event loop.
        """
        name = f"test_{uuid.uuid4().hex[:12]}"
        settings = self._settings(name, **(self._passwords if init else {}) | changes)
        self._made.append(settings)
        _outside_the_loop(self._make(name, settings, init=init))
        return settings

    def drop(self) -> None:
        """Deletes all topics and databases. Ignores failures: the names are unique, so leftovers do no harm."""
        for settings in self._made:
            with suppress(DaybookError, KafkaError, OSError, TimeoutError):
                _outside_the_loop(_delete_topics(settings))
            with suppress(asyncpg.PostgresError, OSError, TimeoutError):
                _outside_the_loop(self._execute(f'DROP DATABASE IF EXISTS "{_database(settings)}" WITH (FORCE)'))
        self._made.clear()

    def _settings(self, name: str, **changes: object) -> Settings:
        url = urlunsplit(urlsplit(self._servers.database_url)._replace(path=f"/{name}"))
        own: dict[str, object] = {
            "kafka_bootstrap": self._servers.kafka_bootstrap,
            "database_url": SecretStr(url),
            "topic_prefix": f"{name}.",
            "jwt_secret": SecretStr(secrets.token_urlsafe(32)),
        }
        return Settings.model_validate(own | changes)

    @property
    def _passwords(self) -> dict[str, object]:
        """Passwords of the services' logins. Logins belong to the cluster, so all test sessions use the same ones."""
        password = SecretStr(hashlib.sha256(self._servers.database_url.encode()).hexdigest())
        return {"command_password": password, "projector_password": password}

    async def _make(self, name: str, settings: Settings, *, init: bool) -> None:
        await self._execute(f'CREATE DATABASE "{name}"')
        if init:
            await ensure_topics(settings)
            await migrate(settings)
            await ensure_logins(settings)

    async def _execute(self, statement: str) -> None:
        await run(self._servers.database_url, statement)


async def _delete_topics(settings: Settings) -> None:
    async with asyncio.timeout(30), admin(settings) as client:
        mine = [name for name in await client.list_topics() if name.startswith(settings.topic_prefix)]
        if mine:
            await client.delete_topics(mine)


def _database(settings: Settings) -> str:
    return urlsplit(settings.database_url.get_secret_value()).path.removeprefix("/")


def _outside_the_loop(work: Coroutine[None, None, None]) -> None:
    """Runs on another thread, because a test's own loop may be running on this one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Servers]:
    with servers(request.config.stash[ASKED]) as found:
        yield found


@pytest.fixture
def fresh_settings(stack: Servers) -> Iterator[FreshSettings]:
    """Makes settings for one test; their topics and databases are deleted after the test."""
    fresh = Fresh(stack)
    yield fresh
    fresh.drop()


@pytest.fixture(scope="session")
def lasting_settings(stack: Servers) -> Iterator[FreshSettings]:
    """Makes settings for fixtures that many tests share; their topics and databases are deleted after the session."""
    fresh = Fresh(stack)
    yield fresh
    fresh.drop()
