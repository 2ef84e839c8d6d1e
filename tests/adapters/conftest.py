"""Fixtures for tests on real servers. Each test gets a new log and a new database, with one partition. A module can
change the settings with `SETTINGS`. With `SHARED_DATABASE = True`, all tests of a module use the same log and database;
then `pool` empties the tables before each test. With `SEED_OF_LOG` as well, the long random `log` is published
and projected first.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daybook_command.kafka.log_reader import LogReader
from daybook_contracts.topics import Topics
from daybook_infra.runtime.postgres.connections import OwnConnection, Pool, connect
from daybook_infra.runtime.postgres.migrations import read_migrations
from daybook_infra.runtime.settings import Settings
from support import projecting
from support.chain import Json
from support.logbook import Logbook
from support.read_scene import ReadScene
from support.reading import ReadApi, reading
from support.replaying import all_entries, long_log, write
from support.stack import FreshSettings
from support.workload import Workload


@pytest.fixture(scope="module")
def shared_settings(request: pytest.FixtureRequest, lasting_settings: FreshSettings) -> Settings:
    """Settings that all tests of a module share."""
    made = lasting_settings(**module_settings(request))
    if hasattr(request.module, "SEED_OF_LOG"):
        write(made, request.getfixturevalue("log"))
    return made


@pytest.fixture(scope="module")
def log(request: pytest.FixtureRequest) -> Logbook:
    workload = Workload(request.module.SEED_OF_LOG, orgs=6, users=12, commands=3000)
    return long_log([*workload.registrations, *workload.distinct], module_settings(request)["partitions"])


@pytest.fixture(scope="module")
def entries(log: Logbook) -> list[Json]:
    return all_entries(log)


@pytest.fixture
def settings(request: pytest.FixtureRequest, fresh_settings: FreshSettings) -> Settings:
    shared: Settings | None = request.getfixturevalue("shared_settings") if is_shared(request) else None
    return shared or fresh_settings(**module_settings(request))


def module_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"partitions": 1, **getattr(request.module, "SETTINGS", {})}


def is_shared(request: pytest.FixtureRequest) -> bool:
    return getattr(request.module, "SHARED_DATABASE", False)


@pytest.fixture
async def pool(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Pool]:
    async with projecting.database(settings) as pool:
        if is_shared(request):
            await projecting.empty_tables(pool)
        yield pool


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[OwnConnection]:
    """A connection whose transaction is rolled back after the test."""
    async with connect(settings, "test") as connection:
        transaction = connection.transaction()
        await transaction.start()
        yield connection
        await transaction.rollback()


@pytest.fixture
def migrations_folder(tmp_path: Path) -> Path:
    """Copies of the migrations, to which a test may add more."""
    for migration in read_migrations():
        (tmp_path / migration.name).write_text(migration.sql, encoding="utf-8")
    return tmp_path


@pytest.fixture
async def scene(pool: Pool) -> ReadScene:
    """Two orgs whose rows are planted, for tests of the read API and the stream."""
    scene = ReadScene()
    await scene.plant(pool, 1)
    return scene


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[ReadApi]:
    async with reading(settings) as api:
        yield api


@pytest.fixture
async def reader(settings: Settings) -> AsyncIterator[LogReader]:
    """Reads the audit log as a shard does."""
    reader = LogReader(settings, Topics(settings.topic_prefix).audit_log)
    yield reader
    await reader.stop()
