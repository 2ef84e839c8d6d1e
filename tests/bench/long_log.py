"""An org in each partition, created by commands, and a log of any length: entries are sealed here and appended to the
topic while no shard runs. The projector projects them like any others.
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
# Entries of one partition in a row, and the maximum of unacknowledged ones, which limits memory.
RUN, UNACKED = 200, 5_000
PROJECTED_SECONDS = 900.0
HEADS = "SELECT partition, position, hash FROM daybook.checkpoints"
# Does now what autovacuum would do sooner or later.
SETTLE = "VACUUM (ANALYZE) audit_log, dlq_events"


@dataclass(frozen=True, slots=True)
class Place:
    """The only org in its partition."""

    partition: int
    org_id: str
    owner: str
    project_id: str
    connection_id: str

    def send(self, kind: str, **data: Any) -> Send:
        return Send(PRINCIPAL, command(kind, self.org_id, self.owner, fresh_id(), **data))

    def dead_letter(self) -> Flat:
        """An entry that records one more dead letter."""
        command_id = str(uuid_utils.uuid7())
        identity = Identity("org", self.org_id, None, command_id)
        id_ = identity.second_id()
        fact = DlqEventRecorded(connection_id=self.connection_id, dlq_event_id=id_, payload=Raw(PAYLOAD))
        data = b'{"connection_id":"%b","payload":%b}' % (self.connection_id.encode(), PAYLOAD)
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
            "request": request_hash(bytes.fromhex(SALT), KIND, self.org_id, self.owner, data),
            "salt": SALT,
            "scope": "org",
        }


async def create_orgs(way: Way, database: Connection, partitions: int) -> list[Place]:
    """Creates an org with a project and a connection in each partition; returns once they are in the tables."""
    owner = fresh_id()
    await _wait_until_projected(database, await way(registration(owner, fresh_id())))
    return [await _create_org(way, database, partition, partitions, owner) for partition in range(partitions)]


async def _create_org(way: Way, database: Connection, partition: int, partitions: int, owner: str) -> Place:
    org_id = next(each for each in iter(fresh_id, "") if partition_of(each, partitions) == partition)
    await way(Send(PRINCIPAL, command("CREATE_ORG", org_id, owner, fresh_id(), name="Org")))
    project = await way(Send(PRINCIPAL, command("CREATE_PROJECT", org_id, owner, fresh_id(), name="Shop")))
    project_id = _created_id(project)
    feed: Json = {"project_id": project_id, "type": "rss", "name": "Feed", "config": {}}
    connection = await way(Send(PRINCIPAL, command("CREATE_CONNECTION", org_id, owner, fresh_id(), **feed)))
    await _wait_until_projected(database, connection)
    return Place(partition, org_id, owner, project_id, _created_id(connection))


def _created_id(answer: Json) -> str:
    assert answer["status"] == 200, answer
    id_: str = answer["entries"][0]["entity_id"]
    return id_


async def _wait_until_projected(database: Connection, answer: Json) -> None:
    assert answer["status"] == 200, answer
    await until_projected(database, [answer["position"]])


async def append_entries(settings: Settings, database: Connection, places: list[Place], entries: int) -> None:
    """Appends this many dead letters, to each place in turn; returns once they are in the tables."""
    heads = {row["partition"]: Head(row["position"], row["hash"]) for row in await database.fetch(HEADS)}
    producer = kafka.producer(settings, "daybook-bench")
    await producer.start()
    try:
        acks: list[asyncio.Future[Any]] = []
        for number in range(entries):
            place = places[number // RUN % len(places)]
            value, heads[place.partition] = sealed(place.dead_letter(), heads[place.partition])
            record = {"value": value, "key": place.org_id.encode(), "partition": place.partition}
            acks.append(await producer.send(Topics(settings.topic_prefix).audit_log, **record))
            if len(acks) == UNACKED:
                await asyncio.gather(*acks)
                acks.clear()
        await asyncio.gather(*acks)
    finally:
        await producer.stop()
    ends = [f"{partition}.{head.position}" for partition, head in heads.items()]
    await until_projected(database, ends, PROJECTED_SECONDS)
    await database.execute(SETTLE, timeout=PROJECTED_SECONDS)
