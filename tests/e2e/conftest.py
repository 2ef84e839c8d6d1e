"""Fixtures with running systems: most tests share one; tests that break something start their own. The report of a
failed test ends with the last lines that its services logged.
"""

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from daybook_infra.runtime.postgres.connections import Connection
from support.driving import Tenant, new_tenant, open_database
from support.processes import System, Systems
from support.publisher import Door, Publisher, doors
from support.stack import FreshSettings


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.e2e)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        systems = [value for value in item.funcargs.values() if isinstance(value, System)]
        systems += [system for value in item.funcargs.values() if isinstance(value, Systems) for system in value.made]
        report.sections += [(service.url, service.tail()) for system in systems for service in system.services]
    return report


@pytest.fixture(scope="session")
def shared(lasting_settings: FreshSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two instances of each service. Tests must not stop or damage them."""
    systems = Systems(lasting_settings, tmp_path_factory.mktemp("shared"))
    try:
        yield systems.start(commands=2, projectors=2)
    finally:
        systems.stop()


@pytest.fixture(scope="module")
def lasting_systems(lasting_settings: FreshSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    """Starts systems for the tests of one module."""
    systems = Systems(lasting_settings, tmp_path_factory.mktemp("lasting"))
    yield systems
    systems.stop()


@pytest.fixture
def systems(fresh_settings: FreshSettings, tmp_path: Path) -> Iterator[Systems]:
    """Starts systems for one test only."""
    systems = Systems(fresh_settings, tmp_path)
    yield systems
    systems.stop()


@pytest.fixture
def system(shared: System) -> System:
    """The system that the clients below connect to. Modules that start their own system override this fixture."""
    return shared


@pytest_asyncio.fixture
async def door(system: System) -> AsyncIterator[Door]:
    async with doors(system.settings, system.commands[0].url) as (door,):
        yield door


@pytest_asyncio.fixture
async def publisher(system: System) -> AsyncIterator[Publisher]:
    async with Publisher(system.settings) as publisher:
        yield publisher


@pytest_asyncio.fixture
async def database(system: System) -> AsyncIterator[Connection]:
    async with open_database(system.settings) as connection:
        yield connection


@pytest_asyncio.fixture
async def tenant(door: Door, database: Connection) -> Tenant:
    return await new_tenant(door, database)
