"""What most scenarios do with a running system: register users, send many commands at once by many ways, wait until the
tables have caught up, and hold them against a fold of the log.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg

from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.chain import Json
from support.publisher import Door, Publisher, Send, decided
from support.replay import check_chain, entries_of, read_log
from support.tables import differences, fold, read_tables
from support.workload import SERVICE, by_user, registration

Seen = TypeVar("Seen")
Way = Callable[[Send], Awaitable[Json]]


def fresh_id() -> str:
    return str(uuid4())


async def eventually(look: Callable[[], Awaitable[Seen]], seconds: float = 15) -> Seen:
    """The first truthy result of `look`. Raises TimeoutError if there is none within `seconds`."""
    async with asyncio.timeout(seconds):
        while not (seen := await look()):  # noqa: ASYNC110 - what it looks at is another process
            await asyncio.sleep(0.02)
        return seen


def through(*ways: Door) -> Way:
    """Sends by HTTP until there is a final answer."""

    async def send(one: Send) -> Json:
        return await decided(one, *ways)

    return send


def over_kafka(publisher: Publisher, seconds: float = 40) -> Way:
    """Publishes and reads the outcome from the results topic, without the `result` that HTTP answers lack."""

    async def send(one: Send) -> Json:
        outcome = await asyncio.wait_for(await publisher.publish(one), seconds)
        return without_failure(outcome)

    return send


def without_failure(outcome: Json) -> Json:
    return {name: value for name, value in outcome.items() if (name, value) != ("result", "failure")}


async def send_all(sends: Iterable[Send], ways: Sequence[Way], *, at_once: int = 48) -> list[tuple[Send, Json]]:
    """Sends in order, `at_once` at a time, using the ways in turn, so that commands to one org overlap."""
    waiting, outcomes = enumerate(sends), list[tuple[Send, Json]]()

    async def work() -> None:
        for at, send in waiting:
            outcomes.append((send, await ways[at % len(ways)](send)))

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    return outcomes


async def post_batch(door: Door, sends: Sequence[Send], principal: str) -> list[Json]:
    body = b"[" + b",".join(send.body for send in sends) + b"]"
    answer = await door.post("/v1/commands:batch", body, principal)
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()
    return items


async def register(door: Door, connection: Connection, users: Iterable[str]) -> None:
    await register_all(door, connection, [registration(user, fresh_id()) for user in users])


async def register_all(door: Door, connection: Connection, registrations: Sequence[Send]) -> None:
    """Registers users, all at once, and waits until they are projected."""
    items = await post_batch(door, registrations, SERVICE)
    assert {item["status"] for item in items} == {200}, items
    await until_projected(connection, [item["position"] for item in items])


async def until_projected(connection: Connection, positions: Iterable[str], seconds: float = 30) -> None:
    last: dict[str, int] = {}
    for position in positions:
        partition, _, at = position.partition(".")
        last[partition] = max(int(at), last.get(partition, -1))
    wait = "select daybook.wait_for($1, make_interval(secs => $2))"
    for place in (f"{partition}.{at}" for partition, at in last.items()):
        assert await connection.fetchval(wait, place, seconds), f"{place} is not projected"


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        yield connection
    finally:
        await connection.close()


async def check_tables(settings: Settings) -> None:
    """Raises AssertionError unless the log is sound and the tables, once caught up, are its fold."""
    log = await read_log(settings)
    for chain in log:
        check_chain(chain)
    async with connected(settings) as connection:
        await until_projected(connection, [f"{chain.partition}.{chain.head[0]}" for chain in log if chain.entries])
        found = await read_tables(connection)
    lines = differences(fold(entries_of(log)), found)
    assert not lines, "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An org with a user in each role, and a registered user who is not a member."""

    org_id: str
    owner: str = field(default_factory=fresh_id)
    admin: str = field(default_factory=fresh_id)
    member: str = field(default_factory=fresh_id)
    viewer: str = field(default_factory=fresh_id)
    stranger: str = field(default_factory=fresh_id)

    def by(self, actor: str, kind: str, **data: Any) -> Send:
        """A command of a user to this org, under a new id."""
        return by_user(kind, self.org_id, actor, fresh_id(), **data)

    def rename(self, name: str) -> Send:
        return self.by(self.owner, "RENAME_ORG", name=name)


async def new_tenant(door: Door, connection: Connection, org_id: str | None = None) -> Tenant:
    tenant = Tenant(org_id or fresh_id())
    await register(door, connection, (tenant.owner, tenant.admin, tenant.member, tenant.viewer, tenant.stranger))
    sends = [tenant.by(tenant.owner, "CREATE_ORG", name="Org")]
    others = {"admin": tenant.admin, "member": tenant.member, "viewer": tenant.viewer}
    sends += [tenant.by(tenant.owner, "ADD_MEMBER", user_id=user, role=role) for role, user in others.items()]
    for send in sends:
        assert (await decided(send, door))["status"] == 200
    return tenant
