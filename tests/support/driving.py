"""What most tests do with a running system: register users, send many commands at once, over HTTP and Kafka, wait until
they are projected, and compare the tables with a fold of the log.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.chain import Json
from support.publisher import Door, Publisher, Send, send_until_decided
from support.replay import check_chain, entries_of, read_log
from support.sql import open_connection
from support.tables import differences, fold, read_tables
from support.workload import SERVICE, by_user, command, registration

Seen = TypeVar("Seen")
Way = Callable[[Send], Awaitable[Json]]
"""A way to send a command: returns its outcome."""


def fresh_id() -> str:
    return str(uuid4())


def fresh_ids(count: int) -> tuple[str, ...]:
    return tuple(fresh_id() for _ in range(count))


async def eventually(look: Callable[[], Awaitable[Seen]], seconds: float = 15) -> Seen:
    """The first truthy result of `look`. Raises TimeoutError if there is none within `seconds`."""
    async with asyncio.timeout(seconds):
        while not (seen := await look()):  # noqa: ASYNC110 - no event: another process makes it true
            await asyncio.sleep(0.02)
        return seen


def over_http(*ways: Door) -> Way:
    """Sends over HTTP, to these doors in turn, until there is a final answer."""

    async def send(one: Send) -> Json:
        return await send_until_decided(one, *ways)

    return send


def over_kafka(publisher: Publisher, seconds: float = 40) -> Way:
    """Publishes to Kafka and reads the outcome from the results topic. Drops `"result": "failure"`, which HTTP answers
    do not have.
    """

    async def send(one: Send) -> Json:
        outcome = await asyncio.wait_for(await publisher.publish(one), seconds)
        return without_failure(outcome)

    return send


def without_failure(outcome: Json) -> Json:
    return {name: value for name, value in outcome.items() if (name, value) != ("result", "failure")}


async def send_all(sends: Iterable[Send], ways: Sequence[Way], *, at_once: int = 48) -> list[tuple[Send, Json]]:
    """Sends in order, up to `at_once` commands at a time, so that commands to one org overlap. Uses the ways in
    turn.
    """
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
    """Registers users in one batch, and waits until they are projected."""
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
async def open_database(settings: Settings) -> AsyncIterator[Connection]:
    async with open_connection(settings.database_url.get_secret_value()) as connection:
        yield connection


async def check_tables(settings: Settings) -> None:
    """Checks the chain of the log, waits until the log is projected, and checks that the tables equal its fold."""
    log = await read_log(settings)
    for chain in log:
        check_chain(chain)
    async with open_database(settings) as connection:
        await until_projected(connection, [f"{chain.partition}.{chain.head[0]}" for chain in log if chain.entries])
        found = await read_tables(connection)
    lines = differences(fold(entries_of(log)), found)
    assert not lines, "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An org with a user in each role, and a registered user who is not a member (`stranger`). If it has connections,
    it also has a project.
    """

    org_id: str
    connections: tuple[str, ...] = ()
    project_id: str = field(default_factory=fresh_id)
    owner: str = field(default_factory=fresh_id)
    admin: str = field(default_factory=fresh_id)
    member: str = field(default_factory=fresh_id)
    viewer: str = field(default_factory=fresh_id)
    stranger: str = field(default_factory=fresh_id)

    @property
    def people(self) -> tuple[str, ...]:
        return self.owner, self.admin, self.member, self.viewer, self.stranger

    def by(self, actor: str, kind: str, **data: Any) -> Send:
        """A user's command to this org, with a new id."""
        return by_user(kind, self.org_id, actor, fresh_id(), **data)

    def by_service(self, kind: str, actor: str | None = None, **data: Any) -> Send:
        return Send(SERVICE, command(kind, self.org_id, actor, fresh_id(), **data))

    def rename(self, name: str) -> Send:
        return self.by(self.owner, "RENAME_ORG", name=name)

    def founding(self) -> list[Send]:
        """The commands that create the org, in order. A service must send them, because some of them choose ids."""
        roles = {"admin": self.admin, "member": self.member, "viewer": self.viewer}
        sends = [self.by(self.owner, "CREATE_ORG", name="Org")]
        sends += [self.by(self.owner, "ADD_MEMBER", user_id=user, role=role) for role, user in roles.items()]
        if self.connections:
            sends.append(self.by_service("CREATE_PROJECT", self.owner, project_id=self.project_id, name="Web"))
        crm = {"project_id": self.project_id, "type": "crm", "config": {}}
        return sends + [
            self.by_service("CREATE_CONNECTION", self.owner, connection_id=id_, name=f"CRM {at}", **crm)
            for at, id_ in enumerate(self.connections)
        ]


async def new_tenant(door: Door, connection: Connection, org_id: str | None = None, connections: int = 0) -> Tenant:
    return (await new_tenants(door, connection, [org_id or fresh_id()], connections))[0]


async def new_tenants(door: Door, connection: Connection, org_ids: Iterable[str], connections: int = 0) -> list[Tenant]:
    """Registers users, waits until they are projected, and creates their orgs."""
    tenants = [Tenant(org_id, fresh_ids(connections)) for org_id in org_ids]
    await register(door, connection, [user for tenant in tenants for user in tenant.people])
    for tenant in tenants:
        await send_until_accepted(door, tenant.founding())
    return tenants


async def send_until_accepted(door: Door, sends: Sequence[Send]) -> None:
    """Sends the commands as one batch of a service, and repeats it until every command is accepted."""

    async def all_accepted() -> bool:
        items = await post_batch(door, sends, SERVICE)
        assert {item["status"] for item in items} <= {200, 202, 503}, items
        return all(item["status"] == 200 for item in items)

    await eventually(all_accepted, seconds=30)


async def send_accepted(door: Door, send: Send) -> Json:
    """Sends a command that must succeed; returns the answer."""
    answer = await send_until_decided(send, door)
    assert answer["status"] == 200, answer
    return answer


async def send_and_project(door: Door, connection: Connection, send: Send, seconds: float = 30) -> Json:
    """Sends a command that must succeed, and waits until it is projected; returns the answer."""
    answer = await send_accepted(door, send)
    await until_projected(connection, [answer["position"]], seconds)
    return answer


def created_id(answer: Json) -> str:
    """The id of the thing that the command created."""
    id_: str = answer["entries"][0]["entity_id"]
    return id_
