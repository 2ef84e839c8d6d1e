"""An instance that is stopped finishes the commands that it has accepted. The other instances take over immediately."""

import asyncio

import httpx

from support.driving import check_tables, fresh_id, new_tenant, open_database, post_batch
from support.processes import Systems
from support.publisher import Send, doors, item
from support.workload import SERVICE, command

SENDS = 200


async def test_a_stopped_instance_answers_what_it_accepted_and_leaves_cleanly(systems: Systems) -> None:
    system = systems.start(commands=2, projectors=2)
    settings, (stopping, remaining) = system.settings, system.commands
    async with doors(settings, stopping.url, remaining.url) as (door, other), open_database(settings) as database:
        tenant = await new_tenant(other, database)
        sends = [rename_by_service(tenant.org_id, tenant.owner, f"Name {number}") for number in range(SENDS)]
        answers = [asyncio.create_task(door.send(send)) for send in sends]
        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        stops = [asyncio.to_thread(service.stop) for service in (stopping, system.projectors[0])]
        assert await asyncio.gather(*stops) == [0, 0]
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
        # Requests that the stopped instance had not read yet are lost with their connections. All others are answered.
        items = [item(answer) for answer in outcomes if isinstance(answer, httpx.Response)]
        lost = [answer for answer in outcomes if isinstance(answer, httpx.TransportError)]
        assert len(items) + len(lost) == SENDS
        assert {answer["status"] for answer in items} <= {200, 202, 503}
        # The other instance need not wait until the session of the stopped one times out, so this takes no extra time.
        final = await post_batch(other, sends, SERVICE)
    assert {answer["status"] for answer in final} == {200}
    assert [answer for answer in items if answer["status"] == 200 and answer not in final] == []
    assert len({answer["position"] for answer in final}) == SENDS
    await check_tables(settings)


def rename_by_service(org_id: str, actor: str, name: str) -> Send:
    return Send(SERVICE, command("RENAME_ORG", org_id, actor, fresh_id(), name=name))
