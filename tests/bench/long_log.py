"""An org in each partition, made by commands, and a log as long as one likes: entries that are sealed here and appended
to the topic while nobody else writes. The projector projects them as any others.
"""

import asyncio
import time
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
from support.chain import Json, partition_of
from support.driving import Way, fresh_id, until_projected
from support.flat_entries import Flat, sealed
from support.publisher import Send
from support.workload import command, registration

PRINCIPAL, SALT, KIND = "service:bench", "00112233445566778899aabbccddeeff", "RECORD_DLQ_EVENT"
PAYLOAD = b'{"event":"PURCHASE_APPROVED"}'
# A partition's turn, and how many may be unacknowledged: a million futures at once would be memory for nothing.
RUN, UNACKED = 200, 5_000
PROJECTED_SECONDS = 900.0
HEADS = "SELECT partition, position, hash FROM daybook.checkpoints"
# What autovacuum does sooner or later.
SETTLE = "VACUUM (ANALYZE) audit_log, dlq_events"


@dataclass(frozen=True, slots=True)
class Place:
    """The org that has the partition to itself."""

    partition: int
    org_id: str
    owner: str
    project_id: str
    connection_id: str

    def send(self, kind: str, **data: Any) -> Send:
        return Send(PRINCIPAL, command(kind, self.org_id, self.owner, fresh_id(), **data))

    def dead_letter(self) -> Flat:
        """The entry of one more."""
        command_id = str(uuid_utils.uuid7())
        identity = Identity("org", self.org_id, None, command_id)
        id_ = identity.second_id()
        fact = DlqEventRecorded(connection_id=self.connection_id, dlq_event_id=id_, payload=Raw(PAYLOAD))
        asked = b'{"connection_id":"%b","payload":%b}' % (self.connection_id.encode(), PAYLOAD)
        return {
            "action": KIND,
            "actor_user_id": self.owner,
            "created_at": timestamp(time.time_ns() // 1000),
            "entity_id": id_,
            "entity_type": "dlq_event",
            "id": identity.first_id(),
            "org_id": self.org_id,
            "project_id": self.project_id,
            "result": "success",
            "command_id": command_id,
            "data": encode_fact(fact),
            "entries": 1,
            "error": None,
            "key": self.org_id,
            "ordinal": 0,
            "partition": self.partition,
            "principal": PRINCIPAL,
            "request": request_hash(bytes.fromhex(SALT), KIND, self.org_id, self.owner, asked),
            "salt": SALT,
            "scope": "org",
        }


async def settle_in(way: Way, database: Connection, partitions: int) -> list[Place]:
    """Everything is in the tables when this returns."""
    owner = fresh_id()
    await _projected(database, await way(registration(owner, fresh_id())))
    return [await _settled(way, database, partition, partitions, owner) for partition in range(partitions)]


async def _settled(way: Way, database: Connection, partition: int, partitions: int, owner: str) -> Place:
    org_id = next(each for each in iter(fresh_id, "") if partition_of(each, partitions) == partition)
    await way(Send(PRINCIPAL, command("CREATE_ORG", org_id, owner, fresh_id(), name="Org")))
    project = await way(Send(PRINCIPAL, command("CREATE_PROJECT", org_id, owner, fresh_id(), name="Shop")))
    project_id = _made(project)
    feed: Json = {"project_id": project_id, "type": "rss", "name": "Feed", "config": {}}
    connection = await way(Send(PRINCIPAL, command("CREATE_CONNECTION", org_id, owner, fresh_id(), **feed)))
    await _projected(database, connection)
    return Place(partition, org_id, owner, project_id, _made(connection))


def _made(answer: Json) -> str:
    assert answer["status"] == 200, answer
    id_: str = answer["entries"][0]["entity_id"]
    return id_


async def _projected(database: Connection, answer: Json) -> None:
    assert answer["status"] == 200, answer
    await until_projected(database, [answer["position"]])


async def lengthen(settings: Settings, database: Connection, places: list[Place], entries: int) -> None:
    """By so many dead letters, in turn on each place; in the tables when this returns."""
    heads = {row["partition"]: Head(row["position"], row["hash"]) for row in await database.fetch(HEADS)}
    producer = kafka.producer(settings, "daybook-bench")
    await producer.start()
    try:
        acks: list[asyncio.Future[Any]] = []
        for at in range(entries):
            place = places[at // RUN % len(places)]
            value, heads[place.partition] = sealed(place.dead_letter(), heads[place.partition])
            sent = {"value": value, "key": place.org_id.encode(), "partition": place.partition}
            acks.append(await producer.send(Topics(settings.topic_prefix).audit_log, **sent))
            if len(acks) == UNACKED:
                await asyncio.gather(*acks)
                acks.clear()
        await asyncio.gather(*acks)
    finally:
        await producer.stop()
    ends = [f"{partition}.{head.position}" for partition, head in heads.items()]
    await until_projected(database, ends, PROJECTED_SECONDS)
    await database.execute(SETTLE, timeout=PROJECTED_SECONDS)
