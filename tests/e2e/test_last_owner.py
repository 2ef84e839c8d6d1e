"""Every org keeps an owner, even when two instances get demotions of its last two owners at the same time."""

import asyncio

from daybook_infra.runtime.postgres.connections import Connection
from support.driving import fresh_id, register, until_projected
from support.processes import System
from support.publisher import Door, Send, doors, send_until_decided
from support.workload import SERVICE, command

RACES = 200
AT_ONCE = 20
OWNERLESS = """
select count(*) from orgs
where not exists (select from org_members where org_members.org_id = orgs.id and role = 'owner')
"""


async def test_simultaneous_demotions_of_the_last_two_owners_leave_one(shared: System, database: Connection) -> None:
    urls = [service.url for service in shared.commands]
    async with doors(shared.settings, *urls) as (one, other):
        first, second = fresh_id(), fresh_id()
        await register(one, database, (first, second))
        positions = []
        for start in range(0, RACES, AT_ONCE):
            races = (race(one, other, first, second, number % 2 == 0) for number in range(start, start + AT_ONCE))
            positions += await asyncio.gather(*races)
    await until_projected(database, positions)
    assert await database.fetchval(OWNERLESS) == 0


async def race(one: Door, other: Door, first: str, second: str, each_other: bool) -> str:  # noqa: FBT001 - a variant
    """Two owners demote each other, or themselves, on two instances. Asserts that only one succeeds. Returns the last
    position.
    """
    org_id = fresh_id()
    await send_until_decided(for_user("CREATE_ORG", org_id, first, name="Race"), one)
    await send_until_decided(for_user("ADD_MEMBER", org_id, first, user_id=second, role="owner"), one)
    targets = (second, first) if each_other else (first, second)
    demotions = [
        for_user("UPDATE_MEMBER", org_id, actor, user_id=target, role="member")
        for actor, target in zip((first, second), targets, strict=True)
    ]
    answers = await asyncio.gather(send_until_decided(demotions[0], one), send_until_decided(demotions[1], other))
    loser = "FORBIDDEN" if each_other else "LAST_OWNER"
    assert sorted(answer.get("code", "success") for answer in answers) == sorted([loser, "success"])
    positions: list[str] = [answer["position"] for answer in answers]
    return max(positions, key=lambda position: int(position.partition(".")[2]))


def for_user(kind: str, org_id: str, actor: str, **data: str) -> Send:
    """A command that a service sends for the user, because services have no rate limit."""
    return Send(SERVICE, command(kind, org_id, actor, fresh_id(), **data))
