"""An empty log and database for each test. Modules that need other settings, or share them, override `settings`."""

from collections.abc import AsyncIterator

import pytest

from daybook_infra.runtime.postgres.connections import OwnConnection, Pool, connect
from daybook_infra.runtime.settings import Settings
from support import projecting
from support.stack import FreshSettings


@pytest.fixture
def settings(fresh_settings: FreshSettings) -> Settings:
    return fresh_settings(partitions=1)


@pytest.fixture(scope="module")
def shared_settings(lasting_settings: FreshSettings) -> Settings:
    """For all tests of a module."""
    return lasting_settings(partitions=1)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with projecting.database(settings) as pool:
        yield pool


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[OwnConnection]:
    """Changes of a test are rolled back."""
    async with connect(settings, "test") as connection:
        transaction = connection.transaction()
        await transaction.start()
        yield connection
        await transaction.rollback()
