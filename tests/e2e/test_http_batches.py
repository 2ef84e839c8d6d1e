"""Many commands in one request, and the rate limit of users."""

import asyncio
from functools import partial

import pytest

from daybook_infra.runtime.postgres.connections import Connection
from support.driving import Tenant, eventually, fresh_id, post_batch
from support.publisher import Door, Send, item
from support.workload import SERVICE, registration

pytestmark = pytest.mark.e2e


async def test_a_batch_is_answered_in_order_and_items_of_an_org_are_decided_in_order(
    door: Door, tenant: Tenant, database: Connection
) -> None:
    sends = [tenant.rename(f"Name {number}") for number in range(50)]
    others = [registration(fresh_id(), fresh_id()) for _ in sends]
    mixed = [send for pair in zip(sends, others, strict=True) for send in pair]
    items = await post_batch(door, mixed, SERVICE)
    assert [result["command_id"] for result in items] == [send.command["id"] for send in mixed]
    positions = [int(result["position"].partition(".")[2]) for result in items[::2]]
    assert positions == sorted(positions)
    assert await database.fetchval("select daybook.wait_for($1)", items[-2]["position"])
    assert await database.fetchval("select name from orgs where id = $1", tenant.org_id) == "Name 49"


async def test_a_batch_item_is_the_body_of_a_single_request_plus_its_status(door: Door, tenant: Tenant) -> None:
    sends = [tenant.rename("Yes"), tenant.by(tenant.owner, "REMOVE_MEMBER", user_id=tenant.owner)]
    items = await post_batch(door, sends, f"user:{tenant.owner}")
    assert [result["status"] for result in items] == [200, 409]
    assert items == [item(await door.send(send)) for send in sends]


async def test_a_batch_with_respond_async_gets_a_location_per_item(door: Door, tenant: Tenant) -> None:
    sends = [tenant.rename("One"), tenant.rename("Two")]
    body = b"[" + b",".join(send.body for send in sends) + b"]"
    answer = await door.post("/v1/commands:batch", body, f"user:{tenant.owner}", Prefer="respond-async")
    assert answer.status_code == 202
    assert [result["status"] for result in answer.json()] == [202, 202]
    locations = [result["location"] for result in answer.json()]
    assert locations == [f"/v1/orgs/{tenant.org_id}/commands/{send.command['id']}" for send in sends]
    for send in sends:
        await eventually(partial(has_outcome, door, send))


async def has_outcome(door: Door, send: Send) -> bool:
    return (await door.outcome(send)).status_code == 200


async def test_users_are_rate_limited_and_services_are_not(door: Door, tenant: Tenant) -> None:
    user = f"user:{tenant.owner}"
    sends = [tenant.rename(f"Name {number}") for number in range(door.settings.burst * 3)]
    items = await post_batch(door, sends, user)
    assert {result["status"] for result in items} == {200}
    answers = await asyncio.gather(*(door.send(send) for send in [tenant.rename("More") for _ in range(20)]))
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert {answer.json()["code"] for answer in limited} == {"TOO_MANY_REQUESTS"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in limited)
    assert (await door.send(Send(SERVICE, tenant.rename("Service").command))).status_code == 200
