"""Long logs in little time: seals entries as the command service would, and appends them to the topic while no shard
runs. Keeps none of them, so that millions fit.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.measuring.orgs import CONFIG, CONNECTIONS, MEMBERS, ROLES
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from daybook_contracts.log.head import Head
from daybook_contracts.timestamps import timestamp
from daybook_contracts.topics import Topics
from daybook_infra.runtime.settings import Settings
from support.flat_entries import Flat
from support.logbook import START, Logbook, Place, org, project, thing, user

MOST_UNACKED = 20_000
Deed = tuple[str | None, str | None, Fact, str | None]
"""An org, an actor, what happened, and the project that the entry's column names."""


class SealedLog(Logbook):
    """Numbers commands and their times without keeping entries. `waiting`: partitions and values to be appended."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        self.waiting: list[tuple[int, bytes]] = []

    def append_value(self, partition: int, value: bytes, head: Head, id_: str = "") -> Place:
        self.heads[partition] = head
        self.waiting.append((partition, value))
        return Place(id_, partition, head.position, head.position)

    def _columns(
        self, org_id: str | None, actor: str | None, action: str, entity_id: str, key: str, ordinal: int = 0
    ) -> Flat:
        columns = super()._columns(org_id, actor, action, entity_id, key, ordinal)
        return {**columns, "created_at": timestamp(START + 1000 * self.commands + ordinal)}


@asynccontextmanager
async def appending(settings: Settings) -> AsyncIterator["Appender"]:
    async with AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap, acks="all", enable_idempotence=True, max_batch_size=512 * 1024
    ) as producer:
        yield Appender(SealedLog(settings.partitions), producer, Topics(settings.topic_prefix).audit_log)


class Appender:
    def __init__(self, log: SealedLog, producer: Any, topic: str) -> None:
        self.log, self._producer, self._topic = log, producer, topic

    async def append(self, deeds: Iterable[Deed]) -> int:
        """Returns how many entries were appended."""
        count = 0
        acks: list[asyncio.Future[Any]] = []
        for org_id, actor, fact, project_id in deeds:
            self.log.add(org_id, actor, fact, project_id=project_id)
            count += 1
            for partition, value in self.log.waiting:
                acks.append(await self._producer.send(self._topic, value=value, key=b"bench", partition=partition))
            self.log.waiting.clear()
            if len(acks) >= MOST_UNACKED:
                await asyncio.gather(*acks)
                acks.clear()
        await asyncio.gather(*acks)
        return count


def registrations(count: int) -> Iterator[Deed]:
    return ((None, user(number), facts.UserRegistered(user_id=user(number)), None) for number in range(1, count + 1))


def whole_orgs(count: int, users: int) -> Iterator[Deed]:
    """Orgs with 20 members and 5 connections each. `users`: how many users are registered, at least 20."""
    for number in range(1, count + 1):
        org_id, people = org(number), [user(1 + (number + at) % users) for at in range(MEMBERS)]
        yield org_id, people[0], facts.OrgCreated(name="Harbour Books"), None
        for at, member in enumerate(people[1:]):
            yield org_id, people[0], facts.MemberAdded(user_id=member, role=ROLES[at % len(ROLES)]), None
        yield org_id, people[0], facts.ProjectCreated(project_id=project(number), name="Storefront"), project(number)
        for at in range(CONNECTIONS):
            yield org_id, people[0], connection(number, at), project(number)


def small_orgs(count: int, users: int, letters: int) -> Iterator[Deed]:
    """Orgs with a project, a connection and some dead letters."""
    for number in range(1, count + 1):
        org_id, owner = org(number), user(1 + number % users)
        yield org_id, owner, facts.OrgCreated(name="Harbour Books"), None
        yield org_id, owner, facts.ProjectCreated(project_id=project(number), name="Storefront"), project(number)
        yield org_id, owner, connection(number, 0), project(number)
        for at in range(letters):
            yield org_id, None, dead_letter(number, at), project(number)


def dead_letters(orgs: int, each: int) -> Iterator[Deed]:
    """`each` dead letters for each org of `whole_orgs`."""
    for at in range(each):
        for number in range(1, orgs + 1):
            yield org(number), None, dead_letter(number, at), project(number)


def crowd(org_id: str, members: int) -> Iterator[Deed]:
    """An org with this many members."""
    yield org_id, user(1), facts.OrgCreated(name="Harbour Books"), None
    for number in range(2, members + 1):
        yield org_id, user(1), facts.MemberAdded(user_id=user(number), role="member"), None


def connection(number: int, at: int) -> Fact:
    return facts.ConnectionCreated(
        connection_id=thing(100 * number + at),
        project_id=project(number),
        type="crm",
        name=f"Shop {at}",
        config=free_json(CONFIG),
    )


def dead_letter(number: int, at: int) -> Fact:
    payload = free_json({"event": "PURCHASE_APPROVED", "price": 12.5, "buyer": {"name": "Zoë"}})
    letter = thing(100_000_000_000 + 1_000_000 * at + number)
    return facts.DlqEventRecorded(connection_id=thing(100 * number), dlq_event_id=letter, payload=payload)
