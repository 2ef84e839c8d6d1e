"""An instance that is asked to stop finishes what it has taken, and the others take over at once."""

import asyncio

import httpx
import pytest

from support.driving import check_tables, connected, fresh_id, new_tenant, post_batch
from support.processes import Systems
from support.publisher import Send, doors, item
from support.workload import SERVICE, command

pytestmark = pytest.mark.e2e
SENDS = 200


async def test_a_stopped_instance_answers_what_it_took_and_leaves_cleanly(systems: Systems) -> None:
    system = systems.start(commands=2, projectors=2)
    settings, (leaving, staying) = system.settings, system.commands
    async with doors(settings, leaving.url, staying.url) as (door, other), connected(settings) as database:
        tenant = await new_tenant(other, database)
        sends = [renaming(tenant.org_id, tenant.owner, f"Name {at}") for at in range(SENDS)]
        answers = [asyncio.create_task(door.send(send)) for send in sends]
        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        stops = [asyncio.to_thread(service.stop) for service in (leaving, system.projectors[0])]
        assert await asyncio.gather(*stops) == [0, 0]
        given = await asyncio.gather(*answers, return_exceptions=True)
        # What it had not read yet is lost with its connection; whatever else it was asked it has answered.
        items = [item(answer) for answer in given if isinstance(answer, httpx.Response)]
        lost = [answer for answer in given if isinstance(answer, httpx.TransportError)]
        assert len(items) + len(lost) == SENDS
        assert {one["status"] for one in items} <= {200, 202, 503}
        # Within the time of one answer: nobody waits for the session of the one that left.
        final = await post_batch(other, sends, SERVICE)
    assert {one["status"] for one in final} == {200}
    assert [one for one in items if one["status"] == 200 and one not in final] == []
    assert len({one["position"] for one in final}) == SENDS
    await check_tables(settings)


def renaming(org_id: str, actor: str, name: str) -> Send:
    return Send(SERVICE, command("RENAME_ORG", org_id, actor, fresh_id(), name=name))
