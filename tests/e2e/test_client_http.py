"""The client over HTTP, against real services."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from daybook_client import Accepted, Code, CredentialsRefused, Daybook, Rejected, Unknown, commands, new_id_of
from daybook_infra.runtime.postgres.connections import Connection
from support.driving import Tenant
from support.processes import System, free_port
from support.publisher import token


@pytest.fixture
async def daybook(system: System) -> AsyncIterator[Daybook]:
    url = system.commands[0].url
    async with Daybook.over_http(url, token=token(system.settings, "service:shop")) as daybook:
        yield daybook


async def test_an_accepted_command_is_visible_under_its_computed_id(
    daybook: Daybook, database: Connection, tenant: Tenant
) -> None:
    command = commands.CreateProject(org_id=tenant.org_id, actor_user_id=tenant.owner, name="Storefront")
    outcome = await daybook.send(command, deadline=10)
    assert isinstance(outcome, Accepted)
    await outcome.visible(timeout=10)
    name = await database.fetchval("SELECT name FROM projects WHERE id = $1", new_id_of(command))
    assert (name, outcome.entries[0].entity_id) == ("Storefront", new_id_of(command))


async def test_a_command_that_is_sent_again_gets_its_first_outcome(daybook: Daybook, tenant: Tenant) -> None:
    command = commands.CreateProject(org_id=tenant.org_id, actor_user_id=tenant.owner, name="Once")
    assert await daybook.send(command) == await daybook.send(command)


async def test_a_rejection_is_returned_as_an_outcome(daybook: Daybook, tenant: Tenant) -> None:
    command = commands.RemoveMember(org_id=tenant.org_id, actor_user_id=tenant.owner, user_id=tenant.owner)
    outcome = await daybook.send(command)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.status, outcome.command) == (Code.LAST_OWNER, 409, command)
    assert outcome.position is not None
    assert outcome.entry_id is not None


async def test_a_command_refused_without_an_entry_is_a_rejection_without_a_position(daybook: Daybook) -> None:
    outcome = await daybook.send(commands.RenameOrg(org_id="no id", name=""))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.position) == (Code.INVALID_COMMAND, None)


async def test_many_commands_keep_their_order_and_their_outcomes(
    daybook: Daybook, database: Connection, tenant: Tenant
) -> None:
    org, owner = tenant.org_id, tenant.owner
    renames = [commands.RenameOrg(org_id=org, actor_user_id=owner, name=f"Name {at}") for at in range(1200)]
    renames[7] = commands.RenameOrg(org_id=org, actor_user_id=owner, name="")
    outcomes = [outcome async for outcome in daybook.send_many(renames, in_flight=700)]
    assert [outcome.command for outcome in outcomes] == renames
    assert [at for at, outcome in enumerate(outcomes) if not isinstance(outcome, Accepted)] == [7]
    positions = [int(each.position.split(".")[1]) for each in outcomes if isinstance(each, Accepted)]
    assert positions == sorted(positions)
    last = outcomes[-1]
    assert isinstance(last, Accepted)
    await last.visible(timeout=20)
    assert await database.fetchval("SELECT name FROM orgs WHERE id = $1", org) == "Name 1199"


async def test_without_daybook_the_outcome_is_unknown_at_the_deadline() -> None:
    command = commands.RenameOrg(org_id=uuid4(), name="x")
    async with Daybook.over_http(f"http://127.0.0.1:{free_port()}", token="t") as daybook:
        outcome = await daybook.send(command, deadline=0.5)
    assert isinstance(outcome, Unknown)
    assert outcome.command is command
    assert "ConnectError" in outcome.reason


async def test_a_refused_token_raises_credentials_refused(system: System) -> None:
    async with Daybook.over_http(system.commands[0].url, token="not a token") as daybook:
        with pytest.raises(CredentialsRefused, match="refuses the token"):
            await daybook.send(commands.RenameOrg(org_id=uuid4(), name="x"))


async def test_a_refused_token_is_renewed_once_for_all_callers(system: System, tenant: Tenant) -> None:
    calls = 0

    async def renew() -> str:
        nonlocal calls
        calls += 1
        return expired if calls == 1 else good

    good, expired = token(system.settings, "service:shop"), token(system.settings, "service:shop", exp=1)
    renames = [commands.RenameOrg(org_id=tenant.org_id, actor_user_id=tenant.owner, name=f"{at}") for at in range(5)]
    async with Daybook.over_http(system.commands[0].url, token=renew) as daybook:
        outcomes = await asyncio.gather(*map(daybook.send, renames))
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 5
    assert calls == 2
