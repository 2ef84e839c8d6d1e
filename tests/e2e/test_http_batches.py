"""Many commands in one request, and how many a user may send."""

import asyncio
from functools import partial

import pytest

from daybook_infra.runtime.postgres.connections import Connection
from support.driving import Tenant, eventually, fresh_id, post_batch
from support.publisher import Door, Send, item
from support.workload import SERVICE, registration

pytestmark = pytest.mark.e2e


async def test_a_batch_is_answered_in_order_and_one_orgs_items_are_decided_in_order(
    door: Door, tenant: Tenant, database: Connection
) -> None:
    sends = [tenant.rename(f"Name {at}") for at in range(50)]
    others = [registration(fresh_id(), fresh_id()) for _ in sends]
    mixed = [send for pair in zip(sends, others, strict=True) for send in pair]
    items = await post_batch(door, mixed, SERVICE)
    assert [one["command_id"] for one in items] == [send.command["id"] for send in mixed]
    positions = [int(one["position"].partition(".")[2]) for one in items[::2]]
    assert positions == sorted(positions)
    assert await database.fetchval("select daybook.wait_for($1)", items[-2]["position"])
    assert await database.fetchval("select name from orgs where id = $1", tenant.org_id) == "Name 49"


async def test_a_batchs_item_is_the_single_calls_body_with_its_status(door: Door, tenant: Tenant) -> None:
    sends = [tenant.rename("Yes"), tenant.by(tenant.owner, "REMOVE_MEMBER", user_id=tenant.owner)]
    items = await post_batch(door, sends, f"user:{tenant.owner}")
    assert [one["status"] for one in items] == [200, 409]
    assert items == [item(await door.send(send)) for send in sends]


async def test_a_batch_that_does_not_wait_gets_a_location_for_each_item(door: Door, tenant: Tenant) -> None:
    sends = [tenant.rename("One"), tenant.rename("Two")]
    body = b"[" + b",".join(send.body for send in sends) + b"]"
    answer = await door.post("/v1/commands:batch", body, f"user:{tenant.owner}", Prefer="respond-async")
    assert answer.status_code == 202
    assert [one["status"] for one in answer.json()] == [202, 202]
    locations = [one["location"] for one in answer.json()]
    assert locations == [f"/v1/orgs/{tenant.org_id}/commands/{send.command['id']}" for send in sends]
    for send in sends:
        await eventually(partial(found, door, send))


async def found(door: Door, send: Send) -> bool:
    return (await door.outcome(send)).status_code == 200


async def test_a_user_who_sends_too_much_is_held_back_and_a_service_is_not(door: Door, tenant: Tenant) -> None:
    user = f"user:{tenant.owner}"
    sends = [tenant.rename(f"Name {at}") for at in range(door.settings.burst * 3)]
    items = await post_batch(door, sends, user)
    assert {one["status"] for one in items} == {200}
    answers = await asyncio.gather(*(door.send(send) for send in [tenant.rename("More") for _ in range(20)]))
    held = [answer for answer in answers if answer.status_code == 429]
    assert held
    assert {answer.json()["code"] for answer in held} == {"TOO_MANY_REQUESTS"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in held)
    assert (await door.send(Send(SERVICE, tenant.rename("Service").command))).status_code == 200
