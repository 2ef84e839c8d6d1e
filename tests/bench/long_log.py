"""Makes a log of any length. It sends commands that create an org in each partition; then it seals entries itself and
appends them to the topic while no shard runs. The projector projects them like all others.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import uuid_utils
from msgspec import Raw

from daybook_contracts.entries.facts import DlqEventRecorded
from daybook_contracts.entries.fields import encode_fact
from daybook_contracts.entries.hashing import request_hash
from daybook_contracts.entries.identity import Identity
from daybook_contracts.log.head import Head
from daybook_contracts.timestamps import timestamp
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.chain import partition_of
from support.driving import Tenant, Way, fresh_id, fresh_ids, open_database, over_kafka, until_projected
from support.flat_entries import Flat, seal_flat
from support.processes import System
from support.publisher import Publisher, Send
from support.workload import SERVICE, registration

SALT, KIND = "00112233445566778899aabbccddeeff", "RECORD_DLQ_EVENT"
PAYLOAD = b'{"event":"PURCHASE_APPROVED"}'
# How many entries in a row go to one partition, and how many may be unacknowledged, which bounds memory.
IN_A_ROW, MAX_UNACKED = 200, 5_000
PROJECTED_SECONDS = 900.0
HEADS = "SELECT partition, position, hash FROM daybook.checkpoints"
# Does at once what autovacuum would do later.
SETTLE = "VACUUM (ANALYZE) audit_log, dlq_events"


@dataclass(frozen=True, slots=True)
class Place:
    """The only org in its partition."""

    partition: int
    tenant: Tenant

    def send(self, kind: str, **data: Any) -> Send:
        return self.tenant.by_service(kind, self.tenant.owner, **data)

    def dead_letter(self) -> Flat:
        """An entry that records one more dead letter."""
        command_id, org_id, [connection_id] = str(uuid_utils.uuid7()), self.tenant.org_id, self.tenant.connections
        identity = Identity("org", org_id, None, command_id)
        id_ = identity.second_id()
        fact = DlqEventRecorded(connection_id=connection_id, dlq_event_id=id_, payload=Raw(PAYLOAD))
        data = b'{"connection_id":"%b","payload":%b}' % (connection_id.encode(), PAYLOAD)
        return {
            "action": KIND,
            "actor_user_id": self.tenant.owner,
            "created_at": timestamp(time.time_ns() // 1000),
            "entity_id": id_,
            "entity_type": "dlq_event",
            "id": identity.first_id(),
            "org_id": org_id,
            "project_id": self.tenant.project_id,
            "result": "success",
            "command_id": command_id,
            "data": encode_fact(fact),
            "entries": 1,
            "error": None,
            "key": org_id,
            "ordinal": 0,
            "partition": self.partition,
            "principal": SERVICE,
            "request": request_hash(bytes.fromhex(SALT), KIND, org_id, self.tenant.owner, data),
            "salt": SALT,
            "scope": "org",
        }


async def create_orgs(way: Way, database: Connection, partitions: int) -> list[Place]:
    """Creates an org with a project and a connection in each partition, and waits until they are projected."""
    org_ids = [
        next(each for each in iter(fresh_id, "") if partition_of(each, partitions) == at) for at in range(partitions)
    ]
    tenants = [Tenant(org_id, fresh_ids(1)) for org_id in org_ids]
    users = [registration(user, fresh_id()) for tenant in tenants for user in tenant.people]
    for sends in (users, *(tenant.founding() for tenant in tenants)):
        answers = [await way(send) for send in sends]
        assert {answer["status"] for answer in answers} == {200}, answers
        await until_projected(database, [answer["position"] for answer in answers])
    return [Place(partition, tenant) for partition, tenant in enumerate(tenants)]


async def growing_log(system: System, lengths: Iterable[int]) -> AsyncIterator[int]:
    """Yields each of the rising lengths when the log has reached it and is projected."""
    async with Publisher(system.settings) as publisher, open_database(system.settings) as database:
        places = await create_orgs(over_kafka(publisher), database, system.settings.partitions)
        # No shard may run while entries are appended from outside.
        await asyncio.to_thread(system.commands.pop().stop)
        before = 0
        for length in lengths:
            await append_entries(system.settings, database, places, length - before)
            before = length
            yield length


async def append_entries(settings: Settings, database: Connection, places: list[Place], entries: int) -> None:
    """Appends this many dead letters, to the places in turn, and waits until they are projected."""
    heads = {row["partition"]: Head(row["position"], row["hash"]) for row in await database.fetch(HEADS)}
    producer = kafka.producer(settings, "daybook-bench")
    await producer.start()
    try:
        acks: list[asyncio.Future[Any]] = []
        for number in range(entries):
            place = places[number // IN_A_ROW % len(places)]
            value, heads[place.partition] = seal_flat(place.dead_letter(), heads[place.partition])
            record = {"value": value, "key": place.tenant.org_id.encode(), "partition": place.partition}
            acks.append(await producer.send(Topics(settings.topic_prefix).audit_log, **record))
            if len(acks) == MAX_UNACKED:
                await asyncio.gather(*acks)
                acks.clear()
        await asyncio.gather(*acks)
    finally:
        await producer.stop()
    ends = [f"{partition}.{head.position}" for partition, head in heads.items()]
    await until_projected(database, ends, PROJECTED_SECONDS)
    await database.execute(SETTLE, timeout=PROJECTED_SECONDS)
