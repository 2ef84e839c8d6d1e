"""Appends well-formed entries that extend the log but were not written by the shard. Their content may be wrong."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from aiokafka import AIOKafkaProducer

from daybook_infra.runtime.kafka.clients import close_quietly, start
from daybook_infra.runtime.settings import Settings
from support.chain import Chain, Json, entry_id, hashed_at, jcs, partition_of
from support.driving import fresh_id
from support.replay import read_log

MIB = 1024 * 1024


async def forge(settings: Settings, org_id: str, actor: str | None, action: str, data: Json, **changes: object) -> str:
    """Appends one entry and returns its position. Nothing else may write to the partition meanwhile.

    `changes` replace columns of the entry or, if the name starts with an underscore, members of its metadata.
    """
    chain = (await read_log(settings))[partition_of(org_id, settings.partitions)]
    entry = forged_entry(chain, org_id, actor, action, data, **changes)
    await append(settings, chain.partition, [jcs(entry)])
    return f"{chain.partition}.{chain.head[0] + 1}"


def forged_entry(chain: Chain, org_id: str, actor: str | None, action: str, data: Json, **changes: object) -> Json:
    command_id, last = fresh_id(), chain.entries[-1]["metadata_json"]
    metadata = {name: member for name, member in last.items() if name != "error"}
    metadata |= {"scope": "org", "key": org_id, "command_id": command_id, "data": data, "ordinal": 0, "entries": 1}
    entry: Json = {"id": entry_id(org_id, command_id), "org_id": org_id, "project_id": None}
    entry |= {"actor_user_id": actor, "action": action, "entity_type": "org", "entity_id": org_id}
    entry |= {"result": "success", "created_at": time_after(chain)}
    for name, value in changes.items():
        (metadata if name.startswith("_") else entry)[name.removeprefix("_")] = value
    return hashed_at(entry | {"metadata_json": metadata}, chain.head[0] + 1, chain.head[1])


def time_after(chain: Chain) -> str:
    return timestamp(datetime.fromisoformat(chain.entries[-1]["created_at"]) + timedelta(microseconds=1))


def timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def append(settings: Settings, partition: int, values: Sequence[bytes | None]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all", max_request_size=5 * MIB)
    await start(producer)
    try:
        for value in values:
            topic = settings.topic_prefix + "audit_log"
            await producer.send_and_wait(topic, value, key=b"beside the shard", partition=partition)
    finally:
        await close_quietly(producer)
