"""The client reads its own writes over the read API."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from daybook_client import Accepted, Daybook, Misuse, NotVisible, commands
from daybook_client.http.reader import Reader
from daybook_client.http.session import Session
from support.driving import Tenant
from support.processes import System
from support.publisher import token


@pytest.fixture
async def daybook(system: System, tenant: Tenant) -> AsyncIterator[Daybook]:
    url, read_url = system.commands[0].url, system.projectors[0].url
    bearer = token(system.settings, f"user:{tenant.owner}")
    async with Daybook.over_http(url, token=bearer, read_url=read_url) as daybook:
        yield daybook


async def new_projects(daybook: Daybook, tenant: Tenant, count: int) -> str:
    """Creates projects; returns the position of the last one."""
    creates = [commands.CreateProject(org_id=tenant.org_id, name=f"{at}") for at in range(count)]
    outcomes = [outcome async for outcome in daybook.send_many(creates)]
    last = outcomes[-1]
    assert isinstance(last, Accepted)
    return last.position


async def test_an_iterator_yields_every_item_of_all_pages_once(
    daybook: Daybook, tenant: Tenant, system: System
) -> None:
    position = await new_projects(daybook, tenant, 7)
    session = Session(system.projectors[0].url, token(system.settings, f"user:{tenant.owner}"))
    reader = Reader(session, page_items=3)
    found = [project async for project in reader.projects(tenant.org_id, after=position)]
    await session.close()
    assert sorted(project.name for project in found) == [f"{at}" for at in range(7)]
    assert {str(project.org_id) for project in found} == {tenant.org_id}


async def test_an_accepted_command_becomes_visible_over_the_read_api(daybook: Daybook, tenant: Tenant) -> None:
    await daybook.wait_for(await new_projects(daybook, tenant, 1), timeout=20)
    assert [project.name async for project in daybook.read.projects(tenant.org_id)] == ["0"]


async def test_filters_choose_items(daybook: Daybook, tenant: Tenant) -> None:
    position = await new_projects(daybook, tenant, 2)
    read = daybook.read
    owners = [str(member.user_id) async for member in read.members(tenant.org_id, role="owner", after=position)]
    assert owners == [tenant.owner]
    made = [entry async for entry in read.audit_log(tenant.org_id, action="CREATE_PROJECT")]
    assert [(entry.action, entry.result, str(entry.actor_user_id)) for entry in made] == [
        ("CREATE_PROJECT", "success", tenant.owner)
    ] * 2
    later = datetime.now(UTC) + timedelta(hours=1)
    assert [entry async for entry in read.audit_log(tenant.org_id, since=later)] == []


async def test_reading_an_unknown_org_raises_not_visible(daybook: Daybook) -> None:
    with pytest.raises(NotVisible):
        await anext(daybook.read.projects(uuid4()))


async def test_a_time_without_a_zone_is_misuse(daybook: Daybook, tenant: Tenant) -> None:
    with pytest.raises(Misuse, match="since: a time needs a time zone"):
        await anext(daybook.read.sync_runs(tenant.org_id, since=datetime(2026, 1, 1)))  # noqa: DTZ001 - the mistake


async def test_waiting_for_a_position_that_never_comes_times_out_and_an_unknown_partition_is_misuse(
    daybook: Daybook, tenant: Tenant
) -> None:
    partition = (await new_projects(daybook, tenant, 1)).partition(".")[0]
    with pytest.raises(TimeoutError):
        await daybook.wait_for(f"{partition}.999999999", timeout=0.5)
    with pytest.raises(Misuse):
        await daybook.wait_for("99999.0")
