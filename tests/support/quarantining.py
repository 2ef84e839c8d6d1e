"""Brings an org into quarantine: an entry that no version knows is put on the head of its partition's log."""

from datetime import datetime, timedelta

from aiokafka import AIOKafkaProducer

from daybook_infra.settings import Settings
from support.chain import Json, entry_id, jcs, partition_of, sealed
from support.driving import fresh_id
from support.replay import read_log


async def poison(settings: Settings, org_id: str) -> None:
    """Nobody else may write to that partition meanwhile."""
    chain = (await read_log(settings))[partition_of(org_id, settings.partitions)]
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all")
    await producer.start()
    try:
        value = jcs(sealed(_of_no_version(org_id, chain.entries[-1]), chain.head[0] + 1, chain.head[1]))
        topic = settings.topic_prefix + "audit_log"
        await producer.send_and_wait(topic, value, key=org_id.encode(), partition=chain.partition)
    finally:
        await producer.stop()


def _of_no_version(org_id: str, last: Json) -> Json:
    command_id = fresh_id()
    metadata = last["metadata_json"] | {"command_id": command_id, "ordinal": 0, "entries": 1, "data": {}}
    entry = {"id": entry_id(org_id, command_id), "action": "PAINT_ORG", "entity_type": "org", "entity_id": org_id}
    whose = {"org_id": org_id, "project_id": None, "actor_user_id": None, "created_at": _just_after(last)}
    return last | entry | whose | {"metadata_json": metadata}


def _just_after(last: Json) -> str:
    moment = datetime.fromisoformat(last["created_at"]) + timedelta(microseconds=1)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
