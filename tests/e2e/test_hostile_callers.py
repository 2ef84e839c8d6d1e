"""Callers with a user's token, a service's token or no token attack a running instance. A bystander who sends valid
commands at the same time is not affected. test_services_over_kafka.py tests which records a service policy trusts.
"""

import json
from typing import Any
from uuid import UUID, uuid5

import pytest
import pytest_asyncio

from support.attacks import ATTACKS, PARTITIONS, publish
from support.bystander import Bystander, undisturbed
from support.deadletters import dead_letter
from support.driving import (
    Tenant,
    check_tables,
    created_id,
    eventually,
    fresh_id,
    new_tenant,
    open_database,
    post_batch,
    send_accepted,
    until_projected,
)
from support.logbook import org_in
from support.processes import System, Systems
from support.publisher import Door, Publisher, Send
from support.replay import entries_of, read_log
from support.workload import SERVICE, by_user, command

pytestmark = pytest.mark.timeout(300)
SYNC_SECONDS = 3


@pytest.fixture(scope="module")
def system(lasting_systems: Systems) -> System:
    return lasting_systems.start(partitions=PARTITIONS, sync_max_seconds=SYNC_SECONDS)


@pytest.fixture(scope="module")
def tenants() -> list[Tenant]:
    """The bystander's orgs. The first test that uses a bystander creates them."""
    return []


@pytest_asyncio.fixture
async def bystander(system: System, door: Door, tenants: list[Tenant]) -> Bystander:
    if not tenants:
        async with open_database(system.settings) as database:
            tenants += [await new_tenant(door, database, org_in(number, PARTITIONS)) for number in range(PARTITIONS)]
    bystander = Bystander(door, tenants)
    await bystander.measure_usual()
    return bystander


async def test_a_bystander_is_answered_during_every_attack(system: System, door: Door, bystander: Bystander) -> None:
    for attack in ATTACKS:
        try:
            async with undisturbed(bystander):
                await attack(system, door)
        except AssertionError as error:
            raise AssertionError(f"{attack.__name__}: {error}") from error
    assert [service.process.poll() for service in system.services] == [None, None]
    await check_tables(system.settings)


async def test_an_attacker_cannot_use_up_the_ids_of_an_owner(system: System, door: Door, bystander: Bystander) -> None:
    """A user who is not a member sends commands with the id, or the `Idempotency-Key`, of the owner's next command."""
    tenant = bystander.tenants[0]
    for number in range(10):
        send = tenant.rename(f"Mine {number}")
        stolen = Send(f"user:{tenant.stranger}", {**send.command, "actor_user_id": tenant.stranger})
        assert (await door.send(stolen)).json()["code"] == "ORG_NOT_FOUND"
        assert (await door.send(send)).status_code == 200
        assert (await door.send(stolen)).json()["code"] == "ORG_NOT_FOUND"
    body = json.dumps({"type": "RENAME_ORG", "org_id": tenant.org_id, "data": {"name": "Keyed"}}).encode()
    answers: dict[str, Any] = {}
    for user in (tenant.stranger, tenant.owner):
        answers[user] = await door.post("/v1/commands", body, f"user:{user}", Idempotency_Key="rename once")
    assert [answers[tenant.stranger].status_code, answers[tenant.owner].status_code] == [404, 200]


async def test_a_stranger_gets_the_same_answer_for_any_org_and_leaves_a_small_entry(
    system: System, door: Door, bystander: Bystander
) -> None:
    tenant = bystander.tenants[0]
    data = {"name": "n" * 200, "config": {"note": "x" * 100_000}, "type": "sheets", "project_id": fresh_id()}
    real = by_user("CREATE_CONNECTION", tenant.org_id, tenant.stranger, fresh_id(), **data)
    unknown = by_user("CREATE_CONNECTION", fresh_id(), tenant.stranger, fresh_id(), **data)
    answers = [(await door.send(send)).json() for send in (real, unknown)]
    for answer in answers:
        for varying in ("command_id", "entry_id", "position"):
            del answer[varying]
    assert answers[0] == answers[1]
    async with open_database(system.settings) as database:
        look = "select length(metadata_json::text) from audit_log where metadata_json->>'command_id' = $1"
        size = await eventually(lambda: database.fetchval(look, real.command["id"]))
    assert size < 1024


async def test_a_sender_cannot_claim_the_name_of_daybook_itself(system: System, bystander: Bystander) -> None:
    """`service:daybook` is the principal of policies. A record that claims it becomes a dead letter."""
    tenant = bystander.tenants[0]
    forged = command("RESOLVE_ALERT", tenant.org_id, None, fresh_id(), alert_id=fresh_id())
    record = (Send(SERVICE, forged).body, [("daybook-principal", b"service:daybook")])
    async with undisturbed(bystander):
        for partition, offset in await publish(system, [record] * PARTITIONS):
            letter = await dead_letter(system.settings, partition, offset)
            assert letter.reason.startswith("INVALID_COMMAND: "), letter.reason
    logged = {entry["metadata_json"]["command_id"] for entry in entries_of(await read_log(system.settings))}
    assert logged
    assert forged["id"] not in logged


async def test_the_id_of_a_timeout_cannot_be_used_up(system: System, door: Door, bystander: Bystander) -> None:
    """Anybody who knows a run's id can compute the id of the command with which Daybook ends the run."""
    stranger = bystander.tenants[0].stranger
    async with open_database(system.settings) as database, Publisher(system.settings) as publisher:
        org = await new_tenant(door, database, connections=1)
        started = await send_accepted(door, org.by_service("START_SYNC", connection_id=org.connections[0]))
        run = created_id(started)
        claimed = str(uuid5(UUID(run), "sync_stalled"))
        sends = [
            by_user("RENAME_ORG", org.org_id, stranger, claimed, name="x"),
            by_user("CANCEL_SYNC", org.org_id, stranger, claimed, sync_run_id=run),
        ]
        for send in sends:
            assert (await door.send(send)).status_code in {404, 409}
            assert (await (await publisher.publish(send)))["status"] in {404, 409}
        service = Send(SERVICE, command("RENAME_ORG", org.org_id, None, claimed, name="x"))
        assert (await (await publisher.publish(service)))["status"] != 200
        await until_projected(database, [started["position"]])
        look = "select error_message from sync_runs where id = $1 and status = 'failed'"
        assert await eventually(lambda: database.fetchval(look, run), 10 * SYNC_SECONDS) == "TIMED_OUT"


async def test_retries_by_strangers_do_not_delay_others(system: System, door: Door, bystander: Bystander) -> None:
    """Each command names an org of the bystander and an unknown connection, and has a filter without conditions."""
    async with undisturbed(bystander):
        for tenant in bystander.tenants * 2:
            data: dict[str, Any] = {"connection_id": fresh_id(), "filter": {}}
            batch = [tenant.by(tenant.stranger, "RETRY_DLQ_EVENTS", **data) for _ in range(200)]
            items = await post_batch(door, batch, f"user:{tenant.stranger}")
            assert {item.get("code", "undecided") for item in items} <= {"ORG_NOT_FOUND", "undecided"}, items[:1]
            assert {item["status"] for item in items} <= {202, 404}
