"""The servers that the tests run against: one private stack per session, with a fresh log and database on request.
Only the fetched Kafka jars are shared with the checkout's own stack.
"""

import asyncio
import os
import secrets
import shutil
import tempfile
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
# The settings that the session was started with; the tests' own start from the defaults.
ASKED = pytest.StashKey[Settings]()


@contextmanager
def servers(settings: Settings) -> Iterator[Servers]:
    """The servers named by the environment; else embedded ones, or containers if DAYBOOK_STACK=docker."""
    if not parts_needed(settings):
        yield Servers(settings.kafka_bootstrap, settings.database_url.get_secret_value())
    elif settings.stack == "docker":
        from support.containers import containers  # noqa: PLC0415 - slow to import, and seldom asked for

        with containers() as started:
            yield started
    else:
        with own_stack() as started:
            yield started.servers()


@contextmanager
def own_stack(kafka_advertised: int | None = None, parts: frozenset[Part] = ALL_PARTS) -> Iterator[EmbeddedStack]:
    """An embedded stack in a folder of its own, deleted afterwards."""
    with own_home() as home:
        stack = stack_in(home, kafka_advertised)
        stack.start(parts)
        yield stack


def stack_in(home: Home, kafka_advertised: int | None = None) -> EmbeddedStack:
    return EmbeddedStack(home, print, durable=False, jars=Home.of_checkout(), kafka_advertised=kafka_advertised)


@contextmanager
def own_home() -> Iterator[Home]:
    """A stack's folder, and the servers started in it; both are removed afterwards."""
    _sweep()
    home = Home(Path(tempfile.mkdtemp(prefix=HOME_PREFIX)))
    with lock_or_refuse(home.lock("session"), "held by {pid}"):
        try:
            yield home
        finally:
            _clear(home)


def _sweep() -> None:
    """Ends the servers that killed sessions left behind."""
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
    """Deletes the stack's folder and its data, wherever they are. Its servers must be stopped."""
    if home.data.is_symlink():
        shutil.rmtree(home.data.resolve(), ignore_errors=True)
    shutil.rmtree(home.folder, ignore_errors=True)


class Fresh:
    """Makes settings with a log prefix and a database of their own, and removes both again."""

    def __init__(self, found: Servers) -> None:
        self._servers = found
        self._made: list[Settings] = []

    def __call__(self, *, init: bool = True, **changes: object) -> Settings:
        """`init=False` leaves out topics and migrations. May be called with or without a running event loop."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        settings = self._settings(name, **changes)
        self._made.append(settings)
        _outside_the_loop(self._make(name, settings, init=init))
        return settings

    def drop(self) -> None:
        """Removes what it can; anything left behind has a unique name and does no harm."""
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

    async def _make(self, name: str, settings: Settings, *, init: bool) -> None:
        await self._execute(f'CREATE DATABASE "{name}"')
        if init:
            await ensure_topics(settings)
            await migrate(settings)

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
    """For one test: everything it made is removed afterwards."""
    fresh = Fresh(stack)
    yield fresh
    fresh.drop()


@pytest.fixture(scope="session")
def lasting_settings(stack: Servers) -> Iterator[FreshSettings]:
    """For fixtures that many tests share."""
    fresh = Fresh(stack)
    yield fresh
    fresh.drop()
