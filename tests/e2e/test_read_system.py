"""The read API of a running system with two instances of each service: writers read their own writes, a removed member
loses access, and a stream moves from one instance to another.
"""

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from daybook_infra.runtime.postgres.connections import Connection
from support.door_doubles import problem_of
from support.driving import Tenant, fresh_id, send_accepted, send_and_project
from support.processes import System
from support.projecting import until
from support.publisher import Door
from support.reading import ReadApi, following
from support.workload import registration

WRITES = 500
AT_ONCE = 8


@pytest_asyncio.fixture
async def apis(system: System) -> AsyncIterator[tuple[ReadApi, ...]]:
    """One client for each projector."""
    clients = [httpx.AsyncClient(base_url=each.url, timeout=30) for each in system.projectors]
    yield tuple(ReadApi(client, system.settings, FastAPI(), CollectorRegistry()) for client in clients)
    for client in clients:
        await client.aclose()


@pytest.mark.timeout(180)
async def test_writers_read_their_own_writes_on_every_instance(door: Door, apis: tuple[ReadApi, ...]) -> None:
    """Each writer renames its own org and reads it immediately. `make bench-large` does this with more writes."""
    readers = cycle(apis)

    async def write_and_read(writer: int) -> None:
        # Each writer is a different user, because the rate limit of one user would not allow so many commands.
        own = Tenant(fresh_id())
        await send_accepted(door, registration(own.owner, fresh_id()))
        await send_accepted(door, own.by(own.owner, "CREATE_ORG", name="new"))
        for number in range(WRITES // AT_ONCE):
            name = f"{writer}.{number}"
            answer = await send_accepted(door, own.rename(name))
            after = {"Daybook-After": answer["position"]}
            found = await next(readers).get(f"/v1/orgs/{own.org_id}", f"service:reader{number}", after)
            assert (found.status_code, found.json().get("name")) == (200, name), found.text

    async with asyncio.TaskGroup() as group:
        for writer in range(AT_ONCE):
            group.create_task(write_and_read(writer))


async def test_a_sender_can_wait_for_a_registered_user_without_sql(door: Door, apis: tuple[ReadApi, ...]) -> None:
    answer = await send_accepted(door, registration(fresh_id(), fresh_id()))
    for api in apis:
        waited = await api.get(f"/v1/positions/{answer['position']}", "service:sender", wait=5)
        assert waited.status_code == 204


async def test_the_stream_of_a_removed_member_ends_and_the_org_is_hidden(
    door: Door, database: Connection, tenant: Tenant, apis: tuple[ReadApi, ...]
) -> None:
    api, path, admin = apis[0], f"/v1/orgs/{tenant.org_id}", f"user:{tenant.admin}"
    async with following(api, path, admin) as stream, following(apis[1], path, f"user:{tenant.owner}") as other:
        renamed = await send_accepted(door, tenant.rename("Seen by both"))
        await until(lambda: renamed["position"] in dict(stream.events), "the entry is on the stream")
        removed = await send_accepted(door, tenant.by(tenant.owner, "REMOVE_MEMBER", user_id=tenant.admin))
        await until(lambda: stream.ended, "the stream ends", 5)
        await until(lambda: removed["position"] in dict(other.events), "the entry is on the other stream")
        assert removed["position"] not in dict(stream.events)
    for below in ("", "/members", "/audit-log", "/audit-log/stream"):
        answer = await api.get(f"{path}{below}", admin, {"Daybook-After": removed["position"]})
        assert problem_of(answer) == (404, "NOT_FOUND")


async def test_a_stream_continues_on_another_instance(
    door: Door, database: Connection, tenant: Tenant, apis: tuple[ReadApi, ...]
) -> None:
    path, owner, last, found = f"/v1/orgs/{tenant.org_id}", f"user:{tenant.owner}", None, []
    start = await send_and_project(door, database, tenant.rename("start"))
    last = start["position"]
    expected = []
    for at, api in enumerate([*apis, *apis]):
        expected.append((await send_accepted(door, tenant.rename(f"name {at}")))["position"])
        async with following(api, path, owner, {"Last-Event-ID": last}) as stream:
            await until(lambda: bool(stream.positions), "an entry comes")
            found += [id_ for id_, entry in stream.events if entry is not None]
            last = found[-1]
    assert found == expected
