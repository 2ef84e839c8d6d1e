"""The client over Kafka, against real services."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from daybook_client import Accepted, Code, Daybook, Misuse, Rejected, Unknown, commands, new_id_of
from daybook_infra.runtime.postgres.connections import Connection
from support.driving import Tenant, until_projected
from support.processes import System, free_port


@pytest.fixture
async def daybook(system: System) -> AsyncIterator[Daybook]:
    settings = system.settings
    kafka, prefix = settings.kafka_bootstrap, settings.topic_prefix
    async with Daybook.over_kafka(kafka, principal="service:shop", topic_prefix=prefix) as daybook:
        yield daybook


async def test_an_accepted_command_has_its_computed_id_and_its_sender(
    daybook: Daybook, database: Connection, tenant: Tenant
) -> None:
    command = commands.CreateProject(org_id=tenant.org_id, actor_user_id=tenant.owner, name="Storefront")
    outcome = await daybook.send(command, deadline=20)
    assert isinstance(outcome, Accepted)
    await until_projected(database, [outcome.position])
    name = await database.fetchval("SELECT name FROM projects WHERE id = $1", new_id_of(command))
    sender = "SELECT metadata_json->>'principal' FROM audit_log WHERE entity_id = $1"
    assert (name, await database.fetchval(sender, new_id_of(command))) == ("Storefront", "service:shop")


async def test_a_command_that_is_sent_again_gets_its_first_outcome(daybook: Daybook, tenant: Tenant) -> None:
    command = commands.CreateProject(org_id=tenant.org_id, actor_user_id=tenant.owner, name="Once")
    assert await daybook.send(command) == await daybook.send(command)


async def test_a_rejection_is_returned_as_an_outcome(daybook: Daybook, tenant: Tenant) -> None:
    command = commands.RemoveMember(org_id=tenant.org_id, actor_user_id=tenant.owner, user_id=tenant.owner)
    outcome = await daybook.send(command)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.status, outcome.command) == (Code.LAST_OWNER, 409, command)
    assert outcome.position is not None


async def test_a_secret_is_refused_before_it_reaches_kafka(system: System, tenant: Tenant) -> None:
    config = {"password": "hunter2"}
    command = commands.CreateConnection(org_id=tenant.org_id, project_id=uuid4(), type="crm", name="x", config=config)
    nowhere = f"127.0.0.1:{free_port()}"
    async with Daybook.over_kafka(nowhere, principal="service:shop") as daybook:
        outcome = await daybook.send(command, deadline=5)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.status) == (Code.SECRET_IN_CONFIG, 422)


async def test_many_commands_keep_their_order_and_their_outcomes(daybook: Daybook, tenant: Tenant) -> None:
    org, owner = tenant.org_id, tenant.owner
    renames = [commands.RenameOrg(org_id=org, actor_user_id=owner, name=f"Name {at}") for at in range(1200)]
    renames[7] = commands.RenameOrg(org_id=org, actor_user_id=owner, name="")
    outcomes = [outcome async for outcome in daybook.send_many(renames, in_flight=700)]
    assert [outcome.command for outcome in outcomes] == renames
    assert [at for at, outcome in enumerate(outcomes) if not isinstance(outcome, Accepted)] == [7]
    positions = [int(each.position.split(".")[1]) for each in outcomes if isinstance(each, Accepted)]
    assert positions == sorted(positions)


async def test_without_kafka_the_outcome_is_unknown_at_the_deadline() -> None:
    command = commands.RenameOrg(org_id=uuid4(), name="x")
    async with Daybook.over_kafka(f"127.0.0.1:{free_port()}", principal="service:shop") as daybook:
        outcome = await daybook.send(command, deadline=1)
    assert isinstance(outcome, Unknown)
    assert outcome.command is command


async def test_waiting_for_the_tables_without_the_read_api_is_misuse(daybook: Daybook, tenant: Tenant) -> None:
    outcome = await daybook.send(commands.RenameOrg(org_id=tenant.org_id, actor_user_id=tenant.owner, name="New"))
    assert isinstance(outcome, Accepted)
    with pytest.raises(Misuse, match="read_url"):
        await outcome.visible()


def test_a_malformed_principal_is_misuse() -> None:
    with pytest.raises(Misuse, match="principal"):
        Daybook.over_kafka("127.0.0.1:9092", principal="shop")
