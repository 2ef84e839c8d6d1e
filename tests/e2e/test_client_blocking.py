"""The client without asyncio, against real services."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from chaos.proxy import Proxy
from daybook_client.blocking import Accepted, Code, CredentialsRefused, Daybook, Rejected, Unknown, commands, new_id_of
from support.driving import Tenant
from support.processes import System, free_port
from support.publisher import token


@pytest.fixture
def daybook(system: System) -> Iterator[Daybook]:
    url = system.commands[0].url
    with Daybook.over_http(url, token=token(system.settings, "service:shop")) as daybook:
        yield daybook


async def test_an_accepted_command_becomes_visible(daybook: Daybook, tenant: Tenant) -> None:
    command = commands.CreateProject(org_id=tenant.org_id, actor_user_id=tenant.owner, name="Storefront")
    outcome = daybook.send(command, deadline=10)
    assert isinstance(outcome, Accepted)
    assert outcome.entries[0].entity_id == new_id_of(command)
    outcome.visible(timeout=10)
    assert daybook.send(command) == outcome


async def test_a_rejection_is_returned_as_an_outcome(daybook: Daybook, tenant: Tenant) -> None:
    command = commands.RemoveMember(org_id=tenant.org_id, actor_user_id=tenant.owner, user_id=tenant.owner)
    outcome = daybook.send(command)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.status, outcome.command) == (Code.LAST_OWNER, 409, command)


async def test_many_commands_keep_their_order_and_their_outcomes(daybook: Daybook, tenant: Tenant) -> None:
    org, owner = tenant.org_id, tenant.owner
    renames = [commands.RenameOrg(org_id=org, actor_user_id=owner, name=f"Name {at}") for at in range(300)]
    outcomes = list(daybook.send_many(renames, at_once=70))
    assert [outcome.command for outcome in outcomes] == renames
    positions = [int(each.position.split(".")[1]) for each in outcomes if isinstance(each, Accepted)]
    assert len(positions) == 300
    assert positions == sorted(positions)


async def test_a_tail_continues_after_a_lost_connection_and_ends_when_the_client_closes(
    system: System, tenant: Tenant
) -> None:
    proxy = Proxy(Random(1), target=urlsplit(system.projectors[0].url).port or 0)
    await proxy.start()
    bearer, read_url = token(system.settings, f"user:{tenant.owner}"), f"http://127.0.0.1:{proxy.port}"
    with Daybook.over_http(system.commands[0].url, token=bearer, read_url=read_url) as daybook:
        renames = [commands.RenameOrg(org_id=tenant.org_id, actor_user_id=tenant.owner, name=f"{at}") for at in "12345"]
        sent = [await asyncio.to_thread(daybook.send, each) for each in renames]
        expected = [each.position for each in sent if isinstance(each, Accepted)]
        tail = daybook.tail(tenant.org_id, after=expected[0])
        found = [(await asyncio.to_thread(next, tail)).position]
        assert proxy.cut(1.0) > 0
        found += [(await asyncio.to_thread(next, tail)).position for _ in range(3)]
        assert found == expected[1:]
        ended = asyncio.create_task(asyncio.to_thread(next, tail, None))
        daybook.close()
        assert await ended is None
    await proxy.stop()


async def test_threads_share_one_client(daybook: Daybook, tenant: Tenant) -> None:
    org, owner = tenant.org_id, tenant.owner
    renames = [commands.RenameOrg(org_id=org, actor_user_id=owner, name=f"Name {at}") for at in range(20)]
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(daybook.send, renames))
    assert [(type(outcome), outcome.command) for outcome in outcomes] == [(Accepted, rename) for rename in renames]


def test_without_daybook_outcomes_are_unknown_and_later_commands_are_held_back() -> None:
    org = uuid4()
    renames = [commands.RenameOrg(org_id=org, name=f"{at}") for at in range(3)]
    with Daybook.over_http(f"http://127.0.0.1:{free_port()}", token="t") as daybook:
        outcomes = list(daybook.send_many(renames, deadline=0.5, at_once=2))
    assert [(type(outcome), outcome.command) for outcome in outcomes] == [(Unknown, rename) for rename in renames]
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Unknown)]
    assert "ConnectError" in reasons[0]
    assert reasons[2].startswith("not sent")


def test_a_refused_token_is_renewed_once_before_credentials_refused_is_raised(system: System) -> None:
    tokens = iter(["not a token", "still not"])
    with (
        Daybook.over_http(system.commands[0].url, token=lambda: next(tokens)) as daybook,
        pytest.raises(CredentialsRefused, match="refuses the token"),
    ):
        daybook.send(commands.RenameOrg(org_id=uuid4(), name="x"))
    assert list(tokens) == []
