"""Commands over HTTP on real servers: repeats, answers with and without waiting, batches, and reading one's own
writes.
"""

import json

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import entry_id
from support.driving import Tenant, eventually, fresh_id, post_batch
from support.processes import System
from support.publisher import Door, Send, are_projected, doors, item
from support.workload import SERVICE, command, registration


def body_with(send: Send, **changes: object) -> bytes:
    """The envelope with changed members; a member passed as None is left out."""
    envelope = {name: value for name, value in (send.command | changes).items() if value is not None}
    return json.dumps(envelope).encode()


async def test_a_repeat_gets_the_first_answer_from_any_instance(shared: System, tenant: Tenant) -> None:
    sends = [tenant.rename("Once"), tenant.by(tenant.viewer, "RENAME_ORG", name="Never")]
    async with doors(shared.settings, *(service.url for service in shared.commands)) as both:
        for send in sends:
            answers = [await door.send(send) for door in (*both, *both)]
            assert len({answer.content for answer in answers}) == 1


async def test_a_repeat_with_another_spelling_is_still_a_repeat(door: Door, tenant: Tenant) -> None:
    send = tenant.rename("Zoë")
    first = await door.send(send)
    upper = body_with(send, id=send.command["id"].upper(), org_id=tenant.org_id.upper(), data={"name": " Zoe\u0308 "})
    assert (await door.post("/v1/commands", upper, send.principal)).content == first.content


async def test_a_reused_id_is_refused_and_the_first_outcome_stays(door: Door, tenant: Tenant) -> None:
    send = tenant.rename("First")
    first = await door.send(send)
    reused = await door.post("/v1/commands", body_with(send, data={"name": "Second"}), send.principal)
    assert (reused.status_code, reused.json()["code"]) == (409, "COMMAND_ID_REUSED")
    assert reused.json()["command_id"] == send.command["id"]
    assert not {"entry_id", "position"} & reused.json().keys()
    assert (await door.send(send)).content == first.content


async def test_one_id_in_two_orgs_is_two_commands(door: Door, tenant: Tenant) -> None:
    command_id = fresh_id()
    for org_id in (fresh_id(), fresh_id()):
        send = Send(f"user:{tenant.owner}", command("CREATE_ORG", org_id, tenant.owner, command_id, name="Twin"))
        assert (await door.send(send)).json()["entries"][0]["id"] == entry_id(org_id, command_id)


async def test_respond_async_gets_202_and_the_location_of_the_outcome(door: Door, tenant: Tenant) -> None:
    send = tenant.rename("Later")
    answer = await door.send(send, Prefer="respond-async")
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/orgs/{tenant.org_id}/commands/{send.command['id']}"
    await eventually(lambda: are_projected(door, [send]))
    assert (await door.outcome(send)).json() == item(await door.send(send))


async def test_an_outcome_is_visible_to_its_sender_owners_admins_and_services(door: Door, tenant: Tenant) -> None:
    send = tenant.by(tenant.member, "RENAME_ORG", name="Mine")
    refused = item(await door.send(send))
    assert refused["code"] == "FORBIDDEN"
    await eventually(lambda: are_projected(door, [send]))
    for principal in (f"user:{tenant.member}", f"user:{tenant.owner}", f"user:{tenant.admin}", SERVICE):
        assert (await door.outcome(send, principal)).json() == refused
    for principal in (f"user:{tenant.viewer}", f"user:{tenant.stranger}"):
        hidden = await door.outcome(send, principal)
        assert (hidden.status_code, hidden.json()["code"]) == (404, "NOT_FOUND")


async def test_a_write_is_visible_after_waiting_for_it(door: Door, tenant: Tenant, database: Connection) -> None:
    for number in range(20):
        answer = await door.send(tenant.rename(f"Name {number}"))
        assert await database.fetchval("select daybook.wait_for($1, interval '5 seconds')", answer.json()["position"])
        assert await database.fetchval("select name from orgs where id = $1", tenant.org_id) == f"Name {number}"


async def test_waiting_for_a_position_that_never_comes_returns_false(tenant: Tenant, database: Connection) -> None:
    assert not await database.fetchval("select daybook.wait_for('0.999999', interval '0.1 seconds')")


async def test_a_batch_is_answered_and_decided_in_order(door: Door, tenant: Tenant, database: Connection) -> None:
    sends = [tenant.rename(f"Name {number}") for number in range(50)]
    others = [registration(fresh_id(), fresh_id()) for _ in sends]
    mixed = [send for pair in zip(sends, others, strict=True) for send in pair]
    items = await post_batch(door, mixed, SERVICE)
    assert [result["command_id"] for result in items] == [send.command["id"] for send in mixed]
    positions = [int(result["position"].partition(".")[2]) for result in items[::2]]
    assert positions == sorted(positions)
    assert await database.fetchval("select daybook.wait_for($1)", items[-2]["position"])
    assert await database.fetchval("select name from orgs where id = $1", tenant.org_id) == "Name 49"
